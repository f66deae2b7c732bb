/* ListOffsets and OffsetForLeaderEpoch; old formats of Produce and Fetch; equal calls, equal effects. */
#include "harness.h"

#include <stdlib.h>

typedef kop_produce_response_partition_produce_response produced;
typedef kop_list_offsets_response_partition_response listed;

static listed list(kh *h, kh_conn *c, int16_t version, int64_t timestamp, int32_t leader_epoch) {
  kh_list_request q;
  kh_request(h, c, KOP_MSG_LIST_OFFSETS_REQUEST, version,
             kh_fill_list(&q, "t", timestamp, leader_epoch), sizeof q.q);
  kop_list_offsets_response r;
  cr_assert(kh_receive(h, c, KOP_MSG_LIST_OFFSETS_RESPONSE, version, &r, sizeof r),
            "no reply to ListOffsets");
  cr_assert_eq(r.topics.len, 1);
  cr_assert_eq(r.topics.ptr[0].partitions.len, 1);
  return r.topics.ptr[0].partitions.ptr[0];
}

/* Three batches of three records; record i of batch b has the timestamp wall + 1000 * b + i. */
static kh_log *three_batches(kh *h, kh_conn **c) {
  kh_start(h, NULL);
  kh_log *log = kh_topic(h, "t", 1, 1);
  *c = kh_connect(h);
  for (int i = 0; i < 3; i++) {
    cr_assert_eq(kh_produce(h, *c, "t", 0, kh_batch_of(h, 3, -1, -1, -1)).error_code, 0);
    kh_advance(h, 1000);
  }
  return log;
}

Test(list_offsets, earliest_and_latest) {
  kh h;
  kh_conn *c;
  kh_log *log = three_batches(&h, &c);
  cr_assert_eq(list(&h, c, 8, -1, -1).offset, 9);
  cr_assert_eq(list(&h, c, 8, -2, -1).offset, 0);
  cr_assert_eq(list(&h, c, 8, -4, -1).offset, 0);
  cr_assert_eq(list(&h, c, 9, -5, -1).offset, -1);
  cr_assert_eq(list(&h, c, 8, -1, -1).leader_epoch, log->epoch);
  cr_assert_eq(list(&h, c, 6, -3, -1).error_code, KOP_KAFKA_UNSUPPORTED_VERSION);
  kop_log_state moved = {.size = sizeof moved,
                         .epoch = log->epoch,
                         .partition = log->id,
                         .log_start = 4,
                         .high_watermark = 9};
  log->log_start = 4;
  kh_push(&h, KOP_EVENT_LOG, &moved, sizeof moved);
  cr_assert_eq(list(&h, c, 8, -2, -1).offset, 4);
  kh_stop(&h);
}

Test(list_offsets, finds_the_record_by_time_and_not_only_the_batch) {
  kh h;
  kh_conn *c;
  kh_log *log = three_batches(&h, &c);
  int64_t start = 1700000000000;
  listed l = list(&h, c, 8, start + 1001, -1);
  cr_assert_eq(l.offset, 4);
  cr_assert_eq(l.timestamp, start + 1001);
  cr_assert_eq(list(&h, c, 8, start + 3, -1).offset, 3);
  cr_assert_eq(list(&h, c, 8, 0, -1).offset, 0);
  cr_assert_eq(list(&h, c, 8, start + 2003, -1).offset, -1);
  l = list(&h, c, 8, -3, -1);
  cr_assert_eq(l.offset, 8);
  cr_assert_eq(l.timestamp, start + 2002);
  /* the first matching record lies before the log start, in a batch that straddles it */
  kop_log_state moved = {.size = sizeof moved,
                         .epoch = log->epoch,
                         .partition = log->id,
                         .log_start = 2,
                         .high_watermark = 9};
  log->log_start = 2;
  kh_push(&h, KOP_EVENT_LOG, &moved, sizeof moved);
  cr_assert_eq(list(&h, c, 8, start, -1).offset, 2);
  kh_stop(&h);
}

