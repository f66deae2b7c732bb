/* The encoder's state, and its one entry. */
#ifndef KOPI_WIRE_ENCODE_H
#define KOPI_WIRE_ENCODE_H

#include "wire/codec.h"

typedef struct kopi_encoder {
  uint8_t *begin;
  uint8_t *end;
  kop_cut *cuts; /* NULL: record sets are written like bytes */
  size_t cut_cap;
  size_t cut_count;
  kop_status status;
} kopi_encoder;

/* Writes at e->begin; gives the position behind the struct, or NULL and e->status. */
uint8_t *kopi_encode_layout(kopi_encoder *e, const kopi_layout *layout, const uint8_t *base);

#endif
