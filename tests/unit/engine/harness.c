/* An engine with a scripted world around it. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"

kop_slice kh_text(const char *text) {
  return (kop_slice){.ptr = (const uint8_t *)text, .len = strlen(text)};
}

/* ---- the world's logs ---- */

static kh_log *log_of(kh *h, uint64_t id) {
  for (size_t i = 0; i < h->logs_len; i++) {
    if (h->logs[i].id == id) return &h->logs[i];
  }
  cr_assert_fail("an effect for a partition that was never pushed");
  return NULL;
}

static int64_t append(kh_log *log, const kop_append *a) {
  cr_assert_lt(log->batches_len, (size_t)KH_BATCHES);
  kh_batch *b = &log->batches[log->batches_len++];
  b->len = a->bytes;
  b->bytes = malloc(a->bytes);
  size_t at = 0;
  for (uint32_t i = 0; i < a->slices_count; i++) {
    memcpy(b->bytes + at, a->slices[i].ptr, a->slices[i].len);
    at += a->slices[i].len;
  }
  cr_assert_eq(at, a->bytes);
  cr_assert_eq(a->crc32c, kopi_crc32c(0, b->bytes, b->len));
  b->slice = (kop_slice){.ptr = b->bytes, .len = b->len};
  b->base_offset = log->end;
  b->next_offset = log->end + a->count;
  b->max_timestamp = a->max_timestamp;
  log->end = b->next_offset;
  return b->base_offset;
}

static bool is_damaged(const kh_log *log, const kh_batch *b) {
  return b->base_offset < log->damaged_end && b->next_offset > log->damaged;
}

/* False: what is asked for first is damaged. */
static bool read_log(const kh_log *log, const kop_read *q, kop_read_batch *out,
                     kop_read_result *result) {
  *result = (kop_read_result){.size = sizeof *result, .batches = out, .next_offset = q->offset};
  uint64_t bytes = 0;
  for (size_t i = 0; i < log->batches_len; i++) {
    const kh_batch *b = &log->batches[i];
    if (b->next_offset <= q->offset) continue;
    if (b->base_offset >= q->end) break;
    if (is_damaged(log, b)) return result->batches_count > 0;
    bytes += b->len;
    if (result->batches_count > 0 && bytes > q->max_bytes) return true;
    out[result->batches_count++] =
        (kop_read_batch){.base_offset = b->base_offset, .slices = &b->slice, .slices_count = 1};
    result->next_offset = b->next_offset;
  }
  if (result->batches_count == 0) result->next_offset = q->end; /* a hole up to the end */
  return true;
}

static bool list_log(const kh_log *log, const kop_list_offsets *q, kop_listed *result) {
  const kh_batch *found = NULL;
  for (size_t i = 0; i < log->batches_len; i++) {
    const kh_batch *b = &log->batches[i];
    if (b->next_offset <= log->log_start) continue;
    if (q->what == KOP_LIST_BY_TIME) {
      if (found == NULL && b->max_timestamp >= q->timestamp) found = b;
    } else if (found == NULL || b->max_timestamp > found->max_timestamp) {
      found = b;
    }
  }
  if (found == NULL) return false;
  *result = (kop_listed){.size = sizeof *result,
                         .base_offset = found->base_offset,
                         .max_timestamp = found->max_timestamp};
  return true;
}

/* ---- answering ---- */

static kh_conn *conn_of(kh *h, uint64_t id) {
  for (size_t i = 0; i < h->conns_len; i++) {
    if (h->conns[i].id == id) return &h->conns[i];
  }
  return NULL;
}

static void take_sent(kh *h, const kop_effect *fx) {
  const kop_send *s = fx->body;
  kh_conn *c = conn_of(h, fx->target);
  cr_assert_not_null(c);
  c->out = realloc(c->out, c->out_len + s->bytes + 1);
  size_t before = c->out_len;
  for (uint32_t i = 0; i < s->slices_count; i++) {
    memcpy(c->out + c->out_len, s->slices[i].ptr, s->slices[i].len);
    c->out_len += s->slices[i].len;
  }
  cr_assert_eq(c->out_len - before, s->bytes, "SEND's bytes is not the sum of its slices");
}

