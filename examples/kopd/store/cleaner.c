/*
 * The cleaner: copies what is alive out of files that are mostly dead, and lays each partition's batches side by side.
 *
 *   1. (locked)  choose sealed files of one class, mark them busy, list their runs from the first live entry on
 *   2.           write N.tmp: header, frames sorted by partition and offset, footer with the numbers of the files it stands for
 *   3.           sync it, rename it to N.log, sync the folder
 *   4. (locked)  point the runs at the new file; the old ones are dead and dropped by the janitor
 *
 * A crash before 3 leaves a .tmp that the next start removes; a crash after it leaves both, and the start removes those that N.log
 * stands for. What is trimmed or deleted meanwhile is seen in 4.
 */
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

enum {
  MAX_SOURCES = 16,
  LIVE_PERCENT = 25 /* a file of which less is alive is cleaned */
};

/* One run on its way. */
typedef struct moved {
  kopd_run *run;
  kopd_file *from;
  uint64_t partition;
  int64_t base;
  int64_t end;
  const kopd_entry *old; /* live entries */
  uint32_t first;        /* how many dead ones lie before them */
  uint32_t count;
  uint32_t old_count; /* of the run, to check the index by */
  uint32_t checksum;
  bool checked;
  kopd_entry *entries; /* for the new file */
} moved;

typedef struct cleaning {
  kopd_file *sources[MAX_SOURCES];
  uint32_t sources_count;
  moved *runs;
  uint32_t runs_count;
  kopd_footer_run *rows;
  kopd_run **places; /* the new file's array of runs */
  kopd_file *file;
  uint64_t bytes;
} cleaning;

/* ---- 1. choose ---- */

/*
 * Copying pays only when the dead weigh more than the store can be asked to carry: as long as they are less than half
 * of what is alive, most files will die whole soon, and nothing is copied.
 */
static bool is_worth_it_locked(const kopd_store *s) {
  uint64_t live = 0, dead = 0;
  for (const kopd_file *f = s->files; f != NULL; f = f->next) {
    live += f->live;
    if (f->state == KOPD_FILE_SEALED) dead += f->committed - KOPD_FILE_HEADER - f->live;
  }
  return dead > live / 2;
}

static bool is_mostly_dead(const kopd_store *s, const kopd_file *f) {
  return f->state == KOPD_FILE_SEALED && !f->busy && !f->damaged && f->runs_count > 0 &&
         f->live * 100 < (f->committed - KOPD_FILE_HEADER) * LIVE_PERCENT &&
         !kopd_file_is_witness_locked(s, f);
}

static void choose_locked(kopd_store *s, cleaning *c) {
  uint64_t live = 0;
  if (!is_worth_it_locked(s)) return;
  for (kopd_file *f = s->files; f != NULL && c->sources_count < MAX_SOURCES; f = f->next) {
    if (!is_mostly_dead(s, f)) continue;
    if (c->sources_count > 0 && (f->retention_class != c->sources[0]->retention_class ||
                                 live + f->live > s->config.file_bytes))
      continue;
    live += f->live;
    f->busy = true;
    c->sources[c->sources_count++] = f;
    c->runs_count += f->runs_count;
  }
}

static int list_runs_locked(cleaning *c) {
  c->runs = calloc(c->runs_count, sizeof *c->runs);
  c->rows = calloc(c->runs_count, sizeof *c->rows);
  c->places = calloc(c->runs_count, sizeof *c->places);
  if (c->runs == NULL || c->rows == NULL || c->places == NULL) return -ENOMEM;
  moved *m = c->runs;
  for (uint32_t i = 0; i < c->sources_count; i++) {
    kopd_file *f = c->sources[i];
    for (uint32_t j = 0; j < f->runs_count; j++, m++) {
      kopd_run *run = f->runs[j];
      *m = (moved){.run = run,
                   .from = f,
                   .partition = run->partition->id,
                   .base = run->base,
                   .end = run->end,
                   .old = run->entries + run->first,
                   .first = run->first,
                   .count = run->count - run->first,
                   .old_count = run->count,
                   .checksum = run->checksum,
                   .checked = run->checked};
    }
  }
  return 0;
}

static int by_partition_and_offset(const void *a, const void *b) {
  const moved *x = a, *y = b;
  if (x->partition != y->partition) return x->partition < y->partition ? -1 : 1;
  return x->base < y->base ? -1 : x->base > y->base;
}

/* ---- 2. copy ---- */

