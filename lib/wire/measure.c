/*
 * What a message takes on the wire, and whether it can be written at all.
 *
 * The same walk as the encoder's, without bytes. It is run for a whole message when the caller asks for its size, and by the
 * encoder for each tagged field, whose size stands before it.
 */
#include "wire/codec.h"

#include <string.h>

#include "base/varint.h"

static void fail(kopi_measure *m, kop_status status) {
  if (m->status == KOP_OK) m->status = status;
}

/* The length of something of n bytes or elements; `width` 0 is a varint. */
static void add_length(kopi_measure *m, uint8_t width, size_t n) {
  m->bytes += width != 0 ? width : kopi_uvarint_size((uint32_t)n + 1);
}

static void measure_slice(kopi_measure *m, uint8_t width, size_t longest, const kopi_op *op,
                          const uint8_t *at) {
  kop_slice slice;
  memcpy(&slice, at, sizeof slice);
  if (slice.ptr == NULL) {
    if (slice.len != 0 || !(op->flags & KOPI_OP_NULLABLE)) fail(m, KOP_ERR_INVALID);
    m->bytes += width != 0 ? width : 1;
    return;
  }
  if (slice.len > longest) {
    fail(m, KOP_ERR_INVALID);
    return;
  }
  add_length(m, width, slice.len);
  uint8_t records = op->kind == KOPI_OP_RECORDS || op->kind == KOPI_OP_RECORDS_FLEX;
  if (records && m->cuts_apart) {
    m->cuts += slice.len > 0;
  } else {
    m->bytes += slice.len;
  }
}

/* The head of an array; gives the number of elements. */
static size_t measure_array(kopi_measure *m, const kopi_op *op, const uint8_t *at,
                            kopi_array *array) {
  memcpy(array, at, sizeof *array);
  if (array->len < 0 && !(op->flags & KOPI_OP_NULLABLE)) fail(m, KOP_ERR_INVALID);
  if (array->len > 0 && array->ptr == NULL) {
    fail(m, KOP_ERR_INVALID);
    return 0;
  }
  size_t count = array->len < 0 ? 0 : (size_t)array->len;
  if (array->len < 0) {
    m->bytes += op->flags & KOPI_OP_FLEX ? 1 : 4;
  } else {
    add_length(m, op->flags & KOPI_OP_FLEX ? 0 : 4, count);
  }
  return count;
}

static void measure_strings(kopi_measure *m, const kopi_op *op, const uint8_t *at) {
  static const kopi_op plain = {.kind = KOPI_OP_STR};
  kopi_array array;
  size_t count = measure_array(m, op, at, &array);
  const uint8_t *element = array.ptr;
  for (size_t i = 0; i < count; i++, element += sizeof(kop_slice)) {
    measure_slice(m, op->flags & KOPI_OP_FLEX ? 0 : 2, INT16_MAX, &plain, element);
  }
}

static void measure_structs(kopi_measure *m, const kopi_op *op, const uint8_t *at) {
  const kopi_layout *layout = &kopi_wire_layouts[op->arg];
  kopi_array array;
  size_t count = measure_array(m, op, at, &array);
  if (layout->fixed) {
    m->bytes += (uint64_t)count * layout->min_wire;
    return;
  }
  const uint8_t *element = array.ptr;
  for (size_t i = 0; i < count; i++, element += layout->struct_size) {
    kopi_measure_layout(m, layout, element);
  }
}

static void measure_nullable_struct(kopi_measure *m, const kopi_op *op, const uint8_t *at) {
  const uint8_t *ptr;
  memcpy(&ptr, at, sizeof ptr);
  if (op->flags & KOPI_OP_NULLABLE) m->bytes++;
  if (ptr != NULL) {
    kopi_measure_layout(m, &kopi_wire_layouts[op->arg], ptr);
  } else if (!(op->flags & KOPI_OP_NULLABLE)) {
    fail(m, KOP_ERR_INVALID);
  }
}

