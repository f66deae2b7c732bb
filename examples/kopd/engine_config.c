/*
 * Every broker setting that was given goes to the engine, so that DescribeConfigs shows what is in
 * force.
 */
#include "engine_config.h"

#include <kop/config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

static kop_slice slice_of(const char *text) {
  return (kop_slice){(const uint8_t *)text, strlen(text)};
}

/*
 * The settings of kop/config.h among those that were given. *count receives how many; NULL if
 * memory is refused.
 */
static kop_config_entry *broker_settings(const kopd_properties *s, uint32_t *count) {
  kop_config_entry *entries = calloc(s->count + 1, sizeof *entries);
  if (entries == NULL) return NULL;
  for (size_t i = 0; i < s->count; i++) {
    kop_config_info info = {.size = sizeof info};
    kop_slice name = slice_of(s->items[i].name);
    if (kop_config_find(KOP_CONFIG_BROKER, name, &info) == KOP_OK)
      entries[(*count)++] = (kop_config_entry){name, slice_of(s->items[i].value)};
  }
  return entries;
}

static int64_t number(const kopd_properties *s, const char *name, int64_t otherwise) {
  const kopd_property *given = kopd_properties_get(s, name);
  return given != NULL ? strtoll(given->value, NULL, 10) : otherwise;
}

static uint64_t idle_ns(const kopd_properties *s) {
  int64_t ms = number(s, "connections.max.idle.ms", 600000);
  return ms <= 0 ? 0 : (uint64_t)ms > UINT64_MAX / 1000000u ? UINT64_MAX : (uint64_t)ms * 1000000u;
}

int kopd_engine_make(const kopd_options *options, const kopd_store *store, int32_t node_id,
                     uint32_t max_connections, kop_engine **out, char *err, size_t errcap) {
  kop_engine_config config;
  kop_now now = kopd_now();
  int result = -1;
  *out = NULL;
  kop_engine_config_init(&config, sizeof config);
  kop_config_entry *entries = broker_settings(&options->settings, &config.broker_configs_count);
  if (entries == NULL) {
    snprintf(err, errcap, "no memory for a node");
    goto out;
  }
  config.broker_configs = entries;
  config.seed = now.mono_ns ^ (uint64_t)now.wall_ms << 20;
  config.node_id = node_id;
  config.effects = kopd_store_effects(store) | 1ull << KOP_EFFECT_SEND | 1ull << KOP_EFFECT_CLOSE |
                   1ull << KOP_EFFECT_RECV_PAUSE | 1ull << KOP_EFFECT_RECV_RESUME |
                   1ull << KOP_EFFECT_LOG;
  config.store = kopd_store_capabilities(store);
  config.cluster_id = kopd_store_cluster_id(store);
  config.log_dir = kopd_store_log_dir(store);
  config.max_connections = max_connections;
  config.max_connection_bytes = options->max_connection_bytes;
  config.max_frame_bytes_total = options->max_frame_bytes_total;
  config.max_lent_bytes = options->max_lent_bytes;
  config.max_parked_bytes_total = options->max_parked_bytes_total;
  config.max_reply_bytes_total = options->max_reply_bytes_total;
  config.stalled_frame_ns = options->stalled_request_ms * 1000000u;
  config.max_partitions = options->max_partitions;
  config.max_fetch_sessions = (uint32_t)number(
      &options->settings, "max.incremental.fetch.session.cache.slots", config.max_fetch_sessions);
  config.idle_ns = idle_ns(&options->settings);
  kop_status status = kop_engine_new(&config, now, out);
  if (status != KOP_OK) {
    snprintf(err, errcap, "cannot make the engine of node %d: %s", (int)node_id,
             kop_strerror(status));
    goto out;
  }
  result = 0;
out:
  free(entries);
  return result;
}
