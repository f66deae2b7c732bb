/*
 * The topics that the embedder has pushed: by name, by id, and in order of their names.
 */
#ifndef KOPI_ENGINE_TOPIC_H
#define KOPI_ENGINE_TOPIC_H

#include "engine/engine.h"

struct kopi_topic {
  kop_slice name; /* owned */
  kop_uuid id;
  bool internal;
  kopi_partition **partitions; /* by index */
  uint32_t partitions_len;
  uint32_t partitions_cap;
  kop_config_entry *configs; /* the topic's own, sorted by name; one allocation with their text */
  uint32_t configs_len;
  kopi_topic_settings settings;
  uint64_t stamp; /* as in kopi_partition */
  void *stamped;
};

/* NULL if unknown. */
kopi_topic *kopi_topic_by_name(const kop_engine *e, kop_slice name);
kopi_topic *kopi_topic_by_id(const kop_engine *e, const kop_uuid *id);
bool kopi_uuid_is_zero(const kop_uuid *id);
int kopi_slice_compare(kop_slice a, kop_slice b);
bool kopi_slice_equal(kop_slice a, kop_slice b);

/* A topic whose name differs from this one in nothing but dots and underscores; NULL if there is none. */
kopi_topic *kopi_topic_collision(const kop_engine *e, kop_slice name);

/* NULL if there is no such partition. */
kopi_partition *kopi_topic_partition_at(const kopi_topic *t, int32_t index);

/* Events. */
kop_status kopi_push_topic(kop_engine *e, const kop_topic *event, kop_now now);
kop_status kopi_push_topic_gone(kop_engine *e, const kop_topic_ref *event, kop_now now);
kop_status kopi_push_leader(kop_engine *e, const kop_leader *event, kop_now now);

void kopi_topics_free(kop_engine *e);

#endif
