/* KIP-951: the addresses of leaders in replies that say "not leader". */
#include "engine/leader_hint.h"

#include "engine/conn.h"

void kopi_leader_hints_add(kopi_leader_hints *hints, int32_t node_id) {
  if (node_id < 0 || hints->len == KOPI_LEADER_HINTS) return;
  for (uint32_t i = 0; i < hints->len; i++) {
    if (hints->nodes[i] == node_id) return;
  }
  hints->nodes[hints->len++] = node_id;
}

const kopi_endpoint *kopi_leader_hint(const kop_engine *e, const kopi_request *r, int32_t node_id) {
  for (uint32_t i = 0; i < e->endpoints_len && r->conn != NULL; i++) {
    const kopi_endpoint *endpoint = &e->endpoints[i];
    if (endpoint->node_id == node_id && endpoint->listener == r->conn->listener) return endpoint;
  }
  return NULL;
}
