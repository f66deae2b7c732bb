/*
 * Watchers: which topics a namespace has, told by the broker as it changes.
 *
 *   watch -> WATCH_TOPIC_LIST -> snapshot -> WATCH_TOPIC_UPDATE: a change ... -> unwatch: WATCH_TOPIC_LIST_CLOSE -> WATCH_CLOSED
 *    ^__________ backoff ___________| connection lost
 *
 * A watcher is a request without a RESULT. It is open while its task waits for an answer that never comes: so it
 * hears, like any task, that its connection is lost.
 */
#include <string.h>

#include "pulsar/session_conn.h"
#include "pulsar/session_request.h"

/* ---- what it tells ---- */

typedef struct change {
  kopi_ps_node node;
  uint64_t watcher;
  uint64_t context;
  kop_slice *added;
  kop_slice *removed;
  uint32_t added_count;
  uint32_t removed_count;
  uint64_t bytes; /* charged as received */
  bool snapshot;
} change;

static void show_change(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx, kopi_ps_body *body) {
  (void)s;
  const change *c = KOPI_CONTAINER_OF(node, change, node);
  fx->kind = KOP_PULSAR_TOPICS_CHANGED;
  fx->flags = c->snapshot ? KOP_PULSAR_SNAPSHOT : 0;
  fx->target = c->watcher;
  fx->context = c->context;
  fx->body_size = sizeof body->topics;
  body->topics.added = c->added;
  body->topics.added_count = c->added_count;
  body->topics.removed = c->removed;
  body->topics.removed_count = c->removed_count;
}

static void bury_change(kopi_ps *s, kopi_ps_node *node) {
  change *c = KOPI_CONTAINER_OF(node, change, node);
  s->stats.receive_bytes -= c->bytes;
  kopi_free(&s->alloc, c->added);
  kopi_free(&s->alloc, c->removed);
  kopi_free(&s->alloc, c);
  kopi_ps_receive_relieve(s);
}

static const kopi_ps_news CHANGE_NEWS = {.show = show_change, .bury = bury_change};

static void show_closed(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx, kopi_ps_body *body) {
  (void)s;
  const kopi_ps_request *r = KOPI_CONTAINER_OF(node, kopi_ps_request, node);
  fx->kind = KOP_PULSAR_WATCH_CLOSED;
  fx->target = r->id;
  fx->context = r->context;
  kopi_ps_show_reason(fx, body, &r->why);
}

static void bury_closed(kopi_ps *s, kopi_ps_node *node) {
  kopi_ps_request_free(s, KOPI_CONTAINER_OF(node, kopi_ps_request, node));
}

static const kopi_ps_news CLOSED_NEWS = {.show = show_closed, .bury = bury_closed};

static uint64_t names_bytes(const char *const *names, size_t n) {
  uint64_t bytes = n * sizeof(kop_slice);
  for (size_t i = 0; i < n; i++)
    bytes += strlen(names[i]);
  return bytes;
}

/* KOP_ERR_NOMEM: nothing was told. */
static kop_status tell_change(kopi_ps *s, const kopi_ps_request *r, const kopi_ps_command *m,
                              bool snapshot) {
  change *c = kopi_calloc(&s->alloc, 1, sizeof *c);
  if (c == NULL) return KOP_ERR_NOMEM;
  c->node.news = &CHANGE_NEWS;
  c->watcher = r->id;
  c->context = r->context;
  c->snapshot = snapshot;
  c->added_count = (uint32_t)m->topics_count;
  c->removed_count = (uint32_t)m->removed_count;
  kop_status status = kopi_ps_names_copy(s, m->topics, m->topics_count, &c->added);
  if (status == KOP_OK) status = kopi_ps_names_copy(s, m->removed, m->removed_count, &c->removed);
  if (status != KOP_OK) {
    kopi_free(&s->alloc, c->added);
    kopi_free(&s->alloc, c);
    return status;
  }
  c->bytes = sizeof *c + names_bytes(m->topics, m->topics_count) +
             names_bytes(m->removed, m->removed_count);
  s->stats.receive_bytes += c->bytes;
  kopi_ps_tell(s, &c->node);
  return KOP_OK;
}

/* ---- its life ---- */

static kop_status send_watch(kopi_ps *s, kopi_ps_task *task, kopi_ps_conn *conn, uint64_t request) {
  kopi_ps_request *r = kopi_ps_request_of(task);
  if ((conn->features & KOP_PULSAR_SERVER_TOPIC_WATCHERS) == 0) return KOP_ERR_UNSUPPORTED;
  r->watched = conn->id;
  return kopi_ps_put_watch(s, conn, request, r->id, r->finder.topic, r->pattern);
}

static void watch(kopi_ps *s, kopi_ps_request *r);

static void on_again(kopi_ps *s, kopi_ps_alarm *alarm) {
  watch(s, kopi_ps_request_of(KOPI_CONTAINER_OF(alarm, kopi_ps_task, alarm)));
}

static void failed(kopi_ps *s, kopi_ps_request *r, const kopi_ps_why *why) {
  r->is_watching = false;
  if (!kopi_ps_request_retry(s, r, why, on_again)) kopi_ps_watch_end(s, r, why);
}

static kop_status never(kopi_ps *s, kopi_ps_task *task, kopi_ps_conn *conn, uint64_t request) {
  (void)s;
  (void)task;
  (void)conn;
  (void)request;
  return KOP_OK; /* nothing is sent */
}

