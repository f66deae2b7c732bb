/*
 * Batches from outside: walking a log, heads, checksums, restamping. Nothing here looks at records.
 *
 * The checksum of a batch covers its attributes to its end. What a leader changes at every fetch, base offset
 * and leader epoch, lies before that. What it changes at an append (timestamp type, max timestamp) lies
 * inside, but in the head only, so kop_batch_head_patch corrects the checksum by what the head's change adds.
 */
#include <kop/record.h>

#include <string.h>
#include <zlib.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "record/batch.h"
#include "record/layout.h"

kop_status kopi_entry_next(const uint8_t *bytes, size_t len, size_t *size, int32_t *magic) {
  *size = 0;
  *magic = -1;
  if (len == 0) return KOP_ERR_NOT_FOUND;
  if (len < KOP_BATCH_PREFIX_SIZE) return KOP_ERR_TRUNCATED;
  int32_t length = (int32_t)kopi_load_be32(bytes + KOPI_AT_LENGTH);
  if (length < KOPI_OLD_SIZE_MIN) return KOP_ERR_MALFORMED;
  *size = (size_t)length + KOP_BATCH_PREFIX_SIZE;
  if (len <= KOPI_AT_MAGIC) return KOP_ERR_TRUNCATED;
  *magic = (int8_t)bytes[KOPI_AT_MAGIC];
  if (*magic < 0 || *magic > 2) return KOP_ERR_MALFORMED;
  return *size > len ? KOP_ERR_TRUNCATED : KOP_OK;
}

kop_status kop_batch_next(const uint8_t *bytes, size_t len, size_t *size, int32_t *magic) {
  int32_t found;
  kop_status status = kopi_entry_next(bytes, len, size, &found);
  if (magic != NULL) *magic = found;
  if (status != KOP_OK && status != KOP_ERR_TRUNCATED) return status;
  size_t least = found == 2   ? (size_t)KOP_BATCH_HEAD_SIZE
                 : found == 1 ? (size_t)KOPI_OLD_OVERHEAD_V1
                              : (size_t)KOPI_OLD_OVERHEAD_V0;
  return found >= 0 && *size < least ? KOP_ERR_MALFORMED : status;
}

void kopi_head_load(const uint8_t *p, kop_batch_head *head) {
  *head = (kop_batch_head){
      .base_offset = (int64_t)kopi_load_be64(p + KOPI_AT_OFFSET),
      .length = (int32_t)kopi_load_be32(p + KOPI_AT_LENGTH),
      .leader_epoch = (int32_t)kopi_load_be32(p + KOPI_AT_LEADER_EPOCH),
      .magic = (int8_t)p[KOPI_AT_MAGIC],
      .crc = kopi_load_be32(p + KOPI_AT_CRC),
      .attributes = (int16_t)kopi_load_be16(p + KOPI_AT_ATTRIBUTES),
      .last_offset_delta = (int32_t)kopi_load_be32(p + KOPI_AT_LAST_OFFSET_DELTA),
      .base_timestamp = (int64_t)kopi_load_be64(p + KOPI_AT_BASE_TIMESTAMP),
      .max_timestamp = (int64_t)kopi_load_be64(p + KOPI_AT_MAX_TIMESTAMP),
      .producer_id = (int64_t)kopi_load_be64(p + KOPI_AT_PRODUCER_ID),
      .producer_epoch = (int16_t)kopi_load_be16(p + KOPI_AT_PRODUCER_EPOCH),
      .base_sequence = (int32_t)kopi_load_be32(p + KOPI_AT_BASE_SEQUENCE),
      .count = (int32_t)kopi_load_be32(p + KOPI_AT_COUNT),
  };
}

kop_status kop_batch_head_decode(const uint8_t *bytes, size_t len, kop_batch_head *head) {
  if (len < KOP_BATCH_HEAD_SIZE) return KOP_ERR_TRUNCATED;
  if (bytes[KOPI_AT_MAGIC] != 2) return KOP_ERR_UNSUPPORTED;
  kopi_head_load(bytes, head);
  return head->length < KOP_BATCH_HEAD_SIZE - KOP_BATCH_PREFIX_SIZE ? KOP_ERR_MALFORMED : KOP_OK;
}

