/*
 * A Kafka batch as Pulsar entries.
 *
 *    batch     [head 61][record][record][record][record][record]       decompressed first, if it is compressed
 *                       '-------- piece --------'-- piece --...        as many records as an entry may hold
 *    payload            [message][message][hole][message]              compressed, if it shall be
 *    entry     [0x0e01, checksum, metadata][payload]
 *
 * A plain piece ends before the message that would make it too large. How large a compressed piece becomes is known
 * afterwards, so it is tried with everything that is left, and again with less when that was too much.
 */
#include <string.h>

#include "base/sized.h"
#include "convert/message.h"
#include "convert/property.h"
#include "convert/writing.h"
#include "record/batch.h"
#include "record/layout.h"
#include "record/readable.h"

enum {
  DEFAULT_ENTRY = 5 * 1024 * 1024,
  RESERVED_FLAGS = ~(KOP_TO_PULSAR_TRUST_CRC | KOP_TO_PULSAR_COUNT_MESSAGES |
                     KOP_TO_PULSAR_RESTORE | KOP_TO_PULSAR_TRUST_RECORDS)
};

void kop_to_pulsar_options_init(kop_to_pulsar_options *options, size_t size) {
  kop_to_pulsar_options defaults = {
      .size = size,
      .max_entry_bytes = DEFAULT_ENTRY,
      .format = KOP_CONVERT_PULSAR,
      .key = KOP_CONVERT_KEY_TEXT,
      .compression = KOP_CONVERT_COMPRESSION_KEEP,
      .level = KOP_PULSAR_LEVEL_DEFAULT,
  };
  kopi_sized_defaults(options, size, &defaults, sizeof defaults);
}

static kop_status check_options(const kop_to_pulsar_options *o) {
  if (o->format != KOP_CONVERT_PULSAR && o->format != KOP_CONVERT_KAFKA) return KOP_ERR_INVALID;
  if (o->key != KOP_CONVERT_KEY_TEXT && o->key != KOP_CONVERT_KEY_BASE64) return KOP_ERR_INVALID;
  if ((o->flags & RESERVED_FLAGS) != 0) return KOP_ERR_INVALID;
  if (o->properties_count != 0 && o->properties == NULL) return KOP_ERR_INVALID;
  if (o->max_entry_bytes > INT32_MAX) return KOP_ERR_INVALID;
  if (o->compression < KOP_CONVERT_COMPRESSION_KEEP ||
      o->compression > KOP_PULSAR_COMPRESSION_SNAPPY) {
    return KOP_ERR_UNSUPPORTED;
  }
  return KOP_OK;
}

/* ---- the records of the batch -------------------------------------------------------------------- */

static kop_status expands(kop_convert *c) {
  return kopi_convert_fail(c, KOP_ERR_LIMIT, "the batch expands beyond max_bytes");
}

/* Decompresses the records behind each other into `plain`. */
static kop_status decompress(kopi_writing *j, int32_t codec, const uint8_t *bytes, size_t len) {
  kop_convert *c = j->c;
  kop_status status = kopi_convert_decoder(c);
  if (status == KOP_OK) status = kopi_decoder_begin(c->decoder, codec, 2, bytes, len);
  size_t step = len * 4 < 64 * 1024 ? 64 * 1024 : len * 4;
  for (size_t n = 1; status == KOP_OK && n != 0;) {
    if (c->plain.len > c->max_bytes) return expands(c);
    size_t room = c->plain.cap - c->plain.len;
    if (room < 4096) room = step;
    if (room > c->max_bytes + 1) room = c->max_bytes + 1;
    uint8_t *p = kopi_buf_reserve(&c->plain, room);
    if (p == NULL) return c->plain.status;
    status = kopi_decoder_read(c->decoder, p, room, &n);
    c->plain.len += n;
  }
  return status == KOP_OK ? status
                          : kopi_convert_fail(c, status, "the batch cannot be decompressed");
}

