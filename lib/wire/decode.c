/*
 * The decoder: one loop over the ops of a layout, for every message there is.
 *
 *   in   -> ... bytes of the frame ...            strings, bytes and record sets of the result point here
 *   base -> the struct, zeroed, defaults set      numbers are stored here
 *   arena                                         elements of arrays, nullable structs
 *
 * Every read is bounded by `end`. A RUN has checked the fixed fields behind it. An array is allocated only after its count, times
 * the fewest bytes that an element can take in this version, is known to fit what is left of the input, so the memory
 * a frame can ask for is a small multiple of its length; the arena's limit bounds the rest. The recursion follows
 * the schema, which has no cycle: six structs deep at most, whatever the input says.
 */
#include "wire/codec.h"

#include <string.h>

#include "base/compiler.h"
#include "base/endian.h"
#include "base/varint.h"

typedef struct decoder {
  kopi_arena *arena;
  kop_status status;
} decoder;

static const uint8_t *decode_struct(decoder *d, const kopi_layout *layout, const uint8_t *p,
                                    const uint8_t *end, uint8_t *base);

static KOPI_COLD const uint8_t *fail(decoder *d, kop_status status) {
  d->status = status;
  return NULL;
}

static KOPI_COLD const uint8_t *fail_varint(decoder *d, const uint8_t *p, const uint8_t *end) {
  return fail(d, kopi_varint_status(p, end, KOPI_VARINT_MAX));
}

KOPI_INLINE const uint8_t *read_uvarint(decoder *d, const uint8_t *p, const uint8_t *end,
                                        uint32_t *v) {
  const uint8_t *next = kopi_uvarint_read(p, end, v);
  return KOPI_LIKELY(next != NULL) ? next : fail_varint(d, p, end);
}

/* Any length: -1 for null, else the number of bytes or elements. Another negative one is refused, and null if it may not be. */
KOPI_INLINE const uint8_t *read_length(decoder *d, uint8_t width, uint8_t nullable,
                                       const uint8_t *p, const uint8_t *end, int32_t *length) {
  if (width == 0) {
    uint32_t v = 0;
    p = read_uvarint(d, p, end, &v);
    if (p == NULL) return NULL;
    *length = (int32_t)(v - 1);
  } else {
    if (end - p < width) return fail(d, KOP_ERR_TRUNCATED);
    *length = width == 2 ? (int16_t)kopi_load_be16(p) : (int32_t)kopi_load_be32(p);
    p += width;
  }
  if (*length < 0 && (*length != -1 || !nullable)) return fail(d, KOP_ERR_MALFORMED);
  return p;
}

/* String, bytes or record set; `width` is that of its length, 0 for a varint. */
KOPI_INLINE const uint8_t *read_slice(decoder *d, uint8_t width, int32_t longest, uint8_t nullable,
                                      const uint8_t *p, const uint8_t *end, uint8_t *to) {
  int32_t length = 0;
  p = read_length(d, width, nullable, p, end, &length);
  if (p == NULL) return NULL;
  kop_slice slice = {NULL, 0};
  if (KOPI_LIKELY(length >= 0)) {
    if (length > longest) return fail(d, KOP_ERR_MALFORMED);
    if (length > end - p) return fail(d, KOP_ERR_TRUNCATED);
    slice = (kop_slice){p, (size_t)length};
    p += length;
  }
  memcpy(to, &slice, sizeof slice);
  return p;
}

/*
 * The head of an array: its length, and memory for its elements. `least` is what an element takes on the wire at least, `size`
 * what it takes in memory. A null or empty array is complete with this: there is no memory then.
 */
KOPI_INLINE const uint8_t *read_array_head(decoder *d, uint8_t flags, size_t least, size_t size,
                                           const uint8_t *p, const uint8_t *end, uint8_t *to,
                                           kopi_array *out) {
  uint8_t nullable = flags & KOPI_OP_NULLABLE;
  *out = (kopi_array){NULL, 0};
  p = flags & KOPI_OP_FLEX ? read_length(d, 0, nullable, p, end, &out->len)
                           : read_length(d, 4, nullable, p, end, &out->len);
  if (p == NULL) return NULL;
  if (out->len > 0) {
    /* Products of 31 and 16 bits: they do not overflow, and cost less than a division. */
    uint64_t count = (uint64_t)out->len, bytes = count * size;
    if (count * least > (uint64_t)(end - p)) return fail(d, KOP_ERR_TRUNCATED);
    if (bytes > SIZE_MAX) return fail(d, KOP_ERR_LIMIT);
    out->ptr = kopi_arena_alloc(d->arena, (size_t)bytes);
    if (out->ptr == NULL) return fail(d, kopi_arena_status(d->arena, (size_t)bytes));
  }
  memcpy(to, out, sizeof *out);
  return p;
}

