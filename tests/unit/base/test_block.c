/* Blocks that received bytes land in: reuse, the budget, trimming. */
#include "base/block.h"

#include <criterion/criterion.h>

#include "support/failing_alloc.h"

enum { BUDGET = 1 << 20 };

static failing_alloc memory;
static kopi_blocks pool;

static void begin(void) {
  failing_alloc_init(&memory, SIZE_MAX);
  kopi_blocks_init(&pool, &memory.alloc, BUDGET);
}

static void end(void) {
  kopi_blocks_free(&pool);
  cr_assert_eq(memory.live, 0u);
}

/* Takes n blocks at once and gives them back. */
static void use(size_t n, size_t capacity) {
  kopi_block *blocks[16];
  for (size_t i = 0; i < n; i++) {
    blocks[i] = kopi_block_new(&pool, capacity);
    cr_assert_not_null(blocks[i]);
    cr_assert_geq(blocks[i]->cap, capacity);
  }
  for (size_t i = 0; i < n; i++)
    kopi_block_unref(&pool, blocks[i]);
}

Test(block, a_block_lives_until_its_last_reference, .init = begin, .fini = end) {
  kopi_block *b = kopi_block_new(&pool, 100);
  kopi_block_ref(b);
  kopi_block_unref(&pool, b);
  kopi_block *other = kopi_block_new(&pool, 100);
  cr_assert_neq(other, b);
  kopi_block_unref(&pool, b);
  cr_assert_eq(kopi_block_new(&pool, 100), b, "it is used again");
  kopi_block_unref(&pool, b);
  kopi_block_unref(&pool, other);
}

Test(block, no_more_is_kept_than_the_budget, .init = begin, .fini = end) {
  use(16, 100 * 1024);
  cr_assert_leq(pool.kept_bytes, (size_t)BUDGET);
  cr_assert_geq(pool.kept_bytes, (size_t)BUDGET - 200 * 1024);
  use(1, 20 << 20); /* larger than any class */
  cr_assert_leq(pool.kept_bytes, (size_t)BUDGET);
}

Test(block, what_is_needed_between_two_trims_stays, .init = begin, .fini = end) {
  use(4, 100 * 1024);
  kopi_blocks_trim(&pool, 0);
  size_t made = memory.made;
  for (int i = 0; i < 5; i++) {
    use(4, 100 * 1024);
    kopi_blocks_trim(&pool, 0);
  }
  cr_assert_eq(memory.made, made, "nothing is allocated again");
  cr_assert_eq(memory.live, 4u);
  use(1, 100 * 1024);
  kopi_blocks_trim(&pool, 0);
  cr_assert_eq(memory.live, 1u, "three were not needed");
  kopi_blocks_trim(&pool, 0);
  cr_assert_eq(memory.live, 0u);
}

Test(block, a_trim_leaves_what_it_is_told_and_takes_large_ones_first, .init = begin, .fini = end) {
  use(4, 100);
  use(2, 100 * 1024);
  kopi_blocks_trim(&pool, SIZE_MAX);
  cr_assert_eq(memory.live, 6u);
  kopi_blocks_trim(&pool, 3 * KOPI_BLOCK_SMALL);
  cr_assert_eq(memory.live, 3u);
  cr_assert_eq(pool.kept_bytes, (size_t)3 * KOPI_BLOCK_SMALL);
}
