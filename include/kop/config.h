/**
 * @file config.h
 * The table of Kafka's topic and broker settings: what libkop enforces, accepts without effect, or refuses.
 *
 * The engine answers DescribeConfigs from it, checks CreateTopics and AlterConfigs with it, and an embedder
 * checks its own server.properties with it, so that there is one truth.
 */
#ifndef KOP_CONFIG_H
#define KOP_CONFIG_H

#include <kop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Whose settings. */
enum {
  KOP_CONFIG_TOPIC = 1, /**< Of a topic: "retention.ms". */
  KOP_CONFIG_BROKER = 2 /**< Of a node: "log.retention.ms". */
};

/** What a setting does here; kop_config_info.effect. */
enum {
  KOP_CONFIG_ENFORCED = 1, /**< It does what Kafka's does. */
  KOP_CONFIG_ACCEPTED = 2, /**< Any legal value is kept and shown; it changes nothing here. */
  KOP_CONFIG_FIXED = 3     /**< Only the default is accepted; another value is refused. */
};

/** One setting. All text is static. */
typedef struct kop_config_info {
  size_t size;               /**< sizeof(kop_config_info) as the caller compiled it. */
  const char *name;          /**< Kafka's name. */
  const char *default_value; /**< Its default as text, or NULL for null. */
  const char
      *broker_name; /**< Topic settings: the broker setting that gives their default, or NULL. */
  const char *doc;  /**< One sentence on what it does here. */
  int32_t
      type; /**< Kafka's ConfigType in DescribeConfigs: 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class, 9 password. */
  int32_t effect; /**< KOP_CONFIG_ENFORCED and so on. */
} kop_config_info;

/**
 * Walks the table in order of the names.
 *
 * @param scope  KOP_CONFIG_TOPIC or KOP_CONFIG_BROKER.
 * @param index  From 0.
 * @param info   Its `size` is read, the rest filled.
 * @return KOP_OK; KOP_ERR_NOT_FOUND past the end; KOP_ERR_INVALID for a bad scope or size. Since 0.1.
 */
KOP_API kop_status kop_config_at(int32_t scope, uint32_t index, kop_config_info *info);

/**
 * Finds a setting by name.
 *
 * @param scope  KOP_CONFIG_TOPIC or KOP_CONFIG_BROKER.
 * @param name   The name.
 * @param info   Its `size` is read, the rest filled.
 * @return KOP_OK; KOP_ERR_NOT_FOUND; KOP_ERR_INVALID for a bad scope or size. Since 0.1.
 */
KOP_API kop_status kop_config_find(int32_t scope, kop_slice name, kop_config_info *info);

/**
 * Checks a value as the engine will.
 *
 * @param scope   KOP_CONFIG_TOPIC or KOP_CONFIG_BROKER.
 * @param name    The name.
 * @param value   The value as text.
 * @param reason  Receives a static English sentence on failure, "" on success; may be NULL.
 * @return KOP_OK; KOP_ERR_NOT_FOUND for an unknown name; KOP_ERR_INVALID for a value that is none of the type, out of its bounds;
 *         KOP_ERR_UNSUPPORTED for one that Kafka takes and libkop does not (cleanup.policy=compact). Since 0.1.
 */
KOP_API kop_status kop_config_check(int32_t scope, kop_slice name, kop_slice value,
                                    const char **reason);

#ifdef __cplusplus
}
#endif

#endif
