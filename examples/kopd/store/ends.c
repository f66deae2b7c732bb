/*
 * The ends of the logs, as the catalogue knows them.
 *
 * Where a log ends follows from its frames, so a log file that is removed or emptied while kopd does not run would take offsets back
 * without a word, and new records would get offsets that consumers have passed. So the catalogue keeps a lower bound of each partition's end,
 * written where it costs next to nothing: when a file is sealed, with every ACQUIRE, and at a clean stop. A start compares:
 *
 *   in the catalogue   log start                        known end
 *   in the files       |    first batch ... end         |
 *                      ^----^ lost                 ^----^ lost
 *
 * What is lost is said in one line, and the log goes on: behind the known end, and from the first batch that is there.
 */
#include "store/db.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct bounds {
  uint64_t partition;
  int64_t start; /* 0: unchanged */
  int64_t end;   /* 0: unchanged */
} bounds;

typedef struct bounds_list {
  bounds *items;
  size_t len;
} bounds_list;

static int stage_bounds(kopd_db *db, void *txn, void *arg) {
  const bounds_list *list = arg;
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < list->len; i++) {
    const bounds *b = &list->items[i];
    if (b->start > 0) rc = kopd_db_raise_start(db, txn, b->partition, b->start);
    if (rc == 0 && b->end > 0) rc = kopd_db_raise_end(db, txn, b->partition, b->end);
  }
  return rc;
}

void kopd_ends_sealed(kopd_store *s, const kopd_footer_run *runs, uint32_t count) {
  bounds_list list = {.items = calloc(count, sizeof(bounds))};
  if (s->db == NULL || list.items == NULL) goto out; /* the next one says it too */
  pthread_mutex_lock(&s->lock);
  uint64_t since = kopd_mono_ns();
  for (uint32_t i = 0; i < count; i++) {
    kopd_breathe_locked(s, &since);
    uint64_t id = kopd_le_u64(runs[i].row.partition);
    if (kopd_partition_find_locked(s, id) == NULL) continue; /* deleted meanwhile */
    list.items[list.len++] = (bounds){.partition = id, .end = kopd_le_i64(runs[i].row.end_offset)};
  }
  pthread_mutex_unlock(&s->lock);
  (void)kopd_keep(s, stage_bounds, &list);
out:
  free(list.items);
}

static bool list_all(const kopd_store *s, bounds_list *list) {
  list->items = calloc(s->partitions.len + 1, sizeof *list->items);
  for (const kopd_topic *t = s->topics; list->items != NULL && t != NULL; t = t->next) {
    for (uint32_t i = 0; i < t->partitions_count; i++) {
      const kopd_partition *p = t->partitions[i];
      if (p->end <= p->known_end) continue;
      list->items[list->len++] = (bounds){.partition = p->id, .end = p->end};
    }
  }
  return list->len > 0;
}

void kopd_ends_at_stop(kopd_store *s) {
  bounds_list list = {.len = 0};
  if (s->db != NULL && list_all(s, &list)) (void)kopd_keep(s, stage_bounds, &list);
  free(list.items);
}

/* ---- at a start ---- */

/* What is told of one kind of loss. */
typedef struct loss {
  uint64_t partitions;
  char example[320];
} loss;

static void note(loss *l, const kopd_partition *p, int64_t from, int64_t to) {
  if (l->partitions++ > 0) return;
  snprintf(l->example, sizeof l->example, "%s-%d, offsets %" PRId64 " to %" PRId64, p->topic->name,
           p->index, from, to - 1);
}

static void tell(const kopd_store *s, const loss *l, const char *which) {
  if (l->partitions == 0) return;
  kopd_log(s, KOP_LOG_ERROR,
           "store: the %s records of %" PRIu64 " partitions are no longer in %s: %s%s; what comes "
           "gets the offsets behind them",
           which, l->partitions, s->log_path, l->example, l->partitions > 1 ? ", ..." : "");
}

/* Where the first batch is, or where it will be. */
static int64_t first_of(const kopd_partition *p) {
  return p->runs_count > 0 ? p->runs[0]->base : p->end;
}

int kopd_ends_compare(kopd_store *s, char *error, size_t cap) {
  loss newest = {.partitions = 0}, oldest = {.partitions = 0};
  bounds_list list = {.items = calloc(s->partitions.len + 1, sizeof(bounds))};
  int rc = list.items == NULL ? -1 : 0;
  for (kopd_topic *t = s->topics; rc == 0 && t != NULL; t = t->next) {
    for (uint32_t i = 0; i < t->partitions_count; i++) {
      kopd_partition *p = t->partitions[i];
      if (p->end < p->known_end) {
        note(&newest, p, p->end, p->known_end);
        p->end = p->reserved = p->known_end;
      } else if (p->runs_count > 0 && first_of(p) > p->log_start) {
        note(&oldest, p, p->log_start, first_of(p));
      }
      if (first_of(p) <= p->log_start) continue;
      list.items[list.len++] = (bounds){.partition = p->id, .start = first_of(p)};
      p->log_start = first_of(p);
    }
  }
  tell(s, &newest, "newest");
  tell(s, &oldest, "oldest");
  if (rc == 0 && list.len > 0) rc = kopd_db_update(s->db, stage_bounds, &list);
  if (rc != 0)
    snprintf(error, cap, "the catalogue in %s cannot be written: %s", s->path,
             rc == -1 ? "out of memory" : kopd_db_strerror(rc));
  free(list.items);
  return rc == 0 ? 0 : -1;
}
