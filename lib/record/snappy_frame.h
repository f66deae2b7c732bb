/*
 * Snappy as Kafka uses it: the framing of Java's xerial library.
 *
 *    82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version i32 | compatible version i32 | blocks
 *    block:  size i32 | one raw snappy block
 *
 * Only the eight bytes of the magic are looked at: writers disagree about the byte order of the two versions. The
 * header may come again between blocks. Without a header the whole is one raw snappy block.
 */
#ifndef KOPI_RECORD_SNAPPY_FRAME_H
#define KOPI_RECORD_SNAPPY_FRAME_H

#include <stdint.h>

enum { KOPI_XERIAL_MAGIC_SIZE = 8, KOPI_XERIAL_HEADER_SIZE = 16, KOPI_XERIAL_BLOCK = 32 * 1024 };

extern const uint8_t kopi_xerial_magic[KOPI_XERIAL_MAGIC_SIZE];

#endif
