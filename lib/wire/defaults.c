/* The defaults of fields: setting them in zeroed memory, and asking whether they hold. */
#include "wire/codec.h"

#include <string.h>

const uint8_t kopi_wire_empty[1] = {0};

/* What a nullable struct points to when its default is not null; a table's generator sees that zeros are its defaults. */
static const int64_t zero_struct[16];

static void set_const(uint8_t *to, uint8_t width, int64_t value) {
  switch (width) {
  case 1:
    *to = (uint8_t)value;
    break;
  case 2:
    memcpy(to, &(uint16_t){(uint16_t)value}, 2);
    break;
  case 4:
    memcpy(to, &(uint32_t){(uint32_t)value}, 4);
    break;
  default:
    memcpy(to, &value, 8);
  }
}

void kopi_defaults_set(const kopi_op *op, size_t count, uint8_t *base) {
  for (size_t i = 0; i < count; i++, op++) {
    uint8_t *to = base + op->offset;
    switch (op->kind) {
    case KOPI_SET_CONST:
      set_const(to, op->flags, kopi_wire_constants[op->arg]);
      break;
    case KOPI_SET_EMPTY:
      memcpy(to, &(kop_slice){.ptr = kopi_wire_empty}, sizeof(kop_slice));
      break;
    case KOPI_SET_NULL_ARRAY:
      memcpy(to, &(kopi_array){.len = -1}, sizeof(kopi_array));
      break;
    default: /* KOPI_SET_ZERO_STRUCT */
      memcpy(to, &(const void *){zero_struct}, sizeof(const void *));
    }
  }
}

static inline uint8_t holds(const kopi_op *op, const uint8_t *at) {
  static const kop_uuid zero;
  kop_slice slice;
  kopi_array array;
  uint16_t v16;
  uint32_t v32;
  uint64_t v64;
  switch (op->kind) {
  case KOPI_IS_I8:
    return *at == (uint8_t)kopi_wire_constants[op->arg];
  case KOPI_IS_I16:
    memcpy(&v16, at, 2);
    return v16 == (uint16_t)kopi_wire_constants[op->arg];
  case KOPI_IS_I32:
    memcpy(&v32, at, 4);
    return v32 == (uint32_t)kopi_wire_constants[op->arg];
  case KOPI_IS_I64:
    memcpy(&v64, at, 8);
    return v64 == (uint64_t)kopi_wire_constants[op->arg];
  case KOPI_IS_ZERO_UUID:
    return memcmp(at, &zero, sizeof zero) == 0;
  case KOPI_IS_NULL: {
    const void *ptr;
    memcpy(&ptr, at, sizeof ptr);
    return ptr == NULL;
  }
  case KOPI_IS_NO_ELEMENT:
  case KOPI_IS_NULL_ARRAY:
    memcpy(&array, at, sizeof array);
    return op->kind == KOPI_IS_NULL_ARRAY ? array.len < 0 : array.len == 0;
  case KOPI_IS_STRUCT: {
    const uint8_t *ptr;
    memcpy(&ptr, at, sizeof ptr);
    return ptr != NULL && kopi_defaults_hold(&kopi_wire_defaults[op->arg], op->extra, ptr);
  }
  case KOPI_IS_EMPTY:
    memcpy(&slice, at, sizeof slice);
    return slice.len == 0 && slice.ptr != NULL;
  default: /* KOPI_IS_NO_TAGS */
    memcpy(&slice, at, sizeof slice);
    return slice.len == 0;
  }
}

uint8_t kopi_defaults_hold(const kopi_op *op, size_t count, const uint8_t *base) {
  for (size_t i = 0; i < count; i++, op++) {
    if (!holds(op, base + op->offset)) return 0;
  }
  return 1;
}
