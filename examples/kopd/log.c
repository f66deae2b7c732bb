/*
 * One write(2) per line, so that lines of several threads never mix. The only state is the level
 * and the flood counter.
 */
#include "log.h"

#include <kop/effect.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

static const struct {
  const char *word;
  const char *shown;
  uint32_t level;
} levels[] = {
    {"error", "ERROR", KOP_LOG_ERROR},
    {"warn", "WARN ", KOP_LOG_WARN},
    {"info", "INFO ", KOP_LOG_INFO},
    {"debug", "DEBUG", KOP_LOG_DEBUG},
};

static _Atomic uint32_t max_level = KOP_LOG_INFO;
static _Atomic int log_fd = STDERR_FILENO;

/* The flood counter: lines of the present second, and lines left out since the last one written. */
static pthread_mutex_t flood_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t flood_second;
static uint32_t flood_lines;
static uint64_t flood_dropped;

void kopd_log_set_level(uint32_t level) {
  atomic_store(&max_level, level);
}

void kopd_log_set_fd(int fd) {
  atomic_store(&log_fd, fd);
}

uint32_t kopd_log_level_of(const char *word) {
  for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
    if (strcmp(word, levels[i].word) == 0) return levels[i].level;
  }
  return 0;
}

static const char *shown_level(uint32_t level) {
  for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
    if (levels[i].level == level) return levels[i].shown;
  }
  return "?    ";
}

static size_t put_time(char *out, size_t cap, int64_t wall_ms) {
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm tm;
  if (gmtime_r(&seconds, &tm) == NULL) return 0;
  size_t n = strftime(out, cap, "%Y-%m-%dT%H:%M:%S", &tm);
  int more = snprintf(out + n, cap - n, ".%03dZ ", (int)(wall_ms % 1000));
  return n + (size_t)more;
}

/* Copies text, with every byte that is no printable ASCII or part of a UTF-8 sequence as \xNN. */
static size_t put_escaped(char *out, size_t cap, const char *text, size_t len) {
  size_t n = 0;
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c >= 0x20 && c != 0x7f) {
      if (n + 1 > cap) break;
      out[n++] = (char)c;
    } else {
      static const char hex[] = "0123456789abcdef";
      if (n + 4 > cap) break;
      out[n++] = '\\';
      out[n++] = 'x';
      out[n++] = hex[c >> 4];
      out[n++] = hex[c & 15];
    }
  }
  return n;
}

size_t kopd_log_format(char *out, int64_t wall_ms, uint32_t level, int32_t node, const char *text,
                       size_t len) {
  size_t n = put_time(out, KOPD_LOG_LINE_MAX, wall_ms);
  int more = node != 0 ? snprintf(out + n, KOPD_LOG_LINE_MAX - n,
                                  "%s node %d: ", shown_level(level), (int)node)
                       : snprintf(out + n, KOPD_LOG_LINE_MAX - n, "%s ", shown_level(level));
  n += (size_t)more;
  n += put_escaped(out + n, KOPD_LOG_LINE_MAX - n - 1, text, len);
  out[n++] = '\n';
  return n;
}

/* Whether this line may be written. *left_out receives the number of lines dropped before it. */
static int admit(uint32_t level, int64_t wall_ms, uint64_t *left_out) {
  int ok = 1;
  pthread_mutex_lock(&flood_lock);
  if (wall_ms / 1000 != flood_second) {
    flood_second = wall_ms / 1000;
    flood_lines = 0;
  }
  if (level != KOP_LOG_ERROR && flood_lines >= KOPD_LOG_LINES_PER_SECOND) {
    flood_dropped++;
    ok = 0;
  } else {
    flood_lines++;
    *left_out = flood_dropped;
    flood_dropped = 0;
  }
  pthread_mutex_unlock(&flood_lock);
  return ok;
}

static void write_line(const char *line, size_t len) {
  /* A log that cannot be written must not stop the server. */
  ssize_t written = write(atomic_load(&log_fd), line, len);
  (void)written;
}

void kopd_log_text(uint32_t level, int32_t node, const char *text, size_t len) {
  if (level > atomic_load(&max_level)) return;
  int64_t wall_ms = kopd_now().wall_ms;
  uint64_t left_out = 0;
  if (!admit(level, wall_ms, &left_out)) return;
  char line[KOPD_LOG_LINE_MAX];
  if (left_out > 0) {
    char note[64];
    int n = snprintf(note, sizeof note, "%llu log lines left out: too many in a second",
                     (unsigned long long)left_out);
    write_line(line, kopd_log_format(line, wall_ms, KOP_LOG_WARN, 0, note, (size_t)n));
  }
  write_line(line, kopd_log_format(line, wall_ms, level, node, text, len));
}

void kopd_log_line(uint32_t level, int32_t node, const char *format, ...) {
  if (level > atomic_load(&max_level)) return;
  char text[KOPD_LOG_LINE_MAX];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (n < 0) return;
  kopd_log_text(level, node, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}
