/*
 * Fuzzes the engine as a whole: the input is a script of what the world does to it.
 *
 *   0x00 n  bytes   feed n bytes to connection (n mod 4)        0x04 n   answer the n-th open effect KOP_DONE
 *   0x01 n          close connection n mod 4, open it anew      0x05 n o answer it with outcome o
 *   0x02 n          n * 50 ms pass                              0x06 n   push: leadership away and back
 *   0x03            answer all open effects KOP_DONE            0x07     delete the topic, push another
 *
 * Leases end, and are past when they are given, as the tokens say.
 *
 * Invariants: no crash, every token is answered once, and after all have been answered and all connections closed,
 * no request, no frame memory and nothing lent is left.
 */
#include <kop/kop.h>
#include <stdlib.h>
#include <string.h>

enum { CONNS = 4, OPEN = 4096, BATCHES = 64 };

typedef struct world {
  kop_engine *e;
  kop_now now;
  uint64_t conns[CONNS];
  kop_effect open[OPEN];
  size_t open_len;
  uint8_t *batches[BATCHES];
  kop_slice slices[BATCHES];
  int64_t bases[BATCHES + 1];
  size_t batches_len;
  int32_t epoch;
  int64_t lent;
  uint64_t topic;
} world;

static void check(int ok) {
  if (!ok) abort();
}

static void connect(world *w, size_t i) {
  kop_conn_info info = {.size = sizeof info, .context = i};
  if (kop_engine_conn_open(w->e, &info, w->now, &w->conns[i]) != KOP_OK) w->conns[i] = 0;
}

static void push(world *w, uint32_t kind, const void *body, uint32_t size) {
  kop_event event = {.size = sizeof event, .kind = kind, .body = body, .body_size = size};
  (void)kop_engine_push(w->e, &event, w->now);
}

static void push_topic(world *w) {
  w->topic++;
  kop_topic_partition parts[2] = {{.id = w->topic * 10 + 1, .leader = 1, .leader_epoch = -1},
                                  {.id = w->topic * 10 + 2, .leader = 2, .leader_epoch = 4}};
  kop_topic topic = {.size = sizeof topic,
                     .name = {(const uint8_t *)"t", 1},
                     .id = {{(uint8_t)w->topic, 1}},
                     .partitions = parts,
                     .partitions_count = 2};
  push(w, KOP_EVENT_TOPIC, &topic, sizeof topic);
}

static void drain(world *w) {
  const kop_effect *effects = NULL;
  size_t n = 0;
  while ((n = kop_engine_drain(w->e, &effects)) > 0) {
    for (size_t i = 0; i < n; i++) {
      const kop_effect *fx = &effects[i];
      if (fx->kind == KOP_EFFECT_RELEASE) {
        w->lent--;
      } else if (fx->token != 0) {
        check(w->open_len < OPEN);
        w->open[w->open_len++] = *fx;
      } else if (fx->kind == KOP_EFFECT_CLOSE) {
        for (size_t c = 0; c < CONNS; c++) {
          if (w->conns[c] != fx->target) continue;
          check(kop_engine_conn_closed(w->e, fx->target, w->now) == KOP_OK);
          connect(w, c);
        }
      }
    }
  }
  check(w->lent >= 0);
}

static int64_t append(world *w, const kop_append *a) {
  if (w->batches_len == BATCHES) return -1;
  size_t i = w->batches_len++;
  w->batches[i] = malloc(a->bytes);
  size_t at = 0;
  for (uint32_t s = 0; s < a->slices_count; s++) {
    memcpy(w->batches[i] + at, a->slices[s].ptr, a->slices[s].len);
    at += a->slices[s].len;
  }
  check(at == a->bytes && a->count > 0);
  w->slices[i] = (kop_slice){w->batches[i], at};
  w->bases[i + 1] = w->bases[i] + a->count;
  return w->bases[i];
}

/* Leases of all kinds: without an end, some that end soon, and some that are past when they are given. */
static uint64_t some_lease(const world *w, uint64_t token) {
  static const int64_t MS[] = {0, 50, 2000, -1, 400};
  uint64_t kind = (token ^ token >> 32) % 6;
  return kind == 5 ? UINT64_MAX : (uint64_t)((int64_t)w->now.mono_ns + MS[kind] * 1000000);
}

static void answer(world *w, size_t i, int32_t outcome) {
  kop_effect fx = w->open[i];
  w->open[i] = w->open[--w->open_len];
  kop_completion c = {.token = fx.token, .outcome = outcome, .kafka_error = 56};
  kop_acquired acquired = {.size = sizeof acquired,
                           .epoch = ++w->epoch,
                           .end_offset = w->bases[w->batches_len],
                           .lease_mono_ns = some_lease(w, fx.token)};
  kop_confirmed confirmed = {.size = sizeof confirmed,
                             .lease_mono_ns = some_lease(w, fx.token + 1)};
  kop_appended appended = {.size = sizeof appended};
  kop_read_batch found[BATCHES];
  kop_read_result read = {.size = sizeof read, .batches = found};
  kop_listed listed = {.size = sizeof listed};
  kop_records_deleted deleted = {.size = sizeof deleted};
  kop_state_result state = {.size = sizeof state};
  kop_producer_ids ids = {.size = sizeof ids, .count = 10, .first = 100};
  if (outcome == KOP_DONE) {
    switch (fx.kind) {
    case KOP_EFFECT_ACQUIRE:
      c.body = &acquired, c.body_size = sizeof acquired;
      break;
    case KOP_EFFECT_CONFIRM:
      c.body = &confirmed, c.body_size = sizeof confirmed;
      break;
    case KOP_EFFECT_APPEND:
      appended.base_offset = append(w, fx.body);
      c.body = &appended, c.body_size = sizeof appended;
      if (appended.base_offset < 0) c.outcome = KOP_REJECTED;
      break;
    case KOP_EFFECT_READ: {
      const kop_read *q = fx.body;
      read.next_offset = q->end;
      for (size_t b = 0; b < w->batches_len; b++) {
        if (w->bases[b + 1] <= q->offset || w->bases[b] >= q->end) continue;
        found[read.batches_count++] = (kop_read_batch){w->bases[b], &w->slices[b], 1, 0};
        read.next_offset = w->bases[b + 1];
      }
      c.body = &read, c.body_size = sizeof read;
      if ((fx.flags & KOP_READ_MAY_LEND) != 0 && fx.token % 2 == 0) {
        c.flags = KOP_COMPLETION_LENT;
        w->lent++;
      }
      break;
    }
    case KOP_EFFECT_LIST_OFFSETS:
      c.body = &listed, c.body_size = sizeof listed;
      break;
    case KOP_EFFECT_DELETE_RECORDS:
      c.body = &deleted, c.body_size = sizeof deleted;
      break;
    case KOP_EFFECT_STATE_GET:
      c.body = &state, c.body_size = sizeof state;
      break;
    case KOP_EFFECT_ALLOCATE_PRODUCER_IDS:
      c.body = &ids, c.body_size = sizeof ids;
      break;
    default:
      break;
    }
  }
  check(kop_engine_complete(w->e, &c, sizeof c, 1, w->now) == KOP_OK);
}

