/* The first words on a connection, and credentials whenever the broker asks for them. */
#include "pulsar/session_conn.h"
#include "pulsar/session_task.h"

enum {
  DEFAULT_MESSAGE_BYTES = 5 << 20,
  MOST_MESSAGE_BYTES = INT32_MAX - (16 << 10) /* a frame has its command and its sizes beside it */
};

static uint32_t message_bytes(uint32_t said) {
  if (said == 0) return DEFAULT_MESSAGE_BYTES;
  return said < MOST_MESSAGE_BYTES ? said : MOST_MESSAGE_BYTES;
}

static void show_ready(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx, kopi_ps_body *body) {
  (void)s;
  kopi_ps_conn *c = KOPI_CONTAINER_OF(node, kopi_ps_conn, ready_node);
  fx->kind = KOP_PULSAR_CONN_READY;
  fx->target = c->id;
  fx->body_size = sizeof body->server;
  body->server.protocol_version = c->protocol_version;
  body->server.version = kopi_ps_blob_slice(c->server);
  body->server.max_message_bytes = c->max_message_bytes;
  body->server.features = c->features;
}

static void show_auth(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx, kopi_ps_body *body) {
  (void)s;
  kopi_ps_conn *c = KOPI_CONTAINER_OF(node, kopi_ps_conn, auth_node);
  fx->kind = KOP_PULSAR_AUTH_NEEDED;
  fx->target = c->id;
  fx->body_size = sizeof body->challenge;
  body->challenge.method = kopi_ps_blob_slice(c->method);
  body->challenge.challenge = kopi_ps_blob_slice(c->challenge);
}

const kopi_ps_news KOPI_PS_READY_NEWS = {.show = show_ready};
const kopi_ps_news KOPI_PS_AUTH_NEWS = {.show = show_auth};

static void no_memory(kopi_ps *s, kopi_ps_conn *c) {
  s->stats.memory_closes_total++;
  kopi_ps_conn_fail_text(s, c, KOP_PULSAR_LIMITED, "out of memory");
}

void kopi_ps_conn_greet(kopi_ps *s, kopi_ps_conn *c) {
  kop_status status = kopi_ps_put_connect(s, c);
  if (status == KOP_ERR_NOMEM) {
    no_memory(s, c);
  } else if (status != KOP_OK) {
    kopi_ps_conn_fail_text(s, c, KOP_PULSAR_LIMITED, "CONNECT is above max_control_bytes");
  }
}

void kopi_ps_conn_on_connected(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_command *m) {
  if (c->state != KOPI_PS_CONN_HANDSHAKE) return;
  kopi_ps_blob_drop(s, c->server);
  c->server = kopi_ps_blob_new(s, m->server);
  if (c->server == NULL) {
    no_memory(s, c);
    return;
  }
  c->state = KOPI_PS_CONN_READY;
  c->challenged = false;
  c->protocol_version = m->protocol_version;
  c->features = m->features;
  c->max_message_bytes = message_bytes(m->max_message_bytes);
  kopi_ps_tell(s, &c->ready_node);
  kopi_ps_conn_used(s, c);
  kopi_ps_conn_keep_alive(s, c);
  kopi_ps_tasks_go(s, c);
}

void kopi_ps_conn_on_challenge(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_command *m) {
  kopi_ps_blob_drop(s, c->method);
  kopi_ps_blob_drop(s, c->challenge);
  c->method = kopi_ps_blob_new(s, m->method);
  c->challenge = kopi_ps_blob_new(s, m->challenge);
  if (c->method == NULL || c->challenge == NULL) {
    no_memory(s, c);
    return;
  }
  c->challenged = true;
  kopi_ps_tell(s, &c->auth_node);
}

kop_status kop_pulsar_auth_answer(kop_pulsar_session *s, uint64_t conn, kop_slice data,
                                  kop_now now) {
  s->now = now.mono_ns;
  kopi_ps_conn *c = kopi_ps_conn_find(s, conn);
  if (c == NULL) return KOP_ERR_NOT_FOUND;
  if (!c->challenged || c->state == KOPI_PS_CONN_CLOSING) return KOP_ERR_STATE;
  kop_status status = kopi_ps_put_auth_response(s, c, data);
  if (status != KOP_OK) return status;
  c->challenged = false;
  /* the answer is on its way; that later connections begin with it is a second matter */
  return kop_pulsar_auth_update(s, data);
}
