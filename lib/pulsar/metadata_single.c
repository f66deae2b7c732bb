/* SingleMessageMetadata: one in front of each message of a batch, so a field costs as little as can be. */
#include "pulsar/metadata.h"

#include "base/assert.h"

enum {
  PROPERTIES = 1,
  PARTITION_KEY = 2,
  PAYLOAD_SIZE = 3,
  COMPACTED_OUT = 4,
  EVENT_TIME = 5,
  PARTITION_KEY_B64_ENCODED = 6,
  ORDERING_KEY = 7,
  SEQUENCE_ID = 8,
  NULL_VALUE = 9,
  NULL_PARTITION_KEY = 10
};

void kop_pulsar_single_init(kop_pulsar_single *single) {
  *single = (kop_pulsar_single){.properties = {.field = PROPERTIES}};
}

/* Any field, by its number; NULL when it is none, or a known one of another wire type. */
static const uint8_t *take(const uint8_t *p, const uint8_t *end, kop_pulsar_single *single) {
  kopi_pb_field field;
  const uint8_t *start = p;
  p = kopi_pb_next(p, end, &field);
  if (p == NULL || field.number > NULL_PARTITION_KEY) return p;
  if (field.number == PROPERTIES) {
    kop_pulsar_property property;
    if (field.wire != KOPI_PB_BYTES || !kopi_pb_property(field.bytes, &property)) return NULL;
    kopi_pb_repeat(&single->properties, start, p, 1);
    return p;
  }
  int bytes = field.number == PARTITION_KEY || field.number == ORDERING_KEY;
  if (field.wire != (bytes ? KOPI_PB_BYTES : KOPI_PB_VARINT)) return NULL;
  if (field.number == PARTITION_KEY) single->partition_key = field.bytes;
  if (field.number == PAYLOAD_SIZE) single->payload_size = (int32_t)field.value;
  if (field.number == COMPACTED_OUT) single->compacted_out = field.value != 0;
  if (field.number == EVENT_TIME) single->event_time = field.value;
  if (field.number == PARTITION_KEY_B64_ENCODED) {
    single->partition_key_b64_encoded = field.value != 0;
  }
  if (field.number == ORDERING_KEY) single->ordering_key = field.bytes;
  if (field.number == SEQUENCE_ID) single->sequence_id = field.value;
  if (field.number == NULL_VALUE) single->null_value = field.value != 0;
  if (field.number == NULL_PARTITION_KEY) single->null_partition_key = field.value != 0;
  single->present |= 1u << field.number;
  return p;
}

/* The fields that nearly every message has are known by their first byte, the others go the long way. */
static const uint8_t *take_fast(const uint8_t *p, const uint8_t *end, kop_pulsar_single *single) {
  uint64_t value = 0;
  uint32_t number = *p >> 3;
  switch (*p) {
  case PARTITION_KEY << 3 | KOPI_PB_BYTES:
    p = kopi_pb_sized(p + 1, end, &single->partition_key);
    break;
  case ORDERING_KEY << 3 | KOPI_PB_BYTES:
    p = kopi_pb_sized(p + 1, end, &single->ordering_key);
    break;
  case PAYLOAD_SIZE << 3 | KOPI_PB_VARINT:
    p = kopi_pb_varint(p + 1, end, &value);
    single->payload_size = (int32_t)value;
    break;
  case EVENT_TIME << 3 | KOPI_PB_VARINT:
    p = kopi_pb_varint(p + 1, end, &single->event_time);
    break;
  case SEQUENCE_ID << 3 | KOPI_PB_VARINT:
    p = kopi_pb_varint(p + 1, end, &single->sequence_id);
    break;
  default:
    return take(p, end, single);
  }
  single->present |= 1u << number;
  return p;
}

kop_status kop_pulsar_single_read(const uint8_t *bytes, size_t len, kop_pulsar_single *single) {
  kop_pulsar_single_init(single);
  if (len == 0 || len > INT32_MAX) return KOP_ERR_MALFORMED;
  const uint8_t *p = bytes;
  const uint8_t *end = bytes + len;
  while (p < end) {
    p = take_fast(p, end, single);
    if (p == NULL) return KOP_ERR_MALFORMED;
  }
  if ((single->present & KOP_PULSAR_SINGLE_HAS_PAYLOAD_SIZE) == 0) return KOP_ERR_MALFORMED;
  return single->payload_size < 0 ? KOP_ERR_MALFORMED : KOP_OK;
}

