/* Messages on their way to the caller, and permits on their way to the broker. */
#include "pulsar/session_consume.h"

#include "pulsar/session_conn.h"

/* What is kept longer than its drain. */
typedef struct kopi_ps_keep {
  kopi_block *block;
  uint64_t count;
} kopi_ps_keep;

enum { SPARE_ARRIVALS = 1024 };

/* ---- what they tell ---- */

static void show_message(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx,
                         kopi_ps_body *body) {
  kopi_ps_arrival *a = KOPI_CONTAINER_OF(node, kopi_ps_arrival, node);
  if (a->generation != a->consumer->generation) return; /* of before a seek, or closed */
  s->lent[s->lent_len++] = a;
  s->stats.messages_total++;
  s->stats.unreadable_total += a->unreadable;
  fx->kind = KOP_PULSAR_MESSAGE;
  fx->flags = a->unreadable ? KOP_PULSAR_UNREADABLE : 0;
  fx->token = ++s->last_token;
  fx->target = a->consumer->attach.id;
  fx->context = a->consumer->attach.context;
  fx->body_size = sizeof body->delivery;
  body->delivery.redelivery_count = a->redelivery_count;
  body->delivery.id = a->id;
  body->delivery.bytes = a->bytes;
  body->delivery.ack_set = a->ack_set;
  body->delivery.num_messages = a->num_messages;
}

static void bury_message(kopi_ps *s, kopi_ps_node *node) {
  kopi_ps_arrival *a = KOPI_CONTAINER_OF(node, kopi_ps_arrival, node);
  kopi_block *block = a->block;
  s->stats.receive_bytes -= sizeof *a;
  if (s->spare_arrivals < SPARE_ARRIVALS) {
    s->spare_arrivals++;
    a->next = s->free_arrivals;
    s->free_arrivals = a;
  } else {
    kopi_free(&s->alloc, a);
  }
  kopi_ps_block_unref(s, block);
  kopi_ps_receive_relieve(s);
}

static const kopi_ps_news MESSAGE_NEWS = {.show = show_message, .bury = bury_message};

static void show_end(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx, kopi_ps_body *body) {
  (void)s;
  (void)body;
  const kopi_ps_consumer *q = KOPI_CONTAINER_OF(node, kopi_ps_consumer, end_node);
  fx->kind = KOP_PULSAR_END_OF_TOPIC;
  fx->target = q->attach.id;
  fx->context = q->attach.context;
}

static void show_active(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx, kopi_ps_body *body) {
  (void)s;
  (void)body;
  const kopi_ps_consumer *q = KOPI_CONTAINER_OF(node, kopi_ps_consumer, active_node);
  fx->kind = KOP_PULSAR_ACTIVE_CHANGE;
  fx->flags = q->is_active ? KOP_PULSAR_ACTIVE : 0;
  fx->target = q->attach.id;
  fx->context = q->attach.context;
}

const kopi_ps_news KOPI_PS_END_NEWS = {.show = show_end};
const kopi_ps_news KOPI_PS_ACTIVE_NEWS = {.show = show_active};

void kopi_ps_consumer_on_end(kopi_ps *s, kopi_ps_consumer *q) {
  kopi_ps_tell(s, &q->end_node);
}

void kopi_ps_consumer_on_active(kopi_ps *s, kopi_ps_consumer *q, bool active) {
  q->is_active = active;
  kopi_ps_tell(s, &q->active_node);
}

/* ---- permits ---- */

void kopi_ps_consumer_grant(kopi_ps *s, kopi_ps_consumer *q, uint64_t permits) {
  uint32_t now = permits > INT32_MAX ? INT32_MAX : (uint32_t)permits; /* the broker counts in int */
  if (now > 0 && kopi_ps_put_flow(s, q->attach.conn, q->attach.id, now) != KOP_OK)
    kopi_ps_conn_fail_text(s, q->attach.conn, KOP_PULSAR_LIMITED, "a FLOW could not be sent");
}

kop_status kop_pulsar_flow(kop_pulsar_session *s, uint64_t consumer, uint32_t messages,
                           kop_now now) {
  s->now = now.mono_ns;
  kopi_ps_consumer *q = kopi_map_u64_find(&s->consumers, consumer);
  if (q == NULL) return KOP_ERR_NOT_FOUND;
  if (messages == 0) return KOP_ERR_INVALID;
  if (q->permits > INT32_MAX || messages > INT32_MAX - q->permits) return KOP_ERR_LIMIT;
  if (q->attach.state == KOPI_PS_READY) {
    kop_status status = kopi_ps_put_flow(s, q->attach.conn, consumer, messages);
    if (status != KOP_OK) return status;
  }
  q->permits += messages;
  return KOP_OK;
}

