/* What the record layer's files share about entries and heads. */
#ifndef KOPI_RECORD_BATCH_H
#define KOPI_RECORD_BATCH_H

#include <kop/record.h>

/* kop_batch_next with Kafka's bounds: the size field is at least 14, whatever the magic. `magic` is -1 where it cannot be seen. */
kop_status kopi_entry_next(const uint8_t *bytes, size_t len, size_t *size, int32_t *magic);

/* Compares the checksum of a whole entry that kopi_entry_next found. KOP_ERR_CHECKSUM; KOP_ERR_MALFORMED for a batch below 61 bytes. */
kop_status kopi_entry_check_crc(const uint8_t *entry, size_t size, int32_t magic);

/* Reads 61 bytes as a head without any check. */
void kopi_head_load(const uint8_t *p, kop_batch_head *head);

/* Computes and stores the checksum of a whole batch with magic 2. */
void kopi_batch_seal(uint8_t *batch, size_t size);

/* The checksum of a message with magic 0 or 1, given with its offset and size fields. */
uint32_t kopi_message_crc(const uint8_t *message, size_t size);

/* The sequence number `delta` records after `base`; they go from 2^31 - 1 on to 0. -1 without a base. */
static inline int32_t kopi_sequence_add(int32_t base, int32_t delta) {
  return base < 0 ? -1 : (int32_t)(((uint32_t)base + (uint32_t)delta) & 0x7FFFFFFFu);
}

/* Addition that wraps, for timestamps and offsets that a peer chose. */
static inline int64_t kopi_wrap_add(int64_t a, int64_t b) {
  return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t kopi_wrap_sub(int64_t a, int64_t b) {
  return (int64_t)((uint64_t)a - (uint64_t)b);
}

#endif
