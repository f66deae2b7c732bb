/* Topics and partitions in memory: making, finding, configuring them, and which node leads which partition. */
#include "store/state.h"

#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

kopd_topic *kopd_topic_new(kop_slice name, const kop_uuid *id) {
  kopd_topic *t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  t->name = malloc(name.len + 1);
  if (t->name == NULL) {
    free(t);
    return NULL;
  }
  memcpy(t->name, name.ptr, name.len);
  t->name[name.len] = '\0';
  t->name_len = name.len;
  t->id = *id;
  t->refs = 1;
  return t;
}

static void saved_free(struct kopd_saved *saved) {
  while (saved != NULL) {
    struct kopd_saved *next = saved->next;
    free(saved);
    saved = next;
  }
}

void kopd_topic_free(kopd_topic *t) {
  for (uint32_t i = 0; i < t->partitions_count; i++) {
    saved_free(t->partitions[i]->saved);
    free(t->partitions[i]->runs);
    free(t->partitions[i]);
  }
  free(t->partitions);
  kopd_settings_free(t->settings, t->settings_count);
  free(t->name);
  free(t);
}

void kopd_settings_free(kopd_setting *settings, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    free(settings[i].name);
    free(settings[i].value);
  }
  free(settings);
}

int kopd_topic_add_partition(kopd_topic *t, uint64_t id, int32_t assigned) {
  kopd_partition **more = realloc(t->partitions, (t->partitions_count + 1) * sizeof *t->partitions);
  if (more == NULL) return -1;
  t->partitions = more;
  kopd_partition *p = calloc(1, sizeof *p);
  if (p == NULL) return -1;
  *p = (kopd_partition){.id = id,
                        .topic = t,
                        .index = (int32_t)t->partitions_count,
                        .assigned = assigned,
                        .epoch = -1,
                        .promised = -1,
                        .refused = -1};
  t->partitions[t->partitions_count++] = p;
  return 0;
}

int kopd_topic_set(kopd_topic *t, kop_slice name, kop_slice value) {
  uint32_t i = 0;
  while (i < t->settings_count && (strlen(t->settings[i].name) != name.len ||
                                   memcmp(t->settings[i].name, name.ptr, name.len) != 0))
    i++;
  if (value.ptr == NULL) {
    if (i == t->settings_count) return 0;
    free(t->settings[i].name);
    free(t->settings[i].value);
    t->settings_count--;
    memmove(&t->settings[i], &t->settings[i + 1], (t->settings_count - i) * sizeof *t->settings);
    return 0;
  }
  char *copy = strndup((const char *)value.ptr, value.len);
  if (copy == NULL) return -1;
  if (i < t->settings_count) {
    free(t->settings[i].value);
    t->settings[i].value = copy;
    return 0;
  }
  kopd_setting *more = realloc(t->settings, (i + 1) * sizeof *more);
  if (more != NULL) t->settings = more;
  char *key = more == NULL ? NULL : strndup((const char *)name.ptr, name.len);
  if (key == NULL) {
    free(copy);
    return -1;
  }
  t->settings[t->settings_count++] = (kopd_setting){.name = key, .value = copy};
  return 0;
}

static int64_t setting_number(const kopd_topic *t, const char *name, int64_t otherwise) {
  for (uint32_t i = 0; i < t->settings_count; i++)
    if (strcmp(t->settings[i].name, name) == 0) return strtoll(t->settings[i].value, NULL, 10);
  return otherwise;
}

/* Topics whose records live about equally long share files, so that files die whole. */
static uint32_t class_of(int64_t retention_ms) {
  const int64_t hour = 3600 * INT64_C(1000);
  if (retention_ms < 0) return 4;
  if (retention_ms <= hour) return 0;
  if (retention_ms <= 24 * hour) return 1;
  if (retention_ms <= 14 * 24 * hour) return 2;
  return 3;
}

void kopd_topic_derive(const kopd_store *s, kopd_topic *t) {
  t->retention_ms = setting_number(t, "retention.ms", s->config.retention_ms);
  t->retention_bytes = setting_number(t, "retention.bytes", s->config.retention_bytes);
  t->retention_class = class_of(t->retention_ms);
}

kopd_topic *kopd_topic_find_locked(const kopd_store *s, kop_slice name, const kop_uuid *id) {
  static const kop_uuid none;
  if (memcmp(id, &none, sizeof none) != 0)
    return kopd_map_get(&s->by_id, id->bytes, sizeof id->bytes);
  if (name.ptr == NULL) return NULL;
  return kopd_map_get(&s->by_name, name.ptr, name.len);
}

