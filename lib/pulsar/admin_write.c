/*
 * Admin requests: one row for each call. A tail may contain
 *
 *     %n  number     %s  name     %l  ledger id     %e  entry id     %f  force as true or false
 */
#include <string.h>

#include "base/alloc.h"
#include "base/sized.h"
#include "pulsar/admin_body.h"
#include "pulsar/topic_name.h"
#include "wire/arena.h"

enum { MAX_TEXT = 4 * 1024 * 1024 };

/* What stands before the tail. */
enum {
  NOTHING = 0,
  TOPIC,              /* /persistent/tenant/namespace/topic */
  TOPICS_OF,          /* /persistent/tenant/namespace */
  NAMESPACE,          /* /namespaces/tenant/namespace */
  TOPIC_OR_NAMESPACE, /* as `topic` names the one or the other */
};

typedef struct row {
  const char *method;
  const char *tail;
  uint8_t scope;
  uint8_t body;
  uint8_t ranged; /* number has a range */
  int64_t min;
  int64_t max;
  const char *namespace_method; /* when it differs from the topic's */
} row;

#define ANY_FROM(low) .ranged = 1, .min = (low), .max = INT64_MAX
#define COUNT         .ranged = 1, .min = 1, .max = INT32_MAX
#define ON_OFF        .ranged = 1, .min = 0, .max = 1

