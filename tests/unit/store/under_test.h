/* A kopd store under the contract's suite: a condition variable stands for the node's loop. */
#ifndef TESTS_UNIT_STORE_UNDER_TEST_H
#define TESTS_UNIT_STORE_UNDER_TEST_H

#include <kop/engine.h>
#include <kop/store_test.h>

#include "store/store.h"

typedef struct under_test {
  kopd_store_config config;
  kopd_store *store;
  kopd_store_client *client;
  int woken;
  int lines;
} under_test;

void under_test_open(under_test *u);
void under_test_close(under_test *u);
kop_store_under_test under_test_face(under_test *u);
/* Runs the suite and fails the Criterion test for every check that fails. */
void under_test_run(const kop_store_under_test *face, uint64_t seed, uint32_t steps);

#endif
