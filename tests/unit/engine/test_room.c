/* The bound on what READs hold and have asked for: it is kept whoever starts together, and nobody waits for ever. */
#include "harness.h"

#include <stdlib.h>

typedef kop_fetch_response_partition_data fetched;

enum { MIB = 1 << 20, BOUND = 16 * MIB };

static void bounded(kop_engine_config *config) {
  config->max_lent_bytes = BOUND;
  config->kept_read_bytes = 0;
}

/* What the open READs may bring. */
static uint64_t asked(const kh *h) {
  uint64_t sum = 0;
  for (size_t i = 0; i < h->held_len; i++) {
    if (h->held[i].kind == KOP_EFFECT_READ) sum += ((const kop_read *)h->held[i].body)->max_bytes;
  }
  return sum;
}

static uint64_t lent(const kh *h) {
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h->e, &stats, sizeof stats), KOP_OK);
  return stats.lent_bytes;
}

static void start(kh *h, uint32_t partitions) {
  kh_start(h, bounded);
  kh_topic(h, "t", 1, partitions);
  kh_conn *c = kh_connect(h);
  for (uint32_t i = 0; i < partitions; i++)
    (void)kh_produce(h, c, "t", (int32_t)i, kh_batch_of(h, 2, -1, -1, -1));
}

/* Wants up to `bytes` of each of n partitions from `first` on. */
static void fetch(kh *h, kh_conn *c, int32_t first, int32_t n, int32_t bytes, int32_t max_wait_ms) {
  kh_fetch_request r;
  kop_fetch_request_partition parts[KH_PARTITIONS];
  kh_fill_fetch(&r, "t", 0, 0);
  for (int32_t i = 0; i < n; i++) {
    parts[i] = r.partition;
    parts[i].partition = first + i;
    parts[i].partition_max_bytes = bytes;
  }
  r.topic.partitions.ptr = parts;
  r.topic.partitions.len = n;
  r.q.max_bytes = INT32_MAX;
  r.q.max_wait_ms = max_wait_ms;
  r.q.min_bytes = 1;
  kh_request(h, c, KOP_MSG_FETCH_REQUEST, 12, &r.q, sizeof r.q);
}

/* How many partitions of the next reply have records; -1: no reply. */
static int with_records(kh *h, kh_conn *c) {
  kop_fetch_response p;
  if (!kh_receive(h, c, KOP_MSG_FETCH_RESPONSE, 12, &p, sizeof p)) return -1;
  int n = 0;
  for (int32_t i = 0; i < p.responses.ptr[0].partitions.len; i++) {
    cr_assert_eq(p.responses.ptr[0].partitions.ptr[i].error_code, 0);
    n += p.responses.ptr[0].partitions.ptr[i].records.len > 0;
  }
  return n;
}

/* A connection that has taken what it fetched. */
static kh_conn *reader(kh *h) {
  kh_conn *c = kh_connect(h);
  fetch(h, c, 0, 1, 1, 0);
  cr_assert_eq(with_records(h, c), 1);
  return c;
}

static void answer_all(kh *h) {
  for (int i = 0; i < 1000 && h->held_len > 0; i++)
    kh_answer(h, 0, KOP_DONE, 0);
  cr_assert_eq(h->held_len, 0u);
}

Test(room, fetches_that_start_together_do_not_ask_for_more_than_may_be_lent) {
  enum { N = 24 };
  kh h;
  start(&h, N);
  kh_hold(&h, KH_KIND(READ));
  kh_conn *c[N];
  for (int32_t i = 0; i < N; i++) {
    c[i] = kh_connect(&h);
    fetch(&h, c[i], i, 1, 4 * MIB, 60000);
    cr_assert_leq(asked(&h), (uint64_t)BOUND, "%d fetches ask for %llu bytes", i + 1,
                  (unsigned long long)asked(&h));
  }
  cr_assert_geq(h.held_len, 4u);
  cr_assert_lt(h.held_len, (size_t)N);
  while (h.held_len > 0) {
    cr_assert_leq(asked(&h) + lent(&h), (uint64_t)BOUND);
    kh_answer(&h, 0, KOP_DONE, 0);
  }
  for (int32_t i = 0; i < N; i++)
    cr_assert_eq(with_records(&h, c[i]), 1, "fetch %d", i);
  cr_assert_eq(lent(&h), 0u);
  kh_stop(&h);
}

