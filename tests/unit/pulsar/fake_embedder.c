/* The embedder of the session under test: effects are carried out, events written down, bytes carried. */
#include "fake_broker.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "support/rng.h"

/* ---- lines ---- */

void fb_line(fb *f, const char *format, ...) {
  if (f->quiet) return;
  char text[600];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text - 1, format, args);
  va_end(args);
  size_t len = (size_t)n < sizeof text - 1 ? (size_t)n : sizeof text - 2;
  text[len++] = '\n';
  kopi_buf_put(&f->log, text, len);
}

#define S(slice) (int)(slice).len, (const char *)(slice).ptr

static const char *error_name(int32_t error) {
  return kop_pulsar_server_error_name(error);
}

static void id_text(const kop_pulsar_message_id *id, char out[64]) {
  snprintf(out, 64, "%" PRId64 ":%" PRId64, (int64_t)id->ledger_id, (int64_t)id->entry_id);
}

/* ---- connections ---- */

fb_conn *fb_find(fb *f, uint64_t id) {
  for (size_t i = 0; i < FB_CONNS; i++) {
    if (id != 0 && f->conns[i].id == id) return &f->conns[i];
  }
  return NULL;
}

static void end_conn(fb *f, fb_conn *c) {
  for (size_t i = 0; i < FB_CONSUMERS; i++) {
    if (f->consumers[i].conn == c->id) f->consumers[i] = (fb_consumer){.id = 0};
  }
  kopi_buf_free(&c->in);
  kopi_buf_free(&c->out);
  *c = (fb_conn){.id = 0};
}

void fb_drop(fb *f, uint64_t conn) {
  fb_conn *c = fb_find(f, conn);
  if (c == NULL) return;
  end_conn(f, c);
  (void)kop_pulsar_closed(f->s, conn, fb_text("gone"), f->now);
}

void fb_drop_all(fb *f) {
  for (size_t i = 0; i < FB_CONNS; i++) {
    if (f->conns[i].id != 0) fb_drop(f, f->conns[i].id);
  }
}

static void on_connect(fb *f, const kop_pulsar_effect *fx) {
  const kop_pulsar_address *a = fx->body;
  fb_line(f, "connect %" PRIu64 " %.*s:%u%s%.*s%s", fx->target, S(a->host), a->port,
          a->broker.len > 0 ? " for " : "", S(a->broker), a->tls ? " tls" : "");
  if (f->refuse) {
    (void)kop_pulsar_closed(f->s, fx->target, fb_text("refused"), f->now);
    return;
  }
  fb_conn *c = NULL;
  for (size_t i = 0; i < FB_CONNS && c == NULL; i++) {
    if (f->conns[i].id == 0) c = &f->conns[i];
  }
  cr_assert_not_null(c);
  *c = (fb_conn){.id = fx->target, .open = true};
  snprintf(c->host, sizeof c->host, "%.*s", S(a->host));
  kopi_buf_init(&c->in, &f->alloc, 64u << 20);
  kopi_buf_init(&c->out, &f->alloc, 64u << 20);
  (void)kop_pulsar_connected(f->s, fx->target, f->now);
}

static void take_output(fb *f, const kop_pulsar_effect *fx) {
  const kop_pulsar_output *o = fx->body;
  fb_conn *c = fb_find(f, fx->target);
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < o->slices_count; i++) {
    if (c != NULL) kopi_buf_put(&c->in, o->slices[i].ptr, o->slices[i].len);
    if (f->tap != NULL) kopi_buf_put(f->tap, o->slices[i].ptr, o->slices[i].len);
    bytes += o->slices[i].len;
  }
  cr_assert_eq(bytes, o->bytes);
  if (c != NULL && f->hold) {
    c->sending = true;
  } else {
    (void)kop_pulsar_sent(f->s, fx->target, f->now);
  }
}

void fb_sent_all(fb *f) {
  for (size_t i = 0; i < FB_CONNS; i++) {
    if (!f->conns[i].sending) continue;
    f->conns[i].sending = false;
    cr_assert_eq(kop_pulsar_sent(f->s, f->conns[i].id, f->now), KOP_OK);
  }
}

/* ---- events ---- */

