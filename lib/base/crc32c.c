/*
 * CRC-32C: ISA-L's carry-less multiplication where it is, tables where it is not, and the linear patch.
 *
 * A checksum without its two inversions is the remainder of the message, read as a polynomial over GF(2), and
 * so linear: remainder(a ^ b) = remainder(a) ^ remainder(b). What follows the changed bytes contributes
 * nothing to the difference but its length: the difference is multiplied by x^(8 * length). The length is
 * taken one hexadecimal digit at a time, with one multiplication by a table entry for each digit that is not 0.
 */
#include "base/crc32c.h"

#include "base/gen/crc32c_tables.h"

#ifndef KOP_WITHOUT_ISAL
#include <isa-l/crc.h>
#endif

static uint32_t load_le32(const uint8_t *p) {
  return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) | ((uint32_t)p[3] << 24);
}

/* The remainder of what `r` stands for followed by n bytes; no inversion. */
static uint32_t remainder_of(uint32_t r, const uint8_t *p, size_t n) {
  for (; n >= 8; n -= 8, p += 8) {
    uint32_t low = r ^ load_le32(p);
    uint32_t high = load_le32(p + 4);
    r = crc32c_slice[7][low & 0xFFu] ^ crc32c_slice[6][(low >> 8) & 0xFFu] ^
        crc32c_slice[5][(low >> 16) & 0xFFu] ^ crc32c_slice[4][low >> 24] ^
        crc32c_slice[3][high & 0xFFu] ^ crc32c_slice[2][(high >> 8) & 0xFFu] ^
        crc32c_slice[1][(high >> 16) & 0xFFu] ^ crc32c_slice[0][high >> 24];
  }
  for (; n > 0; n--, p++) {
    r = (r >> 8) ^ crc32c_slice[0][(r ^ *p) & 0xFFu];
  }
  return r;
}

uint32_t kopi_crc32c_portable(uint32_t crc, const void *bytes, size_t n) {
  return ~remainder_of(~crc, bytes, n);
}

#ifdef KOP_WITHOUT_ISAL

uint32_t kopi_crc32c(uint32_t crc, const void *bytes, size_t n) {
  return kopi_crc32c_portable(crc, bytes, n);
}

#else

uint32_t kopi_crc32c(uint32_t crc, const void *bytes, size_t n) {
  const size_t step = (size_t)1 << 30; /* ISA-L counts with an int */
  union {
    const void *in;
    unsigned char *isal; /* it only reads, its prototype lacks the const */
  } p = {.in = bytes};
  uint32_t r = ~crc;
  for (; n > step; n -= step, p.isal += step) {
    r = crc32_iscsi(p.isal, (int)step, r);
  }
  return n == 0 ? ~r : ~crc32_iscsi(p.isal, (int)n, r);
}

#endif

/* The product of two remainders. */
static uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (int bit = 31; bit >= 0; bit--) {
    product ^= b & (0u - ((a >> bit) & 1u));
    b = (b >> 1) ^ (0x82F63B78u & (0u - (b & 1u)));
  }
  return product;
}

/* The remainder of what `r` stands for followed by zeros. */
static uint32_t shifted(uint32_t r, uint32_t after) {
  for (int place = 0; after != 0; place++, after >>= 4) {
    uint32_t digit = after & 15u;
    if (digit != 0) r = multiply(r, crc32c_power[place][digit]);
  }
  return r;
}

uint32_t kopi_crc32c_delta(const uint8_t *diff, size_t n, uint32_t after) {
  return shifted(remainder_of(0, diff, n), after);
}

/* The two inversions at the seam cancel each other, so checksums join as remainders do. */
uint32_t kopi_crc32c_join(uint32_t first, uint32_t second, uint32_t n) {
  return shifted(first, n) ^ second;
}
