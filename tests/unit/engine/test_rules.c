/* Rules of DESIGN that show only at their edges: what never goes back, what is bounded, what costs nothing, what is not told. */
#include "catalogue.h"
#include "support/failing_alloc.h"

#include <stdio.h>
#include <stdlib.h>

typedef kop_fetch_response_partition_data fetched;

static void write_batches(kh *h, kh_conn *c, const char *topic, int32_t partition, uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    cr_assert_eq(kh_produce(h, c, topic, partition, kh_batch_of(h, 2, -1, -1, -1)).error_code, 0);
}

/* ---- the log ---- */

static int64_t log_start_of(kh *h, kh_conn *c) {
  fetched f;
  kh_send_fetch(h, c, "t", 0, 8, 0, 1);
  cr_assert(kh_receive_fetch(h, c, &f));
  cr_assert_eq(f.error_code, 0);
  return f.log_start_offset;
}

Test(rules, the_log_start_never_goes_back) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  write_batches(&h, c, "t", 0, 5);
  static const int64_t told[] = {4, 2, 0, -1, 6}, shown[] = {4, 4, 4, 4, 6};
  for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
    kop_log_state state = {.size = sizeof state,
                           .epoch = log->epoch,
                           .partition = log->id,
                           .log_start = told[i],
                           .high_watermark = 10};
    kh_push(&h, KOP_EVENT_LOG, &state, sizeof state);
    cr_assert_eq(log_start_of(&h, c), shown[i], "told %d", (int)told[i]);
    fetched f;
    kh_send_fetch(&h, c, "t", 0, shown[i] - 1, 0, 1);
    cr_assert(kh_receive_fetch(&h, c, &f));
    cr_assert_eq(f.error_code, KOP_KAFKA_OFFSET_OUT_OF_RANGE);
  }
  kh_stop(&h);
}

Test(rules, nobody_produces_to_an_internal_topic) {
  kh h;
  kh_start(&h, NULL);
  kh_conn *c = kh_connect(&h);
  h.logs[h.logs_len++] = (kh_log){.id = 1001, .lease = UINT64_MAX};
  kop_topic_partition part = {.id = 1001, .leader = KH_NODE, .leader_epoch = -1};
  kop_topic topic = {.size = sizeof topic,
                     .flags = KOP_TOPIC_INTERNAL,
                     .name = kh_text("__consumer_offsets"),
                     .id = {{1}},
                     .partitions = &part,
                     .partitions_count = 1};
  kh_push(&h, KOP_EVENT_TOPIC, &topic, sizeof topic);
  cr_assert_eq(
      kh_produce(&h, c, "__consumer_offsets", 0, kh_batch_of(&h, 1, -1, -1, -1)).error_code,
      KOP_KAFKA_INVALID_TOPIC_EXCEPTION);
  cr_assert_eq(h.counts[KOP_EFFECT_APPEND], 0);
  kh_stop(&h);
}

/* ---- kept READs ---- */

static uint64_t budget;

static void small_budget(kop_engine_config *config) {
  config->kept_read_bytes = budget;
}

/* Fetches a partition so that its READ is answered when the fetch is over, and kept if it may be. */
static void read_late(kh *h, kh_conn *c, int32_t partition) {
  fetched f;
  kh_send_fetch(h, c, "t", partition, 0, 100, 1);
  kh_advance(h, 100);
  cr_assert(kh_receive_fetch(h, c, &f));
  cr_assert_eq(f.records.len, 0);
  cr_assert_eq(h->held_len, 1);
  kh_answer(h, 0, KOP_DONE, 0);
}

/* Whether a fetch is answered from what was kept. */
static bool is_kept(kh *h, kh_conn *c, int32_t partition) {
  fetched f;
  kh_send_fetch(h, c, "t", partition, 0, 0, 1);
  bool kept = h->held_len == 0;
  if (!kept) kh_answer(h, 0, KOP_DONE, 0);
  cr_assert(kh_receive_fetch(h, c, &f));
  cr_assert_gt(f.records.len, 0);
  return kept;
}

