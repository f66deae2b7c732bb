/* The commands that each message costs, read and written by hand. Tests hold them against protobuf-c. */
#include "pulsar/frame.h"

#include "base/assert.h"
#include "base/endian.h"
#include "pulsar/pb.h"

enum { WORD = 4 };

/* Of MessageIdData. */
enum {
  LEDGER = 1,
  ENTRY = 2,
  PARTITION = 3,
  BATCH_INDEX = 4,
  ACK_SET = 5,
  BATCH_SIZE = 6,
  CHUNK = 7
};

/* 0 unless the field has the wire type that its number demands; unknown fields may have any. */
static int id_field(kop_pulsar_message_id *out, const kopi_pb_field *field, uint32_t *seen) {
  switch (field->number) {
  case ACK_SET:
    return field->wire == KOPI_PB_VARINT ||
           (field->wire == KOPI_PB_BYTES && kopi_pb_packed_count(field->bytes) >= 0);
  case CHUNK:
    return field->wire == KOPI_PB_BYTES;
  case LEDGER:
    out->ledger_id = field->value;
    break;
  case ENTRY:
    out->entry_id = field->value;
    break;
  case PARTITION:
    out->partition = (int32_t)field->value;
    break;
  case BATCH_INDEX:
    out->batch_index = (int32_t)field->value;
    break;
  case BATCH_SIZE:
    out->batch_size = (int32_t)field->value;
    break;
  default:
    return 1;
  }
  *seen |= 1u << field->number;
  return field->wire == KOPI_PB_VARINT;
}

kop_status kopi_pulsar_message_id_read(kop_slice bytes, kop_pulsar_message_id *out) {
  const uint8_t *p = bytes.ptr;
  const uint8_t *end = p + bytes.len;
  uint32_t seen = 0;
  *out = (kop_pulsar_message_id){.partition = -1, .batch_index = -1};
  while (p < end) {
    kopi_pb_field field = {.value = 0};
    p = kopi_pb_next(p, end, &field);
    if (p == NULL || !id_field(out, &field, &seen)) return KOP_ERR_MALFORMED;
  }
  uint32_t required = 1u << LEDGER | 1u << ENTRY;
  return (seen & required) == required ? KOP_OK : KOP_ERR_MALFORMED;
}

kop_status kopi_pulsar_receipt_read(kop_slice body, kopi_pulsar_receipt *out) {
  enum { PRODUCER = 1, SEQUENCE = 2, ID = 3, HIGHEST = 4 };
  const uint8_t *p = body.ptr;
  const uint8_t *end = p + body.len;
  uint32_t seen = 0;
  *out = (kopi_pulsar_receipt){.id = {.ledger_id = KOP_PULSAR_EARLIEST,
                                      .entry_id = KOP_PULSAR_EARLIEST,
                                      .partition = -1,
                                      .batch_index = -1}};
  while (p < end) {
    kopi_pb_field field;
    p = kopi_pb_next(p, end, &field);
    if (p == NULL) return KOP_ERR_MALFORMED;
    if (field.number > HIGHEST) continue;
    if (field.wire != (field.number == ID ? KOPI_PB_BYTES : KOPI_PB_VARINT)) {
      return KOP_ERR_MALFORMED;
    }
    seen |= 1u << field.number;
    if (field.number == PRODUCER) out->producer_id = field.value;
    if (field.number == SEQUENCE) out->sequence_id = field.value;
    if (field.number == HIGHEST) out->highest_sequence_id = field.value;
    if (field.number != ID) continue;
    kop_status status = kopi_pulsar_message_id_read(field.bytes, &out->id);
    if (status != KOP_OK) return status;
  }
  uint32_t required = 1u << PRODUCER | 1u << SEQUENCE;
  return (seen & required) == required ? KOP_OK : KOP_ERR_MALFORMED;
}

