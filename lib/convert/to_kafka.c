/*
 * What an entry is for Kafka. First what cannot be read or is no message for anybody, then by format:
 *
 *    entry -- damaged ------------------------------------------- hole
 *          -- marker of the plug-in, transactions kept ---------- control batch
 *          -- any other marker ---------------------------------- hole
 *          -- encrypted ----------------------------------------- hole
 *          -- chunk --------------------------------------------- chunk
 *          -- does not decompress ------------------------------- hole
 *          -- property entry.format=kafka, in batch format ------ from_batches.c
 *          -- all else ------------------------------------------ from_messages.c
 */
#include <string.h>

#include "base/endian.h"
#include "base/sized.h"
#include "convert/convert.h"
#include "convert/facts.h"
#include "convert/property.h"
#include "record/batch.h"
#include "record/layout.h"

enum {
  KNOWN_FLAGS = KOP_TO_KAFKA_TRUST_CRC | KOP_TO_KAFKA_TRANSACTIONS | KOP_TO_KAFKA_KEEP |
                KOP_TO_KAFKA_TRUST_RECORDS,
  /* Pulsar's marker types (pulsar-common's MarkerType). */
  MARKER_COMMIT = 21,
  MARKER_ABORT = 22
};

void kop_to_kafka_options_init(kop_to_kafka_options *options, size_t size) {
  kop_to_kafka_options defaults = {
      .size = size, .codec = KOP_CODEC_KEEP, .level = KOP_LEVEL_DEFAULT, .leader_epoch = -1};
  kopi_sized_defaults(options, size, &defaults, sizeof defaults);
}

kop_status kopi_read_hole(kop_convert *c, kopi_reading *r, int32_t reason, const char *why) {
  r->answer->kind = KOP_ANSWER_HOLE;
  r->answer->reason = reason;
  r->answer->batches = NULL;
  r->answer->batches_count = 0;
  return kopi_convert_fail(c, KOP_OK, why);
}

kop_status kopi_read_failed(kop_convert *c, kopi_reading *r, kop_status status, const char *why) {
  switch (status) {
  case KOP_ERR_NOMEM:
    return status;
  case KOP_ERR_CHECKSUM:
    return kopi_read_hole(c, r, KOP_HOLE_CHECKSUM, why);
  case KOP_ERR_LIMIT:
    return kopi_read_hole(c, r, KOP_HOLE_LIMIT, why);
  case KOP_ERR_CODEC:
  case KOP_ERR_UNSUPPORTED:
    return kopi_read_hole(c, r, KOP_HOLE_CODEC, why);
  default:
    return kopi_read_hole(c, r, KOP_HOLE_MALFORMED, why);
  }
}

static kop_status start(kop_convert *c, int64_t first_offset, int64_t last_offset,
                        const kop_to_kafka_options *options, kopi_reading *r,
                        kop_convert_answer *answer) {
  kopi_convert_begin(c);
  *answer = (kop_convert_answer){.first_offset = first_offset, .last_offset = last_offset};
  r->answer = answer;
  if (first_offset < 0 || last_offset < first_offset) return KOP_ERR_INVALID;
  kop_to_kafka_options_init(&r->options, sizeof r->options);
  kop_status status = KOP_OK;
  if (options != NULL) status = kopi_sized_load(&r->options, sizeof r->options, options);
  if (status != KOP_OK) return status;
  const kop_to_kafka_options *o = &r->options;
  if ((o->flags & ~KNOWN_FLAGS) != 0) return KOP_ERR_INVALID;
  if (o->codec < KOP_CODEC_KEEP || o->codec > KOP_CODEC_ZSTD) return KOP_ERR_INVALID;
  return KOP_OK;
}

/* ---- markers ------------------------------------------------------------------------------------- */

