/*
 * Power cuts and failing disks, at every file call in turn.
 *
 * One workload fills small files, seals, deletes records, topics and retired files, and cleans. It is run once for each call that it makes,
 * and cut or failed there. Then the store is opened on what is left and compared with what was answered: no acknowledged append is
 * lost, none that was refused has happened, order and offsets hold, what was deleted stays deleted, epochs and producer ids have not
 * gone back. With durability os a power cut may cost appends, but the newest only: what is left of a log has no hole.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "folder.h"
#include "sim_io.h"

enum { SIZE = 700, PARTITIONS = 3, FILE_BYTES = 64 + 10 * (48 + SIZE) };

/* What was answered. */
typedef struct ledger {
  bool created;
  bool doomed_created;
  bool doomed_deleted;
  bool doomed_asked; /* its deletion was asked for */
  uint64_t ids[PARTITIONS];
  int32_t epochs[PARTITIONS];       /* largest granted */
  int64_t acknowledged[PARTITIONS]; /* offsets below this one were */
  int64_t possible[PARTITIONS];     /* offsets from this one on were not written, or were refused */
  int64_t log_start[PARTITIONS];
  int64_t asked_start[PARTITIONS]; /* largest that was asked for */
  int64_t next_id;
} ledger;

typedef struct run {
  folder f;
  sim *sim;
  int32_t durability;
  kopd_store *s;
  driver d;
  ledger l;
  int32_t epochs[PARTITIONS]; /* in hand, -1: to be acquired */
} run;

static bool opened(run *r, const kopd_io *io) {
  char error[256];
  kopd_store_config config;
  kopd_store_config_init(&config);
  config.spec = r->f.spec;
  config.file_bytes = FILE_BYTES;
  config.retention_ms = -1;
  config.retention_check_ms = 0;
  config.io = io;
  config.durability = r->durability;
  if (kopd_store_open(&config, &r->s, error, sizeof error) != 0) {
    cr_assert(io != NULL, "%s", error); /* on a disk that works it must open */
    return false;
  }
  driver_attach(&r->d, r->s, 0);
  return true;
}

static void closed(run *r) {
  driver_detach(&r->d);
  kopd_store_close(r->s);
  r->s = NULL;
}

static void acquire(run *r, int p) {
  const driver_answer *a = driver_acquire(&r->d, r->l.ids[p]);
  if (a->outcome != KOP_DONE) return;
  r->epochs[p] = a->acquired.epoch;
  cr_assert(a->acquired.epoch > r->l.epochs[p]);
  cr_assert(a->acquired.end_offset >= r->l.acknowledged[p]);
  cr_assert(a->acquired.log_start >= r->l.log_start[p]);
  r->l.epochs[p] = a->acquired.epoch;
  /* What a failed append left is in the log now, and is what it would have been. */
  r->l.acknowledged[p] = r->l.possible[p] = a->acquired.end_offset;
}

/* Batches follow from their offset alone, so that one that was not acknowledged can be told from a wrong one. */
static void append(run *r, int p) {
  if (r->epochs[p] < 0) acquire(r, p);
  if (r->epochs[p] < 0) return;
  int64_t offset = r->l.acknowledged[p];
  r->l.possible[p] = offset + 1;
  const driver_answer *a = driver_append(&r->d, r->l.ids[p], r->epochs[p], SIZE,
                                         (uint32_t)(p * 100000 + offset), offset);
  if (a->outcome == KOP_DONE) {
    cr_assert_eq(a->base_offset, offset);
    r->l.acknowledged[p]++;
  } else {
    cr_assert(a->outcome == KOP_REJECTED || a->outcome == KOP_UNKNOWN);
    if (a->outcome == KOP_REJECTED) {
      cr_assert_eq(a->error, 56);
      r->l.possible[p] = offset;
    }
    r->epochs[p] = -1;
  }
}

static void delete_records(run *r, int p, int64_t before) {
  if (r->epochs[p] < 0 || before > r->l.acknowledged[p]) return;
  if (before > r->l.asked_start[p]) r->l.asked_start[p] = before;
  const driver_answer *a = driver_delete_records(&r->d, r->l.ids[p], r->epochs[p], before);
  if (a->outcome == KOP_DONE && a->log_start > r->l.log_start[p]) r->l.log_start[p] = a->log_start;
}

static void take_ids(run *r) {
  kop_allocate_producer_ids body = {.size = sizeof body, .count = 10};
  const driver_answer *a =
      driver_do(&r->d, KOP_EFFECT_ALLOCATE_PRODUCER_IDS, 0, 0, &body, sizeof body);
  if (a->outcome != KOP_DONE) return;
  cr_assert(a->first_id >= r->l.next_id);
  r->l.next_id = a->first_id + 10;
}

