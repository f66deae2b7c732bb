/* Both stores under the contract's suite. */
#include <criterion/criterion.h>

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
