/*
 * Messages in Pulsar's format as one Kafka batch.
 *
 *    payload   [message 0][message 1][removed][message 3]        offsets first .. last, aligned at the last
 *    batch     [head 61][record 0][record 1][record 3]           the removed one's offset stays free
 *
 * A record's length comes before its fields, so its headers are put together in `scratch` first; all other sizes are
 * known at once.
 */
#include <string.h>

#include "base/compiler.h"
#include "convert/convert.h"
#include "convert/native.h"
#include "convert/property.h"
#include "record/batch.h"
#include "record/layout.h"
#include "record/readable.h"
#include "record/record2.h"

typedef struct making {
  kop_convert *c;
  const kopi_reading *r;
  int32_t own;
  int32_t plugin;
  int32_t control;   /* messages are control records */
  int32_t keep;      /* native facts */
  size_t kept_entry; /* bytes at the front of scratch: the header kop.entry */
  int64_t base_offset;
  int64_t base_timestamp;
  int64_t max_timestamp;
  int32_t count;
  const char *why; /* what to say if it fails */
} making;

/* A message's record, before it is written. */
typedef struct parts {
  kop_slice key;
  kop_slice value;
  kop_slice headers;
  int32_t header_count;
} parts;

/*
 * The properties of a control record's message; those that are headers go on to the others. Any producer can forge them, so what
 * they give is looked at before it becomes a control record, on which consumers and brokers act.
 */
static int take_control(making *m, const kop_pulsar_property *property, parts *out) {
  kop_slice *to = NULL;
  if (kopi_slice_equal(property->key, kopi_ctl_key_name)) to = &out->key;
  if (kopi_slice_equal(property->key, kopi_ctl_value_name)) to = &out->value;
  if (to != NULL) *to = kopi_base64_append(property->value, &m->c->plain);
  return to != NULL || kopi_slice_equal(property->key, kopi_ctl_name);
}

/* Collects the headers in `scratch`, behind what it holds. */
static kop_status collect_headers(making *m, const kop_pulsar_message *message, parts *out) {
  kopi_buf *scratch = &m->c->scratch;
  size_t start = m->kept_entry;
  if (m->keep) {
    start = 0; /* kop.entry is the first header of every record */
    out->header_count = 1;
  }
  kop_pulsar_repeated rest = message->single.properties;
  kop_pulsar_property property;
  while (kop_pulsar_property_next(&rest, &property) == KOP_OK) {
    if (m->control && take_control(m, &property, out)) continue;
    kopi_property_to_header(&property, scratch);
    out->header_count++;
  }
  if (m->keep) {
    kopi_native_keep_message(&message->single, scratch);
    out->header_count++;
  }
  if (scratch->status != KOP_OK) return scratch->status;
  if (scratch->len > start) {
    out->headers = (kop_slice){scratch->data + start, scratch->len - start};
  }
  return KOP_OK;
}

static kop_status put_record(making *m, const kop_pulsar_message *message, int64_t offset,
                             int64_t timestamp) {
  kop_convert *c = m->c;
  const kop_pulsar_single *single = &message->single;
  kopi_buf *out = &c->data;
  c->scratch.len = m->kept_entry;
  kopi_buf_reset(&c->plain);
  parts part = {.headers = {.ptr = NULL, .len = 0}};
  if (!m->control) {
    part.key = kopi_native_key(single, &c->plain);
    if (!single->null_value) part.value = message->payload;
  } else if (kopi_buf_reserve(&c->plain, single->properties.len + 16) == NULL) {
    return c->plain.status; /* room for all that is decoded, so that the key does not move */
  }
  if (single->properties.count != 0 || m->keep) {
    kop_status status = collect_headers(m, message, &part);
    if (status != KOP_OK) return status;
  }
  if (c->plain.status != KOP_OK) return c->plain.status;
  if (m->control && !kopi_control_readable(&part.key, &part.value)) {
    m->why = "a control record is malformed";
    return KOP_ERR_MALFORMED;
  }
  kop_record_in in = {.key = part.key, .value = part.value, .header_count = part.header_count};
  int64_t timestamp_delta = kopi_wrap_sub(timestamp, m->base_timestamp);
  int32_t offset_delta = (int32_t)(offset - m->base_offset);
  size_t body = kopi_record2_body_size(timestamp_delta, offset_delta, &in, &part.headers);
  if (body == SIZE_MAX || out->len + body > c->max_bytes) return KOP_ERR_LIMIT;
  uint8_t *p = kopi_buf_reserve(out, body + KOPI_VARINT_MAX);
  if (p == NULL) return out->status;
  p = kopi_record2_write(p, body, timestamp_delta, offset_delta, &in, &part.headers);
  out->len = (size_t)(p - out->data);
  m->count++;
  return KOP_OK;
}

