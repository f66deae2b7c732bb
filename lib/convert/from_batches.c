/*
 * Payloads that hold Kafka's own bytes: what the plug-in writes with entryFormat kafka and mixed_kafka, and this library with
 * KOP_CONVERT_KAFKA.
 *
 *    payload   [batch v2] [batch v2] [v1][v1][v0]           one batch as a rule; the offsets in them are worthless
 *    answer    [batch v2] [batch v2] [batch v2   ]          renumbered up to the entry's last offset
 *
 * A batch with magic 2 stays where it is and gets a head of its own. A run of older messages, a batch whose last offset
 * delta contradicts its count (sarama wrote 0), and one whose records do not count on as it says, is written anew with
 * offsets 0, 1, 2, ... Whoever may send an entry may send any bytes under that property, so what consumers could not read
 * (record/readable.h) makes the entry a hole.
 */
#include <string.h>

#include "convert/convert.h"
#include "record/batch.h"
#include "record/builder.h"
#include "record/ctx.h"
#include "record/layout.h"
#include "record/readable.h"

typedef struct listing {
  kop_convert *c;
  kopi_reading *r;
  int32_t plain_records; /* producers and transactions are taken out */
  int64_t next;          /* offset, counted from 0, of the next batch */
  uint64_t expanded;     /* bytes of records that were looked at or written anew, plain */
} listing;

/* A batch that says nothing to its reader: its place is a hole. */
static int is_left_out(const listing *l, const kop_batch_head *head) {
  return l->plain_records && (head->attributes & KOP_BATCH_CONTROL) != 0;
}

static kop_status add_batch(listing *l, const uint8_t *batch, size_t size) {
  kop_convert *c = l->c;
  uint8_t *copy = kopi_buf_reserve(&c->heads, KOP_BATCH_HEAD_SIZE);
  if (copy == NULL) return c->heads.status;
  memcpy(copy, batch, KOP_BATCH_HEAD_SIZE);
  c->heads.len += KOP_BATCH_HEAD_SIZE;
  kop_batch_head head;
  kopi_head_load(batch, &head);
  if (head.count < 0 || head.last_offset_delta < 0) return KOP_ERR_MALFORMED;
  int64_t base = l->next;
  l->next += (int64_t)head.last_offset_delta + 1;
  if (is_left_out(l, &head)) return KOP_OK;
  if (l->plain_records) {
    head.attributes &= (int16_t)~KOP_BATCH_TRANSACTIONAL;
    head.producer_id = -1;
    head.producer_epoch = -1;
    head.base_sequence = -1;
    kop_batch_head_patch(copy, &head);
  }
  const kop_convert_batch out = {
      .head = {NULL,
               (size_t)(copy - c->heads.data)}, /* where it is, until the buffer stands still */
      .records = {batch + KOP_BATCH_HEAD_SIZE, size - KOP_BATCH_HEAD_SIZE},
      .base_offset = base,
      .last_offset = l->next - 1,
      .max_timestamp = head.max_timestamp,
      .count = head.count,
      .attributes = (uint16_t)head.attributes,
  };
  kopi_buf_put(&c->list, &out, sizeof out);
  return c->list.status;
}

/* One entry may hold as many batches as its sender likes, so what they expand to is bounded for all together. */
static kop_status account(listing *l, uint64_t plain) {
  l->expanded += plain;
  return l->expanded > l->c->max_bytes ? KOP_ERR_LIMIT : KOP_OK;
}

/* Writes one or several entries anew as one batch, which the converter owns. */
static kop_status add_rebuilt(listing *l, const uint8_t *bytes, size_t len) {
  kop_convert *c = l->c;
  kop_status status = kopi_convert_sets(c);
  if (status != KOP_OK) return status;
  if (kopi_buf_reserve(&c->owned, sizeof(uint8_t *)) == NULL) return c->owned.status;
  kop_batch_rules rules;
  kop_batch_rules_init(&rules, sizeof rules);
  rules.max_message_bytes = (int32_t)c->max_bytes;
  uint8_t *batch;
  size_t size;
  status = kop_batch_rebuild(c->sets, bytes, len, &rules, KOP_LEVEL_DEFAULT, &batch, &size);
  if (status != KOP_OK) return status;
  kopi_buf_put(&c->owned, &batch, sizeof batch);
  kop_batch_builder *b;
  status = kopi_ctx_builder(c->sets, &b);
  if (status == KOP_OK) status = account(l, kopi_builder_plain(b));
  return status == KOP_OK ? add_batch(l, batch, size) : status;
}