static void on_reason(fb *f, const char *what, const kop_pulsar_effect *fx) {
  const kop_pulsar_reason *r = fx->body;
  fb_line(f, "%s %" PRIu64 " %s %s %.*s", what, fx->target, kop_pulsar_outcome_name(r->outcome),
          error_name(r->server_error), S(r->text));
}

static void on_result(fb *f, const kop_pulsar_effect *fx) {
  const kop_pulsar_result *r = fx->body;
  char last[64], mark[64];
  id_text(&r->last_message_id, last);
  id_text(&r->mark_delete, mark);
  char detail[300] = "";
  if (r->outcome != KOP_PULSAR_DONE) {
    snprintf(detail, sizeof detail, " %.*s", S(r->text));
  } else if (r->request == KOP_PULSAR_REQUEST_LAST_MESSAGE_ID) {
    snprintf(detail, sizeof detail, " last=%s mark=%s", last, mark);
  } else if (r->request == KOP_PULSAR_REQUEST_LOOKUP) {
    snprintf(detail, sizeof detail, " %.*s:%u%s", S(r->broker_host), r->broker_port,
             r->proxied ? " proxied" : "");
  } else if (r->request == KOP_PULSAR_REQUEST_PARTITIONS) {
    snprintf(detail, sizeof detail, " partitions=%u", r->partitions);
  } else if (r->request == KOP_PULSAR_REQUEST_TOPICS) {
    size_t n = 0;
    for (uint32_t i = 0; i < r->topics_count; i++)
      n += (size_t)snprintf(detail + n, sizeof detail - n, " %.*s", S(r->topics[i]));
    if (r->topics_hash.ptr != NULL)
      snprintf(detail + n, sizeof detail - n, " hash=%.*s", S(r->topics_hash));
  }
  fb_line(f, "result %" PRIu64 " ctx=%" PRIu64 " %s %s%s", fx->target, fx->context,
          kop_pulsar_outcome_name(r->outcome), error_name(r->server_error), detail);
}

static void on_message(fb *f, const kop_pulsar_effect *fx) {
  const kop_pulsar_delivery *d = fx->body;
  char id[64];
  id_text(&d->id, id);
  kop_pulsar_entry entry;
  bool ok =
      kop_pulsar_entry_read(d->bytes.ptr, d->bytes.len, KOP_PULSAR_ENTRY_CHECK, &entry) == KOP_OK;
  cr_assert_eq(ok, (fx->flags & KOP_PULSAR_UNREADABLE) == 0);
  kop_slice payload = ok ? entry.payload : fb_text("unreadable");
  fb_line(f, "message %" PRIu64 " %s n=%u %.*s", fx->target, id, d->num_messages, S(payload));
  f->last_token = fx->token;
  f->messages++;
  if (f->keep_all) cr_assert_eq(kop_pulsar_keep(f->s, fx->token), KOP_OK);
}

static void on_topics(fb *f, const kop_pulsar_effect *fx) {
  const kop_pulsar_topics_change *t = fx->body;
  char text[400] = "";
  size_t n = 0;
  for (uint32_t i = 0; i < t->added_count; i++)
    n += (size_t)snprintf(text + n, sizeof text - n, " +%.*s", S(t->added[i]));
  for (uint32_t i = 0; i < t->removed_count; i++)
    n += (size_t)snprintf(text + n, sizeof text - n, " -%.*s", S(t->removed[i]));
  fb_line(f, "topics %" PRIu64 "%s%s", fx->target,
          (fx->flags & KOP_PULSAR_SNAPSHOT) != 0 ? " snapshot" : "", text);
}

