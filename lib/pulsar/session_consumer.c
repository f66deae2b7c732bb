/* A consumer or reader: opening it, closing it. */
#include "pulsar/session_consumer.h"

#include <string.h>

#include "base/sized.h"
#include "pulsar/session_conn.h"
#include "pulsar/session_consume.h"
#include "pulsar/session_request.h"

static kopi_ps_consumer *consumer_of(kopi_ps_attach *a) {
  return KOPI_CONTAINER_OF(a, kopi_ps_consumer, attach);
}

/* ---- what differs from a producer ---- */

/* A reader goes on at the last entry it was given, which comes again and is passed over. */
static kop_status open_consumer(kopi_ps *s, kopi_ps_attach *a, kopi_ps_conn *conn,
                                uint64_t request) {
  const kopi_ps_consumer *q = consumer_of(a);
  kop_pulsar_message_id start = q->start;
  if (q->has_seen) {
    start.ledger_id = q->seen_ledger;
    start.entry_id = q->seen_entry;
    start.batch_index = -1;
  }
  kopi_ps_subscribe o = {
      .topic = a->finder.topic,
      .subscription = q->subscription,
      .name = q->name,
      .type = q->type,
      .flags = q->flags,
      .priority = q->priority,
      .start = kopi_ps_is_reader(q) ? &start : NULL,
      .properties = q->properties,
      .properties_count = q->properties_count,
  };
  return kopi_ps_put_subscribe(s, conn, request, a->id, &o);
}

static kop_status close_consumer(kopi_ps *s, kopi_ps_attach *a, kopi_ps_conn *conn,
                                 uint64_t request) {
  return kopi_ps_put_close_consumer(s, conn, request, a->id);
}

static void opened(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_command *c) {
  (void)c;
  kopi_ps_consumer *q = consumer_of(a);
  q->was_closed = false;
  q->dropped = 0;
  kopi_ps_consumer_grant(s, q, q->permits);
}

static void lost(kopi_ps *s, kopi_ps_attach *a) {
  kopi_ps_requests_end_of(s, consumer_of(a), KOP_PULSAR_DISCONNECTED);
}

/* A topic is migrated when it is read to its end: all that the other cluster has of it is new. */
static void emigrates(kopi_ps_attach *a) {
  kopi_ps_consumer *q = consumer_of(a);
  q->has_seen = false;
  q->start = (kop_pulsar_message_id){.ledger_id = KOP_PULSAR_EARLIEST,
                                     .entry_id = KOP_PULSAR_EARLIEST,
                                     .partition = -1,
                                     .batch_index = -1};
}

static void closing(kopi_ps *s, kopi_ps_attach *a) {
  kopi_ps_consumer *q = consumer_of(a);
  q->generation++;
  kopi_ps_untell(&q->end_node);
  kopi_ps_untell(&q->active_node);
  kopi_ps_requests_end_of(s, q, KOP_PULSAR_CANCELLED);
}

static void ended(kopi_ps *s, kopi_ps_attach *a) {
  (void)kopi_map_u64_remove(&s->consumers, a->id);
  kopi_ps_requests_end_of(s, consumer_of(a), KOP_PULSAR_DISCONNECTED);
  kopi_ps_attach_tell_closed(s, a);
}

static void show_ready(kopi_ps *s, kopi_ps_attach *a, kop_pulsar_effect *fx, kopi_ps_body *body) {
  (void)s;
  const kopi_ps_consumer *q = consumer_of(a);
  fx->body_size = sizeof body->consumer;
  body->consumer.times = a->times;
  body->consumer.conn = a->conn->id;
  body->consumer.subscription = q->subscription;
  body->consumer.permits = q->permits;
}

static void free_consumer(kopi_ps *s, kopi_ps_consumer *q) {
  kopi_ps_untell(&q->end_node);
  kopi_ps_untell(&q->active_node);
  kopi_ps_attach_free(s, &q->attach);
  kopi_free(&s->alloc, q);
}

