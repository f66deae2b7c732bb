/*
 * The reply of a fetch: what its parts hold, sent from where it lies.
 *
 *   encoded  [ ... length of records | ... length of records | ... ]
 *   sent      piece ^ head rest head rest ^ piece ^ ...
 *
 * A batch is sent as a copy of its 61-byte head, in which base offset and nothing else is written, and the rest where the
 * store lent it. Only Fetch below version 4, whose clients know no v2 batches, gets converted copies. zstd is not kept
 * from versions 4 to 9: Kafka 4 gives it too, and some clients that know it (rskafka) ask no newer version.
 */
#include <string.h>

#include "base/endian.h"
#include "engine/fetch.h"
#include "engine/fetch_session.h"
#include "engine/leader_hint.h"

enum {
  FIRST_V2_VERSION = 4,
  LENGTH_AT = 8, /* of a batch: its length behind this field */
  MAGIC_AT = 16
};

static uint64_t size_of(const kop_read_batch *b) {
  uint64_t size = 0;
  for (uint32_t i = 0; i < b->slices_count; i++)
    size += b->slices[i].len;
  return size;
}

/* Whether the bytes can be a batch at all: those of a store that has lost its log must not reach a client. */
static bool is_batch(const kop_read_batch *b, uint64_t size) {
  const uint8_t *head = b->slices[0].ptr;
  return head[MAGIC_AT] == 2 && kopi_load_be32(head + LENGTH_AT) + UINT64_C(12) == size;
}

/* Takes what fits: whole batches within the part's and the reply's bounds, and the first one of a reply in any case. */
static void choose_batches(const kopi_fetch *f, kopi_fetch_part *part, uint64_t *total) {
  uint64_t room = *total < f->max_bytes ? f->max_bytes - *total : 0;
  if (part->max_bytes < room) room = part->max_bytes;
  for (; part->batches < part->read->batches_len; part->batches++) {
    const kop_read_batch *b = &part->read->batches[part->batches];
    uint64_t size = size_of(b);
    if (!is_batch(b, size)) {
      if (part->bytes == 0) part->error = KOP_KAFKA_KAFKA_STORAGE_ERROR;
      break;
    }
    bool first = f->r->version >= 3 && *total == 0 && part->bytes == 0;
    if (!first && part->bytes + size > room) break;
    part->bytes += size;
  }
  *total += part->bytes;
}

static void write_head(const kop_read_batch *b, uint8_t *to) {
  kop_batch_head h;
  memcpy(to, b->slices[0].ptr, KOP_BATCH_HEAD_SIZE);
  if (kop_batch_head_decode(to, KOP_BATCH_HEAD_SIZE, &h) != KOP_OK)
    return; /* the client reports it */
  kop_batch_set_position(to, b->base_offset, h.leader_epoch);
}

/* What stands before the first zstd batch, which no message set can hold (KIP-110): then at least that is read. */
static uint32_t before_zstd(const kopi_fetch_part *part) {
  uint32_t n = 0;
  for (; n < part->batches; n++) {
    kop_batch_head h;
    const kop_slice *first = &part->read->batches[n].slices[0];
    if (kop_batch_head_decode(first->ptr, first->len, &h) == KOP_OK &&
        (h.attributes & KOP_BATCH_CODEC_MASK) == KOP_CODEC_ZSTD) {
      break;
    }
  }
  return n;
}

/*
 * Fetch 0 to 3: the batches of the part as one message set of magic 0 or 1. These are copies, so all of a reply together are
 * bounded: what has no room any more is left to the next fetch.
 */
