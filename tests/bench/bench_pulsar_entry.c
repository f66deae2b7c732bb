/*
 * What Pulsar's metadata and batches cost, beside protobuf-c on the same bytes in the same run.
 *
 *   bench_pulsar_entry      prints "WHAT OURS_NS PROTOBUF_C_NS", nanoseconds of processor time each, the best of ROUNDS
 *
 * The metadata is that of a batch with two properties; a message has a key, an event time and a sequence id, and
 * 100 bytes of value; a batch has 1,000 of them. protobuf-c decodes with an arena, as libkop does elsewhere.
 */
#include <kop/pulsar_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/endian.h"
#include "pulsar/frame.h"

enum { ROUNDS = 15, ROUND_NS = 20000000, MESSAGES = 1000, VALUE = 100, ROOM = 1 << 20 };

typedef struct bench {
  uint8_t metadata[512];
  size_t metadata_len;
  uint8_t single[128];
  size_t single_len;
  uint8_t batch[ROOM];
  size_t batch_len;
  uint8_t out[ROOM];
  uint8_t value[VALUE];
  uint8_t delivery[64];
  size_t delivery_len;
  kop_pulsar_metadata md;
  kop_pulsar_single one;
  kopi_proto_arena arena;
  uint64_t sink; /* what was computed, so that it is */
} bench;

static void must(int fine, const char *what) {
  if (fine) return;
  fprintf(stderr, "bench_pulsar_entry: %s\n", what);
  exit(1);
}

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Nanoseconds of one call, the best of the rounds. */
static double time_of(void (*work)(bench *b), bench *b) {
  double best = 1e18;
  for (int round = 0; round < ROUNDS; round++) {
    double start = now_ns();
    double spent = 0;
    long calls = 0;
    for (long chunk = 1; spent < ROUND_NS; chunk *= 2) {
      for (long i = 0; i < chunk; i++) {
        work(b);
      }
      calls += chunk;
      spent = now_ns() - start;
    }
    if (spent / (double)calls < best) best = spent / (double)calls;
  }
  return best;
}

static kop_slice text(const char *s) {
  return (kop_slice){(const uint8_t *)s, strlen(s)};
}

static void make(bench *b) {
  kop_pulsar_property properties[] = {{text("kop.epoch"), text("17")},
                                      {text("kop.pid"), text("4711")}};
  kop_pulsar_metadata_init(&b->md);
  b->md.present = KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID |
                  KOP_PULSAR_HAS_PUBLISH_TIME | KOP_PULSAR_HAS_COMPRESSION |
                  KOP_PULSAR_HAS_UNCOMPRESSED_SIZE | KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH |
                  KOP_PULSAR_HAS_HIGHEST_SEQUENCE_ID;
  b->md.producer_name = text("standalone-0-17");
  b->md.sequence_id = 123456;
  b->md.publish_time = 1700000000000;
  b->md.uncompressed_size = 130000;
  b->md.num_messages_in_batch = MESSAGES;
  b->md.highest_sequence_id = 124455;
  must(kop_pulsar_metadata_write(&b->md, properties, 2, b->metadata, sizeof b->metadata,
                                 &b->metadata_len) == KOP_OK,
       "metadata");
  kop_pulsar_single_init(&b->one);
  b->one.present = KOP_PULSAR_SINGLE_HAS_PARTITION_KEY | KOP_PULSAR_SINGLE_HAS_EVENT_TIME |
                   KOP_PULSAR_SINGLE_HAS_SEQUENCE_ID | KOP_PULSAR_SINGLE_HAS_PAYLOAD_SIZE;
  b->one.partition_key = text("user-00017");
  b->one.event_time = 1700000000000;
  b->one.sequence_id = 123456;
  b->one.payload_size = VALUE;
  must(kop_pulsar_single_write(&b->one, NULL, 0, b->single, sizeof b->single, &b->single_len) ==
           KOP_OK,
       "single");
  Kopi__MessageIdData id = KOPI__MESSAGE_ID_DATA__INIT;
  id.ledgerid = 123456;
  id.entryid = 4711;
  id.has_partition = 1;
  id.partition = 3;
  Kopi__CommandMessage message = KOPI__COMMAND_MESSAGE__INIT;
  message.consumer_id = 5;
  message.message_id = &id;
  b->delivery_len = protobuf_c_message_pack(&message.base, b->delivery);
}

/* ---- ours --------------------------------------------------------------------------------------- */

static void read_metadata(bench *b) {
  kop_pulsar_metadata md;
  must(kop_pulsar_metadata_read(b->metadata, b->metadata_len, &md) == KOP_OK, "metadata");
  b->sink += md.sequence_id;
}

static void write_metadata(bench *b) {
  size_t len;
  must(kop_pulsar_metadata_write(&b->md, NULL, 0, b->out, ROOM, &len) == KOP_OK, "metadata");
  b->sink += len;
}

static void read_single(bench *b) {
  kop_pulsar_single single;
  must(kop_pulsar_single_read(b->single, b->single_len, &single) == KOP_OK, "single");
  b->sink += single.sequence_id;
}

static void put_batch(bench *b) {
  b->batch_len = 0;
  for (int i = 0; i < MESSAGES; i++) {
    size_t len;
    kop_slice value = {b->value, VALUE};
    must(kop_pulsar_batch_put(&b->one, NULL, 0, value, b->batch + b->batch_len, ROOM - b->batch_len,
                              &len) == KOP_OK,
         "put");
    b->batch_len += len;
  }
}

