/*
 * Produce: validates each partition's records and hands them to the partition's queue.
 *
 *   decode -> per partition: topic, shape, acks, records -> append ... -> all answered -> one reply
 *
 * What is checked in which order, and which error carries the log start, is Kafka's (docs/kafka-behaviour.md). With acks=0
 * there is no reply; an error then closes the connection, which is how Kafka tells it.
 */
#include <string.h>

#include "engine/api.h"
#include "engine/append.h"
#include "engine/conn.h"
#include "engine/leader_hint.h"
#include "engine/topic.h"

enum {
  LEAST_TIMEOUT_MS =
      1000 /* Kafka's local append is not timed: a client's tiny time-out must not fail a healthy disk */
};

typedef kop_produce_response_partition_produce_response partition_response;
typedef kop_produce_response_topic_produce_response topic_response;

/* One partition of a request. */
typedef struct produce_item {
  kopi_append append; /* first */
  struct produce *produce;
  kopi_partition *p;
  kop_slice records;
  partition_response out;
} produce_item;

/* One topic of the reply; topics named twice are one. */
typedef struct produce_topic {
  kop_slice name;
  kop_uuid id;
  kopi_topic *known;
  produce_item *items; /* room for all partitions that the request names for it */
  int32_t items_len;
} produce_topic;

typedef struct produce {
  kopi_request *r;
  int16_t acks;
  bool transactional_id;
  produce_topic *topics;
  int32_t topics_len;
  uint32_t open;                   /* items that are not answered */
  kopi_map_bytes unknown_topics;   /* while the request is laid out: by name or id */
  kopi_map_u64 unknown_partitions; /* by place of the topic and index */
} produce;

/* ---- the reply ---- */

/* Which records are at fault, and how; left out if there is no memory to say it. */
static void fill_record_errors(produce_item *item, const kop_batch_info *info) {
  kopi_request *r = item->produce->r;
  if (info->record_errors_len == 0) return;
  if (info->message != NULL) item->out.error_message = kopi_text(info->message);
  void *memory = NULL;
  size_t n = (size_t)info->record_errors_len;
  if (kop_arena_alloc(r->arena, n, sizeof *item->out.record_errors.ptr, &memory) != KOP_OK) return;
  item->out.record_errors.ptr = memory;
  item->out.record_errors.len = info->record_errors_len;
  for (size_t i = 0; i < n; i++) {
    kop_produce_response_batch_index_and_error_message *to = &item->out.record_errors.ptr[i];
    (void)kop_struct_init(KOP_STRUCT_PRODUCE_RESPONSE_BATCH_INDEX_AND_ERROR_MESSAGE, to,
                          sizeof *to);
    to->batch_index = info->record_errors[i].index;
    to->batch_index_error_message = kopi_text(info->record_errors[i].message);
  }
}

static bool any_error(const produce *pr) {
  for (int32_t i = 0; i < pr->topics_len; i++) {
    for (int32_t j = 0; j < pr->topics[i].items_len; j++) {
      if (pr->topics[i].items[j].out.error_code != 0) return true;
    }
  }
  return false;
}

/* KIP-951: with NOT_LEADER_OR_FOLLOWER, who leads. */
static void set_error(produce_item *item, int16_t error) {
  item->out.error_code = error;
  bool hint = error == KOP_KAFKA_NOT_LEADER_OR_FOLLOWER && item->produce->r->version >= 10;
  if (!hint || item->p == NULL) return;
  item->out.current_leader.leader_id = item->p->leader;
  item->out.current_leader.leader_epoch = item->p->leader_epoch;
}

static bool fill_topic(kop_engine *e, produce *pr, const produce_topic *from, topic_response *to,
                       kopi_leader_hints *hints, kop_now now) {
  (void)kop_struct_init(KOP_STRUCT_PRODUCE_RESPONSE_TOPIC_PRODUCE_RESPONSE, to, sizeof *to);
  to->name = from->name;
  to->topic_id = from->id;
  partition_response *parts =
      kopi_request_alloc(e, pr->r, (size_t)from->items_len + 1, sizeof *parts, now);
  if (parts == NULL) return false;
  to->partition_responses.ptr = parts;
  to->partition_responses.len = from->items_len;
  for (int32_t i = 0; i < from->items_len; i++) {
    parts[i] = from->items[i].out;
    kopi_leader_hints_add(hints, parts[i].current_leader.leader_id);
  }
  return true;
}

