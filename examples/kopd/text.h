/* A growable text; a refused allocation sticks, so that a writer checks once, at the end. */
#ifndef KOPD_TEXT_H
#define KOPD_TEXT_H

#include <stddef.h>

typedef struct kopd_text {
  char *bytes;
  size_t len;
  size_t cap;
  int failed;
} kopd_text;

void kopd_text_add(kopd_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void kopd_text_free(kopd_text *t);

#endif
