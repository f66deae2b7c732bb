/*
 * Any entry as Kafka batches: what comes out is whole, in its range, read by every consumer, and can be made an entry again.
 *
 * Input: one byte of choices, one for the number of offsets, then the entry. Bit 0: put checksums right first, the entry's and those of
 * batches in it; bits 1 and 2: kop_to_kafka_options::flags 2 and 4; bits 3 to 5: codec; bit 6: the records are trusted.
 */
#include <kop/convert.h>
#include <stdlib.h>
#include <string.h>

#include "support/consumer.h"
#include "support/reseal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static kop_convert *converter(int which) {
  static kop_convert *made[2];
  if (made[which] == NULL) {
    kop_convert_config config;
    kop_convert_config_init(&config, sizeof config);
    config.max_bytes = 1024 * 1024;
    if (kop_convert_new(&config, &made[which]) != KOP_OK) abort();
  }
  return made[which];
}

static uint32_t crc32c(const uint8_t *p, size_t n) {
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < n; i++) {
    crc ^= p[i];
    for (int bit = 0; bit < 8; bit++) {
      crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1u)));
    }
  }
  return ~crc;
}

/* The checksum block may stand behind the broker's metadata. */
static void reseal_entry(uint8_t *p, size_t len) {
  if (len >= 6 && p[0] == 0x0e && p[1] == 0x02) {
    size_t skip = 6 + ((size_t)p[4] << 8 | p[5]);
    if (skip >= len) return;
    p += skip;
    len -= skip;
  }
  if (len < 6 || p[0] != 0x0e || p[1] != 0x01) return;
  uint32_t crc = crc32c(p + 6, len - 6);
  for (int i = 0; i < 4; i++)
    p[2 + i] = (uint8_t)(crc >> (24 - 8 * i));
}

/* A payload of Kafka's format that is not compressed. */
static void reseal_batches(uint8_t *entry, size_t len) {
  kop_pulsar_entry read;
  if (kop_pulsar_entry_read(entry, len, 0, &read) != KOP_OK) return;
  uint8_t *p = entry + (read.payload.ptr - entry);
  for (size_t at = 0, size; at < read.payload.len; at += size) {
    if (kop_batch_next(p + at, read.payload.len - at, &size, NULL) != KOP_OK) break;
    reseal(p + at, size);
  }
}

static const char *refuses(const uint8_t *batch, size_t len) {
  static kop_record_ctx *ctx;
  if (ctx == NULL && kop_record_ctx_new(NULL, &ctx) != KOP_OK) abort();
  return consumer_refuses(ctx, batch, len);
}

static void back_to_pulsar(const uint8_t *batch, size_t len, int32_t count, int restore,
                           int32_t format) {
  kop_to_pulsar_options o;
  kop_to_pulsar_options_init(&o, sizeof o);
  o.flags = restore ? KOP_TO_PULSAR_RESTORE : 0;
  o.format = format;
  const kop_convert_entry *entries;
  size_t n;
  kop_status status = kop_convert_to_pulsar(converter(1), batch, len, &o, &entries, &n);
  if (status == KOP_ERR_LIMIT) return;
  if (status != KOP_OK) abort();
  for (size_t i = 0; i < n; i++)
    count -= entries[i].count;
  if (count != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  int choices = data[0];
  int64_t span = data[1];
  size_t len = size - 2;
  uint8_t *entry = malloc(len == 0 ? 1 : len);
  if (entry == NULL) return 0;
  memcpy(entry, data + 2, len);
  if ((choices & 1) != 0) {
    reseal_batches(entry, len);
    reseal_entry(entry, len);
  }
  kop_to_kafka_options o;
  kop_to_kafka_options_init(&o, sizeof o);
  o.flags = choices & (KOP_TO_KAFKA_TRANSACTIONS | KOP_TO_KAFKA_KEEP);
  int trusted = (choices & 64) != 0;
  if (trusted) o.flags |= KOP_TO_KAFKA_TRUST_RECORDS;
  o.codec = (choices >> 3) % 6 - 1;
  const int64_t first = 1000000;
  kop_convert_answer answer;
  kop_status status =
      kop_convert_to_kafka(converter(0), entry, len, first, first + span, &o, &answer);
  if (status != KOP_OK) abort();
  if ((answer.kind == KOP_ANSWER_HOLE) != (answer.reason != KOP_HOLE_NONE)) abort();
  if ((answer.kind == KOP_ANSWER_BATCHES) != (answer.batches_count != 0)) abort();
  int64_t next = first;
  for (size_t i = 0; i < answer.batches_count; i++) {
    const kop_convert_batch *b = &answer.batches[i];
    if (b->base_offset < next || b->last_offset < b->base_offset || b->last_offset > first + span)
      abort();
    next = b->last_offset + 1;
    size_t total = b->head.len + b->records.len;
    uint8_t *batch = malloc(total);
    if (batch == NULL) break;
    memcpy(batch, b->head.ptr, b->head.len);
    memcpy(batch + b->head.len, b->records.ptr, b->records.len);
    if (kop_batch_check_crc(batch, total) != KOP_OK) abort();
    if (!trusted || answer.format == KOP_CONVERT_PULSAR) {
      if (refuses(batch, total) != NULL) abort();
      back_to_pulsar(batch, total, b->count, (o.flags & KOP_TO_KAFKA_KEEP) != 0,
                     KOP_CONVERT_PULSAR);
      back_to_pulsar(batch, total, b->count, 0, KOP_CONVERT_KAFKA);
    }
    free(batch);
  }
  free(entry);
  return 0;
}