static int64_t timestamp_of(const making *m, const kop_pulsar_single *single) {
  return kopi_native_timestamp(single, m->r->entry->metadata.publish_time, m->plugin || m->own);
}

static kop_status put_records(making *m) {
  const kopi_reading *r = m->r;
  kop_pulsar_batch_iter it;
  kop_status status = kop_pulsar_batch_begin(&it, &r->entry->metadata, r->payload);
  if (status != KOP_OK) return status;
  int64_t first = r->answer->last_offset - it.size + 1;
  m->base_offset = first > r->answer->first_offset ? first : r->answer->first_offset;
  if (r->facts.has_base) m->base_timestamp = r->facts.base_timestamp;
  int based = r->facts.has_base;
  kop_pulsar_message message;
  while ((status = kop_pulsar_batch_next(&it, &message)) == KOP_OK) {
    if (message.compacted_out) continue;
    int64_t offset = first + message.batch_index;
    if (offset < m->base_offset) {
      r->answer->dropped++;
      continue;
    }
    int64_t timestamp = timestamp_of(m, &message.single);
    if (!based) m->base_timestamp = timestamp;
    based = 1;
    if (timestamp > m->max_timestamp) m->max_timestamp = timestamp;
    status = put_record(m, &message, offset, timestamp);
    if (status != KOP_OK) return status;
  }
  return status == KOP_ERR_NOT_FOUND ? KOP_OK : status;
}

/* ---- the head ------------------------------------------------------------------------------------ */

static void fill_producer(const making *m, kop_batch_head *head) {
  const kopi_reading *r = m->r;
  const kop_pulsar_metadata *md = &r->entry->metadata;
  const uint64_t txn = KOP_PULSAR_HAS_TXNID_LEAST_BITS | KOP_PULSAR_HAS_TXNID_MOST_BITS;
  if (m->own) {
    head->attributes |= (int16_t)r->facts.attributes;
    head->producer_id = r->facts.producer_id;
    head->producer_epoch = (int16_t)r->facts.producer_epoch;
    head->base_sequence = r->facts.base_sequence;
    if (r->facts.has_max) head->max_timestamp = r->facts.max_timestamp;
    if (r->options.leader_epoch == -1) head->leader_epoch = r->facts.leader_epoch;
  } else if (m->plugin && (md->present & txn) == txn &&
             (r->options.flags & KOP_TO_KAFKA_TRANSACTIONS) != 0) {
    head->attributes |= KOP_BATCH_TRANSACTIONAL;
    head->producer_id = (int64_t)md->txnid_most_bits;
    head->producer_epoch = (int16_t)md->txnid_least_bits;
    head->base_sequence = (int32_t)(md->sequence_id & INT32_MAX);
  }
}

/* Compresses the records in `data` into `plain`. */
static kop_status compress(kop_convert *c, int32_t codec, int32_t level) {
  kop_status status = kopi_convert_encoder(c);
  if (status != KOP_OK) return status;
  kopi_buf_reset(&c->plain);
  if (kopi_buf_reserve(&c->plain, KOP_BATCH_HEAD_SIZE) == NULL) return c->plain.status;
  c->plain.len = KOP_BATCH_HEAD_SIZE;
  status = kopi_encoder_begin(c->encoder, codec, 2, level, &c->plain);
  if (status != KOP_OK) return status;
  status = kopi_encoder_write(c->encoder, c->data.data + KOP_BATCH_HEAD_SIZE,
                              c->data.len - KOP_BATCH_HEAD_SIZE);
  if (status == KOP_OK) status = kopi_encoder_finish(c->encoder);
  return status == KOP_OK ? c->plain.status : status;
}

