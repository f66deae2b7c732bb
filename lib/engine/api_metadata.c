/*
 * Metadata: the nodes, and topics with the leaders of their partitions.
 *
 *   decode -> which topics -> (LOOKUP_TOPIC for those not pushed) -> create what may be created -> reply
 *
 * Topics are asked for by name, by id (version 12 on), all (null; in version 0 an empty list) or none. If one of them is asked for
 * by id, those that are asked for by name are not answered: as Kafka does. A topic that does not exist is unknown in this
 * reply also when its creation begins with it.
 */
#include "engine/answer.h"
#include "engine/api.h"
#include "engine/auto_create.h"
#include "engine/conn.h"
#include "engine/topic_name.h"
#include "engine/view.h"

enum { MOST_LOOKUPS = 1000 /* open at a time, of all requests: a peer can name millions */ };

typedef kop_metadata_request_topic topic_request;
typedef kop_metadata_response_broker broker_answer;
typedef kop_metadata_response_topic topic_answer;
typedef kop_metadata_response_partition partition_answer;

typedef struct metadata {
  kopi_gather gather; /* first */
  kop_metadata_request q;
  uint32_t listener;
  bool all;
  bool by_id;
} metadata;

/* ---- one topic ---- */

static bool fill_partitions(kop_engine *e, const metadata *m, const kopi_topic *t, topic_answer *to,
                            kop_now now) {
  kopi_request *r = m->gather.r;
  int32_t *nodes = kopi_request_alloc(e, r, (size_t)t->partitions_len + 1, sizeof(int32_t), now);
  if (nodes == NULL) return false;
  to->partitions.ptr = kopi_answer_array(e, r, KOP_STRUCT_METADATA_RESPONSE_PARTITION,
                                         t->partitions_len, sizeof(partition_answer), now);
  if (to->partitions.ptr == NULL) return false;
  for (uint32_t i = 0; i < t->partitions_len; i++) {
    const kopi_partition *p = t->partitions[i];
    kopi_partition_view view;
    kopi_view_partition(e, p, m->listener, &view);
    nodes[i] = p->leader;
    partition_answer *part = &to->partitions.ptr[to->partitions.len++];
    part->error_code = view.error;
    if (view.error == KOP_KAFKA_LISTENER_NOT_FOUND && r->version < 6)
      part->error_code = KOP_KAFKA_LEADER_NOT_AVAILABLE; /* the older name for it */
    part->partition_index = p->index;
    part->leader_id = view.leader;
    part->leader_epoch = view.epoch;
    part->replica_nodes = (kop_int32_array){.ptr = &nodes[i], .len = view.replicas};
    part->isr_nodes = part->replica_nodes;
    part->offline_replicas = (kop_int32_array){.ptr = &nodes[i], .len = view.offline};
  }
  return true;
}

static bool fill_topic(kop_engine *e, const metadata *m, const kopi_topic *t, topic_answer *to,
                       kop_now now) {
  to->name = t->name;
  to->topic_id = t->id;
  to->is_internal = t->internal;
  if (m->q.include_topic_authorized_operations)
    to->topic_authorized_operations = KOPI_TOPIC_OPERATIONS;
  return fill_partitions(e, m, t, to, now);
}

static void fill_unknown(kop_engine *e, const metadata *m, kop_slice name, topic_answer *to) {
  to->name = name;
  to->is_internal = kopi_topic_name_is_internal(name);
  to->error_code = KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
  if (kopi_topic_name_fault(name) != NULL) {
    to->error_code = KOP_KAFKA_INVALID_TOPIC_EXCEPTION;
  } else if (m->q.allow_auto_topic_creation || m->gather.r->version < 4) {
    kopi_auto_create(e, name);
  }
}

/* ---- the reply ---- */

