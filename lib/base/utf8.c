/* Walking over UTF-8. */
#include "base/utf8.h"

size_t kopi_utf8_length(const uint8_t *p, size_t n) {
  if (*p < 0x80) return 1;
  size_t size = *p >= 0xF0 ? 4 : *p >= 0xE0 ? 3 : 2;
  if (*p < 0xC2 || *p > 0xF4 || size > n) return 0;
  for (size_t i = 1; i < size; i++) {
    if ((p[i] & 0xC0u) != 0x80u) return 0;
  }
  if ((*p == 0xE0 && p[1] < 0xA0) || (*p == 0xED && p[1] > 0x9F)) return 0;
  if ((*p == 0xF0 && p[1] < 0x90) || (*p == 0xF4 && p[1] > 0x8F)) return 0;
  return size;
}

uint8_t kopi_is_utf8(kop_slice text) {
  for (size_t i = 0; i < text.len;) {
    size_t size = kopi_utf8_length(text.ptr + i, text.len - i);
    if (size == 0) return 0;
    i += size;
  }
  return 1;
}
