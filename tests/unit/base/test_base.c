/* Status names, the buffer's sticky errors and the arena's bounds. */
#include <criterion/criterion.h>
#include <kop/base.h>
#include <kop/version.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"

Test(status, every_code_has_its_own_words) {
  for (kop_status s = KOP_ERR_NO_SPACE; s <= KOP_OK; s++) {
    cr_assert_str_neq(kop_strerror(s), "unknown status", "status %d", s);
  }
  cr_assert_str_eq(kop_strerror(1), "unknown status");
}

Test(version, headers_and_library_agree) {
  cr_assert_eq(kop_version(), KOP_VERSION_NUMBER);
}

Test(buf, stops_at_its_limit_and_stays_stopped) {
  kop_alloc heap;
  cr_assert_eq(kopi_alloc_init(&heap, NULL), KOP_OK);
  kopi_buf b;
  kopi_buf_init(&b, &heap, 10);
  kopi_buf_put_be64(&b, 0x0102030405060708u);
  cr_assert_eq(b.status, KOP_OK);
  kopi_buf_put_be32(&b, 1);
  cr_assert_eq(b.status, KOP_ERR_LIMIT);
  kopi_buf_put_u8(&b, 1);
  cr_assert_eq(b.len, 8);
  cr_assert_eq(b.data[7], 8);
  kopi_buf_free(&b);
}

Test(arena, hands_out_up_to_its_limit_and_reuses_after_reset) {
  kop_alloc heap;
  cr_assert_eq(kopi_alloc_init(&heap, NULL), KOP_OK);
  kopi_arena a;
  kopi_arena_init(&a, &heap, 64 * 1024);
  for (int round = 0; round < 3; round++) {
    size_t got = 0;
    while (kopi_arena_alloc(&a, 1000) != NULL)
      got++;
    cr_assert_eq(got, 65, "round %d: %zu", round, got);
    cr_assert_eq(kopi_arena_status(&a, 1000), KOP_ERR_LIMIT);
    kopi_arena_reset(&a);
  }
  cr_assert_null(kopi_arena_calloc(&a, SIZE_MAX / 2, 4));
  cr_assert_not_null(kopi_arena_alloc(&a, 0));
  a.limit = SIZE_MAX;
  cr_assert_null(kopi_arena_alloc(&a, SIZE_MAX));
  cr_assert_eq(kopi_arena_status(&a, SIZE_MAX), KOP_ERR_LIMIT);
  kopi_arena_free(&a);
}
