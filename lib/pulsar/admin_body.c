/* The text of admin requests. The bodies are what Pulsar's own admin client sends, less the members that are defaults. */
#include "pulsar/admin_body.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static const char json[] = "application/json";
static const char partitioned_json[] = "application/vnd.partitioned-topic-metadata+json";

void kopi_admin_put_text(kopi_buf *b, const char *text) {
  kopi_buf_put(b, text, strlen(text));
}

void kopi_admin_put_number(kopi_buf *b, int64_t number) {
  char text[24];
  snprintf(text, sizeof text, "%lld", (long long)number);
  kopi_admin_put_text(b, text);
}

void kopi_admin_put_segment(kopi_buf *b, kop_slice text) {
  static const char digits[] = "0123456789ABCDEF";
  /* HTTP clients and servers resolve those, in percent encoding too: the call would be for what stands above. */
  uint8_t dots = text.len <= 2 && text.len > 0 && memcmp(text.ptr, "..", text.len) == 0;
  if (dots && b->status == KOP_OK) b->status = KOP_ERR_INVALID;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.ptr[i];
    uint8_t letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z', digit = c >= '0' && c <= '9';
    if (letter || digit || (c != 0 && strchr("-._~", c) != NULL)) {
      kopi_buf_put_u8(b, c);
    } else {
      kopi_buf_put_u8(b, '%');
      kopi_buf_put_u8(b, (uint8_t)digits[c >> 4]);
      kopi_buf_put_u8(b, (uint8_t)digits[c & 15]);
    }
  }
}

static void put_string(kopi_buf *b, kop_slice text) {
  if (!kopi_is_utf8(text) && b->status == KOP_OK) b->status = KOP_ERR_INVALID;
  kopi_buf_put_u8(b, '"');
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.ptr[i];
    if (c < 0x20) {
      char escape[8];
      snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
      kopi_admin_put_text(b, escape);
      continue;
    }
    if (c == '"' || c == '\\') kopi_buf_put_u8(b, '\\');
    kopi_buf_put_u8(b, c);
  }
  kopi_buf_put_u8(b, '"');
}

static void put_properties(kopi_buf *b, const kop_pulsar_admin_request *r) {
  for (size_t i = 0; i < r->properties_count; i++) {
    kopi_buf_put_u8(b, i == 0 ? '{' : ',');
    put_string(b, r->properties[i].key);
    kopi_buf_put_u8(b, ':');
    put_string(b, r->properties[i].value);
  }
  kopi_admin_put_text(b, r->properties_count == 0 ? "{}" : "}");
}

static void put_list(kopi_buf *b, const kop_pulsar_admin_request *r) {
  kopi_buf_put_u8(b, '[');
  for (size_t i = 0; i < r->list_count; i++) {
    if (i > 0) kopi_buf_put_u8(b, ',');
    put_string(b, r->list[i]);
  }
  kopi_buf_put_u8(b, ']');
}

static void put_switch(kopi_buf *b, int64_t on) {
  kopi_admin_put_text(b, on != 0 ? "true" : "false");
}

/* The broker refuses a policy that allows creation and does not say of what. */
static void put_auto_topics(kopi_buf *b, const kop_pulsar_admin_request *r) {
  kopi_admin_put_text(b, r->number != 0
                             ? "{\"allowAutoTopicCreation\":true,\"topicType\":\"non-partitioned\"}"
                             : "{\"allowAutoTopicCreation\":false}");
}

static const char *put_partitioned(kopi_buf *b, const kop_pulsar_admin_request *r) {
  if (r->properties_count == 0) {
    kopi_admin_put_number(b, r->number);
    return json;
  }
  kopi_admin_put_text(b, "{\"partitions\":");
  kopi_admin_put_number(b, r->number);
  kopi_admin_put_text(b, ",\"properties\":");
  put_properties(b, r);
  kopi_buf_put_u8(b, '}');
  return partitioned_json;
}

