/* Answers from memory, and the lease they need. */
#include "engine/lease.h"

void kopi_lease_begin(kop_engine *e, kopi_request *r) {
  e->lease_round++; /* what was marked for the request before this one does not count */
  r->questions = NULL;
  r->questions_open = 0;
}

/* Marks what was not confirmed, and lets the partitions go. */
static void close_questions(kop_engine *e, kopi_request *r) {
  e->lease_round++;
  kopi_lease_question *q = r->questions;
  r->questions = NULL;
  for (; q != NULL; q = q->next_asked) {
    if (!q->confirmed) q->p->unconfirmed_round = e->lease_round;
    kopi_partition_unhold(e, q->p);
  }
}

bool kopi_lease_ask(kop_engine *e, kopi_request *r, kopi_partition *p, kop_now now) {
  if (!e->leases || p == NULL || kopi_partition_leads(p) != 0 || kopi_partition_in_lease(p, now))
    return true;
  kopi_lease_question *q = kopi_request_alloc(e, r, 1, sizeof *q, now);
  if (q == NULL) {
    if (r->questions_open == 0) close_questions(e, r); /* else the last answer does */
    return false;
  }
  *q = (kopi_lease_question){.next_asked = r->questions, .request = r, .p = p};
  r->questions = q;
  kopi_partition_hold(p);
  if (!kopi_partition_confirm(e, p)) return true; /* it stays unconfirmed */
  q->open = true;
  r->questions_open++;
  kopi_request_pin(r);
  kopi_lease_question **link = &p->questions;
  while (*link != NULL)
    link = &(*link)->next;
  *link = q;
  return true;
}

static void on_deadline(kop_engine *e, kopi_alarm *alarm, kop_now now) {
  (void)kopi_lease_cut_short(e, KOPI_CONTAINER_OF(alarm, kopi_request, alarm), now);
}

static void resume(kop_engine *e, kopi_request *r, kop_now now) {
  if (r->alarm.fire == on_deadline) kopi_alarm_cancel(e, &r->alarm);
  close_questions(e, r);
  if (r->state == KOPI_REQUEST_RUNNING) r->resume(e, r, now);
}

bool kopi_lease_wait(kop_engine *e, kopi_request *r, int64_t wait_ms,
                     void (*resume_with)(kop_engine *e, kopi_request *r, kop_now now),
                     kop_now now) {
  if (r->questions_open == 0) {
    close_questions(e, r);
    return false;
  }
  r->resume = resume_with;
  if (wait_ms > 0) {
    r->alarm.fire = on_deadline;
    kopi_alarm_set(e, &r->alarm, kopi_later(now, kopi_ms(wait_ms)));
  }
  return true;
}

bool kopi_lease_cut_short(kop_engine *e, kopi_request *r, kop_now now) {
  if (r->questions == NULL) return false;
  resume(e, r, now);
  return true;
}

int16_t kopi_lease_error(const kop_engine *e, const kopi_partition *p) {
  int16_t error = kopi_partition_leads(p);
  if (error == 0 && p->unconfirmed_round == e->lease_round) return KOP_KAFKA_NOT_LEADER_OR_FOLLOWER;
  return error;
}

void kopi_lease_answered(kop_engine *e, kopi_partition *p, bool confirmed, kop_now now) {
  kopi_lease_question *q = p->questions;
  p->questions = NULL;
  while (q != NULL) {
    kopi_lease_question *next = q->next;
    kopi_request *r = q->request;
    q->open = false;
    q->confirmed = confirmed;
    r->questions_open--;
    if (r->questions_open == 0 && r->questions != NULL) resume(e, r, now);
    kopi_request_unpin(e, r, now);
    q = next;
  }
}