static kop_status open_batch(kopi_writing *j, kopi_cursor *first) {
  kop_convert *c = j->c;
  size_t size;
  int32_t magic;
  kop_status status = kop_batch_next(j->batch, j->len, &size, &magic);
  if (status == KOP_ERR_NOT_FOUND) status = KOP_ERR_TRUNCATED;
  if (status != KOP_OK) return kopi_convert_fail(c, status, "the batch is not whole");
  if (magic != 2) return kopi_convert_fail(c, KOP_ERR_UNSUPPORTED, "the batch is a message set");
  kopi_head_load(j->batch, &j->head);
  j->len = size;
  if ((j->options.flags & KOP_TO_PULSAR_TRUST_CRC) == 0) {
    status = kop_batch_check_crc(j->batch, size);
    if (status != KOP_OK) return kopi_convert_fail(c, status, "the checksum does not match");
  }
  const kop_batch_head *head = &j->head;
  if (head->count < 0 || head->last_offset_delta < 0 || head->last_offset_delta == INT32_MAX ||
      head->count > head->last_offset_delta + 1) {
    return kopi_convert_fail(c, KOP_ERR_MALFORMED,
                             "count and last offset delta contradict each other");
  }
  j->dense = head->count == head->last_offset_delta + 1;
  if ((uint64_t)(head->last_offset_delta + 1 - head->count) * KOPI_MESSAGE_HOLE > c->max_bytes) {
    return kopi_convert_fail(c, KOP_ERR_LIMIT, "the holes in the batch expand beyond max_bytes");
  }
  j->indivisible = head->producer_id != -1 || (head->attributes & KOP_BATCH_CONTROL) != 0;
  int32_t codec = head->attributes & KOP_BATCH_CODEC_MASK;
  if (codec > KOP_CODEC_ZSTD) return kopi_convert_fail(c, KOP_ERR_UNSUPPORTED, "unknown codec");
  j->compression = j->options.compression != KOP_CONVERT_COMPRESSION_KEEP
                       ? j->options.compression
                       : kopi_compression_of_codec(codec);
  const uint8_t *records = j->batch + KOPI_AT_RECORDS;
  j->end = j->batch + size;
  if (codec != KOP_CODEC_NONE && head->count > 0 && j->options.format == KOP_CONVERT_PULSAR) {
    status = decompress(j, codec, records, size - KOPI_AT_RECORDS);
    if (status != KOP_OK) return status;
    records = c->plain.data;
    j->end = records + c->plain.len;
  }
  /* It would come back with a head as large as the one it has, or not at all. */
  if ((size_t)(j->end - records) + KOP_BATCH_HEAD_SIZE > c->max_bytes) return expands(c);
  *first = (kopi_cursor){.p = records};
  return KOP_OK;
}

/* The record at the cursor, which stays; `next` is behind it. */
static kop_status parse_record(const kopi_writing *j, const kopi_cursor *at, kopi_record2 *r,
                               const uint8_t **next) {
  int32_t size;
  const uint8_t *p = kopi_varint_read2(at->p, j->end, &size);
  if (p == NULL || size < 0 || size > j->end - p) return KOP_ERR_MALFORMED;
  if (!kopi_record2_parse(p, p + size, r)) return KOP_ERR_MALFORMED;
  *next = p + size;
  if (j->dense) {
    r->offset_delta = at->index;
  } else if (r->offset_delta < at->delta || r->offset_delta > j->head.last_offset_delta) {
    return KOP_ERR_MALFORMED;
  }
  return KOP_OK;
}

/* ---- pieces -------------------------------------------------------------------------------------- */

static void put_record(const kopi_writing *j, const kopi_record2 *r, int64_t timestamp,
                       const kopi_kept *kept, kopi_buf *out) {
  if ((j->head.attributes & KOP_BATCH_CONTROL) != 0) {
    kopi_message_put_control(r, timestamp, j->options.control_key, out);
  } else if (kept != NULL && (kept->entry.ptr != NULL || kept->message.ptr != NULL)) {
    kopi_message_put_native(r, timestamp, j->options.key, kept, &j->c->scratch, out);
  } else {
    kopi_message_put(r, timestamp, j->options.key, out);
  }
}

/* Appends the holes before a delta, as far as `most` bytes of `out` go; 0 if not all. */
static int put_holes(kopi_cursor *at, int32_t delta, size_t most, kopi_buf *out) {
  while (at->delta < delta && out->len + KOPI_MESSAGE_HOLE <= most && out->status == KOP_OK) {
    kopi_message_put_hole(out);
    at->delta++;
  }
  return at->delta == delta;
}

static int same_native(kop_slice a, kop_slice b) {
  return (a.ptr == NULL) == (b.ptr == NULL) && kopi_slice_equal(a, b);
}

/*
 * Fills `out` with messages from the cursor on, until `most` bytes are there or the batch ends. Moves the cursor behind them.
 * To be compressed, `most` is a guess: one message is always taken, since it may shrink.
 */
