/*
 * Long random runs: producers that retry as real ones do, consumers, and a store that keeps its contract and no more.
 *
 *   store    appends take effect in order, at any time after they were asked for; answers come in any order, late,
 *            as UNKNOWN (done or not), REJECTED or FENCED; others take the leadership; saved state is lost
 *   clients  five batches under way each, connections that close at any moment, retries on another one
 *   time     requests time out, leases end
 *
 * What must hold in every run: an acknowledged batch stands at its offset; an idempotent producer's batches are in the log once
 * and in order; a sequence error never comes without an earlier failure; replies come in the order of the requests, each
 * once; the high watermark a consumer sees never goes back, and what it reads is the log. KOP_SEEDS sets how many runs.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/rng.h"

enum {
  PRODUCERS = 4, /* the last one is not idempotent */
  CONSUMERS = 2,
  WINDOW = 5,
  BATCHES = 60, /* of each producer */
  LOG = 4096,
  OPEN = 2048,
  STEPS = 40000
};

typedef struct stored {
  uint8_t *bytes;
  kop_slice slice;
  int64_t base;
  int32_t producer;
  int32_t number; /* the how manieth batch of its producer */
} stored;

/* An effect that the engine waits for. */
typedef struct open_effect {
  kop_effect fx;
  bool executed; /* APPEND: its outcome is fixed */
  int32_t outcome;
  int64_t base;
} open_effect;

typedef struct peer {
  uint64_t conn; /* 0: none */
  uint8_t *in;
  size_t in_len;
  kh_conn frame; /* counts correlation ids */
  int32_t answered;
} peer;

typedef struct producer {
  peer peer;
  int64_t id;    /* -1: not idempotent */
  int32_t first; /* of the window */
  int32_t len;   /* sent */
  int32_t got;   /* answered */
  bool failed[WINDOW];
  int64_t acked[BATCHES]; /* offsets, -1 */
} producer;

typedef struct consumer {
  peer peer;
  int64_t offset;
  int64_t watermark;
  bool asked;
} consumer;

typedef struct run {
  uint64_t r;
  kop_engine *e;
  kop_now now;
  kop_arena *arena;
  kop_batch_builder *builder;
  stored log[LOG];
  int32_t log_len;
  int64_t end;
  int32_t epoch;
  int32_t refused; /* appends of this epoch are refused */
  uint64_t lease;
  uint8_t *state;
  size_t state_len;
  int64_t state_as_of;
  open_effect open[OPEN];
  size_t open_len;
  int64_t lent;
  producer producers[PRODUCERS];
  consumer consumers[CONSUMERS];
  bool calm; /* no more faults: everything must come to its end */
} run;

static uint32_t pick(run *w, uint32_t n) {
  return (uint32_t)rng_below(&w->r, n);
}

static bool now_and_then(run *w, uint32_t one_in) {
  return !w->calm && pick(w, one_in) == 0;
}

/* ---- the store ---- */

static void put_in_log(run *w, open_effect *o) {
  const kop_append *a = o->fx.body;
  cr_assert_lt(w->log_len, (int32_t)LOG);
  stored *s = &w->log[w->log_len++];
  s->bytes = malloc(a->bytes);
  size_t at = 0;
  for (uint32_t i = 0; i < a->slices_count; i++) {
    memcpy(s->bytes + at, a->slices[i].ptr, a->slices[i].len);
    at += a->slices[i].len;
  }
  s->slice = (kop_slice){s->bytes, at};
  s->base = w->end;
  w->end += a->count;
  /* who wrote it stands in the value of the first record, at the end of the batch: "pp nnnn" and no headers */
  int p = -1, n = -1;
  char text[9] = {0};
  memcpy(text, s->bytes + at - 9, 8);
  cr_assert_eq(sscanf(text, "%2d %5d", &p, &n), 2, "a batch of nobody: %s", text);
  s->producer = p;
  s->number = n;
  o->base = s->base;
}

