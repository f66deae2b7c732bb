/*
 * DeleteRecords (KIP-107): moves a partition's log start. Offset -1 means the high watermark.
 *
 * A topic that is named twice is answered once; of a partition that is named twice the last offset counts. An offset below the log
 * start changes nothing and is answered with the log start.
 */
#include "base/sort.h"
#include "engine/answer.h"
#include "engine/api.h"
#include "engine/lease.h"

enum { TO_HIGH_WATERMARK = -1 };

typedef kop_delete_records_request_topic topic_request;
typedef kop_delete_records_response_topic_result topic_result;
typedef kop_delete_records_response_partition_result partition_result;

typedef struct trim {
  struct delete_records *all;
  kop_slice topic;
  int32_t index;
  size_t place; /* in the request */
  int64_t offset;
  kopi_partition *p; /* held while the effect is open */
  partition_result *to;
  bool open;
} trim;

typedef struct delete_records {
  kopi_gather gather; /* first */
  kop_delete_records_request q;
  kop_delete_records_response p;
  trim *items;
  size_t items_len;
} delete_records;

static void on_deleted(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  trim *t = op->owner;
  delete_records *all = t->all;
  kopi_partition *p = t->p;
  t->open = false;
  int16_t error = kopi_outcome_error(c);
  int64_t log_start = -1;
  if (c->outcome == KOP_DONE) {
    const kop_records_deleted *done = c->body;
    log_start = done->log_start;
    if (p->topic != NULL) kopi_partition_trim(e, p, log_start, now);
  } else if (c->outcome == KOP_FENCED && p->topic != NULL && p->state == KOPI_PARTITION_ACTIVE) {
    kopi_partition_reload(e, p, false, now);
  }
  if (!all->gather.replied) {
    t->to->error_code = error;
    t->to->low_watermark = log_start;
  }
  kopi_partition_unhold(e, p);
  kopi_gather_answered(e, &all->gather, now);
}

static void start(kop_engine *e, trim *t) {
  kopi_op *op =
      kopi_gather_op(e, &t->all->gather, KOP_EFFECT_DELETE_RECORDS, t->p->id, on_deleted, t);
  if (op == NULL) {
    t->to->error_code = KOP_KAFKA_UNKNOWN_SERVER_ERROR;
    return;
  }
  t->open = true;
  kopi_partition_hold(t->p);
  op->body.delete_records.epoch = t->p->leader_epoch;
  op->body.delete_records.before_offset = t->offset;
  kopi_op_emit(&e->ops, op);
}

/* Whether the topic's old records may go at all: not if they are only compacted. */
static bool deletes(const kop_engine *e, const kopi_topic *topic) {
  const kopi_config_row *row = kopi_config_row_of(KOP_CONFIG_TOPIC, kopi_text("cleanup.policy"));
  char digits[KOPI_CONFIG_DIGITS];
  int8_t source;
  kop_slice rest = kopi_topic_config_value(&e->settings, topic->configs, topic->configs_len, row,
                                           digits, &source);
  kop_slice policy;
  while (kopi_config_list_next(&rest, &policy)) {
    if (kopi_slice_equal(policy, kopi_text("delete"))) return true;
  }
  return false;
}

static int16_t check(const kop_engine *e, trim *t, const kopi_topic *topic) {
  if (t->p == NULL) return KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
  if (topic->internal) return KOP_KAFKA_INVALID_TOPIC_EXCEPTION;
  if (topic->settings.compacts && !deletes(e, topic)) return KOP_KAFKA_POLICY_VIOLATION;
  int16_t error = kopi_lease_error(e, t->p);
  if (error != 0) return error;
  if (t->offset == TO_HIGH_WATERMARK) t->offset = t->p->high_watermark;
  if (t->offset < 0 || t->offset > t->p->high_watermark) return KOP_KAFKA_OFFSET_OUT_OF_RANGE;
  return 0;
}

static void reply(kop_engine *e, kopi_gather *g, bool timed_out, kop_now now) {
  delete_records *all = (delete_records *)g;
  for (size_t i = 0; timed_out && i < all->items_len; i++) {
    if (all->items[i].open) all->items[i].to->error_code = KOP_KAFKA_REQUEST_TIMED_OUT;
  }
  kopi_reply(e, g->r, KOP_MSG_DELETE_RECORDS_RESPONSE, &all->p, sizeof all->p, now);
}