Test(list_offsets, every_answer_of_a_store) {
  static const struct {
    int32_t outcome;
    int16_t error, expected;
  } cases[] = {{KOP_REJECTED, KOP_KAFKA_KAFKA_STORAGE_ERROR, KOP_KAFKA_KAFKA_STORAGE_ERROR},
               {KOP_NOT_FOUND, 0, 0},
               {KOP_CANCELLED, 0, KOP_KAFKA_KAFKA_STORAGE_ERROR},
               {KOP_UNKNOWN, 0, KOP_KAFKA_KAFKA_STORAGE_ERROR},
               {KOP_UNSUPPORTED, 0, KOP_KAFKA_KAFKA_STORAGE_ERROR}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kh h;
    kh_conn *c;
    (void)three_batches(&h, &c);
    kh_hold(&h, KH_KIND(LIST_OFFSETS));
    kh_list_request q;
    kh_request(&h, c, KOP_MSG_LIST_OFFSETS_REQUEST, 8, kh_fill_list(&q, "t", 5, -1), sizeof q.q);
    kh_answer(&h, 0, cases[i].outcome, cases[i].error);
    kop_list_offsets_response r;
    cr_assert(kh_receive(&h, c, KOP_MSG_LIST_OFFSETS_RESPONSE, 8, &r, sizeof r));
    cr_assert_eq(r.topics.ptr[0].partitions.ptr[0].error_code, cases[i].expected);
    cr_assert_eq(r.topics.ptr[0].partitions.ptr[0].offset, -1);
    kh_stop(&h);
  }
}

Test(list_offsets, checks_the_leader_epoch_of_the_client) {
  kh h;
  kh_conn *c;
  kh_log *log = three_batches(&h, &c);
  cr_assert_eq(list(&h, c, 8, -1, log->epoch).error_code, 0);
  cr_assert_eq(list(&h, c, 8, -1, log->epoch + 1).error_code, KOP_KAFKA_UNKNOWN_LEADER_EPOCH);
  cr_assert_eq(list(&h, c, 8, -1, log->epoch - 1).error_code, KOP_KAFKA_FENCED_LEADER_EPOCH);
  kh_stop(&h);
}