/* Three results of one size are read, and so many have room. */
static void keep_three(uint64_t bytes, int32_t fits) {
  kh h;
  budget = bytes;
  kh_start(&h, small_budget);
  kh_topic(&h, "t", 1, 3);
  kh_conn *c = kh_connect(&h);
  for (int32_t i = 0; i < 3; i++)
    write_batches(&h, c, "t", i, 1);
  kh_hold(&h, KH_KIND(READ));
  for (int32_t i = 0; i < 3; i++)
    read_late(&h, c, i);
  for (int32_t i = 2; i >= 0; i--)
    cr_assert_eq(is_kept(&h, c, i), 2 - i < fits, "%d fit, number %d", fits, i);
  kh_stop(&h);
}

Test(rules, kept_reads_have_a_budget_and_the_oldest_goes_first) {
  kh h;
  kh_start(&h, NULL);
  uint64_t one = kh_batch_of(&h, 2, -1, -1, -1).len;
  kh_stop(&h);
  keep_three(one - 1, 0);
  keep_three(one, 1);
  keep_three(2 * one - 1, 1);
  keep_three(2 * one, 2);
  keep_three(3 * one, 3);
}

/* ---- old fetches ---- */

static const kop_fetch_response_partition_data *fetch_old(kh *h, kh_conn *c, int16_t version,
                                                          int64_t offset) {
  static kop_fetch_response p;
  kh_fetch_request r;
  (void)kh_fill_fetch(&r, "t", 0, offset);
  kh_request(h, c, KOP_MSG_FETCH_REQUEST, version, &r.q, sizeof r.q);
  cr_assert(kh_receive(h, c, KOP_MSG_FETCH_RESPONSE, version, &p, sizeof p), "version %d", version);
  return &p.responses.ptr[0].partitions.ptr[0];
}

Test(rules, a_hole_is_covered_from_fetch_4_on_and_stays_below) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  log->end = 10;
  kop_log_state moved = {
      .size = sizeof moved, .epoch = log->epoch, .partition = log->id, .high_watermark = 10};
  kh_push(&h, KOP_EVENT_LOG, &moved, sizeof moved);
  for (int16_t v = 0; v <= 12; v++) {
    const fetched *f = fetch_old(&h, c, v, 2);
    cr_assert_eq(f->error_code, 0);
    cr_assert_eq(f->high_watermark, 10);
    cr_assert_eq(f->records.len, v < 4 ? 0 : KOP_BATCH_HEAD_SIZE, "version %d", v);
  }
  kh_stop(&h);
}

static kop_slice zstd_batch(kh *h) {
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  o.codec = KOP_CODEC_ZSTD;
  cr_assert_eq(kop_batch_builder_begin(h->builder, &o), KOP_OK);
  kop_record_in record = {
      .offset = -1, .timestamp = h->now.wall_ms, .value = kh_text("some value, compressed")};
  cr_assert_eq(kop_batch_builder_append(h->builder, &record), KOP_OK);
  kop_slice batch;
  cr_assert_eq(kop_batch_builder_finish(h->builder, &batch.ptr, &batch.len), KOP_OK);
  return batch;
}

/* As Kafka 4: a message set cannot hold zstd, so what stands before it is given, then an error; a v2 batch is given as it is. */
Test(rules, zstd_is_given_as_a_batch_and_never_as_a_message_set) {
  kh h;
  kh_start(&h, NULL);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  write_batches(&h, c, "t", 0, 1);
  cr_assert_eq(kh_produce(&h, c, "t", 0, zstd_batch(&h)).error_code, 0);
  for (int16_t v = 0; v <= 12; v++) {
    const fetched *f = fetch_old(&h, c, v, 0);
    cr_assert_eq(f->error_code, 0, "version %d", v);
    cr_assert_gt(f->records.len, 0, "what stands before it");
    f = fetch_old(&h, c, v, 2);
    cr_assert_eq(f->error_code, v < 4 ? KOP_KAFKA_UNSUPPORTED_COMPRESSION_TYPE : 0, "version %d",
                 v);
    cr_assert_eq(f->records.len > 0, v >= 4, "version %d", v);
  }
  kh_stop(&h);
}

