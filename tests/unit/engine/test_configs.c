/* DescribeConfigs, AlterConfigs, IncrementalAlterConfigs: Kafka's measured answers, and what the store is asked. */
#include "catalogue.h"

/* ---- DescribeConfigs ---- */

typedef kop_describe_configs_request_resource asked;
typedef kop_describe_configs_response_resource_result shown;

static kop_describe_configs_response p;

static asked resource(int8_t type, const char *name, kop_slice *keys, int32_t n) {
  asked a;
  cr_assert_eq(kop_struct_init(KOP_STRUCT_DESCRIBE_CONFIGS_REQUEST_RESOURCE, &a, sizeof a), KOP_OK);
  a.resource_type = type;
  a.resource_name = kh_text(name);
  a.configuration_keys.ptr = keys;
  a.configuration_keys.len = n;
  return a;
}

static void describe(cat *c, kh_conn *conn, int16_t version, asked *all, int32_t n, bool more) {
  kop_describe_configs_request q;
  cr_assert_eq(kop_message_init(KOP_MSG_DESCRIBE_CONFIGS_REQUEST, &q, sizeof q), KOP_OK);
  q.resources.ptr = all;
  q.resources.len = n;
  q.include_synonyms = more && version >= 1;
  q.include_documentation = more && version >= 3;
  cat_call(c, conn, KOP_MSG_DESCRIBE_CONFIGS_REQUEST, version, &q, sizeof q, &p, sizeof p);
}

static const shown *find(int32_t i, const char *name) {
  for (int32_t k = 0; k < p.results.ptr[i].configs.len; k++) {
    const shown *s = &p.results.ptr[i].configs.ptr[k];
    if (strcmp(cat_text(s->name), name) == 0) return s;
  }
  return NULL;
}

static void small_segments(kop_engine_config *config) {
  static kop_config_entry own[2];
  own[0] = (kop_config_entry){kh_text("log.retention.minutes"), kh_text("10")};
  own[1] = (kop_config_entry){kh_text("message.max.bytes"), kh_text("5000")};
  config->broker_configs = own;
  config->broker_configs_count = 2;
}

Test(describe_configs, topic_in_every_version) {
  cat c;
  kh h;
  cat_start(&c, &h, small_segments);
  kh_conn *conn = kh_connect(&h);
  kop_config_entry own = {kh_text("max.message.bytes"), kh_text("77")};
  kh_topic_with(&h, "t", 9, 1, &own, 1);
  for (int16_t v = 0; v <= 4; v++) {
    kop_slice keys[] = {kh_text("max.message.bytes"), kh_text("retention.ms"),
                        kh_text("segment.bytes"), kh_text("nope")};
    asked all[] = {resource(2, "t", keys, 4), resource(2, "t", NULL, -1),
                   resource(2, "t", NULL, 0)};
    describe(&c, conn, v, all, 3, true);
    cr_assert_eq(p.results.len, 3);
    cr_assert_eq(p.results.ptr[0].error_code, 0);
    cr_assert_str_eq(cat_text(p.results.ptr[0].error_message), "", "as Kafka: not null");
    cr_assert_eq(p.results.ptr[0].configs.len, 3);
    cr_assert_eq(p.results.ptr[1].configs.len, 33);
    cr_assert_eq(p.results.ptr[2].configs.len, 33);
    const shown *s = find(0, "max.message.bytes");
    cr_assert_str_eq(cat_text(s->value), "77");
    cr_assert_eq(s->read_only, 0);
    cr_assert_eq(s->is_sensitive, 0);
    if (v == 0) {
      cr_assert_eq(s->is_default, 0);
      cr_assert_eq(find(0, "segment.bytes")->is_default, 1);
      continue;
    }
    cr_assert_eq(s->config_source, 1);
    cr_assert_eq(s->synonyms.len, 3);
    cr_assert_str_eq(cat_text(s->synonyms.ptr[1].name), "message.max.bytes");
    cr_assert_str_eq(cat_text(s->synonyms.ptr[1].value), "5000");
    cr_assert_eq(s->synonyms.ptr[1].source, 4);
    cr_assert_eq(s->synonyms.ptr[2].source, 5);
    s = find(0, "retention.ms");
    cr_assert_str_eq(cat_text(s->value), "600000");
    cr_assert_eq(s->config_source, 4);
    cr_assert_str_eq(cat_text(s->synonyms.ptr[0].name), "log.retention.minutes");
    s = find(0, "segment.bytes");
    cr_assert_eq(s->config_source, 5);
    if (v < 3) continue;
    cr_assert_eq(s->config_type, 3);
    cr_assert_not_null(s->documentation.ptr);
    describe(&c, conn, v, all, 1, false);
    cr_assert_null(find(0, "segment.bytes")->documentation.ptr);
    cr_assert_eq(find(0, "segment.bytes")->synonyms.len, 0);
  }
  kh_stop(&h);
}

