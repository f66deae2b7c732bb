/* Looking settings up and checking their values, by the tables of config_topic.c and config_broker.c. */
#include <kop/config.h>

#include <stdbool.h>
#include <string.h>

#include "base/decimal.h"
#include "engine/config_table.h"

/* ---- values ---- */

static int is_blank(uint8_t c) {
  return c <= ' ';
}

kop_slice kopi_config_trim(kop_slice text) {
  while (text.len > 0 && is_blank(text.ptr[0])) {
    text.ptr++;
    text.len--;
  }
  while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
    text.len--;
  return text;
}

int kopi_config_number(kop_slice text, int64_t *out) {
  text = kopi_config_trim(text);
  if (text.len == 0) return 0;
  const uint8_t *end = text.ptr + text.len;
  size_t plus = text.ptr[0] == '+' && text.len > 1 && text.ptr[1] != '-';
  int64_t value;
  if (kopi_decimal_read_signed(text.ptr + plus, end, &value) != end) return 0;
  *out = value;
  return 1;
}

static int equals_ignoring_case(kop_slice text, const char *lower) {
  if (text.len != strlen(lower)) return 0;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.ptr[i];
    if (c >= 'A' && c <= 'Z') c = (uint8_t)(c + ('a' - 'A'));
    if (c != (uint8_t)lower[i]) return 0;
  }
  return 1;
}

int kopi_config_boolean(kop_slice text, int *out) {
  text = kopi_config_trim(text);
  *out = equals_ignoring_case(text, "true");
  return *out || equals_ignoring_case(text, "false");
}

int kopi_config_list_next(kop_slice *rest, kop_slice *element) {
  if (rest->ptr == NULL) return 0;
  const uint8_t *comma = rest->len == 0 ? NULL : memchr(rest->ptr, ',', rest->len);
  size_t n = comma == NULL ? rest->len : (size_t)(comma - rest->ptr);
  *element = kopi_config_trim((kop_slice){.ptr = rest->ptr, .len = n});
  if (comma == NULL) {
    *rest = (kop_slice){.ptr = NULL};
  } else {
    *rest = (kop_slice){.ptr = comma + 1, .len = rest->len - n - 1};
  }
  return 1;
}

static int same_text(kop_slice a, kop_slice b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static kop_slice text_of(const char *text) {
  return (kop_slice){.ptr = (const uint8_t *)text, .len = strlen(text)};
}

static int is_choice(const char *choices, kop_slice value) {
  kop_slice rest = text_of(choices), choice;
  while (kopi_config_list_next(&rest, &choice)) {
    if (same_text(choice, value)) return 1;
  }
  return 0;
}

/* A decimal fraction such as 0.5 between the bounds; no exponent. */
static int is_fraction(kop_slice text, int64_t min, int64_t max) {
  text = kopi_config_trim(text);
  double value = 0;
  double unit = 1;
  size_t digits = 0;
  int point = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] == '.' && !point) {
      point = 1;
    } else if (text.ptr[i] >= '0' && text.ptr[i] <= '9') {
      if (point) unit /= 10;
      value = point ? value + unit * (text.ptr[i] - '0') : value * 10 + (text.ptr[i] - '0');
      digits++;
    } else {
      return 0;
    }
  }
  return digits > 0 && value >= (double)min && value <= (double)max;
}

/* "partition:node" in digits. */
static bool is_replica(kop_slice text) {
  size_t colon = 0;
  for (size_t i = 0; i < text.len; i++) {
    bool digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';
    if (text.ptr[i] == ':' && colon == 0) {
      colon = i;
    } else if (!digit) {
      return false;
    }
  }
  return colon > 0 && colon + 1 < text.len;
}

static const char *bad_list(const kopi_config_row *row, kop_slice value) {
  kop_slice trimmed = kopi_config_trim(value);
  if (trimmed.len == 0) return NULL; /* an empty list */
  bool replicas = strstr(row->name, ".throttled.replicas") != NULL;
  if (replicas && same_text(trimmed, text_of("*"))) return NULL;
  kop_slice rest = value, element;
  while (kopi_config_list_next(&rest, &element)) {
    if (element.len == 0) return "the list has an empty element";
    if (replicas && !is_replica(element)) return "not a list of partition:node pairs";
    if (row->choices == NULL) continue;
    if (!is_choice(row->choices, element))
      return "the list has an element that is not one of the allowed values";
    kop_slice later = rest, other; /* as short as the choices are few */
    while (kopi_config_list_next(&later, &other)) {
      if (same_text(element, other)) return "the list names an element twice";
    }
  }
  return NULL;
}

