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

/* What IS_I8 to IS_I64 compare with. */
static inline int32_t value_of(const kopi_op *op) {
  return (int32_t)((uint32_t)op->arg | (uint32_t)op->extra << 16);
}

static inline uint8_t is_slice(const kopi_op *op, const uint8_t *at) {
  kop_slice slice;
  memcpy(&slice, at, sizeof slice);
  if (op->kind == KOPI_IS_NO_TAGS) return slice.len == 0;
  return slice.len == 0 && slice.ptr != NULL;
}

static inline uint8_t is_array(const kopi_op *op, const uint8_t *at) {
  kopi_array array;
  memcpy(&array, at, sizeof array);
  return op->kind == KOPI_IS_NULL_ARRAY ? array.len < 0 : array.len == 0;
}

/* Run for every tagged field that is written: most checks are of numbers. The one recursion follows the schema. */
uint8_t kopi_defaults_hold(const kopi_op *op, const uint8_t *base) {
  static const kop_uuid zero;
  for (;; op++) {
    const uint8_t *at = base + op->offset, *ptr;
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;
    uint8_t held;
    switch (op->kind) {
    case KOPI_IS_END:
      return 1;
    case KOPI_IS_I8:
      if (*at != (uint8_t)value_of(op)) return 0;
      continue;
    case KOPI_IS_I16:
      memcpy(&v16, at, 2);
      if (v16 != (uint16_t)value_of(op)) return 0;
      continue;
    case KOPI_IS_I32:
      memcpy(&v32, at, 4);
      if (v32 != (uint32_t)value_of(op)) return 0;
      continue;
    case KOPI_IS_I64:
      memcpy(&v64, at, 8);
      if (v64 != (uint64_t)(int64_t)value_of(op)) return 0;
      continue;
    case KOPI_IS_CONST:
      held = memcmp(at, &kopi_wire_constants[op->arg], sizeof(int64_t)) == 0;
      break;
    case KOPI_IS_ZERO_UUID:
      held = memcmp(at, &zero, sizeof zero) == 0;
      break;
    case KOPI_IS_NULL:
      memcpy(&ptr, at, sizeof ptr);
      held = ptr == NULL;
      break;
    case KOPI_IS_STRUCT:
      memcpy(&ptr, at, sizeof ptr);
      held = ptr != NULL && kopi_defaults_hold(&kopi_wire_defaults[op->arg], ptr);
      break;
    case KOPI_IS_NO_ELEMENT:
    case KOPI_IS_NULL_ARRAY:
      held = is_array(op, at);
      break;
    default: /* KOPI_IS_EMPTY, KOPI_IS_NO_TAGS */
      held = is_slice(op, at);
    }
    if (!held) return 0;
  }
}
