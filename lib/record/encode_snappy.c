/* snappy: writes the framing that snappy_frame.h draws, blocks of 32 KiB as Java does. */
#include "record/encoder_impl.h"

#include <snappy-c.h>
#include <string.h>

#include "base/endian.h"
#include "record/snappy_frame.h"

kop_status kopi_snappy_encode_begin(kopi_encoder *e) {
  uint8_t header[KOPI_XERIAL_HEADER_SIZE];
  memcpy(header, kopi_xerial_magic, sizeof kopi_xerial_magic);
  kopi_store_be32(header + 8, 1);  /* version */
  kopi_store_be32(header + 12, 1); /* oldest version that can read it */
  kopi_buf_put(e->out, header, sizeof header);
  return e->out->status;
}

kop_status kopi_snappy_encode_block(kopi_encoder *e) {
  size_t room = snappy_max_compressed_length(e->block_len);
  uint8_t *p = kopi_buf_reserve(e->out, 4 + room);
  if (p == NULL) return e->out->status;
  if (snappy_compress((const char *)e->block, e->block_len, (char *)p + 4, &room) != SNAPPY_OK) {
    return KOP_ERR_CODEC;
  }
  kopi_store_be32(p, (uint32_t)room);
  e->out->len += 4 + room;
  return KOP_OK;
}
