/* Snapshots: there and back, every truncation and damage, hostile content under a right checksum, bounds. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "log/snapshot.h"
#include "support/failing_alloc.h"
#include "support/rng.h"

typedef struct state {
  failing_alloc f;
  kopi_epochs epochs;
  kopi_producers producers;
} state;

static void state_init(state *s, size_t fail_at) {
  failing_alloc_init(&s->f, fail_at);
  kopi_epochs_init(&s->epochs, &s->f.alloc, 100);
  kopi_producers_init(&s->producers, &s->f.alloc, 5, 100000, 10);
}

static void state_free(state *s) {
  kopi_epochs_free(&s->epochs);
  kopi_producers_free(&s->producers);
  cr_assert_eq(s->f.live, 0);
}

static void fill(state *s, uint64_t seed, int64_t ids, int64_t batches) {
  uint64_t rng = seed;
  for (int32_t i = 0; i < 10; i++)
    cr_assert_eq(kopi_epochs_assign(&s->epochs, i * 2, i * 11), KOP_OK);
  for (int64_t i = 0; i < batches; i++) {
    int32_t seq = (int32_t)rng_below(&rng, 1u << 31);
    kopi_producer_batch b = {.producer_id = (int64_t)(rng_below(&rng, (uint64_t)ids) * 3),
                             .timestamp = (int64_t)rng_below(&rng, 1000) - 1,
                             .first_seq = seq,
                             .last_seq = kopi_sequence_add(seq, (uint32_t)rng_below(&rng, 10)),
                             .epoch = (int16_t)(rng_below(&rng, 8) == 0)};
    cr_assert_eq(kopi_producers_replay(&s->producers, &b, i * 10), KOP_OK);
  }
}

/* The snapshot as malloc'ed bytes of exactly its size, so that a sanitizer sees every read past the end. */
static uint8_t *write_exact(const state *s, int64_t as_of, size_t *len) {
  kopi_buf out;
  kopi_buf_init(&out, &s->f.alloc, (size_t)2 * KOPI_SNAPSHOT_MAX);
  cr_assert_eq(kopi_snapshot_write(&out, as_of, &s->epochs, &s->producers), KOP_OK);
  *len = out.len;
  uint8_t *bytes = malloc(out.len);
  cr_assert_not_null(bytes);
  memcpy(bytes, out.data, out.len);
  kopi_buf_free(&out);
  return bytes;
}

static void seal(uint8_t *bytes, size_t len) {
  kopi_store_be32(bytes + 8, kopi_crc32c(0, bytes + 12, len - 12));
}

/* Reads into a fresh state; on failure both structures must be empty. */
static kop_status read_back(const uint8_t *bytes, size_t len, state *into, int64_t *as_of) {
  state_init(into, SIZE_MAX);
  kop_status s = kopi_snapshot_read((kop_slice){.ptr = bytes, .len = len}, &into->epochs,
                                    &into->producers, as_of);
  if (s != KOP_OK) {
    cr_assert_eq(into->epochs.len, 0);
    cr_assert_eq(kopi_producers_len(&into->producers), 0);
    cr_assert_eq(into->f.live, 0);
  }
  return s;
}

Test(snapshot, comes_back_as_it_was) {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    state s, t;
    state_init(&s, SIZE_MAX);
    fill(&s, seed, 1 + (int64_t)seed * 2, (int64_t)seed * 20);
    size_t len, len2;
    int64_t as_of = -1;
    uint8_t *bytes = write_exact(&s, 4000, &len);
    cr_assert_eq(read_back(bytes, len, &t, &as_of), KOP_OK);
    cr_assert_eq(as_of, 4000);
    cr_assert_eq(t.epochs.len, 10);
    cr_assert_eq(kopi_producers_len(&t.producers), kopi_producers_len(&s.producers));
    uint8_t *bytes2 = write_exact(&t, 4000, &len2);
    cr_assert_eq(len, len2);
    cr_assert_arr_eq(bytes, bytes2, len);
    free(bytes);
    free(bytes2);
    state_free(&s);
    state_free(&t);
  }
}

