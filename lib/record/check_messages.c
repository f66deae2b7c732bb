/*
 * Validation of messages of magic 0 and 1, as Produce 0 to 2 brings them.
 *
 * The checksum of an entry was compared before; that of each message inside a compressed one is compared here.
 * Offsets inside are not trusted (clients exist that write 0 in all of them): they are assigned anew, and what counts is
 * how many messages there are.
 */
#include "base/endian.h"
#include "record/batch.h"
#include "record/check.h"
#include "record/kafka_code.h"
#include "record/layout.h"
#include "record/wrapped.h"

static void note(kopi_check *c, int64_t timestamp) {
  if (timestamp > c->max_timestamp) {
    c->max_timestamp = timestamp;
    c->offset_of_max = c->index;
  }
  c->index++;
  c->info->count = c->index;
}

static kop_status check_inner(kopi_check *c, const kopi_message *wrapper) {
  kopi_source *s = &c->ctx->source;
  kop_record_ctx *ctx = c->ctx;
  int appended = kopi_message_timestamp_type(wrapper) == KOP_TIMESTAMP_LOG_APPEND;
  kop_status status = kopi_wrapped_stream(ctx, wrapper);
  if (status != KOP_OK) return kopi_refuse_status(c, status);
  for (;;) {
    kopi_message m;
    status = kopi_wrapped_message(s, wrapper, &m);
    if (status == KOP_ERR_NOT_FOUND) break;
    if (status != KOP_OK) return kopi_refuse_status(c, status);
    if ((m.attributes & KOP_BATCH_CODEC_MASK) != 0) {
      return kopi_refuse(c, KOPI_KAFKA_INVALID_RECORD,
                         "a message inside a compressed one is compressed");
    }
    const uint8_t *bytes = s->p - m.size;
    if (kopi_load_be32(bytes + KOPI_OLD_AT_CRC) != kopi_message_crc(bytes, m.size)) {
      return kopi_refuse_status(c, KOP_ERR_CHECKSUM);
    }
    if (m.magic != wrapper->magic) {
      status =
          kopi_refuse_record(c, KOPI_KAFKA_INVALID_RECORD, "the message's magic is not its set's");
    } else {
      status = kopi_check_record(c, m.key.ptr != NULL, m.timestamp, appended);
    }
    if (status != KOP_OK) return status;
    note(c, m.timestamp);
  }
  return kopi_refuse_noted(c);
}

kop_status kopi_check_message(kopi_check *c, const uint8_t *bytes, size_t size) {
  kopi_message m;
  kop_status status = kopi_message_parse(bytes, size, &m);
  if (status != KOP_OK) return kopi_refuse_status(c, status);
  if ((m.attributes & KOP_BATCH_CODEC_MASK) != KOP_CODEC_NONE) {
    int64_t base;
    status = kopi_wrapped_base(c->ctx, &m, &base);
    if (status == KOP_ERR_UNSUPPORTED)
      status = KOP_ERR_MALFORMED; /* zstd, which Kafka calls an invalid record here */
    return status == KOP_OK ? check_inner(c, &m) : kopi_refuse_status(c, status);
  }
  int appended = kopi_message_timestamp_type(&m) == KOP_TIMESTAMP_LOG_APPEND;
  status = kopi_check_record(c, m.key.ptr != NULL, m.timestamp, appended);
  if (status != KOP_OK) return status;
  note(c, m.timestamp);
  return kopi_refuse_noted(c);
}
