/* A consumer or reader: what is opened with SUBSCRIBE. Its messages are in session_consume.h, its requests in session_request.h. */
#ifndef KOPI_PULSAR_SESSION_CONSUMER_H
#define KOPI_PULSAR_SESSION_CONSUMER_H

#include "pulsar/session_attach.h"

struct kopi_ps_request;

typedef struct kopi_ps_consumer {
  kopi_ps_attach attach;
  kop_slice subscription; /* what is given points behind the struct; so does the topic */
  kop_slice name;
  kop_pulsar_property *properties;
  uint32_t properties_count;
  uint32_t flags;
  int32_t priority;
  uint8_t type;
  bool has_seen;
  bool was_closed; /* by the broker, during a seek */
  bool is_active;
  kop_pulsar_message_id start;
  uint64_t seen_ledger; /* the last entry that was given */
  uint64_t seen_entry;
  uint64_t permits;    /* messages that the broker may still send */
  uint64_t dropped;    /* messages passed over during a seek: permits that were used for nothing */
  uint32_t generation; /* messages of an older one are not given */
  struct kopi_ps_request *seek;
  kopi_link requests; /* kopi_ps_request.of_consumer */
  kopi_ps_node end_node;
  kopi_ps_node active_node;
} kopi_ps_consumer;

/* The broker has closed it; `place` (or NULL): who serves it next. */
void kopi_ps_consumer_on_close(kopi_ps *s, kopi_ps_consumer *q, const kopi_ps_place *place);
/* Frees all of them at once. */
void kopi_ps_consumers_free(kopi_ps *s);

static inline bool kopi_ps_is_reader(const kopi_ps_consumer *q) {
  return (q->flags & KOP_PULSAR_CONSUMER_DURABLE) == 0;
}

#endif
