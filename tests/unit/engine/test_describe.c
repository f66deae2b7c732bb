/* ApiVersions, DescribeCluster, DescribeTopicPartitions, ElectLeaders, DescribeLogDirs, DescribeProducers, InitProducerId. */
#include "catalogue.h"

#include <stdio.h>

/* ---- ApiVersions ---- */

static kop_api_versions_response apis;

static void ask_versions(cat *c, kh_conn *conn, int16_t version, const char *name,
                         const char *software) {
  kop_api_versions_request q;
  cr_assert_eq(kop_message_init(KOP_MSG_API_VERSIONS_REQUEST, &q, sizeof q), KOP_OK);
  q.client_software_name = kh_text(name);
  q.client_software_version = kh_text(software);
  cat_call(c, conn, KOP_MSG_API_VERSIONS_REQUEST, version, &q, sizeof q, &apis, sizeof apis);
}

static const kop_api_versions_response_api_version *api_of(int16_t key) {
  for (int32_t i = 0; i < apis.api_keys.len; i++) {
    if (apis.api_keys.ptr[i].api_key == key) return &apis.api_keys.ptr[i];
  }
  return NULL;
}

Test(api_versions, lists_what_is_served) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  for (int16_t v = 0; v <= 5; v++) {
    ask_versions(&c, conn, v, "lib.a-b", "1.0");
    cr_assert_eq(apis.error_code, 0);
    cr_assert_eq(apis.api_keys.len, 20);
    cr_assert_eq(api_of(0)->min_version, 0, "librdkafka takes away compression otherwise");
    for (int32_t i = 0; i < apis.api_keys.len; i++) {
      const kop_api_versions_response_api_version *a = &apis.api_keys.ptr[i];
      uint32_t id;
      int16_t min, max;
      cr_assert_eq(kop_message_find(a->api_key, 0, &id), KOP_OK);
      cr_assert_eq(kop_message_versions(id, &min, &max, NULL, NULL), KOP_OK);
      cr_assert(a->min_version >= min && a->max_version <= max && a->min_version <= a->max_version);
    }
    cr_assert_eq(apis.supported_features.len, 0);
    cr_assert_eq(apis.finalized_features.len, 0);
  }
  kh_stop(&h);
}

static void read_only(kop_engine_config *config) {
  config->effects &=
      ~((1ull << KOP_EFFECT_APPEND) | (1ull << KOP_EFFECT_CREATE_TOPIC) |
        (1ull << KOP_EFFECT_ALTER_CONFIGS) | (1ull << KOP_EFFECT_ALLOCATE_PRODUCER_IDS));
}

Test(api_versions, does_not_list_what_the_embedder_does_not_serve) {
  cat c;
  kh h;
  cat_start(&c, &h, read_only);
  kh_conn *conn = kh_connect(&h);
  ask_versions(&c, conn, 4, "a", "1");
  const int16_t gone[] = {0, 19, 22, 33, 44};
  for (size_t i = 0; i < 5; i++)
    cr_assert_null(api_of(gone[i]), "key %d", gone[i]);
  cr_assert_not_null(api_of(1));
  cr_assert_not_null(api_of(32));
  kh_stop(&h);
}

Test(api_versions, clients_must_name_themselves_properly) {
  const struct {
    const char *name;
    const char *version;
    int16_t error;
  } cases[] = {{"", "1", 42},        {"a", "", 42},    {"a b", "1", 42}, {"-a", "1", 42},
               {"a-", "1", 42},      {"a_b", "1", 42}, {"a", "1_", 42},  {"a", "1", 0},
               {"a..b", "1.0-x", 0}, {"7", "Z", 0}};
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int16_t v = 3; v <= 5; v++) {
      ask_versions(&c, conn, v, cases[i].name, cases[i].version);
      cr_assert_eq(apis.error_code, cases[i].error, "case %zu", i);
      cr_assert_gt(apis.api_keys.len, 0);
    }
  }
  kh_stop(&h);
}

