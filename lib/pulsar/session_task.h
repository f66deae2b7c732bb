/*
 * A task: one command at a time and its answer.
 *
 *   begin -> waits for the connection to be READY -> send -> waits for the answer, for `operation_ns` -> done
 *
 * `done` comes exactly once for each begin, unless the task is dropped: with the answer, or with why there is none.
 */
#ifndef KOPI_PULSAR_SESSION_TASK_H
#define KOPI_PULSAR_SESSION_TASK_H

#include "pulsar/session.h"
#include "pulsar/session_command.h"

typedef struct kopi_ps_task kopi_ps_task;

/* What came: with KOP_PULSAR_DONE a command, else why there is none. Valid during the call. */
typedef struct kopi_ps_answer {
  kopi_ps_why why;
  const kopi_ps_command *command;
} kopi_ps_answer;

typedef struct kopi_ps_task_ops {
  /* Puts the command with that request id on the connection, which is READY. */
  kop_status (*send)(kopi_ps *s, kopi_ps_task *task, kopi_ps_conn *conn, uint64_t request);
  void (*done)(kopi_ps *s, kopi_ps_task *task, const kopi_ps_answer *answer);
} kopi_ps_task_ops;

struct kopi_ps_task {
  kopi_link link; /* kopi_ps_conn.waiting or .asked */
  const kopi_ps_task_ops *ops;
  kopi_ps_conn *conn;  /* NULL: idle */
  uint64_t request;    /* 0: nothing was sent */
  kopi_ps_alarm alarm; /* time for the answer; free for its owner while idle */
};

/* Begins on the connection; the task must be idle. `done` may come before it returns. */
void kopi_ps_task_begin(kopi_ps *s, kopi_ps_task *task, const kopi_ps_task_ops *ops,
                        kopi_ps_conn *conn);
/* Makes it idle; an answer that comes later is passed over. Its alarm is cancelled in any case. */
void kopi_ps_task_drop(kopi_ps *s, kopi_ps_task *task);
/* No time-out for the answer that it waits for. */
void kopi_ps_task_wait_for_ever(kopi_ps *s, kopi_ps_task *task);
/* The task that waits for that answer on that connection, or NULL. */
kopi_ps_task *kopi_ps_task_find(const kopi_ps *s, const kopi_ps_conn *conn, uint64_t request);
/* Ends the task with an answer. */
void kopi_ps_task_answer(kopi_ps *s, kopi_ps_task *task, const kopi_ps_answer *answer);
/* Ends every task of a list (kopi_ps_conn.waiting or .asked) with that reason. */
void kopi_ps_tasks_fail(kopi_ps *s, kopi_link *list, const kopi_ps_why *why);
/* Sends the commands of those that waited for the connection. */
void kopi_ps_tasks_go(kopi_ps *s, kopi_ps_conn *conn);

#endif
