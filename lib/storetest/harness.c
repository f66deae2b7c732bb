/* The harness of the store's checks: one node's engine, reduced to what a store sees of it. */
#include "storetest/harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/varint.h"

#include <kop/record.h>

/* ---- verdicts ---- */

void st_fail(st *t, const char *format, ...) {
  if (t->verdict == 0) return;
  t->verdict = 0;
  va_list args;
  va_start(args, format);
  vsnprintf(t->detail, sizeof t->detail, format, args);
  va_end(args);
}

void st_skip(st *t) {
  if (t->verdict == 1) t->verdict = -1;
}

int st_expect(st *t, int holds, const char *what) {
  if (!holds) st_fail(t, "%s", what);
  return holds;
}

int st_expect_i64(st *t, int64_t got, int64_t want, const char *what) {
  if (got != want) st_fail(t, "%s is %lld instead of %lld", what, (long long)got, (long long)want);
  return got == want;
}

/* SplitMix64. */
uint64_t st_random(st *t, uint64_t below) {
  uint64_t z = (t->rng += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (z ^ (z >> 31)) % below;
}

/* ---- answers ---- */

/* Room for the bytes of an answer. */
static int bytes_room(st *t, st_answer *a, size_t need) {
  if (need <= a->bytes_cap) return 1;
  uint8_t *more = kopi_realloc(t->alloc, a->bytes, need);
  if (more == NULL) {
    st_fail(t, "the suite is out of memory");
    return 0;
  }
  a->bytes = more;
  a->bytes_cap = need;
  return 1;
}

static void take_read(st *t, st_answer *a, const kop_completion *c) {
  const kop_read_result *r = c->body;
  size_t at = 0, all = 0;
  a->next_offset = r->next_offset;
  a->batches_count = 0;
  for (uint32_t i = 0; i < r->batches_count; i++)
    for (uint32_t j = 0; j < r->batches[i].slices_count; j++)
      all += r->batches[i].slices[j].len;
  if (all > ST_BYTES) {
    st_fail(t, "a READ gave more than it was asked for");
    return;
  }
  if (!bytes_room(t, a, all)) return;
  for (uint32_t i = 0; i < r->batches_count; i++) {
    const kop_read_batch *batch = &r->batches[i];
    size_t len = 0;
    for (uint32_t j = 0; j < batch->slices_count; j++)
      len += batch->slices[j].len;
    if (a->batches_count == ST_BATCHES) {
      st_fail(t, "a READ gave more than it was asked for");
      return;
    }
    if (i == 0) a->lent = batch->slices[0].ptr;
    a->batches[a->batches_count++] = (st_batch){batch->base_offset, a->bytes + at, len};
    for (uint32_t j = 0; j < batch->slices_count; j++) {
      memcpy(a->bytes + at, batch->slices[j].ptr, batch->slices[j].len);
      at += batch->slices[j].len;
    }
  }
  a->bytes_len = at;
}

static void take_state(st *t, st_answer *a, const kop_completion *c) {
  const kop_state_result *r = c->body;
  a->as_of = r->as_of;
  a->bytes_len = r->bytes.len;
  if (r->bytes.len > ST_BYTES) {
    st_fail(t, "a state is larger than any that was put");
    return;
  }
  if (!bytes_room(t, a, r->bytes.len)) return;
  if (r->bytes.len > 0) memcpy(a->bytes, r->bytes.ptr, r->bytes.len);
}

/* The size that the result of a kind has at least. */
static size_t result_size(uint32_t kind) {
  switch (kind) {
  case KOP_EFFECT_ACQUIRE:
    return sizeof(kop_acquired);
  case KOP_EFFECT_CONFIRM:
    return sizeof(kop_confirmed);
  case KOP_EFFECT_APPEND:
    return sizeof(kop_appended);
  case KOP_EFFECT_READ:
    return sizeof(kop_read_result);
  case KOP_EFFECT_LIST_OFFSETS:
    return sizeof(kop_listed);
  case KOP_EFFECT_DELETE_RECORDS:
    return sizeof(kop_records_deleted);
  case KOP_EFFECT_STATE_GET:
    return sizeof(kop_state_result);
  case KOP_EFFECT_ALLOCATE_PRODUCER_IDS:
    return sizeof(kop_producer_ids);
  default:
    return 0;
  }
}

static void take_answer(st *t, st_answer *a, const kop_completion *c) {
  a->times++;
  a->outcome = c->outcome;
  a->error = c->kafka_error;
  a->flags = c->flags;
  if (c->outcome == KOP_REJECTED && c->kafka_error == 0)
    st_fail(t, "an effect of kind %u was REJECTED without a Kafka error", a->kind);
  if (c->outcome != KOP_DONE) return;
  size_t size = result_size(a->kind);
  if (size == 0) return;
  if (c->body == NULL || c->body_size < size || *(const uint32_t *)c->body < size) {
    st_fail(t, "the answer to an effect of kind %u has no body of its kind", a->kind);
    a->outcome = ST_TIMEOUT;
    return;
  }
  switch (a->kind) {
  case KOP_EFFECT_ACQUIRE:
    a->acquired = *(const kop_acquired *)c->body;
    break;
  case KOP_EFFECT_APPEND:
    a->appended = *(const kop_appended *)c->body;
    break;
  case KOP_EFFECT_READ:
    take_read(t, a, c);
    break;
  case KOP_EFFECT_LIST_OFFSETS:
    a->listed = *(const kop_listed *)c->body;
    break;
  case KOP_EFFECT_DELETE_RECORDS:
    a->deleted = *(const kop_records_deleted *)c->body;
    break;
  case KOP_EFFECT_STATE_GET:
    take_state(t, a, c);
    break;
  case KOP_EFFECT_ALLOCATE_PRODUCER_IDS:
    a->ids = *(const kop_producer_ids *)c->body;
    break;
  default:
    break;
  }
}

/* ---- events ---- */

static int is_config(const kop_config_entry *c, const char *name) {
  return c->name.len == strlen(name) && memcmp(c->name.ptr, name, c->name.len) == 0;
}

static st_topic *topic_by_id(st *t, const kop_uuid *id) {
  for (uint32_t i = 0; i < t->topics_count; i++)
    if (memcmp(t->topics[i].id.bytes, id->bytes, sizeof id->bytes) == 0) return &t->topics[i];
  return NULL;
}

/* Follows topics of this suite only; the oldest that is gone makes room. */
static st_topic *topic_room(st *t) {
  if (t->topics_count < ST_TOPICS) return &t->topics[t->topics_count++];
  for (uint32_t i = 0; i < ST_TOPICS; i++)
    if (t->topics[i].gone > 0) return &t->topics[i];
  return &t->topics[0];
}

static void take_topic(st *t, const kop_topic *body) {
  static const char mine[] = "kop-store-test-";
  if (body->name.len >= ST_NAME || body->name.len < sizeof mine - 1 ||
      memcmp(body->name.ptr, mine, sizeof mine - 1) != 0)
    return;
  st_topic *topic = topic_by_id(t, &body->id);
  if (topic == NULL) {
    topic = topic_room(t);
    *topic = (st_topic){.id = body->id};
    memcpy(topic->name, body->name.ptr, body->name.len);
  }
  topic->seen++;
  topic->partitions_count = body->partitions_count;
  for (uint32_t i = 0; i < body->partitions_count && i < ST_PARTITIONS; i++)
    topic->partitions[i] = body->partitions[i];
  topic->configs_count = body->configs_count;
  topic->retention_ms[0] = '\0';
  for (uint32_t i = 0; i < body->configs_count; i++) {
    const kop_config_entry *c = &body->configs[i];
    if (!is_config(c, "retention.ms") || c->value.len >= sizeof topic->retention_ms) continue;
    memcpy(topic->retention_ms, c->value.ptr, c->value.len);
    topic->retention_ms[c->value.len] = '\0';
  }
}

static void take_event(st *t, const kop_event *event) {
  if (event->kind == KOP_EVENT_TOPIC) {
    take_topic(t, event->body);
  } else if (event->kind == KOP_EVENT_TOPIC_GONE) {
    const kop_topic_ref *ref = event->body;
    st_topic *topic = topic_by_id(t, &ref->id);
    if (topic != NULL) topic->gone++;
  }
}

static size_t pump_once(st *t) {
  kop_event events[16];
  kop_completion items[16];
  size_t all = 0, n = 0;
  while ((n = t->store->poll_events(t->store->user_data, events, 16)) > 0) {
    all += n;
    for (size_t i = 0; i < n; i++)
      take_event(t, &events[i]);
  }
  while ((n = t->store->poll(t->store->user_data, items, 16)) > 0) {
    all += n;
    for (size_t i = 0; i < n; i++) {
      st_answer *a = &t->answers[items[i].token % ST_ANSWERS];
      if (a->token == items[i].token) {
        take_answer(t, a, &items[i]);
      } else {
        t->strays++;
      }
    }
  }
  return all;
}

void st_pump(st *t) {
  while (pump_once(t) > 0) {
  }
}

st_answer *st_submit(st *t, uint32_t kind, uint32_t flags, uint64_t target, const void *body,
                     uint32_t body_size) {
  st_answer *a = &t->answers[++t->next_token % ST_ANSWERS];
  uint8_t *bytes = a->bytes;
  size_t bytes_cap = a->bytes_cap;
  memset(a, 0, sizeof *a);
  a->bytes = bytes;
  a->bytes_cap = bytes_cap;
  a->token = t->next_token;
  a->kind = kind;
  kop_effect effect = {.kind = kind,
                       .flags = flags,
                       .token = a->token,
                       .target = target,
                       .body = body,
                       .body_size = body_size};
  t->store->submit(t->store->user_data, &effect);
  return a;
}

st_answer *st_await(st *t, st_answer *a) {
  for (;;) {
    size_t taken = pump_once(t);
    if (a->times > 0) return a;
    if (taken == 0 && !t->store->wait(t->store->user_data)) {
      a->outcome = ST_TIMEOUT;
      st_fail(t, "an effect of kind %u was not answered", a->kind);
      return a;
    }
  }
}

void st_release(st *t, const st_answer *a) {
  kop_effect effect = {.kind = KOP_EFFECT_RELEASE, .token = a->token};
  t->store->submit(t->store->user_data, &effect);
}

/* ---- effects ---- */

st_answer *st_acquire(st *t, uint64_t partition) {
  static const uint8_t name[] = "kop-store-test";
  kop_acquire body = {.size = sizeof body, .topic = {name, sizeof name - 1}};
  return st_await(t, st_submit(t, KOP_EFFECT_ACQUIRE, 0, partition, &body, sizeof body));
}

/* One record: length, attributes 0, timestamp delta, offset delta, no key, a value, no headers. */
static size_t record_build(uint8_t *out, uint32_t delta, size_t value_len, uint32_t mark) {
  uint8_t body[32], *at = body;
  *at++ = 0;
  at = kopi_varlong_write(at, 0);
  at = kopi_varint_write(at, (int32_t)delta);
  at = kopi_varint_write(at, -1);
  at = kopi_varint_write(at, (int32_t)value_len);
  size_t head = (size_t)(at - body);
  uint8_t *p = kopi_varint_write(out, (int32_t)(head + value_len + 1));
  memcpy(p, body, head);
  p += head;
  for (size_t i = 0; i < value_len; i++)
    *p++ = (uint8_t)(mark * 31u + delta * 7u + (uint32_t)i);
  *p++ = 0;
  return (size_t)(p - out);
}

size_t st_batch_build(uint8_t *out, size_t len, uint32_t count, int64_t max_timestamp,
                      int32_t epoch, uint32_t mark) {
  size_t each = len > KOP_BATCH_HEAD_SIZE ? (len - KOP_BATCH_HEAD_SIZE) / count : 0;
  uint8_t *at = out + KOP_BATCH_HEAD_SIZE;
  for (uint32_t i = 0; i < count; i++)
    at += record_build(at, i, each > 12 ? each - 12 : 0, mark);
  size_t size = (size_t)(at - out);
  kop_batch_head head = {.base_offset = 0,
                         .base_timestamp = max_timestamp,
                         .max_timestamp = max_timestamp,
                         .producer_id = -1,
                         .length = (int32_t)(size - 12),
                         .leader_epoch = epoch,
                         .last_offset_delta = (int32_t)count - 1,
                         .base_sequence = -1,
                         .count = (int32_t)count,
                         .magic = 2,
                         .producer_epoch = -1};
  kop_batch_head_encode(&head, out);
  /* The checksum covers everything behind its own field, which ends at byte 21. */
  head.crc = kopi_crc32c(0, out + 21, size - 21);
  kop_batch_head_encode(&head, out);
  return size;
}

void st_append_start(st *t, st_append *a, uint64_t partition, int32_t epoch, const uint8_t *bytes,
                     size_t len, uint32_t slices, uint32_t count, int64_t max_timestamp) {
  size_t at = 0;
  for (uint32_t i = 0; i < slices; i++) {
    /* The head lies in the first slice; the rest is cut evenly. */
    size_t part = i + 1 == slices ? len - at : i == 0 ? KOP_BATCH_HEAD_SIZE : (len - at) / 2;
    a->slices[i] = (kop_slice){bytes + at, part};
    at += part;
  }
  a->body = (kop_append){.size = sizeof a->body,
                         .epoch = epoch,
                         .slices = a->slices,
                         .slices_count = slices,
                         .count = count,
                         .max_timestamp = max_timestamp,
                         .bytes = len,
                         .crc32c = kopi_crc32c(0, bytes, len)};
  a->answer = st_submit(t, KOP_EFFECT_APPEND, 0, partition, &a->body, sizeof a->body);
}

st_answer *st_append_one(st *t, uint64_t partition, int32_t epoch, size_t len, uint32_t count,
                         int64_t max_timestamp, uint32_t mark) {
  st_append a;
  size_t size = st_batch_build(t->batch, len, count, max_timestamp, epoch, mark);
  st_append_start(t, &a, partition, epoch, t->batch, size, 1, count, max_timestamp);
  return st_await(t, a.answer);
}

st_answer *st_read(st *t, uint64_t partition, int64_t offset, int64_t end, uint32_t max_bytes,
                   uint32_t flags) {
  kop_read body = {.size = sizeof body, .max_bytes = max_bytes, .offset = offset, .end = end};
  return st_await(t, st_submit(t, KOP_EFFECT_READ, flags, partition, &body, sizeof body));
}

st_answer *st_list(st *t, uint64_t partition, uint32_t what, int64_t timestamp) {
  kop_list_offsets body = {.size = sizeof body, .what = what, .timestamp = timestamp};
  return st_await(t, st_submit(t, KOP_EFFECT_LIST_OFFSETS, 0, partition, &body, sizeof body));
}

st_answer *st_delete_records(st *t, uint64_t partition, int32_t epoch, int64_t before) {
  kop_delete_records body = {.size = sizeof body, .epoch = epoch, .before_offset = before};
  return st_await(t, st_submit(t, KOP_EFFECT_DELETE_RECORDS, 0, partition, &body, sizeof body));
}

st_answer *st_confirm(st *t, uint32_t kind, uint64_t partition, int32_t epoch) {
  kop_confirm body = {.size = sizeof body, .epoch = epoch};
  return st_await(t, st_submit(t, kind, 0, partition, &body, sizeof body));
}

/* ---- topics ---- */

const char *st_topic_name(st *t, char out[ST_NAME]) {
  snprintf(out, ST_NAME, "kop-store-test-%u-%llx", ++t->serial, (unsigned long long)t->config.seed);
  return out;
}

static kop_slice text(const char *s) {
  return (kop_slice){(const uint8_t *)s, strlen(s)};
}

st_answer *st_topic_create(st *t, const char *name, int32_t partitions,
                           const kop_config_entry *configs, uint32_t configs_count) {
  int32_t assigned[ST_PARTITIONS];
  for (int32_t i = 0; i < partitions; i++)
    assigned[i] = t->store->node_id;
  kop_create_topic body = {.size = sizeof body,
                           .partitions = partitions,
                           .name = text(name),
                           .configs = configs,
                           .configs_count = configs_count,
                           .assigned_count = (uint32_t)partitions,
                           .assigned = assigned};
  return st_await(t, st_submit(t, KOP_EFFECT_CREATE_TOPIC, 0, 0, &body, sizeof body));
}

st_answer *st_topic_delete(st *t, const char *name) {
  kop_topic_ref body = {.size = sizeof body, .name = text(name)};
  return st_await(t, st_submit(t, KOP_EFFECT_DELETE_TOPIC, 0, 0, &body, sizeof body));
}

st_topic *st_topic_find(st *t, const char *name) {
  st_topic *found = NULL;
  for (uint32_t i = 0; i < t->topics_count; i++)
    if (t->topics[i].gone == 0 && strcmp(t->topics[i].name, name) == 0) found = &t->topics[i];
  return found;
}

st_topic *st_topic_make(st *t, int32_t partitions) {
  char name[ST_NAME];
  st_answer *a = st_topic_create(t, st_topic_name(t, name), partitions, NULL, 0);
  if (a->outcome != KOP_DONE) {
    st_fail(t, "a topic could not be created: outcome %d, Kafka error %d", a->outcome, a->error);
    return NULL;
  }
  st_topic *topic = st_topic_find(t, name);
  if (topic == NULL) st_fail(t, "CREATE_TOPIC was answered before the topic was pushed");
  return topic;
}

uint64_t st_partition_make(st *t, char name[ST_NAME], int32_t *epoch) {
  st_topic *topic = st_topic_make(t, 1);
  if (topic == NULL) return 0;
  memcpy(name, topic->name, ST_NAME);
  uint64_t id = topic->partitions[0].id;
  st_answer *a = st_acquire(t, id);
  if (a->outcome != KOP_DONE) {
    st_fail(t, "ACQUIRE of a new partition: outcome %d, Kafka error %d", a->outcome, a->error);
    return 0;
  }
  *epoch = a->acquired.epoch;
  return id;
}