Test(api_versions, clients_that_know_whom_they_want) {
  const struct {
    const char *cluster;
    int32_t node;
    int16_t error;
  } cases[] = {{NULL, -1, 0},
               {"test-cluster", KH_NODE, 0},
               {"other", KH_NODE, 129},
               {"test-cluster", 2, 129},
               {"test-cluster", -1, 42},
               {NULL, KH_NODE, 42}};
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kop_api_versions_request q;
    (void)kop_message_init(KOP_MSG_API_VERSIONS_REQUEST, &q, sizeof q);
    q.client_software_name = q.client_software_version = kh_text("1");
    if (cases[i].cluster != NULL) q.cluster_id = kh_text(cases[i].cluster);
    q.node_id = cases[i].node;
    cat_call(&c, conn, KOP_MSG_API_VERSIONS_REQUEST, 5, &q, sizeof q, &apis, sizeof apis);
    cr_assert_eq(apis.error_code, cases[i].error, "case %zu: %d", i, apis.error_code);
  }
  kh_stop(&h);
}

Test(api_versions, an_unknown_version_is_answered_in_version_0) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  /* length, key 18, version 77, correlation 9, client id "a", no tags, an unknown body */
  const uint8_t frame[] = {0, 0, 0, 15, 0, 18, 0, 77, 0, 0, 0, 9, 0, 1, 'a', 0, 0xff, 0xff, 0xff};
  kh_feed(&h, conn, frame, sizeof frame);
  cr_assert(kh_receive(&h, conn, KOP_MSG_API_VERSIONS_RESPONSE, 0, &apis, sizeof apis));
  cr_assert_eq(apis.error_code, 35);
  cr_assert_eq(apis.api_keys.len, 1);
  cr_assert_eq(api_of(18)->max_version, 5);
  cr_assert(!conn->closed);
  kh_stop(&h);
}

/* ---- DescribeCluster ---- */

Test(describe_cluster, every_version) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  kop_endpoint nodes[] = {{.node_id = 5, .host = kh_text("five"), .port = 5, .rack = kh_text("r")},
                          {.node_id = 3, .host = kh_text("three"), .port = 3},
                          {.node_id = 4, .listener = 9, .host = kh_text("four"), .port = 4}};
  kop_nodes event = {
      .size = sizeof event, .controller_id = 4, .endpoints = nodes, .endpoints_count = 3};
  kh_push(&h, KOP_EVENT_NODES, &event, sizeof event);
  kop_describe_cluster_response p;
  for (int16_t v = 0; v <= 2; v++) {
    kop_describe_cluster_request q;
    (void)kop_message_init(KOP_MSG_DESCRIBE_CLUSTER_REQUEST, &q, sizeof q);
    cat_call(&c, conn, KOP_MSG_DESCRIBE_CLUSTER_REQUEST, v, &q, sizeof q, &p, sizeof p);
    cr_assert_eq(p.error_code, 0);
    cr_assert_str_eq(cat_text(p.cluster_id), "test-cluster");
    cr_assert_eq(p.brokers.len, 2);
    cr_assert_eq(p.brokers.ptr[0].broker_id, 3);
    cr_assert_str_eq(cat_text(p.brokers.ptr[1].host), "five");
    cr_assert_str_eq(cat_text(p.brokers.ptr[1].rack), "r");
    cr_assert_null(p.brokers.ptr[0].rack.ptr);
    cr_assert_eq(p.controller_id, 3, "one that the client can reach");
    cr_assert_eq(p.cluster_authorized_operations, INT32_MIN);
    q.include_cluster_authorized_operations = 1;
    cat_call(&c, conn, KOP_MSG_DESCRIBE_CLUSTER_REQUEST, v, &q, sizeof q, &p, sizeof p);
    cr_assert_eq(p.cluster_authorized_operations, 8096);
    if (v == 0) continue;
    for (int8_t type = 0; type <= 2; type = (int8_t)(type + 2)) {
      q.endpoint_type = type;
      cat_call(&c, conn, KOP_MSG_DESCRIBE_CLUSTER_REQUEST, v, &q, sizeof q, &p, sizeof p);
      cr_assert_eq(p.error_code, type == 2 ? 114 : 115);
      cr_assert_eq(p.endpoint_type, 1);
      cr_assert_eq(p.brokers.len, 0);
    }
  }
  kh_stop(&h);
}