static void answer_all(world *w, int32_t outcome) {
  for (int round = 0; round < 64 && w->open_len > 0; round++) {
    for (size_t n = w->open_len; n > 0 && w->open_len > 0; n--)
      answer(w, 0, outcome);
    drain(w);
  }
}

static void step(world *w, const uint8_t **at, const uint8_t *end) {
  uint8_t op = *(*at)++;
  uint8_t n = *at < end ? *(*at)++ : 0;
  switch (op & 7) {
  case 0: {
    size_t len = (size_t)(end - *at) < n ? (size_t)(end - *at) : n;
    size_t taken = 0;
    if (w->conns[n % CONNS] != 0)
      (void)kop_engine_feed(w->e, w->conns[n % CONNS], *at, len, w->now, &taken);
    *at += len;
    break;
  }
  case 1:
    if (w->conns[n % CONNS] != 0)
      check(kop_engine_conn_closed(w->e, w->conns[n % CONNS], w->now) == KOP_OK);
    connect(w, n % CONNS);
    break;
  case 2:
    w->now.mono_ns += (uint64_t)n * 50000000u;
    w->now.wall_ms += n * 50;
    kop_engine_tick(w->e, w->now);
    break;
  case 3:
    answer_all(w, KOP_DONE);
    break;
  case 4:
    if (w->open_len > 0) answer(w, n % w->open_len, KOP_DONE);
    break;
  case 5: {
    uint8_t outcome = *at < end ? *(*at)++ : 0;
    if (w->open_len > 0) answer(w, n % w->open_len, outcome % 7);
    break;
  }
  case 6: {
    kop_leader leader = {.size = sizeof leader,
                         .leader = n % 3,
                         .partition = w->topic * 10 + 1 + n % 2,
                         .leader_epoch = n};
    push(w, KOP_EVENT_LEADER, &leader, sizeof leader);
    break;
  }
  default: {
    kop_topic_ref gone = {.size = sizeof gone, .id = {{(uint8_t)w->topic, 1}}};
    push(w, KOP_EVENT_TOPIC_GONE, &gone, sizeof gone);
    push_topic(w);
    break;
  }
  }
  drain(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static world w;
  memset(&w, 0, sizeof w);
  w.now = (kop_now){.mono_ns = 10000000000, .wall_ms = 1700000000000};
  kop_engine_config config;
  check(kop_engine_config_init(&config, sizeof config) == KOP_OK);
  config.node_id = 1;
  config.max_requests_per_connection = 8;
  config.max_small_bytes_total = 64 * 1024;
  config.max_reply_bytes_total = 32 * 1024;
  config.state_every_bytes = 200;
  config.max_fetch_sessions = 2;
  check(kop_engine_new(&config, w.now, &w.e) == KOP_OK);
  kop_endpoint nodes[2] = {{.node_id = 1, .host = {(const uint8_t *)"a", 1}, .port = 1},
                           {.node_id = 2, .host = {(const uint8_t *)"b", 1}, .port = 2}};
  kop_nodes all = {
      .size = sizeof all, .controller_id = 1, .endpoints = nodes, .endpoints_count = 2};
  push(&w, KOP_EVENT_NODES, &all, sizeof all);
  push_topic(&w);
  for (size_t i = 0; i < CONNS; i++)
    connect(&w, i);
  drain(&w);
  const uint8_t *at = data;
  while (at < data + size)
    step(&w, &at, data + size);
  for (size_t i = 0; i < CONNS; i++) {
    if (w.conns[i] != 0) check(kop_engine_conn_closed(w.e, w.conns[i], w.now) == KOP_OK);
    w.conns[i] = 0;
  }
  drain(&w);
  answer_all(&w, KOP_DONE);
  w.now.mono_ns += 120ull * 1000000000u; /* time-outs, backoffs, kept results */
  kop_engine_tick(w.e, w.now);
  drain(&w);
  answer_all(&w, KOP_CANCELLED);
  kop_engine_stats stats;
  check(kop_engine_stats_get(w.e, &stats, sizeof stats) == KOP_OK);
  check(w.open_len > 0 || (stats.requests_open == 0 && stats.frame_bytes == 0 && w.lent == 0));
  kop_engine_free(w.e);
  for (size_t i = 0; i < w.batches_len; i++)
    free(w.batches[i]);
  return 0;
}
