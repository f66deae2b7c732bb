/* Manual assignments of partitions to nodes. */
#include "engine/assignment.h"

#include "engine/cluster.h"

const char *kopi_assignment_fault(const kop_engine *e, const kop_int32_array *nodes,
                                  int32_t *factor) {
  if (nodes->len <= 0) return "an assignment names no node";
  for (int32_t i = 0; i < nodes->len; i++) {
    if (!kopi_cluster_has(e, nodes->ptr[i])) return "an assignment names a node that is not there";
    for (int32_t k = 0; k < i; k++) {
      if (nodes->ptr[k] == nodes->ptr[i]) return "an assignment names a node twice";
    }
  }
  if (*factor != 0 && *factor != nodes->len)
    return "the assignments differ in their number of nodes";
  *factor = nodes->len;
  return NULL;
}