/* ---- DescribeTopicPartitions ---- */

static kop_describe_topic_partitions_response page;

/* What a page holds, as text: "a:012 b:0! > b 1" is three partitions of a, partition 0 of b, and where to go on. */
static const char *ask_page(cat *c, kh_conn *conn, const char *names, int32_t limit,
                            const char *cursor, int32_t partition) {
  static char text[200];
  kop_describe_topic_partitions_request q;
  kop_describe_topic_partitions_request_topic_request topics[8];
  kop_describe_topic_partitions_request_cursor from;
  (void)kop_message_init(KOP_MSG_DESCRIBE_TOPIC_PARTITIONS_REQUEST, &q, sizeof q);
  int32_t n = 0;
  kop_slice rest = kh_text(names);
  while (rest.len > 0) {
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != ' ')
      len++;
    (void)kop_struct_init(KOP_STRUCT_DESCRIBE_TOPIC_PARTITIONS_REQUEST_TOPIC_REQUEST, &topics[n],
                          sizeof topics[n]);
    topics[n++].name = (kop_slice){.ptr = rest.ptr, .len = len};
    rest = (kop_slice){.ptr = rest.ptr + len + (len < rest.len),
                       .len = rest.len - len - (len < rest.len)};
  }
  q.topics.ptr = topics;
  q.topics.len = n;
  q.response_partition_limit = limit;
  if (cursor != NULL) {
    (void)kop_struct_init(KOP_STRUCT_DESCRIBE_TOPIC_PARTITIONS_REQUEST_CURSOR, &from, sizeof from);
    from.topic_name = kh_text(cursor);
    from.partition_index = partition;
    q.cursor = &from;
  }
  cat_call(c, conn, KOP_MSG_DESCRIBE_TOPIC_PARTITIONS_REQUEST, 0, &q, sizeof q, &page, sizeof page);
  text[0] = 0;
  for (int32_t i = 0; i < page.topics.len; i++) {
    char *at = text + strlen(text);
    at += sprintf(at, "%s%s:", i > 0 ? " " : "", cat_text(page.topics.ptr[i].name));
    if (page.topics.ptr[i].error_code != 0) at += sprintf(at, "E%d", page.topics.ptr[i].error_code);
    for (int32_t k = 0; k < page.topics.ptr[i].partitions.len; k++)
      at += sprintf(at, "%d", page.topics.ptr[i].partitions.ptr[k].partition_index);
  }
  if (page.next_cursor != NULL) {
    (void)sprintf(text + strlen(text), " > %s %d", cat_text(page.next_cursor->topic_name),
                  page.next_cursor->partition_index);
  }
  return text;
}

