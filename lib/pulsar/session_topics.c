/* Questions about topics: their owner, their partitions, which ones there are. */
#include "pulsar/session_conn.h"
#include "pulsar/session_request.h"

static kop_status send_question(kopi_ps *s, kopi_ps_task *task, kopi_ps_conn *conn,
                                uint64_t request) {
  const kopi_ps_request *r = kopi_ps_request_of(task);
  if (r->kind == KOP_PULSAR_REQUEST_TOPICS)
    return kopi_ps_put_topics(s, conn, request, r->finder.topic, r->mode);
  /* a broker without this would create the topic */
  if ((conn->features & KOP_PULSAR_SERVER_PARTITIONS_WITHOUT_CREATION) == 0)
    return KOP_ERR_UNSUPPORTED;
  return kopi_ps_put_partitions(s, conn, request, r->finder.topic);
}

static void ask(kopi_ps *s, kopi_ps_request *r);

static void on_again(kopi_ps *s, kopi_ps_alarm *alarm) {
  ask(s, kopi_ps_request_of(KOPI_CONTAINER_OF(alarm, kopi_ps_task, alarm)));
}

static void failed(kopi_ps *s, kopi_ps_request *r, const kopi_ps_why *why) {
  if (!kopi_ps_request_retry(s, r, why, on_again)) kopi_ps_request_finish(s, r, why);
}

static kopi_ps_why take_topics(kopi_ps *s, kopi_ps_request *r, const kopi_ps_command *c) {
  kop_slice *list = NULL;
  kop_status status = kopi_ps_names_copy(s, c->topics, c->topics_count, &list);
  if (status == KOP_OK && c->topics_hash.ptr != NULL) {
    r->topics_hash = kopi_ps_blob_new(s, c->topics_hash);
    if (r->topics_hash == NULL) status = KOP_ERR_NOMEM;
  }
  if (status != KOP_OK) {
    kopi_free(&s->alloc, list);
    return kopi_ps_why_text(KOP_PULSAR_LIMITED, "out of memory");
  }
  r->topics = list;
  r->topics_count = (uint32_t)c->topics_count;
  return (kopi_ps_why){.outcome = KOP_PULSAR_DONE, .server_error = KOP_PULSAR_NO_ERROR};
}

static void on_answer(kopi_ps *s, kopi_ps_task *task, const kopi_ps_answer *answer) {
  kopi_ps_request *r = kopi_ps_request_of(task);
  bool topics = r->kind == KOP_PULSAR_REQUEST_TOPICS;
  if (answer->why.outcome != KOP_PULSAR_DONE) {
    failed(s, r, &answer->why);
    return;
  }
  const kopi_ps_command *c = answer->command;
  kopi_ps_why why = answer->why;
  if (c->kind != (topics ? KOPI_PS_TOPICS_RESPONSE : KOPI_PS_PARTITIONS_RESPONSE)) {
    why = kopi_ps_why_text(KOP_PULSAR_BAD_ANSWER, "another answer than the one to the request");
  } else if (topics) {
    why = take_topics(s, r, c);
  } else {
    r->partitions = c->partitions;
  }
  kopi_ps_request_finish(s, r, &why);
}

static void on_found(kopi_ps *s, kopi_ps_finder *finder, const kopi_ps_place *place) {
  kopi_ps_request *r = KOPI_CONTAINER_OF(finder, kopi_ps_request, finder);
  kopi_ps_why why = kopi_ps_why_text(KOP_PULSAR_DONE, "");
  r->place = *place;
  kopi_ps_request_finish(s, r, &why);
}

static void on_not_found(kopi_ps *s, kopi_ps_finder *finder, const kopi_ps_answer *answer) {
  failed(s, KOPI_CONTAINER_OF(finder, kopi_ps_request, finder), &answer->why);
}

static void ask(kopi_ps *s, kopi_ps_request *r) {
  static const kopi_ps_finder_ops LOOKUP = {.found = on_found, .failed = on_not_found};
  static const kopi_ps_task_ops QUESTION = {.send = send_question, .done = on_answer};
  if (r->kind == KOP_PULSAR_REQUEST_LOOKUP) {
    kopi_ps_find(s, &r->finder, &LOOKUP);
    return;
  }
  kopi_ps_why why = {.outcome = KOP_PULSAR_DONE};
  kopi_ps_conn *conn = kopi_ps_conn_service(s, &why);
  if (conn == NULL) {
    failed(s, r, &why);
  } else {
    kopi_ps_task_begin(s, &r->finder.task, &QUESTION, conn);
  }
}

static kop_status begin(kopi_ps *s, uint32_t kind, uint32_t mode, kop_slice name, uint64_t context,
                        kop_now now, uint64_t *request) {
  s->now = now.mono_ns;
  *request = 0;
  if (name.len == 0 || !kopi_ps_is_text(name)) return KOP_ERR_INVALID;
  if (s->shutting_down) return KOP_ERR_STATE;
  kop_status status = KOP_OK;
  kopi_ps_request *r = kopi_ps_request_new(s, name.len, &status);
  if (r == NULL) return status;
  uint8_t *at = (uint8_t *)(r + 1);
  r->finder.topic = kopi_ps_text_copy(&at, name);
  r->kind = kind;
  r->mode = mode;
  r->context = context;
  r->give_up_at = kopi_ps_after(s, s->cfg.operation_ns);
  *request = r->id;
  ask(s, r);
  return KOP_OK;
}

kop_status kop_pulsar_lookup(kop_pulsar_session *s, kop_slice topic, uint64_t context, kop_now now,
                             uint64_t *request) {
  return begin(s, KOP_PULSAR_REQUEST_LOOKUP, 0, topic, context, now, request);
}

kop_status kop_pulsar_partitions(kop_pulsar_session *s, kop_slice topic, uint64_t context,
                                 kop_now now, uint64_t *request) {
  return begin(s, KOP_PULSAR_REQUEST_PARTITIONS, 0, topic, context, now, request);
}

kop_status kop_pulsar_topics(kop_pulsar_session *s, kop_slice ns, uint32_t mode, uint64_t context,
                             kop_now now, uint64_t *request) {
  if (mode > KOP_PULSAR_TOPICS_ALL) return KOP_ERR_INVALID;
  return begin(s, KOP_PULSAR_REQUEST_TOPICS, mode, ns, context, now, request);
}
