/* Log lines: their form, their bounds, and that nothing a client sends can forge one. */
#include <criterion/criterion.h>
#include <kop/effect.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

Test(log, has_one_form) {
  char line[KOPD_LOG_LINE_MAX];
  size_t n = kopd_log_format(line, 1763971200123, KOP_LOG_WARN, 7, "text", 4);
  cr_assert_eq(n, strlen("2025-11-24T08:00:00.123Z WARN  node 7: text\n"));
  cr_assert_eq(memcmp(line, "2025-11-24T08:00:00.123Z WARN  node 7: text\n", n), 0);
  n = kopd_log_format(line, 0, KOP_LOG_INFO, 0, "x", 1);
  cr_assert_eq(memcmp(line, "1970-01-01T00:00:00.000Z INFO  x\n", n), 0);
}

Test(log, escapes_control_characters) {
  char line[KOPD_LOG_LINE_MAX];
  size_t n = kopd_log_format(line, 0, KOP_LOG_INFO, 0, "a\nb\r\x1b[0m\0\x7f\xc3\xbc", 12);
  line[n] = '\0';
  cr_assert(strstr(line, "a\\x0ab\\x0d\\x1b[0m\\x00\\x7f\xc3\xbc\n") != NULL, "%s", line);
}

Test(log, cuts_what_is_too_long) {
  char line[KOPD_LOG_LINE_MAX];
  char text[2 * KOPD_LOG_LINE_MAX];
  memset(text, 1, sizeof text);
  for (size_t len = KOPD_LOG_LINE_MAX / 4 - 64; len < sizeof text; len++) {
    size_t n = kopd_log_format(line, 0, KOP_LOG_INFO, 2147483647, text, len);
    cr_assert(n <= sizeof line && line[n - 1] == '\n');
  }
}

static size_t count_lines(int fd, char *last, size_t cap) {
  static char all[1 << 20];
  size_t len = 0;
  ssize_t n = 0;
  while ((n = read(fd, all + len, sizeof all - 1 - len)) > 0)
    len += (size_t)n;
  all[len] = '\0';
  size_t lines = 0;
  for (char *p = all; (p = strchr(p, '\n')) != NULL; p++)
    lines++;
  char *start = len > 1 ? memrchr(all, '\n', len - 1) : NULL;
  start = start != NULL ? start + 1 : all;
  size_t length = strnlen(start, cap - 1);
  memcpy(last, start, length);
  last[length] = '\0';
  return lines;
}

Test(log, a_flood_is_cut_and_counted) {
  int pipe_fds[2];
  char last[KOPD_LOG_LINE_MAX];
  cr_assert_eq(pipe(pipe_fds), 0);
  kopd_log_set_fd(pipe_fds[1]);
  for (int i = 0; i < 10 * KOPD_LOG_LINES_PER_SECOND; i++) {
    kopd_log_line(KOP_LOG_WARN, 0, "w");
    if (i % 100 == 99) { /* errors pass, whatever floods, and say what was left out */
      kopd_log_line(KOP_LOG_ERROR, 0, "e");
    }
  }
  close(pipe_fds[1]);
  size_t lines = count_lines(pipe_fds[0], last, sizeof last);
  /*
   * 1,010 lines were logged; a second boundary may have let a second hundred pass, with notes
   * between.
   */
  cr_assert(lines >= KOPD_LOG_LINES_PER_SECOND + 9 && lines < 4 * KOPD_LOG_LINES_PER_SECOND, "%zu",
            lines);
  cr_assert(strstr(last, "ERROR e") != NULL, "%s", last);
}

Test(log, level_is_a_bound) {
  int pipe_fds[2];
  char last[KOPD_LOG_LINE_MAX];
  cr_assert_eq(pipe(pipe_fds), 0);
  kopd_log_set_fd(pipe_fds[1]);
  kopd_log_set_level(KOP_LOG_ERROR);
  kopd_log_line(KOP_LOG_WARN, 0, "not this");
  kopd_log_line(KOP_LOG_ERROR, 0, "this");
  close(pipe_fds[1]);
  cr_assert_eq(count_lines(pipe_fds[0], last, sizeof last), 1);
  cr_assert(strstr(last, "this") != NULL && strstr(last, "not") == NULL);
}

Test(log, knows_the_words) {
  cr_assert_eq(kopd_log_level_of("error"), KOP_LOG_ERROR);
  cr_assert_eq(kopd_log_level_of("debug"), KOP_LOG_DEBUG);
  cr_assert_eq(kopd_log_level_of("Debug"), 0);
  cr_assert_eq(kopd_log_level_of(""), 0);
}
