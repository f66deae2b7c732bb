/* The engine's life: making it, answering effects, time, ending. */
#include "engine/engine.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/auto_create.h"
#include "engine/cluster.h"
#include "engine/conn.h"
#include "engine/fetch_session.h"
#include "engine/growth.h"
#include "engine/partition.h"
#include "engine/read.h"
#include "engine/replies.h"
#include "engine/request.h"
#include "engine/topic.h"

enum {
  KEPT_BLOCK_BYTES = 64 << 20, /* frame memory that a busy engine keeps; see trim.h */
  LOG_LINES_WAITING = 256
};

static const uint64_t RESERVED_KINDS =
    1ull << KOP_EFFECT_AUTHENTICATE | 1ull << KOP_EFFECT_AUTHORIZE |
    1ull << KOP_EFFECT_OFFSETS_COMMITTED | 1ull << KOP_EFFECT_PEER;
static const uint64_t KNOWN_KINDS = (1ull << (KOP_EFFECT_LOG + 1)) - 2;
/* Without these there is no engine. */
static const uint64_t NEEDED_KINDS = 1ull << KOP_EFFECT_SEND | 1ull << KOP_EFFECT_CLOSE |
                                     1ull << KOP_EFFECT_RECV_PAUSE | 1ull << KOP_EFFECT_RECV_RESUME;

/* ---- making ---- */

kop_status kop_engine_config_init(kop_engine_config *config, size_t size) {
  if (size < sizeof *config) return KOP_ERR_INVALID;
  memset(config, 0, size);
  *config = (kop_engine_config){
      .size = size,
      .effects = KNOWN_KINDS,
      .max_connections = 10000,
      .max_requests_per_connection = 64,
      .max_connection_bytes = 128ull << 20,
      .max_frame_bytes_total = 256ull << 20,
      .max_small_bytes_total = 64ull << 20,
      .max_lent_bytes = 256ull << 20,
      .kept_read_bytes = 16ull << 20,
      .max_partitions = 200000,
      .max_effects = 1024,
      .max_fetch_sessions = 1000,
      .idle_ns = 600ull * 1000000000u,
      .state_every_bytes = 64ull << 20,
      .stalled_frame_ns = 30ull * 1000000000u,
      .max_parked_bytes_total = 256ull << 20,
      .max_reply_bytes_total = 256ull << 20,
  };
  return KOP_OK;
}

/* A caller with newer headers may have fields that this library does not know; they must be zero. */
static bool tail_is_zero(const kop_engine_config *c) {
  const uint8_t *bytes = (const uint8_t *)c;
  for (size_t i = sizeof *c; i < c->size; i++) {
    if (bytes[i] != 0) return false;
  }
  return c->size >= sizeof *c;
}

static bool usable(const kop_engine_config *c) {
  return tail_is_zero(c) && (c->effects & ~KNOWN_KINDS) == 0 &&
         (c->effects & RESERVED_KINDS) == 0 && (c->effects & NEEDED_KINDS) == NEEDED_KINDS &&
         c->reserved0 == 0 && c->max_connections > 0 && c->max_requests_per_connection > 0 &&
         c->max_effects > 0 && c->max_partitions > 0 && c->node_id >= 0 &&
         c->state_every_bytes > 0 && c->max_reply_bytes_total > 0;
}

