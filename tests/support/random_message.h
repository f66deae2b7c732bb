/*
 * Random messages for property tests, made through the reflective view: any message, any version, from one seed.
 *
 * Everything the version can carry is drawn: nulls where they are allowed, empty and longer arrays, bytes and strings of several
 * lengths, numbers near the ends of their range, unknown tagged fields.
 */
#ifndef TESTS_SUPPORT_RANDOM_MESSAGE_H
#define TESTS_SUPPORT_RANDOM_MESSAGE_H

#include <kop/reflect.h>
#include <stdlib.h>
#include <string.h>

#include "support/rng.h"

typedef struct random_message {
  uint64_t rng;
  kop_arena *arena;
  int16_t version;
  int16_t flexible_from;
} random_message;

static inline kop_slice random_bytes(random_message *r, size_t longest) {
  void *out = NULL;
  size_t n = (size_t)rng_below(&r->rng, longest + 1);
  if (kop_arena_alloc(r->arena, 1, n + 1, &out) != KOP_OK) abort();
  uint8_t *p = out;
  for (size_t i = 0; i < n; i++)
    p[i] = (uint8_t)('a' + rng_below(&r->rng, 26));
  return (kop_slice){p, n};
}

static inline int64_t random_number(random_message *r, uint32_t kind) {
  int64_t v = (int64_t)rng_next(&r->rng) >> rng_below(&r->rng, 64);
  switch (kind) {
  case KOP_KIND_BOOL:
    return v & 1;
  case KOP_KIND_INT8:
    return (int8_t)v;
  case KOP_KIND_INT16:
    return (int16_t)v;
  case KOP_KIND_UINT16:
    return (uint16_t)v;
  case KOP_KIND_INT32:
    return (int32_t)v;
  default:
    return v;
  }
}

static void random_fill(random_message *r, uint32_t struct_id, void *base);

static inline void random_value(random_message *r, const kop_field_info *f, uint32_t struct_id,
                                uint32_t field, void *base, int32_t element) {
  void *inner = NULL;
  kop_status status;
  switch (f->kind) {
  case KOP_KIND_STRUCT:
    status = kop_field_get_struct(struct_id, field, base, element, &inner);
    random_fill(r, f->struct_id, inner);
    break;
  case KOP_KIND_FLOAT64:
    status = kop_field_set_float(struct_id, field, base, element,
                                 (double)random_number(r, KOP_KIND_INT32) / 8);
    break;
  case KOP_KIND_UUID: {
    uint8_t uuid[16];
    for (size_t i = 0; i < sizeof uuid; i++)
      uuid[i] = (uint8_t)rng_next(&r->rng);
    status = kop_field_set_slice(struct_id, field, base, element, (kop_slice){uuid, sizeof uuid});
    break;
  }
  case KOP_KIND_STRING:
  case KOP_KIND_BYTES:
  case KOP_KIND_RECORDS:
    status = kop_field_set_slice(struct_id, field, base, element,
                                 random_bytes(r, rng_below(&r->rng, 8) == 0 ? 300 : 20));
    break;
  default:
    status = kop_field_set_int(struct_id, field, base, element, random_number(r, f->kind));
  }
  if (status != KOP_OK) abort();
}

static inline void random_field(random_message *r, const kop_field_info *f, uint32_t struct_id,
                                uint32_t field, void *base) {
  uint8_t array = (f->flags & KOP_FIELD_ARRAY) != 0, pointer = (f->flags & KOP_FIELD_POINTER) != 0;
  uint8_t nullable = r->version >= f->null_min && r->version <= f->null_max;
  int32_t len = 1;
  if (nullable && rng_below(&r->rng, 4) == 0) {
    len = -1;
  } else if (array) {
    len = (int32_t)rng_below(&r->rng, 4);
  }
  if ((array || pointer || len < 0) &&
      kop_field_set_len(struct_id, field, base, r->arena, len) != KOP_OK) {
    abort();
  }
  for (int32_t i = 0; i < len; i++)
    random_value(r, f, struct_id, field, base, i);
}

/* A few unknown tagged fields that no schema has. */
static inline void random_tags(random_message *r, uint32_t struct_id, void *base) {
  static const uint8_t lists[][8] = {{0x64, 0x00},
                                     {0x64, 0x02, 0xAA, 0xBB, 0xE4, 0x0F, 0x01, 0xCC}};
  static const size_t sizes[] = {2, 8};
  size_t which = (size_t)rng_below(&r->rng, 2);
  if (kop_struct_set_tags(struct_id, base, (kop_slice){lists[which], sizes[which]}) != KOP_OK)
    abort();
}

/* Fills a struct that holds its defaults. */
static void random_fill(random_message *r, uint32_t struct_id, void *base) {
  kop_struct_info info;
  if (kop_struct_describe(struct_id, &info, sizeof info) != KOP_OK) abort();
  for (uint32_t i = 0; i < info.field_count; i++) {
    kop_field_info f;
    if (kop_field_describe(struct_id, i, &f, sizeof f) != KOP_OK) abort();
    if (r->version < f.version_min || r->version > f.version_max) continue;
    if (f.tag >= 0 && rng_below(&r->rng, 2) == 0) continue;
    random_field(r, &f, struct_id, i, base);
  }
  if (r->version >= r->flexible_from && rng_below(&r->rng, 3) == 0) random_tags(r, struct_id, base);
}

/* A message of the version, in the arena. */
static inline void *random_message_new(random_message *r, uint32_t id) {
  kop_message_info info;
  void *msg = NULL;
  if (kop_message_describe(id, &info, sizeof info) != KOP_OK) abort();
  if (kop_arena_alloc(r->arena, 1, info.struct_size, &msg) != KOP_OK) abort();
  if (kop_message_init(id, msg, info.struct_size) != KOP_OK) abort();
  r->flexible_from = info.flexible_from;
  random_fill(r, info.struct_id, msg);
  return msg;
}

#endif
