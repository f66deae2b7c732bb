/* The table of settings, its checks, and the layers a topic's value comes from. */
#include <string.h>

#include <criterion/criterion.h>
#include <kop/config.h>
#include <kop/record.h>

#include "engine/settings.h"

static kop_slice text(const char *s) {
  return (kop_slice){.ptr = (const uint8_t *)s, .len = strlen(s)};
}

static kop_status check(int32_t scope, const char *name, const char *value) {
  const char *reason = NULL;
  kop_status status = kop_config_check(scope, text(name), text(value), &reason);
  cr_assert_eq(status == KOP_OK, reason[0] == 0, "%s=%s", name, value);
  return status;
}

static kop_status topic(const char *name, const char *value) {
  return check(KOP_CONFIG_TOPIC, name, value);
}

Test(config, table_is_sorted_and_passes_its_own_checks) {
  for (int32_t scope = KOP_CONFIG_TOPIC; scope <= KOP_CONFIG_BROKER; scope++) {
    const char *before = "";
    kop_config_info info = {.size = sizeof info}, again = {.size = sizeof again};
    uint32_t n = 0;
    for (; kop_config_at(scope, n, &info) == KOP_OK; n++) {
      cr_assert_lt(strcmp(before, info.name), 0, "%s", info.name);
      before = info.name;
      cr_assert_gt(strlen(info.doc), 10, "%s", info.name);
      cr_assert_eq(kop_config_find(scope, text(info.name), &again), KOP_OK, "%s", info.name);
      cr_assert_eq(again.name, info.name);
      if (info.default_value != NULL)
        cr_assert_eq(check(scope, info.name, info.default_value), KOP_OK, "%s", info.name);
      if (info.broker_name == NULL) continue;
      cr_assert_eq(scope, KOP_CONFIG_TOPIC);
      kop_config_info node = {.size = sizeof node};
      cr_assert_eq(kop_config_find(KOP_CONFIG_BROKER, text(info.broker_name), &node), KOP_OK, "%s",
                   info.broker_name);
      if (node.default_value != NULL) cr_assert_str_eq(node.default_value, info.default_value);
    }
    cr_assert_gt(n, 30);
    cr_assert_eq(kop_config_at(scope, n, &info), KOP_ERR_NOT_FOUND);
  }
  kop_config_info info = {.size = 1};
  cr_assert_eq(kop_config_at(KOP_CONFIG_TOPIC, 0, &info), KOP_ERR_INVALID);
  info.size = sizeof info;
  cr_assert_eq(kop_config_at(7, 0, &info), KOP_ERR_INVALID);
  cr_assert_eq(kop_config_find(KOP_CONFIG_TOPIC, text("retention.m"), &info), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_config_find(KOP_CONFIG_TOPIC, text(""), &info), KOP_ERR_NOT_FOUND);
}