static void bury(kopi_ps *s, kopi_ps_attach *a) {
  free_consumer(s, consumer_of(a));
}

static const kopi_ps_attach_kind CONSUMER = {
    .ready = KOP_PULSAR_CONSUMER_READY,
    .down = KOP_PULSAR_CONSUMER_DOWN,
    .closed = KOP_PULSAR_CONSUMER_CLOSED,
    .answer = KOPI_PS_SUCCESS,
    .open = open_consumer,
    .close = close_consumer,
    .opened = opened,
    .lost = lost,
    .emigrates = emigrates,
    .closing = closing,
    .ended = ended,
    .show_ready = show_ready,
    .bury = bury,
};

/* A seek makes the broker close it; that is a part of the seek. */
void kopi_ps_consumer_on_close(kopi_ps *s, kopi_ps_consumer *q, const kopi_ps_place *place) {
  if (q->seek != NULL) {
    q->was_closed = true;
  } else {
    kopi_ps_attach_moved(s, &q->attach, place);
  }
}

/* ---- calls ---- */

kop_status kop_pulsar_consumer_config_init(kop_pulsar_consumer_config *config, size_t size) {
  if (config == NULL || size < sizeof(size_t)) return KOP_ERR_INVALID;
  kop_pulsar_consumer_config defaults = {
      .size = size,
      .start = {.ledger_id = KOP_PULSAR_EARLIEST,
                .entry_id = KOP_PULSAR_EARLIEST,
                .partition = -1,
                .batch_index = -1},
  };
  kopi_sized_defaults(config, size, &defaults, sizeof defaults);
  return KOP_OK;
}

static bool usable(const kop_pulsar_consumer_config *c) {
  const uint32_t known = KOP_PULSAR_CONSUMER_DURABLE | KOP_PULSAR_CONSUMER_COMPACTED |
                         KOP_PULSAR_CONSUMER_START_AFTER | KOP_PULSAR_CONSUMER_CREATE_TOPIC |
                         KOP_PULSAR_CONSUMER_FROM_EARLIEST;
  bool durable = (c->flags & KOP_PULSAR_CONSUMER_DURABLE) != 0;
  bool compacted = (c->flags & KOP_PULSAR_CONSUMER_COMPACTED) != 0;
  bool one_active = c->type == KOP_PULSAR_SUB_EXCLUSIVE || c->type == KOP_PULSAR_SUB_FAILOVER;
  return c->topic.len > 0 && kopi_ps_is_text(c->topic) && kopi_ps_is_text(c->subscription) &&
         kopi_ps_is_text(c->name) && c->type <= KOP_PULSAR_SUB_KEY_SHARED &&
         (c->flags & ~known) == 0 && (!compacted || one_active) &&
         (durable ? c->subscription.len > 0 : c->type == KOP_PULSAR_SUB_EXCLUSIVE) &&
         kopi_ps_are_texts(c->properties, c->properties_count);
}

enum { READER_NAME = 7 + 16 + 1 + 20 };

static size_t put_number(uint8_t *to, uint64_t v, uint32_t base) {
  uint8_t digits[20];
  size_t n = 0;
  do {
    digits[n++] = (uint8_t) "0123456789abcdef"[v % base];
    v /= base;
  } while (v > 0);
  for (size_t i = 0; i < n; i++)
    to[i] = digits[n - 1 - i];
  return n;
}

/* "reader-SEED-ID": no other session has it as long as seeds differ. */
static kop_slice reader_name(const kopi_ps *s, uint8_t **at, uint64_t id) {
  uint8_t *from = *at;
  memcpy(from, "reader-", 7);
  size_t n = 7 + put_number(from + 7, s->cfg.seed, 16);
  from[n++] = '-';
  n += put_number(from + n, id, 10);
  *at += n;
  return (kop_slice){.ptr = from, .len = n};
}

