/* Validation of the records of a batch with magic 2 that a client produced: the loop in which a broker spends its time. */
#include "record/batch.h"
#include "record/check.h"
#include <kop/kafka_error.h>
#include "record/layout.h"
#include "record/look.h"

static kop_status check_all(kopi_check *c, kopi_source *source, const kop_batch_head *head) {
  kopi_source *s = source;
  const kop_batch_rules *rules = c->rules;
  int appended = (head->attributes & KOP_BATCH_LOG_APPEND_TIME) != 0;
  int create = rules->timestamp_type == KOP_TIMESTAMP_CREATE;
  int32_t wrong_offsets = 0;
  int64_t max = -1;
  int64_t offset_of_max = -1;
  kopi_looked r;
  for (int32_t i = 0; i < head->count; i++) {
    kop_status status = kopi_look(s, &r);
    if (status != KOP_OK) return kopi_refuse_status(c, status);
    int64_t timestamp =
        appended ? head->max_timestamp : kopi_wrap_add(head->base_timestamp, r.timestamp_delta);
    wrong_offsets |= r.offset_delta ^ i;
    int suspect = (rules->key_required && !r.has_key) || appended ||
                  (create && kopi_timestamp_out_of_range(rules, timestamp));
    if (suspect) {
      c->index = i;
      status = kopi_check_record(c, r.has_key, timestamp, appended);
      if (status != KOP_OK) return status;
    }
    if (timestamp > max) {
      max = timestamp;
      offset_of_max = i;
    }
  }
  if (wrong_offsets != 0) c->info->rebuild |= KOP_REBUILD_OFFSETS;
  c->max_timestamp = max;
  c->offset_of_max = offset_of_max;
  return KOP_OK;
}

kop_status kopi_check_records(kopi_check *c, const uint8_t *batch, size_t size,
                              const kop_batch_head *head) {
  kopi_source *s = &c->ctx->source;
  const uint8_t *records = batch + KOPI_AT_RECORDS;
  size_t len = size - KOPI_AT_RECORDS;
  int32_t codec = head->attributes & KOP_BATCH_CODEC_MASK;
  kop_status status = KOP_OK;
  if (head->count < 0) return kopi_refuse_status(c, KOP_ERR_MALFORMED);
  if (codec == KOP_CODEC_NONE) {
    kopi_source_plain(s, records, len);
  } else {
    status = kopi_ctx_stream(c->ctx, codec, 2, records, len);
  }
  if (status != KOP_OK) return kopi_refuse_status(c, status);
  status = check_all(c, s, head);
  if (status != KOP_OK) return status;
  c->info->count = head->count;
  status = kopi_source_at_end(s);
  if (status == KOP_ERR_MALFORMED) {
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD, "bytes follow the last record of the batch");
  }
  if (status != KOP_OK) return kopi_refuse_status(c, status);
  return kopi_refuse_noted(c);
}
