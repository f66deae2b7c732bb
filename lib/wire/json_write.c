/* Messages as JSON text, in the spelling of Kafka's own converters where they have one. */
#include <kop/json.h>

#include <float.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "wire/base64.h"
#include "wire/reflect.h"

typedef struct writer {
  kopi_buf out;
  int16_t version;
} writer;

static void write_struct(writer *w, const kopi_struct *s, const uint8_t *base);

static void put(writer *w, const char *text) {
  kopi_buf_put(&w->out, text, strlen(text));
}

static void write_base64(writer *w, kop_slice bytes, uint8_t url_safe) {
  size_t size = kopi_base64_size(bytes.len, url_safe);
  kopi_buf_put_u8(&w->out, '"');
  uint8_t *to = kopi_buf_reserve(&w->out, size);
  if (to == NULL) return;
  kopi_base64_write(bytes.ptr, bytes.len, url_safe, to);
  w->out.len += size;
  kopi_buf_put_u8(&w->out, '"');
}

static void write_string(writer *w, kop_slice text) {
  if (!kopi_is_utf8(text)) {
    put(w, "{\"base64\":");
    write_base64(w, text, 0);
    kopi_buf_put_u8(&w->out, '}');
    return;
  }
  kopi_buf_put_u8(&w->out, '"');
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.ptr[i];
    if (c < 0x20) {
      char escape[8];
      snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
      put(w, escape);
      continue;
    }
    if (c == '"' || c == '\\') kopi_buf_put_u8(&w->out, '\\');
    kopi_buf_put_u8(&w->out, c);
  }
  kopi_buf_put_u8(&w->out, '"');
}

/* Seventeen digits carry any double; the decimal sign must not depend on the locale. */
static void write_float(writer *w, const uint8_t *at) {
  double value;
  memcpy(&value, at, sizeof value);
  if (value != value) {
    uint64_t bits;
    char text[32];
    memcpy(&bits, at, sizeof bits);
    snprintf(text, sizeof text, bits == KOPI_JSON_NAN ? "\"NaN\"" : "\"NaN(%016llx)\"",
             (unsigned long long)bits);
    put(w, text);
  } else if (value > DBL_MAX || value < -DBL_MAX) {
    put(w, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  } else {
    char digits[40];
    snprintf(digits, sizeof digits, "%.17g", value);
    uint8_t real = 0;
    for (char *c = digits; *c != '\0'; c++) {
      uint8_t part = (*c >= '0' && *c <= '9') || *c == '-' || *c == '+' || *c == 'e';
      if (!part) *c = '.';
      real |= !part || *c == 'e';
    }
    put(w, digits);
    if (!real) put(w, ".0");
  }
}

static void write_scalar(writer *w, const kopi_field *f, const uint8_t *at) {
  kop_slice slice;
  switch (f->kind) {
  case KOPI_KIND_BOOL:
    put(w, *at != 0 ? "true" : "false");
    return;
  case KOPI_KIND_FLOAT64:
    write_float(w, at);
    return;
  case KOPI_KIND_UUID:
    write_base64(w, (kop_slice){at, sizeof(kop_uuid)}, 1);
    return;
  case KOPI_KIND_STRING:
  case KOPI_KIND_BYTES:
  case KOPI_KIND_RECORDS:
    memcpy(&slice, at, sizeof slice);
    if (slice.ptr == NULL) {
      put(w, "null");
    } else if (f->kind == KOPI_KIND_STRING) {
      write_string(w, slice);
    } else {
      write_base64(w, slice, 0);
    }
    return;
  case KOPI_KIND_STRUCT:
    write_struct(w, &kopi_wire_structs[f->struct_index], at);
    return;
  default: {
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)kopi_value_get_int(f->kind, at));
    put(w, digits);
  }
  }
}

static void write_value(writer *w, const kopi_field *f, const uint8_t *at) {
  if (f->flags & KOPI_FIELD_ARRAY) {
    kopi_array array;
    memcpy(&array, at, sizeof array);
    if (array.len < 0) {
      put(w, "null");
      return;
    }
    size_t size = kopi_field_element_size(f);
    const uint8_t *element = array.ptr;
    kopi_buf_put_u8(&w->out, '[');
    for (int32_t i = 0; i < array.len && w->out.status == KOP_OK; i++, element += size) {
      if (i > 0) kopi_buf_put_u8(&w->out, ',');
      write_scalar(w, f, element);
    }
    kopi_buf_put_u8(&w->out, ']');
    return;
  }
  if (f->flags & KOPI_FIELD_POINTER) {
    const uint8_t *ptr;
    memcpy(&ptr, at, sizeof ptr);
    if (ptr == NULL) {
      put(w, "null");
      return;
    }
    at = ptr;
  }
  write_scalar(w, f, at);
}

