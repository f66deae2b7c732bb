/* Manual assignments of partitions to nodes, as CreateTopics and CreatePartitions carry them. */
#ifndef KOPI_ENGINE_ASSIGNMENT_H
#define KOPI_ENGINE_ASSIGNMENT_H

#include "engine/answer.h"

/*
 * Checks the nodes that a partition shall have; a partition has one replica, which is the first of them. `*factor` is the number that every
 * partition must have, 0 for the first one. NULL, or a sentence that says what is wrong.
 */
const char *kopi_assignment_fault(const kop_engine *e, const kop_int32_array *nodes,
                                  int32_t *factor);

#endif
