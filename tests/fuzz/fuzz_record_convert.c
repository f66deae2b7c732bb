/*
 * Conversion of anything to old magics: what comes out is whole, has right checksums, and can be read.
 *
 * Choices: bit 1 magic 1 instead of 0, bits 2 to 7 the offset asked for.
 */
#include "record_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  record_input in;
  if (!record_input_read(data, size, &in)) return 0;
  kop_record_ctx *ctx = record_input_ctx();
  int32_t magic = (in.choices >> 1) & 1;
  uint8_t *set;
  size_t len;
  kop_status status = kop_batch_down_convert(ctx, in.bytes, in.len, magic, in.choices >> 2,
                                             1024 * 1024, &set, &len);
  if (status == KOP_ERR_NOMEM || status == KOP_ERR_INVALID || status == KOP_ERR_STATE) abort();
  if (status == KOP_OK) {
    for (size_t at = 0, entry; at < len; at += entry) {
      int32_t found;
      if (kop_batch_next(set + at, len - at, &entry, &found) != KOP_OK || found > magic) abort();
    }
  }
  kop_record_bytes_free(ctx, set);
  free(in.bytes);
  return 0;
}
