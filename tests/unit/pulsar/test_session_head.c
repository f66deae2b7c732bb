/* Sends whose head is ready: from a Kafka batch to the wire without encoding or summing up anything twice. */
#include <criterion/criterion.h>
#include <kop/convert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_broker.h"

#define SEND KOPI__BASE_COMMAND__TYPE__SEND

enum { NOW = 1700000000 };

/* ---- what is sent ---- */

typedef struct kind {
  int32_t codec;
  int32_t format;
  int32_t flags;
  int32_t records;
} kind;

/* A Kafka batch as one entry, under the name that the fake broker gives to producers. */
static kop_convert_entry convert(kop_convert *c, const kind *k, uint64_t sequence) {
  kop_batch_builder *b;
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.codec = k->codec;
  options.producer_id = 4711;
  options.producer_epoch = 2;
  options.base_sequence = 100;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  cr_assert_eq(kop_batch_builder_begin(b, &options), KOP_OK);
  const kop_record_header header = {fb_text("trace"), fb_text("\x01\xff")};
  for (int32_t i = 0; i < k->records; i++) {
    kop_record_in r = {.offset = -1, .timestamp = NOW + i, .key = fb_text("key")};
    r.value = fb_text("some value that repeats, that repeats, that repeats");
    r.headers = &header;
    r.header_count = 1;
    cr_assert_eq(kop_batch_builder_append(b, &r), KOP_OK);
  }
  static uint8_t batch[1 << 16]; /* the format KOP_CONVERT_KAFKA borrows it */
  const uint8_t *made;
  size_t len, n;
  cr_assert_eq(kop_batch_builder_finish(b, &made, &len), KOP_OK);
  cr_assert_leq(len, sizeof batch);
  memcpy(batch, made, len);
  kop_batch_builder_free(b);
  const kop_pulsar_property term = {fb_text("kop.term"), fb_text("7")};
  kop_to_pulsar_options o;
  kop_to_pulsar_options_init(&o, sizeof o);
  o.producer_name = fb_text("prod");
  o.publish_time_ms = NOW;
  o.properties = &term;
  o.properties_count = 1;
  o.format = k->format;
  o.flags = k->flags;
  o.sequence_id = sequence;
  const kop_convert_entry *e;
  cr_assert_eq(kop_convert_to_pulsar(c, batch, len, &o, &e, &n), KOP_OK);
  cr_assert_eq(n, 1);
  return *e;
}

static kop_convert *new_convert(void) {
  kop_convert *c;
  cr_assert_eq(kop_convert_new(NULL, &c), KOP_OK);
  return c;
}

static kop_pulsar_send_info info_of(const kop_convert_entry *e) {
  return (kop_pulsar_send_info){
      .size = sizeof(kop_pulsar_send_info),
      .context = e->sequence_id,
      .head = e->head,
      .payload = &e->payload,
      .payload_count = 1,
      .num_messages = (uint32_t)e->num_messages,
      .sequence_id = e->sequence_id,
      .highest_sequence_id = e->highest_sequence_id,
  };
}

/* Sends the entry; the head's bytes are gone when the call returns. */
static kop_status send_ready(fb *f, uint64_t p, const kop_convert_entry *e) {
  kop_pulsar_send_info i = info_of(e);
  uint8_t *copy = malloc(e->head.len);
  memcpy(copy, e->head.ptr, e->head.len);
  i.head.ptr = copy;
  kop_status status = kop_pulsar_send(f->s, p, &i, f->now);
  memset(copy, 0xdd, e->head.len);
  free(copy);
  return status;
}

/* The same entry by way of its metadata. */
static kop_status send_struct(fb *f, uint64_t p, const kop_convert_entry *e) {
  kop_pulsar_entry read;
  cr_assert_eq(kop_pulsar_entry_read(e->head.ptr, e->head.len, 0, &read), KOP_OK);
  kop_pulsar_send_info i = info_of(e);
  i.head = (kop_slice){NULL, 0};
  i.metadata = &read.metadata;
  return kop_pulsar_send(f->s, p, &i, f->now);
}