Test(snapshot, has_the_bytes_that_its_header_draws) {
  state s;
  state_init(&s, SIZE_MAX);
  cr_assert_eq(kopi_epochs_assign(&s.epochs, 3, 7), KOP_OK);
  kopi_producer_batch b = {
      .producer_id = 0x0102, .timestamp = 9, .first_seq = 4, .last_seq = 5, .epoch = 6};
  cr_assert_eq(kopi_producers_replay(&s.producers, &b, 0x20), KOP_OK);
  static const uint8_t want[] = {
      'K', 'O', 'P', 'L', 0, 1, 0, 2,                /* magic, version, sections */
      0,   0,   0,   0,                              /* checksum, compared below */
      0,   0,   0,   0,   0, 0, 0, 0x22,             /* as-of */
      0,   1,   0,   1,   0, 0, 0, 12,               /* epochs */
      0,   0,   0,   3,   0, 0, 0, 0,    0, 0, 0, 7, /* epoch, start */
      0,   2,   0,   1,   0, 0, 0, 35,               /* producers */
      0,   0,   0,   0,   0, 0, 1, 2,    0, 6, 1,    /* id, epoch, batches */
      0,   0,   0,   4,   0, 0, 0, 5,                /* sequences */
      0,   0,   0,   0,   0, 0, 0, 0x20,             /* offset */
      0,   0,   0,   0,   0, 0, 0, 9,                /* timestamp */
  };
  size_t len;
  uint8_t *bytes = write_exact(&s, 0x22, &len);
  cr_assert_eq(len, sizeof want);
  cr_assert_eq(kopi_load_be32(bytes + 8), kopi_crc32c(0, bytes + 12, len - 12));
  memset(bytes + 8, 0, 4);
  cr_assert_arr_eq(bytes, want, len);
  free(bytes);
  state_free(&s);
}

Test(snapshot, every_truncation_and_every_flipped_bit_is_refused) {
  state s, t;
  state_init(&s, SIZE_MAX);
  fill(&s, 3, 6, 40);
  size_t len;
  int64_t as_of;
  uint8_t *bytes = write_exact(&s, 400, &len);
  for (size_t n = 0; n < len; n++) {
    uint8_t *cut = malloc(n + 1);
    uint8_t *at = cut + 1; /* nothing readable behind it */
    memcpy(at, bytes, n);
    cr_assert_neq(read_back(at, n, &t, &as_of), KOP_OK, "cut at %zu", n);
    if (n >= 20) {
      /* Also when a right checksum says that the cut is meant. */
      seal(at, n);
      cr_assert_eq(read_back(at, n, &t, &as_of), KOP_ERR_MALFORMED, "sealed cut at %zu", n);
    }
    free(cut);
  }
  for (size_t bit = 0; bit < len * 8; bit++) {
    bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    kop_status status = read_back(bytes, len, &t, &as_of);
    if (bit < 32) cr_assert_eq(status, KOP_ERR_MALFORMED);
    if (bit >= 32 && bit < 48) cr_assert_eq(status, KOP_ERR_UNSUPPORTED);
    if (bit >= 64) cr_assert_eq(status, KOP_ERR_CHECKSUM);
    cr_assert_neq(status, KOP_OK);
    bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
  }
  free(bytes);
  state_free(&s);
}

Test(snapshot, hostile_content_under_a_right_checksum_is_refused_or_well_formed) {
  state s, t;
  state_init(&s, SIZE_MAX);
  fill(&s, 4, 6, 40);
  size_t len;
  uint8_t *bytes = write_exact(&s, 400, &len);
  uint8_t *copy = malloc(len);
  uint64_t rng = 99;
  int refused = 0, accepted = 0;
  for (int i = 0; i < 20000; i++) {
    memcpy(copy, bytes, len);
    for (uint64_t n = 1 + rng_below(&rng, 3); n > 0; n--) {
      size_t at = 6 + rng_below(&rng, len - 6);
      copy[at] = rng_below(&rng, 2) ? (uint8_t)rng_next(&rng) : (uint8_t)(copy[at] ^ 0x80);
    }
    seal(copy, len);
    int64_t as_of = -1;
    if (read_back(copy, len, &t, &as_of) != KOP_OK) {
      refused++;
      continue;
    }
    accepted++;
    cr_assert_geq(as_of, 0);
    size_t again_len;
    free(write_exact(&t, as_of, &again_len));
    state_free(&t);
  }
  cr_assert_gt(refused, 1000);
  cr_assert_gt(accepted, 1000);
  free(copy);
  free(bytes);
  state_free(&s);
}

