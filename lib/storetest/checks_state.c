/* Saved state and producer ids. */
#include "storetest/harness.h"

#include <string.h>

static kop_slice text(const char *s) {
  return (kop_slice){(const uint8_t *)s, strlen(s)};
}

static st_answer *put(st *t, uint64_t id, int32_t epoch, const char *name, int64_t as_of,
                      const uint8_t *bytes, size_t len) {
  kop_state body = {.size = sizeof body,
                    .epoch = epoch,
                    .name = text(name),
                    .as_of = as_of,
                    .bytes = {bytes, len}};
  return st_await(t, st_submit(t, KOP_EFFECT_STATE_PUT, 0, id, &body, sizeof body));
}

static st_answer *get(st *t, uint64_t id, const char *name) {
  kop_state body = {.size = sizeof body, .name = text(name)};
  return st_await(t, st_submit(t, KOP_EFFECT_STATE_GET, 0, id, &body, sizeof body));
}

/* State is best effort: it may be missing, but what is there must be what was put last. */
static void expect_state(st *t, const st_answer *a, int64_t as_of, const uint8_t *bytes,
                         size_t len) {
  if (a->outcome == KOP_NOT_FOUND) return;
  if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of STATE_GET")) return;
  st_expect_i64(t, a->as_of, as_of, "as_of");
  st_expect(t, a->bytes_len == len && (len == 0 || memcmp(a->bytes, bytes, len) == 0),
            "a state is not what was put");
}

static void states_are_kept(st *t) {
  char name[ST_NAME];
  int32_t epoch = 0;
  uint64_t id = st_partition_make(t, name, &epoch);
  if (id == 0) return;
  st_expect_i64(t, get(t, id, "none")->outcome, KOP_NOT_FOUND, "the outcome for an unknown name");
  for (size_t i = 0; i < 1 << 20; i++)
    t->batch[i] = (uint8_t)(i * 7);
  put(t, id, epoch, "producers", 5, t->batch, 100);
  put(t, id, epoch, "epochs", 6, t->batch + 50, 200);
  expect_state(t, get(t, id, "producers"), 5, t->batch, 100);
  expect_state(t, get(t, id, "epochs"), 6, t->batch + 50, 200);
  put(t, id, epoch, "producers", 9, t->batch, 1 << 20);
  expect_state(t, get(t, id, "producers"), 9, t->batch, 1 << 20);
  put(t, id, epoch, "producers", 10, t->batch, 0);
  expect_state(t, get(t, id, "producers"), 10, t->batch, 0);
}

static void old_epochs_put_nothing(st *t) {
  char name[ST_NAME];
  int32_t old = 0;
  uint64_t id = st_partition_make(t, name, &old);
  if (id == 0) return;
  int32_t newest = st_acquire(t, id)->acquired.epoch;
  put(t, id, newest, "producers", 7, (const uint8_t *)"new", 3);
  put(t, id, old, "producers", 3, (const uint8_t *)"old", 3);
  expect_state(t, get(t, id, "producers"), 7, (const uint8_t *)"new", 3);
}

static void states_belong_to_their_partition(st *t) {
  st_topic *topic = st_topic_make(t, 2);
  if (topic == NULL) return;
  uint64_t a = topic->partitions[0].id, b = topic->partitions[1].id;
  int32_t epoch = st_acquire(t, a)->acquired.epoch;
  st_acquire(t, b);
  put(t, a, epoch, "producers", 7, (const uint8_t *)"a", 1);
  st_expect_i64(t, get(t, b, "producers")->outcome, KOP_NOT_FOUND,
                "the outcome for another partition's state");
}

static void producer_ids_are_given_once(st *t) {
  kop_allocate_producer_ids body = {.size = sizeof body, .count = 1000};
  int64_t last = -1;
  for (int i = 0; i < 5; i++) {
    st_answer *a =
        st_await(t, st_submit(t, KOP_EFFECT_ALLOCATE_PRODUCER_IDS, 0, 0, &body, sizeof body));
    if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of ALLOCATE_PRODUCER_IDS")) return;
    st_expect(t, a->ids.count > 0, "a block of producer ids is empty");
    st_expect(t, a->ids.first > last, "two blocks of producer ids overlap or go back");
    last = a->ids.first + a->ids.count - 1;
  }
}

void st_checks_state(st *t) {
  const uint64_t state = ST_NEEDS(KOP_EFFECT_STATE_PUT) | ST_NEEDS(KOP_EFFECT_STATE_GET);
  const st_check checks[] = {
      {"STATE_GET gives what was put last, or nothing", state, states_are_kept},
      {"STATE_PUT of an older epoch changes nothing", state, old_epochs_put_nothing},
      {"state belongs to its partition", state, states_belong_to_their_partition},
      {"producer ids are given once", ST_NEEDS(KOP_EFFECT_ALLOCATE_PRODUCER_IDS),
       producer_ids_are_given_once},
  };
  st_run(t, checks, sizeof checks / sizeof checks[0]);
}