/* ---- the same bytes ---- */

static const kind KINDS[] = {
    {KOP_CODEC_NONE, KOP_CONVERT_PULSAR, 0, 1},
    {KOP_CODEC_NONE, KOP_CONVERT_PULSAR, 0, 20},
    {KOP_CODEC_NONE, KOP_CONVERT_PULSAR, KOP_TO_PULSAR_COUNT_MESSAGES, 20},
    {KOP_CODEC_ZSTD, KOP_CONVERT_PULSAR, 0, 20},
    {KOP_CODEC_LZ4, KOP_CONVERT_PULSAR, KOP_TO_PULSAR_COUNT_MESSAGES, 300},
    {KOP_CODEC_GZIP, KOP_CONVERT_KAFKA, 0, 20},
};

typedef kop_status a_way(fb *f, uint64_t p, const kop_convert_entry *e);

/* All that goes over the wire while the entry is sent, loses its connection, and is sent again. */
static kopi_buf wire_of(const kind *k, a_way *send) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 0);
  kopi_buf wire;
  kopi_buf_init(&wire, &f.alloc, 1 << 20);
  f.tap = &wire;
  kop_convert *c = new_convert();
  kop_convert_entry e = convert(c, k, 41);
  cr_assert_eq(send(&f, p, &e), KOP_OK);
  fb_run(&f);
  fb_drop(&f, 3);
  f.mute = 0;
  fb_pass(&f, 200);
  char line[100];
  snprintf(line, sizeof line, "4 > SEND 1 seq=41 n=%d\nreceipt 1 ctx=41 7:0\n", k->records);
  cr_assert(fb_saw(&f, line), "%s", line);
  kop_pulsar_session_stats stats;
  cr_assert_eq(kop_pulsar_session_stats_get(f.s, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.pending_bytes, 0);
  kop_convert_free(c);
  fb_free(&f);
  cr_assert_eq(wire.status, KOP_OK);
  return wire;
}

Test(session_head, the_wire_is_the_same_both_ways) {
  for (size_t n = 0; n < sizeof KINDS / sizeof *KINDS; n++) {
    kopi_buf ready = wire_of(&KINDS[n], send_ready);
    kopi_buf other = wire_of(&KINDS[n], send_struct);
    cr_assert_eq(ready.len, other.len, "kind %zu", n);
    cr_assert_eq(memcmp(ready.data, other.data, ready.len), 0, "kind %zu", n);
    kopi_buf_free(&ready);
    kopi_buf_free(&other);
  }
}

Test(session_head, what_is_stored_is_the_batch) {
  for (size_t n = 0; n < sizeof KINDS / sizeof *KINDS; n++) {
    const kind *k = &KINDS[n];
    fb f;
    fb_init(&f, NULL);
    uint64_t p = fb_producer(&f, "t", KOP_PULSAR_SHARED);
    fb_run(&f);
    kop_convert *c = new_convert();
    kop_convert_entry e = convert(c, k, 1);
    cr_assert_eq(send_ready(&f, p, &e), KOP_OK);
    fb_run(&f);
    const kopi_buf *stored = NULL;
    for (size_t i = 0; i < FB_TOPICS; i++) {
      if (f.topics[i].len > 0) stored = &f.topics[i].entries[0];
    }
    cr_assert_not_null(stored);
    cr_assert_eq(stored->len, e.head.len + e.payload.len);
    cr_assert_eq(memcmp(stored->data, e.head.ptr, e.head.len), 0);
    cr_assert_eq(memcmp(stored->data + e.head.len, e.payload.ptr, e.payload.len), 0);
    kop_convert_answer a;
    cr_assert_eq(kop_convert_to_kafka(c, stored->data, stored->len, 10, 9 + k->records, NULL, &a),
                 KOP_OK);
    cr_assert_eq(a.kind, KOP_ANSWER_BATCHES);
    cr_assert_eq(a.batches_count, 1);
    cr_assert_eq(a.batches[0].count, k->records);
    cr_assert_eq(a.batches[0].base_offset, 10);
    kop_convert_free(c);
    fb_free(&f);
  }
}

