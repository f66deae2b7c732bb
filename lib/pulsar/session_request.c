/* Requests of the caller: their life from the call to RESULT. */
#include "pulsar/session_request.h"

#include <string.h>

#include "pulsar/session_conn.h"

static void show_result(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx, kopi_ps_body *body) {
  (void)s;
  const kopi_ps_request *r = KOPI_CONTAINER_OF(node, kopi_ps_request, node);
  fx->kind = KOP_PULSAR_RESULT;
  fx->target = r->id;
  fx->context = r->context;
  fx->body_size = sizeof body->result;
  kop_pulsar_result *to = &body->result;
  to->request = r->kind;
  to->outcome = r->why.outcome;
  to->server_error = r->why.server_error;
  to->text = kopi_ps_blob_slice(r->why.text);
  if (r->why.outcome != KOP_PULSAR_DONE) return;
  to->last_message_id = r->last_message_id;
  to->mark_delete = r->mark_delete;
  to->broker_host = r->kind == KOP_PULSAR_REQUEST_LOOKUP ? kopi_ps_address_host(&r->place.broker)
                                                         : (kop_slice){.ptr = NULL};
  to->broker_port = r->place.broker.port;
  to->proxied = r->place.proxy.host_len > 0;
  to->partitions = r->partitions;
  to->topics = r->topics;
  to->topics_count = r->topics_count;
  to->topics_hash = kopi_ps_blob_slice(r->topics_hash);
}

static void bury_result(kopi_ps *s, kopi_ps_node *node) {
  kopi_ps_request_free(s, KOPI_CONTAINER_OF(node, kopi_ps_request, node));
}

static const kopi_ps_news RESULT_NEWS = {.show = show_result, .bury = bury_result};

kopi_ps_request *kopi_ps_request_new(kopi_ps *s, size_t more, kop_status *status) {
  if (kopi_map_u64_len(&s->requests) >= s->cfg.max_requests) {
    *status = KOP_ERR_LIMIT;
    return NULL;
  }
  *status = KOP_ERR_NOMEM;
  kopi_ps_request *r = kopi_calloc(&s->alloc, 1, sizeof *r + more);
  if (r == NULL) return NULL;
  r->id = s->last_id + 1;
  if (kopi_map_u64_insert(&s->requests, r->id, r) != KOP_OK) {
    kopi_free(&s->alloc, r);
    return NULL;
  }
  s->last_id++;
  r->node.news = &RESULT_NEWS;
  kopi_list_append(&s->all_requests, &r->all);
  *status = KOP_OK;
  return r;
}

void kopi_ps_request_finish(kopi_ps *s, kopi_ps_request *r, const kopi_ps_why *why) {
  kopi_ps_why_keep(s, &r->why, why);
  kopi_ps_task_drop(s, &r->finder.task);
  kopi_list_remove(&r->of_consumer);
  if (r->is_starting) { /* the call says it, no RESULT does */
    r->is_over = true;
    return;
  }
  (void)kopi_map_u64_remove(&s->requests, r->id);
  kopi_list_remove(&r->all);
  kopi_ps_tell(s, &r->node);
  kopi_ps_end_if_done(s);
}

void kopi_ps_request_free(kopi_ps *s, kopi_ps_request *r) {
  kopi_ps_task_drop(s, &r->finder.task);
  (void)kopi_map_u64_remove(&s->requests, r->id);
  kopi_list_remove(&r->of_consumer);
  kopi_list_remove(&r->all);
  kopi_ps_untell(&r->node);
  kopi_free(&s->alloc, r->topics);
  kopi_free(&s->alloc, r->topics_hash);
  kopi_free(&s->alloc, r->why.text);
  kopi_free(&s->alloc, r);
}

kop_status kopi_ps_names_copy(kopi_ps *s, const char *const *names, size_t n, kop_slice **out) {
  *out = NULL;
  if (n == 0) return KOP_OK;
  size_t bytes = 0;
  for (size_t i = 0; i < n; i++)
    bytes += strlen(names[i]);
  kop_slice *list = kopi_malloc(&s->alloc, n * sizeof *list + bytes);
  if (list == NULL) return KOP_ERR_NOMEM;
  uint8_t *at = (uint8_t *)(list + n);
  for (size_t i = 0; i < n; i++) {
    kop_slice name = {.ptr = (const uint8_t *)names[i], .len = strlen(names[i])};
    list[i] = kopi_ps_text_copy(&at, name);
  }
  *out = list;
  return KOP_OK;
}

/* What time mends: the broker's word for it, or that no broker could be asked. */
static bool is_passing(const kopi_ps_why *why) {
  if (why->outcome != KOP_PULSAR_REFUSED)
    return why->outcome != KOP_PULSAR_NOT_SUPPORTED && why->outcome != KOP_PULSAR_CANCELLED;
  return why->server_error == KOP_PULSAR_SERVICE_NOT_READY ||
         why->server_error == KOP_PULSAR_METADATA_ERROR ||
         why->server_error == KOP_PULSAR_PERSISTENCE_ERROR ||
         why->server_error == KOP_PULSAR_UNKNOWN_ERROR ||
         why->server_error == KOP_PULSAR_TOO_MANY_REQUESTS;
}

bool kopi_ps_request_retry(kopi_ps *s, kopi_ps_request *r, const kopi_ps_why *why,
                           void (*again)(kopi_ps *s, kopi_ps_alarm *alarm)) {
  r->failures++;
  uint64_t wait = kopi_ps_backoff(s, r->failures);
  if (!is_passing(why) || kopi_ps_after(s, wait) > r->give_up_at) return false;
  kopi_ps_alarm_set(s, &r->finder.task.alarm, wait, again);
  return true;
}

/* Those of consumers have ended with them. */
void kopi_ps_requests_shutdown(kopi_ps *s) {
  kopi_ps_why why = kopi_ps_why_text(KOP_PULSAR_CANCELLED, "the session ends");
  kopi_link *link;
  while ((link = kopi_list_first(&s->all_requests)) != NULL) {
    kopi_ps_request *r = KOPI_CONTAINER_OF(link, kopi_ps_request, all);
    if (r->kind == 0) {
      kopi_ps_watch_end(s, r, &why);
    } else {
      kopi_ps_request_finish(s, r, &why);
    }
  }
}

void kopi_ps_requests_free(kopi_ps *s) {
  kopi_link *link;
  while ((link = kopi_list_first(&s->all_requests)) != NULL)
    kopi_ps_request_free(s, KOPI_CONTAINER_OF(link, kopi_ps_request, all));
}
