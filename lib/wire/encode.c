/*
 * The encoder: the decoder's loop the other way round.
 *
 * It writes forward into the caller's memory and checks the room once for a RUN of fixed fields and once for each string or
 * array of numbers. Only a tagged field, whose size stands before it, is measured first. What cannot be written is found on
 * the way: a field that the version lacks and that is not at its default, null where the version knows none.
 */
#include "wire/encode.h"

#include <string.h>

#include "base/endian.h"
#include "base/varint.h"

static uint8_t *encode_struct(kopi_encoder *e, const kopi_layout *layout, const uint8_t *base,
                              uint8_t *p);

static uint8_t *fail(kopi_encoder *e, kop_status status) {
  e->status = status;
  return NULL;
}

static inline uint8_t has_room(const kopi_encoder *e, const uint8_t *p, uint64_t n) {
  return n <= (uint64_t)(e->end - p);
}

/* A length and room for `bytes` behind it; null is length -1. `width` 0 is a varint. */
static uint8_t *write_length(kopi_encoder *e, uint8_t width, int32_t length, uint64_t bytes,
                             uint8_t *p) {
  size_t head = width != 0 ? width : kopi_uvarint_size((uint32_t)length + 1);
  if (!has_room(e, p, head + bytes)) return fail(e, KOP_ERR_NO_SPACE);
  if (width == 0) return kopi_uvarint_write(p, (uint32_t)length + 1);
  if (width == 2) {
    kopi_store_be16(p, (uint16_t)length);
  } else {
    kopi_store_be32(p, (uint32_t)length);
  }
  return p + width;
}

static uint8_t *write_slice(kopi_encoder *e, uint8_t width, size_t longest, uint8_t nullable,
                            const uint8_t *at, uint8_t *p) {
  kop_slice slice;
  memcpy(&slice, at, sizeof slice);
  if (slice.ptr == NULL) {
    if (slice.len != 0 || !nullable) return fail(e, KOP_ERR_INVALID);
    return write_length(e, width, -1, 0, p);
  }
  if (slice.len > longest) return fail(e, KOP_ERR_INVALID);
  p = write_length(e, width, (int32_t)slice.len, slice.len, p);
  if (p == NULL || slice.len == 0) return p;
  memcpy(p, slice.ptr, slice.len);
  return p + slice.len;
}

/* A record set: its bytes, or a cut in their place. */
static uint8_t *write_records(kopi_encoder *e, uint8_t width, size_t longest, uint8_t nullable,
                              const uint8_t *at, uint8_t *p) {
  if (e->cuts == NULL) return write_slice(e, width, longest, nullable, at, p);
  kop_slice slice;
  memcpy(&slice, at, sizeof slice);
  if (slice.ptr == NULL || slice.len == 0) {
    return write_slice(e, width, longest, nullable, at, p);
  }
  if (slice.len > longest) return fail(e, KOP_ERR_INVALID);
  p = write_length(e, width, (int32_t)slice.len, 0, p);
  if (p == NULL) return NULL;
  if (e->cut_count == e->cut_cap) return fail(e, KOP_ERR_NO_SPACE);
  e->cuts[e->cut_count++] = (kop_cut){.at = (size_t)(p - e->begin), .bytes = slice};
  return p;
}

/* The head of an array; its elements take `bytes` each at least. */
static uint8_t *write_array_head(kopi_encoder *e, uint8_t flags, size_t bytes, const uint8_t *at,
                                 kopi_array *array, uint8_t *p) {
  memcpy(array, at, sizeof *array);
  if (array->len < 0) {
    array->len = 0;
    if (!(flags & KOPI_OP_NULLABLE)) return fail(e, KOP_ERR_INVALID);
    return write_length(e, flags & KOPI_OP_FLEX ? 0 : 4, -1, 0, p);
  }
  if (array->len > 0 && array->ptr == NULL) return fail(e, KOP_ERR_INVALID);
  return write_length(e, flags & KOPI_OP_FLEX ? 0 : 4, array->len,
                      (uint64_t)(uint32_t)array->len * bytes, p);
}

static uint8_t *write_numbers(kopi_encoder *e, const kopi_op *op, size_t width, const uint8_t *at,
                              uint8_t *p) {
  kopi_array array;
  p = write_array_head(e, op->flags, width, at, &array, p);
  if (p == NULL || array.len == 0) return p;
  size_t count = (size_t)array.len;
  const uint8_t *from = array.ptr;
  switch (width) {
  case 2:
    for (size_t i = 0; i < count; i++, p += 2, from += 2) {
      uint16_t v;
      memcpy(&v, from, 2);
      kopi_store_be16(p, v);
    }
    return p;
  case 4:
    for (size_t i = 0; i < count; i++, p += 4, from += 4) {
      uint32_t v;
      memcpy(&v, from, 4);
      kopi_store_be32(p, v);
    }
    return p;
  case 8:
    for (size_t i = 0; i < count; i++, p += 8, from += 8) {
      uint64_t v;
      memcpy(&v, from, 8);
      kopi_store_be64(p, v);
    }
    return p;
  default: /* bytes and uuids */
    memcpy(p, from, count * width);
    return p + count * width;
  }
}

