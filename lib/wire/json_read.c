/* Messages from JSON text. jansson parses; this file carries its tree over into structs of the arena. */
#include <kop/json.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/varint.h"
#include "wire/arena.h"
#include "wire/base64.h"
#include "wire/reflect.h"

typedef struct reader {
  kopi_arena *arena;
  int16_t version;
  char *error;
  size_t error_cap;
} reader;

static kop_status read_struct(reader *r, const kopi_struct *s, json_t *from, uint8_t *base);

static kop_status fail(reader *r, const char *name, const char *what) {
  if (r->error_cap > 0) snprintf(r->error, r->error_cap, "%s: %s", name, what);
  return KOP_ERR_MALFORMED;
}

static kop_status copy_bytes(reader *r, const void *bytes, size_t len, kop_slice *out) {
  *out = (kop_slice){.ptr = kopi_wire_empty};
  if (len == 0) return KOP_OK;
  uint8_t *copy = kopi_arena_alloc(r->arena, len);
  if (copy == NULL) return kopi_arena_status(r->arena, len);
  memcpy(copy, bytes, len);
  *out = (kop_slice){copy, len};
  return KOP_OK;
}

static kop_status read_base64(reader *r, const char *name, json_t *from, kop_slice *out) {
  if (!json_is_string(from)) return fail(r, name, "is not a string of base64");
  size_t len = json_string_length(from), room = len / 4 * 3 + 2;
  uint8_t *bytes = kopi_arena_alloc(r->arena, room);
  if (bytes == NULL) return kopi_arena_status(r->arena, room);
  ptrdiff_t n = kopi_base64_read(json_string_value(from), len, 0, bytes);
  if (n < 0) return fail(r, name, "is not base64");
  *out = (kop_slice){bytes, (size_t)n};
  return KOP_OK;
}

static kop_status read_string(reader *r, const char *name, json_t *from, kop_slice *out) {
  if (json_is_object(from) && json_object_size(from) == 1) {
    return read_base64(r, name, json_object_get(from, "base64"), out);
  }
  if (!json_is_string(from)) return fail(r, name, "is not a string");
  return copy_bytes(r, json_string_value(from), json_string_length(from), out);
}

static kop_status read_uuid(reader *r, const char *name, json_t *from, uint8_t *to) {
  uint8_t bytes[22 / 4 * 3 + 2];
  if (!json_is_string(from) || json_string_length(from) != 22 ||
      kopi_base64_read(json_string_value(from), 22, 1, bytes) != sizeof(kop_uuid)) {
    return fail(r, name, "is not a uuid of 22 characters");
  }
  memcpy(to, bytes, sizeof(kop_uuid));
  return KOP_OK;
}

/* "(7ff8000000000001)": the bits of a NaN that is not the usual one. */
static uint8_t read_nan(const char *text, uint64_t *bits) {
  static const char digits[] = "0123456789abcdef";
  if (strlen(text) != 18 || text[0] != '(' || text[17] != ')') return 0;
  *bits = 0;
  for (size_t i = 1; i < 17; i++) {
    const char *digit = strchr(digits, text[i]);
    if (digit == NULL) return 0;
    *bits = *bits << 4 | (uint64_t)(digit - digits);
  }
  double value;
  memcpy(&value, bits, sizeof value);
  return value != value;
}

static kop_status read_float(reader *r, const char *name, json_t *from, uint8_t *to) {
  double value = json_number_value(from);
  if (json_is_string(from)) {
    const char *text = json_string_value(from);
    if (strncmp(text, "NaN", 3) == 0) {
      uint64_t bits = KOPI_JSON_NAN;
      if (text[3] != '\0' && !read_nan(text + 3, &bits)) return fail(r, name, "is not a number");
      memcpy(&value, &bits, sizeof value);
    } else if (strcmp(text, "Infinity") == 0) {
      value = (double)INFINITY;
    } else if (strcmp(text, "-Infinity") == 0) {
      value = -(double)INFINITY;
    } else {
      return fail(r, name, "is not a number");
    }
  } else if (!json_is_number(from)) {
    return fail(r, name, "is not a number");
  }
  memcpy(to, &value, sizeof value);
  return KOP_OK;
}