/* clang-format off */
static const row rows[] = {
  [KOP_PULSAR_ADMIN_TOPICS] = {.method = "GET", .tail = "", .scope = TOPICS_OF},
  [KOP_PULSAR_ADMIN_PARTITIONED] = {.method = "GET", .tail = "/partitioned", .scope = TOPICS_OF},
  [KOP_PULSAR_ADMIN_PARTITIONS] = {.method = "GET", .tail = "/partitions?checkAllowAutoCreation=false", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_CREATE_PARTITIONED] = {.method = "PUT", .tail = "/partitions", .scope = TOPIC, .body = KOPI_ADMIN_PARTITIONED, COUNT},
  [KOP_PULSAR_ADMIN_GROW_PARTITIONED] = {.method = "POST", .tail = "/partitions", .scope = TOPIC, .body = KOPI_ADMIN_NUMBER, COUNT},
  [KOP_PULSAR_ADMIN_DELETE_PARTITIONED] = {.method = "DELETE", .tail = "/partitions?force=%f", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_CREATE_TOPIC] = {.method = "PUT", .tail = "", .scope = TOPIC, .body = KOPI_ADMIN_OPTIONAL_PROPERTIES},
  [KOP_PULSAR_ADMIN_DELETE_TOPIC] = {.method = "DELETE", .tail = "?force=%f", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_PROPERTIES] = {.method = "GET", .tail = "/properties", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_SET_PROPERTIES] = {.method = "PUT", .tail = "/properties", .scope = TOPIC, .body = KOPI_ADMIN_PROPERTIES},
  [KOP_PULSAR_ADMIN_STATS] = {.method = "GET", .tail = "/stats", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_PARTITIONED_STATS] = {.method = "GET", .tail = "/partitioned-stats?perPartition=false", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_INTERNAL_STATS] = {.method = "GET", .tail = "/internalStats", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_INTERNAL_INFO] = {.method = "GET", .tail = "/internal-info", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_MESSAGE_ID_BY_INDEX] = {.method = "GET", .tail = "/getMessageIdByIndex?index=%n", .scope = TOPIC, .ranged = 1, .max = INT64_MAX},
  [KOP_PULSAR_ADMIN_MESSAGE_ID_BY_TIME] = {.method = "GET", .tail = "/messageid/%n", .scope = TOPIC, ANY_FROM(0)},
  [KOP_PULSAR_ADMIN_LAST_MESSAGE_ID] = {.method = "GET", .tail = "/lastMessageId", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_EXAMINE_EARLIEST] = {.method = "GET", .tail = "/examinemessage?initialPosition=earliest&messagePosition=%n", .scope = TOPIC, ANY_FROM(1)},
  [KOP_PULSAR_ADMIN_EXAMINE_LATEST] = {.method = "GET", .tail = "/examinemessage?initialPosition=latest&messagePosition=%n", .scope = TOPIC, ANY_FROM(1)},
  [KOP_PULSAR_ADMIN_ENTRY] = {.method = "GET", .tail = "/ledger/%l/entry/%e", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_RETENTION] = {.method = "GET", .tail = "/retention", .scope = TOPIC_OR_NAMESPACE},
  [KOP_PULSAR_ADMIN_SET_RETENTION] = {.method = "POST", .tail = "/retention", .scope = TOPIC_OR_NAMESPACE, .body = KOPI_ADMIN_RETENTION},
  [KOP_PULSAR_ADMIN_COMPACTION_THRESHOLD] = {.method = "GET", .tail = "/compactionThreshold", .scope = TOPIC_OR_NAMESPACE},
  [KOP_PULSAR_ADMIN_SET_COMPACTION_THRESHOLD] = {.method = "POST", .tail = "/compactionThreshold", .scope = TOPIC_OR_NAMESPACE, .body = KOPI_ADMIN_NUMBER,
    ANY_FROM(0), .namespace_method = "PUT"},
  [KOP_PULSAR_ADMIN_COMPACT] = {.method = "PUT", .tail = "/compaction", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_COMPACTION_STATUS] = {.method = "GET", .tail = "/compaction", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_INACTIVE_POLICY] = {.method = "GET", .tail = "/inactiveTopicPolicies", .scope = TOPIC_OR_NAMESPACE},
  [KOP_PULSAR_ADMIN_SET_INACTIVE_POLICY] = {.method = "POST", .tail = "/inactiveTopicPolicies", .scope = TOPIC_OR_NAMESPACE, .body = KOPI_ADMIN_INACTIVE},
  [KOP_PULSAR_ADMIN_TENANTS] = {.method = "GET", .tail = "/tenants", .scope = NOTHING},
  [KOP_PULSAR_ADMIN_CREATE_TENANT] = {.method = "PUT", .tail = "/tenants/%s", .scope = NOTHING, .body = KOPI_ADMIN_TENANT},
  [KOP_PULSAR_ADMIN_CLUSTERS] = {.method = "GET", .tail = "/clusters", .scope = NOTHING},
  [KOP_PULSAR_ADMIN_NAMESPACES] = {.method = "GET", .tail = "/namespaces/%s", .scope = NOTHING},
  [KOP_PULSAR_ADMIN_CREATE_NAMESPACE] = {.method = "PUT", .tail = "", .scope = NAMESPACE},
  [KOP_PULSAR_ADMIN_SET_DEDUPLICATION] = {.method = "POST", .tail = "/deduplication", .scope = NAMESPACE, .body = KOPI_ADMIN_SWITCH, ON_OFF},
  [KOP_PULSAR_ADMIN_SET_AUTO_TOPIC_CREATION] = {.method = "POST", .tail = "/autoTopicCreation", .scope = NAMESPACE, .body = KOPI_ADMIN_AUTO_TOPICS, ON_OFF},
  [KOP_PULSAR_ADMIN_TRUNCATE] = {.method = "DELETE", .tail = "/truncate", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_UNLOAD] = {.method = "PUT", .tail = "/unload", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_SUBSCRIPTIONS] = {.method = "GET", .tail = "/subscriptions", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_CREATE_SUBSCRIPTION] = {.method = "PUT", .tail = "/subscription/%s", .scope = TOPIC, .body = KOPI_ADMIN_SUBSCRIPTION},
  [KOP_PULSAR_ADMIN_DELETE_SUBSCRIPTION] = {.method = "DELETE", .tail = "/subscription/%s?force=%f", .scope = TOPIC},
  [KOP_PULSAR_ADMIN_RESET_CURSOR] = {.method = "POST", .tail = "/subscription/%s/resetcursor", .scope = TOPIC, .body = KOPI_ADMIN_RESET},
  [KOP_PULSAR_ADMIN_EXPIRE_MESSAGES] = {.method = "POST", .tail = "/subscription/%s/expireMessages", .scope = TOPIC, .body = KOPI_ADMIN_POSITION},
  [KOP_PULSAR_ADMIN_SKIP_MESSAGES] = {.method = "POST", .tail = "/subscription/%s/skip/%n", .scope = TOPIC, COUNT},
  [KOP_PULSAR_ADMIN_PERMISSIONS] = {.method = "GET", .tail = "/permissions", .scope = TOPIC_OR_NAMESPACE},
  [KOP_PULSAR_ADMIN_GRANT] = {.method = "POST", .tail = "/permissions/%s", .scope = TOPIC_OR_NAMESPACE, .body = KOPI_ADMIN_LIST},
  [KOP_PULSAR_ADMIN_REVOKE] = {.method = "DELETE", .tail = "/permissions/%s", .scope = TOPIC_OR_NAMESPACE},
  [KOP_PULSAR_ADMIN_HEALTH] = {.method = "GET", .tail = "/brokers/health", .scope = NOTHING},
  [KOP_PULSAR_ADMIN_READY] = {.method = "GET", .tail = "/brokers/ready", .scope = NOTHING},
  [KOP_PULSAR_ADMIN_VERSION] = {.method = "GET", .tail = "/brokers/version", .scope = NOTHING},
  [KOP_PULSAR_ADMIN_RUNTIME_CONFIGURATION] = {.method = "GET", .tail = "/brokers/configuration/runtime", .scope = NOTHING},
};
/* clang-format on */

static kop_slice text(const char *s) {
  return (kop_slice){(const uint8_t *)s, strlen(s)};
}

/* "tenant/namespace": one slash, and each side what a topic's name may have there. */
static uint8_t read_namespace(kop_slice name, kop_pulsar_topic *out) {
  const uint8_t *slash = name.len == 0 ? NULL : memchr(name.ptr, '/', name.len);
  if (slash == NULL) return 0;
  size_t at = (size_t)(slash - name.ptr);
  kop_slice tenant = {name.ptr, at}, name_space = {slash + 1, name.len - at - 1};
  return kop_pulsar_topic_read(text("x"), tenant, name_space, out) == KOP_OK;
}