static uint8_t *write_strings(kopi_encoder *e, const kopi_op *op, const uint8_t *at, uint8_t *p) {
  kopi_array array;
  uint8_t width = op->flags & KOPI_OP_FLEX ? 0 : 2;
  p = write_array_head(e, op->flags, 1, at, &array, p);
  const uint8_t *element = array.ptr;
  for (int32_t i = 0; p != NULL && i < array.len; i++, element += sizeof(kop_slice)) {
    p = write_slice(e, width, INT16_MAX, 0, element, p);
  }
  return p;
}

static uint8_t *write_structs(kopi_encoder *e, const kopi_op *op, const uint8_t *at, uint8_t *p) {
  const kopi_layout *layout = &kopi_wire_layouts[op->arg];
  kopi_array array;
  p = write_array_head(e, op->flags, layout->min_wire, at, &array, p);
  const uint8_t *element = array.ptr;
  for (int32_t i = 0; p != NULL && i < array.len; i++, element += layout->struct_size) {
    p = encode_struct(e, layout, element, p);
  }
  return p;
}

static uint8_t *write_nullable_struct(kopi_encoder *e, const kopi_op *op, const uint8_t *at,
                                      uint8_t *p) {
  const uint8_t *ptr;
  memcpy(&ptr, at, sizeof ptr);
  if (op->flags & KOPI_OP_NULLABLE) {
    if (!has_room(e, p, 1)) return fail(e, KOP_ERR_NO_SPACE);
    uint8_t null = op->flags & KOPI_OP_TAGGED ? 0 : 0xFF;
    *p++ = ptr == NULL ? null : 1;
  } else if (ptr == NULL) {
    return fail(e, KOP_ERR_INVALID);
  }
  return ptr == NULL ? p : encode_struct(e, &kopi_wire_layouts[op->arg], ptr, p);
}

/* The ops behind a RUN: `count` plain stores, for which there is room. */
static inline uint8_t *write_run(const kopi_op *op, size_t count, const uint8_t *base, uint8_t *p) {
  for (size_t i = 0; i < count; i++, op++) {
    const uint8_t *at = base + op->offset;
    switch (op->kind) {
    case KOPI_OP_BOOL:
      *p++ = *at != 0;
      break;
    case KOPI_OP_I8:
      *p++ = *at;
      break;
    case KOPI_OP_I16: {
      uint16_t v;
      memcpy(&v, at, 2);
      kopi_store_be16(p, v);
      p += 2;
      break;
    }
    case KOPI_OP_I32: {
      uint32_t v;
      memcpy(&v, at, 4);
      kopi_store_be32(p, v);
      p += 4;
      break;
    }
    case KOPI_OP_I64: {
      uint64_t v;
      memcpy(&v, at, 8);
      kopi_store_be64(p, v);
      p += 8;
      break;
    }
    default: /* KOPI_OP_UUID */
      memcpy(p, at, sizeof(kop_uuid));
      p += sizeof(kop_uuid);
    }
  }
  return p;
}

/* Ops up to their END or END_TAGS; `*stop` is the one that ended them. */
static uint8_t *encode_ops(kopi_encoder *e, const kopi_op *op, const uint8_t *base, uint8_t *p,
                           uint8_t *stop) {
  for (;; op++) {
    const uint8_t *at = base + op->offset;
    uint8_t nullable = op->flags & KOPI_OP_NULLABLE;
    switch (op->kind) {
    case KOPI_OP_END:
    case KOPI_OP_END_TAGS:
      *stop = op->kind;
      return p;
    case KOPI_OP_RUN:
      if (!has_room(e, p, op->arg)) return fail(e, KOP_ERR_NO_SPACE);
      p = write_run(op + 1, op->extra, base, p);
      op += op->extra;
      break;
    case KOPI_OP_STR:
      p = write_slice(e, 2, INT16_MAX, nullable, at, p);
      break;
    case KOPI_OP_STR_FLEX:
      p = write_slice(e, 0, INT16_MAX, nullable, at, p);
      break;
    case KOPI_OP_BYTES:
      p = write_slice(e, 4, INT32_MAX, nullable, at, p);
      break;
    case KOPI_OP_BYTES_FLEX:
      p = write_slice(e, 0, INT32_MAX - 1, nullable, at, p);
      break;
    case KOPI_OP_RECORDS:
      p = write_records(e, 4, INT32_MAX, nullable, at, p);
      break;
    case KOPI_OP_RECORDS_FLEX:
      p = write_records(e, 0, INT32_MAX - 1, nullable, at, p);
      break;
    case KOPI_OP_ARRAY_I8:
      p = write_numbers(e, op, 1, at, p);
      break;
    case KOPI_OP_ARRAY_I16:
      p = write_numbers(e, op, 2, at, p);
      break;
    case KOPI_OP_ARRAY_I32:
      p = write_numbers(e, op, 4, at, p);
      break;
    case KOPI_OP_ARRAY_I64:
      p = write_numbers(e, op, 8, at, p);
      break;
    case KOPI_OP_ARRAY_UUID:
      p = write_numbers(e, op, sizeof(kop_uuid), at, p);
      break;
    case KOPI_OP_ARRAY_STR:
      p = write_strings(e, op, at, p);
      break;
    case KOPI_OP_ARRAY_STRUCT:
      p = write_structs(e, op, at, p);
      break;
    case KOPI_OP_STRUCT:
      p = encode_struct(e, &kopi_wire_layouts[op->arg], at, p);
      break;
    default: /* KOPI_OP_NULLABLE_STRUCT */
      p = write_nullable_struct(e, op, at, p);
    }
    if (p == NULL) return NULL;
  }
}

