/* Messages of magic 0 and 1, as layout.h draws them. */
#include "record/message.h"

#include <string.h>

#include "base/endian.h"
#include "record/batch.h"
#include "record/layout.h"

/* A length-prefixed field at *p; moves past it. */
static int take_field(const uint8_t **p, const uint8_t *end, kop_slice *out) {
  if (end - *p < 4) return 0;
  int32_t len = (int32_t)kopi_load_be32(*p);
  *p += 4;
  *out = (kop_slice){.ptr = NULL, .len = 0};
  if (len < 0) return 1; /* any negative length is null, as in Kafka */
  if (len > end - *p) return 0;
  *out = (kop_slice){.ptr = *p, .len = (size_t)len};
  *p += len;
  return 1;
}

kop_status kopi_message_parse(const uint8_t *bytes, size_t size, kopi_message *m) {
  uint8_t magic = bytes[KOPI_OLD_AT_MAGIC];
  if (magic > 1) return KOP_ERR_UNSUPPORTED;
  const uint8_t *end = bytes + size;
  const uint8_t *p = bytes + (magic == 1 ? KOPI_OLD_AT_KEY_V1 : KOPI_OLD_AT_KEY_V0);
  if (size < (magic == 1 ? (size_t)KOPI_OLD_OVERHEAD_V1 : (size_t)KOPI_OLD_OVERHEAD_V0)) {
    return KOP_ERR_MALFORMED;
  }
  *m = (kopi_message){
      .offset = (int64_t)kopi_load_be64(bytes + KOPI_AT_OFFSET),
      .timestamp = magic == 1 ? (int64_t)kopi_load_be64(bytes + KOPI_OLD_AT_TIMESTAMP) : -1,
      .size = size,
      .attributes = bytes[KOPI_OLD_AT_ATTRIBUTES],
      .magic = magic,
  };
  return take_field(&p, end, &m->key) && take_field(&p, end, &m->value) ? KOP_OK
                                                                        : KOP_ERR_MALFORMED;
}

size_t kopi_message_size(int32_t magic, const kop_slice *key, const kop_slice *value) {
  size_t overhead = magic == 1 ? (size_t)KOPI_OLD_OVERHEAD_V1 : (size_t)KOPI_OLD_OVERHEAD_V0;
  size_t room = (size_t)INT32_MAX - overhead;
  if (key->len > room || value->len > room - key->len) return SIZE_MAX;
  return overhead + key->len + value->len;
}

static uint8_t *put_field(uint8_t *p, const kop_slice *field) {
  kopi_store_be32(p, field->ptr == NULL ? UINT32_MAX : (uint32_t)field->len);
  p += 4;
  if (field->len != 0) memcpy(p, field->ptr, field->len);
  return p + field->len;
}

void kopi_message_write(const kopi_message *m, uint8_t *out) {
  size_t size = kopi_message_size(m->magic, &m->key, &m->value);
  kopi_store_be64(out + KOPI_AT_OFFSET, (uint64_t)m->offset);
  kopi_store_be32(out + KOPI_AT_LENGTH, (uint32_t)(size - KOP_BATCH_PREFIX_SIZE));
  out[KOPI_OLD_AT_MAGIC] = m->magic;
  out[KOPI_OLD_AT_ATTRIBUTES] = m->attributes;
  uint8_t *p = out + KOPI_OLD_AT_KEY_V0;
  if (m->magic == 1) {
    kopi_store_be64(out + KOPI_OLD_AT_TIMESTAMP, (uint64_t)m->timestamp);
    p = out + KOPI_OLD_AT_KEY_V1;
  }
  put_field(put_field(p, &m->key), &m->value);
  kopi_store_be32(out + KOPI_OLD_AT_CRC, kopi_message_crc(out, size));
}

int32_t kopi_message_timestamp_type(const kopi_message *m) {
  if (m->magic == 0) return KOP_TIMESTAMP_NONE;
  return (m->attributes & KOP_BATCH_LOG_APPEND_TIME) != 0 ? KOP_TIMESTAMP_LOG_APPEND
                                                          : KOP_TIMESTAMP_CREATE;
}
