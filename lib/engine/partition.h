/*
 * A partition as its engine sees it: who leads it, and if that is this node, the life from ACQUIRE to RESIGN.
 * docs/engine-states.md has the states and what is true in each.
 */
#ifndef KOPI_ENGINE_PARTITION_H
#define KOPI_ENGINE_PARTITION_H

#include "base/buf.h"
#include "engine/engine.h"
#include "log/epochs.h"
#include "log/producers.h"

typedef struct kopi_append kopi_append;
typedef struct kopi_fetch_member kopi_fetch_member;

enum kopi_partition_state {
  KOPI_PARTITION_IDLE,      /* led by another node, or by none */
  KOPI_PARTITION_ACQUIRING, /* ACQUIRE is open */
  KOPI_PARTITION_LOADING,   /* STATE_GET is open */
  KOPI_PARTITION_REPLAYING, /* READ is open */
  KOPI_PARTITION_ACTIVE,
  KOPI_PARTITION_BACKOFF,  /* waits to ACQUIRE again */
  KOPI_PARTITION_RESIGNING /* waits for open appends, then RESIGN */
};

/* A list of appends in order. */
typedef struct kopi_append_queue {
  kopi_append *head;
  kopi_append *tail;
} kopi_append_queue;

struct kopi_partition {
  uint64_t id;
  kopi_topic
      *topic; /* NULL once the topic is gone: the partition lives until its tokens are answered */
  int32_t index;
  int32_t leader;
  int32_t leader_epoch; /* granted if it is ours, else as pushed; -1 unknown */
  uint8_t state;
  bool wanted; /* this node shall lead it */
  bool confirming;
  bool saving;       /* STATE_PUT is open */
  bool resigned;     /* RESIGN has been emitted */
  bool stale_state;  /* the saved state was not used: it has to be replaced */
  bool unreadable;   /* since it was last ACTIVE some READ of a load has failed */
  bool damaged;      /* and the store called that damage */
  uint32_t failures; /* in a row, for the backoff */
  kopi_link dropped;
  uint32_t tokens; /* open ones that name this partition */

  int64_t log_start;
  int64_t high_watermark;
  uint64_t log_bytes;
  uint64_t lease_mono_ns;
  uint64_t unsaved_bytes; /* appended since the last STATE_PUT */
  int64_t replay_offset;
  uint64_t damaged_ns; /* when it did so first */
  int64_t probe_low;   /* the search for what can be read, see load.c */
  int64_t probe_high;
  int64_t probe_step;
  int64_t passed; /* offsets that the load has passed over, the first and the end of the last */
  int64_t passed_start;
  int64_t passed_end;
  int64_t settled; /* no append in flight begins below it */

  kopi_producers producers;
  kopi_epochs epochs;
  kopi_buf saved;              /* the bytes of the open STATE_PUT */
  kopi_append_queue in_flight; /* of the present epoch, in order */
  kopi_append_queue parked;
  kopi_link waiters;              /* members of fetch sets that look at this partition */
  kopi_lease_question *questions; /* requests that wait for the open CONFIRM, in order */
  uint64_t unconfirmed_round;     /* see lease.h */
  kopi_read *reads;               /* open or kept */
  kopi_alarm alarm;               /* backoff */

  uint64_t stamp; /* of the request that named it last: finds a partition named twice */
  void *stamped;  /* what that request keeps for it */
};

/* The partition as this node may use it: 0, or the Kafka error for a client that asks (NOT_LEADER_OR_FOLLOWER, ...). */
int16_t kopi_partition_leads(const kopi_partition *p);

/* Whether an answer from memory may be given now. If not, the lease has to be confirmed first: lease.h. */
bool kopi_partition_in_lease(const kopi_partition *p, kop_now now);

/* Asks the store whether the epoch is still the newest, if it is not being asked. False: it cannot be asked (no memory, or it serves no CONFIRM). */
bool kopi_partition_confirm(kop_engine *e, kopi_partition *p);

/* Who leads has changed, or the node begins or ends. Starts or ends the partition's life here. */
void kopi_partition_assign(kop_engine *e, kopi_partition *p, int32_t leader, int32_t leader_epoch,
                           kop_now now);

/* The high watermark has been seen to reach `offset`: wakes fetches. `bytes` were added. */
void kopi_partition_advance(kop_engine *e, kopi_partition *p, int64_t offset, uint64_t bytes,
                            kop_now now);

/* The log now starts at `offset`. */
void kopi_partition_trim(kop_engine *e, kopi_partition *p, int64_t offset, kop_now now);

/* Leadership is in doubt: everything in flight is put back (as unknown, unless the caller has done so) and the partition acquired anew; after `backoff` with delay. */
void kopi_partition_reload(kop_engine *e, kopi_partition *p, bool backoff, kop_now now);

/* Its topic is gone. */
void kopi_partition_drop(kop_engine *e, kopi_partition *p, kop_now now);

/* An append was answered, or a state was saved: goes on with what waited for it. */
void kopi_partition_settle(kop_engine *e, kopi_partition *p, kop_now now);

/* Saves the producers' state if it is due, or in any case. */
void kopi_partition_save(kop_engine *e, kopi_partition *p, bool in_any_case, kop_now now);

/* Counts a token that names the partition; the last one of a dropped partition frees it. */
void kopi_partition_hold(kopi_partition *p);
void kopi_partition_unhold(kop_engine *e, kopi_partition *p);

kopi_partition *kopi_partition_new(kop_engine *e, kopi_topic *t, int32_t index, uint64_t id);
void kopi_partition_free(kop_engine *e, kopi_partition *p);

kop_status kopi_push_log_state(kop_engine *e, const kop_log_state *event, kop_now now);

#endif
