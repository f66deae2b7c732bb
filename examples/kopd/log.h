/*
 * The operator's log: one line per event on standard error.
 *
 *     2026-11-24T08:14:52.123Z WARN  node 1: connection refused: ...
 *
 * Safe from any thread. Control characters are escaped, so that what a client sends (a topic name,
 * a client id) cannot forge a line; and a flood is cut to a number of lines a second, with a count
 * of what was left out.
 */
#ifndef KOPD_LOG_H
#define KOPD_LOG_H

#include <stddef.h>
#include <stdint.h>

/* Longest line; what is longer is cut. */
#define KOPD_LOG_LINE_MAX 1024

/* Lines of one second beyond this are counted instead of written; errors are exempt. */
#define KOPD_LOG_LINES_PER_SECOND 100

/* Lines of a level above this are dropped (KOP_LOG_INFO at start). */
void kopd_log_set_level(uint32_t level);

/* Where lines go: standard error at start. */
void kopd_log_set_fd(int fd);

/* level is KOP_LOG_; node 0 is the process itself. */
void kopd_log_line(uint32_t level, int32_t node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for text that is already there and may hold anything. */
void kopd_log_text(uint32_t level, int32_t node, const char *text, size_t len);

/* "warn" to KOP_LOG_WARN and so on; 0 for a word that is no level. */
uint32_t kopd_log_level_of(const char *word);

/*
 * Writes one line into out (at least KOPD_LOG_LINE_MAX bytes), line end included; returns its
 * length.
 */
size_t kopd_log_format(char *out, int64_t wall_ms, uint32_t level, int32_t node, const char *text,
                       size_t len);

#endif