/* Makes the first n appends that wait take effect, in the order in which they were asked for. */
static void execute(run *w, size_t n) {
  for (size_t i = 0; i < w->open_len && n > 0; i++) {
    open_effect *o = &w->open[i];
    if (o->fx.kind != KOP_EFFECT_APPEND || o->executed) continue;
    n--;
    const kop_append *a = o->fx.body;
    o->executed = true;
    o->outcome = KOP_DONE;
    if (a->epoch != w->epoch) {
      o->outcome = KOP_FENCED;
    } else if (a->epoch == w->refused) {
      o->outcome = KOP_REJECTED;
    } else if (now_and_then(w, 40)) {
      o->outcome = KOP_REJECTED;
      w->refused = a->epoch;
    } else {
      bool unknown = now_and_then(w, 40);
      if (unknown)
        w->refused = a->epoch; /* nor does what follows it happen, or the order would be lost */
      if (!unknown || pick(w, 2) == 0) put_in_log(w, o);
      if (unknown) o->outcome = KOP_UNKNOWN;
    }
  }
}

typedef union results {
  kop_acquired acquired;
  kop_confirmed confirmed;
  kop_appended appended;
  kop_read_result read;
  kop_state_result state;
  kop_producer_ids ids;
} results;

static kop_read_batch read_batches[LOG];

static void read_log(run *w, const kop_read *q, kop_read_result *out) {
  *out = (kop_read_result){.size = sizeof *out, .batches = read_batches, .next_offset = q->offset};
  uint64_t bytes = 0;
  for (int32_t i = 0; i < w->log_len; i++) {
    const stored *s = &w->log[i];
    int64_t end = i + 1 < w->log_len ? w->log[i + 1].base : w->end;
    if (end <= q->offset || s->base >= q->end) continue;
    bytes += s->slice.len;
    if (out->batches_count > 0 && (bytes > q->max_bytes || now_and_then(w, 3))) return;
    read_batches[out->batches_count++] = (kop_read_batch){s->base, &s->slice, 1, 0};
    out->next_offset = end;
  }
}

static void take_sent(run *w, uint64_t conn, const kop_send *s);

static void answer(run *w, size_t i) {
  open_effect o = w->open[i];
  if (o.fx.kind == KOP_EFFECT_APPEND && !o.executed) {
    size_t before = 1;
    for (size_t k = 0; k < i; k++)
      before += w->open[k].fx.kind == KOP_EFFECT_APPEND && !w->open[k].executed;
    execute(w, before);
    o = w->open[i];
  }
  memmove(w->open + i, w->open + i + 1, (w->open_len - i - 1) * sizeof o);
  w->open_len--;
  results r;
  memset(&r, 0, sizeof r);
  kop_completion c = {.token = o.fx.token, .outcome = KOP_DONE, .kafka_error = 56};
  switch (o.fx.kind) {
  case KOP_EFFECT_SEND:
    if (now_and_then(w, 200)) c.outcome = KOP_CANCELLED;
    take_sent(w, o.fx.target, o.fx.body);
    break;
  case KOP_EFFECT_ACQUIRE:
    execute(w, OPEN); /* they count in its end offset */
    if (now_and_then(w, 5)) {
      c.outcome = now_and_then(w, 2) ? KOP_REJECTED : KOP_UNKNOWN;
      break;
    }
    w->epoch++;
    w->lease = pick(w, 2) == 0 ? UINT64_MAX : w->now.mono_ns + pick(w, 3000) * UINT64_C(1000000);
    r.acquired = (kop_acquired){.size = sizeof r.acquired,
                                .epoch = w->epoch,
                                .end_offset = w->end,
                                .lease_mono_ns = w->lease};
    c.body_size = sizeof r.acquired;
    break;
  case KOP_EFFECT_CONFIRM: {
    const kop_confirm *q = o.fx.body;
    if (q->epoch != w->epoch) {
      c.outcome = KOP_FENCED;
    } else if (now_and_then(w, 8)) {
      c.outcome = KOP_UNKNOWN;
    } else {
      w->lease = w->now.mono_ns + (1 + pick(w, 3000)) * UINT64_C(1000000);
      r.confirmed = (kop_confirmed){.size = sizeof r.confirmed, .lease_mono_ns = w->lease};
      c.body_size = sizeof r.confirmed;
    }
    break;
  }
  case KOP_EFFECT_APPEND:
    c.outcome = o.outcome;
    if (o.outcome == KOP_DONE && now_and_then(w, 60))
      c.outcome = KOP_CANCELLED; /* it gave up on it */
    r.appended = (kop_appended){.size = sizeof r.appended, .base_offset = o.base};
    c.body_size = sizeof r.appended;
    break;
  case KOP_EFFECT_READ:
    if (now_and_then(w, 15)) {
      c.outcome = KOP_REJECTED;
      break;
    }
    read_log(w, o.fx.body, &r.read);
    c.body_size = sizeof r.read;
    if ((o.fx.flags & KOP_READ_MAY_LEND) != 0 && pick(w, 2) == 0) {
      c.flags = KOP_COMPLETION_LENT;
      w->lent++;
    }
    break;
  case KOP_EFFECT_STATE_PUT: {
    const kop_state *s = o.fx.body;
    if (s->epoch != w->epoch || now_and_then(w, 4)) break; /* lost */
    free(w->state);
    w->state = malloc(s->bytes.len + 1);
    memcpy(w->state, s->bytes.ptr, s->bytes.len);
    w->state_len = s->bytes.len;
    w->state_as_of = s->as_of;
    break;
  }
  case KOP_EFFECT_STATE_GET:
    if (w->state == NULL || now_and_then(w, 6)) {
      c.outcome = KOP_NOT_FOUND;
      break;
    }
    r.state = (kop_state_result){
        .size = sizeof r.state, .as_of = w->state_as_of, .bytes = {w->state, w->state_len}};
    c.body_size = sizeof r.state;
    break;
  default:
    break; /* RESIGN */
  }
  c.body = c.body_size > 0 ? &r : NULL;
  cr_assert_eq(kop_engine_complete(w->e, &c, sizeof c, 1, w->now), KOP_OK, "%s",
               kop_engine_error_text(w->e));
}