static void reply(kop_engine *e, produce *pr, kop_now now) {
  kopi_request *r = pr->r;
  kopi_alarm_cancel(e, &r->alarm);
  if (pr->acks == 0) {
    if (any_error(pr)) {
      kopi_request_close(e, r, KOP_CLOSE_NO_REPLY, now);
    } else {
      kopi_no_reply(e, r, now);
    }
    return;
  }
  kop_produce_response p;
  (void)kop_message_init(KOP_MSG_PRODUCE_RESPONSE, &p, sizeof p);
  topic_response *topics =
      kopi_request_alloc(e, r, (size_t)pr->topics_len + 1, sizeof *topics, now);
  if (topics == NULL) return;
  kopi_leader_hints hints = {.len = 0};
  p.responses.ptr = topics;
  for (int32_t i = 0; i < pr->topics_len; i++) {
    if (pr->topics[i].items_len == 0) continue;
    if (!fill_topic(e, pr, &pr->topics[i], &topics[p.responses.len], &hints, now)) return;
    p.responses.len++;
  }
  if (r->version >= 10 && hints.len > 0) {
    kop_produce_response_node_endpoint *nodes =
        kopi_request_alloc(e, r, hints.len, sizeof *nodes, now);
    if (nodes == NULL) return;
    p.node_endpoints.ptr = nodes;
    for (uint32_t i = 0; i < hints.len; i++) {
      const kopi_endpoint *from = kopi_leader_hint(e, r, hints.nodes[i]);
      if (from == NULL) continue;
      kop_produce_response_node_endpoint *to = &nodes[p.node_endpoints.len++];
      (void)kop_struct_init(KOP_STRUCT_PRODUCE_RESPONSE_NODE_ENDPOINT, to, sizeof *to);
      to->node_id = from->node_id;
      to->host = from->host;
      to->port = from->port;
      to->rack = from->rack;
    }
  }
  kopi_reply(e, r, KOP_MSG_PRODUCE_RESPONSE, &p, sizeof p, now);
}

static void answered(kop_engine *e, produce *pr, kop_now now) {
  pr->open--;
  if (pr->open == 0) reply(e, pr, now);
}

static void on_appended(kop_engine *e, kopi_append *a, int16_t error, int64_t base_offset,
                        int64_t append_time, kop_now now) {
  produce_item *item = (produce_item *)a;
  set_error(item, error);
  if (error == 0) {
    item->out.base_offset = base_offset;
    item->out.log_append_time_ms = append_time;
  }
  if (item->p->topic != NULL && error != KOP_KAFKA_NOT_LEADER_OR_FOLLOWER) {
    item->out.log_start_offset = item->p->log_start;
  }
  answered(e, item->produce, now);
}

static void on_timeout(kop_engine *e, kopi_alarm *alarm, kop_now now) {
  kopi_request *r = KOPI_CONTAINER_OF(alarm, kopi_request, alarm);
  produce *pr = r->state_of_api;
  kopi_request_pin(r); /* the last answer ends the request */
  for (int32_t i = 0; i < pr->topics_len; i++) {
    for (int32_t j = 0; j < pr->topics[i].items_len; j++) {
      produce_item *item = &pr->topics[i].items[j];
      if (item->append.p != NULL) kopi_append_time_out(e, &item->append, now);
    }
  }
  kopi_request_unpin(e, r, now);
}

/* ---- checks ---- */

