/* The catalogue behind the harness. */
#include "catalogue.h"

#include <stdio.h>

static bool is_ours(uint32_t kind) {
  return kind == KOP_EFFECT_CREATE_TOPIC || kind == KOP_EFFECT_DELETE_TOPIC ||
         kind == KOP_EFFECT_CREATE_PARTITIONS || kind == KOP_EFFECT_ALTER_CONFIGS ||
         kind == KOP_EFFECT_LOOKUP_TOPIC;
}

static kh_way hold_ours(kh *h, const kop_effect *fx, void *data) {
  (void)h;
  (void)data;
  return is_ours(fx->kind) ? KH_HOLD : KH_AUTO;
}

void cat_attach(cat *c, kh *h) {
  *c = (cat){.h = h};
  h->filter = hold_ours;
}

void cat_start(cat *c, kh *h, void (*tune)(kop_engine_config *config)) {
  kh_start(h, tune);
  cat_attach(c, h);
}

const char *cat_text(kop_slice s) {
  static char texts[8][CAT_TEXT * 2];
  static unsigned next;
  char *to = texts[next++ % 8];
  if (s.ptr == NULL) return NULL;
  (void)snprintf(to, sizeof texts[0], "%.*s", (int)s.len, (const char *)s.ptr);
  return to;
}

static void copy(char *to, size_t room, kop_slice from) {
  cr_assert_lt(from.len, room);
  memcpy(to, from.ptr, from.len);
  to[from.len] = 0;
}

static void push(cat *c, cat_topic *t) {
  static kop_topic_partition parts[KH_PARTITIONS];
  kop_config_entry configs[CAT_CONFIGS];
  kh *h = c->h;
  for (uint32_t i = 0; i < t->partitions; i++) {
    uint64_t id = t->number * 1000u + i + 1;
    bool known = false;
    for (size_t k = 0; k < h->logs_len; k++)
      known = known || h->logs[k].id == id;
    if (!known) h->logs[h->logs_len++] = (kh_log){.id = id, .lease = UINT64_MAX};
    parts[i] = (kop_topic_partition){.id = id, .leader = KH_NODE, .leader_epoch = -1};
  }
  for (uint32_t i = 0; i < t->configs_len; i++) {
    configs[i].name = kh_text(t->configs[i].name);
    configs[i].value = kh_text(t->configs[i].value);
  }
  kop_topic topic = {.size = sizeof topic,
                     .name = kh_text(t->name),
                     .id = {{t->number}},
                     .partitions = parts,
                     .partitions_count = t->partitions,
                     .configs = configs,
                     .configs_count = t->configs_len};
  t->pushed = true;
  kh_push(h, KOP_EVENT_TOPIC, &topic, sizeof topic);
}

cat_topic *cat_find(cat *c, const char *name) {
  for (uint32_t i = 0; i < c->topics_len; i++) {
    if (c->topics[i].number != 0 && strcmp(c->topics[i].name, name) == 0) return &c->topics[i];
  }
  return NULL;
}

static cat_topic *by_ref(cat *c, kop_slice name, const kop_uuid *id) {
  for (uint32_t i = 0; i < c->topics_len; i++) {
    cat_topic *t = &c->topics[i];
    bool same = name.ptr == NULL ? t->number == id->bytes[0] : strcmp(t->name, cat_text(name)) == 0;
    if (t->number != 0 && same) return t;
  }
  return NULL;
}

const char *cat_config_of(const cat_topic *t, const char *name) {
  for (uint32_t i = 0; i < t->configs_len; i++) {
    if (strcmp(t->configs[i].name, name) == 0) return t->configs[i].value;
  }
  return NULL;
}

cat_topic *cat_add_unpushed(cat *c, const char *name, uint32_t partitions) {
  cat_topic *t = &c->topics[c->topics_len++];
  *t = (cat_topic){.number = (uint8_t)c->topics_len, .partitions = partitions};
  copy(t->name, sizeof t->name, kh_text(name));
  return t;
}