Test(room, one_that_wants_all_leaves_half) {
  kh h;
  start(&h, 2);
  kh_conn *greedy = reader(&h);
  kh_conn *other = reader(&h);
  kh_hold(&h, KH_KIND(READ));
  fetch(&h, greedy, 0, 1, INT32_MAX, 1000);
  fetch(&h, other, 1, 1, MIB, 1000);
  cr_assert_eq(h.held_len, 2u);
  cr_assert_eq(((const kop_read *)h.held[0].body)->max_bytes, (uint32_t)BOUND / 2);
  cr_assert_eq(((const kop_read *)h.held[1].body)->max_bytes, (uint32_t)MIB);
  kh_answer(&h, 1, KOP_DONE, 0);
  cr_assert_eq(with_records(&h, other), 1, "it does not wait for the large one");
  answer_all(&h);
  cr_assert_eq(with_records(&h, greedy), 1);
  kh_stop(&h);
}

Test(room, small_reads_count_as_a_batch_and_joined_ones_not_at_all) {
  enum { N = 24 };
  kh h;
  start(&h, N);
  kh_conn *c[N];
  for (int32_t i = 0; i < N; i++)
    c[i] = reader(&h);
  kh_hold(&h, KH_KIND(READ));
  for (int32_t i = 0; i < N; i++)
    fetch(&h, c[i], i, 1, 1, 60000);
  cr_assert_eq(h.held_len, (size_t)BOUND / MIB, "each may bring a batch of a megabyte");
  kh_conn *joiner = kh_connect(&h);
  fetch(&h, joiner, 0, 1, 1, 60000);
  cr_assert_eq(h.held_len, (size_t)BOUND / MIB);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(with_records(&h, joiner), 1, "what another one reads needs no room");
  answer_all(&h);
  cr_assert_eq(with_records(&h, c[N - 1]), 1);
  kh_stop(&h);
}

/* ---- newcomers ---- */

/* What is sent to connections that do not read is held. */
static kh_way hold_sends_but_to(kh *h, const kop_effect *fx, void *data) {
  (void)h;
  const kh_conn *reads = data;
  return fx->kind == KOP_EFFECT_SEND && fx->target != reads->id ? KH_HOLD : KH_AUTO;
}

Test(room, those_who_have_taken_nothing_yet_have_half_of_it) {
  enum { N = 24, HALF = BOUND / MIB / 2 };
  kh h;
  start(&h, N + 1);
  kh_conn *known = reader(&h);
  kh_conn *c[N];
  for (int32_t i = 0; i < N; i++)
    c[i] = kh_connect(&h);
  kh_hold(&h, KH_KIND(READ));
  for (int32_t i = 0; i < N; i++)
    fetch(&h, c[i], i, 1, MIB, 60000);
  cr_assert_eq(h.held_len, (size_t)HALF);
  fetch(&h, known, N, 1, INT32_MAX, 60000);
  cr_assert_eq(h.held_len, (size_t)HALF + 1, "it passes them");
  cr_assert_eq(((const kop_read *)h.held[HALF].body)->max_bytes,
               (uint32_t)(BOUND - HALF * MIB) / 2);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(with_records(&h, c[0]), 1);
  cr_assert_eq(h.held_len, (size_t)HALF + 1, "the next newcomer has gone on");
  cr_assert_eq(h.held[HALF].target, h.logs[HALF].id);
  fetch(&h, c[0], 0, 1, MIB, 60000); /* it has taken something, and is none any more */
  cr_assert_eq(h.held_len, (size_t)HALF + 2);
  answer_all(&h);
  for (int32_t i = 0; i < N; i++)
    cr_assert_eq(with_records(&h, c[i]), 1, "newcomer %d", i);
  cr_assert_eq(lent(&h), 0u);
  kh_stop(&h);
}

static void room_for_a_few(kop_engine_config *config) {
  config->max_lent_bytes = 600;
  config->kept_read_bytes = 0;
  config->idle_ns = 0;
}

