/* The nodes as pushed, sorted by id, one entry per node and listener. */
#include "engine/cluster.h"

#include "base/alloc.h"
#include "engine/topic.h"

static bool after(const kopi_endpoint *a, const kopi_endpoint *b) {
  return a->node_id > b->node_id || (a->node_id == b->node_id && a->listener > b->listener);
}

kop_status kopi_push_nodes(kop_engine *e, const kop_nodes *event) {
  uint32_t n = event->endpoints_count;
  if (n > 0 && event->endpoints == NULL)
    return kopi_fail(e, KOP_ERR_INVALID, "NODES without its endpoints");
  size_t text = 1;
  for (uint32_t i = 0; i < n; i++)
    text += event->endpoints[i].host.len + event->endpoints[i].rack.len;
  size_t entries = n * sizeof(kopi_endpoint);
  kopi_endpoint *to = kopi_malloc(&e->alloc, entries + text);
  if (to == NULL) return kopi_fail(e, KOP_ERR_NOMEM, "no memory for the nodes");
  uint8_t *at = (uint8_t *)to + entries;
  for (uint32_t i = 0; i < n; i++) {
    const kop_endpoint *from = &event->endpoints[i];
    kopi_endpoint entry = {
        .node_id = from->node_id, .listener = from->listener, .port = from->port};
    entry.host = kopi_copy_slice(&at, from->host);
    if (from->rack.ptr != NULL) entry.rack = kopi_copy_slice(&at, from->rack);
    uint32_t place = i;
    for (; place > 0 && after(&to[place - 1], &entry); place--)
      to[place] = to[place - 1];
    to[place] = entry;
  }
  kopi_free(&e->alloc, e->endpoints);
  e->endpoints = to;
  e->endpoints_len = n;
  e->controller_id = event->controller_id;
  return KOP_OK;
}

void kopi_cluster_free(kop_engine *e) {
  kopi_free(&e->alloc, e->endpoints);
}

bool kopi_cluster_has(const kop_engine *e, int32_t node_id) {
  for (uint32_t i = 0; i < e->endpoints_len; i++) {
    if (e->endpoints[i].node_id == node_id) return true;
  }
  return false;
}

int32_t kopi_cluster_size(const kop_engine *e) {
  int32_t n = 0;
  for (uint32_t i = 0; i < e->endpoints_len; i++) {
    n += i == 0 || e->endpoints[i].node_id != e->endpoints[i - 1].node_id;
  }
  return n;
}
