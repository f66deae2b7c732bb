/*
 * Who owns a topic: LOOKUP, its redirects, and the proxy.
 *
 *   find -> LOOKUP to a service address -> Redirect: LOOKUP to that broker, at most 20 times -> found | failed
 */
#ifndef KOPI_PULSAR_SESSION_LOOKUP_H
#define KOPI_PULSAR_SESSION_LOOKUP_H

#include "pulsar/session_task.h"

typedef struct kopi_ps_finder kopi_ps_finder;

/* Where a topic is served. */
typedef struct kopi_ps_place {
  kopi_ps_address broker;
  kopi_ps_address proxy; /* no host: none */
} kopi_ps_place;

typedef struct kopi_ps_finder_ops {
  void (*found)(kopi_ps *s, kopi_ps_finder *finder, const kopi_ps_place *place);
  void (*failed)(kopi_ps *s, kopi_ps_finder *finder, const kopi_ps_answer *answer);
} kopi_ps_finder_ops;

struct kopi_ps_finder {
  kopi_ps_task task; /* free for its owner when nothing is looked for */
  const kopi_ps_finder_ops *ops;
  kop_slice topic;
  const kopi_ps_address *service; /* where to begin; NULL: the session's service */
  uint8_t redirects;
  bool authoritative;
};

/* Begins; the finder's task must be idle. One of its ops comes once, perhaps before this returns, unless the task is dropped. */
void kopi_ps_find(kopi_ps *s, kopi_ps_finder *finder, const kopi_ps_finder_ops *ops);

/* A connection to the place. NULL with `why`. */
kopi_ps_conn *kopi_ps_place_conn(kopi_ps *s, const kopi_ps_place *place, uint32_t group,
                                 kopi_ps_why *why);

#endif