/* Ops up to their end; gives the one that ended them. */
static uint8_t measure_ops(kopi_measure *m, const kopi_op *op, const uint8_t *base) {
  static const uint8_t widths[] = {1, 2, 4, 8, sizeof(kop_uuid)};
  for (;; op++) {
    const uint8_t *at = base + op->offset;
    kopi_array array;
    switch (op->kind) {
    case KOPI_OP_END:
    case KOPI_OP_END_TAGS:
      return op->kind;
    case KOPI_OP_RUN:
      m->bytes += op->arg;
      op += op->extra;
      break;
    case KOPI_OP_STR:
      measure_slice(m, 2, INT16_MAX, op, at);
      break;
    case KOPI_OP_STR_FLEX:
      measure_slice(m, 0, INT16_MAX, op, at);
      break;
    case KOPI_OP_BYTES:
    case KOPI_OP_RECORDS:
      measure_slice(m, 4, INT32_MAX, op, at);
      break;
    case KOPI_OP_BYTES_FLEX:
    case KOPI_OP_RECORDS_FLEX:
      measure_slice(m, 0, INT32_MAX - 1, op, at);
      break;
    case KOPI_OP_ARRAY_STR:
      measure_strings(m, op, at);
      break;
    case KOPI_OP_ARRAY_STRUCT:
      measure_structs(m, op, at);
      break;
    case KOPI_OP_STRUCT:
      kopi_measure_layout(m, &kopi_wire_layouts[op->arg], at);
      break;
    case KOPI_OP_NULLABLE_STRUCT:
      measure_nullable_struct(m, op, at);
      break;
    default: /* arrays of numbers */
      m->bytes += (uint64_t)measure_array(m, op, at, &array) * widths[op->kind - KOPI_OP_ARRAY_I8];
    }
  }
}

void kopi_measure_ops(kopi_measure *m, const kopi_op *op, const uint8_t *base) {
  measure_ops(m, op, base);
}

static void measure_tags(kopi_measure *m, const kopi_layout *layout, const uint8_t *base) {
  kop_slice raw;
  uint32_t count = 0;
  memcpy(&raw, base + layout->tags_offset, sizeof raw);
  if (raw.len > 0) {
    kop_status status = kopi_tags_count(&raw, layout, &count);
    if (status != KOP_OK) {
      fail(m, status);
      return;
    }
    kopi_tag_reader r;
    for (kopi_tags_begin(&r, &raw); r.data != NULL; kopi_tags_next(&r)) {
      m->bytes += kopi_uvarint_size(r.tag) + kopi_uvarint_size(r.size) + r.size;
    }
  }
  for (size_t i = 0; i < layout->tag_count; i++) {
    const kopi_tag *tag = &kopi_wire_tags[layout->tags + i];
    if (kopi_defaults_hold(&kopi_wire_defaults[tag->checks], base)) continue;
    kopi_measure part = {.status = KOP_OK};
    measure_ops(&part, &kopi_wire_ops[tag->ops], base);
    if (part.status != KOP_OK) fail(m, part.status);
    m->bytes += kopi_uvarint_size(tag->tag) + kopi_uvarint_size((uint32_t)part.bytes) + part.bytes;
    count++;
  }
  m->bytes += kopi_uvarint_size(count);
}

void kopi_measure_layout(kopi_measure *m, const kopi_layout *layout, const uint8_t *base) {
  if (layout->has_absents && !kopi_defaults_hold(&kopi_wire_defaults[layout->absents], base)) {
    fail(m, KOP_ERR_UNSUPPORTED);
  }
  if (measure_ops(m, &kopi_wire_ops[layout->ops], base) == KOPI_OP_END) return;
  if (layout->tag_count == 0) {
    kop_slice raw;
    memcpy(&raw, base + layout->tags_offset, sizeof raw);
    if (raw.len == 0) {
      m->bytes++;
      return;
    }
  }
  measure_tags(m, layout, base);
}
