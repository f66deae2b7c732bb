/*
 * Validation of the records of a batch with magic 2: the loop in which a broker spends its time.
 *
 * A record that lies whole between p and end is parsed there. Only when that fails does the slow path ask
 * for more: it refills the window, or, for a record that is larger than the window, passes over its fields one by one
 * without ever having it in one piece. The checks need nothing of a key but whether there is one, and nothing of a value.
 */
#include "record/batch.h"
#include "record/check.h"
#include <kop/kafka_error.h>
#include "record/layout.h"
#include "record/record2.h"

/* What the checks need of a record. */
typedef struct looked_at {
  int64_t timestamp_delta;
  int32_t offset_delta;
  int32_t has_key;
} looked_at;

/* A number of at most `left` bytes out of a record that is passed over; takes it off `left`. */
static kop_status skim_varlong(kopi_source *s, uint64_t *left, int64_t *out) {
  kop_status status = kopi_source_fill(s, KOPI_VARLONG_MAX);
  if (status != KOP_OK) return status;
  const uint8_t *end = kopi_source_left(s) > *left ? s->p + *left : s->end;
  const uint8_t *p = kopi_varlong_read(s->p, end, out);
  if (p == NULL) return KOP_ERR_MALFORMED;
  *left -= (uint64_t)(p - s->p);
  s->p = p;
  return KOP_OK;
}

static kop_status skim_varint(kopi_source *s, uint64_t *left, int32_t *out) {
  kop_status status = kopi_source_fill(s, KOPI_VARINT_MAX);
  if (status != KOP_OK) return status;
  const uint8_t *end = kopi_source_left(s) > *left ? s->p + *left : s->end;
  const uint8_t *p = kopi_varint_read(s->p, end, out);
  if (p == NULL) return KOP_ERR_MALFORMED;
  *left -= (uint64_t)(p - s->p);
  s->p = p;
  return KOP_OK;
}

static kop_status skim_field(kopi_source *s, uint64_t *left, int32_t *is_null) {
  int32_t len;
  kop_status status = skim_varint(s, left, &len);
  if (status != KOP_OK) return status;
  *is_null = len < 0;
  if (len <= 0) return KOP_OK;
  if ((uint64_t)len > *left) return KOP_ERR_MALFORMED;
  *left -= (uint64_t)len;
  return kopi_source_skip(s, (uint64_t)len);
}

static kop_status skim_headers(kopi_source *s, uint64_t *left) {
  int32_t count;
  kop_status status = skim_varint(s, left, &count);
  if (status != KOP_OK) return status;
  if (count < 0 || (uint64_t)count > *left) return KOP_ERR_MALFORMED;
  for (; count > 0; count--) {
    int32_t is_null;
    status = skim_field(s, left, &is_null);
    if (status == KOP_OK && is_null) status = KOP_ERR_MALFORMED;
    if (status == KOP_OK) status = skim_field(s, left, &is_null);
    if (status != KOP_OK) return status;
  }
  return *left == 0 ? KOP_OK : KOP_ERR_MALFORMED;
}

/* Passes over a body of `left` bytes at s->p. */
static kop_status skim_body(kopi_source *s, uint64_t left, looked_at *r) {
  kop_status status = kopi_source_skip(s, 1); /* attributes */
  if (status != KOP_OK) return status;
  left--;
  status = skim_varlong(s, &left, &r->timestamp_delta);
  if (status == KOP_OK) status = skim_varint(s, &left, &r->offset_delta);
  int32_t is_null = 0;
  if (status == KOP_OK) status = skim_field(s, &left, &is_null);
  r->has_key = !is_null;
  if (status == KOP_OK) status = skim_field(s, &left, &is_null);
  if (status == KOP_OK) status = skim_headers(s, &left);
  return status;
}