static void begin_member(writer *w, uint8_t *first, const char *name) {
  if (!*first) kopi_buf_put_u8(&w->out, ',');
  *first = 0;
  kopi_buf_put_u8(&w->out, '"');
  uint8_t initial = (uint8_t)*name;
  kopi_buf_put_u8(&w->out, initial >= 'A' && initial <= 'Z' ? initial | 0x20u : initial);
  put(w, name + 1);
  put(w, "\":");
}

static void write_unknown_tags(writer *w, const kopi_struct *s, const uint8_t *base,
                               uint8_t *first) {
  static const kopi_layout none = {.tag_count = 0};
  kop_slice raw;
  uint32_t count = 0;
  memcpy(&raw, base + s->tags_offset, sizeof raw);
  if (raw.len == 0) return;
  kop_status status = kopi_tags_count(&raw, &none, &count);
  if (status != KOP_OK && w->out.status == KOP_OK) w->out.status = status;
  if (status != KOP_OK) return;
  begin_member(w, first, "unknownTags");
  kopi_tag_reader r;
  kopi_tags_begin(&r, &raw);
  for (uint32_t i = 0; i < count; i++, kopi_tags_next(&r)) {
    char head[40];
    snprintf(head, sizeof head, "%s{\"tag\":%lu,\"data\":", i == 0 ? "[" : ",",
             (unsigned long)r.tag);
    put(w, head);
    write_base64(w, (kop_slice){r.data, r.size}, 0);
    kopi_buf_put_u8(&w->out, '}');
  }
  kopi_buf_put_u8(&w->out, ']');
}

static void write_struct(writer *w, const kopi_struct *s, const uint8_t *base) {
  const kopi_message *message = &kopi_wire_messages[s->message];
  uint8_t first = 1;
  kopi_buf_put_u8(&w->out, '{');
  for (size_t i = 0; i < s->field_count; i++) {
    const kopi_field *f = &kopi_wire_fields[s->fields + i];
    if (w->version < f->version_min || w->version > f->version_max) continue;
    if (f->tag >= 0 && kopi_field_at_default(f, base)) continue;
    begin_member(w, &first, &kopi_wire_names[f->name]);
    write_value(w, f, base + f->offset);
  }
  if (message->has_tags && w->version >= message->flexible_from) {
    write_unknown_tags(w, s, base, &first);
  }
  kopi_buf_put_u8(&w->out, '}');
}

kop_status kop_json_write(uint32_t id, int16_t version, const void *msg, size_t msg_size,
                          size_t limit, const kop_alloc *alloc, char **text, size_t *len) {
  *text = NULL;
  const kopi_message *message = kopi_message_get(id);
  if (message == NULL) return KOP_ERR_NOT_FOUND;
  const kopi_layout *layout = kopi_message_layout(message, version);
  if (layout == NULL) return KOP_ERR_UNSUPPORTED;
  kop_alloc own;
  kop_status status = kopi_alloc_init(&own, alloc);
  if (status != KOP_OK) return status;
  if (layout->struct_size != msg_size) return KOP_ERR_INVALID;
  writer w = {.version = version};
  kopi_buf_init(&w.out, &own, limit < SIZE_MAX ? limit + 1 : limit);
  write_struct(&w, &kopi_wire_structs[message->structs], msg);
  kopi_buf_put_u8(&w.out, '\0');
  if (w.out.status != KOP_OK) {
    status = w.out.status;
    kopi_buf_free(&w.out);
    return status;
  }
  *text = (char *)w.out.data;
  *len = w.out.len - 1;
  return KOP_OK;
}

void kop_json_free(const kop_alloc *alloc, char *text) {
  kop_alloc own;
  if (text != NULL && kopi_alloc_init(&own, alloc) == KOP_OK) kopi_free(&own, text);
}
