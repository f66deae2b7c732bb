/* config.max_partitions: kept where the changes of all nodes meet, and looked at when a folder is opened. */
#include <criterion/criterion.h>
#include <string.h>

#include "driver.h"
#include "folder.h"

enum { MOST = 3, POLICY_VIOLATION = 44 };

static int open_store(kopd_store **s, const char *spec, uint32_t most, char error[256]) {
  kopd_store_config config;
  kopd_store_config_init(&config);
  config.spec = spec;
  config.max_partitions = most;
  return kopd_store_open(&config, s, error, 256);
}

static const driver_answer *grow(driver *d, const char *name, int32_t partitions) {
  kop_create_partitions body = {.size = sizeof body,
                                .partitions = partitions,
                                .name = {(const uint8_t *)name, strlen(name)},
                                .id = driver_topic_of(d, name)->id};
  return driver_do(d, KOP_EFFECT_CREATE_PARTITIONS, 0, 0, &body, sizeof body);
}

static void refused(const driver_answer *a) {
  cr_assert_eq(a->outcome, KOP_REJECTED);
  cr_assert_eq(a->error, POLICY_VIOLATION);
}

static uint64_t partitions_of(kopd_store *s) {
  kopd_store_stats stats;
  kopd_store_stats_get(s, &stats);
  return stats.partitions;
}

Test(limit, what_would_pass_it_is_refused_and_not_kept) {
  char error[256];
  kopd_store *s = NULL;
  driver d;
  cr_assert_eq(open_store(&s, "memory:", MOST, error), 0, "%s", error);
  driver_attach(&d, s, 0);
  refused(driver_create(&d, "a", MOST + 1, NULL, NULL));
  cr_assert_eq(driver_create(&d, "a", 1, NULL, NULL)->outcome, KOP_DONE);
  refused(driver_create(&d, "b", MOST, NULL, NULL));
  refused(grow(&d, "a", MOST + 1));
  cr_assert_eq(partitions_of(s), 1);
  cr_assert_eq(grow(&d, "a", 2)->outcome, KOP_DONE);
  cr_assert_eq(driver_create(&d, "b", 1, NULL, NULL)->outcome, KOP_DONE);
  refused(driver_create(&d, "c", 1, NULL, NULL));
  refused(grow(&d, "a", 3));
  cr_assert_eq(driver_create(&d, "a", 1, NULL, NULL)->error, 36, "which exists is said first");
  cr_assert_eq(driver_delete(&d, "b")->outcome, KOP_DONE);
  cr_assert_eq(grow(&d, "a", 3)->outcome, KOP_DONE);
  cr_assert_eq(partitions_of(s), MOST);
  driver_detach(&d);
  kopd_store_close(s);
}

Test(limit, a_folder_that_holds_more_is_not_opened) {
  char error[256];
  kopd_store *s = NULL;
  driver d;
  folder f = folder_make();
  cr_assert_eq(open_store(&s, f.spec, MOST, error), 0, "%s", error);
  driver_attach(&d, s, 0);
  cr_assert_eq(driver_create(&d, "a", MOST, NULL, NULL)->outcome, KOP_DONE);
  driver_detach(&d);
  kopd_store_close(s);
  cr_assert_neq(open_store(&s, f.spec, MOST - 1, error), 0);
  cr_assert_null(s);
  cr_assert_not_null(strstr(error, "holds 3 partitions, and max.partitions allows 2"), "%s", error);
  cr_assert_eq(open_store(&s, f.spec, MOST, error), 0, "nothing was harmed: %s", error);
  cr_assert_eq(partitions_of(s), MOST);
  kopd_store_close(s);
  folder_remove(&f);
}
