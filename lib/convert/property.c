/* Headers and properties. */
#include "convert/property.h"

#include <string.h>

#include "base/varint.h"
#include "convert/text.h"
#include "wire/base64.h"

enum { PREFIX = 4 /* "kop." */, ESCAPED = 6 /* "kop.b." */ };

#define LITERAL(s)                                                                                 \
  { (const uint8_t *)(s), sizeof(s) - 1 }

const kop_slice kopi_ctl_name = LITERAL("kop.ctl");
const kop_slice kopi_ctl_key_name = LITERAL("kop.ctl.key");
const kop_slice kopi_ctl_value_name = LITERAL("kop.ctl.value");

/* 1 for a name that a header's escape could have made: "kop.", one of the letters, ".". */
static int is_escaped(kop_slice name) {
  return name.len >= ESCAPED && memcmp(name.ptr, "kop.", PREFIX) == 0 &&
         memchr("tbnxy", name.ptr[PREFIX], 5) != NULL && name.ptr[PREFIX + 1] == '.';
}

/* 1 for a name that reading would not take for a header's as it stands. */
static int needs_escape(kop_slice name) {
  if (name.len < ESCAPED || memcmp(name.ptr, "kop.", PREFIX) != 0) return 0;
  return is_escaped(name) || kopi_slice_equal(name, kopi_ctl_name) ||
         kopi_slice_equal(name, kopi_ctl_key_name) || kopi_slice_equal(name, kopi_ctl_value_name);
}

kopi_property_form kopi_property_form_of(const kop_record_header *header, int native) {
  kop_slice name = header->key;
  kop_slice value = header->value;
  if (native && value.ptr != NULL && !is_escaped(name)) {
    return (kopi_property_form){.key_len = name.len, .value_len = value.len};
  }
  if (!kopi_is_text(name)) {
    return (kopi_property_form){.escape = value.ptr == NULL ? 'y' : 'x',
                                .key_len = ESCAPED + kopi_base64_size(name.len, 0),
                                .value_len = kopi_base64_size(value.len, 0)};
  }
  kopi_property_form form = {.key_len = ESCAPED + name.len, .value_len = value.len};
  if (value.ptr == NULL) {
    form.escape = 'n';
  } else if (!kopi_is_text(value)) {
    form.escape = 'b';
    form.value_len = kopi_base64_size(value.len, 0);
  } else if (needs_escape(name)) {
    form.escape = 't';
  } else {
    form.key_len = name.len;
  }
  return form;
}

static void copy(uint8_t *out, kop_slice bytes) {
  if (bytes.len != 0) memcpy(out, bytes.ptr, bytes.len);
}

void kopi_property_write(const kop_record_header *header, const kopi_property_form *form,
                         uint8_t *key, uint8_t *value) {
  if (form->escape != 0) {
    memcpy(key, "kop.", PREFIX);
    key[PREFIX] = (uint8_t)form->escape;
    key[PREFIX + 1] = '.';
    key += ESCAPED;
  }
  if (form->escape == 'x' || form->escape == 'y') {
    kopi_base64_write(header->key.ptr, header->key.len, 0, key);
  } else {
    copy(key, header->key);
  }
  if (form->escape == 'x' || form->escape == 'b') {
    kopi_base64_write(header->value.ptr, header->value.len, 0, value);
  } else {
    copy(value, header->value);
  }
}

void kopi_header_put(kop_slice key, kop_slice value, kopi_buf *out) {
  if (key.len > INT32_MAX || value.len > INT32_MAX) {
    out->status = KOP_ERR_LIMIT;
    return;
  }
  uint8_t *p = kopi_buf_reserve(out, key.len + value.len + 2 * KOPI_VARINT_MAX);
  if (p == NULL) return;
  p = kopi_varint_write(p, (int32_t)key.len);
  copy(p, key);
  p = kopi_varint_write(p + key.len, value.ptr == NULL ? -1 : (int32_t)value.len);
  copy(p, value);
  out->len = (size_t)(p + value.len - out->data);
}

kop_slice kopi_base64_append(kop_slice text, kopi_buf *out) {
  const kop_slice none = {.ptr = NULL, .len = 0};
  uint8_t *p = kopi_buf_reserve(out, text.len / 4 * 3 + 2);
  if (p == NULL) return none;
  ptrdiff_t len = kopi_base64_read((const char *)text.ptr, text.len, 0, p);
  if (len < 0) return none;
  out->len += (size_t)len;
  return (kop_slice){p, (size_t)len};
}

/* Decodes what an escaped property says, behind `out`, which has room; 0 if it does not say it rightly. */
static int decode(const kop_pulsar_property *property, kopi_buf *out, kop_slice *key,
                  kop_slice *value) {
  char escape = (char)property->key.ptr[PREFIX];
  kop_slice rest = {property->key.ptr + ESCAPED, property->key.len - ESCAPED};
  kop_slice text = property->value;
  int null = escape == 'n' || escape == 'y';
  int coded = escape == 'x' || escape == 'y';
  if (null && text.len != 0) return 0;
  *key = coded ? kopi_base64_append(rest, out) : rest;
  *value = (kop_slice){.ptr = NULL, .len = 0};
  if (!null) *value = escape == 't' ? text : kopi_base64_append(text, out);
  return key->ptr != NULL && (null || value->ptr != NULL);
}

void kopi_property_to_header(const kop_pulsar_property *property, kopi_buf *out) {
  kop_slice key = property->key;
  kop_slice value = property->value;
  if (!is_escaped(key)) {
    kopi_header_put(key, value, out);
    return;
  }
  /* Room for the decoded bytes and for the header, so that neither moves while the other is written. */
  if (kopi_buf_reserve(out, 2 * (key.len + value.len) + 4 * KOPI_VARINT_MAX) == NULL) return;
  size_t start = out->len;
  if (decode(property, out, &key, &value)) {
    size_t decoded = out->len;
    kopi_header_put(key, value, out);
    memmove(out->data + start, out->data + decoded, out->len - decoded);
    out->len -= decoded - start;
  } else {
    out->len = start;
    kopi_header_put(property->key, property->value, out);
  }
}
