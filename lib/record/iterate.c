/*
 * Iteration over the records of one entry, whatever its magic and codec.
 *
 * Magic 2: the records follow the head, in memory or through the window. Magic 0 and 1 without a codec: the entry is
 * its one record. With a codec: its value is a set of messages (wrapped.c).
 */
#include "record/batch.h"
#include "record/ctx.h"
#include "record/layout.h"
#include "record/record2.h"
#include "record/wrapped.h"

static kop_status begin_batch(kop_record_ctx *ctx, const uint8_t *batch, size_t size) {
  kopi_iteration *it = &ctx->iteration;
  kop_status status = kop_batch_head_decode(batch, size, &it->head);
  if (status != KOP_OK) return status;
  if (it->head.count < 0) return KOP_ERR_MALFORMED;
  it->left = it->head.count;
  const uint8_t *records = batch + KOPI_AT_RECORDS;
  size_t len = size - KOPI_AT_RECORDS;
  int32_t codec = it->head.attributes & KOP_BATCH_CODEC_MASK;
  if (codec != KOP_CODEC_NONE && it->left > 0) return kopi_ctx_stream(ctx, codec, 2, records, len);
  kopi_source_plain(&ctx->source, records, len);
  return KOP_OK;
}

static kop_status begin_message(kop_record_ctx *ctx, const uint8_t *bytes, size_t size) {
  kopi_iteration *it = &ctx->iteration;
  kop_status status = kopi_message_parse(bytes, size, &it->message);
  if (status != KOP_OK) return status;
  it->wrapped = (it->message.attributes & KOP_BATCH_CODEC_MASK) != KOP_CODEC_NONE;
  it->left = 1;
  if (!it->wrapped) return KOP_OK;
  status = kopi_wrapped_base(ctx, &it->message, &it->inner_base);
  return status == KOP_OK ? kopi_wrapped_stream(ctx, &it->message) : status;
}

kop_status kop_record_begin(kop_record_ctx *ctx, const uint8_t *batch, size_t len) {
  ctx->iteration = (kopi_iteration){.active = 0};
  size_t size;
  int32_t magic;
  kop_status status = kop_batch_next(batch, len, &size, &magic);
  if (status != KOP_OK) return status;
  ctx->iteration.magic = magic;
  status = magic == 2 ? begin_batch(ctx, batch, size) : begin_message(ctx, batch, size);
  ctx->iteration.active = status == KOP_OK;
  return status;
}

/* The body of the next record with magic 2, in one piece. */
static kop_status next_body(kopi_source *s, const uint8_t **body, size_t *len) {
  kop_status status = kopi_source_fill(s, KOPI_VARINT_MAX);
  if (status != KOP_OK) return status;
  int32_t size;
  const uint8_t *p = kopi_varint_read2(s->p, s->end, &size);
  if (p == NULL || size < 0) return KOP_ERR_MALFORMED;
  size_t prefix = (size_t)(p - s->p);
  status = kopi_source_fill(s, prefix + (size_t)size);
  if (status != KOP_OK) return status;
  if (kopi_source_left(s) < prefix + (size_t)size) return KOP_ERR_MALFORMED;
  *body = s->p + prefix;
  *len = (size_t)size;
  s->p = *body + size;
  return KOP_OK;
}

static kop_status next_record2(kop_record_ctx *ctx, kop_record *out) {
  kopi_iteration *it = &ctx->iteration;
  if (it->left == 0) return KOP_ERR_NOT_FOUND;
  const uint8_t *body;
  size_t len;
  kop_status status = next_body(&ctx->source, &body, &len);
  if (status != KOP_OK) return status;
  kopi_record2 r;
  if (!kopi_record2_parse(body, body + len, &r)) return KOP_ERR_MALFORMED;
  it->left--;
  const kop_batch_head *head = &it->head;
  int append_time = (head->attributes & KOP_BATCH_LOG_APPEND_TIME) != 0;
  *out = (kop_record){
      .offset = kopi_wrap_add(head->base_offset, r.offset_delta),
      .timestamp = append_time ? head->max_timestamp
                               : kopi_wrap_add(head->base_timestamp, r.timestamp_delta),
      .key = r.key,
      .value = r.value,
      .headers = r.headers,
      .header_count = r.header_count,
      .sequence = kopi_sequence_add(head->base_sequence, r.offset_delta),
      .timestamp_type = append_time ? KOP_TIMESTAMP_LOG_APPEND : KOP_TIMESTAMP_CREATE,
      .size = (int32_t)(kopi_varint_size((int32_t)len) + len),
  };
  return KOP_OK;
}

static void from_message(const kopi_message *m, kop_record *out) {
  *out = (kop_record){
      .offset = m->offset,
      .timestamp = m->timestamp,
      .key = m->key,
      .value = m->value,
      .headers = {.ptr = NULL, .len = 0},
      .sequence = -1,
      .timestamp_type = kopi_message_timestamp_type(m),
      .size = (int32_t)m->size,
  };
}

static kop_status next_message(kop_record_ctx *ctx, kop_record *out) {
  kopi_iteration *it = &ctx->iteration;
  if (!it->wrapped) {
    if (it->left == 0) return KOP_ERR_NOT_FOUND;
    it->left = 0;
    from_message(&it->message, out);
    return KOP_OK;
  }
  const uint8_t *bytes;
  size_t size;
  kop_status status = kopi_wrapped_next(&ctx->source, &bytes, &size);
  if (status != KOP_OK) return status;
  kopi_message m;
  status = kopi_message_parse(bytes, size, &m);
  if (status != KOP_OK) return KOP_ERR_MALFORMED;
  if ((m.attributes & KOP_BATCH_CODEC_MASK) != 0) return KOP_ERR_MALFORMED; /* one level only */
  m.offset = kopi_wrap_add(m.offset, it->inner_base);
  from_message(&m, out);
  if (m.magic == 1) {
    out->timestamp_type = kopi_message_timestamp_type(&it->message);
    if (out->timestamp_type == KOP_TIMESTAMP_LOG_APPEND) out->timestamp = it->message.timestamp;
  }
  return KOP_OK;
}

kop_status kop_record_next(kop_record_ctx *ctx, kop_record *record) {
  kopi_iteration *it = &ctx->iteration;
  if (!it->active) return KOP_ERR_STATE;
  kop_status status = it->magic == 2 ? next_record2(ctx, record) : next_message(ctx, record);
  if (status == KOP_ERR_NOT_FOUND && it->magic == 2 && it->head.count > 0) {
    kop_status end = kopi_source_at_end(&ctx->source);
    if (end != KOP_OK) status = end;
  }
  if (status != KOP_OK && status != KOP_ERR_NOT_FOUND) it->active = 0;
  return status;
}