static void on_effect(fb *f, const kop_pulsar_effect *fx) {
  char id[64];
  switch (fx->kind) {
  case KOP_PULSAR_CONNECT:
    on_connect(f, fx);
    break;
  case KOP_PULSAR_SEND:
    take_output(f, fx);
    break;
  case KOP_PULSAR_CLOSE: {
    on_reason(f, "close", fx);
    fb_conn *c = fb_find(f, fx->target);
    if (c != NULL) end_conn(f, c);
    (void)kop_pulsar_closed(f->s, fx->target, fb_text(""), f->now);
    break;
  }
  case KOP_PULSAR_RECV_PAUSE:
  case KOP_PULSAR_RECV_RESUME:
    fb_line(f, "%s %" PRIu64, fx->kind == KOP_PULSAR_RECV_PAUSE ? "pause" : "resume", fx->target);
    if (fb_find(f, fx->target) != NULL)
      fb_find(f, fx->target)->paused = fx->kind == KOP_PULSAR_RECV_PAUSE;
    break;
  case KOP_PULSAR_AUTH_NEEDED: {
    const kop_pulsar_challenge *c = fx->body;
    fb_line(f, "auth_needed %" PRIu64 " %.*s %.*s", fx->target, S(c->method), S(c->challenge));
    break;
  }
  case KOP_PULSAR_CONN_READY: {
    const kop_pulsar_server *v = fx->body;
    fb_line(f, "conn_ready %" PRIu64 " v%d max=%u", fx->target, v->protocol_version,
            v->max_message_bytes);
    break;
  }
  case KOP_PULSAR_PRODUCER_READY: {
    const kop_pulsar_producer_state *p = fx->body;
    fb_line(f,
            "producer_ready %" PRIu64 " on %" PRIu64 " times=%u name=%.*s epoch=%" PRId64
            " resent=%u",
            fx->target, p->conn, p->times, S(p->name), p->topic_epoch, p->resent);
    break;
  }
  case KOP_PULSAR_PRODUCER_WAITING:
    fb_line(f, "producer_waiting %" PRIu64, fx->target);
    break;
  case KOP_PULSAR_PRODUCER_DOWN:
    on_reason(f, "producer_down", fx);
    break;
  case KOP_PULSAR_PRODUCER_CLOSED:
    on_reason(f, "producer_closed", fx);
    break;
  case KOP_PULSAR_RECEIPT: {
    const kop_pulsar_receipt *r = fx->body;
    id_text(&r->id, id);
    fb_line(f, "receipt %" PRIu64 " ctx=%" PRIu64 " %s%s", fx->target, fx->context, id,
            (fx->flags & KOP_PULSAR_DUPLICATE) != 0 ? " duplicate" : "");
    f->receipts++;
    break;
  }
  case KOP_PULSAR_SEND_FAILED: {
    const kop_pulsar_send_failure *r = fx->body;
    fb_line(f, "send_failed %" PRIu64 " ctx=%" PRIu64 " %s %s%s", fx->target, fx->context,
            kop_pulsar_outcome_name(r->outcome), error_name(r->server_error),
            (fx->flags & KOP_PULSAR_MAYBE_WRITTEN) != 0 ? " maybe" : "");
    break;
  }
  case KOP_PULSAR_CONSUMER_READY: {
    const kop_pulsar_consumer_state *c = fx->body;
    fb_line(f, "consumer_ready %" PRIu64 " on %" PRIu64 " times=%u permits=%" PRIu64, fx->target,
            c->conn, c->times, c->permits);
    break;
  }
  case KOP_PULSAR_CONSUMER_DOWN:
    on_reason(f, "consumer_down", fx);
    break;
  case KOP_PULSAR_CONSUMER_CLOSED:
    on_reason(f, "consumer_closed", fx);
    break;
  case KOP_PULSAR_MESSAGE:
    on_message(f, fx);
    break;
  case KOP_PULSAR_END_OF_TOPIC:
    fb_line(f, "end_of_topic %" PRIu64, fx->target);
    break;
  case KOP_PULSAR_ACTIVE_CHANGE:
    fb_line(f, "%s %" PRIu64, (fx->flags & KOP_PULSAR_ACTIVE) != 0 ? "active" : "standby",
            fx->target);
    break;
  case KOP_PULSAR_RESULT:
    on_result(f, fx);
    break;
  case KOP_PULSAR_TOPICS_CHANGED:
    on_topics(f, fx);
    break;
  case KOP_PULSAR_WATCH_CLOSED:
    on_reason(f, "watch_closed", fx);
    break;
  default:
    cr_assert_fail("effect of kind %u", fx->kind);
  }
}

/* ---- the loop ---- */

static bool drain(fb *f) {
  const kop_pulsar_effect *fx = NULL;
  size_t n = 0;
  bool some = false;
  while ((n = kop_pulsar_drain(f->s, &fx)) > 0) {
    some = true;
    for (size_t i = 0; i < n; i++)
      on_effect(f, &fx[i]);
  }
  return some;
}

