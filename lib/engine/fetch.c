/* Fetches: sets, members, waiting. Reading and replying are in fetch_read.c and fetch_reply.c. */
#include "engine/fetch.h"

#include "base/assert.h"
#include "engine/conn.h"
#include "engine/lease.h"
#include "engine/memory.h"

enum { READ_GRACE_MS = 100 /* a store gets so long, also when max.wait is shorter */ };

void kopi_fetch_set_init(kopi_fetch_set *set, bool by_id, bool session) {
  *set = (kopi_fetch_set){.by_id = by_id, .session = session};
  kopi_list_init(&set->members);
  kopi_list_init(&set->dirty);
}

static void mark(kopi_fetch_member *m, bool urgent) {
  m->urgent = m->urgent || urgent;
  if (m->dirty) return;
  m->dirty = true;
  kopi_list_append(&m->set->dirty, &m->in_dirty);
}

void kopi_fetch_member_look(kop_engine *e, kopi_fetch_member *m) {
  kopi_fetch_part part;
  kopi_fetch_judge(e, m, &part);
  /* a partition that never was there does not end the wait of one that is, as in Kafka */
  m->urgent = (part.error != 0 && (m->p != NULL || m->gone)) || part.diverging_epoch >= 0;
  bool news = m->set->session && (m->told_high_watermark != part.high_watermark ||
                                  m->told_log_start != part.log_start);
  bool data = m->p != NULL && part.error == 0 && m->offset < m->p->high_watermark;
  if (part.error != 0 || m->urgent || data || news) {
    mark(m, m->urgent);
  } else if (m->dirty) {
    m->dirty = false;
    kopi_list_remove(&m->in_dirty);
  }
}

void kopi_fetch_member_enter(kop_engine *e, kopi_fetch_set *set, kopi_fetch_member *m) {
  m->set = set;
  m->told_high_watermark = -1;
  m->told_log_start = -1;
  kopi_list_append(&set->members, &m->in_set);
  set->len++;
  if (m->p != NULL) kopi_list_append(&m->p->waiters, &m->in_waiters);
  kopi_fetch_member_look(e, m);
}

void kopi_fetch_member_leave(kopi_fetch_member *m) {
  kopi_list_remove(&m->in_set);
  kopi_list_remove(&m->in_dirty);
  kopi_list_remove(&m->in_waiters);
  m->set->len--;
}

/* About how many bytes lie between the member's position and the high watermark: by the partition's average. */
static uint64_t estimate(const kopi_fetch_member *m) {
  const kopi_partition *p = m->p;
  if (p == NULL || m->offset >= p->high_watermark || m->offset < p->log_start) return 0;
  uint64_t offsets = (uint64_t)(p->high_watermark - p->log_start);
  uint64_t wanted = (uint64_t)(p->high_watermark - m->offset);
  uint64_t each = p->log_bytes / offsets;
  return wanted * (each == 0 ? 1 : each);
}

static bool satisfied(const kopi_fetch *f) {
  return f->min_bytes <= 0 || f->available >= (uint64_t)f->min_bytes;
}

static void become_ready(kop_engine *e, kopi_fetch *f) {
  if (f->state != KOPI_FETCH_WAITING) return;
  f->state = KOPI_FETCH_READY;
  e->stats.fetches_waiting--;
  f->r->at_head = kopi_fetch_read;
  if (f->r->conn != NULL) kopi_conn_touch(e, f->r->conn);
}

static void on_max_wait(kop_engine *e, kopi_alarm *alarm, kop_now now) {
  kopi_request *r = KOPI_CONTAINER_OF(alarm, kopi_request, alarm);
  kopi_fetch *f = r->state_of_api;
  switch (f->state) {
  case KOPI_FETCH_WAITING:
    become_ready(e, f);
    kopi_alarm_set(e, alarm, kopi_later(now, kopi_ms(READ_GRACE_MS)));
    break;
  case KOPI_FETCH_READING:
    kopi_fetch_cut_short(e, f, now);
    break;
  default: /* READY: its turn in the reply queue has not come, or leases are being confirmed */
    kopi_alarm_set(e, alarm, kopi_later(now, kopi_ms(READ_GRACE_MS)));
    (void)kopi_lease_cut_short(e, r, now);
    break;
  }
}

static void end_set(kopi_fetch *f) {
  if (f->set->session) {
    f->set->fetch = NULL;
    return;
  }
  kopi_link *link;
  while ((link = kopi_list_first(&f->set->members)) != NULL) {
    kopi_fetch_member_leave(KOPI_CONTAINER_OF(link, kopi_fetch_member, in_set));
  }
}

