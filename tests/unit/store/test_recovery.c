/* What a start makes of files that were torn, damaged or cut. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver.h"
#include "folder.h"

enum { SIZE = 1000, FRAME = 48 + SIZE, FILE_BYTES = 64 + 20 * FRAME };

static char lines[4096];

static void keep_line(void *user_data, int32_t level, const char *text) {
  (void)user_data;
  (void)level;
  size_t at = strlen(lines);
  snprintf(lines + at, sizeof lines - at, "%s\n", text);
}

static kopd_store *opened(const folder *f, driver *d) {
  char error[256];
  kopd_store *s = NULL;
  kopd_store_config config;
  kopd_store_config_init(&config);
  config.spec = f->spec;
  config.file_bytes = FILE_BYTES;
  config.retention_check_ms = 0;
  config.retention_ms = -1; /* the timestamps here are of 1970 */
  config.log = keep_line;
  lines[0] = '\0';
  cr_assert_eq(kopd_store_open(&config, &s, error, sizeof error), 0, "%s", error);
  driver_attach(d, s, 0);
  return s;
}

static void closed(kopd_store *s, driver *d) {
  driver_detach(d);
  kopd_store_close(s);
}

/* The catalogue as it is, to be put back: a crash leaves it so, a clean stop notes more. */
typedef struct catalogue {
  char path[300];
  uint8_t *bytes;
  size_t len;
} catalogue;

static catalogue catalogue_read(const folder *f) {
  catalogue c;
  (void)snprintf(c.path, sizeof c.path, "%s/catalogue.mdb", f->path);
  c.len = (size_t)folder_size(c.path);
  c.bytes = malloc(c.len);
  FILE *file = fopen(c.path, "rb");
  cr_assert_eq(fread(c.bytes, 1, c.len, file), c.len);
  fclose(file);
  return c;
}

static void catalogue_put_back(catalogue *c) {
  FILE *file = fopen(c->path, "wb");
  cr_assert_eq(fwrite(c->bytes, 1, c->len, file), c->len);
  fclose(file);
  free(c->bytes);
}

/* A topic "t" of one partition with `n` batches, as a crash leaves it or a clean stop. */
static folder with_batches_left(int n, bool crash) {
  folder f = folder_make();
  driver d;
  kopd_store *s = opened(&f, &d);
  cr_assert_eq(driver_create(&d, "t", 1, NULL, NULL)->outcome, KOP_DONE);
  uint64_t id = driver_id(&d, "t", 0);
  int32_t epoch = driver_acquire(&d, id)->acquired.epoch;
  for (int i = 0; i < n; i++)
    cr_assert_eq(driver_append(&d, id, epoch, SIZE, (uint32_t)i, i)->base_offset, i);
  kopd_store_clean(s); /* what is full is sealed */
  catalogue before = catalogue_read(&f);
  closed(s, &d);
  if (crash) {
    catalogue_put_back(&before);
  } else {
    free(before.bytes);
  }
  return f;
}

static folder with_batches(int n) {
  return with_batches_left(n, true);
}

static void expect_all(const folder *f, int64_t n) {
  driver d;
  kopd_store *s = opened(f, &d);
  uint64_t id = driver_id(&d, "t", 0);
  driver_answer a = *driver_acquire(&d, id);
  cr_assert_eq(a.acquired.end_offset, n);
  driver_expect(&d, id, 0, n, SIZE, 0);
  cr_assert_eq(driver_append(&d, id, a.acquired.epoch, SIZE, (uint32_t)n, n)->base_offset, n);
  driver_expect(&d, id, 0, n + 1, SIZE, 0);
  kopd_store_clean(s); /* what is full is sealed */
  closed(s, &d);
}

static char names[64][64];

/* The header of the only file that holds nothing, as it was made ahead. */
static void read_header(const folder *f, const char *name, uint8_t header[64]) {
  FILE *file = fopen(folder_log(f, name), "rb");
  cr_assert_eq(fread(header, 1, 64, file), 64u);
  fclose(file);
}

static void write_header(const folder *f, const char *name, const uint8_t header[64]) {
  FILE *file = fopen(folder_log(f, name), "r+b");
  if (file == NULL) file = fopen(folder_log(f, name), "wb");
  cr_assert_eq(fwrite(header, 1, 64, file), 64u);
  fclose(file);
}

