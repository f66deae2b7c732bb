/* Running the checks of the store's contract, one after the other. */
#include "storetest/harness.h"

#include "base/alloc.h"

void st_run(st *t, const st_check *checks, size_t count) {
  for (size_t i = 0; i < count; i++) {
    t->name = checks[i].name;
    t->verdict = 1;
    t->detail[0] = '\0';
    if ((t->store->effects & checks[i].needs) == checks[i].needs) {
      uint32_t strays = t->strays;
      checks[i].run(t);
      st_pump(t);
      for (uint32_t j = 0; j < ST_ANSWERS; j++)
        if (t->answers[j].times > 1) st_fail(t, "a token was answered more than once");
      if (t->strays != strays) st_fail(t, "a token was answered that was not open");
    } else {
      st_skip(t);
    }
    t->result->passed += t->verdict == 1;
    t->result->failed += t->verdict == 0;
    t->result->skipped += t->verdict < 0;
    if (t->config.report != NULL)
      t->config.report(t->config.user_data, t->name, t->verdict, t->detail);
  }
}

static kop_status set_up(st *t) {
  t->batch = kopi_malloc(t->alloc, ST_BYTES);
  t->scratch = kopi_malloc(t->alloc, ST_BYTES);
  return t->batch == NULL || t->scratch == NULL ? KOP_ERR_NOMEM : KOP_OK;
}

static void tear_down(st *t) {
  for (uint32_t i = 0; i < ST_ANSWERS; i++)
    kopi_free(t->alloc, t->answers[i].bytes);
  kopi_free(t->alloc, t->scratch);
  kopi_free(t->alloc, t->batch);
}

kop_status kop_store_test_run(const kop_store_under_test *store,
                              const kop_store_test_config *config, kop_store_test_result *result) {
  const uint64_t needed = ST_NEEDS(KOP_EFFECT_ACQUIRE) | ST_NEEDS(KOP_EFFECT_APPEND) |
                          ST_NEEDS(KOP_EFFECT_READ) | ST_NEEDS(KOP_EFFECT_CREATE_TOPIC);
  if (store == NULL || store->size != sizeof *store || result == NULL ||
      result->size != sizeof *result || (config != NULL && config->size != sizeof *config))
    return KOP_ERR_INVALID;
  if (store->submit == NULL || store->poll == NULL || store->poll_events == NULL ||
      store->wait == NULL || (store->effects & needed) != needed)
    return KOP_ERR_INVALID;
  const kop_alloc *alloc = config != NULL && config->alloc != NULL ? config->alloc : NULL;
  kop_alloc own = {0};
  if (kopi_alloc_init(&own, alloc) != KOP_OK) return KOP_ERR_INVALID;
  st *t = kopi_calloc(&own, 1, sizeof *t);
  if (t == NULL) return KOP_ERR_NOMEM;
  if (config != NULL) t->config = *config;
  if (t->config.steps == 0) t->config.steps = 2000;
  t->store = store;
  t->alloc = &own;
  t->rng = t->config.seed;
  t->result = result;
  *result = (kop_store_test_result){.size = sizeof *result};
  kop_status status = set_up(t);
  if (status == KOP_OK) {
    st_checks_topics(t);
    st_checks_leadership(t);
    st_checks_append(t);
    st_checks_read(t);
    st_checks_offsets(t);
    st_checks_state(t);
    st_checks_random(t);
    st_checks_failure(t);
    st_checks_reopen(t);
  }
  tear_down(t);
  kopi_free(&own, t);
  return status;
}
