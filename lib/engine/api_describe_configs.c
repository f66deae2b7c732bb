/*
 * DescribeConfigs: the settings of topics and of this node, from the one table (config_topic.c, config_broker.c), with what
 * each says and where its value comes from.
 *
 * Nothing of a node can be changed while it runs, so all of its settings are read-only here, and there is no cluster-wide default
 * that could be asked for with an empty node id: that answer is empty. Loggers, client metrics and groups have no settings.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "engine/answer.h"
#include "engine/api.h"
#include "engine/config_answer.h"
#include "engine/topic_name.h"

enum { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4, RESOURCE_LOGGER = 8, MOST_ROWS = 256 };

typedef kop_describe_configs_request_resource resource_request;
typedef kop_describe_configs_response_result resource_result;
typedef kop_describe_configs_response_resource_result config_result;
typedef kop_describe_configs_response_synonym synonym;

typedef struct describe {
  kopi_request *r;
  kop_describe_configs_request q;
  kop_describe_configs_response p;
  char node_id[KOPI_CONFIG_DIGITS];
} describe;

/* Which rows of the table are asked for: those named, or without names all. */
static void find_asked(const resource_request *from, int32_t scope, bool asked[MOST_ROWS]) {
  uint32_t rows;
  const kopi_config_row *first = kopi_config_rows(scope, &rows);
  KOPI_ASSERT(rows <= MOST_ROWS);
  bool all = from->configuration_keys.len <= 0;
  for (uint32_t i = 0; i < rows; i++)
    asked[i] = all;
  for (int32_t i = 0; i < from->configuration_keys.len; i++) {
    const kopi_config_row *row = kopi_config_row_of(scope, from->configuration_keys.ptr[i]);
    if (row != NULL) asked[row - first] = true;
  }
}

static bool add_synonyms(kop_engine *e, const describe *d, config_result *to,
                         const kopi_config_layer *layers, uint32_t n, kop_now now) {
  synonym *all =
      kopi_answer_array(e, d->r, KOP_STRUCT_DESCRIBE_CONFIGS_RESPONSE_SYNONYM, n, sizeof *all, now);
  if (all == NULL) return false;
  for (uint32_t i = 0; i < n; i++) {
    all[i].name = layers[i].name;
    all[i].value = layers[i].value;
    all[i].source = layers[i].source;
  }
  to->synonyms.ptr = all;
  to->synonyms.len = (int32_t)n;
  return true;
}

static bool add(kop_engine *e, const describe *d, resource_result *out, const kopi_config_row *row,
                kop_slice value, int8_t source, bool read_only, const kopi_config_layer *layers,
                uint32_t n, kop_now now) {
  config_result *to = &out->configs.ptr[out->configs.len++];
  to->name = kopi_text(row->name);
  to->value = value;
  to->read_only = read_only;
  if (d->r->version == 0) {
    to->is_default = source == KOPI_SOURCE_DEFAULT;
  } else {
    to->config_source = source;
  }
  if (d->r->version >= 3) to->config_type = (int8_t)row->type;
  to->documentation = d->q.include_documentation ? kopi_text(row->doc) : (kop_slice){.ptr = NULL};
  return !d->q.include_synonyms || add_synonyms(e, d, to, layers, n, now);
}

static bool describe_topic(kop_engine *e, describe *d, const resource_request *from,
                           resource_result *out, kop_now now) {
  const char *fault = kopi_topic_name_fault(from->resource_name);
  const kopi_topic *t = kopi_topic_by_name(e, from->resource_name);
  if (t == NULL) {
    out->error_code =
        fault != NULL ? KOP_KAFKA_INVALID_TOPIC_EXCEPTION : KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (fault != NULL) out->error_message = kopi_text(fault);
    return true;
  }
  uint32_t rows;
  const kopi_config_row *row = kopi_config_topic_rows(&rows);
  bool asked[MOST_ROWS];
  find_asked(from, KOP_CONFIG_TOPIC, asked);
  for (uint32_t i = 0; i < rows; i++) {
    if (!asked[i]) continue;
    kopi_config_layer layers[KOPI_CONFIG_LAYERS];
    uint32_t n =
        kopi_topic_config_layers(&e->settings, t->configs, t->configs_len, &row[i], layers);
    int8_t source;
    kop_slice value =
        kopi_config_answer_value(e, d->r, t->configs, t->configs_len, &row[i], &source);
    if (!add(e, d, out, &row[i], value, source, false, layers, n, now)) return false;
  }
  return true;
}

/*
 * What the engine's config carries in place of a setting, as text; null for all other settings. It is this that is in force: the embedder may
 * have lowered what was asked for, or have a default of its own.
 */
static kop_slice carried(const kop_engine *e, const describe *d, const kopi_config_row *row) {
  const struct {
    const char *name;
    uint64_t value;
  } limits[] = {
      {"connections.max.idle.ms", e->cfg.idle_ns / 1000000u},
      {"max.connections", e->cfg.max_connections},
      {"max.incremental.fetch.session.cache.slots", e->cfg.max_fetch_sessions},
      {"queued.max.request.bytes", e->pools[KOPI_POOL_LARGE].limit},
  };
  kop_slice name = kopi_text(row->name);
  if (kopi_slice_equal(name, kopi_text("node.id")) ||
      kopi_slice_equal(name, kopi_text("broker.id")))
    return kopi_text(d->node_id);
  if (kopi_slice_equal(name, kopi_text("log.dirs")) && e->cfg.log_dir.len > 0)
    return e->cfg.log_dir;
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    if (kopi_slice_equal(name, kopi_text(limits[i].name)))
      return kopi_answer_text(d->r, "%llu", (unsigned long long)limits[i].value);
  }
  return (kop_slice){.ptr = NULL};
}

