/*
 * What the nodes of the process know of each other: who lives and under which addresses.
 *
 * Shared by all threads. A node compares the version with the one it has seen, at each turn of its
 * loop; whoever changes something wakes the others.
 */
#ifndef KOPD_CLUSTER_H
#define KOPD_CLUSTER_H

#include <kop/engine.h>

#include "listeners.h"
#include "store/store.h"

typedef struct kopd_cluster kopd_cluster;

/*
 * node ids count from first_node_id. All nodes begin as dead, and stand in one rack; NULL: in none. The text must outlive the
 * cluster. NULL if memory is refused.
 */
kopd_cluster *kopd_cluster_new(const kopd_listeners *listeners, int32_t first_node_id,
                               uint32_t nodes, const char *rack);

/* Where a node listens and which port it is advertised with, once that is known. */
void kopd_cluster_set_ports(kopd_cluster *c, uint32_t node, uint32_t listener, uint16_t listened,
                            uint16_t advertised);
/* 0 before that. */
uint16_t kopd_cluster_listened(kopd_cluster *c, uint32_t node, uint32_t listener);
uint16_t kopd_cluster_advertised(kopd_cluster *c, uint32_t node, uint32_t listener);

void kopd_cluster_set_live(kopd_cluster *c, uint32_t node, int live);
uint32_t kopd_cluster_live(kopd_cluster *c);

/* Grows with every change. */
uint64_t kopd_cluster_version(kopd_cluster *c);

/* Pushes NODES. Returns the engine's status. *version receives the version it was told. */
kop_status kopd_cluster_tell(kopd_cluster *c, kop_engine *engine, kop_now now, uint64_t *version);

void kopd_cluster_free(kopd_cluster *c);

#endif
