/*
 * The writer: appends, by one thread at a time.
 *
 * It takes what waits, up to a bound, as one group and
 *
 *   1. places it (locked): epoch checks, base offsets, the file and position of each batch, room in the index;
 *   2. writes it (not locked): one writev per file, then one fdatasync; usually there is one file;
 *   3. publishes it (locked): index, log ends, answers.
 *
 * Meanwhile the next group gathers, which is all there is to group commit. The appends that a client submits between two polls are
 * begun together.
 *
 * The thread that does this is the writer's own if the group is to be synced, is large, or needs a file to be made. Otherwise
 * it is the node thread that polls: a write to the page cache takes some 30 us, and on busy cores the way to another
 * thread and back takes up to two time slices. A page cache that makes its writers wait (it is full of what the disk has
 * not taken yet, or the file system is committing) would stop a node's clients, so after a slow write the writer does all
 * the work until some bytes were written without waiting, the more the sooner the page cache was slow again.
 *
 * ACQUIREs travel in the same queue: an append before
 * one still counts and is in its end offset, an append of an older epoch behind it is fenced.
 *
 * A part of a group that cannot be written is taken back: the file is cut to what it was, and synced. If that works,
 * the appends have definitely not happened: REJECTED. If not, they may come back after a crash: UNKNOWN, and the file is abandoned;
 * the header of its successor then says where it really ended, and stays until the janitor has cut the file after all. After a failed fdatasync nothing is
 * known of the page cache, so that file is abandoned in any case.
 */
#include "store/state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { MAX_PARTS = 8 };

/* Space that is set aside at a time: as much as the file has, within these bounds. */
#define RESERVE_LEAST (UINT64_C(256) << 10)
#define RESERVE_MOST  (UINT64_C(16) << 20)

#define SLOW_WRITE_NS UINT64_C(10000000)   /* a write that sleeps longer waits for a disk */
#define SLOW_AGAIN_NS UINT64_C(1000000000) /* a second later it is another matter */
#define CALM_LEAST    (UINT64_C(1) << 20)
#define CALM_MOST     (UINT64_C(64) << 20)

/* What a group puts into one file. */
typedef struct part {
  kopd_file *file;
  uint64_t at;
  bool full;       /* the file takes no more after this */
  bool abandon;    /* the file is not to be written again */
  int rc;          /* 0 or -errno */
  int32_t outcome; /* KOP_DONE, KOP_REJECTED or KOP_UNKNOWN */
} part;

/* How the page cache has taken what was written. */
typedef struct pace {
  uint64_t slow_ns; /* when it was slow last, monotonic */
  uint64_t calm;    /* bytes that it has taken since without waiting */
  uint64_t wanted;  /* of them, before it counts as fast */
} pace;

struct kopd_writer {
  kopd_op *ops[KOPD_GROUP_OPS]; /* appends and ACQUIREs in order */
  uint32_t ops_count;
  uint64_t bytes;
  bool may_begin; /* this thread may make a file, which syncs */
  int create_rc;  /* why no file could be begun, or 0 */
  pace pace;
  part parts[MAX_PARTS];
  uint32_t parts_count;
  struct iovec *iov;
  size_t iov_cap;
  uint8_t headers[KOPD_GROUP_OPS][KOPD_FRAME_HEADER];
};

int kopd_writer_new(kopd_store *s) {
  s->writer = calloc(1, sizeof *s->writer);
  return s->writer == NULL ? -1 : 0;
}

void kopd_writer_free(kopd_store *s) {
  if (s->writer == NULL) return;
  free(s->writer->iov);
  free(s->writer);
  s->writer = NULL;
}

/* ---- 1. place ---- */

/* The janitor is told when the successor has begun (commit_locked): both at once would meet in the file system's journal. */
static void file_is_full_locked(kopd_store *s, kopd_file *f) {
  s->active[f->retention_class] = NULL;
  if (f->state != KOPD_FILE_ACTIVE) return;
  f->state = KOPD_FILE_FULL;
  s->sealing_wanted = true;
}

