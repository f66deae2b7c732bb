/*
 * What the stores know, in memory, and who may touch it.
 *
 * One mutex, `kopd_store.lock`, guards everything reachable from a kopd_store that is not said to be constant. It is held for
 * microseconds and never across a file call: threads take work under it, do the work without it, and publish
 * the outcome under it. What goes through many partitions or runs in the background breathes between them
 * (kopd_breathe_locked), and node threads take it by kopd_lock. Functions whose name ends in `_locked` are called with it held.
 *
 *   writer thread    appends and ACQUIREs, in order of submission (writer.c); small groups without sync are
 *                    committed by a node thread instead, one thread at a time (`committing`)
 *   keeper thread    the catalogue: topics, epochs, log starts, saved state, producer ids (keeper.c)
 *   reader thread    reads that may wait for a disk (reader.c)
 *   janitor thread   seals full files, retention, the cleaner, unlinking (janitor.c)
 *
 *   topic --> partition --> run --> file          a run: the batches of one partition in one file, by offset
 *                            |
 *                            +--> entries          in the heap while the file is written, in its footer once it is sealed
 *
 * `memory:` is the same store on files without names (kopd_io_memory) and without the catalogue's database.
 */
#ifndef KOPD_STORE_STATE_H
#define KOPD_STORE_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "store/frame.h"
#include "store/io.h"
#include "store/map.h"
#include "store/store.h"

/* Kafka's error codes that a store answers. */
enum {
  KAFKA_OFFSET_OUT_OF_RANGE = 1,
  KAFKA_UNKNOWN_TOPIC_OR_PARTITION = 3,
  KAFKA_NOT_LEADER_OR_FOLLOWER = 6,
  KAFKA_TOPIC_ALREADY_EXISTS = 36,
  KAFKA_INVALID_PARTITIONS = 37,
  KAFKA_POLICY_VIOLATION = 44,
  KAFKA_STORAGE_ERROR = 56
};

enum {
  KOPD_CLASSES = 5,         /* of retention: what is kept about equally long shares files */
  KOPD_READ_FILES = 8,      /* files one READ spans at most */
  KOPD_READ_BATCHES = 8192, /* batches one READ gives at most */
  KOPD_GROUP_OPS = 4096,    /* appends one commit takes at most */
  KOPD_PATH = 4096,         /* longest path of a file, with its end */
  KOPD_BLOCK_LEAST = 4,     /* entries in the smallest block that is kept for use */
  KOPD_BLOCK_SIZES = 9,     /* sizes of such blocks, each twice the one before */
  KOPD_REFUSED = 64         /* tokens a client can refuse for want of memory between two polls */
};

#define KOPD_GROUP_BYTES (UINT64_C(32) << 20) /* and their bytes */
#define KOPD_CALLER_BYTES                                                                          \
  (UINT64_C(256) << 10) /* bytes that a node thread commits itself at most */

typedef struct kopd_topic kopd_topic;
typedef struct kopd_partition kopd_partition;
typedef struct kopd_file kopd_file;
typedef struct kopd_run kopd_run;
typedef struct kopd_op kopd_op;
typedef struct kopd_db kopd_db;

/* The batches of one partition in one file. */
struct kopd_run {
  kopd_file *file;
  kopd_partition *partition;
  uint32_t at;       /* its place in file->runs */
  uint32_t first;    /* entries before this one lie below the log start */
  uint32_t count;    /* entries */
  uint32_t cap;      /* room in the heap; 0: the entries lie in the file's footer */
  uint32_t pending;  /* batches that the writer's group will add */
  bool gone;         /* taken away while the janitor works on its file: it waits in file->limbo */
  bool checked;      /* the footer's entries were compared with their checksum */
  uint32_t checksum; /* what the footer's table says it is */
  kopd_run *limbo;   /* next of those that are gone */
  kopd_entry *entries;
  int64_t base;          /* of the first entry */
  int64_t end;           /* one past the last offset */
  int64_t max_timestamp; /* of the entries from `first` on */
  uint64_t bytes;        /* of their batches */
};

typedef enum kopd_file_state {
  KOPD_FILE_ACTIVE,    /* the writer appends to it */
  KOPD_FILE_FULL,      /* it waits for its footer */
  KOPD_FILE_SEALED,    /* it never changes again */
  KOPD_FILE_ABANDONED, /* a write failed and could not be taken back: readable, never sealed */
  KOPD_FILE_DROPPED    /* unlinked; lent bytes keep it mapped */
} kopd_file_state;

