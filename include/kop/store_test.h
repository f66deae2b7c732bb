/**
 * @file store_test.h
 * The store's contract as a test: hand it a store, it checks every sentence of kop/effect.h that a store answers for.
 *
 * For those who write a store of their own. The store is given as four functions that hand effects in and take answers and
 * events out, which is what any embedder's loop does anyway. The suite plays the engine of one node: it creates topics named
 * `kop-store-test-...` and deletes them again. It prints nothing: each check is reported through a callback.
 *
 *     kop_store_under_test store = {.size = sizeof store, .submit = ..., .poll = ..., .poll_events = ..., .wait = ...};
 *     kop_store_test_config config = {.size = sizeof config, .report = print_line};
 *     kop_store_test_result result = {.size = sizeof result};
 *     if (kop_store_test_run(&store, &config, &result) != KOP_OK || result.failed > 0) ...
 */
#ifndef KOP_STORE_TEST_H
#define KOP_STORE_TEST_H

#include <kop/base.h>
#include <kop/effect.h>
#include <kop/event.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A store, as its embedder's loop sees it. */
typedef struct kop_store_under_test {
  size_t size;     /**< sizeof(kop_store_under_test) as the caller compiled it. */
  void *user_data; /**< First argument of all functions. */
  uint64_t
      effects; /**< Bit `1 << KOP_EFFECT_X` for each kind the store serves; checks that need others are skipped. */
  uint64_t store;  /**< KOP_STORE_ bits of kop/engine.h: what it can do. */
  int32_t node_id; /**< The node the suite plays: partitions whose pushed leader it is are used. */
  uint32_t reserved; /**< 0. */
  /** Starts an effect. The body stays valid until the token was polled. */
  void (*submit)(void *user_data, const kop_effect *effect);
  /** Takes up to `capacity` answers without waiting; bodies stay valid until the next poll. Returns how many. */
  size_t (*poll)(void *user_data, kop_completion *items, size_t capacity);
  /** Takes up to `capacity` events without waiting; bodies stay valid until the next call. Returns how many. */
  size_t (*poll_events)(void *user_data, kop_event *events, size_t capacity);
  /** Waits until there may be something to take. Returns 1, or 0 when it has waited so long that something must be wrong. */
  int32_t (*wait)(void *user_data);
  /** Ends the store as a crash would and opens it again; what it announced comes anew as events. 0: done. NULL: such checks are skipped. */
  int32_t (*reopen)(void *user_data);
  /** Makes every append fail from here on (`broken` 1), or work again (0). NULL: such checks are skipped. */
  void (*break_log)(void *user_data, int32_t broken);
} kop_store_under_test;

/** How the suite runs. */
typedef struct kop_store_test_config {
  size_t size;            /**< sizeof(kop_store_test_config) as the caller compiled it. */
  const kop_alloc *alloc; /**< NULL: the C heap. */
  uint64_t seed;          /**< Of the random part; a failure is repeated with the same one. */
  uint32_t steps;         /**< Of the random part; 0: 2,000. */
  uint32_t reserved;      /**< 0. */
  void *user_data;        /**< First argument of `report`. */
  /**
   * One check has ended. `passed` is 1, 0, or -1 for skipped; `name` says what holds if it passed; `detail` says what
   * was seen instead, or "". Both are valid during the call. May be NULL.
   */
  void (*report)(void *user_data, const char *name, int32_t passed, const char *detail);
} kop_store_test_config;

/** What came of it. */
typedef struct kop_store_test_result {
  size_t size;       /**< sizeof(kop_store_test_result) as the caller compiled it. */
  uint32_t passed;   /**< Checks that held. */
  uint32_t failed;   /**< Checks that did not. */
  uint32_t skipped;  /**< Checks that need what the store does not offer. */
  uint32_t reserved; /**< 0. */
} kop_store_test_result;

/**
 * Runs all checks, in order; one that fails does not keep the others from running.
 *
 * @param store   The store; used by the calling thread only.
 * @param config  May be NULL.
 * @param result  Filled.
 * @return KOP_OK when all checks were run, whatever came of them; KOP_ERR_INVALID (a size, or a function that is missing);
 *         KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_store_test_run(const kop_store_under_test *store,
                                      const kop_store_test_config *config,
                                      kop_store_test_result *result);

#ifdef __cplusplus
}
#endif

#endif