static void save_state(kh_log *log, const kop_state *s) {
  cr_assert_leq(s->bytes.len, (size_t)1 << 20);
  free(log->state);
  log->state = malloc(s->bytes.len + 1);
  memcpy(log->state, s->bytes.ptr, s->bytes.len);
  log->state_len = s->bytes.len;
  log->state_as_of = s->as_of;
}

/* Does what the effect asks, in the world. Returns the size of the result; 0 if it has none. */
static uint32_t do_effect(kh *h, const kop_effect *fx, kh_result *r, kop_read_batch *batches,
                          int32_t *outcome) {
  memset(r, 0, sizeof *r);
  switch (fx->kind) {
  case KOP_EFFECT_SEND:
    take_sent(h, fx);
    return 0;
  case KOP_EFFECT_ACQUIRE: {
    kh_log *log = log_of(h, fx->target);
    log->epoch++;
    r->acquired = (kop_acquired){.size = sizeof r->acquired,
                                 .epoch = log->epoch,
                                 .log_start = log->log_start,
                                 .end_offset = log->end,
                                 .lease_mono_ns = log->lease};
    return sizeof r->acquired;
  }
  case KOP_EFFECT_CONFIRM:
    r->confirmed =
        (kop_confirmed){.size = sizeof r->confirmed, .lease_mono_ns = log_of(h, fx->target)->lease};
    return sizeof r->confirmed;
  case KOP_EFFECT_APPEND: {
    kh_log *log = log_of(h, fx->target);
    const kop_append *a = fx->body;
    if (a->epoch != log->epoch) {
      *outcome = KOP_FENCED;
      return 0;
    }
    r->appended = (kop_appended){.size = sizeof r->appended, .base_offset = append(log, a)};
    return sizeof r->appended;
  }
  case KOP_EFFECT_READ:
    if (read_log(log_of(h, fx->target), fx->body, batches, &r->read)) return sizeof r->read;
    *outcome = KOP_REJECTED;
    return 0;
  case KOP_EFFECT_LIST_OFFSETS:
    if (!list_log(log_of(h, fx->target), fx->body, &r->listed)) *outcome = KOP_NOT_FOUND;
    return sizeof r->listed;
  case KOP_EFFECT_DELETE_RECORDS: {
    kh_log *log = log_of(h, fx->target);
    const kop_delete_records *d = fx->body;
    if (d->before_offset > log->log_start) log->log_start = d->before_offset;
    r->deleted = (kop_records_deleted){.size = sizeof r->deleted, .log_start = log->log_start};
    return sizeof r->deleted;
  }
  case KOP_EFFECT_STATE_PUT:
    save_state(log_of(h, fx->target), fx->body);
    return 0;
  case KOP_EFFECT_STATE_GET: {
    kh_log *log = log_of(h, fx->target);
    if (log->state == NULL) *outcome = KOP_NOT_FOUND;
    r->state = (kop_state_result){.size = sizeof r->state,
                                  .as_of = log->state_as_of,
                                  .bytes = {.ptr = log->state, .len = log->state_len}};
    return sizeof r->state;
  }
  case KOP_EFFECT_ALLOCATE_PRODUCER_IDS: {
    const kop_allocate_producer_ids *q = fx->body;
    r->ids =
        (kop_producer_ids){.size = sizeof r->ids, .count = q->count, .first = h->next_producer_id};
    h->next_producer_id += q->count;
    return sizeof r->ids;
  }
  case KOP_EFFECT_RESIGN:
    return 0;
  default:
    *outcome = KOP_UNSUPPORTED; /* topics: the test pushes them itself */
    return 0;
  }
}

