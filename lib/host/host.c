/*
 * The callback face: a loop over drained effects and a table of functions.
 *
 *   drain -> for each effect: serve(kind) -> ANSWERED: complete at once    LATER: the embedder completes
 *
 * It uses nothing but public headers, which proves that they suffice.
 */
#include <kop/host.h>
#include <stdlib.h>
#include <string.h>

struct kop_host {
  kop_alloc alloc;
  kop_host_ops ops;
  kop_engine *engine;
  int pumping;
};

static void *heap_realloc(void *user_data, void *ptr, size_t size) {
  (void)user_data;
  return realloc(ptr, size);
}

static void heap_free(void *user_data, void *ptr) {
  (void)user_data;
  free(ptr);
}

/* The host uses it before the engine has looked at it. */
static int is_usable(const kop_alloc *a) {
  return a == NULL || (a->size >= sizeof *a && a->realloc != NULL && a->free != NULL);
}

static kop_host_serve server_of(const kop_host_ops *ops, uint32_t kind) {
  switch (kind) {
  case KOP_EFFECT_SEND:
    return ops->send;
  case KOP_EFFECT_ACQUIRE:
    return ops->acquire;
  case KOP_EFFECT_CONFIRM:
    return ops->confirm;
  case KOP_EFFECT_RESIGN:
    return ops->resign;
  case KOP_EFFECT_APPEND:
    return ops->append;
  case KOP_EFFECT_READ:
    return ops->read;
  case KOP_EFFECT_LIST_OFFSETS:
    return ops->list_offsets;
  case KOP_EFFECT_DELETE_RECORDS:
    return ops->delete_records;
  case KOP_EFFECT_STATE_PUT:
    return ops->state_put;
  case KOP_EFFECT_STATE_GET:
    return ops->state_get;
  case KOP_EFFECT_ALLOCATE_PRODUCER_IDS:
    return ops->allocate_producer_ids;
  case KOP_EFFECT_LOOKUP_TOPIC:
    return ops->lookup_topic;
  case KOP_EFFECT_CREATE_TOPIC:
    return ops->create_topic;
  case KOP_EFFECT_DELETE_TOPIC:
    return ops->delete_topic;
  case KOP_EFFECT_CREATE_PARTITIONS:
    return ops->create_partitions;
  case KOP_EFFECT_ALTER_CONFIGS:
    return ops->alter_configs;
  default:
    return NULL;
  }
}

static kop_host_tell teller_of(const kop_host_ops *ops, uint32_t kind) {
  switch (kind) {
  case KOP_EFFECT_CLOSE:
    return ops->close;
  case KOP_EFFECT_RECV_PAUSE:
    return ops->recv_pause;
  case KOP_EFFECT_RECV_RESUME:
    return ops->recv_resume;
  case KOP_EFFECT_RELEASE:
    return ops->release;
  case KOP_EFFECT_LOG:
    return ops->log;
  default:
    return NULL;
  }
}

static uint64_t served(const kop_host_ops *ops) {
  uint64_t kinds = 0;
  for (uint32_t kind = 1; kind < 64; kind++) {
    if (server_of(ops, kind) != NULL || teller_of(ops, kind) != NULL) kinds |= 1ull << kind;
  }
  return kinds;
}