/* The file that was made ahead for the class, if it can follow the present one and take a frame of that size. */
static kopd_file *ahead_locked(const kopd_store *s, uint32_t retention_class, uint64_t frame) {
  kopd_file *f = s->ahead[retention_class];
  if (f == NULL || f->previous != s->last_number[retention_class]) return NULL;
  return KOPD_FILE_HEADER + frame <= f->map_len ? f : NULL;
}

/*
 * Begins a file for the class with room for a frame of that size: the one made ahead, or else a new one, which waits for the
 * disk twice. The lock is let go meanwhile.
 */
static int file_begin_locked(kopd_store *s, uint32_t retention_class, uint64_t frame) {
  kopd_file *f = ahead_locked(s, retention_class, frame);
  if (f != NULL) s->ahead[retention_class] = NULL;
  kopd_file_header header = {.retention_class = retention_class,
                             .number = f != NULL ? f->number : s->next_file++,
                             .previous = s->last_number[retention_class],
                             .previous_end = s->last_end[retention_class]};
  uint64_t capacity = s->config.file_bytes;
  if (capacity < KOPD_FILE_HEADER + frame) capacity = KOPD_FILE_HEADER + frame;
  pthread_mutex_unlock(&s->lock);
  header.created_ms = kopd_wall_ms(s);
  int rc = 0;
  if (f == NULL) {
    rc = kopd_file_create(s, &header, capacity, &f);
  } else {
    rc = kopd_file_enter(s, f, &header);
    if (rc != 0) kopd_file_discard(s, f);
  }
  kopd_lock(s);
  if (rc != 0) return rc;
  kopd_file_add_locked(s, f);
  s->active[retention_class] = f;
  s->last_number[retention_class] = f->number;
  s->last_end[retention_class] = f->committed;
  return 0;
}

/* The part of the group that the next frame of the class goes to. MAX_PARTS: the group is full. -1: no file could be made. */
static int part_for_locked(kopd_store *s, uint32_t retention_class, uint64_t frame) {
  kopd_writer *w = s->writer;
  kopd_file *f = s->active[retention_class];
  int at = -1;
  for (uint32_t i = 0; i < w->parts_count; i++)
    if (w->parts[i].file == f) at = (int)i;
  if (f != NULL && f->written + frame > f->map_len) {
    if (at < 0) {
      file_is_full_locked(s, f);
    } else {
      w->parts[at].full = true;
    }
    f = NULL;
    at = -1;
  }
  if (at >= 0) return at;
  if (w->parts_count == MAX_PARTS) return MAX_PARTS;
  if (f == NULL) {
    if (!w->may_begin && ahead_locked(s, retention_class, frame) == NULL) return MAX_PARTS;
    /* A successor's header says where this file ends, so it begins when this one's part is written. */
    for (uint32_t i = 0; i < w->parts_count; i++)
      if (w->parts[i].file->retention_class == retention_class) return MAX_PARTS;
    int rc = file_begin_locked(s, retention_class, frame);
    if (rc != 0) {
      w->create_rc = rc;
      return -1;
    }
    f = s->active[retention_class];
  }
  w->parts[w->parts_count] = (part){.file = f, .at = f->written};
  return (int)w->parts_count++;
}

static void append_fail_locked(kopd_partition *p, kopd_op *op, int32_t outcome) {
  p->refused = ((const kop_append *)op->body)->epoch;
  op->error = outcome == KOP_REJECTED ? KAFKA_STORAGE_ERROR : 0;
  kopd_op_done_locked(op, outcome, NULL, 0);
}