Test(describe_configs, node_is_read_only) {
  cat c;
  kh h;
  cat_start(&c, &h, small_segments);
  kh_conn *conn = kh_connect(&h);
  asked all[] = {resource(4, "1", NULL, -1), resource(4, "", NULL, -1)};
  describe(&c, conn, 4, all, 2, true);
  cr_assert_gt(p.results.ptr[0].configs.len, 80);
  for (int32_t i = 0; i < p.results.ptr[0].configs.len; i++)
    cr_assert_eq(p.results.ptr[0].configs.ptr[i].read_only, 1);
  cr_assert_str_eq(cat_text(find(0, "node.id")->value), "1");
  cr_assert_eq(find(0, "node.id")->config_source, 4);
  cr_assert_str_eq(cat_text(find(0, "broker.id")->value), "1");
  cr_assert_eq(find(0, "broker.id")->synonyms.len, 2);
  cr_assert_str_eq(cat_text(find(0, "log.dirs")->value), "/log");
  cr_assert_str_eq(cat_text(find(0, "message.max.bytes")->value), "5000");
  cr_assert_eq(find(0, "message.max.bytes")->config_source, 4);
  cr_assert_null(find(0, "log.retention.ms")->value.ptr);
  cr_assert_eq(find(0, "log.retention.ms")->config_source, 5);
  cr_assert_eq(p.results.ptr[1].error_code, 0);
  cr_assert_eq(p.results.ptr[1].configs.len, 0, "there are no cluster-wide defaults");
  kh_stop(&h);
}

static void limits_given(kop_engine_config *config) {
  static kop_config_entry own[4];
  own[0] = (kop_config_entry){kh_text("max.connections"), kh_text("500")};
  own[1] = (kop_config_entry){kh_text("queued.max.request.bytes"), kh_text("-1")};
  own[2] = (kop_config_entry){kh_text("connections.max.idle.ms"), kh_text("-7")};
  own[3] = (kop_config_entry){kh_text("node.id"), kh_text("77")};
  config->broker_configs = own;
  config->broker_configs_count = 4;
  config->max_connections = 20;
  config->idle_ns = 0;
  config->max_fetch_sessions = 3;
}

static void limits_as_kafka(kop_engine_config *config) {
  config->max_connections = INT32_MAX;
}

static void expect(const char *name, const char *value, int8_t source, int32_t layers) {
  const shown *s = find(0, name);
  cr_assert_str_eq(cat_text(s->value), value, "%s is %s", name, cat_text(s->value));
  cr_assert_eq(s->config_source, source, "%s", name);
  cr_assert_eq(s->synonyms.len, layers, "%s", name);
  cr_assert_str_eq(cat_text(s->synonyms.ptr[0].value), value, "%s", name);
}