Test(recovery, a_file_made_ahead) {
  folder f = folder_make();
  driver d;
  kopd_store *s = opened(&f, &d);
  uint8_t header[64];
  cr_assert_eq(driver_create(&d, "t", 1, NULL, NULL)->outcome, KOP_DONE);
  uint64_t id = driver_id(&d, "t", 0);
  int32_t epoch = driver_acquire(&d, id)->acquired.epoch;
  for (int i = 0; i < 15; i++)
    driver_append(&d, id, epoch, SIZE, (uint32_t)i, i);
  kopd_store_clean(s);
  cr_assert_eq(folder_logs(&f, names, 64), 2u, "the first is more than half full");
  cr_assert_eq(folder_size(folder_log(&f, names[1])), 64);
  read_header(&f, names[1], header);
  catalogue before = catalogue_read(&f);
  closed(s, &d);
  cr_assert_eq(folder_logs(&f, names, 64), 1u, "a clean stop leaves none");
  catalogue_put_back(&before);

  write_header(&f, "0000000000000002.log", header); /* a crash does */
  s = opened(&f, &d);
  cr_assert_str_eq(lines, "");
  cr_assert_eq(folder_logs(&f, names, 64), 1u);
  epoch = driver_acquire(&d, id)->acquired.epoch;
  for (int i = 15; i < 19; i++)
    driver_append(&d, id, epoch, SIZE, (uint32_t)i, i);
  kopd_store_clean(s);
  cr_assert_eq(folder_logs(&f, names, 64), 2u);
  read_header(&f, names[1], header);
  for (int i = 19; i < 25; i++)
    cr_assert_eq(driver_append(&d, id, epoch, SIZE, (uint32_t)i, i)->base_offset, i);
  cr_assert_eq(folder_logs(&f, names, 64), 2u, "it is what is written on");
  cr_assert_eq(folder_size(folder_log(&f, names[1])), 64 + 5 * FRAME);
  kopd_store_clean(s);
  before = catalogue_read(&f);
  closed(s, &d);
  catalogue_put_back(&before);
  write_header(&f, names[1], header); /* the power went before its real header was on disk */
  expect_all(&f, 25);
  folder_remove(&f);
}

Test(recovery, nothing_wrong) {
  folder f = with_batches(50);
  cr_assert_eq(folder_logs(&f, names, 64), 3u);
  expect_all(&f, 50);
  cr_assert_str_eq(lines, "");
  expect_all(&f, 51);
  folder_remove(&f);
}

Test(recovery, a_torn_write_is_cut_and_said) {
  folder f = with_batches(5);
  folder_logs(&f, names, 64);
  folder_cut(folder_log(&f, names[0]), 64 + 4 * FRAME + 500);
  expect_all(&f, 4);
  cr_assert_not_null(strstr(lines, "cut 500 bytes"), "%s", lines);
  folder_remove(&f);
}

Test(recovery, every_length_of_a_torn_frame) {
  for (long cut = 1; cut < FRAME; cut += 97) {
    folder f = with_batches(2);
    folder_logs(&f, names, 64);
    folder_cut(folder_log(&f, names[0]), 64 + FRAME + cut);
    expect_all(&f, 1);
    folder_remove(&f);
  }
}

Test(recovery, a_bad_last_frame_is_cut) {
  folder f = with_batches(5);
  folder_logs(&f, names, 64);
  folder_flip(folder_log(&f, names[0]), 64 + 4 * FRAME + 300);
  expect_all(&f, 4);
  cr_assert_not_null(strstr(lines, "cut 1048 bytes"), "%s", lines);
  folder_remove(&f);
}

/* Later frames say that this one was on disk: it is damage, and what follows was acknowledged. */
Test(recovery, a_bad_frame_in_the_middle_costs_itself_only) {
  folder f = with_batches(10);
  folder_logs(&f, names, 64);
  folder_flip(folder_log(&f, names[0]), 64 + 3 * FRAME + 300);
  driver d;
  kopd_store *s = opened(&f, &d);
  cr_assert_not_null(strstr(lines, "damaged in 1 places, 1048 bytes are lost"), "%s", lines);
  uint64_t id = driver_id(&d, "t", 0);
  cr_assert_eq(driver_acquire(&d, id)->acquired.end_offset, 10);
  driver_expect(&d, id, 0, 3, SIZE, 0);
  driver_expect(&d, id, 4, 10, SIZE, 0);
  closed(s, &d);
  folder_remove(&f);
}