/* Copies what the config points to into one allocation of the engine. */
static kop_status adopt(kop_engine *e, const kop_engine_config *from) {
  size_t need = from->cluster_id.len + from->log_dir.len + 1;
  uint32_t n = from->broker_configs_count;
  for (uint32_t i = 0; i < n; i++)
    need += from->broker_configs[i].name.len + from->broker_configs[i].value.len;
  size_t entries = n * sizeof(kop_config_entry);
  e->adopted = kopi_malloc(&e->alloc, entries + need);
  if (e->adopted == NULL) return KOP_ERR_NOMEM;
  kop_config_entry *to = e->adopted;
  uint8_t *at = (uint8_t *)e->adopted + entries;
  e->cfg.cluster_id = kopi_copy_slice(&at, from->cluster_id);
  e->cfg.log_dir = kopi_copy_slice(&at, from->log_dir);
  for (uint32_t i = 0; i < n; i++) {
    kop_config_entry entry = {.name = kopi_copy_slice(&at, from->broker_configs[i].name),
                              .value = kopi_copy_slice(&at, from->broker_configs[i].value)};
    uint32_t place = i;
    for (; place > 0 && kopi_slice_compare(to[place - 1].name, entry.name) > 0; place--)
      to[place] = to[place - 1];
    to[place] = entry;
  }
  e->cfg.broker_configs = to;
  kop_slice bad = {.ptr = NULL};
  return kopi_settings_init(&e->settings, to, n, &bad);
}

static void on_kept(kop_engine *e, kopi_alarm *alarm, kop_now now) {
  (void)alarm;
  kopi_reads_expire(e, now);
}

static void init_fields(kop_engine *e) {
  kopi_blocks_init(&e->blocks, &e->alloc, KEPT_BLOCK_BYTES);
  kopi_map_u64_init(&e->conns, &e->alloc, e->cfg.seed);
  kopi_map_u64_init(&e->partitions, &e->alloc, e->cfg.seed);
  kopi_map_u64_init(&e->sessions, &e->alloc, e->cfg.seed);
  kopi_map_bytes_init(&e->topics_by_name, &e->alloc, e->cfg.seed);
  kopi_map_bytes_init(&e->topics_by_id, &e->alloc, e->cfg.seed);
  kopi_map_bytes_init(&e->growths, &e->alloc, e->cfg.seed);
  kopi_list_init(&e->all_conns);
  kopi_list_init(&e->all_requests);
  kopi_list_init(&e->all_reads);
  kopi_list_init(&e->dropped);
  kopi_list_init(&e->room_waiters);
  kopi_list_init(&e->room_newcomers);
  kopi_list_init(&e->session_lru);
  for (size_t i = 0; i < KOPI_POOLS; i++)
    kopi_list_init(&e->pools[i].waiting);
  kopi_list_init(&e->replies.first);
  kopi_list_init(&e->replies.more);
  e->kept_alarm.fire = on_kept;
  e->session_random = e->cfg.seed;
  e->controller_id = -1;
  e->volume_total = -1;
  e->volume_usable = -1;
  e->cfg.alloc = &e->alloc;
}

kop_status kop_engine_new(const kop_engine_config *config, kop_now now, kop_engine **engine) {
  (void)now;
  *engine = NULL;
  if (config == NULL || !usable(config)) return KOP_ERR_INVALID;
  kop_alloc alloc;
  kop_status status = kopi_alloc_init(&alloc, config->alloc);
  if (status != KOP_OK) return status;
  kop_engine *e = kopi_calloc(&alloc, 1, sizeof *e);
  if (e == NULL) return KOP_ERR_NOMEM;
  e->alloc = alloc;
  e->cfg = *config;
  init_fields(e);
  status = kopi_ops_init(&e->ops, &e->alloc, config->max_effects);
  if (status == KOP_OK) status = adopt(e, config);
  kop_record_ctx_config records;
  kop_record_ctx_config_init(&records, sizeof records);
  records.alloc = &e->alloc;
  /* nobody can send more uncompressed, so no more is unpacked: a small batch must not cost seconds */
  records.max_decompressed_bytes = (uint64_t)e->settings.socket_request_max_bytes;
  if (status == KOP_OK) status = kop_record_ctx_new(&records, &e->records);
  if (status != KOP_OK) {
    kop_engine_free(e);
    return status;
  }
  uint64_t request_max = (uint64_t)e->settings.socket_request_max_bytes;
  uint64_t large = config->max_frame_bytes_total;
  e->pools[KOPI_POOL_SMALL].limit = config->max_small_bytes_total;
  e->pools[KOPI_POOL_LARGE].limit = large < request_max ? request_max : large;
  e->pools[KOPI_POOL_PARKED].limit = config->max_parked_bytes_total;
  *engine = e;
  return KOP_OK;
}

