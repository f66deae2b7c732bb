/* Fetch sessions (KIP-227), and the sets of fetches without one. */
#include "engine/fetch_session.h"

#include <string.h>

#include "base/alloc.h"
#include "base/endian.h"

enum {
  EVICT_AFTER_MS = 120000,
  BYTES_PER_PARTITION = 1024 /* that all members together may take, for each of max_partitions */
};

/* ---- members ---- */

/* Where a named partition is; `topic_name` and id as the request gives them. */
typedef struct named {
  kop_slice topic;
  kop_uuid topic_id;
  kopi_topic *known;
  const kop_fetch_request_partition *wanted;
  kop_slice
      key; /* what a session finds its members by: topic name or id, then the partition's index */
  uint8_t *key_index;
} named;

static void fill_member(kop_engine *e, kopi_fetch_member *m, const named *n) {
  (void)e;
  const kop_fetch_request_partition *w = n->wanted;
  m->topic_id = n->topic_id;
  m->index = w->partition;
  m->offset = w->fetch_offset;
  m->max_bytes = w->partition_max_bytes;
  m->leader_epoch = w->current_leader_epoch;
  m->last_epoch = w->last_fetched_epoch;
  m->topic_known = n->known != NULL;
  m->p = n->known == NULL ? NULL : kopi_topic_partition_at(n->known, w->partition);
}

/* Room for the key in the request's arena, with the topic's part in it. False: no memory. */
static bool begin_key(kopi_request *r, named *n, bool by_id) {
  size_t len = by_id ? sizeof n->topic_id : n->topic.len;
  const void *from = by_id ? (const void *)&n->topic_id : (const void *)n->topic.ptr;
  void *key = NULL;
  if (kop_arena_alloc(r->arena, 1, len + 4, &key) != KOP_OK) return false;
  if (len > 0) memcpy(key, from, len);
  n->key = (kop_slice){.ptr = key, .len = len + 4};
  n->key_index = (uint8_t *)key + len;
  return true;
}

/* A session's member: one allocation with its key, which begins with its topic's name. `n->key` is that of `n->wanted`. KOP_ERR_LIMIT, KOP_ERR_NOMEM. */
static kop_status new_member(kop_engine *e, kopi_fetch_session *s, const named *n) {
  bool by_id = s->set.by_id;
  size_t size = sizeof(kopi_fetch_member) + n->key.len;
  if (e->session_bytes + size > (uint64_t)e->cfg.max_partitions * BYTES_PER_PARTITION)
    return KOP_ERR_LIMIT;
  kopi_fetch_member *m = kopi_calloc(&e->alloc, 1, size);
  if (m == NULL) return KOP_ERR_NOMEM;
  uint8_t *key = (uint8_t *)(m + 1);
  memcpy(key, n->key.ptr, n->key.len);
  m->key = (kop_slice){.ptr = key, .len = n->key.len};
  m->topic = (kop_slice){.ptr = key, .len = by_id ? 0 : n->topic.len};
  fill_member(e, m, n);
  if (kopi_map_bytes_insert(&s->by_name, m->key, m) != KOP_OK) {
    kopi_free(&e->alloc, m);
    return KOP_ERR_NOMEM;
  }
  kopi_fetch_member_enter(e, &s->set, m);
  e->session_bytes += size;
  return KOP_OK;
}

static void free_member(kop_engine *e, kopi_fetch_session *s, kopi_fetch_member *m) {
  (void)kopi_map_bytes_remove(&s->by_name, m->key);
  kopi_fetch_member_leave(m);
  e->session_bytes -= sizeof *m + m->key.len;
  kopi_free(&e->alloc, m);
}

static kopi_fetch_member *find_member(const kopi_fetch_session *s, const named *n, int32_t index) {
  kopi_store_be32(n->key_index, (uint32_t)index);
  return kopi_map_bytes_find(&s->by_name, n->key);
}

