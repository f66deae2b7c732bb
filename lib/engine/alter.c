/* Changing configs. */
#include "engine/alter.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "engine/topic_name.h"

enum { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4 };

bool kopi_alter_items(kop_engine *e, kopi_request *r, kopi_alter *a, size_t count, kop_now now) {
  a->items = kopi_request_alloc(e, r, count + 1, sizeof(kopi_alter_item), now);
  if (a->items == NULL) return false;
  a->items_len = count;
  for (size_t i = 0; i < count; i++)
    a->items[i].alter = a;
  return true;
}

bool kopi_alter_changes(kop_engine *e, kopi_request *r, kopi_alter_item *item, int32_t count,
                        kop_now now) {
  size_t n = count < 0 ? 0 : (size_t)count;
  item->changes = kopi_request_alloc(e, r, n + 1, sizeof(kopi_alter_change), now);
  item->changes_len = (uint32_t)n;
  return item->changes != NULL;
}

static void fail(kopi_alter_item *item, int16_t error, kop_slice message) {
  item->error = error;
  item->message = message;
}

static kop_slice about(kopi_alter_item *item, kop_slice name, const char *what) {
  return kopi_answer_text(item->alter->gather.r, "config %.*s: %s", kopi_text_len(name),
                          (const char *)name.ptr, what);
}

/* ---- checks ---- */

/* Resources that stand twice are both refused; so is one that names a config twice. */
static bool find_repeats(kop_engine *e, kopi_alter *a, kop_now now) {
  kopi_request *r = a->gather.r;
  size_t most = a->items_len;
  for (size_t i = 0; i < a->items_len; i++) {
    if (a->items[i].changes_len > most) most = a->items[i].changes_len;
  }
  kop_slice *keys = kopi_request_alloc(e, r, most + 1, sizeof(kop_slice), now);
  uint8_t *marks = keys == NULL ? NULL : kopi_request_alloc(e, r, most + 1, 1, now);
  if (marks == NULL) return false;
  for (size_t i = 0; i < a->items_len; i++) {
    /* Type and name in one key. */
    size_t len = a->items[i].name.len;
    uint8_t *key = kopi_request_alloc(e, r, len + 1, 1, now);
    if (key == NULL) return false;
    key[0] = (uint8_t)a->items[i].type;
    if (len > 0) memcpy(key + 1, a->items[i].name.ptr, len);
    keys[i] = (kop_slice){.ptr = key, .len = len + 1};
  }
  if (!kopi_find_repeats(e, r, keys, a->items_len, marks, NULL, now)) return false;
  for (size_t i = 0; i < a->items_len; i++) {
    if (marks[i] != KOPI_REPEAT_NONE)
      fail(&a->items[i], KOP_KAFKA_INVALID_REQUEST, kopi_text("the resource is named twice"));
  }
  for (size_t i = 0; i < a->items_len; i++) {
    kopi_alter_item *item = &a->items[i];
    for (uint32_t k = 0; k < item->changes_len; k++)
      keys[k] = item->changes[k].name;
    if (!kopi_find_repeats(e, r, keys, item->changes_len, marks, NULL, now)) return false;
    for (uint32_t k = 0; k < item->changes_len && item->error == 0; k++) {
      if (marks[k] != KOPI_REPEAT_NONE)
        fail(item, KOP_KAFKA_INVALID_REQUEST, about(item, keys[k], "named twice"));
    }
  }
  return true;
}

static void check_changes(kopi_alter_item *item) {
  for (uint32_t i = 0; i < item->changes_len && item->error == 0; i++) {
    const kopi_alter_change *change = &item->changes[i];
    if (change->op < KOPI_ALTER_SET || change->op > KOPI_ALTER_SUBTRACT) {
      fail(item, KOP_KAFKA_INVALID_REQUEST, about(item, change->name, "unknown operation"));
    } else if (change->value.ptr == NULL && change->op != KOPI_ALTER_DELETE) {
      fail(item, KOP_KAFKA_INVALID_REQUEST, about(item, change->name, "a null value"));
    }
  }
}

