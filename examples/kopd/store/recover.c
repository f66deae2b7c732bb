/*
 * Reading a folder's log files at start.
 *
 *   sealed file            its run table is read; entries are checked when they are first used
 *   no or a bad footer     its frames are read one by one, up to where its successor says it ended; it is sealed anew
 *   last file of a class   its frames are read to the first that is not whole; what follows is a torn write, it is cut off
 *                          and said; appending goes on there
 *
 * A frame that is not whole although a later one proves (`settled`), or the successor's header says, that it was on disk once, is damage
 * and no torn write: it is left out and said, and what follows it stays. With durability os nothing proves that: a file without a footer was
 * never synced, so its end may be gone while the next file's beginning is there. The rest of the class then goes too, as far as it was
 * not synced either: a log is what was written up to some moment, and has no hole.
 *
 * The catalogue was read before: frames of partitions that it does not know, or below their log start, are dead.
 */
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A log file that was found. */
typedef struct found {
  uint64_t number;
  kopd_file_header header;
  kopd_trailer trailer;
  kopd_file *file;
  bool sealed;
  bool replaced;      /* a cleaned file stands for it */
  bool has_successor; /* and that one says where this one ended */
  uint64_t end;       /* where */
  bool cleaned;
  bool is_short; /* its end is gone */
  bool is_empty; /* all that it had, if it had something, is gone */
} found;

typedef struct recovery {
  kopd_store *s;
  found *items;
  size_t len;
  size_t cap;
  char *error;
  size_t error_cap;
} recovery;

/* ---- scanning frames ---- */

/* A header that could be one: cheap to ask at every byte, and next to never true by chance. */
static bool is_plausible(const kopd_frame *f, uint64_t room, uint64_t partitions) {
  return f->partition != 0 && f->partition < partitions && f->length <= room && f->count > 0 &&
         f->epoch >= 0 && f->base_offset >= 0;
}

static bool frame_at(const uint8_t *map, uint64_t at, uint64_t limit, uint64_t partitions,
                     kopd_frame *f) {
  if (limit - at < KOPD_FRAME_HEADER) return false;
  kopd_frame_read(map + at, f);
  return is_plausible(f, limit - at - KOPD_FRAME_HEADER, partitions) &&
         kopd_frame_is_whole(map + at, f);
}

/* What a scan came across. */
typedef struct scan {
  const uint8_t *map;
  uint64_t limit;
  uint64_t partitions; /* ids are below this */
  bool settled;        /* everything up to the limit was on disk once */
  uint64_t at;         /* in the end: where the good frames stop */
  uint32_t damaged;    /* places that are no frames with good ones behind */
  uint64_t damaged_bytes;
} scan;

/* The next whole frame, with its position in s->at; false at the end. */
static bool scan_next(scan *s, kopd_frame *f) {
  if (frame_at(s->map, s->at, s->limit, s->partitions, f)) return true;
  for (uint64_t at = s->at + 1; at + KOPD_FRAME_HEADER <= s->limit; at++) {
    if (!frame_at(s->map, at, s->limit, s->partitions, f)) continue;
    if (!s->settled && f->settled <= s->at) return false;
    s->damaged++;
    s->damaged_bytes += at - s->at;
    s->at = at;
    return true;
  }
  return false;
}

static void scan_step(scan *s, const kopd_frame *f) {
  s->at += KOPD_FRAME_HEADER + f->length;
}

int kopd_index_rebuild(const kopd_file *f, uint64_t partition, int64_t base, int64_t end,
                       kopd_entry **entries, uint32_t *count) {
  scan s = {.map = f->map,
            .limit = f->committed,
            .partitions = UINT64_MAX,
            .settled = true,
            .at = KOPD_FILE_HEADER};
  kopd_frame frame;
  uint32_t cap = 0;
  int64_t highest = INT64_MIN;
  *entries = NULL;
  *count = 0;
  for (; scan_next(&s, &frame); scan_step(&s, &frame)) {
    if (frame.partition != partition || frame.base_offset < base || frame.base_offset >= end)
      continue;
    if (*count == cap) {
      cap = cap == 0 ? 64 : cap * 2;
      kopd_entry *more = realloc(*entries, cap * sizeof *more);
      if (more == NULL) {
        free(*entries);
        *entries = NULL;
        return -1;
      }
      *entries = more;
    }
    if (frame.max_timestamp > highest) highest = frame.max_timestamp;
    (*entries)[(*count)++] = (kopd_entry){.base_offset = kopd_le_i64(frame.base_offset),
                                          .max_timestamp = kopd_le_i64(frame.max_timestamp),
                                          .highest_timestamp = kopd_le_i64(highest),
                                          .position = htole64(s.at + KOPD_FRAME_HEADER),
                                          .length = htole32(frame.length),
                                          .count = htole32(frame.count),
                                          .epoch = kopd_le_i32(frame.epoch)};
  }
  return 0;
}

