/*
 * A node: one engine, its sockets and its client of the store, on one thread with one loop.
 *
 * The states of a node, with who moves it on:
 *
 *     OPEN ---start---> RUNNING ---stop---> DRAINING ---idle, or the deadline---> ENDED ---free--->
 *
 * OPEN: listening, connections wait in the backlog. RUNNING: the thread turns the loop; at each
 * turn, before it sleeps, `pump` carries answers and events in and effects out until neither is
 * left. DRAINING: nothing new is taken, what is under way is answered; at the deadline connections
 * are cut. ENDED: the thread has returned, the store has the partitions back.
 */
#ifndef KOPD_NODE_H
#define KOPD_NODE_H

#include <kop/engine.h>

#include "cluster.h"
#include "options.h"
#include "store/store.h"

typedef struct kopd_node kopd_node;

enum { KOPD_NODE_OPEN = 1, KOPD_NODE_RUNNING = 2, KOPD_NODE_DRAINING = 3, KOPD_NODE_ENDED = 4 };

typedef struct kopd_node_config {
  const kopd_options *options; /* must outlive the node */
  kopd_store *store;
  kopd_cluster *cluster;
  uint32_t index;           /* from 0 */
  uint32_t max_connections; /* what options allow and the process has descriptors for */
  /* Something others must look at has happened: a state was reached. From any thread. */
  void (*notify)(void *user_data);
  void *user_data;
} kopd_node_config;

typedef struct kopd_node_stats {
  int state;
  kop_engine_stats engine;
  uint32_t connections;
  uint64_t refused;
} kopd_node_stats;

/* Makes the engine and listens. Returns 0, or -1 with a sentence in err. */
int kopd_node_open(const kopd_node_config *config, kopd_node **out, char *err, size_t errcap);

/* Starts the thread. Returns 0, or -1 with a sentence in err. */
int kopd_node_start(kopd_node *n, char *err, size_t errcap);

/* Begins to drain; from any thread, at most once matters. */
void kopd_node_stop(kopd_node *n);

/* Makes the node look at the cluster's version; from any thread. */
void kopd_node_wake(kopd_node *n);

/* A copy of the node's latest numbers; from any thread. */
void kopd_node_stats_get(kopd_node *n, kopd_node_stats *out);

/*
 * Joins the thread of an ENDED node (or one that never started) and frees everything. NULL is fine.
 */
void kopd_node_free(kopd_node *n);

#endif
