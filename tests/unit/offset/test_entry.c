/* One entry and its offsets; the two old packings and their limits. */
#include <criterion/criterion.h>
#include <kop/offset.h>

static kop_offset_entry entry(uint64_t ledger, uint64_t id, uint64_t index, int32_t count) {
  kop_offset_entry e;
  cr_assert_eq(kop_offset_entry_set(ledger, id, index, count, 5, &e), KOP_OK);
  return e;
}

Test(entry, index_is_that_of_the_last_message) {
  kop_offset_entry e = entry(7, 12, 41, 3);
  cr_assert_eq(e.first, 39);
  cr_assert_eq(e.last, 41);
  cr_assert_eq(e.timestamp, 5);
  for (int32_t i = 0; i < 3; i++) {
    int64_t offset = -1;
    int32_t back = -1;
    cr_assert_eq(kop_offset_entry_at(&e, i, &offset), KOP_OK);
    cr_assert_eq(offset, 39 + i);
    cr_assert_eq(kop_offset_entry_find(&e, offset, &back), KOP_OK);
    cr_assert_eq(back, i);
  }
  int32_t unused;
  int64_t offset;
  cr_assert_eq(kop_offset_entry_find(&e, 38, &unused), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_offset_entry_find(&e, 42, &unused), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_offset_entry_at(&e, -1, &offset), KOP_ERR_INVALID);
  cr_assert_eq(kop_offset_entry_at(&e, 3, &offset), KOP_ERR_INVALID);
}

Test(entry, refuses_what_is_no_offset) {
  kop_offset_entry e;
  cr_assert_eq(kop_offset_entry_set(1, 1, 5, 0, -1, &e), KOP_ERR_INVALID);
  cr_assert_eq(kop_offset_entry_set(1, 1, 5, -3, -1, &e), KOP_ERR_INVALID);
  cr_assert_eq(kop_offset_entry_set(1, 1, (uint64_t)INT64_MAX, 1, -1, &e), KOP_ERR_LIMIT);
  cr_assert_eq(kop_offset_entry_set(1, 1, UINT64_C(1) << 63, 1, -1, &e), KOP_ERR_LIMIT);
  cr_assert_eq(kop_offset_entry_set(1, 1, (uint64_t)INT64_MAX - 1, 1, -1, &e), KOP_OK);
}

Test(entry, without_index_has_no_offsets) {
  kop_offset_entry e = entry(1, 1, UINT64_MAX, 2);
  int32_t batch_index;
  int64_t offset;
  cr_assert_eq(e.last, -1);
  cr_assert_eq(kop_offset_entry_find(&e, 0, &batch_index), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_offset_entry_find(&e, -1, &batch_index), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_offset_entry_at(&e, 0, &offset), KOP_ERR_NOT_FOUND);
}

Test(entry, batch_larger_than_its_index_begins_at_zero) {
  kop_offset_entry e = entry(1, 0, 1, 5);
  int64_t offset;
  cr_assert_eq(e.first, 0);
  cr_assert_eq(kop_offset_entry_at(&e, 2, &offset), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_offset_entry_at(&e, 3, &offset), KOP_OK);
  cr_assert_eq(offset, 0);
}

Test(entry, follows_the_one_before) {
  kop_offset_entry before = entry(3, 0, 9, 2), e = entry(3, 1, 12, 3);
  cr_assert_eq(kop_offset_entry_follow(&e, NULL), KOP_OFFSET_FITS);
  cr_assert_eq(kop_offset_entry_follow(&e, &before), KOP_OFFSET_FITS);
  cr_assert_eq(e.first, 10);
  e = entry(3, 1, 20, 3);
  cr_assert_eq(kop_offset_entry_follow(&e, &before), KOP_OFFSET_GAP);
  cr_assert_eq(e.first, 18);
  e = entry(3, 1, 11, 6); /* the sender said 2 */
  cr_assert_eq(kop_offset_entry_follow(&e, &before), KOP_OFFSET_OVERLAP);
  cr_assert_eq(e.first, 10);
  int32_t batch_index;
  cr_assert_eq(kop_offset_entry_find(&e, 10, &batch_index), KOP_OK);
  cr_assert_eq(batch_index, 4);
  e = entry(3, 1, 9, 1);
  cr_assert_eq(kop_offset_entry_follow(&e, &before), KOP_OFFSET_REGRESSION);
  e = entry(3, 1, 0, 1);
  cr_assert_eq(kop_offset_entry_follow(&e, &before), KOP_OFFSET_REGRESSION);
  int64_t offset;
  cr_assert_eq(kop_offset_entry_at(&e, 0, &offset), KOP_ERR_NOT_FOUND);
  e = entry(3, 1, UINT64_MAX, 1);
  cr_assert_eq(kop_offset_entry_follow(&e, NULL), KOP_OFFSET_UNINDEXED);
  cr_assert_eq(kop_offset_entry_follow(&e, &before), KOP_OFFSET_UNINDEXED_AFTER);
  before = entry(3, 0, UINT64_MAX, 1);
  cr_assert_eq(kop_offset_entry_follow(&e, &before), KOP_OFFSET_UNINDEXED);
}