static const char *bad_value(const kopi_config_row *row, kop_slice value) {
  int64_t number;
  int flag;
  switch (row->type) {
  case KOPI_CONFIG_BOOLEAN:
    return kopi_config_boolean(value, &flag) ? NULL : "neither true nor false";
  case KOPI_CONFIG_INT:
  case KOPI_CONFIG_SHORT:
  case KOPI_CONFIG_LONG:
    if (!kopi_config_number(value, &number)) return "not a whole number that fits";
    return number >= row->min && number <= row->max ? NULL : "out of range";
  case KOPI_CONFIG_DOUBLE:
    return is_fraction(value, row->min, row->max) ? NULL : "not a number in range";
  case KOPI_CONFIG_LIST:
    return bad_list(row, value);
  default:
    if (row->choices == NULL || is_choice(row->choices, kopi_config_trim(value))) return NULL;
    return "not one of the allowed values";
  }
}

/* What Kafka takes and libkop does not. */
static const char *unsupported(const kopi_config_row *row, kop_slice value) {
  value = kopi_config_trim(value);
  if (row->effect == KOP_CONFIG_FIXED) {
    int flag = 0;
    int is_default = row->type == KOPI_CONFIG_BOOLEAN
                         ? kopi_config_boolean(value, &flag) && !flag
                         : row->value != NULL && same_text(value, text_of(row->value));
    return is_default ? NULL : "only the default is supported";
  }
  if (row->choices != NULL && strcmp(row->choices, "compact,delete") == 0) {
    kop_slice rest = value, element;
    while (kopi_config_list_next(&rest, &element)) {
      if (same_text(element, text_of("compact"))) return "this store does not compact by key";
    }
  }
  return NULL;
}

/* ---- the table ---- */

const kopi_config_row *kopi_config_rows(int32_t scope, uint32_t *len) {
  if (scope == KOP_CONFIG_TOPIC) return kopi_config_topic_rows(len);
  if (scope == KOP_CONFIG_BROKER) return kopi_config_broker_rows(len);
  *len = 0;
  return NULL;
}

const kopi_config_row *kopi_config_row_of(int32_t scope, kop_slice name) {
  uint32_t len;
  const kopi_config_row *rows = kopi_config_rows(scope, &len);
  uint32_t low = 0, high = len;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    size_t mid_len = strlen(rows[mid].name);
    size_t n = mid_len < name.len ? mid_len : name.len;
    int order = n == 0 ? 0 : memcmp(rows[mid].name, name.ptr, n);
    if (order == 0) order = mid_len < name.len ? -1 : mid_len > name.len;
    if (order == 0) return &rows[mid];
    if (order < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return NULL;
}

static kop_status describe(const kopi_config_row *row, kop_config_info *info) {
  if (info == NULL || info->size != sizeof *info) return KOP_ERR_INVALID;
  *info = (kop_config_info){.size = sizeof *info,
                            .name = row->name,
                            .default_value = row->value,
                            .broker_name = row->broker,
                            .doc = row->doc,
                            .type = row->type,
                            .effect = row->effect};
  return KOP_OK;
}

kop_status kop_config_at(int32_t scope, uint32_t index, kop_config_info *info) {
  uint32_t len;
  const kopi_config_row *rows = kopi_config_rows(scope, &len);
  if (rows == NULL) return KOP_ERR_INVALID;
  return index < len ? describe(&rows[index], info) : KOP_ERR_NOT_FOUND;
}

kop_status kop_config_find(int32_t scope, kop_slice name, kop_config_info *info) {
  uint32_t len;
  if (kopi_config_rows(scope, &len) == NULL) return KOP_ERR_INVALID;
  const kopi_config_row *row = kopi_config_row_of(scope, name);
  return row != NULL ? describe(row, info) : KOP_ERR_NOT_FOUND;
}

kop_status kop_config_check(int32_t scope, kop_slice name, kop_slice value, const char **reason) {
  uint32_t len;
  const char *why = "no such setting";
  kop_status status = KOP_ERR_NOT_FOUND;
  if (kopi_config_rows(scope, &len) == NULL) {
    why = "no such scope";
    status = KOP_ERR_INVALID;
  }
  const kopi_config_row *row = kopi_config_row_of(scope, name);
  if (row != NULL) {
    status = KOP_ERR_INVALID;
    why = value.ptr == NULL ? "a null value" : bad_value(row, value);
    if (why == NULL) {
      status = KOP_ERR_UNSUPPORTED;
      why = unsupported(row, value);
    }
    if (why == NULL) status = KOP_OK;
  }
  if (reason != NULL) *reason = why == NULL ? "" : why;
  return status;
}