static kop_status fill(const kopi_writing *j, kopi_cursor *at, size_t most, kopi_piece *s,
                       kopi_buf *out) {
  int restore = (j->options.flags & KOP_TO_PULSAR_RESTORE) != 0;
  int plain = j->compression == KOP_PULSAR_COMPRESSION_NONE;
  int control = (j->head.attributes & KOP_BATCH_CONTROL) != 0;
  *s = (kopi_piece){.from = *at, .first_timestamp = -1, .max_timestamp = -1};
  size_t start = out->len;
  most += start;
  kopi_kept kept;
  while (at->index < j->head.count) {
    kopi_record2 r;
    const uint8_t *next;
    kop_status status = parse_record(j, at, &r, &next);
    if (status != KOP_OK) return kopi_convert_fail(j->c, status, "a record is malformed");
    if (control && !kopi_control_readable(&r.key, &r.value)) {
      return kopi_convert_fail(j->c, KOP_ERR_MALFORMED, "a control record is malformed");
    }
    if (at->delta != r.offset_delta && !put_holes(at, r.offset_delta, most, out)) break;
    int64_t timestamp = kopi_wrap_add(j->head.base_timestamp, r.timestamp_delta);
    if (restore) {
      kopi_native_find(r.headers, r.header_count, &kept);
      kept.native_times = kept.entry.ptr != NULL && kopi_writing_is_plain(j);
      s->native_changes = s->count > 0 && !same_native(kept.entry, s->native);
      if (s->native_changes) break;
      if (s->count == 0 && plain) most -= kept.entry.len < most ? kept.entry.len : most;
    }
    size_t before = out->len;
    put_record(j, &r, timestamp, restore ? &kept : NULL, out);
    if (out->len > most && (plain || at->delta > s->from.delta)) {
      out->len = before;
      break;
    }
    if (out->status != KOP_OK) break;
    if (s->count == 0) {
      s->first_timestamp = timestamp;
      s->key = r.key;
      if (restore) {
        s->native = kept.entry;
        s->kept = kept;
      }
    }
    if (timestamp > s->max_timestamp) s->max_timestamp = timestamp;
    s->count++;
    at->p = next;
    at->index++;
    at->delta++;
  }
  if (at->index == j->head.count) put_holes(at, j->head.last_offset_delta + 1, most, out);
  s->num_messages = at->delta - s->from.delta;
  return out->status;
}

static int at_end(const kopi_writing *j, const kopi_cursor *at) {
  return at->index == j->head.count && at->delta > j->head.last_offset_delta;
}

/* ---- payloads ------------------------------------------------------------------------------------- */

static kop_status too_large(const kopi_writing *j) {
  return kopi_convert_fail(j->c, KOP_ERR_LIMIT, "a record is larger than an entry may be");
}

static kop_status one_append(const kopi_writing *j, const kopi_piece *s) {
  return kopi_convert_fail(
      j->c, KOP_ERR_LIMIT,
      s->native_changes ? "the records keep facts of several entries, and have a producer id: "
                          "a split would break its sequences"
                        : "the batch is larger than an entry may be, and has a producer id: "
                          "a split would break its sequences");
}

/* Plain pieces go straight into what is given out. */
static kop_status make_plain(kopi_writing *j, kopi_cursor *at) {
  kopi_buf *out = &j->c->data;
  size_t most = j->budget < j->c->max_bytes ? j->budget : j->c->max_bytes;
  do {
    kopi_piece s;
    size_t start = out->len;
    kop_status status = fill(j, at, most, &s, out);
    if (status != KOP_OK) return status;
    int done = at_end(j, at);
    if (s.num_messages == 0) return too_large(j);
    if (!done && j->indivisible) return one_append(j, &s);
    kop_slice payload = {out->data + start, out->len - start};
    status =
        kopi_entry_add(j, &s, payload, payload.len, done && s.from.index == 0 && s.from.delta == 0);
    if (status != KOP_OK) return status;
  } while (!at_end(j, at));
  return KOP_OK;
}

