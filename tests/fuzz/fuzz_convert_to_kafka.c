/*
 * Any entry as Kafka batches: what comes out is whole, in its range, and can be made an entry again.
 *
 * Input: one byte of choices, one for the number of offsets, then the entry. Bit 0: put the entry's checksum right first; bits 1 and
 * 2: kop_to_kafka_options::flags 2 and 4; bits 3 to 5: codec.
 */
#include <kop/convert.h>
#include <stdlib.h>
#include <string.h>

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

/* Records in a batch that this library wrote; -1 in one that it only passes on and that cannot be read. */
static int32_t count_records(const uint8_t *batch, size_t len, int built) {
  static kop_record_ctx *ctx;
  if (ctx == NULL && kop_record_ctx_new(NULL, &ctx) != KOP_OK) abort();
  kop_status status = kop_record_begin(ctx, batch, len);
  int32_t n = 0;
  kop_record record;
  while (status == KOP_OK && (status = kop_record_next(ctx, &record)) == KOP_OK)
    n++;
  if (status == KOP_ERR_NOT_FOUND) return n;
  if (built) abort();
  return -1;
}

static void back_to_pulsar(const uint8_t *batch, size_t len, int32_t count, int restore) {
  kop_to_pulsar_options o;
  kop_to_pulsar_options_init(&o, sizeof o);
  o.flags = restore ? KOP_TO_PULSAR_RESTORE : 0;
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
  if ((choices & 1) != 0) reseal_entry(entry, len);
  kop_to_kafka_options o;
  kop_to_kafka_options_init(&o, sizeof o);
  o.flags = choices & (KOP_TO_KAFKA_TRANSACTIONS | KOP_TO_KAFKA_KEEP);
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
    int32_t count = count_records(batch, total, answer.format == KOP_CONVERT_PULSAR);
    if (answer.format == KOP_CONVERT_PULSAR) {
      if (count != b->count) abort();
      back_to_pulsar(batch, total, count, (o.flags & KOP_TO_KAFKA_KEEP) != 0);
    }
    free(batch);
  }
  free(entry);
  return 0;
}
