/*
 * Writing batches.
 *
 *    magic 2:             out = [61 bytes for the head][records]              records plain or through the encoder
 *    magic 0, 1 plain:    out = [message][message]...
 *    magic 0, 1, codec:   out = [room for the wrapper][set of messages, through the encoder]
 *
 * What has a codec is first written to `stage` and goes from there to the encoder in pieces of tens of KiB. The output's limit is
 * above max_bytes by the encoder's slack; the batch is measured against max_bytes itself.
 */
#include "record/builder.h"

#include <string.h>

#include "base/alloc.h"
#include "base/endian.h"
#include "base/sized.h"
#include "record/batch.h"
#include "record/encoder.h"
#include "record/layout.h"
#include "record/message.h"
#include "record/record2.h"

enum {
  STAGE = 32 * 1024,
  STAGE_KEPT =
      1024 * 1024, /* one that a large record made larger is given back with the next batch */
  DEFAULT_MAX_BYTES = 64 * 1024 * 1024
};

struct kop_batch_builder {
  kop_alloc alloc;
  kop_batch_options options;
  kopi_buf out;
  kopi_buf stage;
  kopi_encoder *encoder; /* made when a codec is first asked for */
  int32_t open;
  int32_t count;
  size_t head;  /* bytes at the front of out that are filled in at the end */
  size_t plain; /* bytes of records before compression */
  int64_t last_offset;
  int64_t base_timestamp;
  int64_t max_timestamp;
};

kop_status kop_batch_builder_new(const kop_alloc *alloc, kop_batch_builder **out) {
  kop_alloc own;
  kop_status status = kopi_alloc_init(&own, alloc);
  if (status != KOP_OK) return status;
  kop_batch_builder *b = kopi_calloc(&own, 1, sizeof *b);
  if (b == NULL) return KOP_ERR_NOMEM;
  b->alloc = own;
  kopi_buf_init(&b->out, &b->alloc, 0);
  kopi_buf_init(&b->stage, &b->alloc, 0);
  *out = b;
  return KOP_OK;
}

void kop_batch_builder_free(kop_batch_builder *builder) {
  if (builder == NULL) return;
  kop_alloc alloc = builder->alloc;
  kopi_buf_free(&builder->out);
  kopi_buf_free(&builder->stage);
  kopi_encoder_free(builder->encoder);
  kopi_free(&alloc, builder);
}

void kop_batch_options_init(kop_batch_options *options, size_t size) {
  kop_batch_options defaults = {
      .size = size,
      .max_bytes = DEFAULT_MAX_BYTES,
      .producer_id = -1,
      .log_append_ms = -1,
      .leader_epoch = -1,
      .base_sequence = -1,
      .magic = 2,
      .codec = KOP_CODEC_NONE,
      .level = KOP_LEVEL_DEFAULT,
      .timestamp_type = KOP_TIMESTAMP_CREATE,
      .producer_epoch = -1,
  };
  kopi_sized_defaults(options, size, &defaults, sizeof defaults);
}

static kop_status check_options(const kop_batch_options *o) {
  if (o->magic < 0 || o->magic > 2) return KOP_ERR_UNSUPPORTED;
  if (o->codec < KOP_CODEC_NONE || o->codec > KOP_CODEC_ZSTD) return KOP_ERR_UNSUPPORTED;
  if (o->magic < 2 && o->codec == KOP_CODEC_ZSTD) return KOP_ERR_UNSUPPORTED;
  if (o->max_bytes > INT32_MAX || o->base_offset < 0) return KOP_ERR_INVALID;
  if (o->timestamp_type != KOP_TIMESTAMP_CREATE && o->timestamp_type != KOP_TIMESTAMP_LOG_APPEND) {
    return KOP_ERR_INVALID;
  }
  if ((o->flags & ~(KOP_BATCH_TRANSACTIONAL | KOP_BATCH_CONTROL)) != 0) return KOP_ERR_INVALID;
  if (o->magic < 2 && (o->flags != 0 || o->producer_id != -1)) return KOP_ERR_INVALID;
  if (o->producer_epoch < INT16_MIN || o->producer_epoch > INT16_MAX) return KOP_ERR_INVALID;
  return KOP_OK;
}

static size_t head_size(const kop_batch_options *o) {
  if (o->magic == 2) return KOP_BATCH_HEAD_SIZE;
  if (o->codec == KOP_CODEC_NONE) return 0;
  return o->magic == 1 ? (size_t)KOPI_OLD_OVERHEAD_V1 : (size_t)KOPI_OLD_OVERHEAD_V0;
}

static kop_status begin_encoder(kop_batch_builder *b) {
  kop_status status = KOP_OK;
  if (b->encoder == NULL) status = kopi_encoder_new(&b->alloc, &b->encoder);
  if (status != KOP_OK) return status;
  return kopi_encoder_begin(b->encoder, b->options.codec, b->options.magic, b->options.level,
                            &b->out);
}

