/*
 * The janitor: the thread that tidies up behind the writer.
 *
 *   ahead       the file that will follow the active one of a class is made: two syncs that no append should wait for
 *   sealing     a full file gets its footer, which then replaces the index in the heap
 *   retention   runs that are past retention.ms or retention.bytes fall below the log start: first in the catalogue, then
 *               in memory, so that no restart brings them back; a run is retired whole, as Kafka retires a segment
 *   dropping    a file that no partition holds anything of is unlinked
 *   cleaning    a file of which little is alive is copied without its dead (cleaner.c)
 *   pins        lent bytes keep a dropped file mapped; after a deadline they get memory of their own, so that the disk space is free
 */
#include "store/db.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* ---- ahead ---- */

/* Makes the file that the writer will begin next in a class; takes away one that cannot be that any more. */
static void make_ahead(kopd_store *s, uint32_t retention_class) {
  pthread_mutex_lock(&s->lock);
  kopd_file *stale = s->ahead[retention_class];
  if (!kopd_ahead_is_due_locked(s, retention_class)) { /* the writer did not wait for it */
    pthread_mutex_unlock(&s->lock);
    return;
  }
  s->ahead[retention_class] = NULL;
  kopd_file_header header = {.retention_class = retention_class,
                             .number = s->next_file++,
                             .previous = s->last_number[retention_class]};
  pthread_mutex_unlock(&s->lock);
  kopd_file_discard(s, stale);
  header.created_ms = kopd_wall_ms(s);
  kopd_file *f = NULL;
  /* A failure is of no account: the writer will meet it, if it lasts. */
  if (kopd_file_create(s, &header, s->config.file_bytes, &f) != 0) return;
  pthread_mutex_lock(&s->lock);
  if (f->previous == s->last_number[retention_class]) {
    s->ahead[retention_class] = f;
    f = NULL;
  }
  pthread_mutex_unlock(&s->lock);
  kopd_file_discard(s, f);
}

static void make_files_ahead(kopd_store *s) {
  pthread_mutex_lock(&s->lock);
  uint32_t wanted = s->ahead_wanted;
  pthread_mutex_unlock(&s->lock);
  for (uint32_t i = 0; i < KOPD_CLASSES; i++)
    if ((wanted >> i & 1) != 0) make_ahead(s, i);
  pthread_mutex_lock(&s->lock);
  s->ahead_wanted &= ~wanted;
  pthread_mutex_unlock(&s->lock);
}

/* ---- sealing ---- */

/* memory: has no footers; the index stays where it is. */
static bool needs_footer(const kopd_store *s) {
  return s->db != NULL;
}

/* Where a footer is mapped. */
typedef struct mapping {
  void *at;
  size_t length;
  uint64_t from; /* its first byte's position in the file */
} mapping;

static int map_footer(const kopd_store *s, const kopd_file *f, uint64_t size, mapping *m) {
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  m->from = f->committed & ~(page - 1);
  m->length = (size_t)(size - m->from);
  return s->io->map(s->io->user_data, f->fd, (off_t)m->from, m->length, &m->at);
}

/* From here on the runs' entries are those in the footer; those in the heap are left in `runs`. */
static void use_footer_locked(kopd_store *s, kopd_file *f, const mapping *m, kopd_footer_run *runs,
                              uint32_t count) {
  uint64_t since = kopd_mono_ns();
  f->footer = m->at;
  f->footer_len = m->length;
  for (uint32_t i = 0; i < count; i++) {
    kopd_breathe_locked(s, &since);
    kopd_run *run = runs[i].run;
    if (run->gone) continue;
    runs[i].heap = run->entries;
    runs[i].heap_cap = run->cap;
    run->entries =
        (kopd_entry *)(void *)((uint8_t *)m->at + (kopd_le_u64(runs[i].row.entries) - m->from));
    run->checksum = kopd_le_u32(runs[i].row.checksum);
    run->cap = 0;
  }
}

/* The descriptor has done its work: the mapping is enough. */
static void close_file(const kopd_store *s, int fd) {
  s->io->close(s->io->user_data, fd);
}

/* What a file leaves in the heap is for the next one. */
static void give_blocks(kopd_store *s, const kopd_footer_run *runs, uint32_t count) {
  pthread_mutex_lock(&s->lock);
  uint64_t since = kopd_mono_ns();
  for (uint32_t i = 0; i < count; i++) {
    kopd_breathe_locked(s, &since);
    if (runs[i].heap != NULL) kopd_block_give_locked(&s->blocks, runs[i].heap, runs[i].heap_cap);
  }
  pthread_mutex_unlock(&s->lock);
}

