/* Frames come out the same however the stream is cut. */
#include <criterion/criterion.h>
#include <kop/wire.h>
#include <string.h>

/* Lengths 5, 0, 1. */
static const uint8_t stream[] = {0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0, 0, 0, 0, 0, 1, '!'};

typedef struct trace {
  char text[64];
  size_t len;
} trace;

static void note(trace *t, const void *bytes, size_t n) {
  memcpy(t->text + t->len, bytes, n);
  t->len += n;
}

static void feed(kop_framer *f, const uint8_t *bytes, size_t n, trace *t) {
  kop_slice chunk = {bytes, n}, part;
  uint32_t event;
  do {
    cr_assert_eq(kop_framer_next(f, &chunk, &part, &event), KOP_OK);
    if (event == KOP_FRAME_BEGIN) note(t, "[", 1);
    if (event == KOP_FRAME_END) note(t, "]", 1);
    if (event == KOP_FRAME_BYTES) note(t, part.ptr, part.len);
  } while (event != KOP_FRAME_MORE);
  cr_assert_eq(chunk.len, 0);
}

Test(frame, two_cuts_anywhere_change_nothing) {
  for (size_t a = 0; a <= sizeof stream; a++) {
    for (size_t b = a; b <= sizeof stream; b++) {
      kop_framer f;
      trace t = {.len = 0};
      kop_framer_init(&f, 5);
      feed(&f, stream, a, &t);
      feed(&f, stream + a, b - a, &t);
      feed(&f, stream + b, sizeof stream - b, &t);
      cr_assert_eq(t.len, 12);
      cr_assert_arr_eq(t.text, "[hello][][!]", 12, "cut at %zu and %zu", a, b);
    }
  }
}

Test(frame, byte_by_byte) {
  kop_framer f;
  trace t = {.len = 0};
  kop_framer_init(&f, 5);
  for (size_t i = 0; i < sizeof stream; i++)
    feed(&f, stream + i, 1, &t);
  cr_assert_arr_eq(t.text, "[hello][][!]", 12);
}

Test(frame, refuses_negative_and_long_lengths) {
  const uint8_t negative[] = {0xFF, 0xFF, 0xFF, 0xFF};
  kop_framer f;
  kop_slice chunk = {negative, 4}, part;
  uint32_t event;
  kop_framer_init(&f, UINT32_MAX);
  cr_assert_eq(kop_framer_next(&f, &chunk, &part, &event), KOP_ERR_MALFORMED);
  cr_assert_eq(kop_framer_next(&f, &chunk, &part, &event), KOP_ERR_MALFORMED, "it stays wrong");
  kop_framer_init(&f, 4);
  chunk = (kop_slice){stream, sizeof stream};
  cr_assert_eq(kop_framer_next(&f, &chunk, &part, &event), KOP_ERR_LIMIT);
  f.max_frame = 5;
  cr_assert_eq(kop_framer_next(&f, &chunk, &part, &event), KOP_OK, "a raised limit lets it pass");
  cr_assert_eq(event, KOP_FRAME_BEGIN);
  cr_assert_eq(f.length, 5);
}