static void on_cancel(kop_engine *e, kopi_request *r, kop_now now) {
  kopi_fetch *f = r->state_of_api;
  if (f->state == KOPI_FETCH_WAITING) e->stats.fetches_waiting--;
  kopi_fetch_end(e, f);
  kopi_no_reply(e, r, now);
}

void kopi_fetch_end(kop_engine *e, kopi_fetch *f) {
  f->state = KOPI_FETCH_ANSWERED;
  end_set(f);
  kopi_fetch_give_up_reads(e, f);
}

static bool any_known(const kopi_fetch_set *set) {
  for (kopi_link *link = set->members.next; link != &set->members; link = link->next) {
    if (KOPI_CONTAINER_OF(link, kopi_fetch_member, in_set)->p != NULL) return true;
  }
  return false;
}

void kopi_fetch_begin(kop_engine *e, kopi_fetch *f, int32_t max_wait_ms, kop_now now) {
  kopi_request *r = f->r;
  r->state_of_api = f;
  r->cancel = on_cancel;
  r->alarm.fire = on_max_wait;
  f->set->fetch = f;
  f->state = KOPI_FETCH_WAITING;
  e->stats.fetches_waiting++;
  bool at_once =
      max_wait_ms <= 0 || e->shutting_down || !any_known(f->set) || !kopi_memory_may_park(e);
  for (kopi_link *link = f->set->dirty.next; link != &f->set->dirty && !at_once;
       link = link->next) {
    const kopi_fetch_member *m = KOPI_CONTAINER_OF(link, kopi_fetch_member, in_dirty);
    f->available += estimate(m);
    at_once = m->urgent || (satisfied(f) && f->available > 0);
  }
  uint64_t wait = kopi_ms(max_wait_ms);
  if (at_once || f->min_bytes <= 0) {
    become_ready(e, f);
    if (wait < kopi_ms(READ_GRACE_MS)) wait = kopi_ms(READ_GRACE_MS);
  }
  kopi_alarm_set(e, &r->alarm, kopi_later(now, wait));
}

/* ---- what happens to partitions ---- */

void kopi_fetch_partition_grew(kop_engine *e, kopi_partition *p, uint64_t bytes, kop_now now) {
  (void)now;
  for (kopi_link *link = p->waiters.next; link != &p->waiters; link = link->next) {
    kopi_fetch_member *m = KOPI_CONTAINER_OF(link, kopi_fetch_member, in_waiters);
    mark(m, false);
    kopi_fetch *f = m->set->fetch;
    if (f == NULL || f->state != KOPI_FETCH_WAITING) continue;
    f->available += bytes;
    if (satisfied(f)) become_ready(e, f);
  }
}

static void alert(kop_engine *e, kopi_fetch_member *m) {
  kopi_fetch_member_look(e, m);
  kopi_fetch *f = m->set->fetch;
  if (f != NULL && m->urgent) become_ready(e, f);
}

void kopi_fetch_partition_changed(kop_engine *e, kopi_partition *p, kop_now now) {
  (void)now;
  for (kopi_link *link = p->waiters.next; link != &p->waiters; link = link->next) {
    alert(e, KOPI_CONTAINER_OF(link, kopi_fetch_member, in_waiters));
  }
}

void kopi_fetch_partition_gone(kop_engine *e, kopi_partition *p, kop_now now) {
  (void)now;
  kopi_link *link;
  while ((link = kopi_list_first(&p->waiters)) != NULL) {
    kopi_fetch_member *m = KOPI_CONTAINER_OF(link, kopi_fetch_member, in_waiters);
    kopi_list_remove(&m->in_waiters);
    m->p = NULL;
    m->gone = true;
    alert(e, m);
  }
}

void kopi_fetch_hurry(kop_engine *e, kopi_request *r, kop_now now) {
  kopi_fetch *f = r->cancel == on_cancel ? r->state_of_api : NULL;
  if (f == NULL || f->state != KOPI_FETCH_WAITING) return;
  become_ready(e, f);
  kopi_alarm_set(e, &r->alarm, kopi_later(now, kopi_ms(READ_GRACE_MS)));
}

void kopi_fetch_end_waiting(kop_engine *e, kop_now now) {
  (void)now;
  for (kopi_link *link = e->all_requests.next; link != &e->all_requests; link = link->next) {
    kopi_request *r = KOPI_CONTAINER_OF(link, kopi_request, all);
    if (r->cancel != on_cancel) continue;
    kopi_fetch *f = r->state_of_api;
    become_ready(e, f);
  }
}
