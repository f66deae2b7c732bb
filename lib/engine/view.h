/* What clients are told about nodes and about who leads a partition. */
#ifndef KOPI_ENGINE_VIEW_H
#define KOPI_ENGINE_VIEW_H

#include "engine/partition.h"
#include "engine/topic.h"

/* Without ACLs a client may do all that an operation's bits name; Kafka's numbers (AclOperation). */
enum {
  KOPI_TOPIC_OPERATIONS = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11,
  KOPI_CLUSTER_OPERATIONS = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12
};

typedef struct kopi_partition_view {
  int16_t error;
  int32_t leader; /* -1: none that the client could reach */
  int32_t epoch;
  int32_t replicas; /* 0 or 1: the node that is to lead it */
  int32_t offline;  /* 0 or 1: that node does not live */
} kopi_partition_view;

/* As a client on that listener sees it. */
void kopi_view_partition(const kop_engine *e, const kopi_partition *p, uint32_t listener,
                         kopi_partition_view *view);

/* The nodes that are reachable on the listener, in order of their ids: fills at most `room` pointers and returns how many. */
uint32_t kopi_view_endpoints(const kop_engine *e, uint32_t listener, const kopi_endpoint **out,
                             uint32_t room);

/* The node to name as controller: the pushed one if it is reachable there, else the first that is; -1: none. */
int32_t kopi_view_controller(const kop_engine *e, uint32_t listener);

#endif
