/*
 * How the fuzz targets of the record layer read their input: one byte of choices, then a payload.
 *
 *    bit 0: put the checksum of each entry right first, or hardly anything gets past it
 *    the other bits: what each target says
 */
#ifndef TESTS_FUZZ_RECORD_INPUT_H
#define TESTS_FUZZ_RECORD_INPUT_H

#include <kop/record.h>
#include <stdlib.h>
#include <string.h>

#include "support/reseal.h"

typedef struct record_input {
  int choices;
  uint8_t *bytes; /* a copy, to be freed */
  size_t len;
} record_input;

static inline int record_input_read(const uint8_t *data, size_t size, record_input *in) {
  if (size == 0) return 0;
  in->choices = data[0];
  in->len = size - 1;
  in->bytes = malloc(size);
  if (in->bytes == NULL) return 0;
  memcpy(in->bytes, data + 1, in->len);
  if ((in->choices & 1) == 0) return 1;
  for (size_t at = 0, entry; at < in->len; at += entry) {
    if (kop_batch_next(in->bytes + at, in->len - at, &entry, NULL) != KOP_OK) break;
    reseal(in->bytes + at, entry);
  }
  return 1;
}

/* A context that is made once, with bounds that keep a run fast. */
static inline kop_record_ctx *record_input_ctx(void) {
  static kop_record_ctx *ctx;
  if (ctx == NULL) {
    kop_record_ctx_config config;
    kop_record_ctx_config_init(&config, sizeof config);
    config.max_decompressed_bytes = 1024 * 1024;
    config.max_record_bytes = 512 * 1024;
    if (kop_record_ctx_new(&config, &ctx) != KOP_OK) abort();
  }
  return ctx;
}

/* The records of whole entries of a checked payload; aborts if one cannot be read. */
static inline int32_t record_input_count(kop_record_ctx *ctx, const uint8_t *bytes, size_t len) {
  int32_t n = 0;
  for (size_t at = 0, entry; at < len; at += entry) {
    if (kop_batch_next(bytes + at, len - at, &entry, NULL) != KOP_OK) abort();
    if (kop_batch_check_crc(bytes + at, entry) != KOP_OK) abort();
    kop_status status = kop_record_begin(ctx, bytes + at, entry);
    while (status == KOP_OK) {
      kop_record record;
      status = kop_record_next(ctx, &record);
      n += status == KOP_OK;
    }
    if (status != KOP_ERR_NOT_FOUND && status != KOP_ERR_LIMIT) abort();
  }
  return n;
}

#endif