static kop_status read_integer(reader *r, const kopi_field *f, const char *name, json_t *from,
                               uint8_t *to) {
  int64_t value = json_is_true(from);
  if (f->kind == KOPI_KIND_BOOL ? !json_is_boolean(from) : !json_is_integer(from)) {
    return fail(r, name, f->kind == KOPI_KIND_BOOL ? "is not a bool" : "is not an integer");
  }
  if (f->kind != KOPI_KIND_BOOL) value = json_integer_value(from);
  if (kopi_value_set_int(f->kind, to, value) != KOP_OK) return fail(r, name, "is out of range");
  return KOP_OK;
}

/* One value that is not null, into the member or the element at `to`. */
static kop_status read_scalar(reader *r, const kopi_field *f, json_t *from, uint8_t *to) {
  const char *name = &kopi_wire_names[f->name];
  kop_slice slice = {NULL, 0};
  kop_status status;
  switch (f->kind) {
  case KOPI_KIND_STRUCT:
    return read_struct(r, &kopi_wire_structs[f->struct_index], from, to);
  case KOPI_KIND_FLOAT64:
    return read_float(r, name, from, to);
  case KOPI_KIND_UUID:
    return read_uuid(r, name, from, to);
  case KOPI_KIND_STRING:
    status = read_string(r, name, from, &slice);
    break;
  case KOPI_KIND_BYTES:
  case KOPI_KIND_RECORDS:
    status = read_base64(r, name, from, &slice);
    break;
  default:
    return read_integer(r, f, name, from, to);
  }
  if (status == KOP_OK) memcpy(to, &slice, sizeof slice);
  return status;
}

static kop_status read_array(reader *r, const kopi_field *f, json_t *from, uint8_t *base) {
  const char *name = &kopi_wire_names[f->name];
  if (!json_is_array(from)) return fail(r, name, "is not an array");
  size_t count = json_array_size(from), size = kopi_field_element_size(f);
  if (count > (size_t)INT32_MAX) return fail(r, name, "has too many elements");
  uint8_t *element = NULL;
  kop_status status = kopi_field_make(f, base, r->arena, (int32_t)count, &element);
  for (size_t i = 0; status == KOP_OK && i < count; i++, element += size) {
    json_t *item = json_array_get(from, i);
    if (json_is_null(item)) return fail(r, name, "has a null element");
    status = read_scalar(r, f, item, element);
  }
  return status;
}

static kop_status read_field(reader *r, const kopi_field *f, json_t *from, uint8_t *base) {
  uint8_t *to = base + f->offset;
  if (json_is_null(from)) {
    uint8_t nullable =
        (r->version >= f->null_min && r->version <= f->null_max) || f->kind == KOPI_KIND_RECORDS;
    if (!nullable) return fail(r, &kopi_wire_names[f->name], "cannot be null");
    if (f->flags & KOPI_FIELD_ARRAY) {
      memcpy(to, &(kopi_array){.len = -1}, sizeof(kopi_array));
    } else if (f->flags & KOPI_FIELD_POINTER) {
      memset(to, 0, sizeof(void *));
    } else {
      memset(to, 0, sizeof(kop_slice));
    }
    return KOP_OK;
  }
  if (f->flags & KOPI_FIELD_ARRAY) return read_array(r, f, from, base);
  if (f->flags & KOPI_FIELD_POINTER) {
    kop_status status = kopi_field_make(f, base, r->arena, 1, &to);
    if (status != KOP_OK) return status;
  }
  return read_scalar(r, f, from, to);
}

