/*
 * The world of the harness behind kop/host.h.
 *
 * Each callback is a function of its own, so that one that is called for another's effect is found. Of each kind every other answer, the first among
 * them, is given in the return, the rest by kop_engine_complete from inside the callback; what a test's filter holds is answered when the test says so.
 */
#include "harness.h"

static void fill(kop_host_answer *a, const kop_effect *fx, const kh_result *r,
                 const kop_completion *c) {
  a->outcome = c->outcome;
  a->kafka_error = c->kafka_error;
  a->flags = c->flags;
  if (c->body == NULL) return;
  switch (fx->kind) {
  case KOP_EFFECT_ACQUIRE:
    a->acquired = r->acquired;
    break;
  case KOP_EFFECT_CONFIRM:
    a->confirmed = r->confirmed;
    break;
  case KOP_EFFECT_APPEND:
    a->appended = r->appended;
    break;
  case KOP_EFFECT_READ:
    a->read = r->read;
    break;
  case KOP_EFFECT_LIST_OFFSETS:
    a->listed = r->listed;
    break;
  case KOP_EFFECT_DELETE_RECORDS:
    a->deleted = r->deleted;
    break;
  case KOP_EFFECT_STATE_GET:
    a->state = r->state;
    break;
  case KOP_EFFECT_ALLOCATE_PRODUCER_IDS:
    a->ids = r->ids;
    break;
  default:
    cr_assert_fail("a result for kind %u", fx->kind);
  }
}

/* Callbacks may not pump: the pump that called them goes on with what there is. */
static void try_to_pump(kh *h) {
  cr_assert_eq(kop_host_pump(h->host, h->now), KOP_ERR_STATE);
}

static int32_t serve(kh *h, uint32_t kind, const kop_effect *fx, kop_host_answer *answer) {
  cr_assert_eq(fx->kind, kind, "the callback of kind %u was called for kind %u", kind, fx->kind);
  cr_assert_eq(answer->size, sizeof *answer);
  try_to_pump(h);
  if (kh_look(h, fx) != KH_AUTO) return KOP_HOST_LATER;
  if (h->counts[kind] % 2 == 0) {
    kh_complete(h, fx, KOP_DONE, 0);
    return KOP_HOST_LATER;
  }
  kh_result r;
  kop_completion c = {.token = fx->token, .outcome = KOP_DONE};
  kh_serve(h, fx, &r, &c);
  fill(answer, fx, &r, &c);
  return KOP_HOST_ANSWERED;
}

static void tell(kh *h, uint32_t kind, const kop_effect *fx) {
  cr_assert_eq(fx->kind, kind, "the callback of kind %u was called for kind %u", kind, fx->kind);
  try_to_pump(h);
  if (kh_look(h, fx) == KH_AUTO) kh_tell(h, fx);
}

static int32_t face_send(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_SEND, fx, answer);
}

static int32_t face_acquire(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_ACQUIRE, fx, answer);
}

static int32_t face_confirm(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_CONFIRM, fx, answer);
}

static int32_t face_resign(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_RESIGN, fx, answer);
}

static int32_t face_append(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_APPEND, fx, answer);
}

static int32_t face_read(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_READ, fx, answer);
}

static int32_t face_list_offsets(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_LIST_OFFSETS, fx, answer);
}

static int32_t face_delete_records(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_DELETE_RECORDS, fx, answer);
}

static int32_t face_state_put(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_STATE_PUT, fx, answer);
}

static int32_t face_state_get(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_STATE_GET, fx, answer);
}

static int32_t face_allocate_producer_ids(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_ALLOCATE_PRODUCER_IDS, fx, answer);
}

static int32_t face_lookup_topic(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_LOOKUP_TOPIC, fx, answer);
}

static int32_t face_create_topic(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_CREATE_TOPIC, fx, answer);
}

static int32_t face_delete_topic(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_DELETE_TOPIC, fx, answer);
}

static int32_t face_create_partitions(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_CREATE_PARTITIONS, fx, answer);
}

static int32_t face_alter_configs(void *h, const kop_effect *fx, kop_host_answer *answer) {
  return serve(h, KOP_EFFECT_ALTER_CONFIGS, fx, answer);
}

static void face_close(void *h, const kop_effect *fx) {
  tell(h, KOP_EFFECT_CLOSE, fx);
}

static void face_recv_pause(void *h, const kop_effect *fx) {
  tell(h, KOP_EFFECT_RECV_PAUSE, fx);
}

static void face_recv_resume(void *h, const kop_effect *fx) {
  tell(h, KOP_EFFECT_RECV_RESUME, fx);
}

static void face_release(void *h, const kop_effect *fx) {
  tell(h, KOP_EFFECT_RELEASE, fx);
}

static void face_log(void *h, const kop_effect *fx) {
  tell(h, KOP_EFFECT_LOG, fx);
}

kop_status kh_host_start(kh *h, const kop_engine_config *config) {
  kop_host_ops ops = {
      .size = sizeof ops,
      .user_data = h,
      .send = face_send,
      .close = face_close,
      .recv_pause = face_recv_pause,
      .recv_resume = face_recv_resume,
  };
  if ((config->effects & KH_KIND(ACQUIRE)) != 0) ops.acquire = face_acquire;
  if ((config->effects & KH_KIND(CONFIRM)) != 0) ops.confirm = face_confirm;
  if ((config->effects & KH_KIND(RESIGN)) != 0) ops.resign = face_resign;
  if ((config->effects & KH_KIND(APPEND)) != 0) ops.append = face_append;
  if ((config->effects & KH_KIND(READ)) != 0) ops.read = face_read;
  if ((config->effects & KH_KIND(LIST_OFFSETS)) != 0) ops.list_offsets = face_list_offsets;
  if ((config->effects & KH_KIND(DELETE_RECORDS)) != 0) ops.delete_records = face_delete_records;
  if ((config->effects & KH_KIND(STATE_PUT)) != 0) ops.state_put = face_state_put;
  if ((config->effects & KH_KIND(STATE_GET)) != 0) ops.state_get = face_state_get;
  if ((config->effects & KH_KIND(ALLOCATE_PRODUCER_IDS)) != 0)
    ops.allocate_producer_ids = face_allocate_producer_ids;
  if ((config->effects & KH_KIND(LOOKUP_TOPIC)) != 0) ops.lookup_topic = face_lookup_topic;
  if ((config->effects & KH_KIND(CREATE_TOPIC)) != 0) ops.create_topic = face_create_topic;
  if ((config->effects & KH_KIND(DELETE_TOPIC)) != 0) ops.delete_topic = face_delete_topic;
  if ((config->effects & KH_KIND(CREATE_PARTITIONS)) != 0)
    ops.create_partitions = face_create_partitions;
  if ((config->effects & KH_KIND(ALTER_CONFIGS)) != 0) ops.alter_configs = face_alter_configs;
  if ((config->effects & KH_KIND(RELEASE)) != 0) ops.release = face_release;
  if ((config->effects & KH_KIND(LOG)) != 0) ops.log = face_log;
  kop_status status = kop_host_new(&ops, config, h->now, &h->host);
  h->e = status == KOP_OK ? kop_host_engine(h->host) : NULL;
  return status;
}
