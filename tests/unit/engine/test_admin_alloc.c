/* Every allocation of the metadata and admin APIs fails once, one after the other: nothing crashes, nothing leaks. */
#include "catalogue.h"
#include "support/failing_alloc.h"

static failing_alloc allocator;

static void use_allocator(kop_engine_config *config) {
  config->alloc = &allocator.alloc;
}

/* Sends a request and lets the catalogue answer; a connection that was closed for want of memory is followed by a new one. */
static void call(cat *c, kh_conn **conn, uint32_t request, int16_t version, const void *q,
                 size_t size) {
  if ((*conn)->closed) *conn = kh_connect(c->h);
  if ((*conn)->closed) return;
  kh_request(c->h, *conn, request, version, q, size);
  cat_settle(c);
  (*conn)->out_len = 0; /* what was answered is tested elsewhere */
}

static void topics(cat *c, kh_conn **conn) {
  kop_metadata_request m;
  kop_metadata_request_topic mt;
  (void)kop_message_init(KOP_MSG_METADATA_REQUEST, &m, sizeof m);
  (void)kop_struct_init(KOP_STRUCT_METADATA_REQUEST_TOPIC, &mt, sizeof mt);
  mt.name = kh_text("auto");
  m.topics.ptr = &mt;
  m.topics.len = 1;
  call(c, conn, KOP_MSG_METADATA_REQUEST, 12, &m, sizeof m);

  kop_create_topics_request ct;
  kop_create_topics_request_creatable_topic t[2];
  kop_create_topics_request_creatable_topic_config config;
  (void)kop_message_init(KOP_MSG_CREATE_TOPICS_REQUEST, &ct, sizeof ct);
  (void)kop_struct_init(KOP_STRUCT_CREATE_TOPICS_REQUEST_CREATABLE_TOPIC_CONFIG, &config,
                        sizeof config);
  config.name = kh_text("retention.ms");
  config.value = kh_text("5");
  for (int i = 0; i < 2; i++) {
    (void)kop_struct_init(KOP_STRUCT_CREATE_TOPICS_REQUEST_CREATABLE_TOPIC, &t[i], sizeof t[i]);
    t[i].name = kh_text(i == 0 ? "t" : "a/b");
    t[i].num_partitions = 2;
    t[i].replication_factor = 1;
    t[i].configs.ptr = &config;
    t[i].configs.len = 1;
  }
  ct.topics.ptr = t;
  ct.topics.len = 2;
  ct.timeout_ms = 1000;
  call(c, conn, KOP_MSG_CREATE_TOPICS_REQUEST, 7, &ct, sizeof ct);

  kop_create_partitions_request cp;
  kop_create_partitions_request_topic grown;
  (void)kop_message_init(KOP_MSG_CREATE_PARTITIONS_REQUEST, &cp, sizeof cp);
  (void)kop_struct_init(KOP_STRUCT_CREATE_PARTITIONS_REQUEST_TOPIC, &grown, sizeof grown);
  grown.name = kh_text("t");
  grown.count = 3;
  grown.assignments.len = -1;
  cp.topics.ptr = &grown;
  cp.topics.len = 1;
  cp.timeout_ms = 1000;
  call(c, conn, KOP_MSG_CREATE_PARTITIONS_REQUEST, 3, &cp, sizeof cp);
}

static void configs(cat *c, kh_conn **conn) {
  kop_incremental_alter_configs_request ia;
  kop_incremental_alter_configs_request_alter_configs_resource ir;
  kop_incremental_alter_configs_request_alterable_config ic;
  (void)kop_message_init(KOP_MSG_INCREMENTAL_ALTER_CONFIGS_REQUEST, &ia, sizeof ia);
  (void)kop_struct_init(KOP_STRUCT_INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTER_CONFIGS_RESOURCE, &ir,
                        sizeof ir);
  (void)kop_struct_init(KOP_STRUCT_INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTERABLE_CONFIG, &ic,
                        sizeof ic);
  ic.name = kh_text("leader.replication.throttled.replicas");
  ic.config_operation = 2;
  ic.value = kh_text("0:1,1:1");
  ir.resource_type = 2;
  ir.resource_name = kh_text("t");
  ir.configs.ptr = &ic;
  ir.configs.len = 1;
  ia.resources.ptr = &ir;
  ia.resources.len = 1;
  call(c, conn, KOP_MSG_INCREMENTAL_ALTER_CONFIGS_REQUEST, 1, &ia, sizeof ia);

  kop_describe_configs_request dc;
  kop_describe_configs_request_resource dr[2];
  (void)kop_message_init(KOP_MSG_DESCRIBE_CONFIGS_REQUEST, &dc, sizeof dc);
  for (int i = 0; i < 2; i++) {
    (void)kop_struct_init(KOP_STRUCT_DESCRIBE_CONFIGS_REQUEST_RESOURCE, &dr[i], sizeof dr[i]);
    dr[i].resource_type = i == 0 ? 2 : 4;
    dr[i].resource_name = kh_text(i == 0 ? "t" : "1");
    dr[i].configuration_keys.len = -1;
  }
  dc.resources.ptr = dr;
  dc.resources.len = 2;
  dc.include_synonyms = 1;
  call(c, conn, KOP_MSG_DESCRIBE_CONFIGS_REQUEST, 4, &dc, sizeof dc);
}

