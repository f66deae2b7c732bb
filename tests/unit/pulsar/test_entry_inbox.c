/* The inbox: the same frames however the stream is cut, held blocks that stay as they are, bounds, failing memory. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "pulsar/inbox.h"
#include "support/failing_alloc.h"
#include "support/rng.h"

enum { BLOCK = 256, MAX_FRAME = 4000, FRAMES = 40, STREAM = FRAMES * (MAX_FRAME + 4), HELD = 3 };

/* Frame i: a command of some bytes, all i, and a tail of some more, all i + 1. */
static size_t make_stream(uint64_t *rng, uint8_t *out) {
  uint8_t *p = out;
  for (uint8_t i = 0; i < FRAMES; i++) {
    uint32_t command = (uint32_t)rng_below(rng, 100);
    uint32_t tail = rng_below(rng, 3) == 0 ? (uint32_t)rng_below(rng, MAX_FRAME - 104) : 0;
    if (i == 5) tail = MAX_FRAME - 4 - command; /* one as large as can be */
    kopi_store_be32(p, 4 + command + tail);
    kopi_store_be32(p + 4, command);
    memset(p + 8, i, command);
    memset(p + 8 + command, i + 1, tail);
    p += 8 + command + tail;
  }
  return (size_t)(p - out);
}

static int all(kop_slice s, uint8_t value) {
  for (size_t i = 0; i < s.len; i++) {
    if (s.ptr[i] != value) return 0;
  }
  return 1;
}

typedef struct held {
  kopi_pulsar_block *block;
  kop_slice tail;
  uint8_t value;
} held;

/* Feeds the stream in pieces of 1 to `most` bytes; holds some frames for a while. KOP_ERR_NOMEM or KOP_OK. */
static kop_status feed(uint64_t *rng, const kop_alloc *alloc, const uint8_t *stream, size_t len,
                       size_t most) {
  kopi_pulsar_inbox in;
  held kept[HELD] = {{0}};
  uint8_t n = 0;
  kop_status status = KOP_OK;
  kopi_pulsar_inbox_init(&in, alloc, BLOCK, MAX_FRAME);
  for (size_t at = 0; at < len && status == KOP_OK;) {
    uint8_t *room;
    size_t cap;
    status = kopi_pulsar_inbox_room(&in, &room, &cap);
    if (status != KOP_OK) break;
    cr_assert_gt(cap, 0);
    size_t piece = 1 + rng_below(rng, most);
    if (piece > cap) piece = cap;
    if (piece > len - at) piece = len - at;
    memcpy(room, stream + at, piece);
    kopi_pulsar_inbox_commit(&in, piece);
    at += piece;
    kopi_pulsar_frame frame;
    while ((status = kopi_pulsar_inbox_next(&in, &frame)) == KOP_OK) {
      cr_assert(all(frame.command, n) && all(frame.tail, n + 1));
      held *k = &kept[n % HELD];
      if (k->block != NULL) {
        cr_assert(all(k->tail, k->value), "a frame that was held has changed");
        kopi_pulsar_block_release(alloc, k->block);
        k->block = NULL;
      }
      if (rng_below(rng, 2) == 0) {
        *k = (held){kopi_pulsar_inbox_hold(&in), frame.tail, (uint8_t)(n + 1)};
      }
      n++;
    }
    cr_assert_eq(status, KOP_ERR_NOT_FOUND);
    status = KOP_OK;
  }
  if (status == KOP_OK) cr_assert_eq(n, FRAMES);
  kopi_pulsar_inbox_free(&in);
  for (size_t i = 0; i < HELD; i++) {
    if (kept[i].block == NULL) continue;
    cr_assert(all(kept[i].tail, kept[i].value));
    kopi_pulsar_block_release(alloc, kept[i].block);
  }
  return status;
}

Test(entry_inbox, the_same_frames_however_the_stream_is_cut) {
  static const size_t pieces[] = {1, 3, 50, 300, 5000, STREAM};
  static uint8_t stream[STREAM];
  uint64_t rng = 1;
  for (int round = 0; round < 50; round++) {
    size_t len = make_stream(&rng, stream);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
      failing_alloc f;
      failing_alloc_init(&f, SIZE_MAX);
      cr_assert_eq(feed(&rng, &f.alloc, stream, len, pieces[i]), KOP_OK);
      cr_assert_eq(f.live, 0);
    }
  }
}

