/* Settings parsed, and the layers that a topic's setting is looked for in. */
#include "engine/settings.h"

#include <kop/record.h>
#include <stdio.h>
#include <string.h>

/* The node's settings that give a topic's default in another unit, finest first after the table's broker name. */
typedef struct unit {
  const char *topic;
  const char *node;
  int64_t ms;
} unit;

static const unit UNITS[] = {
    {"retention.ms", "log.retention.minutes", 60000},
    {"retention.ms", "log.retention.hours", 3600000},
    {"segment.ms", "log.roll.hours", 3600000},
    {"segment.jitter.ms", "log.roll.jitter.hours", 3600000},
    {"flush.ms", "log.flush.scheduler.interval.ms", 1},
};

enum { UNITS_LEN = sizeof UNITS / sizeof UNITS[0] };

static kop_slice text_of(const char *text) {
  if (text == NULL) return (kop_slice){.ptr = NULL};
  return (kop_slice){.ptr = (const uint8_t *)text, .len = strlen(text)};
}

static const kop_config_entry *entry_of(const kop_config_entry *entries, uint32_t len,
                                        const char *name) {
  size_t n = strlen(name);
  for (uint32_t i = 0; i < len; i++) {
    if (entries[i].name.len == n && memcmp(entries[i].name.ptr, name, n) == 0) return &entries[i];
  }
  return NULL;
}

static void push(kopi_config_layer *layers, uint32_t *n, kop_slice name, kop_slice value,
                 int8_t source) {
  if (value.ptr == NULL) return;
  layers[(*n)++] = (kopi_config_layer){.name = name, .value = value, .source = source};
}

static void push_entry(kopi_config_layer *layers, uint32_t *n, const kop_config_entry *entry,
                       int8_t source) {
  if (entry != NULL) push(layers, n, entry->name, entry->value, source);
}

uint32_t kopi_topic_config_layers(const kopi_settings *s, const kop_config_entry *own, uint32_t len,
                                  const kopi_config_row *row,
                                  kopi_config_layer layers[KOPI_CONFIG_LAYERS]) {
  uint32_t n = 0;
  push_entry(layers, &n, entry_of(own, len, row->name), KOPI_SOURCE_TOPIC);
  if (row->broker == NULL) return n;
  push_entry(layers, &n, entry_of(s->own, s->own_len, row->broker), KOPI_SOURCE_NODE);
  for (size_t i = 0; i < UNITS_LEN; i++) {
    if (strcmp(UNITS[i].topic, row->name) != 0) continue;
    push_entry(layers, &n, entry_of(s->own, s->own_len, UNITS[i].node), KOPI_SOURCE_NODE);
  }
  const kopi_config_row *node = kopi_config_row_of(KOP_CONFIG_BROKER, text_of(row->broker));
  if (node != NULL)
    push(layers, &n, text_of(node->name), text_of(node->value), KOPI_SOURCE_DEFAULT);
  return n;
}

uint32_t kopi_node_config_layers(const kopi_settings *s, const kopi_config_row *row,
                                 kopi_config_layer layers[KOPI_CONFIG_LAYERS]) {
  uint32_t n = 0;
  push_entry(layers, &n, entry_of(s->own, s->own_len, row->name), KOPI_SOURCE_NODE);
  push(layers, &n, text_of(row->name), text_of(row->value), KOPI_SOURCE_DEFAULT);
  return n;
}

/* A count of minutes or hours as milliseconds; what is negative means no limit. */
static kop_slice in_ms(kop_slice value, int64_t ms, char digits[KOPI_CONFIG_DIGITS]) {
  int64_t number = 0;
  if (!kopi_config_number(value, &number)) return value;
  number = number < 0 ? -1 : number > INT64_MAX / ms ? INT64_MAX : number * ms;
  int n = snprintf(digits, KOPI_CONFIG_DIGITS, "%lld", (long long)number);
  return (kop_slice){.ptr = (const uint8_t *)digits, .len = (size_t)n};
}

kop_slice kopi_topic_config_value(const kopi_settings *s, const kop_config_entry *own, uint32_t len,
                                  const kopi_config_row *row, char digits[KOPI_CONFIG_DIGITS],
                                  int8_t *source) {
  kopi_config_layer layers[KOPI_CONFIG_LAYERS];
  uint32_t n = kopi_topic_config_layers(s, own, len, row, layers);
  *source = KOPI_SOURCE_DEFAULT;
  if (n == 0 || layers[0].source == KOPI_SOURCE_DEFAULT) return text_of(row->value);
  *source = layers[0].source;
  for (size_t i = 0; i < UNITS_LEN; i++) {
    if (layers[0].source != KOPI_SOURCE_NODE || strcmp(UNITS[i].topic, row->name) != 0) continue;
    size_t name_len = strlen(UNITS[i].node);
    if (layers[0].name.len == name_len && memcmp(layers[0].name.ptr, UNITS[i].node, name_len) == 0)
      return in_ms(layers[0].value, UNITS[i].ms, digits);
  }
  return layers[0].value;
}

/* ---- parsed ---- */

typedef struct topic_source {
  const kopi_settings *s;
  const kop_config_entry *own;
  uint32_t len;
} topic_source;

