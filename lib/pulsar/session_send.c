/*
 * An entry on its way: from kop_pulsar_send() to RECEIPT or SEND_FAILED.
 *
 *   pending   oldest ... | next ...            the entries of a producer in the order of their sends
 *             on the way   wait to be queued
 *
 * An entry is encoded once, and sent again byte for byte. Fates become known in any order and are told from the
 * oldest on, so that events keep the order of the sends; one whose bytes are being written waits for that to end.
 */
#include "pulsar/session_send.h"

#include "base/sized.h"
#include "pulsar/session_producer.h"

/* ---- what it tells ---- */

static void show_fate(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx, kopi_ps_body *body) {
  (void)s;
  const kopi_ps_entry *e = KOPI_CONTAINER_OF(node, kopi_ps_entry, node);
  fx->target = e->producer->attach.id;
  fx->context = e->context;
  if (e->outcome == KOP_PULSAR_DONE) {
    fx->kind = KOP_PULSAR_RECEIPT;
    fx->flags = e->duplicate ? KOP_PULSAR_DUPLICATE : 0;
    fx->body_size = sizeof body->receipt;
    body->receipt.sequence_id = e->sequence_id;
    body->receipt.highest_sequence_id = e->highest_sequence_id;
    body->receipt.id = e->id;
  } else {
    fx->kind = KOP_PULSAR_SEND_FAILED;
    fx->flags = e->handed ? KOP_PULSAR_MAYBE_WRITTEN : 0;
    fx->body_size = sizeof body->failure;
    body->failure.outcome = e->outcome;
    body->failure.server_error = e->server_error;
    body->failure.sequence_id = e->sequence_id;
  }
}

static void bury_entry(kopi_ps *s, kopi_ps_node *node) {
  kopi_free(&s->alloc, KOPI_CONTAINER_OF(node, kopi_ps_entry, node));
}

static const kopi_ps_news FATE_NEWS = {.show = show_fate, .bury = bury_entry};

/* ---- the FIFO ---- */

static kopi_ps_entry *entry_of(kopi_link *link) {
  return KOPI_CONTAINER_OF(link, kopi_ps_entry, link);
}

/* The oldest without a fate, NULL if there is none. */
static kopi_ps_entry *oldest(const kopi_ps_producer *p) {
  for (kopi_link *link = p->pending.next; link != &p->pending; link = link->next) {
    if (!entry_of(link)->settled) return entry_of(link);
  }
  return NULL;
}

static void on_send_timeout(kopi_ps *s, kopi_ps_alarm *alarm);

static void arm(kopi_ps *s, kopi_ps_producer *p) {
  const kopi_ps_entry *e = oldest(p);
  if (e == NULL || e->deadline == UINT64_MAX) {
    kopi_ps_alarm_cancel(s, &p->send_alarm);
  } else {
    kopi_ps_alarm_set(s, &p->send_alarm, e->deadline > s->now ? e->deadline - s->now : 0,
                      on_send_timeout);
  }
}

static void tell_fates(kopi_ps *s, kopi_ps_producer *p) {
  kopi_link *link;
  while ((link = kopi_list_first(&p->pending)) != NULL) {
    kopi_ps_entry *e = entry_of(link);
    if (!e->settled || e->state == KOPI_PS_ENTRY_WRITING) return;
    if (p->next == link) p->next = link->next;
    kopi_list_remove(link);
    s->stats.pending_sends--;
    s->stats.pending_bytes -= e->bytes;
    if (e->outcome == KOP_PULSAR_DONE) {
      s->stats.receipts_total++;
    } else {
      s->stats.failures_total++;
    }
    kopi_ps_tell(s, &e->node);
  }
}

/* Queues what waits, up to one whose bytes another connection still has. */
static void queue_waiting(kopi_ps *s, kopi_ps_producer *p) {
  if (p->attach.state != KOPI_PS_READY) return;
  while (p->next != &p->pending) {
    kopi_ps_entry *e = entry_of(p->next);
    if (!e->settled) {
      if (e->state == KOPI_PS_ENTRY_WRITING) return;
      e->state = KOPI_PS_ENTRY_QUEUED;
      if (e->handed) s->stats.resent_total++;
      kopi_ps_write_entry(s, p->attach.conn, &e->piece);
    }
    p->next = p->next->next;
  }
}

void kopi_ps_producer_pump(kopi_ps *s, kopi_ps_producer *p) {
  tell_fates(s, p);
  queue_waiting(s, p);
  bool told_closed = p->attach.all.next == NULL;
  if (p->attach.state == KOPI_PS_ENDED && kopi_list_empty(&p->pending) && !told_closed)
    kopi_ps_attach_tell_closed(s, &p->attach);
}

