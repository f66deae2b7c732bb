/* Log files that somebody cuts while they are in use: errors of those files, and of nothing else. */
#include <criterion/criterion.h>
#include <kop/kafka_error.h>
#include <stdio.h>
#include <string.h>

#include "driver.h"
#include "folder.h"
#include "store/guard.h"

enum { SIZE = 1000, FRAME = 48 + SIZE, FILE_BYTES = 64 + 20 * FRAME, BATCHES = 48 };

static char lines[8192];

static void keep_line(void *user_data, int32_t level, const char *text) {
  (void)user_data;
  (void)level;
  size_t at = strlen(lines);
  snprintf(lines + at, sizeof lines - at, "%s\n", text);
}

typedef struct world {
  folder f;
  char names[8][64];
  kopd_store *s;
  driver d;
  uint64_t id;
  int32_t epoch;
} world;

static void open_store(world *w) {
  char error[256];
  kopd_store_config config;
  kopd_store_config_init(&config);
  config.spec = w->f.spec;
  config.file_bytes = FILE_BYTES;
  config.retention_check_ms = 0;
  config.retention_ms = -1; /* the timestamps here are of 1970 */
  config.log = keep_line;
  lines[0] = '\0';
  cr_assert_eq(kopd_store_open(&config, &w->s, error, sizeof error), 0, "%s", error);
  driver_attach(&w->d, w->s, 0);
}

static void close_store(world *w) {
  driver_detach(&w->d);
  kopd_store_close(w->s);
}

static void lead(world *w) {
  w->id = driver_id(&w->d, "t", 0);
  w->epoch = driver_acquire(&w->d, w->id)->acquired.epoch;
}

/* Offsets 0 to 47 in three files of 20, 20 and 8 batches; the first two are sealed. */
static void begin(world *w) {
  cr_assert_eq(kopd_guard_install(), 0);
  w->f = folder_make();
  open_store(w);
  cr_assert_eq(driver_create(&w->d, "t", 1, NULL, NULL)->outcome, KOP_DONE);
  lead(w);
  for (int i = 0; i < BATCHES; i++)
    cr_assert_eq(driver_append(&w->d, w->id, w->epoch, SIZE, (uint32_t)i, i)->base_offset, i);
  kopd_store_clean(w->s);
  cr_assert_eq(folder_logs(&w->f, w->names, 8), 3u);
}

static void end(world *w) {
  close_store(w);
  folder_remove(&w->f);
}

static void expect_error(world *w, int64_t offset) {
  driver_answer a = *driver_read(&w->d, w->id, offset, SIZE, KOP_READ_AT_LEAST_ONE);
  cr_assert_eq(a.outcome, KOP_REJECTED, "offset %lld: outcome %d, %u batches up to %lld",
               (long long)offset, a.outcome, a.batches, (long long)a.next_offset);
  cr_assert_eq(a.error, KOP_KAFKA_KAFKA_STORAGE_ERROR);
}

static driver_answer list(world *w, int64_t timestamp) {
  kop_list_offsets q = {.size = sizeof q, .what = KOP_LIST_BY_TIME, .timestamp = timestamp};
  return *driver_do(&w->d, KOP_EFFECT_LIST_OFFSETS, 0, w->id, &q, sizeof q);
}

static uint32_t lines_with(const char *text) {
  uint32_t n = 0;
  for (const char *at = lines; (at = strstr(at, text)) != NULL; at++)
    n++;
  return n;
}

