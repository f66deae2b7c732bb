/* Fetch: decodes, opens the session or the set, and starts the wait. fetch.c has what follows. */
#include "engine/api.h"
#include "engine/fetch_session.h"

static void refuse(kop_engine *e, kopi_request *r, int16_t error, kop_now now) {
  kop_fetch_response p;
  (void)kop_message_init(KOP_MSG_FETCH_RESPONSE, &p, sizeof p);
  p.error_code = error;
  kopi_reply(e, r, KOP_MSG_FETCH_RESPONSE, &p, sizeof p, now);
}

/* What was entered of a set before memory ran out must not stay in the partitions' lists. */
static void abandon(kopi_fetch *f) {
  if (f->set == NULL || f->set->session) return;
  kopi_link *link;
  while ((link = kopi_list_first(&f->set->members)) != NULL) {
    kopi_fetch_member_leave(KOPI_CONTAINER_OF(link, kopi_fetch_member, in_set));
  }
}

void kopi_api_fetch(kop_engine *e, kopi_request *r, kop_now now) {
  kop_fetch_request q;
  if (!kopi_request_decode(e, r, KOP_MSG_FETCH_REQUEST, &q, sizeof q, now)) return;
  kopi_fetch *f = kopi_request_alloc(e, r, 1, sizeof *f, now);
  if (f == NULL) return;
  f->r = r;
  if (q.isolation_level != 0 && q.isolation_level != 1) {
    refuse(e, r, KOP_KAFKA_UNKNOWN_SERVER_ERROR, now);
    return;
  }
  int16_t error = kopi_fetch_session_open(e, f, &q, now);
  if (error != 0) {
    abandon(f);
    refuse(e, r, error, now);
    return;
  }
  f->read_committed = q.isolation_level == 1;
  f->min_bytes = q.min_bytes;
  int64_t max = r->version < 3 ? INT32_MAX : q.max_bytes;
  if (max > e->settings.fetch_max_bytes) max = e->settings.fetch_max_bytes;
  f->max_bytes = max < 0 ? 0 : (uint64_t)max;
  int32_t wait = q.max_wait_ms;
  kopi_request_drop_frame(
      e, r, now); /* what is needed of it has been copied: a long poll holds no frame */
  kopi_fetch_begin(e, f, wait, now);
}