/* What Kafka checks of the heads before it looks at acks; these errors carry no log start. */
static int16_t check_shape(const produce_item *item, int16_t version) {
  kop_slice rest = item->records;
  if (rest.ptr == NULL) return KOP_KAFKA_INVALID_RECORD;
  if (version < 3) return 0;
  size_t size = 0;
  int32_t magic = 0;
  kop_status status = kop_batch_next(rest.ptr, rest.len, &size, &magic);
  if (status == KOP_ERR_MALFORMED) return KOP_KAFKA_CORRUPT_MESSAGE;
  if (status != KOP_OK || magic < 2) return KOP_KAFKA_INVALID_RECORD;
  bool zstd =
      size >= KOP_BATCH_HEAD_SIZE && (rest.ptr[22] & KOP_BATCH_CODEC_MASK) == KOP_CODEC_ZSTD;
  if (zstd && version < 7) return KOP_KAFKA_UNSUPPORTED_COMPRESSION_TYPE;
  if (kop_batch_next(rest.ptr + size, rest.len - size, &size, &magic) == KOP_OK) {
    return KOP_KAFKA_INVALID_RECORD;
  }
  return 0;
}

static int16_t check_transactional(const produce *pr, const produce_item *item) {
  kop_batch_head h;
  if (kop_batch_head_decode(item->records.ptr, item->records.len, &h) != KOP_OK) return 0;
  if ((h.attributes & KOP_BATCH_TRANSACTIONAL) == 0) return 0;
  return pr->transactional_id ? KOP_KAFKA_INVALID_TXN_STATE
                              : KOP_KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

static void set_rules(kop_batch_rules *rules, const kopi_topic_settings *s, int16_t version,
                      kop_now now) {
  kop_batch_rules_init(rules, sizeof *rules);
  rules->now_ms = now.wall_ms;
  rules->before_max_ms = s->timestamp_before_max_ms;
  rules->after_max_ms = s->timestamp_after_max_ms;
  rules->max_message_bytes = (int32_t)s->max_message_bytes;
  rules->max_segment_bytes = (int32_t)s->segment_bytes;
  rules->produce_version = version;
  rules->timestamp_type = s->timestamp_type;
  rules->codec = s->codec;
  rules->key_required = s->compacts ? 1 : 0;
}

/* Errors that Kafka raises before it opens the log carry no log start. */
static bool has_log_start(const kop_batch_info *info) {
  bool base_offset = info->step == KOP_STEP_ENTRY && info->error == KOP_KAFKA_INVALID_RECORD;
  return base_offset || info->step == KOP_STEP_HEAD || info->step == KOP_STEP_RECORDS;
}

/* Makes the batch that will be stored: as it came, with its head corrected, or rebuilt. */
static int16_t prepare(kop_engine *e, produce_item *item, const kop_batch_rules *rules,
                       const kop_batch_info *info) {
  kopi_append *a = &item->append;
  a->batch = (uint8_t *)item->records.ptr; /* the frame is the engine's own memory */
  a->batch_len = info->payload_len;
  if (info->rebuild != 0) {
    kop_status status = kop_batch_rebuild(e->records, item->records.ptr, info->payload_len, rules,
                                          item->p->topic->settings.level, &a->owned, &a->batch_len);
    if (status == KOP_ERR_LIMIT) return KOP_KAFKA_MESSAGE_TOO_LARGE;
    if (status == KOP_ERR_NOMEM) return KOP_KAFKA_KAFKA_STORAGE_ERROR;
    if (status != KOP_OK) return KOP_KAFKA_UNKNOWN_SERVER_ERROR;
    a->batch = a->owned;
  } else if (kop_batch_accept(a->batch, info) != KOP_OK) {
    return KOP_KAFKA_UNKNOWN_SERVER_ERROR;
  }
  kop_batch_head h;
  if (kop_batch_head_decode(a->batch, a->batch_len, &h) != KOP_OK)
    return KOP_KAFKA_UNKNOWN_SERVER_ERROR;
  a->count = (uint32_t)h.last_offset_delta + 1;
  a->max_timestamp = h.max_timestamp;
  a->append_time = rules->timestamp_type == KOP_TIMESTAMP_LOG_APPEND ? rules->now_ms : -1;
  a->producer = (kopi_producer_batch){.producer_id = info->producer_id,
                                      .epoch = info->producer_epoch,
                                      .first_seq = info->first_sequence,
                                      .last_seq = info->last_sequence,
                                      .timestamp = h.max_timestamp};
  return 0;
}

static int16_t check_records(kop_engine *e, produce_item *item, kop_now now) {
  kop_batch_rules rules;
  kop_batch_info info;
  set_rules(&rules, &item->p->topic->settings, item->produce->r->version, now);
  if (kop_batch_validate(e->records, item->records.ptr, item->records.len, &rules, &info,
                         sizeof info) != KOP_OK) {
    return KOP_KAFKA_KAFKA_STORAGE_ERROR;
  }
  if (info.error != 0) {
    fill_record_errors(item, &info);
    if (has_log_start(&info)) item->out.log_start_offset = item->p->log_start;
    return info.error;
  }
  bool nothing = info.count == 0; /* an old message set without a whole message is no error */
  return nothing ? 0 : prepare(e, item, &rules, &info);
}

static int16_t check_topic(const produce *pr, const produce_topic *t, const produce_item *item) {
  if (t->known == NULL) {
    return pr->r->version >= 13 ? KOP_KAFKA_UNKNOWN_TOPIC_ID : KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
  }
  if (item->p == NULL) return KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
  return t->known->internal ? KOP_KAFKA_INVALID_TOPIC_EXCEPTION : 0;
}

/* Checks one partition; what passes goes to the partition's queue. Returns the error that is known at once. */
static int16_t submit(kop_engine *e, produce_topic *t, produce_item *item, kop_now now) {
  produce *pr = item->produce;
  int16_t error = check_topic(pr, t, item);
  if (error == 0) error = check_shape(item, pr->r->version);
  if (error == 0 && (pr->acks < -1 || pr->acks > 1)) error = KOP_KAFKA_INVALID_REQUIRED_ACKS;
  if (error == 0 && !item->p->wanted) error = KOP_KAFKA_NOT_LEADER_OR_FOLLOWER;
  if (error == 0) error = check_transactional(pr, item);
  if (error != 0) return error;
  error = check_records(e, item, now);
  if (error != 0 || item->append.batch == NULL) return error;
  item->append.request = pr->r;
  item->append.done = on_appended;
  pr->open++;
  kopi_append_submit(e, item->p, &item->append, now);
  return 0;
}

/* ---- the request ---- */

/* Known topics and partitions are found by the stamp they bear, others by a table. NULL: no memory. */
static produce_topic *topic_entry(kop_engine *e, produce *pr,
                                  const kop_produce_request_topic_produce_data *from) {
  bool by_id = pr->r->version >= 13;
  kopi_topic *known =
      by_id ? kopi_topic_by_id(e, &from->topic_id) : kopi_topic_by_name(e, from->name);
  if (known != NULL && known->stamp == e->last_stamp) return known->stamped;
  kop_slice key =
      by_id ? (kop_slice){from->topic_id.bytes, sizeof from->topic_id.bytes} : from->name;
  produce_topic *t = known == NULL ? kopi_map_bytes_find(&pr->unknown_topics, key) : NULL;
  if (t != NULL) return t;
  t = &pr->topics[pr->topics_len];
  if (known == NULL && kopi_map_bytes_insert(&pr->unknown_topics, key, t) != KOP_OK) return NULL;
  pr->topics_len++;
  t->name = from->name;
  t->id = from->topic_id;
  t->known = known;
  if (known != NULL) {
    known->stamp = e->last_stamp;
    known->stamped = t;
  }
  return t;
}

/* The same for a partition. */
static produce_item *item_entry(kop_engine *e, produce *pr, produce_topic *t, int32_t index) {
  kopi_partition *p = t->known == NULL ? NULL : kopi_topic_partition_at(t->known, index);
  if (p != NULL && p->stamp == e->last_stamp) return p->stamped;
  uint64_t key = (uint64_t)(t - pr->topics) << 32 | (uint32_t)index;
  produce_item *item = p == NULL ? kopi_map_u64_find(&pr->unknown_partitions, key) : NULL;
  if (item != NULL) return item;
  item = &t->items[t->items_len];
  if (p == NULL && kopi_map_u64_insert(&pr->unknown_partitions, key, item) != KOP_OK) return NULL;
  t->items_len++;
  item->p = p;
  if (p != NULL) {
    p->stamp = e->last_stamp;
    p->stamped = item;
  }
  return item;
}

static bool lay_out_topic(kop_engine *e, produce *pr,
                          const kop_produce_request_topic_produce_data *from) {
  produce_topic *t = topic_entry(e, pr, from);
  for (int32_t j = 0; j < from->partition_data.len; j++) {
    const kop_produce_request_partition_produce_data *data = &from->partition_data.ptr[j];
    produce_item *item = item_entry(e, pr, t, data->index);
    if (item == NULL) return false;
    (void)kop_struct_init(KOP_STRUCT_PRODUCE_RESPONSE_PARTITION_PRODUCE_RESPONSE, &item->out,
                          sizeof item->out);
    item->produce = pr;
    item->records = data->records;
    item->out.index = data->index;
    item->out.base_offset = -1;
  }
  return true;
}

/* Room for each topic's items: a topic named twice has the sum. KOP_ERR_NOMEM. */
static kop_status lay_out_all(kop_engine *e, produce *pr, const kop_produce_request *q) {
  for (int32_t i = 0; i < q->topic_data.len; i++) {
    produce_topic *t = topic_entry(e, pr, &q->topic_data.ptr[i]);
    if (t == NULL) return KOP_ERR_NOMEM;
    t->items_len += q->topic_data.ptr[i].partition_data.len; /* counts first, is filled below */
  }
  for (int32_t i = 0; i < pr->topics_len; i++) {
    produce_topic *t = &pr->topics[i];
    void *items = NULL;
    kop_status status =
        kop_arena_alloc(pr->r->arena, (size_t)t->items_len + 1, sizeof *t->items, &items);
    if (status != KOP_OK) return status;
    t->items = items;
    t->items_len = 0;
  }
  for (int32_t i = 0; i < q->topic_data.len; i++) {
    if (!lay_out_topic(e, pr, &q->topic_data.ptr[i])) return KOP_ERR_NOMEM;
  }
  return KOP_OK;
}

/* False: answered for want of memory. */
static bool lay_out(kop_engine *e, produce *pr, const kop_produce_request *q, kop_now now) {
  kopi_map_bytes_init(&pr->unknown_topics, &e->alloc, e->cfg.seed);
  kopi_map_u64_init(&pr->unknown_partitions, &e->alloc, e->cfg.seed);
  e->last_stamp++;
  kop_status status = lay_out_all(e, pr, q);
  kopi_map_bytes_free(&pr->unknown_topics);
  kopi_map_u64_free(&pr->unknown_partitions);
  if (status != KOP_OK) kopi_request_out_of_memory(e, pr->r, now);
  return status == KOP_OK;
}

static void on_release(kop_engine *e, kopi_request *r) {
  produce *pr = r->state_of_api;
  for (int32_t i = 0; i < pr->topics_len; i++) {
    for (int32_t j = 0; j < pr->topics[i].items_len; j++) {
      kop_record_bytes_free(e->records, pr->topics[i].items[j].append.owned);
    }
  }
}

void kopi_api_produce(kop_engine *e, kopi_request *r, kop_now now) {
  kop_produce_request q;
  if (!kopi_request_decode(e, r, KOP_MSG_PRODUCE_REQUEST, &q, sizeof q, now)) return;
  produce *pr = kopi_request_alloc(e, r, 1, sizeof *pr, now);
  if (pr == NULL) return;
  pr->r = r;
  pr->acks = q.acks;
  pr->transactional_id = q.transactional_id.ptr != NULL;
  pr->topics = kopi_request_alloc(e, r, (size_t)q.topic_data.len + 1, sizeof *pr->topics, now);
  if (pr->topics == NULL || !lay_out(e, pr, &q, now)) return;
  r->state_of_api = pr;
  r->release = on_release;
  r->alarm.fire = on_timeout;
  int32_t timeout = q.timeout_ms < LEAST_TIMEOUT_MS ? LEAST_TIMEOUT_MS : q.timeout_ms;
  kopi_alarm_set(e, &r->alarm, kopi_later(now, kopi_ms(timeout)));
  pr->open = 1; /* the request itself, until all partitions have been looked at */
  for (int32_t i = 0; i < pr->topics_len; i++) {
    for (int32_t j = 0; j < pr->topics[i].items_len; j++) {
      produce_item *item = &pr->topics[i].items[j];
      int16_t error = submit(e, &pr->topics[i], item, now);
      if (error != 0) set_error(item, error);
    }
  }
  answered(e, pr, now);
}