Test(describe_topic_partitions, pages_as_kafka_cuts_them) {
  const struct {
    const char *names;
    int32_t limit;
    const char *cursor;
    int32_t partition;
    const char *page;
  } cases[] = {
      {"a", 2000, NULL, 0, "a:012"},
      {"no", 2000, NULL, 0, "no:E3"},
      {"a a/b", 2000, NULL, 0, "a:012 a/b:E17"},
      {"c a no b a", 2000, NULL, 0, "a:012 b:01 c:0 no:E3"},
      {"c a b", 2, NULL, 0, "a:01 > a 2"},
      {"c a b", 3, NULL, 0, "a:012 > b 0"},
      {"c a b", 4, NULL, 0, "a:012 b:0 > b 1"},
      {"c a b", 6, NULL, 0, "a:012 b:01 c:0"},
      {"c a", 0, NULL, 0, "a:0 > a 1"},
      {"c a", -1, NULL, 0, "a:0 > a 1"},
      {"c a b", 3, "a", 1, "a:12 b:0 > b 1"},
      {"c a b", 30, "b", 5, "b: c:0"},
      {"c a b", 30, "a", 3, "a: b:01 c:0"},
      {"c a b", 30, "b", -1, "c:E42 a:E42 b:E42"},
      {"c a", 30, "b", 1, "c:E42 a:E42"},
      {"c a", 30, "a0", 1, "c:E42 a:E42"},
      {"", 30, "b", 1, "b:1 c:0"},
      {"", 30, "aa", 1, "b:01 c:0"},
      {"", 2000, NULL, 0, "a:012 b:01 c:0"},
      {"a aa b", 3, NULL, 0, "a:012 > aa 0"},
  };
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "c", 1);
  cat_add(&c, "a", 3);
  cat_add(&c, "b", 2);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_assert_str_eq(
        ask_page(&c, conn, cases[i].names, cases[i].limit, cases[i].cursor, cases[i].partition),
        cases[i].page, "case %zu: %s", i,
        ask_page(&c, conn, cases[i].names, cases[i].limit, cases[i].cursor, cases[i].partition));
  }
  (void)ask_page(&c, conn, "a", 10, NULL, 0);
  const kop_describe_topic_partitions_response_topic *t = &page.topics.ptr[0];
  cr_assert_eq(t->topic_id.bytes[0], 2);
  cr_assert_eq(t->topic_authorized_operations, 3576);
  cr_assert_eq(t->partitions.ptr[0].leader_id, KH_NODE);
  cr_assert_eq(t->partitions.ptr[0].leader_epoch, 1);
  cr_assert_eq(t->partitions.ptr[0].isr_nodes.len, 1);
  cr_assert_eq(t->partitions.ptr[0].eligible_leader_replicas.len, 0);
  cr_assert_eq(t->partitions.ptr[0].offline_replicas.len, 0);
  kh_stop(&h);
}

static void two_a_page(kop_engine_config *config) {
  static kop_config_entry own;
  own = (kop_config_entry){kh_text("max.request.partition.size.limit"), kh_text("2")};
  config->broker_configs = &own;
  config->broker_configs_count = 1;
}

Test(describe_topic_partitions, the_node_bounds_a_page) {
  cat c;
  kh h;
  cat_start(&c, &h, two_a_page);
  cat_add(&c, "a", 3);
  cr_assert_str_eq(ask_page(&c, kh_connect(&h), "a", 2000, NULL, 0), "a:01 > a 2");
  kh_stop(&h);
}

/* ---- ElectLeaders ---- */