static bool fill_brokers(kop_engine *e, const metadata *m, kop_metadata_response *p, kop_now now) {
  kopi_request *r = m->gather.r;
  const kopi_endpoint **nodes =
      kopi_request_alloc(e, r, (size_t)e->endpoints_len + 1, sizeof(kopi_endpoint *), now);
  if (nodes == NULL) return false;
  uint32_t n = kopi_view_endpoints(e, m->listener, nodes, e->endpoints_len);
  p->brokers.ptr =
      kopi_answer_array(e, r, KOP_STRUCT_METADATA_RESPONSE_BROKER, n, sizeof(broker_answer), now);
  if (p->brokers.ptr == NULL) return false;
  for (uint32_t i = 0; i < n; i++) {
    broker_answer *to = &p->brokers.ptr[p->brokers.len++];
    to->node_id = nodes[i]->node_id;
    to->host = nodes[i]->host;
    to->port = nodes[i]->port;
    to->rack = nodes[i]->rack;
  }
  p->cluster_id = e->cfg.cluster_id;
  p->controller_id = kopi_view_controller(e, m->listener);
  return true;
}

static bool fill_asked(kop_engine *e, metadata *m, kop_metadata_response *p, kop_now now) {
  size_t n = (size_t)m->q.topics.len;
  kop_slice *keys = kopi_request_alloc(e, m->gather.r, n + 1, sizeof(kop_slice), now);
  uint8_t *marks = keys == NULL ? NULL : kopi_request_alloc(e, m->gather.r, n + 1, 1, now);
  if (marks == NULL) return false;
  for (size_t i = 0; i < n; i++) {
    const topic_request *from = &m->q.topics.ptr[i];
    keys[i] = m->by_id
                  ? (kop_slice){.ptr = from->topic_id.bytes, .len = sizeof from->topic_id.bytes}
                  : from->name;
  }
  if (!kopi_find_repeats(e, m->gather.r, keys, n, marks, NULL, now)) return false;
  for (size_t i = 0; i < n; i++) {
    const topic_request *from = &m->q.topics.ptr[i];
    if (marks[i] == KOPI_REPEAT_AGAIN || (m->by_id && kopi_uuid_is_zero(&from->topic_id))) continue;
    topic_answer *to = &p->topics.ptr[p->topics.len++];
    const kopi_topic *t =
        m->by_id ? kopi_topic_by_id(e, &from->topic_id) : kopi_topic_by_name(e, from->name);
    if (t != NULL) {
      if (!fill_topic(e, m, t, to, now)) return false;
    } else if (m->by_id) {
      to->name = (kop_slice){.ptr = NULL};
      to->topic_id = from->topic_id;
      to->error_code = KOP_KAFKA_UNKNOWN_TOPIC_ID;
    } else {
      fill_unknown(e, m, from->name, to);
    }
  }
  return true;
}

static void reply(kop_engine *e, kopi_gather *g, bool timed_out, kop_now now) {
  (void)timed_out; /* Metadata has no time-out */
  metadata *m = (metadata *)g;
  kop_metadata_response p;
  (void)kop_message_init(KOP_MSG_METADATA_RESPONSE, &p, sizeof p);
  if (!fill_brokers(e, m, &p, now)) return;
  size_t n = m->all ? e->topics_len : (size_t)m->q.topics.len;
  p.topics.ptr =
      kopi_answer_array(e, g->r, KOP_STRUCT_METADATA_RESPONSE_TOPIC, n, sizeof(topic_answer), now);
  if (p.topics.ptr == NULL) return;
  if (m->all) {
    for (size_t i = 0; i < n; i++) {
      if (!fill_topic(e, m, e->topics[i], &p.topics.ptr[p.topics.len++], now)) return;
    }
  } else if (!fill_asked(e, m, &p, now)) {
    return;
  }
  if (m->q.include_cluster_authorized_operations && g->r->version >= 8 && g->r->version <= 10)
    p.cluster_authorized_operations = KOPI_CLUSTER_OPERATIONS;
  kopi_reply(e, g->r, KOP_MSG_METADATA_RESPONSE, &p, sizeof p, now);
}

