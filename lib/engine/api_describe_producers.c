/* DescribeProducers (KIP-664): the idempotent producers that a partition's leader remembers. */
#include "base/alloc.h"
#include "engine/answer.h"
#include "engine/api.h"
#include "engine/lease.h"
#include "engine/topic_name.h"

typedef kop_describe_producers_request_topic_request topic_request;
typedef kop_describe_producers_response_topic_response topic_response;
typedef kop_describe_producers_response_partition_response partition_response;
typedef kop_describe_producers_response_producer_state producer_state;

static bool list(kop_engine *e, kopi_request *r, const kopi_partition *p, partition_response *to,
                 kop_now now) {
  const kopi_producer_state **all;
  size_t n;
  if (kopi_producers_sorted(&p->producers, KOPI_PRODUCERS_BY_ID, &all, &n) != KOP_OK) {
    kopi_request_out_of_memory(e, r, now);
    return false;
  }
  producer_state *out = kopi_answer_array(
      e, r, KOP_STRUCT_DESCRIBE_PRODUCERS_RESPONSE_PRODUCER_STATE, n, sizeof *out, now);
  for (size_t i = 0; i < n && out != NULL; i++) {
    const kopi_producer_entry *last = &all[i]->batches[all[i]->count - 1];
    out[i].producer_id = all[i]->producer_id;
    out[i].producer_epoch = all[i]->epoch;
    out[i].last_sequence = last->last_seq;
    out[i].last_timestamp = last->timestamp;
    out[i].coordinator_epoch = -1;
    out[i].current_txn_start_offset = -1;
  }
  kopi_free(p->producers.alloc, all);
  to->active_producers.ptr = out;
  to->active_producers.len = out == NULL ? 0 : (int32_t)n;
  return out != NULL;
}

static bool answer_topic(kop_engine *e, kopi_request *r, const topic_request *from,
                         topic_response *to, kop_now now) {
  to->name = from->name;
  to->partitions.ptr =
      kopi_answer_array(e, r, KOP_STRUCT_DESCRIBE_PRODUCERS_RESPONSE_PARTITION_RESPONSE,
                        (size_t)from->partition_indexes.len, sizeof(partition_response), now);
  if (to->partitions.ptr == NULL) return false;
  const char *name_fault = kopi_topic_name_fault(from->name);
  const kopi_topic *t = kopi_topic_by_name(e, from->name);
  for (int32_t i = 0; i < from->partition_indexes.len; i++) {
    partition_response *part = &to->partitions.ptr[to->partitions.len++];
    part->partition_index = from->partition_indexes.ptr[i];
    const kopi_partition *p = t == NULL ? NULL : kopi_topic_partition_at(t, part->partition_index);
    if (name_fault != NULL) {
      part->error_code = KOP_KAFKA_INVALID_TOPIC_EXCEPTION;
      part->error_message = kopi_text(name_fault);
    } else if (t == NULL) {
      part->error_code = KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
      part->error_message = kopi_text("there is no such topic");
    } else {
      part->error_code = p == NULL ? KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION : kopi_lease_error(e, p);
    }
    if (part->error_code == 0 && !list(e, r, p, part, now)) return false;
  }
  return true;
}

static void run(kop_engine *e, kopi_request *r, kop_now now) {
  const kop_describe_producers_request *q = r->state_of_api;
  kop_describe_producers_response p;
  (void)kop_message_init(KOP_MSG_DESCRIBE_PRODUCERS_RESPONSE, &p, sizeof p);
  p.topics.ptr = kopi_answer_array(e, r, KOP_STRUCT_DESCRIBE_PRODUCERS_RESPONSE_TOPIC_RESPONSE,
                                   (size_t)q->topics.len, sizeof(topic_response), now);
  if (p.topics.ptr == NULL) return;
  for (int32_t i = 0; i < q->topics.len; i++) {
    if (!answer_topic(e, r, &q->topics.ptr[i], &p.topics.ptr[p.topics.len++], now)) return;
  }
  kopi_reply(e, r, KOP_MSG_DESCRIBE_PRODUCERS_RESPONSE, &p, sizeof p, now);
}

/* False: answered for want of memory. */
static bool ask_leases(kop_engine *e, kopi_request *r, const kop_describe_producers_request *q,
                       kop_now now) {
  kopi_lease_begin(e, r);
  for (int32_t i = 0; e->leases && i < q->topics.len; i++) {
    const topic_request *t = &q->topics.ptr[i];
    const kopi_topic *known = kopi_topic_by_name(e, t->name);
    for (int32_t j = 0; known != NULL && j < t->partition_indexes.len; j++) {
      kopi_partition *p = kopi_topic_partition_at(known, t->partition_indexes.ptr[j]);
      if (!kopi_lease_ask(e, r, p, now)) return false;
    }
  }
  return true;
}

void kopi_api_describe_producers(kop_engine *e, kopi_request *r, kop_now now) {
  kop_describe_producers_request *q = kopi_request_alloc(e, r, 1, sizeof *q, now);
  if (q == NULL ||
      !kopi_request_decode(e, r, KOP_MSG_DESCRIBE_PRODUCERS_REQUEST, q, sizeof *q, now))
    return;
  r->state_of_api = q;
  if (!ask_leases(e, r, q, now)) return;
  if (!kopi_lease_wait(e, r, KOPI_LEASE_WAIT_MS, run, now)) run(e, r, now);
}