static void free_log_lines(kop_engine *e, kopi_log_text **lines) {
  while (*lines != NULL) {
    kopi_log_text *next = (*lines)->next;
    kopi_free(&e->alloc, *lines);
    *lines = next;
  }
}

void kop_engine_free(kop_engine *e) {
  if (e == NULL) return;
  kopi_timer *t;
  while ((t = kopi_heap_first(&e->timers)) != NULL)
    kopi_heap_cancel(&e->timers, t);
  kopi_requests_free(
      e); /* ends the sets of fetches without a session, so nothing may follow their links after it */
  kopi_fetch_sessions_forget(e);
  free_log_lines(e, &e->log_lines);
  free_log_lines(e, &e->shown_lines);
  kopi_conns_free(e);
  kopi_auto_create_free(e);
  kopi_growths_free(e);
  kopi_topics_free(e);
  kopi_reads_free(e);
  kopi_cluster_free(e);
  kopi_blocks_free(&e->blocks);
  kopi_ops_free(&e->ops);
  kop_record_ctx_free(e->records);
  kopi_free(&e->alloc, e->adopted);
  kop_alloc alloc = e->alloc;
  kopi_free(&alloc, e);
}

/* ---- helpers of all files ---- */

kop_slice kopi_copy_slice(uint8_t **at, kop_slice from) {
  if (from.len > 0) memcpy(*at, from.ptr, from.len);
  kop_slice to = {.ptr = *at, .len = from.len};
  *at += from.len;
  return to;
}

bool kopi_serves(const kop_engine *e, uint64_t kinds) {
  return (e->cfg.effects & kinds) == kinds;
}

void kopi_alarm_set(kop_engine *e, kopi_alarm *alarm, uint64_t mono_ns) {
  kopi_heap_set(&e->timers, &alarm->timer, mono_ns);
}

void kopi_alarm_cancel(kop_engine *e, kopi_alarm *alarm) {
  kopi_heap_cancel(&e->timers, &alarm->timer);
}

kop_status kopi_fail(kop_engine *e, kop_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  (void)vsnprintf(e->error_text, sizeof e->error_text, format, args);
  va_end(args);
  return status;
}

void kopi_log(kop_engine *e, uint32_t level, const char *format, ...) {
  if (!kopi_serves(e, 1ull << KOP_EFFECT_LOG)) return;
  kopi_op *op = e->log_lines_len < LOG_LINES_WAITING
                    ? kopi_op_new(&e->ops, KOP_EFFECT_LOG, 0, NULL, NULL)
                    : NULL;
  kopi_log_text *text = op == NULL ? NULL : kopi_malloc(&e->alloc, sizeof *text);
  if (text == NULL) {
    kopi_op_discard(&e->ops, op);
    e->log_dropped++;
    return;
  }
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text->bytes, sizeof text->bytes, format, args);
  va_end(args);
  size_t len = n < 0 ? 0 : (size_t)n;
  if (len >= sizeof text->bytes) len = sizeof text->bytes - 1;
  for (size_t i = 0; i < len; i++) { /* a name from the peer must not break the line */
    if ((uint8_t)text->bytes[i] < 0x20 || text->bytes[i] == 0x7f) text->bytes[i] = '?';
  }
  text->next = e->log_lines;
  e->log_lines = text;
  e->log_lines_len++;
  op->body.log.level = level;
  op->body.log.text = (kop_slice){.ptr = (const uint8_t *)text->bytes, .len = len};
  op->body.log.dropped = e->log_dropped;
  e->log_dropped = 0;
  kopi_op_emit(&e->ops, op);
}

/* ---- answers ---- */

