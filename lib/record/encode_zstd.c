/* zstd: one frame, its size not declared, as the records come in a stream. */
#include "record/encoder_impl.h"

#include "record/zalloc.h"

#include <zstd_errors.h>

enum { CHUNK = 16 * 1024 };

kop_status kopi_zstd_encode_begin(kopi_encoder *e) {
  if (e->zstd == NULL) {
    e->zstd = ZSTD_createCCtx_advanced(kopi_zstd_mem(e->alloc));
    if (e->zstd == NULL) return KOP_ERR_NOMEM;
  }
  ZSTD_CCtx_reset(e->zstd, ZSTD_reset_session_only);
  int level = e->level == KOP_LEVEL_DEFAULT ? ZSTD_CLEVEL_DEFAULT : e->level;
  return ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, level))
             ? KOP_ERR_CODEC
             : KOP_OK;
}

void kopi_zstd_encode_free(kopi_encoder *e) {
  ZSTD_freeCCtx(e->zstd);
}

kop_status kopi_zstd_encode_write(kopi_encoder *e, const uint8_t *bytes, size_t len, int finish) {
  ZSTD_inBuffer in = {.src = bytes, .size = len};
  size_t left;
  do {
    uint8_t *room = kopi_buf_reserve(e->out, CHUNK);
    if (room == NULL) return e->out->status;
    ZSTD_outBuffer to = {.dst = room, .size = CHUNK};
    left = ZSTD_compressStream2(e->zstd, &to, &in, finish ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left)) {
      return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation ? KOP_ERR_NOMEM
                                                                     : KOP_ERR_CODEC;
    }
    e->out->len += to.pos;
  } while (in.pos != in.size || (finish && left != 0));
  return KOP_OK;
}
