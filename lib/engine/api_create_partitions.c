/* CreatePartitions: more partitions for a topic, spread by the store or assigned by the client. */
#include "engine/answer.h"
#include "engine/api.h"
#include "engine/assignment.h"
#include "engine/growth.h"

typedef kop_create_partitions_request_topic topic_request;
typedef kop_create_partitions_response_topic_result topic_result;

typedef struct growth {
  struct create_partitions *all;
  const topic_request *from;
  topic_result *to;
  int32_t *assigned;
  kopi_growth *room;
  bool open;
} growth;

typedef struct create_partitions {
  kopi_gather gather; /* first */
  kop_create_partitions_request q;
  kop_create_partitions_response p;
  growth *items;
} create_partitions;

static void on_grown(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  growth *g = op->owner;
  create_partitions *all = g->all;
  int16_t error = kopi_growth_answered(e, g->room, c);
  g->open = false;
  if (!all->gather.replied) g->to->error_code = error;
  kopi_gather_answered(e, &all->gather, now);
}

static void reply(kop_engine *e, kopi_gather *gather, bool timed_out, kop_now now) {
  create_partitions *all = (create_partitions *)gather;
  for (int32_t i = 0; timed_out && i < all->p.results.len; i++) {
    if (all->items[i].open) all->items[i].to->error_code = KOP_KAFKA_REQUEST_TIMED_OUT;
  }
  kopi_reply(e, gather->r, KOP_MSG_CREATE_PARTITIONS_RESPONSE, &all->p, sizeof all->p, now);
}

static int16_t check_assignment(const kop_engine *e, const growth *g, int64_t more) {
  if (g->from->assignments.len < 0) return 0;
  if (g->from->assignments.len != more) {
    g->to->error_message =
        kopi_answer_text(g->all->gather.r, "%lld partitions are to be added and %d assigned",
                         (long long)more, (int)g->from->assignments.len);
    return KOP_KAFKA_INVALID_REPLICA_ASSIGNMENT;
  }
  int32_t factor = 0;
  for (int32_t i = 0; i < g->from->assignments.len; i++) {
    const kop_int32_array *nodes = &g->from->assignments.ptr[i].broker_ids;
    const char *fault = kopi_assignment_fault(e, nodes, &factor);
    if (fault != NULL) {
      g->to->error_message = kopi_text(fault);
      return KOP_KAFKA_INVALID_REPLICA_ASSIGNMENT;
    }
    g->assigned[i] = nodes->ptr[0];
  }
  return 0;
}

static int16_t check(kop_engine *e, growth *g, const kopi_topic *t) {
  if (t == NULL) return KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
  int64_t more = (int64_t)g->from->count - (int64_t)t->partitions_len;
  if (more <= 0) {
    g->to->error_message =
        kopi_answer_text(g->all->gather.r, "the topic has %u partitions; %d would not be more",
                         (unsigned)t->partitions_len, (int)g->from->count);
    return KOP_KAFKA_INVALID_PARTITIONS;
  }
  int16_t error = check_assignment(e, g, more);
  if (error != 0) return error;
  return kopi_growth_begin(e, t->name, (uint64_t)more, &g->room, &g->to->error_message);
}

static void grow(kop_engine *e, growth *g, const kopi_topic *t) {
  kopi_op *op = kopi_gather_op(e, &g->all->gather, KOP_EFFECT_CREATE_PARTITIONS, 0, on_grown, g);
  if (op == NULL) {
    g->to->error_code = KOP_KAFKA_UNKNOWN_SERVER_ERROR;
    kopi_growth_end(e, g->room);
    return;
  }
  g->open = true;
  op->body.create_partitions.name = g->from->name;
  op->body.create_partitions.id = t->id;
  op->body.create_partitions.partitions = g->from->count;
  if (g->from->assignments.len > 0) {
    op->body.create_partitions.assigned = g->assigned;
    op->body.create_partitions.assigned_count = (uint32_t)g->from->assignments.len;
  }
  kopi_op_emit(&e->ops, op);
}

/* One item per topic; a topic that is named several times is answered once. */
static bool collect(kop_engine *e, create_partitions *all, kop_now now) {
  kopi_request *r = all->gather.r;
  size_t n = (size_t)all->q.topics.len;
  all->items = kopi_request_alloc(e, r, n + 1, sizeof(growth), now);
  if (all->items == NULL) return false;
  kop_slice *names = kopi_request_alloc(e, r, n + 1, sizeof(kop_slice), now);
  uint8_t *marks = names == NULL ? NULL : kopi_request_alloc(e, r, n + 1, 1, now);
  if (marks == NULL) return false;
  all->p.results.ptr = kopi_answer_array(e, r, KOP_STRUCT_CREATE_PARTITIONS_RESPONSE_TOPIC_RESULT,
                                         n, sizeof(topic_result), now);
  if (all->p.results.ptr == NULL) return false;
  for (size_t i = 0; i < n; i++)
    names[i] = all->q.topics.ptr[i].name;
  if (!kopi_find_repeats(e, r, names, n, marks, NULL, now)) return false;
  for (size_t i = 0; i < n; i++) {
    if (marks[i] == KOPI_REPEAT_AGAIN) continue;
    growth *g = &all->items[all->p.results.len];
    *g = (growth){.all = all, .from = &all->q.topics.ptr[i]};
    g->to = &all->p.results.ptr[all->p.results.len++];
    g->to->name = g->from->name;
    if (marks[i] == KOPI_REPEAT_FIRST) {
      g->to->error_code = KOP_KAFKA_INVALID_REQUEST;
      g->to->error_message = kopi_text("the topic is named twice");
    }
    size_t assigned = g->from->assignments.len < 0 ? 0 : (size_t)g->from->assignments.len;
    g->assigned = kopi_request_alloc(e, r, assigned + 1, sizeof(int32_t), now);
    if (g->assigned == NULL) return false;
  }
  return true;
}

void kopi_api_create_partitions(kop_engine *e, kopi_request *r, kop_now now) {
  create_partitions *all = kopi_request_alloc(e, r, 1, sizeof *all, now);
  if (all == NULL) return;
  if (!kopi_request_decode(e, r, KOP_MSG_CREATE_PARTITIONS_REQUEST, &all->q, sizeof all->q, now))
    return;
  (void)kop_message_init(KOP_MSG_CREATE_PARTITIONS_RESPONSE, &all->p, sizeof all->p);
  kopi_gather_begin(&all->gather, r, all->q.timeout_ms, reply);
  if (!collect(e, all, now)) return;
  for (int32_t i = 0; i < all->p.results.len; i++) {
    growth *g = &all->items[i];
    const kopi_topic *t = kopi_topic_by_name(e, g->from->name);
    if (g->to->error_code == 0 && all->q.timeout_ms <= 0)
      g->to->error_code = KOP_KAFKA_REQUEST_TIMED_OUT;
    if (g->to->error_code == 0) g->to->error_code = check(e, g, t);
    if (g->to->error_code == 0 && !all->q.validate_only) grow(e, g, t);
  }
  for (int32_t i = 0; all->q.validate_only && i < all->p.results.len; i++) {
    if (all->items[i].room != NULL) kopi_growth_end(e, all->items[i].room);
  }
  kopi_gather_end(e, &all->gather, now);
}