void kopi_ps_entry_written(kopi_ps *s, kopi_ps_entry *e) {
  e->state = KOPI_PS_ENTRY_WRITTEN;
  kopi_ps_producer_pump(s, e->producer);
}

static void settle(kopi_ps_entry *e, int32_t outcome, int32_t server_error) {
  e->settled = true;
  e->outcome = outcome;
  e->server_error = server_error;
  if (e->state == KOPI_PS_ENTRY_QUEUED) {
    kopi_list_remove(&e->piece.link);
    e->state = KOPI_PS_ENTRY_WAITING;
  }
}

void kopi_ps_producer_fail_all(kopi_ps *s, kopi_ps_producer *p, int32_t outcome,
                               int32_t server_error) {
  for (kopi_link *link = p->pending.next; link != &p->pending; link = link->next) {
    if (!entry_of(link)->settled) settle(entry_of(link), outcome, server_error);
  }
  kopi_ps_alarm_cancel(s, &p->send_alarm);
  kopi_ps_producer_pump(s, p);
}

static void on_send_timeout(kopi_ps *s, kopi_ps_alarm *alarm) {
  kopi_ps_producer *p = KOPI_CONTAINER_OF(alarm, kopi_ps_producer, send_alarm);
  kopi_ps_producer_fail_all(s, p, KOP_PULSAR_TIMED_OUT, KOP_PULSAR_NO_ERROR);
}

/* ---- the producer comes and goes ---- */

uint32_t kopi_ps_producer_resend(kopi_ps *s, kopi_ps_producer *p) {
  uint32_t again = 0;
  for (kopi_link *link = p->pending.next; link != &p->pending; link = link->next)
    again += !entry_of(link)->settled && entry_of(link)->handed;
  p->next = p->pending.next;
  queue_waiting(s, p);
  return again;
}

void kopi_ps_producer_hold(kopi_ps *s, kopi_ps_producer *p) {
  bool gives_up = (p->flags & KOP_PULSAR_PRODUCER_NO_RESEND) != 0;
  for (kopi_link *link = p->pending.next; link != &p->pending; link = link->next) {
    kopi_ps_entry *e = entry_of(link);
    if (e->settled) continue;
    if (e->state == KOPI_PS_ENTRY_QUEUED) {
      kopi_list_remove(&e->piece.link);
      e->state = KOPI_PS_ENTRY_WAITING;
    }
    if (gives_up && e->handed) settle(e, KOP_PULSAR_DISCONNECTED, KOP_PULSAR_NO_ERROR);
  }
  p->next = p->pending.next;
  if (gives_up) {
    arm(s, p);
    tell_fates(s, p);
  }
}

/* ---- answers ---- */

/* Whether that is the answer to the entry: brokers name a batch by its first or its highest sequence id. */
static bool names(const kopi_ps_entry *e, uint64_t sequence_id) {
  return sequence_id == e->sequence_id || sequence_id == e->highest_sequence_id;
}

static bool is_after(const kopi_ps_entry *e, uint64_t sequence_id) {
  return sequence_id > e->sequence_id && sequence_id > e->highest_sequence_id;
}

/* Errors may overtake the receipts of what was sent before. */
static kopi_ps_entry *find(const kopi_ps_producer *p, uint64_t sequence_id) {
  for (kopi_link *link = p->pending.next; link != &p->pending; link = link->next) {
    kopi_ps_entry *e = entry_of(link);
    if (!e->settled && e->handed && names(e, sequence_id)) return e;
  }
  return NULL;
}

/*
 * Receipts come in order. One for a newer entry says that an older one was lost on the way, or was never sent. While the
 * producer is not READY its connection may still bring receipts: the oldest entry's counts, the rest is sent again.
 */
void kopi_ps_producer_on_receipt(kopi_ps *s, kopi_ps_producer *p, const kopi_ps_command *c) {
  kopi_ps_entry *e = oldest(p);
  if (e == NULL) return;
  if (!names(e, c->sequence_id) || !e->handed) {
    bool wrong = names(e, c->sequence_id) || is_after(e, c->sequence_id);
    if (wrong && p->attach.state == KOPI_PS_READY)
      kopi_ps_conn_fail_text(s, c->conn, KOP_PULSAR_BAD_ANSWER,
                             "a receipt for another entry than the oldest");
    return;
  }
  e->id = c->message_id;
  e->duplicate = c->message_id.ledger_id == KOP_PULSAR_EARLIEST &&
                 c->message_id.entry_id == KOP_PULSAR_EARLIEST;
  settle(e, KOP_PULSAR_DONE, KOP_PULSAR_NO_ERROR);
  arm(s, p);
  kopi_ps_producer_pump(s, p);
}