void kh_serve(kh *h, const kop_effect *fx, kh_result *r, kop_completion *c) {
  static kop_read_batch batches[KH_BATCHES];
  c->body_size = do_effect(h, fx, r, batches, &c->outcome);
  if (c->outcome == KOP_REJECTED) c->kafka_error = KOP_KAFKA_KAFKA_STORAGE_ERROR;
  c->body = c->body_size > 0 ? r : NULL;
  bool may_lend = fx->kind == KOP_EFFECT_READ && (fx->flags & KOP_READ_MAY_LEND) != 0;
  if (c->outcome == KOP_DONE && may_lend) {
    c->flags = KOP_COMPLETION_LENT;
    h->lent++;
  }
}

void kh_complete(kh *h, const kop_effect *fx, int32_t outcome, int16_t kafka_error) {
  kh_result r;
  kop_completion c = {.token = fx->token, .outcome = outcome, .kafka_error = kafka_error};
  if (outcome == KOP_DONE) kh_serve(h, fx, &r, &c);
  cr_assert_eq(kop_engine_complete(h->e, &c, sizeof c, 1, h->now), KOP_OK, "%s",
               kop_engine_error_text(h->e));
}

void kh_tell(kh *h, const kop_effect *fx) {
  kh_conn *c = conn_of(h, fx->target);
  switch (fx->kind) {
  case KOP_EFFECT_CLOSE:
    c->closed = true;
    c->close_reason = ((const kop_conn_effect *)fx->body)->reason;
    (void)kop_engine_conn_closed(h->e, c->id, h->now);
    break;
  case KOP_EFFECT_RECV_PAUSE:
    cr_assert(!c->paused);
    c->paused = true;
    break;
  case KOP_EFFECT_RECV_RESUME:
    cr_assert(c->paused);
    c->paused = false;
    break;
  case KOP_EFFECT_RELEASE:
    cr_assert_gt(h->lent, 0u);
    h->lent--;
    break;
  case KOP_EFFECT_LOG: {
    const kop_log_line *line = fx->body;
    h->logged++;
    (void)snprintf(h->last_log, sizeof h->last_log, "%.*s", (int)line->text.len,
                   (const char *)line->text.ptr);
    break;
  }
  default:
    cr_assert_fail("an effect of kind %u without a token", fx->kind);
  }
}

kh_way kh_look(kh *h, const kop_effect *fx) {
  h->counts[fx->kind]++;
  if (h->trace)
    fprintf(stderr, "effect %u target %llu\n", fx->kind, (unsigned long long)fx->target);
  kh_way way = h->filter == NULL ? KH_AUTO : h->filter(h, fx, h->filter_data);
  if (way == KH_HOLD) {
    cr_assert_lt(h->held_len, (size_t)KH_HELD);
    h->held[h->held_len++] = *fx;
  }
  return way;
}

void kh_run(kh *h) {
  const kop_effect *effects = NULL;
  size_t n = 0;
  if (h->host != NULL) {
    cr_assert_eq(kop_host_pump(h->host, h->now), KOP_OK, "%s", kop_engine_error_text(h->e));
    return;
  }
  while ((n = kop_engine_drain(h->e, &effects)) > 0) {
    for (size_t i = 0; i < n; i++) {
      const kop_effect *fx = &effects[i];
      if (kh_look(h, fx) != KH_AUTO) continue;
      if (fx->token != 0 && fx->kind != KOP_EFFECT_RELEASE) {
        kh_complete(h, fx, KOP_DONE, 0);
      } else {
        kh_tell(h, fx);
      }
    }
  }
}

void kh_answer(kh *h, size_t i, int32_t outcome, int16_t kafka_error) {
  kop_effect fx = h->held[i];
  memmove(h->held + i, h->held + i + 1, (h->held_len - i - 1) * sizeof fx);
  h->held_len--;
  kh_complete(h, &fx, outcome, kafka_error);
  kh_run(h);
}

static kh_way by_kind(kh *h, const kop_effect *fx, void *data) {
  (void)data;
  return (h->hold >> fx->kind & 1) != 0 ? KH_HOLD : KH_AUTO;
}