static void seal(kopd_store *s, kopd_file *f, kopd_footer_run *runs, uint32_t count) {
  uint64_t size = 0;
  mapping footer;
  int fd = f->fd;
  /* A footer says that the frames are on disk, so with durability os they have to get there first. */
  int rc = 0;
  if (s->config.durability == KOPD_DURABILITY_OS) rc = s->io->fdatasync(s->io->user_data, fd);
  if (rc == 0) rc = kopd_footer_write(s->io, fd, f->committed, runs, count, NULL, 0, &size);
  if (rc == 0) rc = map_footer(s, f, size, &footer);
  pthread_mutex_lock(&s->lock);
  if (rc == 0) {
    use_footer_locked(s, f, &footer, runs, count);
    f->state = KOPD_FILE_SEALED;
    f->size = size;
    f->fd = -1;
  } else {
    /* The frames are safe as they are; the next start makes the index from them. */
    kopd_log(s, KOP_LOG_WARN, "store: file %016llx.log gets no index: %s",
             (unsigned long long)f->number, strerror(-rc));
    f->state = KOPD_FILE_ABANDONED;
    s->stats.errors_total++;
  }
  kopd_limbo_free_locked(f);
  pthread_mutex_unlock(&s->lock);
  if (rc != 0) return;
  close_file(s, fd);
  give_blocks(s, runs, count);
  kopd_ends_sealed(s, runs, count);
}

static kopd_file *full_file_locked(const kopd_store *s) {
  kopd_file *f = s->files;
  while (f != NULL && f->state != KOPD_FILE_FULL)
    f = f->next;
  return f;
}

/* The runs of a file, for its footer: a list to be freed, or NULL for want of memory. */
static kopd_footer_run *list_runs_locked(kopd_store *s, kopd_file *f, uint32_t *count) {
  uint64_t since = kopd_mono_ns();
  uint32_t all = f->runs_count;
  kopd_footer_run *list = calloc(all, sizeof *list);
  if (list == NULL) return NULL;
  f->busy = true; /* from here on no run ends, but some may be gone */
  for (uint32_t i = 0; i < all; i++)
    list[i].run = f->runs[i];
  *count = 0;
  for (uint32_t i = 0; i < all; i++) {
    kopd_breathe_locked(s, &since);
    kopd_run *run = list[i].run;
    if (run->gone) continue;
    kopd_footer_run *row = &list[(*count)++];
    *row = (kopd_footer_run){.run = run, .entries = run->entries};
    kopd_row_from_run(run, &row->row);
  }
  return list;
}

static void seal_full_files(kopd_store *s) {
  for (;;) {
    uint32_t count = 0;
    pthread_mutex_lock(&s->lock);
    s->sealing_wanted = false;
    kopd_file *f = full_file_locked(s);
    if (f != NULL && needs_footer(s) && f->runs_count > 0) {
      kopd_footer_run *runs = list_runs_locked(s, f, &count);
      pthread_mutex_unlock(&s->lock);
      if (runs == NULL) return; /* the next round tries again */
      seal(s, f, runs, count);
      free(runs);
    } else {
      int fd = -1;
      if (f != NULL) {
        fd = f->fd;
        f->state = KOPD_FILE_SEALED;
        f->fd = -1;
      }
      pthread_mutex_unlock(&s->lock);
      if (f == NULL) return;
      close_file(s, fd);
    }
  }
}

/* ---- retention ---- */

typedef struct retired {
  uint64_t partition;
  int64_t log_start;
} retired;

typedef struct retired_list {
  retired *items;
  size_t len;
  size_t cap;
} retired_list;

/* Where the log start belongs by time and size. */
static int64_t due_start_locked(const kopd_partition *p, int64_t now_ms) {
  const kopd_topic *t = p->topic;
  uint64_t left = p->bytes;
  int64_t start = p->log_start;
  for (uint32_t i = 0; i < p->runs_count; i++) {
    const kopd_run *run = p->runs[i];
    if (run->count == 0 || run->pending > 0) break;
    /* Batches without a timestamp count from when their file was begun. */
    int64_t newest = run->max_timestamp < 0 ? run->file->created_ms : run->max_timestamp;
    bool old = t->retention_ms >= 0 && newest < now_ms - t->retention_ms;
    bool large = t->retention_bytes >= 0 && left - run->bytes >= (uint64_t)t->retention_bytes;
    if (!old && !large) break;
    left -= run->bytes;
    start = run->end;
  }
  return start;
}

