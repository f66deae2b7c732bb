/*
 * ElectLeaders (KIP-183, KIP-460), truthfully: a partition has one replica, so the leader it has is the preferred one, and when
 * there is no leader there is none to elect.
 */
#include "engine/answer.h"
#include "engine/api.h"
#include "engine/partition.h"

typedef kop_elect_leaders_request_topic_partitions topic_request;
typedef kop_elect_leaders_response_replica_election_result topic_result;
typedef kop_elect_leaders_response_partition_result partition_result;

enum { ELECT_PREFERRED = 0, ELECT_UNCLEAN = 1 };

static void elect(const kop_engine *e, kopi_request *r, const kop_elect_leaders_request *q,
                  kop_slice topic, partition_result *to) {
  const kopi_topic *t = kopi_topic_by_name(e, topic);
  const kopi_partition *p = t == NULL ? NULL : kopi_topic_partition_at(t, to->partition_id);
  if (q->election_type != ELECT_PREFERRED && q->election_type != ELECT_UNCLEAN) {
    to->error_code = KOP_KAFKA_INVALID_REQUEST;
    to->error_message = kopi_answer_text(r, "unknown election type %d", q->election_type);
  } else if (q->timeout_ms <= 0) {
    to->error_code = KOP_KAFKA_REQUEST_TIMED_OUT;
  } else if (p == NULL) {
    to->error_code = KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    to->error_message = kopi_text("there is no such partition");
  } else if (p->leader >= 0) {
    to->error_code = KOP_KAFKA_ELECTION_NOT_NEEDED;
    to->error_message = kopi_text("the partition has its leader");
  } else if (q->election_type == ELECT_PREFERRED) {
    to->error_code = KOP_KAFKA_PREFERRED_LEADER_NOT_AVAILABLE;
    to->error_message = kopi_text("the partition's only replica is not available");
  } else {
    to->error_code = KOP_KAFKA_ELIGIBLE_LEADERS_NOT_AVAILABLE;
    to->error_message = kopi_text("the partition's only replica is not available");
  }
}

static bool answer_topic(kop_engine *e, kopi_request *r, const kop_elect_leaders_request *q,
                         const topic_request *from, topic_result *to, kop_now now) {
  to->topic = from->topic;
  to->partition_result.ptr =
      kopi_answer_array(e, r, KOP_STRUCT_ELECT_LEADERS_RESPONSE_PARTITION_RESULT,
                        (size_t)from->partitions.len, sizeof(partition_result), now);
  if (to->partition_result.ptr == NULL) return false;
  for (int32_t i = 0; i < from->partitions.len; i++) {
    partition_result *part = &to->partition_result.ptr[to->partition_result.len++];
    part->partition_id = from->partitions.ptr[i];
    part->error_message = (kop_slice){.ptr = NULL};
    elect(e, r, q, from->topic, part);
  }
  return true;
}

void kopi_api_elect_leaders(kop_engine *e, kopi_request *r, kop_now now) {
  kop_elect_leaders_request q;
  if (!kopi_request_decode(e, r, KOP_MSG_ELECT_LEADERS_REQUEST, &q, sizeof q, now)) return;
  kop_elect_leaders_response p;
  (void)kop_message_init(KOP_MSG_ELECT_LEADERS_RESPONSE, &p, sizeof p);
  bool all = q.topic_partitions.len < 0;
  size_t n = all ? e->topics_len : (size_t)q.topic_partitions.len;
  p.replica_election_results.ptr =
      kopi_answer_array(e, r, KOP_STRUCT_ELECT_LEADERS_RESPONSE_REPLICA_ELECTION_RESULT, n,
                        sizeof(topic_result), now);
  if (p.replica_election_results.ptr == NULL) return;
  /* Null asks for all partitions; those that need no election are then not listed, which is all of them. */
  for (size_t i = 0; i < n; i++) {
    topic_request from = {0};
    if (all) {
      from.topic = e->topics[i]->name;
    } else {
      from = q.topic_partitions.ptr[i];
    }
    topic_result *to = &p.replica_election_results.ptr[p.replica_election_results.len++];
    if (!answer_topic(e, r, &q, &from, to, now)) return;
  }
  if (r->version >= 1 && q.timeout_ms <= 0 && n > 0) p.error_code = KOP_KAFKA_REQUEST_TIMED_OUT;
  if (r->version >= 1 && q.election_type != ELECT_PREFERRED && q.election_type != ELECT_UNCLEAN)
    p.error_code = KOP_KAFKA_INVALID_REQUEST;
  kopi_reply(e, r, KOP_MSG_ELECT_LEADERS_RESPONSE, &p, sizeof p, now);
}