/* ---- sessions ---- */

enum { IDLE = 1000, FIRST_ID = 50001 };

/* Counts what the engine asks memory for. */
static size_t asked_bytes;

static void *metered_realloc(void *user_data, void *ptr, size_t size) {
  (void)user_data;
  asked_bytes += size;
  return realloc(ptr, size);
}

static void metered_free(void *user_data, void *ptr) {
  (void)user_data;
  free(ptr);
}

static const kop_alloc METERED = {
    .size = sizeof METERED, .realloc = metered_realloc, .free = metered_free};

static void metered(kop_engine_config *config) {
  config->alloc = &METERED;
}

/* Answers for partitions that the harness keeps no log of: all are led, and empty up to the high watermark. */
static kh_way answer_many(kh *h, const kop_effect *fx, void *data) {
  (void)data;
  kop_completion c = {.token = fx->token, .outcome = KOP_DONE};
  kop_acquired acquired = {.size = sizeof acquired, .epoch = 1, .lease_mono_ns = UINT64_MAX};
  kop_read_result read = {.size = sizeof read};
  if (fx->kind == KOP_EFFECT_ACQUIRE) {
    c.body = &acquired;
    c.body_size = sizeof acquired;
  } else if (fx->kind == KOP_EFFECT_READ) {
    read.next_offset = ((const kop_read *)fx->body)->end;
    c.body = &read;
    c.body_size = sizeof read;
  } else if (fx->kind == KOP_EFFECT_STATE_GET) {
    c.outcome = KOP_NOT_FOUND;
  } else {
    return KH_AUTO;
  }
  cr_assert_eq(kop_engine_complete(h->e, &c, sizeof c, 1, h->now), KOP_OK);
  return KH_TAKEN;
}

static void push_many(kh *h, uint32_t n) {
  static kop_topic_partition parts[IDLE];
  for (uint32_t i = 0; i < n; i++)
    parts[i] = (kop_topic_partition){.id = FIRST_ID + i, .leader = KH_NODE, .leader_epoch = -1};
  kop_topic topic = {.size = sizeof topic,
                     .name = kh_text("t"),
                     .id = {{1}},
                     .partitions = parts,
                     .partitions_count = n};
  kh_push(h, KOP_EVENT_TOPIC, &topic, sizeof topic);
}

static void set_watermark(kh *h, uint32_t partition, int64_t to) {
  kop_log_state state = {
      .size = sizeof state, .epoch = 1, .partition = FIRST_ID + partition, .high_watermark = to};
  kh_push(h, KOP_EVENT_LOG, &state, sizeof state);
}

typedef struct session {
  int32_t id;
  int32_t epoch;
  int64_t at; /* where partition 7 is read on, 0: not named */
} session;

/* The first fetch of a session names n partitions, those after it one or none; `forget` >= 0 is taken out of it. */
static void fetch_session(kh *h, kh_conn *c, const session *s, int32_t n, int32_t forget,
                          int32_t max_wait_ms) {
  static kop_fetch_request_partition parts[IDLE];
  kop_fetch_request_topic t;
  kop_fetch_request_forgotten_topic gone;
  kop_fetch_request q;
  (void)kop_message_init(KOP_MSG_FETCH_REQUEST, &q, sizeof q);
  (void)kop_struct_init(KOP_STRUCT_FETCH_REQUEST_TOPIC, &t, sizeof t);
  (void)kop_struct_init(KOP_STRUCT_FETCH_REQUEST_FORGOTTEN_TOPIC, &gone, sizeof gone);
  for (int32_t i = 0; i < n; i++) {
    (void)kop_struct_init(KOP_STRUCT_FETCH_REQUEST_PARTITION, &parts[i], sizeof parts[i]);
    parts[i].partition = i;
    parts[i].partition_max_bytes = 1000;
  }
  if (s->at > 0) {
    (void)kop_struct_init(KOP_STRUCT_FETCH_REQUEST_PARTITION, &parts[n], sizeof parts[n]);
    parts[n].partition = 7;
    parts[n].fetch_offset = s->at;
    parts[n].partition_max_bytes = 1000;
    n++;
  }
  t.topic = kh_text("t");
  t.partitions.ptr = parts;
  t.partitions.len = n;
  gone.topic = kh_text("t");
  gone.partitions.ptr = &forget;
  gone.partitions.len = 1;
  q.topics.ptr = &t;
  q.topics.len = n > 0 ? 1 : 0;
  q.forgotten_topics_data.ptr = &gone;
  q.forgotten_topics_data.len = forget >= 0 ? 1 : 0;
  q.session_id = s->id;
  q.session_epoch = s->epoch;
  q.max_wait_ms = max_wait_ms;
  q.min_bytes = 1;
  kh_request(h, c, KOP_MSG_FETCH_REQUEST, 12, &q, sizeof q);
}