static void walk_batch(bench *b) {
  kop_pulsar_batch_iter it;
  kop_pulsar_message m;
  must(kop_pulsar_batch_begin(&it, &b->md, (kop_slice){b->batch, b->batch_len}) == KOP_OK, "begin");
  while (kop_pulsar_batch_next(&it, &m) == KOP_OK) {
    b->sink += m.payload.len;
  }
}

static void write_entry(bench *b) {
  size_t len;
  kop_slice payload = {b->batch, b->batch_len};
  must(kop_pulsar_entry_write(&b->md, NULL, 0, &payload, 1, b->out, ROOM, &len) == KOP_OK, "entry");
  b->sink += b->out[2];
}

static void read_delivery(bench *b) {
  kopi_pulsar_delivery delivery;
  must(kopi_pulsar_delivery_read((kop_slice){b->delivery, b->delivery_len}, &delivery) == KOP_OK,
       "delivery");
  b->sink += delivery.id.entry_id;
}

/* ---- protobuf-c --------------------------------------------------------------------------------- */

static const ProtobufCMessage *unpack(bench *b, const ProtobufCMessageDescriptor *type,
                                      const uint8_t *bytes, size_t len) {
  ProtobufCMessage *message;
  must(kopi_proto_unpack(&b->arena, type, (kop_slice){bytes, len}, &message) == KOP_OK, "unpack");
  return message;
}

static void pb_read_metadata(bench *b) {
  unpack(b, &kopi__message_metadata__descriptor, b->metadata, b->metadata_len);
}

static void pb_read_single(bench *b) {
  unpack(b, &kopi__single_message_metadata__descriptor, b->single, b->single_len);
}

static void pb_read_delivery(bench *b) {
  unpack(b, &kopi__command_message__descriptor, b->delivery, b->delivery_len);
}

static void pb_write_metadata(bench *b) {
  Kopi__MessageMetadata md = KOPI__MESSAGE_METADATA__INIT;
  md.producer_name = "standalone-0-17";
  md.sequence_id = b->md.sequence_id;
  md.publish_time = b->md.publish_time;
  md.has_compression = 1;
  md.has_uncompressed_size = 1;
  md.uncompressed_size = b->md.uncompressed_size;
  md.has_num_messages_in_batch = 1;
  md.num_messages_in_batch = MESSAGES;
  md.has_highest_sequence_id = 1;
  md.highest_sequence_id = b->md.highest_sequence_id;
  b->sink += protobuf_c_message_get_packed_size(&md.base);
  b->sink += protobuf_c_message_pack(&md.base, b->out);
}

static void pb_put_batch(bench *b) {
  uint8_t *p = b->out;
  for (int i = 0; i < MESSAGES; i++) {
    Kopi__SingleMessageMetadata single = KOPI__SINGLE_MESSAGE_METADATA__INIT;
    single.partition_key = "user-00017";
    single.has_event_time = 1;
    single.event_time = b->one.event_time;
    single.has_sequence_id = 1;
    single.sequence_id = b->one.sequence_id;
    single.payload_size = VALUE;
    size_t len = protobuf_c_message_get_packed_size(&single.base);
    kopi_store_be32(p, (uint32_t)len);
    protobuf_c_message_pack(&single.base, p + 4);
    memcpy(p + 4 + len, b->value, VALUE);
    p += 4 + len + VALUE;
  }
  must((size_t)(p - b->out) == b->batch_len && memcmp(b->out, b->batch, b->batch_len) == 0,
       "the two batches differ");
}

static void pb_walk_batch(bench *b) {
  const uint8_t *p = b->batch;
  for (int i = 0; i < MESSAGES; i++) {
    size_t len = kopi_load_be32(p);
    const ProtobufCMessage *m = unpack(b, &kopi__single_message_metadata__descriptor, p + 4, len);
    p += 4 + len + (size_t)((const Kopi__SingleMessageMetadata *)m)->payload_size;
  }
}

static void report(bench *b, const char *what, void (*ours)(bench *), void (*theirs)(bench *),
                   double per) {
  double mine = time_of(ours, b) / per;
  printf("%-22s %8.1f", what, mine);
  if (theirs != NULL) printf(" %8.1f", time_of(theirs, b) / per);
  printf("\n");
}

int main(void) {
  bench *b = calloc(1, sizeof *b);
  must(b != NULL, "memory");
  kop_alloc heap;
  must(kopi_alloc_init(&heap, NULL) == KOP_OK, "heap");
  kopi_proto_arena_init(&b->arena, &heap, ROOM);
  make(b);
  put_batch(b);
  report(b, "metadata read", read_metadata, pb_read_metadata, 1);
  report(b, "metadata write", write_metadata, pb_write_metadata, 1);
  report(b, "single read", read_single, pb_read_single, 1);
  report(b, "message put", put_batch, pb_put_batch, MESSAGES);
  report(b, "message walk", walk_batch, pb_walk_batch, MESSAGES);
  report(b, "entry write, 131 KB", write_entry, NULL, 1);
  report(b, "delivery read", read_delivery, pb_read_delivery, 1);
  int empty = b->sink == 0;
  kopi_proto_arena_free(&b->arena);
  free(b);
  return empty;
}