/* Decodes whole frames that the session has written. */
static bool hear(fb *f, uint64_t id) {
  bool some = false;
  for (;;) {
    fb_conn *c = fb_find(f, id);
    if (c == NULL || c->in.len < 4) return some;
    size_t size = 4 + (size_t)(c->in.data[0] << 24 | c->in.data[1] << 16 | c->in.data[2] << 8 |
                               c->in.data[3]);
    if (c->in.len < size) return some;
    uint8_t *copy = malloc(size);
    memcpy(copy, c->in.data, size);
    memmove(c->in.data, c->in.data + size, c->in.len - size);
    c->in.len -= size;
    kopi_pulsar_frame frame;
    fb_command command = {.conn = id};
    cr_assert_eq(kopi_pulsar_frame_split(copy, size, &frame), KOP_OK);
    kop_status status = kopi_pulsar_command_decode(&f->decoded, frame.command, &command.b);
    cr_assert_eq(status, KOP_OK, "a command of the session does not decode: %d", status);
    command.entry = frame.tail;
    f->commands++;
    fb_serve(f, &command);
    free(copy);
    some = true;
  }
}

static bool speak(fb *f, uint64_t id) {
  bool some = false;
  for (;;) {
    fb_conn *c = fb_find(f, id);
    if (c == NULL || c->out.len == 0 || c->paused) return some;
    size_t n = c->out.len;
    if (f->cut > 0 && f->cut < n) n = f->cut;
    if (f->rng != 0) n = 1 + (size_t)rng_below(&f->rng, n);
    if (f->lose_after > 0 && f->lose_after < n) n = (size_t)f->lose_after;
    uint8_t *copy = malloc(n);
    memcpy(copy, c->out.data, n);
    size_t taken = 0;
    kop_status status = kop_pulsar_feed(f->s, id, copy, n, f->now, &taken);
    free(copy);
    if (status == KOP_ERR_NOMEM) { /* what an embedder does then: drop the connection */
      fb_drop(f, id);
      return true;
    }
    cr_assert_eq(status, KOP_OK);
    c = fb_find(f, id);
    if (c == NULL) return true;
    memmove(c->out.data, c->out.data + taken, c->out.len - taken);
    c->out.len -= taken;
    if (f->lose_after > 0 && (f->lose_after -= taken) == 0) {
      fb_drop(f, id);
      return true;
    }
    some = some || taken > 0;
    if (taken == 0) return some;
  }
}

void fb_run(fb *f) {
  bool some = true;
  for (int rounds = 0; some; rounds++) {
    cr_assert_lt(rounds, 10000, "session and broker never fall silent");
    some = drain(f);
    for (size_t i = 0; i < FB_CONNS; i++) {
      if (f->conns[i].id != 0) some = hear(f, f->conns[i].id) || some;
    }
    for (size_t i = 0; i < FB_CONNS; i++) {
      if (f->conns[i].id != 0) some = speak(f, f->conns[i].id) || some;
    }
  }
}

void fb_pass(fb *f, uint64_t ms) {
  uint64_t until = f->now.mono_ns + ms * 1000000;
  fb_run(f);
  while (kop_pulsar_deadline(f->s) <= until) {
    uint64_t next = kop_pulsar_deadline(f->s);
    if (next > f->now.mono_ns) f->now.mono_ns = next;
    kop_pulsar_tick(f->s, f->now);
    fb_run(f);
  }
  f->now.mono_ns = until;
  kop_pulsar_tick(f->s, f->now);
  fb_run(f);
}

/* ---- comparing ---- */

void fb_expect(fb *f, const char *lines) {
  fb_run(f);
  size_t len = strlen(lines);
  kopi_buf_put_u8(&f->log, 0);
  f->log.len--;
  cr_assert(f->log.len == len && memcmp(f->log.data, lines, len) == 0,
            "expected\n%s\nbut there was\n%s", lines, (const char *)f->log.data);
  f->log.len = 0;
}

void fb_forget(fb *f) {
  fb_run(f);
  f->log.len = 0;
}

bool fb_saw(fb *f, const char *text) {
  fb_run(f);
  kopi_buf_put_u8(&f->log, 0);
  f->log.len--;
  return strstr((const char *)f->log.data, text) != NULL;
}