/* A node's settings cannot be changed while it runs; to change nothing is fine. */
static void check_node(const kop_engine *e, kopi_alter_item *item) {
  char node_id[16];
  (void)snprintf(node_id, sizeof node_id, "%d", (int)e->cfg.node_id);
  if (item->name.len > 0 && !kopi_slice_equal(item->name, kopi_text(node_id))) {
    fail(item, KOP_KAFKA_INVALID_REQUEST,
         kopi_answer_text(item->alter->gather.r, "this is node %s, and '%.*s' was asked for",
                          node_id, kopi_text_len(item->name), (const char *)item->name.ptr));
  } else if (item->changes_len > 0) {
    fail(item, KOP_KAFKA_INVALID_REQUEST,
         about(item, item->changes[0].name, "a node's settings cannot be changed while it runs"));
  }
}

/* ---- a topic's new configs ---- */

/* A list that is being written, and the elements that must not be added to it (again). */
typedef struct new_list {
  uint8_t *to;
  size_t len;
  kopi_map_bytes seen;
} new_list;

static kop_status skip_elements(new_list *l, kop_slice from) {
  kop_slice element;
  while (kopi_config_list_next(&from, &element)) {
    if (kopi_map_bytes_insert(&l->seen, element, l) == KOP_ERR_NOMEM) return KOP_ERR_NOMEM;
  }
  return KOP_OK;
}

static kop_status add_elements(new_list *l, kop_slice from) {
  kop_slice element;
  while (kopi_config_list_next(&from, &element)) {
    kop_status status = kopi_map_bytes_insert(&l->seen, element, l);
    if (status == KOP_ERR_NOMEM) return status;
    if (status != KOP_OK || element.len == 0) continue;
    if (l->len > 0) l->to[l->len++] = ',';
    memcpy(l->to + l->len, element.ptr, element.len);
    l->len += element.len;
  }
  return KOP_OK;
}

/* The list that a topic has, with elements added or taken away. False: answered for want of memory. */
static bool change_list(kop_engine *e, kopi_alter_item *item, const kopi_topic *t,
                        const kopi_config_row *row, const kopi_alter_change *change,
                        kop_slice *value, kop_now now) {
  kopi_request *r = item->alter->gather.r;
  int8_t source;
  kop_slice old = kopi_config_answer_value(e, r, t->configs, t->configs_len, row, &source);
  new_list l = {.to = kopi_request_alloc(e, r, old.len + change->value.len + 2, 1, now)};
  if (l.to == NULL) return false;
  kopi_map_bytes_init(&l.seen, &e->alloc, e->cfg.seed);
  bool append = change->op == KOPI_ALTER_APPEND;
  kop_status status = append ? KOP_OK : skip_elements(&l, change->value);
  if (status == KOP_OK) status = add_elements(&l, old);
  if (status == KOP_OK && append) status = add_elements(&l, change->value);
  kopi_map_bytes_free(&l.seen);
  *value = (kop_slice){.ptr = l.to, .len = l.len};
  if (status != KOP_OK) kopi_request_out_of_memory(e, r, now);
  return status == KOP_OK;
}

static void add_entry(kopi_alter_item *item, kop_slice name, kop_slice value) {
  item->entries[item->entries_len++] = (kop_config_entry){.name = name, .value = value};
}

static bool add_change(kop_engine *e, kopi_alter_item *item, const kopi_topic *t,
                       const kopi_alter_change *change, kop_now now) {
  const kopi_config_row *row = kopi_config_row_of(KOP_CONFIG_TOPIC, change->name);
  kop_slice value = change->value;
  if (change->op == KOPI_ALTER_DELETE) {
    /* Also of a name that is none: there is nothing to delete then. */
    if (row != NULL) add_entry(item, change->name, (kop_slice){.ptr = NULL});
    return true;
  }
  if (change->op != KOPI_ALTER_SET && row != NULL) {
    if (row->type != KOPI_CONFIG_LIST) {
      fail(item, KOP_KAFKA_INVALID_CONFIG, about(item, change->name, "not a list"));
      return true;
    }
    if (!change_list(e, item, t, row, change, &value, now)) return false;
  }
  const char *fault = kopi_topic_config_fault(e, change->name, value);
  if (fault != NULL) {
    fail(item, KOP_KAFKA_INVALID_CONFIG, about(item, change->name, fault));
    return true;
  }
  add_entry(item, change->name, value);
  return true;
}