/* ---- connections ---- */

static void ended(run *w, peer *p);

static peer *peer_at(run *w, size_t i) {
  return i < PRODUCERS ? &w->producers[i].peer : &w->consumers[i - PRODUCERS].peer;
}

static peer *peer_of(run *w, uint64_t conn) {
  for (size_t i = 0; i < PRODUCERS + CONSUMERS; i++) {
    if (peer_at(w, i)->conn == conn) return peer_at(w, i);
  }
  return NULL;
}

static void take_sent(run *w, uint64_t conn, const kop_send *s) {
  peer *p = peer_of(w, conn);
  if (p == NULL) return; /* it has gone */
  p->in = realloc(p->in, p->in_len + s->bytes);
  for (uint32_t i = 0; i < s->slices_count; i++) {
    memcpy(p->in + p->in_len, s->slices[i].ptr, s->slices[i].len);
    p->in_len += s->slices[i].len;
  }
}

static void drain(run *w) {
  const kop_effect *fx = NULL;
  size_t n = 0;
  while ((n = kop_engine_drain(w->e, &fx)) > 0) {
    for (size_t i = 0; i < n; i++) {
      if (fx[i].kind == KOP_EFFECT_RELEASE) {
        w->lent--;
      } else if (fx[i].token != 0) {
        cr_assert_lt(w->open_len, (size_t)OPEN);
        w->open[w->open_len++] = (open_effect){.fx = fx[i]};
      } else if (fx[i].kind == KOP_EFFECT_CLOSE) {
        peer *p = peer_of(w, fx[i].target);
        cr_assert_eq(kop_engine_conn_closed(w->e, fx[i].target, w->now), KOP_OK);
        if (p != NULL) ended(w, p);
      }
    }
  }
  cr_assert_geq(w->lent, 0);
}

static void hang_up(run *w, peer *p) {
  if (p->conn == 0) return;
  uint64_t conn = p->conn;
  ended(w, p);
  cr_assert_eq(kop_engine_conn_closed(w->e, conn, w->now), KOP_OK);
}