struct kopd_file {
  kopd_file *next;
  uint64_t number;          /* constant */
  uint32_t retention_class; /* constant */
  kopd_file_state state;
  bool trusted; /* its frames were written or checked by this process */
  bool damaged; /* a bad frame was found in it: it was said, and the cleaner leaves it alone */
  bool cut;     /* part of it is gone while it is in use */
  bool busy;    /* the janitor works on it */
  bool
      unsettled; /* frames that do not count may lie behind `committed`: only its successor's header says so */
  uint64_t previous; /* constant: number of the file before it in its class */
  int fd;            /* -1 once sealed */
  uint8_t *map;      /* constant */
  size_t map_len;
  void *footer; /* a mapping of its own if the footer was written by this process */
  size_t footer_len;
  uint64_t written;           /* the writer's: where the next frame goes */
  uint64_t reserved;          /* the writer's: up to here the disk has set space aside */
  uint64_t committed;         /* bytes of header and frames that count */
  uint64_t size;              /* bytes on disk */
  uint64_t live;              /* frame bytes that some partition still holds */
  uint64_t resident[4];       /* a bit per MiB: bytes of it were found in memory ... */
  uint64_t resident_until_ns; /* ... for which this is the end: monotonic */
  uint32_t pins;              /* reads that hold bytes of it */
  uint64_t dropped_ns;        /* when it was unlinked, monotonic */
  bool detached; /* what was lent of it lies in memory of its own: the disk space is free */
  int64_t created_ms;
  kopd_run *limbo; /* runs taken away while `busy` */
  kopd_run **runs;
  uint32_t runs_count;
  uint32_t runs_cap;
};

struct kopd_partition {
  uint64_t id; /* constant; never used again */
  kopd_topic *topic;
  int32_t index;    /* constant: its place in the topic */
  int32_t assigned; /* constant: node id of a manual assignment, -1: none */
  uint32_t leader;  /* place of the leading node in config.node_ids */
  bool held;        /* ACQUIREd and not resigned */
  uint32_t holder;  /* by whom */
  int32_t epoch;    /* newest epoch in force, -1: none yet */
  int32_t promised; /* newest epoch that the catalogue may have stored; at least `epoch` */
  int32_t refused;  /* appends of this epoch are refused since one failed; -1: none */
  int64_t log_start;
  int64_t end;       /* log end offset, what is committed */
  int64_t known_end; /* constant: what the catalogue knew at the start, 0: nothing */
  int64_t reserved;  /* the writer's: end with the group in work */
  uint64_t bytes;    /* of its batches */
  kopd_run **runs;   /* by base offset */
  uint32_t runs_count;
  uint32_t runs_cap;
  uint64_t leader_queued;   /* bit per client: a LEADER event is in its queue */
  uint64_t log_queued;      /* the same for LOG */
  struct kopd_saved *saved; /* memory: the saved states */
};

/* A state that STATE_PUT saved, where there is no database: in memory. One block with its name and bytes. */
struct kopd_saved {
  struct kopd_saved *next;
  int64_t as_of;
  size_t name_len;
  size_t bytes_len;
  uint8_t data[];
};

/* A topic's own config. */
typedef struct kopd_setting {
  char *name;
  char *value;
} kopd_setting;

struct kopd_topic {
  kopd_topic *next; /* in order of creation */
  kopd_topic *previous;
  char *name;      /* constant */
  size_t name_len; /* constant */
  kop_uuid id;     /* constant */
  kopd_partition **partitions;
  uint32_t partitions_count;
  uint32_t settings_count;
  kopd_setting *settings;
  uint32_t retention_class;
  int64_t retention_ms;
  int64_t retention_bytes;
  bool gone;
  uint64_t queued; /* bit per client: an event about it is in its queue */
  uint32_t refs;   /* 1 while it exists, 1 per queue entry */
};

/* What an operation that all nodes must have seen waits for. */
typedef struct kopd_wait {
  uint64_t nodes;                      /* bit per client that has not acknowledged */
  uint64_t seen[KOPD_STORE_MAX_NODES]; /* the event count that each must have acknowledged */
} kopd_wait;

/* The result of an operation, where completions point to. */
typedef union kopd_results {
  kop_acquired acquired;
  kop_confirmed confirmed;
  kop_appended appended;
  kop_read_result read;
  kop_listed listed;
  kop_records_deleted deleted;
  kop_state_result state;
  kop_producer_ids ids;
} kopd_results;

