/* Both stores under the contract's suite. */
#include <criterion/criterion.h>

#include "folder.h"
#include "under_test.h"

Test(contract, memory) {
  under_test u = {0};
  kopd_store_config_init(&u.config);
  under_test_open(&u);
  kop_store_under_test face = under_test_face(&u);
  under_test_run(&face, 1, 3000);
  under_test_close(&u);
}

/* Small files, so that the walk crosses many of them. */
Test(contract, memory_in_small_files) {
  under_test u = {0};
  kopd_store_config_init(&u.config);
  u.config.file_bytes = 64 << 10;
  under_test_open(&u);
  kop_store_under_test face = under_test_face(&u);
  under_test_run(&face, 2, 3000);
  under_test_close(&u);
}

static void on_disk(int32_t durability, uint64_t file_bytes, uint64_t seed) {
  folder f = folder_make();
  under_test u = {0};
  kopd_store_config_init(&u.config);
  u.config.spec = f.spec;
  u.config.durability = durability;
  u.config.file_bytes = file_bytes;
  under_test_open(&u);
  kop_store_under_test face = under_test_face(&u);
  under_test_run(&face, seed, 2000);
  under_test_close(&u);
  folder_remove(&f);
}

Test(contract, file) {
  on_disk(KOPD_DURABILITY_DISK, 0, 3);
}

Test(contract, file_in_small_files) {
  on_disk(KOPD_DURABILITY_DISK, 64 << 10, 4);
}

Test(contract, file_without_sync) {
  on_disk(KOPD_DURABILITY_OS, 64 << 10, 5);
}
