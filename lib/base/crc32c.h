/*
 * CRC-32C (Castagnoli), the checksum of record batches, Pulsar entries and the file store.
 *
 * A checksum continues: kopi_crc32c(kopi_crc32c(0, a, n), b, m) is that of a and b in a row.
 */
#ifndef KOPI_BASE_CRC32C_H
#define KOPI_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` stands for (0: nothing) followed by n bytes. The fastest way the processor has. */
uint32_t kopi_crc32c(uint32_t crc, const void *bytes, size_t n);

/* The same by tables alone (slice-by-8): what kopi_crc32c is where ISA-L is missing, and what tests compare it with. */
uint32_t kopi_crc32c_portable(uint32_t crc, const void *bytes, size_t n);

/*
 * What changes in the checksum of a message when `n` bytes of it change and `after` bytes that follow stay:
 * new checksum = old checksum ^ kopi_crc32c_delta(diff, n, after), where diff is old bytes ^ new bytes.
 * Takes time that does not depend on `after`.
 */
uint32_t kopi_crc32c_delta(const uint8_t *diff, size_t n, uint32_t after);

/* The checksum of two messages in a row, made of theirs; the second has n bytes. Takes time that does not depend on n. */
uint32_t kopi_crc32c_join(uint32_t first, uint32_t second, uint32_t n);

#endif
