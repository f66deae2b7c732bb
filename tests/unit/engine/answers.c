/* The requests behind test_answers.c, one per kind of effect. */
#include "answers.h"

/* ---- records ---- */

static void save_often(kop_engine_config *config) {
  config->state_every_bytes = 1;
}

static void fill(scene *s) {
  (void)kh_produce(&s->h, s->other, "t", 0, kh_batch_of(&s->h, 4, -1, -1, -1));
}

static void let_lease_end(scene *s) {
  fill(s);
  s->log->lease = s->h.now.mono_ns + 500000000u;
  kh_lead(&s->h, s->log->id, KH_NODE + 1, -1);
  kh_lead(&s->h, s->log->id, KH_NODE, -1);
  kh_advance(&s->h, 600);
  s->log->lease = UINT64_MAX; /* what the next answers grant */
}

static void ask_topic(scene *s, int32_t timeout_ms) {
  s->log = kh_topic(&s->h, "t", 1, 1);
  kh_send_produce(&s->h, s->c, "t", 0, kh_batch_of(&s->h, 1, -1, -1, -1), -1, timeout_ms);
}

static void ask_produce(scene *s, int32_t timeout_ms) {
  kh_send_produce(&s->h, s->c, "t", 0, kh_batch_of(&s->h, 1, -1, -1, -1), -1, timeout_ms);
}

static int told_produce(scene *s) {
  kop_produce_response_partition_produce_response p;
  return kh_receive_produce(&s->h, s->c, &p) ? p.error_code : NO_REPLY;
}

static void fill_and_leave(scene *s) {
  fill(s);
  kh_lead(&s->h, s->log->id, KH_NODE + 1, -1);
}

/* The state of a log that has records is loaded; the request waits for it. */
static void ask_loading(scene *s, int32_t timeout_ms) {
  kh_lead(&s->h, s->log->id, KH_NODE, -1);
  ask_produce(s, timeout_ms);
}

/* Leadership goes elsewhere; the client hears of it, and the store while it is held. */
static void ask_resign(scene *s, int32_t timeout_ms) {
  kh_lead(&s->h, s->log->id, KH_NODE + 1, -1);
  ask_produce(s, timeout_ms);
}

static void ask_fetch(scene *s, int32_t timeout_ms) {
  kh_send_fetch(&s->h, s->c, "t", 0, 0, timeout_ms, 1);
}

static int told_fetch(scene *s) {
  kop_fetch_response_partition_data p;
  return kh_receive_fetch(&s->h, s->c, &p) ? p.error_code : NO_REPLY;
}

static void ask_list(scene *s, int64_t timestamp, int32_t timeout_ms) {
  kh_list_request r;
  (void)kh_fill_list(&r, "t", timestamp, -1);
  r.q.timeout_ms = timeout_ms;
  kh_request(&s->h, s->c, KOP_MSG_LIST_OFFSETS_REQUEST, 10, &r.q, sizeof r.q);
}

static void ask_by_time(scene *s, int32_t timeout_ms) {
  ask_list(s, s->h.now.wall_ms, timeout_ms);
}

static void ask_latest(scene *s, int32_t timeout_ms) {
  ask_list(s, -1, timeout_ms);
}

static int told_list(scene *s) {
  kop_list_offsets_response p;
  if (!kh_receive(&s->h, s->c, KOP_MSG_LIST_OFFSETS_RESPONSE, 10, &p, sizeof p)) return NO_REPLY;
  return p.topics.ptr[0].partitions.ptr[0].error_code;
}

static void ask_delete_records(scene *s, int32_t timeout_ms) {
  kop_delete_records_request q;
  kop_delete_records_request_topic t;
  kop_delete_records_request_partition p;
  kop_message_init(KOP_MSG_DELETE_RECORDS_REQUEST, &q, sizeof q);
  kop_struct_init(KOP_STRUCT_DELETE_RECORDS_REQUEST_TOPIC, &t, sizeof t);
  kop_struct_init(KOP_STRUCT_DELETE_RECORDS_REQUEST_PARTITION, &p, sizeof p);
  p.offset = 2;
  t.name = kh_text("t");
  t.partitions.ptr = &p;
  t.partitions.len = 1;
  q.topics.ptr = &t;
  q.topics.len = 1;
  q.timeout_ms = timeout_ms;
  kh_request(&s->h, s->c, KOP_MSG_DELETE_RECORDS_REQUEST, 2, &q, sizeof q);
}

static int told_delete_records(scene *s) {
  kop_delete_records_response p;
  if (!kh_receive(&s->h, s->c, KOP_MSG_DELETE_RECORDS_RESPONSE, 2, &p, sizeof p)) return NO_REPLY;
  return p.topics.ptr[0].partitions.ptr[0].error_code;
}

