/* Requests of a consumer: ACK, SEEK, GET_LAST_MESSAGE_ID, UNSUBSCRIBE. */
#include "base/sized.h"
#include "pulsar/session_conn.h"
#include "pulsar/session_consume.h"
#include "pulsar/session_request.h"

/* ---- the commands ---- */

static kop_status send_request(kopi_ps *s, kopi_ps_task *task, kopi_ps_conn *conn,
                               uint64_t request) {
  kopi_ps_request *r = kopi_ps_request_of(task);
  uint64_t consumer = r->consumer->attach.id;
  switch (r->kind) {
  case KOP_PULSAR_REQUEST_ACK:
    r->sending = kopi_ps_put_ack(s, conn, request, consumer, r->ack);
    break;
  case KOP_PULSAR_REQUEST_SEEK:
    r->sending = kopi_ps_put_seek(s, conn, request, consumer, r->by_id ? &r->id_wanted : NULL,
                                  r->publish_ms);
    break;
  case KOP_PULSAR_REQUEST_LAST_MESSAGE_ID:
    r->sending = kopi_ps_put_last_message_id(s, conn, request, consumer);
    break;
  default:
    r->sending = kopi_ps_put_unsubscribe(s, conn, request, consumer, r->force);
    break;
  }
  return r->sending;
}

/* ---- seeking ---- */

/* The subscription is where it shall be, or may be: what was given before no longer counts. */
static void forget_position(kopi_ps_consumer *q, const kopi_ps_request *r) {
  static const kop_pulsar_message_id EARLIEST = {.ledger_id = KOP_PULSAR_EARLIEST,
                                                 .entry_id = KOP_PULSAR_EARLIEST,
                                                 .partition = -1,
                                                 .batch_index = -1};
  q->has_seen = false;
  q->start = r->by_id ? r->id_wanted : EARLIEST; /* by time: the subscription itself knows */
}

/*
 * A seek is over. The broker has closed the consumer, as it does, or it has not; after a seek that failed, messages
 * have been passed over, so it is opened again in any case.
 */
static void seek_is_over(kopi_ps *s, kopi_ps_consumer *q, const kopi_ps_request *r) {
  bool done = r->why.outcome == KOP_PULSAR_DONE;
  q->seek = NULL;
  if (done || (r->why.outcome == KOP_PULSAR_DISCONNECTED && r->by_id)) forget_position(q, r);
  if (q->attach.state != KOPI_PS_READY || q->attach.conn->state != KOPI_PS_CONN_READY) return;
  if (q->was_closed) {
    kopi_ps_attach_reopen(s, &q->attach, false);
  } else if (!done || (r->by_id && kopi_ps_is_reader(q))) {
    kopi_ps_attach_reopen(s, &q->attach, true);
  } else {
    kopi_ps_consumer_grant(s, q, q->dropped);
    q->dropped = 0;
  }
}

static void finish(kopi_ps *s, kopi_ps_request *r, const kopi_ps_why *why) {
  kopi_ps_consumer *q = r->consumer;
  bool was_seek = q->seek == r;
  kopi_ps_request_finish(s, r, why);
  if (was_seek) seek_is_over(s, q, r);
}

/* ---- answers ---- */

static void on_answer(kopi_ps *s, kopi_ps_task *task, const kopi_ps_answer *answer) {
  kopi_ps_request *r = kopi_ps_request_of(task);
  kopi_ps_consumer *q = r->consumer;
  kopi_ps_why why = answer->why;
  bool done = why.outcome == KOP_PULSAR_DONE;
  int32_t wanted = r->kind == KOP_PULSAR_REQUEST_ACK               ? KOPI_PS_ACK_RESPONSE
                   : r->kind == KOP_PULSAR_REQUEST_LAST_MESSAGE_ID ? KOPI_PS_LAST_MESSAGE_ID
                                                                   : KOPI_PS_SUCCESS;
  if (done && answer->command->kind != wanted) {
    why = kopi_ps_why_text(KOP_PULSAR_BAD_ANSWER, "another answer than the one to the request");
  } else if (done && r->kind == KOP_PULSAR_REQUEST_LAST_MESSAGE_ID) {
    r->last_message_id = answer->command->message_id;
    r->mark_delete = answer->command->mark_delete;
  }
  bool unsubscribed = r->kind == KOP_PULSAR_REQUEST_UNSUBSCRIBE && why.outcome == KOP_PULSAR_DONE;
  finish(s, r, &why);
  if (unsubscribed) {
    why = kopi_ps_why_text(KOP_PULSAR_DONE, "");
    kopi_ps_attach_end(s, &q->attach, &why);
  }
}

void kopi_ps_requests_end_of(kopi_ps *s, kopi_ps_consumer *q, int32_t outcome) {
  kopi_ps_why why =
      kopi_ps_why_text(outcome, outcome == KOP_PULSAR_CANCELLED ? "the consumer was closed"
                                                                : "the consumer was lost");
  kopi_link *link;
  while ((link = kopi_list_first(&q->requests)) != NULL)
    finish(s, KOPI_CONTAINER_OF(link, kopi_ps_request, of_consumer), &why);
}

/* ---- calls ---- */

static const kopi_ps_task_ops REQUEST_TASK = {.send = send_request, .done = on_answer};