/* Adds an element of ack_set, or a packed run of them. */
static int add_acks(kop_pulsar_repeated *acks, const kopi_pb_field *field, const uint8_t *start,
                    const uint8_t *end) {
  int32_t n = 1;
  if (field->wire == KOPI_PB_BYTES) n = kopi_pb_packed_count(field->bytes);
  if (n < 0 || (field->wire != KOPI_PB_BYTES && field->wire != KOPI_PB_VARINT)) return 0;
  if (n > 0) kopi_pb_repeat(acks, start, end, n);
  return 1;
}

kop_status kopi_pulsar_delivery_read(kop_slice body, kopi_pulsar_delivery *out) {
  enum { CONSUMER = 1, ID = 2, REDELIVERED = 3, ACKS = 4, EPOCH = 5 };
  const uint8_t *p = body.ptr;
  const uint8_t *end = p + body.len;
  uint32_t seen = 0;
  *out = (kopi_pulsar_delivery){.ack_set = {.field = ACKS}};
  if (body.len > INT32_MAX) return KOP_ERR_MALFORMED;
  while (p < end) {
    kopi_pb_field field;
    const uint8_t *start = p;
    p = kopi_pb_next(p, end, &field);
    if (p == NULL) return KOP_ERR_MALFORMED;
    if (field.number > EPOCH) continue;
    if (field.number == ACKS) {
      if (!add_acks(&out->ack_set, &field, start, p)) return KOP_ERR_MALFORMED;
      continue;
    }
    if (field.wire != (field.number == ID ? KOPI_PB_BYTES : KOPI_PB_VARINT)) {
      return KOP_ERR_MALFORMED;
    }
    seen |= 1u << field.number;
    if (field.number == CONSUMER) out->consumer_id = field.value;
    if (field.number == REDELIVERED) out->redelivery_count = (uint32_t)field.value;
    if (field.number == EPOCH) out->consumer_epoch = field.value;
    if (field.number != ID) continue;
    kop_status status = kopi_pulsar_message_id_read(field.bytes, &out->id);
    if (status != KOP_OK) return status;
  }
  uint32_t required = 1u << CONSUMER | 1u << ID;
  return (seen & required) == required ? KOP_OK : KOP_ERR_MALFORMED;
}

size_t kopi_pulsar_send_write(const kopi_pulsar_send *send, size_t entry_len, uint8_t *out) {
  enum {
    TYPE = 1,
    SEND = 6,
    PRODUCER = 1,
    SEQUENCE = 2,
    COUNT = 3,
    LEAST = 4,
    MOST = 5,
    HIGHEST = 6,
    IS_CHUNK = 7
  };
  uint8_t body[KOPI_PULSAR_SEND_MAX];
  uint8_t *p = kopi_pb_put_uint(body, PRODUCER, send->producer_id);
  p = kopi_pb_put_uint(p, SEQUENCE, send->sequence_id);
  if (send->num_messages != 1) p = kopi_pb_put_uint(p, COUNT, kopi_pb_int32(send->num_messages));
  if ((send->txnid_least_bits | send->txnid_most_bits) != 0) {
    p = kopi_pb_put_uint(p, LEAST, send->txnid_least_bits);
    p = kopi_pb_put_uint(p, MOST, send->txnid_most_bits);
  }
  if (send->highest_sequence_id != 0) p = kopi_pb_put_uint(p, HIGHEST, send->highest_sequence_id);
  if (send->is_chunk) p = kopi_pb_put_uint(p, IS_CHUNK, 1);
  uint8_t *command = out + KOPI_PULSAR_FRAME_HEAD;
  uint8_t *end = kopi_pb_put_uint(command, TYPE, SEND);
  end = kopi_pb_put_bytes(end, SEND, (kop_slice){body, (size_t)(p - body)});
  size_t size = (size_t)(end - command);
  KOPI_ASSERT(KOPI_PULSAR_FRAME_HEAD + size <= KOPI_PULSAR_SEND_MAX);
  KOPI_ASSERT(entry_len <= INT32_MAX);
  kopi_store_be32(out, (uint32_t)(WORD + size + entry_len));
  kopi_store_be32(out + WORD, (uint32_t)size);
  return KOPI_PULSAR_FRAME_HEAD + size;
}
