/* Fills messages through their descriptors. */
#include "random_proto.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "support/rng.h"

enum { MEMORY = 4 * 1024 * 1024, REPEATS = 4 };

void random_proto_init(random_proto *r, uint64_t seed) {
  *r = (random_proto){.rng = seed, .memory = malloc(MEMORY)};
  cr_assert_not_null(r->memory);
}

void random_proto_free(random_proto *r) {
  free(r->memory);
}

void random_proto_reset(random_proto *r) {
  r->used = 0;
}

void *random_proto_alloc(random_proto *r, size_t size) {
  size = (size + 15) / 16 * 16 + 16;
  cr_assert_leq(r->used + size, (size_t)MEMORY);
  void *p = r->memory + r->used;
  memset(p, 0, size);
  r->used += size;
  return p;
}

uint64_t random_proto_number(random_proto *r) {
  uint64_t n = rng_next(&r->rng);
  switch (rng_below(&r->rng, 4)) {
  case 0:
    return n % 3;
  case 1:
    return n % 300;
  case 2:
    return (UINT64_C(1) << (n % 64)) - (n >> 8) % 2;
  default:
    return n;
  }
}

static size_t random_length(random_proto *r) {
  return rng_below(&r->rng, rng_below(&r->rng, 16) == 0 ? 300 : 20);
}

static const char *random_string(random_proto *r) {
  size_t len = random_length(r);
  char *s = random_proto_alloc(r, len + 1);
  for (size_t i = 0; i < len; i++) {
    s[i] = (char)(1 + rng_below(&r->rng, 255));
  }
  return s;
}

static ProtobufCBinaryData random_bytes(random_proto *r) {
  ProtobufCBinaryData b = {.len = random_length(r)};
  b.data = random_proto_alloc(r, b.len);
  for (size_t i = 0; i < b.len; i++) {
    b.data[i] = (uint8_t)rng_next(&r->rng);
  }
  return b;
}

static int32_t random_enum(random_proto *r, const ProtobufCEnumDescriptor *type) {
  return type->values[rng_below(&r->rng, type->n_values)].value;
}

static size_t size_of(const ProtobufCFieldDescriptor *field) {
  switch (field->type) {
  case PROTOBUF_C_TYPE_INT32:
  case PROTOBUF_C_TYPE_UINT32:
  case PROTOBUF_C_TYPE_ENUM:
  case PROTOBUF_C_TYPE_BOOL:
    return 4;
  case PROTOBUF_C_TYPE_BYTES:
    return sizeof(ProtobufCBinaryData);
  default:
    return 8;
  }
}

static void fill(random_proto *r, const ProtobufCFieldDescriptor *field, void *at) {
  switch (field->type) {
  case PROTOBUF_C_TYPE_INT32:
  case PROTOBUF_C_TYPE_UINT32:
    *(uint32_t *)at = (uint32_t)random_proto_number(r);
    break;
  case PROTOBUF_C_TYPE_INT64:
  case PROTOBUF_C_TYPE_UINT64:
    *(uint64_t *)at = random_proto_number(r);
    break;
  case PROTOBUF_C_TYPE_BOOL:
    *(protobuf_c_boolean *)at = (protobuf_c_boolean)rng_below(&r->rng, 2);
    break;
  case PROTOBUF_C_TYPE_ENUM:
    *(int32_t *)at = random_enum(r, field->descriptor);
    break;
  case PROTOBUF_C_TYPE_STRING:
    *(const char **)at = random_string(r);
    break;
  case PROTOBUF_C_TYPE_BYTES:
    *(ProtobufCBinaryData *)at = random_bytes(r);
    break;
  case PROTOBUF_C_TYPE_MESSAGE:
    *(ProtobufCMessage **)at = random_proto_message(r, field->descriptor);
    break;
  default:
    cr_assert_fail("a type that Pulsar does not use");
  }
}

static int is_pointer(const ProtobufCFieldDescriptor *field) {
  return field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE;
}

ProtobufCMessage *random_proto_message(random_proto *r, const ProtobufCMessageDescriptor *type) {
  ProtobufCMessage *message = random_proto_alloc(r, type->sizeof_message);
  protobuf_c_message_init(type, message);
  /* Most fields, or few, or all. */
  uint64_t chance = rng_below(&r->rng, 5);
  for (unsigned i = 0; i < type->n_fields; i++) {
    const ProtobufCFieldDescriptor *field = &type->fields[i];
    uint8_t *at = (uint8_t *)message + field->offset;
    uint8_t *quantifier = (uint8_t *)message + field->quantifier_offset;
    int wanted = rng_below(&r->rng, 4) < chance;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
      size_t n = wanted ? rng_below(&r->rng, REPEATS) : 0;
      *(size_t *)(void *)quantifier = n;
      uint8_t *elements = random_proto_alloc(r, n * size_of(field));
      *(void **)(void *)at = elements;
      for (size_t k = 0; k < n; k++) {
        fill(r, field, elements + k * size_of(field));
      }
    } else if (field->label == PROTOBUF_C_LABEL_REQUIRED || wanted) {
      fill(r, field, at);
      if (field->label == PROTOBUF_C_LABEL_OPTIONAL && !is_pointer(field)) {
        *(protobuf_c_boolean *)(void *)quantifier = 1;
      }
    }
  }
  return message;
}

uint8_t *random_proto_pack(random_proto *r, const ProtobufCMessage *message, size_t *len) {
  *len = protobuf_c_message_get_packed_size(message);
  uint8_t *bytes = random_proto_alloc(r, *len);
  cr_assert_eq(protobuf_c_message_pack(message, bytes), *len);
  return bytes;
}
