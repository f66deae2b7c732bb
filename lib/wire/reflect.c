/* The reflective view: structs and fields by number and name, with every access checked against the tables. */
#include <kop/reflect.h>

#include <string.h>

#include "wire/arena.h"
#include "wire/codec.h"
#include "wire/reflect.h"

const size_t kopi_kind_size[] = {
    1, 1, 2, 2, 4, 8, 8, sizeof(kop_uuid), sizeof(kop_slice), sizeof(kop_slice), sizeof(kop_slice)};

size_t kopi_field_element_size(const kopi_field *field) {
  return field->kind == KOPI_KIND_STRUCT ? kopi_wire_structs[field->struct_index].size
                                         : kopi_kind_size[field->kind];
}

static uint32_t struct_id_of(uint16_t index) {
  const kopi_struct *s = &kopi_wire_structs[index];
  const kopi_message *message = &kopi_wire_messages[s->message];
  return message->id * 256u + (uint32_t)(index - message->structs);
}

static const kopi_field *get_field(uint32_t struct_id, uint32_t field) {
  int32_t index = kopi_struct_get(struct_id);
  if (index < 0 || field >= kopi_wire_structs[index].field_count) return NULL;
  return &kopi_wire_fields[kopi_wire_structs[index].fields + field];
}

kop_status kop_struct_describe(uint32_t struct_id, kop_struct_info *out, size_t out_size) {
  int32_t index = kopi_struct_get(struct_id);
  if (index < 0) return KOP_ERR_NOT_FOUND;
  if (out_size != sizeof *out) return KOP_ERR_INVALID;
  const kopi_struct *s = &kopi_wire_structs[index];
  *out = (kop_struct_info){
      .size = sizeof *out,
      .name = &kopi_wire_names[s->name],
      .struct_size = s->size,
      .struct_id = struct_id,
      .message_id = struct_id / 256,
      .field_count = s->field_count,
      .has_tags = kopi_wire_messages[s->message].has_tags,
  };
  return KOP_OK;
}

kop_status kop_field_describe(uint32_t struct_id, uint32_t field, kop_field_info *out,
                              size_t out_size) {
  const kopi_field *f = get_field(struct_id, field);
  if (f == NULL) return KOP_ERR_NOT_FOUND;
  if (out_size != sizeof *out) return KOP_ERR_INVALID;
  *out = (kop_field_info){
      .size = sizeof *out,
      .name = &kopi_wire_names[f->name],
      .offset = f->offset,
      .default_number = kopi_wire_constants[f->constant],
      .kind = f->kind,
      .flags = f->flags,
      .struct_id = f->kind == KOPI_KIND_STRUCT ? struct_id_of(f->struct_index) : 0,
      .tag = f->tag,
      .version_min = f->version_min,
      .version_max = f->version_max,
      .null_min = f->null_min,
      .null_max = f->null_max,
  };
  return KOP_OK;
}

uint8_t kopi_field_is_called(const kopi_field *field, const char *name) {
  const char *own = &kopi_wire_names[field->name];
  uint8_t lower = (uint8_t)*own;
  if (lower >= 'A' && lower <= 'Z') lower = (uint8_t)(lower | 0x20u);
  if (*name != *own && (uint8_t)*name != lower) return 0;
  return strcmp(own + 1, name + 1) == 0;
}

kop_status kop_field_find(uint32_t struct_id, const char *name, uint32_t *field) {
  int32_t index = kopi_struct_get(struct_id);
  if (index < 0 || *name == '\0') return KOP_ERR_NOT_FOUND;
  const kopi_struct *s = &kopi_wire_structs[index];
  for (uint32_t i = 0; i < s->field_count; i++) {
    if (kopi_field_is_called(&kopi_wire_fields[s->fields + i], name)) {
      *field = i;
      return KOP_OK;
    }
  }
  return KOP_ERR_NOT_FOUND;
}