/* A file that this process wrote, and one that an earlier one wrote; cut to nothing, in the middle of its batches, and before its index. */
Test(cut, a_sealed_file_answers_with_errors_and_the_others_go_on) {
  for (int earlier = 0; earlier < 2; earlier++) {
    static const long sizes[] = {0, 64, 64 + 10 * FRAME + 30};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      world w;
      begin(&w);
      if (earlier) {
        close_store(&w);
        open_store(&w);
        lead(&w);
        driver_expect(&w.d, w.id, 0, BATCHES, SIZE, 0); /* its index has been checked */
      }
      folder_cut(folder_log(&w.f, w.names[0]), sizes[i]);
      expect_error(&w, 19);
      if (sizes[i] <= 64) expect_error(&w, 0);
      driver_expect(&w.d, w.id, 20, BATCHES, SIZE, 0);
      cr_assert_eq(list(&w, 3).outcome, KOP_REJECTED);
      cr_assert_eq(list(&w, 30).listed, 30);
      cr_assert_eq(driver_append(&w.d, w.id, w.epoch, SIZE, BATCHES, 99)->base_offset, BATCHES);
      expect_error(&w, 19);
      cr_assert_leq(lines_with("ERROR") + lines_with("cut") + lines_with("damaged"), 2u, "%s",
                    lines);
      end(&w);
    }
  }
}

Test(cut, an_index_that_nobody_has_looked_at_is_not_made_anew_from_what_is_left) {
  world w;
  begin(&w);
  close_store(&w);
  open_store(&w);
  lead(&w);
  folder_cut(folder_log(&w.f, w.names[0]), 64 + 10 * FRAME);
  expect_error(&w, 15); /* and not: a hole up to 20 */
  driver_expect(&w.d, w.id, 20, BATCHES, SIZE, 0);
  end(&w);
}

Test(cut, the_file_that_is_written) {
  world w;
  begin(&w);
  folder_cut(folder_log(&w.f, w.names[2]), 64 + 4 * FRAME);
  driver_answer a = *driver_append(&w.d, w.id, w.epoch, SIZE, BATCHES, 99);
  cr_assert_eq(a.outcome, KOP_REJECTED, "a write would leave a hole that looks like a log");
  cr_assert_eq(lines_with("somebody has cut"), 1u, "%s", lines);
  lead(&w);
  cr_assert_eq(driver_append(&w.d, w.id, w.epoch, SIZE, BATCHES, 99)->base_offset, BATCHES);
  driver_expect(&w.d, w.id, 0, 44, SIZE, 0);
  expect_error(&w, 46);
  driver_expect(&w.d, w.id, BATCHES, BATCHES + 1, SIZE, 0);
  end(&w);
}

Test(cut, bytes_that_are_lent_turn_to_zeros) {
  world w;
  begin(&w);
  driver_answer a = *driver_read(&w.d, w.id, 15, SIZE, KOP_READ_AT_LEAST_ONE | KOP_READ_MAY_LEND);
  cr_assert_eq(a.flags, KOP_COMPLETION_LENT);
  uint64_t faults = kopd_guard_faults();
  folder_cut(folder_log(&w.f, w.names[0]), 0);
  uint32_t sum = 0;
  for (size_t i = 0; i < a.lent_len; i++)
    sum += a.lent[i];
  cr_assert_eq(sum, 0u);
  cr_assert_gt(kopd_guard_faults(), faults);
  driver_release(&w.d, a.token);
  expect_error(&w, 15);
  cr_assert_eq(lines_with("somebody has cut"), 1u, "%s", lines);
  end(&w);
}

Test(cut, the_cleaner_copies_nothing_of_it) {
  world w;
  begin(&w);
  cr_assert_eq(driver_create(&w.d, "u", 1, NULL, NULL)->outcome, KOP_DONE);
  folder_cut(folder_log(&w.f, w.names[0]), 64 + 10 * FRAME);
  cr_assert_eq(driver_delete_records(&w.d, w.id, w.epoch, 18)->outcome, KOP_DONE);
  cr_assert_eq(driver_delete_records(&w.d, w.id, w.epoch, 38)->outcome, KOP_DONE);
  kopd_store_clean(w.s);
  driver_expect(&w.d, w.id, 40, BATCHES, SIZE, 0);
  end(&w);
}