/* What the topic has of its own and is not given anew. The names are the table's, which stay. */
static void delete_others(kopi_alter_item *item, const kopi_topic *t) {
  uint32_t given = item->entries_len;
  for (uint32_t i = 0; i < t->configs_len; i++) {
    const kopi_config_row *row = kopi_config_row_of(KOP_CONFIG_TOPIC, t->configs[i].name);
    bool stays = row == NULL;
    for (uint32_t k = 0; k < given && !stays; k++)
      stays = kopi_slice_equal(item->entries[k].name, t->configs[i].name);
    if (!stays) add_entry(item, kopi_text(row->name), (kop_slice){.ptr = NULL});
  }
}

/* Values are checked before the topic is looked for, as in Kafka, where its lists need it; false: answered for want of memory. */
static bool check_topic(kop_engine *e, kopi_alter_item *item, kop_now now) {
  static const kopi_topic none = {.configs_len = 0};
  const char *fault = kopi_topic_name_fault(item->name);
  const kopi_topic *t = kopi_topic_by_name(e, item->name);
  if (item->name.len == 0) {
    fail(item, KOP_KAFKA_INVALID_REQUEST, kopi_text("there are no defaults of topics"));
  } else if (fault != NULL) {
    fail(item, KOP_KAFKA_INVALID_TOPIC_EXCEPTION, kopi_text(fault));
  }
  for (uint32_t i = 0; i < item->changes_len && item->error == 0; i++) {
    if (!add_change(e, item, t != NULL ? t : &none, &item->changes[i], now)) return false;
  }
  if (item->error != 0) return true;
  if (t == NULL) {
    fail(item, KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION, kopi_text("there is no such topic"));
  } else if (item->alter->replaces) {
    delete_others(item, t);
  }
  return true;
}

static bool check(kop_engine *e, kopi_alter_item *item, kop_now now) {
  if (item->error == 0) check_changes(item);
  if (item->error != 0) return true;
  if (item->type == RESOURCE_TOPIC) return check_topic(e, item, now);
  if (item->type == RESOURCE_BROKER) {
    check_node(e, item);
  } else {
    fail(item, KOP_KAFKA_INVALID_REQUEST,
         kopi_answer_text(item->alter->gather.r, "resources of type %d have no configs here",
                          item->type));
  }
  return true;
}

/* ---- the change ---- */

static void on_altered(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  kopi_alter_item *item = op->owner;
  kopi_gather *gather = &item->alter->gather;
  if (c->outcome != KOP_DONE) item->error = kopi_outcome_error(c);
  kopi_gather_answered(e, gather, now);
}

static void alter(kop_engine *e, kopi_alter_item *item) {
  const kopi_topic *t = kopi_topic_by_name(e, item->name);
  kopi_op *op =
      kopi_gather_op(e, &item->alter->gather, KOP_EFFECT_ALTER_CONFIGS, 0, on_altered, item);
  if (op == NULL) {
    fail(item, KOP_KAFKA_UNKNOWN_SERVER_ERROR, kopi_text("no memory"));
    return;
  }
  op->body.alter_configs.name = item->name;
  op->body.alter_configs.id = t->id;
  op->body.alter_configs.entries = item->entries;
  op->body.alter_configs.entries_count = item->entries_len;
  kopi_op_emit(&e->ops, op);
}

void kopi_alter_run(kop_engine *e, kopi_alter *a, kop_now now) {
  uint32_t rows;
  (void)kopi_config_topic_rows(&rows);
  if (!find_repeats(e, a, now)) return;
  for (size_t i = 0; i < a->items_len; i++) {
    kopi_alter_item *item = &a->items[i];
    /* No name stands twice, and what is not in the table is refused or dropped. */
    item->entries =
        kopi_request_alloc(e, a->gather.r, (size_t)rows + 1, sizeof *item->entries, now);
    if (item->entries == NULL || !check(e, item, now)) return;
  }
  for (size_t i = 0; i < a->items_len; i++) {
    kopi_alter_item *item = &a->items[i];
    if (item->error == 0 && item->type == RESOURCE_TOPIC && item->entries_len > 0 &&
        !a->validate_only)
      alter(e, item);
  }
  kopi_gather_end(e, &a->gather, now);
}
