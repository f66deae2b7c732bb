/* The session: making it, time, ending, numbers. */
#include "pulsar/session.h"

#include <string.h>

#include "base/sized.h"
#include "pulsar/session_attach.h"
#include "pulsar/session_conn.h"
#include "pulsar/session_consume.h"
#include "pulsar/session_consumer.h"
#include "pulsar/session_producer.h"
#include "pulsar/session_request.h"

enum {
  KEPT_BLOCK_BYTES = 1 << 20, /* receive memory that an idle session keeps */
  DECODED_MORE = 64 << 10,    /* what a decoded command may take in any case */
  DECODED_TIMES = 16          /* and how much larger than its frame it may become */
};

/* ---- making ---- */

static kop_slice text_slice(const char *text) {
  return (kop_slice){.ptr = (const uint8_t *)text, .len = strlen(text)};
}

kop_status kop_pulsar_session_config_init(kop_pulsar_session_config *config, size_t size) {
  if (config == NULL || size < sizeof(size_t)) return KOP_ERR_INVALID;
  const uint64_t second = 1000000000;
  kop_pulsar_session_config defaults = {
      .size = size,
      .max_connections = 256,
      .max_producers = 20000,
      .max_consumers = 200000,
      .max_requests = 10000,
      .max_opening = 1000,
      .max_pending_sends = 100000,
      .max_pending_bytes = 256ull << 20,
      .max_receive_bytes = 128ull << 20,
      .max_control_bytes = 8ull << 20,
      .max_frame_bytes = (5u << 20) + (10u << 10),
      .max_effects = 256,
      .connect_ns = 10 * second,
      .operation_ns = 30 * second,
      .send_ns = 30 * second,
      .keep_alive_ns = 30 * second,
      .idle_ns = 60 * second,
      .backoff_min_ns = second / 10,
      .backoff_max_ns = 30 * second,
  };
  kopi_sized_defaults(config, size, &defaults, sizeof defaults);
  return KOP_OK;
}

static bool usable(const kop_pulsar_session_config *c) {
  return c->max_connections > 0 && c->max_producers > 0 && c->max_consumers > 0 &&
         c->max_requests > 0 && c->max_opening > 0 && c->max_pending_sends > 0 &&
         c->max_pending_bytes > 0 && c->max_receive_bytes > 0 && c->max_control_bytes > 0 &&
         c->max_frame_bytes >= 1024 && c->max_frame_bytes <= 1u << 30 && c->max_effects > 0 &&
         c->connect_ns > 0 && c->operation_ns > 0 && c->send_ns > 0 && c->keep_alive_ns > 0 &&
         c->backoff_min_ns > 0 && c->backoff_max_ns >= c->backoff_min_ns;
}

/* One allocation for the texts of the config. */
static kop_status adopt(kopi_ps *s) {
  kop_pulsar_session_config *c = &s->cfg;
  kop_slice version = text_slice(kop_version_string());
  kop_slice name = text_slice("libkop ");
  size_t need =
      c->client_version.len + c->listener_name.len + c->auth_method.len + name.len + version.len;
  uint8_t *at = kopi_malloc(&s->alloc, need);
  if (at == NULL) return KOP_ERR_NOMEM;
  s->adopted = at;
  if (c->client_version.ptr == NULL) {
    c->client_version = kopi_ps_text_copy(&at, name);
    c->client_version.len += kopi_ps_text_copy(&at, version).len;
  } else {
    c->client_version = kopi_ps_text_copy(&at, c->client_version);
  }
  c->listener_name = kopi_ps_text_copy(&at, c->listener_name);
  c->auth_method = kopi_ps_text_copy(&at, c->auth_method);
  kop_slice data = c->auth_data;
  c->auth_data = (kop_slice){.ptr = NULL};
  c->alloc = &s->alloc;
  return data.ptr == NULL ? KOP_OK : kop_pulsar_auth_update(s, data);
}

