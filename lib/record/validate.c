/*
 * Validation of what a client produced: the payload, its entries, the head of a batch.
 *
 * The order is Kafka's, because it decides which error a client sees. KOP_STEP_:
 *
 *    SHAPE     the request's version against the first batch: magic, zstd, exactly one batch      (Produce 3 and later)
 *    ENTRY     each entry: framing, base offset 0, max.message.bytes, checksum, known codec
 *    HEAD      one batch only, if any is compressed or has magic 2; then each entry: same magic as the first, offset
 *              range, count, control, sequence
 *    RECORDS   its records: check_records.c (magic 2) and check_messages.c (magic 0 and 1)
 *    SEGMENT   segment.bytes
 *
 * Where Kafka fails with an internal error (a stream that cannot be decompressed, an unknown codec, null records), the
 * client is told INVALID_RECORD or UNSUPPORTED_COMPRESSION_TYPE. Two things are stricter: a record in a
 * compressed batch must fill its length, which Kafka leaves for consumers to stumble on; and offset deltas that are not
 * 0, 1, 2, ... cause a rebuild in uncompressed batches too, where Kafka stores them as they are.
 */
#include <kop/kafka_error.h>

#include <string.h>

#include "base/alloc.h"
#include "base/endian.h"
#include "base/sized.h"
#include "record/batch.h"
#include "record/check.h"
#include "record/layout.h"

enum {
  DEFAULT_MAX_MESSAGE = 1024 * 1024 + KOP_BATCH_PREFIX_SIZE,
  DEFAULT_AFTER_MS = 3600000,
  DEFAULT_PRODUCE_VERSION = 13,
  DEFAULT_MAX_ERRORS = 1000,
  FIRST_WITH_BATCHES = 3, /* Produce versions */
  FIRST_WITH_ZSTD = 7
};

void kop_batch_rules_init(kop_batch_rules *rules, size_t size) {
  kop_batch_rules defaults = {
      .size = size,
      .before_max_ms = INT64_MAX,
      .after_max_ms = DEFAULT_AFTER_MS,
      .max_message_bytes = DEFAULT_MAX_MESSAGE,
      .max_segment_bytes = INT32_MAX,
      .produce_version = DEFAULT_PRODUCE_VERSION,
      .timestamp_type = KOP_TIMESTAMP_CREATE,
      .codec = KOP_CODEC_KEEP,
      .max_record_errors = DEFAULT_MAX_ERRORS,
  };
  kopi_sized_defaults(rules, size, &defaults, sizeof defaults);
}

kop_status kopi_rules_load(kop_batch_rules *own, const kop_batch_rules *given) {
  kop_batch_rules_init(own, sizeof *own);
  kop_status status = kopi_sized_load(own, sizeof *own, given);
  if (status != KOP_OK) return status;
  if (own->timestamp_type != KOP_TIMESTAMP_CREATE &&
      own->timestamp_type != KOP_TIMESTAMP_LOG_APPEND) {
    return KOP_ERR_INVALID;
  }
  if (own->codec < KOP_CODEC_KEEP || own->codec > KOP_CODEC_ZSTD) return KOP_ERR_INVALID;
  if (own->max_message_bytes < 0 || own->max_segment_bytes < 0 || own->max_record_errors < 0) {
    return KOP_ERR_INVALID;
  }
  return KOP_OK;
}

kop_status kopi_refuse(kopi_check *c, int16_t error, const char *message) {
  c->info->error = error;
  c->info->message = message;
  c->info->step = (uint8_t)c->step;
  c->info->record_errors = NULL;
  c->info->record_errors_len = 0;
  return KOP_ERR_STATE;
}

kop_status kopi_refuse_status(kopi_check *c, kop_status status) {
  switch (status) {
  case KOP_OK:
  case KOP_ERR_NOMEM:
    return status;
  case KOP_ERR_LIMIT:
    return kopi_refuse(c, KOP_KAFKA_MESSAGE_TOO_LARGE, "the batch expands to more than is allowed");
  case KOP_ERR_UNSUPPORTED:
    return kopi_refuse(c, KOP_KAFKA_UNSUPPORTED_COMPRESSION_TYPE, "unknown compression codec");
  case KOP_ERR_CHECKSUM:
    return kopi_refuse(c, KOP_KAFKA_CORRUPT_MESSAGE, "a message does not match its checksum");
  case KOP_ERR_CODEC:
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD, "the batch cannot be decompressed");
  default:
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD, "a record is malformed");
  }
}