kop_status kop_batch_builder_begin(kop_batch_builder *builder, const kop_batch_options *options) {
  kop_batch_builder *b = builder;
  b->open = 0;
  kop_batch_options_init(&b->options, sizeof b->options);
  kop_status status = kopi_sized_load(&b->options, sizeof b->options, options);
  if (status == KOP_OK) status = check_options(&b->options);
  if (status != KOP_OK) return status;
  b->count = 0;
  b->plain = 0;
  b->last_offset = b->options.base_offset - 1;
  b->base_timestamp = -1;
  b->max_timestamp = -1;
  b->head = head_size(&b->options);
  kopi_buf_reset(&b->out);
  if (b->stage.cap > STAGE_KEPT) kopi_buf_free(&b->stage);
  kopi_buf_reset(&b->stage);
  b->out.limit = b->options.max_bytes + KOPI_ENCODER_SLACK;
  b->stage.limit = (size_t)INT32_MAX + STAGE;
  if (b->head != 0 && kopi_buf_reserve(&b->out, b->head) == NULL) return b->out.status;
  b->out.len = b->head;
  if (b->options.codec != KOP_CODEC_NONE) status = begin_encoder(b);
  b->open = status == KOP_OK;
  return status;
}

/* Room for a record's bytes: in the batch itself, or in the stage. */
static kop_status room_for(kop_batch_builder *b, size_t size, kopi_buf **to, uint8_t **p) {
  *to = &b->out;
  if (b->options.codec != KOP_CODEC_NONE) {
    *to = &b->stage;
  } else if (size > b->options.max_bytes || b->out.len > b->options.max_bytes - size) {
    return KOP_ERR_LIMIT;
  }
  *p = kopi_buf_reserve(*to, size);
  return *p == NULL ? (*to)->status : KOP_OK;
}

static kop_status flush_stage(kop_batch_builder *b) {
  kop_status status = kopi_encoder_write(b->encoder, b->stage.data, b->stage.len);
  kopi_buf_reset(&b->stage);
  if (status != KOP_OK) return status;
  return b->out.len > b->options.max_bytes ? KOP_ERR_LIMIT : KOP_OK;
}

/* After a record's bytes were written into `to`. */
static kop_status written(kop_batch_builder *b, kopi_buf *to, size_t size, int64_t offset,
                          int64_t timestamp) {
  to->len += size;
  b->plain += size;
  b->count++;
  b->last_offset = offset;
  if (timestamp > b->max_timestamp) b->max_timestamp = timestamp;
  return to == &b->stage && b->stage.len >= STAGE ? flush_stage(b) : KOP_OK;
}

static kop_status append2(kop_batch_builder *b, int64_t offset, const kop_record_in *record,
                          const kop_slice *raw) {
  if (b->count == 0) b->base_timestamp = record->timestamp;
  int64_t timestamp_delta = kopi_wrap_sub(record->timestamp, b->base_timestamp);
  int32_t offset_delta = (int32_t)(offset - b->options.base_offset);
  size_t body = kopi_record2_body_size(timestamp_delta, offset_delta, record, raw);
  if (body == SIZE_MAX) return KOP_ERR_LIMIT;
  size_t size = kopi_varint_size((int32_t)body) + body;
  kopi_buf *to;
  uint8_t *p;
  kop_status status = room_for(b, size, &to, &p);
  if (status != KOP_OK) return status;
  kopi_record2_write(p, body, timestamp_delta, offset_delta, record, raw);
  return written(b, to, size, offset, record->timestamp);
}

static uint8_t message_attributes(const kop_batch_options *o, int32_t codec) {
  int append_time = o->magic == 1 && o->timestamp_type == KOP_TIMESTAMP_LOG_APPEND;
  return (uint8_t)(codec | (append_time ? KOP_BATCH_LOG_APPEND_TIME : 0));
}

static kop_status append_message(kop_batch_builder *b, int64_t offset,
                                 const kop_record_in *record) {
  const kop_batch_options *o = &b->options;
  int relative = o->magic == 1 && o->codec != KOP_CODEC_NONE;
  kopi_message m = {
      .offset = relative ? offset - o->base_offset : offset,
      .timestamp =
          o->timestamp_type == KOP_TIMESTAMP_LOG_APPEND ? o->log_append_ms : record->timestamp,
      .key = record->key,
      .value = record->value,
      .attributes = message_attributes(o, KOP_CODEC_NONE),
      .magic = (uint8_t)o->magic,
  };
  size_t size = kopi_message_size(o->magic, &m.key, &m.value);
  if (size == SIZE_MAX) return KOP_ERR_LIMIT;
  kopi_buf *to;
  uint8_t *p;
  kop_status status = room_for(b, size, &to, &p);
  if (status != KOP_OK) return status;
  kopi_message_write(&m, p);
  return written(b, to, size, offset, o->magic == 1 ? m.timestamp : -1);
}

