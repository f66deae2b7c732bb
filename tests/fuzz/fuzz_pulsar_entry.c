/*
 * Any bytes as a Pulsar entry: nothing is read beyond its end, and what could be read is written again and reads the same.
 *
 * The first byte chooses the compression to write with. A wrong checksum is noticed and does not matter, or hardly
 * anything would get past it.
 */
#include <kop/pulsar_entry.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 1024 * 1024 };

static uint64_t mix(uint64_t sum, uint64_t v) {
  return (sum ^ v) * UINT64_C(0x9E3779B97F4A7C15);
}

/* Touches every byte, so that a sanitizer sees a slice that is too long. */
static uint64_t touch(uint64_t sum, kop_slice s) {
  for (size_t i = 0; i < s.len; i++) {
    sum = mix(sum, s.ptr[i]);
  }
  return mix(sum, s.ptr == NULL ? 1 : s.len + 2);
}

static uint64_t properties(uint64_t sum, kop_pulsar_repeated rest) {
  kop_pulsar_property p;
  kop_status status;
  while ((status = kop_pulsar_property_next(&rest, &p)) == KOP_OK) {
    sum = touch(touch(sum, p.key), p.value);
  }
  if (status != KOP_ERR_NOT_FOUND) abort();
  return sum;
}

static uint64_t lists(uint64_t sum, const kop_pulsar_metadata *md) {
  kop_pulsar_repeated rest = md->encryption_keys;
  kop_pulsar_encryption_key key;
  kop_status status;
  while ((status = kop_pulsar_encryption_key_next(&rest, &key)) == KOP_OK) {
    sum = properties(touch(touch(sum, key.name), key.value), key.metadata);
  }
  if (status != KOP_ERR_NOT_FOUND) abort();
  rest = md->replicate_to;
  kop_slice cluster;
  while ((status = kop_pulsar_string_next(&rest, &cluster)) == KOP_OK) {
    sum = touch(sum, cluster);
  }
  if (status != KOP_ERR_NOT_FOUND) abort();
  rest = md->compacted_batch_indexes;
  int32_t index;
  while ((status = kop_pulsar_int_next(&rest, &index)) == KOP_OK) {
    sum = mix(sum, (uint32_t)index);
  }
  if (status != KOP_ERR_NOT_FOUND) abort();
  return sum;
}

static uint64_t digest(const kop_pulsar_metadata *md) {
  uint64_t sum = md->present;
  const uint64_t numbers[] = {md->sequence_id,
                              md->publish_time,
                              md->event_time,
                              md->highest_sequence_id,
                              md->txnid_least_bits,
                              md->txnid_most_bits,
                              (uint64_t)md->deliver_at_time,
                              (uint32_t)md->compression,
                              md->uncompressed_size,
                              (uint32_t)md->num_messages_in_batch,
                              (uint32_t)md->marker_type,
                              (uint32_t)md->num_chunks_from_msg,
                              (uint32_t)md->total_chunk_msg_size,
                              (uint32_t)md->chunk_id,
                              md->entry_hash_min,
                              md->entry_hash_max,
                              md->partition_key_b64_encoded,
                              md->null_value,
                              md->null_partition_key};
  const kop_slice slices[] = {md->producer_name,  md->replicated_from, md->partition_key,
                              md->ordering_key,   md->encryption_algo, md->encryption_param,
                              md->schema_version, md->schema_id,       md->uuid};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    sum = mix(sum, numbers[i]);
  }
  for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
    sum = touch(sum, slices[i]);
  }
  return lists(properties(sum, md->properties), md);
}

static uint64_t digest_message(uint64_t sum, const kop_pulsar_message *m) {
  const kop_pulsar_single *single = &m->single;
  sum = touch(touch(sum, single->partition_key), single->ordering_key);
  sum = mix(mix(sum, single->present), single->event_time);
  sum = mix(mix(sum, single->sequence_id), (uint32_t)single->payload_size);
  sum = mix(mix(sum, single->null_value), single->null_partition_key);
  sum = mix(mix(sum, single->partition_key_b64_encoded), m->compacted_out);
  return touch(properties(mix(sum, (uint32_t)m->batch_index), single->properties), m->payload);
}