/* Two ways to write one limit: idle connections are kept for ever with 0 and below. */
static bool says_the_same(const kopi_config_row *row, kop_slice value, kop_slice own) {
  int64_t a, b;
  if (kopi_slice_equal(value, own)) return true;
  if (!kopi_config_number(value, &a) || !kopi_config_number(own, &b)) return false;
  bool endless = strcmp(row->name, "connections.max.idle.ms") == 0 && a <= 0 && b <= 0;
  return a == b || endless;
}

/* The layers of a node's setting, what is in force in front. */
static uint32_t node_layers(const kop_engine *e, const describe *d, const kopi_config_row *row,
                            kopi_config_layer layers[KOPI_CONFIG_LAYERS]) {
  uint32_t n = kopi_node_config_layers(&e->settings, row, layers);
  kop_slice own = carried(e, d, row);
  if (own.ptr == NULL || (n > 0 && says_the_same(row, layers[0].value, own))) return n;
  bool given = n > 0 && layers[0].source == KOPI_SOURCE_NODE;
  for (uint32_t i = n; i > 0 && !given; i--)
    layers[i] = layers[i - 1];
  layers[0] =
      (kopi_config_layer){.name = kopi_text(row->name), .value = own, .source = KOPI_SOURCE_NODE};
  return given ? n : n + 1;
}

static bool describe_node(kop_engine *e, describe *d, const resource_request *from,
                          resource_result *out, kop_now now) {
  uint32_t rows;
  const kopi_config_row *row = kopi_config_broker_rows(&rows);
  bool asked[MOST_ROWS];
  find_asked(from, KOP_CONFIG_BROKER, asked);
  for (uint32_t i = 0; i < rows; i++) {
    if (!asked[i]) continue;
    kopi_config_layer layers[KOPI_CONFIG_LAYERS];
    uint32_t n = node_layers(e, d, &row[i], layers);
    kop_slice value = n > 0 ? layers[0].value : (kop_slice){.ptr = NULL};
    int8_t source = n > 0 ? layers[0].source : KOPI_SOURCE_DEFAULT;
    if (!add(e, d, out, &row[i], value, source, true, layers, n, now)) return false;
  }
  return true;
}

static bool is_this_node(const kop_engine *e, const describe *d, const resource_request *from,
                         resource_result *out) {
  if (kopi_slice_equal(from->resource_name, kopi_text(d->node_id))) return true;
  out->error_code = KOP_KAFKA_INVALID_REQUEST;
  out->error_message =
      kopi_answer_text(d->r, "this is node %d, and '%.*s' was asked for", (int)e->cfg.node_id,
                       kopi_text_len(from->resource_name), (const char *)from->resource_name.ptr);
  return false;
}

static bool answer(kop_engine *e, describe *d, const resource_request *from, resource_result *out,
                   kop_now now) {
  out->resource_type = from->resource_type;
  out->resource_name = from->resource_name;
  out->error_message = kopi_text(""); /* as Kafka: not null */
  uint32_t topic_rows, node_rows;
  (void)kopi_config_topic_rows(&topic_rows);
  (void)kopi_config_broker_rows(&node_rows);
  bool is_topic = from->resource_type == RESOURCE_TOPIC;
  bool has_rows = is_topic || from->resource_type == RESOURCE_BROKER;
  out->configs.ptr = kopi_answer_array(
      e, d->r, KOP_STRUCT_DESCRIBE_CONFIGS_RESPONSE_RESOURCE_RESULT,
      has_rows ? (is_topic ? topic_rows : node_rows) : 0, sizeof(config_result), now);
  if (out->configs.ptr == NULL) return false;
  switch (from->resource_type) {
  case RESOURCE_TOPIC:
    return describe_topic(e, d, from, out, now);
  case RESOURCE_BROKER:
    if (from->resource_name.len == 0) return true;
    return !is_this_node(e, d, from, out) || describe_node(e, d, from, out, now);
  case RESOURCE_LOGGER:
    (void)is_this_node(e, d, from, out);
    return true;
  default:
    out->error_code = KOP_KAFKA_INVALID_REQUEST;
    out->error_message =
        kopi_answer_text(d->r, "resources of type %d have no configs here", from->resource_type);
    return true;
  }
}

void kopi_api_describe_configs(kop_engine *e, kopi_request *r, kop_now now) {
  describe *d = kopi_request_alloc(e, r, 1, sizeof *d, now);
  if (d == NULL) return;
  if (!kopi_request_decode(e, r, KOP_MSG_DESCRIBE_CONFIGS_REQUEST, &d->q, sizeof d->q, now)) return;
  d->r = r;
  (void)snprintf(d->node_id, sizeof d->node_id, "%d", (int)e->cfg.node_id);
  (void)kop_message_init(KOP_MSG_DESCRIBE_CONFIGS_RESPONSE, &d->p, sizeof d->p);
  d->p.results.ptr = kopi_answer_array(e, r, KOP_STRUCT_DESCRIBE_CONFIGS_RESPONSE_RESULT,
                                       (size_t)d->q.resources.len, sizeof(resource_result), now);
  if (d->p.results.ptr == NULL) return;
  for (int32_t i = 0; i < d->q.resources.len; i++) {
    if (!answer(e, d, &d->q.resources.ptr[i], &d->p.results.ptr[d->p.results.len++], now)) return;
  }
  kopi_reply(e, r, KOP_MSG_DESCRIBE_CONFIGS_RESPONSE, &d->p, sizeof d->p, now);
}