Test(elect_leaders, tells_the_truth) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "t", 2);
  kop_leader none = {.size = sizeof none, .partition = 1002, .leader = -1, .leader_epoch = 3};
  kh_push(&h, KOP_EVENT_LEADER, &none, sizeof none);
  for (int16_t v = 0; v <= 2; v++) {
    kop_elect_leaders_request q;
    kop_elect_leaders_response p;
    kop_elect_leaders_request_topic_partitions all[2];
    int32_t partitions[] = {0, 1, 9, -1}, zero[] = {0};
    (void)kop_message_init(KOP_MSG_ELECT_LEADERS_REQUEST, &q, sizeof q);
    for (int i = 0; i < 2; i++)
      (void)kop_struct_init(KOP_STRUCT_ELECT_LEADERS_REQUEST_TOPIC_PARTITIONS, &all[i],
                            sizeof all[i]);
    all[0].topic = kh_text("t");
    all[0].partitions.ptr = partitions;
    all[0].partitions.len = 4;
    all[1].topic = kh_text("none");
    all[1].partitions.ptr = zero;
    all[1].partitions.len = 1;
    q.topic_partitions.ptr = all;
    q.topic_partitions.len = 2;
    q.timeout_ms = 5000;
    for (int8_t type = 0; type <= (v > 0 ? 2 : 0); type++) {
      const int16_t expected[3][4] = {{84, 80, 3, 3}, {84, 83, 3, 3}, {42, 42, 42, 42}};
      q.election_type = type;
      cat_call(&c, conn, KOP_MSG_ELECT_LEADERS_REQUEST, v, &q, sizeof q, &p, sizeof p);
      if (v > 0) cr_assert_eq(p.error_code, type == 2 ? 42 : 0);
      cr_assert_eq(p.replica_election_results.len, 2);
      for (int32_t i = 0; i < 4; i++) {
        cr_assert_eq(p.replica_election_results.ptr[0].partition_result.ptr[i].error_code,
                     expected[type][i]);
        cr_assert_not_null(
            p.replica_election_results.ptr[0].partition_result.ptr[i].error_message.ptr);
      }
      if (type < 2)
        cr_assert_eq(p.replica_election_results.ptr[1].partition_result.ptr[0].error_code, 3);
    }
    q.election_type = 0;
    q.timeout_ms = 0;
    cat_call(&c, conn, KOP_MSG_ELECT_LEADERS_REQUEST, v, &q, sizeof q, &p, sizeof p);
    if (v > 0) cr_assert_eq(p.error_code, 7);
    cr_assert_eq(p.replica_election_results.ptr[0].partition_result.ptr[0].error_code, 7);
    cr_assert_null(p.replica_election_results.ptr[0].partition_result.ptr[0].error_message.ptr);
    q.topic_partitions.len = -1;
    q.timeout_ms = 5000;
    cat_call(&c, conn, KOP_MSG_ELECT_LEADERS_REQUEST, v, &q, sizeof q, &p, sizeof p);
    cr_assert_eq(p.replica_election_results.len, 1);
    cr_assert_eq(p.replica_election_results.ptr[0].partition_result.len, 0);
  }
  kh_stop(&h);
}

/* ---- DescribeLogDirs ---- */

Test(describe_log_dirs, what_this_node_leads) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "t", 3);
  cat_add(&c, "u", 1);
  kop_leader moved = {.size = sizeof moved, .partition = 1002, .leader = 2, .leader_epoch = 3};
  kh_push(&h, KOP_EVENT_LEADER, &moved, sizeof moved);
  kop_volume volume = {.size = sizeof volume, .total_bytes = 1000, .usable_bytes = 300};
  kh_push(&h, KOP_EVENT_VOLUME, &volume, sizeof volume);
  kop_log_state log = {.size = sizeof log,
                       .epoch = 1,
                       .partition = 1001,
                       .log_start = 0,
                       .high_watermark = 0,
                       .log_bytes = 4321};
  kh_push(&h, KOP_EVENT_LOG, &log, sizeof log);
  for (int16_t v = 0; v <= 5; v++) {
    kop_describe_log_dirs_request q;
    kop_describe_log_dirs_response p;
    kop_describe_log_dirs_request_describable_log_dir_topic all[3];
    int32_t some[] = {2, 0, 0, 1, 9, -1, 2}, zero[] = {0};
    (void)kop_message_init(KOP_MSG_DESCRIBE_LOG_DIRS_REQUEST, &q, sizeof q);
    for (int i = 0; i < 3; i++)
      (void)kop_struct_init(KOP_STRUCT_DESCRIBE_LOG_DIRS_REQUEST_DESCRIBABLE_LOG_DIR_TOPIC, &all[i],
                            sizeof all[i]);
    all[0].topic = kh_text("t");
    all[0].partitions.ptr = some;
    all[0].partitions.len = 7;
    all[1].topic = kh_text("none");
    all[1].partitions.ptr = zero;
    all[1].partitions.len = 1;
    all[2].topic = kh_text("u");
    q.topics.ptr = all;
    q.topics.len = 3;
    cat_call(&c, conn, KOP_MSG_DESCRIBE_LOG_DIRS_REQUEST, v, &q, sizeof q, &p, sizeof p);
    cr_assert_eq(p.results.len, 1);
    const kop_describe_log_dirs_response_result *dir = &p.results.ptr[0];
    cr_assert_eq(dir->error_code, 0);
    cr_assert_str_eq(cat_text(dir->log_dir), "/log");
    cr_assert_eq(dir->topics.len, 1);
    cr_assert_eq(dir->topics.ptr[0].partitions.len, 2,
                 "each once, and those of other nodes not at all");
    cr_assert_eq(dir->topics.ptr[0].partitions.ptr[0].partition_index, 0);
    cr_assert_eq(dir->topics.ptr[0].partitions.ptr[0].partition_size, 4321);
    cr_assert_eq(dir->topics.ptr[0].partitions.ptr[1].partition_index, 2);
    if (v >= 4) {
      cr_assert_eq(dir->total_bytes, 1000);
      cr_assert_eq(dir->usable_bytes, 300);
    }
    q.topics.len = -1;
    cat_call(&c, conn, KOP_MSG_DESCRIBE_LOG_DIRS_REQUEST, v, &q, sizeof q, &p, sizeof p);
    cr_assert_eq(p.results.ptr[0].topics.len, 2, "all");
    q.topics.len = 0;
    cat_call(&c, conn, KOP_MSG_DESCRIBE_LOG_DIRS_REQUEST, v, &q, sizeof q, &p, sizeof p);
    cr_assert_eq(p.results.ptr[0].topics.len, 0, "none");
  }
  kh_stop(&h);
}

