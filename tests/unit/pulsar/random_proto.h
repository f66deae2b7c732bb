/*
 * Random protobuf messages by protobuf-c's own descriptors: every field, present or not, with small, large and
 * boundary values. What the hand-written code is held against.
 */
#ifndef TESTS_UNIT_PULSAR_RANDOM_PROTO_H
#define TESTS_UNIT_PULSAR_RANDOM_PROTO_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

/* Memory for messages; all of it ends at random_proto_reset(). */
typedef struct random_proto {
  uint64_t rng;
  size_t used;
  uint8_t *memory;
} random_proto;

void random_proto_init(random_proto *r, uint64_t seed);
void random_proto_free(random_proto *r);
void random_proto_reset(random_proto *r);
void *random_proto_alloc(random_proto *r, size_t size);

/* A number, often near a power of two. */
uint64_t random_proto_number(random_proto *r);

/* A message of that type, all required fields set. */
ProtobufCMessage *random_proto_message(random_proto *r, const ProtobufCMessageDescriptor *type);

/* Its bytes. */
uint8_t *random_proto_pack(random_proto *r, const ProtobufCMessage *message, size_t *len);

#endif