/* ---- what is refused ---- */

typedef struct scene {
  fb f;
  uint64_t p;
  kop_convert *c;
  kop_convert_entry e; /* could be sent */
} scene;

static void open_scene(scene *v) {
  v->p = fb_silent_producer(&v->f, KOP_PULSAR_SHARED, 0);
  v->c = new_convert();
  v->e = convert(v->c, &KINDS[2], 41);
}

/* Nothing of what was refused is left, and the entry can still be sent. */
static void close_scene(scene *v) {
  kop_pulsar_session_stats stats;
  cr_assert_eq(kop_pulsar_session_stats_get(v->f.s, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.pending_sends + stats.pending_bytes, 0);
  v->f.mute = 0;
  cr_assert_eq(send_ready(&v->f, v->p, &v->e), KOP_OK);
  fb_expect(&v->f, "3 > SEND 1 seq=41 n=20\nreceipt 1 ctx=41 7:0\n");
  kop_convert_free(v->c);
  fb_free(&v->f);
}

static kop_status send_with_head(scene *v, const uint8_t *head, size_t len) {
  kop_convert_entry e = v->e;
  uint8_t *exact = malloc(len + 1);
  memcpy(exact, head, len);
  e.head = (kop_slice){exact, len};
  kop_pulsar_send_info i = info_of(&e);
  kop_status status = kop_pulsar_send(v->f.s, v->p, &i, v->f.now);
  free(exact);
  return status;
}

Test(session_head, a_head_that_is_none) {
  scene v;
  open_scene(&v);
  size_t len = v.e.head.len;
  for (size_t n = 0; n < len; n++)
    cr_assert_eq(send_with_head(&v, v.e.head.ptr, n), KOP_ERR_MALFORMED, "%zu bytes", n);
  uint8_t bytes[1024] = {0x0e, 0x02, 0, 0, 0, 2, 0x08, 0x05}; /* the broker's metadata in front */
  cr_assert_leq(len + 8, sizeof bytes);
  memcpy(bytes + 8, v.e.head.ptr, len);
  cr_assert_eq(send_with_head(&v, bytes, len + 8), KOP_ERR_MALFORMED);
  cr_assert_eq(send_with_head(&v, bytes + 14, len - 6), KOP_ERR_MALFORMED); /* no checksum */
  cr_assert_eq(send_with_head(&v, bytes + 8, len + 1), KOP_ERR_MALFORMED);  /* one byte behind it */
  bytes[8 + 10] = 0xff; /* the first field of the metadata */
  cr_assert_eq(send_with_head(&v, bytes + 8, len), KOP_ERR_MALFORMED);
  close_scene(&v);
}

Test(session_head, metadata_and_head_are_one_or_the_other) {
  scene v;
  open_scene(&v);
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  kop_pulsar_send_info i = info_of(&v.e);
  i.metadata = &md;
  cr_assert_eq(kop_pulsar_send(v.f.s, v.p, &i, v.f.now), KOP_ERR_INVALID);
  i.metadata = NULL;
  i.head.ptr = NULL;
  cr_assert_eq(kop_pulsar_send(v.f.s, v.p, &i, v.f.now), KOP_ERR_INVALID);
  close_scene(&v);
}

Test(session_head, a_head_that_says_otherwise) {
  scene v;
  open_scene(&v);
  for (int what = 0; what < 5; what++) {
    kop_pulsar_send_info i = info_of(&v.e);
    if (what == 0) i.sequence_id = 40;
    if (what == 1) i.sequence_id = 42;
    if (what == 2) i.highest_sequence_id++;
    if (what == 3) i.highest_sequence_id = 0;
    if (what == 4) i.num_messages--;
    cr_assert_eq(kop_pulsar_send(v.f.s, v.p, &i, v.f.now), KOP_ERR_INVALID, "%d", what);
  }
  uint8_t bytes[1024];
  memcpy(bytes, v.e.head.ptr, v.e.head.len);
  for (size_t n = 0; n + 4 <= v.e.head.len; n++) {
    if (memcmp(bytes + n, "prod", 4) == 0) bytes[n] = 'P';
  }
  cr_assert_eq(send_with_head(&v, bytes, v.e.head.len), KOP_ERR_INVALID); /* another's name */
  close_scene(&v);
}

/* The struct's count is held to the same. */
Test(session_head, a_struct_that_counts_otherwise) {
  scene v;
  open_scene(&v);
  kop_convert_entry e = v.e;
  e.num_messages = 19;
  cr_assert_eq(send_struct(&v.f, v.p, &e), KOP_ERR_INVALID);
  close_scene(&v);
}

/* One message has no highest id of its own, and may say so by repeating its own. */
Test(session_head, the_highest_id_of_one_message) {
  for (uint64_t highest = 0; highest <= 41; highest += 41) {
    fb f;
    uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 0);
    f.mute = 0;
    kop_convert *c = new_convert();
    const kind one = {KOP_CODEC_NONE, KOP_CONVERT_PULSAR, KOP_TO_PULSAR_COUNT_MESSAGES, 1};
    kop_convert_entry e = convert(c, &one, 41);
    cr_assert_eq(e.highest_sequence_id, 41);
    e.highest_sequence_id = highest;
    cr_assert_eq(send_ready(&f, p, &e), KOP_OK);
    fb_expect(&f, "3 > SEND 1 seq=41 n=1\nreceipt 1 ctx=41 7:0\n");
    kop_convert_free(c);
    fb_free(&f);
  }
}

