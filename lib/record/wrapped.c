/*
 * Sets of messages inside a compressed message.
 *
 * Magic 1 gives the messages inside relative offsets, counted so that the last one falls on the wrapper's own
 * offset; the last one is therefore looked up by a first pass over the set, which reads 12 bytes of each message
 * and passes over the rest. Some versions of librdkafka leave the wrapper's offset 0, which then is the first
 * record's. In magic 0 all offsets are absolute. A partial message at the end is no message.
 */
#include "record/wrapped.h"

#include "base/endian.h"
#include "record/batch.h"
#include "record/layout.h"

kop_status kopi_wrapped_stream(kop_record_ctx *ctx, const kopi_message *wrapper) {
  int32_t codec = wrapper->attributes & KOP_BATCH_CODEC_MASK;
  if (codec > KOP_CODEC_LZ4) return KOP_ERR_UNSUPPORTED; /* zstd came with magic 2 */
  if (wrapper->value.ptr == NULL) return KOP_ERR_MALFORMED;
  return kopi_ctx_stream(ctx, codec, wrapper->magic, wrapper->value.ptr, wrapper->value.len);
}

/* The size of the message at s->p, of which 12 bytes are then there. */
static kop_status next_size(kopi_source *s, size_t *size) {
  kop_status status = kopi_source_fill(s, KOP_BATCH_PREFIX_SIZE);
  if (status != KOP_OK) return status;
  if (kopi_source_left(s) < KOP_BATCH_PREFIX_SIZE) return KOP_ERR_NOT_FOUND;
  int32_t length = (int32_t)kopi_load_be32(s->p + KOPI_AT_LENGTH);
  if (length < KOPI_OLD_SIZE_MIN) return KOP_ERR_MALFORMED;
  *size = (size_t)length + KOP_BATCH_PREFIX_SIZE;
  return KOP_OK;
}

kop_status kopi_wrapped_next(kopi_source *s, const uint8_t **bytes, size_t *size) {
  kop_status status = next_size(s, size);
  if (status == KOP_OK) status = kopi_source_fill(s, *size);
  if (status != KOP_OK) return status;
  if (kopi_source_left(s) < *size) return KOP_ERR_NOT_FOUND;
  *bytes = s->p;
  s->p += *size;
  return KOP_OK;
}

kop_status kopi_wrapped_base(kop_record_ctx *ctx, const kopi_message *wrapper, int64_t *base) {
  kopi_source *s = &ctx->source;
  kop_status status = kopi_wrapped_stream(ctx, wrapper);
  if (status != KOP_OK) return status;
  int64_t last = 0;
  int32_t found = 0;
  for (;;) {
    size_t size;
    status = next_size(s, &size);
    if (status == KOP_ERR_NOT_FOUND) break;
    if (status != KOP_OK) return status;
    int64_t offset = (int64_t)kopi_load_be64(s->p);
    status = kopi_source_skip(s, size);
    if (status == KOP_ERR_TRUNCATED) break; /* a partial message at the end is no message */
    if (status != KOP_OK) return status;
    last = offset;
    found = 1;
  }
  if (!found) return KOP_ERR_MALFORMED;
  *base = 0;
  if (wrapper->magic == 0 || wrapper->offset == 0) return KOP_OK;
  if (wrapper->offset < last) return KOP_ERR_MALFORMED;
  *base = kopi_wrap_sub(wrapper->offset, last);
  return KOP_OK;
}
