/*
 * Looking at the records of a batch with magic 2 one after the other, for those who check them.
 *
 * A record that lies whole between p and end is parsed there. Only when that fails does the slow path ask
 * for more: it refills the window, or, for a record that is larger than the window, passes over its fields one by one
 * without ever having it in one piece. Checks need nothing of a key but whether there is one, and nothing of a value.
 */
#ifndef KOPI_RECORD_LOOK_H
#define KOPI_RECORD_LOOK_H

#include "record/record2.h"
#include "record/source.h"

/* What is seen of one. */
typedef struct kopi_looked {
  int64_t timestamp_delta;
  int32_t offset_delta;
  int32_t has_key;
} kopi_looked;

/* The next record when it does not lie whole in [p, end). */
kop_status kopi_look_slowly(kopi_source *s, kopi_looked *r);

/* The next record, its length met exactly. KOP_ERR_MALFORMED, and what the source's decoder fails with. */
static inline kop_status kopi_look(kopi_source *s, kopi_looked *r) {
  int32_t len;
  const uint8_t *body = kopi_varint_read2(s->p, s->end, &len);
  if (body == NULL || len < 0 || len > s->end - body) return kopi_look_slowly(s, r);
  kopi_record2 whole;
  if (!kopi_record2_parse(body, body + len, &whole)) return KOP_ERR_MALFORMED;
  s->p = body + len;
  r->timestamp_delta = whole.timestamp_delta;
  r->offset_delta = whole.offset_delta;
  r->has_key = whole.key.ptr != NULL;
  return KOP_OK;
}

#endif
