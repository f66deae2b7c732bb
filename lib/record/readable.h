/*
 * Whether consumers can read a batch with magic 2 that nobody has validated: one that came out of a foreign log.
 *
 * Only what makes a consumer fail, or stand still, or skip, is looked for. What a broker would refuse from a producer and
 * consumers bear (a missing sequence, timestamps of all kinds, unknown bits) passes.
 */
#ifndef KOPI_RECORD_READABLE_H
#define KOPI_RECORD_READABLE_H

#include <kop/record.h>

typedef struct kopi_readable {
  int32_t
      renumber; /* deltas are not 0, 1, 2, ... where the count leaves no gap, or no room for that: write it anew */
  uint64_t plain; /* bytes of its records, not compressed */
} kopi_readable;

/*
 * Looks at head and records of a whole batch; the checksum is the caller's affair. KOP_ERR_MALFORMED, KOP_ERR_CODEC,
 * KOP_ERR_CHECKSUM (of what is inside the stream), KOP_ERR_UNSUPPORTED for a codec, KOP_ERR_LIMIT, KOP_ERR_NOMEM.
 */
kop_status kopi_batch_readable(kop_record_ctx *ctx, const uint8_t *batch, size_t size,
                               kopi_readable *found);

/* 1 if key and value are those of a control record that every consumer passes over. */
int kopi_control_readable(const kop_slice *key, const kop_slice *value);

#endif
