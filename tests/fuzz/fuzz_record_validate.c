/*
 * Validation of anything: it gives the same verdict twice, and what it accepts can be stored, read and accepted again.
 *
 * Choices: bit 1 message sets (Produce 2), bit 2 LogAppendTime, bit 3 a compacted topic, bits 4 to 6 the topic's codec.
 */
#include "record_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void store(kop_record_ctx *ctx, const record_input *in, const kop_batch_rules *rules,
                  const kop_batch_info *info) {
  uint8_t *stored = in->bytes;
  size_t len = info->payload_len;
  if (info->rebuild != 0) {
    kop_status status = kop_batch_rebuild(ctx, in->bytes, info->payload_len, rules,
                                          KOP_LEVEL_DEFAULT, &stored, &len);
    if (status == KOP_ERR_LIMIT) return;
    if (status != KOP_OK) abort();
  } else if (kop_batch_accept(stored, info) != KOP_OK) {
    abort();
  }
  if (record_input_count(ctx, stored, len) > info->count) abort();
  kop_batch_head head;
  if (kop_batch_head_decode(stored, len, &head) != KOP_OK) abort();
  if (head.count != info->count || head.last_offset_delta + 1 != head.count) abort();
  if (head.max_timestamp != info->max_timestamp) abort();
  if (info->rebuild != 0) kop_record_bytes_free(ctx, stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  record_input in;
  if (!record_input_read(data, size, &in)) return 0;
  kop_record_ctx *ctx = record_input_ctx();
  kop_batch_rules rules;
  kop_batch_rules_init(&rules, sizeof rules);
  rules.now_ms = 1700000000000;
  rules.produce_version = (in.choices & 2) != 0 ? 2 : 13;
  rules.timestamp_type = (in.choices & 4) != 0 ? KOP_TIMESTAMP_LOG_APPEND : KOP_TIMESTAMP_CREATE;
  rules.key_required = (in.choices & 8) != 0;
  int codec = (in.choices >> 4) & 7;
  rules.codec = codec > KOP_CODEC_ZSTD ? KOP_CODEC_KEEP : codec;
  kop_batch_info info;
  kop_batch_info again;
  if (kop_batch_validate(ctx, in.bytes, in.len, &rules, &info, sizeof info) != KOP_OK) abort();
  if (kop_batch_validate(ctx, in.bytes, in.len, &rules, &again, sizeof again) != KOP_OK) abort();
  if (memcmp(&info, &again, sizeof info) != 0) abort();
  if (info.error == 0 && info.count == 0 && (info.payload_len != 0 || info.rebuild != 0)) abort();
  if (info.error == 0 && info.count != 0) store(ctx, &in, &rules, &info);
  free(in.bytes);
  return 0;
}
