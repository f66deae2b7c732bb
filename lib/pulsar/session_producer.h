/* A producer: what is opened with PRODUCER. Its entries are in session_send.h. */
#ifndef KOPI_PULSAR_SESSION_PRODUCER_H
#define KOPI_PULSAR_SESSION_PRODUCER_H

#include "pulsar/session_attach.h"

typedef struct kopi_ps_producer {
  kopi_ps_attach attach;
  kop_slice topic; /* what is given points behind the struct */
  kop_slice given_name;
  kop_pulsar_property *properties;
  uint32_t properties_count;
  uint32_t access_mode;
  uint32_t flags;
  uint32_t resent; /* of the latest READY */
  uint32_t max_message_bytes;
  uint64_t written_on;   /* the connection whose receipts count */
  uint64_t epoch;        /* of the next PRODUCER */
  int64_t topic_epoch;   /* -1: none */
  int64_t last_known_id; /* PRODUCER_SUCCESS.last_sequence_id */
  kopi_ps_blob *name;
  kopi_ps_blob *schema_version;

  kopi_link pending; /* kopi_ps_entry.link: without receipt, or not told yet; oldest first */
  kopi_link *next;   /* the first of them that waits to be queued; &pending: none */
  uint64_t last_sequence_id; /* of the latest send */
  bool has_sent;
  uint64_t send_ns;
  kopi_ps_alarm send_alarm;
} kopi_ps_producer;

/* Frees all of them at once. */
void kopi_ps_producers_free(kopi_ps *s);

#endif
