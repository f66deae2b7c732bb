/* Connections: the pool, their life from CONNECT to closed, keep-alive. */
#include "pulsar/session_conn.h"

#include <string.h>

#include "pulsar/session_attach.h"
#include "pulsar/session_task.h"

/* ---- what they tell ---- */

#define CONN_OF(node, member) KOPI_CONTAINER_OF(node, kopi_ps_conn, member)

static void show_connect(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx,
                         kopi_ps_body *body) {
  kopi_ps_conn *c = CONN_OF(node, connect_node);
  fx->kind = KOP_PULSAR_CONNECT;
  fx->target = c->id;
  fx->body_size = sizeof body->address;
  body->address.tls = s->service.tls;
  body->address.host = kopi_ps_address_host(&c->at);
  body->address.port = c->at.port;
  body->address.group = c->group;
  if (c->broker.host_len > 0) body->address.broker = kopi_ps_blob_slice(c->target);
}

static void show_close(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx, kopi_ps_body *body) {
  (void)s;
  kopi_ps_conn *c = CONN_OF(node, close_node);
  fx->kind = KOP_PULSAR_CLOSE;
  fx->target = c->id;
  kopi_ps_show_reason(fx, body, &c->why);
}

static void show_nothing(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx,
                         kopi_ps_body *body) {
  (void)s;
  (void)node;
  (void)fx;
  (void)body;
}

static void free_memory(kopi_ps *s, kopi_ps_conn *c) {
  kopi_ps_write_free(s, c);
  kopi_free(&s->alloc, c->target);
  kopi_free(&s->alloc, c->server);
  kopi_free(&s->alloc, c->method);
  kopi_free(&s->alloc, c->challenge);
  kopi_free(&s->alloc, c->why.text);
  kopi_free(&s->alloc, c->slices);
  kopi_free(&s->alloc, c);
}

static void bury_conn(kopi_ps *s, kopi_ps_node *node) {
  free_memory(s, CONN_OF(node, close_node));
}

static const kopi_ps_news CONNECT_NEWS = {.show = show_connect};
static const kopi_ps_news CLOSE_NEWS = {.show = show_close};
static const kopi_ps_news GONE_NEWS = {.show = show_nothing, .bury = bury_conn};

/* ---- keep-alive ---- */

static void on_keep_alive(kopi_ps *s, kopi_ps_alarm *alarm);

static void arm(kopi_ps *s, kopi_ps_conn *c, uint64_t in_ns) {
  kopi_ps_alarm_set(s, &c->alarm, in_ns, on_keep_alive);
}

bool kopi_ps_conn_is_used(const kopi_ps_conn *c) {
  return !kopi_list_empty(&c->waiting) || !kopi_list_empty(&c->asked) ||
         !kopi_list_empty(&c->users) || !kopi_list_empty(&c->out) || c->send_open;
}

void kopi_ps_conn_used(kopi_ps *s, kopi_ps_conn *c) {
  c->used = s->now;
}

static void on_keep_alive(kopi_ps *s, kopi_ps_alarm *alarm) {
  kopi_ps_conn *c = KOPI_CONTAINER_OF(alarm, kopi_ps_conn, alarm);
  if (s->cfg.idle_ns > 0 && !kopi_ps_conn_is_used(c) && s->now - c->used >= s->cfg.idle_ns) {
    kopi_ps_conn_fail_text(s, c, KOP_PULSAR_UNUSED, "nobody uses it");
    return;
  }
  if (c->is_thirsty) c->heard = s->now; /* it may have spoken: we do not listen */
  uint64_t silence = s->now - c->heard;
  if (silence < s->cfg.keep_alive_ns) {
    c->pinged = false;
    arm(s, c, s->cfg.keep_alive_ns - silence);
  } else if (!c->pinged) {
    c->pinged = true;
    kopi_ps_write_ping(s, c);
    arm(s, c, s->cfg.keep_alive_ns);
  } else {
    kopi_ps_conn_fail_text(s, c, KOP_PULSAR_SILENCE, "nothing heard from the broker");
  }
}

void kopi_ps_conn_keep_alive(kopi_ps *s, kopi_ps_conn *c) {
  arm(s, c, s->cfg.keep_alive_ns);
}

