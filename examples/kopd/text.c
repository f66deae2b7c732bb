/* Grows by doubling; see text.h. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int reserve(kopd_text *t, size_t n) {
  size_t cap = t->cap == 0 ? 1024 : t->cap;
  while (cap < t->len + n)
    cap *= 2;
  if (cap == t->cap) return 0;
  char *bytes = realloc(t->bytes, cap);
  if (bytes == NULL) {
    t->failed = 1;
    return -1;
  }
  t->bytes = bytes;
  t->cap = cap;
  return 0;
}

void kopd_text_add(kopd_text *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (t->failed || n < 0 || reserve(t, (size_t)n + 1) != 0) return;
  va_start(args, format);
  vsnprintf(t->bytes + t->len, (size_t)n + 1, format, args);
  va_end(args);
  t->len += (size_t)n;
}

void kopd_text_free(kopd_text *t) {
  free(t->bytes);
  *t = (kopd_text){0};
}
