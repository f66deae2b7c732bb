/* Frames and commands: every command there and back through protobuf-c, the hand-written ones against it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "pulsar/frame.h"
#include "random_proto.h"
#include "support/failing_alloc.h"
#include "support/rng.h"

enum { LIMIT = 1 << 20, ROUNDS = 5000 };

typedef struct bench {
  failing_alloc f;
  random_proto r;
  kopi_proto_arena arena;
  kopi_buf out;
} bench;

static void begin(bench *b, uint64_t seed) {
  failing_alloc_init(&b->f, SIZE_MAX);
  random_proto_init(&b->r, seed);
  kopi_proto_arena_init(&b->arena, &b->f.alloc, LIMIT);
  kopi_buf_init(&b->out, &b->f.alloc, LIMIT);
}

static void end(bench *b) {
  random_proto_free(&b->r);
  kopi_proto_arena_free(&b->arena);
  kopi_buf_free(&b->out);
  cr_assert_eq(b->f.live, 0);
}

/* A command of that type with a random body. */
static Kopi__BaseCommand *random_command(random_proto *r, const ProtobufCFieldDescriptor *body) {
  Kopi__BaseCommand *command = random_proto_alloc(r, sizeof *command);
  kopi__base_command__init(command);
  command->type = (Kopi__BaseCommand__Type)body->id;
  void *at = (uint8_t *)command + body->offset;
  *(ProtobufCMessage **)at = random_proto_message(r, body->descriptor);
  return command;
}

static const ProtobufCFieldDescriptor *body_of(int32_t type) {
  return protobuf_c_message_descriptor_get_field(&kopi__base_command__descriptor, (unsigned)type);
}

static kopi_pulsar_frame only_frame(const kopi_buf *b) {
  size_t size = 0;
  kopi_pulsar_frame frame;
  cr_assert_eq(kopi_pulsar_frame_size(b->data, 4, LIMIT, &size), KOP_OK);
  cr_assert_eq(size, b->len);
  cr_assert_eq(kopi_pulsar_frame_split(b->data, size, &frame), KOP_OK);
  return frame;
}

Test(entry_frames, every_command_goes_there_and_back) {
  bench b;
  begin(&b, 1);
  const ProtobufCMessageDescriptor *base = &kopi__base_command__descriptor;
  for (unsigned i = 1; i < base->n_fields; i++) {
    const ProtobufCFieldDescriptor *body = &base->fields[i];
    for (int round = 0; round < 100; round++) {
      random_proto_reset(&b.r);
      kopi_buf_reset(&b.out);
      Kopi__BaseCommand *command = random_command(&b.r, body);
      cr_assert_eq(kopi_pulsar_frame_write(&b.out, command, 0), KOP_OK);
      cr_assert_eq(kopi_pulsar_frame_head_size(command), b.out.len);
      kopi_pulsar_frame frame = only_frame(&b.out);
      cr_assert_eq(frame.tail.len, 0);
      int32_t type = 0;
      kop_slice bytes;
      cr_assert_eq(kopi_pulsar_command_peek(frame.command, &type, &bytes), KOP_OK);
      cr_assert_eq(type, (int32_t)body->id);
      cr_assert_not_null(bytes.ptr);
      const Kopi__BaseCommand *read;
      cr_assert_eq(kopi_pulsar_command_decode(&b.arena, frame.command, &read), KOP_OK);
      size_t len;
      uint8_t *again = random_proto_pack(&b.r, &read->base, &len);
      cr_assert_eq(len, frame.command.len);
      cr_assert_eq(memcmp(again, frame.command.ptr, len), 0);
    }
  }
  end(&b);
}

Test(entry_frames, each_body_has_the_number_of_its_type) {
  const ProtobufCEnumDescriptor *types = &kopi__base_command__type__descriptor;
  cr_assert_eq(types->n_values + 1, kopi__base_command__descriptor.n_fields);
  for (unsigned i = 0; i < types->n_values; i++) {
    cr_assert_not_null(body_of(types->values[i].value), "%d", types->values[i].value);
  }
}

