/* Fetch: decodes, opens the session or the set, and starts the wait. fetch.c has what follows. */
#include "engine/api.h"
#include "engine/fetch_session.h"

static void refuse(kop_engine *e, kopi_request *r, int16_t error, kop_now now) {
  kop_fetch_response p;
  (void)kop_message_init(KOP_MSG_FETCH_RESPONSE, &p, sizeof p);
  p.error_code = error;
  kopi_reply(e, r, KOP_MSG_FETCH_RESPONSE, &p, sizeof p, now);
}

/*
 * An isolation level that there is not. Below version 7 the answer has no error of its own, so each partition has one; from
 * 13 on Kafka leaves them out.
 */
static void refuse_each(kop_engine *e, kopi_request *r, const kop_fetch_request *q, kop_now now) {
  kop_fetch_response p;
  (void)kop_message_init(KOP_MSG_FETCH_RESPONSE, &p, sizeof p);
  if (r->version >= 7) p.error_code = KOP_KAFKA_UNKNOWN_SERVER_ERROR;
  int32_t topics = r->version < 13 && q->topics.len > 0 ? q->topics.len : 0;
  p.responses.ptr = kopi_request_alloc(e, r, (size_t)topics + 1, sizeof *p.responses.ptr, now);
  if (p.responses.ptr == NULL) return;
  for (int32_t i = 0; i < topics; i++) {
    const kop_fetch_request_topic *from = &q->topics.ptr[i];
    kop_fetch_response_fetchable_topic_response *to = &p.responses.ptr[p.responses.len++];
    (void)kop_struct_init(KOP_STRUCT_FETCH_RESPONSE_FETCHABLE_TOPIC_RESPONSE, to, sizeof *to);
    to->topic = from->topic;
    size_t n = from->partitions.len > 0 ? (size_t)from->partitions.len : 0;
    to->partitions.ptr = kopi_request_alloc(e, r, n + 1, sizeof *to->partitions.ptr, now);
    if (to->partitions.ptr == NULL) return;
    for (size_t j = 0; j < n; j++) {
      kop_fetch_response_partition_data *d = &to->partitions.ptr[to->partitions.len++];
      (void)kop_struct_init(KOP_STRUCT_FETCH_RESPONSE_PARTITION_DATA, d, sizeof *d);
      d->partition_index = from->partitions.ptr[j].partition;
      d->error_code = KOP_KAFKA_UNKNOWN_SERVER_ERROR;
      d->high_watermark = -1;
      d->records.ptr = (const uint8_t *)"";
    }
  }
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
    refuse_each(e, r, &q, now);
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
