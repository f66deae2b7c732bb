/*
 * A Kafka header as one Pulsar property, in its place among the others, so that order and repeats stay.
 *
 *    header                                     property
 *    name text, value text                      NAME            = value
 *    the same, the name is one of those below   kop.t.NAME      = value
 *    name text, value not                       kop.b.NAME      = base64(value)
 *    name text, value null                      kop.n.NAME      = ""
 *    name not text                              kop.x.B64(NAME) = base64(value)
 *    name not text, value null                  kop.y.B64(NAME) = ""
 *
 * A property of such a name whose rest is not base64 where it must be was not made from a header: it is taken as it stands.
 *
 * The messages of control records have properties of their own, which are no headers:
 *
 *    kop.ctl = commit, abort or other           for native consumers, who pass such messages over
 *    kop.ctl.key, kop.ctl.value = base64        the record; a null value is left out
 */
#ifndef KOPI_CONVERT_PROPERTY_H
#define KOPI_CONVERT_PROPERTY_H

#include <kop/convert.h>

#include "base/buf.h"

/* How a header is written. */
typedef struct kopi_property_form {
  char escape;      /* the letter behind "kop.", or 0 */
  size_t key_len;   /* of the property */
  size_t value_len; /* of the property */
} kopi_property_form;

/* `native`: the header was a property, which is written again as it was, text or not. */
kopi_property_form kopi_property_form_of(const kop_record_header *header, int native);

/* Writes key and value; each has the length that the form says. */
void kopi_property_write(const kop_record_header *header, const kopi_property_form *form,
                         uint8_t *key, uint8_t *value);

/* Appends the header that a property stands for, as a record with magic 2 has it. */
void kopi_property_to_header(const kop_pulsar_property *property, kopi_buf *out);

/* Appends one header as it is. */
void kopi_header_put(kop_slice key, kop_slice value, kopi_buf *out);

/* Decodes base64 behind `out`; the slice is null, and the status of `out` good, if it is none. */
kop_slice kopi_base64_append(kop_slice text, kopi_buf *out);

/* The names of a control record's properties. */
extern const kop_slice kopi_ctl_name;
extern const kop_slice kopi_ctl_key_name;
extern const kop_slice kopi_ctl_value_name;

static inline int kopi_slice_equal(kop_slice a, kop_slice b) {
  size_t i = 0;
  if (a.len != b.len) return 0;
  while (i < a.len && a.ptr[i] == b.ptr[i])
    i++;
  return i == a.len;
}

#endif
