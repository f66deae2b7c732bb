/* DescribeCluster (KIP-700): the nodes, as reachable on the listener that the client came in by. */
#include "engine/answer.h"
#include "engine/api.h"
#include "engine/conn.h"
#include "engine/view.h"

typedef kop_describe_cluster_response_broker described_broker;

enum { ENDPOINT_BROKERS = 1, ENDPOINT_CONTROLLERS = 2 };

static bool fill(kop_engine *e, kopi_request *r, bool with_operations,
                 kop_describe_cluster_response *p, kop_now now) {
  uint32_t listener = r->conn->listener;
  const kopi_endpoint **nodes =
      kopi_request_alloc(e, r, (size_t)e->endpoints_len + 1, sizeof(kopi_endpoint *), now);
  if (nodes == NULL) return false;
  uint32_t n = kopi_view_endpoints(e, listener, nodes, e->endpoints_len);
  p->brokers.ptr = kopi_answer_array(e, r, KOP_STRUCT_DESCRIBE_CLUSTER_RESPONSE_BROKER, n,
                                     sizeof(described_broker), now);
  if (p->brokers.ptr == NULL) return false;
  for (uint32_t i = 0; i < n; i++) {
    described_broker *to = &p->brokers.ptr[p->brokers.len++];
    to->broker_id = nodes[i]->node_id;
    to->host = nodes[i]->host;
    to->port = nodes[i]->port;
    to->rack = nodes[i]->rack;
  }
  p->cluster_id = e->cfg.cluster_id;
  p->controller_id = kopi_view_controller(e, listener);
  if (with_operations) p->cluster_authorized_operations = KOPI_CLUSTER_OPERATIONS;
  return true;
}

void kopi_api_describe_cluster(kop_engine *e, kopi_request *r, kop_now now) {
  kop_describe_cluster_request q;
  if (!kopi_request_decode(e, r, KOP_MSG_DESCRIBE_CLUSTER_REQUEST, &q, sizeof q, now)) return;
  kop_describe_cluster_response p;
  (void)kop_message_init(KOP_MSG_DESCRIBE_CLUSTER_RESPONSE, &p, sizeof p);
  if (q.endpoint_type == ENDPOINT_BROKERS) {
    if (!fill(e, r, q.include_cluster_authorized_operations != 0, &p, now)) return;
  } else if (q.endpoint_type == ENDPOINT_CONTROLLERS) {
    p.error_code = KOP_KAFKA_MISMATCHED_ENDPOINT_TYPE;
    p.error_message = kopi_text("this is a broker, and the client wants a controller");
  } else {
    p.error_code = KOP_KAFKA_UNSUPPORTED_ENDPOINT_TYPE;
    p.error_message = kopi_answer_text(r, "unknown endpoint type %d", q.endpoint_type);
  }
  kopi_reply(e, r, KOP_MSG_DESCRIBE_CLUSTER_RESPONSE, &p, sizeof p, now);
}