/* ---- arrivals ---- */

static kopi_ps_arrival *new_arrival(kopi_ps *s) {
  kopi_ps_arrival *a = s->free_arrivals;
  if (a != NULL) {
    s->free_arrivals = a->next;
    s->spare_arrivals--;
  } else {
    a = kopi_malloc(&s->alloc, sizeof *a);
    if (a == NULL) return NULL;
  }
  *a = (kopi_ps_arrival){.node.news = &MESSAGE_NEWS};
  s->stats.receive_bytes += sizeof *a;
  return a;
}

static bool was_given(const kopi_ps_consumer *q, const kop_pulsar_message_id *id) {
  if (!kopi_ps_is_reader(q) || !q->has_seen) return false;
  return id->ledger_id != q->seen_ledger ? id->ledger_id < q->seen_ledger
                                         : id->entry_id <= q->seen_entry;
}

/* How many permits the entry took. */
static uint32_t messages_in(kop_slice bytes, bool *unreadable) {
  kop_pulsar_entry entry;
  *unreadable =
      kop_pulsar_entry_read(bytes.ptr, bytes.len, KOP_PULSAR_ENTRY_CHECK, &entry) != KOP_OK;
  bool batch = !*unreadable &&
               (entry.metadata.present & KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH) != 0 &&
               entry.metadata.num_messages_in_batch > 0;
  return batch ? (uint32_t)entry.metadata.num_messages_in_batch : 1;
}

void kopi_ps_consumer_on_message(kopi_ps *s, kopi_ps_consumer *q, const kopi_ps_command *c) {
  bool unreadable = false;
  uint32_t n = messages_in(c->entry, &unreadable);
  if (q->seek != NULL) {
    q->dropped += n;
    return;
  }
  if (was_given(q, &c->message_id)) { /* its permits were not meant for it */
    kopi_ps_consumer_grant(s, q, n);
    return;
  }
  kopi_ps_arrival *a = new_arrival(s);
  if (a == NULL) {
    s->stats.memory_closes_total++;
    kopi_ps_conn_fail_text(s, c->conn, KOP_PULSAR_LIMITED, "out of memory");
    return;
  }
  a->consumer = q;
  a->block = c->conn->block;
  kopi_block_ref(a->block);
  a->bytes = c->entry;
  a->ack_set = c->ack_set;
  a->id = c->message_id;
  a->redelivery_count = c->redelivery_count;
  a->num_messages = n;
  a->generation = q->generation;
  a->unreadable = unreadable;
  q->permits -= q->permits < n ? q->permits : n;
  q->has_seen = true;
  q->seen_ledger = c->message_id.ledger_id;
  q->seen_entry = c->message_id.entry_id;
  kopi_ps_tell(s, &a->node);
}

/* ---- what is kept ---- */

kop_status kop_pulsar_keep(kop_pulsar_session *s, uint64_t token) {
  kopi_ps_keep *keep = kopi_map_u64_find(&s->kept, token);
  if (keep != NULL) {
    keep->count++;
    return KOP_OK;
  }
  if (token < s->lent_first || token - s->lent_first >= s->lent_len) return KOP_ERR_NOT_FOUND;
  keep = kopi_malloc(&s->alloc, sizeof *keep);
  if (keep == NULL) return KOP_ERR_NOMEM;
  *keep = (kopi_ps_keep){.block = s->lent[token - s->lent_first]->block, .count = 1};
  if (kopi_map_u64_insert(&s->kept, token, keep) != KOP_OK) {
    kopi_free(&s->alloc, keep);
    return KOP_ERR_NOMEM;
  }
  kopi_block_ref(keep->block);
  return KOP_OK;
}

kop_status kop_pulsar_release(kop_pulsar_session *s, uint64_t token, kop_now now) {
  s->now = now.mono_ns;
  kopi_ps_keep *keep = kopi_map_u64_find(&s->kept, token);
  if (keep == NULL) return KOP_ERR_NOT_FOUND;
  if (--keep->count > 0) return KOP_OK;
  (void)kopi_map_u64_remove(&s->kept, token);
  kopi_ps_block_unref(s, keep->block);
  kopi_free(&s->alloc, keep);
  return KOP_OK;
}

void kopi_ps_arrivals_free(kopi_ps *s) {
  while (s->free_arrivals != NULL) {
    kopi_ps_arrival *next = s->free_arrivals->next;
    kopi_free(&s->alloc, s->free_arrivals);
    s->free_arrivals = next;
  }
  size_t cursor = 0;
  kopi_ps_keep *keep;
  while ((keep = kopi_map_u64_next(&s->kept, &cursor)) != NULL) {
    kopi_ps_block_unref(s, keep->block);
    kopi_free(&s->alloc, keep);
  }
}
