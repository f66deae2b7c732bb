/*
 * What makes consumers fail, by what they do with a batch:
 *
 *    count             Java takes as many records and refuses bytes behind them; librdkafka reads until the bytes end, whatever
 *                      the count says. So both must end together, in an empty batch too
 *    offset deltas     a position moves behind each record, and after the batch behind its last offset delta. A delta beyond
 *                      that, or one that does not rise, shows records twice or never
 *    control records   Java wants of the first one, if it reads committed data and the batch has a producer id, a key of at least 4
 *                      bytes and a version that is not negative; librdkafka of each exactly 4 bytes in version 0; sarama
 *                      and brokers a value of at least 6 bytes in a commit or abort. All pass over unknown types
 *
 * A consumer that fails on a batch asks for it again, for ever.
 */
#include "record/readable.h"

#include "record/batch.h"
#include "record/ctx.h"
#include "record/layout.h"
#include "record/look.h"

enum { CONTROL_KEY = 4 }; /* version and type */

int kopi_control_readable(const kop_slice *key, const kop_slice *value) {
  const kop_record record = {.key = *key, .value = *value};
  kop_control control;
  if (kop_control_decode(&record, &control) != KOP_OK) return 0;
  return control.version != 0 || key->len == CONTROL_KEY;
}

/* Control batches are rare and small, and their records are looked into. */
static kop_status look_at_control(kop_record_ctx *ctx, const uint8_t *batch, size_t size) {
  kop_status status = kop_record_begin(ctx, batch, size);
  kop_record record;
  while (status == KOP_OK && (status = kop_record_next(ctx, &record)) == KOP_OK) {
    if (!kopi_control_readable(&record.key, &record.value)) status = KOP_ERR_MALFORMED;
  }
  ctx->iteration.active = 0;
  return status == KOP_ERR_NOT_FOUND ? KOP_OK : status;
}

static kop_status look_at_records(kopi_source *s, const kop_batch_head *head,
                                  kopi_readable *found) {
  int dense = head->count > head->last_offset_delta; /* no gap, or not even room for all */
  int32_t wrong = head->count - 1 != head->last_offset_delta;
  int64_t next = 0;
  kopi_looked r;
  for (int32_t i = 0; i < head->count; i++) {
    kop_status status = kopi_look(s, &r);
    if (status != KOP_OK) return status;
    wrong |= r.offset_delta ^ i;
    if (dense) continue;
    if (r.offset_delta < next || r.offset_delta > head->last_offset_delta) return KOP_ERR_MALFORMED;
    next = r.offset_delta + INT64_C(1);
  }
  found->renumber = dense && wrong != 0;
  return kopi_source_at_end(s);
}

kop_status kopi_batch_readable(kop_record_ctx *ctx, const uint8_t *batch, size_t size,
                               kopi_readable *found) {
  *found = (kopi_readable){.plain = size - KOPI_AT_RECORDS};
  ctx->iteration.active = 0;
  kop_batch_head head;
  kopi_head_load(batch, &head);
  int32_t codec = head.attributes & KOP_BATCH_CODEC_MASK;
  if (head.count < 0 || head.last_offset_delta < 0) return KOP_ERR_MALFORMED;
  if (codec > KOP_CODEC_ZSTD) return KOP_ERR_UNSUPPORTED;
  if (head.count == 0) return codec == 0 && found->plain == 0 ? KOP_OK : KOP_ERR_MALFORMED;
  kopi_source *s = &ctx->source;
  kop_status status = KOP_OK;
  if (codec == KOP_CODEC_NONE) {
    kopi_source_plain(s, batch + KOPI_AT_RECORDS, size - KOPI_AT_RECORDS);
  } else {
    status = kopi_ctx_stream(ctx, codec, 2, batch + KOPI_AT_RECORDS, size - KOPI_AT_RECORDS);
  }
  if (status == KOP_OK) status = look_at_records(s, &head, found);
  if (status != KOP_OK) return status;
  if (codec != KOP_CODEC_NONE) found->plain = s->given;
  if ((head.attributes & KOP_BATCH_CONTROL) == 0) return KOP_OK;
  return look_at_control(ctx, batch, size);
}
