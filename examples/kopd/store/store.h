/*
 * The stores that ship with kopd: `memory:` and `file:PATH`, behind the contract of kop/effect.h.
 *
 * One store serves the N nodes of the process. Each node thread attaches a client, hands it the engine's effects and
 * takes answers and events back; the work is done by the store's own threads (one writer, one for the catalogue,
 * one for cold reads, one that cleans up).
 *
 *     node thread                                    store threads
 *     kopd_store_submit(client, effect)  ----->      append, acquire, create, ...
 *                                        <-----      wake(user_data): there is something to take
 *     kopd_store_poll(client, items)  -> kop_engine_complete
 *     kopd_store_poll_events(client, events) -> kop_engine_push
 *
 * A turn of a node's loop polls events until none is left, pushes them into its engine, polls completions until none is
 * left, completes them, drains the engine and submits; and again, until nothing moves. Events come first: a completion
 * may speak of a topic that an event announces. Appends gather until the poll behind them begins them all, in one commit.
 *
 * Calls on one client come from one thread at a time; clients are independent of each other. No call waits for a sync or a
 * read of a disk. A poll may write to the page cache (writer.c).
 */
#ifndef KOPD_STORE_STORE_H
#define KOPD_STORE_STORE_H

#include <kop/base.h>
#include <kop/effect.h>
#include <kop/event.h>

typedef struct kopd_store kopd_store;
typedef struct kopd_store_client kopd_store_client;

/* What an acknowledged append has reached. */
enum {
  KOPD_DURABILITY_DISK = 1, /* the disk: fdatasync before the answer */
  KOPD_DURABILITY_OS = 2    /* the page cache: a power cut costs a tail, a crash of kopd nothing */
};

enum { KOPD_STORE_MAX_NODES = 64 };

/* The table of file calls; kopd_io_system when config.io is NULL. See io.h. */
struct kopd_io;

/* How a store is opened. Start from kopd_store_config_init. Nothing is kept but what the functions' user data point to. */
typedef struct kopd_store_config {
  const char *spec;        /* "memory:" or "file:PATH"; the folder is made if it is not there */
  int32_t durability;      /* KOPD_DURABILITY_; default DISK. memory: ignores it */
  uint32_t nodes_count;    /* nodes of this process, 1 to KOPD_STORE_MAX_NODES */
  const int32_t *node_ids; /* their Kafka node ids, all different */
  uint32_t max_partitions; /* of all topics; a store that holds more is not opened. UINT32_MAX */

  int64_t retention_ms;    /* log.retention.ms: default of retention.ms; -1: for ever. 7 days */
  int64_t retention_bytes; /* log.retention.bytes: default of retention.bytes; -1: no bound. -1 */
  uint64_t file_bytes;     /* a log file is sealed at this size. 128 MiB; memory: 16 MiB */
  uint64_t
      retention_check_ms; /* log.retention.check.interval.ms; 0: only kopd_store_clean. 5 minutes */
  uint64_t pin_ms;        /* how long lent bytes keep a dead file's disk space. 60 s */

  void (*log)(void *user_data, int32_t level, const char *text); /* from any thread; may be NULL */
  void *log_data;
  int64_t (*wall_ms)(void *user_data); /* retention's clock, from any thread; NULL: the system's */
  void *wall_data;
  const struct kopd_io *io; /* NULL: the system's */
} kopd_store_config;

/* Fills in the defaults: one node with id 1, "memory:". */
void kopd_store_config_init(kopd_store_config *config);

/*
 * Opens a store: locks the folder against a second process, recovers, starts the threads. 0, or -1 with one
 * plain sentence in `error`.
 */
int kopd_store_open(const kopd_store_config *config, kopd_store **out, char *error,
                    size_t error_capacity);

/* Ends the threads, syncs, unlocks. All clients must be detached. NULL is fine. */
void kopd_store_close(kopd_store *store);

/* What kop_engine_config wants to know. All text lives as long as the store. */
uint64_t kopd_store_effects(const kopd_store *store);      /* bits of the kinds it serves */
uint64_t kopd_store_capabilities(const kopd_store *store); /* KOP_STORE_ bits */
kop_slice kopd_store_cluster_id(const kopd_store *store); /* 22 characters, kept in the catalogue */
kop_slice kopd_store_log_dir(const kopd_store *store);    /* absolute path, or "memory:" */

/*
 * A node begins: `index` is its place in config.node_ids. It is told of every topic by events. `wake` is
 * called from store threads (and from submit of this or another client) whenever there may be something to poll; it must not call back into
 * the store. At open all nodes count as live, so that partitions lie where they will stay. NULL: no memory, or the
 * node is attached already.
 */
kopd_store_client *kopd_store_attach(kopd_store *store, uint32_t index,
                                     void (*wake)(void *user_data), void *user_data);

/*
 * A node ends: its engine has been shut down, no token is open, everything lent has been released. Its partitions move to the nodes
 * that remain, which learn it by events; when it is attached again they come back.
 */
void kopd_store_detach(kopd_store_client *client);

/*
 * Takes one effect of a kind in kopd_store_effects. The body and what it points to must stay valid until the token's
 * completion was polled (the engine's own rule). Never fails: what cannot be done is answered. Bytes of an append are
 * not copied but written from where they lie, and may wait for the next poll of this client, which begins them.
 */
void kopd_store_submit(kopd_store_client *client, const kop_effect *effect);

/*
 * Begins the appends submitted before, and takes up to `capacity` completions for kop_engine_complete. Bodies are valid until the next poll of this client, lent bytes
 * until their RELEASE. What could be answered at once (reads from memory, look-ups, small appends that need no sync) is
 * there without a wake.
 */
size_t kopd_store_poll(kopd_store_client *client, kop_completion *items, size_t capacity);

/*
 * Takes up to `capacity` events for kop_engine_push, in order: TOPIC (new or changed, whole), TOPIC_GONE, LEADER, LOG and VOLUME.
 * Bodies are valid until the next call. Each call acknowledges that the events of the call before are in the
 * engine: CREATE_TOPIC and its like are answered when every attached client has acknowledged, and a partition that
 * moves is granted anew only when the node that led it has acknowledged.
 */
size_t kopd_store_poll_events(kopd_store_client *client, kop_event *events, size_t capacity);

/* One round of retention and cleaning, done when it returns. For tests and benches; kopd leaves it to the timer. */
void kopd_store_clean(kopd_store *store);

/* Counters and gauges, for the metrics page. */
typedef struct kopd_store_stats {
  uint64_t appends_total;       /* batches appended */
  uint64_t append_bytes_total;  /* their bytes */
  uint64_t commits_total;       /* group commits: one sync each on a durable store */
  uint64_t reads_total;         /* READs answered */
  uint64_t reads_cold_total;    /* of them by the reader thread */
  uint64_t read_bytes_total;    /* bytes given or lent */
  uint64_t errors_total;        /* commits and reads that failed */
  uint64_t files;               /* log files */
  uint64_t file_bytes;          /* their size */
  uint64_t live_bytes;          /* of it what partitions still hold */
  uint64_t files_dropped_total; /* files unlinked by retention, deletion and cleaning */
  uint64_t cleaned_bytes_total; /* bytes the cleaner copied */
  uint64_t pinned_files;        /* unlinked files that lent bytes keep mapped */
  uint64_t topics;
  uint64_t partitions;
  int32_t healthy; /* 0 after a failed write until one succeeds */
} kopd_store_stats;

void kopd_store_stats_get(kopd_store *store, kopd_store_stats *stats);

#endif
