/* Admin requests: every call as the text that goes out, and what is refused. */
#include <criterion/criterion.h>
#include <kop/pulsar_admin.h>
#include <string.h>

#include "support/failing_alloc.h"

static kop_slice text(const char *s) {
  return (kop_slice){(const uint8_t *)s, strlen(s)};
}

static kop_pulsar_property properties[2];
static kop_slice list[2];

static kop_pulsar_admin_request base(uint32_t op) {
  properties[0] = (kop_pulsar_property){text("kop.writers"), text("sh\"ar\\ed\n")};
  properties[1] = (kop_pulsar_property){text("\xC3\xBC"), text("")};
  list[0] = text("produce");
  list[1] = text("consume");
  return (kop_pulsar_admin_request){.size = sizeof(kop_pulsar_admin_request),
                                    .op = op,
                                    .topic = text("t/n/x y+z"),
                                    .name = text("s/1"),
                                    .number = 1,
                                    .ledger_id = 14,
                                    .entry_id = 20,
                                    .batch_index = -1,
                                    .retention_minutes = -1,
                                    .retention_mb = 5,
                                    .inactive_mode = KOP_PULSAR_ADMIN_INACTIVE_CAUGHT_UP,
                                    .inactive_seconds = 60};
}

static kop_status write_it(const kop_pulsar_admin_request *r, kop_pulsar_admin_call *call) {
  static kop_arena *arena;
  if (arena == NULL) cr_assert_eq(kop_arena_new(NULL, 1 << 20, &arena), KOP_OK);
  return kop_pulsar_admin_write(r, arena, call);
}

static uint8_t equals(kop_slice have, const char *want) {
  return have.len == strlen(want) && memcmp(have.ptr, want, have.len) == 0;
}

/* What a request comes to: "METHOD path" and the body. */
static void goes_out(const kop_pulsar_admin_request *r, const char *method, const char *path,
                     const char *body) {
  kop_pulsar_admin_call call;
  cr_assert_eq(write_it(r, &call), KOP_OK, "op %u", r->op);
  cr_assert_str_eq(call.method, method);
  cr_assert(memcmp(call.path.ptr, "/admin/v2", 9) == 0 && call.path.ptr[call.path.len] == 0);
  kop_slice tail = {call.path.ptr + 9, call.path.len - 9};
  cr_assert(equals(tail, path), "op %u: %s", r->op, (const char *)call.path.ptr);
  cr_assert(equals(call.body, body), "op %u: %.*s", r->op, (int)call.body.len,
            (const char *)call.body.ptr);
  cr_assert_eq(call.content_type == NULL, body[0] == '\0');
}

#define X "/persistent/t/n/x%20y%2Bz"

typedef struct expected {
  uint32_t op;
  const char *method;
  const char *path;
  const char *body;
} expected;

