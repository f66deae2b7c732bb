/*
 * The records of one batch as bytes that come: from memory as they are, or through a decoder and a window.
 *
 *      data          p            end            cap
 *       | used up    | to be read | room for more |
 *
 * A reader takes from [p, end). When that is too little it calls kopi_source_fill, which moves the rest to the front
 * and decompresses behind it. Only a reader that needs a whole record in one piece lets the window grow.
 */
#ifndef KOPI_RECORD_SOURCE_H
#define KOPI_RECORD_SOURCE_H

#include "record/decoder.h"

enum {
  KOPI_WINDOW = 128 * 1024,
  KOPI_WINDOW_KEPT = 1024 * 1024 /* one that grew beyond is given back when the next batch begins */
};

typedef struct kopi_source {
  const uint8_t *p;
  const uint8_t *end;
  kopi_decoder *decoder; /* NULL when nothing can follow `end` */
  uint64_t given;        /* bytes that the decoder gave */
  uint64_t limit;        /* given never passes it */
  const kop_alloc *alloc;
  uint8_t *data;
  size_t cap;
  size_t max_cap;
} kopi_source;

/* Once; the buffer is kept from batch to batch. */
void kopi_source_init(kopi_source *s, const kop_alloc *alloc, size_t max_cap, uint64_t limit);
void kopi_source_free(kopi_source *s);

/* Plain bytes in memory. */
void kopi_source_plain(kopi_source *s, const uint8_t *bytes, size_t len);
/* What a decoder, which has begun, will give. KOP_ERR_NOMEM. */
kop_status kopi_source_stream(kopi_source *s, kopi_decoder *decoder);

static inline size_t kopi_source_left(const kopi_source *s) {
  return (size_t)(s->end - s->p);
}

/*
 * Makes at least `want` bytes available at p, or all there are if the stream ends before. The window grows
 * to hold `want`. KOP_ERR_LIMIT if it may not or the stream gives more than the limit; the decoder's errors.
 */
kop_status kopi_source_fill(kopi_source *s, size_t want);

/* Passes over n bytes. KOP_ERR_TRUNCATED if the stream ends before. */
kop_status kopi_source_skip(kopi_source *s, uint64_t n);

/* KOP_OK if nothing is left, KOP_ERR_MALFORMED if something is. */
kop_status kopi_source_at_end(kopi_source *s);

#endif