static uint8_t struct_at_default(const kopi_struct *s, const uint8_t *base) {
  if (kopi_wire_messages[s->message].has_tags) {
    kop_slice tags;
    memcpy(&tags, base + s->tags_offset, sizeof tags);
    if (tags.len > 0) return 0;
  }
  for (size_t i = 0; i < s->field_count; i++) {
    if (!kopi_field_at_default(&kopi_wire_fields[s->fields + i], base)) return 0;
  }
  return 1;
}

uint8_t kopi_field_at_default(const kopi_field *f, const uint8_t *base) {
  static const kop_uuid zero;
  const uint8_t *at = base + f->offset;
  uint8_t null_by_default = (f->flags & KOPI_FIELD_DEFAULT_NULL) != 0;
  if (f->flags & KOPI_FIELD_ARRAY) {
    kopi_array array;
    memcpy(&array, at, sizeof array);
    return null_by_default ? array.len < 0 : array.len == 0;
  }
  if (f->flags & KOPI_FIELD_POINTER) {
    memcpy(&at, at, sizeof(const uint8_t *));
    if (null_by_default || at == NULL) return null_by_default && at == NULL;
  }
  if (kopi_kind_is_slice(f->kind)) {
    kop_slice slice;
    memcpy(&slice, at, sizeof slice);
    return null_by_default ? slice.ptr == NULL : slice.ptr != NULL && slice.len == 0;
  }
  if (f->kind == KOPI_KIND_STRUCT) {
    return struct_at_default(&kopi_wire_structs[f->struct_index], at);
  }
  if (f->kind == KOPI_KIND_UUID) return memcmp(at, &zero, sizeof zero) == 0;
  return kopi_value_get_int(f->kind == KOPI_KIND_FLOAT64 ? KOPI_KIND_INT64 : f->kind, at) ==
         kopi_wire_constants[f->constant];
}

kop_status kop_field_len(uint32_t struct_id, uint32_t field, const void *base, int32_t *len) {
  const kopi_field *f = get_field(struct_id, field);
  if (f == NULL) return KOP_ERR_NOT_FOUND;
  const uint8_t *at = (const uint8_t *)base + f->offset;
  *len = 1;
  if (f->flags & KOPI_FIELD_ARRAY) {
    kopi_array array;
    memcpy(&array, at, sizeof array);
    *len = array.len < 0 ? -1 : array.len;
  } else if (f->flags & KOPI_FIELD_POINTER || kopi_kind_is_slice(f->kind)) {
    const void *ptr;
    memcpy(&ptr, at, sizeof ptr);
    if (ptr == NULL) *len = -1;
  }
  return KOP_OK;
}

kop_status kopi_field_make(const kopi_field *f, uint8_t *base, kopi_arena *arena, int32_t len,
                           uint8_t **elements) {
  size_t size = kopi_field_element_size(f), count = len < 0 ? 0 : (size_t)len;
  if (count > SIZE_MAX / size) return KOP_ERR_LIMIT;
  uint8_t *ptr = NULL;
  if (count > 0) {
    ptr = kopi_arena_calloc(arena, count, size);
    if (ptr == NULL) return kopi_arena_status(arena, count * size);
  }
  for (size_t i = 0; f->kind == KOPI_KIND_STRUCT && i < count; i++) {
    const kopi_struct *s = &kopi_wire_structs[f->struct_index];
    kopi_defaults_set(&kopi_wire_defaults[s->inits], s->init_count, ptr + i * size);
  }
  for (size_t i = 0; kopi_kind_is_slice(f->kind) && i < count; i++) {
    memcpy(ptr + i * size, &(kop_slice){.ptr = kopi_wire_empty}, sizeof(kop_slice));
  }
  if (f->flags & KOPI_FIELD_ARRAY) {
    memcpy(base + f->offset, &(kopi_array){.ptr = ptr, .len = len}, sizeof(kopi_array));
  } else {
    memcpy(base + f->offset, &ptr, sizeof ptr);
  }
  *elements = ptr;
  return KOP_OK;
}

