/*
 * READ and LIST_OFFSETS.
 *
 * What a read gives is found under the lock, in indexes that lie in memory: pinned files, and the addresses of batches in their
 * mappings. If all of those bytes are in memory, and known to be what was written, the answer is ready. Otherwise the reader thread
 * first makes the disk deliver them (an error there is an answer, not a signal) and compares each frame with its checksum.
 *
 * An index in a footer is used once it was compared with its own checksum, by the reader thread; one that does not fit is made
 * anew from the frames.
 */
#include "store/state.h"

#include <stdlib.h>

#define RESIDENT_NS UINT64_C(1000000000)

/* How far a look at the index has come. */
typedef enum progress {
  FOUND,   /* the answer is complete */
  UNREAD,  /* READ: batches were found, but their bytes must be fetched and checked first */
  BLOCKED, /* a footer stands in the way that was not checked yet: `op->blocked_base` says whose */
  CUT      /* a file was cut while it was looked into: what was found is worth nothing */
} progress;

/* ---- what a READ covers ---- */

/* A place in a partition's batches, moving upwards. */
typedef struct walk {
  const kopd_partition *p;
  uint32_t run;
  uint32_t entry;
  int64_t next;     /* the offset wanted next */
  int64_t limit;    /* batches from here on are not wanted */
  uint64_t bytes;   /* taken */
  uint64_t max;     /* may be taken */
  uint32_t batches; /* taken */
  bool at_least_one;
  bool size_stops; /* the next batch does not fit */
  bool blocked;    /* the next run's footer is not checked */
  bool cut;        /* the next run's index is not whole any more */
} walk;

static walk walk_begin(const kopd_partition *p, const kopd_op *op) {
  const kop_read *read = op->body;
  walk w = {.p = p,
            .run = kopd_runs_find_locked(p, read->offset),
            .entry = UINT32_MAX,
            .next = read->offset,
            .limit = read->end < p->end ? read->end : p->end,
            .max = read->max_bytes,
            .at_least_one = (op->flags & KOP_READ_AT_LEAST_ONE) != 0};
  return w;
}

/* Its index may be zeros by now. One in the heap is as it was, and each batch that it leads to is compared with its checksum. */
static bool is_lost(const kopd_run *run) {
  return run->file->cut && run->cap == 0;
}

/* The next batch, or NULL when the walk ends; `*run` receives its run. */
static const kopd_entry *walk_step(walk *w, const kopd_run **run) {
  for (; w->run < w->p->runs_count; w->run++, w->entry = UINT32_MAX) {
    const kopd_run *r = w->p->runs[w->run];
    if (r->base >= w->limit) return NULL;
    if (is_lost(r)) {
      w->cut = true;
      return NULL;
    }
    if (!r->checked) {
      w->blocked = true;
      return NULL;
    }
    if (w->entry == UINT32_MAX)
      w->entry = kopd_entries_find(r->entries, r->first, r->count, w->next);
    if (w->entry == r->count) continue;
    const kopd_entry *e = &r->entries[w->entry];
    uint32_t length = kopd_le_u32(e->length);
    if (kopd_le_i64(e->base_offset) >= w->limit) return NULL;
    if (w->bytes + length > w->max && !(w->batches == 0 && w->at_least_one)) {
      w->size_stops = true;
      return NULL;
    }
    w->entry++;
    w->batches++;
    w->bytes += length;
    w->next = kopd_entry_end(e);
    *run = r;
    return e;
  }
  return NULL;
}

/* Counts what a READ can have: the walk stops early where the answer's own bounds are reached. */
static uint32_t count_batches(walk *w) {
  const kopd_run *run = NULL;
  const kopd_file *last = NULL;
  uint32_t n = 0, files = 0;
  while (n < KOPD_READ_BATCHES) {
    if (walk_step(w, &run) == NULL) break;
    if (run->file != last && ++files > KOPD_READ_FILES) break;
    last = run->file;
    n++;
  }
  return n;
}

/*
 * Whether bytes can be read without waiting for a disk. Asking the kernel costs microseconds a batch, a tenth of a fetch, and what
 * is written together leaves memory together: one answer counts for a MiB of the file and a second.
 * Where that is wrong, this thread waits for the disk once.
 */