Test(admin_write, calls_on_a_topic) {
  static const expected cases[] = {
      {KOP_PULSAR_ADMIN_PARTITIONS, "GET", X "/partitions?checkAllowAutoCreation=false", ""},
      {KOP_PULSAR_ADMIN_CREATE_PARTITIONED, "PUT", X "/partitions", "1"},
      {KOP_PULSAR_ADMIN_GROW_PARTITIONED, "POST", X "/partitions", "1"},
      {KOP_PULSAR_ADMIN_DELETE_PARTITIONED, "DELETE", X "/partitions?force=false", ""},
      {KOP_PULSAR_ADMIN_CREATE_TOPIC, "PUT", X, ""},
      {KOP_PULSAR_ADMIN_DELETE_TOPIC, "DELETE", X "?force=false", ""},
      {KOP_PULSAR_ADMIN_PROPERTIES, "GET", X "/properties", ""},
      {KOP_PULSAR_ADMIN_SET_PROPERTIES, "PUT", X "/properties", "{}"},
      {KOP_PULSAR_ADMIN_STATS, "GET", X "/stats", ""},
      {KOP_PULSAR_ADMIN_PARTITIONED_STATS, "GET", X "/partitioned-stats?perPartition=false", ""},
      {KOP_PULSAR_ADMIN_INTERNAL_STATS, "GET", X "/internalStats", ""},
      {KOP_PULSAR_ADMIN_INTERNAL_INFO, "GET", X "/internal-info", ""},
      {KOP_PULSAR_ADMIN_MESSAGE_ID_BY_INDEX, "GET", X "/getMessageIdByIndex?index=1", ""},
      {KOP_PULSAR_ADMIN_MESSAGE_ID_BY_TIME, "GET", X "/messageid/1", ""},
      {KOP_PULSAR_ADMIN_LAST_MESSAGE_ID, "GET", X "/lastMessageId", ""},
      {KOP_PULSAR_ADMIN_EXAMINE_EARLIEST, "GET",
       X "/examinemessage?initialPosition=earliest&messagePosition=1", ""},
      {KOP_PULSAR_ADMIN_EXAMINE_LATEST, "GET",
       X "/examinemessage?initialPosition=latest&messagePosition=1", ""},
      {KOP_PULSAR_ADMIN_ENTRY, "GET", X "/ledger/14/entry/20", ""},
      {KOP_PULSAR_ADMIN_RETENTION, "GET", X "/retention", ""},
      {KOP_PULSAR_ADMIN_SET_RETENTION, "POST", X "/retention",
       "{\"retentionTimeInMinutes\":-1,\"retentionSizeInMB\":5}"},
      {KOP_PULSAR_ADMIN_COMPACTION_THRESHOLD, "GET", X "/compactionThreshold", ""},
      {KOP_PULSAR_ADMIN_SET_COMPACTION_THRESHOLD, "POST", X "/compactionThreshold", "1"},
      {KOP_PULSAR_ADMIN_COMPACT, "PUT", X "/compaction", ""},
      {KOP_PULSAR_ADMIN_COMPACTION_STATUS, "GET", X "/compaction", ""},
      {KOP_PULSAR_ADMIN_INACTIVE_POLICY, "GET", X "/inactiveTopicPolicies", ""},
      {KOP_PULSAR_ADMIN_SET_INACTIVE_POLICY, "POST", X "/inactiveTopicPolicies",
       "{\"inactiveTopicDeleteMode\":\"delete_when_subscriptions_caught_up\","
       "\"maxInactiveDurationSeconds\":60,\"deleteWhileInactive\":false}"},
      {KOP_PULSAR_ADMIN_TRUNCATE, "DELETE", X "/truncate", ""},
      {KOP_PULSAR_ADMIN_UNLOAD, "PUT", X "/unload", ""},
      {KOP_PULSAR_ADMIN_SUBSCRIPTIONS, "GET", X "/subscriptions", ""},
      {KOP_PULSAR_ADMIN_CREATE_SUBSCRIPTION, "PUT", X "/subscription/s%2F1",
       "{\"ledgerId\":14,\"entryId\":20,\"partitionIndex\":-1}"},
      {KOP_PULSAR_ADMIN_DELETE_SUBSCRIPTION, "DELETE", X "/subscription/s%2F1?force=false", ""},
      {KOP_PULSAR_ADMIN_RESET_CURSOR, "POST", X "/subscription/s%2F1/resetcursor",
       "{\"ledgerId\":14,\"entryId\":20,\"partitionIndex\":-1,\"excluded\":false,\"batchIndex\":-"
       "1}"},
      {KOP_PULSAR_ADMIN_EXPIRE_MESSAGES, "POST", X "/subscription/s%2F1/expireMessages",
       "{\"ledgerId\":14,\"entryId\":20,\"partitionIndex\":-1}"},
      {KOP_PULSAR_ADMIN_SKIP_MESSAGES, "POST", X "/subscription/s%2F1/skip/1", ""},
      {KOP_PULSAR_ADMIN_PERMISSIONS, "GET", X "/permissions", ""},
      {KOP_PULSAR_ADMIN_GRANT, "POST", X "/permissions/s%2F1", "[]"},
      {KOP_PULSAR_ADMIN_REVOKE, "DELETE", X "/permissions/s%2F1", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kop_pulsar_admin_request r = base(cases[i].op);
    goes_out(&r, cases[i].method, cases[i].path, cases[i].body);
  }
}

Test(admin_write, calls_on_a_namespace) {
  static const expected cases[] = {
      {KOP_PULSAR_ADMIN_TOPICS, "GET", "/persistent/t/n", ""},
      {KOP_PULSAR_ADMIN_PARTITIONED, "GET", "/persistent/t/n/partitioned", ""},
      {KOP_PULSAR_ADMIN_RETENTION, "GET", "/namespaces/t/n/retention", ""},
      {KOP_PULSAR_ADMIN_SET_RETENTION, "POST", "/namespaces/t/n/retention",
       "{\"retentionTimeInMinutes\":-1,\"retentionSizeInMB\":5}"},
      {KOP_PULSAR_ADMIN_COMPACTION_THRESHOLD, "GET", "/namespaces/t/n/compactionThreshold", ""},
      {KOP_PULSAR_ADMIN_SET_COMPACTION_THRESHOLD, "PUT", "/namespaces/t/n/compactionThreshold",
       "1"},
      {KOP_PULSAR_ADMIN_INACTIVE_POLICY, "GET", "/namespaces/t/n/inactiveTopicPolicies", ""},
      {KOP_PULSAR_ADMIN_CREATE_NAMESPACE, "PUT", "/namespaces/t/n", ""},
      {KOP_PULSAR_ADMIN_SET_DEDUPLICATION, "POST", "/namespaces/t/n/deduplication", "true"},
      {KOP_PULSAR_ADMIN_SET_AUTO_TOPIC_CREATION, "POST", "/namespaces/t/n/autoTopicCreation",
       "{\"allowAutoTopicCreation\":true,\"topicType\":\"non-partitioned\"}"},
      {KOP_PULSAR_ADMIN_PERMISSIONS, "GET", "/namespaces/t/n/permissions", ""},
      {KOP_PULSAR_ADMIN_REVOKE, "DELETE", "/namespaces/t/n/permissions/s%2F1", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kop_pulsar_admin_request r = base(cases[i].op);
    r.topic = text("t/n");
    goes_out(&r, cases[i].method, cases[i].path, cases[i].body);
  }
}

Test(admin_write, calls_on_nothing) {
  static const expected cases[] = {
      {KOP_PULSAR_ADMIN_TENANTS, "GET", "/tenants", ""},
      {KOP_PULSAR_ADMIN_CLUSTERS, "GET", "/clusters", ""},
      {KOP_PULSAR_ADMIN_NAMESPACES, "GET", "/namespaces/s%2F1", ""},
      {KOP_PULSAR_ADMIN_HEALTH, "GET", "/brokers/health", ""},
      {KOP_PULSAR_ADMIN_READY, "GET", "/brokers/ready", ""},
      {KOP_PULSAR_ADMIN_VERSION, "GET", "/brokers/version", ""},
      {KOP_PULSAR_ADMIN_RUNTIME_CONFIGURATION, "GET", "/brokers/configuration/runtime", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kop_pulsar_admin_request r = base(cases[i].op);
    goes_out(&r, cases[i].method, cases[i].path, cases[i].body);
  }
}

Test(admin_write, bodies_with_everything) {
  kop_pulsar_admin_request r = base(KOP_PULSAR_ADMIN_CREATE_PARTITIONED);
  kop_pulsar_admin_call call;
  r.properties = properties;
  r.properties_count = 2;
  r.number = 3;
  goes_out(&r, "PUT", X "/partitions",
           "{\"partitions\":3,\"properties\":{\"kop.writers\":\"sh\\\"ar\\\\ed\\u000a\","
           "\"\xC3\xBC\":\"\"}}");
  cr_assert_eq(write_it(&r, &call), KOP_OK);
  cr_assert_str_eq(call.content_type, "application/vnd.partitioned-topic-metadata+json");
  r.op = KOP_PULSAR_ADMIN_CREATE_TOPIC;
  goes_out(&r, "PUT", X, "{\"kop.writers\":\"sh\\\"ar\\\\ed\\u000a\",\"\xC3\xBC\":\"\"}");
  r.op = KOP_PULSAR_ADMIN_CREATE_SUBSCRIPTION;
  r.properties_count = 1;
  r.ledger_id = r.entry_id = KOP_PULSAR_EARLIEST;
  goes_out(&r, "PUT", X "/subscription/s%2F1",
           "{\"ledgerId\":-1,\"entryId\":-1,\"partitionIndex\":-1,\"properties\":{\"kop.writers\":"
           "\"sh\\\"ar\\\\ed\\u000a\"}}");
  r = base(KOP_PULSAR_ADMIN_RESET_CURSOR);
  r.excluded = 1;
  r.batch_index = 4;
  r.ledger_id = r.entry_id = KOP_PULSAR_LATEST;
  goes_out(
      &r, "POST", X "/subscription/s%2F1/resetcursor",
      "{\"ledgerId\":9223372036854775807,\"entryId\":9223372036854775807,\"partitionIndex\":-1,"
      "\"excluded\":true,\"batchIndex\":4}");
  r = base(KOP_PULSAR_ADMIN_GRANT);
  r.list = list;
  r.list_count = 2;
  goes_out(&r, "POST", X "/permissions/s%2F1", "[\"produce\",\"consume\"]");
  r.op = KOP_PULSAR_ADMIN_CREATE_TENANT;
  r.list_count = 1;
  goes_out(&r, "PUT", "/tenants/s%2F1", "{\"adminRoles\":[],\"allowedClusters\":[\"produce\"]}");
  r = base(KOP_PULSAR_ADMIN_SET_DEDUPLICATION);
  r.topic = text("t/n");
  r.number = 0;
  goes_out(&r, "POST", "/namespaces/t/n/deduplication", "false");
  r.op = KOP_PULSAR_ADMIN_SET_AUTO_TOPIC_CREATION;
  goes_out(&r, "POST", "/namespaces/t/n/autoTopicCreation", "{\"allowAutoTopicCreation\":false}");
  r = base(KOP_PULSAR_ADMIN_DELETE_TOPIC);
  r.force = 1;
  r.topic = text("non-persistent://a/b/\xC3\xBC-partition-3");
  goes_out(&r, "DELETE", "/non-persistent/a/b/%C3%BC-partition-3?force=true", "");
  r.topic = text("short");
  goes_out(&r, "DELETE", "/persistent/public/default/short?force=true", "");
}

Test(admin_write, what_is_refused) {
  kop_pulsar_admin_request r;
  kop_pulsar_admin_call call;
  static const uint32_t unknown[] = {0, 51, UINT32_MAX};
  for (size_t i = 0; i < 3; i++) {
    r = base(unknown[i]);
    cr_assert_eq(write_it(&r, &call), KOP_ERR_UNSUPPORTED);
  }
  static const struct {
    uint32_t op;
    const char *topic;
    const char *name;
    int64_t number;
  } bad[] = {
      {KOP_PULSAR_ADMIN_STATS, "", "s", 1},
      {KOP_PULSAR_ADMIN_STATS, "t/n", "s", 1},
      {KOP_PULSAR_ADMIN_TOPICS, "t", "s", 1},
      {KOP_PULSAR_ADMIN_TOPICS, "t/n/x", "s", 1},
      {KOP_PULSAR_ADMIN_TOPICS, "t/", "s", 1},
      {KOP_PULSAR_ADMIN_TOPICS, "/n", "s", 1},
      {KOP_PULSAR_ADMIN_CREATE_NAMESPACE, "t/n/x", "s", 1},
      {KOP_PULSAR_ADMIN_DELETE_SUBSCRIPTION, "x", "", 1},
      /* Resolved as in a path of files, it would delete the topic. */
      {KOP_PULSAR_ADMIN_DELETE_SUBSCRIPTION, "x", "..", 1},
      {KOP_PULSAR_ADMIN_DELETE_SUBSCRIPTION, "x", ".", 1},
      {KOP_PULSAR_ADMIN_DELETE_SUBSCRIPTION, "t/../x", "s", 1},
      {KOP_PULSAR_ADMIN_SUBSCRIPTIONS, "..", "s", 1},
      {KOP_PULSAR_ADMIN_CREATE_NAMESPACE, "t/..", "s", 1},
      {KOP_PULSAR_ADMIN_REVOKE, "t/n", "..", 1},
      {KOP_PULSAR_ADMIN_CREATE_PARTITIONED, "x", "s", 0},
      {KOP_PULSAR_ADMIN_CREATE_PARTITIONED, "x", "s", INT64_C(2147483648)},
      {KOP_PULSAR_ADMIN_MESSAGE_ID_BY_INDEX, "x", "s", -1},
      {KOP_PULSAR_ADMIN_EXAMINE_LATEST, "x", "s", 0},
      {KOP_PULSAR_ADMIN_SET_DEDUPLICATION, "t/n", "s", 2},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    r = base(bad[i].op);
    r.topic = text(bad[i].topic);
    r.name = text(bad[i].name);
    r.number = bad[i].number;
    cr_assert_eq(write_it(&r, &call), KOP_ERR_INVALID, "case %zu", i);
  }
  r = base(KOP_PULSAR_ADMIN_SET_RETENTION);
  r.retention_mb = -2;
  cr_assert_eq(write_it(&r, &call), KOP_ERR_INVALID);
  r = base(KOP_PULSAR_ADMIN_SET_INACTIVE_POLICY);
  r.inactive_mode = 3;
  cr_assert_eq(write_it(&r, &call), KOP_ERR_INVALID);
  r = base(KOP_PULSAR_ADMIN_CREATE_TENANT);
  cr_assert_eq(write_it(&r, &call), KOP_ERR_INVALID);
  r = base(KOP_PULSAR_ADMIN_GRANT);
  r.list_count = 1;
  cr_assert_eq(write_it(&r, &call), KOP_ERR_INVALID);
  r.list = list;
  list[0] = text("\xFF");
  cr_assert_eq(write_it(&r, &call), KOP_ERR_INVALID);
  r.reserved = 1;
  list[0] = text("produce");
  cr_assert_eq(write_it(&r, &call), KOP_ERR_INVALID);
  r.reserved = 0;
  cr_assert_eq(write_it(&r, &call), KOP_OK);
  r.size = 4;
  cr_assert_eq(write_it(&r, &call), KOP_ERR_INVALID);
}

Test(admin_write, limits_and_refused_memory) {
  kop_arena *arena;
  kop_pulsar_admin_call call;
  kop_pulsar_admin_request r = base(KOP_PULSAR_ADMIN_SET_PROPERTIES);
  r.properties = properties;
  r.properties_count = 2;
  cr_assert_eq(kop_arena_new(NULL, 64, &arena), KOP_OK);
  cr_assert_eq(kop_pulsar_admin_write(&r, arena, &call), KOP_ERR_LIMIT);
  kop_arena_free(arena);
  for (size_t i = 0;; i++) {
    failing_alloc f;
    failing_alloc_init(&f, i);
    kop_status status = kop_arena_new(&f.alloc, 1 << 20, &arena);
    if (status == KOP_OK) {
      status = kop_pulsar_admin_write(&r, arena, &call);
      kop_arena_free(arena);
    }
    cr_assert_eq(f.live, 0);
    if (f.made <= i) {
      cr_assert_eq(status, KOP_OK);
      break;
    }
    cr_assert_eq(status, KOP_ERR_NOMEM);
  }
}
