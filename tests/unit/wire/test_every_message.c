/* Rules that hold for every message in every version, found by walking the schema. */
#include <criterion/criterion.h>
#include <kop/json.h>
#include <kop/wire.h>
#include <stdlib.h>
#include <string.h>

#include "support/random_message.h"

enum { ROUNDS = 4 };

typedef struct probe {
  kop_message_info info;
  uint32_t id;
  int16_t version;
  kop_arena *arena; /* of what is decoded */
  kop_arena *source;
  void *msg;
  uint8_t *bytes;
  size_t size;
} probe;

/* Runs `step` for every message and version, on its defaults and on random messages. */
static void for_each(void (*step)(probe *)) {
  probe p = {.id = 0};
  cr_assert_eq(kop_arena_new(NULL, 1 << 24, &p.arena), KOP_OK);
  cr_assert_eq(kop_arena_new(NULL, 1 << 24, &p.source), KOP_OK);
  uint32_t pairs = 0;
  for (; kop_message_next(p.id, &p.id) == KOP_OK; p.id++) {
    cr_assert_eq(kop_message_describe(p.id, &p.info, sizeof p.info), KOP_OK);
    for (p.version = p.info.version_min; p.version <= p.info.version_max; p.version++) {
      for (uint64_t round = 0; round < ROUNDS; round++) {
        kop_arena_reset(p.source);
        random_message r = {.rng = p.id * 1000u + round, .arena = p.source, .version = p.version};
        p.msg = random_message_new(&r, p.id);
        if (round == 0) {
          cr_assert_eq(kop_message_init(p.id, p.msg, p.info.struct_size), KOP_OK);
        }
        kop_status status = kop_message_size(p.id, p.version, p.msg, p.info.struct_size, &p.size);
        cr_assert_eq(status, KOP_OK, "%s v%d: %s", p.info.name, p.version, kop_strerror(status));
        size_t n = 0;
        p.bytes = malloc(p.size + 1);
        status =
            kop_message_encode(p.id, p.version, p.msg, p.info.struct_size, p.bytes, p.size, &n);
        cr_assert_eq(status, KOP_OK, "%s v%d: %s", p.info.name, p.version, kop_strerror(status));
        cr_assert_eq(n, p.size, "%s v%d", p.info.name, p.version);
        step(&p);
        free(p.bytes);
      }
      pairs += p.id < 1000;
    }
  }
  cr_assert_eq(pairs, 736);
  kop_arena_free(p.arena);
  kop_arena_free(p.source);
}

static void *decode(probe *p, size_t len, kop_status *status) {
  void *msg = NULL;
  kop_arena_reset(p->arena);
  cr_assert_eq(kop_arena_alloc(p->arena, 1, p->info.struct_size, &msg), KOP_OK);
  /* A copy of its own, so that a sanitizer sees every read behind its end. */
  void *copy = NULL;
  cr_assert_eq(kop_arena_alloc(p->arena, 1, len, &copy), KOP_OK);
  memcpy(copy, p->bytes, len);
  *status =
      kop_message_decode(p->id, p->version, p->arena, copy, len, msg, p->info.struct_size, NULL);
  return msg;
}

static void expect_same_bytes(const probe *p, const void *msg) {
  uint8_t *again = malloc(p->size + 1);
  size_t n = 0;
  kop_status status =
      kop_message_encode(p->id, p->version, msg, p->info.struct_size, again, p->size, &n);
  cr_assert_eq(status, KOP_OK, "%s v%d: %s", p->info.name, p->version, kop_strerror(status));
  cr_assert_eq(n, p->size, "%s v%d", p->info.name, p->version);
  cr_assert_arr_eq(again, p->bytes, n, "%s v%d", p->info.name, p->version);
  free(again);
}

static void round_trip(probe *p) {
  kop_status status;
  void *msg = decode(p, p->size, &status);
  cr_assert_eq(status, KOP_OK, "%s v%d: %s", p->info.name, p->version, kop_strerror(status));
  expect_same_bytes(p, msg);
}

Test(every_message, survives_encode_and_decode) {
  for_each(round_trip);
}