/* The end of a transaction of the plug-in as Kafka has it: one control record. */
static kop_status make_marker(kop_convert *c, kopi_reading *r) {
  const kop_pulsar_metadata *md = &r->entry->metadata;
  /* length 16 | attributes, timestamp delta, offset delta | key 4: version, type | value 6: version, coordinator epoch | no headers */
  uint8_t record[] = {32, 0, 0, 0, 8, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0};
  record[8] = md->marker_type == MARKER_COMMIT ? KOP_CONTROL_COMMIT : KOP_CONTROL_ABORT;
  size_t size = KOP_BATCH_HEAD_SIZE + sizeof record;
  uint8_t *p = kopi_buf_reserve(&c->data, size);
  if (p == NULL) return c->data.status;
  memcpy(p + KOP_BATCH_HEAD_SIZE, record, sizeof record);
  kop_batch_head head = {
      .base_offset = r->answer->last_offset,
      .length = (int32_t)(size - KOP_BATCH_PREFIX_SIZE),
      .leader_epoch = r->options.leader_epoch,
      .attributes = KOP_BATCH_TRANSACTIONAL | KOP_BATCH_CONTROL,
      .base_timestamp = (int64_t)md->publish_time,
      .max_timestamp = (int64_t)md->publish_time,
      .producer_id = (int64_t)md->txnid_most_bits,
      .producer_epoch = (int16_t)md->txnid_least_bits,
      .base_sequence = -1,
      .count = 1,
  };
  kop_batch_head_encode(&head, p);
  kopi_batch_seal(p, size);
  const kop_convert_batch batch = {
      .head = {p, KOP_BATCH_HEAD_SIZE},
      .records = {p + KOP_BATCH_HEAD_SIZE, sizeof record},
      .base_offset = head.base_offset,
      .last_offset = head.base_offset,
      .max_timestamp = head.max_timestamp,
      .count = 1,
      .attributes = head.attributes,
  };
  kopi_buf_put(&c->list, &batch, sizeof batch);
  if (c->list.status != KOP_OK) return c->list.status;
  r->answer->kind = KOP_ANSWER_BATCHES;
  r->answer->batches = (const kop_convert_batch *)(const void *)c->list.data;
  r->answer->batches_count = 1;
  return KOP_OK;
}

static kop_status read_marker(kop_convert *c, kopi_reading *r) {
  const kop_pulsar_metadata *md = &r->entry->metadata;
  const uint64_t txn = KOP_PULSAR_HAS_TXNID_LEAST_BITS | KOP_PULSAR_HAS_TXNID_MOST_BITS;
  int ends = r->answer->writer == KOP_CONVERT_BY_PLUGIN && (md->present & txn) == txn &&
             (md->marker_type == MARKER_COMMIT || md->marker_type == MARKER_ABORT);
  if (!ends) return kopi_read_hole(c, r, KOP_HOLE_MARKER, "");
  if ((r->options.flags & KOP_TO_KAFKA_TRANSACTIONS) != 0) return make_marker(c, r);
  return kopi_read_hole(c, r, KOP_HOLE_CONTROL, "");
}

/* ---- the way of an entry ------------------------------------------------------------------------- */

static int has_kafka_format(const kop_pulsar_metadata *md) {
  static const char name[] = "entry.format";
  static const char kafka[] = "kafka";
  if ((md->present & KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH) == 0) return 0;
  kop_pulsar_repeated rest = md->properties;
  kop_pulsar_property p;
  while (kop_pulsar_property_next(&rest, &p) == KOP_OK) {
    if (p.key.len == sizeof name - 1 && memcmp(p.key.ptr, name, p.key.len) == 0) {
      return p.value.len == sizeof kafka - 1 && memcmp(p.value.ptr, kafka, p.value.len) == 0;
    }
  }
  return 0;
}

/* Who wrote it, and the facts of what this library wrote. */
static kop_status find_writer(kopi_reading *r) {
  const kop_pulsar_metadata *md = &r->entry->metadata;
  kop_status status = kop_convert_facts_read(md, &r->facts);
  r->answer->writer = status != KOP_ERR_NOT_FOUND  ? KOP_CONVERT_BY_LIBRARY
                      : md->producer_name.len == 0 ? KOP_CONVERT_BY_PLUGIN
                                                   : KOP_CONVERT_BY_NATIVE;
  return status == KOP_ERR_NOT_FOUND ? KOP_OK : status;
}

static kop_status decompress(kop_convert *c, kopi_reading *r, kop_slice payload) {
  const kop_pulsar_metadata *md = &r->entry->metadata;
  if (md->compression == KOP_PULSAR_COMPRESSION_NONE) {
    r->payload = payload;
    return payload.len > c->max_bytes ? KOP_ERR_LIMIT : KOP_OK;
  }
  kop_status status = kopi_convert_pulsar_codec(c);
  if (status != KOP_OK) return status;
  return kop_pulsar_decompress(c->pulsar_codec, md->compression, payload, md->uncompressed_size,
                               c->max_bytes, &r->payload);
}