void kh_hold(kh *h, uint64_t kinds) {
  h->hold = kinds;
  h->filter = kinds == 0 ? NULL : by_kind;
}

int kh_find_held(const kh *h, uint32_t kind) {
  for (size_t i = 0; i < h->held_len; i++) {
    if (h->held[i].kind == kind) return (int)i;
  }
  return -1;
}

/* ---- beginning and ending ---- */

kop_status kh_try_start(kh *h, void (*tune)(kop_engine_config *config)) {
  memset(h, 0, sizeof *h);
  h->now = (kop_now){.mono_ns = 1000000000u, .wall_ms = 1700000000000};
  h->next_producer_id = 4000;
  kop_engine_config config;
  cr_assert_eq(kop_engine_config_init(&config, sizeof config), KOP_OK);
  config.node_id = KH_NODE;
  config.cluster_id = kh_text("test-cluster");
  config.log_dir = kh_text("/log");
  config.store = KOP_STORE_DURABLE | KOP_STORE_LENDS;
  config.seed = 7;
  if (tune != NULL) tune(&config);
  const char *face = getenv("KOP_TEST_FACE");
  if (face != NULL && strcmp(face, "host") == 0 && (config.effects & ~KH_SERVED) == 0)
    return kh_host_start(h, &config);
  return kop_engine_new(&config, h->now, &h->e);
}

void kh_start(kh *h, void (*tune)(kop_engine_config *config)) {
  cr_assert_eq(kh_try_start(h, tune), KOP_OK);
  cr_assert_eq(kop_arena_new(NULL, (size_t)64 << 20, &h->arena), KOP_OK);
  cr_assert_eq(kop_batch_builder_new(NULL, &h->builder), KOP_OK);
  kop_endpoint self = {.node_id = KH_NODE, .host = kh_text("kop.test"), .port = 9092};
  kop_nodes nodes = {
      .size = sizeof nodes, .controller_id = KH_NODE, .endpoints = &self, .endpoints_count = 1};
  kh_push(h, KOP_EVENT_NODES, &nodes, sizeof nodes);
}

void kh_stop(kh *h) {
  if (h->host != NULL) {
    kop_host_free(h->host);
  } else {
    kop_engine_free(h->e);
  }
  kop_arena_free(h->arena);
  kop_batch_builder_free(h->builder);
  for (size_t i = 0; i < h->conns_len; i++)
    free(h->conns[i].out);
  for (size_t i = 0; i < h->logs_len; i++) {
    for (size_t j = 0; j < h->logs[i].batches_len; j++)
      free(h->logs[i].batches[j].bytes);
    free(h->logs[i].state);
  }
}

void kh_push(kh *h, uint32_t kind, const void *body, uint32_t size) {
  kop_event event = {.size = sizeof event, .kind = kind, .body = body, .body_size = size};
  kop_status status = kop_engine_push(h->e, &event, h->now);
  cr_assert(status == KOP_OK || h->tolerant, "%s", kop_engine_error_text(h->e));
  kh_run(h);
}

kh_log *kh_topic_with(kh *h, const char *name, uint8_t number, uint32_t partitions,
                      const kop_config_entry *configs, uint32_t configs_len) {
  kop_topic_partition parts[KH_PARTITIONS];
  kh_log *first = &h->logs[h->logs_len];
  for (uint32_t i = 0; i < partitions; i++) {
    kh_log *log = &h->logs[h->logs_len++];
    *log = (kh_log){.id = number * 1000u + i + 1, .lease = UINT64_MAX};
    parts[i] = (kop_topic_partition){.id = log->id, .leader = KH_NODE, .leader_epoch = -1};
  }
  kop_topic topic = {.size = sizeof topic,
                     .name = kh_text(name),
                     .id = {{number}},
                     .partitions = parts,
                     .partitions_count = partitions,
                     .configs = configs,
                     .configs_count = configs_len};
  kh_push(h, KOP_EVENT_TOPIC, &topic, sizeof topic);
  return first;
}