static void cut(probe *p) {
  size_t step = p->size < 200 ? 1 : p->size / 100;
  for (size_t len = 0; len < p->size; len += step) {
    kop_status status;
    decode(p, len, &status);
    cr_assert(status == KOP_ERR_TRUNCATED || status == KOP_ERR_MALFORMED,
              "%s v%d cut to %zu of %zu: %s", p->info.name, p->version, len, p->size,
              kop_strerror(status));
  }
}

Test(every_message, is_refused_when_cut_anywhere) {
  for_each(cut);
}

static void crowd(probe *p) {
  if (p->size == 0) return;
  size_t n = 0;
  uint8_t *out = malloc(p->size);
  for (size_t cap = 0; cap < p->size; cap += p->size / 7 + 1) {
    cr_assert_eq(kop_message_encode(p->id, p->version, p->msg, p->info.struct_size, out, cap, &n),
                 KOP_ERR_NO_SPACE);
    cr_assert_eq(n, p->size, "%s v%d", p->info.name, p->version);
  }
  free(out);
}

Test(every_message, says_how_much_room_it_needs) {
  for_each(crowd);
}

static void by_json(probe *p) {
  char *text = NULL, error[128] = "";
  size_t len = 0;
  void *msg = NULL;
  cr_assert_eq(
      kop_json_write(p->id, p->version, p->msg, p->info.struct_size, 1 << 24, NULL, &text, &len),
      KOP_OK);
  cr_assert_eq(strlen(text), len);
  kop_arena_reset(p->arena);
  cr_assert_eq(kop_arena_alloc(p->arena, 1, p->info.struct_size, &msg), KOP_OK);
  kop_status status = kop_json_read(p->id, p->version, p->arena, text, len, msg,
                                    p->info.struct_size, error, sizeof error);
  cr_assert_eq(status, KOP_OK, "%s v%d: %s in %s", p->info.name, p->version, error, text);
  kop_json_free(NULL, text);
  expect_same_bytes(p, msg);
}

Test(every_message, survives_json) {
  for_each(by_json);
}

/* Any change of one byte is refused or is a message that survives the way back. */
static void damage(probe *p) {
  uint64_t rng = p->size;
  for (int i = 0; i < 30 && p->size > 0; i++) {
    size_t at = (size_t)rng_below(&rng, p->size), n = 0, size = 0;
    uint8_t before = p->bytes[at];
    p->bytes[at] ^= (uint8_t)(1u << rng_below(&rng, 8));
    kop_status status;
    void *msg = decode(p, p->size, &status);
    p->bytes[at] = before;
    if (status != KOP_OK) continue;
    cr_assert_eq(kop_message_size(p->id, p->version, msg, p->info.struct_size, &size), KOP_OK);
    uint8_t *out = malloc(size + 1);
    cr_assert_eq(kop_message_encode(p->id, p->version, msg, p->info.struct_size, out, size, &n),
                 KOP_OK);
    free(out);
  }
}

Test(every_message, that_was_damaged_is_refused_or_can_be_written_again) {
  for_each(damage);
}

Test(every_message, has_a_name_and_a_struct_of_its_size) {
  uint32_t id = 0, found = 0, requests = 0;
  for (; kop_message_next(id, &id) == KOP_OK; id++) {
    kop_message_info info;
    kop_struct_info whole;
    cr_assert_eq(kop_message_describe(id, &info, sizeof info), KOP_OK);
    cr_assert_eq(kop_message_find_name(info.name, &found), KOP_OK);
    cr_assert_eq(found, id);
    cr_assert_eq(kop_struct_describe(info.struct_id, &whole, sizeof whole), KOP_OK);
    cr_assert_eq(whole.struct_size, info.struct_size);
    cr_assert_str_eq(whole.name, info.name);
    if (info.api_key < 0) continue;
    requests += !info.is_response;
    cr_assert_eq(kop_message_find(info.api_key, info.is_response, &found), KOP_OK);
    cr_assert_eq(found, id);
    cr_assert_eq(kop_message_init(id, &info, info.struct_size + 1), KOP_ERR_INVALID);
  }
  cr_assert_eq(requests, 95);
}
