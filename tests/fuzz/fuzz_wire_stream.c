/*
 * Any bytes as a stream of request frames: the framer gives the same frames however the stream is cut, and the header of
 * each is refused or lies within its frame.
 *
 *   input: size of the chunks 8, stream
 */
#include <kop/wire.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_FRAME = 1 << 16 };

static void require(int condition) {
  if (!condition) abort();
}

/* Walks the stream in chunks; gives a checksum of what came out, and the last status. */
static kop_status walk(const uint8_t *stream, size_t size, size_t step, uint64_t *sum) {
  kop_framer f;
  kop_status status = KOP_OK;
  kop_framer_init(&f, MAX_FRAME);
  *sum = 14695981039346656037u;
  for (size_t at = 0; at < size && status == KOP_OK; at += step) {
    kop_slice chunk = {stream + at, step < size - at ? step : size - at}, bytes;
    uint32_t event = KOP_FRAME_MORE;
    do {
      status = kop_framer_next(&f, &chunk, &bytes, &event);
      if (status != KOP_OK) break;
      if (event == KOP_FRAME_BEGIN || event == KOP_FRAME_END)
        *sum = (*sum ^ (1000u + event)) * 1099511628211u;
      for (size_t i = 0; i < bytes.len; i++)
        *sum = (*sum ^ bytes.ptr[i]) * 1099511628211u;
    } while (event != KOP_FRAME_MORE);
  }
  return status;
}

static void read_headers(const uint8_t *stream, size_t size) {
  while (size >= 4) {
    size_t length =
        (size_t)stream[0] << 24 | (size_t)stream[1] << 16 | (size_t)stream[2] << 8 | stream[3];
    if (length > size - 4) return;
    uint8_t *frame = malloc(length + 1);
    memcpy(frame, stream + 4, length);
    kop_request_header h;
    if (kop_request_header_decode(frame, length, &h, sizeof h) == KOP_OK) {
      require(h.body_offset >= 8 && h.body_offset <= length);
      require(h.client_id.len <= length && h.unknown_tags.len <= length);
      size_t n = 0, offset = 0;
      int32_t id = 0;
      uint8_t out[5];
      require(kop_response_header_encode(h.api_key, h.api_version, h.correlation_id, out,
                                         sizeof out, &n) == KOP_OK);
      require(kop_response_header_decode(h.api_key, h.api_version, out, n, &id, &offset) == KOP_OK);
      require(id == h.correlation_id && offset == n);
    }
    free(frame);
    stream += 4 + length;
    size -= 4 + length;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  uint64_t whole = 0, cut = 0;
  kop_status a = walk(data + 1, size - 1, size - 1, &whole);
  kop_status b = walk(data + 1, size - 1, (size_t)data[0] % 7 + 1, &cut);
  require(a == b && whole == cut);
  read_headers(data + 1, size - 1);
  return 0;
}
