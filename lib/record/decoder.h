/*
 * Decompression as a stream: compressed bytes lie in memory, plain bytes come out piece by piece.
 *
 * One handle serves all codecs in turn and keeps each library's state, so that a batch costs no allocation.
 * gzip and zstd are streams by nature. snappy and lz4 are sequences of blocks; a block goes straight into the
 * caller's buffer when that has room for it, else through a buffer here, which `max_block` bounds.
 */
#ifndef KOPI_RECORD_DECODER_H
#define KOPI_RECORD_DECODER_H

#include <kop/record.h>

typedef struct kopi_decoder kopi_decoder;

/* KOP_ERR_NOMEM. `alloc` is borrowed for the decoder's life. */
kop_status kopi_decoder_new(const kop_alloc *alloc, size_t max_block, kopi_decoder **out);
void kopi_decoder_free(kopi_decoder *d);

/* Begins with `in`, borrowed until the stream ends. `magic` matters to lz4. KOP_ERR_UNSUPPORTED, KOP_ERR_CODEC, KOP_ERR_NOMEM. */
kop_status kopi_decoder_begin(kopi_decoder *d, int32_t codec, int32_t magic, const uint8_t *in,
                              size_t len);

/*
 * Fills out[0 .. *n), at least one byte unless the stream is at its end (*n is 0 then). `cap` must not be 0.
 * KOP_ERR_CODEC for damaged or truncated input, KOP_ERR_LIMIT for a block above max_block, KOP_ERR_NOMEM.
 */
kop_status kopi_decoder_read(kopi_decoder *d, uint8_t *out, size_t cap, size_t *n);

#endif