Test(session_head, sizes_have_a_bound) {
  fb f;
  fb_init(&f, NULL);
  kop_convert *c = new_convert();
  kop_convert_entry e = convert(c, &KINDS[1], 41);
  size_t message = e.head.len - 10 + e.payload.len;
  f.max_message = (int32_t)message - 1;
  uint64_t p = fb_producer(&f, "t", KOP_PULSAR_SHARED);
  fb_run(&f);
  cr_assert_eq(send_ready(&f, p, &e), KOP_ERR_LIMIT); /* the payload is too large */
  f.max_message = (int32_t)e.head.len - 11;
  uint64_t small = fb_producer(&f, "u", KOP_PULSAR_SHARED);
  fb_drop_all(&f);
  fb_pass(&f, 1000);
  e.payload.len = 0;
  cr_assert_eq(send_ready(&f, small, &e), KOP_ERR_LIMIT); /* the head alone is */
  f.max_message = (int32_t)message;
  fb_drop_all(&f);
  fb_pass(&f, 1000);
  e = convert(c, &KINDS[1], 41);
  cr_assert_eq(send_ready(&f, p, &e), KOP_OK);
  fb_run(&f);
  cr_assert_eq(f.receipts, 1);
  kop_convert_free(c);
  fb_free(&f);
}

/* A broker that claims to take more than a frame can hold is not believed. Nothing looks at the payload of a ready head. */
Test(session_head, no_broker_takes_more_than_a_frame) {
  fb f;
  fb_init(&f, NULL);
  f.max_message = INT32_MAX;
  uint64_t p = fb_producer(&f, "t", KOP_PULSAR_SHARED);
  fb_run(&f);
  kop_convert *c = new_convert();
  kop_convert_entry e = convert(c, &KINDS[1], 41);
  enum { PIECES = 128 };
  size_t all = INT32_MAX - (e.head.len - 10);
  uint8_t *piece = calloc(1, all / PIECES + 1);
  cr_assert_not_null(piece);
  kop_slice pieces[PIECES];
  for (size_t n = 0; n < PIECES; n++)
    pieces[n] = (kop_slice){piece, all / PIECES + (n < all % PIECES)};
  kop_pulsar_send_info i = info_of(&e);
  i.payload = pieces;
  i.payload_count = PIECES;
  cr_assert_eq(kop_pulsar_send(f.s, p, &i, f.now), KOP_ERR_LIMIT);
  free(piece);
  kop_convert_free(c);
  fb_free(&f);
}

