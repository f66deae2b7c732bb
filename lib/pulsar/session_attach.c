/* From a topic's name to an open producer or consumer, and back there whenever it is lost. */
#include "pulsar/session_attach.h"

#include "pulsar/session_conn.h"

/* How many are READY counts in the statistics. */
static void set_state(kopi_ps *s, kopi_ps_attach *a, uint8_t state) {
  bool is_producer = a->kind->ready == KOP_PULSAR_PRODUCER_READY;
  uint64_t *gauge = is_producer ? &s->stats.producers_ready : &s->stats.consumers_ready;
  if (a->state == KOPI_PS_READY) --*gauge;
  if (state == KOPI_PS_READY) ++*gauge;
  a->state = state;
}

/* ---- what it tells ---- */

static void show_state(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx, kopi_ps_body *body) {
  kopi_ps_attach *a = KOPI_CONTAINER_OF(node, kopi_ps_attach, node);
  fx->target = a->id;
  fx->context = a->context;
  if (a->state == KOPI_PS_READY) {
    fx->kind = a->kind->ready;
    a->kind->show_ready(s, a, fx, body);
  } else if (a->state == KOPI_PS_OPENING && a->waits_there) {
    fx->kind = KOP_PULSAR_PRODUCER_WAITING;
  } else if (a->state != KOPI_PS_CLOSING) {
    fx->kind = a->state == KOPI_PS_ENDED ? a->kind->closed : a->kind->down;
    kopi_ps_show_reason(fx, body, &a->why);
  }
}

static void bury_closed(kopi_ps *s, kopi_ps_node *node) {
  kopi_ps_attach *a = KOPI_CONTAINER_OF(node, kopi_ps_attach, node);
  a->kind->bury(s, a);
}

static const kopi_ps_news STATE_NEWS = {.show = show_state};
static const kopi_ps_news CLOSED_NEWS = {.show = show_state, .bury = bury_closed};

void kopi_ps_attach_tell_closed(kopi_ps *s, kopi_ps_attach *a) {
  kopi_list_remove(&a->all);
  a->node.news = &CLOSED_NEWS;
  kopi_ps_tell(s, &a->node);
  kopi_ps_end_if_done(s);
}

/* ---- turns ---- */

static void look_up(kopi_ps *s, kopi_ps_attach *a);

static void give_turns(kopi_ps *s) {
  if (s->giving_turns) return; /* the loop below goes on */
  s->giving_turns = true;
  kopi_link *link;
  while (s->opening < s->cfg.max_opening && (link = kopi_list_first(&s->turns)) != NULL) {
    kopi_ps_attach *a = KOPI_CONTAINER_OF(link, kopi_ps_attach, place);
    kopi_list_remove(link);
    a->has_turn = true;
    s->opening++;
    look_up(s, a);
  }
  s->giving_turns = false;
}

static void end_turn(kopi_ps *s, kopi_ps_attach *a) {
  if (!a->has_turn) return;
  a->has_turn = false;
  s->opening--;
  give_turns(s);
}

static void queue(kopi_ps *s, kopi_ps_attach *a) {
  set_state(s, a, KOPI_PS_QUEUED);
  kopi_list_append(&s->turns, &a->place);
  give_turns(s);
}

/* ---- failing ---- */

/* Errors that time mends. */
static bool is_passing(int32_t server_error) {
  switch (server_error) {
  case KOP_PULSAR_NO_ERROR:
  case KOP_PULSAR_UNKNOWN_ERROR:
  case KOP_PULSAR_METADATA_ERROR:
  case KOP_PULSAR_PERSISTENCE_ERROR:
  case KOP_PULSAR_SERVICE_NOT_READY:
  case KOP_PULSAR_PRODUCER_BLOCKED_QUOTA_ERROR:
  case KOP_PULSAR_TOO_MANY_REQUESTS:
    return true;
  default:
    return false;
  }
}