static kop_status read_service(kopi_ps *s) {
  kop_slice url = s->cfg.service_url;
  s->cfg.service_url = (kop_slice){.ptr = NULL};
  kop_status status = kopi_ps_url_scheme(&url, &s->service.tls);
  if (status != KOP_OK) return status;
  uint32_t n = 1;
  for (size_t i = 0; i < url.len; i++)
    n += url.ptr[i] == ',';
  s->service.list = kopi_calloc(&s->alloc, n, sizeof *s->service.list);
  if (s->service.list == NULL) return KOP_ERR_NOMEM;
  for (uint32_t i = 0; i < n && status == KOP_OK; i++)
    status = kopi_ps_address_next(&url, s->service.tls, &s->service.list[i]);
  s->service.len = n;
  s->service.at = (uint32_t)(kopi_ps_random(s) % n);
  return status;
}

static void init_fields(kopi_ps *s) {
  uint64_t seed = s->cfg.seed;
  kopi_map_u64_init(&s->kept, &s->alloc, seed);
  kopi_map_u64_init(&s->conns_by_id, &s->alloc, seed);
  kopi_map_u64_init(&s->tasks, &s->alloc, seed);
  kopi_map_u64_init(&s->producers, &s->alloc, seed);
  kopi_map_u64_init(&s->consumers, &s->alloc, seed);
  kopi_map_u64_init(&s->requests, &s->alloc, seed);
  kopi_list_init(&s->news);
  kopi_list_init(&s->shown);
  kopi_list_init(&s->conns);
  kopi_list_init(&s->all_producers);
  kopi_list_init(&s->all_consumers);
  kopi_list_init(&s->all_requests);
  kopi_list_init(&s->turns);
  kopi_list_init(&s->thirsty);
  kopi_blocks_init(&s->blocks, &s->alloc, KEPT_BLOCK_BYTES);
  kopi_proto_arena_init(&s->decoded, &s->alloc,
                        DECODED_MORE + DECODED_TIMES * (size_t)s->cfg.max_frame_bytes);
  kopi_arena_init(&s->texts, &s->alloc, DECODED_MORE + 2 * (size_t)s->cfg.max_control_bytes);
  kopi_buf_init(&s->encoded, &s->alloc, (size_t)s->cfg.max_control_bytes);
  s->random = seed;
}

kop_status kop_pulsar_session_new(const kop_pulsar_session_config *config,
                                  kop_pulsar_session **out) {
  *out = NULL;
  kop_pulsar_session_config cfg;
  kop_pulsar_session_config_init(&cfg, sizeof cfg);
  if (config == NULL || kopi_sized_load(&cfg, sizeof cfg, config) != KOP_OK || !usable(&cfg))
    return KOP_ERR_INVALID;
  kop_alloc alloc;
  kop_status status = kopi_alloc_init(&alloc, cfg.alloc);
  if (status != KOP_OK) return status;
  kopi_ps *s = kopi_calloc(&alloc, 1, sizeof *s);
  if (s == NULL) return KOP_ERR_NOMEM;
  s->alloc = alloc;
  s->cfg = cfg;
  init_fields(s);
  s->effects = kopi_calloc(&s->alloc, cfg.max_effects, sizeof *s->effects);
  s->bodies = kopi_calloc(&s->alloc, cfg.max_effects, sizeof *s->bodies);
  s->lent = kopi_calloc(&s->alloc, cfg.max_effects, sizeof(*s->lent));
  status = s->effects == NULL || s->bodies == NULL || s->lent == NULL ? KOP_ERR_NOMEM : KOP_OK;
  if (status == KOP_OK) status = read_service(s);
  if (status == KOP_OK) status = adopt(s);
  if (status != KOP_OK) {
    kop_pulsar_session_free(s);
    return status == KOP_ERR_NOT_FOUND ? KOP_ERR_INVALID : status;
  }
  *out = s;
  return KOP_OK;
}

/* Not optimised away: nobody reads the bytes afterwards. */
static void wipe(kopi_ps_blob *blob) {
  volatile uint8_t *p = blob->bytes;
  for (size_t i = 0; i < blob->len; i++)
    p[i] = 0;
}