/* False: no memory, the rest is for the next round. */
static bool retire(retired_list *list, uint64_t partition, int64_t log_start) {
  if (list->len == list->cap) {
    size_t cap = list->cap == 0 ? 64 : list->cap * 2;
    retired *more = realloc(list->items, cap * sizeof *more);
    if (more == NULL) return false;
    list->items = more;
    list->cap = cap;
  }
  list->items[list->len++] = (retired){partition, log_start};
  return true;
}

/* The topic behind one that was worked on and may be gone: they are listed as they were made, and so numbered. */
static kopd_topic *next_topic_locked(const kopd_store *s, const kopd_topic *t) {
  if (!t->gone) return t->next;
  kopd_topic *next = s->topics;
  while (next != NULL && next->partitions[0]->id < t->partitions[0]->id)
    next = next->next;
  return next;
}

static void find_retired_locked(kopd_store *s, int64_t now_ms, retired_list *list) {
  uint64_t since = kopd_mono_ns();
  kopd_topic *t = s->topics;
  while (t != NULL) {
    t->refs++;
    for (uint32_t i = 0; i < t->partitions_count && !t->gone; i++) {
      const kopd_partition *p = t->partitions[i];
      int64_t start = due_start_locked(p, now_ms);
      if (start != p->log_start && !retire(list, p->id, start)) break;
      kopd_breathe_locked(s, &since);
    }
    kopd_topic *next = next_topic_locked(s, t);
    kopd_topic_unref(t);
    t = next;
  }
}

static int stage_starts(kopd_db *db, void *txn, void *arg) {
  const retired_list *list = arg;
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < list->len; i++)
    rc = kopd_db_raise_start(db, txn, list->items[i].partition, list->items[i].log_start);
  return rc;
}

static void retention(kopd_store *s) {
  retired_list list = {0};
  int64_t now_ms = kopd_wall_ms(s);
  pthread_mutex_lock(&s->lock);
  find_retired_locked(s, now_ms, &list);
  pthread_mutex_unlock(&s->lock);
  if (list.len > 0 && kopd_keep(s, stage_starts, &list) == 0) {
    pthread_mutex_lock(&s->lock);
    uint64_t since = kopd_mono_ns();
    for (size_t i = 0; i < list.len; i++) {
      kopd_breathe_locked(s, &since);
      kopd_partition *p = kopd_partition_find_locked(s, list.items[i].partition);
      if (p == NULL) continue;
      kopd_trim_locked(p, list.items[i].log_start);
      if (p->held && s->clients[p->holder] != NULL)
        kopd_notify_locked(s->clients[p->holder], KOP_EVENT_LOG, p->topic, p);
    }
    pthread_mutex_unlock(&s->lock);
  }
  free(list.items);
}

/* ---- settling ---- */

/* Cuts off what a failed write left behind, where that did not work at the time. */
static void settle_files(kopd_store *s) {
  pthread_mutex_lock(&s->lock);
  for (kopd_file *f = s->files; f != NULL; f = f->next) {
    if (!f->unsettled) continue;
    f->busy = true; /* it stays listed while the lock is let go */
    pthread_mutex_unlock(&s->lock);
    int rc = s->io->ftruncate(s->io->user_data, f->fd, (off_t)f->committed);
    if (rc == 0) rc = s->io->fdatasync(s->io->user_data, f->fd);
    pthread_mutex_lock(&s->lock);
    kopd_limbo_free_locked(f);
    if (rc == 0) f->unsettled = false;
  }
  pthread_mutex_unlock(&s->lock);
}

/* ---- dropping ---- */

/* A file that nobody needs any more, taken off the list; NULL if there is none. */
static kopd_file *dead_file_locked(kopd_store *s) {
  for (kopd_file *f = s->files; f != NULL; f = f->next) {
    if (f->runs_count > 0 || f->busy) continue;
    if (f->state != KOPD_FILE_SEALED && f->state != KOPD_FILE_ABANDONED) continue;
    if (f->unsettled || kopd_file_is_witness_locked(s, f)) continue;
    kopd_file_unlist_locked(s, f);
    return f;
  }
  return NULL;
}