static kop_status find_ready(const kopi_ps *s, uint64_t consumer, kopi_ps_consumer **out) {
  *out = kopi_map_u64_find(&s->consumers, consumer);
  if (*out == NULL) return KOP_ERR_NOT_FOUND;
  return (*out)->attach.state == KOPI_PS_READY ? KOP_OK : KOP_ERR_STATE;
}

/* Sends it at once. On failure there is no request. */
static kop_status start(kopi_ps *s, kopi_ps_consumer *q, kopi_ps_request *r, uint64_t *request) {
  r->consumer = q;
  r->is_starting = true;
  kopi_list_append(&q->requests, &r->of_consumer);
  kopi_ps_task_begin(s, &r->finder.task, &REQUEST_TASK, q->attach.conn);
  r->is_starting = false;
  r->ack = NULL;
  if (r->is_over) {
    kop_status status = r->sending == KOP_OK ? KOP_ERR_NOMEM : r->sending;
    kopi_ps_request_free(s, r);
    return status;
  }
  *request = r->id;
  return KOP_OK;
}

static bool usable(const kop_pulsar_ack_info *a) {
  bool cumulative = a->type == KOP_PULSAR_ACK_CUMULATIVE;
  if (a->type > KOP_PULSAR_ACK_CUMULATIVE || a->receipt > 1 || a->ids == NULL ||
      a->ids_count == 0 || a->ids_count > KOP_PULSAR_MAX_ACK_IDS ||
      a->properties_count > KOP_PULSAR_MAX_ACK_IDS ||
      (a->properties == NULL && a->properties_count > 0) || (cumulative && a->ids_count != 1) ||
      (!cumulative && a->properties_count > 0))
    return false;
  for (uint32_t i = 0; i < a->ids_count; i++) {
    const kop_pulsar_ack_id *id = &a->ids[i];
    if (id->ack_set != NULL && (id->ack_set_count == 0 || id->batch_size > INT32_MAX)) return false;
  }
  for (uint32_t i = 0; i < a->properties_count; i++) {
    if (!kopi_ps_is_text(a->properties[i].key)) return false;
  }
  return true;
}

kop_status kop_pulsar_ack(kop_pulsar_session *s, uint64_t consumer, const kop_pulsar_ack_info *info,
                          kop_now now, uint64_t *request) {
  s->now = now.mono_ns;
  if (request != NULL) *request = 0;
  kop_pulsar_ack_info a = {.size = sizeof a};
  if (info == NULL || kopi_sized_load(&a, sizeof a, info) != KOP_OK || !usable(&a) ||
      (a.receipt == 1 && request == NULL))
    return KOP_ERR_INVALID;
  kopi_ps_consumer *q = NULL;
  kop_status status = find_ready(s, consumer, &q);
  if (status != KOP_OK) return status;
  if (a.receipt == 0) return kopi_ps_put_ack(s, q->attach.conn, 0, consumer, &a);
  kopi_ps_request *r = kopi_ps_request_new(s, 0, &status);
  if (r == NULL) return status;
  r->kind = KOP_PULSAR_REQUEST_ACK;
  r->context = a.context;
  r->ack = &a;
  return start(s, q, r, request);
}

kop_status kop_pulsar_seek(kop_pulsar_session *s, uint64_t consumer,
                           const kop_pulsar_message_id *id, uint64_t publish_ms, uint64_t context,
                           kop_now now, uint64_t *request) {
  s->now = now.mono_ns;
  *request = 0;
  kopi_ps_consumer *q = NULL;
  kop_status status = find_ready(s, consumer, &q);
  if (status != KOP_OK) return status;
  if (q->seek != NULL) return KOP_ERR_STATE;
  kopi_ps_request *r = kopi_ps_request_new(s, 0, &status);
  if (r == NULL) return status;
  r->kind = KOP_PULSAR_REQUEST_SEEK;
  r->context = context;
  r->by_id = id != NULL;
  r->publish_ms = publish_ms;
  if (id != NULL) r->id_wanted = *id;
  status = start(s, q, r, request);
  if (status != KOP_OK) return status;
  q->seek = r;
  q->generation++;
  q->was_closed = false;
  q->dropped = 0;
  kopi_ps_untell(&q->end_node);
  return KOP_OK;
}

static kop_status simple(kopi_ps *s, uint64_t consumer, uint32_t kind, bool force, uint64_t context,
                         uint64_t *request) {
  *request = 0;
  kopi_ps_consumer *q = NULL;
  kop_status status = find_ready(s, consumer, &q);
  if (status != KOP_OK) return status;
  kopi_ps_request *r = kopi_ps_request_new(s, 0, &status);
  if (r == NULL) return status;
  r->kind = kind;
  r->context = context;
  r->force = force;
  return start(s, q, r, request);
}

kop_status kop_pulsar_last_message_id(kop_pulsar_session *s, uint64_t consumer, uint64_t context,
                                      kop_now now, uint64_t *request) {
  s->now = now.mono_ns;
  return simple(s, consumer, KOP_PULSAR_REQUEST_LAST_MESSAGE_ID, false, context, request);
}

kop_status kop_pulsar_unsubscribe(kop_pulsar_session *s, uint64_t consumer, int32_t force,
                                  uint64_t context, kop_now now, uint64_t *request) {
  s->now = now.mono_ns;
  return simple(s, consumer, KOP_PULSAR_REQUEST_UNSUBSCRIBE, force != 0, context, request);
}
