/* The tests' own node loop. */
#include "driver.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/frame.h"

enum { DRIVERS = 8 };

static driver *drivers[DRIVERS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wakes = PTHREAD_COND_INITIALIZER;
static int woken;

static void wake(void *user_data) {
  (void)user_data;
  pthread_mutex_lock(&lock);
  woken = 1;
  pthread_cond_broadcast(&wakes);
  pthread_mutex_unlock(&lock);
}

/* Half a minute is far beyond what any answer takes. */
static void wait_for_wake(void) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 30;
  int rc = 0;
  pthread_mutex_lock(&lock);
  while (!woken && rc == 0)
    rc = pthread_cond_timedwait(&wakes, &lock, &until);
  woken = 0;
  pthread_mutex_unlock(&lock);
  cr_assert_eq(rc, 0, "an effect was not answered");
}

void driver_attach(driver *d, kopd_store *store, uint32_t index) {
  *d = (driver){.store = store, .client = kopd_store_attach(store, index, wake, d)};
  cr_assert_not_null(d->client);
  for (size_t i = 0; i < DRIVERS; i++) {
    if (drivers[i] != NULL) continue;
    drivers[i] = d;
    break;
  }
  driver_turn();
}

void driver_detach(driver *d) {
  for (size_t i = 0; i < DRIVERS; i++)
    if (drivers[i] == d) drivers[i] = NULL;
  kopd_store_detach(d->client);
  d->client = NULL;
}

static driver_topic *topic_by_id(driver *d, const kop_uuid *id) {
  for (uint32_t i = 0; i < d->topics_count; i++)
    if (memcmp(&d->topics[i].id, id, sizeof *id) == 0) return &d->topics[i];
  return NULL;
}

static void take_topic(driver *d, const kop_topic *t) {
  driver_topic *topic = topic_by_id(d, &t->id);
  if (topic == NULL) {
    cr_assert(d->topics_count < DRIVER_TOPICS);
    topic = &d->topics[d->topics_count++];
    *topic = (driver_topic){.id = t->id};
    memcpy(topic->name, t->name.ptr, t->name.len);
  }
  topic->seen++;
  topic->partitions_count = t->partitions_count;
  for (uint32_t i = 0; i < t->partitions_count && i < DRIVER_PARTITIONS; i++)
    topic->partitions[i] = t->partitions[i];
}

static void take_leader(driver *d, const kop_leader *leader) {
  d->leader_events++;
  for (uint32_t i = 0; i < d->topics_count; i++)
    for (uint32_t j = 0; j < d->topics[i].partitions_count; j++)
      if (d->topics[i].partitions[j].id == leader->partition) {
        d->topics[i].partitions[j].leader = leader->leader;
        d->topics[i].partitions[j].leader_epoch = leader->leader_epoch;
      }
}

static void take_event(driver *d, const kop_event *e) {
  switch (e->kind) {
  case KOP_EVENT_TOPIC:
    take_topic(d, e->body);
    break;
  case KOP_EVENT_TOPIC_GONE: {
    driver_topic *topic = topic_by_id(d, &((const kop_topic_ref *)e->body)->id);
    if (topic != NULL) topic->gone++;
    break;
  }
  case KOP_EVENT_LEADER:
    take_leader(d, e->body);
    break;
  case KOP_EVENT_LOG:
    d->log_events++;
    d->log = *(const kop_log_state *)e->body;
    break;
  default:
    break;
  }
}

static void take_read(driver *d, const kop_read_result *r) {
  d->answer.next_offset = r->next_offset;
  d->answer.batches = r->batches_count;
  if (r->batches_count > 0) {
    d->answer.base_offset = r->batches[0].base_offset;
    d->answer.lent = r->batches[0].slices[0].ptr;
    d->answer.lent_len = r->batches[0].slices[0].len;
  }
  for (uint32_t i = 0; d->each != NULL && i < r->batches_count; i++)
    d->each(d->each_arg, r->batches[i].base_offset, r->batches[i].slices[0].ptr,
            r->batches[i].slices[0].len);
}

static void take_answer(driver *d, const kop_completion *c, uint32_t kind) {
  d->answered = true;
  d->answer = (driver_answer){
      .token = c->token, .outcome = c->outcome, .error = c->kafka_error, .flags = c->flags};
  if (c->outcome != KOP_DONE) return;
  if (kind == KOP_EFFECT_ACQUIRE) d->answer.acquired = *(const kop_acquired *)c->body;
  if (kind == KOP_EFFECT_APPEND)
    d->answer.base_offset = ((const kop_appended *)c->body)->base_offset;
  if (kind == KOP_EFFECT_DELETE_RECORDS)
    d->answer.log_start = ((const kop_records_deleted *)c->body)->log_start;
  if (kind == KOP_EFFECT_LIST_OFFSETS)
    d->answer.listed = ((const kop_listed *)c->body)->base_offset;
  if (kind == KOP_EFFECT_ALLOCATE_PRODUCER_IDS)
    d->answer.first_id = ((const kop_producer_ids *)c->body)->first;
  if (kind == KOP_EFFECT_READ) take_read(d, c->body);
}

/* The kind of an effect is kept in the upper half of its token. */
static void turn_one(driver *d) {
  kop_event events[8];
  kop_completion items[8];
  size_t n = 0;
  while ((n = kopd_store_poll_events(d->client, events, 8)) > 0)
    for (size_t i = 0; i < n; i++)
      take_event(d, &events[i]);
  while ((n = kopd_store_poll(d->client, items, 8)) > 0)
    for (size_t i = 0; i < n; i++)
      take_answer(d, &items[i], (uint32_t)(items[i].token >> 32));
}

