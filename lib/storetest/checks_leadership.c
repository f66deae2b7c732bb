/* Leadership: epochs grow, older ones are fenced, what they achieved is seen. */
#include "storetest/harness.h"

static void epochs_grow(st *t) {
  st_topic *topic = st_topic_make(t, 1);
  if (topic == NULL) return;
  uint64_t id = topic->partitions[0].id;
  int32_t last = -1;
  for (int i = 0; i < 3; i++) {
    st_answer *a = st_acquire(t, id);
    if (!st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of ACQUIRE")) return;
    st_expect(t, a->acquired.epoch > last, "an epoch is not larger than the one before");
    st_expect_i64(t, a->acquired.log_start, 0, "the log start of a new partition");
    st_expect_i64(t, a->acquired.end_offset, 0, "the end offset of a new partition");
    st_expect(t, a->acquired.lease_mono_ns > 0, "the lease is over before it began");
    last = a->acquired.epoch;
  }
}

static void acquire_sees_what_was_done(st *t) {
  char name[ST_NAME];
  int32_t epoch = 0;
  uint64_t id = st_partition_make(t, name, &epoch);
  if (id == 0) return;
  st_append_one(t, id, epoch, 300, 3, 1, 1);
  size_t len = st_batch_build(t->batch, 300, 2, 1, epoch, 2);
  st_append a;
  st_append_start(t, &a, id, epoch, t->batch, len, 1, 2, 1);
  st_answer *acquired = st_acquire(t, id);
  int64_t end = acquired->acquired.end_offset;
  int32_t outcome = st_await(t, a.answer)->outcome;
  st_expect(t, outcome == KOP_DONE || outcome == KOP_FENCED || outcome == KOP_UNKNOWN,
            "an append beside an ACQUIRE was neither done nor fenced");
  if (outcome == KOP_DONE) st_expect_i64(t, end, 5, "the end offset with an append that was done");
  if (outcome == KOP_FENCED) st_expect_i64(t, end, 3, "the end offset with an append that was not");
}

static void old_epochs_are_fenced(st *t) {
  char name[ST_NAME];
  int32_t old = 0;
  uint64_t id = st_partition_make(t, name, &old);
  if (id == 0) return;
  st_append_one(t, id, old, 300, 1, 1, 1);
  int32_t newest = st_acquire(t, id)->acquired.epoch;
  for (int i = 0; i < 2; i++) {
    st_answer *a = st_append_one(t, id, old, 300, 1, 1, 2);
    st_expect_i64(t, a->outcome, KOP_FENCED, "the outcome of an append with an old epoch");
  }
  st_answer *a = st_append_one(t, id, newest, 300, 1, 1, 3);
  st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of an append with the newest epoch");
  st_expect_i64(t, a->appended.base_offset, 1, "its base offset");
}

static void confirm_tells_the_newest(st *t) {
  char name[ST_NAME];
  int32_t old = 0;
  uint64_t id = st_partition_make(t, name, &old);
  if (id == 0) return;
  st_answer *a = st_confirm(t, KOP_EFFECT_CONFIRM, id, old);
  st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of CONFIRM with the newest epoch");
  st_acquire(t, id);
  a = st_confirm(t, KOP_EFFECT_CONFIRM, id, old);
  st_expect_i64(t, a->outcome, KOP_FENCED, "the outcome of CONFIRM with an old epoch");
}

static void resigned_leaders_do_not_write(st *t) {
  char name[ST_NAME];
  int32_t epoch = 0;
  uint64_t id = st_partition_make(t, name, &epoch);
  if (id == 0) return;
  st_append_one(t, id, epoch, 300, 1, 1, 1);
  st_answer *a = st_confirm(t, KOP_EFFECT_RESIGN, id, epoch);
  st_expect_i64(t, a->outcome, KOP_DONE, "the outcome of RESIGN");
  a = st_append_one(t, id, epoch, 300, 1, 1, 2);
  st_expect(t, a->outcome != KOP_DONE, "an append after RESIGN was done");
  a = st_acquire(t, id);
  st_expect(t, a->acquired.epoch > epoch, "the epoch after RESIGN is not larger");
  st_expect_i64(t, a->acquired.end_offset, 1, "the end offset after RESIGN");
}

void st_checks_leadership(st *t) {
  static const st_check checks[] = {
      {"ACQUIRE grants growing epochs", 0, epochs_grow},
      {"ACQUIRE covers what older epochs achieved", 0, acquire_sees_what_was_done},
      {"appends of an older epoch are FENCED and leave nothing", 0, old_epochs_are_fenced},
      {"CONFIRM tells the newest epoch from others", ST_NEEDS(KOP_EFFECT_CONFIRM),
       confirm_tells_the_newest},
      {"RESIGN ends an epoch", ST_NEEDS(KOP_EFFECT_RESIGN), resigned_leaders_do_not_write},
  };
  st_run(t, checks, sizeof checks / sizeof checks[0]);
}
