/*
 * Memory that received bytes land in.
 *
 *   {references, capacity, bytes...}
 *
 * A block is counted: the connection that reads into it holds one reference, each request whose frame lies in it
 * another. Blocks of the two usual sizes are kept for reuse, larger ones (one frame each) up to a budget.
 */
#ifndef KOPI_BASE_BLOCK_H
#define KOPI_BASE_BLOCK_H

#include <kop/base.h>

enum {
  KOPI_BLOCK_SMALL = 4 * 1024,   /* a connection that says little */
  KOPI_BLOCK_MEDIUM = 16 * 1024, /* one that says much */
  KOPI_BLOCK_CLASSES =
      10 /* 4 KiB, 16 KiB, then 64 KiB doubling up to 8 MiB; larger ones are not kept */
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
  size_t kept_bytes;
  size_t kept_limit;
} kopi_blocks;

void kopi_blocks_init(kopi_blocks *pool, const kop_alloc *alloc, size_t kept_limit);
/* Frees the kept ones. */
void kopi_blocks_free(kopi_blocks *pool);
/* A block with one reference and at least that capacity, NULL without memory. */
kopi_block *kopi_block_new(kopi_blocks *pool, size_t capacity);
void kopi_block_ref(kopi_block *b);
/* Takes one reference away; the last one keeps or frees the block. NULL is fine. */
void kopi_block_unref(kopi_blocks *pool, kopi_block *b);

#endif
