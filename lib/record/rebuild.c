/* An accepted payload written anew: one batch with magic 2, offsets from 0, the topic's codec and timestamp type. */
#include "record/batch.h"
#include "record/builder.h"
#include "record/check.h"
#include "record/layout.h"

/* The codec that the payload has: of messages, the last one's that has any. */
static int32_t source_codec(const uint8_t *bytes, size_t len) {
  int32_t codec = KOP_CODEC_NONE;
  for (size_t at = 0, size; at < len; at += size) {
    int32_t magic;
    if (kop_batch_next(bytes + at, len - at, &size, &magic) != KOP_OK) break;
    size_t low = magic == 2 ? at + KOPI_AT_ATTRIBUTES + 1 : at + KOPI_OLD_AT_ATTRIBUTES;
    int32_t found = bytes[low] & KOP_BATCH_CODEC_MASK;
    if (found != KOP_CODEC_NONE) codec = found;
  }
  return codec;
}

static void choose_options(kop_batch_options *o, const uint8_t *bytes, size_t len,
                           const kop_batch_rules *rules) {
  int32_t source = source_codec(bytes, len);
  o->max_bytes = (size_t)rules->max_message_bytes;
  o->codec = rules->codec == KOP_CODEC_KEEP ? source : rules->codec;
  o->timestamp_type = rules->timestamp_type;
  o->log_append_ms = rules->now_ms;
  kop_batch_head head;
  if (kop_batch_head_decode(bytes, len, &head) != KOP_OK)
    return; /* magic 0 and 1 know no producer */
  o->producer_id = head.producer_id;
  o->producer_epoch = head.producer_epoch;
  o->base_sequence = head.base_sequence;
  o->flags = head.attributes & (KOP_BATCH_TRANSACTIONAL | KOP_BATCH_CONTROL);
  if ((o->flags & KOP_BATCH_CONTROL) != 0 && source == KOP_CODEC_NONE) o->codec = KOP_CODEC_NONE;
}

static kop_status copy_entry(kop_record_ctx *ctx, kop_batch_builder *b, const uint8_t *entry,
                             size_t size) {
  kop_status status = kop_record_begin(ctx, entry, size);
  while (status == KOP_OK) {
    kop_record record;
    status = kop_record_next(ctx, &record);
    if (status == KOP_OK) status = kopi_builder_copy(b, -1, &record);
  }
  return status == KOP_ERR_NOT_FOUND ? KOP_OK : status;
}

kop_status kop_batch_rebuild(kop_record_ctx *ctx, const uint8_t *bytes, size_t len,
                             const kop_batch_rules *rules, int32_t level, uint8_t **out,
                             size_t *out_len) {
  *out = NULL;
  *out_len = 0;
  kop_batch_rules own;
  kop_status status = kopi_rules_load(&own, rules);
  if (status != KOP_OK) return status;
  kop_batch_builder *b;
  status = kopi_ctx_builder(ctx, &b);
  if (status != KOP_OK) return status;
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.level = level;
  choose_options(&options, bytes, len, &own);
  status = kop_batch_builder_begin(b, &options);
  for (size_t at = 0, size; status == KOP_OK && at < len; at += size) {
    status = kop_batch_next(bytes + at, len - at, &size, NULL);
    if (status == KOP_OK) status = copy_entry(ctx, b, bytes + at, size);
    /* Each may expand to the limit, and a set holds as many as its sender likes. */
    if (status == KOP_OK && kopi_builder_plain(b) > ctx->source.limit) status = KOP_ERR_LIMIT;
  }
  if (status == KOP_OK) status = kopi_builder_take(b, out, out_len);
  ctx->iteration.active = 0;
  return status == KOP_ERR_STATE ? KOP_ERR_MALFORMED : status; /* no record in it */
}