static void dial(run *w, peer *p) {
  kop_conn_info info = {.size = sizeof info, .peer = kh_text("1.2.3.4:5")};
  cr_assert_eq(kop_engine_conn_open(w->e, &info, w->now, &p->conn), KOP_OK);
  p->frame = (kh_conn){.correlation = 1};
  p->answered = 0;
}

static void say(run *w, peer *p, uint32_t message, int16_t version, const void *q, size_t size) {
  size_t len = 0;
  uint8_t *frame = kh_frame(&p->frame, message, version, q, size, &len);
  for (size_t at = 0; at < len;) {
    size_t n = 1 + pick(w, (uint32_t)(len - at));
    size_t taken = 0;
    cr_assert_eq(kop_engine_feed(w->e, p->conn, frame + at, n, w->now, &taken), KOP_OK);
    cr_assert_eq(taken, n);
    at += n;
  }
  free(frame);
}

/* The next whole reply, decoded; its memory lives until the next. */
static bool hear(run *w, peer *p, uint32_t message, int16_t version, void *msg, size_t size) {
  if (p->in_len < 4) return false;
  size_t len = 4 + (((size_t)p->in[0] << 24) | ((size_t)p->in[1] << 16) | ((size_t)p->in[2] << 8) |
                    p->in[3]);
  if (p->in_len < len) return false;
  static uint8_t last[1 << 20];
  cr_assert_leq(len, sizeof last);
  memcpy(last, p->in, len);
  memmove(p->in, p->in + len, p->in_len - len);
  p->in_len -= len;
  kop_arena_reset(w->arena);
  int32_t correlation = 0;
  size_t body = 0;
  cr_assert_eq(kop_response_header_decode((int16_t)(message / 2), version, last + 4, len - 4,
                                          &correlation, &body),
               KOP_OK);
  cr_assert_eq(correlation, ++p->answered, "replies in the order of the requests, each once");
  cr_assert_eq(kop_message_decode(message, version, w->arena, last + 4 + body, len - 4 - body, msg,
                                  size, NULL),
               KOP_OK);
  return true;
}

/* ---- producers ---- */

static void send_batch(run *w, producer *p, int32_t number) {
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  if (p->id >= 0) {
    o.producer_id = p->id;
    o.producer_epoch = 0;
    o.base_sequence = number * 2;
  }
  cr_assert_eq(kop_batch_builder_begin(w->builder, &o), KOP_OK);
  char value[9];
  (void)snprintf(value, sizeof value, "%02d %05d", (int)(p - w->producers), number);
  for (int i = 0; i < 2; i++) {
    kop_record_in record = {.offset = -1, .timestamp = 1000, .value = kh_text(value)};
    cr_assert_eq(kop_batch_builder_append(w->builder, &record), KOP_OK);
  }
  kop_slice batch;
  cr_assert_eq(kop_batch_builder_finish(w->builder, &batch.ptr, &batch.len), KOP_OK);
  kop_produce_request_partition_produce_data d;
  kop_produce_request_topic_produce_data t;
  kop_produce_request q;
  kop_struct_init(KOP_STRUCT_PRODUCE_REQUEST_PARTITION_PRODUCE_DATA, &d, sizeof d);
  kop_struct_init(KOP_STRUCT_PRODUCE_REQUEST_TOPIC_PRODUCE_DATA, &t, sizeof t);
  kop_message_init(KOP_MSG_PRODUCE_REQUEST, &q, sizeof q);
  d.records = batch;
  t.name = kh_text("t");
  t.partition_data.ptr = &d;
  t.partition_data.len = 1;
  q.acks = -1;
  q.timeout_ms = 1000 + (int32_t)pick(w, 3000);
  q.topic_data.ptr = &t;
  q.topic_data.len = 1;
  say(w, &p->peer, KOP_MSG_PRODUCE_REQUEST, 9, &q, sizeof q);
}

static bool has_finished(const producer *p) {
  return p->first == BATCHES;
}

/* All of the window are answered, or nobody will: what failed is sent again, from the first of them on. */
static void close_window(producer *p) {
  int32_t good = 0;
  while (good < p->len && !p->failed[good])
    good++;
  p->first += good;
  p->len = 0;
  p->got = 0;
}

