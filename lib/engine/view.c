/* What clients are told about nodes and leaders. */
#include "engine/view.h"

#include <kop/kafka_error.h>

#include "engine/cluster.h"

static bool is_reachable(const kop_engine *e, int32_t node_id, uint32_t listener) {
  for (uint32_t i = 0; i < e->endpoints_len; i++) {
    if (e->endpoints[i].node_id == node_id && e->endpoints[i].listener == listener) return true;
  }
  return false;
}

void kopi_view_partition(const kop_engine *e, const kopi_partition *p, uint32_t listener,
                         kopi_partition_view *view) {
  bool has_node = p->leader >= 0;
  bool lives = has_node && kopi_cluster_has(e, p->leader);
  *view = (kopi_partition_view){.leader = p->leader, .epoch = p->leader_epoch};
  view->replicas = has_node;
  view->offline = has_node && !lives;
  if (lives && is_reachable(e, p->leader, listener)) return;
  view->leader = -1;
  view->error = lives ? KOP_KAFKA_LISTENER_NOT_FOUND : KOP_KAFKA_LEADER_NOT_AVAILABLE;
}

uint32_t kopi_view_endpoints(const kop_engine *e, uint32_t listener, const kopi_endpoint **out,
                             uint32_t room) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < e->endpoints_len && n < room; i++) {
    if (e->endpoints[i].listener == listener) out[n++] = &e->endpoints[i];
  }
  return n;
}

int32_t kopi_view_controller(const kop_engine *e, uint32_t listener) {
  if (is_reachable(e, e->controller_id, listener)) return e->controller_id;
  const kopi_endpoint *first = NULL;
  return kopi_view_endpoints(e, listener, &first, 1) == 0 ? -1 : first->node_id;
}
