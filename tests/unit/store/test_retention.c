/* What is retired, deleted and cleaned, and that it frees space. Each test runs on both stores. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "driver.h"
#include "folder.h"

enum { SIZE = 1000, FRAME = 48 + SIZE, PER_FILE = 20, FILE_BYTES = 64 + PER_FILE * FRAME };

static int64_t clock_ms;

static int64_t wall_ms(void *user_data) {
  (void)user_data;
  return __atomic_load_n(&clock_ms, __ATOMIC_SEQ_CST);
}

static void set_clock(int64_t ms) {
  __atomic_store_n(&clock_ms, ms, __ATOMIC_SEQ_CST);
}

typedef struct rig {
  folder f;
  bool disk;
  kopd_store *s;
  driver d;
} rig;

static void rig_open(rig *r) {
  char error[256];
  kopd_store_config config;
  kopd_store_config_init(&config);
  if (r->disk) config.spec = r->f.spec;
  config.file_bytes = FILE_BYTES;
  config.retention_check_ms = 0;
  config.pin_ms = 0;
  config.wall_ms = wall_ms;
  cr_assert_eq(kopd_store_open(&config, &r->s, error, sizeof error), 0, "%s", error);
  driver_attach(&r->d, r->s, 0);
}

static void rig_close(rig *r) {
  driver_detach(&r->d);
  kopd_store_close(r->s);
}

static void on_both(void (*body)(rig *r)) {
  for (int disk = 0; disk < 2; disk++) {
    rig r = {.f = folder_make(), .disk = disk != 0};
    set_clock(0);
    rig_open(&r);
    body(&r);
    rig_close(&r);
    folder_remove(&r.f);
  }
}

static uint64_t files(rig *r) {
  kopd_store_stats stats;
  kopd_store_stats_get(r->s, &stats);
  return stats.files;
}

/* A topic with one acquired partition. */
static uint64_t topic(rig *r, const char *name, const char *config, const char *value,
                      int32_t *epoch) {
  cr_assert_eq(driver_create(&r->d, name, 1, config, value)->outcome, KOP_DONE);
  uint64_t id = driver_id(&r->d, name, 0);
  *epoch = driver_acquire(&r->d, id)->acquired.epoch;
  return id;
}

static void by_time(rig *r) {
  int32_t epoch = 0;
  uint64_t id = topic(r, "t", "retention.ms", "1000", &epoch);
  for (uint32_t i = 0; i < 60; i++)
    driver_append(&r->d, id, epoch, SIZE, i, 100 * (int64_t)i);
  cr_assert_eq(files(r), 3u);
  set_clock(1500);
  kopd_store_clean(r->s);
  cr_assert_eq(files(r), 3u); /* the first file's newest batch is of 1900 */
  set_clock(3000);
  kopd_store_clean(r->s);
  driver_turn();
  cr_assert_eq(files(r), 2u);
  cr_assert_eq(r->d.log_events, 1u);
  cr_assert_eq(r->d.log.partition, id);
  cr_assert_eq(r->d.log.log_start, PER_FILE);
  cr_assert_eq(r->d.log.high_watermark, 60);
  cr_assert_eq(r->d.log.log_bytes, 40u * SIZE);
  const driver_answer *a = driver_read(&r->d, id, PER_FILE - 1, 1 << 20, 0);
  cr_assert_eq(a->error, 1);
  driver_expect(&r->d, id, PER_FILE, 60, SIZE, 0);
  set_clock(1000000); /* the file being written is retired too */
  kopd_store_clean(r->s);
  cr_assert_eq(files(r), 0u);
  cr_assert_eq(driver_append(&r->d, id, epoch, SIZE, 60, 1000000)->base_offset, 60);
  if (!r->disk) return;
  rig_close(r);
  rig_open(r);
  driver_answer again = *driver_acquire(&r->d, id);
  cr_assert_eq(again.acquired.log_start, 60);
  cr_assert_eq(again.acquired.end_offset, 61);
}

Test(retention, by_time) {
  on_both(by_time);
}

static void by_size(rig *r) {
  int32_t epoch = 0;
  uint64_t id = topic(r, "t", "retention.bytes", "30000", &epoch);
  for (uint32_t i = 0; i < 100; i++)
    driver_append(&r->d, id, epoch, SIZE, i, i);
  kopd_store_clean(r->s);
  cr_assert_eq(files(r),
               2u); /* as with Kafka's segments, no file goes that would leave less than 30,000 */
  driver_expect(&r->d, id, 60, 100, SIZE, 0);
  cr_assert_eq(driver_read(&r->d, id, 59, 1 << 20, 0)->error, 1);
}

Test(retention, by_size) {
  on_both(by_size);
}

static void without_timestamps(rig *r) {
  int32_t epoch = 0;
  set_clock(5000);
  uint64_t id = topic(r, "t", "retention.ms", "1000", &epoch);
  for (uint32_t i = 0; i < 20; i++)
    driver_append(&r->d, id, epoch, SIZE, i, -1);
  set_clock(5500);
  kopd_store_clean(r->s);
  driver_expect(&r->d, id, 0, 20, SIZE, 0);
  set_clock(7000);
  kopd_store_clean(r->s);
  cr_assert_eq(driver_read(&r->d, id, 0, 1 << 20, 0)->error, 1);
}

Test(retention, batches_without_a_time_count_from_their_file) {
  on_both(without_timestamps);
}