Test(describe_configs, what_is_shown_of_a_limit_is_what_is_in_force) {
  cat c;
  kh h;
  asked node = resource(4, "1", NULL, -1);
  cat_start(&c, &h, NULL);
  describe(&c, kh_connect(&h), 4, &node, 1, true);
  expect("max.connections", "10000", 4, 2);
  expect("queued.max.request.bytes", "268435456", 4, 2);
  expect("connections.max.idle.ms", "600000", 5, 1);
  expect("max.incremental.fetch.session.cache.slots", "1000", 5, 1);
  expect("node.id", "1", 4, 1);
  kh_stop(&h);
  cat_start(&c, &h, limits_given);
  describe(&c, kh_connect(&h), 4, &node, 1, true);
  expect("max.connections", "20", 4, 2);
  expect("queued.max.request.bytes", "268435456", 4, 2);
  expect("connections.max.idle.ms", "-7", 4, 2);
  expect("max.incremental.fetch.session.cache.slots", "3", 4, 2);
  expect("node.id", "1", 4, 1);
  kh_stop(&h);
  cat_start(&c, &h, limits_as_kafka);
  describe(&c, kh_connect(&h), 4, &node, 1, true);
  expect("max.connections", "2147483647", 5, 1);
  kh_stop(&h);
}

Test(describe_configs, what_there_is_not) {
  const struct {
    int8_t type;
    const char *name;
    int16_t error;
  } cases[] = {{2, "none", 3},
               {2, "a/b", 17},
               {2, "", 17},
               {0, "x", 42},
               {3, "x", 42},
               {77, "x", 42},
               {4, "77", 42},
               {4, "abc", 42},
               {8, "1", 0},
               {8, "77", 42},
               {2, "__cluster_metadata", 3}};
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    asked one = resource(cases[i].type, cases[i].name, NULL, -1);
    describe(&c, conn, 4, &one, 1, false);
    cr_assert_eq(p.results.ptr[0].error_code, cases[i].error, "case %zu: %d", i,
                 p.results.ptr[0].error_code);
    cr_assert_eq(p.results.ptr[0].configs.len, 0);
    cr_assert_eq(p.results.ptr[0].resource_type, cases[i].type);
    cr_assert_str_eq(cat_text(p.results.ptr[0].resource_name), cases[i].name);
  }
  describe(&c, conn, 4, NULL, 0, false);
  cr_assert_eq(p.results.len, 0);
  kh_stop(&h);
}

/* ---- AlterConfigs ---- */

typedef kop_alter_configs_request_resource altered;
typedef kop_alter_configs_request_alterable_config setting;

static kop_alter_configs_response done;

static setting set(const char *name, const char *value) {
  setting s;
  cr_assert_eq(kop_struct_init(KOP_STRUCT_ALTER_CONFIGS_REQUEST_ALTERABLE_CONFIG, &s, sizeof s),
               KOP_OK);
  s.name = kh_text(name);
  s.value = value == NULL ? (kop_slice){.ptr = NULL} : kh_text(value);
  return s;
}

static altered to_alter(int8_t type, const char *name, setting *all, int32_t n) {
  altered a;
  cr_assert_eq(kop_struct_init(KOP_STRUCT_ALTER_CONFIGS_REQUEST_RESOURCE, &a, sizeof a), KOP_OK);
  a.resource_type = type;
  a.resource_name = kh_text(name);
  a.configs.ptr = all;
  a.configs.len = n;
  return a;
}

static void alter(cat *c, kh_conn *conn, int16_t version, altered *all, int32_t n,
                  uint8_t validate_only) {
  kop_alter_configs_request q;
  cr_assert_eq(kop_message_init(KOP_MSG_ALTER_CONFIGS_REQUEST, &q, sizeof q), KOP_OK);
  q.resources.ptr = all;
  q.resources.len = n;
  q.validate_only = validate_only;
  cat_call(c, conn, KOP_MSG_ALTER_CONFIGS_REQUEST, version, &q, sizeof q, &done, sizeof done);
}