void kop_pulsar_session_free(kop_pulsar_session *s) {
  if (s == NULL) return;
  kopi_ps_bury_shown(s);
  kopi_ps_bury_news(s);
  kopi_ps_requests_free(s);
  kopi_ps_producers_free(s);
  kopi_ps_consumers_free(s);
  kopi_ps_arrivals_free(s);
  kopi_link *link;
  while ((link = kopi_list_first(&s->conns)) != NULL)
    kopi_ps_conn_free(s, KOPI_CONTAINER_OF(link, kopi_ps_conn, link));
  kopi_ps_bury_shown(s);
  if (s->auth_data != NULL) wipe(s->auth_data);
  kopi_free(&s->alloc, s->auth_data);
  kopi_map_u64_free(&s->kept);
  kopi_map_u64_free(&s->conns_by_id);
  kopi_map_u64_free(&s->tasks);
  kopi_map_u64_free(&s->producers);
  kopi_map_u64_free(&s->consumers);
  kopi_map_u64_free(&s->requests);
  kopi_blocks_free(&s->blocks);
  kopi_proto_arena_free(&s->decoded);
  kopi_arena_free(&s->texts);
  kopi_buf_free(&s->encoded);
  kopi_free(&s->alloc, s->service.list);
  kopi_free(&s->alloc, s->adopted);
  kopi_free(&s->alloc, s->effects);
  kopi_free(&s->alloc, s->bodies);
  kopi_free(&s->alloc, s->lent);
  kop_alloc alloc = s->alloc;
  kopi_free(&alloc, s);
}

kop_status kop_pulsar_auth_update(kop_pulsar_session *s, kop_slice data) {
  kopi_ps_blob *blob = kopi_ps_blob_new(s, data);
  if (blob == NULL) return KOP_ERR_NOMEM;
  if (s->auth_data != NULL) {
    wipe(s->auth_data);
    kopi_free(&s->alloc, s->auth_data);
  }
  s->auth_data = blob;
  return KOP_OK;
}

/* ---- time ---- */

uint64_t kopi_ps_after(const kopi_ps *s, uint64_t ns) {
  return ns > UINT64_MAX - s->now ? UINT64_MAX : s->now + ns;
}

void kopi_ps_alarm_set(kopi_ps *s, kopi_ps_alarm *alarm, uint64_t in_ns,
                       void (*fire)(kopi_ps *s, kopi_ps_alarm *alarm)) {
  alarm->fire = fire;
  kopi_heap_set(&s->timers, &alarm->timer, kopi_ps_after(s, in_ns));
}

void kopi_ps_alarm_cancel(kopi_ps *s, kopi_ps_alarm *alarm) {
  kopi_heap_cancel(&s->timers, &alarm->timer);
}

void kop_pulsar_tick(kop_pulsar_session *s, kop_now now) {
  s->now = now.mono_ns;
  kopi_timer *t;
  while ((t = kopi_heap_pop_due(&s->timers, now.mono_ns)) != NULL) {
    kopi_ps_alarm *alarm = KOPI_CONTAINER_OF(t, kopi_ps_alarm, timer);
    alarm->fire(s, alarm);
  }
}

uint64_t kop_pulsar_deadline(const kop_pulsar_session *s) {
  return kopi_heap_deadline(&s->timers);
}