/* One effect on its way through the store. */
struct kopd_op {
  kopd_op *next;
  kopd_store_client *client;
  uint32_t kind;
  uint32_t flags;
  uint64_t token;
  uint64_t target;
  const void *body;
  int32_t outcome;
  int16_t error;
  uint16_t completion_flags;
  uint32_t part;       /* APPEND: the part of the group that it is in */
  int64_t base_offset; /* APPEND: what the writer gave it; ACQUIRE: the log's end */
  uint64_t position;   /* APPEND: of the batch in its file */
  uint64_t settled;    /* APPEND: what its frame says of the file before it */
  kopd_partition
      *partition;       /* on the way to the writer: the target, alive as long as `topic` is held */
  kopd_run *run;        /* APPEND in a group: where its entry goes; gone if the topic is */
  int32_t epoch;        /* ACQUIRE: the one to be granted */
  int64_t blocked_base; /* reads: base of the run whose index must be checked first */
  bool unread;          /* READ: found, to be fetched and checked by the reader thread */
  bool hopeless;        /* reads: that index cannot be had */
  const void *result;   /* into `results`, or NULL */
  uint32_t result_size;
  uint32_t pins_count;
  kopd_file *pins[KOPD_READ_FILES];
  void *memory; /* arrays of a READ, bytes of a STATE_GET */
  size_t memory_cap;
  kopd_wait *wait;
  kopd_topic *topic; /* the topic it made, found or works on; counted */
  kopd_results results;
};

/* A list of operations, first in first out. */
typedef struct kopd_queue {
  kopd_op *first;
  kopd_op *last;
  size_t len;
} kopd_queue;

/* One place in a client's queue of events. */
typedef struct kopd_notice {
  uint32_t kind;     /* KOP_EVENT_ */
  kopd_topic *topic; /* counted; NULL for VOLUME */
  kopd_partition *partition;
} kopd_notice;

struct kopd_store_client {
  struct kopd_store *store;
  uint32_t node; /* its place in config.node_ids */
  void (*wake)(void *user_data);
  void *user_data;
  bool woken;        /* a wake was given and nothing was polled since */
  bool submitting;   /* its own thread is inside submit or publishes in poll: no wake is needed */
  bool wake_due;     /* to be woken when the group is published */
  kopd_queue done;   /* to be polled */
  kopd_queue polled; /* bodies of the last poll */
  kopd_queue spare;
  kopd_map lent;        /* reads whose bytes are out, by token */
  kopd_notice *notices; /* a ring */
  size_t notices_first;
  size_t notices_len;
  size_t notices_cap;
  uint64_t queued;                /* notices ever queued */
  uint64_t handed;                /* notices ever handed out */
  uint64_t acknowledged;          /* of them, known to be in the engine */
  uint64_t refused[KOPD_REFUSED]; /* tokens that there was no memory for: answered CANCELLED */
  size_t refused_len;
  bool resync;   /* a notice found no room: all topics are told again */
  void **bodies; /* of the last poll_events */
  size_t bodies_count;
  size_t bodies_cap;
};

/* Blocks of entries that wait to be used again (blocks.c); their first word links them. */
typedef struct kopd_blocks {
  void *first[KOPD_BLOCK_SIZES];
  uint64_t kept; /* bytes of them all */
  bool asked;    /* since kopd_blocks_rest */
} kopd_blocks;

typedef struct kopd_writer kopd_writer;

struct kopd_store {
  kopd_store_config config; /* constant; spec and node_ids are copies */
  const kopd_io *io;        /* constant */
  kopd_db *db;              /* constant; NULL in memory */
  char *path;               /* constant: absolute, or "memory:" */
  char *log_path;           /* constant: the folder of the log files */
  int lock_fd;
  char cluster_id[24];
  int32_t *node_ids;

  pthread_mutex_t lock;
  atomic_uint waiting; /* node threads that ask for the lock and do not have it */
  pthread_cond_t writer_wakes;
  pthread_cond_t keeper_wakes;
  pthread_cond_t reader_wakes;
  pthread_cond_t janitor_wakes;
  pthread_cond_t janitor_done;
  pthread_t writer_thread;
  pthread_t keeper_thread;
  pthread_t reader_thread;
  pthread_t janitor_thread;
  uint32_t threads; /* how many were started */
  bool stopping;
  bool writer_waits;
  bool
      committing; /* a thread works on a group: `writer`, and the files being written, are its own */
  bool publishing; /* and is at the last step: clients are woken at its end */