static void drop_dead_files(kopd_store *s) {
  for (;;) {
    char path[KOPD_PATH];
    pthread_mutex_lock(&s->lock);
    kopd_file *f = dead_file_locked(s);
    pthread_mutex_unlock(&s->lock);
    if (f == NULL) return;
    kopd_file_path(s, f->number, "log", path);
    int rc = s->io->unlink(s->io->user_data, path);
    if (rc != 0 && rc != -ENOENT)
      kopd_log(s, KOP_LOG_WARN, "store: %s cannot be removed: %s", path, strerror(-rc));
    pthread_mutex_lock(&s->lock);
    s->stats.files_dropped_total++;
    f->state = KOPD_FILE_DROPPED;
    f->dropped_ns = kopd_mono_ns();
    bool pinned = f->pins > 0;
    if (pinned) {
      f->next = s->dropped;
      s->dropped = f;
      s->stats.pinned_files++;
    }
    pthread_mutex_unlock(&s->lock);
    if (!pinned) kopd_file_free(s, f);
  }
}

/* A file being written of which too much is dead is ended, so that it can be dropped or cleaned. */
static void roll_dead_locked(kopd_store *s) {
  for (uint32_t i = 0; i < KOPD_CLASSES; i++) {
    const kopd_file *f = s->active[i];
    if (f == NULL || f->committed <= KOPD_FILE_HEADER) continue;
    uint64_t dead = f->committed - KOPD_FILE_HEADER - f->live;
    if (f->live == 0 || dead > s->config.file_bytes / 2) s->roll |= 1u << i;
  }
  if (s->roll != 0) pthread_cond_signal(&s->writer_wakes);
}

/* ---- pins ---- */

/* Puts private copies of a file's pages under the bytes that a read has lent, at the same addresses. */
static void detach_bytes(const kopd_op *op, const kopd_file *f) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (uint32_t i = 0; i < op->results.read.batches_count; i++) {
    const kop_slice *bytes = op->results.read.batches[i].slices;
    if (bytes->ptr < f->map || bytes->ptr >= f->map + f->map_len) continue;
    uintptr_t from = (uintptr_t)bytes->ptr & ~(page - 1);
    uintptr_t to = ((uintptr_t)bytes->ptr + bytes->len + page - 1) & ~(page - 1);
    void *copy = mmap(NULL, to - from, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED) continue; /* the file then stays until the release */
    memcpy(copy, (const void *)from, to - from);
    mprotect(copy, to - from, PROT_READ);
    if (mremap(copy, to - from, to - from, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)from) ==
        MAP_FAILED)
      munmap(copy, to - from);
  }
}

static bool is_lent(const kopd_store *s, const kopd_file *f, uintptr_t from, uintptr_t to) {
  for (uint32_t i = 0; i < s->config.nodes_count; i++) {
    const kopd_store_client *c = s->clients[i];
    for (size_t j = 0; c != NULL && j < c->lent.cap; j++) {
      const kopd_op *op = c->lent.slots[j].value;
      for (uint32_t k = 0; op != NULL && k < op->results.read.batches_count; k++) {
        const kop_slice *bytes = op->results.read.batches[k].slices;
        uintptr_t at = (uintptr_t)bytes->ptr;
        if (at >= (uintptr_t)f->map && at < to && at + bytes->len > from) return true;
      }
    }
  }
  return false;
}

/* Everything of the file's mapping that is not lent becomes a hole that costs nothing. */
static void detach_rest(const kopd_store *s, const kopd_file *f) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t end = ((uintptr_t)f->map + f->map_len + page - 1) & ~(page - 1);
  for (uintptr_t at = (uintptr_t)f->map; at < end;) {
    uintptr_t to = at;
    while (to < end && !is_lent(s, f, to, to + page))
      to += page;
    if (to > at)
      mmap((void *)at, to - at, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    at = to + page;
  }
}

static void detach_overdue_locked(kopd_store *s) {
  uint64_t now = kopd_mono_ns();
  for (kopd_file *f = s->dropped; f != NULL; f = f->next) {
    if (f->detached || now - f->dropped_ns < s->config.pin_ms * UINT64_C(1000000)) continue;
    bool all_lent = true;
    for (uint32_t i = 0; i < s->config.nodes_count; i++) {
      const kopd_store_client *c = s->clients[i];
      if (c == NULL) continue;
      /* Answers that were not taken yet, or are good until the next poll only, are left alone: try again later. */
      if (c->done.len > 0 || c->polled.len > 0 || s->reads.len > 0) all_lent = false;
    }
    if (!all_lent) continue;
    for (uint32_t i = 0; i < s->config.nodes_count; i++) {
      const kopd_store_client *c = s->clients[i];
      for (size_t j = 0; c != NULL && j < c->lent.cap; j++)
        if (c->lent.slots[j].value != NULL) detach_bytes(c->lent.slots[j].value, f);
    }
    detach_rest(s, f);
    if (f->fd >= 0) s->io->close(s->io->user_data, f->fd);
    f->fd = -1;
    f->detached = true;
  }
}