static named name_topic(const kop_engine *e, bool by_id, kop_slice topic, const kop_uuid *id) {
  named n = {.topic = by_id ? (kop_slice){.ptr = NULL} : topic};
  if (by_id) {
    n.topic_id = *id;
    n.known = kopi_topic_by_id(e, id);
  } else {
    n.known = kopi_topic_by_name(e, topic);
  }
  return n;
}

/* ---- sessions ---- */

static kopi_fetch_session *find_session(kop_engine *e, int32_t id) {
  return kopi_map_u64_find(&e->sessions, (uint64_t)(uint32_t)id);
}

static void end_session(kop_engine *e, kopi_fetch_session *s) {
  kopi_link *link;
  while ((link = kopi_list_first(&s->set.members)) != NULL) {
    free_member(e, s, KOPI_CONTAINER_OF(link, kopi_fetch_member, in_set));
  }
  (void)kopi_map_u64_remove(&e->sessions, (uint64_t)(uint32_t)s->id);
  kopi_list_remove(&s->lru);
  kopi_map_bytes_free(&s->by_name);
  kopi_free(&e->alloc, s);
  e->stats.fetch_sessions--;
}

/* An id that no session has, in the order of a generator that starts from the engine's seed. */
static int32_t next_id(kop_engine *e) {
  for (;;) {
    e->session_random = e->session_random * 6364136223846793005u + 1442695040888963407u;
    int32_t id = (int32_t)(e->session_random >> 33);
    if (id > 0 && find_session(e, id) == NULL) return id;
  }
}

static bool make_room(kop_engine *e, kop_now now) {
  if (e->cfg.max_fetch_sessions == 0) return false;
  if (kopi_map_u64_len(&e->sessions) < e->cfg.max_fetch_sessions) return true;
  kopi_link *link = kopi_list_first(&e->session_lru);
  if (link == NULL) return false;
  kopi_fetch_session *oldest = KOPI_CONTAINER_OF(link, kopi_fetch_session, lru);
  if (oldest->set.fetch != NULL || now.mono_ns - oldest->used_ns < kopi_ms(EVICT_AFTER_MS))
    return false;
  end_session(e, oldest);
  return true;
}

static kopi_fetch_session *new_session(kop_engine *e, bool by_id) {
  kopi_fetch_session *s = kopi_calloc(&e->alloc, 1, sizeof *s);
  if (s == NULL) return NULL;
  s->id = next_id(e);
  s->epoch = 1;
  kopi_fetch_set_init(&s->set, by_id, true);
  kopi_map_bytes_init(&s->by_name, &e->alloc, e->cfg.seed);
  if (kopi_map_u64_insert(&e->sessions, (uint64_t)(uint32_t)s->id, s) != KOP_OK) {
    kopi_free(&e->alloc, s);
    return NULL;
  }
  kopi_list_append(&e->session_lru, &s->lru);
  e->stats.fetch_sessions++;
  return s;
}

static void use(kop_engine *e, kopi_fetch_session *s, kop_now now) {
  s->used_ns = now.mono_ns;
  kopi_list_remove(&s->lru);
  kopi_list_append(&e->session_lru, &s->lru);
}

/* Adds and changes members as the request says. KOP_ERR_LIMIT, KOP_ERR_NOMEM. */
static kop_status apply(kop_engine *e, kopi_request *r, kopi_fetch_session *s,
                        const kop_fetch_request *q) {
  for (int32_t i = 0; i < q->topics.len; i++) {
    const kop_fetch_request_topic *t = &q->topics.ptr[i];
    named n = name_topic(e, s->set.by_id, t->topic, &t->topic_id);
    if (!begin_key(r, &n, s->set.by_id)) return KOP_ERR_NOMEM;
    for (int32_t j = 0; j < t->partitions.len; j++) {
      n.wanted = &t->partitions.ptr[j];
      kopi_fetch_member *m = find_member(s, &n, n.wanted->partition);
      if (m != NULL && m->p != NULL) {
        fill_member(e, m, &n);
        kopi_fetch_member_look(e, m);
        continue;
      }
      if (m != NULL)
        free_member(e, s, m); /* it was unknown, or its topic has gone: seen with new eyes */
      kop_status status = new_member(e, s, &n);
      if (status != KOP_OK) return status;
    }
  }
  return KOP_OK;
}