/* splitmix64 */
uint64_t kopi_ps_random(kopi_ps *s) {
  uint64_t z = (s->random += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

uint64_t kopi_ps_backoff(kopi_ps *s, uint32_t failures) {
  uint64_t wait = s->cfg.backoff_min_ns;
  for (uint32_t i = 1; i < failures && wait < s->cfg.backoff_max_ns; i++)
    wait = wait > s->cfg.backoff_max_ns / 2 ? s->cfg.backoff_max_ns : wait * 2;
  uint64_t tenth = wait / 10;
  return tenth == 0 ? wait : wait - kopi_ps_random(s) % tenth;
}

/* ---- bytes and reasons that live until a drain ---- */

kopi_ps_blob *kopi_ps_blob_new(kopi_ps *s, kop_slice bytes) {
  if (bytes.len > SIZE_MAX / 2) return NULL;
  kopi_ps_blob *blob = kopi_malloc(&s->alloc, sizeof *blob + bytes.len);
  if (blob == NULL) return NULL;
  blob->next = NULL;
  blob->len = bytes.len;
  if (bytes.len > 0) memcpy(blob->bytes, bytes.ptr, bytes.len);
  return blob;
}

void kopi_ps_blob_drop(kopi_ps *s, kopi_ps_blob *blob) {
  if (blob == NULL) return;
  blob->next = s->garbage;
  s->garbage = blob;
}

kop_slice kopi_ps_blob_slice(const kopi_ps_blob *blob) {
  if (blob == NULL) return (kop_slice){.ptr = NULL};
  return (kop_slice){.ptr = blob->bytes, .len = blob->len};
}

kop_slice kopi_ps_text_copy(uint8_t **at, kop_slice from) {
  if (from.ptr == NULL) return from;
  kop_slice to = {.ptr = *at, .len = from.len};
  if (from.len > 0) memcpy(*at, from.ptr, from.len);
  *at += from.len;
  return to;
}

size_t kopi_ps_texts_size(const kop_pulsar_property *properties, uint32_t n) {
  size_t size = n * sizeof *properties;
  for (uint32_t i = 0; i < n; i++)
    size += properties[i].key.len + properties[i].value.len;
  return size;
}

kop_pulsar_property *kopi_ps_texts_copy(uint8_t **at, const kop_pulsar_property *properties,
                                        uint32_t n) {
  kop_pulsar_property *to = (kop_pulsar_property *)(void *)*at;
  *at += n * sizeof *to;
  for (uint32_t i = 0; i < n; i++) {
    to[i].key = kopi_ps_text_copy(at, properties[i].key);
    to[i].value = kopi_ps_text_copy(at, properties[i].value);
  }
  return to;
}

kopi_ps_why kopi_ps_why_text(int32_t outcome, const char *text) {
  return (kopi_ps_why){
      .outcome = outcome, .server_error = KOP_PULSAR_NO_ERROR, .text = text_slice(text)};
}

void kopi_ps_why_keep(kopi_ps *s, kopi_ps_kept_why *to, const kopi_ps_why *why) {
  kopi_ps_blob_drop(s, to->text);
  kop_slice text = why->text;
  if (text.len > KOPI_PS_TEXT_MAX) text.len = KOPI_PS_TEXT_MAX;
  to->outcome = why->outcome;
  to->server_error = why->server_error;
  to->text = text.len == 0 ? NULL : kopi_ps_blob_new(s, text);
}

kopi_ps_why kopi_ps_why_of(const kopi_ps_kept_why *kept) {
  return (kopi_ps_why){.outcome = kept->outcome,
                       .server_error = kept->server_error,
                       .text = kopi_ps_blob_slice(kept->text)};
}

/* ---- ending ---- */

void kopi_ps_end_if_done(kopi_ps *s) {
  if (!s->shutting_down || !kopi_list_empty(&s->all_producers) ||
      !kopi_list_empty(&s->all_consumers) || !kopi_list_empty(&s->all_requests))
    return;
  kopi_link *next;
  for (kopi_link *link = s->conns.next; link != &s->conns; link = next) {
    next = link->next;
    kopi_ps_conn_fail_text(s, KOPI_CONTAINER_OF(link, kopi_ps_conn, link), KOP_PULSAR_CANCELLED,
                           "the session ends");
  }
}

void kop_pulsar_shutdown(kop_pulsar_session *s, kop_now now) {
  s->now = now.mono_ns;
  if (s->shutting_down) return;
  kopi_ps_attach_close_all(s, &s->all_producers);
  kopi_ps_attach_close_all(s, &s->all_consumers);
  kopi_ps_requests_shutdown(s);
  s->shutting_down = true;
  kopi_ps_end_if_done(s);
}

int32_t kop_pulsar_is_idle(const kop_pulsar_session *s) {
  return kopi_list_empty(&s->conns) && kopi_list_empty(&s->all_producers) &&
         kopi_list_empty(&s->all_consumers) && kopi_list_empty(&s->all_requests) &&
         kopi_list_empty(&s->news);
}

kop_status kop_pulsar_session_stats_get(const kop_pulsar_session *s,
                                        kop_pulsar_session_stats *stats, size_t size) {
  if (stats == NULL || size < sizeof(size_t)) return KOP_ERR_INVALID;
  kop_pulsar_session_stats now = s->stats;
  now.size = size;
  now.producers = kopi_map_u64_len(&s->producers);
  now.consumers = kopi_map_u64_len(&s->consumers);
  now.requests = kopi_map_u64_len(&s->requests);
  kopi_sized_defaults(stats, size, &now, sizeof now);
  return KOP_OK;
}
