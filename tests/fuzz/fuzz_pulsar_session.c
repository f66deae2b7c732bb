/*
 * Fuzzes the Pulsar session as a whole: the input is a script of what the world does to it.
 *
 *   0x00 n bytes   feed n bytes to a connection           0x08 n    close a producer or consumer
 *   0x01 type n    feed the n-th frame of that type       0x09 n    a request: ack, seek, last id, topics, watch ...
 *   0x02           complete the open SENDs                0x0a n    shut down, if n is 0xff
 *   0x03 n         a connection is lost                   0x0b n    release what is kept
 *   0x04 n         n * 100 ms pass                        0x0c n    refuse the n-th allocation from now on
 *   0x05 n         open a producer                        0x0d n    answer a challenge
 *   0x06 n         open a consumer                        0x0e t v  the next frame is damaged: byte t becomes v
 *   0x07 n         send n entries, by turns with a struct and with a ready head
 *
 * Invariants: no crash; every accepted send gets one answer, in order; every request gets one; nothing is told of what is
 * closed; after the end nothing is left.
 */
#include <kop/kop.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_pulsar_frames.h"

enum { CONNS = 8, THINGS = 8, SENDS = 4096, KEPT = 32, NAME_MOST = 64 };

typedef struct thing {
  uint64_t id;
  uint64_t sent;     /* context of the next send */
  uint64_t answered; /* context of the next answer */
  size_t name_len;
  uint8_t name[NAME_MOST]; /* as the latest READY told it, if it is not longer */
  int consumer;
  int open;
} thing;

typedef struct world {
  kop_pulsar_session *s;
  kop_now now;
  uint64_t conns[CONNS];
  int sending[CONNS];
  thing things[THINGS];
  uint64_t kept[KEPT];
  uint64_t requests; /* without RESULT */
  long fail_in;      /* allocations until one is refused; 0: none is */
  size_t damage;
  uint8_t damage_to;
  uint32_t damaged;
  uint32_t last_request; /* a guess at the id of the latest command */
} world;

static void check(int ok) {
  if (!ok) abort();
}

static void *refusing_realloc(void *user, void *ptr, size_t size) {
  world *w = user;
  if (w->fail_in > 0 && --w->fail_in == 0) return NULL;
  return realloc(ptr, size);
}

static void refusing_free(void *user, void *ptr) {
  (void)user;
  free(ptr);
}

static thing *thing_of(world *w, uint64_t id) {
  for (size_t i = 0; i < THINGS; i++) {
    if (w->things[i].open && w->things[i].id == id) return &w->things[i];
  }
  return NULL;
}