cat_topic *cat_add(cat *c, const char *name, uint32_t partitions) {
  cat_topic *t = cat_add_unpushed(c, name, partitions);
  push(c, t);
  return t;
}

static void set(cat_topic *t, const kop_config_entry *entry) {
  uint32_t i = 0;
  while (i < t->configs_len && strcmp(t->configs[i].name, cat_text(entry->name)) != 0)
    i++;
  if (entry->value.ptr == NULL) {
    if (i < t->configs_len) t->configs[i] = t->configs[--t->configs_len];
    return;
  }
  if (i == t->configs_len) t->configs_len++;
  copy(t->configs[i].name, sizeof t->configs[i].name, entry->name);
  copy(t->configs[i].value, sizeof t->configs[i].value, entry->value);
}

static void note_assigned(cat *c, const int32_t *assigned, uint32_t n) {
  c->last_assigned_len = n;
  for (uint32_t i = 0; i < n && i < 8; i++)
    c->last_assigned[i] = assigned[i];
}

/* Does what the effect asks; false: there is no such topic. */
static bool do_effect(cat *c, const kop_effect *fx) {
  const kop_create_topic *create = fx->body;
  const kop_topic_ref *ref = fx->body;
  const kop_create_partitions *grow = fx->body;
  const kop_alter_configs *alter = fx->body;
  cat_topic *t;
  switch (fx->kind) {
  case KOP_EFFECT_CREATE_TOPIC:
    t = cat_add_unpushed(c, cat_text(create->name), (uint32_t)create->partitions);
    for (uint32_t i = 0; i < create->configs_count; i++)
      set(t, &create->configs[i]);
    note_assigned(c, create->assigned, create->assigned_count);
    push(c, t);
    return true;
  case KOP_EFFECT_DELETE_TOPIC:
    t = by_ref(c, ref->name, &ref->id);
    if (t == NULL) return false;
    kh_topic_gone(c->h, t->number);
    t->number = 0;
    return true;
  case KOP_EFFECT_CREATE_PARTITIONS:
    t = by_ref(c, grow->name, &grow->id);
    if (t == NULL) return false;
    t->partitions = (uint32_t)grow->partitions;
    note_assigned(c, grow->assigned, grow->assigned_count);
    push(c, t);
    return true;
  case KOP_EFFECT_ALTER_CONFIGS:
    t = by_ref(c, alter->name, &alter->id);
    if (t == NULL) return false;
    for (uint32_t i = 0; i < alter->entries_count; i++)
      set(t, &alter->entries[i]);
    push(c, t);
    return true;
  default:
    t = by_ref(c, ref->name, &ref->id);
    if (t != NULL && !t->pushed) push(c, t);
    return t != NULL;
  }
}

static bool settle_one(cat *c) {
  kh *h = c->h;
  size_t i = 0;
  while (i < h->held_len && !is_ours(h->held[i].kind))
    i++;
  if (i == h->held_len) return false;
  kop_effect fx = h->held[i];
  h->held_len--;
  memmove(h->held + i, h->held + i + 1, (h->held_len - i) * sizeof fx);
  kop_completion done = {.token = fx.token,
                         .outcome = do_effect(c, &fx) ? KOP_DONE : KOP_NOT_FOUND};
  cr_assert_eq(kop_engine_complete(h->e, &done, sizeof done, 1, h->now), KOP_OK);
  kh_run(h);
  return true;
}

void cat_settle(cat *c) {
  kh_run(c->h);
  while (settle_one(c))
    continue;
}

void cat_call(cat *c, kh_conn *conn, uint32_t request, int16_t version, const void *q,
              size_t q_size, void *p, size_t p_size) {
  kh_request(c->h, conn, request, version, q, q_size);
  cat_settle(c);
  cr_assert(kh_receive(c->h, conn, request + 1, version, p, p_size),
            "no reply to message %u version %d", request, version);
}
