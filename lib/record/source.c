/* Bytes of records, plain or through a window. */
#include "record/source.h"

#include <string.h>

#include "base/alloc.h"

void kopi_source_init(kopi_source *s, const kop_alloc *alloc, size_t max_cap, uint64_t limit) {
  *s = (kopi_source){.alloc = alloc, .max_cap = max_cap, .limit = limit};
}

void kopi_source_free(kopi_source *s) {
  kopi_free(s->alloc, s->data);
}

void kopi_source_plain(kopi_source *s, const uint8_t *bytes, size_t len) {
  s->p = bytes;
  s->end = bytes + len;
  s->decoder = NULL;
}

static kop_status grow(kopi_source *s, size_t cap) {
  if (cap <= s->cap) return KOP_OK;
  size_t left = kopi_source_left(s);
  size_t at = left == 0 ? 0 : (size_t)(s->p - s->data);
  uint8_t *data = kopi_realloc(s->alloc, s->data, cap);
  if (data == NULL) return KOP_ERR_NOMEM;
  s->data = data;
  s->cap = cap;
  s->p = data + at;
  s->end = s->p + left;
  return KOP_OK;
}

kop_status kopi_source_stream(kopi_source *s, kopi_decoder *decoder) {
  s->p = s->end = NULL;
  if (s->cap > KOPI_WINDOW_KEPT) {
    kopi_free(s->alloc, s->data);
    s->data = NULL;
    s->cap = 0;
  }
  kop_status status = grow(s, KOPI_WINDOW);
  if (status != KOP_OK) return status;
  s->p = s->end = s->data;
  s->decoder = decoder;
  s->given = 0;
  return KOP_OK;
}

kop_status kopi_source_fill(kopi_source *s, size_t want) {
  if (s->decoder == NULL || kopi_source_left(s) >= want) return KOP_OK;
  size_t left = kopi_source_left(s);
  if (left != 0) memmove(s->data, s->p, left);
  s->p = s->data;
  s->end = s->data + left;
  while (kopi_source_left(s) < want) {
    size_t used = (size_t)(s->end - s->data);
    if (used == s->cap) {
      if (s->cap == s->max_cap) return KOP_ERR_LIMIT;
      /* By doubling: a length that nothing follows gets no memory. */
      size_t cap = want < s->cap * 2 ? want : s->cap * 2;
      kop_status status = grow(s, cap < s->max_cap ? cap : s->max_cap);
      if (status != KOP_OK) return status;
    }
    size_t n;
    kop_status status = kopi_decoder_read(s->decoder, s->data + used, s->cap - used, &n);
    if (status != KOP_OK) return status;
    if (n == 0) {
      s->decoder = NULL;
      break;
    }
    s->given += n;
    if (s->given > s->limit) return KOP_ERR_LIMIT;
    s->end += n;
  }
  return KOP_OK;
}

kop_status kopi_source_skip(kopi_source *s, uint64_t n) {
  while (n > kopi_source_left(s)) {
    n -= kopi_source_left(s);
    s->p = s->end;
    kop_status status = kopi_source_fill(s, 1);
    if (status != KOP_OK) return status;
    if (s->p == s->end) return KOP_ERR_TRUNCATED;
  }
  s->p += n;
  return KOP_OK;
}

kop_status kopi_source_at_end(kopi_source *s) {
  kop_status status = kopi_source_fill(s, 1);
  if (status != KOP_OK) return status;
  return s->p == s->end ? KOP_OK : KOP_ERR_MALFORMED;
}