void kop_batch_head_encode(const kop_batch_head *head, uint8_t *out) {
  kopi_store_be64(out + KOPI_AT_OFFSET, (uint64_t)head->base_offset);
  kopi_store_be32(out + KOPI_AT_LENGTH, (uint32_t)head->length);
  kopi_store_be32(out + KOPI_AT_LEADER_EPOCH, (uint32_t)head->leader_epoch);
  out[KOPI_AT_MAGIC] = 2;
  kopi_store_be32(out + KOPI_AT_CRC, head->crc);
  kopi_store_be16(out + KOPI_AT_ATTRIBUTES, (uint16_t)head->attributes);
  kopi_store_be32(out + KOPI_AT_LAST_OFFSET_DELTA, (uint32_t)head->last_offset_delta);
  kopi_store_be64(out + KOPI_AT_BASE_TIMESTAMP, (uint64_t)head->base_timestamp);
  kopi_store_be64(out + KOPI_AT_MAX_TIMESTAMP, (uint64_t)head->max_timestamp);
  kopi_store_be64(out + KOPI_AT_PRODUCER_ID, (uint64_t)head->producer_id);
  kopi_store_be16(out + KOPI_AT_PRODUCER_EPOCH, (uint16_t)head->producer_epoch);
  kopi_store_be32(out + KOPI_AT_BASE_SEQUENCE, (uint32_t)head->base_sequence);
  kopi_store_be32(out + KOPI_AT_COUNT, (uint32_t)head->count);
}

uint32_t kopi_message_crc(const uint8_t *message, size_t size) {
  const uint8_t *p = message + KOPI_OLD_AT_MAGIC;
  return (uint32_t)crc32_z(crc32_z(0, NULL, 0), p, size - KOPI_OLD_AT_MAGIC);
}

kop_status kopi_entry_check_crc(const uint8_t *entry, size_t size, int32_t magic) {
  if (magic != 2) {
    return kopi_load_be32(entry + KOPI_OLD_AT_CRC) == kopi_message_crc(entry, size)
               ? KOP_OK
               : KOP_ERR_CHECKSUM;
  }
  if (size < KOP_BATCH_HEAD_SIZE) return KOP_ERR_MALFORMED;
  uint32_t computed = kopi_crc32c(0, entry + KOPI_AT_ATTRIBUTES, size - KOPI_AT_ATTRIBUTES);
  return kopi_load_be32(entry + KOPI_AT_CRC) == computed ? KOP_OK : KOP_ERR_CHECKSUM;
}

kop_status kop_batch_check_crc(const uint8_t *batch, size_t len) {
  size_t size;
  int32_t magic;
  kop_status status = kop_batch_next(batch, len, &size, &magic);
  return status == KOP_OK ? kopi_entry_check_crc(batch, size, magic) : status;
}

void kop_batch_set_position(uint8_t *head, int64_t base_offset, int32_t leader_epoch) {
  kopi_store_be64(head + KOPI_AT_OFFSET, (uint64_t)base_offset);
  kopi_store_be32(head + KOPI_AT_LEADER_EPOCH, (uint32_t)leader_epoch);
}

kop_status kop_batch_head_patch(uint8_t *bytes, const kop_batch_head *head) {
  kop_batch_head old;
  kop_status status = kop_batch_head_decode(bytes, KOP_BATCH_HEAD_SIZE, &old);
  if (status != KOP_OK) return status;
  kop_batch_head wanted = *head;
  wanted.length = old.length;
  wanted.crc = old.crc;
  uint8_t fresh[KOP_BATCH_HEAD_SIZE];
  kop_batch_head_encode(&wanted, fresh);

  uint8_t diff[KOP_BATCH_HEAD_SIZE - KOPI_AT_ATTRIBUTES];
  for (size_t i = 0; i < sizeof diff; i++) {
    diff[i] = bytes[KOPI_AT_ATTRIBUTES + i] ^ fresh[KOPI_AT_ATTRIBUTES + i];
  }
  uint32_t records = (uint32_t)old.length + KOP_BATCH_PREFIX_SIZE - KOP_BATCH_HEAD_SIZE;
  kopi_store_be32(fresh + KOPI_AT_CRC, old.crc ^ kopi_crc32c_delta(diff, sizeof diff, records));
  memcpy(bytes, fresh, sizeof fresh);
  return KOP_OK;
}

kop_status kop_batch_empty(int64_t base_offset, int64_t last_offset, int32_t leader_epoch,
                           uint8_t *out) {
  if (base_offset < 0 || last_offset < base_offset) return KOP_ERR_INVALID;
  int64_t span = last_offset - base_offset;
  kop_batch_head head = {
      .base_offset = base_offset,
      .length = KOP_BATCH_HEAD_SIZE - KOP_BATCH_PREFIX_SIZE,
      .leader_epoch = leader_epoch,
      .last_offset_delta = span > INT32_MAX ? INT32_MAX : (int32_t)span,
      .base_timestamp = -1,
      .max_timestamp = -1,
      .producer_id = -1,
      .producer_epoch = -1,
      .base_sequence = -1,
  };
  kop_batch_head_encode(&head, out);
  kopi_batch_seal(out, KOP_BATCH_HEAD_SIZE);
  return KOP_OK;
}

void kopi_batch_seal(uint8_t *batch, size_t size) {
  kopi_store_be32(batch + KOPI_AT_CRC,
                  kopi_crc32c(0, batch + KOPI_AT_ATTRIBUTES, size - KOPI_AT_ATTRIBUTES));
}
