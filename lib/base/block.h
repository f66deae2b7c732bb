/*
 * Memory that received bytes land in.
 *
 *   {references, capacity, bytes...}
 *
 * A block is counted: the connection that reads into it holds one reference, each request whose frame lies in it
 * another. Blocks that come back are kept for reuse, up to a budget; whoever has a clock trims from time to time what
 * was not needed since the last time.
 */
#ifndef KOPI_BASE_BLOCK_H
#define KOPI_BASE_BLOCK_H

#include <kop/base.h>

enum {
  KOPI_BLOCK_SMALL = 4 * 1024,   /* a connection that says little */
  KOPI_BLOCK_MEDIUM = 16 * 1024, /* one that says much */
  KOPI_BLOCK_CLASSES =
      10 /* these, then for a batch of 64 KiB, 128 KiB ... 8 MiB and what is around it; larger ones are not kept */
};

typedef struct kopi_block {
  struct kopi_block *next;
  size_t cap;
  uint32_t refs;
  uint32_t class_index;
  uint8_t bytes[];
} kopi_block;

typedef struct kopi_blocks {
  const kop_alloc *alloc;
  kopi_block *kept[KOPI_BLOCK_CLASSES];
  uint32_t len[KOPI_BLOCK_CLASSES];   /* of these lists */
  uint32_t least[KOPI_BLOCK_CLASSES]; /* the least that it was since the last trim */
  size_t kept_bytes;
  size_t kept_limit;
} kopi_blocks;

void kopi_blocks_init(kopi_blocks *pool, const kop_alloc *alloc, size_t kept_limit);
/* Frees the kept ones. */
void kopi_blocks_free(kopi_blocks *pool);
/* Frees kept blocks that nobody needed since the last trim, the largest first, as long as more than `bytes` are kept. */
void kopi_blocks_trim(kopi_blocks *pool, size_t bytes);
/* A block with one reference and at least that capacity, NULL without memory. */
kopi_block *kopi_block_new(kopi_blocks *pool, size_t capacity);
void kopi_block_ref(kopi_block *b);
/* Takes one reference away; the last one keeps or frees the block. NULL is fine. */
void kopi_block_unref(kopi_blocks *pool, kopi_block *b);

#endif
