/*
 * Fetches: what a client wants of which partitions, and when it is answered. docs/engine-states.md has a fetch's life.
 *
 *   set     a request's own list of partitions, or a session's (KIP-227)
 *   member  one partition of a set: position, bounds, place in the partition's list of waiters
 *   fetch   one request at work on a set: waiting, reading, answered
 *
 * A member is dirty when a look at it may give something: data, an error, a moved log start. The dirty list of a set
 * is in the order in which that happened, so that no busy partition starves a quiet one.
 */
#ifndef KOPI_ENGINE_FETCH_H
#define KOPI_ENGINE_FETCH_H

#include "engine/partition.h"
#include "engine/read.h"
#include "engine/request.h"
#include "engine/room.h"
#include "engine/topic.h"

typedef struct kopi_fetch kopi_fetch;
typedef struct kopi_fetch_set kopi_fetch_set;

struct kopi_fetch_member {
  kopi_fetch_set *set;
  kopi_link in_set; /* in the order of the requests */
  kopi_link in_dirty;
  kopi_link in_waiters; /* of the partition */
  kopi_partition *p;    /* NULL: unknown or gone */
  kop_slice topic;      /* owned by the set's memory */
  kop_uuid topic_id;
  kop_slice key; /* session: topic name or id, then the index */
  int32_t index;
  int32_t max_bytes;
  int64_t offset;
  int32_t leader_epoch;        /* what the client believes; -1: it does not say */
  int32_t last_epoch;          /* of the last record it has; -1 */
  int64_t told_high_watermark; /* session: what the last reply said, -1 none */
  int64_t told_log_start;
  bool dirty;
  bool urgent;      /* the log refuses it, or a divergence: no waiting for min.bytes */
  bool gone;        /* its topic was deleted while it was a member */
  bool topic_known; /* when it was entered */
};

struct kopi_fetch_set {
  kopi_link members;
  kopi_link dirty;
  uint32_t len;
  bool by_id;        /* topics are named by id (Fetch 13 and later) */
  bool session;      /* members outlive the request */
  kopi_fetch *fetch; /* at work on it, NULL between the requests of a session */
};

/* One member as the reply tells it. */
typedef struct kopi_fetch_part {
  kopi_read_waiter waiter; /* first: the READ that is open for this part */
  kopi_fetch *fetch;
  kopi_fetch_member *member; /* stays in its set while the fetch is at work */
  kopi_read *read;
  kop_slice topic;
  kop_uuid topic_id;
  int32_t index;
  int16_t error;
  bool reading;
  uint32_t promised; /* of the fetch's max bytes, while reading */
  bool tell;         /* a session's reply names it */
  int64_t high_watermark;
  int64_t log_start;
  int32_t current_leader; /* with an error about leadership: who it is, -1 unknown */
  int32_t current_epoch;
  int32_t diverging_epoch; /* -1: none */
  int64_t diverging_end;
  int64_t offset;
  uint32_t max_bytes;
  uint32_t batches; /* of read->batches, how many are sent */
  uint64_t bytes;
  uint8_t *hole;      /* an empty batch instead of data, or NULL */
  uint8_t *converted; /* an old message set instead of the batches, or NULL */
  size_t converted_len;
} kopi_fetch_part;

enum kopi_fetch_state {
  KOPI_FETCH_WAITING,
  KOPI_FETCH_READY,
  KOPI_FETCH_READING,
  KOPI_FETCH_ANSWERED
};

struct kopi_fetch {
  kopi_room_waiter room; /* first */
  kopi_request *r;
  kopi_fetch_set *set;
  kopi_fetch_session *session; /* NULL: none */
  int32_t session_id;          /* as the reply says */
  bool read_committed;
  bool incremental; /* the reply names only what changed */
  int32_t min_bytes;
  uint64_t max_bytes;
  uint64_t available; /* estimate of what is there, while WAITING */
  uint8_t state;
  kopi_fetch_part *parts;
  uint32_t parts_len;
  uint32_t next;       /* the part that is read next */
  uint32_t reading;    /* open READs */
  uint64_t promised;   /* max_bytes of the open READs */
  uint64_t read_bytes; /* in the parts that are done */
  uint64_t converted;  /* bytes of the parts' old message sets */
  uint64_t newcomer;   /* what it counts among those of newcomers, see room.h */
};

/* ---- fetch.c: sets, members, waiting ---- */

void kopi_fetch_set_init(kopi_fetch_set *set, bool by_id, bool session);

/* Puts the member, whose first fields are filled, at the end of the set. */
void kopi_fetch_member_enter(kop_engine *e, kopi_fetch_set *set, kopi_fetch_member *m);
/* Takes it out of everything. */
void kopi_fetch_member_leave(kopi_fetch_member *m);
/* Its position or bounds have changed: looks anew whether it is dirty. */
void kopi_fetch_member_look(kop_engine *e, kopi_fetch_member *m);

/* Begins: waits, or is ready at once. */
void kopi_fetch_begin(kop_engine *e, kopi_fetch *f, int32_t max_wait_ms, kop_now now);

/* A partition got `bytes` more; its leadership or log start changed; it is gone. */
void kopi_fetch_partition_grew(kop_engine *e, kopi_partition *p, uint64_t bytes, kop_now now);
void kopi_fetch_partition_changed(kop_engine *e, kopi_partition *p, kop_now now);
void kopi_fetch_partition_gone(kop_engine *e, kopi_partition *p, kop_now now);

/* Takes it off its set and gives open READs up; its request is then answered. */
void kopi_fetch_end(kop_engine *e, kopi_fetch *f);

/* If the request is a long poll, it is answered with what there is. */
void kopi_fetch_hurry(kop_engine *e, kopi_request *r, kop_now now);

/* All long polls are answered with what there is (shutdown). */
void kopi_fetch_end_waiting(kop_engine *e, kop_now now);

/* ---- fetch_read.c: reading and replying ---- */

/* What a look at the member says: an error, a divergence, or nothing of both. */
void kopi_fetch_judge(kop_engine *e, const kopi_fetch_member *m, kopi_fetch_part *part);

/* The fetch is at the head of its connection's replies: reads, then replies. */
void kopi_fetch_read(kop_engine *e, kopi_request *r, kop_now now);

/* It counts as that much of what newcomers hold. */
void kopi_fetch_count_newcomer(kop_engine *e, kopi_fetch *f, uint64_t bytes);

/* Waits for open READs no longer: each goes on, and its result is kept for the next fetch. What is done stays with the parts. */
void kopi_fetch_give_up_reads(kop_engine *e, kopi_fetch *f);

/* max.wait is past: replies with what has been read. */
void kopi_fetch_cut_short(kop_engine *e, kopi_fetch *f, kop_now now);

/* ---- fetch_reply.c ---- */

/* Encodes the reply of what the parts hold and hands it over. */
void kopi_fetch_reply(kop_engine *e, kopi_fetch *f, kop_now now);

#endif