static kop_status finish(making *m, kopi_reading *r) {
  kop_convert *c = m->c;
  int32_t codec = r->options.codec;
  if (codec == KOP_CODEC_KEEP) codec = kopi_codec_of_compression(r->entry->metadata.compression);
  if (m->count == 0) codec = KOP_CODEC_NONE;
  if (codec != KOP_CODEC_NONE) {
    kop_status status = compress(c, codec, r->options.level);
    if (status != KOP_OK) return status;
  }
  kopi_buf *out = codec == KOP_CODEC_NONE ? &c->data : &c->plain;
  kop_batch_head head = {
      .base_offset = m->base_offset,
      .length = (int32_t)(out->len - KOP_BATCH_PREFIX_SIZE),
      .leader_epoch = r->options.leader_epoch,
      .attributes = (int16_t)codec,
      .last_offset_delta = (int32_t)(r->answer->last_offset - m->base_offset),
      .base_timestamp = m->base_timestamp,
      .max_timestamp = m->max_timestamp,
      .producer_id = -1,
      .producer_epoch = -1,
      .base_sequence = -1,
      .count = m->count,
  };
  fill_producer(m, &head);
  kop_batch_head_encode(&head, out->data);
  kopi_batch_seal(out->data, out->len);
  const kop_convert_batch batch = {
      .head = {out->data, KOP_BATCH_HEAD_SIZE},
      .records = {out->data + KOP_BATCH_HEAD_SIZE, out->len - KOP_BATCH_HEAD_SIZE},
      .base_offset = head.base_offset,
      .last_offset = r->answer->last_offset,
      .max_timestamp = head.max_timestamp,
      .count = head.count,
      .attributes = (uint16_t)head.attributes,
  };
  kopi_buf_put(&c->list, &batch, sizeof batch);
  if (c->list.status != KOP_OK) return c->list.status;
  r->answer->kind = KOP_ANSWER_BATCHES;
  r->answer->batches = (const kop_convert_batch *)(const void *)c->list.data;
  r->answer->batches_count = 1;
  return KOP_OK;
}

kop_status kopi_read_messages(kop_convert *c, kopi_reading *r) {
  making m = {
      .c = c,
      .r = r,
      .own = r->answer->writer == KOP_CONVERT_BY_LIBRARY,
      .plugin = r->answer->writer == KOP_CONVERT_BY_PLUGIN,
      .base_timestamp = -1,
      .max_timestamp = -1,
      .why = "the messages cannot be read as a batch",
  };
  m.control = m.own && (r->facts.attributes & KOP_BATCH_CONTROL) != 0;
  m.keep = !m.own && (r->options.flags & KOP_TO_KAFKA_KEEP) != 0;
  if (kopi_buf_reserve(&c->data, KOP_BATCH_HEAD_SIZE + r->payload.len) == NULL) {
    return kopi_read_failed(c, r, c->data.status, "the messages are too large for a batch");
  }
  c->data.len = KOP_BATCH_HEAD_SIZE;
  if (m.keep) {
    kopi_native_keep_entry(&r->entry->metadata, &c->scratch);
    m.kept_entry = c->scratch.len;
    if (c->scratch.status != KOP_OK) {
      return kopi_read_failed(c, r, c->scratch.status, "the entry's facts are too large");
    }
  }
  kop_status status = put_records(&m);
  /* What compaction left of a batch of Kafka's still says how far its producer got. */
  if (status == KOP_OK && m.count == 0 && !m.own) {
    return kopi_read_hole(c, r, KOP_HOLE_COMPACTED, "");
  }
  if (status == KOP_OK) status = finish(&m, r);
  if (status == KOP_OK || status == KOP_ERR_INVALID) return status;
  return kopi_read_failed(c, r, status, m.why);
}