static void hear_produced(run *w, producer *p) {
  kop_produce_response r;
  while (p->peer.conn != 0 && p->got < p->len &&
         hear(w, &p->peer, KOP_MSG_PRODUCE_RESPONSE, 9, &r, sizeof r)) {
    const kop_produce_response_partition_produce_response *d =
        &r.responses.ptr[0].partition_responses.ptr[0];
    int32_t number = p->first + p->got;
    bool failed_before = false;
    for (int32_t i = 0; i < p->got; i++)
      failed_before = failed_before || p->failed[i];
    cr_assert(d->error_code != KOP_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER || failed_before,
              "a sequence error without an earlier failure");
    p->failed[p->got++] = d->error_code != 0;
    if (d->error_code != 0) continue;
    bool there = false;
    for (int32_t i = 0; i < w->log_len && !there; i++) {
      const stored *s = &w->log[i];
      there = s->base == d->base_offset && s->number == number &&
              s->producer == (int32_t)(p - w->producers);
    }
    cr_assert(there, "batch %d was acknowledged at %lld, where it is not", number,
              (long long)d->base_offset);
    p->acked[number] = d->base_offset;
  }
  if (p->len > 0 && p->got == p->len) close_window(p);
}

static void step_producer(run *w, producer *p) {
  if (has_finished(p)) return;
  if (p->peer.conn == 0) {
    dial(w, &p->peer);
    return;
  }
  if (p->len > 0) return;
  p->len = 1 + (int32_t)pick(w, WINDOW);
  if (p->len > BATCHES - p->first) p->len = BATCHES - p->first;
  p->got = 0;
  int32_t len = p->len;
  for (int32_t i = 0; i < len && p->peer.conn != 0 && p->len == len; i++) {
    p->failed[i] = true; /* until it is answered */
    send_batch(w, p, p->first + i);
  }
}

/* ---- consumers ---- */

static void step_consumer(run *w, consumer *c) {
  if (c->peer.conn == 0) {
    dial(w, &c->peer);
    return;
  }
  if (c->asked) return;
  kop_fetch_request_partition p;
  kop_fetch_request_topic t;
  kop_fetch_request q;
  kop_struct_init(KOP_STRUCT_FETCH_REQUEST_PARTITION, &p, sizeof p);
  kop_struct_init(KOP_STRUCT_FETCH_REQUEST_TOPIC, &t, sizeof t);
  kop_message_init(KOP_MSG_FETCH_REQUEST, &q, sizeof q);
  p.fetch_offset = c->offset;
  p.partition_max_bytes = 1 + (int32_t)pick(w, 2000);
  t.topic = kh_text("t");
  t.partitions.ptr = &p;
  t.partitions.len = 1;
  q.max_wait_ms = (int32_t)pick(w, 2000);
  q.min_bytes = (int32_t)pick(w, 300);
  q.session_epoch = -1;
  q.topics.ptr = &t;
  q.topics.len = 1;
  c->asked = true;
  say(w, &c->peer, KOP_MSG_FETCH_REQUEST, 11, &q, sizeof q);
}

static void check_read(run *w, consumer *c, kop_slice records) {
  while (records.len >= KOP_BATCH_HEAD_SIZE) {
    kop_batch_head h;
    cr_assert_eq(kop_batch_head_decode(records.ptr, records.len, &h), KOP_OK);
    const stored *found = NULL;
    for (int32_t i = 0; i < w->log_len; i++) {
      if (w->log[i].base == h.base_offset) found = &w->log[i];
    }
    cr_assert_not_null(found, "a batch that is not in the log");
    cr_assert_leq(found->slice.len, records.len);
    cr_assert_eq(memcmp(found->bytes + 8, records.ptr + 8, found->slice.len - 8), 0);
    cr_assert(h.base_offset == c->offset, "offsets are dense");
    c->offset = h.base_offset + 2;
    records.ptr += found->slice.len;
    records.len -= found->slice.len;
  }
  cr_assert_eq(records.len, 0u);
}