Test(recovery, a_bad_frame_in_a_sealed_file_is_an_error_of_its_reads) {
  folder f = with_batches(50);
  folder_logs(&f, names, 64);
  folder_flip(folder_log(&f, names[0]), 64 + 3 * FRAME + 300);
  driver d;
  kopd_store *s = opened(&f, &d);
  uint64_t id = driver_id(&d, "t", 0);
  driver_acquire(&d, id);
  driver_expect(&d, id, 0, 3, SIZE, 0);
  const driver_answer *a = driver_read(&d, id, 3, 1 << 20, 0);
  cr_assert_eq(a->outcome, KOP_REJECTED);
  cr_assert_eq(a->error, 56);
  cr_assert_not_null(strstr(lines, "offset 3 of partition"), "%s", lines);
  driver_expect(&d, id, 4, 50, SIZE, 0);
  closed(s, &d);
  folder_remove(&f);
}

Test(recovery, every_byte_of_a_footer_may_be_lost) {
  folder f = with_batches(50);
  folder_logs(&f, names, 64);
  long size = folder_size(folder_log(&f, names[0]));
  long frames = 64 + 20 * FRAME;
  cr_assert(size > frames);
  for (long at = frames; at < size; at += 13) {
    folder_flip(folder_log(&f, names[0]), at);
    driver d;
    kopd_store *s = opened(&f, &d);
    uint64_t id = driver_id(&d, "t", 0);
    cr_assert_eq(driver_acquire(&d, id)->acquired.end_offset, 50);
    driver_expect(&d, id, 0, 50, SIZE, 0);
    kopd_store_clean(s); /* it has a footer again */
    closed(s, &d);
    folder_logs(&f, names, 64);
  }
  folder_remove(&f);
}

Test(recovery, a_footer_cut_off_is_made_anew) {
  folder f = with_batches(50);
  folder_logs(&f, names, 64);
  folder_cut(folder_log(&f, names[0]), 64 + 20 * FRAME + 10);
  expect_all(&f, 50);
  cr_assert(folder_size(folder_log(&f, names[0])) > 64 + 20 * FRAME + 64);
  folder_remove(&f);
}

Test(recovery, a_damaged_header_hides_nothing) {
  folder f = with_batches(50);
  folder_logs(&f, names, 64);
  folder_flip(folder_log(&f, names[1]), 20);
  expect_all(&f, 50);
  cr_assert_not_null(strstr(lines, "header"), "%s", lines);
  folder_remove(&f);
}

Test(recovery, leftovers_are_removed) {
  folder f = with_batches(5);
  FILE *file = fopen(folder_log(&f, "00000000000000ff.tmp"), "w");
  fputs("half a copy", file);
  fclose(file);
  file = fopen(folder_log(&f, "0000000000000009.log"), "w");
  fputs("half a header", file);
  fclose(file);
  expect_all(&f, 5);
  cr_assert_eq(folder_logs(&f, names, 64), 1u);
  folder_remove(&f);
}

Test(recovery, a_newer_format_is_refused) {
  folder f = with_batches(5);
  folder_logs(&f, names, 64);
  /* Version 2, with the checksum that goes with it taken from a header that was written so. */
  uint8_t header[64];
  FILE *file = fopen(folder_log(&f, names[0]), "r+b");
  cr_assert_eq(fread(header, 1, 64, file), 64u);
  header[8] = 2;
  uint32_t crc = 0xffffffff;
  for (int i = 0; i < 60; i++) {
    crc ^= header[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (0x82f63b78 & (0u - (crc & 1)));
  }
  crc = ~crc;
  memcpy(header + 60, &crc, 4);
  fseek(file, 0, SEEK_SET);
  fwrite(header, 1, 64, file);
  fclose(file);
  kopd_store_config config;
  kopd_store_config_init(&config);
  config.spec = f.spec;
  char error[256];
  kopd_store *s = NULL;
  cr_assert_eq(kopd_store_open(&config, &s, error, sizeof error), -1);
  cr_assert_not_null(strstr(error, "newer version"), "%s", error);
  folder_remove(&f);
}

Test(recovery, a_second_process_is_kept_out) {
  folder f = folder_make();
  driver d;
  kopd_store *s = opened(&f, &d), *second = NULL;
  kopd_store_config config;
  kopd_store_config_init(&config);
  config.spec = f.spec;
  char error[256];
  cr_assert_eq(kopd_store_open(&config, &second, error, sizeof error), -1);
  cr_assert_not_null(strstr(error, "in use by another process"), "%s", error);
  closed(s, &d);
  folder_remove(&f);
}

Test(recovery, bad_specs_are_one_sentence) {
  static const char *const specs[] = {"file:", "files:/tmp", "", "file:/proc/nothing/here"};
  for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
    kopd_store_config config;
    kopd_store_config_init(&config);
    config.spec = specs[i];
    char error[256];
    kopd_store *s = NULL;
    cr_assert_eq(kopd_store_open(&config, &s, error, sizeof error), -1);
    cr_assert_null(s);
    cr_assert(strlen(error) > 10);
  }
}