/* ---- DescribeProducers ---- */

Test(describe_producers, lists_them_by_id) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  cat_add(&c, "t", 3);
  kop_leader moved = {.size = sizeof moved, .partition = 1003, .leader = 2, .leader_epoch = 3};
  kh_push(&h, KOP_EVENT_LEADER, &moved, sizeof moved);
  (void)kh_produce(&h, conn, "t", 0, kh_batch_of(&h, 3, 50, 2, 0));
  (void)kh_produce(&h, conn, "t", 0, kh_batch_of(&h, 1, 7, 0, 0));
  (void)kh_produce(&h, conn, "t", 0, kh_batch_of(&h, 2, 50, 2, 3));
  kop_describe_producers_request q;
  kop_describe_producers_response p;
  kop_describe_producers_request_topic_request all[4];
  int32_t some[] = {0, 1, 2, 7, -1}, zero[] = {0};
  (void)kop_message_init(KOP_MSG_DESCRIBE_PRODUCERS_REQUEST, &q, sizeof q);
  const char *names[] = {"t", "none", "a/b", "u"};
  for (int i = 0; i < 4; i++) {
    (void)kop_struct_init(KOP_STRUCT_DESCRIBE_PRODUCERS_REQUEST_TOPIC_REQUEST, &all[i],
                          sizeof all[i]);
    all[i].name = kh_text(names[i]);
    all[i].partition_indexes.ptr = i == 0 ? some : zero;
    all[i].partition_indexes.len = i == 0 ? 5 : i == 3 ? 0 : 1;
  }
  q.topics.ptr = all;
  q.topics.len = 4;
  cat_call(&c, conn, KOP_MSG_DESCRIBE_PRODUCERS_REQUEST, 0, &q, sizeof q, &p, sizeof p);
  cr_assert_eq(p.topics.len, 4);
  const kop_describe_producers_response_partition_response *parts = p.topics.ptr[0].partitions.ptr;
  cr_assert_eq(parts[0].error_code, 0);
  cr_assert_null(parts[0].error_message.ptr);
  cr_assert_eq(parts[0].active_producers.len, 2);
  const kop_describe_producers_response_producer_state *s = parts[0].active_producers.ptr;
  cr_assert_eq(s[0].producer_id, 7);
  cr_assert_eq(s[1].producer_id, 50);
  cr_assert_eq(s[1].producer_epoch, 2);
  cr_assert_eq(s[1].last_sequence, 4);
  cr_assert_eq(s[1].last_timestamp, h.now.wall_ms + 1);
  cr_assert_eq(s[1].coordinator_epoch, -1);
  cr_assert_eq(s[1].current_txn_start_offset, -1);
  cr_assert_eq(parts[1].active_producers.len, 0);
  cr_assert_eq(parts[2].error_code, 6);
  cr_assert_eq(parts[3].error_code, 3);
  cr_assert_null(parts[3].error_message.ptr);
  cr_assert_eq(parts[4].error_code, 3);
  cr_assert_eq(p.topics.ptr[1].partitions.ptr[0].error_code, 3);
  cr_assert_not_null(p.topics.ptr[1].partitions.ptr[0].error_message.ptr);
  cr_assert_eq(p.topics.ptr[2].partitions.ptr[0].error_code, 17);
  cr_assert_eq(p.topics.ptr[3].partitions.len, 0);
  kh_stop(&h);
}