/* The least body of a result with KOP_DONE. */
static uint32_t result_size(uint32_t kind) {
  switch (kind) {
  case KOP_EFFECT_ACQUIRE:
    return sizeof(kop_acquired);
  case KOP_EFFECT_CONFIRM:
    return sizeof(kop_confirmed);
  case KOP_EFFECT_APPEND:
    return sizeof(kop_appended);
  case KOP_EFFECT_READ:
    return sizeof(kop_read_result);
  case KOP_EFFECT_LIST_OFFSETS:
    return sizeof(kop_listed);
  case KOP_EFFECT_DELETE_RECORDS:
    return sizeof(kop_records_deleted);
  case KOP_EFFECT_STATE_GET:
    return sizeof(kop_state_result);
  case KOP_EFFECT_ALLOCATE_PRODUCER_IDS:
    return sizeof(kop_producer_ids);
  default:
    return 0;
  }
}

static bool batches_ok(const kop_read_result *result) {
  for (uint32_t i = 0; i < result->batches_count; i++) {
    const kop_read_batch *b = &result->batches[i];
    if (b->slices_count == 0 || b->slices[0].len < KOP_BATCH_HEAD_SIZE || b->base_offset < 0)
      return false;
  }
  return result->batches_count == 0 || result->batches != NULL;
}

/* What is wrong with an answer, NULL if nothing is. */
static const char *fault(const kopi_op *op, const kop_completion *c) {
  if (c->outcome < KOP_DONE || c->outcome > KOP_NOT_FOUND) return "no such outcome";
  if (c->outcome == KOP_REJECTED && c->kafka_error == 0) return "KOP_REJECTED without an error";
  bool may_lend = op->kind == KOP_EFFECT_READ && (op->flags & KOP_READ_MAY_LEND) != 0;
  if ((c->flags & KOP_COMPLETION_LENT) != 0 && (!may_lend || c->outcome != KOP_DONE)) {
    return "KOP_COMPLETION_LENT where nothing may be lent";
  }
  if (c->outcome != KOP_DONE) return NULL;
  uint32_t need = result_size(op->kind);
  if (need > 0 && (c->body == NULL || c->body_size < need))
    return "a body that is missing or too small";
  if (op->kind == KOP_EFFECT_READ && !batches_ok(c->body))
    return "a batch whose first slice has no whole head";
  if (op->kind == KOP_EFFECT_APPEND && ((const kop_appended *)c->body)->base_offset < 0)
    return "a negative offset";
  return NULL;
}

static kop_status complete_one(kop_engine *e, const kop_completion *c, kop_now now) {
  kopi_op *op = kopi_op_find(&e->ops, c->token);
  if (op == NULL)
    return kopi_fail(e, KOP_ERR_NOT_FOUND, "no open token %llu", (unsigned long long)c->token);
  const char *why = fault(op, c);
  kop_completion replaced = {.token = c->token, .outcome = KOP_CANCELLED};
  if (why != NULL) {
    if (op->kind == KOP_EFFECT_APPEND) replaced.outcome = KOP_UNKNOWN;
    c = &replaced;
  }
  kop_status status =
      why == NULL ? KOP_OK
                  : kopi_fail(e, KOP_ERR_INVALID, "effect kind %u answered with %s", op->kind, why);
  kopi_op_complete(&e->ops, op, e, c, now);
  return status;
}

kop_status kop_engine_complete(kop_engine *e, const kop_completion *items, size_t item_size,
                               size_t n, kop_now now) {
  if (item_size < sizeof *items)
    return kopi_fail(e, KOP_ERR_INVALID, "item_size is less than kop_completion");
  kop_status first = KOP_OK;
  const uint8_t *at = (const uint8_t *)items;
  for (size_t i = 0; i < n; i++, at += item_size) {
    kop_completion c;
    memcpy(&c, at, sizeof c);
    kop_status status = complete_one(e, &c, now);
    if (first == KOP_OK) first = status;
  }
  kopi_settle(e, now);
  return first;
}

/* ---- events ---- */