Test(entry_inbox, each_allocation_may_fail) {
  static uint8_t stream[STREAM];
  uint64_t rng = 2;
  size_t len = make_stream(&rng, stream);
  for (size_t i = 0;; i++) {
    failing_alloc f;
    failing_alloc_init(&f, i);
    uint64_t again = 3;
    kop_status status = feed(&again, &f.alloc, stream, len, 700);
    cr_assert_eq(status, f.made > i ? KOP_ERR_NOMEM : KOP_OK);
    cr_assert_eq(f.live, 0);
    if (f.made <= i) break;
  }
}

static kop_status put(kopi_pulsar_inbox *in, const void *bytes, size_t len) {
  uint8_t *room;
  size_t cap;
  kop_status status = kopi_pulsar_inbox_room(in, &room, &cap);
  if (status != KOP_OK) return status;
  cr_assert_leq(len, cap);
  memcpy(room, bytes, len);
  kopi_pulsar_inbox_commit(in, len);
  return KOP_OK;
}

Test(entry_inbox, a_frame_that_is_too_large_is_refused_before_there_is_room_for_it) {
  static const uint8_t large[] = {0, 0, 15, 161}; /* 4001 */
  static const uint8_t small[] = {0, 0, 0, 3};
  static const uint8_t lying[] = {0, 0, 0, 5, 0, 0, 0, 2, 8};
  failing_alloc f;
  failing_alloc_init(&f, SIZE_MAX);
  kopi_pulsar_inbox in;
  kopi_pulsar_frame frame;
  kopi_pulsar_inbox_init(&in, &f.alloc, BLOCK, MAX_FRAME);
  cr_assert_eq(put(&in, large, sizeof large), KOP_OK);
  cr_assert_eq(kopi_pulsar_inbox_next(&in, &frame), KOP_ERR_LIMIT);
  cr_assert_eq(kopi_pulsar_inbox_next(&in, &frame), KOP_ERR_LIMIT);
  cr_assert_eq(f.made, 1);
  kopi_pulsar_inbox_free(&in);
  kopi_pulsar_inbox_init(&in, &f.alloc, BLOCK, MAX_FRAME);
  cr_assert_eq(put(&in, small, sizeof small), KOP_OK);
  cr_assert_eq(kopi_pulsar_inbox_next(&in, &frame), KOP_ERR_MALFORMED);
  kopi_pulsar_inbox_free(&in);
  kopi_pulsar_inbox_init(&in, &f.alloc, BLOCK, MAX_FRAME);
  cr_assert_eq(put(&in, lying, sizeof lying), KOP_OK);
  cr_assert_eq(kopi_pulsar_inbox_next(&in, &frame), KOP_ERR_MALFORMED);
  kopi_pulsar_inbox_free(&in);
  cr_assert_eq(f.live, 0);
}

Test(entry_inbox, a_large_frame_is_received_where_it_stays_and_an_idle_connection_keeps_one_block) {
  failing_alloc f;
  failing_alloc_init(&f, SIZE_MAX);
  kopi_pulsar_inbox in;
  kopi_pulsar_frame frame;
  uint8_t *room;
  size_t cap;
  static const uint8_t head[] = {0, 0, 15, 160, 0, 0, 0, 0}; /* 4000 */
  kopi_pulsar_inbox_init(&in, &f.alloc, BLOCK, MAX_FRAME);
  cr_assert_eq(put(&in, head, sizeof head), KOP_OK);
  cr_assert_eq(kopi_pulsar_inbox_next(&in, &frame), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kopi_pulsar_inbox_room(&in, &room, &cap), KOP_OK);
  cr_assert_eq(cap, 4000 - 4, "exactly what is missing");
  memset(room, 7, cap);
  kopi_pulsar_inbox_commit(&in, cap);
  cr_assert_eq(kopi_pulsar_inbox_next(&in, &frame), KOP_OK);
  cr_assert_eq(frame.tail.ptr, room);
  cr_assert_eq(kopi_pulsar_inbox_next(&in, &frame), KOP_ERR_NOT_FOUND);
  cr_assert_eq(f.live, 0, "a large block is given back");
  /* Small frames go through one block for ever. */
  size_t made = f.made;
  for (int i = 0; i < 1000; i++) {
    static const uint8_t ping[] = {0, 0, 0, 6, 0, 0, 0, 2, 8, 18};
    cr_assert_eq(put(&in, ping, sizeof ping), KOP_OK);
    cr_assert_eq(kopi_pulsar_inbox_next(&in, &frame), KOP_OK);
    cr_assert_eq(kopi_pulsar_inbox_next(&in, &frame), KOP_ERR_NOT_FOUND);
  }
  cr_assert_eq(f.made, made + 1);
  kopi_pulsar_inbox_free(&in);
  cr_assert_eq(f.live, 0);
}