/* [{"tag": 7, "data": "base64"}, ...] into one raw list. */
static kop_status read_unknown_tags(reader *r, const kopi_struct *s, json_t *from, uint8_t *base) {
  static const char name[] = "unknownTags";
  if (!json_is_array(from)) return fail(r, name, "is not an array");
  size_t count = json_array_size(from), room = 0, used = 0;
  for (size_t i = 0; i < count; i++) {
    json_t *data = json_object_get(json_array_get(from, i), "data");
    room += 2 * KOPI_VARINT_MAX + json_string_length(data) / 4 * 3 + 2;
  }
  uint8_t *list = kopi_arena_alloc(r->arena, room);
  if (list == NULL) return kopi_arena_status(r->arena, room);
  for (size_t i = 0; i < count; i++) {
    json_t *item = json_array_get(from, i), *tag = json_object_get(item, "tag");
    kop_slice data;
    kop_status status = read_base64(r, name, json_object_get(item, "data"), &data);
    if (status != KOP_OK) return status;
    json_int_t number = json_integer_value(tag);
    if (!json_is_integer(tag) || number < 0 || number > UINT32_MAX) {
      return fail(r, name, "has no tag in range");
    }
    uint8_t *p = kopi_uvarint_write(list + used, (uint32_t)number);
    p = kopi_uvarint_write(p, (uint32_t)data.len);
    memcpy(p, data.ptr, data.len);
    used = (size_t)(p - list) + data.len;
  }
  memcpy(base + s->tags_offset, &(kop_slice){list, used}, sizeof(kop_slice));
  return KOP_OK;
}

static const kopi_field *find_field(const reader *r, const kopi_struct *s, const char *name) {
  for (size_t i = 0; *name != '\0' && i < s->field_count; i++) {
    const kopi_field *f = &kopi_wire_fields[s->fields + i];
    if (r->version >= f->version_min && r->version <= f->version_max &&
        kopi_field_is_called(f, name)) {
      return f;
    }
  }
  return NULL;
}

/* base holds the defaults. */
static kop_status read_struct(reader *r, const kopi_struct *s, json_t *from, uint8_t *base) {
  const kopi_message *message = &kopi_wire_messages[s->message];
  if (!json_is_object(from)) return fail(r, &kopi_wire_names[s->name], "is not an object");
  for (void *it = json_object_iter(from); it != NULL; it = json_object_iter_next(from, it)) {
    const char *name = json_object_iter_key(it);
    json_t *value = json_object_iter_value(it);
    kop_status status;
    if (strcmp(name, "unknownTags") == 0 && r->version >= message->flexible_from) {
      status = read_unknown_tags(r, s, value, base);
    } else {
      const kopi_field *f = find_field(r, s, name);
      if (f == NULL) return fail(r, name, "is no field of this version");
      status = read_field(r, f, value, base);
    }
    if (status != KOP_OK) return status;
  }
  return KOP_OK;
}

kop_status kop_json_read(uint32_t id, int16_t version, kop_arena *arena, const char *text,
                         size_t len, void *msg, size_t msg_size, char *error, size_t error_cap) {
  const kopi_message *message = kopi_message_get(id);
  if (message == NULL) return KOP_ERR_NOT_FOUND;
  if (kopi_message_layout(message, version) == NULL) return KOP_ERR_UNSUPPORTED;
  kop_status status = kop_message_init(id, msg, msg_size);
  if (status != KOP_OK) return status;
  reader r = {&arena->arena, version, error, error == NULL ? 0 : error_cap};
  json_error_t where;
  json_t *tree = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
  if (tree == NULL) {
    if (json_error_code(&where) == json_error_out_of_memory) return KOP_ERR_NOMEM;
    char place[32];
    snprintf(place, sizeof place, "line %d", where.line);
    return fail(&r, place, where.text);
  }
  status = read_struct(&r, &kopi_wire_structs[message->structs], tree, msg);
  json_decref(tree);
  return status;
}