Test(alter_configs, replaces_all_that_the_topic_has) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_topic *t = cat_add(&c, "t", 1);
  for (int16_t v = 0; v <= 2; v++) {
    setting first[] = {set("retention.ms", "1000"), set("max.message.bytes", "500")};
    altered a = to_alter(2, "t", first, 2);
    alter(&c, conn, v, &a, 1, 1);
    cr_assert_eq(done.responses.ptr[0].error_code, 0);
    cr_assert_eq(t->configs_len, 0, "validated only");
    alter(&c, conn, v, &a, 1, 0);
    cr_assert_eq(done.responses.ptr[0].error_code, 0);
    cr_assert_null(done.responses.ptr[0].error_message.ptr);
    cr_assert_str_eq(cat_text(done.responses.ptr[0].resource_name), "t");
    cr_assert_eq(done.responses.ptr[0].resource_type, 2);
    cr_assert_eq(t->configs_len, 2);
    setting second[] = {set("retention.bytes", "7"), set("retention.ms", "2000")};
    altered b = to_alter(2, "t", second, 2);
    alter(&c, conn, v, &b, 1, 0);
    cr_assert_eq(t->configs_len, 2);
    cr_assert_str_eq(cat_config_of(t, "retention.bytes"), "7");
    cr_assert_str_eq(cat_config_of(t, "retention.ms"), "2000");
    altered none = to_alter(2, "t", NULL, 0);
    alter(&c, conn, v, &none, 1, 0);
    cr_assert_eq(done.responses.ptr[0].error_code, 0);
    cr_assert_eq(t->configs_len, 0);
    uint32_t asked_before = h.counts[KOP_EFFECT_ALTER_CONFIGS];
    alter(&c, conn, v, &none, 1, 0);
    cr_assert_eq(h.counts[KOP_EFFECT_ALTER_CONFIGS], asked_before,
                 "nothing to change, nothing asked");
  }
  kh_stop(&h);
}

Test(alter_configs, refuses_as_kafka_does) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_topic *t = cat_add(&c, "t", 1);
  const struct {
    int8_t type;
    const char *resource;
    const char *name;
    const char *value;
    int16_t error;
  } cases[] = {
      {2, "t", "nope", "1000", 40},
      {2, "t", "retention.ms", "x", 40},
      {2, "t", "retention.ms", NULL, 42},
      {2, "t", "retention.ms", "", 40},
      {2, "none", "retention.ms", "1", 3},
      {2, "none", "nope", "1", 40},
      {2, "none", "retention.ms", NULL, 42},
      {2, "a/b", "retention.ms", "1", 17},
      {2, "", "retention.ms", "1", 42},
      {0, "x", "a", "1", 42},
      {77, "x", "a", "1", 42},
      {3, "x", "a", "1", 42},
      {4, "77", "log.retention.ms", "1", 42},
      {4, "abc", "log.retention.ms", "1", 42},
      {4, "1", "node.id", "3", 42},
      {4, "", "log.retention.ms", "1", 42},
      {8, "1", "a", "INFO", 42},
      {2, "t", "cleanup.policy", "compact", 40},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    setting s = set(cases[i].name, cases[i].value);
    altered a = to_alter(cases[i].type, cases[i].resource, &s, 1);
    alter(&c, conn, 2, &a, 1, 0);
    cr_assert_eq(done.responses.ptr[0].error_code, cases[i].error, "case %zu: %d", i,
                 done.responses.ptr[0].error_code);
    cr_assert_not_null(done.responses.ptr[0].error_message.ptr);
  }
  setting twice[] = {set("retention.ms", "5"), set("retention.ms", "6")};
  altered all[] = {to_alter(2, "t", twice, 2), to_alter(4, "1", NULL, 0)};
  alter(&c, conn, 2, all, 2, 0);
  cr_assert_eq(done.responses.ptr[0].error_code, 42);
  cr_assert_eq(done.responses.ptr[1].error_code, 0, "to change nothing of a node is fine");
  altered same[] = {to_alter(2, "t", twice, 1), to_alter(2, "u", twice, 1),
                    to_alter(2, "t", twice, 1)};
  alter(&c, conn, 2, same, 3, 0);
  cr_assert_eq(done.responses.len, 3);
  cr_assert_eq(done.responses.ptr[0].error_code, 42);
  cr_assert_eq(done.responses.ptr[1].error_code, 3);
  cr_assert_eq(done.responses.ptr[2].error_code, 42);
  cr_assert_eq(t->configs_len, 0);
  cr_assert_eq(h.counts[KOP_EFFECT_ALTER_CONFIGS], 0);
  kh_stop(&h);
}