kh_log *kh_topic(kh *h, const char *name, uint8_t number, uint32_t partitions) {
  return kh_topic_with(h, name, number, partitions, NULL, 0);
}

void kh_topic_gone(kh *h, uint8_t number) {
  kop_topic_ref gone = {.size = sizeof gone, .id = {{number}}};
  kh_push(h, KOP_EVENT_TOPIC_GONE, &gone, sizeof gone);
}

void kh_lead(kh *h, uint64_t partition, int32_t leader, int32_t leader_epoch) {
  kop_leader event = {
      .size = sizeof event, .leader = leader, .partition = partition, .leader_epoch = leader_epoch};
  kh_push(h, KOP_EVENT_LEADER, &event, sizeof event);
}

kh_conn *kh_connect(kh *h) {
  kh_conn *c = &h->conns[h->conns_len++];
  *c = (kh_conn){.id = 0};
  kop_conn_info info = {.size = sizeof info, .context = 77, .peer = kh_text("127.0.0.1:5")};
  kop_status status = kop_engine_conn_open(h->e, &info, h->now, &c->id);
  cr_assert(status == KOP_OK || h->tolerant, "%s", kop_engine_error_text(h->e));
  c->closed = status != KOP_OK;
  return c;
}

kh_log *kh_begin(kh *h, kh_conn **c) {
  kh_start(h, NULL);
  kh_log *log = kh_topic(h, "t", 1, 1);
  *c = kh_connect(h);
  return log;
}

void kh_disconnect(kh *h, kh_conn *c) {
  if (c->closed) return;
  c->closed = true;
  cr_assert_eq(kop_engine_conn_closed(h->e, c->id, h->now), KOP_OK);
  kh_run(h);
}

void kh_advance(kh *h, uint64_t ms) {
  h->now.mono_ns += ms * 1000000u;
  h->now.wall_ms += (int64_t)ms;
  kop_engine_tick(h->e, h->now);
  kh_run(h);
}

/* ---- requests and replies ---- */

uint8_t *kh_frame(kh_conn *c, uint32_t message, int16_t version, const void *msg, size_t size,
                  size_t *len) {
  size_t body = 0;
  cr_assert_eq(kop_message_size(message, version, msg, size, &body), KOP_OK);
  int16_t flexible = 0;
  cr_assert_eq(kop_message_versions(message, NULL, NULL, &flexible, NULL), KOP_OK);
  bool tagged = version >= flexible;
  static const char client[] = "test";
  size_t header = 8 + 2 + sizeof client - 1 + (tagged ? 1 : 0);
  uint8_t *f = calloc(1, 4 + header + body);
  uint32_t n = (uint32_t)(header + body);
  int16_t key = (int16_t)(message / 2);
  uint32_t correlation = (uint32_t)c->correlation++;
  uint8_t head[] = {(uint8_t)(n >> 24),
                    (uint8_t)(n >> 16),
                    (uint8_t)(n >> 8),
                    (uint8_t)n,
                    (uint8_t)(key >> 8),
                    (uint8_t)key,
                    (uint8_t)(version >> 8),
                    (uint8_t)version,
                    (uint8_t)(correlation >> 24),
                    (uint8_t)(correlation >> 16),
                    (uint8_t)(correlation >> 8),
                    (uint8_t)correlation,
                    0,
                    sizeof client - 1};
  memcpy(f, head, sizeof head);
  memcpy(f + sizeof head, client, sizeof client - 1);
  size_t written = 0;
  cr_assert_eq(kop_message_encode(message, version, msg, size, f + 4 + header, body, &written),
               KOP_OK);
  *len = 4 + header + written;
  return f;
}

