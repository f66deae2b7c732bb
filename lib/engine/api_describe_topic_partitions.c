/*
 * DescribeTopicPartitions (KIP-966): topics in order of their names, page by page.
 *
 *   cursor {topic, partition}: where this page begins      next cursor: where the next one does, null at the end
 *
 * A page has at most `response_partition_limit` partitions (at least one, at most max.request.partition.size.limit).
 * Topics that are named and do not exist are listed in their place and cost nothing of the limit.
 */
#include "base/sort.h"
#include "engine/answer.h"
#include "engine/api.h"
#include "engine/conn.h"
#include "engine/topic_name.h"
#include "engine/view.h"

typedef kop_describe_topic_partitions_response_topic topic_answer;
typedef kop_describe_topic_partitions_response_partition partition_answer;
typedef kop_describe_topic_partitions_response_cursor next_cursor;

typedef struct page {
  kopi_request *r;
  uint32_t listener;
  uint32_t room;    /* partitions that may still be added */
  kop_slice *names; /* sorted, each once */
  size_t names_len;
  kop_describe_topic_partitions_response p;
  next_cursor next;
} page;

static int by_name(const void *a, const void *b) {
  return kopi_slice_compare(*(const kop_slice *)a, *(const kop_slice *)b);
}

static bool collect_names(kop_engine *e, page *g, const kop_describe_topic_partitions_request *q,
                          kop_now now) {
  size_t n = q->topics.len == 0 ? e->topics_len : (size_t)q->topics.len;
  g->names = kopi_request_alloc(e, g->r, n + 1, sizeof(kop_slice), now);
  if (g->names == NULL) return false;
  for (size_t i = 0; i < n; i++)
    g->names[i] = q->topics.len == 0 ? e->topics[i]->name : q->topics.ptr[i].name;
  kopi_sort(g->names, n, sizeof(kop_slice), by_name);
  for (size_t i = 0; i < n; i++) {
    if (i == 0 || !kopi_slice_equal(g->names[i], g->names[g->names_len - 1]))
      g->names[g->names_len++] = g->names[i];
  }
  return true;
}

static bool add_partitions(kop_engine *e, page *g, const kopi_topic *t, uint32_t first,
                           topic_answer *to, kop_now now) {
  uint32_t left = first < t->partitions_len ? t->partitions_len - first : 0;
  uint32_t n = left < g->room ? left : g->room;
  int32_t *nodes = kopi_request_alloc(e, g->r, (size_t)n + 1, sizeof(int32_t), now);
  if (nodes == NULL) return false;
  to->partitions.ptr =
      kopi_answer_array(e, g->r, KOP_STRUCT_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_PARTITION, n,
                        sizeof(partition_answer), now);
  if (to->partitions.ptr == NULL) return false;
  for (uint32_t i = 0; i < n; i++) {
    const kopi_partition *p = t->partitions[first + i];
    kopi_partition_view view;
    kopi_view_partition(e, p, g->listener, &view);
    nodes[i] = p->leader;
    partition_answer *part = &to->partitions.ptr[to->partitions.len++];
    part->error_code = view.error;
    part->partition_index = p->index;
    part->leader_id = view.leader;
    part->leader_epoch = view.epoch;
    part->replica_nodes = (kop_int32_array){.ptr = &nodes[i], .len = view.replicas};
    part->isr_nodes = part->replica_nodes;
    part->eligible_leader_replicas = (kop_int32_array){.ptr = &nodes[i], .len = 0};
    part->last_known_elr = part->eligible_leader_replicas;
    part->offline_replicas = (kop_int32_array){.ptr = &nodes[i], .len = view.offline};
  }
  g->room -= n;
  if (n < left) {
    g->next.topic_name = t->name;
    g->next.partition_index = (int32_t)(first + n);
    g->p.next_cursor = &g->next;
  }
  return true;
}

static bool add_topic(kop_engine *e, page *g, kop_slice name, uint32_t first, kop_now now) {
  topic_answer *to = &g->p.topics.ptr[g->p.topics.len++];
  to->name = name;
  to->topic_authorized_operations = KOPI_TOPIC_OPERATIONS;
  const kopi_topic *t = kopi_topic_by_name(e, name);
  if (t == NULL) {
    bool bad = kopi_topic_name_fault(name) != NULL;
    to->error_code = bad ? KOP_KAFKA_INVALID_TOPIC_EXCEPTION : KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    to->is_internal = kopi_topic_name_is_internal(name);
    return true;
  }
  to->topic_id = t->id;
  to->is_internal = t->internal;
  return add_partitions(e, g, t, first, to, now);
}

/* Whether the cursor can be where a page of this request begins. */
static bool is_usable(const page *g, const kop_describe_topic_partitions_request *q) {
  if (q->cursor == NULL) return true;
  if (q->cursor->partition_index < 0) return false;
  if (q->topics.len == 0) return true; /* all topics: the one it names may have gone meanwhile */
  for (size_t i = 0; i < g->names_len; i++) {
    if (kopi_slice_equal(g->names[i], q->cursor->topic_name)) return true;
  }
  return false;
}

static bool fill(kop_engine *e, page *g, const kop_describe_topic_partitions_request *q,
                 kop_now now) {
  for (size_t i = 0; i < g->names_len && g->p.next_cursor == NULL; i++) {
    int order = q->cursor == NULL ? 1 : kopi_slice_compare(g->names[i], q->cursor->topic_name);
    if (order < 0) continue;
    if (g->room == 0) {
      g->next.topic_name = g->names[i];
      g->next.partition_index = 0;
      g->p.next_cursor = &g->next;
      return true;
    }
    uint32_t first = order == 0 ? (uint32_t)q->cursor->partition_index : 0;
    if (!add_topic(e, g, g->names[i], first, now)) return false;
  }
  return true;
}

void kopi_api_describe_topic_partitions(kop_engine *e, kopi_request *r, kop_now now) {
  kop_describe_topic_partitions_request q;
  if (!kopi_request_decode(e, r, KOP_MSG_DESCRIBE_TOPIC_PARTITIONS_REQUEST, &q, sizeof q, now))
    return;
  page g = {.r = r, .listener = r->conn->listener};
  int32_t limit = q.response_partition_limit < 1 ? 1 : q.response_partition_limit;
  if (limit > e->settings.describe_partitions_max) limit = e->settings.describe_partitions_max;
  g.room = (uint32_t)limit;
  (void)kop_message_init(KOP_MSG_DESCRIBE_TOPIC_PARTITIONS_RESPONSE, &g.p, sizeof g.p);
  (void)kop_struct_init(KOP_STRUCT_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_CURSOR, &g.next,
                        sizeof g.next);
  if (!collect_names(e, &g, &q, now)) return;
  size_t most = g.names_len > (size_t)q.topics.len ? g.names_len : (size_t)q.topics.len;
  g.p.topics.ptr = kopi_answer_array(e, r, KOP_STRUCT_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_TOPIC,
                                     most, sizeof(topic_answer), now);
  if (g.p.topics.ptr == NULL) return;
  if (is_usable(&g, &q)) {
    if (!fill(e, &g, &q, now)) return;
  } else {
    for (int32_t i = 0; i < q.topics.len; i++) {
      topic_answer *to = &g.p.topics.ptr[g.p.topics.len++];
      to->name = q.topics.ptr[i].name;
      to->error_code = KOP_KAFKA_INVALID_REQUEST;
    }
  }
  kopi_reply(e, r, KOP_MSG_DESCRIBE_TOPIC_PARTITIONS_RESPONSE, &g.p, sizeof g.p, now);
}
