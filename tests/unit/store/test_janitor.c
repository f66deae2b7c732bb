/*
 * The janitor lets the lock go while it walks through topics, runs and files. Here topics come, fill files and go meanwhile:
 * what it works on is taken away under it, at a different place each time.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "driver.h"
#include "folder.h"

enum { SIZE = 1000, ROUNDS = 6, WIDE = DRIVER_PARTITIONS };

static atomic_bool walking;

static void *walk(void *store) {
  while (atomic_load(&walking))
    kopd_store_clean(store);
  return NULL;
}

static void fill(driver *d, const char *name, uint32_t rounds) {
  for (uint32_t p = 0; p < WIDE; p++) {
    uint64_t id = driver_id(d, name, p);
    int32_t epoch = driver_acquire(d, id)->acquired.epoch;
    for (uint32_t i = 0; i < rounds; i++)
      cr_assert_eq(driver_append(d, id, epoch, SIZE, i, i)->outcome, KOP_DONE);
  }
}

static void come_and_go(const char *spec, uint64_t file_bytes) {
  char error[256], name[8];
  kopd_store *s;
  driver d = {0};
  pthread_t thread;
  kopd_store_config config;
  kopd_store_config_init(&config);
  config.spec = spec;
  config.file_bytes = file_bytes;
  config.durability = KOPD_DURABILITY_OS;
  config.retention_check_ms = 0;
  config.retention_ms = -1;
  cr_assert_eq(kopd_store_open(&config, &s, error, sizeof error), 0, "%s", error);
  driver_attach(&d, s, 0);
  driver_create(&d, "stays", WIDE, NULL, NULL);
  fill(&d, "stays", 2);
  atomic_store(&walking, true);
  cr_assert_eq(pthread_create(&thread, NULL, walk, s), 0);
  for (int round = 0; round < ROUNDS; round++) {
    snprintf(name, sizeof name, "t%d", round);
    cr_assert_eq(driver_create(&d, name, WIDE, "retention.bytes", "1500")->outcome, KOP_DONE);
    fill(&d, name, 3);
    cr_assert_eq(driver_delete(&d, name)->outcome, KOP_DONE);
  }
  atomic_store(&walking, false);
  pthread_join(thread, NULL);
  kopd_store_clean(s);
  for (uint32_t p = 0; p < WIDE; p++)
    driver_expect(&d, driver_id(&d, "stays", p), 0, 2, SIZE, 0);
  kopd_store_stats stats;
  kopd_store_stats_get(s, &stats);
  cr_assert_eq(stats.live_bytes, 2u * WIDE * (48 + SIZE));
  driver_detach(&d);
  kopd_store_close(s);
}

Test(janitor, topics_go_while_it_walks_in_memory) {
  come_and_go("memory:", 64 + 40 * (48 + SIZE));
}

Test(janitor, topics_go_while_it_walks_on_disk) {
  folder f = folder_make();
  come_and_go(f.spec, 64 + 40 * (48 + SIZE));
  folder_remove(&f);
}