static bool is_somewhere(const kop_pulsar_message_id *id) {
  return id->ledger_id != KOP_PULSAR_EARLIEST && id->ledger_id != KOP_PULSAR_LATEST;
}

static kopi_ps_consumer *new_consumer(kopi_ps *s, const kop_pulsar_consumer_config *c,
                                      uint64_t id) {
  bool unnamed = c->subscription.len == 0;
  size_t need = sizeof(kopi_ps_consumer) + kopi_ps_texts_size(c->properties, c->properties_count) +
                c->topic.len + c->name.len + (unnamed ? READER_NAME : c->subscription.len);
  kopi_ps_consumer *q = kopi_calloc(&s->alloc, 1, need);
  if (q == NULL) return NULL;
  uint8_t *at = (uint8_t *)(q + 1);
  q->properties = kopi_ps_texts_copy(&at, c->properties, c->properties_count);
  q->properties_count = c->properties_count;
  q->attach.finder.topic = kopi_ps_text_copy(&at, c->topic);
  q->name = kopi_ps_text_copy(&at, c->name);
  q->subscription = unnamed ? reader_name(s, &at, id) : kopi_ps_text_copy(&at, c->subscription);
  q->flags = c->flags;
  q->priority = c->priority;
  q->type = (uint8_t)c->type;
  q->start = c->start;
  q->permits = c->permits;
  if ((c->flags & KOP_PULSAR_CONSUMER_START_AFTER) != 0 && is_somewhere(&c->start)) {
    q->has_seen = true;
    q->seen_ledger = c->start.ledger_id;
    q->seen_entry = c->start.entry_id;
  }
  kopi_list_init(&q->requests);
  q->end_node.news = &KOPI_PS_END_NEWS;
  q->active_node.news = &KOPI_PS_ACTIVE_NEWS;
  q->attach.kind = &CONSUMER;
  q->attach.id = id;
  q->attach.context = c->context;
  q->attach.group = c->group;
  return q;
}

kop_status kop_pulsar_consumer_open(kop_pulsar_session *s, const kop_pulsar_consumer_config *config,
                                    kop_now now, uint64_t *consumer) {
  *consumer = 0;
  s->now = now.mono_ns;
  kop_pulsar_consumer_config c;
  kop_pulsar_consumer_config_init(&c, sizeof c);
  if (config == NULL || kopi_sized_load(&c, sizeof c, config) != KOP_OK || !usable(&c))
    return KOP_ERR_INVALID;
  if (s->shutting_down) return KOP_ERR_STATE;
  if (kopi_map_u64_len(&s->consumers) >= s->cfg.max_consumers) return KOP_ERR_LIMIT;
  uint64_t id = s->last_id + 1;
  kopi_ps_consumer *q = new_consumer(s, &c, id);
  if (q == NULL) return KOP_ERR_NOMEM;
  if (kopi_map_u64_insert(&s->consumers, id, q) != KOP_OK) {
    kopi_free(&s->alloc, q);
    return KOP_ERR_NOMEM;
  }
  s->last_id = id;
  kopi_list_append(&s->all_consumers, &q->attach.all);
  *consumer = id;
  kopi_ps_attach_start(s, &q->attach, c.open_ns == 0 ? s->cfg.operation_ns : c.open_ns);
  return KOP_OK;
}

kop_status kop_pulsar_consumer_close(kop_pulsar_session *s, uint64_t consumer, kop_now now) {
  s->now = now.mono_ns;
  kopi_ps_consumer *q = kopi_map_u64_find(&s->consumers, consumer);
  if (q == NULL) return KOP_ERR_NOT_FOUND;
  kopi_ps_attach_close(s, &q->attach);
  return KOP_OK;
}

/* ---- all of them ---- */

void kopi_ps_consumers_free(kopi_ps *s) {
  kopi_link *link;
  while ((link = kopi_list_first(&s->all_consumers)) != NULL)
    free_consumer(s, consumer_of(KOPI_CONTAINER_OF(link, kopi_ps_attach, all)));
}