Test(entry, position_orders_by_ledger_then_entry) {
  kop_offset_entry a = entry(3, 9, 1, 1), b = entry(4, 0, 2, 1), c = entry(3, 10, 2, 1);
  cr_assert_eq(kop_offset_entry_compare(&a, &b), -1);
  cr_assert_eq(kop_offset_entry_compare(&b, &a), 1);
  cr_assert_eq(kop_offset_entry_compare(&a, &c), -1);
  cr_assert_eq(kop_offset_entry_compare(&a, &a), 0);
}

Test(packed, adaptor_both_ways_and_its_limits) {
  static const uint64_t ledgers[] = {0, 1, 4711, (UINT64_C(1) << 35) - 1};
  static const uint64_t entries[] = {0, 1, 49999, (UINT64_C(1) << 28) - 1};
  int64_t offset;
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < 4; k++) {
      uint64_t ledger, id;
      cr_assert_eq(kop_offset_adaptor_pack(ledgers[i], entries[k], &offset), KOP_OK);
      cr_assert_geq(offset, 0);
      cr_assert_eq(kop_offset_adaptor_unpack(offset, &ledger, &id), KOP_OK);
      cr_assert(ledger == ledgers[i] && id == entries[k]);
    }
  }
  cr_assert_eq(kop_offset_adaptor_pack(3, 5, &offset), KOP_OK);
  cr_assert_eq(offset, INT64_C(3) * 268435456 + 5);
  uint64_t unused;
  cr_assert_eq(kop_offset_adaptor_pack(UINT64_C(1) << 35, 0, &offset), KOP_ERR_LIMIT);
  cr_assert_eq(kop_offset_adaptor_pack(0, UINT64_C(1) << 28, &offset), KOP_ERR_LIMIT);
  cr_assert_eq(kop_offset_adaptor_unpack(-1, &unused, &unused), KOP_ERR_INVALID);
}

Test(packed, plugin_both_ways_and_its_limits) {
  static const uint64_t ledgers[] = {0, 1, (UINT64_C(1) << 19) - 1};
  static const uint64_t entries[] = {0, 1, UINT32_MAX};
  static const int32_t batches[] = {0, 1, 4095};
  int64_t offset;
  for (int i = 0; i < 27; i++) {
    uint64_t ledger, id;
    int32_t batch_index;
    cr_assert_eq(
        kop_offset_plugin_pack(ledgers[i / 9], entries[i / 3 % 3], batches[i % 3], &offset),
        KOP_OK);
    cr_assert_geq(offset, 0);
    cr_assert_eq(kop_offset_plugin_unpack(offset, &ledger, &id, &batch_index), KOP_OK);
    cr_assert(ledger == ledgers[i / 9] && id == entries[i / 3 % 3] &&
              batch_index == batches[i % 3]);
  }
  cr_assert_eq(kop_offset_plugin_pack(2, 3, 4, &offset), KOP_OK);
  cr_assert_eq(offset, INT64_C(2) * 17592186044416 + 3 * 4096 + 4);
  uint64_t unused;
  int32_t index;
  cr_assert_eq(kop_offset_plugin_pack(UINT64_C(1) << 19, 0, 0, &offset), KOP_ERR_LIMIT);
  cr_assert_eq(kop_offset_plugin_pack(0, UINT64_C(1) << 32, 0, &offset), KOP_ERR_LIMIT);
  cr_assert_eq(kop_offset_plugin_pack(0, 0, 4096, &offset), KOP_ERR_LIMIT);
  cr_assert_eq(kop_offset_plugin_pack(0, 0, -1, &offset), KOP_ERR_LIMIT);
  cr_assert_eq(kop_offset_plugin_unpack(-1, &unused, &unused, &index), KOP_ERR_INVALID);
}