static void down_convert(kop_engine *e, kopi_fetch *f, kopi_fetch_part *part) {
  uint64_t limit = (uint64_t)e->settings.socket_request_max_bytes;
  limit = f->converted < limit ? limit - f->converted : 0;
  kopi_buf whole;
  kopi_buf_init(&whole, &e->alloc, part->bytes);
  uint32_t n = before_zstd(part);
  if (n > 0) part->batches = n;
  for (uint32_t i = 0; i < part->batches; i++) {
    const kop_read_batch *b = &part->read->batches[i];
    size_t at = whole.len;
    for (uint32_t j = 0; j < b->slices_count; j++)
      kopi_buf_put(&whole, b->slices[j].ptr, b->slices[j].len);
    if (whole.status == KOP_OK) write_head(b, whole.data + at);
  }
  kop_status status = whole.status;
  if (status == KOP_OK) {
    status =
        kop_batch_down_convert(e->records, whole.data, whole.len, f->r->version >= 2 ? 1 : 0,
                               part->offset, (size_t)limit, &part->converted, &part->converted_len);
  }
  kopi_buf_free(&whole);
  bool later = status == KOP_ERR_LIMIT && f->converted > 0;
  part->bytes = part->converted_len;
  part->batches = 0;
  f->converted += part->converted_len;
  e->lent_bytes += part->converted_len;
  if (later) return;
  if (status == KOP_ERR_UNSUPPORTED) part->error = KOP_KAFKA_UNSUPPORTED_COMPRESSION_TYPE;
  if (status != KOP_OK && status != KOP_ERR_UNSUPPORTED) part->error = KOP_KAFKA_CORRUPT_MESSAGE;
}

/* A hole that reaches the high watermark is covered by an empty batch, so that positions advance. */
static bool cover_hole(kop_engine *e, kopi_fetch *f, kopi_fetch_part *part, int64_t asked,
                       kop_now now) {
  part->hole = kopi_request_alloc(e, f->r, 1, KOP_BATCH_HEAD_SIZE, now);
  if (part->hole == NULL) return false;
  if (kop_batch_empty(asked, part->offset - 1, part->member->p->leader_epoch, part->hole) ==
      KOP_OK) {
    part->bytes = KOP_BATCH_HEAD_SIZE;
  } else {
    part->hole = NULL;
  }
  return true;
}

/* Decides what every part sends. False: the request has been answered for want of memory. */
static bool settle_parts(kop_engine *e, kopi_fetch *f, kop_now now) {
  uint64_t total = 0;
  for (uint32_t i = 0; i < f->parts_len; i++) {
    kopi_fetch_part *part = &f->parts[i];
    if (part->error != 0) {
      part->high_watermark = -1;
      part->log_start = -1;
      continue;
    }
    int64_t asked = part->member->offset;
    bool hole = part->read == NULL && part->offset > asked && part->member->p != NULL;
    if (hole && f->r->version >= FIRST_V2_VERSION && !cover_hole(e, f, part, asked, now))
      return false;
    if (part->read == NULL) continue;
    choose_batches(f, part, &total);
    if (part->error != 0) {
      part->high_watermark = -1;
      part->log_start = -1;
    }
    if (f->r->version < FIRST_V2_VERSION && part->batches > 0) down_convert(e, f, part);
  }
  return true;
}

/* ---- the message ---- */

static void fill_partition(const kopi_fetch *f, const kopi_fetch_part *part,
                           kop_fetch_response_partition_data *d) {
  static const uint8_t EMPTY[1] = {0};
  (void)kop_struct_init(KOP_STRUCT_FETCH_RESPONSE_PARTITION_DATA, d, sizeof *d);
  d->partition_index = part->index;
  d->error_code = part->error;
  d->high_watermark = part->high_watermark;
  d->last_stable_offset = part->high_watermark;
  d->log_start_offset = part->log_start;
  /* null where the log was asked without isolation, empty where it was not reached, as in Kafka */
  bool reached = part->member->p != NULL;
  d->aborted_transactions.len = f->read_committed || !reached ? 0 : -1;
  /* never null: librdkafka cannot read null records (KAFKA-18646); the pointer leads the encoder's cut back to the part */
  d->records.ptr = part->bytes > 0 ? (const uint8_t *)part : EMPTY;
  d->records.len = part->bytes;
  if (part->diverging_epoch >= 0) {
    d->diverging_epoch.epoch = part->diverging_epoch;
    d->diverging_epoch.end_offset = part->diverging_end;
  }
  if (part->current_leader >= 0 && f->r->version >= 12) {
    d->current_leader.leader_id = part->current_leader;
    d->current_leader.leader_epoch = part->current_epoch;
  }
}

