/*
 * FindCoordinator: this release coordinates neither groups nor transactions, and says so for every key.
 *
 * It is answered, and not left out of ApiVersions, because librdkafka takes a broker without it for one that cannot
 * read lz4 and then sends uncompressed, without a word. The error is the one that Kafka gives while it has no
 * coordinator: librdkafka asks for one even when it consumes by assignment, and hands any error that it does
 * not retry to the application, which then reads nothing.
 */
#include "engine/answer.h"
#include "engine/api.h"

static const char REASON[] = "this broker coordinates no groups and no transactions";

typedef kop_find_coordinator_response_coordinator coordinator;

static bool answer_keys(kop_engine *e, kopi_request *r, const kop_find_coordinator_request *q,
                        kop_find_coordinator_response *p, kop_now now) {
  if (q->coordinator_keys.len <= 0) return true;
  size_t n = (size_t)q->coordinator_keys.len;
  p->coordinators.ptr = kopi_answer_array(e, r, KOP_STRUCT_FIND_COORDINATOR_RESPONSE_COORDINATOR, n,
                                          sizeof(coordinator), now);
  if (p->coordinators.ptr == NULL) return false;
  for (size_t i = 0; i < n; i++) {
    coordinator *to = &p->coordinators.ptr[p->coordinators.len++];
    to->key = q->coordinator_keys.ptr[i];
    to->node_id = -1;
    to->port = -1;
    to->error_code = KOP_KAFKA_COORDINATOR_NOT_AVAILABLE;
    to->error_message = kopi_text(REASON);
  }
  return true;
}

void kopi_api_find_coordinator(kop_engine *e, kopi_request *r, kop_now now) {
  kop_find_coordinator_request q;
  if (!kopi_request_decode(e, r, KOP_MSG_FIND_COORDINATOR_REQUEST, &q, sizeof q, now)) return;
  kop_find_coordinator_response p;
  (void)kop_message_init(KOP_MSG_FIND_COORDINATOR_RESPONSE, &p, sizeof p);
  if (r->version < 4) { /* one key, answered in the response itself */
    p.node_id = -1;
    p.port = -1;
    p.error_code = KOP_KAFKA_COORDINATOR_NOT_AVAILABLE;
    if (r->version >= 1) p.error_message = kopi_text(REASON);
  } else if (!answer_keys(e, r, &q, &p, now)) {
    return;
  }
  kopi_reply(e, r, KOP_MSG_FIND_COORDINATOR_RESPONSE, &p, sizeof p, now);
}