/* KOP_ERR_NOMEM. */
static kop_status forget(kop_engine *e, kopi_request *r, kopi_fetch_session *s,
                         const kop_fetch_request *q) {
  for (int32_t i = 0; i < q->forgotten_topics_data.len; i++) {
    const kop_fetch_request_forgotten_topic *t = &q->forgotten_topics_data.ptr[i];
    named n = name_topic(e, s->set.by_id, t->topic, &t->topic_id);
    if (!begin_key(r, &n, s->set.by_id)) return KOP_ERR_NOMEM;
    for (int32_t j = 0; j < t->partitions.len; j++) {
      kopi_fetch_member *m = find_member(s, &n, t->partitions.ptr[j]);
      if (m != NULL) free_member(e, s, m);
    }
  }
  return KOP_OK;
}

/* Members whose topic was unknown are looked for again: it may have come. */
static void revive(kop_engine *e, kopi_fetch_session *s) {
  for (kopi_link *link = s->set.dirty.next; link != &s->set.dirty; link = link->next) {
    kopi_fetch_member *m = KOPI_CONTAINER_OF(link, kopi_fetch_member, in_dirty);
    if (m->p != NULL) continue;
    named n = name_topic(e, s->set.by_id, m->topic, &m->topic_id);
    kopi_partition *p = n.known == NULL ? NULL : kopi_topic_partition_at(n.known, m->index);
    if (p == NULL) continue;
    m->p = p;
    m->gone = false;
    m->topic_known = true;
    kopi_list_append(&p->waiters, &m->in_waiters);
    m->urgent = false; /* it stays dirty; make_parts judges it anew */
  }
}

static int16_t go_on(kop_engine *e, kopi_fetch *f, const kop_fetch_request *q, bool by_id,
                     kop_now now) {
  kopi_fetch_session *s = find_session(e, q->session_id);
  if (s == NULL) return KOP_KAFKA_FETCH_SESSION_ID_NOT_FOUND;
  if (s->epoch != q->session_epoch || s->set.fetch != NULL)
    return KOP_KAFKA_INVALID_FETCH_SESSION_EPOCH;
  if (s->set.by_id != by_id) return KOP_KAFKA_FETCH_SESSION_TOPIC_ID_ERROR;
  kop_status status = forget(e, f->r, s, q);
  if (status == KOP_OK) status = apply(e, f->r, s, q);
  if (status == KOP_ERR_LIMIT) {
    end_session(e, s); /* the client begins anew, if need be without a session */
    return KOP_KAFKA_FETCH_SESSION_ID_NOT_FOUND;
  }
  if (status != KOP_OK) return KOP_KAFKA_UNKNOWN_SERVER_ERROR;
  revive(e, s);
  s->epoch = s->epoch == INT32_MAX ? 1 : s->epoch + 1;
  use(e, s, now);
  f->session = s;
  f->session_id = s->id;
  f->set = &s->set;
  f->incremental = true;
  return 0;
}

