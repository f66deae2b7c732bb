/*
 * DeleteTopics: by name, or from version 6 on by id. The answer comes when no live node of the embedder knows the topic any more.
 *
 * What is named twice is answered once with INVALID_REQUEST and not deleted; so is a topic that is named by its name and its id.
 */
#include <string.h>

#include "engine/answer.h"
#include "engine/api.h"

typedef kop_delete_topics_response_deletable_topic_result topic_result;

typedef struct deletion {
  struct delete_topics *all;
  kop_slice name; /* as asked for, or null */
  kop_uuid id;    /* as asked for, or zero */
  topic_result *to;
  bool open;
} deletion;

typedef struct delete_topics {
  kopi_gather gather; /* first */
  kop_delete_topics_request q;
  kop_delete_topics_response p;
  deletion *items;
} delete_topics;

static void fail(deletion *d, int16_t error, const char *message) {
  d->to->error_code = error;
  if (message != NULL && d->all->gather.r->version >= 5) d->to->error_message = kopi_text(message);
}

static void on_deleted(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  deletion *d = op->owner;
  delete_topics *all = d->all;
  d->open = false;
  if (!all->gather.replied && c->outcome != KOP_DONE) fail(d, kopi_outcome_error(c), NULL);
  kopi_gather_answered(e, &all->gather, now);
}

static void delete_topic(kop_engine *e, deletion *d, const kopi_topic *t) {
  kopi_op *op = kopi_gather_op(e, &d->all->gather, KOP_EFFECT_DELETE_TOPIC, 0, on_deleted, d);
  if (op == NULL) {
    fail(d, KOP_KAFKA_UNKNOWN_SERVER_ERROR, "no memory");
    return;
  }
  d->open = true;
  op->body.topic.id = t->id;
  kopi_op_emit(&e->ops, op);
}

static void reply(kop_engine *e, kopi_gather *g, bool timed_out, kop_now now) {
  delete_topics *all = (delete_topics *)g;
  for (int32_t i = 0; timed_out && i < all->p.responses.len; i++) {
    if (all->items[i].open) fail(&all->items[i], KOP_KAFKA_REQUEST_TIMED_OUT, NULL);
  }
  kopi_reply(e, g->r, KOP_MSG_DELETE_TOPICS_RESPONSE, &all->p, sizeof all->p, now);
}

/* One item per topic that is asked for. */
static bool collect(kop_engine *e, delete_topics *all, kop_now now) {
  kopi_request *r = all->gather.r;
  bool by_state = r->version >= 6;
  size_t n = by_state ? (size_t)all->q.topics.len : (size_t)all->q.topic_names.len;
  all->items = kopi_request_alloc(e, r, n + 1, sizeof(deletion), now);
  if (all->items == NULL) return false;
  all->p.responses.ptr = kopi_answer_array(
      e, r, KOP_STRUCT_DELETE_TOPICS_RESPONSE_DELETABLE_TOPIC_RESULT, n, sizeof(topic_result), now);
  if (all->p.responses.ptr == NULL) return false;
  for (size_t i = 0; i < n; i++) {
    deletion *d = &all->items[i];
    *d = (deletion){.all = all, .to = &all->p.responses.ptr[i]};
    d->name = by_state ? all->q.topics.ptr[i].name : all->q.topic_names.ptr[i];
    if (by_state) d->id = all->q.topics.ptr[i].topic_id;
    d->to->name = d->name;
    d->to->topic_id = d->id;
  }
  all->p.responses.len = (int32_t)n;
  return true;
}

/* What an item is known by among the others: an id and a name are never equal, as a name has no zero byte in front. */
static kop_slice key_of(const kop_engine *e, const deletion *d) {
  if (kopi_uuid_is_zero(&d->id)) return d->name;
  const kopi_topic *t = kopi_topic_by_id(e, &d->id);
  return t != NULL ? t->name : (kop_slice){.ptr = d->id.bytes, .len = sizeof d->id.bytes};
}

/* A topic that is meant twice is answered with all that was given of it. */
static void merge(deletion *first, const deletion *again) {
  if (first->to->name.ptr == NULL) first->to->name = again->name;
  if (kopi_uuid_is_zero(&first->to->topic_id)) first->to->topic_id = again->id;
  fail(first, KOP_KAFKA_INVALID_REQUEST, "the topic is named twice");
}