static void on_effect(world *w, const kop_pulsar_effect *fx) {
  size_t i = 0;
  while (i < CONNS && w->conns[i] != fx->target)
    i++;
  thing *t = thing_of(w, fx->target);
  switch (fx->kind) {
  case KOP_PULSAR_CONNECT:
    for (i = 0; i < CONNS && w->conns[i] != 0; i++)
      continue;
    if (i == CONNS) {
      check(kop_pulsar_closed(w->s, fx->target, (kop_slice){NULL, 0}, w->now) == KOP_OK);
    } else {
      w->conns[i] = fx->target;
      check(kop_pulsar_connected(w->s, fx->target, w->now) == KOP_OK);
    }
    break;
  case KOP_PULSAR_SEND: {
    const kop_pulsar_output *o = fx->body;
    static volatile uint8_t sum;
    for (uint32_t j = 0; j < o->slices_count; j++) {
      for (size_t k = 0; k < o->slices[j].len; k++)
        sum = (uint8_t)(sum + o->slices[j].ptr[k]);
    }
    check(i < CONNS && !w->sending[i]);
    w->sending[i] = 1;
    break;
  }
  case KOP_PULSAR_CLOSE:
    check(kop_pulsar_closed(w->s, fx->target, (kop_slice){NULL, 0}, w->now) == KOP_OK);
    if (i < CONNS) w->conns[i] = 0, w->sending[i] = 0;
    break;
  case KOP_PULSAR_PRODUCER_READY: {
    const kop_pulsar_producer_state *state = fx->body;
    check(t != NULL && !t->consumer);
    t->name_len = state->name.len;
    if (t->name_len > 0 && t->name_len <= NAME_MOST) memcpy(t->name, state->name.ptr, t->name_len);
    break;
  }
  case KOP_PULSAR_RECEIPT:
  case KOP_PULSAR_SEND_FAILED:
    check(t != NULL && !t->consumer && fx->context == t->answered && t->answered < t->sent);
    t->answered++;
    break;
  case KOP_PULSAR_PRODUCER_CLOSED:
    check(t != NULL && !t->consumer && t->answered == t->sent);
    t->open = 0;
    break;
  case KOP_PULSAR_CONSUMER_CLOSED:
    check(t != NULL && t->consumer);
    t->open = 0;
    break;
  case KOP_PULSAR_MESSAGE: {
    const kop_pulsar_delivery *d = fx->body;
    check(t != NULL && t->consumer);
    kop_pulsar_entry e;
    if ((fx->flags & KOP_PULSAR_UNREADABLE) == 0)
      check(kop_pulsar_entry_read(d->bytes.ptr, d->bytes.len, KOP_PULSAR_ENTRY_CHECK, &e) ==
            KOP_OK);
    size_t k = fx->token % KEPT;
    if (w->kept[k] == 0 && kop_pulsar_keep(w->s, fx->token) == KOP_OK) w->kept[k] = fx->token;
    break;
  }
  case KOP_PULSAR_RESULT:
  case KOP_PULSAR_WATCH_CLOSED:
    check(w->requests > 0);
    w->requests--;
    break;
  default:
    break;
  }
}

static void drain(world *w) {
  const kop_pulsar_effect *fx = NULL;
  size_t n = 0;
  for (int rounds = 0; (n = kop_pulsar_drain(w->s, &fx)) > 0; rounds++) {
    check(rounds < 10000);
    for (size_t i = 0; i < n; i++)
      on_effect(w, &fx[i]);
  }
}

static void feed(world *w, size_t i, const uint8_t *bytes, size_t len) {
  size_t taken = 0;
  if (w->conns[i] == 0) return;
  kop_status status = kop_pulsar_feed(w->s, w->conns[i], bytes, len, w->now, &taken);
  check(status == KOP_OK || status == KOP_ERR_NOMEM);
}

static void open_thing(world *w, uint8_t n) {
  thing *t = &w->things[n % THINGS];
  if (t->open) return;
  *t = (thing){.consumer = (n & 8) != 0};
  kop_slice topic = {(const uint8_t *)"persistent://a/b/c", 18};
  kop_status status;
  if (t->consumer) {
    kop_pulsar_consumer_config c;
    check(kop_pulsar_consumer_config_init(&c, sizeof c) == KOP_OK);
    c.topic = topic;
    c.permits = 100;
    c.subscription = topic;
    c.flags = n >> 4 & 1 ? KOP_PULSAR_CONSUMER_DURABLE : 0;
    status = kop_pulsar_consumer_open(w->s, &c, w->now, &t->id);
  } else {
    kop_pulsar_producer_config c;
    check(kop_pulsar_producer_config_init(&c, sizeof c) == KOP_OK);
    c.topic = topic;
    c.access_mode = n >> 4 & 3;
    c.flags = n >> 6 & 1;
    c.open_ns = UINT64_MAX;
    status = kop_pulsar_producer_open(w->s, &c, w->now, &t->id);
  }
  t->open = status == KOP_OK;
}

