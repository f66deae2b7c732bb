/*
 * Blocks of entries, used again.
 *
 * What the runs of a file leave when it is sealed is what the runs of the next one need. All partitions ask at once then, in the few
 * commits after a file was begun: a list per size answers in a tenth of malloc's time, which has to sort what was just freed.
 *
 * Blocks are malloc's own, so whoever holds one may free it. KEPT_MOST bounds the lists, and when nobody has asked for a whole round of
 * the janitor they are emptied.
 */
#include "store/state.h"

#include <stdlib.h>

#define KEPT_MOST (UINT64_C(4) << 20)

/* The list of blocks of that many entries, -1: there is none. */
static int list_of(uint32_t cap) {
  uint32_t size = KOPD_BLOCK_LEAST;
  for (int i = 0; i < KOPD_BLOCK_SIZES; i++, size *= 2)
    if (cap == size) return i;
  return -1;
}

kopd_entry *kopd_block_take_locked(kopd_blocks *b, uint32_t cap) {
  int i = list_of(cap);
  b->asked = true;
  if (i < 0 || b->first[i] == NULL) return malloc(cap * sizeof(kopd_entry));
  void *block = b->first[i];
  memcpy(&b->first[i], block, sizeof b->first[i]);
  if (b->first[i] != NULL) __builtin_prefetch(b->first[i], 1);
  b->kept -= cap * sizeof(kopd_entry);
  return block;
}

void kopd_block_give_locked(kopd_blocks *b, kopd_entry *entries, uint32_t cap) {
  int i = list_of(cap);
  uint64_t bytes = cap * sizeof *entries;
  if (i < 0 || b->kept + bytes > KEPT_MOST) {
    free(entries);
    return;
  }
  memcpy(entries, &b->first[i], sizeof b->first[i]);
  b->first[i] = entries;
  b->kept += bytes;
}

void kopd_blocks_free(kopd_blocks *b) {
  for (int i = 0; i < KOPD_BLOCK_SIZES; i++) {
    for (void *block = b->first[i]; block != NULL;) {
      void *next = NULL;
      memcpy(&next, block, sizeof next);
      free(block);
      block = next;
    }
  }
  *b = (kopd_blocks){.kept = 0};
}

void kopd_blocks_rest(kopd_store *s) {
  kopd_blocks unused = {.kept = 0};
  pthread_mutex_lock(&s->lock);
  if (!s->blocks.asked) {
    unused = s->blocks;
    s->blocks = (kopd_blocks){.kept = 0};
  }
  s->blocks.asked = false;
  pthread_mutex_unlock(&s->lock);
  kopd_blocks_free(&unused);
}
