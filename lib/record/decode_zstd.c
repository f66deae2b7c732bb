/* zstd: one or more frames in a row, usually without their content's size. */
#include "record/decoder_impl.h"

#include "record/zalloc.h"

#include <zstd_errors.h>

kop_status kopi_zstd_begin(kopi_decoder *d) {
  if (d->zstd == NULL) {
    d->zstd = ZSTD_createDCtx_advanced(kopi_zstd_mem(d->alloc));
    if (d->zstd == NULL) return KOP_ERR_NOMEM;
  }
  ZSTD_DCtx_reset(d->zstd, ZSTD_reset_session_only);
  d->zstd_hint = 1; /* an empty input is no frame */
  return KOP_OK;
}

void kopi_zstd_free(kopi_decoder *d) {
  ZSTD_freeDCtx(d->zstd);
}

kop_status kopi_zstd_read(kopi_decoder *d, uint8_t *out, size_t cap, size_t *n) {
  ZSTD_inBuffer in = {.src = d->in, .size = (size_t)(d->end - d->in)};
  ZSTD_outBuffer to = {.dst = out, .size = cap};
  while (to.pos == 0) {
    if (in.pos == in.size && d->zstd_hint == 0) {
      d->ended = 1;
      break;
    }
    size_t before = in.pos;
    size_t result = ZSTD_decompressStream(d->zstd, &to, &in);
    if (ZSTD_isError(result)) {
      return ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation ? KOP_ERR_NOMEM
                                                                       : KOP_ERR_CODEC;
    }
    d->zstd_hint = result;
    if (to.pos == 0 && in.pos == before && result != 0)
      return KOP_ERR_CODEC; /* the input ends inside a frame */
  }
  d->in += in.pos;
  *n = to.pos;
  return KOP_OK;
}
