/*
 * Partitions that are on their way: asked of the store with CREATE_TOPIC or CREATE_PARTITIONS, not pushed yet. They count towards
 * max_partitions like those that are there, so that what is promised to one client cannot be promised to another.
 *
 *   max_partitions   [ pushed: stats.partitions | on their way: growing | free ]
 *
 *   begin: free -> on their way     TOPIC event: on their way -> pushed     end (the store has answered): what did not come is free again
 *
 * Kept by topic. Two effects that create one topic are on the way to the same partitions, since the store lets only one of them through.
 */
#ifndef KOPI_ENGINE_GROWTH_H
#define KOPI_ENGINE_GROWTH_H

#include "engine/engine.h"

struct kopi_growth {
  kop_slice topic; /* its text lies behind the struct */
  uint32_t open;   /* effects that have not been answered */
  uint64_t due;    /* partitions that have not been pushed */
  bool pushed;     /* some have been pushed meanwhile */
};

/* Counts that many more from here on, in *growth. 0, or the Kafka error that refuses them, with its words in *text. */
int16_t kopi_growth_begin(kop_engine *e, kop_slice topic, uint64_t more, kopi_growth **growth,
                          kop_slice *text);

/* The effect is not emitted after all. */
void kopi_growth_end(kop_engine *e, kopi_growth *g);

/* The store has answered: 0 if the partitions are there, else the Kafka error for who wanted them. Ends the growth. */
int16_t kopi_growth_answered(kop_engine *e, kopi_growth *g, const kop_completion *c);

/* A TOPIC event brings that many partitions of the topic, 0 if it changes something else. */
void kopi_growth_pushed(kop_engine *e, kop_slice topic, uint64_t more);

void kopi_growths_free(kop_engine *e);

#endif
