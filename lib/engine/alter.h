/*
 * Changing configs: what AlterConfigs (the configs given replace all of a topic's) and IncrementalAlterConfigs (each is set, deleted,
 * appended to or subtracted from) have in common.
 *
 *   each resource   named twice, type, keys named twice or null -> node: refused; topic: name, exists, values -> ALTER_CONFIGS
 */
#ifndef KOPI_ENGINE_ALTER_H
#define KOPI_ENGINE_ALTER_H

#include "engine/config_answer.h"

enum kopi_alter_op {
  KOPI_ALTER_SET = 0,
  KOPI_ALTER_DELETE = 1,
  KOPI_ALTER_APPEND = 2,
  KOPI_ALTER_SUBTRACT = 3
};

/* One change of one config. */
typedef struct kopi_alter_change {
  kop_slice name;
  kop_slice value;
  int8_t op; /* kopi_alter_op, or what the client sent */
} kopi_alter_change;

/* One resource, as decoded, and its answer. */
typedef struct kopi_alter_item {
  struct kopi_alter *alter;
  kop_slice name;
  int8_t type;
  kopi_alter_change *changes;
  uint32_t changes_len;

  kop_config_entry
      *entries; /* what the store is told; room for the changes and for all rows of the table */
  uint32_t entries_len;
  int16_t error;
  kop_slice message; /* null without one */
} kopi_alter_item;

typedef struct kopi_alter {
  kopi_gather gather; /* first */
  kopi_alter_item *items;
  size_t items_len;
  bool replaces; /* what is not named is deleted */
  bool validate_only;
} kopi_alter;

/* Allocates the items. False: as kopi_request_alloc. */
bool kopi_alter_items(kop_engine *e, kopi_request *r, kopi_alter *a, size_t count, kop_now now);

/* Room for an item's changes. False: as kopi_request_alloc. */
bool kopi_alter_changes(kop_engine *e, kopi_request *r, kopi_alter_item *item, int32_t count,
                        kop_now now);

/* Checks all items, changes what can be changed, and replies through the gather, at once or later. */
void kopi_alter_run(kop_engine *e, kopi_alter *a, kop_now now);

#endif