Test(session_head, a_producer_that_is_not_open) {
  scene v;
  open_scene(&v);
  kop_pulsar_send_info i = info_of(&v.e);
  uint64_t early = fb_producer(&v.f, "u", KOP_PULSAR_SHARED);
  cr_assert_eq(kop_pulsar_send(v.f.s, early, &i, v.f.now), KOP_ERR_STATE);
  fb_run(&v.f);
  v.f.mute |= 1ull << KOPI__BASE_COMMAND__TYPE__CLOSE_PRODUCER;
  cr_assert_eq(kop_pulsar_producer_close(v.f.s, early, v.f.now), KOP_OK);
  cr_assert_eq(kop_pulsar_send(v.f.s, early, &i, v.f.now), KOP_ERR_STATE);
  fb_pass(&v.f, 30000);
  cr_assert_eq(fb_count(&v.f, "producer_closed"), 1);
  cr_assert_eq(kop_pulsar_send(v.f.s, early, &i, v.f.now), KOP_ERR_NOT_FOUND);
  fb_forget(&v.f);
  close_scene(&v);
}

Test(session_head, ids_rise_and_chunks_may_share_one) {
  scene v;
  open_scene(&v);
  kop_convert_entry low = convert(v.c, &KINDS[0], 7);
  kop_pulsar_send_info i = info_of(&low);
  v.f.mute = 0;
  cr_assert_eq(kop_pulsar_send(v.f.s, v.p, &i, v.f.now), KOP_OK);
  cr_assert_eq(kop_pulsar_send(v.f.s, v.p, &i, v.f.now), KOP_ERR_INVALID);
  i.flags = KOP_PULSAR_SEND_CHUNK;
  cr_assert_eq(kop_pulsar_send(v.f.s, v.p, &i, v.f.now), KOP_OK);
  fb_expect(&v.f, "3 > SEND 1 seq=7 n=1\n3 > SEND 1 seq=7 n=1\n"
                  "receipt 1 ctx=7 7:0\nreceipt 1 ctx=7 7:1\n");
  kop_convert_free(v.c);
  fb_free(&v.f);
}

/* ---- a checksum that the broker does not believe ---- */

Test(session_head, a_wrong_checksum_fails_its_entry_alone) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 0);
  kop_convert *c[2] = {new_convert(), new_convert()};
  kop_convert_entry bad = convert(c[0], &KINDS[1], 41);
  uint8_t head[1024];
  memcpy(head, bad.head.ptr, bad.head.len);
  head[3] ^= 1;
  bad.head.ptr = head;
  kop_convert_entry good = convert(c[1], &KINDS[1], 42);
  cr_assert_eq(send_ready(&f, p, &bad), KOP_OK); /* it is not looked at */
  cr_assert_eq(send_ready(&f, p, &good), KOP_OK);
  fb_forget(&f);
  f.mute = 0;
  fb_send_error(&f, 3, p, 41, KOP_PULSAR_CHECKSUM_ERROR);
  fb_run(&f);
  cr_assert(fb_saw(&f, "send_failed 1 ctx=41 corrupted ChecksumError maybe\n"));
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "3 > SEND 1 seq=42 n=20\nreceipt 1 ctx=42 7:0\n"));
  for (int n = 0; n < 2; n++)
    kop_convert_free(c[n]);
  fb_free(&f);
}