Test(config, values_are_checked_as_kafka_does) {
  cr_assert_eq(topic("no.such", "1"), KOP_ERR_NOT_FOUND);
  cr_assert_eq(topic("log.retention.ms", "1"), KOP_ERR_NOT_FOUND, "a broker's name for it");
  cr_assert_eq(topic("retention.ms", "x"), KOP_ERR_INVALID);
  cr_assert_eq(topic("retention.ms", ""), KOP_ERR_INVALID);
  cr_assert_eq(topic("retention.ms", "-"), KOP_ERR_INVALID);
  cr_assert_eq(topic("retention.ms", "1 2"), KOP_ERR_INVALID);
  cr_assert_eq(topic("retention.ms", "-2"), KOP_ERR_INVALID);
  cr_assert_eq(topic("retention.ms", "-1"), KOP_OK);
  cr_assert_eq(topic("retention.ms", " +5000 "), KOP_OK);
  cr_assert_eq(topic("retention.ms", "9223372036854775807"), KOP_OK);
  cr_assert_eq(topic("retention.ms", "9223372036854775808"), KOP_ERR_INVALID);
  cr_assert_eq(topic("retention.ms", "99999999999999999999999"), KOP_ERR_INVALID);
  cr_assert_eq(topic("retention.bytes", "-9223372036854775808"), KOP_OK);
  cr_assert_eq(topic("retention.bytes", "-9223372036854775809"), KOP_ERR_INVALID);
  cr_assert_eq(topic("max.message.bytes", "2147483648"), KOP_ERR_INVALID, "an int");
  cr_assert_eq(topic("max.message.bytes", "2147483647"), KOP_OK);
  cr_assert_eq(topic("segment.bytes", "1048575"), KOP_ERR_INVALID);
  cr_assert_eq(topic("min.insync.replicas", "0"), KOP_ERR_INVALID);
  cr_assert_eq(topic("compression.type", "rar"), KOP_ERR_INVALID);
  cr_assert_eq(topic("compression.type", "GZIP"), KOP_ERR_INVALID);
  cr_assert_eq(topic("compression.type", "gzip"), KOP_OK);
  cr_assert_eq(topic("preallocate", "TRUE"), KOP_OK);
  cr_assert_eq(topic("preallocate", "yes"), KOP_ERR_INVALID);
  cr_assert_eq(topic("min.cleanable.dirty.ratio", "0.25"), KOP_OK);
  cr_assert_eq(topic("min.cleanable.dirty.ratio", "1.01"), KOP_ERR_INVALID);
  cr_assert_eq(topic("min.cleanable.dirty.ratio", "."), KOP_ERR_INVALID);
  cr_assert_eq(topic("cleanup.policy", "delete"), KOP_OK);
  cr_assert_eq(topic("cleanup.policy", ""), KOP_OK);
  cr_assert_eq(topic("cleanup.policy", "compact"), KOP_ERR_UNSUPPORTED);
  cr_assert_eq(topic("cleanup.policy", "delete, compact"), KOP_ERR_UNSUPPORTED);
  cr_assert_eq(topic("cleanup.policy", "delete,delete"), KOP_ERR_INVALID);
  cr_assert_eq(topic("cleanup.policy", "delete,"), KOP_ERR_INVALID);
  cr_assert_eq(topic("cleanup.policy", "keep"), KOP_ERR_INVALID);
  cr_assert_eq(topic("leader.replication.throttled.replicas", "0:1, 12:3"), KOP_OK);
  cr_assert_eq(topic("leader.replication.throttled.replicas", "*"), KOP_OK);
  cr_assert_eq(topic("leader.replication.throttled.replicas", "0:1,*"), KOP_ERR_INVALID);
  cr_assert_eq(topic("leader.replication.throttled.replicas", ":1"), KOP_ERR_INVALID);
  cr_assert_eq(topic("leader.replication.throttled.replicas", "1:"), KOP_ERR_INVALID);
  cr_assert_eq(topic("leader.replication.throttled.replicas", "1:2:3"), KOP_ERR_INVALID);
  cr_assert_eq(topic("remote.storage.enable", "False"), KOP_OK);
  cr_assert_eq(topic("remote.storage.enable", "true"), KOP_ERR_UNSUPPORTED);
  cr_assert_eq(check(KOP_CONFIG_BROKER, "process.roles", "broker,controller"), KOP_OK);
  cr_assert_eq(check(KOP_CONFIG_BROKER, "log.retention.hours", "24"), KOP_OK);
  cr_assert_eq(kop_config_check(KOP_CONFIG_TOPIC, text("retention.ms"), (kop_slice){0}, NULL),
               KOP_ERR_INVALID, "a null value");
}

static const kopi_config_row *row(const char *name) {
  return kopi_config_row_of(KOP_CONFIG_TOPIC, text(name));
}