static void ask_producer_id(scene *s, int32_t timeout_ms) {
  (void)timeout_ms; /* the request has none */
  kop_init_producer_id_request q;
  kop_message_init(KOP_MSG_INIT_PRODUCER_ID_REQUEST, &q, sizeof q);
  q.transactional_id = (kop_slice){.ptr = NULL};
  kh_request(&s->h, s->c, KOP_MSG_INIT_PRODUCER_ID_REQUEST, 4, &q, sizeof q);
}

static int told_producer_id(scene *s) {
  kop_init_producer_id_response p;
  if (!kh_receive(&s->h, s->c, KOP_MSG_INIT_PRODUCER_ID_RESPONSE, 4, &p, sizeof p)) return NO_REPLY;
  return p.error_code;
}

/* ---- topics ---- */

static void ask_unpushed(scene *s, int32_t timeout_ms) {
  (void)timeout_ms; /* the request has none */
  kop_metadata_request q;
  kop_metadata_request_topic t;
  kop_message_init(KOP_MSG_METADATA_REQUEST, &q, sizeof q);
  kop_struct_init(KOP_STRUCT_METADATA_REQUEST_TOPIC, &t, sizeof t);
  t.name = kh_text("elsewhere");
  q.topics.ptr = &t;
  q.topics.len = 1;
  q.allow_auto_topic_creation = 0;
  kh_request(&s->h, s->c, KOP_MSG_METADATA_REQUEST, 9, &q, sizeof q);
}

static int told_metadata(scene *s) {
  kop_metadata_response p;
  if (!kh_receive(&s->h, s->c, KOP_MSG_METADATA_RESPONSE, 9, &p, sizeof p)) return NO_REPLY;
  return p.topics.ptr[0].error_code;
}

static void push_elsewhere(scene *s) {
  kh_topic(&s->h, "elsewhere", 8, 1);
}

static void ask_create(scene *s, int32_t timeout_ms) {
  kop_create_topics_request q;
  kop_create_topics_request_creatable_topic t;
  kop_message_init(KOP_MSG_CREATE_TOPICS_REQUEST, &q, sizeof q);
  kop_struct_init(KOP_STRUCT_CREATE_TOPICS_REQUEST_CREATABLE_TOPIC, &t, sizeof t);
  t.name = kh_text("new");
  t.num_partitions = 1;
  t.replication_factor = 1;
  q.topics.ptr = &t;
  q.topics.len = 1;
  q.timeout_ms = timeout_ms;
  kh_request(&s->h, s->c, KOP_MSG_CREATE_TOPICS_REQUEST, 5, &q, sizeof q);
}

static int told_create(scene *s) {
  kop_create_topics_response p;
  if (!kh_receive(&s->h, s->c, KOP_MSG_CREATE_TOPICS_RESPONSE, 5, &p, sizeof p)) return NO_REPLY;
  return p.topics.ptr[0].error_code;
}

static void push_new(scene *s) {
  kh_topic(&s->h, "new", 9, 1);
}

static void add_doomed(scene *s) {
  kh_topic(&s->h, "doomed", 7, 1);
}

static void ask_delete(scene *s, int32_t timeout_ms) {
  kop_delete_topics_request q;
  kop_slice name = kh_text("doomed");
  kop_message_init(KOP_MSG_DELETE_TOPICS_REQUEST, &q, sizeof q);
  q.topic_names.ptr = &name;
  q.topic_names.len = 1;
  q.timeout_ms = timeout_ms;
  kh_request(&s->h, s->c, KOP_MSG_DELETE_TOPICS_REQUEST, 5, &q, sizeof q);
}

static int told_delete(scene *s) {
  kop_delete_topics_response p;
  if (!kh_receive(&s->h, s->c, KOP_MSG_DELETE_TOPICS_RESPONSE, 5, &p, sizeof p)) return NO_REPLY;
  return p.responses.ptr[0].error_code;
}

static void push_gone(scene *s) {
  kh_topic_gone(&s->h, 7);
}

static void ask_grow(scene *s, int32_t timeout_ms) {
  kop_create_partitions_request q;
  kop_create_partitions_request_topic t;
  kop_message_init(KOP_MSG_CREATE_PARTITIONS_REQUEST, &q, sizeof q);
  kop_struct_init(KOP_STRUCT_CREATE_PARTITIONS_REQUEST_TOPIC, &t, sizeof t);
  t.name = kh_text("t");
  t.count = 2;
  t.assignments.len = -1;
  q.topics.ptr = &t;
  q.topics.len = 1;
  q.timeout_ms = timeout_ms;
  kh_request(&s->h, s->c, KOP_MSG_CREATE_PARTITIONS_REQUEST, 3, &q, sizeof q);
}