/* ---- what one frame or run means ---- */

/* Puts a frame into the index if it is alive. -1 for want of memory. */
static int index_frame(kopd_store *s, kopd_file *file, const kopd_frame *frame, uint64_t at) {
  kopd_partition *p = kopd_partition_find_locked(s, frame->partition);
  if (p == NULL || frame->base_offset + (int64_t)frame->count <= p->log_start) return 0;
  int64_t end = p->runs_count > 0 ? p->runs[p->runs_count - 1]->end : 0;
  if (frame->base_offset < end) {
    /* Cannot be, unless files were mixed by hand: what was there first stays. */
    kopd_log(s, KOP_LOG_WARN,
             "store: file %016" PRIx64 ".log holds offset %" PRId64 " of partition %" PRIu64
             " again; left out",
             file->number, frame->base_offset, frame->partition);
    return 0;
  }
  p->reserved = frame->base_offset;
  kopd_run *run = kopd_run_reserve_locked(s, p, file);
  if (run == NULL) return -1;
  kopd_run_publish_locked(run, frame, at + KOPD_FRAME_HEADER);
  return 0;
}

/* Whether a run's offsets are there already: two copies of a file, after a crash at a bad moment. */
static bool is_there(const kopd_partition *p, int64_t base, int64_t end) {
  uint32_t at = kopd_runs_find_locked(p, base);
  return at < p->runs_count && p->runs[at]->base < end;
}

static int index_row(kopd_store *s, kopd_file *file, const kopd_run_row *row, uint64_t table) {
  kopd_partition *p = kopd_partition_find_locked(s, kopd_le_u64(row->partition));
  if (p == NULL || kopd_le_i64(row->end_offset) <= p->log_start) return 0;
  if (is_there(p, kopd_le_i64(row->base_offset), kopd_le_i64(row->end_offset))) return 0;
  uint64_t entries = kopd_le_u64(row->entries);
  uint64_t size = (uint64_t)kopd_le_u32(row->count) * sizeof(kopd_entry);
  if (size == 0 || entries % 8 != 0 || entries > table || size > table - entries) return -EINVAL;
  kopd_run *run = calloc(1, sizeof *run);
  if (run == NULL) return -1;
  *run = (kopd_run){.file = file,
                    .partition = p,
                    .count = kopd_le_u32(row->count),
                    .checksum = kopd_le_u32(row->checksum),
                    .entries = (kopd_entry *)(void *)(file->map + entries),
                    .base = kopd_le_i64(row->base_offset),
                    .end = kopd_le_i64(row->end_offset),
                    .max_timestamp = kopd_le_i64(row->max_timestamp),
                    .bytes = kopd_le_u64(row->bytes)};
  if (kopd_run_insert_locked(run) != 0) {
    free(run);
    return -1;
  }
  p->bytes += run->bytes;
  file->live += run->bytes + (uint64_t)run->count * KOPD_FRAME_HEADER;
  return 0;
}

/* ---- files ---- */

static int fail(recovery *r, const found *f, const char *what, int rc) {
  snprintf(r->error, r->error_cap, "%s/%016" PRIx64 ".log %s%s%s", r->s->log_path, f->number, what,
           rc == 0 ? "" : ": ", rc == 0 ? "" : strerror(-rc));
  return -1;
}

