/* A producer: opening it, in all access modes; closing it. */
#include "pulsar/session_producer.h"

#include <string.h>

#include "base/sized.h"
#include "pulsar/session_conn.h"
#include "pulsar/session_send.h"

static kopi_ps_producer *producer_of(kopi_ps_attach *a) {
  return KOPI_CONTAINER_OF(a, kopi_ps_producer, attach);
}

/* ---- what differs from a consumer ---- */

/*
 * Who has held the topic comes back as EXCLUSIVE with the epoch held, and is refused if anybody holds it or there is a newer epoch.
 * A take-over is made once: a leader that was itself replaced must not throw its successor out when its connection comes back.
 * Neither does it wait in line again: the broker compares no epoch of one that waits, and would set the topic's back.
 */
static uint32_t mode_now(const kopi_ps_producer *p) {
  bool held = p->attach.times > 0;
  return held && p->access_mode != KOP_PULSAR_SHARED ? KOP_PULSAR_EXCLUSIVE : p->access_mode;
}

static kop_status open_producer(kopi_ps *s, kopi_ps_attach *a, kopi_ps_conn *conn,
                                uint64_t request) {
  kopi_ps_producer *p = producer_of(a);
  uint32_t mode = mode_now(p);
  kopi_ps_producer_open o = {
      .topic = p->topic,
      .name = p->name != NULL ? kopi_ps_blob_slice(p->name) : p->given_name,
      .name_is_given = p->given_name.ptr != NULL,
      .epoch = p->epoch,
      .topic_epoch = mode == KOP_PULSAR_EXCLUSIVE ? p->topic_epoch : -1,
      .access_mode = mode,
      .properties = p->properties,
      .properties_count = p->properties_count,
  };
  kop_status status = kopi_ps_put_producer(s, conn, request, a->id, &o);
  if (status == KOP_OK) p->epoch++;
  return status;
}

static kop_status close_producer(kopi_ps *s, kopi_ps_attach *a, kopi_ps_conn *conn,
                                 uint64_t request) {
  return kopi_ps_put_close_producer(s, conn, request, a->id);
}

static void opened(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_command *c) {
  kopi_ps_producer *p = producer_of(a);
  kopi_ps_blob *name = kopi_ps_blob_new(s, c->name);
  kopi_ps_blob *version =
      c->schema_version.ptr == NULL ? NULL : kopi_ps_blob_new(s, c->schema_version);
  if (name == NULL || (c->schema_version.ptr != NULL && version == NULL)) {
    kopi_ps_blob_drop(s, name);
    kopi_ps_blob_drop(s, version);
    s->stats.memory_closes_total++;
    kopi_ps_conn_fail_text(s, c->conn, KOP_PULSAR_LIMITED, "out of memory");
    return;
  }
  kopi_ps_blob_drop(s, p->name);
  kopi_ps_blob_drop(s, p->schema_version);
  p->name = name;
  p->schema_version = version;
  p->last_known_id = c->last_sequence_id;
  p->max_message_bytes = c->conn->max_message_bytes;
  p->written_on = c->conn->id;
  if (c->topic_epoch >= 0) p->topic_epoch = c->topic_epoch;
  p->resent = kopi_ps_producer_resend(s, p);
}

static void lost(kopi_ps *s, kopi_ps_attach *a) {
  kopi_ps_producer_hold(s, producer_of(a));
}

static void closing(kopi_ps *s, kopi_ps_attach *a) {
  kopi_ps_producer *p = producer_of(a);
  kopi_ps_producer_hold(s, p);
  kopi_ps_producer_fail_all(s, p, KOP_PULSAR_CANCELLED, KOP_PULSAR_NO_ERROR);
}

static void ended(kopi_ps *s, kopi_ps_attach *a) {
  kopi_ps_producer *p = producer_of(a);
  (void)kopi_map_u64_remove(&s->producers, a->id);
  kopi_ps_producer_hold(s, p);
  kopi_ps_producer_fail_all(s, p, a->why.outcome, a->why.server_error);
  kopi_ps_producer_pump(s, p);
}

static void show_ready(kopi_ps *s, kopi_ps_attach *a, kop_pulsar_effect *fx, kopi_ps_body *body) {
  (void)s;
  const kopi_ps_producer *p = producer_of(a);
  fx->body_size = sizeof body->producer;
  body->producer.times = a->times;
  body->producer.conn = a->conn->id;
  body->producer.name = kopi_ps_blob_slice(p->name);
  body->producer.last_sequence_id = p->last_known_id;
  body->producer.topic_epoch = p->access_mode == KOP_PULSAR_SHARED ? -1 : p->topic_epoch;
  body->producer.max_message_bytes = a->conn->max_message_bytes;
  body->producer.resent = p->resent;
  body->producer.schema_version = kopi_ps_blob_slice(p->schema_version);
}

static void free_producer(kopi_ps *s, kopi_ps_producer *p) {
  kopi_link *link;
  while ((link = kopi_list_first(&p->pending)) != NULL) {
    kopi_ps_entry *entry = KOPI_CONTAINER_OF(link, kopi_ps_entry, link);
    kopi_list_remove(&entry->piece.link);
    kopi_list_remove(link);
    kopi_free(&s->alloc, entry);
  }
  kopi_ps_alarm_cancel(s, &p->send_alarm);
  kopi_ps_attach_free(s, &p->attach);
  kopi_free(&s->alloc, p->name);
  kopi_free(&s->alloc, p->schema_version);
  kopi_free(&s->alloc, p);
}