static void on_connect_timeout(kopi_ps *s, kopi_ps_alarm *alarm) {
  kopi_ps_conn *c = KOPI_CONTAINER_OF(alarm, kopi_ps_conn, alarm);
  kopi_ps_conn_fail_text(s, c, KOP_PULSAR_TIMED_OUT,
                         c->state == KOPI_PS_CONN_CONNECTING ? "no connection in time"
                                                             : "no handshake in time");
}

/* ---- the pool ---- */

static kopi_ps_conn *pooled(const kopi_ps *s, const kopi_ps_address *at,
                            const kopi_ps_address *broker, uint32_t group) {
  for (kopi_link *link = s->conns.next; link != &s->conns; link = link->next) {
    kopi_ps_conn *c = KOPI_CONTAINER_OF(link, kopi_ps_conn, link);
    if (c->state == KOPI_PS_CONN_CLOSING || c->group != group || !kopi_ps_address_equal(&c->at, at))
      continue;
    bool same =
        broker == NULL ? c->broker.host_len == 0 : kopi_ps_address_equal(&c->broker, broker);
    if (same) return c;
  }
  return NULL;
}

static void init_conn(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_address *at, uint32_t group) {
  c->at = *at;
  c->group = group;
  c->state = KOPI_PS_CONN_CONNECTING;
  c->heard = s->now;
  c->used = s->now;
  kopi_list_init(&c->waiting);
  kopi_list_init(&c->asked);
  kopi_list_init(&c->users);
  kopi_list_init(&c->out);
  kopi_list_init(&c->writing);
  c->connect_node.news = &CONNECT_NEWS;
  c->ready_node.news = &KOPI_PS_READY_NEWS;
  c->auth_node.news = &KOPI_PS_AUTH_NEWS;
  c->pause_node.news = &KOPI_PS_PAUSE_NEWS;
  c->send_node.news = &KOPI_PS_SEND_NEWS;
  c->close_node.news = &CLOSE_NEWS;
}

static kop_status set_broker(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_address *broker) {
  if (broker == NULL) return KOP_OK;
  uint8_t text[KOPI_PS_AUTHORITY_MAX];
  c->broker = *broker;
  kop_slice name = {.ptr = text, .len = kopi_ps_address_print(broker, text)};
  c->target = kopi_ps_blob_new(s, name);
  return c->target == NULL ? KOP_ERR_NOMEM : KOP_OK;
}

static kopi_ps_conn *open_conn(kopi_ps *s, const kopi_ps_address *at, const kopi_ps_address *broker,
                               uint32_t group) {
  kopi_ps_conn *c = kopi_calloc(&s->alloc, 1, sizeof *c);
  if (c == NULL) return NULL;
  init_conn(s, c, at, group);
  c->slices = kopi_calloc(&s->alloc, KOPI_PS_SLICES, sizeof *c->slices);
  uint64_t id = s->last_id + 1;
  if (c->slices == NULL || set_broker(s, c, broker) != KOP_OK ||
      kopi_map_u64_insert(&s->conns_by_id, id, c) != KOP_OK) {
    free_memory(s, c);
    return NULL;
  }
  c->id = id;
  s->last_id = id;
  kopi_list_append(&s->conns, &c->link);
  s->stats.connections++;
  s->stats.connections_total++;
  kopi_ps_alarm_set(s, &c->alarm, s->cfg.connect_ns, on_connect_timeout);
  kopi_ps_tell(s, &c->connect_node);
  return c;
}

kopi_ps_conn *kopi_ps_conn_get(kopi_ps *s, const kopi_ps_address *at, const kopi_ps_address *broker,
                               uint32_t group, kopi_ps_why *why) {
  kopi_ps_conn *c = pooled(s, at, broker, group);
  if (c != NULL) return c;
  if (s->stats.connections >= s->cfg.max_connections) {
    *why = kopi_ps_why_text(KOP_PULSAR_LIMITED, "max_connections is reached");
    return NULL;
  }
  c = open_conn(s, at, broker, group);
  if (c == NULL) *why = kopi_ps_why_text(KOP_PULSAR_LIMITED, "out of memory");
  return c;
}

kopi_ps_conn *kopi_ps_conn_service(kopi_ps *s, kopi_ps_why *why) {
  return kopi_ps_conn_get(s, &s->service.list[s->service.at], NULL, 0, why);
}

kopi_ps_conn *kopi_ps_conn_find(const kopi_ps *s, uint64_t id) {
  return kopi_map_u64_find(&s->conns_by_id, id);
}

