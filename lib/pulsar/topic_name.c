/* Names of Pulsar topics, taken apart and put together. */
#include "pulsar/topic_name.h"

#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

enum { MAX_PARTS = 5, SUFFIX_ROOM = 24 };

static const char persistent[] = "persistent://";
static const char non_persistent[] = "non-persistent://";
static const char partition_mark[] = KOPI_PULSAR_PARTITION_MARK;

static uint8_t begins(kop_slice text, const char *with) {
  size_t len = strlen(with);
  return text.len >= len && memcmp(text.ptr, with, len) == 0;
}

static kop_slice behind(kop_slice text, size_t n) {
  return (kop_slice){text.ptr + n, text.len - n};
}

/* What Pulsar allows in tenants and namespaces. */
static uint8_t is_plain(kop_slice name) {
  if (name.len == 0) return 0;
  for (size_t i = 0; i < name.len; i++) {
    uint8_t c = name.ptr[i];
    uint8_t letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z', digit = c >= '0' && c <= '9';
    if (!letter && !digit && (c == 0 || strchr("-=:._", c) == NULL)) return 0;
  }
  return 1;
}

static uint8_t is_local(kop_slice name) {
  return name.len > 0 && memchr(name.ptr, '/', name.len) == NULL &&
         memchr(name.ptr, 0, name.len) == NULL;
}

static size_t split(kop_slice text, kop_slice *parts) {
  size_t n = 1;
  parts[0] = (kop_slice){text.ptr, 0};
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] != '/') {
      parts[n - 1].len++;
    } else if (n == MAX_PARTS) {
      return n;
    } else {
      parts[n++] = (kop_slice){text.ptr + i + 1, 0};
    }
  }
  return n;
}

/* The number of digits as Pulsar would write it; -1 when it is none. */
static int32_t read_number(kop_slice digits) {
  const uint8_t *end = digits.ptr + digits.len;
  uint64_t n;
  if (digits.len > 1 && digits.ptr[0] == '0') return -1;
  return kopi_decimal_read(digits.ptr, end, INT32_MAX, &n) == end ? (int32_t)n : -1;
}

static void cut_partition(kop_pulsar_topic *t) {
  const size_t mark = sizeof partition_mark - 1;
  for (size_t at = t->local.len; at-- > 1;) { /* at 0 nothing would be left of the name */
    if (!begins(behind(t->local, at), partition_mark)) continue;
    t->partition = read_number(behind(t->local, at + mark));
    if (t->partition >= 0) t->local.len = at;
    return;
  }
}

kop_status kop_pulsar_topic_read(kop_slice name, kop_slice tenant, kop_slice name_space,
                                 kop_pulsar_topic *out) {
  kop_pulsar_topic t = {
      .tenant = tenant, .name_space = name_space, .partition = -1, .is_persistent = 1};
  kop_slice parts[MAX_PARTS];
  uint8_t full = 1;
  if (name.len == 0) return KOP_ERR_MALFORMED;
  if (begins(name, persistent)) {
    name = behind(name, sizeof persistent - 1);
  } else if (begins(name, non_persistent)) {
    name = behind(name, sizeof non_persistent - 1);
    t.is_persistent = 0;
  } else {
    full = 0;
    for (size_t i = 0; i < name.len; i++) {
      if (begins(behind(name, i), "://")) return KOP_ERR_UNSUPPORTED;
    }
  }
  size_t n = split(name, parts);
  if (n == 4) return KOP_ERR_UNSUPPORTED;
  if (n == 3) {
    t.tenant = parts[0];
    t.name_space = parts[1];
  } else if (n != 1 || full) {
    return KOP_ERR_MALFORMED;
  }
  t.local = parts[n - 1];
  if (!is_plain(t.tenant) || !is_plain(t.name_space) || !is_local(t.local))
    return KOP_ERR_MALFORMED;
  cut_partition(&t);
  *out = t;
  return KOP_OK;
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t n) {
  memcpy(at, bytes, n);
  return at + n;
}

kop_status kop_pulsar_topic_write(const kop_pulsar_topic *topic, uint8_t *out, size_t cap,
                                  size_t *len) {
  if (!is_plain(topic->tenant) || !is_plain(topic->name_space) || !is_local(topic->local)) {
    return KOP_ERR_INVALID;
  }
  if (topic->partition < -1) return KOP_ERR_INVALID;
  const char *scheme = topic->is_persistent ? persistent : non_persistent;
  char suffix[SUFFIX_ROOM] = "";
  if (topic->partition >= 0) {
    snprintf(suffix, sizeof suffix, "%s%ld", partition_mark, (long)topic->partition);
  }
  *len = strlen(scheme) + topic->tenant.len + 1 + topic->name_space.len + 1 + topic->local.len +
         strlen(suffix);
  if (*len > cap) return KOP_ERR_NO_SPACE;
  out = put(out, scheme, strlen(scheme));
  out = put(out, topic->tenant.ptr, topic->tenant.len);
  out = put(out, "/", 1);
  out = put(out, topic->name_space.ptr, topic->name_space.len);
  out = put(out, "/", 1);
  out = put(out, topic->local.ptr, topic->local.len);
  (void)put(out, suffix, strlen(suffix));
  return KOP_OK;
}