kopd_partition *kopd_partition_find_locked(const kopd_store *s, uint64_t id) {
  return kopd_map_get(&s->partitions, &id, sizeof id);
}

/* Makes partitions from `from` on findable; takes all back on failure. */
int kopd_partitions_publish_locked(kopd_store *s, kopd_topic *t, uint32_t from) {
  for (uint32_t i = from; i < t->partitions_count; i++) {
    kopd_partition *p = t->partitions[i];
    p->topic = t;
    kopd_assign_locked(s, p);
    if (kopd_map_put(&s->partitions, &p->id, sizeof p->id, p) == 0) continue;
    while (i-- > from)
      kopd_map_take(&s->partitions, &t->partitions[i]->id, sizeof p->id);
    return -1;
  }
  return 0;
}

int kopd_topic_publish_locked(kopd_store *s, kopd_topic *t) {
  if (kopd_map_put(&s->by_name, t->name, t->name_len, t) != 0) return -1;
  if (kopd_map_put(&s->by_id, t->id.bytes, sizeof t->id.bytes, t) != 0) {
    kopd_map_take(&s->by_name, t->name, t->name_len);
    return -1;
  }
  if (kopd_partitions_publish_locked(s, t, 0) != 0) {
    kopd_map_take(&s->by_name, t->name, t->name_len);
    kopd_map_take(&s->by_id, t->id.bytes, sizeof t->id.bytes);
    return -1;
  }
  t->previous = s->topics_last;
  if (s->topics_last != NULL) {
    s->topics_last->next = t;
  } else {
    s->topics = t;
  }
  s->topics_last = t;
  return 0;
}

void kopd_topic_withdraw_locked(kopd_store *s, kopd_topic *t) {
  t->gone = true;
  kopd_map_take(&s->by_name, t->name, t->name_len);
  kopd_map_take(&s->by_id, t->id.bytes, sizeof t->id.bytes);
  for (uint32_t i = 0; i < t->partitions_count; i++) {
    kopd_partition *p = t->partitions[i];
    kopd_map_take(&s->partitions, &p->id, sizeof p->id);
    kopd_partition_empty_locked(p);
  }
  if (t->previous != NULL) {
    t->previous->next = t->next;
  } else {
    s->topics = t->next;
  }
  if (t->next != NULL) {
    t->next->previous = t->previous;
  } else {
    s->topics_last = t->previous;
  }
}

/*
 * Rendezvous hashing: every (partition, node) pair has a score, the live node with the highest leads. A node that
 * goes moves its own partitions only, and gets exactly them back.
 */
void kopd_assign_locked(const kopd_store *s, kopd_partition *p) {
  uint64_t best = 0, id = htole64(p->id);
  bool found = false;
  for (uint32_t i = 0; i < s->config.nodes_count; i++) {
    if ((s->live >> i & 1) == 0) continue;
    if (p->assigned >= 0 && s->node_ids[i] == p->assigned) {
      p->leader = i;
      return;
    }
    uint64_t score = XXH3_64bits_withSeed(&id, sizeof id, (uint64_t)(uint32_t)s->node_ids[i]);
    if (found && score <= best) continue;
    best = score;
    found = true;
    p->leader = i;
  }
}

void kopd_reassign_locked(kopd_store *s) {
  for (kopd_topic *t = s->topics; t != NULL; t = t->next) {
    for (uint32_t i = 0; i < t->partitions_count; i++) {
      kopd_partition *p = t->partitions[i];
      uint32_t before = p->leader;
      kopd_assign_locked(s, p);
      if (p->leader != before) kopd_notify_all_locked(s, KOP_EVENT_LEADER, t, p);
    }
  }
}

/* A random version 4 UUID whose text form, like Kafka's, does not begin with a dash. */
void kopd_uuid_random(kop_uuid *id) {
  do {
    size_t have = 0;
    while (have < sizeof id->bytes) {
      ssize_t n = getrandom(id->bytes + have, sizeof id->bytes - have, 0);
      if (n > 0) have += (size_t)n;
    }
    id->bytes[6] = (uint8_t)((id->bytes[6] & 0x0f) | 0x40);
    id->bytes[8] = (uint8_t)((id->bytes[8] & 0x3f) | 0x80);
  } while ((id->bytes[0] & 0xfc) == 0xf8);
}
