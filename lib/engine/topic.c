/* The topics that the embedder has pushed. */
#include "engine/topic.h"

#include <string.h>

#include "base/alloc.h"
#include "engine/growth.h"
#include "engine/partition.h"
#include "engine/topic_name.h"

static const kop_uuid ZERO_ID = {{0}};

bool kopi_uuid_is_zero(const kop_uuid *id) {
  return memcmp(id, &ZERO_ID, sizeof ZERO_ID) == 0;
}

int kopi_slice_compare(kop_slice a, kop_slice b) {
  size_t n = a.len < b.len ? a.len : b.len;
  int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
  if (order != 0) return order;
  return a.len < b.len ? -1 : a.len > b.len;
}

bool kopi_slice_equal(kop_slice a, kop_slice b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static kop_slice id_key(const kop_uuid *id) {
  return (kop_slice){.ptr = id->bytes, .len = sizeof id->bytes};
}

kopi_topic *kopi_topic_by_name(const kop_engine *e, kop_slice name) {
  return kopi_map_bytes_find(&e->topics_by_name, name);
}

kopi_topic *kopi_topic_by_id(const kop_engine *e, const kop_uuid *id) {
  return kopi_map_bytes_find(&e->topics_by_id, id_key(id));
}

kopi_topic *kopi_topic_collision(const kop_engine *e, kop_slice name) {
  bool may = false;
  for (size_t i = 0; i < name.len && !may; i++)
    may = name.ptr[i] == '.' || name.ptr[i] == '_';
  for (uint32_t i = 0; i < e->topics_len && may; i++) {
    if (kopi_topic_name_collides(e->topics[i]->name, name)) return e->topics[i];
  }
  return NULL;
}

kopi_partition *kopi_topic_partition_at(const kopi_topic *t, int32_t index) {
  return index >= 0 && (uint32_t)index < t->partitions_len ? t->partitions[index] : NULL;
}

/* ---- one topic's memory ---- */

static void free_topic(kop_engine *e, kopi_topic *t) {
  kopi_free(&e->alloc, t->partitions);
  kopi_free(&e->alloc, t->configs);
  kopi_free(&e->alloc, t);
}

static kopi_topic *new_topic(kop_engine *e, const kop_topic *event) {
  kopi_topic *t = kopi_calloc(&e->alloc, 1, sizeof *t + event->name.len);
  if (t == NULL) return NULL;
  uint8_t *name = (uint8_t *)(t + 1);
  memcpy(name, event->name.ptr, event->name.len);
  t->name = (kop_slice){.ptr = name, .len = event->name.len};
  t->id = event->id;
  t->internal = (event->flags & KOP_TOPIC_INTERNAL) != 0;
  return t;
}

/* A sorted copy of configs: the entries, then their text. NULL without memory; len must not be 0. */
static kop_config_entry *copy_configs(kop_engine *e, const kop_config_entry *from, uint32_t len) {
  size_t text = 0;
  for (uint32_t i = 0; i < len; i++)
    text += from[i].name.len + from[i].value.len;
  kop_config_entry *to = kopi_malloc(&e->alloc, len * sizeof *to + text + 1);
  if (to == NULL) return NULL;
  uint8_t *at = (uint8_t *)(to + len);
  for (uint32_t i = 0; i < len; i++) {
    kop_config_entry entry = {.name = {at, from[i].name.len},
                              .value = {at + from[i].name.len, from[i].value.len}};
    if (entry.name.len > 0) memcpy(at, from[i].name.ptr, entry.name.len);
    if (entry.value.len > 0) memcpy(at + entry.name.len, from[i].value.ptr, entry.value.len);
    at += entry.name.len + entry.value.len;
    uint32_t place = i;
    while (place > 0 && kopi_slice_compare(to[place - 1].name, entry.name) > 0) {
      to[place] = to[place - 1];
      place--;
    }
    to[place] = entry;
  }
  return to;
}

/* ---- the catalogue ---- */

static uint32_t place_of(const kop_engine *e, kop_slice name) {
  uint32_t low = 0;
  uint32_t high = e->topics_len;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    if (kopi_slice_compare(e->topics[mid]->name, name) < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return low;
}

static kop_status enter(kop_engine *e, kopi_topic *t) {
  if (e->topics_len == e->topics_cap) {
    uint32_t cap = e->topics_cap == 0 ? 16 : e->topics_cap * 2;
    kopi_topic **topics = kopi_realloc(&e->alloc, e->topics, cap * sizeof(kopi_topic *));
    if (topics == NULL) return KOP_ERR_NOMEM;
    e->topics = topics;
    e->topics_cap = cap;
  }
  if (kopi_map_bytes_insert(&e->topics_by_name, t->name, t) != KOP_OK) return KOP_ERR_NOMEM;
  if (kopi_map_bytes_insert(&e->topics_by_id, id_key(&t->id), t) != KOP_OK) {
    (void)kopi_map_bytes_remove(&e->topics_by_name, t->name);
    return KOP_ERR_NOMEM;
  }
  uint32_t place = place_of(e, t->name);
  memmove(e->topics + place + 1, e->topics + place, (e->topics_len - place) * sizeof(kopi_topic *));
  e->topics[place] = t;
  e->topics_len++;
  e->stats.topics++;
  return KOP_OK;
}

static void withdraw(kop_engine *e, kopi_topic *t) {
  (void)kopi_map_bytes_remove(&e->topics_by_name, t->name);
  (void)kopi_map_bytes_remove(&e->topics_by_id, id_key(&t->id));
  uint32_t place = place_of(e, t->name);
  e->topics_len--;
  memmove(e->topics + place, e->topics + place + 1, (e->topics_len - place) * sizeof(kopi_topic *));
  e->stats.topics--;
}

/* ---- events ---- */

static kop_status check_topic(kop_engine *e, const kop_topic *event, const kopi_topic *known) {
  if (event->name.len == 0 || kopi_uuid_is_zero(&event->id) || event->partitions_count == 0) {
    return kopi_fail(e, KOP_ERR_INVALID, "TOPIC without a name, an id or partitions");
  }
  uint32_t have = known == NULL ? 0 : known->partitions_len;
  if (known != NULL && memcmp(&known->id, &event->id, sizeof event->id) != 0) {
    return kopi_fail(e, KOP_ERR_INVALID, "TOPIC with another id than the one pushed before");
  }
  if (event->partitions_count < have)
    return kopi_fail(e, KOP_ERR_INVALID, "TOPIC with fewer partitions");
  for (uint32_t i = 0; i < event->partitions_count; i++) {
    uint64_t id = event->partitions[i].id;
    bool known_one = i < have;
    if (id == 0 || (known_one && known->partitions[i]->id != id) ||
        (!known_one && kopi_map_u64_find(&e->partitions, id) != NULL)) {
      return kopi_fail(e, KOP_ERR_INVALID,
                       "TOPIC with a partition id that is 0, used or another one");
    }
  }
  if (e->stats.partitions + (event->partitions_count - have) > e->cfg.max_partitions) {
    return kopi_fail(e, KOP_ERR_LIMIT, "max_partitions reached");
  }
  return KOP_OK;
}

/* Takes back partitions from `keep` on, which nobody has seen yet. */
static void take_back(kop_engine *e, kopi_topic *t, uint32_t keep) {
  while (t->partitions_len > keep) {
    kopi_partition *p = t->partitions[--t->partitions_len];
    (void)kopi_map_u64_remove(&e->partitions, p->id);
    e->stats.partitions--;
    kopi_partition_free(e, p);
  }
}

static kop_status add_partitions(kop_engine *e, kopi_topic *t, const kop_topic *event) {
  uint32_t have = t->partitions_len;
  if (event->partitions_count > t->partitions_cap) {
    kopi_partition **grown =
        kopi_realloc(&e->alloc, t->partitions, event->partitions_count * sizeof(kopi_partition *));
    if (grown == NULL) return KOP_ERR_NOMEM;
    t->partitions = grown;
    t->partitions_cap = event->partitions_count;
  }
  for (uint32_t i = have; i < event->partitions_count; i++) {
    kopi_partition *p = kopi_partition_new(e, t, (int32_t)i, event->partitions[i].id);
    if (p == NULL || kopi_map_u64_insert(&e->partitions, p->id, p) != KOP_OK) {
      if (p != NULL) kopi_partition_free(e, p);
      take_back(e, t, have);
      return KOP_ERR_NOMEM;
    }
    t->partitions[t->partitions_len++] = p;
    e->stats.partitions++;
  }
  return KOP_OK;
}

kop_status kopi_push_topic(kop_engine *e, const kop_topic *event, kop_now now) {
  kopi_topic *known = kopi_topic_by_name(e, event->name);
  kop_status status = check_topic(e, event, known);
  if (status != KOP_OK) return status;
  kop_config_entry *configs = NULL;
  if (event->configs_count > 0) {
    configs = copy_configs(e, event->configs, event->configs_count);
    if (configs == NULL) return KOP_ERR_NOMEM;
  }
  uint32_t have = known == NULL ? 0 : known->partitions_len;
  kopi_topic *t = known != NULL ? known : new_topic(e, event);
  status = t == NULL ? KOP_ERR_NOMEM : add_partitions(e, t, event);
  if (status == KOP_OK && known == NULL) {
    status = enter(e, t);
    if (status != KOP_OK) take_back(e, t, 0);
  }
  if (status != KOP_OK) {
    kopi_free(&e->alloc, configs);
    if (known == NULL && t != NULL) free_topic(e, t);
    return kopi_fail(e, status, "no memory for a topic");
  }
  kopi_growth_pushed(e, t->name, event->partitions_count - have);
  kopi_free(&e->alloc, t->configs);
  t->configs = configs;
  t->configs_len = event->configs_count;
  kopi_topic_settings_init(&t->settings, &e->settings, configs, event->configs_count);
  for (uint32_t i = 0; i < event->partitions_count; i++) {
    kopi_partition_assign(e, t->partitions[i], event->partitions[i].leader,
                          event->partitions[i].leader_epoch, now);
  }
  return KOP_OK;
}

kop_status kopi_push_topic_gone(kop_engine *e, const kop_topic_ref *event, kop_now now) {
  kopi_topic *t = kopi_topic_by_id(e, &event->id);
  if (t == NULL)
    return kopi_fail(e, KOP_ERR_NOT_FOUND, "TOPIC_GONE names a topic that was never pushed");
  withdraw(e, t);
  e->creations_full = false;
  for (uint32_t i = 0; i < t->partitions_len; i++) {
    kopi_partition *p = t->partitions[i];
    (void)kopi_map_u64_remove(&e->partitions, p->id);
    e->stats.partitions--;
    kopi_partition_drop(e, p, now);
  }
  free_topic(e, t);
  return KOP_OK;
}

kop_status kopi_push_leader(kop_engine *e, const kop_leader *event, kop_now now) {
  kopi_partition *p = kopi_map_u64_find(&e->partitions, event->partition);
  if (p == NULL)
    return kopi_fail(e, KOP_ERR_NOT_FOUND, "LEADER names a partition that was never pushed");
  kopi_partition_assign(e, p, event->leader, event->leader_epoch, now);
  return KOP_OK;
}

void kopi_topics_free(kop_engine *e) {
  for (uint32_t i = 0; i < e->topics_len; i++) {
    kopi_topic *t = e->topics[i];
    for (uint32_t j = 0; j < t->partitions_len; j++)
      kopi_partition_free(e, t->partitions[j]);
    free_topic(e, t);
  }
  kopi_link *link;
  while ((link = kopi_list_first(&e->dropped)) != NULL) {
    kopi_partition_free(e, KOPI_CONTAINER_OF(link, kopi_partition, dropped));
  }
  kopi_free(&e->alloc, e->topics);
  kopi_map_bytes_free(&e->topics_by_name);
  kopi_map_bytes_free(&e->topics_by_id);
  kopi_map_u64_free(&e->partitions);
}