kop_status kop_field_set_len(uint32_t struct_id, uint32_t field, void *base, kop_arena *arena,
                             int32_t len) {
  const kopi_field *f = get_field(struct_id, field);
  if (f == NULL) return KOP_ERR_NOT_FOUND;
  if (len < -1 || (len == -1 && f->null_min > f->null_max)) return KOP_ERR_INVALID;
  if (f->flags & KOPI_FIELD_ARRAY) {
    uint8_t *elements;
    return kopi_field_make(f, base, &arena->arena, len, &elements);
  }
  if (f->flags & KOPI_FIELD_POINTER) {
    uint8_t *element;
    return len == 0 || len > 1 ? KOP_ERR_INVALID
                               : kopi_field_make(f, base, &arena->arena, len, &element);
  }
  if (len != -1) return KOP_ERR_INVALID;
  memset((uint8_t *)base + f->offset, 0, sizeof(kop_slice));
  return KOP_OK;
}

/* Where the value lies: the member, or one element of its array. */
static kop_status locate(const kopi_field *f, uint8_t *base, int32_t element, uint8_t **at) {
  if (!(f->flags & KOPI_FIELD_ARRAY)) {
    *at = base + f->offset;
    return element == 0 ? KOP_OK : KOP_ERR_NOT_FOUND;
  }
  kopi_array array;
  memcpy(&array, base + f->offset, sizeof array);
  if (element < 0 || element >= array.len) return KOP_ERR_NOT_FOUND;
  *at = (uint8_t *)array.ptr + (size_t)element * kopi_field_element_size(f);
  return KOP_OK;
}

static kop_status find_value(uint32_t struct_id, uint32_t field, const void *base, int32_t element,
                             const kopi_field **f, uint8_t **at) {
  *f = get_field(struct_id, field);
  /* The getters share this with the setters; they do not write through `at`. */
  return *f == NULL ? KOP_ERR_NOT_FOUND : locate(*f, (uint8_t *)(uintptr_t)base, element, at);
}

int64_t kopi_value_get_int(uint8_t kind, const uint8_t *at) {
  int16_t v16;
  int32_t v32;
  int64_t v64;
  switch (kind) {
  case KOPI_KIND_BOOL:
    return *at != 0;
  case KOPI_KIND_INT8:
    return (int8_t)*at;
  case KOPI_KIND_INT16:
    memcpy(&v16, at, 2);
    return v16;
  case KOPI_KIND_UINT16:
    memcpy(&v16, at, 2);
    return (uint16_t)v16;
  case KOPI_KIND_INT32:
    memcpy(&v32, at, 4);
    return v32;
  default: /* KOPI_KIND_INT64 */
    memcpy(&v64, at, 8);
    return v64;
  }
}

kop_status kopi_value_set_int(uint8_t kind, uint8_t *at, int64_t value) {
  static const int64_t low[] = {0, INT8_MIN, INT16_MIN, 0, INT32_MIN, INT64_MIN};
  static const int64_t high[] = {1, INT8_MAX, INT16_MAX, UINT16_MAX, INT32_MAX, INT64_MAX};
  if (value < low[kind] || value > high[kind]) return KOP_ERR_INVALID;
  switch (kopi_kind_size[kind]) {
  case 1:
    *at = (uint8_t)value;
    break;
  case 2:
    memcpy(at, &(uint16_t){(uint16_t)value}, 2);
    break;
  case 4:
    memcpy(at, &(uint32_t){(uint32_t)value}, 4);
    break;
  default:
    memcpy(at, &value, 8);
  }
  return KOP_OK;
}

kop_status kop_field_get_int(uint32_t struct_id, uint32_t field, const void *base, int32_t element,
                             int64_t *value) {
  const kopi_field *f;
  uint8_t *at;
  kop_status status = find_value(struct_id, field, base, element, &f, &at);
  if (status != KOP_OK) return status;
  if (f->kind > KOPI_KIND_INT64) return KOP_ERR_INVALID;
  *value = kopi_value_get_int(f->kind, at);
  return KOP_OK;
}

kop_status kop_field_set_int(uint32_t struct_id, uint32_t field, void *base, int32_t element,
                             int64_t value) {
  const kopi_field *f;
  uint8_t *at;
  kop_status status = find_value(struct_id, field, base, element, &f, &at);
  if (status != KOP_OK) return status;
  if (f->kind > KOPI_KIND_INT64) return KOP_ERR_INVALID;
  return kopi_value_set_int(f->kind, at, value);
}

