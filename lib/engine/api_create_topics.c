/*
 * CreateTopics: each topic is checked in Kafka's order, then created by the store, all of them at once.
 *
 *   whole request   time-out used up -> REQUEST_TIMED_OUT, more than 10,000 partitions -> POLICY_VIOLATION
 *   one topic       named twice, name, exists, configs, replication factor or assignment, partitions, room for them -> CREATE_TOPIC
 *
 * A topic has one replica. Factors from 1 to the number of live nodes are accepted, as are assignments to several nodes of which
 * the first counts, and the reply names the factor that the topic has.
 */
#include "engine/answer.h"
#include "engine/api.h"
#include "engine/assignment.h"
#include "engine/cluster.h"
#include "engine/config_answer.h"
#include "engine/growth.h"
#include "engine/partition.h"
#include "engine/topic_name.h"

enum { MOST_PARTITIONS = 10000, REPLICAS = 1 };

typedef kop_create_topics_request_creatable_topic topic_request;
typedef kop_create_topics_response_creatable_topic_result topic_result;
typedef kop_create_topics_response_creatable_topic_configs config_result;

typedef struct creation {
  struct create_topics *all;
  const topic_request *from;
  topic_result *to;
  kop_config_entry *configs; /* each name once, its last value */
  uint32_t configs_len;
  int32_t *assigned;
  int32_t partitions;
  kopi_growth *growth;
  bool open;
} creation;

typedef struct create_topics {
  kopi_gather gather; /* first */
  kop_create_topics_request q;
  kop_create_topics_response p;
  creation *items;
} create_topics;

/* ---- checks: each gives 0 or an error, with its words in to->error_message ---- */

static int16_t check_name(kop_engine *e, kopi_request *r, const creation *c) {
  kop_slice name = c->from->name;
  if (kopi_topic_name_is_metadata_log(name)) {
    c->to->error_message = kopi_text("this name is reserved");
    return KOP_KAFKA_INVALID_REQUEST;
  }
  const char *fault = kopi_topic_name_fault(name);
  if (fault != NULL) {
    c->to->error_message = kopi_text(fault);
    return KOP_KAFKA_INVALID_TOPIC_EXCEPTION;
  }
  if (kopi_topic_by_name(e, name) != NULL) {
    c->to->error_message = kopi_answer_text(r, "topic '%.*s' already exists", kopi_text_len(name),
                                            (const char *)name.ptr);
    return KOP_KAFKA_TOPIC_ALREADY_EXISTS;
  }
  const kopi_topic *other = kopi_topic_collision(e, name);
  if (other == NULL) return 0;
  c->to->error_message =
      kopi_answer_text(r, "the name differs from that of topic '%.*s' in dots and underscores only",
                       kopi_text_len(other->name), (const char *)other->name.ptr);
  return KOP_KAFKA_INVALID_TOPIC_EXCEPTION;
}

static int16_t check_configs(kop_engine *e, kopi_request *r, creation *c) {
  for (int32_t i = 0; i < c->from->configs.len; i++) {
    const kop_create_topics_request_creatable_topic_config *from = &c->from->configs.ptr[i];
    const char *fault = kopi_topic_config_fault(e, from->name, from->value);
    if (fault != NULL) {
      c->to->error_message = kopi_answer_text(r, "config %.*s: %s", kopi_text_len(from->name),
                                              (const char *)from->name.ptr, fault);
      return KOP_KAFKA_INVALID_CONFIG;
    }
    uint32_t place = 0;
    while (place < c->configs_len && !kopi_slice_equal(c->configs[place].name, from->name))
      place++;
    c->configs[place] = (kop_config_entry){.name = from->name, .value = from->value};
    if (place == c->configs_len) c->configs_len++;
  }
  return 0;
}

static int16_t bad_assignment(const creation *c, const char *fault) {
  c->to->error_message = kopi_text(fault);
  return KOP_KAFKA_INVALID_REPLICA_ASSIGNMENT;
}

static int16_t check_assignment(const kop_engine *e, creation *c) {
  int32_t n = c->from->assignments.len;
  if (c->from->replication_factor != -1 || c->from->num_partitions != -1) {
    c->to->error_message =
        kopi_text("with an assignment, the numbers of partitions and of replicas must both be -1");
    return KOP_KAFKA_INVALID_REQUEST;
  }
  for (int32_t i = 0; i < n; i++)
    c->assigned[i] = -1;
  int32_t factor = 0;
  for (int32_t i = 0; i < n; i++) {
    const kop_create_topics_request_creatable_replica_assignment *from =
        &c->from->assignments.ptr[i];
    const char *fault = kopi_assignment_fault(e, &from->broker_ids, &factor);
    if (fault != NULL) return bad_assignment(c, fault);
    if (from->partition_index < 0 || from->partition_index >= n)
      return bad_assignment(c, "the assigned partitions are not numbered from 0 on");
    if (c->assigned[from->partition_index] != -1)
      return bad_assignment(c, "a partition is assigned twice");
    c->assigned[from->partition_index] = from->broker_ids.ptr[0];
  }
  c->partitions = n;
  return 0;
}