/* The answer to SEND_ERROR that ends the producer. */
static bool is_the_end(int32_t server_error) {
  return server_error == KOP_PULSAR_TOPIC_TERMINATED ||
         server_error == KOP_PULSAR_PRODUCER_FENCED ||
         server_error == KOP_PULSAR_AUTHORIZATION_ERROR ||
         server_error == KOP_PULSAR_PRODUCER_BLOCKED_QUOTA_EXCEPTION;
}

void kopi_ps_producer_on_error(kopi_ps *s, kopi_ps_producer *p, const kopi_ps_command *c) {
  if (p->attach.state != KOPI_PS_READY) return;
  kopi_ps_why why = {
      .outcome = KOP_PULSAR_REFUSED, .server_error = c->server_error, .text = c->text};
  kopi_ps_entry *e = find(p, c->sequence_id);
  if (is_the_end(c->server_error)) {
    kopi_ps_attach_end(s, &p->attach, &why);
  } else if (c->server_error == KOP_PULSAR_NOT_ALLOWED_ERROR) {
    if (e == NULL) return;
    settle(e, KOP_PULSAR_REFUSED, c->server_error);
    arm(s, p);
    kopi_ps_producer_pump(s, p);
  } else {
    if (c->server_error == KOP_PULSAR_CHECKSUM_ERROR && e != NULL && !kopi_ps_entry_is_intact(e))
      settle(e, KOP_PULSAR_CORRUPTED, c->server_error);
    kopi_ps_attach_again(s, &p->attach, &why);
    arm(s, p);
    kopi_ps_producer_pump(s, p);
  }
}

/* ---- the call ---- */

static bool usable(const kop_pulsar_send_info *i) {
  return (i->metadata != NULL) != (i->head.ptr != NULL) && i->num_messages > 0 &&
         i->num_messages <= INT32_MAX && i->payload_count <= KOP_PULSAR_MAX_PAYLOAD_SLICES &&
         (i->payload != NULL || i->payload_count == 0) &&
         (i->flags & ~(uint32_t)KOP_PULSAR_SEND_CHUNK) == 0 && i->reserved == 0 &&
         (i->highest_sequence_id == 0 || i->highest_sequence_id >= i->sequence_id);
}

static kop_status admit(const kopi_ps *s, const kopi_ps_producer *p, const kop_pulsar_send_info *i,
                        size_t message) {
  bool chunk = (i->flags & KOP_PULSAR_SEND_CHUNK) != 0;
  if (p->has_sent &&
      (chunk ? i->sequence_id < p->last_sequence_id : i->sequence_id <= p->last_sequence_id))
    return KOP_ERR_INVALID;
  bool full =
      s->stats.pending_sends > 0 && (s->stats.pending_bytes >= s->cfg.max_pending_bytes ||
                                     message > s->cfg.max_pending_bytes - s->stats.pending_bytes);
  if (full || s->stats.pending_sends >= s->cfg.max_pending_sends || message > p->max_message_bytes)
    return KOP_ERR_LIMIT;
  return KOP_OK;
}

kop_status kop_pulsar_send(kop_pulsar_session *s, uint64_t producer,
                           const kop_pulsar_send_info *info, kop_now now) {
  s->now = now.mono_ns;
  kop_pulsar_send_info i = {.size = sizeof i};
  if (info == NULL || kopi_sized_load(&i, sizeof i, info) != KOP_OK || !usable(&i))
    return KOP_ERR_INVALID;
  kopi_ps_producer *p = kopi_map_u64_find(&s->producers, producer);
  if (p == NULL) return KOP_ERR_NOT_FOUND;
  if (p->attach.times == 0 || p->attach.state == KOPI_PS_CLOSING) return KOP_ERR_STATE;
  kopi_ps_head head;
  kop_status status = kopi_ps_head_prepare(p, &i, &head);
  if (status != KOP_OK) return status;
  size_t message = head.metadata_size + head.payload_size;
  status = admit(s, p, &i, message);
  if (status != KOP_OK) return status;
  kopi_ps_entry *e = NULL;
  status = kopi_ps_entry_new(s, p, &i, &head, &e);
  if (status != KOP_OK) return status;
  e->piece.is_entry = 1;
  e->node.news = &FATE_NEWS;
  e->producer = p;
  e->context = i.context;
  e->bytes = message;
  e->deadline = kopi_ps_after(s, p->send_ns);
  bool was_quiet = oldest(p) == NULL;
  kopi_list_append(&p->pending, &e->link);
  if (p->next == &p->pending) p->next = &e->link;
  p->last_sequence_id = e->highest_sequence_id;
  p->has_sent = true;
  s->stats.pending_sends++;
  s->stats.pending_bytes += message;
  if (was_quiet) arm(s, p);
  queue_waiting(s, p);
  return KOP_OK;
}
