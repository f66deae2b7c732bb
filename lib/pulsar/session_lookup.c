/* Who owns a topic: LOOKUP, its redirects, and the proxy. */
#include "pulsar/session_lookup.h"

#include "pulsar/session_conn.h"

static kop_status send_lookup(kopi_ps *s, kopi_ps_task *task, kopi_ps_conn *conn,
                              uint64_t request) {
  kopi_ps_finder *f = KOPI_CONTAINER_OF(task, kopi_ps_finder, task);
  return kopi_ps_put_lookup(s, conn, request, f->topic, f->authoritative);
}

static void on_answer(kopi_ps *s, kopi_ps_task *task, const kopi_ps_answer *answer);

static const kopi_ps_task_ops LOOKUP_TASK = {.send = send_lookup, .done = on_answer};

static void fail(kopi_ps *s, kopi_ps_finder *f, const kopi_ps_why *why) {
  kopi_ps_answer answer = {.why = *why};
  f->ops->failed(s, f, &answer);
}

static void fail_text(kopi_ps *s, kopi_ps_finder *f, int32_t outcome, const char *text) {
  kopi_ps_why why = kopi_ps_why_text(outcome, text);
  fail(s, f, &why);
}

static void ask(kopi_ps *s, kopi_ps_finder *f, kopi_ps_conn *conn, const kopi_ps_why *why) {
  if (conn == NULL) {
    fail(s, f, why);
  } else {
    kopi_ps_task_begin(s, &f->task, &LOOKUP_TASK, conn);
  }
}

static void redirect(kopi_ps *s, kopi_ps_finder *f, const kopi_ps_address *to, bool authoritative) {
  if (f->redirects == KOP_PULSAR_MAX_REDIRECTS) {
    fail_text(s, f, KOP_PULSAR_LIMITED, "redirected too often");
    return;
  }
  f->redirects++;
  f->authoritative = authoritative;
  kopi_ps_why why = {.outcome = KOP_PULSAR_DONE};
  kopi_ps_conn *conn = kopi_ps_conn_get(s, to, NULL, 0, &why);
  ask(s, f, conn, &why);
}

/* `asked` is where the answer came from, which is the proxy if there is one. */
static void take(kopi_ps *s, kopi_ps_finder *f, const kopi_ps_looked_up *a,
                 const kopi_ps_address *asked) {
  kop_slice url = s->service.tls ? a->url_tls : a->url;
  kopi_ps_place place = {.proxy.host_len = 0};
  if (a->failed) {
    kopi_ps_why why = {
        .outcome = KOP_PULSAR_REFUSED, .server_error = a->server_error, .text = a->text};
    fail(s, f, &why);
  } else if (kopi_ps_url_read(url, s->service.tls, &place.broker) != KOP_OK) {
    fail_text(s, f, KOP_PULSAR_BAD_ANSWER, "the look-up names no broker that can be reached so");
  } else if (a->redirect) {
    redirect(s, f, &place.broker, a->authoritative);
  } else {
    if (a->proxy) place.proxy = *asked;
    f->ops->found(s, f, &place);
  }
}

static void on_answer(kopi_ps *s, kopi_ps_task *task, const kopi_ps_answer *answer) {
  kopi_ps_finder *f = KOPI_CONTAINER_OF(task, kopi_ps_finder, task);
  if (answer->why.outcome != KOP_PULSAR_DONE) {
    f->ops->failed(s, f, answer);
  } else if (answer->command->kind != KOPI_PS_LOOKUP_RESPONSE) {
    fail_text(s, f, KOP_PULSAR_BAD_ANSWER, "another answer than the one to a look-up");
  } else {
    kopi_ps_address asked = answer->command->conn->at;
    take(s, f, &answer->command->looked_up, &asked);
  }
}

void kopi_ps_find(kopi_ps *s, kopi_ps_finder *f, const kopi_ps_finder_ops *ops) {
  f->ops = ops;
  f->redirects = 0;
  f->authoritative = false;
  kopi_ps_why why = {.outcome = KOP_PULSAR_DONE};
  kopi_ps_conn *conn = f->service == NULL ? kopi_ps_conn_service(s, &why)
                                          : kopi_ps_conn_get(s, f->service, NULL, 0, &why);
  ask(s, f, conn, &why);
}

kopi_ps_conn *kopi_ps_place_conn(kopi_ps *s, const kopi_ps_place *place, uint32_t group,
                                 kopi_ps_why *why) {
  bool proxied = place->proxy.host_len > 0;
  return kopi_ps_conn_get(s, proxied ? &place->proxy : &place->broker,
                          proxied ? &place->broker : NULL, group, why);
}