/* The next record when it does not lie whole in [p, end). */
static kop_status look_slowly(kopi_source *s, looked_at *r) {
  kop_status status = kopi_source_fill(s, KOPI_VARINT_MAX);
  if (status != KOP_OK) return status;
  int32_t len;
  const uint8_t *body = kopi_varint_read2(s->p, s->end, &len);
  if (body == NULL || len <= 0) return KOP_ERR_MALFORMED;
  size_t prefix = (size_t)(body - s->p);
  if ((size_t)len + prefix > KOPI_WINDOW) {
    s->p = body;
    return skim_body(s, (uint64_t)len, r);
  }
  status = kopi_source_fill(s, prefix + (size_t)len);
  if (status != KOP_OK) return status;
  if (kopi_source_left(s) < prefix + (size_t)len) return KOP_ERR_MALFORMED;
  body = s->p + prefix;
  kopi_record2 whole;
  if (!kopi_record2_parse(body, body + len, &whole)) return KOP_ERR_MALFORMED;
  s->p = body + len;
  *r = (looked_at){whole.timestamp_delta, whole.offset_delta, whole.key.ptr != NULL};
  return KOP_OK;
}

static inline kop_status look(kopi_source *s, looked_at *r) {
  int32_t len;
  const uint8_t *body = kopi_varint_read2(s->p, s->end, &len);
  if (body == NULL || len < 0 || len > s->end - body) return look_slowly(s, r);
  kopi_record2 whole;
  if (!kopi_record2_parse(body, body + len, &whole)) return KOP_ERR_MALFORMED;
  s->p = body + len;
  r->timestamp_delta = whole.timestamp_delta;
  r->offset_delta = whole.offset_delta;
  r->has_key = whole.key.ptr != NULL;
  return KOP_OK;
}

static kop_status check_all(kopi_check *c, kopi_source *source, const kop_batch_head *head) {
  kopi_source *s = source;
  const kop_batch_rules *rules = c->rules;
  int appended = (head->attributes & KOP_BATCH_LOG_APPEND_TIME) != 0;
  int create = rules->timestamp_type == KOP_TIMESTAMP_CREATE;
  int32_t wrong_offsets = 0;
  int64_t max = -1;
  int64_t offset_of_max = -1;
  looked_at r;
  for (int32_t i = 0; i < head->count; i++) {
    kop_status status = look(s, &r);
    if (status != KOP_OK) return kopi_refuse_status(c, status);
    int64_t timestamp =
        appended ? head->max_timestamp : kopi_wrap_add(head->base_timestamp, r.timestamp_delta);
    wrong_offsets |= r.offset_delta ^ i;
    int suspect = (rules->key_required && !r.has_key) || appended ||
                  (create && kopi_timestamp_out_of_range(rules, timestamp));
    if (suspect) {
      c->index = i;
      status = kopi_check_record(c, r.has_key, timestamp, appended);
      if (status != KOP_OK) return status;
    }
    if (timestamp > max) {
      max = timestamp;
      offset_of_max = i;
    }
  }
  if (wrong_offsets != 0) c->info->rebuild |= KOP_REBUILD_OFFSETS;
  c->max_timestamp = max;
  c->offset_of_max = offset_of_max;
  return KOP_OK;
}

kop_status kopi_check_records(kopi_check *c, const uint8_t *batch, size_t size,
                              const kop_batch_head *head) {
  kopi_source *s = &c->ctx->source;
  const uint8_t *records = batch + KOPI_AT_RECORDS;
  size_t len = size - KOPI_AT_RECORDS;
  int32_t codec = head->attributes & KOP_BATCH_CODEC_MASK;
  kop_status status = KOP_OK;
  if (head->count < 0) return kopi_refuse_status(c, KOP_ERR_MALFORMED);
  if (codec == KOP_CODEC_NONE) {
    kopi_source_plain(s, records, len);
  } else {
    status = kopi_ctx_stream(c->ctx, codec, 2, records, len);
  }
  if (status != KOP_OK) return kopi_refuse_status(c, status);
  status = check_all(c, s, head);
  if (status != KOP_OK) return status;
  c->info->count = head->count;
  status = kopi_source_at_end(s);
  if (status == KOP_ERR_MALFORMED) {
    return kopi_refuse(c, KOP_KAFKA_INVALID_RECORD, "bytes follow the last record of the batch");
  }
  if (status != KOP_OK) return kopi_refuse_status(c, status);
  return kopi_refuse_noted(c);
}