size_t fb_count(fb *f, const char *text) {
  size_t n = 0;
  if (!fb_saw(f, text)) return 0;
  for (const char *at = (const char *)f->log.data; (at = strstr(at, text)) != NULL; at++)
    n++;
  return n;
}

/* ---- life ---- */

void fb_config(kop_pulsar_session_config *config) {
  cr_assert_eq(kop_pulsar_session_config_init(config, sizeof *config), KOP_OK);
  config->service_url = fb_text("pulsar://svc:6650");
  config->seed = 5;
}

void fb_init(fb *f, const kop_pulsar_session_config *config) {
  memset(f, 0, sizeof *f);
  kop_pulsar_session_config c;
  fb_config(&c);
  cr_assert_eq(kopi_alloc_init(&f->alloc, NULL), KOP_OK);
  kopi_buf_init(&f->log, &f->alloc, 64u << 20);
  kopi_proto_arena_init(&f->decoded, &f->alloc, 64u << 20);
  f->now = (kop_now){.mono_ns = 1000000000, .wall_ms = 1700000000000};
  f->feature_bits = 15;
  f->max_message = 5 << 20;
  kop_status status = kop_pulsar_session_new(config == NULL ? &c : config, &f->s);
  cr_assert(status == KOP_OK || status == KOP_ERR_NOMEM);
}

void fb_free(fb *f) {
  kop_pulsar_session_free(f->s);
  f->s = NULL;
  for (size_t i = 0; i < FB_CONNS; i++) {
    if (f->conns[i].id != 0) end_conn(f, &f->conns[i]);
  }
  for (size_t i = 0; i < FB_TOPICS; i++) {
    for (size_t j = 0; j < f->topics[i].len; j++)
      kopi_buf_free(&f->topics[i].entries[j]);
  }
  kopi_buf_free(&f->log);
  kopi_proto_arena_free(&f->decoded);
}

/* ---- what is asked of the session ---- */

kop_slice fb_text(const char *text) {
  return (kop_slice){(const uint8_t *)text, strlen(text)};
}

uint64_t fb_producer(fb *f, const char *topic, uint32_t mode) {
  kop_pulsar_producer_config c;
  uint64_t id = 0;
  cr_assert_eq(kop_pulsar_producer_config_init(&c, sizeof c), KOP_OK);
  c.topic = fb_text(topic);
  c.access_mode = mode;
  c.context = 100;
  (void)kop_pulsar_producer_open(f->s, &c, f->now, &id);
  return id;
}

uint64_t fb_reader(fb *f, const char *topic, uint32_t permits) {
  kop_pulsar_consumer_config c;
  uint64_t id = 0;
  cr_assert_eq(kop_pulsar_consumer_config_init(&c, sizeof c), KOP_OK);
  c.topic = fb_text(topic);
  c.permits = permits;
  c.context = 200;
  (void)kop_pulsar_consumer_open(f->s, &c, f->now, &id);
  return id;
}

kop_status fb_send(fb *f, uint64_t producer, uint64_t sequence, const char *payload) {
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  md.present = KOP_PULSAR_HAS_PUBLISH_TIME;
  kop_slice body = fb_text(payload);
  kop_pulsar_send_info i = {.size = sizeof i,
                            .context = sequence,
                            .metadata = &md,
                            .payload = &body,
                            .payload_count = 1,
                            .num_messages = 1,
                            .sequence_id = sequence};
  return kop_pulsar_send(f->s, producer, &i, f->now);
}

void fb_send_some(fb *f, uint64_t producer, uint64_t from, uint64_t to) {
  for (uint64_t i = from; i <= to; i++)
    cr_assert_eq(fb_send(f, producer, i, "x"), KOP_OK);
  fb_run(f);
}

uint64_t fb_silent_producer(fb *f, uint32_t mode, uint64_t sent) {
  fb_init(f, NULL);
  f->topic_epoch = mode == KOP_PULSAR_SHARED ? 0 : 6;
  uint64_t p = fb_producer(f, "t", mode);
  fb_run(f);
  f->mute = 1ull << KOPI__BASE_COMMAND__TYPE__SEND;
  fb_send_some(f, p, 1, sent);
  fb_forget(f);
  return p;
}