Test(room, who_reads_is_served_while_a_crowd_does_not) {
  enum { N = KH_CONNS - 2 };
  kh h;
  kh_start(&h, room_for_a_few);
  kh_topic(&h, "t", 1, N);
  kh_conn *known = kh_connect(&h);
  for (int32_t i = 0; i < N; i++)
    (void)kh_produce(&h, known, "t", i, kh_batch_of(&h, 2, -1, -1, -1));
  fetch(&h, known, 0, 1, 1, 0);
  cr_assert_eq(with_records(&h, known), 1);
  kh_conn *c[N];
  for (int32_t i = 0; i < N; i++)
    c[i] = kh_connect(&h);
  h.filter = hold_sends_but_to;
  h.filter_data = known;
  for (int32_t i = 0; i < N; i++) {
    fetch(&h, c[i], i, 1, MIB, 500);
    fetch(&h, known, i, 1, MIB, 500);
    cr_assert_eq(with_records(&h, known), 1, "after %d that do not read", i + 1);
  }
  cr_assert_gt(lent(&h), 0u);
  cr_assert_leq(lent(&h), 300u + 100u);
  for (int i = 0; i < 3; i++)
    kh_advance(&h, 30000);
  int closed = 0;
  for (int32_t i = 0; i < N; i++)
    closed += c[i]->closed;
  cr_assert_eq(closed, 0, "nobody waits any more: they were answered with nothing");
  kh_stop(&h);
}

/* One READ is never answered: it holds half of what there is. */
Test(room, a_read_that_hangs_does_not_stop_the_others) {
  kh h;
  start(&h, 8);
  kh_conn *hung = kh_connect(&h);
  kh_conn *c = kh_connect(&h);
  kh_hold(&h, KH_KIND(READ));
  fetch(&h, hung, 0, 1, INT32_MAX, 500);
  kh_hold(&h, 0);
  for (int i = 0; i < 50; i++) {
    fetch(&h, c, 1 + i % 7, 1, INT32_MAX, 500);
    cr_assert_eq(with_records(&h, c), 1, "fetch %d", i);
  }
  kh_advance(&h, 700);
  cr_assert_eq(with_records(&h, hung), 0);
  kh_stop(&h);
}

/* A bound that a single reply fills, which its client does not read. */
static void tiny(kop_engine_config *config) {
  config->max_lent_bytes = 1;
}

Test(room, who_waits_is_answered_at_max_wait_and_in_order_when_there_is_room) {
  kh h;
  kh_start(&h, tiny);
  kh_topic(&h, "t", 1, 1);
  kh_conn *c[4];
  for (int i = 0; i < 4; i++)
    c[i] = kh_connect(&h);
  (void)kh_produce(&h, c[0], "t", 0, kh_batch_of(&h, 2, -1, -1, -1));
  kh_hold(&h, KH_KIND(SEND));
  fetch(&h, c[0], 0, 1, MIB, 60000);
  cr_assert_eq(h.lent, 1u);
  kh_hold(&h, 0);
  fetch(&h, c[1], 0, 1, MIB, 300);
  fetch(&h, c[2], 0, 1, MIB, 60000);
  fetch(&h, c[3], 0, 1, MIB, 60000);
  cr_assert_eq(with_records(&h, c[1]), -1);
  kh_advance(&h, 300);
  cr_assert_eq(with_records(&h, c[1]), 0, "max.wait is past");
  kh_disconnect(&h, c[2]); /* one that goes while it waits holds nobody up */
  kh_hold(&h, KH_KIND(READ));
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(h.held_len, 1u);
  fetch(&h, c[1], 0, 1, MIB, 60000); /* joins it */
  answer_all(&h);
  cr_assert_eq(with_records(&h, c[0]), 1);
  cr_assert_eq(with_records(&h, c[3]), 1);
  cr_assert_eq(with_records(&h, c[1]), 1);
  cr_assert_eq(h.lent, 0u);
  kh_stop(&h);
}

Test(room, a_fetch_of_many_partitions_does_not_pass_one_that_waits) {
  enum { N = 40 };
  kh h;
  start(&h, N);
  kh_conn *c = reader(&h);
  kh_conn *other = reader(&h);
  kh_conn *last = reader(&h);
  kh_hold(&h, KH_KIND(READ));
  fetch(&h, c, 0, N - 2, MIB, 60000);
  cr_assert_leq(asked(&h), (uint64_t)BOUND);
  size_t open = h.held_len;
  fetch(&h, other, N - 1, 1, MIB, 60000);
  fetch(&h, last, N - 2, 1, MIB, 60000);
  cr_assert_eq(h.held_len, open, "they wait");
  for (int i = 0; i < 3; i++) /* what they brought is lent: three make room for two */
    kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert_eq(h.held_len, open - 1);
  cr_assert_eq(h.held[open - 3].target, h.logs[N - 1].id, "in the order in which they came");
  cr_assert_eq(h.held[open - 2].target, h.logs[N - 2].id);
  answer_all(&h);
  cr_assert_eq(with_records(&h, other), 1);
  cr_assert_eq(with_records(&h, last), 1);
  cr_assert_eq(with_records(&h, c), N - 2, "it has gone on behind them");
  kh_stop(&h);
}