/* ---- writing ------------------------------------------------------------------------------------ */

static int has(const kop_pulsar_single *single, uint32_t number) {
  return (single->present >> number & 1u) != 0;
}

/* Each flag takes two bytes. */
static size_t flags_size(const kop_pulsar_single *single) {
  return 2 * (size_t)(has(single, COMPACTED_OUT) + has(single, PARTITION_KEY_B64_ENCODED) +
                      has(single, NULL_VALUE) + has(single, NULL_PARTITION_KEY));
}

size_t kopi_pulsar_single_size(const kop_pulsar_single *single, int32_t payload_size,
                               const kop_pulsar_property *properties, size_t property_count) {
  size_t size = kopi_pb_uint_size(PAYLOAD_SIZE, kopi_pb_int32(payload_size)) + flags_size(single);
  if (single->properties.count > 0) size += kopi_pb_repeated_size(single->properties, PROPERTIES);
  if (has(single, PARTITION_KEY)) {
    size += kopi_pb_bytes_size(PARTITION_KEY, single->partition_key.len);
  }
  if (has(single, ORDERING_KEY)) {
    size += kopi_pb_bytes_size(ORDERING_KEY, single->ordering_key.len);
  }
  if (has(single, EVENT_TIME)) size += kopi_pb_uint_size(EVENT_TIME, single->event_time);
  if (has(single, SEQUENCE_ID)) size += kopi_pb_uint_size(SEQUENCE_ID, single->sequence_id);
  return size + kopi_pb_properties_size(properties, property_count, PROPERTIES);
}

static uint8_t *put_flag(uint8_t *p, const kop_pulsar_single *single, uint32_t number,
                         uint8_t value) {
  return has(single, number) ? kopi_pb_put_uint(p, number, value != 0) : p;
}

uint8_t *kopi_pulsar_single_put(uint8_t *p, const kop_pulsar_single *single, int32_t payload_size,
                                const kop_pulsar_property *properties, size_t property_count) {
  if (single->properties.count > 0) p = kopi_pb_put_repeated(p, single->properties, PROPERTIES);
  p = kopi_pb_put_properties(p, properties, property_count, PROPERTIES);
  if (has(single, PARTITION_KEY)) p = kopi_pb_put_bytes(p, PARTITION_KEY, single->partition_key);
  p = kopi_pb_put_uint(p, PAYLOAD_SIZE, kopi_pb_int32(payload_size));
  p = put_flag(p, single, COMPACTED_OUT, single->compacted_out);
  if (has(single, EVENT_TIME)) p = kopi_pb_put_uint(p, EVENT_TIME, single->event_time);
  p = put_flag(p, single, PARTITION_KEY_B64_ENCODED, single->partition_key_b64_encoded);
  if (has(single, ORDERING_KEY)) p = kopi_pb_put_bytes(p, ORDERING_KEY, single->ordering_key);
  if (has(single, SEQUENCE_ID)) p = kopi_pb_put_uint(p, SEQUENCE_ID, single->sequence_id);
  p = put_flag(p, single, NULL_VALUE, single->null_value);
  return put_flag(p, single, NULL_PARTITION_KEY, single->null_partition_key);
}

size_t kop_pulsar_single_size(const kop_pulsar_single *single,
                              const kop_pulsar_property *properties, size_t property_count) {
  return kopi_pulsar_single_size(single, single->payload_size, properties, property_count);
}

kop_status kop_pulsar_single_write(const kop_pulsar_single *single,
                                   const kop_pulsar_property *properties, size_t property_count,
                                   uint8_t *out, size_t cap, size_t *len) {
  if (!has(single, PAYLOAD_SIZE) || single->payload_size < 0) return KOP_ERR_INVALID;
  kop_status status = kopi_pb_repeated_check(single->properties);
  if (status != KOP_OK) return status;
  size_t size = kop_pulsar_single_size(single, properties, property_count);
  if (size > INT32_MAX) return KOP_ERR_INVALID;
  *len = size;
  if (size > cap) return KOP_ERR_NO_SPACE;
  const uint8_t *end =
      kopi_pulsar_single_put(out, single, single->payload_size, properties, property_count);
  KOPI_ASSERT(end == out + size);
  (void)end;
  return KOP_OK;
}
