/*
 * Iteration over anything: no record lies outside its batch, and what could be read is written again and reads the same.
 *
 * Choices: bits 4 to 6 the codec to write with.
 */
#include "record_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_HEADERS = 64 };

/* Touches every byte, so that a sanitizer sees a slice that is too long. */
static uint64_t touch(kop_slice s) {
  uint64_t sum = s.len;
  for (size_t i = 0; i < s.len; i++) {
    sum = sum * 31 + s.ptr[i];
  }
  return s.ptr == NULL ? 1 : sum + 2;
}

static uint64_t digest(const kop_record *record, kop_record_header *headers) {
  uint64_t sum = touch(record->key) * 3 + touch(record->value) * 5 + (uint64_t)record->timestamp;
  kop_slice rest = record->headers;
  int32_t n = 0;
  for (; n < record->header_count; n++) {
    kop_record_header header;
    if (kop_record_header_next(&rest, &header) != KOP_OK) abort();
    sum = sum * 7 + touch(header.key) * 11 + touch(header.value);
    if (n < MAX_HEADERS) headers[n] = header;
  }
  if (rest.len != 0) abort();
  return sum;
}

static void one_entry(kop_record_ctx *ctx, kop_batch_builder *b, const uint8_t *entry, size_t len,
                      int codec) {
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.codec = codec;
  if (kop_batch_builder_begin(b, &options) != KOP_OK) abort();
  uint64_t sum = 0;
  uint64_t written = 0;
  kop_status status = kop_record_begin(ctx, entry, len);
  while (status == KOP_OK) {
    kop_record record;
    kop_record_header headers[MAX_HEADERS];
    status = kop_record_next(ctx, &record);
    if (status != KOP_OK) break;
    kop_control control;
    (void)kop_control_decode(&record, &control);
    uint64_t one = digest(&record, headers);
    if (record.timestamp < -1 || record.header_count > MAX_HEADERS) continue;
    kop_record_in in = {.offset = -1,
                        .timestamp = record.timestamp,
                        .key = record.key,
                        .value = record.value,
                        .headers = headers,
                        .header_count = record.header_count};
    if (kop_batch_builder_append(b, &in) != KOP_OK) abort();
    sum = sum * 13 + one;
    written++;
  }
  const uint8_t *batch;
  size_t batch_len;
  if (written == 0) return;
  if (kop_batch_builder_finish(b, &batch, &batch_len) != KOP_OK) abort();
  uint64_t again = 0;
  status = kop_record_begin(ctx, batch, batch_len);
  while (status == KOP_OK) {
    kop_record record;
    kop_record_header headers[MAX_HEADERS];
    status = kop_record_next(ctx, &record);
    if (status == KOP_OK) again = again * 13 + digest(&record, headers);
  }
  if (status != KOP_ERR_NOT_FOUND || again != sum) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static kop_batch_builder *b;
  record_input in;
  if (b == NULL && kop_batch_builder_new(NULL, &b) != KOP_OK) abort();
  if (!record_input_read(data, size, &in)) return 0;
  int codec = (in.choices >> 4) % 5;
  for (size_t at = 0, entry; at < in.len; at += entry) {
    if (kop_batch_next(in.bytes + at, in.len - at, &entry, NULL) != KOP_OK) break;
    one_entry(record_input_ctx(), b, in.bytes + at, entry, codec);
  }
  free(in.bytes);
  return 0;
}
