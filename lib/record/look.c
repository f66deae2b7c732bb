/* Records that do not lie whole in what has been decompressed: the window is refilled, or their fields are passed over one by one. */
#include "record/look.h"

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
static kop_status skim_body(kopi_source *s, uint64_t left, kopi_looked *r) {
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

kop_status kopi_look_slowly(kopi_source *s, kopi_looked *r) {
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
  *r = (kopi_looked){whole.timestamp_delta, whole.offset_delta, whole.key.ptr != NULL};
  return KOP_OK;
}