kop_status kop_host_new(const kop_host_ops *ops, const kop_engine_config *config, kop_now now,
                        kop_host **host) {
  *host = NULL;
  if (ops->size != sizeof *ops || config->size < sizeof *config || ops->send == NULL ||
      ops->close == NULL || ops->recv_pause == NULL || ops->recv_resume == NULL ||
      !is_usable(config->alloc)) {
    return KOP_ERR_INVALID;
  }
  kop_alloc alloc = {.size = sizeof alloc, .realloc = heap_realloc, .free = heap_free};
  if (config->alloc != NULL) alloc = *config->alloc;
  kop_host *h = alloc.realloc(alloc.user_data, NULL, sizeof *h);
  kop_engine_config *copy = alloc.realloc(alloc.user_data, NULL, config->size);
  kop_status status = KOP_ERR_NOMEM;
  if (h != NULL && copy != NULL) {
    *h = (kop_host){.alloc = alloc, .ops = *ops};
    memcpy(copy, config,
           config->size); /* with the tail that a newer caller may have: the engine looks at it */
    copy->effects = served(ops);
    status = kop_engine_new(copy, now, &h->engine);
  }
  alloc.free(alloc.user_data, copy);
  if (status != KOP_OK) {
    alloc.free(alloc.user_data, h);
    return status;
  }
  *host = h;
  return KOP_OK;
}

void kop_host_free(kop_host *host) {
  if (host == NULL) return;
  kop_engine_free(host->engine);
  kop_alloc alloc = host->alloc;
  alloc.free(alloc.user_data, host);
}

kop_engine *kop_host_engine(kop_host *host) {
  return host->engine;
}

/* The result struct of a kind, NULL if it has none. */
static const void *result_of(const kop_host_answer *a, uint32_t kind, uint32_t *size) {
  switch (kind) {
  case KOP_EFFECT_ACQUIRE:
    *size = a->acquired.size;
    return &a->acquired;
  case KOP_EFFECT_CONFIRM:
    *size = a->confirmed.size;
    return &a->confirmed;
  case KOP_EFFECT_APPEND:
    *size = a->appended.size;
    return &a->appended;
  case KOP_EFFECT_READ:
    *size = a->read.size;
    return &a->read;
  case KOP_EFFECT_LIST_OFFSETS:
    *size = a->listed.size;
    return &a->listed;
  case KOP_EFFECT_DELETE_RECORDS:
    *size = a->deleted.size;
    return &a->deleted;
  case KOP_EFFECT_STATE_GET:
    *size = a->state.size;
    return &a->state;
  case KOP_EFFECT_ALLOCATE_PRODUCER_IDS:
    *size = a->ids.size;
    return &a->ids;
  default:
    *size = 0;
    return NULL;
  }
}

static kop_status serve(kop_host *h, kop_host_serve function, const kop_effect *effect,
                        kop_now now) {
  kop_host_answer a = {
      .size = sizeof a,
      .acquired = {.size = sizeof a.acquired},
      .confirmed = {.size = sizeof a.confirmed},
      .appended = {.size = sizeof a.appended},
      .read = {.size = sizeof a.read},
      .listed = {.size = sizeof a.listed},
      .deleted = {.size = sizeof a.deleted},
      .state = {.size = sizeof a.state},
      .ids = {.size = sizeof a.ids},
  };
  if (function(h->ops.user_data, effect, &a) != KOP_HOST_ANSWERED) return KOP_OK;
  kop_completion c = {
      .token = effect->token, .outcome = a.outcome, .kafka_error = a.kafka_error, .flags = a.flags};
  if (a.outcome == KOP_DONE) c.body = result_of(&a, effect->kind, &c.body_size);
  return kop_engine_complete(h->engine, &c, sizeof c, 1, now);
}

kop_status kop_host_pump(kop_host *host, kop_now now) {
  if (host->pumping) return KOP_ERR_STATE;
  host->pumping = 1;
  kop_status first = KOP_OK;
  const kop_effect *effects = NULL;
  size_t n = 0;
  while ((n = kop_engine_drain(host->engine, &effects)) > 0) {
    for (size_t i = 0; i < n; i++) {
      kop_host_serve function = server_of(&host->ops, effects[i].kind);
      kop_host_tell tell = teller_of(&host->ops, effects[i].kind);
      kop_status status = KOP_OK;
      if (function != NULL) status = serve(host, function, &effects[i], now);
      if (tell != NULL) tell(host->ops.user_data, &effects[i]);
      if (first == KOP_OK) first = status;
    }
  }
  host->pumping = 0;
  return first;
}
