/*
 * From a topic's name to an open producer or consumer, and back there whenever it is lost: what the two have in common.
 *
 *   QUEUED -> LOOKUP -> OPENING -> READY -> CLOSING -> ENDED          docs/pulsar-session.md
 *      ^________________|__________|   BACKOFF between two tries
 */
#ifndef KOPI_PULSAR_SESSION_ATTACH_H
#define KOPI_PULSAR_SESSION_ATTACH_H

#include "pulsar/session_lookup.h"

typedef struct kopi_ps_attach kopi_ps_attach;

enum {
  KOPI_PS_QUEUED,
  KOPI_PS_LOOKUP,
  KOPI_PS_OPENING,
  KOPI_PS_READY,
  KOPI_PS_BACKOFF,
  KOPI_PS_CLOSING,
  KOPI_PS_ENDED
};

/* What differs between producers and consumers. */
typedef struct kopi_ps_attach_kind {
  uint32_t ready; /* kinds of events */
  uint32_t down;
  uint32_t closed;
  int32_t answer; /* the command that says that it is open */
  kop_status (*open)(kopi_ps *s, kopi_ps_attach *a, kopi_ps_conn *conn, uint64_t request);
  kop_status (*close)(kopi_ps *s, kopi_ps_attach *a, kopi_ps_conn *conn, uint64_t request);
  /* It is READY on a->conn. */
  void (*opened)(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_command *c);
  /* It was READY and is not any more. */
  void (*lost)(kopi_ps *s, kopi_ps_attach *a);
  /* It goes to another cluster, where positions of this one mean nothing. May be NULL. */
  void (*emigrates)(kopi_ps_attach *a);
  /* The caller closes it. */
  void (*closing)(kopi_ps *s, kopi_ps_attach *a);
  /* It is ENDED for the reason in a->why: kopi_ps_attach_tell_closed() when all else was told. */
  void (*ended)(kopi_ps *s, kopi_ps_attach *a);
  void (*show_ready)(kopi_ps *s, kopi_ps_attach *a, kop_pulsar_effect *fx, kopi_ps_body *body);
  void (*bury)(kopi_ps *s, kopi_ps_attach *a);
} kopi_ps_attach_kind;

struct kopi_ps_attach {
  kopi_ps_finder finder; /* its task is the one of whatever state it is in */
  kopi_link place;       /* session.turns, or kopi_ps_conn.users */
  kopi_link all;         /* session.all_producers or .all_consumers, until CLOSED is told */
  const kopi_ps_attach_kind *kind;
  kopi_ps_conn
      *conn; /* where it is open, or may be: READY, OPENING once it was asked for, CLOSING */
  kopi_ps_address *migrated;
  uint64_t id;
  uint64_t context;
  uint64_t open_by; /* when the first READY must have come */
  uint32_t group;
  uint32_t failures; /* in a row */
  uint32_t times;    /* READY */
  uint8_t state;
  bool has_turn;
  bool emigrates;   /* the next look-up is the first in another cluster */
  bool waits_there; /* OPENING: behind the topic's exclusive producer */
  kopi_ps_kept_why why;
  kopi_ps_node node; /* its state as an event */
};

/* Its other fields are zero, `kind`, `id`, `context`, `group` and finder.topic set. */
void kopi_ps_attach_start(kopi_ps *s, kopi_ps_attach *a, uint64_t open_ns);
void kopi_ps_attach_close(kopi_ps *s, kopi_ps_attach *a);
/* Closes all of session.all_producers or .all_consumers. */
void kopi_ps_attach_close_all(kopi_ps *s, kopi_link *all);
/* Ends it at once, without a word to the broker. */
void kopi_ps_attach_end(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_why *why);
/* Says CLOSED, which is the last that is heard of it. */
void kopi_ps_attach_tell_closed(kopi_ps *s, kopi_ps_attach *a);

/* The connection on which it was READY is gone. */
void kopi_ps_attach_lost(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_why *why);
/* The broker has closed it; `place` (or NULL): who serves it next. */
void kopi_ps_attach_moved(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_place *place);
/* The broker will serve the topic from another cluster. */
void kopi_ps_attach_migrated(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_address *to);
/* READY: closes it at the broker and opens it again after a while. */
void kopi_ps_attach_again(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_why *why);
/* READY: opens it again at once on its connection, after closing it there if `close`. */
void kopi_ps_attach_reopen(kopi_ps *s, kopi_ps_attach *a, bool close);
/* The task is that of a producer which waits for its turn at the broker: no time-out. Says no if it is another task. */
bool kopi_ps_attach_waits(kopi_ps *s, kopi_ps_task *task);

/* Frees what it holds, at once. */
void kopi_ps_attach_free(kopi_ps *s, kopi_ps_attach *a);

#endif