static bool is_at_hand_locked(const kopd_store *s, kopd_file *f, const uint8_t *bytes, size_t len) {
  enum { MIB = 20, PLACES = sizeof f->resident * 8 };
  if (!f->trusted) return false;
  uint64_t now = kopd_mono_ns();
  if (now >= f->resident_until_ns) {
    memset(f->resident, 0, sizeof f->resident);
    f->resident_until_ns = now + RESIDENT_NS;
  }
  uint64_t first = (uint64_t)(bytes - f->map) >> MIB;
  uint64_t last = (uint64_t)(bytes - f->map + (ptrdiff_t)len - 1) >> MIB;
  bool known = last < PLACES;
  for (uint64_t i = first; known && i <= last; i++)
    known = (f->resident[i / 64] >> i % 64 & 1) != 0;
  if (known) return true;
  if (!s->io->resident(s->io->user_data, bytes, len)) return false;
  for (uint64_t i = first; i <= last && i < PLACES; i++)
    f->resident[i / 64] |= UINT64_C(1) << i % 64;
  return true;
}

/* Lists the batches in the operation's memory and pins their files. */
static progress fill_batches_locked(kopd_store *s, kopd_op *op, const kopd_partition *p,
                                    uint32_t n) {
  kop_read_batch *batches = op->memory;
  kop_slice *slices = (kop_slice *)(batches + n);
  walk w = walk_begin(p, op);
  bool ready = true;
  const uint8_t *from = NULL,
                *to = NULL; /* of the present file: what was found, back to back or nearly so */
  for (uint32_t i = 0; i < n; i++) {
    const kopd_run *run = NULL;
    const kopd_entry *e = walk_step(&w, &run);
    if (e == NULL) return CUT; /* it was there when it was counted */
    kopd_file *f = run->file;
    const uint8_t *bytes = f->map + kopd_le_u64(e->position);
    uint32_t length = kopd_le_u32(e->length);
    slices[i] = (kop_slice){bytes, length};
    batches[i] = (kop_read_batch){
        .base_offset = kopd_le_i64(e->base_offset), .slices = &slices[i], .slices_count = 1};
    if (op->pins_count == 0 || op->pins[op->pins_count - 1] != f) {
      if (from != NULL && ready) {
        ready = is_at_hand_locked(s, op->pins[op->pins_count - 1], from, (size_t)(to - from));
      }
      kopd_pin_locked(f);
      op->pins[op->pins_count++] = f;
      from = bytes;
    } else if (ready && (bytes < to || (size_t)(bytes - to) > 4096)) {
      /* Others' batches lie between: they need not be in memory. */
      ready = is_at_hand_locked(s, f, from, (size_t)(to - from));
      from = bytes;
    }
    to = bytes + length;
  }
  if (ready) ready = is_at_hand_locked(s, op->pins[op->pins_count - 1], from, (size_t)(to - from));
  op->results.read = (kop_read_result){.size = sizeof op->results.read,
                                       .batches_count = n,
                                       .batches = batches,
                                       .next_offset = w.next};
  s->stats.read_bytes_total += w.bytes;
  return ready ? FOUND : UNREAD;
}

static void read_done_locked(kopd_store *s, kopd_op *op) {
  kopd_store_client *c = op->client;
  if (kopd_files_were_cut_locked(s)) {
    kopd_op_reject_locked(op, KAFKA_STORAGE_ERROR);
    return;
  }
  s->stats.reads_total++;
  if ((op->flags & KOP_READ_MAY_LEND) != 0 && op->pins_count > 0 &&
      kopd_map_put(&c->lent, &op->token, sizeof op->token, op) == 0)
    op->completion_flags = KOP_COMPLETION_LENT;
  kopd_op_done_locked(op, KOP_DONE, &op->results.read, sizeof op->results.read);
}

static progress read_locked(kopd_store *s, kopd_op *op, const kopd_partition *p) {
  const kop_read *read = op->body;
  if (read->offset < p->log_start) {
    kopd_op_reject_locked(op, KAFKA_OFFSET_OUT_OF_RANGE);
    return FOUND;
  }
  walk w = walk_begin(p, op);
  uint32_t n = count_batches(&w);
  if (n > 0) {
    if (kopd_op_memory(op, n * (sizeof(kop_read_batch) + sizeof(kop_slice))) == NULL) {
      kopd_op_reject_locked(op, KAFKA_STORAGE_ERROR);
      return FOUND;
    }
    progress done = fill_batches_locked(s, op, p, n);
    if (done == FOUND) read_done_locked(s, op);
    if (done == CUT) kopd_op_reject_locked(op, KAFKA_STORAGE_ERROR);
    return done == CUT ? FOUND : done;
  }
  if (w.cut) {
    kopd_op_reject_locked(op, KAFKA_STORAGE_ERROR);
    return FOUND;
  }
  if (w.blocked) {
    op->blocked_base = p->runs[w.run]->base;
    return BLOCKED;
  }
  /* Nothing: because the next batch is too large, or up to the limit there is none. */
  int64_t next = read->offset;
  if (!w.size_stops && w.limit > next) next = w.limit;
  op->results.read = (kop_read_result){.size = sizeof op->results.read, .next_offset = next};
  read_done_locked(s, op);
  return FOUND;
}