static void bury(kopi_ps *s, kopi_ps_attach *a) {
  free_producer(s, producer_of(a));
}

static const kopi_ps_attach_kind PRODUCER = {
    .ready = KOP_PULSAR_PRODUCER_READY,
    .down = KOP_PULSAR_PRODUCER_DOWN,
    .closed = KOP_PULSAR_PRODUCER_CLOSED,
    .answer = KOPI_PS_PRODUCER_SUCCESS,
    .open = open_producer,
    .close = close_producer,
    .opened = opened,
    .lost = lost,
    .closing = closing,
    .ended = ended,
    .show_ready = show_ready,
    .bury = bury,
};

/* ---- calls ---- */

kop_status kop_pulsar_producer_config_init(kop_pulsar_producer_config *config, size_t size) {
  if (config == NULL || size < sizeof(size_t)) return KOP_ERR_INVALID;
  kop_pulsar_producer_config defaults = {.size = size, .topic_epoch = -1};
  kopi_sized_defaults(config, size, &defaults, sizeof defaults);
  return KOP_OK;
}

static bool usable(const kop_pulsar_producer_config *c) {
  bool may_have_held = c->access_mode == KOP_PULSAR_EXCLUSIVE;
  return (c->topic_epoch == -1 || (may_have_held && c->topic_epoch >= 0)) && c->topic.len > 0 &&
         kopi_ps_is_text(c->topic) && kopi_ps_is_text(c->name) &&
         c->access_mode <= KOP_PULSAR_EXCLUSIVE_WITH_FENCING &&
         (c->flags & ~(uint32_t)KOP_PULSAR_PRODUCER_NO_RESEND) == 0 && c->reserved0 == 0 &&
         c->reserved1 == 0 && kopi_ps_are_texts(c->properties, c->properties_count);
}

static kopi_ps_producer *new_producer(kopi_ps *s, const kop_pulsar_producer_config *c) {
  size_t texts = kopi_ps_texts_size(c->properties, c->properties_count);
  size_t need = sizeof(kopi_ps_producer) + texts + c->topic.len + c->name.len;
  kopi_ps_producer *p = kopi_calloc(&s->alloc, 1, need);
  if (p == NULL) return NULL;
  uint8_t *at = (uint8_t *)(p + 1);
  p->properties = kopi_ps_texts_copy(&at, c->properties, c->properties_count);
  p->properties_count = c->properties_count;
  p->topic = kopi_ps_text_copy(&at, c->topic);
  p->given_name = kopi_ps_text_copy(&at, c->name);
  p->access_mode = c->access_mode;
  p->flags = c->flags;
  p->topic_epoch = c->topic_epoch;
  p->last_known_id = -1;
  p->send_ns = c->send_ns == 0 ? s->cfg.send_ns : c->send_ns;
  kopi_list_init(&p->pending);
  p->next = &p->pending;
  p->attach.kind = &PRODUCER;
  p->attach.context = c->context;
  p->attach.group = c->group;
  p->attach.finder.topic = p->topic;
  return p;
}

kop_status kop_pulsar_producer_open(kop_pulsar_session *s, const kop_pulsar_producer_config *config,
                                    kop_now now, uint64_t *producer) {
  *producer = 0;
  s->now = now.mono_ns;
  kop_pulsar_producer_config c;
  kop_pulsar_producer_config_init(&c, sizeof c);
  if (config == NULL || kopi_sized_load(&c, sizeof c, config) != KOP_OK || !usable(&c))
    return KOP_ERR_INVALID;
  if (s->shutting_down) return KOP_ERR_STATE;
  if (kopi_map_u64_len(&s->producers) >= s->cfg.max_producers) return KOP_ERR_LIMIT;
  kopi_ps_producer *p = new_producer(s, &c);
  if (p == NULL) return KOP_ERR_NOMEM;
  p->attach.id = s->last_id + 1;
  if (kopi_map_u64_insert(&s->producers, p->attach.id, p) != KOP_OK) {
    kopi_free(&s->alloc, p);
    return KOP_ERR_NOMEM;
  }
  s->last_id++;
  kopi_list_append(&s->all_producers, &p->attach.all);
  *producer = p->attach.id;
  kopi_ps_attach_start(s, &p->attach, c.open_ns == 0 ? s->cfg.operation_ns : c.open_ns);
  return KOP_OK;
}

kop_status kop_pulsar_producer_close(kop_pulsar_session *s, uint64_t producer, kop_now now) {
  s->now = now.mono_ns;
  kopi_ps_producer *p = kopi_map_u64_find(&s->producers, producer);
  if (p == NULL) return KOP_ERR_NOT_FOUND;
  kopi_ps_attach_close(s, &p->attach);
  return KOP_OK;
}

/* ---- all of them ---- */

void kopi_ps_producers_free(kopi_ps *s) {
  kopi_link *link;
  while ((link = kopi_list_first(&s->all_producers)) != NULL)
    free_producer(s, producer_of(KOPI_CONTAINER_OF(link, kopi_ps_attach, all)));
}