static bool same_topic(const kopi_fetch_part *a, const kopi_fetch_part *b, bool by_id) {
  if (by_id) return memcmp(&a->topic_id, &b->topic_id, sizeof a->topic_id) == 0;
  return kopi_slice_equal(a->topic, b->topic);
}

static bool told(const kopi_fetch_part *part) {
  return part->tell || part->bytes > 0;
}

typedef kop_fetch_response_fetchable_topic_response topic_response;

/* Consecutive parts of one topic stand under one topic entry, as in Kafka. False: answered for want of memory. */
static bool fill_topics(kop_engine *e, kopi_fetch *f, kop_fetch_response *p, kop_now now) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < f->parts_len; i++)
    n += told(&f->parts[i]) ? 1 : 0;
  p->responses.len = 0;
  if (n == 0) return true;
  topic_response *topics = kopi_request_alloc(e, f->r, n, sizeof *topics, now);
  if (topics == NULL) return false;
  kop_fetch_response_partition_data *data = kopi_request_alloc(e, f->r, n, sizeof *data, now);
  if (data == NULL) return false;
  p->responses.ptr = topics;
  const kopi_fetch_part *last = NULL;
  for (uint32_t i = 0; i < f->parts_len; i++) {
    kopi_fetch_part *part = &f->parts[i];
    if (!told(part)) continue;
    if (last == NULL || !same_topic(last, part, f->set->by_id)) {
      topic_response *t = &topics[p->responses.len++];
      (void)kop_struct_init(KOP_STRUCT_FETCH_RESPONSE_FETCHABLE_TOPIC_RESPONSE, t, sizeof *t);
      t->topic = part->topic;
      t->topic_id = part->topic_id;
      t->partitions.ptr = data;
      t->partitions.len = 0;
    }
    fill_partition(f, part, data++);
    topics[p->responses.len - 1].partitions.len++;
    last = part;
  }
  return true;
}

/* KIP-951: where to go instead, so that the client saves a Metadata request. */
static bool fill_endpoints(kop_engine *e, kopi_fetch *f, kop_fetch_response *p, kop_now now) {
  kopi_leader_hints hints = {.len = 0};
  for (uint32_t i = 0; i < f->parts_len; i++)
    kopi_leader_hints_add(&hints, f->parts[i].current_leader);
  if (hints.len == 0 || f->r->version < 16) return true;
  kop_fetch_response_node_endpoint *nodes =
      kopi_request_alloc(e, f->r, hints.len, sizeof *nodes, now);
  if (nodes == NULL) return false;
  p->node_endpoints.ptr = nodes;
  for (uint32_t i = 0; i < hints.len; i++) {
    const kopi_endpoint *from = kopi_leader_hint(e, f->r, hints.nodes[i]);
    if (from == NULL) continue;
    kop_fetch_response_node_endpoint *to = &nodes[p->node_endpoints.len++];
    (void)kop_struct_init(KOP_STRUCT_FETCH_RESPONSE_NODE_ENDPOINT, to, sizeof *to);
    to->node_id = from->node_id;
    to->host = from->host;
    to->port = from->port;
    to->rack = from->rack;
  }
  return true;
}

/* ---- the slices ---- */

static uint32_t slices_of(const kopi_fetch_part *part) {
  if (part->hole != NULL || part->converted != NULL) return 1;
  uint32_t n = 0;
  for (uint32_t i = 0; i < part->batches; i++)
    n += part->read->batches[i].slices_count + 1;
  return n;
}

static kop_slice *put_part(const kopi_fetch_part *part, kop_slice *to, uint8_t **heads) {
  if (part->hole != NULL) {
    *to++ = (kop_slice){.ptr = part->hole, .len = KOP_BATCH_HEAD_SIZE};
    return to;
  }
  if (part->converted != NULL) {
    *to++ = (kop_slice){.ptr = part->converted, .len = part->converted_len};
    return to;
  }
  for (uint32_t i = 0; i < part->batches; i++) {
    const kop_read_batch *b = &part->read->batches[i];
    write_head(b, *heads);
    *to++ = (kop_slice){.ptr = *heads, .len = KOP_BATCH_HEAD_SIZE};
    *heads += KOP_BATCH_HEAD_SIZE;
    kop_slice rest = {.ptr = b->slices[0].ptr + KOP_BATCH_HEAD_SIZE,
                      .len = b->slices[0].len - KOP_BATCH_HEAD_SIZE};
    if (rest.len > 0) *to++ = rest;
    for (uint32_t j = 1; j < b->slices_count; j++)
      *to++ = b->slices[j];
  }
  return to;
}

