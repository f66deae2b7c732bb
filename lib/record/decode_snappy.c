/* snappy: reads the framing that snappy_frame.h draws, and raw blocks. */
#include "record/decoder_impl.h"

#include <snappy-c.h>
#include <string.h>

#include "base/endian.h"
#include "record/snappy_frame.h"

const uint8_t kopi_xerial_magic[KOPI_XERIAL_MAGIC_SIZE] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

static int at_header(const kopi_decoder *d) {
  return d->end - d->in >= KOPI_XERIAL_HEADER_SIZE &&
         memcmp(d->in, kopi_xerial_magic, sizeof kopi_xerial_magic) == 0;
}

kop_status kopi_snappy_begin(kopi_decoder *d) {
  d->snappy_raw = !at_header(d);
  return KOP_OK;
}

/* Unpacks one raw block into the caller's buffer or, if it is larger, into the decoder's. */
static kop_status unpack(kopi_decoder *d, const uint8_t *block, size_t size, uint8_t *out,
                         size_t cap, size_t *n) {
  size_t plain;
  if (snappy_uncompressed_length((const char *)block, size, &plain) != SNAPPY_OK)
    return KOP_ERR_CODEC;
  /* Three bytes say at most "copy 64": whoever claims more lies, and gets no memory for it. */
  if (plain / 22 > size) return KOP_ERR_CODEC;
  uint8_t *to = out;
  if (plain > cap) {
    kop_status status = kopi_decoder_block(d, plain);
    if (status != KOP_OK) return status;
    to = d->block;
  }
  size_t got = plain;
  if (snappy_uncompress((const char *)block, size, (char *)to, &got) != SNAPPY_OK)
    return KOP_ERR_CODEC;
  if (to == out) {
    *n = got;
  } else {
    d->block_len = got;
  }
  return KOP_OK;
}

kop_status kopi_snappy_read(kopi_decoder *d, uint8_t *out, size_t cap, size_t *n) {
  if (d->snappy_raw) {
    const uint8_t *all = d->in;
    size_t size = (size_t)(d->end - d->in);
    d->in = d->end;
    d->ended = 1;
    return unpack(d, all, size, out, cap, n);
  }
  while (at_header(d)) {
    d->in += KOPI_XERIAL_HEADER_SIZE;
  }
  size_t left = (size_t)(d->end - d->in);
  if (left == 0) {
    d->ended = 1;
    return KOP_OK;
  }
  if (left < 4) return KOP_ERR_CODEC;
  size_t size = kopi_load_be32(d->in);
  d->in += 4;
  if (size > left - 4) return KOP_ERR_CODEC;
  const uint8_t *block = d->in;
  d->in += size;
  return unpack(d, block, size, out, cap, n);
}
