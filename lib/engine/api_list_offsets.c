/*
 * ListOffsets: earliest, latest, by time, and the record with the largest timestamp.
 *
 *   -1 latest, -2 earliest, -4 earliest local: from memory     -5, -6 tiered storage: there is none
 *   -3 max timestamp, or a time: LIST_OFFSETS names a batch, READ gives it, and the record is found in it
 */
#include "engine/api.h"
#include "engine/lease.h"
#include "engine/read.h"
#include "engine/room.h"
#include "engine/topic.h"

enum {
  LATEST = -1,
  EARLIEST = -2,
  MAX_TIMESTAMP = -3,
  EARLIEST_LOCAL = -4,
  LATEST_TIERED = -5,
  EARLIEST_PENDING_UPLOAD = -6,
  SEARCH_BYTES = 1 << 20
};

typedef kop_list_offsets_response_partition_response partition_response;
typedef kop_list_offsets_response_topic_response topic_response;

struct list;

typedef struct list_item {
  kopi_read_waiter waiter; /* first */
  kopi_room_waiter room;
  struct list *list;
  kopi_partition *p; /* held while something is open */
  kopi_read *read;
  partition_response *out;
  int64_t timestamp;
  int64_t position;
  int64_t max_timestamp; /* of the batch that LIST_OFFSETS named */
} list_item;

typedef struct list {
  kopi_request *r;
  kop_list_offsets_request q;
  kop_list_offsets_response p;
  list_item *items;
  uint32_t open;
} list;

static void answered(kop_engine *e, list *l, kop_now now) {
  l->open--;
  if (l->open > 0) return;
  kopi_reply(e, l->r, KOP_MSG_LIST_OFFSETS_RESPONSE, &l->p, sizeof l->p, now);
}

/* An item that was waiting has its answer. */
static void finish(kop_engine *e, list_item *item, kop_now now) {
  kopi_request *r = item->list->r;
  kopi_partition *p = item->p;
  answered(e, item->list, now);
  kopi_request_unpin(e, r, now);
  kopi_partition_unhold(e, p);
}

/* Versions below 4 have no place for it. */
static void set_epoch(list_item *item, int32_t epoch) {
  if (item->list->r->version >= 4) item->out->leader_epoch = epoch;
}

/* An item that was named twice keeps its error, whatever the log has to say: so do set and fail. */
static void set(list_item *item, int64_t offset, int64_t timestamp) {
  if (item->out->error_code != 0) return;
  item->out->offset = offset;
  item->out->timestamp = timestamp;
  set_epoch(item, kopi_epochs_at(&item->p->epochs, offset));
}

static void fail(list_item *item, int16_t error) {
  if (item->out->error_code == 0) item->out->error_code = error;
}

/* ---- finding the record ---- */

static bool matches(const list_item *item, const kop_record *record) {
  if (item->timestamp == MAX_TIMESTAMP) return record->timestamp == item->max_timestamp;
  return record->timestamp >= item->timestamp && record->offset >= item->p->log_start;
}

/* Looks through one batch. True if the answer is known: found, or damaged. */
static bool search_batch(kop_engine *e, list_item *item, const kop_read_batch *b) {
  kopi_buf whole; /* records are found in contiguous bytes, the head with its offset in it */
  kopi_buf_init(&whole, &e->alloc, UINT32_MAX);
  for (uint32_t i = 0; i < b->slices_count; i++)
    kopi_buf_put(&whole, b->slices[i].ptr, b->slices[i].len);
  bool known = whole.status != KOP_OK || whole.len < KOP_BATCH_HEAD_SIZE;
  kop_record record;
  kop_status status = KOP_ERR_MALFORMED;
  if (!known) {
    kop_batch_set_position(whole.data, b->base_offset, item->p->leader_epoch);
    status = kop_record_begin(e->records, whole.data, whole.len);
    while (status == KOP_OK && (status = kop_record_next(e->records, &record)) == KOP_OK) {
      if (!matches(item, &record)) continue;
      set(item, record.offset, record.timestamp);
      known = true;
      break;
    }
  }
  if (status != KOP_OK && status != KOP_ERR_NOT_FOUND) {
    fail(item, whole.status != KOP_OK ? KOP_KAFKA_KAFKA_STORAGE_ERROR : KOP_KAFKA_CORRUPT_MESSAGE);
    known = true;
  }
  kopi_buf_free(&whole);
  return known;
}

