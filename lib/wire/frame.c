/*
 * Frames in a byte stream that may be cut anywhere, inside the length prefix too.
 *
 *   00 00 00 05 | h e l l o | 00 00 00 02 | ...
 *   BEGIN         BYTES  END  BEGIN
 */
#include <kop/wire.h>

void kop_framer_init(kop_framer *framer, uint32_t max_frame) {
  *framer = (kop_framer){.max_frame = max_frame};
}

kop_status kop_framer_next(kop_framer *framer, kop_slice *chunk, kop_slice *bytes,
                           uint32_t *event) {
  *bytes = (kop_slice){NULL, 0};
  *event = KOP_FRAME_MORE;
  if (framer->have == 4) {
    if (framer->received == framer->length) {
      framer->have = 0;
      framer->length = 0;
      framer->received = 0;
      *event = KOP_FRAME_END;
      return KOP_OK;
    }
    if (chunk->len == 0) return KOP_OK;
    size_t left = framer->length - framer->received;
    size_t n = chunk->len < left ? chunk->len : left;
    *bytes = (kop_slice){chunk->ptr, n};
    *chunk = (kop_slice){chunk->ptr + n, chunk->len - n};
    framer->received += (uint32_t)n;
    *event = KOP_FRAME_BYTES;
    return KOP_OK;
  }
  while (framer->have < 4 && chunk->len > 0) {
    uint32_t length = (framer->length << 8) | *chunk->ptr;
    if (framer->have == 0 && *chunk->ptr > 0x7F) return KOP_ERR_MALFORMED;
    if (framer->have == 3 && length > framer->max_frame) return KOP_ERR_LIMIT;
    framer->length = length;
    framer->have++;
    *chunk = (kop_slice){chunk->ptr + 1, chunk->len - 1};
  }
  if (framer->have == 4) *event = KOP_FRAME_BEGIN;
  return KOP_OK;
}
