/* The nodes as pushed. */
#ifndef KOPI_ENGINE_CLUSTER_H
#define KOPI_ENGINE_CLUSTER_H

#include "engine/engine.h"

kop_status kopi_push_nodes(kop_engine *e, const kop_nodes *event);
void kopi_cluster_free(kop_engine *e);

/* Whether a node with that id lives. */
bool kopi_cluster_has(const kop_engine *e, int32_t node_id);

/* How many different nodes live. */
int32_t kopi_cluster_size(const kop_engine *e);

#endif
