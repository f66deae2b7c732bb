/*
 * Text, as this folder means it: UTF-8 without control characters other than tab, line feed and carriage return.
 *
 * Pulsar's keys and properties are protobuf strings, which must be UTF-8, or clients raise (Python) or put
 * replacement characters in (Java); C clients end them at a NUL. So bytes that are text go into them as they are and all
 * others in base64. An int32 counter would be UTF-8 by the letter; it is no text here.
 */
#ifndef KOPI_CONVERT_TEXT_H
#define KOPI_CONVERT_TEXT_H

#include <kop/base.h>
#include <string.h>

/* The whole of it, at any length. */
int kopi_is_text_slow(const uint8_t *p, size_t len);

/* 1 for eight bytes of printable ASCII. */
static inline int kopi_is_ascii8(const uint8_t *p) {
  const uint64_t high = UINT64_C(0x8080808080808080);
  const uint64_t ones = UINT64_C(0x0101010101010101);
  uint64_t v;
  memcpy(&v, p, sizeof v);
  /* A byte below 32 borrows, a byte of 127 carries into its top bit; carries from below only follow such a byte. */
  return ((v | (v - 32 * ones) | (v + ones)) & high) == 0;
}

static inline int kopi_is_text(kop_slice s) {
  const uint8_t *p = s.ptr;
  size_t n = s.len;
  while (n >= 8 && kopi_is_ascii8(p)) {
    p += 8;
    n -= 8;
  }
  return n == 0 || kopi_is_text_slow(p, n);
}

#endif
