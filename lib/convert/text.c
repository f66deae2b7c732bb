/* Text or bytes: every code point looked at. */
#include "convert/text.h"

/* Bytes of the code point that begins with `lead`, and the smallest one of that length; 0 for no lead byte. */
static size_t sequence(uint8_t lead, uint32_t *bits, uint32_t *least) {
  if (lead >= 0xC2 && lead < 0xE0) {
    *bits = lead & 0x1Fu;
    *least = 0x80;
    return 2;
  }
  if (lead >= 0xE0 && lead < 0xF0) {
    *bits = lead & 0x0Fu;
    *least = 0x800;
    return 3;
  }
  if (lead >= 0xF0 && lead < 0xF5) {
    *bits = lead & 0x07u;
    *least = 0x10000;
    return 4;
  }
  return 0;
}

static int is_printable(uint8_t c) {
  return (c >= 0x20 && c < 0x7F) || c == '\t' || c == '\n' || c == '\r';
}

int kopi_is_text_slow(const uint8_t *p, size_t len) {
  const uint8_t *end = p + len;
  while (p < end) {
    if (*p < 0x80) {
      if (!is_printable(*p++)) return 0;
      continue;
    }
    uint32_t point;
    uint32_t least;
    size_t n = sequence(*p, &point, &least);
    if (n == 0 || n > (size_t)(end - p)) return 0;
    for (size_t i = 1; i < n; i++) {
      if ((p[i] & 0xC0u) != 0x80) return 0;
      point = point << 6 | (p[i] & 0x3Fu);
    }
    if (point < least || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) return 0;
    p += n;
  }
  return 1;
}
