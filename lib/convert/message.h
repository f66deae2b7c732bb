/*
 * One record as one message of a batch payload:
 *
 *    size u32 | properties 1*, partition_key 2, payload_size 3, event_time 5, b64 flag 6, null_value 9 | value
 *
 * in that order and only the fields that say something. Of what a native producer wrote and was kept also
 * ordering_key 7, sequence_id 8 and null_partition_key 10.
 */
#ifndef KOPI_CONVERT_MESSAGE_H
#define KOPI_CONVERT_MESSAGE_H

#include <kop/convert.h>

#include "base/buf.h"
#include "record/record2.h"

/* A key as it is written. */
typedef struct kopi_key_form {
  int32_t present;
  int32_t coded;   /* in base64 */
  size_t text_len; /* as it is written */
} kopi_key_form;

kopi_key_form kopi_key_form_of(kop_slice key, int32_t mode);
uint8_t *kopi_key_write(uint8_t *p, kop_slice key, const kopi_key_form *form);

/* Appends a record of a data batch. `mode` is KOP_CONVERT_KEY_. */
void kopi_message_put(const kopi_record2 *record, int64_t timestamp, int32_t mode, kopi_buf *out);

/* The same with what headers keep of a native message; `scratch` is for a key to compare with. */
struct kopi_kept;
void kopi_message_put_native(const kopi_record2 *record, int64_t timestamp, int32_t mode,
                             const struct kopi_kept *kept, kopi_buf *scratch, kopi_buf *out);

/* Appends a control record; `key` is the caller's, or null. */
void kopi_message_put_control(const kopi_record2 *record, int64_t timestamp, kop_slice key,
                              kopi_buf *out);

enum { KOPI_MESSAGE_HOLE = 8 }; /* bytes of a place without a message */

/* Appends one. */
void kopi_message_put_hole(kopi_buf *out);

#endif