/* ---- log files that are gone ---- */

/* What a start after a loss finds: the ends, one line, and appending behind the known end; and the same once more, without the line. */
static void expect_loss(const folder *f, int64_t start, int64_t kept_to, int64_t end) {
  driver d;
  kopd_store *s = opened(f, &d);
  cr_assert_not_null(strstr(lines, "records of 1 partitions are no longer in"), "%s", lines);
  uint64_t id = driver_id(&d, "t", 0);
  driver_answer a = *driver_acquire(&d, id);
  cr_assert_eq(a.acquired.log_start, start);
  cr_assert_eq(a.acquired.end_offset, end, "offsets never go backwards");
  driver_expect(&d, id, start, kept_to, SIZE, 0);
  cr_assert_eq(driver_append(&d, id, a.acquired.epoch, SIZE, (uint32_t)end, end)->base_offset, end);
  closed(s, &d);
  s = opened(f, &d);
  cr_assert_null(strstr(lines, "no longer"), "%s", lines);
  a = *driver_acquire(&d, id);
  cr_assert_eq(a.acquired.log_start, start);
  cr_assert_eq(a.acquired.end_offset, end + 1);
  driver_expect(&d, id, end, end + 1, SIZE, 0);
  closed(s, &d);
}

Test(recovery, the_only_log_file_removed_after_a_clean_stop) {
  folder f = with_batches_left(5, false);
  folder_logs(&f, names, 64);
  cr_assert_eq(unlink(folder_log(&f, names[0])), 0);
  expect_loss(&f, 5, 5, 5);
  folder_remove(&f);
}

Test(recovery, the_only_log_file_emptied_or_cut_after_a_clean_stop) {
  static const long sizes[] = {0, 30, 64, 64 + 2 * FRAME};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    folder f = with_batches_left(5, false);
    folder_logs(&f, names, 64);
    folder_cut(folder_log(&f, names[0]), sizes[i]);
    bool some = sizes[i] > 64;
    expect_loss(&f, some ? 0 : 5, some ? 2 : 5, 5);
    folder_remove(&f);
  }
}

/* After a crash the catalogue knows of what was sealed, and of what was there at the last ACQUIRE. */
Test(recovery, log_files_removed_after_a_crash) {
  folder f = with_batches(50);
  cr_assert_eq(folder_logs(&f, names, 64), 3u);
  for (int i = 0; i < 3; i++)
    cr_assert_eq(unlink(folder_log(&f, names[i])), 0);
  expect_loss(&f, 40, 40, 40);
  folder_remove(&f);
  f = with_batches(5);
  driver d;
  kopd_store *s = opened(&f, &d);
  uint64_t id = driver_id(&d, "t", 0);
  (void)driver_acquire(&d, id);
  catalogue before = catalogue_read(&f);
  closed(s, &d);
  catalogue_put_back(&before);
  folder_logs(&f, names, 64);
  cr_assert_eq(unlink(folder_log(&f, names[0])), 0);
  expect_loss(&f, 5, 5, 5);
  folder_remove(&f);
}

Test(recovery, the_first_of_several_log_files_removed) {
  folder f = with_batches_left(50, false);
  folder_logs(&f, names, 64);
  cr_assert_eq(unlink(folder_log(&f, names[0])), 0);
  expect_loss(&f, 20, 50, 50);
  folder_remove(&f);
}