/* One piece that is small enough when compressed; `most` is how much plain payload to try. */
static kop_status make_compressed(kopi_writing *j, kopi_cursor *at, size_t *most) {
  kop_convert *c = j->c;
  kopi_buf *messages = &c->data; /* plain messages stand behind what is given out */
  const kopi_cursor from = *at;
  for (;;) {
    kopi_piece s;
    size_t start = messages->len;
    kop_status status = fill(j, at, *most, &s, messages);
    if (status != KOP_OK) return status;
    if (s.num_messages == 0) return too_large(j);
    kop_slice plain = {messages->data + start, messages->len - start};
    if (plain.len > c->max_bytes) return too_large(j);
    kop_slice packed;
    status = kop_pulsar_compress(c->pulsar_codec, j->compression, j->options.level, plain, &packed);
    messages->len = start;
    if (status != KOP_OK) return status;
    int done = at_end(j, at);
    if (s.native.len >= j->budget) return too_large(j);
    size_t room = j->budget - s.native.len;
    if (packed.len <= room) {
      if (!done && j->indivisible) return one_append(j, &s);
      kopi_buf_put(messages, packed.ptr, packed.len);
      if (messages->status != KOP_OK) return messages->status;
      packed.ptr = messages->data + start;
      return kopi_entry_add(j, &s, packed, plain.len,
                            done && s.from.index == 0 && s.from.delta == 0);
    }
    if (s.num_messages == 1) return too_large(j);
    if (j->indivisible) return one_append(j, &s);
    /* As much as would fit at this ratio, and a tenth less; at least one message less. */
    uint64_t guess = (uint64_t)plain.len * room / packed.len;
    *most = (size_t)(guess - guess / 10);
    if (*most >= plain.len) *most = plain.len - 1;
    *at = from;
  }
}

static kop_status make_all_compressed(kopi_writing *j, kopi_cursor *at) {
  kop_status status = kopi_convert_pulsar_codec(j->c);
  size_t most = j->c->max_bytes;
  while (status == KOP_OK && !at_end(j, at)) {
    status = make_compressed(j, at, &most);
  }
  return status;
}

/* Refuses what no consumer could read, since it would come back as a hole. */
static kop_status look_inside(const kopi_writing *j) {
  kop_convert *c = j->c;
  kop_status status = kopi_convert_sets(c);
  kopi_readable found;
  if (status == KOP_OK) status = kopi_batch_readable(c->sets, j->batch, j->len, &found);
  if (status == KOP_ERR_TRUNCATED) status = KOP_ERR_MALFORMED;
  if (status == KOP_OK && found.plain > c->max_bytes) status = KOP_ERR_LIMIT;
  switch (status) {
  case KOP_OK:
  case KOP_ERR_NOMEM:
    return status;
  case KOP_ERR_LIMIT:
    return expands(c);
  case KOP_ERR_MALFORMED:
    return kopi_convert_fail(c, status, "a record is malformed");
  default:
    return kopi_convert_fail(c, status, "the batch cannot be decompressed");
  }
}

/* The batch as it is, under a head. */
static kop_status make_verbatim(kopi_writing *j) {
  kopi_piece s = {
      .num_messages = j->head.last_offset_delta + 1,
      .count = j->head.count,
      .max_timestamp = j->head.max_timestamp,
  };
  if (j->len > j->budget) {
    return kopi_convert_fail(j->c, KOP_ERR_LIMIT, "the batch is larger than an entry may be");
  }
  if ((j->options.flags & KOP_TO_PULSAR_TRUST_RECORDS) == 0) {
    kop_status status = look_inside(j);
    if (status != KOP_OK) return status;
  }
  return kopi_entry_add(j, &s, (kop_slice){j->batch, j->len}, j->len, 1);
}

kop_status kop_convert_to_pulsar(kop_convert *convert, const uint8_t *batch, size_t len,
                                 const kop_to_pulsar_options *options,
                                 const kop_convert_entry **entries, size_t *count) {
  kopi_convert_begin(convert);
  *entries = NULL;
  *count = 0;
  kopi_writing j = {.c = convert, .batch = batch, .len = len};
  kop_to_pulsar_options_init(&j.options, sizeof j.options);
  kop_status status = kopi_sized_load(&j.options, sizeof j.options, options);
  if (status == KOP_OK) status = check_options(&j.options);
  if (status == KOP_OK) status = kopi_entry_measure(&j);
  kopi_cursor at;
  if (status == KOP_OK) status = open_batch(&j, &at);
  if (status != KOP_OK) return status;
  if (j.options.format == KOP_CONVERT_KAFKA) {
    status = make_verbatim(&j);
  } else if (j.compression != KOP_PULSAR_COMPRESSION_NONE) {
    status = make_all_compressed(&j, &at);
  } else {
    status = make_plain(&j, &at);
  }
  if (status == KOP_OK && j.head.count > 0 && j.options.format == KOP_CONVERT_PULSAR &&
      at.p != j.end) {
    status = kopi_convert_fail(convert, KOP_ERR_MALFORMED, "there is more than its count says");
  }
  if (status != KOP_OK) return status;
  kopi_entry_place(&j);
  *entries = (const kop_convert_entry *)(const void *)convert->list.data;
  *count = convert->list.len / sizeof(kop_convert_entry);
  return KOP_OK;
}
