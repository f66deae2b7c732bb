/* Frames and the commands that protobuf-c handles. */
#include "pulsar/frame.h"

#include "base/assert.h"
#include "base/endian.h"
#include "pulsar/pb.h"

enum { WORD = 4, TYPE = 1 };

kop_status kopi_pulsar_frame_size(const uint8_t *bytes, size_t len, uint32_t max, size_t *size) {
  if (len < WORD) return KOP_ERR_TRUNCATED;
  uint32_t total = kopi_load_be32(bytes);
  if (total < WORD) return KOP_ERR_MALFORMED;
  if (total > max) return KOP_ERR_LIMIT;
  *size = (size_t)total + WORD;
  return KOP_OK;
}

kop_status kopi_pulsar_frame_split(const uint8_t *bytes, size_t size, kopi_pulsar_frame *out) {
  if (size < KOPI_PULSAR_FRAME_HEAD) return KOP_ERR_MALFORMED;
  size_t left = size - KOPI_PULSAR_FRAME_HEAD;
  size_t command = kopi_load_be32(bytes + WORD);
  if (command > left) return KOP_ERR_MALFORMED;
  const uint8_t *p = bytes + KOPI_PULSAR_FRAME_HEAD;
  out->command = (kop_slice){p, command};
  out->tail = (kop_slice){p + command, left - command};
  return KOP_OK;
}

size_t kopi_pulsar_frame_head_size(const Kopi__BaseCommand *command) {
  return KOPI_PULSAR_FRAME_HEAD + protobuf_c_message_get_packed_size(&command->base);
}

kop_status kopi_pulsar_frame_write(kopi_buf *out, const Kopi__BaseCommand *command,
                                   size_t tail_len) {
  size_t size = protobuf_c_message_get_packed_size(&command->base);
  if (size > INT32_MAX || tail_len > INT32_MAX - WORD - size) return KOP_ERR_LIMIT;
  uint8_t *p = kopi_buf_reserve(out, KOPI_PULSAR_FRAME_HEAD + size);
  if (p == NULL) return out->status;
  kopi_store_be32(p, (uint32_t)(WORD + size + tail_len));
  kopi_store_be32(p + WORD, (uint32_t)size);
  size_t packed = protobuf_c_message_pack(&command->base, p + KOPI_PULSAR_FRAME_HEAD);
  KOPI_ASSERT(packed == size);
  out->len += KOPI_PULSAR_FRAME_HEAD + packed;
  return KOP_OK;
}

kop_status kopi_pulsar_command_peek(kop_slice command, int32_t *type, kop_slice *body) {
  const uint8_t *p = command.ptr;
  const uint8_t *end = p + command.len;
  int typed = 0;
  int bodies = 0;
  uint32_t number = 0;
  *body = (kop_slice){NULL, 0};
  while (p < end) {
    kopi_pb_field field;
    p = kopi_pb_next(p, end, &field);
    if (p == NULL) return KOP_ERR_MALFORMED;
    if (field.number == TYPE) {
      if (field.wire != KOPI_PB_VARINT) return KOP_ERR_MALFORMED;
      *type = (int32_t)field.value;
      typed = 1;
    } else if (field.wire == KOPI_PB_BYTES) {
      number = field.number;
      *body = field.bytes;
      bodies++;
    }
  }
  if (!typed) return KOP_ERR_MALFORMED;
  if (bodies != 1 || number != (uint32_t)*type) *body = (kop_slice){NULL, 0};
  return KOP_OK;
}

kop_status kopi_pulsar_command_decode(kopi_proto_arena *arena, kop_slice command,
                                      const Kopi__BaseCommand **out) {
  const ProtobufCMessageDescriptor *type = &kopi__base_command__descriptor;
  ProtobufCMessage *message;
  kop_status status = kopi_proto_unpack(arena, type, command, &message);
  if (status != KOP_OK) return status;
  const Kopi__BaseCommand *base = (const Kopi__BaseCommand *)message;
  if (base->type != KOPI__BASE_COMMAND__TYPE__PING &&
      base->type != KOPI__BASE_COMMAND__TYPE__PONG) {
    const ProtobufCFieldDescriptor *body =
        protobuf_c_message_descriptor_get_field(type, (unsigned)base->type);
    if (body != NULL && body->type == PROTOBUF_C_TYPE_MESSAGE) {
      const void *at = (const uint8_t *)base + body->offset;
      if (*(const void *const *)at == NULL) return KOP_ERR_MALFORMED;
    }
  }
  *out = base;
  return KOP_OK;
}
