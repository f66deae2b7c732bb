/*
 * One stream with a request of every API, in its oldest and its newest version, cut in two at every byte: the replies are the
 * same, byte for byte. The requests are drawn at random, by what they make the engine say: of many, the one with the longest reply.
 */
#include <stdlib.h>

#include "harness.h"
#include "support/random_message.h"

enum { NAMES = 26, DRAWN = 60, LONGEST = 160, FEWEST_APIS = 20, HIGHEST = 99 };

typedef struct bytes {
  uint8_t *ptr;
  size_t len;
} bytes;

static void append_to(bytes *b, const uint8_t *ptr, size_t len) {
  b->ptr = realloc(b->ptr, b->len + len + 1);
  memcpy(b->ptr + b->len, ptr, len);
  b->len += len;
}

static void never_idle(kop_engine_config *config) {
  config->idle_ns = 0;
}

/* Random messages name topics by one letter now and then; all of them are there. */
static void start(kh *h) {
  kh_start(h, never_idle);
  for (uint8_t i = 0; i < NAMES; i++) {
    char name[2] = {(char)('a' + i), 0};
    kh_topic(h, name, (uint8_t)(i + 1), 1);
  }
}

static kh_conn *fresh(kh *h) {
  for (size_t i = 0; i < h->conns_len; i++) {
    kh_disconnect(h, &h->conns[i]);
    free(h->conns[i].out);
  }
  h->conns_len = 0;
  return kh_connect(h);
}

/* How long the reply is; 0: there is none, or the connection is closed. */
static size_t reply_to(kh *h, const uint8_t *frame, size_t len) {
  kh_conn *c = fresh(h);
  size_t taken = 0;
  (void)kop_engine_feed(h->e, c->id, frame, len, h->now, &taken);
  kh_run(h);
  kh_advance(h, UINT64_C(1) << 31); /* the longest time-out that a request can name */
  return c->closed ? 0 : c->out_len;
}

static void draw(kh *h, random_message *r, kh_conn *c, int16_t key, int16_t version, bytes *to) {
  uint32_t id = (uint32_t)key * 2;
  kop_message_info info;
  cr_assert_eq(kop_message_describe(id, &info, sizeof info), KOP_OK);
  r->version = version;
  int32_t correlation = c->correlation;
  bytes best = {.len = 0};
  size_t best_reply = 0;
  for (int i = 0; i < DRAWN; i++) {
    kop_arena_reset(r->arena);
    c->correlation = correlation;
    size_t len = 0;
    uint8_t *frame = kh_frame(c, id, version, random_message_new(r, id), info.struct_size, &len);
    size_t reply = len > LONGEST ? 0 : reply_to(h, frame, len);
    if (reply > best_reply) {
      best_reply = reply;
      best.len = 0;
      append_to(&best, frame, len);
    }
    free(frame);
  }
  cr_assert_gt(best_reply, 0u, "no request of API %d version %d is answered", key, version);
  append_to(to, best.ptr, best.len);
  free(best.ptr);
}

/* Whether the engine says that it serves an API, and in which versions. */
static bool serves(kh *h, int16_t key, int16_t *min, int16_t *max) {
  kop_api_versions_request q;
  kop_api_versions_response p;
  (void)kop_message_init(KOP_MSG_API_VERSIONS_REQUEST, &q, sizeof q);
  q.client_software_name = kh_text("t");
  q.client_software_version = kh_text("1");
  kh_conn *c = fresh(h);
  kh_request(h, c, KOP_MSG_API_VERSIONS_REQUEST, 3, &q, sizeof q);
  cr_assert(kh_receive(h, c, KOP_MSG_API_VERSIONS_RESPONSE, 3, &p, sizeof p));
  for (int32_t i = 0; i < p.api_keys.len; i++) {
    if (p.api_keys.ptr[i].api_key != key) continue;
    *min = p.api_keys.ptr[i].min_version;
    *max = p.api_keys.ptr[i].max_version;
    return true;
  }
  return false;
}

/* Every API that the engine says it serves. Returns how many requests there are. */
static int32_t make_stream(kh *h, bytes *to) {
  random_message r = {.rng = 11};
  cr_assert_eq(kop_arena_new(NULL, (size_t)1 << 24, &r.arena), KOP_OK);
  kh_conn as = {.correlation = 0};
  kh_produce_request produce;
  (void)kh_fill_produce(&produce, "a", 0, kh_batch_of(h, 3, -1, -1, -1), -1, 1000);
  size_t len = 0;
  uint8_t *frame = kh_frame(&as, KOP_MSG_PRODUCE_REQUEST, 10, &produce.q, sizeof produce.q, &len);
  append_to(to, frame, len);
  free(frame);
  int32_t apis = 0;
  for (int16_t key = 0; key <= HIGHEST; key++) {
    int16_t min = 0;
    int16_t max = -1;
    if (!serves(h, key, &min, &max)) continue;
    apis++;
    draw(h, &r, &as, key, min, to);
    if (max > min) draw(h, &r, &as, key, max, to);
  }
  cr_assert_geq(apis, FEWEST_APIS);
  kop_arena_free(r.arena);
  return as.correlation;
}

/* Nothing is answered between the pieces: what the store has done by then would show in the replies. */
static void feed(kh *h, kh_conn *c, const uint8_t *ptr, size_t len) {
  size_t taken = 0;
  cr_assert_eq(kop_engine_feed(h->e, c->id, ptr, len, h->now, &taken), KOP_OK);
  cr_assert_eq(taken, len);
}

/* What comes back when the stream arrives in pieces, the first of `first` bytes, the others of `then`. */
static bytes replies_to(kh *h, const bytes *stream, size_t first, size_t then) {
  start(h);
  kh_conn *c = kh_connect(h);
  feed(h, c, stream->ptr, first);
  for (size_t at = first; at < stream->len; at += then)
    feed(h, c, stream->ptr + at, stream->len - at < then ? stream->len - at : then);
  kh_run(h);
  kh_advance(h, UINT64_C(1) << 31);
  cr_assert_not(c->closed);
  bytes out = {.len = 0};
  append_to(&out, c->out, c->out_len);
  kh_stop(h);
  return out;
}

static int32_t frames_in(const bytes *b) {
  int32_t n = 0;
  for (size_t at = 0; at < b->len; n++)
    at += 4 + (((size_t)b->ptr[at] << 24) | ((size_t)b->ptr[at + 1] << 16) |
               ((size_t)b->ptr[at + 2] << 8) | b->ptr[at + 3]);
  return n;
}

static void expect_same(kh *h, const bytes *stream, const bytes *want, size_t first, size_t then) {
  bytes got = replies_to(h, stream, first, then);
  cr_assert_eq(got.len, want->len, "cut at %zu, then each %zu: other replies", first, then);
  cr_assert_eq(memcmp(got.ptr, want->ptr, got.len), 0, "cut at %zu, then each %zu", first, then);
  free(got.ptr);
}

Test(cuts, a_request_of_every_api_cut_at_every_byte) {
  static kh h;
  bytes stream = {.len = 0};
  start(&h);
  int32_t requests = make_stream(&h, &stream);
  kh_stop(&h);
  bytes want = replies_to(&h, &stream, stream.len, 1);
  cr_assert_eq(frames_in(&want), requests, "every request has its reply");
  for (size_t cut = 1; cut < stream.len; cut++)
    expect_same(&h, &stream, &want, cut, stream.len);
  for (size_t piece = 1; piece < 40; piece++)
    expect_same(&h, &stream, &want, piece, piece);
  free(want.ptr);
  free(stream.ptr);
}