/* A request that cannot be answered at all: no nodes, and the error for each topic. */
static void reply_fault(kop_engine *e, metadata *m, int16_t error, kop_now now) {
  kopi_request *r = m->gather.r;
  kop_metadata_response p;
  (void)kop_message_init(KOP_MSG_METADATA_RESPONSE, &p, sizeof p);
  size_t n = (size_t)m->q.topics.len;
  p.topics.ptr =
      kopi_answer_array(e, r, KOP_STRUCT_METADATA_RESPONSE_TOPIC, n, sizeof(topic_answer), now);
  if (p.topics.ptr == NULL) return;
  for (size_t i = 0; i < n; i++) {
    topic_answer *to = &p.topics.ptr[p.topics.len++];
    to->error_code = error;
    to->topic_id = m->q.topics.ptr[i].topic_id;
    if (m->q.topics.ptr[i].name.ptr != NULL) to->name = m->q.topics.ptr[i].name;
  }
  if (r->version >= 13) p.error_code = error;
  kopi_reply(e, r, KOP_MSG_METADATA_RESPONSE, &p, sizeof p, now);
}

/* ---- the request ---- */

static void on_looked_up(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  (void)c; /* a topic that was found has been pushed */
  e->lookups_open--;
  kopi_gather_answered(e, op->owner, now);
}

static void look_up(kop_engine *e, metadata *m) {
  if (!kopi_serves(e, 1ull << KOP_EFFECT_LOOKUP_TOPIC)) return;
  for (int32_t i = 0; !m->all && i < m->q.topics.len; i++) {
    const topic_request *from = &m->q.topics.ptr[i];
    if (e->lookups_open >= MOST_LOOKUPS) return; /* as below */
    bool known = m->by_id ? kopi_topic_by_id(e, &from->topic_id) != NULL
                          : kopi_topic_by_name(e, from->name) != NULL;
    bool useless =
        m->by_id ? kopi_uuid_is_zero(&from->topic_id) : kopi_topic_name_fault(from->name) != NULL;
    if (known || useless) continue;
    kopi_op *op =
        kopi_gather_op(e, &m->gather, KOP_EFFECT_LOOKUP_TOPIC, 0, on_looked_up, &m->gather);
    if (op == NULL) return; /* it is then unknown, and the client asks again */
    if (m->by_id) {
      op->body.topic.id = from->topic_id;
    } else {
      op->body.topic.name = from->name;
    }
    e->lookups_open++;
    kopi_op_emit(&e->ops, op);
  }
}

/* 0, or the error of a request that mixes what must not be mixed. */
static int16_t fault(const metadata *m) {
  for (int32_t i = 0; i < m->q.topics.len; i++) {
    const topic_request *from = &m->q.topics.ptr[i];
    bool has_id = !kopi_uuid_is_zero(&from->topic_id);
    if (m->gather.r->version < 12 && (has_id || from->name.ptr == NULL))
      return KOP_KAFKA_INVALID_REQUEST; /* the field is there before it may be used */
    if (!has_id && from->name.ptr == NULL) return KOP_KAFKA_UNKNOWN_SERVER_ERROR; /* as Kafka */
  }
  return 0;
}

void kopi_api_metadata(kop_engine *e, kopi_request *r, kop_now now) {
  metadata *m = kopi_request_alloc(e, r, 1, sizeof *m, now);
  if (m == NULL) return;
  if (!kopi_request_decode(e, r, KOP_MSG_METADATA_REQUEST, &m->q, sizeof m->q, now)) return;
  m->listener = r->conn->listener;
  m->all = m->q.topics.len < 0 || (r->version == 0 && m->q.topics.len == 0);
  for (int32_t i = 0; i < m->q.topics.len; i++)
    m->by_id = m->by_id || !kopi_uuid_is_zero(&m->q.topics.ptr[i].topic_id);
  kopi_gather_begin(&m->gather, r, -1, reply);
  int16_t error = fault(m);
  if (error != 0) {
    reply_fault(e, m, error, now);
    return;
  }
  look_up(e, m);
  kopi_gather_end(e, &m->gather, now);
}
