/* Frames to those they concern. What concerns nobody (any more) is passed over. */
#include "pulsar/session_attach.h"
#include "pulsar/session_conn.h"
#include "pulsar/session_consume.h"
#include "pulsar/session_consumer.h"
#include "pulsar/session_producer.h"
#include "pulsar/session_request.h"
#include "pulsar/session_send.h"

static kopi_ps_producer *producer_on(const kopi_ps *s, const kopi_ps_conn *c, uint64_t id) {
  kopi_ps_producer *p = kopi_map_u64_find(&s->producers, id);
  return p != NULL && p->attach.conn == c ? p : NULL;
}

static kopi_ps_consumer *consumer_on(const kopi_ps *s, const kopi_ps_conn *c, uint64_t id) {
  kopi_ps_consumer *q = kopi_map_u64_find(&s->consumers, id);
  return q != NULL && q->attach.conn == c ? q : NULL;
}

/* Who serves it next, if the broker says so in a way that can be followed. */
static bool read_place(const kopi_ps *s, const kopi_ps_command *m, kopi_ps_place *place) {
  kop_slice url = s->service.tls ? m->url_tls : m->url;
  place->proxy.host_len = 0;
  if (kopi_ps_url_read(url, s->service.tls, &place->broker) != KOP_OK) return false;
  if (m->conn->broker.host_len > 0) place->proxy = m->conn->at;
  return true;
}

/* An answer to a request. An error is an answer too. */
static void on_answer(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_command *m) {
  kopi_ps_task *task = kopi_ps_task_find(s, c, m->request);
  if (task == NULL) return;
  kopi_ps_answer answer = {.why = {.outcome = KOP_PULSAR_DONE, .server_error = KOP_PULSAR_NO_ERROR},
                           .command = m};
  bool refused = m->kind == KOPI_PS_ERROR ||
                 (m->kind == KOPI_PS_ACK_RESPONSE && m->server_error != KOP_PULSAR_NO_ERROR);
  if (refused) {
    answer.why = (kopi_ps_why){
        .outcome = KOP_PULSAR_REFUSED, .server_error = m->server_error, .text = m->text};
  }
  if (m->kind == KOPI_PS_PRODUCER_SUCCESS && !m->ready && kopi_ps_attach_waits(s, task)) return;
  kopi_ps_task_answer(s, task, &answer);
}

/* Without a request it is about the connection: before CONNECTED the credentials were refused. */
static void on_error(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_command *m) {
  if (c->state == KOPI_PS_CONN_READY) {
    on_answer(s, c, m);
    return;
  }
  kopi_ps_why why = {
      .outcome = KOP_PULSAR_REFUSED, .server_error = m->server_error, .text = m->text};
  kopi_ps_conn_fail(s, c, &why);
}

static void on_close(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_command *m) {
  kopi_ps_place place;
  bool known = read_place(s, m, &place);
  if (m->kind == KOPI_PS_CLOSE_PRODUCER) {
    kopi_ps_producer *p = producer_on(s, c, m->id);
    if (p != NULL) kopi_ps_attach_moved(s, &p->attach, known ? &place : NULL);
  } else {
    kopi_ps_consumer *q = consumer_on(s, c, m->id);
    if (q != NULL) kopi_ps_consumer_on_close(s, q, known ? &place : NULL);
  }
}

static void on_migrated(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_command *m) {
  kopi_ps_place place;
  if (!read_place(s, m, &place)) return;
  kopi_ps_producer *p = m->is_consumer ? NULL : producer_on(s, c, m->id);
  kopi_ps_consumer *q = m->is_consumer ? consumer_on(s, c, m->id) : NULL;
  if (p != NULL) kopi_ps_attach_migrated(s, &p->attach, &place.broker);
  if (q != NULL) kopi_ps_attach_migrated(s, &q->attach, &place.broker);
}

static void to_producer(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_command *m) {
  kopi_ps_producer *p = kopi_map_u64_find(&s->producers, m->id);
  if (p == NULL || p->written_on != c->id) return;
  if (m->kind == KOPI_PS_SEND_RECEIPT) {
    kopi_ps_producer_on_receipt(s, p, m);
  } else {
    kopi_ps_producer_on_error(s, p, m);
  }
}

static void to_consumer(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_command *m) {
  kopi_ps_consumer *q = consumer_on(s, c, m->id);
  if (q == NULL || q->attach.state != KOPI_PS_READY) return;
  if (m->kind == KOPI_PS_MESSAGE) {
    kopi_ps_consumer_on_message(s, q, m);
  } else if (m->kind == KOPI_PS_END_OF_TOPIC) {
    kopi_ps_consumer_on_end(s, q);
  } else {
    kopi_ps_consumer_on_active(s, q, m->active);
  }
}

static void when_ready(kopi_ps *s, kopi_ps_conn *c, const kopi_ps_command *m) {
  switch (m->kind) {
  case KOPI_PS_SUCCESS:
  case KOPI_PS_LOOKUP_RESPONSE:
  case KOPI_PS_PARTITIONS_RESPONSE:
  case KOPI_PS_PRODUCER_SUCCESS:
  case KOPI_PS_ACK_RESPONSE:
  case KOPI_PS_LAST_MESSAGE_ID:
  case KOPI_PS_TOPICS_RESPONSE:
  case KOPI_PS_WATCH_SUCCESS:
    on_answer(s, c, m);
    break;
  case KOPI_PS_SEND_RECEIPT:
  case KOPI_PS_SEND_ERROR:
    to_producer(s, c, m);
    break;
  case KOPI_PS_CLOSE_PRODUCER:
  case KOPI_PS_CLOSE_CONSUMER:
    on_close(s, c, m);
    break;
  case KOPI_PS_MESSAGE:
  case KOPI_PS_END_OF_TOPIC:
  case KOPI_PS_ACTIVE_CHANGE:
    to_consumer(s, c, m);
    break;
  case KOPI_PS_WATCH_UPDATE:
    kopi_ps_watch_on_update(s, c, m);
    break;
  case KOPI_PS_TOPIC_MIGRATED:
    on_migrated(s, c, m);
    break;
  default:
    break;
  }
}

void kopi_ps_dispatch(kopi_ps *s, kopi_ps_conn *c, kop_slice frame) {
  kopi_ps_command m;
  kop_status status = kopi_ps_command_read(s, frame, &m);
  if (status != KOP_OK) {
    bool memory = status == KOP_ERR_NOMEM;
    if (memory) s->stats.memory_closes_total++;
    kopi_ps_conn_fail_text(s, c, memory ? KOP_PULSAR_LIMITED : KOP_PULSAR_BAD_ANSWER,
                           memory ? "out of memory" : "a command that cannot be read");
    return;
  }
  m.conn = c;
  switch (m.kind) {
  case KOPI_PS_PING:
    kopi_ps_write_pong(s, c);
    break;
  case KOPI_PS_CONNECTED:
    kopi_ps_conn_on_connected(s, c, &m);
    break;
  case KOPI_PS_AUTH_CHALLENGE:
    kopi_ps_conn_on_challenge(s, c, &m);
    break;
  case KOPI_PS_ERROR:
    on_error(s, c, &m);
    break;
  default:
    if (c->state == KOPI_PS_CONN_READY) when_ready(s, c, &m);
    break;
  }
}