/* Interleaves the encoded pieces with the batches; or the request is answered for want of memory. */
static void interleave(kop_engine *e, kopi_fetch *f, const kop_cut *cuts, uint32_t cuts_len,
                       kop_now now) {
  kopi_request *r = f->r;
  uint32_t n = cuts_len + 1;
  uint32_t batches = 0;
  for (uint32_t i = 0; i < cuts_len; i++) {
    const kopi_fetch_part *part = (const kopi_fetch_part *)(const void *)cuts[i].bytes.ptr;
    n += slices_of(part);
    batches += part->batches;
  }
  kop_slice *slices = kopi_request_alloc(e, r, n, sizeof *slices, now);
  if (slices == NULL) return;
  uint8_t *heads = kopi_request_alloc(e, r, batches + 1, KOP_BATCH_HEAD_SIZE, now);
  if (heads == NULL) return;
  kop_slice *to = slices;
  size_t at = 0;
  uint64_t bytes = r->out.len;
  for (uint32_t i = 0; i < cuts_len; i++) {
    if (cuts[i].at > at) *to++ = (kop_slice){.ptr = r->out.data + at, .len = cuts[i].at - at};
    at = cuts[i].at;
    to = put_part((const kopi_fetch_part *)(const void *)cuts[i].bytes.ptr, to, &heads);
    bytes += cuts[i].bytes.len;
    e->stats.fetch_bytes_total += cuts[i].bytes.len;
  }
  if (r->out.len > at) *to++ = (kop_slice){.ptr = r->out.data + at, .len = r->out.len - at};
  kopi_reply_slices(e, r, slices, (uint32_t)(to - slices), bytes, now);
}

void kopi_fetch_reply(kop_engine *e, kopi_fetch *f, kop_now now) {
  kopi_request *r = f->r;
  kopi_alarm_cancel(e, &r->alarm);
  if (!settle_parts(e, f, now)) {
    kopi_fetch_end(e, f);
    return;
  }
  uint64_t lent = 0;
  for (uint32_t i = 0; i < f->parts_len; i++) {
    const kopi_read *read = f->parts[i].read;
    r->lends = r->lends || read != NULL;
    lent += read == NULL ? 0 : read->bytes;
  }
  if (f->newcomer > lent) kopi_fetch_count_newcomer(e, f, lent);
  bool holds = r->lends || f->converted > 0;
  kop_fetch_response p;
  (void)kop_message_init(KOP_MSG_FETCH_RESPONSE, &p, sizeof p);
  p.session_id = f->session_id;
  if (!fill_topics(e, f, &p, now) || !fill_endpoints(e, f, &p, now)) {
    kopi_fetch_end(e, f);
    return;
  }
  kop_cut *cuts = kopi_request_alloc(e, r, f->parts_len + 1, sizeof *cuts, now);
  if (cuts == NULL) {
    kopi_fetch_end(e, f);
    return;
  }
  uint32_t cuts_len = 0;
  for (uint32_t i = 0; i < f->parts_len; i++)
    cuts_len += told(&f->parts[i]) && f->parts[i].bytes > 0;
  kopi_fetch_session_answered(e, f);
  kopi_fetch_end(e, f);
  kop_status status =
      kopi_reply_begin_cuts(e, r, KOP_MSG_FETCH_RESPONSE, &p, sizeof p, cuts, f->parts_len + 1);
  if (status != KOP_OK) {
    kopi_log(e, KOP_LOG_ERROR, "a Fetch reply cannot be written: %s", kop_strerror(status));
    kopi_request_close(e, r, KOP_CLOSE_MEMORY, now);
    return;
  }
  if (cuts_len == 0 && !holds) { /* what it was made of need not wait with it */
    r->release = NULL;
    kopi_reply_whole(e, r, now);
    return;
  }
  interleave(e, f, cuts, cuts_len, now);
}
