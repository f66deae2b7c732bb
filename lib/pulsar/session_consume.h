/*
 * Messages on their way to the caller.
 *
 *   MESSAGE -> arrival in the queue -> drained: lent -> next drain: given back, unless it was kept
 *
 * An arrival holds the block that its bytes lie in.
 */
#ifndef KOPI_PULSAR_SESSION_CONSUME_H
#define KOPI_PULSAR_SESSION_CONSUME_H

#include "pulsar/session_consumer.h"

typedef struct kopi_ps_arrival {
  kopi_ps_node node;
  struct kopi_ps_arrival *next; /* session.free_arrivals */
  kopi_ps_consumer *consumer;
  kopi_block *block;
  kop_slice bytes;
  kop_pulsar_repeated ack_set;
  kop_pulsar_message_id id;
  uint32_t redelivery_count;
  uint32_t num_messages;
  uint32_t generation;
  bool unreadable;
} kopi_ps_arrival;

void kopi_ps_consumer_on_message(kopi_ps *s, kopi_ps_consumer *q, const kopi_ps_command *c);
void kopi_ps_consumer_on_end(kopi_ps *s, kopi_ps_consumer *q);
void kopi_ps_consumer_on_active(kopi_ps *s, kopi_ps_consumer *q, bool active);
extern const kopi_ps_news KOPI_PS_END_NEWS;
extern const kopi_ps_news KOPI_PS_ACTIVE_NEWS;

/* Grants the broker so many permits. What cannot be said ends the connection. */
void kopi_ps_consumer_grant(kopi_ps *s, kopi_ps_consumer *q, uint64_t permits);

/* Frees spare arrivals and what is kept. */
void kopi_ps_arrivals_free(kopi_ps *s);

#endif