/* Errors that end even what was READY before. */
static bool is_final(int32_t server_error) {
  switch (server_error) {
  case KOP_PULSAR_AUTHENTICATION_ERROR:
  case KOP_PULSAR_AUTHORIZATION_ERROR:
  case KOP_PULSAR_PRODUCER_BLOCKED_QUOTA_EXCEPTION:
  case KOP_PULSAR_UNSUPPORTED_VERSION_ERROR:
  case KOP_PULSAR_TOPIC_NOT_FOUND:
  case KOP_PULSAR_SUBSCRIPTION_NOT_FOUND:
  case KOP_PULSAR_TOPIC_TERMINATED:
  case KOP_PULSAR_INVALID_TOPIC_NAME:
  case KOP_PULSAR_INCOMPATIBLE_SCHEMA:
  case KOP_PULSAR_NOT_ALLOWED_ERROR:
  case KOP_PULSAR_PRODUCER_FENCED:
    return true;
  default:
    return false;
  }
}

static bool is_hopeless(const kopi_ps_attach *a, const kopi_ps_why *why) {
  if (why->outcome != KOP_PULSAR_REFUSED) return false;
  return a->times > 0 ? is_final(why->server_error) : !is_passing(why->server_error);
}

static void on_backoff(kopi_ps *s, kopi_ps_alarm *alarm) {
  kopi_ps_task *task = KOPI_CONTAINER_OF(alarm, kopi_ps_task, alarm);
  kopi_ps_finder *finder = KOPI_CONTAINER_OF(task, kopi_ps_finder, task);
  queue(s, KOPI_CONTAINER_OF(finder, kopi_ps_attach, finder));
}

static void back_off(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_why *why, uint64_t wait) {
  set_state(s, a, KOPI_PS_BACKOFF);
  kopi_ps_why_keep(s, &a->why, why);
  kopi_ps_alarm_set(s, &a->finder.task.alarm, wait, on_backoff);
  kopi_ps_tell(s, &a->node);
  end_turn(s, a);
}

/* A try has failed, and nothing of it is left. */
static void failed(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_why *why) {
  uint64_t wait = kopi_ps_backoff(s, ++a->failures);
  if (is_hopeless(a, why) || (a->times == 0 && kopi_ps_after(s, wait) > a->open_by)) {
    kopi_ps_attach_end(s, a, why);
  } else {
    back_off(s, a, why, wait);
  }
}

/* ---- opening ---- */

static kop_status send_open(kopi_ps *s, kopi_ps_task *task, kopi_ps_conn *conn, uint64_t request);
static void on_open(kopi_ps *s, kopi_ps_task *task, const kopi_ps_answer *answer);
static kop_status send_close(kopi_ps *s, kopi_ps_task *task, kopi_ps_conn *conn, uint64_t request);
static void on_close(kopi_ps *s, kopi_ps_task *task, const kopi_ps_answer *answer);

static const kopi_ps_task_ops OPEN_TASK = {.send = send_open, .done = on_open};
static const kopi_ps_task_ops CLOSE_TASK = {.send = send_close, .done = on_close};

static kopi_ps_attach *attach_of(kopi_ps_task *task) {
  kopi_ps_finder *finder = KOPI_CONTAINER_OF(task, kopi_ps_finder, task);
  return KOPI_CONTAINER_OF(finder, kopi_ps_attach, finder);
}

/* A close that nobody waits for. What cannot be said ends with the connection. */
static void close_there(kopi_ps *s, kopi_ps_attach *a, kopi_ps_conn *conn) {
  if (conn->state != KOPI_PS_CONN_READY) return;
  if (a->kind->close(s, a, conn, ++s->last_request) != KOP_OK)
    kopi_ps_conn_fail_text(s, conn, KOP_PULSAR_LIMITED, "a close could not be sent");
}

static kop_status send_open(kopi_ps *s, kopi_ps_task *task, kopi_ps_conn *conn, uint64_t request) {
  kopi_ps_attach *a = attach_of(task);
  kop_status status = a->kind->open(s, a, conn, request);
  if (status == KOP_OK) a->conn = conn; /* from here on it may be open over there */
  return status;
}

static void ready(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_command *c) {
  set_state(s, a, KOPI_PS_READY);
  a->conn = c->conn;
  a->failures = 0;
  a->times++;
  kopi_list_append(&c->conn->users, &a->place);
  kopi_ps_tell(s, &a->node);
  a->kind->opened(s, a, c);
  end_turn(s, a);
}