static kop_status grow_errors(kop_record_ctx *ctx, size_t max) {
  size_t cap = ctx->errors_cap == 0 ? 16 : ctx->errors_cap * 2;
  if (cap > max) cap = max;
  kop_record_error *errors = kopi_realloc(&ctx->alloc, ctx->errors, cap * sizeof *errors);
  if (errors == NULL) return KOP_ERR_NOMEM;
  ctx->errors = errors;
  ctx->errors_cap = cap;
  return KOP_OK;
}

kop_status kopi_refuse_record(kopi_check *c, int16_t error, const char *message) {
  kop_batch_info *info = c->info;
  c->errors++;
  if (error == KOP_KAFKA_INVALID_TIMESTAMP) c->bad_timestamps++;
  if (info->record_errors_len >= c->rules->max_record_errors) return KOP_OK;
  if ((size_t)info->record_errors_len == c->ctx->errors_cap) {
    kop_status status = grow_errors(c->ctx, (size_t)c->rules->max_record_errors);
    if (status != KOP_OK) return status;
  }
  c->ctx->errors[info->record_errors_len++] =
      (kop_record_error){.index = c->index, .message = message};
  info->record_errors = c->ctx->errors;
  return KOP_OK;
}

kop_status kopi_refuse_noted(kopi_check *c) {
  if (c->errors == 0) return KOP_OK;
  kop_batch_info *info = c->info;
  info->step = (uint8_t)c->step;
  info->error = c->bad_timestamps != 0 ? KOP_KAFKA_INVALID_TIMESTAMP : KOP_KAFKA_INVALID_RECORD;
  info->message = c->bad_timestamps != 0 ? "records were refused for their timestamp"
                                         : "records were refused; record_errors lists them";
  return KOP_ERR_STATE;
}

kop_status kopi_check_record(kopi_check *c, int has_key, int64_t timestamp, int appended) {
  if (c->rules->key_required && !has_key) {
    return kopi_refuse_record(c, KOP_KAFKA_INVALID_RECORD,
                              "a compacted topic needs a key in each record");
  }
  if (c->rules->timestamp_type == KOP_TIMESTAMP_CREATE && timestamp != -1) {
    if (!kopi_timestamp_out_of_range(c->rules, timestamp)) return KOP_OK;
    return kopi_refuse_record(c, KOP_KAFKA_INVALID_TIMESTAMP,
                              "the timestamp is out of the topic's range");
  }
  if (!appended) return KOP_OK;
  return kopi_refuse_record(c, KOP_KAFKA_INVALID_TIMESTAMP,
                            "a producer must not set LogAppendTime");
}

/* KOP_STEP_SHAPE. */
static kop_status check_version(kopi_check *c, const uint8_t *bytes, size_t len) {
  if (c->rules->produce_version < FIRST_WITH_BATCHES) return KOP_OK;
  size_t size;
  int32_t magic;
  kop_status status = kopi_entry_next(bytes, len, &size, &magic);
  if (status == KOP_ERR_MALFORMED) {
    return kopi_refuse(c, KOP_KAFKA_CORRUPT_MESSAGE,
                       "the first entry has an impossible size or magic");
  }
  if (status != KOP_OK) {
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD, "no whole batch in the request");
  }
  if (magic != 2) {
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD,
                       "from version 3 on, Produce carries batches with magic 2");
  }
  int32_t codec = bytes[KOPI_AT_ATTRIBUTES + 1] & KOP_BATCH_CODEC_MASK;
  if (codec == KOP_CODEC_ZSTD && c->rules->produce_version < FIRST_WITH_ZSTD) {
    return kopi_refuse(c, KOP_KAFKA_UNSUPPORTED_COMPRESSION_TYPE, "zstd needs Produce version 7");
  }
  status = kopi_entry_next(bytes + size, len - size, &size, &magic);
  if (status == KOP_ERR_MALFORMED) {
    return kopi_refuse(c, KOP_KAFKA_CORRUPT_MESSAGE, "what follows the batch is no batch");
  }
  if (status == KOP_OK) {
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD,
                       "Produce carries exactly one batch per partition");
  }
  return KOP_OK;
}