/* ---- LIST_OFFSETS ---- */

static progress list_locked(kopd_store *s, kopd_op *op, const kopd_partition *p) {
  const kop_list_offsets *list = op->body;
  const kopd_run *best = NULL;
  int64_t timestamp = list->timestamp;
  for (uint32_t i = 0; i < p->runs_count; i++) {
    const kopd_run *run = p->runs[i];
    if (run->first == run->count) continue;
    if (list->what == KOP_LIST_BY_TIME) {
      if (run->max_timestamp < timestamp) continue;
      best = run;
      break;
    }
    if (best == NULL || run->max_timestamp > best->max_timestamp) best = run;
  }
  if (best == NULL) {
    kopd_op_done_locked(op, KOP_NOT_FOUND, NULL, 0);
    return FOUND;
  }
  if (is_lost(best)) {
    kopd_op_reject_locked(op, KAFKA_STORAGE_ERROR);
    return FOUND;
  }
  if (!best->checked) {
    op->blocked_base = best->base;
    return BLOCKED;
  }
  if (list->what == KOP_LIST_MAX_TIMESTAMP) timestamp = best->max_timestamp;
  uint32_t at = kopd_entries_find_time(best->entries, best->first, best->count, timestamp);
  if (kopd_files_were_cut_locked(s)) {
    kopd_op_reject_locked(op, KAFKA_STORAGE_ERROR);
    return FOUND;
  }
  if (at == best->count) { /* the run's own maximum was made from these entries */
    kopd_op_done_locked(op, KOP_NOT_FOUND, NULL, 0);
    return FOUND;
  }
  op->results.listed = (kop_listed){.size = sizeof op->results.listed,
                                    .base_offset = kopd_le_i64(best->entries[at].base_offset),
                                    .max_timestamp = kopd_le_i64(best->entries[at].max_timestamp)};
  kopd_op_done_locked(op, KOP_DONE, &op->results.listed, sizeof op->results.listed);
  return FOUND;
}

