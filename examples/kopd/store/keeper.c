/*
 * The keeper: the thread that changes the catalogue.
 *
 * It takes everything that waits, in order. Small changes that come by the thousand (ACQUIRE, DELETE_RECORDS, STATE_PUT,
 * ALLOCATE_PRODUCER_IDS) share one transaction; a change of topics has one of its own. What is durable is then
 * published in memory, and only then answered. An ACQUIRE goes on to the writer, whose queue says which
 * appends of older epochs still count (writer.c).
 */
#include "store/db.h"

#include <stdlib.h>

/* ---- small changes: staged together, published one by one ---- */

static bool is_small(const kopd_op *op) {
  return op->kind == KOP_EFFECT_ACQUIRE || op->kind == KOP_EFFECT_DELETE_RECORDS ||
         op->kind == KOP_EFFECT_STATE_PUT || op->kind == KOP_EFFECT_ALLOCATE_PRODUCER_IDS;
}

/* Looks at an operation before anything is written. False: it was answered and is out of the group. */
static bool prepare_locked(kopd_store *s, kopd_op *op) {
  if (op->kind == KOP_EFFECT_ALLOCATE_PRODUCER_IDS) {
    const kop_allocate_producer_ids *body = op->body;
    op->results.ids = (kop_producer_ids){
        .size = sizeof op->results.ids, .count = body->count, .first = s->next_producer_id};
    s->next_producer_id += body->count;
    return true;
  }
  kopd_partition *p = kopd_partition_find_locked(s, op->target);
  if (p == NULL) {
    kopd_op_reject_locked(op, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    return false;
  }
  if (op->kind == KOP_EFFECT_ACQUIRE) {
    if (p->leader != op->client->node) {
      kopd_op_reject_locked(op, KAFKA_NOT_LEADER_OR_FOLLOWER);
      return false;
    }
    op->epoch = ++p->promised;
    op->base_offset = p->end;
    return true;
  }
  if (op->kind == KOP_EFFECT_STATE_PUT) {
    const kop_state *state = op->body;
    if (state->epoch == p->epoch && state->bytes.len <= 1u << 20) return true;
    kopd_op_done_locked(op, KOP_FENCED, NULL, 0);
    return false;
  }
  const kop_delete_records *body = op->body;
  if (body->epoch != p->epoch) {
    kopd_op_done_locked(op, KOP_FENCED, NULL, 0);
    return false;
  }
  if (body->before_offset > p->end) {
    kopd_op_reject_locked(op, KAFKA_OFFSET_OUT_OF_RANGE);
    return false;
  }
  return true;
}

/* Puts a group of small changes into the transaction. */
static int stage_small(kopd_db *db, void *txn, void *arg) {
  int rc = 0;
  for (const kopd_op *op = ((const kopd_queue *)arg)->first; rc == 0 && op != NULL; op = op->next) {
    switch (op->kind) {
    case KOP_EFFECT_ACQUIRE:
      rc = kopd_db_put_epoch(db, txn, op->target, op->epoch);
      if (rc == 0) rc = kopd_db_raise_end(db, txn, op->target, op->base_offset);
      break;
    case KOP_EFFECT_DELETE_RECORDS:
      rc = kopd_db_raise_start(db, txn, op->target,
                               ((const kop_delete_records *)op->body)->before_offset);
      break;
    case KOP_EFFECT_STATE_PUT:
      rc = kopd_db_put_state(db, txn, op->target, op->body);
      break;
    default:
      rc = kopd_db_put_number(db, txn, "producer",
                              (uint64_t)(op->results.ids.first + (int64_t)op->results.ids.count));
      break;
    }
  }
  return rc;
}

/* memory: has no database; the state stays with the partition. */
static int state_keep(kopd_partition *p, const kop_state *state) {
  struct kopd_saved *saved = malloc(sizeof *saved + state->name.len + state->bytes.len);
  if (saved == NULL) return -1;
  *saved = (struct kopd_saved){
      .as_of = state->as_of, .name_len = state->name.len, .bytes_len = state->bytes.len};
  if (state->name.len > 0) memcpy(saved->data, state->name.ptr, state->name.len);
  if (state->bytes.len > 0)
    memcpy(saved->data + state->name.len, state->bytes.ptr, state->bytes.len);
  struct kopd_saved **link = &p->saved;
  while (*link != NULL && ((*link)->name_len != saved->name_len ||
                           memcmp((*link)->data, saved->data, saved->name_len) != 0))
    link = &(*link)->next;
  if (*link != NULL) {
    saved->next = (*link)->next;
    free(*link);
  }
  *link = saved;
  return 0;
}

static void publish_locked(kopd_store *s, kopd_op *op) {
  if (op->kind == KOP_EFFECT_ALLOCATE_PRODUCER_IDS) {
    kopd_op_done_locked(op, KOP_DONE, &op->results.ids, sizeof op->results.ids);
    return;
  }
  kopd_partition *p = kopd_partition_find_locked(s, op->target);
  if (p == NULL) { /* cannot be: topics are deleted by this thread */
    kopd_op_reject_locked(op, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    return;
  }
  if (op->kind == KOP_EFFECT_ACQUIRE) {
    kopd_appends_push_locked(s, op, p);
    if (kopd_writer_is_due_locked(s)) pthread_cond_signal(&s->writer_wakes);
    return;
  }
  if (op->kind == KOP_EFFECT_STATE_PUT) {
    if (s->db == NULL && state_keep(p, op->body) != 0) {
      kopd_op_reject_locked(op, KAFKA_STORAGE_ERROR);
    } else {
      kopd_op_done_locked(op, KOP_DONE, NULL, 0);
    }
    return;
  }
  kopd_trim_locked(p, ((const kop_delete_records *)op->body)->before_offset);
  s->dropping_wanted = true;
  pthread_cond_signal(&s->janitor_wakes);
  op->results.deleted =
      (kop_records_deleted){.size = sizeof op->results.deleted, .log_start = p->log_start};
  kopd_op_done_locked(op, KOP_DONE, &op->results.deleted, sizeof op->results.deleted);
}

static void small_changes(kopd_store *s, kopd_queue *group) {
  kopd_queue kept = {0};
  pthread_mutex_lock(&s->lock);
  for (kopd_op *op = kopd_queue_pop(group); op != NULL; op = kopd_queue_pop(group))
    if (prepare_locked(s, op)) kopd_queue_push(&kept, op);
  pthread_mutex_unlock(&s->lock);
  if (kept.first == NULL) return;
  int rc = kopd_keep(s, stage_small, &kept);
  pthread_mutex_lock(&s->lock);
  for (kopd_op *op = kopd_queue_pop(&kept); op != NULL; op = kopd_queue_pop(&kept)) {
    if (rc == 0) {
      publish_locked(s, op);
    } else {
      kopd_op_reject_locked(op, KAFKA_STORAGE_ERROR);
    }
  }
  pthread_mutex_unlock(&s->lock);
}

/* A change of the catalogue, with one log line when it begins to fail and one when it works again. */
int kopd_keep(kopd_store *s, int (*stage)(kopd_db *db, void *txn, void *arg), void *arg) {
  int rc = kopd_db_update(s->db, stage, arg);
  if (rc == 0 && !kopd_db_is_linked(s->db)) rc = -KOPD_VANISHED;
  pthread_mutex_lock(&s->lock);
  bool failed = s->catalogue_failed;
  s->catalogue_failed = rc != 0;
  if (rc != 0) s->stats.errors_total++;
  pthread_mutex_unlock(&s->lock);
  if (rc != 0 && !failed) {
    kopd_log(s, KOP_LOG_ERROR, "store: the catalogue in %s cannot be written: %s", s->path,
             kopd_db_strerror(rc));
  } else if (rc == 0 && failed) {
    kopd_log(s, KOP_LOG_INFO, "store: the catalogue in %s can be written again", s->path);
  }
  return rc;
}

/* ---- topics ---- */

/* What a change of topics puts into its transaction. */
typedef struct topic_change {
  const kopd_topic *topic;
  uint64_t next_partition; /* 0: unchanged */
  bool gone;
} topic_change;

static int stage_topic(kopd_db *db, void *txn, void *arg) {
  const topic_change *change = arg;
  if (change->gone) return kopd_db_delete_topic(db, txn, change->topic);
  int rc = kopd_db_put_topic(db, txn, change->topic);
  if (rc == 0 && change->next_partition != 0)
    rc = kopd_db_put_number(db, txn, "partition", change->next_partition);
  return rc;
}

static void answer_locked(kopd_op *op, int16_t error) {
  kopd_op_reject_locked(op, error);
}

/* Tells all clients, and lets the operation wait until they know. */
static void told_locked(kopd_store *s, kopd_op *op, uint32_t kind, kopd_topic *t) {
  kopd_notify_all_locked(s, kind, t, NULL);
  kopd_hold_locked(s, op, UINT64_MAX);
}

static kopd_topic *topic_build(const kopd_store *s, const kop_create_topic *body) {
  kop_uuid id;
  kopd_uuid_random(&id);
  kopd_topic *t = kopd_topic_new(body->name, &id);
  if (t == NULL) return NULL;
  for (int32_t i = 0; i < body->partitions; i++) {
    int32_t assigned = body->assigned_count == 0 ? -1 : body->assigned[i];
    if (kopd_topic_add_partition(t, s->next_partition + (uint64_t)i, assigned) != 0) goto fail;
  }
  for (uint32_t i = 0; i < body->configs_count; i++)
    if (kopd_topic_set(t, body->configs[i].name, body->configs[i].value) != 0) goto fail;
  kopd_topic_derive(s, t);
  return t;
fail:
  kopd_topic_free(t);
  return NULL;
}

/*
 * Every engine counts what it knows of; here, where the changes of all nodes come one after the other, two that each see room
 * for their own do not pass together.
 */
static bool has_room_locked(const kopd_store *s, uint64_t more) {
  return s->partitions.len + more <= s->config.max_partitions;
}

static void create_topic(kopd_store *s, kopd_op *op) {
  const kop_create_topic *body = op->body;
  static const kop_uuid none;
  pthread_mutex_lock(&s->lock);
  bool there = kopd_topic_find_locked(s, body->name, &none) != NULL;
  bool has_room = body->partitions < 1 || has_room_locked(s, (uint64_t)body->partitions);
  pthread_mutex_unlock(&s->lock);
  int16_t error = there ? KAFKA_TOPIC_ALREADY_EXISTS : 0;
  if (error == 0 && (body->partitions < 1 || (body->assigned_count != 0 &&
                                              body->assigned_count != (uint32_t)body->partitions)))
    error = KAFKA_INVALID_PARTITIONS;
  if (error == 0 && !has_room) error = KAFKA_POLICY_VIOLATION;
  kopd_topic *t = error == 0 ? topic_build(s, body) : NULL;
  if (error == 0 && t == NULL) error = KAFKA_STORAGE_ERROR;
  if (error == 0) {
    topic_change change = {.topic = t,
                           .next_partition = s->next_partition + (uint64_t)body->partitions};
    /* Ids are spent even if the change fails: nobody may ever meet one twice. */
    s->next_partition = change.next_partition;
    if (kopd_keep(s, stage_topic, &change) != 0) error = KAFKA_STORAGE_ERROR;
  }
  pthread_mutex_lock(&s->lock);
  if (error == 0 && kopd_topic_publish_locked(s, t) != 0) error = KAFKA_STORAGE_ERROR;
  if (error == 0) {
    told_locked(s, op, KOP_EVENT_TOPIC, t);
  } else {
    if (t != NULL) kopd_topic_free(t);
    answer_locked(op, error);
  }
  pthread_mutex_unlock(&s->lock);
}

static kopd_topic *find(kopd_store *s, kop_slice name, const kop_uuid *id) {
  pthread_mutex_lock(&s->lock);
  kopd_topic *t = kopd_topic_find_locked(s, name, id);
  pthread_mutex_unlock(&s->lock);
  return t;
}

static void finish(kopd_store *s, kopd_op *op, int32_t outcome, int16_t error) {
  pthread_mutex_lock(&s->lock);
  op->error = error;
  kopd_op_done_locked(op, outcome, NULL, 0);
  pthread_mutex_unlock(&s->lock);
}

static void delete_topic(kopd_store *s, kopd_op *op) {
  const kop_topic_ref *body = op->body;
  kopd_topic *t = find(s, body->name, &body->id);
  if (t == NULL) {
    finish(s, op, KOP_NOT_FOUND, 0);
    return;
  }
  topic_change change = {.topic = t, .gone = true};
  if (kopd_keep(s, stage_topic, &change) != 0) {
    finish(s, op, KOP_REJECTED, KAFKA_STORAGE_ERROR);
    return;
  }
  pthread_mutex_lock(&s->lock);
  kopd_topic_withdraw_locked(s, t);
  told_locked(s, op, KOP_EVENT_TOPIC_GONE, t);
  s->dropping_wanted = true;
  pthread_cond_signal(&s->janitor_wakes);
  kopd_topic_unref(t);
  pthread_mutex_unlock(&s->lock);
}

/* A draft is a topic that is written to the catalogue before the real one changes in memory. */
static int draft_partitions(kopd_store *s, const kop_create_partitions *body, const kopd_topic *t,
                            kopd_topic **out) {
  uint32_t more = (uint32_t)body->partitions - t->partitions_count;
  kopd_topic *draft = kopd_topic_new((kop_slice){(const uint8_t *)t->name, t->name_len}, &t->id);
  if (draft == NULL) return -1;
  for (uint32_t i = 0; i < (uint32_t)body->partitions; i++) {
    bool is_new = i >= t->partitions_count;
    uint64_t id = is_new ? s->next_partition + (i - t->partitions_count) : t->partitions[i]->id;
    int32_t assigned = !is_new                        ? t->partitions[i]->assigned
                       : body->assigned_count == more ? body->assigned[i - t->partitions_count]
                                                      : -1;
    if (kopd_topic_add_partition(draft, id, assigned) != 0) goto fail;
  }
  for (uint32_t i = 0; i < t->settings_count; i++) {
    kop_slice name = {(const uint8_t *)t->settings[i].name, strlen(t->settings[i].name)};
    kop_slice value = {(const uint8_t *)t->settings[i].value, strlen(t->settings[i].value)};
    if (kopd_topic_set(draft, name, value) != 0) goto fail;
  }
  *out = draft;
  return 0;
fail:
  kopd_topic_free(draft);
  return -1;
}

/* Moves the draft's new partitions into the topic. */
static int adopt_partitions_locked(kopd_store *s, kopd_topic *t, kopd_topic *draft) {
  uint32_t old = t->partitions_count;
  kopd_partition **all = realloc(t->partitions, draft->partitions_count * sizeof *all);
  if (all == NULL) return -1;
  t->partitions = all;
  for (uint32_t i = old; i < draft->partitions_count; i++)
    all[i] = draft->partitions[i];
  t->partitions_count = draft->partitions_count;
  if (kopd_partitions_publish_locked(s, t, old) != 0) {
    t->partitions_count = old;
    return -1;
  }
  draft->partitions_count = old;
  return 0;
}

static void create_partitions(kopd_store *s, kopd_op *op) {
  const kop_create_partitions *body = op->body;
  kopd_topic *t = find(s, body->name, &body->id), *draft = NULL;
  if (t == NULL) {
    finish(s, op, KOP_NOT_FOUND, 0);
    return;
  }
  if (body->partitions < 1 || (uint32_t)body->partitions <= t->partitions_count) {
    finish(s, op, KOP_REJECTED, KAFKA_INVALID_PARTITIONS);
    return;
  }
  pthread_mutex_lock(&s->lock);
  bool has_room = has_room_locked(s, (uint32_t)body->partitions - t->partitions_count);
  pthread_mutex_unlock(&s->lock);
  if (!has_room) {
    finish(s, op, KOP_REJECTED, KAFKA_POLICY_VIOLATION);
    return;
  }
  int rc = draft_partitions(s, body, t, &draft);
  if (rc == 0) {
    s->next_partition += (uint32_t)body->partitions - t->partitions_count;
    topic_change change = {.topic = draft, .next_partition = s->next_partition};
    rc = kopd_keep(s, stage_topic, &change);
  }
  pthread_mutex_lock(&s->lock);
  if (rc == 0) rc = adopt_partitions_locked(s, t, draft);
  if (rc == 0) {
    told_locked(s, op, KOP_EVENT_TOPIC, t);
  } else {
    answer_locked(op, KAFKA_STORAGE_ERROR);
  }
  if (draft != NULL) kopd_topic_free(draft);
  pthread_mutex_unlock(&s->lock);
}

static void alter_configs(kopd_store *s, kopd_op *op) {
  const kop_alter_configs *body = op->body;
  kopd_topic *t = find(s, body->name, &body->id);
  if (t == NULL) {
    finish(s, op, KOP_NOT_FOUND, 0);
    return;
  }
  kopd_topic draft = *t;
  draft.settings = NULL;
  draft.settings_count = 0;
  int rc = 0;
  for (uint32_t i = 0; rc == 0 && i < t->settings_count; i++) {
    kop_slice name = {(const uint8_t *)t->settings[i].name, strlen(t->settings[i].name)};
    kop_slice value = {(const uint8_t *)t->settings[i].value, strlen(t->settings[i].value)};
    rc = kopd_topic_set(&draft, name, value);
  }
  for (uint32_t i = 0; rc == 0 && i < body->entries_count; i++)
    rc = kopd_topic_set(&draft, body->entries[i].name, body->entries[i].value);
  topic_change change = {.topic = &draft};
  if (rc == 0) rc = kopd_keep(s, stage_topic, &change);
  pthread_mutex_lock(&s->lock);
  if (rc == 0) {
    kopd_setting *old = t->settings;
    uint32_t old_count = t->settings_count;
    t->settings = draft.settings;
    t->settings_count = draft.settings_count;
    draft.settings = old;
    draft.settings_count = old_count;
    kopd_topic_derive(s, t);
    told_locked(s, op, KOP_EVENT_TOPIC, t);
  } else {
    answer_locked(op, KAFKA_STORAGE_ERROR);
  }
  kopd_settings_free(draft.settings, draft.settings_count);
  pthread_mutex_unlock(&s->lock);
}

/* ---- saved state ---- */

static int state_find_locked(kopd_partition *p, kop_slice name, kopd_op *op) {
  for (const struct kopd_saved *saved = p->saved; saved != NULL; saved = saved->next) {
    if (saved->name_len != name.len || memcmp(saved->data, name.ptr, name.len) != 0) continue;
    uint8_t *copy = kopd_op_memory(op, saved->bytes_len + 1);
    if (copy == NULL) return -1;
    memcpy(copy, saved->data + saved->name_len, saved->bytes_len);
    op->results.state = (kop_state_result){
        .size = sizeof op->results.state, .as_of = saved->as_of, .bytes = {copy, saved->bytes_len}};
    return 1;
  }
  return 0;
}

static void get_state(kopd_store *s, kopd_op *op) {
  const kop_state *body = op->body;
  int rc = 0;
  if (s->db != NULL) rc = kopd_db_get_state(s->db, op->target, body->name, op, &op->results.state);
  pthread_mutex_lock(&s->lock);
  kopd_partition *p = kopd_partition_find_locked(s, op->target);
  if (p == NULL) rc = 0;
  if (p != NULL && s->db == NULL) rc = state_find_locked(p, body->name, op);
  if (rc > 0) {
    kopd_op_done_locked(op, KOP_DONE, &op->results.state, sizeof op->results.state);
  } else {
    /* A state that cannot be read is one that is not there: the engine replays the log. */
    kopd_op_done_locked(op, KOP_NOT_FOUND, NULL, 0);
  }
  pthread_mutex_unlock(&s->lock);
}

static void big_change(kopd_store *s, kopd_op *op) {
  switch (op->kind) {
  case KOP_EFFECT_CREATE_TOPIC:
    create_topic(s, op);
    break;
  case KOP_EFFECT_DELETE_TOPIC:
    delete_topic(s, op);
    break;
  case KOP_EFFECT_CREATE_PARTITIONS:
    create_partitions(s, op);
    break;
  case KOP_EFFECT_ALTER_CONFIGS:
    alter_configs(s, op);
    break;
  default:
    get_state(s, op);
    break;
  }
}

void *kopd_keeper_main(void *store) {
  kopd_store *s = store;
  pthread_mutex_lock(&s->lock);
  for (;;) {
    while (s->changes.first == NULL && !s->stopping)
      pthread_cond_wait(&s->keeper_wakes, &s->lock);
    if (s->changes.first == NULL) break;
    kopd_queue taken = s->changes;
    s->changes = (kopd_queue){0};
    pthread_mutex_unlock(&s->lock);
    kopd_queue small = {0};
    for (kopd_op *op = kopd_queue_pop(&taken); op != NULL; op = kopd_queue_pop(&taken)) {
      if (is_small(op)) {
        kopd_queue_push(&small, op);
        continue;
      }
      small_changes(s, &small);
      big_change(s, op);
    }
    small_changes(s, &small);
    pthread_mutex_lock(&s->lock);
  }
  pthread_mutex_unlock(&s->lock);
  return NULL;
}
