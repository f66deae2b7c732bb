/*
 * What the files of the codec share: decoder, encoder and sizer over the tables of table.h, and the entries that the upper
 * layers use with an arena of their own.
 *
 * kopi_message_decode, kopi_message_measure and kopi_message_write are the only way in, so that straight-line code can take
 * over a message by a line in their dispatch.
 */
#ifndef KOPI_WIRE_CODEC_H
#define KOPI_WIRE_CODEC_H

#include <kop/wire.h>

#include "base/arena.h"
#include "wire/table.h"

/* The empty value of a slice: not null, no bytes. */
extern const uint8_t kopi_wire_empty[1];

/* The arrays of messages.h all begin like this; members are read and written by memcpy, whatever their element type is. */
typedef struct kopi_array {
  void *ptr;
  int32_t len;
} kopi_array;

/* NULL when there is no such message. */
const kopi_message *kopi_message_get(uint32_t id);

/* The layout of a version, or NULL. */
const kopi_layout *kopi_message_layout(const kopi_message *message, int16_t version);

/* Index of the struct in kopi_wire_structs, or -1. */
int32_t kopi_struct_get(uint32_t struct_id);

/* Runs SET ops on zeroed memory. */
void kopi_defaults_set(const kopi_op *op, size_t count, uint8_t *base);

/* Whether all IS ops up to the END hold. */
uint8_t kopi_defaults_hold(const kopi_op *op, const uint8_t *base);

/* kop_message_decode with an internal arena. */
kop_status kopi_message_decode(uint32_t id, int16_t version, kopi_arena *arena, const uint8_t *in,
                               size_t len, void *msg, size_t msg_size, size_t *consumed);

/* Decodes one struct; gives the position behind it, or NULL and a status. */
const uint8_t *kopi_decode_layout(const kopi_layout *layout, kopi_arena *arena, const uint8_t *in,
                                  const uint8_t *end, uint8_t *base, kop_status *status);

/* What a message takes: `bytes` without the record sets when `cuts_apart`, and how many cuts that makes. */
typedef struct kopi_measure {
  uint64_t bytes;
  size_t cuts;
  uint8_t cuts_apart;
  kop_status status;
} kopi_measure;

void kopi_measure_layout(kopi_measure *m, const kopi_layout *layout, const uint8_t *base);

/* The bytes of the ops up to their END. */
void kopi_measure_ops(kopi_measure *m, const kopi_op *op, const uint8_t *base);

/* Unknown tags of a struct: counts them, or finds out that the list is not one. `known` are the layout's tags. */
typedef struct kopi_tag_reader {
  const uint8_t *p;
  const uint8_t *end;
  uint32_t tag;
  uint32_t size;
  const uint8_t *data; /* NULL when there is no further one */
} kopi_tag_reader;

/* Begins at the raw list; `data` is the first one. The list must have been checked by kopi_tags_count. */
void kopi_tags_begin(kopi_tag_reader *r, const kop_slice *raw);
void kopi_tags_next(kopi_tag_reader *r);

/* KOP_ERR_INVALID unless the list, which is not empty, is whole, ascending and free of the layout's own tags. */
kop_status kopi_tags_count(const kop_slice *raw, const kopi_layout *layout, uint32_t *count);

#endif
