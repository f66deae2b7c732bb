/*
 * An entry on its way: from kop_pulsar_send() to RECEIPT or SEND_FAILED.
 *
 *   [ kopi_ps_entry | slices: head, payload ... | head: frame head, command, checksum, metadata ]      one allocation
 *
 *   WAITING --producer READY--> QUEUED --gathered into a SEND--> WRITING --sent()--> WRITTEN
 *
 * `settled` says that its fate is known; it is told once it is the oldest of its producer and not WRITING.
 */
#ifndef KOPI_PULSAR_SESSION_SEND_H
#define KOPI_PULSAR_SESSION_SEND_H

#include "pulsar/session_conn.h"

struct kopi_ps_producer;

enum { KOPI_PS_ENTRY_WAITING, KOPI_PS_ENTRY_QUEUED, KOPI_PS_ENTRY_WRITING, KOPI_PS_ENTRY_WRITTEN };

typedef struct kopi_ps_entry {
  kopi_ps_piece piece;
  kopi_link link; /* kopi_ps_producer.pending */
  kopi_ps_node node;
  struct kopi_ps_producer *producer;
  uint64_t context;
  uint64_t sequence_id;
  uint64_t highest_sequence_id;
  uint64_t deadline;
  uint64_t bytes; /* charged to max_pending_bytes */
  kop_pulsar_message_id id;
  int32_t outcome;
  int32_t server_error;
  uint8_t state;
  bool handed; /* it was in a SEND */
  bool settled;
  bool duplicate;
  uint32_t slices_count;
  kop_slice slices[];
} kopi_ps_entry;

/* ---- its bytes: session_entry.c ---- */

/* What stands between the command and the payload. */
typedef struct kopi_ps_head {
  kop_pulsar_metadata md; /* what it says */
  kop_slice ready;        /* its bytes as they were given; null: md is yet to be encoded */
  size_t metadata_size;   /* of the metadata alone */
  size_t payload_size;
} kopi_ps_head;

/* Finds out what a send writes in front of its payload. KOP_ERR_MALFORMED: a head that is none; KOP_ERR_INVALID: metadata and info disagree. */
kop_status kopi_ps_head_prepare(const struct kopi_ps_producer *p, const kop_pulsar_send_info *i,
                                kopi_ps_head *head);
/* An entry with its bytes and ids. `head` borrows from the call, the entry does not. KOP_ERR_INVALID, KOP_ERR_NOMEM. */
kop_status kopi_ps_entry_new(kopi_ps *s, const struct kopi_ps_producer *p,
                             const kop_pulsar_send_info *i, const kopi_ps_head *head,
                             kopi_ps_entry **out);
/* Whether its checksum still is that of its bytes. */
bool kopi_ps_entry_is_intact(const kopi_ps_entry *e);

/* ---- its way ---- */

/* The connection has written it, or is gone. */
void kopi_ps_entry_written(kopi_ps *s, kopi_ps_entry *entry);

/* What of the FIFO can be told is told; what may leave, leaves. */
void kopi_ps_producer_pump(kopi_ps *s, struct kopi_ps_producer *p);
/* The producer is READY on a connection: everything without receipt leaves in order. Returns how many leave again. */
uint32_t kopi_ps_producer_resend(kopi_ps *s, struct kopi_ps_producer *p);
/* It is not READY any more: what was queued comes back. */
void kopi_ps_producer_hold(kopi_ps *s, struct kopi_ps_producer *p);
/* Fails everything without receipt. */
void kopi_ps_producer_fail_all(kopi_ps *s, struct kopi_ps_producer *p, int32_t outcome,
                               int32_t server_error);

/* SEND_RECEIPT and SEND_ERROR. */
void kopi_ps_producer_on_receipt(kopi_ps *s, struct kopi_ps_producer *p, const kopi_ps_command *c);
void kopi_ps_producer_on_error(kopi_ps *s, struct kopi_ps_producer *p, const kopi_ps_command *c);

#endif