void driver_turn(void) {
  for (size_t i = 0; i < DRIVERS; i++)
    if (drivers[i] != NULL) turn_one(drivers[i]);
}

const driver_answer *driver_do(driver *d, uint32_t kind, uint32_t flags, uint64_t target,
                               const void *body, uint32_t size) {
  kop_effect e = {.kind = kind,
                  .flags = flags,
                  .token = ++d->token | (uint64_t)kind << 32,
                  .target = target,
                  .body = body,
                  .body_size = size};
  d->answered = false;
  kopd_store_submit(d->client, &e);
  for (;;) {
    driver_turn();
    if (d->answered) return &d->answer;
    wait_for_wake();
  }
}

void driver_release(driver *d, uint64_t token) {
  kop_effect e = {.kind = KOP_EFFECT_RELEASE, .token = token};
  kopd_store_submit(d->client, &e);
}

static kop_slice text(const char *s) {
  return (kop_slice){(const uint8_t *)s, strlen(s)};
}

const driver_answer *driver_create(driver *d, const char *name, int32_t partitions,
                                   const char *config, const char *value) {
  kop_config_entry entry = {text(config != NULL ? config : ""), text(value != NULL ? value : "")};
  kop_create_topic body = {.size = sizeof body,
                           .partitions = partitions,
                           .name = text(name),
                           .configs = &entry,
                           .configs_count = config != NULL ? 1 : 0};
  return driver_do(d, KOP_EFFECT_CREATE_TOPIC, 0, 0, &body, sizeof body);
}

const driver_answer *driver_delete(driver *d, const char *name) {
  kop_topic_ref body = {.size = sizeof body, .name = text(name)};
  return driver_do(d, KOP_EFFECT_DELETE_TOPIC, 0, 0, &body, sizeof body);
}

driver_topic *driver_topic_of(driver *d, const char *name) {
  for (uint32_t i = d->topics_count; i-- > 0;)
    if (d->topics[i].gone == 0 && strcmp(d->topics[i].name, name) == 0) return &d->topics[i];
  return NULL;
}

uint64_t driver_id(driver *d, const char *name, uint32_t partition) {
  const driver_topic *t = driver_topic_of(d, name);
  cr_assert_not_null(t);
  return t->partitions[partition].id;
}

const driver_answer *driver_acquire(driver *d, uint64_t id) {
  kop_acquire body = {.size = sizeof body};
  return driver_do(d, KOP_EFFECT_ACQUIRE, 0, id, &body, sizeof body);
}

void driver_fill(uint8_t *out, size_t size, uint32_t mark) {
  uint32_t x = mark * 2654435761u + 1;
  for (size_t i = 0; i < size; i++) {
    x = x * 1664525u + 1013904223u;
    out[i] = (uint8_t)(x >> 24);
  }
}

const driver_answer *driver_append(driver *d, uint64_t id, int32_t epoch, size_t size,
                                   uint32_t mark, int64_t timestamp) {
  static uint8_t bytes[1 << 20];
  cr_assert(size <= sizeof bytes);
  driver_fill(bytes, size, mark);
  kop_slice slice = {bytes, size};
  kop_append body = {.size = sizeof body,
                     .epoch = epoch,
                     .slices = &slice,
                     .slices_count = 1,
                     .count = 1,
                     .max_timestamp = timestamp,
                     .bytes = size,
                     .crc32c = kopd_crc32c(0, bytes, size)};
  return driver_do(d, KOP_EFFECT_APPEND, 0, id, &body, sizeof body);
}

const driver_answer *driver_read(driver *d, uint64_t id, int64_t offset, uint32_t max,
                                 uint32_t flags) {
  int64_t end = d->read_end != 0 ? d->read_end : INT64_MAX;
  kop_read body = {.size = sizeof body, .max_bytes = max, .offset = offset, .end = end};
  return driver_do(d, KOP_EFFECT_READ, flags, id, &body, sizeof body);
}

const driver_answer *driver_delete_records(driver *d, uint64_t id, int32_t epoch, int64_t before) {
  kop_delete_records body = {.size = sizeof body, .epoch = epoch, .before_offset = before};
  return driver_do(d, KOP_EFFECT_DELETE_RECORDS, 0, id, &body, sizeof body);
}

typedef struct expectation {
  int64_t next;
  size_t size;
  uint32_t mark;
} expectation;

static void expect_batch(void *arg, int64_t base, const uint8_t *bytes, size_t len) {
  static uint8_t want[1 << 20];
  expectation *e = arg;
  cr_assert_eq(base, e->next, "offset %lld instead of %lld", (long long)base, (long long)e->next);
  cr_assert_eq(len, e->size);
  driver_fill(want, len, e->mark + (uint32_t)base);
  cr_assert_eq(memcmp(bytes, want, len), 0, "the batch at %lld is not what was appended",
               (long long)base);
  e->next = base + 1;
}

void driver_expect(driver *d, uint64_t id, int64_t from, int64_t to, size_t size, uint32_t mark) {
  expectation e = {from, size, mark};
  d->each = expect_batch;
  d->each_arg = &e;
  d->read_end = to;
  while (e.next < to) {
    const driver_answer *a = driver_read(d, id, e.next, 1 << 20, KOP_READ_AT_LEAST_ONE);
    cr_assert_eq(a->outcome, KOP_DONE, "READ at %lld: outcome %d, error %d", (long long)e.next,
                 a->outcome, a->error);
    cr_assert(a->batches > 0, "nothing at %lld", (long long)e.next);
  }
  d->each = NULL;
  d->read_end = 0;
  cr_assert_eq(e.next, to);
}
