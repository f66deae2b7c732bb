/*
 * What clients are told, and what waits until they know.
 *
 * A client's queue holds notices, not bodies: which topic or partition has news, each at most once (the bits `queued`,
 * `leader_queued`, `log_queued`), so a client that does not poll costs a bounded amount. The body is made from the state at the
 * moment of polling; what changed twice is told once, as it is then.
 *
 * `queued` counts notices in, `handed` counts them out, and a poll acknowledges what earlier polls handed out. An operation that all
 * nodes must have seen remembers `queued` of each client and is done when `acknowledged` has reached it.
 */
#include "store/state.h"

#include <stdlib.h>

void kopd_topic_unref(kopd_topic *t) {
  if (--t->refs == 0) kopd_topic_free(t);
}

static int ring_grow(kopd_store_client *c) {
  size_t cap = c->notices_cap == 0 ? 64 : c->notices_cap * 2;
  kopd_notice *ring = malloc(cap * sizeof *ring);
  if (ring == NULL) return -1;
  for (size_t i = 0; i < c->notices_len; i++)
    ring[i] = c->notices[(c->notices_first + i) % c->notices_cap];
  free(c->notices);
  c->notices = ring;
  c->notices_cap = cap;
  c->notices_first = 0;
  return 0;
}

/* The bit that says the same notice waits already, or NULL where there is none. */
static uint64_t *queued_bits(uint32_t kind, kopd_topic *topic, kopd_partition *partition) {
  switch (kind) {
  case KOP_EVENT_TOPIC:
  case KOP_EVENT_TOPIC_GONE:
    return &topic->queued;
  case KOP_EVENT_LEADER:
    return &partition->leader_queued;
  case KOP_EVENT_LOG:
    return &partition->log_queued;
  default:
    return NULL;
  }
}

void kopd_notify_locked(kopd_store_client *c, uint32_t kind, kopd_topic *topic,
                        kopd_partition *partition) {
  uint64_t bit = UINT64_C(1) << c->node;
  uint64_t *bits = queued_bits(kind, topic, partition);
  if (bits != NULL && (*bits & bit) != 0) return;
  if (c->notices_len == c->notices_cap && ring_grow(c) != 0) {
    c->resync = true;
    return;
  }
  c->notices[(c->notices_first + c->notices_len) % c->notices_cap] =
      (kopd_notice){.kind = kind, .topic = topic, .partition = partition};
  c->notices_len++;
  c->queued++;
  if (bits != NULL) *bits |= bit;
  if (topic != NULL) topic->refs++;
  if (!c->woken) { /* also inside its own submit: events are not looked for after each one */
    c->woken = true;
    c->wake(c->user_data);
  }
}

void kopd_notify_all_locked(kopd_store *s, uint32_t kind, kopd_topic *topic,
                            kopd_partition *partition) {
  for (uint32_t i = 0; i < s->config.nodes_count; i++)
    if (s->clients[i] != NULL) kopd_notify_locked(s->clients[i], kind, topic, partition);
}

/* What follows the last acknowledgement: an ACQUIRE goes to the keeper, everything else is done. */
static void released_locked(kopd_store *s, kopd_op *op) {
  if (op->kind == KOP_EFFECT_ACQUIRE) {
    kopd_queue_push(&s->changes, op);
    pthread_cond_signal(&s->keeper_wakes);
  } else {
    kopd_op_done_locked(op, KOP_DONE, NULL, 0);
  }
}

static bool still_waits(const kopd_store *s, const kopd_op *op) {
  for (uint32_t i = 0; i < s->config.nodes_count; i++) {
    if ((op->wait->nodes >> i & 1) == 0) continue;
    const kopd_store_client *c = s->clients[i];
    if (c != NULL && c->acknowledged < op->wait->seen[i]) return true;
  }
  return false;
}

void kopd_hold_locked(kopd_store *s, kopd_op *op, uint64_t nodes) {
  op->wait->nodes = nodes;
  for (uint32_t i = 0; i < s->config.nodes_count; i++)
    if (s->clients[i] != NULL) op->wait->seen[i] = s->clients[i]->queued;
  if (still_waits(s, op)) {
    kopd_queue_push(&s->held, op);
  } else {
    released_locked(s, op);
  }
}

void kopd_held_check_locked(kopd_store *s) {
  kopd_queue held = s->held;
  s->held = (kopd_queue){0};
  for (kopd_op *op = kopd_queue_pop(&held); op != NULL; op = kopd_queue_pop(&held)) {
    if (still_waits(s, op)) {
      kopd_queue_push(&s->held, op);
    } else {
      released_locked(s, op);
    }
  }
}