static uint8_t *write_tag_head(kopi_encoder *e, uint32_t tag, uint64_t size, uint8_t *p) {
  if (size > (uint64_t)INT32_MAX) return fail(e, KOP_ERR_INVALID);
  uint64_t head = kopi_uvarint_size(tag) + kopi_uvarint_size((uint32_t)size);
  if (!has_room(e, p, head + size)) return fail(e, KOP_ERR_NO_SPACE);
  return kopi_uvarint_write(kopi_uvarint_write(p, tag), (uint32_t)size);
}

static uint8_t *write_known_tag(kopi_encoder *e, const kopi_tag *tag, const uint8_t *base,
                                uint8_t *p) {
  kopi_measure m = {.status = KOP_OK};
  kopi_measure_ops(&m, &kopi_wire_ops[tag->ops], base);
  if (m.status != KOP_OK) return fail(e, m.status);
  p = write_tag_head(e, tag->tag, m.bytes, p);
  if (p == NULL) return NULL;
  uint8_t stop;
  return encode_ops(e, &kopi_wire_ops[tag->ops], base, p, &stop);
}

static uint8_t *write_unknown_tags(kopi_encoder *e, const kop_slice *raw, uint8_t *p) {
  kopi_tag_reader r;
  for (kopi_tags_begin(&r, raw); p != NULL && r.data != NULL; kopi_tags_next(&r)) {
    p = write_tag_head(e, r.tag, r.size, p);
    if (p == NULL) return NULL;
    memcpy(p, r.data, r.size);
    p += r.size;
  }
  return p;
}

/* Known tags have the lowest numbers, so the unknown ones follow them. */
static uint8_t *encode_tags(kopi_encoder *e, const kopi_layout *layout, const uint8_t *base,
                            uint8_t *p) {
  const kopi_tag *tags = &kopi_wire_tags[layout->tags];
  kop_slice raw;
  memcpy(&raw, base + layout->tags_offset, sizeof raw);
  uint32_t count = 0, present = 0; /* a bit for each known tag: the generator allows 32 */
  if (raw.len > 0) {
    kop_status status = kopi_tags_count(&raw, layout, &count);
    if (status != KOP_OK) return fail(e, status);
  }
  for (size_t i = 0; i < layout->tag_count; i++) {
    if (kopi_defaults_hold(&kopi_wire_defaults[tags[i].checks], base)) {
      continue;
    }
    present |= UINT32_C(1) << i;
    count++;
  }
  if (!has_room(e, p, kopi_uvarint_size(count))) return fail(e, KOP_ERR_NO_SPACE);
  p = kopi_uvarint_write(p, count);
  for (size_t i = 0; present != 0 && p != NULL; i++, present >>= 1) {
    if (present & 1u) p = write_known_tag(e, &tags[i], base, p);
  }
  return p == NULL || raw.len == 0 ? p : write_unknown_tags(e, &raw, p);
}

static uint8_t *encode_struct(kopi_encoder *e, const kopi_layout *layout, const uint8_t *base,
                              uint8_t *p) {
  if (layout->has_absents && !kopi_defaults_hold(&kopi_wire_defaults[layout->absents], base)) {
    return fail(e, KOP_ERR_UNSUPPORTED);
  }
  uint8_t stop = KOPI_OP_END;
  p = encode_ops(e, &kopi_wire_ops[layout->ops], base, p, &stop);
  if (p == NULL || stop == KOPI_OP_END) return p;
  if (layout->tag_count == 0 && has_room(e, p, 1)) {
    kop_slice raw;
    memcpy(&raw, base + layout->tags_offset, sizeof raw);
    if (raw.len == 0) {
      *p = 0;
      return p + 1;
    }
  }
  return encode_tags(e, layout, base, p);
}

uint8_t *kopi_encode_layout(kopi_encoder *e, const kopi_layout *layout, const uint8_t *base) {
  return encode_struct(e, layout, base, e->begin);
}