static void on_open(kopi_ps *s, kopi_ps_task *task, const kopi_ps_answer *answer) {
  kopi_ps_attach *a = attach_of(task);
  kopi_ps_conn *conn = a->conn;
  a->conn = NULL;
  a->waits_there = false;
  if (answer->why.outcome == KOP_PULSAR_DONE && answer->command->kind == a->kind->answer) {
    ready(s, a, answer->command);
    return;
  }
  kopi_ps_why why = answer->why;
  if (why.outcome == KOP_PULSAR_DONE)
    why = kopi_ps_why_text(KOP_PULSAR_BAD_ANSWER, "another answer than the one to opening");
  /* without an answer it may be open over there */
  if (conn != NULL && why.outcome != KOP_PULSAR_REFUSED) close_there(s, a, conn);
  failed(s, a, &why);
}

static void open_on(kopi_ps *s, kopi_ps_attach *a, kopi_ps_conn *conn) {
  set_state(s, a, KOPI_PS_OPENING);
  a->waits_there = false;
  a->conn = NULL;
  kopi_ps_task_begin(s, &a->finder.task, &OPEN_TASK, conn);
}

static void open_at(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_place *place) {
  kopi_ps_why why = {.outcome = KOP_PULSAR_DONE};
  kopi_ps_conn *conn = kopi_ps_place_conn(s, place, a->group, &why);
  if (conn == NULL) {
    failed(s, a, &why);
  } else {
    open_on(s, a, conn);
  }
}

static void on_found(kopi_ps *s, kopi_ps_finder *finder, const kopi_ps_place *place) {
  open_at(s, KOPI_CONTAINER_OF(finder, kopi_ps_attach, finder), place);
}

static void on_not_found(kopi_ps *s, kopi_ps_finder *finder, const kopi_ps_answer *answer) {
  failed(s, KOPI_CONTAINER_OF(finder, kopi_ps_attach, finder), &answer->why);
}

static void look_up(kopi_ps *s, kopi_ps_attach *a) {
  static const kopi_ps_finder_ops OPS = {.found = on_found, .failed = on_not_found};
  set_state(s, a, KOPI_PS_LOOKUP);
  a->finder.service = a->migrated;
  if (a->emigrates && a->kind->emigrates != NULL) a->kind->emigrates(a);
  a->emigrates = false;
  kopi_ps_find(s, &a->finder, &OPS);
}

bool kopi_ps_attach_waits(kopi_ps *s, kopi_ps_task *task) {
  if (task->ops != &OPEN_TASK) return false;
  kopi_ps_attach *a = attach_of(task);
  kopi_ps_task_wait_for_ever(s, task);
  a->waits_there = true;
  a->open_by = UINT64_MAX;
  kopi_ps_tell(s, &a->node);
  end_turn(s, a);
  return true;
}

void kopi_ps_attach_start(kopi_ps *s, kopi_ps_attach *a, uint64_t open_ns) {
  a->node.news = &STATE_NEWS;
  a->open_by = kopi_ps_after(s, open_ns);
  queue(s, a);
}

/* ---- losing it ---- */

static void leave_ready(kopi_ps *s, kopi_ps_attach *a) {
  kopi_list_remove(&a->place);
  kopi_ps_conn_used(s, a->conn);
  a->conn = NULL;
  set_state(s, a, KOPI_PS_BACKOFF);
  a->kind->lost(s, a);
}

void kopi_ps_attach_lost(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_why *why) {
  leave_ready(s, a);
  failed(s, a, why);
}

void kopi_ps_attach_moved(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_place *place) {
  kopi_ps_why why = kopi_ps_why_text(KOP_PULSAR_MOVED, a->emigrates ? "moved to another cluster"
                                                                    : "closed by the broker");
  if (a->state == KOPI_PS_READY) {
    leave_ready(s, a);
  } else if (a->state == KOPI_PS_OPENING && a->conn != NULL) {
    kopi_ps_task_drop(s, &a->finder.task);
    a->conn = NULL;
  } else if (a->state == KOPI_PS_CLOSING) {
    why = kopi_ps_why_text(KOP_PULSAR_DONE, "");
    kopi_ps_attach_end(s, a, &why);
    return;
  } else {
    return;
  }
  if (place == NULL) {
    failed(s, a, &why);
    return;
  }
  kopi_ps_why_keep(s, &a->why, &why);
  kopi_ps_tell(s, &a->node);
  open_at(s, a, place);
}