/* Answers an append that the partition's state forbids; false if it may go on. */
static bool refuse_locked(const kopd_partition *p, kopd_op *op) {
  const kop_append *append = op->body;
  if (p->topic->gone) {
    kopd_op_reject_locked(op, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
  } else if (append->epoch != p->epoch || !p->held || p->holder != op->client->node) {
    kopd_op_done_locked(op, KOP_FENCED, NULL, 0);
  } else if (append->epoch == p->refused) {
    kopd_op_reject_locked(op, KAFKA_STORAGE_ERROR);
  } else {
    return false;
  }
  return true;
}

/* Puts the operation into the group. False: the group is full, the operation has to wait for the next one. */
static bool place_locked(kopd_store *s, kopd_op *op) {
  kopd_writer *w = s->writer;
  kopd_partition *p = op->partition;
  if (op->kind == KOP_EFFECT_ACQUIRE) {
    p->epoch = op->epoch;
    p->held = true;
    p->holder = op->client->node;
  } else {
    if (refuse_locked(p, op)) return true;
    const kop_append *append = op->body;
    uint64_t frame = KOPD_FRAME_HEADER + append->bytes;
    int at = part_for_locked(s, p->topic->retention_class, frame);
    if (at == MAX_PARTS) return false;
    /* The lock may have been let go: look again. */
    if (refuse_locked(p, op)) return true;
    kopd_file *f = at < 0 ? NULL : w->parts[at].file;
    op->run = f == NULL ? NULL : kopd_run_reserve_locked(s, p, f);
    if (op->run == NULL) {
      if (f == NULL) s->stats.errors_total++;
      append_fail_locked(p, op, KOP_REJECTED);
      return true;
    }
    op->part = (uint32_t)at;
    op->base_offset = p->reserved;
    op->position = f->written + KOPD_FRAME_HEADER;
    op->settled = s->config.durability == KOPD_DURABILITY_DISK ? f->committed : 0;
    p->reserved += append->count;
    f->written += frame;
    w->bytes += append->bytes;
  }
  w->ops[w->ops_count++] = op;
  return true;
}

/*
 * The appends of a group belong to as many partitions, and what is known of those has left the caches since the last
 * commit. So a few steps ahead of the one that is worked on, what it needs is fetched, one link of the chain
 * op -> partition -> runs -> run -> entries a step.
 */
enum { STEP = 3 };

typedef struct look_ahead {
  const kopd_op *at[3];
} look_ahead;

static const kopd_op *skip(const kopd_op *op) {
  for (int i = 0; op != NULL && i < STEP; i++)
    op = op->next;
  return op;
}

static void look_ahead_begin(look_ahead *l, const kopd_op *first) {
  l->at[2] = skip(first);
  l->at[1] = skip(l->at[2]);
  l->at[0] = skip(l->at[1]);
}

static void look_ahead_step(look_ahead *l) {
  if (l->at[0] != NULL) __builtin_prefetch(l->at[0]->partition, 1);
  if (l->at[1] != NULL) {
    const kopd_partition *p = l->at[1]->partition;
    if (p->runs_count > 0) __builtin_prefetch(&p->runs[p->runs_count - 1]);
  }
  if (l->at[2] != NULL) {
    const kopd_partition *p = l->at[2]->partition;
    if (p->runs_count > 0) __builtin_prefetch(p->runs[p->runs_count - 1], 1);
  }
  for (int i = 0; i < 3; i++)
    if (l->at[i] != NULL) l->at[i] = l->at[i]->next;
}

static void take_group_locked(kopd_store *s) {
  kopd_writer *w = s->writer;
  look_ahead ahead;
  look_ahead_begin(&ahead, s->appends.first);
  w->ops_count = 0;
  w->parts_count = 0;
  w->bytes = 0;
  w->create_rc = 0;
  while (s->appends.first != NULL && w->ops_count < KOPD_GROUP_OPS && w->bytes < KOPD_GROUP_BYTES) {
    look_ahead_step(&ahead);
    kopd_op *op = kopd_queue_pop(&s->appends);
    uint64_t bytes = op->kind == KOP_EFFECT_APPEND ? ((const kop_append *)op->body)->bytes : 0;
    s->append_bytes -= bytes;
    if (place_locked(s, op)) continue;
    s->append_bytes += bytes;
    op->next = s->appends.first;
    s->appends.first = op;
    if (s->appends.last == NULL) s->appends.last = op;
    s->appends.len++;
    break;
  }
}

/* ---- 2. write ---- */

static int iov_room(kopd_writer *w, size_t need) {
  if (need <= w->iov_cap) return 0;
  size_t cap = w->iov_cap == 0 ? 1024 : w->iov_cap;
  while (cap < need)
    cap *= 2;
  struct iovec *more = realloc(w->iov, cap * sizeof *more);
  if (more == NULL) return -ENOMEM;
  w->iov = more;
  w->iov_cap = cap;
  return 0;
}

/* Gathers headers and batches of one part. A count, or -errno. */
static ssize_t gather(kopd_writer *w, uint32_t at) {
  size_t n = 0;
  for (uint32_t i = 0; i < w->ops_count; i++) {
    const kopd_op *op = w->ops[i];
    if (op->kind != KOP_EFFECT_APPEND || op->part != at) continue;
    const kop_append *append = op->body;
    kopd_frame frame = {.length = (uint32_t)append->bytes,
                        .count = append->count,
                        .epoch = append->epoch,
                        .partition = op->target,
                        .base_offset = op->base_offset,
                        .max_timestamp = append->max_timestamp,
                        .settled = op->settled};
    if (iov_room(w, n + 1 + append->slices_count) != 0) return -ENOMEM;
    kopd_frame_write(w->headers[i], &frame, append->crc32c);
    w->iov[n++] = (struct iovec){w->headers[i], KOPD_FRAME_HEADER};
    for (uint32_t j = 0; j < append->slices_count; j++)
      w->iov[n++] = (struct iovec){(void *)(uintptr_t)append->slices[j].ptr, append->slices[j].len};
  }
  return (ssize_t)n;
}

/*
 * Sets disk space aside for what is about to be written and for about as much again, so that a file system allocates in large
 * pieces instead of block by block inside each write: ext4 then needs a quarter less time for it. Whether that works
 * does not matter; sealing, or a clean end, gives back what was not used.
 */
static void reserve(const kopd_store *s, kopd_file *f) {
  if (f->written <= f->reserved) return;
  uint64_t more = f->written < RESERVE_LEAST ? RESERVE_LEAST : f->written;
  if (more > RESERVE_MOST) more = RESERVE_MOST;
  uint64_t from = f->reserved, to = f->written + more < f->map_len ? f->written + more : f->map_len;
  f->reserved = to;
  (void)s->io->reserve(s->io->user_data, f->fd, (off_t)from, (off_t)(to - from));
}

/* Undoes what a failed write may have left. True if it is certain that nothing is left. */
static bool take_back(const kopd_store *s, const part *p) {
  const kopd_io *io = s->io;
  p->file->reserved = p->at; /* cutting gives back what is behind */
  if (io->ftruncate(io->user_data, p->file->fd, (off_t)p->at) != 0) return false;
  return io->fdatasync(io->user_data, p->file->fd) == 0;
}

static void write_part(kopd_store *s, uint32_t at) {
  const kopd_io *io = s->io;
  part *p = &s->writer->parts[at];
  ssize_t n = gather(s->writer, at);
  int rc = n < 0 ? (int)n : 0;
  bool touched = false, unsynced = false;
  uint64_t size = 0;
  int linked = 0;
  if (rc == 0) rc = io->stat(io->user_data, p->file->fd, &size, &linked);
  if (rc == 0 && size < p->at) { /* somebody has cut it: a write would leave a hole before itself */
    kopd_log(
        s, KOP_LOG_ERROR,
        "store: somebody has cut %s/%016llx.log to %llu bytes while it is written; it had %llu",
        s->log_path, (unsigned long long)p->file->number, (unsigned long long)size,
        (unsigned long long)p->at);
    rc = -EIO;
    p->abandon = true;
  }
  if (rc == 0) {
    touched = true;
    reserve(s, p->file);
    rc = kopd_write_all(io, p->file->fd, s->writer->iov, (size_t)n, p->at);
  }
  if (rc == 0 && s->config.durability == KOPD_DURABILITY_DISK) {
    rc = io->fdatasync(io->user_data, p->file->fd);
    unsynced = rc != 0;
  }
  if (rc == 0) {
    rc = io->stat(io->user_data, p->file->fd, &size, &linked);
    if (rc == 0 && !linked) rc = -ENOENT;
    if (rc == -ENOENT) unsynced = true; /* its name is gone: nothing more is written to it */
  }
  p->rc = rc;
  p->outcome = rc == 0 ? KOP_DONE : KOP_REJECTED;
  if (rc == 0 || !touched) return;
  bool certain = take_back(s, p);
  if (!certain) p->outcome = KOP_UNKNOWN;
  p->abandon = unsynced || !certain;
}

static void write_group(kopd_store *s) {
  kopd_writer *w = s->writer;
  for (uint32_t i = 0; i < w->parts_count; i++) {
    write_part(s, i);
    if (w->parts[i].rc == 0) continue;
    /* What comes later in the group is not begun: a partition's offsets must have no gap. */
    for (uint32_t j = i + 1; j < w->parts_count; j++) {
      w->parts[j].rc = w->parts[i].rc;
      w->parts[j].outcome = KOP_REJECTED;
    }
    return;
  }
}

/* ---- 3. publish ---- */

bool kopd_ahead_is_due_locked(const kopd_store *s, uint32_t retention_class) {
  const kopd_file *f = s->active[retention_class], *ahead = s->ahead[retention_class];
  if (s->db == NULL || f == NULL || f->committed < f->map_len / 2) return false;
  return ahead == NULL || ahead->previous != f->number;
}

static void want_ahead_locked(kopd_store *s, uint32_t retention_class) {
  uint32_t bit = 1u << retention_class;
  if ((s->ahead_wanted & bit) != 0 || !kopd_ahead_is_due_locked(s, retention_class)) return;
  s->ahead_wanted |= bit;
  pthread_cond_signal(&s->janitor_wakes);
}

static void settle_part_locked(kopd_store *s, part *p) {
  kopd_file *f = p->file;
  if (p->rc == 0) {
    f->committed = f->size = f->written;
    if (s->last_number[f->retention_class] == f->number)
      s->last_end[f->retention_class] = f->committed;
  } else {
    f->written = f->committed;
    if (p->abandon) {
      f->state = KOPD_FILE_ABANDONED;
      f->trusted = false;
      f->unsettled = p->outcome == KOP_UNKNOWN;
      /* Its successor's header is a witness, and durable before anything else happens: one made ahead will not do. */
      if (s->ahead[f->retention_class] != NULL) s->ahead[f->retention_class]->previous = UINT64_MAX;
      s->active[f->retention_class] = NULL;
    }
  }
  if (p->full && f->state == KOPD_FILE_ACTIVE) file_is_full_locked(s, f);
  want_ahead_locked(s, f->retention_class);
}

static void publish_append_locked(kopd_store *s, kopd_op *op) {
  const kop_append *append = op->body;
  const part *in = &s->writer->parts[op->part];
  kopd_partition *p = op->partition;
  if (p->topic->gone) { /* deleted meanwhile, and its runs with it */
    kopd_op_reject_locked(op, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    return;
  }
  if (in->rc != 0) {
    kopd_run_cancel_locked(op->run);
    p->reserved = p->end;
    append_fail_locked(p, op, in->outcome);
    return;
  }
  kopd_frame frame = {.length = (uint32_t)append->bytes,
                      .count = append->count,
                      .epoch = append->epoch,
                      .base_offset = op->base_offset,
                      .max_timestamp = append->max_timestamp};
  kopd_run_publish_locked(op->run, &frame, op->position);
  s->stats.appends_total++;
  s->stats.append_bytes_total += append->bytes;
  op->results.appended =
      (kop_appended){.size = sizeof op->results.appended, .base_offset = op->base_offset};
  kopd_op_done_locked(op, KOP_DONE, &op->results.appended, sizeof op->results.appended);
}

static void publish_acquire_locked(kopd_store *s, kopd_op *op) {
  kopd_partition *p = op->partition;
  if (p->topic->gone) {
    kopd_op_reject_locked(op, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    return;
  }
  op->results.acquired = (kop_acquired){.size = sizeof op->results.acquired,
                                        .epoch = op->epoch,
                                        .log_start = p->log_start,
                                        .end_offset = p->end,
                                        .lease_mono_ns = UINT64_MAX,
                                        .log_bytes = p->bytes};
  for (uint32_t i = 0; i < s->config.nodes_count; i++)
    if (s->clients[i] != NULL && s->clients[i] != op->client)
      kopd_notify_locked(s->clients[i], KOP_EVENT_LEADER, p->topic, p);
  kopd_op_done_locked(op, KOP_DONE, &op->results.acquired, sizeof op->results.acquired);
}

/* The first failed part of the group or the file that could not be made, 0 if all went well. */
static int group_rc(const kopd_writer *w) {
  for (uint32_t i = 0; i < w->parts_count; i++)
    if (w->parts[i].rc != 0) return w->parts[i].rc;
  return w->create_rc;
}

/* One line when writing begins to fail, one when it works again. */
static void tell_health_locked(kopd_store *s) {
  int rc = group_rc(s->writer);
  if (rc != 0 && s->stats.healthy) {
    s->stats.healthy = 0;
    kopd_log(s, KOP_LOG_ERROR, "store: appends to %s fail: %s", s->path, strerror(-rc));
  } else if (rc == 0 && !s->stats.healthy && s->writer->parts_count > 0) {
    s->stats.healthy = 1;
    kopd_log(s, KOP_LOG_INFO, "store: appends to %s succeed again", s->path);
  }
}

static void prefetch_entry(const kopd_op *op) {
  if (op->run != NULL && !op->topic->gone) __builtin_prefetch(op->run->entries + op->run->count, 1);
}

static void publish_group_locked(kopd_store *s) {
  kopd_writer *w = s->writer;
  for (uint32_t i = 0; i < w->parts_count; i++)
    settle_part_locked(s, &w->parts[i]);
  for (uint32_t i = 0; i < w->ops_count; i++) {
    if (i + 2 * STEP < w->ops_count) __builtin_prefetch(w->ops[i + 2 * STEP]->run, 1);
    if (i + STEP < w->ops_count) prefetch_entry(w->ops[i + STEP]);
    if (w->ops[i]->kind == KOP_EFFECT_ACQUIRE) {
      publish_acquire_locked(s, w->ops[i]);
    } else {
      publish_append_locked(s, w->ops[i]);
    }
  }
  if (w->parts_count > 0) s->stats.commits_total++;
  if (group_rc(w) != 0) s->stats.errors_total++;
  tell_health_locked(s);
}

/* Begins new files where the janitor asked for it, because most of the present one is dead. */
static void roll_locked(kopd_store *s) {
  for (uint32_t i = 0; i < KOPD_CLASSES; i++)
    if ((s->roll >> i & 1) != 0 && s->active[i] != NULL) file_is_full_locked(s, s->active[i]);
  s->roll = 0;
  pthread_cond_broadcast(&s->janitor_wakes);
}

/* The file that follows begins with the next group. */
static bool filled_a_file(const kopd_writer *w) {
  for (uint32_t i = 0; i < w->parts_count; i++)
    if (w->parts[i].full) return true;
  return false;
}

/* How often this thread has gone to sleep: a write that was merely kept from running has not met a slow disk. */
static long sleeps(void) {
  struct rusage usage;
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nvcsw : 0;
}

static void pace_learn(pace *p, uint64_t now, uint64_t took, bool slept, uint64_t bytes) {
  if (!slept || took <= SLOW_WRITE_NS) {
    p->calm += bytes;
    return;
  }
  bool again = p->slow_ns != 0 && now - p->slow_ns < SLOW_AGAIN_NS;
  p->wanted = again && p->wanted < CALM_MOST ? 2 * p->wanted : again ? CALM_MOST : CALM_LEAST;
  p->slow_ns = now;
  p->calm = 0;
}

static bool pace_is_fast(const pace *p, uint64_t now) {
  return p->calm >= p->wanted || now - p->slow_ns >= SLOW_AGAIN_NS;
}

/* Commits one group, for `caller`, or in the writer's own thread if that is NULL. */
static void commit_locked(kopd_store *s, kopd_store_client *caller) {
  kopd_writer *w = s->writer;
  s->committing = true;
  w->may_begin = caller == NULL;
  take_group_locked(s);
  if (w->parts_count > 0) {
    pthread_mutex_unlock(&s->lock);
    uint64_t began = kopd_mono_ns();
    long slept = sleeps();
    write_group(s);
    uint64_t ended = kopd_mono_ns();
    pace_learn(&w->pace, ended, ended - began, sleeps() > slept, w->bytes);
    kopd_lock(s);
  }
  if (caller != NULL) caller->submitting = true; /* it takes the answers next */
  s->publishing = true;
  publish_group_locked(s);
  s->publishing = false;
  if (caller != NULL) caller->submitting = false;
  for (uint32_t i = 0; i < s->config.nodes_count; i++) {
    kopd_store_client *c = s->clients[i];
    if (c == NULL || !c->wake_due) continue;
    c->wake_due = false;
    kopd_client_wake_locked(c);
  }
  s->committing = false;
  if (s->sealing_wanted && !filled_a_file(w)) pthread_cond_signal(&s->janitor_wakes);
}

/* Whether what waits can be committed by a node thread. After a failed write it is not: the next may have to be taken back, with a sync. */
static bool caller_may_commit_locked(const kopd_store *s) {
  if (s->config.durability != KOPD_DURABILITY_OS || !s->stats.healthy) return false;
  if (s->append_bytes > KOPD_CALLER_BYTES) return false;
  return pace_is_fast(&s->writer->pace, kopd_mono_ns());
}

bool kopd_writer_is_due_locked(kopd_store *s) {
  if (!s->writer_waits || (s->appends.first == NULL && s->roll == 0)) return false;
  s->writer_waits = false;
  return true;
}

bool kopd_appends_begin_locked(kopd_store *s, kopd_store_client *client) {
  if (s->appends.first == NULL || s->committing) return false; /* whoever commits looks again */
  if (caller_may_commit_locked(s)) {
    commit_locked(s, client);
    if (filled_a_file(s->writer) && s->appends.first != NULL && caller_may_commit_locked(s))
      commit_locked(s, client);
  }
  return kopd_writer_is_due_locked(s);
}

void kopd_appends_push_locked(kopd_store *s, kopd_op *op, kopd_partition *p) {
  op->partition = p;
  op->topic = p->topic;
  op->topic->refs++;
  kopd_queue_push(&s->appends, op);
}

void *kopd_writer_main(void *store) {
  kopd_store *s = store;
  pthread_mutex_lock(&s->lock);
  for (;;) {
    while (s->committing || (s->appends.first == NULL && s->roll == 0 && !s->stopping)) {
      s->writer_waits = true;
      pthread_cond_wait(&s->writer_wakes, &s->lock);
      s->writer_waits = false;
    }
    if (s->roll != 0) roll_locked(s);
    if (s->appends.first != NULL) {
      commit_locked(s, NULL);
    } else if (s->stopping) {
      break;
    }
  }
  pthread_mutex_unlock(&s->lock);
  return NULL;
}