/* `whole`: the payload is that of the whole message, also if the metadata is a chunk's. */
static kop_status read_entry(kop_convert *c, kopi_reading *r, kop_slice payload, int whole) {
  const kop_pulsar_metadata *md = &r->entry->metadata;
  kop_convert_answer *answer = r->answer;
  kop_status status = find_writer(r);
  if (status == KOP_ERR_UNSUPPORTED) {
    return kopi_read_hole(c, r, KOP_HOLE_VERSION, "a later version of this library wrote it");
  }
  if (status != KOP_OK) return kopi_read_failed(c, r, status, "kop.batch cannot be read");
  switch (kop_pulsar_entry_kind(md)) {
  case KOP_PULSAR_KIND_MARKER:
    return read_marker(c, r);
  case KOP_PULSAR_KIND_ENCRYPTED:
    return kopi_read_hole(c, r, KOP_HOLE_ENCRYPTED, "");
  case KOP_PULSAR_KIND_CHUNK:
    if (whole) break;
    answer->kind = KOP_ANSWER_CHUNK;
    answer->chunk = payload;
    answer->chunk_uuid = md->uuid;
    answer->chunk_id = md->chunk_id;
    answer->chunk_count = md->num_chunks_from_msg;
    answer->chunk_total = md->total_chunk_msg_size;
    return KOP_OK;
  default:
    break;
  }
  status = decompress(c, r, payload);
  if (status != KOP_OK) return kopi_read_failed(c, r, status, "the payload cannot be decompressed");
  if (!has_kafka_format(md)) return kopi_read_messages(c, r);
  answer->format = KOP_CONVERT_KAFKA;
  return kopi_read_batches(c, r);
}

static kop_status check(kop_convert *c, kopi_reading *r, kop_slice payload, int whole) {
  if ((r->options.flags & KOP_TO_KAFKA_TRUST_CRC) == 0) {
    kop_status status = kop_pulsar_entry_check(r->entry);
    if (status != KOP_OK) return kopi_read_failed(c, r, status, "the checksum does not match");
  }
  return read_entry(c, r, payload, whole);
}

kop_status kop_convert_to_kafka(kop_convert *convert, const uint8_t *bytes, size_t len,
                                int64_t first_offset, int64_t last_offset,
                                const kop_to_kafka_options *options, kop_convert_answer *answer) {
  kopi_reading r;
  kop_status status = start(convert, first_offset, last_offset, options, &r, answer);
  if (status != KOP_OK) return status;
  kop_pulsar_entry entry;
  uint32_t flags = (r.options.flags & KOP_TO_KAFKA_TRUST_CRC) != 0 ? 0 : KOP_PULSAR_ENTRY_CHECK;
  status = kop_pulsar_entry_read(bytes, len, flags, &entry);
  if (status != KOP_OK) return kopi_read_failed(convert, &r, status, "the entry cannot be read");
  r.entry = &entry;
  return read_entry(convert, &r, entry.payload, 0);
}

kop_status kop_convert_entry_to_kafka(kop_convert *convert, const kop_pulsar_entry *entry,
                                      int64_t first_offset, int64_t last_offset,
                                      const kop_to_kafka_options *options,
                                      kop_convert_answer *answer) {
  kopi_reading r;
  kop_status status = start(convert, first_offset, last_offset, options, &r, answer);
  if (status != KOP_OK) return status;
  r.entry = entry;
  return check(convert, &r, entry->payload, 0);
}

kop_status kop_convert_chunks_to_kafka(kop_convert *convert, const kop_pulsar_entry *last,
                                       kop_slice payload, int64_t offset,
                                       const kop_to_kafka_options *options,
                                       kop_convert_answer *answer) {
  kopi_reading r;
  kop_status status = start(convert, offset, offset, options, &r, answer);
  if (status != KOP_OK) return status;
  r.entry = last;
  const kop_pulsar_metadata *md = &last->metadata;
  if ((md->present & KOP_PULSAR_HAS_TOTAL_CHUNK_MSG_SIZE) != 0 &&
      (md->total_chunk_msg_size < 0 || (size_t)md->total_chunk_msg_size != payload.len)) {
    return kopi_read_hole(convert, &r, KOP_HOLE_MALFORMED, "the chunks have another size together");
  }
  return check(convert, &r, payload, 1);
}