Test(leader_epoch, says_where_an_epoch_ended) {
  kh h;
  kh_conn *c;
  kh_log *log = three_batches(&h, &c);
  kh_lead(&h, log->id, 2, -1);
  kh_lead(&h, log->id, KH_NODE, -1);
  (void)kh_produce(&h, c, "t", 0, kh_batch_of(&h, 2, -1, -1, -1));
  static const struct {
    int32_t asked, epoch;
    int64_t end;
  } cases[] = {{1, 1, 9}, {2, 2, 11}, {3, -1, -1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kop_offset_for_leader_epoch_request q;
    kop_offset_for_leader_epoch_request_offset_for_leader_topic t;
    kop_offset_for_leader_epoch_request_offset_for_leader_partition p;
    (void)kop_message_init(KOP_MSG_OFFSET_FOR_LEADER_EPOCH_REQUEST, &q, sizeof q);
    (void)kop_struct_init(KOP_STRUCT_OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_TOPIC, &t,
                          sizeof t);
    (void)kop_struct_init(KOP_STRUCT_OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_PARTITION,
                          &p, sizeof p);
    p.leader_epoch = cases[i].asked;
    t.topic = kh_text("t");
    t.partitions.ptr = &p;
    t.partitions.len = 1;
    q.topics.ptr = &t;
    q.topics.len = 1;
    kh_request(&h, c, KOP_MSG_OFFSET_FOR_LEADER_EPOCH_REQUEST, 4, &q, sizeof q);
    kop_offset_for_leader_epoch_response r;
    cr_assert(kh_receive(&h, c, KOP_MSG_OFFSET_FOR_LEADER_EPOCH_RESPONSE, 4, &r, sizeof r));
    const kop_offset_for_leader_epoch_response_epoch_end_offset *e =
        &r.topics.ptr[0].partitions.ptr[0];
    cr_assert_eq(e->error_code, 0);
    cr_assert_eq(e->leader_epoch, cases[i].epoch, "epoch %d: %d", cases[i].asked, e->leader_epoch);
    cr_assert_eq(e->end_offset, cases[i].end, "epoch %d: %lld", cases[i].asked,
                 (long long)e->end_offset);
  }
  kh_stop(&h);
}

/* ---- old formats ---- */

static kop_slice old_set(kh *h, int32_t magic, int32_t codec) {
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  o.magic = magic;
  o.codec = codec;
  cr_assert_eq(kop_batch_builder_begin(h->builder, &o), KOP_OK);
  for (int i = 0; i < 4; i++) {
    kop_record_in record = {
        .offset = -1, .timestamp = h->now.wall_ms, .key = kh_text("k"), .value = kh_text("old")};
    cr_assert_eq(kop_batch_builder_append(h->builder, &record), KOP_OK);
  }
  kop_slice set;
  cr_assert_eq(kop_batch_builder_finish(h->builder, &set.ptr, &set.len), KOP_OK);
  return set;
}

static void produce_old(kh *h, kh_conn *c, int16_t version, kop_slice set) {
  kh_produce_request q;
  kh_request(h, c, KOP_MSG_PRODUCE_REQUEST, version, kh_fill_produce(&q, "t", 0, set, 1, 1000),
             sizeof q.q);
  kop_produce_response r;
  cr_assert(kh_receive(h, c, KOP_MSG_PRODUCE_RESPONSE, version, &r, sizeof r));
  cr_assert_eq(r.responses.ptr[0].partition_responses.ptr[0].error_code, 0, "version %d: %d",
               version, r.responses.ptr[0].partition_responses.ptr[0].error_code);
}

Test(old_formats, message_sets_are_stored_as_batches_and_given_back_as_they_are_asked_for) {
  for (int16_t version = 0; version < 3; version++) {
    for (int32_t codec = KOP_CODEC_NONE; codec <= KOP_CODEC_LZ4; codec++) {
      int32_t magic = version >= 2 ? 1 : 0;
      kh h;
      kh_start(&h, NULL);
      kh_log *log = kh_topic(&h, "t", 1, 1);
      kh_conn *c = kh_connect(&h);
      produce_old(&h, c, version, old_set(&h, magic, codec));
      cr_assert_eq(log->end, 4);
      kop_batch_head head;
      cr_assert_eq(kop_batch_head_decode(log->batches[0].bytes, log->batches[0].len, &head),
                   KOP_OK);
      cr_assert_eq(head.count, 4);
      cr_assert_eq(kop_batch_check_crc(log->batches[0].bytes, log->batches[0].len), KOP_OK);
      kh_fetch_request q;
      (void)kh_fill_fetch(&q, "t", 0, 2);
      int16_t fetch_version = version >= 2 ? 3 : 1;
      kh_request(&h, c, KOP_MSG_FETCH_REQUEST, fetch_version, &q.q, sizeof q.q);
      kop_fetch_response r;
      cr_assert(kh_receive(&h, c, KOP_MSG_FETCH_RESPONSE, fetch_version, &r, sizeof r));
      kop_slice records = r.responses.ptr[0].partitions.ptr[0].records;
      size_t size = 0;
      int32_t got_magic = -1;
      cr_assert_eq(kop_batch_next(records.ptr, records.len, &size, &got_magic), KOP_OK);
      cr_assert_eq(got_magic, magic);
      kop_record_ctx *ctx;
      cr_assert_eq(kop_record_ctx_new(NULL, &ctx), KOP_OK);
      int64_t last = -1;
      while (records.len > 0 && kop_batch_next(records.ptr, records.len, &size, NULL) == KOP_OK) {
        kop_record record;
        cr_assert_eq(kop_record_begin(ctx, records.ptr, size), KOP_OK);
        while (kop_record_next(ctx, &record) == KOP_OK) {
          cr_assert_eq(record.value.len, 3u);
          last = record.offset;
        }
        records.ptr += size;
        records.len -= size;
      }
      cr_assert_eq(last, 3);
      kop_record_ctx_free(ctx);
      kh_stop(&h);
    }
  }
}

Test(old_formats, a_message_set_without_a_whole_message_appends_nothing_and_is_no_error) {
  kh h;
  kh_start(&h, NULL);
  kh_log *log = kh_topic(&h, "t", 1, 1);
  kh_conn *c = kh_connect(&h);
  kop_slice set = old_set(&h, 1, KOP_CODEC_NONE);
  for (size_t len = 0; len < 30; len += 10) {
    produce_old(&h, c, 2, (kop_slice){.ptr = set.ptr, .len = len});
    cr_assert_eq(log->end, 0);
  }
  kh_stop(&h);
}

/* ---- determinism ---- */

typedef struct tape {
  uint8_t bytes[200000];
  size_t len;
} tape;

static kh_way record_effect(kh *h, const kop_effect *fx, void *data) {
  (void)h;
  tape *t = data;
  uint64_t words[4] = {fx->kind, fx->flags, fx->token, fx->target};
  if (t->len + sizeof words + 64 < sizeof t->bytes) {
    memcpy(t->bytes + t->len, words, sizeof words);
    t->len += sizeof words;
  }
  return KH_AUTO;
}

static void run_script(tape *t) {
  kh h;
  kh_start(&h, NULL);
  t->len = 0;
  h.filter = record_effect;
  h.filter_data = t;
  kh_topic(&h, "t", 1, 5);
  kh_topic(&h, "u", 2, 5);
  kh_conn *c[4];
  for (int i = 0; i < 4; i++)
    c[i] = kh_connect(&h);
  for (int32_t i = 0; i < 40; i++) {
    kh_send_produce(&h, c[i % 2], i % 3 == 0 ? "u" : "t", i % 5,
                    kh_batch_of(&h, 2, i % 4, 0, i / 4 * 2), -1, 1000);
    kh_send_fetch(&h, c[2 + i % 2], "t", i % 5, i / 10, 10 * i, 1);
    kh_advance(&h, 7);
  }
  for (int i = 0; i < 4; i++) {
    memcpy(t->bytes + t->len, c[i]->out, c[i]->out_len < 20000 ? c[i]->out_len : 20000);
    t->len += c[i]->out_len < 20000 ? c[i]->out_len : 20000;
  }
  kh_stop(&h);
}

Test(determinism, the_same_calls_give_the_same_effects_and_bytes) {
  static tape first;
  static tape second;
  run_script(&first);
  run_script(&second);
  cr_assert_gt(first.len, 10000u);
  cr_assert_eq(first.len, second.len);
  cr_assert_eq(memcmp(first.bytes, second.bytes, first.len), 0);
}

Test(list_offsets, a_partition_named_twice_is_refused_also_when_the_store_is_asked) {
  kh h;
  kh_conn *c;
  (void)three_batches(&h, &c);
  static const int64_t asked[] = {-1, -3, 1700000000000};
  for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
    kh_list_request q;
    (void)kh_fill_list(&q, "t", asked[i], -1);
    kop_list_offsets_request_partition twice[2] = {q.partition, q.partition};
    q.topic.partitions.ptr = twice;
    q.topic.partitions.len = 2;
    kh_request(&h, c, KOP_MSG_LIST_OFFSETS_REQUEST, 8, &q.q, sizeof q.q);
    kop_list_offsets_response r;
    cr_assert(kh_receive(&h, c, KOP_MSG_LIST_OFFSETS_RESPONSE, 8, &r, sizeof r));
    cr_assert_eq(r.topics.len, 1);
    cr_assert_eq(r.topics.ptr[0].partitions.len, 1);
    cr_assert_eq(r.topics.ptr[0].partitions.ptr[0].error_code, KOP_KAFKA_INVALID_REQUEST);
    cr_assert_eq(r.topics.ptr[0].partitions.ptr[0].offset, -1);
  }
  kh_stop(&h);
}
