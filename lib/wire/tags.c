/*
 * The raw list of a struct's unknown tagged fields: tag, size, bytes, again and again, tags ascending.
 *
 *   05 02 AB CD  09 00          field 5 with two bytes, field 9 with none
 */
#include "wire/codec.h"

#include "base/varint.h"

void kopi_tags_next(kopi_tag_reader *r) {
  r->data = NULL;
  if (r->p == r->end) return;
  const uint8_t *p = kopi_uvarint_read(r->p, r->end, &r->tag);
  if (p != NULL) p = kopi_uvarint_read(p, r->end, &r->size);
  if (p == NULL || r->size > (size_t)(r->end - p)) {
    r->p = NULL;
    return;
  }
  r->data = p;
  r->p = p + r->size;
}

void kopi_tags_begin(kopi_tag_reader *r, const kop_slice *raw) {
  *r = (kopi_tag_reader){.p = raw->ptr, .end = raw->len == 0 ? raw->ptr : raw->ptr + raw->len};
  kopi_tags_next(r);
}

kop_status kopi_tags_count(const kop_slice *raw, const kopi_layout *layout, uint32_t *count) {
  *count = 0;
  if (raw->ptr == NULL) return KOP_ERR_INVALID;
  kopi_tag_reader r;
  uint32_t before = 0;
  for (kopi_tags_begin(&r, raw); r.data != NULL; kopi_tags_next(&r)) {
    if (*count > 0 && r.tag <= before) return KOP_ERR_INVALID;
    if (r.tag < layout->tag_count) return KOP_ERR_INVALID;
    before = r.tag;
    ++*count;
  }
  return r.p == r.end ? KOP_OK : KOP_ERR_INVALID;
}
