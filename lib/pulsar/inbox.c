/* Receiving: blocks, and the moves between them. inbox.h draws it. */
#include "pulsar/inbox.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

enum { PREFIX = 4 }; /* bytes from which a frame's size is known */

void kopi_pulsar_inbox_init(kopi_pulsar_inbox *in, const kop_alloc *alloc, size_t block_size,
                            uint32_t max_frame) {
  *in = (kopi_pulsar_inbox){.alloc = alloc, .block_size = block_size, .max_frame = max_frame};
}

void kopi_pulsar_block_release(const kop_alloc *alloc, kopi_pulsar_block *block) {
  KOPI_ASSERT(block->refs > 0);
  if (--block->refs == 0) kopi_free(alloc, block);
}

static void let_go(kopi_pulsar_inbox *in) {
  if (in->block != NULL) kopi_pulsar_block_release(in->alloc, in->block);
  in->block = NULL;
  in->start = 0;
  in->end = 0;
}

void kopi_pulsar_inbox_free(kopi_pulsar_inbox *in) {
  let_go(in);
}

kopi_pulsar_block *kopi_pulsar_inbox_hold(kopi_pulsar_inbox *in) {
  in->block->refs++;
  return in->block;
}

/* A block for a frame of `need` bytes of which a part may be here. */
static kop_status move(kopi_pulsar_inbox *in, size_t need) {
  size_t part = in->end - in->start;
  const uint8_t *from = in->block != NULL ? in->block->bytes + in->start : NULL;
  kopi_pulsar_block *block = in->block;
  if (block == NULL || block->refs > 1 || block->cap < need) {
    size_t cap = need > in->block_size ? need : in->block_size;
    block = kopi_malloc(in->alloc, sizeof *block + cap);
    if (block == NULL) return KOP_ERR_NOMEM;
    block->refs = 1;
    block->cap = cap;
  }
  if (part != 0) memmove(block->bytes, from, part);
  if (in->block != NULL && in->block != block) kopi_pulsar_block_release(in->alloc, in->block);
  in->block = block;
  in->start = 0;
  in->end = part;
  return KOP_OK;
}

kop_status kopi_pulsar_inbox_room(kopi_pulsar_inbox *in, uint8_t **ptr, size_t *cap) {
  size_t part = in->end - in->start;
  /* The size was within the limit when _next looked; where it was not, any room will do for a connection that ends. */
  size_t need = PREFIX;
  if (part >= PREFIX &&
      kopi_pulsar_frame_size(in->block->bytes + in->start, part, in->max_frame, &need) != KOP_OK) {
    need = part + 1;
  }
  if (need <= part) need = part + 1;
  int at_front = part == 0 && in->block != NULL && in->block->refs == 1;
  if (at_front) in->start = in->end = 0;
  if (in->block == NULL || need > in->block->cap - in->start) {
    kop_status status = move(in, need);
    if (status != KOP_OK) return status;
  }
  *ptr = in->block->bytes + in->end;
  *cap = in->block->cap - in->end;
  return KOP_OK;
}

void kopi_pulsar_inbox_commit(kopi_pulsar_inbox *in, size_t n) {
  KOPI_ASSERT(in->block != NULL && n <= in->block->cap - in->end);
  in->end += n;
}

kop_status kopi_pulsar_inbox_next(kopi_pulsar_inbox *in, kopi_pulsar_frame *frame) {
  size_t part = in->end - in->start;
  if (part == 0) {
    /* A connection that is idle keeps an ordinary block, not one that a large frame needed. */
    if (in->block != NULL && in->block->cap > in->block_size) let_go(in);
    return KOP_ERR_NOT_FOUND;
  }
  const uint8_t *p = in->block->bytes + in->start;
  size_t size;
  kop_status status = kopi_pulsar_frame_size(p, part, in->max_frame, &size);
  if (status == KOP_ERR_TRUNCATED || (status == KOP_OK && size > part)) return KOP_ERR_NOT_FOUND;
  if (status == KOP_OK) status = kopi_pulsar_frame_split(p, size, frame);
  if (status == KOP_OK) in->start += size;
  return status;
}