Test(alter_configs, every_answer_of_the_store) {
  const struct {
    int32_t outcome;
    int16_t rejection;
    int16_t error;
  } cases[] = {
      {KOP_REJECTED, 44, 44}, {KOP_UNKNOWN, 0, 7}, {KOP_CANCELLED, 0, 7}, {KOP_NOT_FOUND, 0, 3}};
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "t", 1);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    setting s = set("retention.ms", "1000");
    altered a = to_alter(2, "t", &s, 1);
    kop_alter_configs_request q;
    (void)kop_message_init(KOP_MSG_ALTER_CONFIGS_REQUEST, &q, sizeof q);
    q.resources.ptr = &a;
    q.resources.len = 1;
    kh_request(&h, conn, KOP_MSG_ALTER_CONFIGS_REQUEST, 2, &q, sizeof q);
    kh_answer(&h, 0, cases[i].outcome, cases[i].rejection);
    cr_assert(kh_receive(&h, conn, KOP_MSG_ALTER_CONFIGS_RESPONSE, 2, &done, sizeof done));
    cr_assert_eq(done.responses.ptr[0].error_code, cases[i].error);
  }
  kh_stop(&h);
}

/* ---- IncrementalAlterConfigs ---- */

typedef kop_incremental_alter_configs_request_alterable_config change;

static kop_incremental_alter_configs_response changed;

static change to_change(const char *name, int8_t op, const char *value) {
  change x;
  cr_assert_eq(
      kop_struct_init(KOP_STRUCT_INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTERABLE_CONFIG, &x, sizeof x),
      KOP_OK);
  x.name = kh_text(name);
  x.config_operation = op;
  x.value = value == NULL ? (kop_slice){.ptr = NULL} : kh_text(value);
  return x;
}

/* Changes configs of topic "t" and returns the error. */
static int16_t changes(cat *c, kh_conn *conn, int16_t version, change *all, int32_t n) {
  kop_incremental_alter_configs_request_alter_configs_resource r;
  (void)kop_struct_init(KOP_STRUCT_INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTER_CONFIGS_RESOURCE, &r,
                        sizeof r);
  r.resource_type = 2;
  r.resource_name = kh_text("t");
  r.configs.ptr = all;
  r.configs.len = n;
  kop_incremental_alter_configs_request q;
  (void)kop_message_init(KOP_MSG_INCREMENTAL_ALTER_CONFIGS_REQUEST, &q, sizeof q);
  q.resources.ptr = &r;
  q.resources.len = 1;
  cat_call(c, conn, KOP_MSG_INCREMENTAL_ALTER_CONFIGS_REQUEST, version, &q, sizeof q, &changed,
           sizeof changed);
  cr_assert_eq(changed.responses.len, 1);
  return changed.responses.ptr[0].error_code;
}

static int16_t one_change(cat *c, kh_conn *conn, const char *name, int8_t op, const char *value) {
  change x = to_change(name, op, value);
  return changes(c, conn, 1, &x, 1);
}