/* Takes out the items that were merged into others. */
static void close_up(delete_topics *all) {
  int32_t kept = 0;
  for (int32_t i = 0; i < all->p.responses.len; i++) {
    if (all->items[i].to == NULL) continue;
    topic_result *to = &all->p.responses.ptr[kept];
    *to = *all->items[i].to;
    all->items[kept] = all->items[i];
    all->items[kept++].to = to;
  }
  all->p.responses.len = kept;
}

/* Items with both or neither of name and id are wrong; the others are wrong if another one means the same topic. */
static bool find_faults(kop_engine *e, delete_topics *all, kop_now now) {
  kopi_request *r = all->gather.r;
  size_t n = (size_t)all->p.responses.len;
  deletion **sound = kopi_request_alloc(e, r, n + 1, sizeof(deletion *), now);
  kop_slice *keys = sound == NULL ? NULL : kopi_request_alloc(e, r, n + 1, sizeof(kop_slice), now);
  size_t *firsts = keys == NULL ? NULL : kopi_request_alloc(e, r, n + 1, sizeof(size_t), now);
  uint8_t *marks = firsts == NULL ? NULL : kopi_request_alloc(e, r, n + 1, 1, now);
  if (marks == NULL) return false;
  size_t len = 0;
  for (size_t i = 0; i < n; i++) {
    deletion *d = &all->items[i];
    if ((d->name.ptr != NULL) == kopi_uuid_is_zero(&d->id)) {
      sound[len] = d;
      keys[len++] = key_of(e, d);
    } else {
      fail(d, KOP_KAFKA_INVALID_REQUEST, "either the topic's name or its id must be given");
    }
  }
  if (!kopi_find_repeats(e, r, keys, len, marks, firsts, now)) return false;
  for (size_t i = 0; i < len; i++) {
    if (marks[i] != KOPI_REPEAT_AGAIN) continue;
    merge(sound[firsts[i]], sound[i]);
    sound[i]->to = NULL;
  }
  close_up(all);
  return true;
}

static void run(kop_engine *e, delete_topics *all) {
  for (int32_t i = 0; i < all->p.responses.len; i++) {
    deletion *d = &all->items[i];
    if (d->to->error_code != 0) continue;
    bool by_id = !kopi_uuid_is_zero(&d->id);
    const kopi_topic *t = by_id ? kopi_topic_by_id(e, &d->id) : kopi_topic_by_name(e, d->name);
    if (t == NULL && by_id) {
      fail(d, KOP_KAFKA_UNKNOWN_TOPIC_ID, "there is no topic with this id");
    } else if (t == NULL) {
      fail(d, KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "there is no topic with this name");
    } else {
      void *name = NULL; /* the topic is gone when the reply is written */
      if (kop_arena_alloc(all->gather.r->arena, t->name.len, 1, &name) != KOP_OK) {
        fail(d, KOP_KAFKA_UNKNOWN_SERVER_ERROR, "no memory");
        continue;
      }
      memcpy(name, t->name.ptr, t->name.len);
      d->to->name = (kop_slice){.ptr = name, .len = t->name.len};
      if (all->gather.r->version >= 6) d->to->topic_id = t->id;
      delete_topic(e, d, t);
    }
  }
}

void kopi_api_delete_topics(kop_engine *e, kopi_request *r, kop_now now) {
  delete_topics *all = kopi_request_alloc(e, r, 1, sizeof *all, now);
  if (all == NULL) return;
  if (!kopi_request_decode(e, r, KOP_MSG_DELETE_TOPICS_REQUEST, &all->q, sizeof all->q, now))
    return;
  (void)kop_message_init(KOP_MSG_DELETE_TOPICS_RESPONSE, &all->p, sizeof all->p);
  kopi_gather_begin(&all->gather, r, all->q.timeout_ms, reply);
  if (!collect(e, all, now)) return;
  int16_t error = 0;
  if (!e->settings.delete_topic_enable) {
    error = r->version >= 3 ? KOP_KAFKA_TOPIC_DELETION_DISABLED : KOP_KAFKA_INVALID_REQUEST;
  } else if (all->q.timeout_ms <= 0) {
    error = KOP_KAFKA_REQUEST_TIMED_OUT;
  }
  for (int32_t i = 0; i < all->p.responses.len && error != 0; i++)
    fail(&all->items[i], error, NULL);
  if (error == 0) {
    if (!find_faults(e, all, now)) return;
    run(e, all);
  }
  kopi_gather_end(e, &all->gather, now);
}
