/*
 * A topic in memory that answers a search's probes as a broker would: ledgers, holes, entries that readers do not see,
 * entries without index, growth, rollover and trimming.
 */
#ifndef TESTS_UNIT_OFFSET_MODEL_H
#define TESTS_UNIT_OFFSET_MODEL_H

#include <kop/offset.h>

#include "support/rng.h"

enum { MODEL_ENTRIES = 600, MODEL_LEDGERS = 80 };

typedef struct model_ledger {
  uint64_t id;
  uint32_t begin; /* index of its first entry in the model's row */
  uint32_t count;
} model_ledger;

typedef struct model {
  kop_offset_entry entries[MODEL_ENTRIES];
  uint8_t hidden
      [MODEL_ENTRIES]; /* a marker of the broker: it takes an offset, a reader passes over it */
  uint32_t len;
  model_ledger ledgers[MODEL_LEDGERS];
  uint32_t ledger_len;
  uint32_t first_ledger; /* those before it are trimmed */
  int64_t next_offset;
  uint64_t rng;
} model;

/* How a model is filled. */
typedef struct model_shape {
  uint32_t entries;       /* to append */
  uint32_t unindexed;     /* of them, so many first ones have no index */
  uint32_t per_ledger;    /* entries of a ledger, about */
  uint32_t batch;         /* messages of an entry at most */
  uint32_t gap_one_in;    /* one in so many entries leaves offsets out before it; 0: none */
  uint32_t hidden_one_in; /* one in so many is a marker; 0: none */
  uint32_t miscounted;    /* 1: a batch may have more messages than its sender said */
} model_shape;

void model_init(model *m, uint64_t seed);
void model_append(model *m, const model_shape *shape);
void model_roll(model *m);
/* Lets the oldest ledgers go; the newest one stays. */
void model_trim(model *m, uint32_t ledgers);
/* Index of the first entry that is not trimmed. */
uint32_t model_first(const model *m);

/* Answers a probe of a caller that can do what `can` says. `list` has room for MODEL_LEDGERS. */
kop_offset_answer model_answer(const model *m, uint32_t can, const kop_offset_probe *probe,
                               kop_offset_ledger *list);

/* Whether a caller of that kind sees the entry. */
uint8_t model_sees(const model *m, uint32_t can, uint32_t i);

#endif