/* ---- InitProducerId ---- */

static kop_init_producer_id_response init;

static kop_init_producer_id_request init_request(const char *transactional_id, int64_t id,
                                                 int16_t epoch) {
  kop_init_producer_id_request q;
  cr_assert_eq(kop_message_init(KOP_MSG_INIT_PRODUCER_ID_REQUEST, &q, sizeof q), KOP_OK);
  q.transactional_id =
      transactional_id == NULL ? (kop_slice){.ptr = NULL} : kh_text(transactional_id);
  q.producer_id = id;
  q.producer_epoch = epoch;
  return q;
}

static int64_t init_id(cat *c, kh_conn *conn, int16_t version, kop_init_producer_id_request q) {
  cat_call(c, conn, KOP_MSG_INIT_PRODUCER_ID_REQUEST, version, &q, sizeof q, &init, sizeof init);
  cr_assert_eq(init.producer_epoch, init.error_code == 0 ? 0 : -1);
  return init.producer_id;
}

Test(init_producer_id, gives_each_id_once) {
  cat c;
  kh h;
  cat_start(&c, &h, NULL);
  kh_conn *conn = kh_connect(&h);
  for (int64_t i = 0; i < 2500; i++)
    cr_assert_eq(init_id(&c, conn, (int16_t)(i % 6), init_request(NULL, -1, -1)), 4000 + i);
  cr_assert_eq(h.counts[KOP_EFFECT_ALLOCATE_PRODUCER_IDS], 3);
  cr_assert_eq(init_id(&c, conn, 4, init_request(NULL, 5, 3)), 6500, "a new one, as Kafka");
  cr_assert_eq(init_id(&c, conn, 4, init_request(NULL, -7, -7)), 6501);
  const struct {
    const char *name;
    int64_t id;
    int16_t epoch;
    int16_t error;
  } refused[] = {{NULL, 5, -1, 42}, {NULL, -1, 4, 42}, {"", -1, -1, 42}, {"tx", -1, -1, 35}};
  for (size_t i = 0; i < 4; i++) {
    kop_init_producer_id_request q = init_request(refused[i].name, refused[i].id, refused[i].epoch);
    cr_assert_eq(init_id(&c, conn, 4, q), -1);
    cr_assert_eq(init.error_code, refused[i].error, "case %zu", i);
  }
  kh_stop(&h);
}

static kh_way hold_ids(kh *h, const kop_effect *fx, void *data) {
  (void)h;
  (void)data;
  return fx->kind == KOP_EFFECT_ALLOCATE_PRODUCER_IDS ? KH_HOLD : KH_AUTO;
}