static void on_lost(kopi_ps *s, kopi_ps_task *task, const kopi_ps_answer *answer) {
  failed(s, kopi_ps_request_of(task), &answer->why);
}

static void on_watching(kopi_ps *s, kopi_ps_request *r, const kopi_ps_command *c) {
  static const kopi_ps_task_ops LISTEN = {.send = never, .done = on_lost};
  if (tell_change(s, r, c, true) != KOP_OK) {
    s->stats.memory_closes_total++;
    kopi_ps_why why = kopi_ps_why_text(KOP_PULSAR_LIMITED, "out of memory");
    failed(s, r, &why);
    kopi_ps_conn_fail(s, c->conn, &why); /* or it would go on telling */
    return;
  }
  r->is_watching = true;
  r->failures = 0;
  r->give_up_at = UINT64_MAX; /* what was once possible is tried for ever */
  kopi_ps_task_begin(s, &r->finder.task, &LISTEN, c->conn);
  kopi_ps_task_wait_for_ever(s, &r->finder.task);
}

static void on_answer(kopi_ps *s, kopi_ps_task *task, const kopi_ps_answer *answer) {
  kopi_ps_request *r = kopi_ps_request_of(task);
  if (answer->why.outcome != KOP_PULSAR_DONE) {
    failed(s, r, &answer->why);
  } else if (answer->command->kind != KOPI_PS_WATCH_SUCCESS) {
    kopi_ps_why why =
        kopi_ps_why_text(KOP_PULSAR_BAD_ANSWER, "another answer than the one to watching");
    failed(s, r, &why);
  } else {
    on_watching(s, r, answer->command);
  }
}

static void watch(kopi_ps *s, kopi_ps_request *r) {
  static const kopi_ps_task_ops WATCH = {.send = send_watch, .done = on_answer};
  kopi_ps_why why = {.outcome = KOP_PULSAR_DONE};
  kopi_ps_conn *conn = kopi_ps_conn_service(s, &why);
  if (conn == NULL) {
    failed(s, r, &why);
  } else {
    kopi_ps_task_begin(s, &r->finder.task, &WATCH, conn);
  }
}

void kopi_ps_watch_on_update(kopi_ps *s, kopi_ps_conn *conn, const kopi_ps_command *c) {
  kopi_ps_request *r = kopi_map_u64_find(&s->requests, c->id);
  if (r == NULL || r->kind != 0 || !r->is_watching || r->watched != conn->id) return;
  if (tell_change(s, r, c, false) != KOP_OK) {
    s->stats.memory_closes_total++;
    kopi_ps_conn_fail_text(s, conn, KOP_PULSAR_LIMITED, "out of memory");
  }
}

void kopi_ps_watch_end(kopi_ps *s, kopi_ps_request *r, const kopi_ps_why *why) {
  kopi_ps_conn *conn = r->finder.task.conn;
  bool asked = conn != NULL && r->finder.task.request != 0;
  kopi_ps_request_finish(s, r, why);
  if (asked && kopi_ps_put_unwatch(s, conn, ++s->last_request, r->id) != KOP_OK)
    kopi_ps_conn_fail_text(s, conn, KOP_PULSAR_LIMITED, "a close could not be sent");
}

/* ---- calls ---- */

kop_status kop_pulsar_watch(kop_pulsar_session *s, kop_slice ns, uint64_t context, kop_now now,
                            uint64_t *watcher) {
  static const char PREFIX[] = "persistent://";
  static const char SUFFIX[] = "/.*";
  s->now = now.mono_ns;
  *watcher = 0;
  if (ns.len == 0 || !kopi_ps_is_text(ns)) return KOP_ERR_INVALID;
  if (s->shutting_down) return KOP_ERR_STATE;
  kop_status status = KOP_OK;
  kopi_ps_request *r = kopi_ps_request_new(s, 2 * ns.len + sizeof PREFIX + sizeof SUFFIX, &status);
  if (r == NULL) return status;
  uint8_t *at = (uint8_t *)(r + 1);
  r->finder.topic = kopi_ps_text_copy(&at, ns);
  r->pattern.ptr = at;
  memcpy(at, PREFIX, sizeof PREFIX - 1);
  at += sizeof PREFIX - 1;
  (void)kopi_ps_text_copy(&at, ns);
  memcpy(at, SUFFIX, sizeof SUFFIX - 1);
  at += sizeof SUFFIX - 1;
  r->pattern.len = (size_t)(at - r->pattern.ptr);
  r->context = context;
  r->node.news = &CLOSED_NEWS;
  r->give_up_at = kopi_ps_after(s, s->cfg.operation_ns);
  *watcher = r->id;
  watch(s, r);
  return KOP_OK;
}

kop_status kop_pulsar_unwatch(kop_pulsar_session *s, uint64_t watcher, kop_now now) {
  s->now = now.mono_ns;
  kopi_ps_request *r = kopi_map_u64_find(&s->requests, watcher);
  if (r == NULL || r->kind != 0) return KOP_ERR_NOT_FOUND;
  kopi_ps_why why = kopi_ps_why_text(KOP_PULSAR_DONE, "");
  kopi_ps_watch_end(s, r, &why);
  return KOP_OK;
}