/* The value that counts; if that does not pass the check, the default. */
static kop_slice checked(const topic_source *from, const char *name,
                         char digits[KOPI_CONFIG_DIGITS]) {
  const kopi_config_row *row = kopi_config_row_of(KOP_CONFIG_TOPIC, text_of(name));
  int8_t source;
  kop_slice value = kopi_topic_config_value(from->s, from->own, from->len, row, digits, &source);
  kop_status status = kop_config_check(KOP_CONFIG_TOPIC, text_of(name), value, NULL);
  /* What is unsupported by some stores only is meant when it stands here. */
  return status == KOP_OK || status == KOP_ERR_UNSUPPORTED ? value : text_of(row->value);
}

static int64_t number_of(const topic_source *from, const char *name) {
  char digits[KOPI_CONFIG_DIGITS];
  int64_t number = 0;
  (void)kopi_config_number(checked(from, name, digits), &number);
  return number;
}

static bool is_text(kop_slice value, const char *text) {
  value = kopi_config_trim(value);
  return value.len == strlen(text) && memcmp(value.ptr, text, value.len) == 0;
}

/* The codec to store with, and its level. The defaults of lz4 and zstd are the codecs' own. */
static void set_codec(kopi_topic_settings *t, const topic_source *from) {
  static const struct {
    const char *name;
    int32_t codec;
    const char *level;
    int64_t standard;
  } CODECS[] = {
      {"uncompressed", KOP_CODEC_NONE, NULL, 0},
      {"gzip", KOP_CODEC_GZIP, "compression.gzip.level", -1},
      {"snappy", KOP_CODEC_SNAPPY, NULL, 0},
      {"lz4", KOP_CODEC_LZ4, "compression.lz4.level", 9},
      {"zstd", KOP_CODEC_ZSTD, "compression.zstd.level", 3},
  };
  char digits[KOPI_CONFIG_DIGITS];
  kop_slice value = checked(from, "compression.type", digits);
  t->codec = KOP_CODEC_KEEP;
  t->level = KOP_LEVEL_DEFAULT;
  for (size_t i = 0; i < sizeof CODECS / sizeof CODECS[0]; i++) {
    if (!is_text(value, CODECS[i].name)) continue;
    t->codec = CODECS[i].codec;
    if (CODECS[i].level == NULL) return;
    int64_t level = number_of(from, CODECS[i].level);
    if (level != CODECS[i].standard) t->level = (int32_t)level;
  }
}

void kopi_topic_settings_init(kopi_topic_settings *t, const kopi_settings *s,
                              const kop_config_entry *own, uint32_t len) {
  topic_source from = {.s = s, .own = own, .len = len};
  char digits[KOPI_CONFIG_DIGITS];
  *t = (kopi_topic_settings){
      .max_message_bytes = number_of(&from, "max.message.bytes"),
      .segment_bytes = number_of(&from, "segment.bytes"),
      .timestamp_before_max_ms = number_of(&from, "message.timestamp.before.max.ms"),
      .timestamp_after_max_ms = number_of(&from, "message.timestamp.after.max.ms"),
      .timestamp_type = KOP_TIMESTAMP_CREATE,
  };
  if (is_text(checked(&from, "message.timestamp.type", digits), "LogAppendTime"))
    t->timestamp_type = KOP_TIMESTAMP_LOG_APPEND;
  set_codec(t, &from);
  kop_slice rest = checked(&from, "cleanup.policy", digits), policy;
  while (kopi_config_list_next(&rest, &policy))
    t->compacts = t->compacts || is_text(policy, "compact");
}

static kop_slice node_value(const kopi_settings *s, const char *name) {
  kopi_config_layer layers[KOPI_CONFIG_LAYERS];
  const kopi_config_row *row = kopi_config_row_of(KOP_CONFIG_BROKER, text_of(name));
  uint32_t n = kopi_node_config_layers(s, row, layers);
  return n == 0 ? (kop_slice){.ptr = NULL} : layers[0].value;
}

static int64_t node_number(const kopi_settings *s, const char *name) {
  int64_t number = 0;
  (void)kopi_config_number(node_value(s, name), &number);
  return number;
}

static bool node_flag(const kopi_settings *s, const char *name) {
  int flag = 0;
  (void)kopi_config_boolean(node_value(s, name), &flag);
  return flag != 0;
}

kop_status kopi_settings_init(kopi_settings *s, const kop_config_entry *entries, uint32_t len,
                              kop_slice *bad) {
  for (uint32_t i = 0; i < len; i++) {
    if (kop_config_check(KOP_CONFIG_BROKER, entries[i].name, entries[i].value, NULL) == KOP_OK)
      continue;
    *bad = entries[i].name;
    return KOP_ERR_INVALID;
  }
  *s = (kopi_settings){.own = entries, .own_len = len};
  s->socket_request_max_bytes = node_number(s, "socket.request.max.bytes");
  s->fetch_max_bytes = node_number(s, "fetch.max.bytes");
  s->producer_id_expiration_ms = node_number(s, "producer.id.expiration.ms");
  s->num_partitions = (int32_t)node_number(s, "num.partitions");
  s->describe_partitions_max = (int32_t)node_number(s, "max.request.partition.size.limit");
  s->auto_create_topics = node_flag(s, "auto.create.topics.enable");
  s->delete_topic_enable = node_flag(s, "delete.topic.enable");
  kopi_topic_settings_init(&s->topic, s, NULL, 0);
  return KOP_OK;
}