static int each_name(void *arg, const char *name) {
  recovery *r = arg;
  unsigned long long number = 0;
  int end = 0;
  if (sscanf(name, "%16llx.log%n", &number, &end) == 1 && end == 20 && name[end] == '\0') {
    if (r->len == r->cap) {
      size_t cap = r->cap == 0 ? 64 : r->cap * 2;
      found *more = realloc(r->items, cap * sizeof *more);
      if (more == NULL) return -ENOMEM;
      r->items = more;
      r->cap = cap;
    }
    r->items[r->len++] = (found){.number = number};
    return 0;
  }
  size_t len = strlen(name);
  if (len == 20 && strcmp(name + 16, ".tmp") == 0) { /* a copy that the cleaner did not finish */
    char path[KOPD_PATH];
    snprintf(path, sizeof path, "%s/%s", r->s->log_path, name);
    r->s->io->unlink(r->s->io->user_data, path);
  }
  return 0;
}

static int by_number(const void *a, const void *b) {
  uint64_t x = ((const found *)a)->number, y = ((const found *)b)->number;
  return x < y ? -1 : x > y;
}

static void read_footer(found *f) {
  const kopd_file *file = f->file;
  kopd_trailer *t = &f->trailer;
  if (file->size < KOPD_FILE_HEADER + KOPD_TRAILER) return;
  uint64_t end = file->size - KOPD_TRAILER;
  if (kopd_trailer_read(file->map + end, t) != 0) return;
  if (t->footer < KOPD_FILE_HEADER || t->footer > t->table || t->table % 8 != 0 || t->table > end)
    return;
  uint64_t table_len =
      t->runs * (uint64_t)sizeof(kopd_run_row) + t->replaced * (uint64_t)sizeof(uint64_t);
  if (table_len != end - t->table) return;
  f->sealed = kopd_crc32c(0, file->map + t->table, (size_t)table_len) == t->checksum;
}

/* Opens and maps a file, reads header and footer. 0; 1: it is nothing and was removed; -1. */
static int open_file(recovery *r, found *f) {
  kopd_store *s = r->s;
  const kopd_io *io = s->io;
  char path[KOPD_PATH];
  kopd_file_path(s, f->number, "log", path);
  kopd_file *file = kopd_file_new(f->number, 0);
  if (file == NULL) return fail(r, f, "cannot be opened", -ENOMEM);
  f->file = file;
  int rc = io->open(io->user_data, path, O_RDWR), linked = 0;
  if (rc < 0) return fail(r, f, "cannot be opened", rc);
  file->fd = rc;
  rc = io->stat(io->user_data, file->fd, &file->size, &linked);
  if (rc != 0) return fail(r, f, "cannot be examined", rc);
  if (file->size < KOPD_FILE_HEADER) { /* a crash in the middle of making it */
    kopd_file_free(s, file);
    f->file = NULL;
    io->unlink(io->user_data, path);
    return 1;
  }
  file->map_len = (size_t)(file->size > s->config.file_bytes ? file->size : s->config.file_bytes);
  void *map = NULL;
  rc = io->map(io->user_data, file->fd, 0, file->map_len, &map);
  if (rc != 0) return fail(r, f, "cannot be mapped", rc);
  file->map = map;
  rc = kopd_file_header_read(file->map, &f->header);
  if (rc == -2) return fail(r, f, "was written by a newer version", 0);
  if (rc != 0 || f->header.number != f->number || f->header.retention_class >= KOPD_CLASSES) {
    /* What the frames say is not in doubt: they have checksums of their own. */
    kopd_log(s, KOP_LOG_ERROR, "store: the header of %s is damaged; its batches are read", path);
    f->header = (kopd_file_header){.number = f->number, .retention_class = 2};
  }
  file->retention_class = f->header.retention_class;
  file->created_ms = f->header.created_ms;
  file->previous = f->header.previous;
  f->cleaned = (f->header.flags & KOPD_FILE_CLEANED) != 0;
  if (file->size == KOPD_FILE_HEADER && f->header.previous_end == 0 && rc == 0) {
    kopd_file_discard(s, file); /* made ahead, and never used */
    f->file = NULL;
    f->is_empty = true;
    return 1;
  }
  read_footer(f);
  return 0;
}

static found *find(recovery *r, uint64_t number) {
  for (size_t i = 0; i < r->len; i++)
    if (r->items[i].number == number) return &r->items[i];
  return NULL;
}