/* ---- opening ---- */

kop_status kop_pulsar_connected(kop_pulsar_session *s, uint64_t conn, kop_now now) {
  s->now = now.mono_ns;
  kopi_ps_conn *c = kopi_ps_conn_find(s, conn);
  if (c == NULL) return KOP_ERR_NOT_FOUND;
  if (c->state == KOPI_PS_CONN_CLOSING) return KOP_OK; /* CLOSE is on its way */
  if (c->state != KOPI_PS_CONN_CONNECTING) return KOP_ERR_STATE;
  c->state = KOPI_PS_CONN_HANDSHAKE;
  c->heard = s->now;
  kopi_ps_conn_greet(s, c);
  return KOP_OK;
}

/* ---- ending ---- */

/* The next attempt goes to another address of the service. */
static void turn_service(kopi_ps *s, const kopi_ps_conn *c) {
  if (c->state == KOPI_PS_CONN_READY || c->broker.host_len > 0) return;
  if (kopi_ps_address_equal(&c->at, &s->service.list[s->service.at]))
    s->service.at = (s->service.at + 1) % s->service.len;
}

static void lose_users(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_why *why) {
  kopi_ps_tasks_fail(s, &c->waiting, why);
  kopi_ps_tasks_fail(s, &c->asked, why);
  kopi_link *link;
  while ((link = kopi_list_first(&c->users)) != NULL)
    kopi_ps_attach_lost(s, KOPI_CONTAINER_OF(link, kopi_ps_attach, place), why);
}

/* From here on it carries nothing; what is in the open SEND stays until closed(). */
static void leave(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_why *why) {
  kopi_ps_why told = *why;
  if (c->state == KOPI_PS_CONN_READY) told.outcome = KOP_PULSAR_DISCONNECTED;
  turn_service(s, c);
  c->state = KOPI_PS_CONN_CLOSING;
  kopi_ps_alarm_cancel(s, &c->alarm);
  kopi_ps_untell(&c->ready_node);
  kopi_ps_untell(&c->auth_node);
  kopi_ps_untell(&c->pause_node);
  kopi_ps_untell(&c->send_node);
  kopi_ps_receive_end(s, c);
  kopi_ps_write_cancel(s, c);
  lose_users(s, c, &told);
}

void kopi_ps_conn_fail(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_why *why) {
  if (c->state == KOPI_PS_CONN_CLOSING) return;
  kopi_ps_why_keep(s, &c->why, why);
  kopi_ps_tell(s, &c->close_node);
  leave(s, c, why);
}

void kopi_ps_conn_fail_text(kopi_ps *s, kopi_ps_conn *c, int32_t outcome, const char *text) {
  kopi_ps_why why = kopi_ps_why_text(outcome, text);
  kopi_ps_conn_fail(s, c, &why);
}

kop_status kop_pulsar_closed(kop_pulsar_session *s, uint64_t conn, kop_slice text, kop_now now) {
  s->now = now.mono_ns;
  kopi_ps_conn *c = kopi_ps_conn_find(s, conn);
  if (c == NULL) return KOP_ERR_NOT_FOUND;
  if (c->state != KOPI_PS_CONN_CLOSING) {
    kopi_ps_why why = {
        .outcome = KOP_PULSAR_DISCONNECTED, .server_error = KOP_PULSAR_NO_ERROR, .text = text};
    leave(s, c, &why);
  }
  kopi_ps_untell(&c->connect_node);
  kopi_ps_untell(&c->close_node);
  (void)kopi_map_u64_remove(&s->conns_by_id, conn);
  kopi_list_remove(&c->link);
  s->stats.connections--;
  kopi_ps_write_end(s, c);
  c->close_node.news = &GONE_NEWS;
  kopi_ps_bury(s, &c->close_node);
  return KOP_OK;
}

void kopi_ps_conn_free(kopi_ps *s, kopi_ps_conn *c) {
  kopi_list_remove(&c->link);
  kopi_ps_alarm_cancel(s, &c->alarm);
  kopi_ps_receive_end(s, c);
  kopi_ps_write_cancel(s, c);
  kopi_ps_write_end(s, c);
  kopi_ps_untell(&c->connect_node);
  kopi_ps_untell(&c->close_node);
  free_memory(s, c);
}