/* Walks a payload and, if `again` is given, writes its messages there. */
static kop_status walk(const kop_pulsar_metadata *md, kop_slice payload, uint64_t *sum,
                       uint8_t *again, size_t cap, size_t *len) {
  kop_pulsar_batch_iter it;
  kop_pulsar_message m;
  kop_status status = kop_pulsar_batch_begin(&it, md, payload);
  while (status == KOP_OK) {
    status = kop_pulsar_batch_next(&it, &m);
    if (status != KOP_OK) break;
    *sum = digest_message(*sum, &m);
    if (again == NULL || !it.is_batch) continue;
    size_t n;
    if (kop_pulsar_batch_put(&m.single, NULL, 0, m.payload, again + *len, cap - *len, &n) !=
        KOP_OK) {
      abort();
    }
    *len += n;
  }
  return status;
}

/* What was read must read the same after it was written, whatever its compression. */
static void write_again(kop_pulsar_codec *codec, const kop_pulsar_entry *entry, kop_slice plain,
                        uint64_t messages, int32_t compression) {
  kop_pulsar_metadata md = entry->metadata;
  md.compression = compression;
  md.uncompressed_size = (uint32_t)plain.len;
  md.present |= KOP_PULSAR_HAS_COMPRESSION | KOP_PULSAR_HAS_UNCOMPRESSED_SIZE;
  kop_slice packed;
  if (kop_pulsar_compress(codec, compression, KOP_PULSAR_LEVEL_DEFAULT, plain, &packed) != KOP_OK) {
    abort();
  }
  size_t len = 0;
  (void)kop_pulsar_entry_write(&md, NULL, 0, &packed, 1, NULL, 0, &len);
  uint8_t *bytes = malloc(len + packed.len);
  if (bytes == NULL) abort();
  if (kop_pulsar_entry_write(&md, NULL, 0, &packed, 1, bytes, len, &len) != KOP_OK) abort();
  if (packed.len != 0) memcpy(bytes + len, packed.ptr, packed.len);
  kop_pulsar_entry read;
  if (kop_pulsar_entry_read(bytes, len + packed.len, KOP_PULSAR_ENTRY_CHECK, &read) != KOP_OK) {
    abort();
  }
  if (digest(&read.metadata) != digest(&md)) abort();
  kop_slice out;
  if (kop_pulsar_decompress(codec, compression, read.payload, read.metadata.uncompressed_size,
                            LIMIT, &out) != KOP_OK) {
    abort();
  }
  uint64_t sum = 0;
  size_t none = 0;
  if (walk(&read.metadata, out, &sum, NULL, 0, &none) != KOP_ERR_NOT_FOUND) abort();
  if (sum != messages) abort();
  free(bytes);
}

static void one_entry(kop_pulsar_codec *codec, const uint8_t *bytes, size_t len,
                      int32_t compression) {
  kop_pulsar_entry entry;
  if (kop_pulsar_entry_read(bytes, len, 0, &entry) != KOP_OK) return;
  (void)kop_pulsar_entry_check(&entry);
  (void)kop_pulsar_entry_kind(&entry.metadata);
  (void)digest(&entry.metadata);
  kop_slice lent;
  if (kop_pulsar_decompress(codec, entry.metadata.compression, entry.payload,
                            entry.metadata.uncompressed_size, LIMIT, &lent) != KOP_OK) {
    return;
  }
  uint64_t sum = 0;
  uint64_t again = 0;
  size_t n = 0;
  if (walk(&entry.metadata, lent, &sum, NULL, 0, &n) != KOP_ERR_NOT_FOUND) return;
  /* Fields that are not known and numbers that were padded are gone in what is written, so it is never longer. */
  uint8_t *batch = malloc(lent.len + 1);
  if (batch == NULL) abort();
  if (walk(&entry.metadata, lent, &again, batch, lent.len, &n) != KOP_ERR_NOT_FOUND) abort();
  int is_batch = (entry.metadata.present & KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH) != 0;
  if (!is_batch && lent.len != 0) memcpy(batch, lent.ptr, lent.len);
  write_again(codec, &entry, (kop_slice){batch, is_batch ? n : lent.len}, sum, compression);
  free(batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static kop_pulsar_codec *codec;
  if (codec == NULL && kop_pulsar_codec_new(NULL, &codec) != KOP_OK) abort();
  if (size < 1) return 0;
  /* Exactly the entry's size, so that a sanitizer sees a read beyond its end. */
  uint8_t *copy = malloc(size == 1 ? 1 : size - 1);
  if (copy == NULL) abort();
  memcpy(copy, data + 1, size - 1);
  one_entry(codec, copy, size - 1, data[0] % 5);
  free(copy);
  return 0;
}
