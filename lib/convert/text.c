/* Text or bytes: every code point looked at. */
#include "convert/text.h"

#include "base/utf8.h"

static int is_printable(uint8_t c) {
  return (c >= 0x20 && c < 0x7F) || c == '\t' || c == '\n' || c == '\r';
}

int kopi_is_text_slow(const uint8_t *p, size_t len) {
  const uint8_t *end = p + len;
  while (p < end) {
    size_t n = *p < 0x80 ? (size_t)is_printable(*p) : kopi_utf8_length(p, (size_t)(end - p));
    if (n == 0) return 0;
    p += n;
  }
  return 1;
}