static void fill_doomed(run *r, int n) {
  if (!r->l.doomed_created || r->l.doomed_asked) return;
  uint64_t id = driver_id(&r->d, "doomed", 0);
  const driver_answer *a = driver_acquire(&r->d, id);
  if (a->outcome != KOP_DONE) return;
  int32_t epoch = a->acquired.epoch;
  for (int i = 0; i < n; i++)
    if (driver_append(&r->d, id, epoch, SIZE, 7, 7)->outcome != KOP_DONE) return;
}

static void workload(run *r) {
  r->l.created = driver_create(&r->d, "t", PARTITIONS, NULL, NULL)->outcome == KOP_DONE;
  if (!r->l.created) return;
  for (uint32_t p = 0; p < PARTITIONS; p++)
    r->l.ids[p] = driver_id(&r->d, "t", p);
  r->l.doomed_created = driver_create(&r->d, "doomed", 1, NULL, NULL)->outcome == KOP_DONE;
  for (int i = 0; i < 12; i++) {
    for (int p = 0; p < PARTITIONS; p++)
      append(r, p);
    if (i == 3) fill_doomed(r, 24);
    if (i == 5) take_ids(r);
    if (i == 6) delete_records(r, 0, 5);
    if (i == 7 && r->l.doomed_created) {
      r->l.doomed_asked = true;
      r->l.doomed_deleted = driver_delete(&r->d, "doomed")->outcome == KOP_DONE;
    }
    if (i == 8 || i == 11) kopd_store_clean(r->s);
    if (i == 9) delete_records(r, 1, 9);
  }
}

typedef struct reading {
  int64_t next;
  int p;
} reading;

static void check_batch(void *arg, int64_t base, const uint8_t *bytes, size_t len) {
  static uint8_t want[SIZE];
  reading *r = arg;
  cr_assert_eq(base, r->next, "offset %lld where %lld should be", (long long)base,
               (long long)r->next);
  driver_fill(want, SIZE, (uint32_t)(r->p * 100000 + base));
  cr_assert(len == SIZE && memcmp(bytes, want, SIZE) == 0, "the batch at %lld is another",
            (long long)base);
  r->next++;
}

/* With durability os: what is left is the beginning of what was written. */
static void read_what_is_left(run *r, int p, reading *reads, int64_t end) {
  while (reads->next < end) {
    const driver_answer *a =
        driver_read(&r->d, r->l.ids[p], reads->next, 1 << 20, KOP_READ_AT_LEAST_ONE);
    cr_assert_eq(a->outcome, KOP_DONE, "READ at %lld: error %d", (long long)reads->next, a->error);
    if (a->batches > 0) continue;
    cr_assert_eq(a->next_offset, end, "a hole from %lld to %lld", (long long)reads->next,
                 (long long)a->next_offset);
    reads->next = end;
  }
}

static void verify_partition(run *r, int p) {
  bool may_lose = r->durability == KOPD_DURABILITY_OS;
  const ledger *l = &r->l;
  driver_answer a = *driver_acquire(&r->d, l->ids[p]);
  cr_assert_eq(a.outcome, KOP_DONE);
  cr_assert(a.acquired.epoch > l->epochs[p], "epoch %d was granted before", a.acquired.epoch);
  cr_assert(may_lose || a.acquired.end_offset >= l->acknowledged[p],
            "partition %d ends at %lld, %lld were acknowledged", p,
            (long long)a.acquired.end_offset, (long long)l->acknowledged[p]);
  cr_assert(a.acquired.end_offset <= l->possible[p],
            "partition %d ends at %lld, nothing from %lld on should be", p,
            (long long)a.acquired.end_offset, (long long)l->possible[p]);
  cr_assert(a.acquired.log_start >= l->log_start[p]);
  cr_assert(a.acquired.log_start <= l->asked_start[p]);
  reading reads = {a.acquired.log_start, p};
  r->d.each = check_batch;
  r->d.each_arg = &reads;
  if (may_lose) read_what_is_left(r, p, &reads, a.acquired.end_offset);
  while (reads.next < a.acquired.end_offset) {
    const driver_answer *b =
        driver_read(&r->d, l->ids[p], reads.next, 1 << 20, KOP_READ_AT_LEAST_ONE);
    cr_assert_eq(b->outcome, KOP_DONE, "READ at %lld: error %d", (long long)reads.next, b->error);
    cr_assert(b->batches > 0);
  }
  r->d.each = NULL;
  const driver_answer *c = driver_append(&r->d, l->ids[p], a.acquired.epoch, SIZE, 1, 1);
  cr_assert_eq(c->outcome, KOP_DONE);
  cr_assert_eq(c->base_offset, a.acquired.end_offset);
}

