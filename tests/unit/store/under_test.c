/* The loop of one node around a kopd store, for the suite. */
#include "under_test.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FAILURES = 4000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wakes = PTHREAD_COND_INITIALIZER;

static void wake(void *user_data) {
  under_test *u = user_data;
  pthread_mutex_lock(&lock);
  u->woken = 1;
  pthread_cond_broadcast(&wakes);
  pthread_mutex_unlock(&lock);
}

void under_test_open(under_test *u) {
  char error[256];
  cr_assert_eq(kopd_store_open(&u->config, &u->store, error, sizeof error), 0, "%s", error);
  u->client = kopd_store_attach(u->store, 0, wake, u);
  cr_assert_not_null(u->client);
}

void under_test_close(under_test *u) {
  kopd_store_detach(u->client);
  kopd_store_close(u->store);
  u->client = NULL;
  u->store = NULL;
}

static void submit(void *user_data, const kop_effect *effect) {
  kopd_store_submit(((under_test *)user_data)->client, effect);
}

static size_t poll_items(void *user_data, kop_completion *items, size_t capacity) {
  return kopd_store_poll(((under_test *)user_data)->client, items, capacity);
}

static size_t poll_events(void *user_data, kop_event *events, size_t capacity) {
  return kopd_store_poll_events(((under_test *)user_data)->client, events, capacity);
}

/* Half a minute is far beyond what any answer takes, on the slowest machine. */
static int32_t wait_for_wake(void *user_data) {
  under_test *u = user_data;
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 30;
  int rc = 0;
  pthread_mutex_lock(&lock);
  while (!u->woken && rc == 0)
    rc = pthread_cond_timedwait(&wakes, &lock, &until);
  int32_t woken = u->woken;
  u->woken = 0;
  pthread_mutex_unlock(&lock);
  return woken;
}

static int32_t reopen(void *user_data) {
  under_test *u = user_data;
  under_test_close(u);
  under_test_open(u);
  return 0;
}

kop_store_under_test under_test_face(under_test *u) {
  kop_store_under_test face = {.size = sizeof face,
                               .user_data = u,
                               .effects = kopd_store_effects(u->store),
                               .store = kopd_store_capabilities(u->store),
                               .node_id = u->config.node_ids[0],
                               .submit = submit,
                               .poll = poll_items,
                               .poll_events = poll_events,
                               .wait = wait_for_wake};
  if (u->config.spec[0] == 'f') face.reopen = reopen;
  return face;
}

/* Keeps the first failures for the assertion at the end. */
static void report(void *user_data, const char *name, int32_t passed, const char *detail) {
  char *failures = user_data;
  size_t at = strlen(failures);
  if (passed == 0) snprintf(failures + at, FAILURES - at, "%s: %s\n", name, detail);
}

void under_test_run(const kop_store_under_test *face, uint64_t seed, uint32_t steps) {
  char failures[FAILURES] = "";
  kop_store_test_config config = {
      .size = sizeof config, .seed = seed, .steps = steps, .user_data = failures, .report = report};
  kop_store_test_result result = {.size = sizeof result};
  cr_assert_eq(kop_store_test_run(face, &config, &result), KOP_OK);
  cr_assert_eq(result.failed, 0u, "%s", failures);
  cr_assert(result.passed > 25u);
}
