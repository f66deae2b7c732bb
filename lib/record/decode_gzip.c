/* gzip (RFC 1952): one or more members in a row, checksums verified by zlib. Bytes after the last member that begin no other are ignored, as Java does. */
#include "record/decoder_impl.h"

#include "base/alloc.h"
#include "record/zalloc.h"

enum { GZIP_ONLY = 16 + MAX_WBITS };

kop_status kopi_gzip_begin(kopi_decoder *d) {
  if (!d->inflate_ready) {
    d->inflate =
        (z_stream){.zalloc = kopi_zalloc, .zfree = kopi_zfree, .opaque = kopi_zopaque(d->alloc)};
    if (inflateInit2(&d->inflate, GZIP_ONLY) != Z_OK) return KOP_ERR_NOMEM;
    d->inflate_ready = 1;
  } else if (inflateReset2(&d->inflate, GZIP_ONLY) != Z_OK) {
    return KOP_ERR_CODEC;
  }
  return KOP_OK;
}

void kopi_gzip_free(kopi_decoder *d) {
  if (d->inflate_ready) inflateEnd(&d->inflate);
}

static int at_member(const kopi_decoder *d) {
  return d->end - d->in >= 2 && d->in[0] == 0x1F && d->in[1] == 0x8B;
}

kop_status kopi_gzip_read(kopi_decoder *d, uint8_t *out, size_t cap, size_t *n) {
  z_stream *z = &d->inflate;
  uInt room = cap > UINT32_MAX ? UINT32_MAX : (uInt)cap;
  z->next_out = out;
  z->avail_out = room;
  while (!d->ended && z->avail_out == room) {
    size_t left = (size_t)(d->end - d->in);
    uInt given = left > UINT32_MAX ? UINT32_MAX : (uInt)left;
    z->next_in = d->in;
    z->avail_in = given;
    int result = inflate(z, Z_NO_FLUSH);
    d->in += given - z->avail_in;
    if (result == Z_STREAM_END) {
      if (!at_member(d)) {
        d->ended = 1;
      } else if (inflateReset(z) != Z_OK) {
        return KOP_ERR_CODEC;
      }
    } else if (result == Z_MEM_ERROR) {
      return KOP_ERR_NOMEM;
    } else if (result != Z_OK) {
      return KOP_ERR_CODEC; /* also when the input ends inside a member */
    }
  }
  *n = room - z->avail_out;
  return KOP_OK;
}