/* ---- the thread ---- */

static void measure_volume(kopd_store *s) {
  int64_t total = -1, usable = -1;
  if (s->io->volume(s->io->user_data, s->path, &total, &usable) != 0) total = usable = -1;
  pthread_mutex_lock(&s->lock);
  if (s->volume_total != total || s->volume_usable != usable) {
    s->volume_total = total;
    s->volume_usable = usable;
    for (uint32_t i = 0; i < s->config.nodes_count; i++)
      if (s->clients[i] != NULL) kopd_notify_locked(s->clients[i], KOP_EVENT_VOLUME, NULL, NULL);
  }
  pthread_mutex_unlock(&s->lock);
}

static void wait_for_roll(kopd_store *s) {
  pthread_mutex_lock(&s->lock);
  roll_dead_locked(s);
  while (s->roll != 0 && !s->stopping)
    pthread_cond_wait(&s->janitor_wakes, &s->lock);
  pthread_mutex_unlock(&s->lock);
}

/* One whole round: what is due goes, then the files that this left dead or mostly dead. */
static void clean_round(kopd_store *s) {
  retention(s);
  wait_for_roll(s);
  seal_full_files(s);
  settle_files(s);
  drop_dead_files(s);
  kopd_cleaner(s);
  drop_dead_files(s);
  kopd_blocks_rest(s);
  measure_volume(s);
}

/* Waits until there is something to do; true if a whole round is due. */
static bool wait_for_work_locked(kopd_store *s, uint64_t *next_round) {
  uint64_t every = s->config.retention_check_ms * UINT64_C(1000000);
  for (;;) {
    uint64_t now = kopd_mono_ns();
    bool due = every != 0 && now >= *next_round;
    if (s->cleans_done < s->cleans_wanted || due) {
      *next_round = now + every;
      return true;
    }
    if (s->stopping || s->ahead_wanted != 0 || s->sealing_wanted || s->trash != NULL ||
        s->dropping_wanted)
      return false;
    /* Dropped files are looked at again at their deadline; a second more or less does not matter. */
    uint64_t wake = s->dropped != NULL ? now + UINT64_C(1000000000) : UINT64_MAX;
    if (every != 0 && *next_round < wake) wake = *next_round;
    if (s->dropped != NULL) detach_overdue_locked(s);
    if (wake == UINT64_MAX) {
      pthread_cond_wait(&s->janitor_wakes, &s->lock);
    } else {
      struct timespec at = {.tv_sec = (time_t)(wake / UINT64_C(1000000000)),
                            .tv_nsec = (long)(wake % UINT64_C(1000000000))};
      pthread_cond_timedwait(&s->janitor_wakes, &s->lock, &at);
    }
  }
}

static void empty_trash(kopd_store *s) {
  pthread_mutex_lock(&s->lock);
  kopd_file *list = s->trash;
  s->trash = NULL;
  pthread_mutex_unlock(&s->lock);
  while (list != NULL) {
    kopd_file *next = list->next;
    kopd_file_free(s, list);
    list = next;
  }
}

void *kopd_janitor_main(void *store) {
  kopd_store *s = store;
  uint64_t next_round = kopd_mono_ns() + s->config.retention_check_ms * UINT64_C(1000000);
  measure_volume(s);
  for (;;) {
    pthread_mutex_lock(&s->lock);
    bool whole = wait_for_work_locked(s, &next_round);
    uint64_t wanted = s->cleans_wanted;
    bool stopping = s->stopping, dropping = s->dropping_wanted;
    s->dropping_wanted = false;
    pthread_mutex_unlock(&s->lock);
    if (stopping && wanted == s->cleans_done) break;
    make_files_ahead(s);
    empty_trash(s);
    if (whole) {
      clean_round(s);
      pthread_mutex_lock(&s->lock);
      s->cleans_done = wanted;
      pthread_cond_broadcast(&s->janitor_done);
      pthread_mutex_unlock(&s->lock);
      continue;
    }
    if (dropping) wait_for_roll(s);
    seal_full_files(s);
    drop_dead_files(s);
  }
  return NULL;
}