/* A frame that is not whole must not spread: the file it lies in is left alone from here on. */
static bool frame_is_good(const moved *m, const kopd_entry *e) {
  uint64_t at = kopd_le_u64(e->position);
  if (at < KOPD_FILE_HEADER + KOPD_FRAME_HEADER || at > m->from->committed ||
      kopd_le_u32(e->length) > m->from->committed - at)
    return false;
  const uint8_t *header = m->from->map + at - KOPD_FRAME_HEADER;
  kopd_frame frame;
  kopd_frame_read(header, &frame);
  return frame.partition == m->partition && frame.length == kopd_le_u32(e->length) &&
         frame.base_offset == kopd_le_i64(e->base_offset) && kopd_frame_is_whole(header, &frame);
}

/* Copies one run's frames to `*at` of the file, and makes its entries there. */
static int copy_run(const kopd_store *s, int fd, moved *m, uint64_t *at) {
  enum { BATCH = 256 };
  struct iovec iov[BATCH];
  const kopd_io *io = s->io;
  if (!m->checked && !kopd_entries_are_whole(m->old - m->first, m->old_count, m->checksum))
    return -EBADMSG;
  m->entries = malloc(m->count * sizeof *m->entries);
  if (m->entries == NULL) return -ENOMEM;
  int64_t highest = INT64_MIN;
  for (uint32_t i = 0; i < m->count;) {
    uint64_t from = *at;
    int n = 0;
    for (; n < BATCH && i < m->count; n++, i++) {
      const kopd_entry *e = &m->old[i];
      const uint8_t *frame = m->from->map + kopd_le_u64(e->position) - KOPD_FRAME_HEADER;
      size_t size = KOPD_FRAME_HEADER + kopd_le_u32(e->length);
      if (io->populate(io->user_data, frame, size) < 0 || !frame_is_good(m, e)) return -EBADMSG;
      if (kopd_le_i64(e->max_timestamp) > highest) highest = kopd_le_i64(e->max_timestamp);
      m->entries[i] = *e;
      m->entries[i].highest_timestamp = kopd_le_i64(highest);
      m->entries[i].position = htole64(*at + KOPD_FRAME_HEADER);
      iov[n] = (struct iovec){(void *)(uintptr_t)frame, size};
      *at += size;
    }
    int rc = kopd_write_all(io, fd, iov, (size_t)n, from);
    if (rc != 0) return rc;
  }
  return 0;
}

static int write_copy(kopd_store *s, cleaning *c, kopd_file *f) {
  uint8_t bytes[KOPD_FILE_HEADER];
  uint64_t replaced[MAX_SOURCES], at = KOPD_FILE_HEADER;
  kopd_file_header header = {.retention_class = f->retention_class,
                             .flags = KOPD_FILE_CLEANED,
                             .number = f->number,
                             .created_ms = f->created_ms};
  kopd_file_header_write(bytes, &header);
  struct iovec iov = {bytes, sizeof bytes};
  int rc = kopd_write_all(s->io, f->fd, &iov, 1, 0);
  for (uint32_t i = 0; rc == 0 && i < c->runs_count; i++) {
    moved *m = &c->runs[i];
    rc = copy_run(s, f->fd, m, &at);
    if (rc == -EBADMSG) {
      m->from->damaged = true;
      kopd_log(s, KOP_LOG_ERROR, "store: file %016llx.log is damaged and is not cleaned",
               (unsigned long long)m->from->number);
    }
    if (rc != 0) break;
    c->rows[i] = (kopd_footer_run){.row = {.partition = htole64(m->partition),
                                           .base_offset = m->entries[0].base_offset,
                                           .end_offset = kopd_le_i64(m->end),
                                           .count = htole32(m->count)},
                                   .entries = m->entries};
  }
  for (uint32_t i = 0; i < c->sources_count; i++)
    replaced[i] = c->sources[i]->number;
  f->committed = f->written = at;
  c->bytes = at - KOPD_FILE_HEADER;
  /* c->runs is sorted as the footer's rows are, so the two stay in step. */
  if (rc == 0)
    rc = kopd_footer_write(s->io, f->fd, at, c->rows, c->runs_count, replaced, c->sources_count,
                           &f->size);
  return rc;
}

/* ---- 3. make it durable under its name ---- */