static int32_t entry_codec(const uint8_t *entry, int32_t magic) {
  uint8_t low = magic == 2 ? entry[KOPI_AT_ATTRIBUTES + 1] : entry[KOPI_OLD_AT_ATTRIBUTES];
  return low & KOP_BATCH_CODEC_MASK;
}

/* KOP_STEP_ENTRY for one entry. */
static kop_status check_entry(kopi_check *c, const uint8_t *entry, size_t size, int32_t magic) {
  if (magic == 2 && !c->rules->control_allowed && kopi_load_be64(entry + KOPI_AT_OFFSET) != 0) {
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD, "a produced batch has base offset 0");
  }
  if (size > (size_t)c->rules->max_message_bytes) {
    return kopi_refuse(c, KOP_KAFKA_MESSAGE_TOO_LARGE,
                       "the batch is larger than max.message.bytes");
  }
  kop_status status = kopi_entry_check_crc(entry, size, magic);
  if (status != KOP_OK) {
    return kopi_refuse(c, KOP_KAFKA_CORRUPT_MESSAGE, "the batch does not match its checksum");
  }
  if (entry_codec(entry, magic) > KOP_CODEC_ZSTD) return kopi_refuse_status(c, KOP_ERR_UNSUPPORTED);
  return KOP_OK;
}

/* Framing to the number of entries. Leaves codec, magic and payload_len in the info. */
static kop_status check_entries(kopi_check *c, const uint8_t *bytes, size_t len) {
  kop_batch_info *info = c->info;
  c->step = KOP_STEP_ENTRY;
  int32_t entries = 0;
  size_t at = 0;
  for (;;) {
    size_t size;
    int32_t magic;
    kop_status status = kopi_entry_next(bytes + at, len - at, &size, &magic);
    if (status == KOP_ERR_MALFORMED) {
      return kopi_refuse(c, KOP_KAFKA_CORRUPT_MESSAGE, "an entry has an impossible size or magic");
    }
    if (status != KOP_OK) break;
    status = check_entry(c, bytes + at, size, magic);
    if (status != KOP_OK) return status;
    int32_t codec = entry_codec(bytes + at, magic);
    if (codec != KOP_CODEC_NONE) info->codec = codec;
    if (entries++ == 0) info->magic = (int8_t)magic;
    at += size;
  }
  info->payload_len = at;
  c->step = KOP_STEP_HEAD;
  if (entries > 1 && (info->magic == 2 || info->codec != KOP_CODEC_NONE)) {
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD, "a compressed set consists of one entry");
  }
  return KOP_OK;
}

/* KOP_STEP_HEAD for a batch with magic 2. */
static kop_status check_head(kopi_check *c, const kop_batch_head *head) {
  if (c->rules->control_allowed) return KOP_OK;
  if (head->last_offset_delta < 0) {
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD, "the batch has no offset range");
  }
  if (head->count <= 0) {
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD, "the batch has no records");
  }
  if ((int64_t)head->last_offset_delta + 1 != head->count) {
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD, "offset range and count of the batch disagree");
  }
  if ((head->attributes & KOP_BATCH_CONTROL) != 0) {
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD, "clients cannot write control batches");
  }
  if (head->producer_id > -1 && head->base_sequence < 0) {
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD, "an idempotent batch needs a base sequence");
  }
  return KOP_OK;
}

static kop_status check_batch(kopi_check *c, const uint8_t *batch, size_t size) {
  kop_batch_info *info = c->info;
  kop_batch_head head;
  kopi_head_load(batch, &head);
  c->step = KOP_STEP_HEAD;
  kop_status status = check_head(c, &head);
  c->step = KOP_STEP_RECORDS;
  if (status == KOP_OK) status = kopi_check_records(c, batch, size, &head);
  if (status != KOP_OK) return status;

  if (head.producer_id > -1) {
    info->producer_id = head.producer_id;
    info->producer_epoch = head.producer_epoch;
    info->first_sequence = head.base_sequence < 0 ? -1 : head.base_sequence;
    info->last_sequence = kopi_sequence_add(head.base_sequence, head.last_offset_delta);
  }
  info->attributes = head.attributes;

  int control = (head.attributes & KOP_BATCH_CONTROL) != 0;
  int keep = c->rules->codec == KOP_CODEC_KEEP || (control && info->codec == KOP_CODEC_NONE);
  if (!keep && c->rules->codec != info->codec) info->rebuild |= KOP_REBUILD_CODEC;

  int append_time = c->rules->timestamp_type == KOP_TIMESTAMP_LOG_APPEND;
  int64_t max = append_time ? c->rules->now_ms : c->max_timestamp;
  int16_t wanted = append_time ? KOP_BATCH_LOG_APPEND_TIME : 0;
  if ((head.attributes & KOP_BATCH_LOG_APPEND_TIME) != wanted || head.max_timestamp != max) {
    const int16_t kept = KOP_BATCH_CODEC_MASK | KOP_BATCH_TRANSACTIONAL | KOP_BATCH_CONTROL |
                         KOP_BATCH_DELETE_HORIZON;
    info->attributes = (int16_t)((head.attributes & kept) | wanted);
    info->head_differs = 1;
  }
  return KOP_OK;
}