/* Each second entry has a head that is ready. */
static void send_one(world *w, thing *t) {
  static const uint8_t payload[] = "payload of an entry";
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  md.present = KOP_PULSAR_HAS_PUBLISH_TIME;
  kop_slice body = {payload, sizeof payload};
  kop_pulsar_send_info info = {.size = sizeof info,
                               .context = t->sent,
                               .metadata = &md,
                               .payload = &body,
                               .payload_count = 1,
                               .num_messages = 1,
                               .sequence_id = t->sent + 1};
  uint8_t head[NAME_MOST + 64];
  int ready = t->sent % 2 == 1 && t->name_len <= NAME_MOST;
  if (ready) {
    md.present |= KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID;
    md.producer_name = (kop_slice){t->name, t->name_len};
    md.sequence_id = info.sequence_id;
    info.metadata = NULL;
    info.head.ptr = head;
    check(kop_pulsar_entry_write(&md, NULL, 0, &body, 1, head, sizeof head, &info.head.len) ==
          KOP_OK);
  }
  kop_status status = kop_pulsar_send(w->s, t->id, &info, w->now);
  check(status != KOP_ERR_MALFORMED);
  check(ready || status != KOP_ERR_INVALID); /* the broker may have given it another name since */
  if (status == KOP_OK) t->sent++;
  memset(head, 0xdd, sizeof head);
}

static void send_some(world *w, uint8_t n) {
  thing *t = &w->things[n % THINGS];
  for (int i = 0; i < 1 + (n >> 4) && t->open && !t->consumer && t->sent < SENDS; i++)
    send_one(w, t);
}

static void request(world *w, uint8_t n) {
  thing *t = &w->things[n % THINGS];
  kop_slice name = {(const uint8_t *)"a/b", 3};
  kop_pulsar_message_id id = {.ledger_id = n, .entry_id = n, .batch_index = -1};
  kop_pulsar_ack_id ack = {.id = id};
  kop_pulsar_ack_info info = {
      .size = sizeof info, .ids = &ack, .ids_count = 1, .receipt = n >> 6 & 1};
  uint64_t made = 0;
  kop_status status = KOP_ERR_STATE;
  switch (n >> 3 & 15) {
  case 0:
    status = kop_pulsar_ack(w->s, t->id, &info, w->now, &made);
    if (made == 0) status = KOP_ERR_STATE;
    break;
  case 1:
    status = kop_pulsar_seek(w->s, t->id, &id, 0, 0, w->now, &made);
    break;
  case 2:
    status = kop_pulsar_seek(w->s, t->id, NULL, 5, 0, w->now, &made);
    break;
  case 3:
    status = kop_pulsar_last_message_id(w->s, t->id, 0, w->now, &made);
    break;
  case 4:
    status = kop_pulsar_unsubscribe(w->s, t->id, 0, 0, w->now, &made);
    break;
  case 5:
    status = kop_pulsar_lookup(w->s, name, 0, w->now, &made);
    break;
  case 6:
    status = kop_pulsar_partitions(w->s, name, 0, w->now, &made);
    break;
  case 7:
    status = kop_pulsar_topics(w->s, name, 2, 0, w->now, &made);
    break;
  case 8:
    status = kop_pulsar_watch(w->s, name, 0, w->now, &made);
    break;
  default:
    (void)kop_pulsar_flow(w->s, t->id, n, w->now);
    break;
  }
  if (status == KOP_OK) w->requests++;
}

static void finish(world *w) {
  w->fail_in = 0;
  kop_pulsar_shutdown(w->s, w->now);
  for (int i = 0; i < 200 && !kop_pulsar_is_idle(w->s); i++) {
    drain(w);
    for (size_t c = 0; c < CONNS; c++) {
      if (!w->sending[c] || w->conns[c] == 0) continue;
      w->sending[c] = 0;
      (void)kop_pulsar_sent(w->s, w->conns[c], w->now);
    }
    w->now.mono_ns += 1000000000;
    kop_pulsar_tick(w->s, w->now);
  }
  check(kop_pulsar_is_idle(w->s) && w->requests == 0);
  for (size_t i = 0; i < THINGS; i++)
    check(!w->things[i].open);
  for (size_t i = 0; i < KEPT; i++) {
    if (w->kept[i] != 0) check(kop_pulsar_release(w->s, w->kept[i], w->now) == KOP_OK);
  }
  const kop_pulsar_effect *fx = NULL;
  check(kop_pulsar_drain(w->s, &fx) == 0);
  kop_pulsar_session_stats stats;
  check(kop_pulsar_session_stats_get(w->s, &stats, sizeof stats) == KOP_OK);
  check(stats.receive_bytes == 0 && stats.pending_sends == 0 && stats.pending_bytes == 0 &&
        stats.producers_ready == 0 && stats.consumers_ready == 0 && stats.connections == 0);
}

