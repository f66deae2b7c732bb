/* OffsetForLeaderEpoch (KIP-101, KIP-320): where an epoch ended, so that a client or follower can cut back to it. */
#include "engine/api.h"
#include "engine/lease.h"
#include "engine/topic.h"

typedef kop_offset_for_leader_epoch_request_offset_for_leader_topic topic_request;
typedef kop_offset_for_leader_epoch_request_offset_for_leader_partition partition_request;
typedef kop_offset_for_leader_epoch_response_offset_for_leader_topic_result topic_result;
typedef kop_offset_for_leader_epoch_response_epoch_end_offset partition_result;

static void answer(const kop_engine *e, const kopi_topic *known, const partition_request *from,
                   partition_result *to) {
  (void)kop_struct_init(KOP_STRUCT_OFFSET_FOR_LEADER_EPOCH_RESPONSE_EPOCH_END_OFFSET, to,
                        sizeof *to);
  to->partition = from->partition;
  const kopi_partition *p = known == NULL ? NULL : kopi_topic_partition_at(known, from->partition);
  to->error_code = p == NULL ? KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION : kopi_lease_error(e, p);
  if (to->error_code != 0) return;
  if (from->current_leader_epoch >= 0 && from->current_leader_epoch != p->leader_epoch) {
    bool older = from->current_leader_epoch < p->leader_epoch;
    to->error_code = older ? KOP_KAFKA_FENCED_LEADER_EPOCH : KOP_KAFKA_UNKNOWN_LEADER_EPOCH;
    return;
  }
  kopi_epochs_end_offset(&p->epochs, from->leader_epoch, p->high_watermark, &to->leader_epoch,
                         &to->end_offset);
}

static bool answer_topic(kop_engine *e, kopi_request *r, const topic_request *from,
                         topic_result *to, kop_now now) {
  (void)kop_struct_init(KOP_STRUCT_OFFSET_FOR_LEADER_EPOCH_RESPONSE_OFFSET_FOR_LEADER_TOPIC_RESULT,
                        to, sizeof *to);
  to->topic = from->topic;
  partition_result *parts =
      kopi_request_alloc(e, r, (size_t)from->partitions.len + 1, sizeof *parts, now);
  if (parts == NULL) return false;
  to->partitions.ptr = parts;
  to->partitions.len = from->partitions.len;
  const kopi_topic *known = kopi_topic_by_name(e, from->topic);
  for (int32_t i = 0; i < from->partitions.len; i++)
    answer(e, known, &from->partitions.ptr[i], &parts[i]);
  return true;
}

static void run(kop_engine *e, kopi_request *r, kop_now now) {
  const kop_offset_for_leader_epoch_request *q = r->state_of_api;
  kop_offset_for_leader_epoch_response p;
  (void)kop_message_init(KOP_MSG_OFFSET_FOR_LEADER_EPOCH_RESPONSE, &p, sizeof p);
  p.topics.ptr = kopi_request_alloc(e, r, (size_t)q->topics.len + 1, sizeof *p.topics.ptr, now);
  if (p.topics.ptr == NULL) return;
  for (int32_t i = 0; i < q->topics.len; i++) {
    if (!answer_topic(e, r, &q->topics.ptr[i], &p.topics.ptr[p.topics.len++], now)) return;
  }
  kopi_reply(e, r, KOP_MSG_OFFSET_FOR_LEADER_EPOCH_RESPONSE, &p, sizeof p, now);
}

/* False: answered for want of memory. */
static bool ask_leases(kop_engine *e, kopi_request *r, const kop_offset_for_leader_epoch_request *q,
                       kop_now now) {
  kopi_lease_begin(e, r);
  for (int32_t i = 0; e->leases && i < q->topics.len; i++) {
    const topic_request *t = &q->topics.ptr[i];
    const kopi_topic *known = kopi_topic_by_name(e, t->topic);
    for (int32_t j = 0; known != NULL && j < t->partitions.len; j++) {
      kopi_partition *p = kopi_topic_partition_at(known, t->partitions.ptr[j].partition);
      if (!kopi_lease_ask(e, r, p, now)) return false;
    }
  }
  return true;
}

void kopi_api_offset_for_leader_epoch(kop_engine *e, kopi_request *r, kop_now now) {
  kop_offset_for_leader_epoch_request *q = kopi_request_alloc(e, r, 1, sizeof *q, now);
  if (q == NULL ||
      !kopi_request_decode(e, r, KOP_MSG_OFFSET_FOR_LEADER_EPOCH_REQUEST, q, sizeof *q, now))
    return;
  r->state_of_api = q;
  if (!ask_leases(e, r, q, now)) return;
  if (!kopi_lease_wait(e, r, KOPI_LEASE_WAIT_MS, run, now)) run(e, r, now);
}