/* Each entry's content, and the whole. */
static kop_status check_content(kopi_check *c, const uint8_t *bytes) {
  kop_batch_info *info = c->info;
  for (size_t at = 0; at < info->payload_len;) {
    size_t size;
    int32_t magic;
    (void)kopi_entry_next(bytes + at, info->payload_len - at, &size, &magic);
    c->step = KOP_STEP_HEAD;
    if (magic != info->magic) {
      return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD, "the entries differ in magic");
    }
    kop_status status =
        magic == 2 ? check_batch(c, bytes + at, size) : kopi_check_message(c, bytes + at, size);
    if (status != KOP_OK) return status;
    at += size;
  }
  c->step = KOP_STEP_SEGMENT;
  if (info->magic != 2 && info->count > 0) {
    info->rebuild |= KOP_REBUILD_MAGIC;
    if (c->rules->codec != KOP_CODEC_KEEP && c->rules->codec != info->codec) {
      info->rebuild |= KOP_REBUILD_CODEC;
    }
  }
  if (info->rebuild == 0 && info->payload_len > (size_t)c->rules->max_segment_bytes) {
    return kopi_refuse(c, KOP_KAFKA_RECORD_LIST_TOO_LARGE, "the batch is larger than a segment");
  }
  return KOP_OK;
}

kop_status kop_batch_validate(kop_record_ctx *ctx, const uint8_t *bytes, size_t len,
                              const kop_batch_rules *rules, kop_batch_info *info,
                              size_t info_size) {
  kop_batch_rules own;
  kop_status status = kopi_rules_load(&own, rules);
  if (status != KOP_OK) return status;
  if (info_size != sizeof *info) return KOP_ERR_INVALID;
  ctx->iteration.active = 0;
  *info = (kop_batch_info){
      .max_timestamp = -1,
      .offset_of_max = -1,
      .producer_id = -1,
      .producer_epoch = -1,
      .first_sequence = -1,
      .last_sequence = -1,
  };
  kopi_check c = {.ctx = ctx,
                  .rules = &own,
                  .info = info,
                  .max_timestamp = -1,
                  .offset_of_max = -1,
                  .step = KOP_STEP_SHAPE};
  if (bytes == NULL) {
    status = kopi_refuse(&c, KOP_KAFKA_INVALID_RECORD, "the records are null");
  } else {
    status = check_version(&c, bytes, len);
  }
  if (status == KOP_OK) status = check_entries(&c, bytes, len);
  if (status == KOP_OK) status = check_content(&c, bytes);
  if (status == KOP_ERR_STATE) return KOP_OK; /* refused: info tells */
  if (status != KOP_OK) return status;

  info->max_timestamp = c.max_timestamp;
  info->offset_of_max = c.offset_of_max;
  if (own.timestamp_type == KOP_TIMESTAMP_LOG_APPEND && info->count > 0) {
    info->max_timestamp = own.now_ms;
    info->offset_of_max = 0;
  }
  return KOP_OK;
}

kop_status kop_batch_accept(uint8_t *batch, const kop_batch_info *info) {
  if (info->error != 0 || info->rebuild != 0) return KOP_ERR_STATE;
  if (!info->head_differs) return KOP_OK;
  kop_batch_head head;
  kop_status status = kop_batch_head_decode(batch, KOP_BATCH_HEAD_SIZE, &head);
  if (status != KOP_OK) return status;
  head.attributes = info->attributes;
  head.max_timestamp = info->max_timestamp;
  return kop_batch_head_patch(batch, &head);
}
