/* lz4: writes the frame that lz4_frame.h draws, blocks of 64 KiB, no checksums but the header's, as Java does. */
#include "record/encoder_impl.h"

#include <lz4.h>
#include <lz4hc.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "record/lz4_frame.h"

enum { LEVEL_FAST = 9 }; /* Kafka's default level, which stands for lz4's fast mode */

static void store_le32(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)v;
  p[1] = (uint8_t)(v >> 8);
  p[2] = (uint8_t)(v >> 16);
  p[3] = (uint8_t)(v >> 24);
}

static int is_fast(const kopi_encoder *e) {
  return e->level == KOP_LEVEL_DEFAULT || e->level == LEVEL_FAST;
}

kop_status kopi_lz4_encode_begin(kopi_encoder *e, int32_t magic) {
  void **state = is_fast(e) ? &e->lz4_fast : &e->lz4_high;
  int size = is_fast(e) ? LZ4_sizeofState() : LZ4_sizeofStateHC();
  if (*state == NULL) *state = kopi_malloc(e->alloc, (size_t)size);
  if (*state == NULL) return KOP_ERR_NOMEM;
  uint8_t header[7];
  store_le32(header, KOPI_LZ4_MAGIC);
  header[4] = KOPI_LZ4_FLG_VERSION | KOPI_LZ4_FLG_INDEPENDENT;
  header[5] = KOPI_LZ4_BD_64K;
  uint32_t check = magic == 0 ? XXH32(header, 6, 0) : XXH32(header + 4, 2, 0);
  header[6] = (uint8_t)(check >> 8);
  kopi_buf_put(e->out, header, sizeof header);
  return e->out->status;
}

kop_status kopi_lz4_encode_block(kopi_encoder *e) {
  int plain = (int)e->block_len;
  /* A block that does not shrink is stored, so no more room than that is needed. */
  uint8_t *p = kopi_buf_reserve(e->out, 4 + e->block_len);
  if (p == NULL) return e->out->status;
  char *to = (char *)p + 4;
  const char *from = (const char *)e->block;
  int packed = is_fast(e)
                   ? LZ4_compress_fast_extState(e->lz4_fast, from, to, plain, plain - 1, 1)
                   : LZ4_compress_HC_extStateHC(e->lz4_high, from, to, plain, plain - 1, e->level);
  if (packed > 0) {
    store_le32(p, (uint32_t)packed);
    e->out->len += 4 + (size_t)packed;
    return KOP_OK;
  }
  uint8_t size[4];
  store_le32(size, (uint32_t)plain | KOPI_LZ4_STORED);
  kopi_buf_put(e->out, size, sizeof size);
  kopi_buf_put(e->out, e->block, e->block_len);
  return e->out->status;
}

void kopi_lz4_encode_end(kopi_encoder *e) {
  static const uint8_t end[4] = {0, 0, 0, 0};
  kopi_buf_put(e->out, end, sizeof end);
}
