/* The table of nodes, behind one lock; see cluster.h. */
#include "cluster.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct ports {
  uint16_t listened;
  uint16_t advertised;
} ports;

struct kopd_cluster {
  pthread_mutex_t lock;
  _Atomic uint64_t version;
  kopd_listeners listeners;
  int32_t first_node_id;
  uint32_t nodes;
  kop_slice rack; /* of all nodes: they are one process */
  uint8_t live[KOPD_STORE_MAX_NODES];
  ports ports[KOPD_STORE_MAX_NODES][KOPD_LISTENERS_MAX];
};

kopd_cluster *kopd_cluster_new(const kopd_listeners *listeners, int32_t first_node_id,
                               uint32_t nodes, const char *rack) {
  kopd_cluster *c = calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  pthread_mutex_init(&c->lock, NULL);
  atomic_store(&c->version, 1);
  c->listeners = *listeners;
  c->first_node_id = first_node_id;
  c->nodes = nodes;
  c->rack = (kop_slice){(const uint8_t *)rack, rack == NULL ? 0 : strlen(rack)};
  return c;
}

void kopd_cluster_free(kopd_cluster *c) {
  if (c == NULL) return;
  pthread_mutex_destroy(&c->lock);
  free(c);
}

void kopd_cluster_set_ports(kopd_cluster *c, uint32_t node, uint32_t listener, uint16_t listened,
                            uint16_t advertised) {
  pthread_mutex_lock(&c->lock);
  c->ports[node][listener] = (ports){listened, advertised};
  atomic_fetch_add(&c->version, 1);
  pthread_mutex_unlock(&c->lock);
}

static ports ports_of(kopd_cluster *c, uint32_t node, uint32_t listener) {
  pthread_mutex_lock(&c->lock);
  ports p = c->ports[node][listener];
  pthread_mutex_unlock(&c->lock);
  return p;
}

uint16_t kopd_cluster_listened(kopd_cluster *c, uint32_t node, uint32_t listener) {
  return ports_of(c, node, listener).listened;
}

uint16_t kopd_cluster_advertised(kopd_cluster *c, uint32_t node, uint32_t listener) {
  return ports_of(c, node, listener).advertised;
}

void kopd_cluster_set_live(kopd_cluster *c, uint32_t node, int live) {
  pthread_mutex_lock(&c->lock);
  c->live[node] = live != 0;
  atomic_fetch_add(&c->version, 1);
  pthread_mutex_unlock(&c->lock);
}

uint32_t kopd_cluster_live(kopd_cluster *c) {
  uint32_t n = 0;
  pthread_mutex_lock(&c->lock);
  for (uint32_t i = 0; i < c->nodes; i++)
    n += c->live[i];
  pthread_mutex_unlock(&c->lock);
  return n;
}

uint64_t kopd_cluster_version(kopd_cluster *c) {
  return atomic_load(&c->version);
}

kop_status kopd_cluster_tell(kopd_cluster *c, kop_engine *engine, kop_now now, uint64_t *version) {
  size_t max = (size_t)c->nodes * c->listeners.count;
  kop_endpoint *endpoints = calloc(max, sizeof *endpoints);
  if (endpoints == NULL) return KOP_ERR_NOMEM;
  kop_nodes nodes = {.size = sizeof nodes, .controller_id = -1, .endpoints = endpoints};
  pthread_mutex_lock(&c->lock);
  *version = atomic_load(&c->version);
  for (uint32_t i = 0; i < c->nodes; i++) {
    if (!c->live[i]) continue;
    if (nodes.controller_id < 0) nodes.controller_id = c->first_node_id + (int32_t)i;
    for (uint32_t j = 0; j < c->listeners.count; j++) {
      const char *host = c->listeners.items[j].advertise.host;
      endpoints[nodes.endpoints_count++] = (kop_endpoint){
          .node_id = c->first_node_id + (int32_t)i,
          .listener = j,
          .host = {(const uint8_t *)host, strlen(host)},
          .port = c->ports[i][j].advertised,
          .rack = c->rack,
      };
    }
  }
  pthread_mutex_unlock(&c->lock);
  kop_event event = {sizeof event, KOP_EVENT_NODES, &nodes, sizeof nodes, 0};
  kop_status status = kop_engine_push(engine, &event, now);
  free(endpoints);
  return status;
}
