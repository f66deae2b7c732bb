/* Base64, both alphabets. */
#include "wire/base64.h"

static const char alphabet[2][65] = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

size_t kopi_base64_size(size_t n, uint8_t url_safe) {
  return url_safe ? n / 3 * 4 + (n % 3 == 0 ? 0 : n % 3 + 1) : (n + 2) / 3 * 4;
}

void kopi_base64_write(const uint8_t *in, size_t n, uint8_t url_safe, uint8_t *out) {
  const char *digits = alphabet[url_safe != 0];
  for (size_t step; n > 0; in += step, n -= step) {
    step = n < 3 ? n : 3;
    uint32_t three = (uint32_t)in[0] << 16;
    if (n > 1) three |= (uint32_t)in[1] << 8;
    if (n > 2) three |= in[2];
    for (size_t i = 0; i < 4; i++) {
      if (i <= n) {
        *out++ = (uint8_t)digits[three >> (18 - 6 * i) & 63u];
      } else if (!url_safe) {
        *out++ = '=';
      }
    }
  }
}

static int value_of(char c, uint8_t url_safe) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == (url_safe ? '-' : '+')) return 62;
  return c == (url_safe ? '_' : '/') ? 63 : -1;
}

ptrdiff_t kopi_base64_read(const char *in, size_t len, uint8_t url_safe, uint8_t *out) {
  if (!url_safe) {
    if (len % 4 != 0) return -1;
    for (int i = 0; i < 2 && len > 0 && in[len - 1] == '='; i++)
      len--;
  }
  if (len % 4 == 1) return -1;
  uint8_t *begin = out;
  uint32_t bits = 0;
  unsigned have = 0;
  for (size_t i = 0; i < len; i++) {
    int v = value_of(in[i], url_safe);
    if (v < 0) return -1;
    bits = (bits << 6 | (uint32_t)v) & 0xFFFFu;
    have += 6;
    if (have >= 8) {
      have -= 8;
      *out++ = (uint8_t)(bits >> have);
    }
  }
  if ((bits & ((1u << have) - 1u)) != 0) return -1;
  return out - begin;
}
