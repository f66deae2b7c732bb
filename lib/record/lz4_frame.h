/*
 * The LZ4 frame as Kafka uses it.
 *
 *    04 22 4D 18 | FLG | BD | [content size u64 LE] | HC | blocks | 0 u32 | [content checksum u32]
 *    block:  size u32 LE, top bit: stored | bytes | [checksum u32]
 *
 * Only independent blocks; the checksum of the content is not verified; what follows the frame is ignored. HC is
 * the second byte of xxh32 over FLG to the content size. Java once computed it over the magic number too, so
 * in messages of magic 0 it is written that way and not verified.
 */
#ifndef KOPI_RECORD_LZ4_FRAME_H
#define KOPI_RECORD_LZ4_FRAME_H

enum {
  KOPI_LZ4_MAGIC = 0x184D2204,
  KOPI_LZ4_FLG_VERSION = 0x40,
  KOPI_LZ4_FLG_VERSION_MASK = 0xC0,
  KOPI_LZ4_FLG_INDEPENDENT = 0x20,
  KOPI_LZ4_FLG_BLOCK_CHECKSUM = 0x10,
  KOPI_LZ4_FLG_CONTENT_SIZE = 0x08,
  KOPI_LZ4_FLG_CONTENT_CHECKSUM = 0x04,
  KOPI_LZ4_FLG_RESERVED = 0x03,
  KOPI_LZ4_BD_64K = 4 << 4,
  KOPI_LZ4_BD_RESERVED = 0x8F,
  KOPI_LZ4_BLOCK_WRITTEN = 64 * 1024
};

/* Top bit of a block's size: its bytes are stored as they are. */
#define KOPI_LZ4_STORED 0x80000000u

#endif
