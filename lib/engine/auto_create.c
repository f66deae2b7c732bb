/* Topics created on first use. */
#include "engine/auto_create.h"

#include <kop/kafka_error.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/growth.h"
#include "engine/topic.h"
#include "engine/topic_name.h"

enum { MOST_AT_ONCE = 100 };

struct kopi_creation {
  kopi_creation *next;
  kopi_growth *growth;
  kop_slice name; /* its text lies behind the struct */
};

static void end(kop_engine *e, kopi_creation *creation) {
  kopi_creation **link = &e->creations;
  while (*link != creation)
    link = &(*link)->next;
  *link = creation->next;
  e->creations_len--;
  kopi_free(&e->alloc, creation);
}

static void on_created(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  (void)now;
  kopi_creation *creation = op->owner;
  /* Another node may have been faster. */
  bool exists = c->outcome == KOP_REJECTED && c->kafka_error == KOP_KAFKA_TOPIC_ALREADY_EXISTS;
  (void)kopi_growth_answered(e, creation->growth, c);
  if (c->outcome != KOP_DONE && !exists) {
    kopi_log(e, KOP_LOG_WARN, "topic %.*s was asked for and could not be created: outcome %d, %s",
             (int)creation->name.len, (const char *)creation->name.ptr, (int)c->outcome,
             kop_kafka_error_name(c->kafka_error));
  }
  end(e, creation);
}

static bool may_create(const kop_engine *e, kop_slice name) {
  if (!e->settings.auto_create_topics || !kopi_serves(e, 1ull << KOP_EFFECT_CREATE_TOPIC))
    return false;
  if (kopi_topic_name_fault(name) != NULL || kopi_topic_name_is_internal(name) ||
      kopi_topic_name_is_metadata_log(name) || kopi_topic_by_name(e, name) != NULL)
    return false;
  for (const kopi_creation *c = e->creations; c != NULL; c = c->next) {
    if (kopi_slice_equal(c->name, name)) return false;
  }
  if (e->creations_len >= MOST_AT_ONCE || e->shutting_down) return false;
  return kopi_topic_collision(e, name) == NULL;
}

/* The log says it once, not at each time that clients ask for the topics again. */
static void tell_full(kop_engine *e, kop_slice name) {
  if (e->creations_full) return;
  e->creations_full = true;
  kopi_log(e, KOP_LOG_WARN,
           "topic %.*s was asked for and not created: there would be more partitions than the "
           "broker may have",
           (int)name.len, (const char *)name.ptr);
}

void kopi_auto_create(kop_engine *e, kop_slice name) {
  if (!may_create(e, name)) return;
  kopi_growth *growth = NULL;
  kop_slice why;
  int16_t error = kopi_growth_begin(e, name, (uint64_t)e->settings.num_partitions, &growth, &why);
  if (error == KOP_KAFKA_POLICY_VIOLATION) tell_full(e, name);
  if (error != 0) return;
  kopi_creation *creation = kopi_malloc(&e->alloc, sizeof *creation + name.len);
  kopi_op *op = creation == NULL
                    ? NULL
                    : kopi_op_new(&e->ops, KOP_EFFECT_CREATE_TOPIC, 0, on_created, creation);
  if (op == NULL) {
    kopi_free(&e->alloc, creation);
    kopi_growth_end(e, growth);
    return;
  }
  uint8_t *text = (uint8_t *)(creation + 1);
  memcpy(text, name.ptr, name.len);
  *creation = (kopi_creation){
      .next = e->creations, .growth = growth, .name = {.ptr = text, .len = name.len}};
  e->creations = creation;
  e->creations_len++;
  op->body.create_topic.name = creation->name;
  op->body.create_topic.partitions = e->settings.num_partitions;
  kopi_op_emit(&e->ops, op);
}

void kopi_auto_create_free(kop_engine *e) {
  while (e->creations != NULL)
    end(e, e->creations);
}