/* A batch with magic 2: as it stands, if consumers can read it so. */
static kop_status take_batch(listing *l, const uint8_t *batch, size_t size) {
  kop_convert *c = l->c;
  kop_batch_head head;
  kopi_head_load(batch, &head);
  int contradicts = head.count > head.last_offset_delta + INT64_C(1);
  int trusted = (l->r->options.flags & KOP_TO_KAFKA_TRUST_RECORDS) != 0;
  if (trusted || is_left_out(l, &head)) {
    return contradicts ? add_rebuilt(l, batch, size) : add_batch(l, batch, size);
  }
  kop_status status = kopi_convert_sets(c);
  kopi_readable found;
  if (status == KOP_OK) status = kopi_batch_readable(c->sets, batch, size, &found);
  if (status != KOP_OK) return status;
  if (found.renumber) return add_rebuilt(l, batch, size);
  status = account(l, found.plain);
  return status == KOP_OK ? add_batch(l, batch, size) : status;
}

static kop_status list_batches(listing *l) {
  const uint8_t *bytes = l->r->payload.ptr;
  size_t len = l->r->payload.len;
  int trust = (l->r->options.flags & KOP_TO_KAFKA_TRUST_CRC) != 0;
  size_t run = 0; /* where a run of old messages began */
  size_t at = 0;
  while (at < len) {
    size_t size;
    int32_t magic;
    kop_status status = kop_batch_next(bytes + at, len - at, &size, &magic);
    if (status == KOP_ERR_TRUNCATED)
      break; /* a partial one at the end is passed over, as by every consumer */
    if (status == KOP_OK && !trust) status = kop_batch_check_crc(bytes + at, size);
    if (status != KOP_OK) return status;
    if (magic == 2) {
      if (at > run) status = add_rebuilt(l, bytes + run, at - run);
      if (status == KOP_OK) status = take_batch(l, bytes + at, size);
      if (status != KOP_OK) return status;
      run = at + size;
    }
    at += size;
  }
  return at > run ? add_rebuilt(l, bytes + run, at - run) : KOP_OK;
}

/* Gives the batches their offsets, and takes out those that have none. */
static void renumber(listing *l) {
  kop_convert_answer *answer = l->r->answer;
  kop_convert_batch *batches = (kop_convert_batch *)(void *)l->c->list.data;
  size_t n = l->c->list.len / sizeof *batches;
  int64_t shift = answer->last_offset - l->next + 1;
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    kop_convert_batch b = batches[i];
    b.base_offset += shift;
    b.last_offset += shift;
    if (b.base_offset < answer->first_offset) {
      int32_t room = INT32_MAX - answer->dropped; /* a head may count what is not there */
      answer->dropped += b.count < room ? b.count : room;
      continue;
    }
    uint8_t *head = l->c->heads.data + b.head.len;
    int32_t epoch = l->r->options.leader_epoch;
    if (epoch == -1) {
      kop_batch_head as_stored;
      kopi_head_load(head, &as_stored);
      epoch = as_stored.leader_epoch;
    }
    kop_batch_set_position(head, b.base_offset, epoch);
    b.head = (kop_slice){head, KOP_BATCH_HEAD_SIZE};
    batches[kept++] = b;
  }
  answer->batches = kept == 0 ? NULL : batches;
  answer->batches_count = kept;
}

kop_status kopi_read_batches(kop_convert *c, kopi_reading *r) {
  listing l = {.c = c, .r = r};
  l.plain_records = r->answer->writer == KOP_CONVERT_BY_PLUGIN &&
                    (r->options.flags & KOP_TO_KAFKA_TRANSACTIONS) == 0;
  kop_status status = list_batches(&l);
  if (status != KOP_OK) return kopi_read_failed(c, r, status, "the batches cannot be read");
  if (l.next == 0) return kopi_read_hole(c, r, KOP_HOLE_MALFORMED, "there is no batch in it");
  if (c->list.len == 0) return kopi_read_hole(c, r, KOP_HOLE_CONTROL, "");
  renumber(&l);
  if (r->answer->batches_count == 0) {
    return kopi_read_hole(c, r, KOP_HOLE_MALFORMED, "its batches have no place in its offsets");
  }
  r->answer->kind = KOP_ANSWER_BATCHES;
  return KOP_OK;
}