static void deleted_topic(rig *r) {
  int32_t epoch = 0, other = 0;
  uint64_t id = topic(r, "dead", NULL, NULL, &epoch);
  uint64_t live = topic(r, "live", NULL, NULL, &other);
  for (uint32_t i = 0; i < 95; i++) {
    driver_append(&r->d, id, epoch, SIZE, i, i);
    if (i % 19 == 0) driver_append(&r->d, live, other, SIZE, i / 19, i);
  }
  cr_assert_eq(files(r), 5u);
  cr_assert_eq(driver_delete(&r->d, "dead")->outcome, KOP_DONE);
  kopd_store_clean(r->s);
  kopd_store_stats stats;
  kopd_store_stats_get(r->s, &stats);
  cr_assert_eq(stats.live_bytes, 5u * FRAME);
  cr_assert(stats.file_bytes < 2u * FILE_BYTES, "%llu bytes are left",
            (unsigned long long)stats.file_bytes);
  cr_assert(stats.cleaned_bytes_total > 0);
  driver_expect(&r->d, live, 0, 5, SIZE, 0);
  cr_assert_eq(driver_append(&r->d, live, other, SIZE, 5, 5)->base_offset, 5);
  if (r->disk) {
    cr_assert(folder_bytes(&r->f) < 2u * FILE_BYTES + 4096);
    rig_close(r);
    rig_open(r);
    cr_assert_null(driver_topic_of(&r->d, "dead"));
    driver_acquire(&r->d, live);
  }
  driver_expect(&r->d, live, 0, 6, SIZE, 0);
}

Test(retention, a_deleted_topic_frees_its_space) {
  on_both(deleted_topic);
}

static void deleted_records(rig *r) {
  int32_t epoch = 0;
  uint64_t id = topic(r, "t", NULL, NULL, &epoch);
  for (uint32_t i = 0; i < 100; i++)
    driver_append(&r->d, id, epoch, SIZE, i, i);
  cr_assert_eq(driver_delete_records(&r->d, id, epoch, 78)->log_start, 78);
  kopd_store_clean(r->s);
  driver_expect(&r->d, id, 78, 100, SIZE, 0);
  kopd_store_stats stats;
  kopd_store_stats_get(r->s, &stats);
  cr_assert_eq(stats.live_bytes, 22u * FRAME);
  cr_assert(stats.files <= 3);
  kop_list_offsets list = {.size = sizeof list, .what = KOP_LIST_BY_TIME, .timestamp = 0};
  cr_assert_eq(driver_do(&r->d, KOP_EFFECT_LIST_OFFSETS, 0, id, &list, sizeof list)->listed, 78);
  list.timestamp = 80;
  cr_assert_eq(driver_do(&r->d, KOP_EFFECT_LIST_OFFSETS, 0, id, &list, sizeof list)->listed, 80);
  if (!r->disk) return;
  rig_close(r);
  rig_open(r);
  cr_assert_eq(driver_acquire(&r->d, id)->acquired.log_start, 78);
  driver_expect(&r->d, id, 78, 100, SIZE, 0);
}

Test(retention, deleted_records_free_their_space) {
  on_both(deleted_records);
}

/* Small topics among a large dead one: the cleaner lays each one's batches side by side, and loses none. */
static void many_survivors(rig *r) {
  enum { TOPICS = 4 };
  static const char *const names[TOPICS] = {"a", "b", "c", "d"};
  uint64_t ids[TOPICS];
  int32_t epochs[TOPICS], epoch = 0;
  for (int i = 0; i < TOPICS; i++)
    ids[i] = topic(r, names[i], NULL, NULL, &epochs[i]);
  uint64_t dead = topic(r, "dead", NULL, NULL, &epoch);
  for (uint32_t i = 0; i < 400; i++) {
    driver_append(&r->d, dead, epoch, SIZE, i, i);
    if (i % 8 == 0)
      driver_append(&r->d, ids[i / 8 % TOPICS], epochs[i / 8 % TOPICS], SIZE, i / 32, i);
  }
  uint64_t before = files(r);
  driver_delete(&r->d, "dead");
  kopd_store_clean(r->s);
  cr_assert(files(r) < before / 2, "%llu of %llu files", (unsigned long long)files(r),
            (unsigned long long)before);
  for (int round = 0; round < (r->disk ? 2 : 1); round++) {
    for (int i = 0; i < TOPICS; i++)
      driver_expect(&r->d, ids[i], 0, i < 2 ? 13 : 12, SIZE, 0);
    if (!r->disk) break;
    rig_close(r);
    rig_open(r);
  }
}

Test(retention, the_cleaner_keeps_what_lives) {
  on_both(many_survivors);
}

static void pinned(rig *r) {
  static uint8_t want[SIZE];
  int32_t epoch = 0;
  uint64_t id = topic(r, "t", NULL, NULL, &epoch);
  for (uint32_t i = 0; i < 30; i++)
    driver_append(&r->d, id, epoch, SIZE, i, i);
  driver_answer a = *driver_read(&r->d, id, 5, 1 << 20, KOP_READ_MAY_LEND);
  cr_assert(a.flags & KOP_COMPLETION_LENT);
  driver_fill(want, SIZE, 5);
  driver_delete(&r->d, "t");
  kopd_store_clean(r->s);
  driver_turn();
  cr_assert_eq(files(r), 0u);
  cr_assert_eq(memcmp(a.lent, want, SIZE), 0);
  kopd_store_clean(r->s); /* the deadline of pins is 0 here: from now on the bytes are copies */
  kopd_store_stats stats;
  kopd_store_stats_get(r->s, &stats);
  cr_assert(stats.pinned_files >= 1);
  cr_assert_eq(memcmp(a.lent, want, SIZE), 0);
  driver_release(&r->d, a.token);
  kopd_store_clean(r->s);
  kopd_store_stats_get(r->s, &stats);
  cr_assert_eq(stats.pinned_files, 0u);
}

Test(retention, lent_bytes_outlive_their_file) {
  on_both(pinned);
}
