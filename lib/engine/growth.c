/* Partitions that are on their way. */
#include "engine/growth.h"

#include <string.h>

#include "base/alloc.h"
#include "engine/answer.h"

static kopi_growth *growth_of(const kop_engine *e, kop_slice topic) {
  return kopi_map_bytes_find(&e->growths, topic);
}

static bool fits(const kop_engine *e, const kopi_growth *g, uint64_t more) {
  uint64_t due = g == NULL ? 0 : g->due;
  uint64_t extra = more > due ? more - due : 0;
  return e->stats.partitions + e->growing + extra <= e->cfg.max_partitions;
}

static kopi_growth *new_growth(kop_engine *e, kop_slice topic) {
  kopi_growth *g = kopi_calloc(&e->alloc, 1, sizeof *g + topic.len);
  if (g == NULL) return NULL;
  memcpy(g + 1, topic.ptr, topic.len);
  g->topic = (kop_slice){.ptr = (const uint8_t *)(g + 1), .len = topic.len};
  if (kopi_map_bytes_insert(&e->growths, g->topic, g) == KOP_OK) return g;
  kopi_free(&e->alloc, g);
  return NULL;
}

int16_t kopi_growth_begin(kop_engine *e, kop_slice topic, uint64_t more, kopi_growth **growth,
                          kop_slice *text) {
  kopi_growth *g = growth_of(e, topic);
  if (!fits(e, g, more)) {
    *text = kopi_text("there would be more partitions than the broker may have");
    return KOP_KAFKA_POLICY_VIOLATION;
  }
  if (g == NULL) g = new_growth(e, topic);
  if (g == NULL) {
    *text = kopi_text("no memory");
    return KOP_KAFKA_UNKNOWN_SERVER_ERROR;
  }
  g->open++;
  if (more > g->due) {
    e->growing += more - g->due;
    g->due = more;
  }
  *growth = g;
  return 0;
}

static void arrive(kop_engine *e, kopi_growth *g, uint64_t partitions) {
  if (partitions > g->due) partitions = g->due;
  g->due -= partitions;
  e->growing -= partitions;
}

void kopi_growth_end(kop_engine *e, kopi_growth *g) {
  if (--g->open > 0) return;
  arrive(e, g, g->due);
  (void)kopi_map_bytes_remove(&e->growths, g->topic);
  kopi_free(&e->alloc, g);
}

int16_t kopi_growth_answered(kop_engine *e, kopi_growth *g, const kop_completion *c) {
  int16_t error = kopi_outcome_error(c);
  if (c->outcome == KOP_DONE && !g->pushed) { /* or the event was refused */
    kopi_log(e, KOP_LOG_ERROR, "topic %.*s: the store has made partitions that were not pushed",
             kopi_text_len(g->topic), (const char *)g->topic.ptr);
    error = KOP_KAFKA_UNKNOWN_SERVER_ERROR;
  }
  kopi_growth_end(e, g);
  return error;
}

void kopi_growth_pushed(kop_engine *e, kop_slice topic, uint64_t more) {
  kopi_growth *g = growth_of(e, topic);
  if (g == NULL) return;
  g->pushed = g->pushed || more > 0;
  arrive(e, g, more);
}

void kopi_growths_free(kop_engine *e) {
  size_t cursor = 0;
  kopi_growth *g;
  while ((g = kopi_map_bytes_next(&e->growths, &cursor)) != NULL)
    kopi_free(&e->alloc, g);
  kopi_map_bytes_free(&e->growths);
}
