/* Entries: what stands around metadata and payload, and the order of message ids. pulsar_entry.h draws the bytes. */
#include "base/assert.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "pulsar/metadata.h"

enum {
  MAGIC_CHECKSUM = 0x0e01,
  MAGIC_BROKER = 0x0e02,
  MAGIC_SIZE = 2,
  WORD = 4,
  HEAD_SIZE =
      MAGIC_SIZE + WORD + WORD /* of what is written: magic, checksum, size of the metadata */
};

static int32_t order(uint64_t a, uint64_t b) {
  /* -1 is the earliest, so they are compared as the signed numbers that Java has. */
  int64_t x = (int64_t)a;
  int64_t y = (int64_t)b;
  return (x > y) - (x < y);
}

int32_t kop_pulsar_message_id_compare(const kop_pulsar_message_id *a,
                                      const kop_pulsar_message_id *b) {
  int32_t result = order(a->ledger_id, b->ledger_id);
  if (result == 0) result = order(a->entry_id, b->entry_id);
  if (result == 0) result = (a->batch_index > b->batch_index) - (a->batch_index < b->batch_index);
  return result;
}

static int has_magic(const uint8_t *p, const uint8_t *end, uint32_t magic) {
  return end - p >= MAGIC_SIZE && kopi_load_be16(p) == magic;
}

static kop_status read_broker(const uint8_t *p, size_t len, kop_pulsar_entry *entry) {
  enum { TIMESTAMP = 1, INDEX = 2 };
  const uint8_t *end = p + len;
  while (p < end) {
    kopi_pb_field field;
    p = kopi_pb_next(p, end, &field);
    if (p == NULL) return KOP_ERR_MALFORMED;
    if (field.number != TIMESTAMP && field.number != INDEX) continue;
    if (field.wire != KOPI_PB_VARINT) return KOP_ERR_MALFORMED;
    if (field.number == INDEX) {
      entry->index = field.value;
      entry->present |= KOP_PULSAR_ENTRY_HAS_INDEX;
    } else {
      entry->broker_timestamp = field.value;
      entry->present |= KOP_PULSAR_ENTRY_HAS_BROKER_TIMESTAMP;
    }
  }
  return KOP_OK;
}

/* Takes [size u32][that many bytes] off p. */
static kop_status take_sized(const uint8_t **p, const uint8_t *end, kop_slice *out) {
  if (end - *p < WORD) return KOP_ERR_TRUNCATED;
  size_t size = kopi_load_be32(*p);
  *p += WORD;
  if (size > (size_t)(end - *p)) return KOP_ERR_TRUNCATED;
  *out = (kop_slice){*p, size};
  *p += size;
  return KOP_OK;
}

kop_status kop_pulsar_entry_read(const uint8_t *bytes, size_t len, uint32_t flags,
                                 kop_pulsar_entry *entry) {
  if ((flags & ~(uint32_t)KOP_PULSAR_ENTRY_CHECK) != 0) return KOP_ERR_INVALID;
  entry->index = 0;
  entry->broker_timestamp = 0;
  entry->present = 0;
  entry->checksum = 0;
  if (len == 0) return KOP_ERR_TRUNCATED;
  const uint8_t *p = bytes;
  const uint8_t *end = bytes + len;
  kop_slice part;
  for (int first = 1; has_magic(p, end, MAGIC_BROKER); first = 0) {
    p += MAGIC_SIZE;
    kop_status status = take_sized(&p, end, &part);
    if (status == KOP_OK && first) status = read_broker(part.ptr, part.len, entry);
    if (status != KOP_OK) return status;
  }
  if (has_magic(p, end, MAGIC_CHECKSUM)) {
    if (end - p < MAGIC_SIZE + WORD) return KOP_ERR_TRUNCATED;
    entry->checksum = kopi_load_be32(p + MAGIC_SIZE);
    entry->present |= KOP_PULSAR_ENTRY_HAS_CHECKSUM;
    p += MAGIC_SIZE + WORD;
  }
  entry->checked = (kop_slice){p, (size_t)(end - p)};
  kop_status status = take_sized(&p, end, &part);
  if (status != KOP_OK) return status;
  entry->payload = (kop_slice){p, (size_t)(end - p)};
  status = kop_pulsar_metadata_read(part.ptr, part.len, &entry->metadata);
  /* A wrong checksum explains metadata that cannot be read, so it is the better answer. */
  if ((flags & KOP_PULSAR_ENTRY_CHECK) != 0) {
    kop_status checked = kop_pulsar_entry_check(entry);
    if (checked != KOP_OK) status = checked;
  }
  return status;
}

kop_status kop_pulsar_entry_check(const kop_pulsar_entry *entry) {
  if ((entry->present & KOP_PULSAR_ENTRY_HAS_CHECKSUM) == 0) return KOP_OK;
  uint32_t crc = kopi_crc32c(0, entry->checked.ptr, entry->checked.len);
  return crc == entry->checksum ? KOP_OK : KOP_ERR_CHECKSUM;
}

int32_t kop_pulsar_entry_kind(const kop_pulsar_metadata *md) {
  if ((md->present & KOP_PULSAR_HAS_MARKER_TYPE) != 0) return KOP_PULSAR_KIND_MARKER;
  if (md->encryption_keys.count > 0) return KOP_PULSAR_KIND_ENCRYPTED;
  if (md->num_chunks_from_msg > 1) return KOP_PULSAR_KIND_CHUNK;
  if ((md->present & KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH) != 0) return KOP_PULSAR_KIND_BATCH;
  return KOP_PULSAR_KIND_SINGLE;
}

kop_status kop_pulsar_entry_write(const kop_pulsar_metadata *md,
                                  const kop_pulsar_property *properties, size_t property_count,
                                  const kop_slice *payload, size_t payload_count, uint8_t *out,
                                  size_t cap, size_t *len) {
  kop_status status = kopi_pulsar_metadata_check(md);
  if (status != KOP_OK) return status;
  size_t size = kop_pulsar_metadata_size(md, properties, property_count);
  if (size > INT32_MAX) return KOP_ERR_INVALID;
  *len = HEAD_SIZE + size;
  if (*len > cap) return KOP_ERR_NO_SPACE;
  uint8_t *checked = out + MAGIC_SIZE + WORD;
  kopi_store_be32(checked, (uint32_t)size);
  const uint8_t *end = kopi_pulsar_metadata_put(checked + WORD, md, properties, property_count);
  KOPI_ASSERT(end == out + HEAD_SIZE + size);
  uint32_t crc = kopi_crc32c(0, checked, (size_t)(end - checked));
  for (size_t i = 0; i < payload_count; i++) {
    if (payload[i].len != 0) crc = kopi_crc32c(crc, payload[i].ptr, payload[i].len);
  }
  kopi_store_be16(out, MAGIC_CHECKSUM);
  kopi_store_be32(out + MAGIC_SIZE, crc);
  return KOP_OK;
}