/* What files say of each other: which one ended where, and which one a cleaned file stands for. */
static void relate(recovery *r) {
  for (size_t i = 0; i < r->len; i++) {
    const found *f = &r->items[i];
    found *previous = f->header.previous == 0 ? NULL : find(r, f->header.previous);
    if (previous != NULL && f->header.previous_end != 0) {
      previous->has_successor = true;
      previous->end = f->header.previous_end;
    }
    if (!f->sealed) continue;
    const uint8_t *at = f->file->map + f->trailer.table + f->trailer.runs * sizeof(kopd_run_row);
    for (uint32_t j = 0; j < f->trailer.replaced; j++) {
      uint64_t number = 0;
      memcpy(&number, at + j * sizeof number, sizeof number);
      found *replaced = find(r, le64toh(number));
      if (replaced != NULL) replaced->replaced = true;
    }
  }
}

static int take_sealed(recovery *r, found *f) {
  kopd_store *s = r->s;
  kopd_file *file = f->file;
  file->committed = file->written = f->trailer.footer;
  file->state = KOPD_FILE_SEALED;
  for (uint32_t i = 0; i < f->trailer.runs; i++) {
    kopd_run_row row;
    memcpy(&row, file->map + f->trailer.table + i * sizeof row, sizeof row);
    if (index_row(s, file, &row, f->trailer.table) != 0)
      return fail(r, f, "has a footer that cannot be used", 0);
  }
  s->io->close(s->io->user_data, file->fd);
  file->fd = -1;
  return 0;
}

static int read_frames(recovery *r, found *f, scan *sc) {
  kopd_store *s = r->s;
  kopd_file *file = f->file;
  const uint64_t window = 8u << 20;
  for (uint64_t at = 0; at < sc->limit; at += window) {
    uint64_t len = sc->limit - at < window ? sc->limit - at : window;
    int rc = s->io->populate(s->io->user_data, file->map + at, (size_t)len);
    if (rc < 0) return fail(r, f, "cannot be read", rc);
  }
  kopd_frame frame;
  for (; scan_next(sc, &frame); scan_step(sc, &frame))
    if (index_frame(s, file, &frame, sc->at) != 0) return fail(r, f, "cannot be read", -ENOMEM);
  if (sc->damaged > 0)
    kopd_log(s, KOP_LOG_ERROR,
             "store: %016" PRIx64 ".log is damaged in %u places, %" PRIu64 " bytes are lost",
             f->number, sc->damaged, sc->damaged_bytes);
  return 0;
}

/* A file without a usable footer. */
static int take_unsealed(recovery *r, found *f) {
  kopd_store *s = r->s;
  kopd_file *file = f->file;
  bool bounded = f->has_successor && f->end <= file->size;
  scan sc = {.map = file->map,
             .limit = bounded ? f->end : file->size,
             .partitions = s->next_partition,
             .settled = bounded && s->config.durability == KOPD_DURABILITY_DISK,
             .at = KOPD_FILE_HEADER};
  if (read_frames(r, f, &sc) != 0) return -1;
  file->trusted = true;
  file->state = KOPD_FILE_FULL;
  s->sealing_wanted = true;
  f->is_short = f->has_successor && sc.at < f->end;
  if (f->has_successor && sc.at < f->end) {
    kopd_log(s, KOP_LOG_ERROR,
             "store: %016" PRIx64 ".log ends at byte %" PRIu64 " where it should have %" PRIu64
             ": what was appended there is lost",
             f->number, sc.at, f->end);
  }
  uint64_t extra = file->size - sc.at;
  file->committed = file->written = sc.at;
  if (extra > 0 && !f->has_successor) {
    kopd_log(s, KOP_LOG_WARN,
             "store: cut %" PRIu64 " bytes off the end of %016" PRIx64 ".log, at byte %" PRIu64
             ": a write that was never acknowledged, or a lost index",
             extra, f->number, sc.at);
  }
  if (extra > 0) {
    int rc = s->io->ftruncate(s->io->user_data, file->fd, (off_t)sc.at);
    if (rc == 0) rc = s->io->fdatasync(s->io->user_data, file->fd);
    if (rc != 0) return fail(r, f, "cannot be cut", rc);
  }
  file->size = sc.at;
  return 0;
}

/* Notes the newest file of each class; one that has no footer is written on. */
static void note_newest(kopd_store *s, const found *f) {
  kopd_file *file = f->file;
  if (f->cleaned) return;
  s->last_number[file->retention_class] = file->number;
  s->last_end[file->retention_class] = file->committed;
  kopd_file *before = s->active[file->retention_class];
  s->active[file->retention_class] = NULL;
  if (before != NULL) before->state = KOPD_FILE_FULL;
  if (file->state != KOPD_FILE_FULL || file->committed >= file->map_len) return;
  file->state = KOPD_FILE_ACTIVE;
  s->active[file->retention_class] = file;
}

