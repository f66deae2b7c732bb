/* A task: one command at a time and its answer. */
#include "pulsar/session_task.h"

#include "pulsar/session_conn.h"

static void on_timeout(kopi_ps *s, kopi_ps_alarm *alarm) {
  kopi_ps_task *task = KOPI_CONTAINER_OF(alarm, kopi_ps_task, alarm);
  kopi_ps_answer answer = {.why = kopi_ps_why_text(KOP_PULSAR_TIMED_OUT, "no answer in time")};
  kopi_ps_task_answer(s, task, &answer);
}

static void fail(kopi_ps *s, kopi_ps_task *task, kop_status status) {
  kopi_ps_answer answer = {.why = kopi_ps_why_text(KOP_PULSAR_LIMITED, "too many commands wait")};
  if (status == KOP_ERR_NOMEM) {
    answer.why = kopi_ps_why_text(KOP_PULSAR_LIMITED, "out of memory");
  } else if (status == KOP_ERR_UNSUPPORTED) {
    answer.why = kopi_ps_why_text(KOP_PULSAR_NOT_SUPPORTED, "this broker cannot do it");
  }
  kopi_ps_task_answer(s, task, &answer);
}

/* The task is registered before its command is queued, so that nothing is sent whose answer would find nobody. */
static void go(kopi_ps *s, kopi_ps_task *task) {
  kopi_ps_conn *conn = task->conn;
  uint64_t request = ++s->last_request;
  kop_status status = kopi_map_u64_insert(&s->tasks, request, task);
  if (status != KOP_OK) {
    fail(s, task, status);
    return;
  }
  task->request = request;
  kopi_list_remove(&task->link);
  kopi_list_append(&conn->asked, &task->link);
  kopi_ps_alarm_set(s, &task->alarm, s->cfg.operation_ns, on_timeout);
  status = task->ops->send(s, task, conn, request);
  if (status != KOP_OK) fail(s, task, status);
}

void kopi_ps_task_begin(kopi_ps *s, kopi_ps_task *task, const kopi_ps_task_ops *ops,
                        kopi_ps_conn *conn) {
  KOPI_ASSERT(task->conn == NULL);
  kopi_ps_alarm_cancel(s, &task->alarm);
  task->ops = ops;
  task->conn = conn;
  task->request = 0;
  if (conn->state == KOPI_PS_CONN_READY) {
    go(s, task);
  } else {
    kopi_list_append(&conn->waiting, &task->link);
  }
}

void kopi_ps_task_drop(kopi_ps *s, kopi_ps_task *task) {
  kopi_ps_alarm_cancel(s, &task->alarm);
  if (task->conn == NULL) return;
  kopi_list_remove(&task->link);
  if (task->request != 0) (void)kopi_map_u64_remove(&s->tasks, task->request);
  kopi_ps_conn_used(s, task->conn);
  task->request = 0;
  task->conn = NULL;
}

void kopi_ps_task_wait_for_ever(kopi_ps *s, kopi_ps_task *task) {
  kopi_ps_alarm_cancel(s, &task->alarm);
}

kopi_ps_task *kopi_ps_task_find(const kopi_ps *s, const kopi_ps_conn *conn, uint64_t request) {
  kopi_ps_task *task = kopi_map_u64_find(&s->tasks, request);
  return task != NULL && task->conn == conn ? task : NULL;
}

void kopi_ps_task_answer(kopi_ps *s, kopi_ps_task *task, const kopi_ps_answer *answer) {
  kopi_ps_task_drop(s, task);
  task->ops->done(s, task, answer);
}

void kopi_ps_tasks_fail(kopi_ps *s, kopi_link *list, const kopi_ps_why *why) {
  kopi_ps_answer answer = {.why = *why};
  kopi_link *link;
  while ((link = kopi_list_first(list)) != NULL)
    kopi_ps_task_answer(s, KOPI_CONTAINER_OF(link, kopi_ps_task, link), &answer);
}

void kopi_ps_tasks_go(kopi_ps *s, kopi_ps_conn *conn) {
  kopi_link *link;
  while (conn->state == KOPI_PS_CONN_READY && (link = kopi_list_first(&conn->waiting)) != NULL)
    go(s, KOPI_CONTAINER_OF(link, kopi_ps_task, link));
}