  kopd_queue appends;    /* for the writer */
  uint64_t append_bytes; /* of their batches */
  kopd_queue changes;    /* for the keeper */
  kopd_queue reads;      /* for the reader */
  kopd_queue held;       /* operations that wait for acknowledgements */
  kopd_writer *writer;
  kopd_blocks blocks;
  uint32_t roll; /* bit per class: the writer shall begin a new file */

  kopd_store_client *clients[KOPD_STORE_MAX_NODES];
  uint64_t live; /* bit per node that counts as live */

  kopd_topic *topics;
  kopd_topic *topics_last;
  kopd_map by_name;
  kopd_map by_id;
  kopd_map partitions;
  uint64_t next_partition;
  int64_t next_producer_id;

  kopd_file *files;   /* by number */
  kopd_file *dropped; /* unlinked and still pinned */
  kopd_file *trash;   /* no longer listed and not pinned: the janitor unmaps them */
  kopd_file *active[KOPD_CLASSES];
  kopd_file *ahead[KOPD_CLASSES]; /* made by the janitor to follow the active one; not listed yet */
  uint32_t ahead_wanted;          /* bit per class */
  uint64_t last_number[KOPD_CLASSES]; /* newest file of each class, for the next one's header */
  uint64_t last_end[KOPD_CLASSES];    /* and where its frames end */
  uint64_t next_file;                 /* number of the next file: larger than any that exists */
  bool sealing_wanted;
  bool dropping_wanted;   /* a topic or records were deleted: see what is dead */
  uint64_t cleans_wanted; /* rounds of retention and cleaning asked for */
  uint64_t cleans_done;
  bool catalogue_failed; /* the last change of the catalogue failed */
  uint64_t
      faults_seen; /* of kopd_guard_faults: files that were cut are looked for when there are more */
  int64_t volume_total; /* as last measured, -1: unknown */
  int64_t volume_usable;
  kopd_store_stats stats;
};

