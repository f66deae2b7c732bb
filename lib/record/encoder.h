/*
 * Compression as a stream into a kopi_buf: what a batch builder writes its records through.
 *
 * Room is taken before it is known how much a library will fill, so the buffer's limit must lie
 * KOPI_ENCODER_SLACK above what the result may be; whoever calls compares the length itself. One handle serves all
 * codecs in turn and keeps each library's state.
 */
#ifndef KOPI_RECORD_ENCODER_H
#define KOPI_RECORD_ENCODER_H

#include <kop/record.h>

#include "base/buf.h"

enum { KOPI_ENCODER_SLACK = 128 * 1024 };

typedef struct kopi_encoder kopi_encoder;

/* KOP_ERR_NOMEM. `alloc` is borrowed for the encoder's life. */
kop_status kopi_encoder_new(const kop_alloc *alloc, kopi_encoder **out);
void kopi_encoder_free(kopi_encoder *e);

/* Begins to append to `out`. KOP_ERR_UNSUPPORTED for an unknown codec, KOP_ERR_INVALID for a level the codec lacks, KOP_ERR_NOMEM. */
kop_status kopi_encoder_begin(kopi_encoder *e, int32_t codec, int32_t magic, int32_t level,
                              kopi_buf *out);
/* KOP_ERR_CODEC, or the output's status. */
kop_status kopi_encoder_write(kopi_encoder *e, const uint8_t *bytes, size_t len);
kop_status kopi_encoder_finish(kopi_encoder *e);

/* A bound of what `len` bytes become, whatever the codec. */
size_t kopi_encoder_bound(size_t len);

#endif