Test(entry_frames, a_command_without_its_body_is_malformed_but_for_ping_and_pong) {
  bench b;
  begin(&b, 2);
  for (uint8_t type = 0; type < 80; type++) {
    const uint8_t bytes[] = {0x08, type};
    const Kopi__BaseCommand *read;
    int32_t peeked = -1;
    kop_slice body;
    kop_status status =
        kopi_pulsar_command_decode(&b.arena, (kop_slice){bytes, sizeof bytes}, &read);
    int passes = type == KOPI__BASE_COMMAND__TYPE__PING || type == KOPI__BASE_COMMAND__TYPE__PONG ||
                 type < 2 || body_of(type) == NULL;
    cr_assert_eq(status, passes ? KOP_OK : KOP_ERR_MALFORMED, "type %d: %d", type, status);
    cr_assert_eq(kopi_pulsar_command_peek((kop_slice){bytes, sizeof bytes}, &peeked, &body),
                 KOP_OK);
    cr_assert_eq(peeked, type);
    cr_assert_null(body.ptr);
  }
  static const uint8_t untyped[] = {0x92, 0x01, 0};
  const Kopi__BaseCommand *read;
  int32_t type;
  kop_slice body;
  kop_slice bytes = {untyped, sizeof untyped};
  cr_assert_eq(kopi_pulsar_command_decode(&b.arena, bytes, &read), KOP_ERR_MALFORMED);
  cr_assert_eq(kopi_pulsar_command_peek(bytes, &type, &body), KOP_ERR_MALFORMED);
  cr_assert_eq(kopi_pulsar_command_decode(&b.arena, (kop_slice){NULL, 0}, &read),
               KOP_ERR_MALFORMED);
  /* A body that comes in two parts is protobuf-c's to merge. */
  static const uint8_t twice[] = {0x08, 11, 0x5A, 2, 0x08, 1, 0x5A, 2, 0x10, 5};
  bytes = (kop_slice){twice, sizeof twice};
  cr_assert_eq(kopi_pulsar_command_peek(bytes, &type, &body), KOP_OK);
  cr_assert_null(body.ptr);
  end(&b);
}

static void same_id(const kop_pulsar_message_id *mine, const Kopi__MessageIdData *pb) {
  cr_assert_eq(mine->ledger_id, pb->ledgerid);
  cr_assert_eq(mine->entry_id, pb->entryid);
  cr_assert_eq(mine->partition, pb->partition);
  cr_assert_eq(mine->batch_index, pb->batch_index);
  cr_assert_eq(mine->batch_size, pb->batch_size);
}

static void same_receipt(kop_slice body, const ProtobufCMessage *message) {
  const Kopi__CommandSendReceipt *pb = (const Kopi__CommandSendReceipt *)message;
  kopi_pulsar_receipt mine;
  cr_assert_eq(kopi_pulsar_receipt_read(body, &mine), KOP_OK);
  cr_assert_eq(mine.producer_id, pb->producer_id);
  cr_assert_eq(mine.sequence_id, pb->sequence_id);
  cr_assert_eq(mine.highest_sequence_id, pb->highest_sequence_id);
  if (pb->message_id != NULL) {
    same_id(&mine.id, pb->message_id);
  } else {
    cr_assert(mine.id.ledger_id == KOP_PULSAR_EARLIEST && mine.id.entry_id == KOP_PULSAR_EARLIEST);
  }
}

static void same_delivery(kop_slice body, const ProtobufCMessage *message) {
  const Kopi__CommandMessage *pb = (const Kopi__CommandMessage *)message;
  kopi_pulsar_delivery mine;
  cr_assert_eq(kopi_pulsar_delivery_read(body, &mine), KOP_OK);
  cr_assert_eq(mine.consumer_id, pb->consumer_id);
  cr_assert_eq(mine.consumer_epoch, pb->consumer_epoch);
  cr_assert_eq(mine.redelivery_count, pb->redelivery_count);
  same_id(&mine.id, pb->message_id);
  cr_assert_eq((size_t)mine.ack_set.count, pb->n_ack_set);
  for (size_t i = 0; i < pb->n_ack_set; i++) {
    int64_t acks;
    cr_assert_eq(kop_pulsar_int64_next(&mine.ack_set, &acks), KOP_OK);
    cr_assert_eq(acks, pb->ack_set[i]);
  }
}

static kop_status read_receipt(kop_slice body) {
  kopi_pulsar_receipt out;
  return kopi_pulsar_receipt_read(body, &out);
}

static kop_status read_delivery(kop_slice body) {
  kopi_pulsar_delivery out;
  return kopi_pulsar_delivery_read(body, &out);
}

/* The hand-written readers have no use for the first chunk's id and do not look into it, as protobuf-c does. */
static void without_chunk(ProtobufCMessage *message) {
  Kopi__MessageIdData *id = NULL;
  if (message->descriptor == &kopi__command_message__descriptor) {
    id = ((Kopi__CommandMessage *)message)->message_id;
  } else {
    id = ((Kopi__CommandSendReceipt *)message)->message_id;
  }
  if (id != NULL) id->first_chunk_message_id = NULL;
}