static void the_rest(cat *c, kh_conn **conn) {
  int32_t zero[] = {0};
  kop_init_producer_id_request ip;
  (void)kop_message_init(KOP_MSG_INIT_PRODUCER_ID_REQUEST, &ip, sizeof ip);
  ip.transactional_id.ptr = NULL;
  call(c, conn, KOP_MSG_INIT_PRODUCER_ID_REQUEST, 4, &ip, sizeof ip);

  kop_describe_topic_partitions_request dp;
  (void)kop_message_init(KOP_MSG_DESCRIBE_TOPIC_PARTITIONS_REQUEST, &dp, sizeof dp);
  call(c, conn, KOP_MSG_DESCRIBE_TOPIC_PARTITIONS_REQUEST, 0, &dp, sizeof dp);

  kop_describe_log_dirs_request dl;
  (void)kop_message_init(KOP_MSG_DESCRIBE_LOG_DIRS_REQUEST, &dl, sizeof dl);
  dl.topics.len = -1;
  call(c, conn, KOP_MSG_DESCRIBE_LOG_DIRS_REQUEST, 4, &dl, sizeof dl);

  kop_delete_records_request er;
  kop_delete_records_request_topic et;
  kop_delete_records_request_partition ep;
  (void)kop_message_init(KOP_MSG_DELETE_RECORDS_REQUEST, &er, sizeof er);
  (void)kop_struct_init(KOP_STRUCT_DELETE_RECORDS_REQUEST_TOPIC, &et, sizeof et);
  (void)kop_struct_init(KOP_STRUCT_DELETE_RECORDS_REQUEST_PARTITION, &ep, sizeof ep);
  ep.offset = -1;
  et.name = kh_text("t");
  et.partitions.ptr = &ep;
  et.partitions.len = 1;
  er.topics.ptr = &et;
  er.topics.len = 1;
  er.timeout_ms = 1000;
  call(c, conn, KOP_MSG_DELETE_RECORDS_REQUEST, 2, &er, sizeof er);

  kop_describe_producers_request pr;
  kop_describe_producers_request_topic_request pt;
  (void)kop_message_init(KOP_MSG_DESCRIBE_PRODUCERS_REQUEST, &pr, sizeof pr);
  (void)kop_struct_init(KOP_STRUCT_DESCRIBE_PRODUCERS_REQUEST_TOPIC_REQUEST, &pt, sizeof pt);
  pt.name = kh_text("t");
  pt.partition_indexes.ptr = zero;
  pt.partition_indexes.len = 1;
  pr.topics.ptr = &pt;
  pr.topics.len = 1;
  call(c, conn, KOP_MSG_DESCRIBE_PRODUCERS_REQUEST, 0, &pr, sizeof pr);

  kop_delete_topics_request dt;
  kop_delete_topics_request_state ds;
  (void)kop_message_init(KOP_MSG_DELETE_TOPICS_REQUEST, &dt, sizeof dt);
  (void)kop_struct_init(KOP_STRUCT_DELETE_TOPICS_REQUEST_STATE, &ds, sizeof ds);
  ds.name = kh_text("t");
  dt.topics.ptr = &ds;
  dt.topics.len = 1;
  dt.timeout_ms = 1000;
  call(c, conn, KOP_MSG_DELETE_TOPICS_REQUEST, 6, &dt, sizeof dt);
}

static void sweep(void (*scenario)(cat *c, kh_conn **conn)) {
  for (size_t i = 0; i < 3000; i++) {
    failing_alloc_init(&allocator, i);
    cat c = {0};
    kh h;
    kop_status status = kh_try_start(&h, use_allocator);
    if (status == KOP_OK) {
      cat_attach(&c, &h);
      h.tolerant = true;
      cr_assert_eq(kop_arena_new(NULL, (size_t)64 << 20, &h.arena), KOP_OK);
      cr_assert_eq(kop_batch_builder_new(NULL, &h.builder), KOP_OK);
      kop_endpoint self = {.node_id = KH_NODE, .host = kh_text("kop.test"), .port = 9092};
      kop_nodes nodes = {.size = sizeof nodes, .endpoints = &self, .endpoints_count = 1};
      kh_push(&h, KOP_EVENT_NODES, &nodes, sizeof nodes);
      cat_add(&c, "there", 2);
      kh_conn *conn = kh_connect(&h);
      scenario(&c, &conn);
      kh_stop(&h);
    } else {
      cr_assert_eq(status, KOP_ERR_NOMEM);
    }
    cr_assert_eq(allocator.live, 0u, "%zu blocks leaked, allocation %zu", allocator.live, i);
    if (allocator.made <= i) return;
  }
  cr_assert_fail("the scenario does not end");
}

Test(admin_alloc, topics_survive_every_refused_allocation) {
  sweep(topics);
}

static void topics_and_configs(cat *c, kh_conn **conn) {
  cat_add(c, "t", 2);
  configs(c, conn);
}

Test(admin_alloc, configs_survive_every_refused_allocation) {
  sweep(topics_and_configs);
}

static void topics_and_the_rest(cat *c, kh_conn **conn) {
  cat_add(c, "t", 2);
  the_rest(c, conn);
}

Test(admin_alloc, the_rest_survives_every_refused_allocation) {
  sweep(topics_and_the_rest);
}
