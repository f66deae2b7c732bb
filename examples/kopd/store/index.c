/*
 * Runs: where a partition's batches lie.
 *
 * A partition's runs are sorted by base offset and do not overlap; a run's entries are sorted likewise. To find an
 * offset is a binary search among the runs and one among the entries. A search by time uses highest_timestamp, which
 * never falls within a run, although the timestamps of batches may.
 */
#include "store/state.h"

#include <stdlib.h>

uint32_t kopd_entries_find(const kopd_entry *entries, uint32_t first, uint32_t count,
                           int64_t offset) {
  while (first < count) {
    uint32_t middle = first + (count - first) / 2;
    if (kopd_entry_end(&entries[middle]) > offset) {
      count = middle;
    } else {
      first = middle + 1;
    }
  }
  return first;
}

uint32_t kopd_entries_find_time(const kopd_entry *entries, uint32_t first, uint32_t count,
                                int64_t timestamp) {
  if (first > 0) {
    /* Entries below the log start may have raised highest_timestamp: it says nothing about the rest. */
    while (first < count && kopd_le_i64(entries[first].max_timestamp) < timestamp)
      first++;
    return first;
  }
  while (first < count) {
    uint32_t middle = first + (count - first) / 2;
    if (kopd_le_i64(entries[middle].highest_timestamp) >= timestamp) {
      count = middle;
    } else {
      first = middle + 1;
    }
  }
  return first;
}

uint32_t kopd_runs_find_locked(const kopd_partition *p, int64_t offset) {
  uint32_t first = 0, count = p->runs_count;
  while (first < count) {
    uint32_t middle = first + (count - first) / 2;
    if (p->runs[middle]->end > offset) {
      count = middle;
    } else {
      first = middle + 1;
    }
  }
  return first;
}

bool kopd_entries_are_whole(const kopd_entry *entries, uint32_t count, uint32_t checksum) {
  return kopd_crc32c(0, entries, (size_t)count * sizeof *entries) == checksum;
}

/* Room for one more pointer. */
static int room(kopd_run ***array, uint32_t count, uint32_t *cap) {
  if (count < *cap) return 0;
  uint32_t bigger = *cap == 0 ? 4 : *cap * 2;
  kopd_run **more = realloc(*array, bigger * sizeof *more);
  if (more == NULL) return -1;
  *array = more;
  *cap = bigger;
  return 0;
}

int kopd_run_insert_locked(kopd_run *run) {
  kopd_partition *p = run->partition;
  kopd_file *f = run->file;
  if (room(&p->runs, p->runs_count, &p->runs_cap) != 0 ||
      room(&f->runs, f->runs_count, &f->runs_cap) != 0)
    return -1;
  uint32_t at = p->runs_count;
  while (at > 0 && p->runs[at - 1]->base > run->base)
    at--;
  memmove(&p->runs[at + 1], &p->runs[at], (p->runs_count - at) * sizeof *p->runs);
  p->runs[at] = run;
  p->runs_count++;
  run->at = f->runs_count;
  f->runs[f->runs_count++] = run;
  return 0;
}

/* What `count` batches of that many bytes take in the file. */
static uint64_t frame_bytes(uint64_t bytes, uint64_t count) {
  return bytes + count * KOPD_FRAME_HEADER;
}

static void run_free(kopd_run *run) {
  if (run->cap > 0) free(run->entries);
  free(run);
}

static void leave_file_locked(kopd_run *run) {
  kopd_file *f = run->file;
  f->live -= frame_bytes(run->bytes, run->count - run->first);
  f->runs[run->at] = f->runs[--f->runs_count];
  f->runs[run->at]->at = run->at;
  if (f->busy) {
    run->gone = true;
    run->limbo = f->limbo;
    f->limbo = run;
  } else {
    run_free(run);
  }
}

void kopd_limbo_free_locked(kopd_file *f) {
  f->busy = false;
  while (f->limbo != NULL) {
    kopd_run *run = f->limbo;
    f->limbo = run->limbo;
    run_free(run);
  }
}

void kopd_run_remove_locked(kopd_run *run) {
  kopd_partition *p = run->partition;
  uint32_t at = 0;
  while (p->runs[at] != run)
    at++;
  p->runs_count--;
  memmove(&p->runs[at], &p->runs[at + 1], (p->runs_count - at) * sizeof *p->runs);
  p->bytes -= run->bytes;
  leave_file_locked(run);
}

void kopd_partition_empty_locked(kopd_partition *p) {
  for (uint32_t i = 0; i < p->runs_count; i++)
    leave_file_locked(p->runs[i]);
  p->runs_count = 0;
  p->bytes = 0;
}

/* The partition's run in the file that is being written, which can only be its last. */
static kopd_run *open_run(const kopd_partition *p, const kopd_file *f) {
  if (p->runs_count == 0) return NULL;
  kopd_run *run = p->runs[p->runs_count - 1];
  return run->file == f ? run : NULL;
}

static uint32_t likely_length(const kopd_run *before) {
  uint32_t length = KOPD_BLOCK_LEAST;
  while (length < before->count && length < 64)
    length *= 2;
  return length;
}

