/*
 * Kafka's settings as the engine uses them: parsed, with defaults filled in. The table behind them is in config_topic.c and
 * config_broker.c.
 *
 * A topic's value comes from the first layer that has one:
 *
 *   the topic's own config        retention.ms=1000                                          source 1
 *   the node's settings           log.retention.ms, else .minutes, else .hours               source 4
 *   the table's default           604800000                                                  source 5
 */
#ifndef KOPI_ENGINE_SETTINGS_H
#define KOPI_ENGINE_SETTINGS_H

#include <kop/base.h>
#include <kop/config.h>
#include <kop/effect.h>
#include <stdbool.h>

#include "engine/config_table.h"

/* A topic's effective settings, as far as the engine itself acts on them. */
typedef struct kopi_topic_settings {
  int64_t max_message_bytes;
  int64_t segment_bytes;
  int64_t timestamp_before_max_ms;
  int64_t timestamp_after_max_ms;
  int32_t timestamp_type; /* KOP_TIMESTAMP_CREATE or _LOG_APPEND */
  int32_t codec;          /* KOP_CODEC_, or KOP_CODEC_KEEP */
  int32_t level;          /* of that codec, KOP_LEVEL_DEFAULT */
  bool compacts;          /* records need a key */
} kopi_topic_settings;

/* A node's settings. */
typedef struct kopi_settings {
  kopi_topic_settings topic; /* what a topic without configs of its own has */
  int64_t socket_request_max_bytes;
  int64_t fetch_max_bytes;
  int64_t producer_id_expiration_ms;
  int32_t num_partitions;
  int32_t describe_partitions_max; /* in one answer of DescribeTopicPartitions */
  bool auto_create_topics;
  bool delete_topic_enable;
  const kop_config_entry *own; /* as given, sorted by name; owned by the engine */
  uint32_t own_len;
} kopi_settings;

/* Parses checked broker settings on top of the defaults. KOP_ERR_INVALID with the name of the first bad one. */
kop_status kopi_settings_init(kopi_settings *s, const kop_config_entry *entries, uint32_t len,
                              kop_slice *bad);

/* The effective settings of a topic: its own configs on top of the node's. What was not checked is left at its default. */
void kopi_topic_settings_init(kopi_topic_settings *t, const kopi_settings *s,
                              const kop_config_entry *own, uint32_t len);

/* Where a value comes from, as DescribeConfigs numbers it. */
enum { KOPI_SOURCE_TOPIC = 1, KOPI_SOURCE_NODE = 4, KOPI_SOURCE_DEFAULT = 5 };

/* One layer of a setting: the name it has there, and its value there. */
typedef struct kopi_config_layer {
  kop_slice name;
  kop_slice value;
  int8_t source;
} kopi_config_layer;

enum { KOPI_CONFIG_LAYERS = 5, KOPI_CONFIG_DIGITS = 24 };

/* The layers of a topic's setting that have a value, the one that counts first. `own` is sorted by name. */
uint32_t kopi_topic_config_layers(const kopi_settings *s, const kop_config_entry *own, uint32_t len,
                                  const kopi_config_row *row,
                                  kopi_config_layer layers[KOPI_CONFIG_LAYERS]);

/* The value that counts, and its source; `digits` holds it if it had to be converted to milliseconds. `ptr` NULL: null. */
kop_slice kopi_topic_config_value(const kopi_settings *s, const kop_config_entry *own, uint32_t len,
                                  const kopi_config_row *row, char digits[KOPI_CONFIG_DIGITS],
                                  int8_t *source);

/* The layers of one of the node's settings. */
uint32_t kopi_node_config_layers(const kopi_settings *s, const kopi_config_row *row,
                                 kopi_config_layer layers[KOPI_CONFIG_LAYERS]);

#endif