static void hear_fetched(run *w, consumer *c) {
  kop_fetch_response r;
  if (c->peer.conn == 0 || !c->asked ||
      !hear(w, &c->peer, KOP_MSG_FETCH_RESPONSE, 11, &r, sizeof r))
    return;
  c->asked = false;
  const kop_fetch_response_partition_data *d = &r.responses.ptr[0].partitions.ptr[0];
  cr_assert_neq(d->error_code, KOP_KAFKA_OFFSET_OUT_OF_RANGE, "the log has lost its end");
  if (d->error_code != 0) return;
  cr_assert_geq(d->high_watermark, c->watermark, "the high watermark never goes back");
  cr_assert_leq(d->high_watermark, w->end);
  c->watermark = d->high_watermark;
  check_read(w, c, (kop_slice){d->records.ptr, d->records.len});
}

static void ended(run *w, peer *p) {
  p->conn = 0;
  p->in_len = 0;
  for (size_t i = 0; i < PRODUCERS; i++) {
    if (p == &w->producers[i].peer) close_window(&w->producers[i]);
  }
  for (size_t i = 0; i < CONSUMERS; i++) {
    if (p == &w->consumers[i].peer) w->consumers[i].asked = false;
  }
}

/* ---- runs ---- */

static void push(run *w, uint32_t kind, const void *body, uint32_t size) {
  kop_event event = {.size = sizeof event, .kind = kind, .body = body, .body_size = size};
  cr_assert_eq(kop_engine_push(w->e, &event, w->now), KOP_OK);
}

static void lead(run *w, int32_t node) {
  kop_leader leader = {.size = sizeof leader, .leader = node, .partition = 7, .leader_epoch = -1};
  push(w, KOP_EVENT_LEADER, &leader, sizeof leader);
}

static run *begin(uint64_t seed) {
  run *w = calloc(1, sizeof *w);
  w->r = seed;
  w->now = (kop_now){.mono_ns = 1000000000, .wall_ms = 1700000000000};
  w->refused = -1;
  kop_engine_config config;
  cr_assert_eq(kop_engine_config_init(&config, sizeof config), KOP_OK);
  config.node_id = KH_NODE;
  config.seed = seed;
  config.state_every_bytes = 500 + pick(w, 3000);
  config.max_lent_bytes = 1 + pick(w, 2000);
  config.kept_read_bytes = pick(w, 1000);
  cr_assert_eq(kop_engine_new(&config, w->now, &w->e), KOP_OK);
  cr_assert_eq(kop_arena_new(NULL, (size_t)8 << 20, &w->arena), KOP_OK);
  cr_assert_eq(kop_batch_builder_new(NULL, &w->builder), KOP_OK);
  kop_topic_partition part = {.id = 7, .leader = KH_NODE, .leader_epoch = -1};
  kop_topic topic = {.size = sizeof topic,
                     .name = kh_text("t"),
                     .id = {{1}},
                     .partitions = &part,
                     .partitions_count = 1};
  push(w, KOP_EVENT_TOPIC, &topic, sizeof topic);
  for (int32_t i = 0; i < PRODUCERS; i++) {
    w->producers[i].id = i + 1 < PRODUCERS ? 100 + i : -1;
    for (int32_t k = 0; k < BATCHES; k++)
      w->producers[i].acked[k] = -1;
  }
  return w;
}

static void pass_time(run *w, uint32_t ms) {
  w->now.mono_ns += ms * UINT64_C(1000000);
  w->now.wall_ms += ms;
  kop_engine_tick(w->e, w->now);
}

static void disturb(run *w) {
  if (now_and_then(w, 60)) hang_up(w, peer_at(w, pick(w, PRODUCERS + CONSUMERS)));
  if (now_and_then(w, 150)) lead(w, pick(w, 2) == 0 ? 2 : KH_NODE);
  if (now_and_then(w, 10)) lead(w, KH_NODE);
  /* another leader, which only the end of the lease allows; what was asked for before is done or fenced */
  if (now_and_then(w, 100) && w->now.mono_ns > w->lease) {
    execute(w, pick(w, 4));
    w->epoch++;
  }
}