/* ---- store.c ---- */
void kopd_log(const kopd_store *s, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int64_t kopd_wall_ms(const kopd_store *s);
uint64_t kopd_mono_ns(void);
/*
 * Takes the lock for a node thread. Whoever holds it does so for microseconds, so asking again and again is shorter than
 * to be put to sleep and woken, which on busy cores takes up to two time slices.
 */
void kopd_lock(kopd_store *s);
/*
 * Called between two items of a long list with when the lock was taken (kopd_mono_ns): after some 10 us it lets the lock go, and if a
 * node thread waits for it, the processor too. Anything may have changed afterwards.
 */
void kopd_breathe_locked(kopd_store *s, uint64_t *since);

/* ---- op.c: operations and their way back ---- */
void kopd_queue_push(kopd_queue *q, kopd_op *op);
kopd_op *kopd_queue_pop(kopd_queue *q);
void kopd_op_done_locked(kopd_op *op, int32_t outcome, const void *result, uint32_t result_size);
void kopd_op_reject_locked(kopd_op *op, int16_t error);
void kopd_client_wake_locked(kopd_store_client *c);
/* Room for `size` bytes that live as long as the operation, or NULL. */
void *kopd_op_memory(kopd_op *op, size_t size);
/* Gives back what the operation holds (pins, topic) and makes it ready for use again. */
void kopd_op_clear_locked(kopd_op *op);

/* ---- events.c: what clients are told, and what waits for it ---- */
void kopd_notify_locked(kopd_store_client *c, uint32_t kind, kopd_topic *topic,
                        kopd_partition *partition);
void kopd_notify_all_locked(kopd_store *s, uint32_t kind, kopd_topic *topic,
                            kopd_partition *partition);
/* Lets `op` wait until the clients of `nodes` have acknowledged all that is queued, then completes it with DONE (or goes on, for ACQUIRE). */
void kopd_hold_locked(kopd_store *s, kopd_op *op, uint64_t nodes);
void kopd_held_check_locked(kopd_store *s);
void kopd_topic_unref(kopd_topic *t);

/* ---- catalogue.c: topics and who leads what ---- */
kopd_topic *kopd_topic_new(kop_slice name, const kop_uuid *id);
void kopd_topic_free(kopd_topic *t);
int kopd_topic_add_partition(kopd_topic *t, uint64_t id, int32_t assigned);
int kopd_topic_set(kopd_topic *t, kop_slice name, kop_slice value);
void kopd_settings_free(kopd_setting *settings, uint32_t count);
/* Reads from the settings what the store itself acts on. */
void kopd_topic_derive(const kopd_store *s, kopd_topic *t);
int kopd_topic_publish_locked(kopd_store *s, kopd_topic *t);
int kopd_partitions_publish_locked(kopd_store *s, kopd_topic *t, uint32_t from);
void kopd_topic_withdraw_locked(kopd_store *s, kopd_topic *t);
kopd_topic *kopd_topic_find_locked(const kopd_store *s, kop_slice name, const kop_uuid *id);
kopd_partition *kopd_partition_find_locked(const kopd_store *s, uint64_t id);
void kopd_assign_locked(const kopd_store *s, kopd_partition *p);
void kopd_reassign_locked(kopd_store *s);
void kopd_uuid_random(kop_uuid *id);

/* ---- keeper.c ---- */
enum { KOPD_VANISHED = 2 }; /* ENOENT: the folder is gone under an open file */
int kopd_keep(kopd_store *s, int (*stage)(kopd_db *db, void *txn, void *arg), void *arg);
void *kopd_keeper_main(void *store);

/* ---- blocks.c ---- */
/* Room for that many entries, or NULL. */
kopd_entry *kopd_block_take_locked(kopd_blocks *b, uint32_t cap);
/* Takes back what has room for that many. */
void kopd_block_give_locked(kopd_blocks *b, kopd_entry *entries, uint32_t cap);
void kopd_blocks_free(kopd_blocks *b);
/* Called by the janitor from time to time: what nobody has asked for since is given back to the system. */
void kopd_blocks_rest(kopd_store *s);

/* ---- index.c: runs ---- */
/* The run of `p` in `f`, with room for one more batch: to be filled by kopd_run_publish_locked or given back by kopd_run_cancel_locked. NULL for want of memory. */
kopd_run *kopd_run_reserve_locked(kopd_store *s, kopd_partition *p, kopd_file *f);
void kopd_run_publish_locked(kopd_run *run, const kopd_frame *frame, uint64_t position);
/* A run that holds nothing then goes. */
void kopd_run_cancel_locked(kopd_run *run);
/* Puts a run among those of its partition and file. -1 for want of memory. */
int kopd_run_insert_locked(kopd_run *run);
void kopd_run_remove_locked(kopd_run *run);
/* Gives a run another index, made anew from its frames; taken over. */
void kopd_run_replace_locked(kopd_run *run, kopd_entry *entries, uint32_t count, uint32_t cap);
/* First entry in [first, count) whose end is beyond `offset`; count if there is none. */
uint32_t kopd_entries_find(const kopd_entry *entries, uint32_t first, uint32_t count,
                           int64_t offset);
/* First entry in [first, count) whose max timestamp is at least `timestamp`; count if there is none. */
uint32_t kopd_entries_find_time(const kopd_entry *entries, uint32_t first, uint32_t count,
                                int64_t timestamp);
/* Place in p->runs of the first run whose end is beyond `offset`; runs_count if there is none. */
uint32_t kopd_runs_find_locked(const kopd_partition *p, int64_t offset);
/* Moves the log start: runs below it go, the one it falls into is counted anew. */
void kopd_trim_locked(kopd_partition *p, int64_t log_start);
/* The janitor is done with the file: the runs that were taken away meanwhile end. */
void kopd_limbo_free_locked(kopd_file *f);
/* Takes all runs of a deleted partition away. */
void kopd_partition_empty_locked(kopd_partition *p);
/* Whether a footer's entries agree with their checksum. */
bool kopd_entries_are_whole(const kopd_entry *entries, uint32_t count, uint32_t checksum);

/* ---- file.c ---- */
/* Writes all of it, in as many calls as it takes. 0 or -errno. `iov` is used up. */
int kopd_write_all(const kopd_io *io, int fd, struct iovec *iov, size_t count, uint64_t at);
void kopd_file_path(const kopd_store *s, uint64_t number, const char *suffix, char out[KOPD_PATH]);
/* A file object with nothing open. NULL for want of memory. */
kopd_file *kopd_file_new(uint64_t number, uint32_t retention_class);
/*
 * A new file, opened, headed, mapped and durable under its name; not yet among the store's. With previous_end 0 it is one made
 * ahead. 0 or -errno. Not locked.
 */
int kopd_file_create(kopd_store *s, const kopd_file_header *header, uint64_t capacity,
                     kopd_file **out);
/* Takes a file made ahead into use: gives it its real header. 0 or -errno. Not locked. */
int kopd_file_enter(kopd_store *s, kopd_file *f, const kopd_file_header *header);
/* Ends a file that is in no list, name and all. Not locked. NULL is fine. */
void kopd_file_discard(kopd_store *s, kopd_file *f);
void kopd_file_add_locked(kopd_store *s, kopd_file *f);
void kopd_file_unlist_locked(kopd_store *s, kopd_file *f);
/* Ends its life in memory: mappings, descriptor, arrays. Nobody may know it any more. */
void kopd_file_free(kopd_store *s, kopd_file *f);
/* Whether the file's header is needed to tell where the one before it ends: it may not go. */
bool kopd_file_is_witness_locked(const kopd_store *s, const kopd_file *f);
/* Looks which files were cut since it was asked last, says so once for each, and answers whether something was: what was just read of mappings may be zeros. */
bool kopd_files_were_cut_locked(kopd_store *s);
void kopd_pin_locked(kopd_file *f);
void kopd_unpin_locked(kopd_store *s, kopd_file *f);

/* One run on its way into a footer. */
typedef struct kopd_footer_run {
  kopd_run_row row; /* from kopd_row_from_run; the rest is filled in by kopd_footer_write */
  const kopd_entry *entries; /* row.count of them */
  kopd_run *run;             /* whose it is, for the caller */
  kopd_entry *heap;          /* sealing: its entries that the footer has replaced ... */
  uint32_t heap_cap;         /* and the room they have */
} kopd_footer_run;

/* Sorts the runs, writes footer and trailer at `frames_end` and syncs. 0 or -errno; `*size` receives the file's length. */
int kopd_footer_write(const kopd_io *io, int fd, uint64_t frames_end, kopd_footer_run *runs,
                      uint32_t runs_count, const uint64_t *replaced, uint32_t replaced_count,
                      uint64_t *size);
/* Partition, offsets and count of a run that is not empty. */
void kopd_row_from_run(const kopd_run *run, kopd_run_row *row);

/* ---- writer.c ---- */
int kopd_writer_new(kopd_store *s);
void kopd_writer_free(kopd_store *s);
void *kopd_writer_main(void *store);
/* Puts an APPEND or ACQUIRE among what the writer is to do. What it works on stays in memory, also if it is deleted meanwhile. */
void kopd_appends_push_locked(kopd_store *s, kopd_op *op, kopd_partition *p);
/*
 * Begins what a client has submitted: commits it here if that waits for no disk, else leaves it to the writer. The lock may be
 * let go meanwhile. True: signal writer_wakes, best without the lock.
 */
bool kopd_appends_begin_locked(kopd_store *s, kopd_store_client *client);
/* Whether the active file of a class is half full and the one to follow it is not made yet. */
bool kopd_ahead_is_due_locked(const kopd_store *s, uint32_t retention_class);
/* The writer has work and sleeps; said once: true obliges to signal it. */
bool kopd_writer_is_due_locked(kopd_store *s);

/* ---- reader.c ---- */
void *kopd_reader_main(void *store);
/* Answers at once if no disk needs to be waited for, else leaves it to the reader thread. */
void kopd_read_submit_locked(kopd_store *s, kopd_op *op);

/* ---- janitor.c ---- */
void *kopd_janitor_main(void *store);
/* ---- cleaner.c ---- */
void kopd_cleaner(kopd_store *s);

/* ---- ends.c ---- */
/* The file with these runs is sealed: the catalogue learns where they end. */
void kopd_ends_sealed(kopd_store *s, const kopd_footer_run *runs, uint32_t count);
/* The threads have ended: it learns the end of every log. */
void kopd_ends_at_stop(kopd_store *s);
/* At a start: compares what was found with what it knows, says what is lost, and goes on behind that. -1 with a sentence. */
int kopd_ends_compare(kopd_store *s, char *error, size_t cap);

/* ---- recover.c ---- */
int kopd_recover(kopd_store *s, char *error, size_t cap);
/* Entries of the whole frames of a partition with base offsets in [base, end), made from the file's frames. -1 for want of memory. */
int kopd_index_rebuild(const kopd_file *f, uint64_t partition, int64_t base, int64_t end,
                       kopd_entry **entries, uint32_t *count);

#endif