void kh_feed(kh *h, kh_conn *c, const uint8_t *bytes, size_t len) {
  size_t taken = 0;
  kop_status status = kop_engine_feed(h->e, c->id, bytes, len, h->now, &taken);
  cr_assert(status == KOP_OK || h->tolerant, "%s", kop_engine_error_text(h->e));
  cr_assert(taken == len || h->tolerant || c->closed, "reading is paused");
  kh_run(h);
}

void kh_request(kh *h, kh_conn *c, uint32_t message, int16_t version, const void *msg,
                size_t size) {
  size_t len = 0;
  uint8_t *frame = kh_frame(c, message, version, msg, size, &len);
  kh_feed(h, c, frame, len);
  free(frame);
}

bool kh_receive(kh *h, kh_conn *c, uint32_t message, int16_t version, void *msg, size_t size) {
  if (c->out_len < 4) return false;
  size_t frame = 4 + (((size_t)c->out[0] << 24) | ((size_t)c->out[1] << 16) |
                      ((size_t)c->out[2] << 8) | c->out[3]);
  if (c->out_len < frame) return false;
  static uint8_t *last; /* what the decoded message borrows from */
  free(last);
  last = malloc(frame);
  memcpy(last, c->out, frame);
  memmove(c->out, c->out + frame, c->out_len - frame);
  c->out_len -= frame;
  kop_arena_reset(h->arena);
  int32_t correlation = 0;
  size_t body = 0;
  cr_assert_eq(kop_response_header_decode((int16_t)(message / 2), version, last + 4, frame - 4,
                                          &correlation, &body),
               KOP_OK);
  kop_status status = kop_message_decode(message, version, h->arena, last + 4 + body,
                                         frame - 4 - body, msg, size, NULL);
  if (h->tolerant && status != KOP_OK) return false; /* the late reply to an earlier request */
  cr_assert_eq(status, KOP_OK, "a reply that does not decode: %s", kop_strerror(status));
  return true;
}

/* ---- produce and fetch in short ---- */

kop_slice kh_batch_of(kh *h, uint32_t count, int64_t producer_id, int16_t epoch, int32_t sequence) {
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  o.producer_id = producer_id;
  o.producer_epoch = epoch;
  o.base_sequence = sequence;
  cr_assert_eq(kop_batch_builder_begin(h->builder, &o), KOP_OK);
  for (uint32_t i = 0; i < count; i++) {
    char value[16];
    int n = snprintf(value, sizeof value, "v%u", i);
    kop_record_in record = {.offset = -1,
                            .timestamp = h->now.wall_ms + i,
                            .value = {.ptr = (const uint8_t *)value, .len = (size_t)n}};
    cr_assert_eq(kop_batch_builder_append(h->builder, &record), KOP_OK);
  }
  kop_slice batch;
  cr_assert_eq(kop_batch_builder_finish(h->builder, &batch.ptr, &batch.len), KOP_OK);
  return batch;
}

const kop_produce_request *kh_fill_produce(kh_produce_request *r, const char *topic,
                                           int32_t partition, kop_slice records, int16_t acks,
                                           int32_t timeout_ms) {
  (void)kop_struct_init(KOP_STRUCT_PRODUCE_REQUEST_PARTITION_PRODUCE_DATA, &r->partition,
                        sizeof r->partition);
  (void)kop_struct_init(KOP_STRUCT_PRODUCE_REQUEST_TOPIC_PRODUCE_DATA, &r->topic, sizeof r->topic);
  (void)kop_message_init(KOP_MSG_PRODUCE_REQUEST, &r->q, sizeof r->q);
  r->partition.index = partition;
  r->partition.records = records;
  r->topic.name = kh_text(topic);
  r->topic.partition_data.ptr = &r->partition;
  r->topic.partition_data.len = 1;
  r->q.acks = acks;
  r->q.timeout_ms = timeout_ms;
  r->q.topic_data.ptr = &r->topic;
  r->q.topic_data.len = 1;
  return &r->q;
}

