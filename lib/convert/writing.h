/*
 * A Kafka batch on its way to entries: what to_pulsar.c, which fills payloads, and entry.c, which puts heads in front of them,
 * both know.
 */
#ifndef KOPI_CONVERT_WRITING_H
#define KOPI_CONVERT_WRITING_H

#include "convert/convert.h"
#include "convert/native.h"

/* Where the walk over the records is; a copy goes back to it. */
typedef struct kopi_cursor {
  const uint8_t *p;
  int32_t index; /* of the next record */
  int32_t delta; /* of the next place */
} kopi_cursor;

typedef struct kopi_writing {
  kop_convert *c;
  kop_to_pulsar_options options;
  kop_batch_head head;
  const uint8_t *batch;
  size_t len;
  const uint8_t *end; /* of the records */
  int32_t compression;
  int32_t dense; /* deltas are 0, 1, 2, ... whatever the records say */
  int32_t indivisible;
  size_t head_room; /* bound of an entry's head without its key */
  size_t budget;    /* bound of a payload */
} kopi_writing;

/* The messages between two cursors. */
typedef struct kopi_piece {
  kopi_cursor from;
  int32_t num_messages;
  int32_t count;
  int64_t first_timestamp; /* of its first record */
  int64_t max_timestamp;
  kop_slice key;          /* of its first record */
  kop_slice native;       /* what its records keep of a native entry; null: nothing */
  int32_t native_changes; /* it ends where they keep something else */
  kopi_kept kept;
} kopi_piece;

/* 1 for a batch that has nothing to say beyond its records. */
static inline int kopi_writing_is_plain(const kopi_writing *j) {
  return !j->indivisible && (j->head.attributes & ~KOP_BATCH_CODEC_MASK) == 0;
}

/* Finds out how much of an entry is left for its payload. KOP_ERR_LIMIT if nothing is. */
kop_status kopi_entry_measure(kopi_writing *j);

/* Adds an entry with that payload to the list; `whole`: it holds all of the batch. Its slices are lengths only until kopi_entry_place(). */
kop_status kopi_entry_add(kopi_writing *j, const kopi_piece *s, kop_slice payload, size_t plain_len,
                          int whole);

/* Points the slices of all entries into the buffers, which stand still from here on. */
void kopi_entry_place(kopi_writing *j);

#endif