void kopi_ps_attach_migrated(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_address *to) {
  if (a->migrated == NULL) a->migrated = kopi_malloc(&s->alloc, sizeof *a->migrated);
  if (a->migrated == NULL) return;
  *a->migrated = *to;
  a->emigrates = true;
}

void kopi_ps_attach_again(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_why *why) {
  kopi_ps_conn *conn = a->conn;
  leave_ready(s, a);
  close_there(s, a, conn);
  back_off(s, a, why, kopi_ps_backoff(s, ++a->failures));
}

void kopi_ps_attach_reopen(kopi_ps *s, kopi_ps_attach *a, bool close) {
  kopi_ps_conn *conn = a->conn;
  leave_ready(s, a);
  if (close) close_there(s, a, conn);
  if (conn->state == KOPI_PS_CONN_READY) {
    open_on(s, a, conn);
  } else {
    kopi_ps_why why = kopi_ps_why_text(KOP_PULSAR_DISCONNECTED, "the connection was lost");
    failed(s, a, &why);
  }
}

/* ---- ending ---- */

static kop_status send_close(kopi_ps *s, kopi_ps_task *task, kopi_ps_conn *conn, uint64_t request) {
  kopi_ps_attach *a = attach_of(task);
  return a->kind->close(s, a, conn, request);
}

static void on_close(kopi_ps *s, kopi_ps_task *task, const kopi_ps_answer *answer) {
  kopi_ps_attach *a = attach_of(task);
  kopi_ps_conn *conn = a->conn;
  a->conn = NULL;
  if (answer->why.outcome == KOP_PULSAR_LIMITED)
    kopi_ps_conn_fail_text(s, conn, KOP_PULSAR_LIMITED, "a close could not be sent");
  kopi_ps_why why = kopi_ps_why_text(KOP_PULSAR_DONE, "");
  kopi_ps_attach_end(s, a, &why);
}

void kopi_ps_attach_end(kopi_ps *s, kopi_ps_attach *a, const kopi_ps_why *why) {
  kopi_ps_why_keep(s, &a->why, why);
  kopi_ps_task_drop(s, &a->finder.task);
  kopi_list_remove(&a->place);
  a->conn = NULL;
  set_state(s, a, KOPI_PS_ENDED);
  kopi_ps_untell(&a->node);
  end_turn(s, a);
  a->kind->ended(s, a);
}

void kopi_ps_attach_close(kopi_ps *s, kopi_ps_attach *a) {
  if (a->state == KOPI_PS_CLOSING || a->state == KOPI_PS_ENDED) return;
  bool open_there = a->state == KOPI_PS_READY || a->state == KOPI_PS_OPENING;
  kopi_ps_conn *conn = open_there ? a->conn : NULL;
  set_state(s, a, KOPI_PS_CLOSING);
  kopi_ps_untell(&a->node);
  kopi_list_remove(&a->place);
  kopi_ps_task_drop(s, &a->finder.task);
  a->kind->closing(s, a);
  if (conn != NULL && conn->state == KOPI_PS_CONN_READY) {
    a->conn = conn;
    kopi_ps_task_begin(s, &a->finder.task, &CLOSE_TASK, conn);
  } else {
    kopi_ps_why why = kopi_ps_why_text(KOP_PULSAR_DONE, "");
    kopi_ps_attach_end(s, a, &why);
  }
}

/* Closing one may end others, so those that were seen wait in a list of their own. */
void kopi_ps_attach_close_all(kopi_ps *s, kopi_link *all) {
  kopi_link seen;
  kopi_list_init(&seen);
  kopi_link *link;
  while ((link = kopi_list_first(all)) != NULL) {
    kopi_list_remove(link);
    kopi_list_append(&seen, link);
    kopi_ps_attach_close(s, KOPI_CONTAINER_OF(link, kopi_ps_attach, all));
  }
  while ((link = kopi_list_first(&seen)) != NULL) {
    kopi_list_remove(link);
    kopi_list_append(all, link);
  }
}

void kopi_ps_attach_free(kopi_ps *s, kopi_ps_attach *a) {
  kopi_ps_task_drop(s, &a->finder.task);
  kopi_list_remove(&a->place);
  kopi_list_remove(&a->all);
  kopi_ps_untell(&a->node);
  kopi_free(&s->alloc, a->migrated);
  kopi_free(&s->alloc, a->why.text);
}