static kop_fetch_response told;

static bool receive_session(kh *h, kh_conn *c) {
  return kh_receive(h, c, KOP_MSG_FETCH_RESPONSE, 12, &told, sizeof told);
}

/* What is asked of memory from an append to the reply of the fetch that it wakes, in a session of n partitions. */
static size_t cost_of_waking(int32_t n) {
  kh h;
  kh_start(&h, metered);
  h.filter = answer_many;
  push_many(&h, (uint32_t)n);
  kh_conn *c = kh_connect(&h);
  session s = {0};
  fetch_session(&h, c, &s, n, -1, 0);
  cr_assert(receive_session(&h, c));
  cr_assert_eq(told.responses.ptr[0].partitions.len, n);
  s = (session){.id = told.session_id, .epoch = 1};
  cr_assert_neq(s.id, 0);
  size_t cost = 0;
  for (int64_t i = 1; i <= 3; i++) { /* the first times, buffers grow */
    fetch_session(&h, c, &s, 0, -1, 60000);
    cr_assert(!receive_session(&h, c));
    size_t before = asked_bytes;
    set_watermark(&h, 7, 5 * i);
    cost = asked_bytes - before;
    cr_assert(receive_session(&h, c));
    cr_assert_eq(told.responses.ptr[0].partitions.len, 1);
    cr_assert_eq(told.responses.ptr[0].partitions.ptr[0].partition_index, 7);
    cr_assert_eq(h.counts[KOP_EFFECT_READ], i, "the idle ones are not read");
    s.epoch++;
    s.at = 5 * i;
  }
  kh_stop(&h);
  return cost;
}

Test(rules, waking_a_session_costs_nothing_for_its_idle_partitions) {
  size_t many = cost_of_waking(IDLE), few = cost_of_waking(10);
  cr_assert_eq(many, few, "%zu bytes beside %zu", many, few);
}

Test(rules, what_a_session_has_forgotten_does_not_wake_it) {
  kh h;
  kh_start(&h, NULL);
  h.filter = answer_many;
  push_many(&h, 3);
  kh_conn *c = kh_connect(&h);
  session s = {0};
  fetch_session(&h, c, &s, 3, -1, 0);
  cr_assert(receive_session(&h, c));
  s = (session){.id = told.session_id, .epoch = 1};
  fetch_session(&h, c, &s, 0, 1, 60000);
  set_watermark(&h, 1, 5);
  cr_assert(!receive_session(&h, c));
  set_watermark(&h, 2, 5);
  cr_assert(receive_session(&h, c));
  cr_assert_eq(told.responses.ptr[0].partitions.len, 1);
  cr_assert_eq(told.responses.ptr[0].partitions.ptr[0].partition_index, 2);
  kh_stop(&h);
}

/* ---- polls ---- */

/* Lets time pass from deadline to deadline; returns how often something was due. */
static uint32_t run_for(kh *h, uint64_t ms) {
  uint64_t end = h->now.mono_ns + ms * 1000000u;
  uint32_t turns = 0;
  for (uint64_t due; (due = kop_engine_deadline(h->e)) <= end && turns < 1000; turns++) {
    if (due > h->now.mono_ns) h->now.mono_ns = due;
    kop_engine_tick(h->e, h->now);
    kh_run(h);
  }
  if (h->now.mono_ns < end) h->now.mono_ns = end;
  return turns;
}