const kop_fetch_request *kh_fill_fetch(kh_fetch_request *r, const char *topic, int32_t partition,
                                       int64_t offset) {
  (void)kop_struct_init(KOP_STRUCT_FETCH_REQUEST_PARTITION, &r->partition, sizeof r->partition);
  (void)kop_struct_init(KOP_STRUCT_FETCH_REQUEST_TOPIC, &r->topic, sizeof r->topic);
  (void)kop_message_init(KOP_MSG_FETCH_REQUEST, &r->q, sizeof r->q);
  r->partition.partition = partition;
  r->partition.fetch_offset = offset;
  r->partition.partition_max_bytes = 1 << 20;
  r->topic.topic = kh_text(topic);
  r->topic.partitions.ptr = &r->partition;
  r->topic.partitions.len = 1;
  r->q.topics.ptr = &r->topic;
  r->q.topics.len = 1;
  return &r->q;
}

const kop_list_offsets_request *kh_fill_list(kh_list_request *r, const char *topic,
                                             int64_t timestamp, int32_t leader_epoch) {
  (void)kop_struct_init(KOP_STRUCT_LIST_OFFSETS_REQUEST_PARTITION, &r->partition,
                        sizeof r->partition);
  (void)kop_struct_init(KOP_STRUCT_LIST_OFFSETS_REQUEST_TOPIC, &r->topic, sizeof r->topic);
  (void)kop_message_init(KOP_MSG_LIST_OFFSETS_REQUEST, &r->q, sizeof r->q);
  r->partition.timestamp = timestamp;
  r->partition.current_leader_epoch = leader_epoch;
  r->topic.name = kh_text(topic);
  r->topic.partitions.ptr = &r->partition;
  r->topic.partitions.len = 1;
  r->q.topics.ptr = &r->topic;
  r->q.topics.len = 1;
  return &r->q;
}

void kh_send_produce(kh *h, kh_conn *c, const char *topic, int32_t partition, kop_slice records,
                     int16_t acks, int32_t timeout_ms) {
  kh_produce_request r;
  kh_request(h, c, KOP_MSG_PRODUCE_REQUEST, 10,
             kh_fill_produce(&r, topic, partition, records, acks, timeout_ms), sizeof r.q);
}

bool kh_receive_produce(kh *h, kh_conn *c, kop_produce_response_partition_produce_response *out) {
  kop_produce_response p;
  if (!kh_receive(h, c, KOP_MSG_PRODUCE_RESPONSE, 10, &p, sizeof p)) return false;
  cr_assert_eq(p.responses.len, 1);
  cr_assert_eq(p.responses.ptr[0].partition_responses.len, 1);
  *out = p.responses.ptr[0].partition_responses.ptr[0];
  return true;
}

kop_produce_response_partition_produce_response kh_produce(kh *h, kh_conn *c, const char *topic,
                                                           int32_t partition, kop_slice records) {
  kop_produce_response_partition_produce_response out;
  kh_send_produce(h, c, topic, partition, records, -1, 30000);
  cr_assert(kh_receive_produce(h, c, &out), "no reply to Produce");
  return out;
}

void kh_send_fetch(kh *h, kh_conn *c, const char *topic, int32_t partition, int64_t offset,
                   int32_t max_wait_ms, int32_t min_bytes) {
  kh_fetch_request r;
  (void)kh_fill_fetch(&r, topic, partition, offset);
  r.q.max_wait_ms = max_wait_ms;
  r.q.min_bytes = min_bytes;
  kh_request(h, c, KOP_MSG_FETCH_REQUEST, 12, &r.q, sizeof r.q);
}

bool kh_receive_fetch(kh *h, kh_conn *c, kop_fetch_response_partition_data *out) {
  kop_fetch_response p;
  if (!kh_receive(h, c, KOP_MSG_FETCH_RESPONSE, 12, &p, sizeof p)) return false;
  cr_assert_eq(p.error_code, 0);
  cr_assert_eq(p.responses.len, 1);
  cr_assert_eq(p.responses.ptr[0].partitions.len, 1);
  *out = p.responses.ptr[0].partitions.ptr[0];
  return true;
}