static int16_t check_numbers(const kop_engine *e, kopi_request *r, creation *c) {
  int16_t factor = c->from->replication_factor;
  if (factor == 0 || factor < -1) {
    c->to->error_message =
        kopi_text("the replication factor must be larger than 0, or -1 for the default");
    return KOP_KAFKA_INVALID_REPLICATION_FACTOR;
  }
  c->partitions = c->from->num_partitions;
  if (c->partitions == -1) c->partitions = e->settings.num_partitions;
  if (c->partitions <= 0) {
    c->to->error_message =
        kopi_text("the number of partitions must be larger than 0, or -1 for the default");
    return KOP_KAFKA_INVALID_PARTITIONS;
  }
  if (factor > kopi_cluster_size(e)) {
    c->to->error_message = kopi_answer_text(
        r, "the replication factor is %d, and there are %d nodes", factor, kopi_cluster_size(e));
    return KOP_KAFKA_INVALID_REPLICATION_FACTOR;
  }
  return 0;
}

static int16_t check(kop_engine *e, kopi_request *r, creation *c) {
  int16_t error = check_name(e, r, c);
  if (error == 0) error = check_configs(e, r, c);
  if (error == 0) {
    error = c->from->assignments.len > 0 ? check_assignment(e, c) : check_numbers(e, r, c);
  }
  if (error != 0) return error;
  return kopi_growth_begin(e, c->from->name, (uint64_t)c->partitions, &c->growth,
                           &c->to->error_message);
}

/* ---- results ---- */

/*
 * What the topic has become, or would: version 5 on tells its configs. The values come from the request, whose memory is there when the reply
 * is written; the topic may have changed or gone by then.
 */
static void describe(kop_engine *e, const creation *c) {
  const kopi_topic *t = kopi_topic_by_name(e, c->from->name);
  if (t != NULL && c->all->gather.r->version >= 7) c->to->topic_id = t->id;
  if (c->all->gather.r->version < 5) return;
  c->to->num_partitions = t != NULL ? (int32_t)t->partitions_len : c->partitions;
  c->to->replication_factor = REPLICAS;
  uint32_t rows;
  const kopi_config_row *row = kopi_config_topic_rows(&rows);
  for (uint32_t i = 0; i < rows; i++) {
    config_result *to = &c->to->configs.ptr[i];
    to->name = kopi_text(row[i].name);
    to->value = kopi_config_answer_value(e, c->all->gather.r, c->configs, c->configs_len, &row[i],
                                         &to->config_source);
  }
  c->to->configs.len = (int32_t)rows;
}

static void on_created(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  creation *item = op->owner;
  create_topics *all = item->all;
  int16_t error = kopi_growth_answered(e, item->growth, c);
  item->open = false;
  if (!all->gather.replied) {
    item->to->error_code = error;
    if (error == 0) describe(e, item);
  }
  kopi_gather_answered(e, &all->gather, now);
}

static void create(kop_engine *e, creation *c) {
  kopi_op *op = kopi_gather_op(e, &c->all->gather, KOP_EFFECT_CREATE_TOPIC, 0, on_created, c);
  if (op == NULL) {
    c->to->error_code = KOP_KAFKA_UNKNOWN_SERVER_ERROR;
    kopi_growth_end(e, c->growth);
    return;
  }
  c->open = true;
  op->body.create_topic.name = c->from->name;
  op->body.create_topic.partitions = c->partitions;
  op->body.create_topic.configs = c->configs;
  op->body.create_topic.configs_count = c->configs_len;
  if (c->from->assignments.len > 0) {
    op->body.create_topic.assigned = c->assigned;
    op->body.create_topic.assigned_count = (uint32_t)c->partitions;
  }
  kopi_op_emit(&e->ops, op);
}

static void reply(kop_engine *e, kopi_gather *g, bool timed_out, kop_now now) {
  create_topics *all = (create_topics *)g;
  for (int32_t i = 0; timed_out && i < all->p.topics.len; i++) {
    if (all->items[i].open) all->items[i].to->error_code = KOP_KAFKA_REQUEST_TIMED_OUT;
  }
  kopi_reply(e, g->r, KOP_MSG_CREATE_TOPICS_RESPONSE, &all->p, sizeof all->p, now);
}

/* ---- the request ---- */

/* Everything that a topic may need memory for, before the first effect. */
static bool prepare(kop_engine *e, creation *c, kop_now now) {
  kopi_request *r = c->all->gather.r;
  uint32_t rows;
  (void)kopi_config_topic_rows(&rows);
  c->configs = kopi_request_alloc(e, r, (size_t)c->from->configs.len + 1, sizeof *c->configs, now);
  if (c->configs == NULL) return false;
  c->assigned =
      kopi_request_alloc(e, r, (size_t)c->from->assignments.len + 1, sizeof(int32_t), now);
  if (c->assigned == NULL) return false;
  c->to->configs.ptr =
      kopi_answer_array(e, r, KOP_STRUCT_CREATE_TOPICS_RESPONSE_CREATABLE_TOPIC_CONFIGS, rows,
                        sizeof(config_result), now);
  return c->to->configs.ptr != NULL;
}