Test(init_producer_id, waits_for_a_block_in_order) {
  kh h;
  kh_start(&h, NULL);
  h.filter = hold_ids;
  kh_conn *a = kh_connect(&h), *b = kh_connect(&h), *gone = kh_connect(&h);
  kop_init_producer_id_request q = init_request(NULL, -1, -1);
  kh_request(&h, a, KOP_MSG_INIT_PRODUCER_ID_REQUEST, 4, &q, sizeof q);
  kh_request(&h, gone, KOP_MSG_INIT_PRODUCER_ID_REQUEST, 4, &q, sizeof q);
  kh_request(&h, b, KOP_MSG_INIT_PRODUCER_ID_REQUEST, 4, &q, sizeof q);
  cr_assert_eq(h.held_len, 1, "one block for all of them");
  kh_disconnect(&h, gone);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert(kh_receive(&h, a, KOP_MSG_INIT_PRODUCER_ID_RESPONSE, 4, &init, sizeof init));
  cr_assert_eq(init.producer_id, 4000);
  cr_assert(kh_receive(&h, b, KOP_MSG_INIT_PRODUCER_ID_RESPONSE, 4, &init, sizeof init));
  cr_assert_eq(init.producer_id, 4002);
  kh_stop(&h);
}

Test(init_producer_id, a_store_that_fails_is_asked_again) {
  const struct {
    int32_t outcome;
    int16_t rejection;
    int16_t error;
  } cases[] = {{KOP_REJECTED, 56, 56},
               {KOP_UNKNOWN, 0, 14},
               {KOP_CANCELLED, 0, 14},
               {KOP_UNSUPPORTED, 0, 14}};
  kh h;
  kh_start(&h, NULL);
  h.filter = hold_ids;
  kh_conn *conn = kh_connect(&h);
  kop_init_producer_id_request q = init_request(NULL, -1, -1);
  for (size_t i = 0; i < 4; i++) {
    kh_request(&h, conn, KOP_MSG_INIT_PRODUCER_ID_REQUEST, 4, &q, sizeof q);
    kh_answer(&h, 0, cases[i].outcome, cases[i].rejection);
    cr_assert(kh_receive(&h, conn, KOP_MSG_INIT_PRODUCER_ID_RESPONSE, 4, &init, sizeof init));
    cr_assert_eq(init.error_code, cases[i].error);
  }
  kh_request(&h, conn, KOP_MSG_INIT_PRODUCER_ID_REQUEST, 4, &q, sizeof q);
  kh_answer(&h, 0, KOP_DONE, 0);
  cr_assert(kh_receive(&h, conn, KOP_MSG_INIT_PRODUCER_ID_RESPONSE, 4, &init, sizeof init));
  cr_assert_eq(init.producer_id, 4000);
  kh_stop(&h);
}

/* ---- coordination ---- */

Test(find_coordinator, says_for_every_key_that_there_is_none) {
  kh h;
  kh_start(&h, NULL);
  kh_conn *c = kh_connect(&h);
  kop_slice keys[2] = {kh_text("a"), kh_text("b")};
  for (int16_t version = 0; version <= 6; version++) {
    kop_find_coordinator_request q;
    (void)kop_message_init(KOP_MSG_FIND_COORDINATOR_REQUEST, &q, sizeof q);
    if (version >= 4) {
      q.coordinator_keys.ptr = keys;
      q.coordinator_keys.len = 2;
    } else {
      q.key = keys[0];
    }
    kh_request(&h, c, KOP_MSG_FIND_COORDINATOR_REQUEST, version, &q, sizeof q);
    kop_find_coordinator_response p;
    cr_assert(kh_receive(&h, c, KOP_MSG_FIND_COORDINATOR_RESPONSE, version, &p, sizeof p));
    cr_assert_eq(p.coordinators.len, version >= 4 ? 2 : 0);
    for (int32_t i = 0; i < p.coordinators.len; i++) {
      cr_assert_eq(p.coordinators.ptr[i].error_code, KOP_KAFKA_COORDINATOR_NOT_AVAILABLE);
      cr_assert_eq(p.coordinators.ptr[i].node_id, -1);
      cr_assert_eq(p.coordinators.ptr[i].key.len, 1u);
    }
    if (version < 4) cr_assert_eq(p.error_code, KOP_KAFKA_COORDINATOR_NOT_AVAILABLE);
  }
  kh_stop(&h);
}