static kop_status append_at(kop_batch_builder *b, const kop_record_in *record,
                            const kop_slice *raw) {
  int64_t offset = record->offset == -1 ? b->last_offset + 1 : record->offset;
  if (offset <= b->last_offset) return KOP_ERR_INVALID;
  if (offset - b->options.base_offset > INT32_MAX || b->count == INT32_MAX) return KOP_ERR_LIMIT;
  return b->options.magic == 2 ? append2(b, offset, record, raw)
                               : append_message(b, offset, record);
}

kop_status kop_batch_builder_append(kop_batch_builder *builder, const kop_record_in *record) {
  if (!builder->open) return KOP_ERR_STATE;
  if (record->header_count < 0 || record->timestamp < -1) return KOP_ERR_INVALID;
  if (builder->options.magic < 2 && record->header_count != 0) return KOP_ERR_INVALID;
  for (int32_t i = 0; i < record->header_count; i++) {
    if (record->headers[i].key.ptr == NULL) return KOP_ERR_INVALID;
  }
  kop_status status = append_at(builder, record, NULL);
  int harmless = status == KOP_ERR_INVALID ||
                 (status == KOP_ERR_LIMIT && builder->options.codec == KOP_CODEC_NONE);
  if (status != KOP_OK && !harmless) builder->open = 0;
  return status;
}

kop_status kopi_builder_copy(kop_batch_builder *b, int64_t offset, const kop_record *record) {
  kop_record_in in = {
      .offset = offset,
      .timestamp = record->timestamp,
      .key = record->key,
      .value = record->value,
      .header_count = record->header_count,
  };
  return append_at(b, &in, &record->headers);
}

size_t kopi_builder_plain(const kop_batch_builder *b) {
  return b->plain;
}

size_t kop_batch_builder_size(const kop_batch_builder *builder) {
  if (!builder->open) return 0;
  if (builder->options.codec == KOP_CODEC_NONE) return builder->out.len;
  return builder->head + kopi_encoder_bound(builder->plain);
}

static void fill_head(kop_batch_builder *b) {
  const kop_batch_options *o = &b->options;
  int append_time = o->timestamp_type == KOP_TIMESTAMP_LOG_APPEND;
  kop_batch_head head = {
      .base_offset = o->base_offset,
      .length = (int32_t)(b->out.len - KOP_BATCH_PREFIX_SIZE),
      .leader_epoch = o->leader_epoch,
      .attributes = (int16_t)(o->codec | o->flags | (append_time ? KOP_BATCH_LOG_APPEND_TIME : 0)),
      .last_offset_delta = (int32_t)(b->last_offset - o->base_offset),
      .base_timestamp = b->base_timestamp,
      .max_timestamp = append_time ? o->log_append_ms : b->max_timestamp,
      .producer_id = o->producer_id,
      .producer_epoch = (int16_t)o->producer_epoch,
      .base_sequence = o->base_sequence,
      .count = b->count,
  };
  kop_batch_head_encode(&head, b->out.data);
  kopi_batch_seal(b->out.data, b->out.len);
}

static void fill_wrapper(kop_batch_builder *b) {
  const kop_batch_options *o = &b->options;
  uint8_t *p = b->out.data;
  int append_time = o->timestamp_type == KOP_TIMESTAMP_LOG_APPEND;
  /* A message whose value is already there: written with a null one, then given its length and checksum. */
  kopi_message m = {
      .offset = b->last_offset,
      .timestamp = append_time ? o->log_append_ms : b->max_timestamp,
      .attributes = message_attributes(o, o->codec),
      .magic = (uint8_t)o->magic,
  };
  kopi_message_write(&m, p);
  kopi_store_be32(p + b->head - 4, (uint32_t)(b->out.len - b->head));
  kopi_store_be32(p + KOPI_AT_LENGTH, (uint32_t)(b->out.len - KOP_BATCH_PREFIX_SIZE));
  kopi_store_be32(p + KOPI_OLD_AT_CRC, kopi_message_crc(p, b->out.len));
}

kop_status kop_batch_builder_finish(kop_batch_builder *builder, const uint8_t **batch,
                                    size_t *len) {
  kop_batch_builder *b = builder;
  if (!b->open || b->count == 0) return KOP_ERR_STATE;
  b->open = 0;
  if (b->options.codec != KOP_CODEC_NONE) {
    kop_status status = flush_stage(b);
    if (status == KOP_OK) status = kopi_encoder_finish(b->encoder);
    if (status == KOP_OK) status = b->out.status;
    if (status != KOP_OK) return status;
  }
  if (b->out.len > b->options.max_bytes) return KOP_ERR_LIMIT;
  if (b->options.magic == 2) {
    fill_head(b);
  } else if (b->options.codec != KOP_CODEC_NONE) {
    fill_wrapper(b);
  }
  *batch = b->out.data;
  *len = b->out.len;
  return KOP_OK;
}

kop_status kopi_builder_take(kop_batch_builder *b, uint8_t **batch, size_t *len) {
  const uint8_t *lent;
  kop_status status = kop_batch_builder_finish(b, &lent, len);
  if (status != KOP_OK) return status;
  *batch = b->out.data;
  kopi_buf_init(&b->out, &b->alloc, 0);
  return KOP_OK;
}
