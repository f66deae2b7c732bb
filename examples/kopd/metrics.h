/* The numbers of the process as Prometheus text. */
#ifndef KOPD_METRICS_H
#define KOPD_METRICS_H

#include "node.h"
#include "store/store.h"
#include "text.h"

/* One node's numbers; node id for the label. */
typedef struct kopd_metrics_node {
  int32_t node_id;
  kopd_node_stats stats;
} kopd_metrics_node;

/* Appends the page. store may be NULL (no store numbers then). */
void kopd_metrics_write(kopd_text *out, const kopd_metrics_node *nodes, uint32_t nodes_count,
                        const kopd_store_stats *store);

#endif
