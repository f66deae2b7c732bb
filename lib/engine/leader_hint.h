/*
 * KIP-951: a reply that says "not leader" names the leader's address, so that the client saves a Metadata request.
 */
#ifndef KOPI_ENGINE_LEADER_HINT_H
#define KOPI_ENGINE_LEADER_HINT_H

#include "engine/request.h"

enum { KOPI_LEADER_HINTS = 16 /* more leaders than that are not named */ };

typedef struct kopi_leader_hints {
  int32_t nodes[KOPI_LEADER_HINTS];
  uint32_t len;
} kopi_leader_hints;

/* Notes a node once; a negative id is no node. */
void kopi_leader_hints_add(kopi_leader_hints *hints, int32_t node_id);

/* The node's address on the listener that the client came in by, NULL if there is none. */
const kopi_endpoint *kopi_leader_hint(const kop_engine *e, const kopi_request *r, int32_t node_id);

#endif
