/* What server.c, control.c and banner.c share: the process. Only the main thread touches it. */
#ifndef KOPD_SERVER_STATE_H
#define KOPD_SERVER_STATE_H

#include <uv.h>

#include "cluster.h"
#include "http.h"
#include "node.h"
#include "options.h"
#include "store/store.h"

typedef struct kopd_server {
  const kopd_options *options;
  kopd_store *store;
  kopd_cluster *cluster;
  kopd_node *nodes[KOPD_STORE_MAX_NODES]; /* NULL: stopped */
  uint32_t max_connections;               /* of one node */
  uv_loop_t loop;
  int loop_made;
  uv_async_t notified; /* some node has reached a state */
  uv_signal_t sigterm;
  uv_signal_t sigint;
  uv_timer_t trim;
  uint64_t trim_seen; /* traffic at the last look */
  uint64_t trim_done; /* traffic when memory was last given back */
  kopd_http *http;    /* NULL: no metrics address */
  uint16_t metrics_port;
  int stopping;
} kopd_server;

int kopd_server_open_node(kopd_server *s, uint32_t index, char *err, size_t errcap);
void kopd_server_set_live(kopd_server *s, uint32_t index, int live);
int kopd_server_node_state(kopd_server *s, uint32_t index);

#endif
