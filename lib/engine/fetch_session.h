/*
 * Fetch sessions (KIP-227): a client says once which partitions it wants, then only what changes.
 *
 *   (id 0, epoch -1)   a fetch without a session            (id n, epoch -1)  ends session n, then the same
 *   (id 0, epoch 0)    begins a session with all partitions (id n, epoch 0)   ends session n and begins another
 *   (id n, epoch k)    goes on: the epoch must be the one that follows; names what is new, changed or forgotten
 *
 * At most max_fetch_sessions are kept. When there is no room, the session that was not used for longest goes, if that
 * was two minutes ago; else the fetch is answered without a session (id 0), and the client goes on without. The same if
 * the members of all sessions would take more memory than goes with max_partitions; a session that would grow
 * beyond that is ended.
 */
#ifndef KOPI_ENGINE_FETCH_SESSION_H
#define KOPI_ENGINE_FETCH_SESSION_H

#include "engine/fetch.h"

struct kopi_fetch_session {
  kopi_fetch_set set;
  kopi_link lru;
  uint64_t used_ns;
  int32_t id;
  int32_t epoch;          /* of the next request */
  kopi_map_bytes by_name; /* the members' keys */
};

/*
 * Finds or begins the session that a request asks for, applies its changes, and sets f->set, f->session, f->session_id and
 * f->incremental. Returns Kafka's error for the whole reply, 0 if there is none; KOP_KAFKA_UNKNOWN_SERVER_ERROR: no memory.
 */
int16_t kopi_fetch_session_open(kop_engine *e, kopi_fetch *f, const kop_fetch_request *q,
                                kop_now now);

/* Remembers what the reply tells, and puts the members that were told behind the others. */
void kopi_fetch_session_answered(kop_engine *e, kopi_fetch *f);

/* Frees all sessions without following their members' links: requests and partitions may have gone. */
void kopi_fetch_sessions_forget(kop_engine *e);

#endif
