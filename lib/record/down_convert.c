/*
 * Batches for consumers older than magic 2.
 *
 * Offsets stay, so a set may have holes. Batches keep their codec: a compressed batch becomes a compressed message. Records
 * before the offset asked for are dropped only from uncompressed batches, as in those magics a message that is not compressed
 * stands alone and such consumers expect to begin with the one they asked for.
 */
#include "base/buf.h"
#include "record/batch.h"
#include "record/builder.h"
#include "record/ctx.h"
#include "record/layout.h"
#include "record/message.h"

/* What a conversion carries along. */
typedef struct down {
  kop_record_ctx *ctx;
  kop_batch_builder *builder;
  kopi_buf out;
  int64_t first_offset;
  int32_t magic;
} down;

static int32_t entry_traits(const uint8_t *entry, int32_t magic, int32_t *timestamp_type,
                            int64_t *timestamp) {
  if (magic == 2) {
    kop_batch_head head;
    kopi_head_load(entry, &head);
    int append_time = (head.attributes & KOP_BATCH_LOG_APPEND_TIME) != 0;
    *timestamp_type = append_time ? KOP_TIMESTAMP_LOG_APPEND : KOP_TIMESTAMP_CREATE;
    *timestamp = head.max_timestamp;
    return head.attributes;
  }
  /* Only magic 1 to 0 comes here, and magic 0 has no time. */
  *timestamp_type = KOP_TIMESTAMP_CREATE;
  *timestamp = -1;
  return entry[KOPI_OLD_AT_ATTRIBUTES] & KOP_BATCH_CODEC_MASK;
}

static kop_status begin_set(down *d, const kop_record *first, int32_t codec, int32_t timestamp_type,
                            int64_t timestamp) {
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.magic = d->magic;
  options.codec = codec;
  options.base_offset = first->offset;
  options.timestamp_type = timestamp_type;
  options.log_append_ms = timestamp;
  options.max_bytes = d->out.limit - d->out.len;
  return kop_batch_builder_begin(d->builder, &options);
}

static kop_status convert_entry(down *d, const uint8_t *entry, size_t size, int32_t magic) {
  int32_t timestamp_type;
  int64_t timestamp;
  int32_t attributes = entry_traits(entry, magic, &timestamp_type, &timestamp);
  int32_t codec = attributes & KOP_BATCH_CODEC_MASK;
  if (magic == 2 && (attributes & KOP_BATCH_CONTROL) != 0) return KOP_OK;
  if (codec > KOP_CODEC_LZ4) return KOP_ERR_UNSUPPORTED;
  int32_t count = 0;
  kop_status status = kop_record_begin(d->ctx, entry, size);
  while (status == KOP_OK) {
    kop_record record;
    status = kop_record_next(d->ctx, &record);
    if (status != KOP_OK) break;
    if (codec == KOP_CODEC_NONE && record.offset < d->first_offset) continue;
    if (count++ == 0) status = begin_set(d, &record, codec, timestamp_type, timestamp);
    if (status == KOP_OK) status = kopi_builder_copy(d->builder, record.offset, &record);
  }
  if (status == KOP_ERR_INVALID)
    return KOP_ERR_MALFORMED; /* offsets that do not rise, or below 0 */
  if (status != KOP_ERR_NOT_FOUND) return status;
  if (count == 0) return KOP_OK;
  const uint8_t *set;
  size_t len;
  status = kop_batch_builder_finish(d->builder, &set, &len);
  if (status != KOP_OK) return status;
  kopi_buf_put(&d->out, set, len);
  return d->out.status;
}

kop_status kop_batch_down_convert(kop_record_ctx *ctx, const uint8_t *bytes, size_t len,
                                  int32_t magic, int64_t first_offset, size_t max_bytes,
                                  uint8_t **out, size_t *out_len) {
  *out = NULL;
  *out_len = 0;
  if (magic < 0 || magic > 1) return KOP_ERR_INVALID;
  down d = {.ctx = ctx, .first_offset = first_offset, .magic = magic};
  kop_status status = kopi_ctx_builder(ctx, &d.builder);
  if (status != KOP_OK) return status;
  kopi_buf_init(&d.out, &ctx->alloc, max_bytes > INT32_MAX ? (size_t)INT32_MAX : max_bytes);
  for (size_t at = 0, size; at < len; at += size) {
    int32_t found;
    status = kop_batch_next(bytes + at, len - at, &size, &found);
    if (status == KOP_ERR_TRUNCATED) {
      status = KOP_OK; /* a partial batch at the end */
      break;
    }
    if (status != KOP_OK) break;
    if (found <= magic) {
      kopi_buf_put(&d.out, bytes + at, size);
      status = d.out.status;
    } else {
      status = convert_entry(&d, bytes + at, size, found);
    }
    if (status != KOP_OK) break;
  }
  ctx->iteration.active = 0;
  if (status != KOP_OK) {
    kopi_buf_free(&d.out);
    return status;
  }
  *out = d.out.data;
  *out_len = d.out.len;
  return KOP_OK;
}
