/* gzip: one member. */
#include "record/encoder_impl.h"

#include "base/alloc.h"
#include "record/zalloc.h"

enum { GZIP = 16 + MAX_WBITS, MEMORY_LEVEL = 8, CHUNK = 16 * 1024 };

kop_status kopi_deflate_begin(kopi_encoder *e) {
  int level = e->level == KOP_LEVEL_DEFAULT ? Z_DEFAULT_COMPRESSION : e->level;
  if (e->deflate_ready && e->deflate_level == level) {
    return deflateReset(&e->deflate) == Z_OK ? KOP_OK : KOP_ERR_CODEC;
  }
  kopi_deflate_free(e);
  e->deflate =
      (z_stream){.zalloc = kopi_zalloc, .zfree = kopi_zfree, .opaque = kopi_zopaque(e->alloc)};
  if (deflateInit2(&e->deflate, level, Z_DEFLATED, GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    return KOP_ERR_NOMEM;
  }
  e->deflate_ready = 1;
  e->deflate_level = level;
  return KOP_OK;
}

void kopi_deflate_free(kopi_encoder *e) {
  if (e->deflate_ready) deflateEnd(&e->deflate);
  e->deflate_ready = 0;
}

kop_status kopi_deflate_write(kopi_encoder *e, const uint8_t *bytes, size_t len, int finish) {
  z_stream *z = &e->deflate;
  int result = Z_OK;
  do {
    uInt given = len > UINT32_MAX ? UINT32_MAX : (uInt)len;
    z->next_in = bytes;
    z->avail_in = given;
    do {
      uint8_t *room = kopi_buf_reserve(e->out, CHUNK);
      if (room == NULL) return e->out->status;
      z->next_out = room;
      z->avail_out = CHUNK;
      result = deflate(z, finish ? Z_FINISH : Z_NO_FLUSH);
      if (result == Z_STREAM_ERROR) return KOP_ERR_CODEC;
      e->out->len += CHUNK - z->avail_out;
    } while (z->avail_out == 0 || (finish && result != Z_STREAM_END));
    if (bytes != NULL) bytes += given;
    len -= given;
  } while (len != 0);
  return KOP_OK;
}