static void step(run *w) {
  switch (pick(w, 8)) {
  case 0:
  case 1:
    step_producer(w, &w->producers[pick(w, PRODUCERS)]);
    break;
  case 2:
    step_consumer(w, &w->consumers[pick(w, CONSUMERS)]);
    break;
  case 3:
    execute(w, pick(w, 3));
    break;
  case 4:
    pass_time(w, pick(w, now_and_then(w, 30) ? 4000 : 30));
    break;
  default:
    if (w->open_len > 0) answer(w, pick(w, pick(w, 3) == 0 ? (uint32_t)w->open_len : 1));
    break;
  }
  disturb(w);
  drain(w);
  for (size_t i = 0; i < PRODUCERS; i++)
    hear_produced(w, &w->producers[i]);
  for (size_t i = 0; i < CONSUMERS; i++)
    hear_fetched(w, &w->consumers[i]);
}

static bool all_done(const run *w) {
  for (size_t i = 0; i < PRODUCERS; i++) {
    if (!has_finished(&w->producers[i])) return false;
  }
  for (size_t i = 0; i < CONSUMERS; i++) {
    if (w->consumers[i].offset < w->end) return false;
  }
  return true;
}

static void check_log(const run *w) {
  int32_t next[PRODUCERS] = {0};
  for (int32_t i = 0; i < w->log_len; i++) {
    const stored *s = &w->log[i];
    if (w->producers[s->producer].id < 0) continue;
    cr_assert_eq(s->number, next[s->producer], "producer %d: batch %d stands where %d should",
                 s->producer, s->number, next[s->producer]);
    next[s->producer]++;
  }
  for (int32_t p = 0; p < PRODUCERS; p++) {
    if (w->producers[p].id >= 0) cr_assert_eq(next[p], (int32_t)BATCHES);
    for (int32_t k = 0; k < BATCHES; k++)
      cr_assert_geq(w->producers[p].acked[k], 0);
  }
}

/* Drains the engine as a server that ends does. */
static void end(run *w) {
  kop_engine_shutdown(w->e, w->now);
  drain(w);
  for (int i = 0; i < 10000 && !kop_engine_is_idle(w->e); i++) {
    if (w->open_len > 0) answer(w, pick(w, (uint32_t)w->open_len));
    if (pick(w, 4) == 0) pass_time(w, 50);
    drain(w);
  }
  cr_assert(kop_engine_is_idle(w->e), "shutdown comes to its end");
  cr_assert_eq(w->lent, 0);
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(w->e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.requests_open, 0u);
  cr_assert_eq(stats.frame_bytes, 0u);
  kop_engine_free(w->e);
  kop_arena_free(w->arena);
  kop_batch_builder_free(w->builder);
  for (int32_t i = 0; i < w->log_len; i++)
    free(w->log[i].bytes);
  for (size_t i = 0; i < PRODUCERS + CONSUMERS; i++)
    free(peer_at(w, i)->in);
  free(w->state);
  free(w);
}

static void run_one(uint64_t seed, bool to_the_end) {
  run *w = begin(seed);
  int32_t faults = to_the_end ? STEPS / 2 : (int32_t)pick(w, 3000);
  for (int32_t i = 0; i < faults && !all_done(w); i++)
    step(w);
  if (to_the_end) {
    w->calm = true;
    lead(w, KH_NODE);
    for (int32_t i = 0; i < STEPS && !all_done(w); i++)
      step(w);
    cr_assert(all_done(w), "seed %llu: it does not come to its end", (unsigned long long)seed);
    check_log(w);
  }
  end(w);
}

static uint64_t seeds(void) {
  const char *text = getenv("KOP_SEEDS");
  return text == NULL ? 30 : strtoull(text, NULL, 10);
}

Test(long_run, nothing_is_lost_doubled_or_reordered) {
  for (uint64_t seed = 1; seed <= seeds(); seed++)
    run_one(seed, true);
}

Test(long_run, shutdown_in_the_middle_of_everything) {
  for (uint64_t seed = 1; seed <= seeds() * 4; seed++)
    run_one(seed, false);
}