kop_status kop_engine_push(kop_engine *e, const kop_event *event, kop_now now) {
  static const uint32_t LEAST[] = {
      [KOP_EVENT_NODES] = sizeof(kop_nodes),          [KOP_EVENT_TOPIC] = sizeof(kop_topic),
      [KOP_EVENT_TOPIC_GONE] = sizeof(kop_topic_ref), [KOP_EVENT_LEADER] = sizeof(kop_leader),
      [KOP_EVENT_LOG] = sizeof(kop_log_state),        [KOP_EVENT_VOLUME] = sizeof(kop_volume),
  };
  if (event->size < sizeof *event || event->kind == 0 || event->kind > KOP_EVENT_VOLUME ||
      event->body == NULL || event->body_size < LEAST[event->kind]) {
    return kopi_fail(e, KOP_ERR_INVALID, "an event of an unknown kind or with too small a body");
  }
  kop_status status = KOP_OK;
  switch (event->kind) {
  case KOP_EVENT_NODES:
    status = kopi_push_nodes(e, event->body);
    break;
  case KOP_EVENT_TOPIC:
    status = kopi_push_topic(e, event->body, now);
    break;
  case KOP_EVENT_TOPIC_GONE:
    status = kopi_push_topic_gone(e, event->body, now);
    break;
  case KOP_EVENT_LEADER:
    status = kopi_push_leader(e, event->body, now);
    break;
  case KOP_EVENT_LOG:
    status = kopi_push_log_state(e, event->body, now);
    break;
  default:
    e->volume_total = ((const kop_volume *)event->body)->total_bytes;
    e->volume_usable = ((const kop_volume *)event->body)->usable_bytes;
    break;
  }
  kopi_settle(e, now);
  return status;
}

/* ---- time and output ---- */

void kop_engine_tick(kop_engine *e, kop_now now) {
  kopi_timer *t;
  while ((t = kopi_heap_pop_due(&e->timers, now.mono_ns)) != NULL) {
    kopi_alarm *alarm = KOPI_CONTAINER_OF(t, kopi_alarm, timer);
    alarm->fire(e, alarm, now);
  }
  kopi_settle(e, now);
}

uint64_t kop_engine_deadline(const kop_engine *e) {
  return kopi_heap_deadline(&e->timers);
}

size_t kop_engine_drain(kop_engine *e, const kop_effect **effects) {
  kopi_conns_bury(e);
  free_log_lines(e, &e->shown_lines);
  if (e->ops.queued <= e->ops.out_cap) { /* every line that waits is shown now */
    e->shown_lines = e->log_lines;
    e->log_lines = NULL;
    e->log_lines_len = 0;
  }
  return kopi_ops_drain(&e->ops, effects);
}

/* ---- ending ---- */

void kop_engine_shutdown(kop_engine *e, kop_now now) {
  if (e->shutting_down) return;
  e->shutting_down = true;
  kopi_fetch_end_waiting(e, now);
  for (uint32_t i = 0; i < e->topics_len; i++) {
    for (uint32_t j = 0; j < e->topics[i]->partitions_len; j++) {
      kopi_partition *p = e->topics[i]->partitions[j];
      kopi_partition_assign(e, p, p->leader, p->leader_epoch, now);
    }
  }
  kopi_conns_shutdown(e, now);
  kopi_settle(e, now);
}

int32_t kop_engine_is_idle(const kop_engine *e) {
  return e->ops.open == 0 && e->ops.queued == 0 && kopi_map_u64_len(&e->conns) == 0;
}

kop_status kop_engine_stats_get(const kop_engine *e, kop_engine_stats *stats, size_t size) {
  if (size < sizeof(size_t)) return KOP_ERR_INVALID;
  kop_engine_stats all = e->stats;
  all.size = size;
  all.connections = kopi_map_u64_len(&e->conns);
  all.lent_bytes = e->lent_bytes + e->kept_bytes;
  all.reply_bytes = e->replies.held;
  memcpy(stats, &all, size < sizeof all ? size : sizeof all);
  return KOP_OK;
}

const char *kop_engine_error_text(const kop_engine *e) {
  return e->error_text;
}