/* Reads a snapshot with one more section behind the two that exist. */
static kop_status with_section(uint16_t kind, uint16_t flags) {
  state s, t;
  state_init(&s, SIZE_MAX);
  fill(&s, 1, 3, 10);
  size_t len;
  uint8_t *bytes = write_exact(&s, 100, &len);
  uint8_t *longer = malloc(len + 11);
  memcpy(longer, bytes, len);
  memset(longer + len, 0, 11);
  kopi_store_be16(longer + len, kind);
  kopi_store_be16(longer + len + 2, flags);
  kopi_store_be32(longer + len + 4, 3);
  kopi_store_be16(longer + 6, 3);
  seal(longer, len + 11);
  int64_t as_of;
  kop_status status = read_back(longer, len + 11, &t, &as_of);
  if (status == KOP_OK) {
    cr_assert_eq(kopi_producers_len(&t.producers), kopi_producers_len(&s.producers));
    state_free(&t);
  }
  free(bytes);
  free(longer);
  state_free(&s);
  return status;
}

Test(snapshot, unknown_sections_are_skipped_unless_they_must_be_known) {
  cr_assert_eq(with_section(9, 0), KOP_OK);
  cr_assert_eq(with_section(9, 1), KOP_ERR_UNSUPPORTED);
  cr_assert_eq(with_section(2, 0), KOP_ERR_MALFORMED, "a kind stands once");
}

Test(snapshot, stays_within_its_bound_and_leaves_out_the_oldest) {
  state s, t;
  state_init(&s, SIZE_MAX);
  enum { MANY = 40000 };
  for (int64_t i = 0; i < MANY; i++) {
    kopi_producer_batch b = {.producer_id = (i * 7919) % MANY, .timestamp = MANY - i};
    cr_assert_eq(kopi_producers_replay(&s.producers, &b, i), KOP_OK);
  }
  size_t len;
  int64_t as_of;
  uint8_t *bytes = write_exact(&s, MANY, &len);
  cr_assert_leq(len, KOPI_SNAPSHOT_MAX);
  cr_assert_gt(len, KOPI_SNAPSHOT_MAX - 100);
  cr_assert_eq(read_back(bytes, len, &t, &as_of), KOP_OK);
  const kopi_producer_state **all;
  size_t n;
  cr_assert_eq(kopi_producers_sorted(&t.producers, KOPI_PRODUCERS_BY_OFFSET, &all, &n), KOP_OK);
  for (size_t i = 0; i < n; i++)
    cr_assert_eq(all[i]->batches[0].base_offset, (int64_t)(MANY - n + i));
  kopi_free(&t.f.alloc, all);
  free(bytes);
  state_free(&s);
  state_free(&t);
}

Test(snapshot, every_refused_allocation_is_reported) {
  state s;
  state_init(&s, SIZE_MAX);
  fill(&s, 8, 20, 200);
  size_t len;
  uint8_t *bytes = write_exact(&s, 2000, &len);
  for (size_t fail_at = 0;; fail_at++) {
    state t;
    state_init(&t, fail_at);
    int64_t as_of = -1;
    kop_status status =
        kopi_snapshot_read((kop_slice){.ptr = bytes, .len = len}, &t.epochs, &t.producers, &as_of);
    int done = t.f.made <= fail_at;
    cr_assert_eq(status, done ? KOP_OK : KOP_ERR_NOMEM);
    state_free(&t);
    if (done) break;
  }
  for (size_t fail_at = 0;; fail_at++) {
    s.f.made = 0;
    s.f.fail_at = fail_at;
    kopi_buf out;
    kopi_buf_init(&out, &s.f.alloc, KOPI_SNAPSHOT_MAX);
    kop_status status = kopi_snapshot_write(&out, 2000, &s.epochs, &s.producers);
    int done = s.f.made <= fail_at;
    cr_assert_eq(status, done ? KOP_OK : KOP_ERR_NOMEM);
    cr_assert_eq(out.status, status);
    cr_assert_eq(out.len, done ? len : 0);
    kopi_buf_free(&out);
    if (done) break;
  }
  free(bytes);
  state_free(&s);
}