static int take_file(recovery *r, found *f) {
  kopd_store *s = r->s;
  kopd_file_add_locked(s, f->file);
  int rc = f->sealed ? take_sealed(r, f) : take_unsealed(r, f);
  if (rc == 0) note_newest(s, f);
  return rc;
}

/* A partition's ends follow from what was found and from its log start, which outlives its batches. */
static void settle_partitions(kopd_store *s) {
  for (kopd_topic *t = s->topics; t != NULL; t = t->next) {
    for (uint32_t i = 0; i < t->partitions_count; i++) {
      kopd_partition *p = t->partitions[i];
      p->end = p->log_start;
      if (p->runs_count > 0 && p->runs[p->runs_count - 1]->end > p->end)
        p->end = p->runs[p->runs_count - 1]->end;
      p->reserved = p->end;
      kopd_trim_locked(p, p->log_start);
    }
  }
}

/*
 * Whether the file, never synced, follows one of its class of which the end is gone, or may be: a file made ahead that lacks its
 * real header cannot say where the one before it ended.
 */
static bool follows_a_gap(const recovery *r, const found *f) {
  if (f->sealed || f->cleaned || r->s->config.durability != KOPD_DURABILITY_OS) return false;
  for (const found *g = r->items; g < f; g++) {
    bool before = g->number == f->header.previous;
    if (before && (g->is_empty || (f->header.previous_end == 0 && !g->sealed))) return true;
    if (g->is_short && g->header.retention_class == f->header.retention_class) return true;
  }
  return false;
}

/* Its name has to be gone for good before anything is appended in its place. */
static int drop_follower(recovery *r, found *f) {
  kopd_store *s = r->s;
  kopd_log(s, KOP_LOG_ERROR,
           "store: %016" PRIx64 ".log, %" PRIu64 " bytes, goes: it was written after what is lost",
           f->number, f->file->size);
  kopd_file_discard(s, f->file);
  f->file = NULL;
  f->is_empty = true;
  int rc = s->io->sync_dir(s->io->user_data, s->log_path);
  return rc == 0 ? 0 : fail(r, f, "cannot be removed", rc);
}

static void drop_replaced(kopd_store *s, found *f) {
  char path[KOPD_PATH];
  kopd_file_path(s, f->number, "log", path);
  s->io->unlink(s->io->user_data, path);
  kopd_file_free(s, f->file);
  f->file = NULL;
}

int kopd_recover(kopd_store *s, char *error, size_t cap) {
  recovery r = {.s = s, .error = error, .error_cap = cap};
  int rc = s->io->list(s->io->user_data, s->log_path, each_name, &r);
  if (rc != 0) snprintf(error, cap, "%s cannot be listed: %s", s->log_path, strerror(-rc));
  if (rc == 0 && r.len > 0) qsort(r.items, r.len, sizeof *r.items, by_number);
  for (size_t i = 0; rc == 0 && i < r.len; i++)
    if (open_file(&r, &r.items[i]) < 0) rc = -1;
  size_t kept = 0;
  for (size_t i = 0; i < r.len; i++)
    if (r.items[i].file != NULL || r.items[i].is_empty) r.items[kept++] = r.items[i];
  r.len = kept;
  if (rc == 0) relate(&r);
  s->next_file = r.len == 0 ? 1 : r.items[r.len - 1].number + 1;
  size_t at = 0;
  for (; rc == 0 && at < r.len; at++) {
    if (r.items[at].file == NULL) continue;
    if (r.items[at].replaced) {
      drop_replaced(s, &r.items[at]);
    } else if (follows_a_gap(&r, &r.items[at])) {
      rc = drop_follower(&r, &r.items[at]);
    } else {
      rc = take_file(&r, &r.items[at]);
    }
  }
  for (; at < r.len; at++) /* after a failure: what was opened and not taken over */
    if (r.items[at].file != NULL) kopd_file_free(s, r.items[at].file);
  free(r.items);
  if (rc != 0) return -1;
  settle_partitions(s);
  return kopd_ends_compare(s, error, cap);
}
