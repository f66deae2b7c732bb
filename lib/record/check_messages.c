/*
 * Validation of messages of magic 0 and 1, as Produce 0 to 2 brings them.
 *
 * The checksum of an entry was compared before; that of each message inside a compressed one is compared here.
 * Offsets inside are not trusted (clients exist that write 0 in all of them): they are assigned anew, and what
 * counts is how many messages there are.
 */
#include <kop/kafka_error.h>

#include "base/endian.h"
#include "record/batch.h"
#include "record/check.h"
#include "record/layout.h"
#include "record/wrapped.h"

static void count_message(kopi_check *c, int64_t timestamp) {
  if (timestamp > c->max_timestamp) {
    c->max_timestamp = timestamp;
    c->offset_of_max = c->info->count;
  }
  c->info->count++;
}

/* One message inside `wrapper`, `size` bytes. */
static kop_status check_inner(kopi_check *c, const kopi_message *wrapper, const uint8_t *bytes,
                              size_t size) {
  if ((bytes[KOPI_OLD_AT_ATTRIBUTES] & KOP_BATCH_CODEC_MASK) != 0) {
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD,
                       "a message inside a compressed one is compressed");
  }
  if (bytes[KOPI_OLD_AT_MAGIC] != wrapper->magic) {
    return kopi_refuse_record(c, KOP_KAFKA_INVALID_RECORD, "the message's magic is not its set's");
  }
  if (kopi_load_be32(bytes + KOPI_OLD_AT_CRC) != kopi_message_crc(bytes, size)) {
    return kopi_refuse_status(c, KOP_ERR_CHECKSUM);
  }
  kopi_message m;
  kop_status status = kopi_message_parse(bytes, size, &m);
  if (status != KOP_OK) return kopi_refuse_status(c, status);
  int appended = kopi_message_timestamp_type(wrapper) == KOP_TIMESTAMP_LOG_APPEND;
  int64_t timestamp = appended ? wrapper->timestamp : m.timestamp;
  status = kopi_check_record(c, m.key.ptr != NULL, timestamp, appended);
  count_message(c, timestamp);
  return status;
}

static kop_status check_set(kopi_check *c, const kopi_message *wrapper) {
  kopi_source *s = &c->ctx->source;
  int64_t base; /* not used, but a wrapper offset that cannot be is refused */
  kop_status status = kopi_wrapped_base(c->ctx, wrapper, &base);
  if (status == KOP_OK) status = kopi_wrapped_stream(c->ctx, wrapper);
  if (status == KOP_ERR_UNSUPPORTED) status = KOP_ERR_MALFORMED; /* zstd, which came later */
  while (status == KOP_OK) {
    const uint8_t *bytes;
    size_t size;
    status = kopi_wrapped_next(s, &bytes, &size);
    if (status != KOP_OK) break;
    status = check_inner(c, wrapper, bytes, size);
    if (status != KOP_OK) return status;
    c->index++;
  }
  return status == KOP_ERR_NOT_FOUND ? kopi_refuse_noted(c) : kopi_refuse_status(c, status);
}

kop_status kopi_check_message(kopi_check *c, const uint8_t *bytes, size_t size) {
  c->step = KOP_STEP_RECORDS;
  kopi_message m;
  kop_status status = kopi_message_parse(bytes, size, &m);
  if (status != KOP_OK) return kopi_refuse_status(c, status);
  c->index = 0;
  if ((m.attributes & KOP_BATCH_CODEC_MASK) != KOP_CODEC_NONE) return check_set(c, &m);
  int appended = kopi_message_timestamp_type(&m) == KOP_TIMESTAMP_LOG_APPEND;
  status = kopi_check_record(c, m.key.ptr != NULL, m.timestamp, appended);
  if (status != KOP_OK) return status;
  count_message(c, m.timestamp);
  return kopi_refuse_noted(c);
}
