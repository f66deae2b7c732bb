/*
 * A store as an embedder would write one, on lists in memory, and the contract's suite run against it as it is installed. It answers
 * each effect when it is submitted; the answers lie in a queue until they are taken.
 */
#include <kop/kop.h>
#include <kop/store_test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODE = 5, TOPICS = 256, PARTITIONS = 1024, QUEUE = 256, NAME = 256 };

/* ---- the logs ---- */

typedef struct batch {
  kop_slice bytes; /* never freed: lent bytes stay */
  int64_t base;
  int64_t next;
  int64_t newest;
} batch;

typedef struct partition {
  batch *batches;
  size_t count;
  int32_t epoch; /* the newest granted */
  int32_t resigned;
  int64_t start;
  int64_t end;
} partition;

static partition partitions[PARTITIONS]; /* a partition's id is its place here, and one */
static kop_topic_partition pushed[PARTITIONS];
static uint32_t partitions_count;
static char names[TOPICS][NAME];
static uint32_t topics_count;

/* ---- what waits to be taken ---- */

typedef union any_result {
  kop_acquired acquired;
  kop_confirmed confirmed;
  kop_appended appended;
  kop_read_result read;
  kop_listed listed;
  kop_records_deleted deleted;
} any_result;

typedef struct answer {
  kop_completion c;
  any_result r;
  kop_read_batch *batches; /* of a READ */
} answer;

static answer queue[QUEUE];
static size_t queued, taken; /* the first `taken` were handed out and end with the next poll */
static kop_topic created;    /* borrows from its effect, which is answered later */
static kop_event event;

static void *must(void *p) {
  if (p == NULL) abort();
  return p;
}

/* ---- the effects ---- */

static void acquire(partition *p, answer *a) {
  p->resigned = 0;
  a->r.acquired = (kop_acquired){.size = sizeof a->r.acquired,
                                 .epoch = ++p->epoch,
                                 .log_start = p->start,
                                 .end_offset = p->end,
                                 .lease_mono_ns = UINT64_MAX};
  a->c.body_size = sizeof a->r.acquired;
}

static int is_newest(const partition *p, int32_t epoch) {
  return epoch == p->epoch && !p->resigned;
}

static void confirm(partition *p, const kop_effect *fx, answer *a) {
  const kop_confirm *ask = fx->body;
  if (!is_newest(p, ask->epoch)) {
    a->c.outcome = KOP_FENCED;
  } else if (fx->kind == KOP_EFFECT_RESIGN) {
    p->resigned = 1;
  } else {
    a->r.confirmed = (kop_confirmed){.size = sizeof a->r.confirmed, .lease_mono_ns = UINT64_MAX};
    a->c.body_size = sizeof a->r.confirmed;
  }
}

static void append(partition *p, const kop_append *ask, answer *a) {
  if (!is_newest(p, ask->epoch)) {
    a->c.outcome = KOP_FENCED;
    return;
  }
  uint8_t *bytes = must(malloc((size_t)ask->bytes)), *at = bytes;
  for (uint32_t i = 0; i < ask->slices_count; at += ask->slices[i++].len)
    memcpy(at, ask->slices[i].ptr, ask->slices[i].len);
  p->batches = must(realloc(p->batches, (p->count + 1) * sizeof *p->batches));
  p->batches[p->count++] = (batch){.bytes = {bytes, (size_t)ask->bytes},
                                   .base = p->end,
                                   .next = p->end + ask->count,
                                   .newest = ask->max_timestamp};
  a->r.appended = (kop_appended){.size = sizeof a->r.appended, .base_offset = p->end};
  a->c.body_size = sizeof a->r.appended;
  p->end += ask->count;
}

static void read_batches(const partition *p, const kop_effect *fx, answer *a) {
  const kop_read *ask = fx->body;
  if (ask->offset < p->start) {
    a->c.outcome = KOP_REJECTED;
    a->c.kafka_error = KOP_KAFKA_OFFSET_OUT_OF_RANGE;
    return;
  }
  kop_read_batch *found = must(calloc(p->count + 1, sizeof *found));
  a->batches = found;
  kop_read_result *r = &a->r.read;
  *r = (kop_read_result){.size = sizeof *r, .batches = found, .next_offset = ask->offset};
  uint64_t bytes = 0;
  for (size_t i = 0; i < p->count && p->batches[i].base < ask->end; i++) {
    const batch *b = &p->batches[i];
    if (b->next <= ask->offset) continue;
    bytes += b->bytes.len;
    int first = r->batches_count == 0 && (fx->flags & KOP_READ_AT_LEAST_ONE) != 0;
    if (bytes > ask->max_bytes && !first) break;
    found[r->batches_count++] =
        (kop_read_batch){.base_offset = b->base, .slices = &b->bytes, .slices_count = 1};
    r->next_offset = b->next;
  }
  a->c.body_size = sizeof *r;
}

static void list_offsets(const partition *p, const kop_list_offsets *ask, answer *a) {
  const batch *best = NULL;
  for (size_t i = p->count; i-- > 0 && p->batches[i].next > p->start;) {
    const batch *b = &p->batches[i];
    int64_t least = ask->what == KOP_LIST_BY_TIME ? ask->timestamp
                    : best != NULL                ? best->newest
                                                  : INT64_MIN;
    if (b->newest >= least) best = b;
  }
  if (best == NULL) {
    a->c.outcome = KOP_NOT_FOUND;
    return;
  }
  a->r.listed = (kop_listed){
      .size = sizeof a->r.listed, .base_offset = best->base, .max_timestamp = best->newest};
  a->c.body_size = sizeof a->r.listed;
}

