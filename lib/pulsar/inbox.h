/*
 * What a connection receives: bytes in any pieces become frames where they landed.
 *
 *   block   | frame | frame | part of a frame |      room      |
 *                           ^ start           ^ end
 *
 * The bytes of a connection are received into a block; frames are given out as slices of it. Whoever lends a frame's
 * bytes on holds the block; the inbox goes on in the same block behind them. When the rest of a frame does not fit, it
 * takes another block (or the same from its beginning, if nobody holds it) and moves the part that it has. A
 * block is as large as an ordinary one, or exactly as large as the frame that needs more, so that a large payload is
 * received in place and never moved.
 */
#ifndef KOPI_PULSAR_INBOX_H
#define KOPI_PULSAR_INBOX_H

#include "pulsar/frame.h"

typedef struct kopi_pulsar_block {
  size_t refs; /* whoever lent bytes on, and the inbox while it receives into it */
  size_t cap;
  uint8_t bytes[];
} kopi_pulsar_block;

typedef struct kopi_pulsar_inbox {
  const kop_alloc *alloc;
  size_t block_size;
  kopi_pulsar_block
      *block;         /* NULL before the first byte, and after a frame that needed a larger one */
  size_t start;       /* first byte that was not given out */
  size_t end;         /* behind the last byte received */
  uint32_t max_frame; /* may be raised once the broker has said its limit */
} kopi_pulsar_inbox;

/* `alloc` is borrowed for its life. Nothing is allocated before the first byte. `block_size` is at least 64. */
void kopi_pulsar_inbox_init(kopi_pulsar_inbox *in, const kop_alloc *alloc, size_t block_size,
                            uint32_t max_frame);
/* Lets go of its block, which lives on while others hold it. */
void kopi_pulsar_inbox_free(kopi_pulsar_inbox *in);

/*
 * Where the next bytes belong: at least one byte of room, and while the size of a frame is known not less than what is
 * missing of it. Call kopi_pulsar_inbox_next() until it has no more before. KOP_ERR_NOMEM.
 */
kop_status kopi_pulsar_inbox_room(kopi_pulsar_inbox *in, uint8_t **ptr, size_t *cap);
/* `n` bytes have arrived there. */
void kopi_pulsar_inbox_commit(kopi_pulsar_inbox *in, size_t n);

/*
 * The next whole frame; it is valid until the next call on the inbox, or as long as `in->block` as it then is was held.
 * KOP_ERR_NOT_FOUND when there is none yet; KOP_ERR_LIMIT or KOP_ERR_MALFORMED end the connection.
 */
kop_status kopi_pulsar_inbox_next(kopi_pulsar_inbox *in, kopi_pulsar_frame *frame);

/* Keeps the block of the frame that was just given out alive until it is released as often as it was held. */
kopi_pulsar_block *kopi_pulsar_inbox_hold(kopi_pulsar_inbox *in);
void kopi_pulsar_block_release(const kop_alloc *alloc, kopi_pulsar_block *block);

#endif
