/* Records of magic 2: headers and writing. */
#include "record/record2.h"

#include <string.h>

const uint8_t *kopi_headers_skip(const uint8_t *p, const uint8_t *end, int32_t count) {
  if (count < 0 || count > end - p) return NULL; /* a header takes two bytes at least */
  for (; count > 0; count--) {
    kop_slice key;
    kop_slice value;
    p = kopi_field_read(p, end, &key);
    if (p == NULL || key.ptr == NULL) return NULL;
    p = kopi_field_read(p, end, &value);
    if (p == NULL) return NULL;
  }
  return p;
}

kop_status kop_record_header_next(kop_slice *rest, kop_record_header *header) {
  if (rest->len == 0) return KOP_ERR_NOT_FOUND;
  const uint8_t *end = rest->ptr + rest->len;
  const uint8_t *p = kopi_field_read(rest->ptr, end, &header->key);
  if (p == NULL || header->key.ptr == NULL) return KOP_ERR_MALFORMED;
  p = kopi_field_read(p, end, &header->value);
  if (p == NULL) return KOP_ERR_MALFORMED;
  *rest = (kop_slice){.ptr = p, .len = (size_t)(end - p)};
  return KOP_OK;
}

/* Adds a field's bytes to a sum that stops at SIZE_MAX. */
static size_t add_field(size_t sum, const kop_slice *field) {
  if (sum == SIZE_MAX || field->len > INT32_MAX) return SIZE_MAX;
  size_t prefix = field->ptr == NULL ? 1 : kopi_varint_size((int32_t)field->len);
  size_t total = sum + prefix + field->len;
  return total > INT32_MAX ? SIZE_MAX : total;
}

size_t kopi_record2_body_size(int64_t timestamp_delta, int32_t offset_delta,
                              const kop_record_in *record, const kop_slice *raw) {
  size_t size = 1 + kopi_varlong_size(timestamp_delta) + kopi_varint_size(offset_delta) +
                kopi_varint_size(record->header_count);
  size = add_field(size, &record->key);
  size = add_field(size, &record->value);
  if (raw != NULL) {
    return size > INT32_MAX || raw->len > INT32_MAX - size ? SIZE_MAX : size + raw->len;
  }
  for (int32_t i = 0; i < record->header_count; i++) {
    size = add_field(size, &record->headers[i].key);
    size = add_field(size, &record->headers[i].value);
  }
  return size;
}

static uint8_t *put_field(uint8_t *p, const kop_slice *field) {
  p = kopi_varint_write(p, field->ptr == NULL ? -1 : (int32_t)field->len);
  if (field->len != 0) memcpy(p, field->ptr, field->len);
  return p + field->len;
}

uint8_t *kopi_record2_write(uint8_t *p, size_t body, int64_t timestamp_delta, int32_t offset_delta,
                            const kop_record_in *record, const kop_slice *raw) {
  p = kopi_varint_write(p, (int32_t)body);
  *p++ = 0; /* attributes: no bit has a meaning yet */
  p = kopi_varlong_write(p, timestamp_delta);
  p = kopi_varint_write(p, offset_delta);
  p = put_field(p, &record->key);
  p = put_field(p, &record->value);
  p = kopi_varint_write(p, record->header_count);
  if (raw != NULL) {
    if (raw->len != 0) memcpy(p, raw->ptr, raw->len);
    return p + raw->len;
  }
  for (int32_t i = 0; i < record->header_count; i++) {
    p = put_field(p, &record->headers[i].key);
    p = put_field(p, &record->headers[i].value);
  }
  return p;
}