static int told_grow(scene *s) {
  kop_create_partitions_response p;
  if (!kh_receive(&s->h, s->c, KOP_MSG_CREATE_PARTITIONS_RESPONSE, 3, &p, sizeof p))
    return NO_REPLY;
  return p.results.ptr[0].error_code;
}

static void push_grown(scene *s) {
  kh_topic(&s->h, "t", 1, 2);
}

static void ask_alter(scene *s, int32_t timeout_ms) {
  (void)timeout_ms; /* the request has none */
  kop_incremental_alter_configs_request q;
  kop_incremental_alter_configs_request_alter_configs_resource t;
  kop_incremental_alter_configs_request_alterable_config config;
  kop_message_init(KOP_MSG_INCREMENTAL_ALTER_CONFIGS_REQUEST, &q, sizeof q);
  kop_struct_init(KOP_STRUCT_INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTER_CONFIGS_RESOURCE, &t,
                  sizeof t);
  kop_struct_init(KOP_STRUCT_INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTERABLE_CONFIG, &config,
                  sizeof config);
  config.name = kh_text("retention.ms");
  config.value = kh_text("1000");
  t.resource_type = 2;
  t.resource_name = kh_text("t");
  t.configs.ptr = &config;
  t.configs.len = 1;
  q.resources.ptr = &t;
  q.resources.len = 1;
  kh_request(&s->h, s->c, KOP_MSG_INCREMENTAL_ALTER_CONFIGS_REQUEST, 1, &q, sizeof q);
}

static int told_alter(scene *s) {
  kop_incremental_alter_configs_response p;
  if (!kh_receive(&s->h, s->c, KOP_MSG_INCREMENTAL_ALTER_CONFIGS_RESPONSE, 1, &p, sizeof p))
    return NO_REPLY;
  return p.responses.ptr[0].error_code;
}

static void push_altered(scene *s) {
  kop_config_entry entry = {.name = kh_text("retention.ms"), .value = kh_text("1000")};
  kh_topic_with(&s->h, "t", 1, 1, &entry, 1);
}

#define KIND(k) .kind = KOP_EFFECT_##k, .name = #k

const asking ASKING[ASKINGS] = {
    [ASK_SEND] = {KIND(SEND), .ask = ask_produce, .told = told_produce},
    [ASK_ACQUIRE] = {KIND(ACQUIRE), .ask = ask_topic, .told = told_produce, .bare = true},
    [ASK_CONFIRM] = {KIND(CONFIRM), .prepare = let_lease_end, .ask = ask_latest, .told = told_list},
    [ASK_RESIGN] = {KIND(RESIGN), .ask = ask_resign, .told = told_produce},
    [ASK_APPEND] = {KIND(APPEND), .ask = ask_produce, .told = told_produce},
    [ASK_READ] = {KIND(READ), .prepare = fill, .ask = ask_fetch, .told = told_fetch},
    [ASK_LIST_OFFSETS] = {KIND(LIST_OFFSETS), .prepare = fill, .ask = ask_by_time,
                          .told = told_list},
    [ASK_DELETE_RECORDS] = {KIND(DELETE_RECORDS), .prepare = fill, .ask = ask_delete_records,
                            .told = told_delete_records},
    [ASK_STATE_PUT] = {KIND(STATE_PUT), .tune = save_often, .ask = ask_produce,
                       .told = told_produce},
    [ASK_STATE_PUT_LAST] = {KIND(STATE_PUT), .prepare = fill, .ask = ask_resign,
                            .told = told_produce},
    [ASK_STATE_GET] = {KIND(STATE_GET), .prepare = fill_and_leave, .ask = ask_loading,
                       .told = told_produce},
    [ASK_PRODUCER_IDS] = {KIND(ALLOCATE_PRODUCER_IDS), .ask = ask_producer_id,
                          .told = told_producer_id},
    [ASK_LOOKUP_TOPIC] = {KIND(LOOKUP_TOPIC), .ask = ask_unpushed, .told = told_metadata,
                          .push = push_elsewhere},
    [ASK_CREATE_TOPIC] = {KIND(CREATE_TOPIC), .ask = ask_create, .told = told_create,
                          .push = push_new},
    [ASK_DELETE_TOPIC] = {KIND(DELETE_TOPIC), .prepare = add_doomed, .ask = ask_delete,
                          .told = told_delete, .push = push_gone},
    [ASK_CREATE_PARTITIONS] = {KIND(CREATE_PARTITIONS), .ask = ask_grow, .told = told_grow,
                               .push = push_grown},
    [ASK_ALTER_CONFIGS] = {KIND(ALTER_CONFIGS), .ask = ask_alter, .told = told_alter,
                           .push = push_altered},
};