/* The set of a fetch without a session lives in the request's arena. */
static int16_t without_session(kop_engine *e, kopi_fetch *f, const kop_fetch_request *q,
                               bool by_id) {
  void *memory = NULL;
  if (kop_arena_alloc(f->r->arena, 1, sizeof(kopi_fetch_set), &memory) != KOP_OK) {
    return KOP_KAFKA_UNKNOWN_SERVER_ERROR;
  }
  f->set = memory;
  e->last_stamp++;
  kopi_fetch_set_init(f->set, by_id, false);
  for (int32_t i = 0; i < q->topics.len; i++) {
    const kop_fetch_request_topic *t = &q->topics.ptr[i];
    named n = name_topic(e, by_id, t->topic, &t->topic_id);
    void *name = NULL;
    if (kop_arena_alloc(f->r->arena, n.topic.len + 1, 1, &name) != KOP_OK) {
      return KOP_KAFKA_UNKNOWN_SERVER_ERROR;
    }
    if (n.topic.len > 0) memcpy(name, n.topic.ptr, n.topic.len);
    for (int32_t j = 0; j < t->partitions.len; j++) {
      n.wanted = &t->partitions.ptr[j];
      kopi_partition *p =
          n.known == NULL ? NULL : kopi_topic_partition_at(n.known, n.wanted->partition);
      if (p != NULL && p->stamp == e->last_stamp) { /* named twice: the last one wins */
        fill_member(e, p->stamped, &n);
        kopi_fetch_member_look(e, p->stamped);
        continue;
      }
      if (kop_arena_alloc(f->r->arena, 1, sizeof(kopi_fetch_member), &memory) != KOP_OK) {
        return KOP_KAFKA_UNKNOWN_SERVER_ERROR;
      }
      kopi_fetch_member *m = memory;
      fill_member(e, m, &n);
      if (p != NULL) {
        p->stamp = e->last_stamp;
        p->stamped = m;
      }
      m->topic = (kop_slice){.ptr = name, .len = n.topic.len};
      kopi_fetch_member_enter(e, f->set, m);
    }
  }
  return 0;
}

int16_t kopi_fetch_session_open(kop_engine *e, kopi_fetch *f, const kop_fetch_request *q,
                                kop_now now) {
  bool by_id = f->r->version >= 13;
  if (f->r->version < 7 || (q->session_id == 0 && q->session_epoch == -1)) {
    return without_session(e, f, q, by_id);
  }
  if (q->session_epoch > 0) return go_on(e, f, q, by_id, now);
  if (q->session_epoch < -1) return KOP_KAFKA_FETCH_SESSION_ID_NOT_FOUND;
  kopi_fetch_session *old = q->session_id == 0 ? NULL : find_session(e, q->session_id);
  if (old != NULL && old->set.fetch == NULL) end_session(e, old);
  if (q->session_epoch != 0) return without_session(e, f, q, by_id);
  if (!make_room(e, now)) return without_session(e, f, q, by_id);
  kopi_fetch_session *s = new_session(e, by_id);
  if (s == NULL) return KOP_KAFKA_UNKNOWN_SERVER_ERROR;
  kop_status status = apply(e, f->r, s, q);
  if (status != KOP_OK) {
    end_session(e, s);
    return status == KOP_ERR_LIMIT ? without_session(e, f, q, by_id)
                                   : KOP_KAFKA_UNKNOWN_SERVER_ERROR;
  }
  s->used_ns = now.mono_ns;
  f->session = s;
  f->session_id = s->id;
  f->set = &s->set;
  return 0;
}

void kopi_fetch_session_answered(kop_engine *e, kopi_fetch *f) {
  if (f->session == NULL) return;
  for (uint32_t i = 0; i < f->parts_len; i++) {
    kopi_fetch_part *part = &f->parts[i];
    kopi_fetch_member *m = part->member;
    if (!part->tell && part->bytes == 0) continue;
    m->told_high_watermark = part->high_watermark;
    m->told_log_start = part->log_start;
    m->dirty = false; /* behind the others, if there is still something to say */
    kopi_list_remove(&m->in_dirty);
    kopi_fetch_member_look(e, m);
  }
}

void kopi_fetch_sessions_forget(kop_engine *e) {
  size_t cursor = 0;
  kopi_fetch_session *s;
  while ((s = kopi_map_u64_next(&e->sessions, &cursor)) != NULL) {
    kopi_link *next;
    for (kopi_link *link = s->set.members.next; link != &s->set.members; link = next) {
      next = link->next;
      kopi_free(&e->alloc, KOPI_CONTAINER_OF(link, kopi_fetch_member, in_set));
    }
    kopi_map_bytes_free(&s->by_name);
    kopi_free(&e->alloc, s);
  }
  kopi_map_u64_free(&e->sessions);
}