Test(room, list_offsets_by_time_is_bounded_too) {
  enum { N = 40 };
  kh h;
  start(&h, N);
  kh_conn *c = kh_connect(&h);
  kop_list_offsets_request_partition parts[N];
  kh_list_request r;
  kh_fill_list(&r, "t", h.now.wall_ms, -1);
  for (int32_t i = 0; i < N; i++) {
    parts[i] = r.partition;
    parts[i].partition_index = i;
  }
  r.topic.partitions.ptr = parts;
  r.topic.partitions.len = N;
  kh_hold(&h, KH_KIND(READ));
  kh_request(&h, c, KOP_MSG_LIST_OFFSETS_REQUEST, 8, &r.q, sizeof r.q);
  cr_assert_leq(asked(&h), (uint64_t)BOUND, "%zu READs", h.held_len);
  kop_list_offsets_response p;
  cr_assert(!kh_receive(&h, c, KOP_MSG_LIST_OFFSETS_RESPONSE, 8, &p, sizeof p));
  while (h.held_len > 0) {
    cr_assert_leq(asked(&h), (uint64_t)BOUND);
    kh_answer(&h, 0, KOP_DONE, 0);
  }
  cr_assert(kh_receive(&h, c, KOP_MSG_LIST_OFFSETS_RESPONSE, 8, &p, sizeof p));
  for (int32_t i = 0; i < N; i++)
    cr_assert_eq(p.topics.ptr[0].partitions.ptr[i].offset, 0);
  kh_stop(&h);
}

Test(room, a_topic_that_is_deleted_while_its_search_waits) {
  enum { N = 40 };
  kh h;
  start(&h, N);
  kh_conn *c = reader(&h);
  kh_conn *lister = kh_connect(&h);
  kh_hold(&h, KH_KIND(READ));
  fetch(&h, c, 0, N, MIB, 60000);
  kh_list_request r;
  kh_fill_list(&r, "t", h.now.wall_ms, -1);
  r.partition.partition_index = N - 1;
  kh_request(&h, lister, KOP_MSG_LIST_OFFSETS_REQUEST, 8, &r.q, sizeof r.q);
  kh_topic_gone(&h, 1);
  answer_all(&h);
  kop_list_offsets_response p;
  cr_assert(kh_receive(&h, lister, KOP_MSG_LIST_OFFSETS_RESPONSE, 8, &p, sizeof p));
  cr_assert_eq(p.topics.ptr[0].partitions.ptr[0].error_code, KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
  kh_stop(&h);
}

static void small_requests(kop_engine_config *config) {
  static kop_config_entry entry;
  entry = (kop_config_entry){kh_text("socket.request.max.bytes"), kh_text("700")};
  config->broker_configs = &entry;
  config->broker_configs_count = 1;
}

Test(room, converted_message_sets_of_a_reply_are_bounded_together) {
  enum { N = 4 };
  kh h;
  kh_start(&h, small_requests);
  kh_topic(&h, "t", 1, N);
  kh_conn *c = kh_connect(&h);
  for (int32_t i = 0; i < N; i++)
    (void)kh_produce(&h, c, "t", i, kh_batch_of(&h, 10, -1, -1, -1));
  kh_fetch_request r;
  kh_fill_fetch(&r, "t", 0, 0);
  int told = 0;
  for (int32_t first = 0; first < N;) {
    kop_fetch_request_partition parts[N];
    for (int32_t i = 0; i < N - first; i++) {
      parts[i] = r.partition;
      parts[i].partition = first + i;
    }
    r.topic.partitions.ptr = parts;
    r.topic.partitions.len = N - first;
    kh_request(&h, c, KOP_MSG_FETCH_REQUEST, 3, &r.q, sizeof r.q);
    kop_fetch_response p;
    cr_assert(kh_receive(&h, c, KOP_MSG_FETCH_RESPONSE, 3, &p, sizeof p));
    size_t bytes = 0;
    int got = 0;
    for (int32_t i = 0; i < p.responses.ptr[0].partitions.len; i++) {
      const fetched *f = &p.responses.ptr[0].partitions.ptr[i];
      cr_assert_eq(f->error_code, 0);
      bytes += f->records.len;
      got += f->records.len > 0;
    }
    cr_assert_leq(bytes, 700u);
    cr_assert_gt(got, 0);
    first += got;
    told++;
  }
  cr_assert_gt(told, 1);
  cr_assert_eq(lent(&h), 0u);
  kh_stop(&h);
}