/* Random bodies, then each cut everywhere, then each with a bit changed: both readers judge the same. */
static void against_protobuf_c(uint64_t seed, const ProtobufCMessageDescriptor *type,
                               void (*same)(kop_slice, const ProtobufCMessage *),
                               kop_status (*read)(kop_slice)) {
  random_proto r;
  random_proto_init(&r, seed);
  int refused = 0;
  for (int round = 0; round < ROUNDS; round++) {
    random_proto_reset(&r);
    size_t len;
    ProtobufCMessage *message = random_proto_message(&r, type);
    if (round % 2 == 0) without_chunk(message);
    uint8_t *bytes = random_proto_pack(&r, message, &len);
    same((kop_slice){bytes, len}, message);
    if (round % 2 != 0) continue;
    size_t cut = rng_below(&r.rng, len);
    uint8_t *part = malloc(cut == 0 ? 1 : cut);
    memcpy(part, bytes, cut);
    for (int damaged = 0; damaged < 2; damaged++) {
      const uint8_t *from = damaged ? bytes : part;
      size_t n = damaged ? len : cut;
      if (damaged) bytes[rng_below(&r.rng, len)] ^= (uint8_t)(1u << rng_below(&r.rng, 8));
      ProtobufCMessage *pb = protobuf_c_message_unpack(type, NULL, n, from);
      cr_assert_eq(read((kop_slice){from, n}), pb != NULL ? KOP_OK : KOP_ERR_MALFORMED);
      refused += pb == NULL;
      if (pb == NULL) continue;
      same((kop_slice){from, n}, pb);
      protobuf_c_message_free_unpacked(pb, NULL);
    }
    free(part);
  }
  cr_assert_gt(refused, 1000);
  random_proto_free(&r);
}

Test(entry_frames, a_receipt_is_read_as_protobuf_c_reads_it) {
  against_protobuf_c(3, &kopi__command_send_receipt__descriptor, same_receipt, read_receipt);
}

Test(entry_frames, a_delivery_is_read_as_protobuf_c_reads_it) {
  against_protobuf_c(4, &kopi__command_message__descriptor, same_delivery, read_delivery);
}

Test(entry_frames, a_send_is_written_as_protobuf_c_writes_it) {
  bench b;
  begin(&b, 5);
  for (int round = 0; round < ROUNDS; round++) {
    kopi_buf_reset(&b.out);
    kopi_pulsar_send mine = {
        .producer_id = random_proto_number(&b.r),
        .sequence_id = random_proto_number(&b.r),
        .highest_sequence_id = random_proto_number(&b.r),
        .num_messages = (int32_t)random_proto_number(&b.r),
        .is_chunk = (uint8_t)rng_below(&b.r.rng, 2),
    };
    if (round % 2 == 0) mine.txnid_least_bits = random_proto_number(&b.r);
    if (round % 3 == 0) mine.txnid_most_bits = random_proto_number(&b.r);
    Kopi__CommandSend send = KOPI__COMMAND_SEND__INIT;
    send.producer_id = mine.producer_id;
    send.sequence_id = mine.sequence_id;
    send.has_num_messages = mine.num_messages != 1;
    send.num_messages = mine.num_messages;
    send.has_txnid_least_bits = (mine.txnid_least_bits | mine.txnid_most_bits) != 0;
    send.has_txnid_most_bits = send.has_txnid_least_bits;
    send.txnid_least_bits = mine.txnid_least_bits;
    send.txnid_most_bits = mine.txnid_most_bits;
    send.has_highest_sequence_id = mine.highest_sequence_id != 0;
    send.highest_sequence_id = mine.highest_sequence_id;
    send.has_is_chunk = mine.is_chunk;
    send.is_chunk = mine.is_chunk;
    Kopi__BaseCommand command = KOPI__BASE_COMMAND__INIT;
    command.type = KOPI__BASE_COMMAND__TYPE__SEND;
    command.send = &send;
    size_t entry_len = rng_below(&b.r.rng, 1 << 20);
    cr_assert_eq(kopi_pulsar_frame_write(&b.out, &command, entry_len), KOP_OK);
    uint8_t bytes[KOPI_PULSAR_SEND_MAX];
    size_t len = kopi_pulsar_send_write(&mine, entry_len, bytes);
    cr_assert_eq(len, b.out.len);
    cr_assert_eq(memcmp(bytes, b.out.data, len), 0);
  }
  kopi_pulsar_send largest = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, -1, 1};
  uint8_t bytes[KOPI_PULSAR_SEND_MAX];
  cr_assert_leq(kopi_pulsar_send_write(&largest, 0, bytes), sizeof bytes);
  end(&b);
}