KOPI_INLINE const uint8_t *read_numbers(decoder *d, uint8_t flags, size_t width, const uint8_t *p,
                                        const uint8_t *end, uint8_t *to) {
  kopi_array array;
  p = read_array_head(d, flags, width, width, p, end, to, &array);
  if (p == NULL || array.len <= 0) return p;
  size_t count = (size_t)array.len;
  uint8_t *out = array.ptr;
  switch (width) {
  case 2:
    for (size_t i = 0; i < count; i++, p += 2, out += 2) {
      uint16_t v = kopi_load_be16(p);
      memcpy(out, &v, 2);
    }
    return p;
  case 4:
    for (size_t i = 0; i < count; i++, p += 4, out += 4) {
      uint32_t v = kopi_load_be32(p);
      memcpy(out, &v, 4);
    }
    return p;
  case 8:
    for (size_t i = 0; i < count; i++, p += 8, out += 8) {
      uint64_t v = kopi_load_be64(p);
      memcpy(out, &v, 8);
    }
    return p;
  default: /* bytes and uuids: as they lie */
    memcpy(out, p, count * width);
    return p + count * width;
  }
}

static const uint8_t *read_strings(decoder *d, uint8_t flags, const uint8_t *p, const uint8_t *end,
                                   uint8_t *to) {
  kopi_array array;
  uint8_t flex = flags & KOPI_OP_FLEX;
  p = read_array_head(d, flags, flex ? 1 : 2, sizeof(kop_slice), p, end, to, &array);
  uint8_t *out = array.ptr;
  for (int32_t i = 0; p != NULL && i < array.len; i++, out += sizeof(kop_slice)) {
    p = flex ? read_slice(d, 0, INT16_MAX, 0, p, end, out)
             : read_slice(d, 2, INT16_MAX, 0, p, end, out);
  }
  return p;
}

static const uint8_t *read_structs(decoder *d, const kopi_op *op, const uint8_t *p,
                                   const uint8_t *end, uint8_t *to) {
  const kopi_layout *layout = &kopi_wire_layouts[op->arg];
  kopi_array array;
  p = read_array_head(d, op->flags, layout->min_wire, layout->struct_size, p, end, to, &array);
  if (p == NULL || array.len <= 0) return p;
  size_t size = layout->struct_size;
  uint8_t *out = array.ptr;
  memset(out, 0, (size_t)array.len * size);
  for (int32_t i = 0; p != NULL && i < array.len; i++, out += size) {
    p = decode_struct(d, layout, p, end, out);
  }
  return p;
}

static const uint8_t *read_nullable_struct(decoder *d, const kopi_op *op, const uint8_t *p,
                                           const uint8_t *end, uint8_t *to) {
  const kopi_layout *layout = &kopi_wire_layouts[op->arg];
  void *ptr = NULL;
  if (op->flags & KOPI_OP_NULLABLE) {
    uint8_t null = 0;
    if (op->flags & KOPI_OP_TAGGED) {
      uint32_t marker = 0;
      p = read_uvarint(d, p, end, &marker);
      if (p == NULL) return NULL;
      null = marker == 0;
    } else {
      if (p == end) return fail(d, KOP_ERR_TRUNCATED);
      null = (int8_t)*p++ < 0;
    }
    if (null) {
      memcpy(to, &ptr, sizeof ptr);
      return p;
    }
  }
  ptr = kopi_arena_calloc(d->arena, 1, layout->struct_size);
  if (ptr == NULL) return fail(d, kopi_arena_status(d->arena, layout->struct_size));
  memcpy(to, &ptr, sizeof ptr);
  return decode_struct(d, layout, p, end, ptr);
}

/* The ops behind a RUN: `count` plain loads. */
KOPI_INLINE const uint8_t *read_run(const kopi_op *op, size_t count, const uint8_t *p,
                                    uint8_t *base) {
  for (size_t i = 0; i < count; i++, op++) {
    uint8_t *to = base + op->offset;
    switch (op->kind) {
    case KOPI_OP_BOOL:
      *to = *p++ != 0;
      break;
    case KOPI_OP_I8:
      *to = *p++;
      break;
    case KOPI_OP_I16: {
      uint16_t v = kopi_load_be16(p);
      memcpy(to, &v, 2);
      p += 2;
      break;
    }
    case KOPI_OP_I32: {
      uint32_t v = kopi_load_be32(p);
      memcpy(to, &v, 4);
      p += 4;
      break;
    }
    case KOPI_OP_I64: {
      uint64_t v = kopi_load_be64(p);
      memcpy(to, &v, 8);
      p += 8;
      break;
    }
    default: /* KOPI_OP_UUID */
      memcpy(to, p, sizeof(kop_uuid));
      p += sizeof(kop_uuid);
    }
  }
  return p;
}