static void search(kop_engine *e, list_item *item, bool waited, kop_now now);

static void on_read(kop_engine *e, kopi_read_waiter *w, kop_now now) {
  list_item *item = (list_item *)w;
  kopi_read *read = item->read;
  bool known = read->error != 0;
  fail(item, read->error);
  for (uint32_t i = 0; i < read->batches_len && !known; i++) {
    known = search_batch(e, item, &read->batches[i]);
  }
  bool moved = read->next_offset > item->position;
  item->position = read->next_offset;
  item->read = NULL;
  kopi_read_put(e, read, w);
  if (known || !moved) {
    finish(e, item, now);
  } else {
    search(e, item, false, now);
  }
}

static void on_room(kop_engine *e, kopi_room_waiter *w, kop_now now) {
  search(e, KOPI_CONTAINER_OF(w, list_item, room), true, now);
}

/* Reads on from item->position until the record is found or the log ends. */
static void search(kop_engine *e, list_item *item, bool waited, kop_now now) {
  kopi_partition *p = item->p;
  if (p->topic == NULL) fail(item, KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
  if (item->position >= p->high_watermark || p->topic == NULL) {
    finish(e, item, now);
    return;
  }
  uint32_t bytes = SEARCH_BYTES;
  bool there = kopi_read_is_there(p, item->position);
  if (!there && !kopi_room_grant(e, false, bytes, waited, &bytes)) {
    item->room.go = on_room;
    kopi_room_wait(e, false, &item->room, now);
    return;
  }
  item->waiter.ready = on_read;
  item->read = kopi_read_get(e, p, item->position, p->high_watermark, bytes, &item->waiter, now);
  if (item->read == NULL) {
    fail(item, KOP_KAFKA_KAFKA_STORAGE_ERROR);
    finish(e, item, now);
  } else if (item->read->state == KOPI_READ_READY) {
    on_read(e, &item->waiter, now);
  }
}

static void on_listed(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  list_item *item = op->owner;
  if (item->p->topic == NULL) {
    fail(item, KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
  } else if (c->outcome == KOP_DONE) {
    const kop_listed *found = c->body;
    /* the store may name a batch that ends below the log start */
    item->position =
        found->base_offset < item->p->log_start ? item->p->log_start : found->base_offset;
    item->max_timestamp = found->max_timestamp;
    search(e, item, false, now);
    return;
  } else if (c->outcome == KOP_REJECTED) {
    fail(item, c->kafka_error);
  } else if (c->outcome != KOP_NOT_FOUND) {
    fail(item, KOP_KAFKA_KAFKA_STORAGE_ERROR);
  }
  finish(e, item, now);
}

static void ask_store(kop_engine *e, list_item *item) {
  kopi_op *op = kopi_op_new(&e->ops, KOP_EFFECT_LIST_OFFSETS, item->p->id, on_listed, item);
  if (op == NULL) {
    fail(item, KOP_KAFKA_KAFKA_STORAGE_ERROR);
    return;
  }
  op->body.list.what = item->timestamp == MAX_TIMESTAMP ? KOP_LIST_MAX_TIMESTAMP : KOP_LIST_BY_TIME;
  op->body.list.timestamp = item->timestamp;
  item->list->open++;
  kopi_partition_hold(item->p);
  kopi_request_pin(item->list->r);
  kopi_op_emit(&e->ops, op);
}

/* ---- one partition ---- */

static int64_t least_timestamp(int16_t version) {
  if (version >= 11) return EARLIEST_PENDING_UPLOAD;
  if (version >= 9) return LATEST_TIERED;
  if (version >= 8) return EARLIEST_LOCAL;
  return version >= 7 ? MAX_TIMESTAMP : EARLIEST;
}

/* Version 0: starts of segments, newest first; the log is one segment. False: answered for want of memory. */
static bool list_old_style(kop_engine *e, list_item *item, int32_t max, kop_now now) {
  const kopi_partition *p = item->p;
  int64_t all[2] = {p->high_watermark, p->log_start};
  int32_t n = 0;
  int32_t skip = 0;
  if (max < 0) {
    item->out->error_code = KOP_KAFKA_UNKNOWN_SERVER_ERROR;
    return true;
  }
  if (item->timestamp == LATEST || item->timestamp > now.wall_ms)
    n = p->high_watermark > p->log_start ? 2 : 1;
  if (item->timestamp == EARLIEST) {
    n = 1;
    skip = 1;
  }
  if (n > max) n = max;
  item->out->old_style_offsets.len = n;
  if (n == 0) return true;
  item->out->old_style_offsets.ptr = kopi_request_alloc(e, item->list->r, 2, sizeof all[0], now);
  if (item->out->old_style_offsets.ptr == NULL) return false;
  for (int32_t i = 0; i < n; i++)
    item->out->old_style_offsets.ptr[i] = all[i + skip];
  return true;
}

static void answer_one(kop_engine *e, list_item *item) {
  const kopi_partition *p = item->p;
  switch (item->timestamp) {
  case LATEST:
    set(item, p->high_watermark, -1);
    set_epoch(item, p->leader_epoch);
    break;
  case EARLIEST:
  case EARLIEST_LOCAL:
    set(item, p->log_start, -1);
    if (p->log_start == p->high_watermark) set_epoch(item, p->leader_epoch);
    break;
  case LATEST_TIERED:
  case EARLIEST_PENDING_UPLOAD:
    break; /* nothing is tiered: -1, as Kafka answers without remote storage */
  default:
    ask_store(e, item);
    break;
  }
}

static int16_t check(const kop_engine *e, const list *l, const list_item *item,
                     const kop_list_offsets_request_partition *from) {
  if (l->q.isolation_level != 0 && l->q.isolation_level != 1) return KOP_KAFKA_UNKNOWN_SERVER_ERROR;
  if (item->p == NULL) return KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
  int16_t error = kopi_lease_error(e, item->p);
  if (error != 0) return error;
  if (from->current_leader_epoch >= 0) {
    if (from->current_leader_epoch < item->p->leader_epoch) return KOP_KAFKA_FENCED_LEADER_EPOCH;
    if (from->current_leader_epoch > item->p->leader_epoch) return KOP_KAFKA_UNKNOWN_LEADER_EPOCH;
  }
  return item->timestamp < least_timestamp(l->r->version) ? KOP_KAFKA_UNSUPPORTED_VERSION : 0;
}

/* False: answered for want of memory. */
static bool list_partition(kop_engine *e, list *l, list_item *item, const kopi_topic *known,
                           const kop_list_offsets_request_partition *from, kop_now now) {
  (void)kop_struct_init(KOP_STRUCT_LIST_OFFSETS_RESPONSE_PARTITION_RESPONSE, item->out,
                        sizeof *item->out);
  item->list = l;
  item->timestamp = from->timestamp;
  item->p = known == NULL ? NULL : kopi_topic_partition_at(known, from->partition_index);
  item->out->partition_index = from->partition_index;
  item->out->error_code = check(e, l, item, from);
  if (item->out->error_code != 0) return true;
  if (l->r->version == 0) return list_old_style(e, item, from->max_num_offsets, now);
  answer_one(e, item);
  return true;
}

/* ---- the request ---- */

/* A partition named twice is answered once, with INVALID_REQUEST (version 1 and later). */
static bool named_twice(kop_engine *e, list *l, const kopi_topic *known, int32_t index) {
  kopi_partition *p = known == NULL ? NULL : kopi_topic_partition_at(known, index);
  if (p == NULL || l->r->version == 0) return false;
  if (p->stamp == e->last_stamp) {
    partition_response *first = p->stamped;
    (void)kop_struct_init(KOP_STRUCT_LIST_OFFSETS_RESPONSE_PARTITION_RESPONSE, first,
                          sizeof *first);
    first->partition_index = index;
    first->error_code = KOP_KAFKA_INVALID_REQUEST;
    return true;
  }
  return false;
}

static bool list_topic(kop_engine *e, list *l, const kop_list_offsets_request_topic *from,
                       topic_response *to, list_item **item, kop_now now) {
  (void)kop_struct_init(KOP_STRUCT_LIST_OFFSETS_RESPONSE_TOPIC_RESPONSE, to, sizeof *to);
  to->name = from->name;
  partition_response *parts =
      kopi_request_alloc(e, l->r, (size_t)from->partitions.len + 1, sizeof *parts, now);
  if (parts == NULL) return false;
  to->partitions.ptr = parts;
  kopi_topic *known = kopi_topic_by_name(e, from->name);
  for (int32_t i = 0; i < from->partitions.len; i++) {
    const kop_list_offsets_request_partition *p = &from->partitions.ptr[i];
    if (named_twice(e, l, known, p->partition_index)) continue;
    (*item)->out = &parts[to->partitions.len++];
    if (!list_partition(e, l, *item, known, p, now)) return false;
    if ((*item)->p != NULL) {
      (*item)->p->stamp = e->last_stamp;
      (*item)->p->stamped = (*item)->out;
    }
    (*item)++;
  }
  return true;
}

/* False: answered for want of memory. */
static bool ask_leases(kop_engine *e, kopi_request *r, const kop_list_offsets_request *q,
                       kop_now now) {
  kopi_lease_begin(e, r);
  for (int32_t i = 0; e->leases && i < q->topics.len; i++) {
    const kop_list_offsets_request_topic *t = &q->topics.ptr[i];
    const kopi_topic *known = kopi_topic_by_name(e, t->name);
    for (int32_t j = 0; known != NULL && j < t->partitions.len; j++) {
      kopi_partition *p = kopi_topic_partition_at(known, t->partitions.ptr[j].partition_index);
      if (!kopi_lease_ask(e, r, p, now)) return false;
    }
  }
  return true;
}

static void run(kop_engine *e, kopi_request *r, kop_now now) {
  list *l = r->state_of_api;
  e->last_stamp++;
  l->open = 1; /* the request itself, until all partitions have been looked at */
  list_item *item = l->items;
  for (int32_t i = 0; i < l->q.topics.len; i++) {
    topic_response *to = &l->p.topics.ptr[l->p.topics.len];
    if (!list_topic(e, l, &l->q.topics.ptr[i], to, &item, now)) return;
    if (to->partitions.len > 0 || r->version == 0) l->p.topics.len++;
  }
  answered(e, l, now);
}

void kopi_api_list_offsets(kop_engine *e, kopi_request *r, kop_now now) {
  list *l = kopi_request_alloc(e, r, 1, sizeof *l, now);
  if (l == NULL ||
      !kopi_request_decode(e, r, KOP_MSG_LIST_OFFSETS_REQUEST, &l->q, sizeof l->q, now))
    return;
  (void)kop_message_init(KOP_MSG_LIST_OFFSETS_RESPONSE, &l->p, sizeof l->p);
  l->r = r;
  r->state_of_api = l;
  size_t partitions = 0;
  for (int32_t i = 0; i < l->q.topics.len; i++) {
    if (l->q.topics.ptr[i].partitions.len > 0)
      partitions += (size_t)l->q.topics.ptr[i].partitions.len;
  }
  l->items = kopi_request_alloc(e, r, partitions + 1, sizeof *l->items, now);
  if (l->items == NULL) return;
  l->p.topics.ptr =
      kopi_request_alloc(e, r, (size_t)l->q.topics.len + 1, sizeof *l->p.topics.ptr, now);
  if (l->p.topics.ptr == NULL || !ask_leases(e, r, &l->q, now)) return;
  if (!kopi_lease_wait(e, r, KOPI_LEASE_WAIT_MS, run, now)) run(e, r, now);
}
