/* Reflection for those who walk the tables themselves: the JSON view. */
#ifndef KOPI_WIRE_REFLECT_H
#define KOPI_WIRE_REFLECT_H

#include "wire/codec.h"

/* Bytes of one value of each kind up to RECORDS. */
extern const size_t kopi_kind_size[];

/* The bits that JSON shows as "NaN"; another NaN is shown with its bits. */
#define KOPI_JSON_NAN UINT64_C(0x7FF8000000000000)

static inline uint8_t kopi_kind_is_slice(uint8_t kind) {
  return kind >= KOPI_KIND_STRING && kind <= KOPI_KIND_RECORDS;
}

/* Bytes of the value, or of one element; of a struct behind a pointer those of the struct. */
size_t kopi_field_element_size(const kopi_field *field);

/* Whether `name`, which is not empty, is the field's in the schema's or in JSON's spelling. */
uint8_t kopi_field_is_called(const kopi_field *field, const char *name);

/* Kinds BOOL to INT64. */
int64_t kopi_value_get_int(uint8_t kind, const uint8_t *at);
/* KOP_ERR_INVALID when the kind cannot hold the value. */
kop_status kopi_value_set_int(uint8_t kind, uint8_t *at, int64_t value);

/* Whether the member has its default; a struct, whether all of it has. */
uint8_t kopi_field_at_default(const kopi_field *f, const uint8_t *base);

/* Gives an array `len` default elements, or a nullable struct (len 1); -1 is null. `*elements` is what was allocated. */
kop_status kopi_field_make(const kopi_field *f, uint8_t *base, kopi_arena *arena, int32_t len,
                           uint8_t **elements);

#endif
