/*
 * Every request in every version with random contents, whole and broken: each is answered or its connection is closed, and
 * nothing of it stays behind.
 */
#include "harness.h"
#include "support/random_message.h"

enum { KEYS = 95, EACH = 20, NAMES = 26 };

static kh_conn *fresh(kh *h) {
  for (size_t i = 0; i < h->conns_len; i++)
    free(h->conns[i].out);
  h->conns_len = 0;
  return kh_connect(h);
}

static void check_nothing_left(kh *h, int16_t key, int16_t version) {
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h->e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.requests_open, 0u, "api key %d version %d is not answered", key, version);
  cr_assert_eq(stats.frame_bytes, 0u);
  cr_assert_eq(stats.connections, 0u);
}

static void try_frame(kh *h, const uint8_t *frame, size_t len, int16_t key, int16_t version) {
  kh_conn *c = fresh(h);
  size_t taken = 0;
  (void)kop_engine_feed(h->e, c->id, frame, len, h->now, &taken);
  kh_run(h);
  kh_advance(h, UINT64_C(1) << 31); /* the longest time-out that a request can name */
  kh_advance(h, 1);
  kh_disconnect(h, c);
  check_nothing_left(h, key, version);
}

static void break_frame(uint64_t *rng, uint8_t *frame, size_t *len) {
  static const uint8_t ENDS[] = {0, 1, 0x7f, 0x80, 0xff, 0xfe};
  for (uint64_t n = 1 + rng_below(rng, 3); n > 0 && *len > 8; n--) {
    size_t at = 8 + (size_t)rng_below(rng, *len - 8);
    frame[at] = rng_below(rng, 2) == 0 ? ENDS[rng_below(rng, sizeof ENDS)] : (uint8_t)rng_next(rng);
  }
  if (rng_below(rng, 3) != 0 || *len < 12) return;
  *len -= (size_t)rng_below(rng, *len - 11); /* shorter, and says so */
  uint32_t body = (uint32_t)*len - 4;
  for (int i = 0; i < 4; i++)
    frame[i] = (uint8_t)(body >> (24 - 8 * i));
}

static void try_version(kh *h, random_message *r, int16_t key, int16_t version) {
  uint32_t id = (uint32_t)key * 2;
  kop_message_info info;
  cr_assert_eq(kop_message_describe(id, &info, sizeof info), KOP_OK);
  for (int i = 0; i < EACH; i++) {
    kop_arena_reset(r->arena);
    r->version = version;
    kh_conn as = {.correlation = 5};
    size_t len = 0;
    uint8_t *frame = kh_frame(&as, id, version, random_message_new(r, id), info.struct_size, &len);
    try_frame(h, frame, len, key, version);
    for (int k = 0; k < 3; k++) {
      break_frame(&r->rng, frame, &len);
      try_frame(h, frame, len, key, version);
    }
    free(frame);
  }
}

Test(every_request, is_answered_or_closed) {
  kh h;
  kh_start(&h, NULL);
  h.tolerant = true;
  for (uint8_t i = 0; i < NAMES; i++) {
    char name[2] = {(char)('a' + i), 0};
    kh_topic(&h, name, (uint8_t)(i + 1), 2);
  }
  random_message r = {.rng = 7};
  cr_assert_eq(kop_arena_new(NULL, (size_t)1 << 24, &r.arena), KOP_OK);
  for (int16_t key = 0; key < KEYS; key++) {
    int16_t min = 0;
    int16_t max = -1;
    if (kop_message_versions((uint32_t)key * 2, &min, &max, NULL, NULL) != KOP_OK) continue;
    for (int16_t version = min; version <= max; version++)
      try_version(&h, &r, key, version);
  }
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_gt(stats.requests_total, 10000u);
  cr_assert_gt(h.counts[KOP_EFFECT_SEND], 1000u);
  kop_arena_free(r.arena);
  kh_stop(&h);
}