/* A topic with all it points to in one block. */
static kop_topic *topic_body(const kopd_store *s, const kopd_topic *t) {
  size_t size = sizeof(kop_topic) + t->partitions_count * sizeof(kop_topic_partition) +
                t->settings_count * sizeof(kop_config_entry) + t->name_len;
  for (uint32_t i = 0; i < t->settings_count; i++)
    size += strlen(t->settings[i].name) + strlen(t->settings[i].value);
  kop_topic *body = malloc(size);
  if (body == NULL) return NULL;
  kop_topic_partition *partitions = (kop_topic_partition *)(body + 1);
  kop_config_entry *configs = (kop_config_entry *)(partitions + t->partitions_count);
  uint8_t *text = (uint8_t *)(configs + t->settings_count);
  *body = (kop_topic){.size = sizeof *body,
                      .name = {text, t->name_len},
                      .id = t->id,
                      .partitions = partitions,
                      .partitions_count = t->partitions_count,
                      .configs = configs,
                      .configs_count = t->settings_count};
  memcpy(text, t->name, t->name_len);
  text += t->name_len;
  for (uint32_t i = 0; i < t->partitions_count; i++) {
    const kopd_partition *p = t->partitions[i];
    partitions[i] = (kop_topic_partition){
        .id = p->id, .leader = s->node_ids[p->leader], .leader_epoch = p->epoch};
  }
  for (uint32_t i = 0; i < t->settings_count; i++) {
    size_t name_len = strlen(t->settings[i].name), value_len = strlen(t->settings[i].value);
    configs[i] = (kop_config_entry){{text, name_len}, {text + name_len, value_len}};
    memcpy(text, t->settings[i].name, name_len);
    memcpy(text + name_len, t->settings[i].value, value_len);
    text += name_len + value_len;
  }
  return body;
}

static void *copied(const void *body, size_t size) {
  void *copy = malloc(size);
  if (copy != NULL) memcpy(copy, body, size);
  return copy;
}

/* The event of a notice. 1; 0 if there is nothing left to say; -1 for want of memory. */
static int event_make(const kopd_store *s, const kopd_notice *n, kop_event *event) {
  uint32_t kind = n->kind;
  void *body = NULL;
  uint32_t size = 0;
  if (kind == KOP_EVENT_TOPIC && n->topic->gone) kind = KOP_EVENT_TOPIC_GONE;
  if (n->partition != NULL && n->topic->gone) return 0;
  switch (kind) {
  case KOP_EVENT_TOPIC:
    size = sizeof(kop_topic);
    body = topic_body(s, n->topic);
    break;
  case KOP_EVENT_TOPIC_GONE: {
    kop_topic_ref ref = {.size = sizeof ref, .id = n->topic->id};
    size = sizeof ref;
    body = copied(&ref, sizeof ref);
    break;
  }
  case KOP_EVENT_LEADER: {
    kop_leader leader = {.size = sizeof leader,
                         .leader = s->node_ids[n->partition->leader],
                         .partition = n->partition->id,
                         .leader_epoch = n->partition->epoch};
    size = sizeof leader;
    body = copied(&leader, sizeof leader);
    break;
  }
  case KOP_EVENT_LOG: {
    kop_log_state log = {.size = sizeof log,
                         .epoch = n->partition->epoch,
                         .partition = n->partition->id,
                         .log_start = n->partition->log_start,
                         .high_watermark = n->partition->end,
                         .log_bytes = n->partition->bytes};
    size = sizeof log;
    body = copied(&log, sizeof log);
    break;
  }
  default: {
    kop_volume volume = {
        .size = sizeof volume, .total_bytes = s->volume_total, .usable_bytes = s->volume_usable};
    size = sizeof volume;
    body = copied(&volume, sizeof volume);
    break;
  }
  }
  if (body == NULL) return -1;
  *event = (kop_event){.size = sizeof *event, .kind = kind, .body = body, .body_size = size};
  return 1;
}

static void bodies_free(kopd_store_client *c) {
  for (size_t i = 0; i < c->bodies_count; i++)
    free(c->bodies[i]);
  c->bodies_count = 0;
}

static void resync_locked(kopd_store *s, kopd_store_client *c) {
  c->resync = false;
  for (kopd_topic *t = s->topics; t != NULL && !c->resync; t = t->next)
    kopd_notify_locked(c, KOP_EVENT_TOPIC, t, NULL);
}

size_t kopd_store_poll_events(kopd_store_client *client, kop_event *events, size_t capacity) {
  kopd_store *s = client->store;
  size_t n = 0;
  bodies_free(client);
  if (capacity > client->bodies_cap) {
    void **bigger = realloc(client->bodies, capacity * sizeof *bigger);
    if (bigger == NULL) {
      capacity = client->bodies_cap;
    } else {
      client->bodies = bigger;
      client->bodies_cap = capacity;
    }
  }
  kopd_lock(s);
  client->woken = false;
  if (client->acknowledged != client->handed) {
    client->acknowledged = client->handed;
    kopd_held_check_locked(s);
  }
  if (client->resync) resync_locked(s, client);
  while (n < capacity && client->notices_len > 0) {
    kopd_notice notice = client->notices[client->notices_first];
    int made = event_make(s, &notice, &events[n]);
    if (made < 0) break;
    client->notices_first = (client->notices_first + 1) % client->notices_cap;
    client->notices_len--;
    client->handed++;
    uint64_t *bits = queued_bits(notice.kind, notice.topic, notice.partition);
    if (bits != NULL) *bits &= ~(UINT64_C(1) << client->node);
    if (notice.topic != NULL) kopd_topic_unref(notice.topic);
    if (made > 0) client->bodies[n] = (void *)(uintptr_t)events[n].body, n++;
  }
  client->bodies_count = n;
  if (n == 0 && client->acknowledged != client->handed) {
    /* Only notices with nothing left to say: there is nothing to hand to the engine and to come back for. */
    client->acknowledged = client->handed;
    kopd_held_check_locked(s);
  }
  pthread_mutex_unlock(&s->lock);
  return n;
}