kopd_run *kopd_run_reserve_locked(kopd_store *s, kopd_partition *p, kopd_file *f) {
  kopd_run *run = open_run(p, f);
  uint32_t least = KOPD_BLOCK_LEAST;
  if (run == NULL) {
    /* It is likely to become about as long as the one before it. */
    if (p->runs_count > 0) least = likely_length(p->runs[p->runs_count - 1]);
    run = calloc(1, sizeof *run);
    if (run == NULL) return NULL;
    *run = (kopd_run){.file = f,
                      .partition = p,
                      .checked = true,
                      .base = p->reserved,
                      .end = p->reserved,
                      .max_timestamp = INT64_MIN};
    if (kopd_run_insert_locked(run) != 0) {
      free(run);
      return NULL;
    }
  }
  uint32_t need = run->count + run->pending + 1;
  if (need > run->cap) {
    uint32_t cap = run->cap == 0 ? least : run->cap * 2;
    kopd_entry *more = kopd_block_take_locked(&s->blocks, cap);
    if (more == NULL) {
      if (run->count + run->pending == 0) kopd_run_remove_locked(run);
      return NULL;
    }
    if (run->count > 0) memcpy(more, run->entries, run->count * sizeof *more);
    if (run->cap > 0) kopd_block_give_locked(&s->blocks, run->entries, run->cap);
    run->entries = more;
    run->cap = cap;
  }
  run->pending++;
  return run;
}

void kopd_run_publish_locked(kopd_run *run, const kopd_frame *frame, uint64_t position) {
  kopd_partition *p = run->partition;
  int64_t highest = frame->max_timestamp;
  if (run->count > 0) {
    int64_t before = kopd_le_i64(run->entries[run->count - 1].highest_timestamp);
    if (before > highest) highest = before;
  }
  run->entries[run->count] = (kopd_entry){
      .base_offset = kopd_le_i64(frame->base_offset),
      .max_timestamp = kopd_le_i64(frame->max_timestamp),
      .highest_timestamp = kopd_le_i64(highest),
      .position = htole64(position),
      .length = htole32(frame->length),
      .count = htole32(frame->count),
      .epoch = kopd_le_i32(frame->epoch),
  };
  if (run->count == 0) run->base = frame->base_offset;
  run->pending--;
  run->count++;
  run->end = frame->base_offset + (int64_t)frame->count;
  if (frame->max_timestamp > run->max_timestamp) run->max_timestamp = frame->max_timestamp;
  run->bytes += frame->length;
  p->bytes += frame->length;
  p->end = run->end;
  run->file->live += frame_bytes(frame->length, 1);
}

void kopd_run_cancel_locked(kopd_run *run) {
  run->pending--;
  if (run->count + run->pending == 0) kopd_run_remove_locked(run);
}

/* Entries of the run that fall below the log start are counted out. */
static void trim_run_locked(kopd_partition *p, kopd_run *run, int64_t log_start) {
  if (!run->checked) {
    /* An index that lies is left whole: what it holds is counted as live until a reader has rebuilt it. */
    if (!kopd_entries_are_whole(run->entries, run->count, run->checksum)) return;
    run->checked = true;
  }
  uint32_t first = kopd_entries_find(run->entries, run->first, run->count, log_start);
  uint64_t bytes = 0;
  for (uint32_t i = run->first; i < first; i++)
    bytes += kopd_le_u32(run->entries[i].length);
  if (first == run->first) return;
  run->file->live -= frame_bytes(bytes, first - run->first);
  run->bytes -= bytes;
  p->bytes -= bytes;
  run->first = first;
  run->max_timestamp = INT64_MIN;
  for (uint32_t i = first; i < run->count; i++) {
    int64_t timestamp = kopd_le_i64(run->entries[i].max_timestamp);
    if (timestamp > run->max_timestamp) run->max_timestamp = timestamp;
  }
}

void kopd_trim_locked(kopd_partition *p, int64_t log_start) {
  if (log_start > p->log_start) p->log_start = log_start;
  while (p->runs_count > 0 && p->runs[0]->end <= p->log_start && p->runs[0]->pending == 0)
    kopd_run_remove_locked(p->runs[0]);
  if (p->runs_count > 0 && p->runs[0]->base < p->log_start)
    trim_run_locked(p, p->runs[0], p->log_start);
}

void kopd_run_replace_locked(kopd_run *run, kopd_entry *entries, uint32_t count, uint32_t cap) {
  kopd_partition *p = run->partition;
  run->file->live -= frame_bytes(run->bytes, run->count - run->first);
  p->bytes -= run->bytes;
  if (run->cap > 0) free(run->entries);
  run->entries = entries;
  run->count = count;
  run->cap = cap;
  run->first = 0;
  run->checked = true;
  run->bytes = 0;
  run->max_timestamp = INT64_MIN;
  for (uint32_t i = 0; i < count; i++) {
    int64_t timestamp = kopd_le_i64(entries[i].max_timestamp);
    if (timestamp > run->max_timestamp) run->max_timestamp = timestamp;
    run->bytes += kopd_le_u32(entries[i].length);
  }
  run->file->live += frame_bytes(run->bytes, count);
  p->bytes += run->bytes;
  if (run->base < p->log_start) trim_run_locked(p, run, p->log_start);
}
