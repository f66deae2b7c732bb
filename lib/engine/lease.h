/*
 * Answers from memory, and the lease they need: a process that was paused must not answer from what it knew then.
 *
 *   begin -> ask(p) ask(p) ... -> wait --every p in its lease----------> false: answer at once
 *                                   \--else: true, CONFIRMs are open --> resume, once: all answered, or the time is over
 *
 * While it answers, a handler takes kopi_lease_error(p) for each partition it asked for: NOT_LEADER_OR_FOLLOWER where the lease was
 * over and CONFIRM did not bring one that reaches beyond its own answer. So a request asks once for each partition, however the
 * store answers, and a store whose leases are always past costs each request one CONFIRM and no more. A partition that is confirmed
 * while another one's answer is awaited counts as confirmed: it was this node's at a time that lies within the request's.
 */
#ifndef KOPI_ENGINE_LEASE_H
#define KOPI_ENGINE_LEASE_H

#include "engine/partition.h"
#include "engine/request.h"

enum { KOPI_LEASE_WAIT_MS = 1000 /* for a request that has no time of its own */ };

/* One partition of one request whose CONFIRM is awaited; lives in the request's arena. */
struct kopi_lease_question {
  kopi_lease_question *next;       /* of those that wait for the partition's CONFIRM */
  kopi_lease_question *next_asked; /* of the request's */
  kopi_request *request;           /* pinned while the CONFIRM is open */
  kopi_partition *p;               /* held until the request has been resumed */
  bool open;
  bool confirmed;
};

/* To be called before the partitions are asked for. */
void kopi_lease_begin(kop_engine *e, kopi_request *r);

/* This partition's memory will be used for the answer. NULL and partitions that this node does not lead are fine. False: as kopi_request_alloc. */
bool kopi_lease_ask(kop_engine *e, kopi_request *r, kopi_partition *p, kop_now now);

/*
 * True: `resume` is called later, once, while the request runs. After `wait_ms`, on the request's alarm, what is still open
 * counts as not confirmed; 0: the caller has its own alarm and calls kopi_lease_cut_short.
 */
bool kopi_lease_wait(kop_engine *e, kopi_request *r, int64_t wait_ms,
                     void (*resume)(kop_engine *e, kopi_request *r, kop_now now), kop_now now);

/* Resumes now if the request is waiting; false if it is not. */
bool kopi_lease_cut_short(kop_engine *e, kopi_request *r, kop_now now);

/* kopi_partition_leads, but NOT_LEADER_OR_FOLLOWER also where the lease was not confirmed. */
int16_t kopi_lease_error(const kop_engine *e, const kopi_partition *p);

/* The partition's CONFIRM has been answered. */
void kopi_lease_answered(kop_engine *e, kopi_partition *p, bool confirmed, kop_now now);

#endif