/* Java's ids are signed: the earliest position is -1:-1. "excluded" is the name the broker reads, not "isExcluded". */
static void put_position(kopi_buf *b, uint8_t kind, const kop_pulsar_admin_request *r) {
  kopi_admin_put_text(b, "{\"ledgerId\":");
  kopi_admin_put_number(b, (int64_t)r->ledger_id);
  kopi_admin_put_text(b, ",\"entryId\":");
  kopi_admin_put_number(b, (int64_t)r->entry_id);
  kopi_admin_put_text(b, ",\"partitionIndex\":-1");
  if (kind == KOPI_ADMIN_RESET) {
    kopi_admin_put_text(b, ",\"excluded\":");
    put_switch(b, r->excluded);
    kopi_admin_put_text(b, ",\"batchIndex\":");
    kopi_admin_put_number(b, r->batch_index);
  }
  if (kind == KOPI_ADMIN_SUBSCRIPTION && r->properties_count > 0) {
    kopi_admin_put_text(b, ",\"properties\":");
    put_properties(b, r);
  }
  kopi_buf_put_u8(b, '}');
}

static void put_retention(kopi_buf *b, const kop_pulsar_admin_request *r) {
  kopi_admin_put_text(b, "{\"retentionTimeInMinutes\":");
  kopi_admin_put_number(b, r->retention_minutes);
  kopi_admin_put_text(b, ",\"retentionSizeInMB\":");
  kopi_admin_put_number(b, r->retention_mb);
  kopi_buf_put_u8(b, '}');
}

static void put_inactive(kopi_buf *b, const kop_pulsar_admin_request *r) {
  kopi_admin_put_text(b, "{\"inactiveTopicDeleteMode\":\"");
  kopi_admin_put_text(b, r->inactive_mode == KOP_PULSAR_ADMIN_INACTIVE_CAUGHT_UP
                             ? "delete_when_subscriptions_caught_up"
                             : "delete_when_no_subscriptions");
  kopi_admin_put_text(b, "\",\"maxInactiveDurationSeconds\":");
  kopi_admin_put_number(b, r->inactive_seconds);
  kopi_admin_put_text(b, ",\"deleteWhileInactive\":");
  put_switch(b, r->inactive_delete);
  kopi_buf_put_u8(b, '}');
}

const char *kopi_admin_put_body(kopi_buf *b, uint8_t kind, const kop_pulsar_admin_request *r) {
  switch (kind) {
  case KOPI_ADMIN_NUMBER:
    kopi_admin_put_number(b, r->number);
    return json;
  case KOPI_ADMIN_SWITCH:
    put_switch(b, r->number);
    return json;
  case KOPI_ADMIN_AUTO_TOPICS:
    put_auto_topics(b, r);
    return json;
  case KOPI_ADMIN_OPTIONAL_PROPERTIES:
    if (r->properties_count == 0) return NULL;
    put_properties(b, r);
    return json;
  case KOPI_ADMIN_PROPERTIES:
    put_properties(b, r);
    return json;
  case KOPI_ADMIN_PARTITIONED:
    return put_partitioned(b, r);
  case KOPI_ADMIN_TENANT:
    kopi_admin_put_text(b, "{\"adminRoles\":[],\"allowedClusters\":");
    put_list(b, r);
    kopi_buf_put_u8(b, '}');
    return json;
  case KOPI_ADMIN_LIST:
    put_list(b, r);
    return json;
  case KOPI_ADMIN_POSITION:
  case KOPI_ADMIN_RESET:
  case KOPI_ADMIN_SUBSCRIPTION:
    put_position(b, kind, r);
    return json;
  case KOPI_ADMIN_RETENTION:
    put_retention(b, r);
    return json;
  case KOPI_ADMIN_INACTIVE:
    put_inactive(b, r);
    return json;
  default:
    return NULL;
  }
}