/* Ops up to their END or END_TAGS; `*stop` is the one that ended them. */
KOPI_INLINE const uint8_t *decode_ops(decoder *d, const kopi_op *op, const uint8_t *p,
                                      const uint8_t *end, uint8_t *base, uint8_t *stop) {
  for (;; op++) {
    uint8_t *to = base + op->offset;
    switch (op->kind) {
    case KOPI_OP_END:
    case KOPI_OP_END_TAGS:
      *stop = op->kind;
      return p;
    case KOPI_OP_RUN:
      if (end - p < op->arg) return fail(d, KOP_ERR_TRUNCATED);
      p = read_run(op + 1, op->extra, p, base);
      op += op->extra;
      break;
    case KOPI_OP_STR:
      p = read_slice(d, 2, INT16_MAX, op->flags & KOPI_OP_NULLABLE, p, end, to);
      break;
    case KOPI_OP_STR_FLEX:
      p = read_slice(d, 0, INT16_MAX, op->flags & KOPI_OP_NULLABLE, p, end, to);
      break;
    case KOPI_OP_BYTES:
    case KOPI_OP_RECORDS:
      p = read_slice(d, 4, INT32_MAX, op->flags & KOPI_OP_NULLABLE, p, end, to);
      break;
    case KOPI_OP_BYTES_FLEX:
    case KOPI_OP_RECORDS_FLEX:
      p = read_slice(d, 0, INT32_MAX, op->flags & KOPI_OP_NULLABLE, p, end, to);
      break;
    case KOPI_OP_ARRAY_I8:
      p = read_numbers(d, op->flags, 1, p, end, to);
      break;
    case KOPI_OP_ARRAY_I16:
      p = read_numbers(d, op->flags, 2, p, end, to);
      break;
    case KOPI_OP_ARRAY_I32:
      p = read_numbers(d, op->flags, 4, p, end, to);
      break;
    case KOPI_OP_ARRAY_I64:
      p = read_numbers(d, op->flags, 8, p, end, to);
      break;
    case KOPI_OP_ARRAY_UUID:
      p = read_numbers(d, op->flags, sizeof(kop_uuid), p, end, to);
      break;
    case KOPI_OP_ARRAY_STR:
      p = read_strings(d, op->flags, p, end, to);
      break;
    case KOPI_OP_ARRAY_STRUCT:
      p = read_structs(d, op, p, end, to);
      break;
    case KOPI_OP_STRUCT:
      p = decode_struct(d, &kopi_wire_layouts[op->arg], p, end, to);
      break;
    default: /* KOPI_OP_NULLABLE_STRUCT */
      p = read_nullable_struct(d, op, p, end, to);
    }
    if (p == NULL) return NULL;
  }
}

/*
 * The known tags of a layout are 0, 1, 2 and so on without a gap, and tags ascend on the wire. So the unknown ones, all higher,
 * stand together at the end: they are kept as one borrowed slice.
 */
/* The ops of one tagged field: rare enough to be a function of their own. */
static const uint8_t *decode_tagged(decoder *d, const kopi_op *op, const uint8_t *p,
                                    const uint8_t *end, uint8_t *base) {
  uint8_t stop;
  return decode_ops(d, op, p, end, base, &stop);
}

static const uint8_t *decode_tags(decoder *d, const kopi_layout *layout, const uint8_t *p,
                                  const uint8_t *end, uint8_t *base) {
  uint32_t count = 0, before = 0;
  const uint8_t *unknown = NULL;
  p = read_uvarint(d, p, end, &count);
  if (p == NULL) return NULL;
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t *from = p;
    uint32_t tag = 0, size = 0;
    p = read_uvarint(d, p, end, &tag);
    if (p == NULL) return NULL;
    if (i > 0 && tag <= before) return fail(d, KOP_ERR_MALFORMED);
    before = tag;
    p = read_uvarint(d, p, end, &size);
    if (p == NULL) return NULL;
    if (size > (size_t)(end - p)) return fail(d, KOP_ERR_TRUNCATED);
    const uint8_t *behind = p + size;
    if (tag < layout->tag_count) {
      const kopi_tag *known = &kopi_wire_tags[layout->tags + tag];
      p = decode_tagged(d, &kopi_wire_ops[known->ops], p, behind, base);
      if (p == NULL) return NULL;
      if (p != behind) return fail(d, KOP_ERR_MALFORMED);
    } else if (unknown == NULL) {
      unknown = from;
    }
    p = behind;
  }
  if (unknown != NULL) {
    kop_slice raw = {unknown, (size_t)(p - unknown)};
    memcpy(base + layout->tags_offset, &raw, sizeof raw);
  }
  return p;
}

/* base is zeroed. */
static const uint8_t *decode_struct(decoder *d, const kopi_layout *layout, const uint8_t *p,
                                    const uint8_t *end, uint8_t *base) {
  uint8_t stop = KOPI_OP_END;
  if (layout->init_count > 0) {
    kopi_defaults_set(&kopi_wire_defaults[layout->inits], layout->init_count, base);
  }
  p = decode_ops(d, &kopi_wire_ops[layout->ops], p, end, base, &stop);
  if (p == NULL || stop == KOPI_OP_END) return p;
  if (p < end && *p == 0) return p + 1;
  return decode_tags(d, layout, p, end, base);
}

const uint8_t *kopi_decode_layout(const kopi_layout *layout, kopi_arena *arena, const uint8_t *in,
                                  const uint8_t *end, uint8_t *base, kop_status *status) {
  decoder d = {.arena = arena, .status = KOP_OK};
  memset(base, 0, layout->struct_size);
  const uint8_t *p = decode_struct(&d, layout, in, end, base);
  *status = d.status;
  return p;
}