Test(config, topic_value_comes_from_the_first_layer_that_has_one) {
  kop_config_entry node[] = {
      {text("log.retention.hours"), text("24")},
      {text("log.roll.hours"), text("1")},
      {text("message.max.bytes"), text("5000")},
  };
  kop_slice bad = {0};
  kopi_settings s;
  cr_assert_eq(kopi_settings_init(&s, node, 3, &bad), KOP_OK);
  cr_assert_eq(s.topic.max_message_bytes, 5000);
  cr_assert_eq(s.num_partitions, 1);
  cr_assert(s.auto_create_topics);

  kop_config_entry own[] = {{text("max.message.bytes"), text("77")}};
  char digits[KOPI_CONFIG_DIGITS];
  int8_t source;
  kop_slice v = kopi_topic_config_value(&s, own, 1, row("max.message.bytes"), digits, &source);
  cr_assert_eq(source, KOPI_SOURCE_TOPIC);
  cr_assert_arr_eq(v.ptr, "77", v.len);
  v = kopi_topic_config_value(&s, own, 1, row("retention.ms"), digits, &source);
  cr_assert_eq(source, KOPI_SOURCE_NODE);
  cr_assert_eq(v.len, 8);
  cr_assert_arr_eq(v.ptr, "86400000", v.len);
  v = kopi_topic_config_value(&s, own, 1, row("segment.bytes"), digits, &source);
  cr_assert_eq(source, KOPI_SOURCE_DEFAULT);
  cr_assert_arr_eq(v.ptr, "1073741824", v.len);

  kopi_config_layer layers[KOPI_CONFIG_LAYERS];
  cr_assert_eq(kopi_topic_config_layers(&s, own, 1, row("max.message.bytes"), layers), 3);
  cr_assert_eq(layers[0].source, KOPI_SOURCE_TOPIC);
  cr_assert_eq(layers[1].source, KOPI_SOURCE_NODE);
  cr_assert_arr_eq(layers[1].name.ptr, "message.max.bytes", layers[1].name.len);
  cr_assert_eq(layers[2].source, KOPI_SOURCE_DEFAULT);
  cr_assert_arr_eq(layers[2].value.ptr, "1048588", layers[2].value.len);
  cr_assert_eq(kopi_topic_config_layers(&s, own, 1, row("retention.ms"), layers), 1);
  cr_assert_arr_eq(layers[0].value.ptr, "24", layers[0].value.len);
  cr_assert_eq(kopi_topic_config_layers(&s, own, 1, row("remote.storage.enable"), layers), 0);

  kop_config_entry finer[] = {{text("log.retention.hours"), text("24")},
                              {text("log.retention.minutes"), text("-5")}};
  cr_assert_eq(kopi_settings_init(&s, finer, 2, &bad), KOP_OK);
  v = kopi_topic_config_value(&s, own, 1, row("retention.ms"), digits, &source);
  cr_assert_eq(v.len, 2);
  cr_assert_arr_eq(v.ptr, "-1", v.len, "minutes before hours; negative is no limit");
}

Test(config, settings_refuse_a_bad_one_by_name) {
  kop_config_entry node[] = {{text("num.partitions"), text("4")}, {text("nope"), text("1")}};
  kop_slice bad = {0};
  kopi_settings s;
  cr_assert_eq(kopi_settings_init(&s, node, 2, &bad), KOP_ERR_INVALID);
  cr_assert_arr_eq(bad.ptr, "nope", bad.len);
  cr_assert_eq(kopi_settings_init(&s, node, 1, &bad), KOP_OK);
  cr_assert_eq(s.num_partitions, 4);
}

static kopi_topic_settings with(const char *name, const char *value, const char *level_name,
                                const char *level) {
  kop_slice bad;
  kopi_settings s;
  kopi_topic_settings t;
  cr_assert_eq(kopi_settings_init(&s, NULL, 0, &bad), KOP_OK);
  kop_config_entry own[] = {{text(name), text(value)}, {text(level_name), text(level)}};
  kopi_topic_settings_init(&t, &s, own, 2);
  return t;
}

Test(config, topic_settings_are_parsed) {
  kopi_topic_settings t = with("a", "", "b", "");
  cr_assert_eq(t.max_message_bytes, 1048588);
  cr_assert_eq(t.segment_bytes, 1 << 30);
  cr_assert_eq(t.codec, KOP_CODEC_KEEP);
  cr_assert_eq(t.timestamp_type, KOP_TIMESTAMP_CREATE);
  cr_assert_eq(t.timestamp_after_max_ms, 3600000);
  cr_assert_eq(t.timestamp_before_max_ms, INT64_MAX);
  cr_assert(!t.compacts);
  t = with("compression.type", "uncompressed", "message.timestamp.type", "LogAppendTime");
  cr_assert_eq(t.codec, KOP_CODEC_NONE);
  cr_assert_eq(t.timestamp_type, KOP_TIMESTAMP_LOG_APPEND);
  t = with("compression.type", " lz4 ", "compression.lz4.level", "9");
  cr_assert_eq(t.codec, KOP_CODEC_LZ4);
  cr_assert_eq(t.level, KOP_LEVEL_DEFAULT);
  t = with("compression.type", "lz4", "compression.lz4.level", "12");
  cr_assert_eq(t.level, 12);
  t = with("compression.type", "zstd", "compression.zstd.level", "-7");
  cr_assert_eq(t.codec, KOP_CODEC_ZSTD);
  cr_assert_eq(t.level, -7);
  t = with("compression.type", "gzip", "compression.zstd.level", "-7");
  cr_assert_eq(t.level, KOP_LEVEL_DEFAULT);
  t = with("cleanup.policy", "delete,compact", "max.message.bytes", "bad");
  cr_assert(t.compacts);
  cr_assert_eq(t.max_message_bytes, 1048588, "what was not checked stays at its default");
}
