/* The rows of the table of settings; config_topic.c and config_broker.c hold them, sorted by name. */
#ifndef KOPI_ENGINE_CONFIG_TABLE_H
#define KOPI_ENGINE_CONFIG_TABLE_H

#include <kop/base.h>

/* Kafka's ConfigType as DescribeConfigs writes it. */
enum kopi_config_type {
  KOPI_CONFIG_BOOLEAN = 1,
  KOPI_CONFIG_STRING = 2,
  KOPI_CONFIG_INT = 3,
  KOPI_CONFIG_SHORT = 4,
  KOPI_CONFIG_LONG = 5,
  KOPI_CONFIG_DOUBLE = 6,
  KOPI_CONFIG_LIST = 7
};

typedef struct kopi_config_row {
  const char *name;
  const char *value;  /* default, NULL: null */
  const char *broker; /* of topic settings: the node's setting that gives their default, or NULL */
  uint8_t type;       /* kopi_config_type */
  uint8_t effect;     /* KOP_CONFIG_ENFORCED and so on */
  int64_t min;        /* of numbers */
  int64_t max;
  const char
      *choices; /* of strings and lists: what is allowed, separated by commas; NULL: anything */
  const char *doc;
} kopi_config_row;

/* The rows of a scope; NULL and 0 for an unknown one. */
const kopi_config_row *kopi_config_rows(int32_t scope, uint32_t *len);
const kopi_config_row *kopi_config_topic_rows(uint32_t *len);
const kopi_config_row *kopi_config_broker_rows(uint32_t *len);

/* NULL if there is no such setting. */
const kopi_config_row *kopi_config_row_of(int32_t scope, kop_slice name);

/* A whole number as Kafka reads it: blanks around it and a sign are allowed. Returns 0 if it is none or does not fit. */
int kopi_config_number(kop_slice text, int64_t *out);

/* "true" or "false" in any case, blanks around it allowed. Returns 0 if it is neither. */
int kopi_config_boolean(kop_slice text, int *out);

/* Without the blanks around it. */
kop_slice kopi_config_trim(kop_slice text);

/* Takes the next element off a list: what stands before the first comma, trimmed. Returns 0 at the end. */
int kopi_config_list_next(kop_slice *rest, kop_slice *element);

#endif