static void delete_records(partition *p, const kop_delete_records *ask, answer *a) {
  if (!is_newest(p, ask->epoch)) {
    a->c.outcome = KOP_FENCED;
    return;
  }
  if (ask->before_offset > p->end) {
    a->c.outcome = KOP_REJECTED;
    a->c.kafka_error = KOP_KAFKA_OFFSET_OUT_OF_RANGE;
    return;
  }
  if (ask->before_offset > p->start) p->start = ask->before_offset;
  a->r.deleted = (kop_records_deleted){.size = sizeof a->r.deleted, .log_start = p->start};
  a->c.body_size = sizeof a->r.deleted;
}

static void create_topic(const kop_create_topic *ask, answer *a) {
  for (uint32_t i = 0; i < topics_count; i++) {
    if (strlen(names[i]) != ask->name.len || memcmp(names[i], ask->name.ptr, ask->name.len) != 0)
      continue;
    a->c.outcome = KOP_REJECTED;
    a->c.kafka_error = KOP_KAFKA_TOPIC_ALREADY_EXISTS;
    return;
  }
  uint32_t n = (uint32_t)ask->partitions;
  if (topics_count == TOPICS || n > PARTITIONS - partitions_count || ask->name.len >= NAME) abort();
  memcpy(names[topics_count++], ask->name.ptr, ask->name.len);
  created = (kop_topic){.size = sizeof created,
                        .name = ask->name,
                        .id = {{(uint8_t)topics_count, 1}},
                        .partitions = &pushed[partitions_count],
                        .partitions_count = n,
                        .configs = ask->configs,
                        .configs_count = ask->configs_count};
  event = (kop_event){
      .size = sizeof event, .kind = KOP_EVENT_TOPIC, .body = &created, .body_size = sizeof created};
  for (; n > 0; n--, partitions_count++)
    pushed[partitions_count] =
        (kop_topic_partition){.id = partitions_count + 1, .leader = NODE, .leader_epoch = -1};
}

/* ---- the store, as the suite takes it ---- */

static void submit(void *user_data, const kop_effect *fx) {
  (void)user_data;
  if (fx->kind == KOP_EFFECT_RELEASE) return;
  if (queued == QUEUE || fx->target > partitions_count) abort();
  answer *a = &queue[queued++];
  *a = (answer){.c = {.token = fx->token, .outcome = KOP_DONE}};
  partition *p = fx->target == 0 ? NULL : &partitions[fx->target - 1];
  switch (fx->kind) {
  case KOP_EFFECT_ACQUIRE:
    acquire(p, a);
    break;
  case KOP_EFFECT_CONFIRM:
  case KOP_EFFECT_RESIGN:
    confirm(p, fx, a);
    break;
  case KOP_EFFECT_APPEND:
    append(p, fx->body, a);
    break;
  case KOP_EFFECT_READ:
    read_batches(p, fx, a);
    if (a->c.outcome == KOP_DONE && (fx->flags & KOP_READ_MAY_LEND) != 0)
      a->c.flags = KOP_COMPLETION_LENT;
    break;
  case KOP_EFFECT_LIST_OFFSETS:
    list_offsets(p, fx->body, a);
    break;
  case KOP_EFFECT_DELETE_RECORDS:
    delete_records(p, fx->body, a);
    break;
  case KOP_EFFECT_CREATE_TOPIC:
    create_topic(fx->body, a);
    break;
  default:
    a->c.outcome = KOP_UNSUPPORTED;
  }
}

static size_t poll_answers(void *user_data, kop_completion *items, size_t capacity) {
  (void)user_data;
  for (size_t i = 0; i < taken; i++)
    free(queue[i].batches);
  queued -= taken;
  memmove(queue, queue + taken, queued * sizeof *queue);
  taken = queued < capacity ? queued : capacity;
  for (size_t i = 0; i < taken; i++) {
    items[i] = queue[i].c;
    if (items[i].body_size > 0) items[i].body = &queue[i].r;
  }
  return taken;
}

static size_t poll_events(void *user_data, kop_event *events, size_t capacity) {
  (void)user_data;
  if (capacity == 0 || event.kind == 0) return 0;
  events[0] = event;
  event.kind = 0;
  return 1;
}

/* Everything is answered at once: what has to be waited for never comes. */
static int32_t wait_for_more(void *user_data) {
  (void)user_data;
  return 0;
}

static void report(void *user_data, const char *name, int32_t passed, const char *detail) {
  (void)user_data;
  if (passed == 0) fprintf(stderr, "FAILED: %s: %s\n", name, detail);
}

#define BIT(kind) (UINT64_C(1) << KOP_EFFECT_##kind)

int main(void) {
  kop_store_under_test store = {
      .size = sizeof store,
      .effects = BIT(ACQUIRE) | BIT(CONFIRM) | BIT(RESIGN) | BIT(APPEND) | BIT(READ) |
                 BIT(RELEASE) | BIT(LIST_OFFSETS) | BIT(DELETE_RECORDS) | BIT(CREATE_TOPIC),
      .store = KOP_STORE_LENDS,
      .node_id = NODE,
      .submit = submit,
      .poll = poll_answers,
      .poll_events = poll_events,
      .wait = wait_for_more,
  };
  kop_store_test_config config = {.size = sizeof config, .seed = 1, .report = report};
  kop_store_test_result result = {.size = sizeof result};
  if (kop_store_test_run(&store, &config, &result) != KOP_OK) return 2;
  printf("%u passed, %u failed, %u skipped\n", result.passed, result.failed, result.skipped);
  return result.failed > 0 || result.passed == 0;
}