static int make_file(kopd_store *s, cleaning *c) {
  const kopd_io *io = s->io;
  kopd_file *f = c->file;
  char temporary[KOPD_PATH], path[KOPD_PATH];
  kopd_file_path(s, f->number, "tmp", temporary);
  kopd_file_path(s, f->number, "log", path);
  int rc = io->open(io->user_data, temporary, O_RDWR | O_CREAT | O_EXCL);
  if (rc < 0) return rc;
  f->fd = rc;
  rc = write_copy(s, c, f);
  if (rc != 0) goto undo;
  void *map = NULL;
  rc = io->map(io->user_data, f->fd, 0, (size_t)f->size, &map);
  if (rc != 0) goto undo;
  f->map = map;
  f->map_len = (size_t)f->size;
  rc = io->rename(io->user_data, temporary, path);
  if (rc != 0) goto undo;
  rc = io->sync_dir(io->user_data, s->log_path);
  if (rc == 0) return 0;
  /* Which name is on the disk is not known. Taken away again here; if it comes back after a crash, it is a good copy. */
  io->unlink(io->user_data, path);
  return rc;
undo:
  io->unlink(io->user_data, temporary);
  return rc;
}

/* ---- 4. swap ---- */

static void move_run_locked(kopd_store *s, cleaning *c, moved *m) {
  kopd_file *f = c->file;
  kopd_run *run = m->run;
  kopd_file *old = run->file;
  uint64_t live = run->bytes + (uint64_t)(run->count - run->first) * KOPD_FRAME_HEADER;
  old->live -= live;
  old->runs[run->at] = old->runs[--old->runs_count];
  old->runs[run->at]->at = run->at;
  if (run->cap > 0) free(run->entries);
  run->first -= m->first;
  run->count = m->count;
  run->base = kopd_le_i64(m->entries[0].base_offset);
  run->file = f;
  if (s->db == NULL) {
    run->entries = m->entries;
    run->cap = m->count;
    m->entries = NULL;
  } else {
    const kopd_footer_run *row = &c->rows[m - c->runs];
    run->entries = (kopd_entry *)(void *)(f->map + kopd_le_u64(row->row.entries));
    run->cap = 0;
    run->checksum = kopd_le_u32(row->row.checksum);
  }
  run->checked = true;
  run->at = f->runs_count;
  f->runs[f->runs_count++] = run;
  f->live += live;
}

static void swap_locked(kopd_store *s, cleaning *c) {
  uint64_t since = kopd_mono_ns();
  kopd_file *f = c->file;
  f->runs = c->places;
  f->runs_cap = c->runs_count;
  c->places = NULL;
  f->state = KOPD_FILE_SEALED;
  f->trusted = true;
  kopd_file_add_locked(s, f);
  for (uint32_t i = 0; i < c->runs_count; i++) {
    kopd_breathe_locked(s, &since);
    if (!c->runs[i].run->gone) move_run_locked(s, c, &c->runs[i]);
  }
  s->stats.cleaned_bytes_total += c->bytes;
}

static void finish(kopd_store *s, cleaning *c, int rc) {
  if (rc == 0) {
    s->io->close(s->io->user_data, c->file->fd); /* the mapping is enough */
    c->file->fd = -1;
  }
  pthread_mutex_lock(&s->lock);
  if (rc == 0) swap_locked(s, c);
  for (uint32_t i = 0; i < c->sources_count; i++)
    kopd_limbo_free_locked(c->sources[i]);
  pthread_mutex_unlock(&s->lock);
  if (rc != 0 && c->file != NULL) kopd_file_free(s, c->file);
  for (uint32_t i = 0; c->runs != NULL && i < c->runs_count; i++)
    free(c->runs[i].entries);
  free(c->runs);
  free(c->rows);
  free(c->places);
}

/* Cleans one group of files. False: there is none, or it did not work. */
static bool clean_some(kopd_store *s) {
  cleaning c = {0};
  pthread_mutex_lock(&s->lock);
  choose_locked(s, &c);
  if (c.sources_count == 0) {
    pthread_mutex_unlock(&s->lock);
    return false;
  }
  int rc = list_runs_locked(&c);
  if (rc == 0) {
    c.file = kopd_file_new(s->next_file++, c.sources[0]->retention_class);
    if (c.file == NULL) rc = -ENOMEM;
  }
  pthread_mutex_unlock(&s->lock);
  if (rc == 0) {
    /* Batches without a timestamp must not become younger by being copied. */
    c.file->created_ms = c.sources[0]->created_ms;
    for (uint32_t i = 1; i < c.sources_count; i++)
      if (c.sources[i]->created_ms > c.file->created_ms)
        c.file->created_ms = c.sources[i]->created_ms;
    qsort(c.runs, c.runs_count, sizeof *c.runs, by_partition_and_offset);
    rc = make_file(s, &c);
    if (rc != 0 && rc != -EBADMSG)
      kopd_log(s, KOP_LOG_WARN, "store: cleaning failed: %s", strerror(-rc));
  }
  finish(s, &c, rc);
  return rc == 0 || rc == -EBADMSG;
}

void kopd_cleaner(kopd_store *s) {
  while (clean_some(s)) {
  }
}