/* A READ that brings nothing and does not move on. */
static kh_way give_nothing(kh *h, const kop_effect *fx, void *data) {
  (void)data;
  if (fx->kind != KOP_EFFECT_READ || h->counts[KOP_EFFECT_READ] > 100) return KH_AUTO;
  kop_read_result read = {.size = sizeof read, .next_offset = ((const kop_read *)fx->body)->offset};
  kop_completion c = {
      .token = fx->token, .outcome = KOP_DONE, .body = &read, .body_size = sizeof read};
  cr_assert_eq(kop_engine_complete(h->e, &c, sizeof c, 1, h->now), KOP_OK);
  return KH_TAKEN;
}

Test(rules, polls_do_not_spin) {
  const struct {
    kh_filter *filter;
    int64_t offset;
    int32_t min_bytes;
  } cases[] = {{NULL, 4, 1},          /* nothing there */
               {NULL, 0, 1 << 20},    /* less there than wanted */
               {give_nothing, 0, 1}}; /* the store says there is nothing where there must be */
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kh h;
    kh_start(&h, NULL);
    kh_topic(&h, "t", 1, 1);
    kh_conn *c = kh_connect(&h);
    write_batches(&h, c, "t", 0, 2);
    h.filter = cases[i].filter;
    kh_send_fetch(&h, c, "t", 0, cases[i].offset, 60000, cases[i].min_bytes);
    uint32_t turns = run_for(&h, 60000);
    fetched f;
    cr_assert(kh_receive_fetch(&h, c, &f), "case %zu", i);
    cr_assert_leq(turns, 20, "case %zu: %u turns", i, turns);
    cr_assert_leq(h.counts[KOP_EFFECT_READ], 2, "case %zu", i);
    kh_stop(&h);
  }
}

/* ---- creation on first use ---- */

Test(rules, so_many_topics_are_created_on_first_use_at_once) {
  enum { ASKED = 150, AT_ONCE = 100 };
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  static kop_metadata_request_topic topics[ASKED];
  static char names[ASKED][8];
  static kop_metadata_response p;
  kop_metadata_request q;
  (void)kop_message_init(KOP_MSG_METADATA_REQUEST, &q, sizeof q);
  for (int i = 0; i < ASKED; i++) {
    (void)kop_struct_init(KOP_STRUCT_METADATA_REQUEST_TOPIC, &topics[i], sizeof topics[i]);
    (void)snprintf(names[i], sizeof names[i], "n%d", i);
    topics[i].name = kh_text(names[i]);
  }
  q.topics.ptr = topics;
  q.topics.len = ASKED;
  q.allow_auto_topic_creation = 1;
  for (uint32_t round = 1; round <= 2; round++) {
    kh_request(&h, conn, KOP_MSG_METADATA_REQUEST, 12, &q, sizeof q);
    while (kh_find_held(&h, KOP_EFFECT_LOOKUP_TOPIC) >= 0)
      kh_answer(&h, (size_t)kh_find_held(&h, KOP_EFFECT_LOOKUP_TOPIC), KOP_NOT_FOUND, 0);
    cr_assert(kh_receive(&h, conn, KOP_MSG_METADATA_RESPONSE, 12, &p, sizeof p));
    cr_assert_eq(h.counts[KOP_EFFECT_CREATE_TOPIC], round * AT_ONCE);
    while (h.held_len > 0) /* their places are free again */
      kh_answer(&h, 0, KOP_REJECTED, KOP_KAFKA_KAFKA_STORAGE_ERROR);
  }
  kh_stop(&h);
}

/* ---- what is served ---- */