static const uint8_t *step(world *w, const uint8_t *p, const uint8_t *end) {
  uint8_t op = *p++;
  uint8_t n = p < end ? *p++ : 0;
  size_t c = n % CONNS;
  switch (op % 15) {
  case 0: {
    size_t len = p < end ? *p++ : 0;
    if (len > (size_t)(end - p)) len = (size_t)(end - p);
    feed(w, c, p, len);
    p += len;
    break;
  }
  case 1: {
    uint8_t frame[FRAME_MAX];
    uint8_t type = p < end ? *p++ : 0;
    uint8_t arg = p < end ? *p++ : 0;
    size_t len = frame_make(frame, type, arg, w->things[arg % THINGS].id, arg);
    if (w->damaged > 0 && w->damage < len) frame[w->damage] = w->damage_to;
    w->damaged = 0;
    feed(w, c, frame, len);
    break;
  }
  case 2:
    if (w->sending[c] && w->conns[c] != 0) {
      w->sending[c] = 0;
      check(kop_pulsar_sent(w->s, w->conns[c], w->now) == KOP_OK);
    }
    break;
  case 3:
    if (w->conns[c] != 0) {
      uint64_t id = w->conns[c];
      w->conns[c] = 0;
      w->sending[c] = 0;
      check(kop_pulsar_closed(w->s, id, (kop_slice){NULL, 0}, w->now) == KOP_OK);
    }
    break;
  case 4:
    w->now.mono_ns += (uint64_t)n * 100000000;
    kop_pulsar_tick(w->s, w->now);
    break;
  case 5:
    open_thing(w, n & 0xf7);
    break;
  case 6:
    open_thing(w, n | 8);
    break;
  case 7:
    send_some(w, n);
    break;
  case 8: {
    thing *t = &w->things[n % THINGS];
    if (t->open && t->consumer) (void)kop_pulsar_consumer_close(w->s, t->id, w->now);
    if (t->open && !t->consumer) (void)kop_pulsar_producer_close(w->s, t->id, w->now);
    break;
  }
  case 9:
    request(w, n);
    break;
  case 10:
    if (n == 0xff) kop_pulsar_shutdown(w->s, w->now);
    break;
  case 11:
    if (w->kept[n % KEPT] != 0) {
      check(kop_pulsar_release(w->s, w->kept[n % KEPT], w->now) == KOP_OK);
      w->kept[n % KEPT] = 0;
    }
    break;
  case 12:
    w->fail_in = n;
    break;
  case 13:
    (void)kop_pulsar_auth_answer(w->s, w->conns[c], (kop_slice){p, 0}, w->now);
    break;
  default:
    w->damage = n;
    w->damage_to = p < end ? *p++ : 0;
    w->damaged = 1;
    break;
  }
  return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  world w = {.now = {.mono_ns = 1}};
  kop_alloc alloc = {
      .size = sizeof alloc, .user_data = &w, .realloc = refusing_realloc, .free = refusing_free};
  kop_pulsar_session_config c;
  check(kop_pulsar_session_config_init(&c, sizeof c) == KOP_OK);
  c.alloc = &alloc;
  c.service_url = (kop_slice){(const uint8_t *)"pulsar://a,b", 12};
  c.max_connections = 6;
  c.max_effects = 16;
  c.max_opening = 3;
  c.max_receive_bytes = 200 << 10;
  c.max_control_bytes = 2000;
  c.max_frame_bytes = 100 << 10;
  if (kop_pulsar_session_new(&c, &w.s) != KOP_OK) return 0;
  const uint8_t *end = data + size;
  while (data < end) {
    data = step(&w, data, end);
    drain(&w);
  }
  finish(&w);
  kop_pulsar_session_free(w.s);
  return 0;
}
