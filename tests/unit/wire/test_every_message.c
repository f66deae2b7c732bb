/* Rules that hold for every message in every version, found by walking the schema. */
#include <criterion/criterion.h>
#include <kop/wire.h>
#include <stdlib.h>
#include <string.h>

static kop_arena *new_arena(void) {
  kop_arena *arena = NULL;
  cr_assert_eq(kop_arena_new(NULL, 1 << 20, &arena), KOP_OK);
  return arena;
}

Test(every_message, defaults_survive_a_round_trip_and_no_truncation_is_accepted) {
  kop_arena *arena = new_arena();
  uint32_t id = 0, pairs = 0;
  for (; kop_message_next(id, &id) == KOP_OK; id++) {
    kop_message_info info;
    cr_assert_eq(kop_message_describe(id, &info, sizeof info), KOP_OK);
    void *msg = malloc(info.struct_size), *back = malloc(info.struct_size);
    for (int16_t v = info.version_min; v <= info.version_max; v++) {
      uint8_t first[512], second[512];
      size_t size = 0, n = 0, consumed = 0;
      cr_assert_eq(kop_message_init(id, msg, info.struct_size), KOP_OK);
      kop_status status = kop_message_size(id, v, msg, info.struct_size, &size);
      cr_assert_eq(status, KOP_OK, "%s v%d: %s", info.name, v, kop_strerror(status));
      cr_assert_eq(kop_message_encode(id, v, msg, info.struct_size, first, sizeof first, &n),
                   KOP_OK);
      cr_assert_eq(n, size, "%s v%d", info.name, v);
      for (size_t cut = 0; cut < n; cut++) {
        kop_arena_reset(arena);
        cr_assert_neq(
            kop_message_decode(id, v, arena, first, cut, back, info.struct_size, &consumed), KOP_OK,
            "%s v%d cut to %zu of %zu", info.name, v, cut, n);
      }
      kop_arena_reset(arena);
      status = kop_message_decode(id, v, arena, first, n, back, info.struct_size, NULL);
      cr_assert_eq(status, KOP_OK, "%s v%d: %s", info.name, v, kop_strerror(status));
      cr_assert_eq(kop_message_encode(id, v, back, info.struct_size, second, sizeof second, &n),
                   KOP_OK);
      cr_assert_eq(n, size);
      cr_assert_arr_eq(first, second, n);
      if (n > 0) {
        cr_assert_eq(kop_message_encode(id, v, msg, info.struct_size, second, n - 1, &consumed),
                     KOP_ERR_NO_SPACE);
        cr_assert_eq(consumed, n);
      }
      pairs += id < 1000;
    }
    free(msg);
    free(back);
  }
  cr_assert_eq(pairs, 736);
  kop_arena_free(arena);
}