/* By topic, partition, and place in the request. */
static int by_partition(const void *a, const void *b) {
  const trim *x = a, *y = b;
  int order = kopi_slice_compare(x->topic, y->topic);
  if (order == 0) order = (x->index > y->index) - (x->index < y->index);
  return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

/* One item per partition that the request names, sorted, the last of equal ones. */
static bool collect(kop_engine *e, delete_records *all, kop_now now) {
  const kop_delete_records_request *q = &all->q;
  size_t n = 0;
  for (int32_t i = 0; i < q->topics.len; i++)
    n += (size_t)q->topics.ptr[i].partitions.len;
  all->items = kopi_request_alloc(e, all->gather.r, n + 1, sizeof(trim), now);
  if (all->items == NULL) return false;
  n = 0;
  for (int32_t i = 0; i < q->topics.len; i++) {
    const topic_request *from = &q->topics.ptr[i];
    for (int32_t k = 0; k < from->partitions.len; k++, n++) {
      all->items[n] = (trim){.all = all,
                             .topic = from->name,
                             .index = from->partitions.ptr[k].partition_index,
                             .place = n,
                             .offset = from->partitions.ptr[k].offset};
    }
  }
  kopi_sort(all->items, n, sizeof(trim), by_partition);
  for (size_t i = 0; i < n; i++) {
    const trim *next = &all->items[i + 1];
    if (i + 1 < n && next->index == all->items[i].index &&
        kopi_slice_equal(next->topic, all->items[i].topic))
      continue;
    all->items[all->items_len++] = all->items[i];
  }
  return true;
}

/* The results: a run of items of one topic is one topic of the reply. */
static bool lay_out(kop_engine *e, delete_records *all, kop_now now) {
  partition_result *parts =
      kopi_answer_array(e, all->gather.r, KOP_STRUCT_DELETE_RECORDS_RESPONSE_PARTITION_RESULT,
                        all->items_len, sizeof *parts, now);
  if (parts == NULL) return false;
  all->p.topics.ptr =
      kopi_answer_array(e, all->gather.r, KOP_STRUCT_DELETE_RECORDS_RESPONSE_TOPIC_RESULT,
                        (size_t)all->q.topics.len, sizeof(topic_result), now);
  if (all->p.topics.ptr == NULL) return false;
  topic_result *to = NULL;
  const kopi_topic *topic = NULL;
  for (size_t i = 0; i < all->items_len; i++) {
    trim *t = &all->items[i];
    if (to == NULL || !kopi_slice_equal(to->name, t->topic)) {
      to = &all->p.topics.ptr[all->p.topics.len++];
      to->name = t->topic;
      to->partitions.ptr = &parts[i];
      topic = kopi_topic_by_name(e, t->topic);
    }
    t->to = &to->partitions.ptr[to->partitions.len++];
    t->to->partition_index = t->index;
    t->to->low_watermark = -1;
    if (topic != NULL) t->p = kopi_topic_partition_at(topic, t->index);
    t->to->error_code = check(e, t, topic);
  }
  return true;
}

static void run(kop_engine *e, kopi_request *r, kop_now now) {
  delete_records *all = r->state_of_api;
  if (!lay_out(e, all, now)) return;
  for (size_t i = 0; i < all->items_len; i++) {
    trim *t = &all->items[i];
    if (t->to->error_code != 0) continue;
    if (t->offset <= t->p->log_start) {
      t->to->low_watermark = t->p->log_start;
    } else {
      start(e, t);
    }
  }
  kopi_gather_end(e, &all->gather, now);
}

/* Where there is nothing to delete, or what is asked for is out of range, memory answers. False: answered for want of memory. */
static bool ask_leases(kop_engine *e, kopi_request *r, const delete_records *all, kop_now now) {
  kopi_lease_begin(e, r);
  for (size_t i = 0; e->leases && i < all->items_len; i++) {
    const kopi_topic *known = kopi_topic_by_name(e, all->items[i].topic);
    if (known == NULL) continue;
    if (!kopi_lease_ask(e, r, kopi_topic_partition_at(known, all->items[i].index), now))
      return false;
  }
  return true;
}

void kopi_api_delete_records(kop_engine *e, kopi_request *r, kop_now now) {
  delete_records *all = kopi_request_alloc(e, r, 1, sizeof *all, now);
  if (all == NULL) return;
  if (!kopi_request_decode(e, r, KOP_MSG_DELETE_RECORDS_REQUEST, &all->q, sizeof all->q, now))
    return;
  (void)kop_message_init(KOP_MSG_DELETE_RECORDS_RESPONSE, &all->p, sizeof all->p);
  kopi_gather_begin(&all->gather, r, all->q.timeout_ms, reply);
  if (!collect(e, all, now) || !ask_leases(e, r, all, now)) return;
  if (!kopi_lease_wait(e, r, KOPI_LEASE_WAIT_MS, run, now)) run(e, r, now);
}