static kop_status put_scope(kopi_buf *b, const row *r, const kop_pulsar_admin_request *q,
                            uint8_t *is_namespace) {
  kop_pulsar_topic t;
  *is_namespace = 0;
  if (r->scope == NOTHING) return KOP_OK;
  if (r->scope != TOPIC && read_namespace(q->topic, &t)) {
    *is_namespace = 1;
  } else if (r->scope == TOPICS_OF || r->scope == NAMESPACE ||
             kop_pulsar_topic_read(q->topic, text("public"), text("default"), &t) != KOP_OK) {
    return KOP_ERR_INVALID;
  }
  uint8_t under_namespaces = *is_namespace && r->scope != TOPICS_OF;
  kopi_admin_put_text(b, under_namespaces  ? "/namespaces/"
                         : t.is_persistent ? "/persistent/"
                                           : "/non-persistent/");
  kopi_admin_put_segment(b, t.tenant);
  kopi_buf_put_u8(b, '/');
  kopi_admin_put_segment(b, t.name_space);
  if (*is_namespace) return KOP_OK;
  kopi_buf_put_u8(b, '/');
  kopi_admin_put_segment(b, t.local);
  if (t.partition >= 0) {
    kopi_admin_put_text(b, KOPI_PULSAR_PARTITION_MARK);
    kopi_admin_put_number(b, t.partition);
  }
  return KOP_OK;
}

static kop_status put_tail(kopi_buf *b, const row *r, const kop_pulsar_admin_request *q) {
  for (const char *c = r->tail; *c != '\0'; c++) {
    if (*c != '%') {
      kopi_buf_put_u8(b, (uint8_t)*c);
      continue;
    }
    switch (*++c) {
    case 'n':
      kopi_admin_put_number(b, q->number);
      break;
    case 's':
      if (q->name.len == 0) return KOP_ERR_INVALID;
      kopi_admin_put_segment(b, q->name);
      break;
    case 'l':
      kopi_admin_put_number(b, (int64_t)q->ledger_id);
      break;
    case 'e':
      kopi_admin_put_number(b, (int64_t)q->entry_id);
      break;
    default:
      kopi_admin_put_text(b, q->force != 0 ? "true" : "false");
    }
  }
  return KOP_OK;
}

/* Moves what was written into the arena, with a zero behind it. */
static kop_status keep(kopi_buf *b, kop_arena *arena, kop_slice *out) {
  if (b->status != KOP_OK) return b->status;
  uint8_t *copy = kopi_arena_alloc(&arena->arena, b->len + 1);
  if (copy == NULL) return kopi_arena_status(&arena->arena, b->len + 1);
  if (b->len > 0) memcpy(copy, b->data, b->len);
  copy[b->len] = 0;
  *out = (kop_slice){copy, b->len};
  return KOP_OK;
}

static uint8_t usable(const row *r, const kop_pulsar_admin_request *q) {
  if (q->reserved != 0) return 0;
  if (r->ranged && (q->number < r->min || q->number > r->max)) return 0;
  if ((q->properties == NULL && q->properties_count > 0) ||
      (q->list == NULL && q->list_count > 0)) {
    return 0;
  }
  if (r->body == KOPI_ADMIN_TENANT) return q->list_count > 0;
  if (r->body == KOPI_ADMIN_RETENTION) return q->retention_minutes >= -1 && q->retention_mb >= -1;
  if (r->body == KOPI_ADMIN_INACTIVE) {
    return q->inactive_mode >= KOP_PULSAR_ADMIN_INACTIVE_NO_SUBSCRIPTIONS &&
           q->inactive_mode <= KOP_PULSAR_ADMIN_INACTIVE_CAUGHT_UP && q->inactive_seconds >= 1;
  }
  return 1;
}

kop_status kop_pulsar_admin_write(const kop_pulsar_admin_request *request, kop_arena *arena,
                                  kop_pulsar_admin_call *out) {
  kop_pulsar_admin_request q = {0};
  if (kopi_sized_load(&q, sizeof q, request) != KOP_OK) return KOP_ERR_INVALID;
  if (q.op >= sizeof rows / sizeof rows[0] || rows[q.op].method == NULL) return KOP_ERR_UNSUPPORTED;
  const row *r = &rows[q.op];
  if (!usable(r, &q)) return KOP_ERR_INVALID;
  kop_pulsar_admin_call call = {.size = sizeof call, .method = r->method};
  uint8_t is_namespace;
  kopi_buf b;
  kopi_buf_init(&b, &arena->alloc, MAX_TEXT);
  kopi_admin_put_text(&b, "/admin/v2");
  kop_status status = put_scope(&b, r, &q, &is_namespace);
  if (status == KOP_OK) status = put_tail(&b, r, &q);
  if (status == KOP_OK) status = keep(&b, arena, &call.path);
  if (status == KOP_OK) {
    if (is_namespace && r->namespace_method != NULL) call.method = r->namespace_method;
    kopi_buf_reset(&b);
    call.content_type = kopi_admin_put_body(&b, r->body, &q);
    status = keep(&b, arena, &call.body);
  }
  kopi_buf_free(&b);
  if (status == KOP_OK) *out = call;
  return status;
}