Test(incremental_alter_configs, sets_and_deletes) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_topic *t = cat_add(&c, "t", 1);
  for (int16_t v = 0; v <= 1; v++) {
    change both[] = {to_change("retention.ms", 0, "1000"), to_change("retention.bytes", 0, "5")};
    cr_assert_eq(changes(&c, conn, v, both, 2), 0);
    cr_assert_null(changed.responses.ptr[0].error_message.ptr);
    cr_assert_str_eq(cat_config_of(t, "retention.ms"), "1000");
    cr_assert_eq(one_change(&c, conn, "retention.ms", 1, NULL), 0);
    cr_assert_null(cat_config_of(t, "retention.ms"));
    cr_assert_str_eq(cat_config_of(t, "retention.bytes"), "5", "the others stay");
    cr_assert_eq(one_change(&c, conn, "retention.ms", 1, NULL), 0, "again");
    cr_assert_eq(one_change(&c, conn, "retention.bytes", 1, "3"), 0, "its value does not matter");
    cr_assert_eq(one_change(&c, conn, "nope", 1, NULL), 0, "nothing to delete");
    cr_assert_eq(t->configs_len, 0);
    cr_assert_eq(changes(&c, conn, v, NULL, 0), 0);
  }
  kh_stop(&h);
}

Test(incremental_alter_configs, lists) {
  static const char throttled[] = "leader.replication.throttled.replicas";
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_topic *t = cat_add(&c, "t", 1);
  cr_assert_eq(one_change(&c, conn, throttled, 2, "0:1"), 0);
  cr_assert_str_eq(cat_config_of(t, throttled), "0:1");
  cr_assert_eq(one_change(&c, conn, throttled, 2, "1:1, 0:1,2:1"), 0);
  cr_assert_str_eq(cat_config_of(t, throttled), "0:1,1:1,2:1", "what is there is not added again");
  cr_assert_eq(one_change(&c, conn, throttled, 2, ""), 0);
  cr_assert_eq(one_change(&c, conn, throttled, 3, "1:1,9:9"), 0);
  cr_assert_str_eq(cat_config_of(t, throttled), "0:1,2:1");
  cr_assert_eq(one_change(&c, conn, throttled, 3, "0:1,2:1"), 0);
  cr_assert_str_eq(cat_config_of(t, throttled), "");
  cr_assert_eq(one_change(&c, conn, "cleanup.policy", 2, "delete"), 0,
               "the default is what is added to");
  cr_assert_str_eq(cat_config_of(t, "cleanup.policy"), "delete");
  cr_assert_eq(one_change(&c, conn, "cleanup.policy", 2, "compact"), 40,
               "this store does not compact");
  cr_assert_str_eq(cat_config_of(t, "cleanup.policy"), "delete");
  kh_stop(&h);
}

Test(incremental_alter_configs, refusals) {
  const struct {
    const char *name;
    int8_t op;
    const char *value;
    int16_t error;
  } cases[] = {{"nope", 0, "1", 40},
               {"retention.ms", 0, NULL, 42},
               {"retention.ms", 0, "x", 40},
               {"retention.ms", 0, "", 40},
               {"retention.ms", 7, "1", 42},
               {"retention.ms", -1, "1", 42},
               {"retention.ms", 2, "1", 40},
               {"retention.ms", 3, "1", 40},
               {"cleanup.policy", 2, NULL, 42},
               {"cleanup.policy", 2, "foo", 40},
               {"nope", 2, "1", 40}};
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "t", 1);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_assert_eq(one_change(&c, conn, cases[i].name, cases[i].op, cases[i].value), cases[i].error,
                 "case %zu: %d", i, changed.responses.ptr[0].error_code);
    cr_assert_not_null(changed.responses.ptr[0].error_message.ptr);
  }
  change twice[] = {to_change("retention.ms", 0, "1"), to_change("retention.ms", 1, NULL)};
  cr_assert_eq(changes(&c, conn, 1, twice, 2), 42);
  cr_assert_eq(h.counts[KOP_EFFECT_ALTER_CONFIGS], 0);
  kh_stop(&h);
}