static progress try_locked(kopd_store *s, kopd_op *op) {
  const kopd_partition *p = kopd_partition_find_locked(s, op->target);
  if (p == NULL) {
    kopd_op_reject_locked(op, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    return FOUND;
  }
  (void)kopd_files_were_cut_locked(s); /* by those who were lent something, or by the janitor */
  return op->kind == KOP_EFFECT_READ ? read_locked(s, op, p) : list_locked(s, op, p);
}

void kopd_read_submit_locked(kopd_store *s, kopd_op *op) {
  progress done = try_locked(s, op);
  if (done == FOUND) return;
  op->unread = done == UNREAD;
  kopd_queue_push(&s->reads, op);
  pthread_cond_signal(&s->reader_wakes);
}

/* ---- the reader thread ---- */

/* The frame in front of a batch is whole and is the one that the index means. */
static bool frame_fits(const kop_read_batch *batch, uint64_t partition) {
  const uint8_t *header = batch->slices[0].ptr - KOPD_FRAME_HEADER;
  kopd_frame frame;
  kopd_frame_read(header, &frame);
  return frame.length == batch->slices[0].len && frame.partition == partition &&
         frame.base_offset == batch->base_offset && kopd_frame_is_whole(header, &frame);
}

/* Fetches and checks what was found. The answer ends before the first batch that cannot be had. */
static void fetch(kopd_store *s, kopd_op *op) {
  const kopd_io *io = s->io;
  kop_read_result *r = &op->results.read;
  uint32_t good = 0;
  for (; good < r->batches_count; good++) {
    const kop_read_batch *batch = &r->batches[good];
    const uint8_t *from = batch->slices[0].ptr - KOPD_FRAME_HEADER;
    size_t len = batch->slices[0].len + KOPD_FRAME_HEADER;
    if (io->populate(io->user_data, from, len) < 0 || !frame_fits(batch, op->target)) break;
  }
  pthread_mutex_lock(&s->lock);
  s->stats.reads_cold_total++;
  if (good == r->batches_count) {
    read_done_locked(s, op);
  } else {
    const kop_read_batch *bad = &r->batches[good];
    s->stats.errors_total++;
    kopd_file *f = op->pins[0];
    for (uint32_t i = 0; i < op->pins_count; i++)
      if (bad->slices[0].ptr >= op->pins[i]->map &&
          bad->slices[0].ptr < op->pins[i]->map + op->pins[i]->map_len)
        f = op->pins[i];
    if (!f->damaged) {
      kopd_log(s, KOP_LOG_ERROR,
               "store: the batch at offset %lld of partition %llu is damaged, in file %016llx.log "
               "at byte %llu",
               (long long)bad->base_offset, (unsigned long long)op->target,
               (unsigned long long)f->number, (unsigned long long)(bad->slices[0].ptr - f->map));
    }
    f->damaged = true;
    f->trusted = false; /* what lies in memory of it is compared each time from here on */
    if (good > 0) {
      r->batches_count = good;
      r->next_offset = bad->base_offset;
      read_done_locked(s, op);
    } else {
      kopd_op_reject_locked(op, KAFKA_STORAGE_ERROR);
    }
  }
  pthread_mutex_unlock(&s->lock);
}

static kopd_run *blocked_run_locked(kopd_store *s, const kopd_op *op) {
  kopd_partition *p = kopd_partition_find_locked(s, op->target);
  if (p == NULL) return NULL;
  uint32_t at = kopd_runs_find_locked(p, op->blocked_base);
  if (at == p->runs_count || p->runs[at]->base != op->blocked_base || p->runs[at]->checked)
    return NULL;
  return p->runs[at];
}

/* Checks the footer's entries of the run that blocks an operation; makes them anew if they lie. */
static void check_run(kopd_store *s, kopd_op *op) {
  const kopd_io *io = s->io;
  pthread_mutex_lock(&s->lock);
  kopd_run *run = blocked_run_locked(s, op);
  if (run == NULL) {
    pthread_mutex_unlock(&s->lock);
    return;
  }
  kopd_file *f = run->file;
  const kopd_entry *entries = run->entries;
  uint32_t count = run->count, checksum = run->checksum, cap = 0;
  int64_t base = run->base, end = run->end;
  kopd_pin_locked(f);
  pthread_mutex_unlock(&s->lock);

  bool whole = io->populate(io->user_data, entries, count * sizeof *entries) >= 0 &&
               kopd_entries_are_whole(entries, count, checksum);
  kopd_entry *anew = NULL;
  bool rebuilt = false;
  if (!whole) {
    rebuilt = kopd_index_rebuild(f, op->target, base, end, &anew, &count) == 0;
    cap = count;
  }

  pthread_mutex_lock(&s->lock);
  run = blocked_run_locked(s, op);
  bool cut = kopd_files_were_cut_locked(s) || f->cut;
  if (run != NULL && run->file == f) {
    if (cut) {
      op->hopeless =
          true; /* an index made anew would leave out what is lost, as if it had never been */
    } else if (whole) {
      run->checked = true;
    } else if (rebuilt && count > 0) {
      kopd_log(s, KOP_LOG_WARN, "store: an index in file %016llx.log was damaged and was made anew",
               (unsigned long long)f->number);
      kopd_run_replace_locked(run, anew, count, cap);
      anew = NULL;
    } else {
      op->hopeless = true;
    }
  }
  kopd_unpin_locked(s, f);
  pthread_mutex_unlock(&s->lock);
  free(anew);
}

static void serve(kopd_store *s, kopd_op *op) {
  while (!op->unread) {
    check_run(s, op);
    pthread_mutex_lock(&s->lock);
    progress done = FOUND;
    if (op->hopeless) {
      s->stats.errors_total++;
      kopd_op_reject_locked(op, KAFKA_STORAGE_ERROR);
    } else {
      done = try_locked(s, op);
    }
    pthread_mutex_unlock(&s->lock);
    if (done == FOUND) return;
    op->unread = done == UNREAD;
  }
  fetch(s, op);
}

void *kopd_reader_main(void *store) {
  kopd_store *s = store;
  pthread_mutex_lock(&s->lock);
  for (;;) {
    while (s->reads.first == NULL && !s->stopping)
      pthread_cond_wait(&s->reader_wakes, &s->lock);
    kopd_op *op = kopd_queue_pop(&s->reads);
    if (op == NULL) break;
    pthread_mutex_unlock(&s->lock);
    serve(s, op);
    pthread_mutex_lock(&s->lock);
  }
  pthread_mutex_unlock(&s->lock);
  return NULL;
}
