/* The bytes of protobuf, as far as they are not inline. */
#include "pulsar/pb.h"

enum { KEY = 1, VALUE = 2 }; /* of KeyValue */

const uint8_t *kopi_pb_varint_slow(const uint8_t *p, const uint8_t *end, uint64_t *out) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 7 * KOPI_PB_VARINT_MAX && p < end; shift += 7) {
    uint8_t byte = *p++;
    value |= (uint64_t)(byte & 0x7Fu) << shift;
    if (byte < 0x80u) {
      *out = value;
      return p;
    }
  }
  return NULL;
}

int kopi_pb_property(kop_slice bytes, kop_pulsar_property *out) {
  const uint8_t *p = bytes.ptr;
  const uint8_t *end = p + bytes.len;
  *out = (kop_pulsar_property){.key = {NULL, 0}};
  while (p < end) {
    kopi_pb_field field;
    p = kopi_pb_next(p, end, &field);
    if (p == NULL) return 0;
    if (field.number != KEY && field.number != VALUE) continue;
    if (field.wire != KOPI_PB_BYTES) return 0;
    *(field.number == KEY ? &out->key : &out->value) = field.bytes;
  }
  return out->key.ptr != NULL && out->value.ptr != NULL;
}

int32_t kopi_pb_packed_count(kop_slice bytes) {
  const uint8_t *p = bytes.ptr;
  const uint8_t *end = p + bytes.len;
  int32_t n = 0;
  uint64_t value;
  while (p < end) {
    p = kopi_pb_varint(p, end, &value);
    if (p == NULL) return -1;
    n++;
  }
  return n;
}

/* The next field with the wanted number, whatever its wire type. */
static kop_status next_field(kop_pulsar_repeated *rest, kopi_pb_field *field) {
  const uint8_t *p = rest->ptr;
  const uint8_t *end = p + rest->len;
  do {
    if (p == end) return KOP_ERR_MALFORMED;
    p = kopi_pb_next(p, end, field);
    if (p == NULL) return KOP_ERR_MALFORMED;
  } while (field->number != (uint32_t)rest->field);
  rest->ptr = p;
  rest->len = (uint32_t)(end - p);
  return KOP_OK;
}

kop_status kopi_pb_repeated_next(kop_pulsar_repeated *rest, kop_slice *out) {
  if (rest->count <= 0) return KOP_ERR_NOT_FOUND;
  kopi_pb_field field;
  kop_status status = next_field(rest, &field);
  if (status != KOP_OK) return status;
  if (field.wire != KOPI_PB_BYTES) return KOP_ERR_MALFORMED;
  rest->count--;
  *out = field.bytes;
  return KOP_OK;
}

kop_status kop_pulsar_string_next(kop_pulsar_repeated *rest, kop_slice *out) {
  return kopi_pb_repeated_next(rest, out);
}

kop_status kop_pulsar_property_next(kop_pulsar_repeated *rest, kop_pulsar_property *out) {
  kop_slice bytes;
  kop_status status = kopi_pb_repeated_next(rest, &bytes);
  if (status != KOP_OK) return status;
  return kopi_pb_property(bytes, out) ? KOP_OK : KOP_ERR_MALFORMED;
}

kop_status kop_pulsar_int64_next(kop_pulsar_repeated *rest, int64_t *out) {
  if (rest->count <= 0) return KOP_ERR_NOT_FOUND;
  while (rest->packed == 0) {
    kopi_pb_field field;
    kop_status status = next_field(rest, &field);
    if (status != KOP_OK) return status;
    if (field.wire == KOPI_PB_VARINT) {
      rest->count--;
      *out = (int64_t)field.value;
      return KOP_OK;
    }
    if (field.wire != KOPI_PB_BYTES) return KOP_ERR_MALFORMED;
    /* Back to the first number of the run, of which `packed` bytes are left. */
    rest->packed = (uint32_t)field.bytes.len;
    rest->ptr -= field.bytes.len;
    rest->len += rest->packed;
  }
  if (rest->packed > rest->len) return KOP_ERR_MALFORMED;
  uint64_t value;
  const uint8_t *p = kopi_pb_varint(rest->ptr, rest->ptr + rest->packed, &value);
  if (p == NULL) return KOP_ERR_MALFORMED;
  uint32_t n = (uint32_t)(p - rest->ptr);
  rest->ptr = p;
  rest->len -= n;
  rest->packed -= n;
  rest->count--;
  *out = (int64_t)value;
  return KOP_OK;
}

kop_status kop_pulsar_int_next(kop_pulsar_repeated *rest, int32_t *out) {
  int64_t value;
  kop_status status = kop_pulsar_int64_next(rest, &value);
  if (status == KOP_OK) *out = (int32_t)value;
  return status;
}

kop_status kopi_pb_repeated_check(kop_pulsar_repeated r) {
  kop_slice bytes;
  kop_status status;
  do {
    status = kopi_pb_repeated_next(&r, &bytes);
  } while (status == KOP_OK);
  return status == KOP_ERR_NOT_FOUND ? KOP_OK : status;
}

size_t kopi_pb_repeated_size(kop_pulsar_repeated r, uint32_t number) {
  size_t size = 0;
  kop_slice bytes;
  while (kopi_pb_repeated_next(&r, &bytes) == KOP_OK) {
    size += kopi_pb_bytes_size(number, bytes.len);
  }
  return size;
}

uint8_t *kopi_pb_put_repeated(uint8_t *p, kop_pulsar_repeated r, uint32_t number) {
  kop_slice bytes;
  while (kopi_pb_repeated_next(&r, &bytes) == KOP_OK) {
    p = kopi_pb_put_bytes(p, number, bytes);
  }
  return p;
}

static size_t property_size(const kop_pulsar_property *property) {
  return kopi_pb_bytes_size(KEY, property->key.len) +
         kopi_pb_bytes_size(VALUE, property->value.len);
}

size_t kopi_pb_properties_size(const kop_pulsar_property *properties, size_t n, uint32_t number) {
  size_t size = 0;
  for (size_t i = 0; i < n; i++) {
    size += kopi_pb_bytes_size(number, property_size(&properties[i]));
  }
  return size;
}

uint8_t *kopi_pb_put_properties(uint8_t *p, const kop_pulsar_property *properties, size_t n,
                                uint32_t number) {
  for (size_t i = 0; i < n; i++) {
    p = kopi_pb_put_tag(p, number, KOPI_PB_BYTES);
    p = kopi_pb_put(p, property_size(&properties[i]));
    p = kopi_pb_put_bytes(p, KEY, properties[i].key);
    p = kopi_pb_put_bytes(p, VALUE, properties[i].value);
  }
  return p;
}
