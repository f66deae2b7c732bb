/* A store whose disk fails while it runs, and a suite that notices stores that break the contract. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "folder.h"
#include "sim_io.h"
#include "under_test.h"

static char lines[4096];

static void keep_line(void *user_data, int32_t level, const char *text) {
  (void)user_data;
  (void)level;
  size_t at = strlen(lines);
  snprintf(lines + at, sizeof lines - at, "%s\n", text);
}

static int count_lines(void) {
  int n = 0;
  for (const char *p = lines; *p != '\0'; p++)
    n += *p == '\n';
  return n;
}

static void configure(kopd_store_config *config, const folder *f, const kopd_io *io) {
  kopd_store_config_init(config);
  config->spec = f->spec;
  config->retention_ms = -1;
  config->retention_check_ms = 0;
  config->log = keep_line;
  config->io = io;
  lines[0] = '\0';
}

static uint64_t opened(kopd_store **s, driver *d, const kopd_store_config *config, int32_t *epoch) {
  char error[256];
  cr_assert_eq(kopd_store_open(config, s, error, sizeof error), 0, "%s", error);
  driver_attach(d, *s, 0);
  cr_assert_eq(driver_create(d, "t", 1, NULL, NULL)->outcome, KOP_DONE);
  uint64_t id = driver_id(d, "t", 0);
  *epoch = driver_acquire(d, id)->acquired.epoch;
  return id;
}

Test(failure, a_full_disk_is_one_line_and_passes) {
  folder f = folder_make();
  sim *disk = sim_new(1);
  kopd_store_config config;
  configure(&config, &f, sim_io(disk));
  kopd_store *s = NULL;
  driver d;
  int32_t epoch = 0;
  uint64_t id = opened(&s, &d, &config, &epoch);
  driver_append(&d, id, epoch, 500, 0, 0);
  for (int i = 0; i < 3; i++) {
    sim_fail_at(disk, sim_calls(disk) + 1, 1, ENOSPC);
    const driver_answer *a = driver_append(&d, id, epoch, 500, 1, 1);
    cr_assert_eq(a->outcome, KOP_REJECTED);
    cr_assert_eq(a->error, 56);
    a = driver_append(&d, id, epoch, 500, 1, 1);
    cr_assert_eq(a->outcome, KOP_REJECTED); /* the epoch is over */
    driver_answer again = *driver_acquire(&d, id);
    cr_assert_eq(again.outcome, KOP_DONE);
    cr_assert_eq(again.acquired.end_offset, 1);
    epoch = again.acquired.epoch;
  }
  cr_assert_eq(count_lines(), 1, "%s", lines);
  cr_assert_not_null(strstr(lines, "No space left"));
  cr_assert_eq(driver_append(&d, id, epoch, 500, 1, 1)->base_offset, 1);
  cr_assert_eq(count_lines(), 2, "%s", lines);
  driver_expect(&d, id, 0, 2, 500, 0);
  driver_detach(&d);
  kopd_store_close(s);
  sim_free(disk);
  folder_remove(&f);
}

Test(failure, a_vanished_folder_is_told_to_the_client) {
  folder f = folder_make();
  kopd_store_config config;
  configure(&config, &f, NULL);
  kopd_store *s = NULL;
  driver d;
  int32_t epoch = 0;
  uint64_t id = opened(&s, &d, &config, &epoch);
  driver_append(&d, id, epoch, 500, 0, 0);
  folder_remove(&f);
  for (int i = 0; i < 3; i++) {
    const driver_answer *a = driver_append(&d, id, epoch, 500, 1, 1);
    cr_assert_eq(a->outcome, KOP_REJECTED);
    cr_assert_eq(a->error, 56);
  }
  driver_answer a = *driver_acquire(&d, id);
  cr_assert_eq(a.outcome, KOP_REJECTED);
  cr_assert_eq(a.error, 56);
  cr_assert_eq(count_lines(), 2, "%s", lines); /* the log, and the catalogue */
  cr_assert_eq(driver_read(&d, id, 0, 1000, 0)->outcome, KOP_DONE);
  driver_detach(&d);
  kopd_store_close(s);
}

static sim *contract_disk;

static void break_log(void *user_data, int32_t broken) {
  (void)user_data;
  sim_fail_at(contract_disk, broken ? sim_calls(contract_disk) + 1 : 0, broken ? 1000 : 0, ENOSPC);
}

Test(failure, the_suite_with_a_log_that_breaks) {
  folder f = folder_make();
  under_test u = {0};
  contract_disk = sim_new(5);
  configure(&u.config, &f, sim_io(contract_disk));
  under_test_open(&u);
  kop_store_under_test face = under_test_face(&u);
  face.break_log = break_log;
  under_test_run(&face, 6, 300);
  under_test_close(&u);
  sim_free(contract_disk);
  folder_remove(&f);
}

/* ---- planted faults ---- */

typedef enum fault {
  WRONG_OFFSET,
  SKIPPED_BATCH,
  EPOCH_TWICE,
  END_TOO_LOW,
  LATER_BATCH,
  FAULTS
} fault;

static fault planted;
static size_t (*true_poll)(void *user_data, kop_completion *items, size_t capacity);

/* Answers as the store gave them, but for the planted fault. */
static size_t lying_poll(void *user_data, kop_completion *items, size_t capacity) {
  static kop_appended appended;
  static kop_acquired acquired;
  static kop_read_result result;
  size_t n = true_poll(user_data, items, capacity > 1 ? 1 : capacity);
  if (n == 0 || items[0].outcome != KOP_DONE || items[0].body == NULL) return n;
  if (planted == WRONG_OFFSET && items[0].body_size == sizeof appended) {
    appended = *(const kop_appended *)items[0].body;
    appended.base_offset += appended.base_offset > 3;
    items[0].body = &appended;
  }
  if ((planted == EPOCH_TWICE || planted == END_TOO_LOW) && items[0].body_size == sizeof acquired) {
    acquired = *(const kop_acquired *)items[0].body;
    if (planted == EPOCH_TWICE) acquired.epoch = 0;
    if (planted == END_TOO_LOW && acquired.end_offset > 0) acquired.end_offset--;
    items[0].body = &acquired;
  }
  if (items[0].body_size == sizeof result) {
    result = *(const kop_read_result *)items[0].body;
    if (planted == SKIPPED_BATCH && result.batches_count > 1) result.batches_count--;
    if (planted == LATER_BATCH && result.batches_count > 1) {
      result.batches++;
      result.batches_count--;
    }
    items[0].body = &result;
  }
  return n;
}

Test(suite, finds_planted_faults) {
  for (planted = 0; planted < FAULTS; planted++) {
    under_test u = {0};
    kopd_store_config_init(&u.config);
    under_test_open(&u);
    kop_store_under_test face = under_test_face(&u);
    true_poll = face.poll;
    face.poll = lying_poll;
    kop_store_test_config config = {.size = sizeof config, .steps = 200};
    kop_store_test_result result = {.size = sizeof result};
    cr_assert_eq(kop_store_test_run(&face, &config, &result), KOP_OK);
    cr_assert(result.failed > 0, "fault %d is not found", (int)planted);
    under_test_close(&u);
  }
}