static bool prepare_all(kop_engine *e, create_topics *all, kop_now now) {
  kopi_request *r = all->gather.r;
  size_t n = (size_t)all->q.topics.len;
  all->items = kopi_request_alloc(e, r, n + 1, sizeof(creation), now);
  if (all->items == NULL) return false;
  all->p.topics.ptr = kopi_answer_array(
      e, r, KOP_STRUCT_CREATE_TOPICS_RESPONSE_CREATABLE_TOPIC_RESULT, n, sizeof(topic_result), now);
  if (all->p.topics.ptr == NULL) return false;
  for (size_t i = 0; i < n; i++) {
    all->items[i] = (creation){.all = all, .from = &all->q.topics.ptr[i]};
    all->items[i].to = &all->p.topics.ptr[i];
    all->items[i].to->name = all->items[i].from->name;
    all->items[i].to->error_message = (kop_slice){.ptr = NULL};
  }
  all->p.topics.len = (int32_t)n;
  return true;
}

static bool asks_for_too_many(const kop_engine *e, const create_topics *all) {
  int64_t sum = 0;
  for (int32_t i = 0; i < all->q.topics.len; i++) {
    const topic_request *from = &all->q.topics.ptr[i];
    int32_t n = from->assignments.len > 0 ? from->assignments.len : from->num_partitions;
    if (n == -1) n = e->settings.num_partitions;
    sum += n > 0 ? n : 1; /* what will be refused costs memory too */
  }
  return sum > MOST_PARTITIONS;
}

/* Topics that are named several times are answered once. */
static bool drop_repeats(kop_engine *e, create_topics *all, kop_now now) {
  size_t n = (size_t)all->p.topics.len;
  kop_slice *names = kopi_request_alloc(e, all->gather.r, n + 1, sizeof(kop_slice), now);
  uint8_t *marks = names == NULL ? NULL : kopi_request_alloc(e, all->gather.r, n + 1, 1, now);
  if (marks == NULL) return false;
  for (size_t i = 0; i < n; i++)
    names[i] = all->items[i].from->name;
  if (!kopi_find_repeats(e, all->gather.r, names, n, marks, NULL, now)) return false;
  int32_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    if (marks[i] == KOPI_REPEAT_AGAIN) continue;
    topic_result *to = &all->p.topics.ptr[kept];
    *to = *all->items[i].to;
    all->items[kept] = all->items[i];
    all->items[kept].to = to;
    if (marks[i] == KOPI_REPEAT_FIRST) {
      to->error_code = KOP_KAFKA_INVALID_REQUEST;
      to->error_message = kopi_text("the topic is named twice");
    }
    kept++;
  }
  all->p.topics.len = kept;
  return true;
}

static void fail_all(create_topics *all, int16_t error, const char *message) {
  for (int32_t i = 0; i < all->p.topics.len; i++) {
    all->items[i].to->error_code = error;
    if (message != NULL) all->items[i].to->error_message = kopi_text(message);
  }
}

static bool run(kop_engine *e, create_topics *all, kop_now now) {
  for (int32_t i = 0; i < all->p.topics.len; i++) {
    if (!prepare(e, &all->items[i], now)) return false;
  }
  for (int32_t i = 0; i < all->p.topics.len; i++) {
    creation *c = &all->items[i];
    if (c->to->error_code == 0) c->to->error_code = check(e, all->gather.r, c);
    if (c->to->error_code != 0) continue;
    if (all->q.validate_only) {
      describe(e, c);
    } else {
      create(e, c);
    }
  }
  for (int32_t i = 0; all->q.validate_only && i < all->p.topics.len; i++) {
    if (all->items[i].growth != NULL) kopi_growth_end(e, all->items[i].growth);
  }
  return true;
}

void kopi_api_create_topics(kop_engine *e, kopi_request *r, kop_now now) {
  create_topics *all = kopi_request_alloc(e, r, 1, sizeof *all, now);
  if (all == NULL) return;
  if (!kopi_request_decode(e, r, KOP_MSG_CREATE_TOPICS_REQUEST, &all->q, sizeof all->q, now))
    return;
  (void)kop_message_init(KOP_MSG_CREATE_TOPICS_RESPONSE, &all->p, sizeof all->p);
  kopi_gather_begin(&all->gather, r, all->q.timeout_ms, reply);
  if (!prepare_all(e, all, now)) return;
  if (all->q.timeout_ms <= 0) {
    fail_all(all, KOP_KAFKA_REQUEST_TIMED_OUT, NULL);
  } else if (asks_for_too_many(e, all)) {
    fail_all(all, KOP_KAFKA_POLICY_VIOLATION, "more than 10,000 partitions in one request");
  } else {
    if (!drop_repeats(e, all, now) || !run(e, all, now)) return;
  }
  kopi_gather_end(e, &all->gather, now);
}
