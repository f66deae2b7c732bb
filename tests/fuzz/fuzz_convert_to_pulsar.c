/*
 * Any Kafka batch as entries: they are within their bound, follow each other, and give the same batch again, which every consumer
 * reads.
 *
 * Choices: bit 1 base64 keys, bit 2 restore, bits 3 to 5 compression, bit 6 small entries, bit 7 Kafka's format.
 */
#include <kop/convert.h>

#include "record_input.h"
#include "support/consumer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static kop_convert *converter(int which) {
  static kop_convert *made[2];
  if (made[which] == NULL) {
    kop_convert_config config;
    kop_convert_config_init(&config, sizeof config);
    config.max_bytes = 32 * 1024;
    if (kop_convert_new(&config, &made[which]) != KOP_OK) abort();
  }
  return made[which];
}

/* What one entry gives back; frees nothing of the caller's. */
static int32_t read_back(const kop_convert_entry *e, uint8_t **batch, size_t *len) {
  size_t size = e->head.len + e->payload.len;
  uint8_t *entry = malloc(size);
  if (entry == NULL) abort();
  memcpy(entry, e->head.ptr, e->head.len);
  if (e->payload.len != 0) memcpy(entry + e->head.len, e->payload.ptr, e->payload.len);
  kop_to_kafka_options o;
  kop_to_kafka_options_init(&o, sizeof o);
  o.codec = KOP_CODEC_NONE;
  kop_convert_answer answer;
  if (kop_convert_to_kafka(converter(1), entry, size, 0, e->num_messages - 1, &o, &answer) !=
      KOP_OK) {
    abort();
  }
  *batch = NULL;
  int32_t count = -1;
  if (answer.kind == KOP_ANSWER_BATCHES) {
    const kop_convert_batch *b = &answer.batches[0];
    if (b->last_offset != e->num_messages - 1) abort();
    count = b->count;
    *len = b->head.len + b->records.len;
    *batch = malloc(*len);
    if (*batch == NULL) abort();
    memcpy(*batch, b->head.ptr, b->head.len);
    memcpy(*batch + b->head.len, b->records.ptr, b->records.len);
    if (consumer_refuses(record_input_ctx(), *batch, *len) != NULL) abort();
  } else if (answer.reason != KOP_HOLE_LIMIT && answer.reason != KOP_HOLE_COMPACTED) {
    abort();
  }
  free(entry);
  return count;
}

/* What was read back, converted once more, is the same payload. */
static void again(const uint8_t *batch, size_t len, const kop_convert_entry *first,
                  const kop_to_pulsar_options *o) {
  size_t size = first->payload.len;
  uint8_t *payload = malloc(size + 1);
  if (payload == NULL) abort();
  if (size != 0) memcpy(payload, first->payload.ptr, size);
  const kop_convert_entry *entries;
  size_t n;
  kop_status status = kop_convert_to_pulsar(converter(1), batch, len, o, &entries, &n);
  if (status == KOP_OK) {
    if (n != 1 || entries[0].payload.len != size) abort();
    if (size != 0 && memcmp(entries[0].payload.ptr, payload, size) != 0) abort();
  } else if (status != KOP_ERR_LIMIT) {
    abort();
  }
  free(payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  record_input in;
  if (!record_input_read(data, size, &in)) return 0;
  kop_to_pulsar_options o;
  kop_to_pulsar_options_init(&o, sizeof o);
  o.key = in.choices >> 1 & 1;
  o.flags = in.choices & KOP_TO_PULSAR_RESTORE;
  o.compression = (in.choices >> 3) % 6 - 1;
  if ((in.choices & 64) != 0) o.max_entry_bytes = 2000;
  o.format = in.choices >> 7;
  const kop_convert_entry *entries;
  size_t n;
  kop_status status = kop_convert_to_pulsar(converter(0), in.bytes, in.len, &o, &entries, &n);
  if (status == KOP_ERR_NOMEM || status == KOP_ERR_INVALID || status == KOP_ERR_STATE) abort();
  if (status == KOP_OK) {
    kop_batch_head head;
    if (kop_batch_head_decode(in.bytes, in.len, &head) != KOP_OK) abort();
    int32_t delta = 0;
    int32_t count = 0;
    for (size_t i = 0; i < n; i++) {
      if (entries[i].first_delta != delta || entries[i].num_messages < 1) abort();
      if (entries[i].head.len + entries[i].payload.len > o.max_entry_bytes) abort();
      delta += entries[i].num_messages;
      count += entries[i].count;
      uint8_t *batch;
      size_t len = 0;
      int32_t back = read_back(&entries[i], &batch, &len);
      if (batch != NULL && back != entries[i].count) abort();
      if (batch == NULL && o.format == KOP_CONVERT_KAFKA) abort();
      if (batch != NULL && n == 1 && o.flags == 0 && o.compression == 0 && o.format == 0)
        again(batch, len, &entries[i], &o);
      free(batch);
    }
    if (delta != head.last_offset_delta + 1 || count != head.count) abort();
  }
  free(in.bytes);
  return 0;
}