kop_status kop_field_get_float(uint32_t struct_id, uint32_t field, const void *base,
                               int32_t element, double *value) {
  const kopi_field *f;
  uint8_t *at;
  kop_status status = find_value(struct_id, field, base, element, &f, &at);
  if (status != KOP_OK) return status;
  if (f->kind != KOPI_KIND_FLOAT64) return KOP_ERR_INVALID;
  memcpy(value, at, sizeof *value);
  return KOP_OK;
}

kop_status kop_field_set_float(uint32_t struct_id, uint32_t field, void *base, int32_t element,
                               double value) {
  const kopi_field *f;
  uint8_t *at;
  kop_status status = find_value(struct_id, field, base, element, &f, &at);
  if (status != KOP_OK) return status;
  if (f->kind != KOPI_KIND_FLOAT64) return KOP_ERR_INVALID;
  memcpy(at, &value, sizeof value);
  return KOP_OK;
}

kop_status kop_field_get_slice(uint32_t struct_id, uint32_t field, const void *base,
                               int32_t element, kop_slice *value) {
  const kopi_field *f;
  uint8_t *at;
  kop_status status = find_value(struct_id, field, base, element, &f, &at);
  if (status != KOP_OK) return status;
  if (f->kind == KOPI_KIND_UUID) {
    *value = (kop_slice){at, sizeof(kop_uuid)};
    return KOP_OK;
  }
  if (!kopi_kind_is_slice(f->kind)) return KOP_ERR_INVALID;
  memcpy(value, at, sizeof *value);
  return KOP_OK;
}

kop_status kop_field_set_slice(uint32_t struct_id, uint32_t field, void *base, int32_t element,
                               kop_slice value) {
  const kopi_field *f;
  uint8_t *at;
  kop_status status = find_value(struct_id, field, base, element, &f, &at);
  if (status != KOP_OK) return status;
  if (f->kind == KOPI_KIND_UUID) {
    if (value.len != sizeof(kop_uuid) || value.ptr == NULL) return KOP_ERR_INVALID;
    memcpy(at, value.ptr, value.len);
    return KOP_OK;
  }
  if (!kopi_kind_is_slice(f->kind)) return KOP_ERR_INVALID;
  memcpy(at, &value, sizeof value);
  return KOP_OK;
}

kop_status kop_field_get_struct(uint32_t struct_id, uint32_t field, void *base, int32_t element,
                                void **inner) {
  const kopi_field *f;
  uint8_t *at;
  kop_status status = find_value(struct_id, field, base, element, &f, &at);
  if (status != KOP_OK) return status;
  if (f->kind != KOPI_KIND_STRUCT) return KOP_ERR_INVALID;
  if (f->flags & KOPI_FIELD_POINTER) {
    memcpy(inner, at, sizeof *inner);
  } else {
    *inner = at;
  }
  return KOP_OK;
}

kop_status kop_struct_get_tags(uint32_t struct_id, const void *base, kop_slice *tags) {
  int32_t index = kopi_struct_get(struct_id);
  if (index < 0) return KOP_ERR_NOT_FOUND;
  const kopi_struct *s = &kopi_wire_structs[index];
  if (!kopi_wire_messages[s->message].has_tags) return KOP_ERR_NOT_FOUND;
  memcpy(tags, (const uint8_t *)base + s->tags_offset, sizeof *tags);
  return KOP_OK;
}

kop_status kop_struct_set_tags(uint32_t struct_id, void *base, kop_slice tags) {
  int32_t index = kopi_struct_get(struct_id);
  if (index < 0) return KOP_ERR_NOT_FOUND;
  const kopi_struct *s = &kopi_wire_structs[index];
  if (!kopi_wire_messages[s->message].has_tags) return KOP_ERR_NOT_FOUND;
  memcpy((uint8_t *)base + s->tags_offset, &tags, sizeof tags);
  return KOP_OK;
}