/* Opens what is left, on a disk that works, and holds it against what was answered. */
static void verify(run *r) {
  cr_assert(opened(r, NULL));
  if (r->l.created) {
    const driver_topic *t = driver_topic_of(&r->d, "t");
    cr_assert_not_null(t, "a topic that was created is gone");
    for (uint32_t p = 0; p < PARTITIONS; p++)
      cr_assert_eq(t->partitions[p].id, r->l.ids[p]);
    for (int p = 0; p < PARTITIONS; p++)
      verify_partition(r, p);
  }
  bool doomed = driver_topic_of(&r->d, "doomed") != NULL;
  if (r->l.doomed_created && !r->l.doomed_asked) cr_assert(doomed);
  if (r->l.doomed_deleted) cr_assert_not(doomed);
  take_ids(r);
  closed(r);
}

static run begun(uint64_t seed, int32_t durability) {
  run r = {.f = folder_make(), .sim = sim_new(seed), .durability = durability};
  for (int p = 0; p < PARTITIONS; p++) {
    r.epochs[p] = -1;
    r.l.epochs[p] = -1;
  }
  return r;
}

static void ended(run *r) {
  sim_free(r->sim);
  folder_remove(&r->f);
}

/* Runs the workload with the power going at that call; false if it made fewer calls. The call that many `before` it fails. */
static bool cut_run(uint64_t call, uint64_t before, uint64_t seed, int32_t durability) {
  run r = begun(seed, durability);
  sim_cut_at(r.sim, call);
  if (before > 0) sim_fail_at(r.sim, call - before, 1, EIO);
  if (opened(&r, sim_io(r.sim))) {
    workload(&r);
    closed(&r);
  }
  bool cut = sim_is_dead(r.sim);
  sim_restart(r.sim);
  verify(&r);
  ended(&r);
  return cut;
}

Test(power, a_cut_at_every_call_loses_nothing_acknowledged) {
  uint64_t call = 1;
  while (cut_run(call, 0, call, KOPD_DURABILITY_DISK))
    call++;
  cr_assert(call > 100, "the workload makes %llu calls only", (unsigned long long)call);
}

/* The same calls, with other dice for what the disk had written of itself. */
Test(power, other_dice) {
  for (uint64_t call = 2; cut_run(call, 0, call * 7919 + 1, KOPD_DURABILITY_DISK); call += 3)
    ;
}

Test(power, with_os_a_cut_costs_the_newest_records_only) {
  for (uint64_t dice = 0; dice < 20; dice++)
    for (uint64_t call = 1; cut_run(call, 0, call + dice * 7919, KOPD_DURABILITY_OS); call++)
      ;
}

/* What a failed write had put into the page cache must not come back, once it was said not to have happened. */
Test(power, a_cut_soon_after_an_error_brings_nothing_back) {
  uint64_t calls = 1;
  while (cut_run(calls, 0, calls, KOPD_DURABILITY_DISK))
    calls++;
  for (uint64_t before = 2; before <= 4; before++)
    for (uint64_t call = before + 1; call <= calls; call++)
      cut_run(call, before, call, KOPD_DURABILITY_DISK);
}

static bool fail_run(uint64_t call, uint64_t count, int error) {
  run r = begun(call, KOPD_DURABILITY_DISK);
  sim_fail_at(r.sim, call, count, error);
  if (opened(&r, sim_io(r.sim))) {
    workload(&r);
    /* When the disk works again, so does the store. */
    sim_fail_at(r.sim, 0, 0, 0);
    for (int p = 0; r.l.created && p < PARTITIONS; p++) {
      append(&r, p);
      append(&r, p);
      cr_assert(r.epochs[p] >= 0, "partition %d does not recover after call %llu failed", p,
                (unsigned long long)call);
    }
    closed(&r);
  }
  bool reached = sim_calls(r.sim) >= call;
  verify(&r);
  ended(&r);
  return reached;
}

Test(power, a_full_disk_at_every_call) {
  for (uint64_t call = 1; fail_run(call, 3, ENOSPC); call += 2)
    ;
}

Test(power, one_error_at_every_call) {
  for (uint64_t call = 1; fail_run(call, 1, EIO); call += 2)
    ;
}

Test(power, a_disk_that_stays_broken_for_long) {
  for (uint64_t call = 5; fail_run(call, 1000, EIO); call += 25)
    ;
}