Test(rules, every_served_version_is_advertised_and_no_other) {
  static const int16_t served[][3] = {{0, 0, 13}, {1, 0, 18}, {2, 0, 11}, {3, 0, 13}, {10, 0, 6},
                                      {18, 0, 5}, {19, 0, 7}, {20, 0, 6}, {21, 0, 2}, {22, 0, 5},
                                      {23, 0, 4}, {32, 0, 4}, {33, 0, 2}, {35, 0, 5}, {37, 0, 3},
                                      {43, 0, 2}, {44, 0, 1}, {60, 0, 2}, {61, 0, 0}, {75, 0, 0}};
  enum { SERVED = sizeof served / sizeof served[0] };
  kh h;
  kh_start(&h, NULL);
  kh_conn *c = kh_connect(&h);
  for (int16_t v = 0; v <= 5; v++) {
    kop_api_versions_request q;
    kop_api_versions_response p;
    (void)kop_message_init(KOP_MSG_API_VERSIONS_REQUEST, &q, sizeof q);
    q.client_software_name = kh_text("x");
    q.client_software_version = kh_text("1");
    kh_request(&h, c, KOP_MSG_API_VERSIONS_REQUEST, v, &q, sizeof q);
    cr_assert(kh_receive(&h, c, KOP_MSG_API_VERSIONS_RESPONSE, v, &p, sizeof p), "version %d", v);
    cr_assert_eq(p.error_code, 0);
    cr_assert_eq(p.api_keys.len, SERVED);
    for (int32_t i = 0; i < SERVED; i++) {
      cr_assert_eq(p.api_keys.ptr[i].api_key, served[i][0]);
      cr_assert_eq(p.api_keys.ptr[i].min_version, served[i][1], "key %d", served[i][0]);
      cr_assert_eq(p.api_keys.ptr[i].max_version, served[i][2], "key %d", served[i][0]);
    }
  }
  kh_stop(&h);
}

/* ---- steady state ---- */

static failing_alloc allocator;

static void counted(kop_engine_config *config) {
  failing_alloc_init(&allocator, SIZE_MAX);
  config->alloc = &allocator.alloc;
}

/* A producer writes, a waiting consumer is woken and comes again at once, another one looks at metadata and offsets. */
static void one_round(kh *h, kh_conn *producer, kh_conn *consumer, kh_conn *other, int64_t offset,
                      int32_t sequence) {
  fetched f;
  kh_send_fetch(h, consumer, "t", 0, offset, 60000, 1);
  kop_produce_response_partition_produce_response made =
      kh_produce(h, producer, "t", 0, kh_batch_of(h, 2, 4000, 0, sequence));
  cr_assert_eq(made.error_code, 0);
  cr_assert(kh_receive_fetch(h, consumer, &f));
  cr_assert_gt(f.records.len, 0);
  kop_metadata_request m;
  kop_metadata_response mp;
  (void)kop_message_init(KOP_MSG_METADATA_REQUEST, &m, sizeof m);
  m.topics.len = -1;
  kh_request(h, other, KOP_MSG_METADATA_REQUEST, 12, &m, sizeof m);
  cr_assert(kh_receive(h, other, KOP_MSG_METADATA_RESPONSE, 12, &mp, sizeof mp));
  kh_list_request l;
  kop_list_offsets_response lp;
  (void)kh_fill_list(&l, "t", -1, -1);
  kh_request(h, other, KOP_MSG_LIST_OFFSETS_REQUEST, 7, &l.q, sizeof l.q);
  cr_assert(kh_receive(h, other, KOP_MSG_LIST_OFFSETS_RESPONSE, 7, &lp, sizeof lp));
}

Test(rules, in_steady_state_a_request_allocates_nothing) {
  enum { WARM = 50, STEADY = 200 };
  kh h;
  kh_start(&h, counted);
  kh_topic(&h, "t", 1, 4);
  kh_conn *producer = kh_connect(&h), *consumer = kh_connect(&h), *other = kh_connect(&h);
  size_t made = 0;
  for (int32_t i = 0; i < WARM + STEADY; i++) {
    if (i == WARM) made = allocator.made;
    one_round(&h, producer, consumer, other, 2 * i, 2 * i);
  }
  cr_assert_gt(made, 0);
  cr_assert_eq(allocator.made - made, 0, "%zu allocations in %d rounds", allocator.made - made,
               STEADY);
  kh_stop(&h);
}