Test(entry_frames, sizes_are_held_against_their_bounds) {
  size_t size;
  kopi_pulsar_frame frame;
  static const uint8_t small[] = {0, 0, 0, 3, 0, 0, 0};
  static const uint8_t at[] = {0, 0, 1, 0};
  static const uint8_t beyond[] = {0, 0, 0, 6, 0, 0, 0, 3, 8, 18};
  cr_assert_eq(kopi_pulsar_frame_size(small, 3, 100, &size), KOP_ERR_TRUNCATED);
  cr_assert_eq(kopi_pulsar_frame_size(small, 4, 100, &size), KOP_ERR_MALFORMED);
  cr_assert_eq(kopi_pulsar_frame_size(at, 4, 255, &size), KOP_ERR_LIMIT);
  cr_assert_eq(kopi_pulsar_frame_size(at, 4, 256, &size), KOP_OK);
  cr_assert_eq(size, 260);
  cr_assert_eq(kopi_pulsar_frame_split(beyond, sizeof beyond, &frame), KOP_ERR_MALFORMED);
  cr_assert_eq(kopi_pulsar_frame_split(beyond, 7, &frame), KOP_ERR_MALFORMED);
  bench b;
  begin(&b, 6);
  Kopi__BaseCommand command = KOPI__BASE_COMMAND__INIT;
  command.type = KOPI__BASE_COMMAND__TYPE__PING;
  cr_assert_eq(kopi_pulsar_frame_write(&b.out, &command, INT32_MAX), KOP_ERR_LIMIT);
  cr_assert_eq(kopi_pulsar_frame_write(&b.out, &command, 7), KOP_OK);
  kopi_buf_put(&b.out, "trailer", 7);
  frame = only_frame(&b.out);
  cr_assert_eq(frame.tail.len, 7);
  cr_assert_eq(memcmp(frame.tail.ptr, "trailer", 7), 0);
  end(&b);
}

Test(entry_frames, decoding_is_bounded_and_its_memory_may_fail) {
  bench b;
  begin(&b, 7);
  Kopi__BaseCommand *command = random_command(&b.r, body_of(KOPI__BASE_COMMAND__TYPE__SUBSCRIBE));
  while (kopi_pulsar_frame_head_size(command) < 600) {
    command = random_command(&b.r, body_of(KOPI__BASE_COMMAND__TYPE__SUBSCRIBE));
  }
  cr_assert_eq(kopi_pulsar_frame_write(&b.out, command, 0), KOP_OK);
  kopi_pulsar_frame frame = only_frame(&b.out);
  const Kopi__BaseCommand *read;
  for (size_t i = 0;; i++) {
    failing_alloc f;
    failing_alloc_init(&f, i);
    kopi_proto_arena arena;
    kopi_proto_arena_init(&arena, &f.alloc, LIMIT);
    kop_status status = kopi_pulsar_command_decode(&arena, frame.command, &read);
    cr_assert_eq(status, f.made > i ? KOP_ERR_NOMEM : KOP_OK);
    cr_assert_eq(kopi_pulsar_command_decode(&arena, frame.command, &read), KOP_OK);
    kopi_proto_arena_free(&arena);
    cr_assert_eq(f.live, 0);
    if (f.made <= i) break;
  }
  kopi_proto_arena small;
  kopi_proto_arena_init(&small, &b.f.alloc, 1000);
  cr_assert_eq(kopi_pulsar_command_decode(&small, frame.command, &read), KOP_ERR_LIMIT);
  kopi_proto_arena_free(&small);
  /* Once its arena is large enough, decoding allocates nothing. */
  cr_assert_eq(kopi_pulsar_command_decode(&b.arena, frame.command, &read), KOP_OK);
  cr_assert_eq(kopi_pulsar_command_decode(&b.arena, frame.command, &read), KOP_OK);
  size_t made = b.f.made;
  cr_assert_eq(kopi_pulsar_command_decode(&b.arena, frame.command, &read), KOP_OK);
  cr_assert_eq(b.f.made, made);
  end(&b);
}

/* No message of a command contains itself, so nothing that a peer sends makes protobuf-c recurse further than this. */
static int depth_of(const ProtobufCMessageDescriptor *type, int left) {
  int deepest = 0;
  cr_assert_gt(left, 0, "%s contains itself", type->c_name);
  for (unsigned i = 0; i < type->n_fields; i++) {
    if (type->fields[i].type != PROTOBUF_C_TYPE_MESSAGE) continue;
    int depth = depth_of(type->fields[i].descriptor, left - 1);
    if (depth > deepest) deepest = depth;
  }
  return deepest + 1;
}

Test(entry_frames, no_command_nests_without_end) {
  cr_assert_eq(depth_of(&kopi__base_command__descriptor, 10), 4);
}
