/*
 * Opening, closing and attaching. state.h is the map of the rest.
 *
 *   PATH/lock            locked while a process has the store open
 *   PATH/catalogue.mdb   topics, epochs, log starts, saved state (db.h)
 *   PATH/log/N.log       the log files (frame.h)
 */
#include "store/db.h"

#include <kop/engine.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void kopd_log(const kopd_store *s, int32_t level, const char *format, ...) {
  if (s->config.log == NULL) return;
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  s->config.log(s->config.log_data, level, text);
}

int64_t kopd_wall_ms(const kopd_store *s) {
  if (s->config.wall_ms != NULL) return s->config.wall_ms(s->config.wall_data);
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

uint64_t kopd_mono_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* ---- the lock ---- */

#define ASK_NS  UINT64_C(30000) /* longer than anybody holds the lock who is not kept from running */
#define HOLD_NS UINT64_C(10000)
#define NAP_NS  50000

void kopd_lock(kopd_store *s) {
  if (pthread_mutex_trylock(&s->lock) == 0) return;
  atomic_fetch_add_explicit(&s->waiting, 1, memory_order_relaxed);
  uint64_t until = kopd_mono_ns() + ASK_NS;
  int rc;
  do {
    rc = pthread_mutex_trylock(&s->lock);
  } while (rc != 0 && kopd_mono_ns() < until);
  if (rc != 0) pthread_mutex_lock(&s->lock);
  atomic_fetch_sub_explicit(&s->waiting, 1, memory_order_relaxed);
}

void kopd_breathe_locked(kopd_store *s, uint64_t *since) {
  struct timespec nap = {.tv_nsec = NAP_NS};
  if (kopd_mono_ns() - *since < HOLD_NS) return;
  pthread_mutex_unlock(&s->lock);
  if (atomic_load_explicit(&s->waiting, memory_order_relaxed) > 0) nanosleep(&nap, NULL);
  pthread_mutex_lock(&s->lock);
  *since = kopd_mono_ns();
}

void kopd_store_config_init(kopd_store_config *config) {
  static const int32_t one_node[] = {1};
  *config = (kopd_store_config){.spec = "memory:",
                                .durability = KOPD_DURABILITY_DISK,
                                .nodes_count = 1,
                                .node_ids = one_node,
                                .max_partitions = UINT32_MAX,
                                .retention_ms = 7 * 24 * 3600 * INT64_C(1000),
                                .retention_bytes = -1,
                                .file_bytes = 0,
                                .retention_check_ms = 5 * 60 * UINT64_C(1000),
                                .pin_ms = 60 * UINT64_C(1000)};
}

/* ---- opening ---- */

static int fail(char *error, size_t cap, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(char *error, size_t cap, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(error, cap, format, args);
  va_end(args);
  return -1;
}

static void cluster_id_make(char out[24]) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  kop_uuid id;
  kopd_uuid_random(&id);
  for (size_t i = 0; i < 22; i++) { /* 16 bytes are 22 digits of 6 bits */
    size_t bit = i * 6;
    uint32_t pair = (uint32_t)id.bytes[bit / 8] << 8;
    if (bit / 8 + 1 < sizeof id.bytes) pair |= id.bytes[bit / 8 + 1];
    out[i] = digits[pair >> (10 - bit % 8) & 63];
  }
  out[22] = '\0';
}

static int copy_config(kopd_store *s, const kopd_store_config *config, char *error, size_t cap) {
  if (config->nodes_count < 1 || config->nodes_count > KOPD_STORE_MAX_NODES)
    return fail(error, cap, "a store serves 1 to %d nodes, not %u", KOPD_STORE_MAX_NODES,
                config->nodes_count);
  if (config->durability != KOPD_DURABILITY_DISK && config->durability != KOPD_DURABILITY_OS)
    return fail(error, cap, "durability must be disk or os");
  s->config = *config;
  s->node_ids = malloc(config->nodes_count * sizeof *s->node_ids);
  if (s->node_ids == NULL) return fail(error, cap, "out of memory");
  memcpy(s->node_ids, config->node_ids, config->nodes_count * sizeof *s->node_ids);
  s->config.node_ids = s->node_ids;
  s->live = config->nodes_count == 64 ? UINT64_MAX : (UINT64_C(1) << config->nodes_count) - 1;
  return 0;
}

/* Makes the name of a new folder durable. Whoever may not read the parent has made the folder beforehand. */
static void sync_parent(const kopd_store *s) {
  char parent[KOPD_PATH];
  snprintf(parent, sizeof parent, "%s", s->path);
  char *slash = strrchr(parent, '/');
  if (slash == NULL || slash == parent) return;
  *slash = '\0';
  s->io->sync_dir(s->io->user_data, parent);
}

/* The absolute form of a path that may not exist yet. */
static char *absolute(const char *path) {
  char here[PATH_MAX];
  char *out = NULL;
  if (path[0] == '/') return strdup(path);
  if (getcwd(here, sizeof here) == NULL) return NULL;
  if (path[0] == '.' && path[1] == '/') path += 2;
  if (asprintf(&out, "%s/%s", here, path) < 0) return NULL;
  return out;
}

static int open_memory(kopd_store *s, char *error, size_t cap) {
  s->io = &kopd_io_memory;
  s->config.durability = KOPD_DURABILITY_OS;
  if (s->config.file_bytes == 0) s->config.file_bytes = UINT64_C(16) << 20;
  s->path = strdup("memory:");
  s->log_path = strdup("kopd");
  s->next_partition = 1;
  s->next_file = 1;
  if (s->path == NULL || s->log_path == NULL) return fail(error, cap, "out of memory");
  return 0;
}

static int lock_folder(kopd_store *s, char *error, size_t cap) {
  char path[KOPD_PATH];
  snprintf(path, sizeof path, "%s/lock", s->path);
  int rc = s->io->open(s->io->user_data, path, O_RDWR | O_CREAT);
  if (rc < 0) return fail(error, cap, "%s cannot be made: %s", path, strerror(-rc));
  s->lock_fd = rc;
  rc = s->io->lock(s->io->user_data, s->lock_fd);
  if (rc == -EWOULDBLOCK)
    return fail(error, cap, "%s is in use by another process (it holds the lock)", s->path);
  if (rc < 0) return fail(error, cap, "%s cannot be locked: %s", path, strerror(-rc));
  return 0;
}

static int is_log(void *arg, const char *name) {
  size_t len = strlen(name);
  *(bool *)arg = *(bool *)arg || (len == 20 && strcmp(name + 16, ".log") == 0);
  return 0;
}

/* Log files without a catalogue: to go on would make a new one, to which all their batches are of deleted topics. */
static bool catalogue_is_lost(const kopd_store *s, const char *catalogue) {
  struct stat st;
  if (stat(catalogue, &st) == 0 ? st.st_size > 0 : errno != ENOENT) return false;
  bool logs = false;
  (void)s->io->list(s->io->user_data, s->log_path, is_log, &logs);
  return logs;
}

static int open_files(kopd_store *s, const char *given, char *error, size_t cap) {
  char path[KOPD_PATH];
  s->io = s->config.io != NULL ? s->config.io : &kopd_io_system;
  if (s->config.file_bytes == 0) s->config.file_bytes = UINT64_C(128) << 20;
  if (given[0] == '\0') return fail(error, cap, "file: needs a folder, as in file:./kopd-data");
  s->path = absolute(given);
  if (s->path == NULL || asprintf(&s->log_path, "%s/log", s->path) < 0) {
    s->log_path = NULL;
    return fail(error, cap, "out of memory");
  }
  if (strlen(s->path) > KOPD_PATH - 64)
    return fail(error, cap, "the path %.64s... is too long", given);
  int rc = s->io->mkdir(s->io->user_data, s->path);
  if (rc == 0) rc = s->io->mkdir(s->io->user_data, s->log_path);
  if (rc != 0) return fail(error, cap, "the folder %s cannot be made: %s", s->path, strerror(-rc));
  sync_parent(s);
  if (lock_folder(s, error, cap) != 0) return -1;
  rc = s->io->sync_dir(s->io->user_data, s->path);
  if (rc != 0) return fail(error, cap, "%s cannot be synced: %s", s->path, strerror(-rc));
  snprintf(path, sizeof path, "%s/catalogue.mdb", s->path);
  if (catalogue_is_lost(s, path))
    return fail(
        error, cap,
        "%s is missing or empty, but %s holds batches, which mean nothing without it: put it "
        "back, or remove that folder to begin anew",
        path, s->log_path);
  rc = kopd_db_open(path, s->io, s->cluster_id, &s->db);
  if (rc == 0) rc = kopd_db_load(s);
  if (rc == 0) rc = s->io->sync_dir(s->io->user_data, s->path);
  if (rc != 0)
    return fail(error, cap, "the catalogue %s cannot be read: %s", path, kopd_db_strerror(rc));
  /* To go on would hide topics from clients that wrote to them. */
  if (s->partitions.len > s->config.max_partitions)
    return fail(error, cap, "%s holds %zu partitions, and max.partitions allows %u", s->path,
                s->partitions.len, s->config.max_partitions);
  return kopd_recover(s, error, cap);
}

/* Stacks are small on purpose: the threads hold little, and a server of many nodes should not look large. */
static int start_threads(kopd_store *s, char *error, size_t cap) {
  static void *(*const mains[])(void *) = {kopd_writer_main, kopd_keeper_main, kopd_reader_main,
                                           kopd_janitor_main};
  pthread_t *threads[] = {&s->writer_thread, &s->keeper_thread, &s->reader_thread,
                          &s->janitor_thread};
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 512u << 10);
  int rc = 0;
  while (rc == 0 && s->threads < 4) {
    rc = pthread_create(threads[s->threads], &attr, mains[s->threads], s);
    if (rc == 0) s->threads++;
  }
  pthread_attr_destroy(&attr);
  return rc == 0 ? 0 : fail(error, cap, "a thread cannot be started: %s", strerror(rc));
}

static void conds_init(kopd_store *s) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->writer_wakes, NULL);
  pthread_cond_init(&s->keeper_wakes, NULL);
  pthread_cond_init(&s->reader_wakes, NULL);
  pthread_cond_init(&s->janitor_wakes, &monotonic);
  pthread_cond_init(&s->janitor_done, NULL);
  pthread_condattr_destroy(&monotonic);
}

int kopd_store_open(const kopd_store_config *config, kopd_store **out, char *error, size_t cap) {
  *out = NULL;
  if (cap > 0) error[0] = '\0';
  kopd_store *s = calloc(1, sizeof *s);
  if (s == NULL) return fail(error, cap, "out of memory");
  s->lock_fd = -1;
  s->io = &kopd_io_system;
  s->stats.healthy = 1;
  s->volume_total = s->volume_usable = -1;
  conds_init(s);
  cluster_id_make(s->cluster_id);
  int rc = copy_config(s, config, error, cap);
  if (rc == 0) {
    if (strcmp(config->spec, "memory:") == 0) {
      rc = open_memory(s, error, cap);
    } else if (strncmp(config->spec, "file:", 5) == 0) {
      rc = open_files(s, config->spec + 5, error, cap);
    } else {
      rc = fail(error, cap, "no such store: %s (there are memory: and file:PATH)", config->spec);
    }
  }
  if (rc == 0 && kopd_writer_new(s) != 0) rc = fail(error, cap, "out of memory");
  if (rc == 0) rc = start_threads(s, error, cap);
  if (rc != 0) {
    kopd_store_close(s);
    return -1;
  }
  *out = s;
  return 0;
}

/* ---- closing ---- */

static void stop_threads(kopd_store *s) {
  pthread_t threads[] = {s->writer_thread, s->keeper_thread, s->reader_thread, s->janitor_thread};
  pthread_mutex_lock(&s->lock);
  s->stopping = true;
  pthread_cond_broadcast(&s->writer_wakes);
  pthread_cond_broadcast(&s->keeper_wakes);
  pthread_cond_broadcast(&s->reader_wakes);
  pthread_cond_broadcast(&s->janitor_wakes);
  pthread_mutex_unlock(&s->lock);
  for (uint32_t i = 0; i < s->threads; i++)
    pthread_join(threads[i], NULL);
  s->threads = 0;
}

/* What only the page cache has goes to the disk in the end, also with durability os. */
static void sync_active(kopd_store *s) {
  if (s->db == NULL) return;
  for (uint32_t i = 0; i < KOPD_CLASSES; i++) {
    const kopd_file *f = s->active[i];
    if (f == NULL) continue;
    int rc = 0;
    if (f->reserved > f->committed) /* space that was set aside goes back */
      rc = s->io->ftruncate(s->io->user_data, f->fd, (off_t)f->committed);
    if (rc == 0) rc = s->io->fdatasync(s->io->user_data, f->fd);
    if (rc != 0) kopd_log(s, KOP_LOG_ERROR, "store: the last sync failed: %s", strerror(-rc));
  }
}

static void free_files(kopd_store *s, kopd_file *list) {
  while (list != NULL) {
    kopd_file *next = list->next;
    kopd_file_free(s, list);
    list = next;
  }
}

void kopd_store_close(kopd_store *s) {
  if (s == NULL) return;
  bool ran = s->threads > 0; /* else it was not opened, and nothing is known of the log */
  stop_threads(s);
  sync_active(s);
  if (ran) kopd_ends_at_stop(s);
  while (s->topics != NULL) {
    kopd_topic *t = s->topics;
    kopd_topic_withdraw_locked(s, t);
    kopd_topic_free(t);
  }
  for (uint32_t i = 0; i < KOPD_CLASSES; i++)
    kopd_file_discard(s, s->ahead[i]);
  free_files(s, s->files);
  free_files(s, s->dropped);
  free_files(s, s->trash);
  kopd_map_free(&s->by_name);
  kopd_map_free(&s->by_id);
  kopd_map_free(&s->partitions);
  kopd_writer_free(s);
  kopd_blocks_free(&s->blocks);
  kopd_db_close(s->db);
  if (s->lock_fd >= 0) s->io->close(s->io->user_data, s->lock_fd);
  pthread_cond_destroy(&s->writer_wakes);
  pthread_cond_destroy(&s->keeper_wakes);
  pthread_cond_destroy(&s->reader_wakes);
  pthread_cond_destroy(&s->janitor_wakes);
  pthread_cond_destroy(&s->janitor_done);
  pthread_mutex_destroy(&s->lock);
  free(s->node_ids);
  free(s->path);
  free(s->log_path);
  free(s);
}

/* ---- clients ---- */

kopd_store_client *kopd_store_attach(kopd_store *s, uint32_t index, void (*wake)(void *user_data),
                                     void *user_data) {
  if (index >= s->config.nodes_count) return NULL;
  kopd_store_client *c = calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->store = s;
  c->node = index;
  c->wake = wake;
  c->user_data = user_data;
  pthread_mutex_lock(&s->lock);
  if (s->clients[index] != NULL) {
    pthread_mutex_unlock(&s->lock);
    free(c);
    return NULL;
  }
  s->clients[index] = c;
  if ((s->live >> index & 1) == 0) {
    s->live |= UINT64_C(1) << index;
    kopd_reassign_locked(s);
  }
  for (kopd_topic *t = s->topics; t != NULL; t = t->next)
    kopd_notify_locked(c, KOP_EVENT_TOPIC, t, NULL);
  kopd_notify_locked(c, KOP_EVENT_VOLUME, NULL, NULL);
  pthread_mutex_unlock(&s->lock);
  return c;
}

/* What a node leaves behind in topics and partitions: what it held, and the marks of its queue of events. */
static void forget_node_locked(kopd_store *s, uint32_t node) {
  uint64_t bit = UINT64_C(1) << node;
  for (kopd_topic *t = s->topics; t != NULL; t = t->next) {
    for (uint32_t i = 0; i < t->partitions_count; i++) {
      kopd_partition *p = t->partitions[i];
      if (p->held && p->holder == node) p->held = false;
      p->leader_queued &= ~bit;
      p->log_queued &= ~bit;
    }
    t->queued &= ~bit;
  }
}

static void queue_free(kopd_queue *q) {
  for (kopd_op *op = kopd_queue_pop(q); op != NULL; op = kopd_queue_pop(q)) {
    kopd_op_clear_locked(op);
    free(op->memory);
    free(op);
  }
}

void kopd_store_detach(kopd_store_client *c) {
  if (c == NULL) return;
  kopd_store *s = c->store;
  pthread_mutex_lock(&s->lock);
  s->clients[c->node] = NULL;
  s->live &= ~(UINT64_C(1) << c->node);
  forget_node_locked(s, c->node);
  while (c->notices_len > 0) {
    kopd_notice *n = &c->notices[c->notices_first];
    if (n->topic != NULL) kopd_topic_unref(n->topic);
    c->notices_first = (c->notices_first + 1) % c->notices_cap;
    c->notices_len--;
  }
  queue_free(&c->done);
  queue_free(&c->polled);
  for (size_t i = 0; i < c->lent.cap; i++) {
    kopd_op *op = c->lent.slots[i].value;
    if (op == NULL) continue;
    kopd_op_clear_locked(op);
    free(op->memory);
    free(op);
  }
  queue_free(&c->spare);
  if (s->live != 0) kopd_reassign_locked(s);
  kopd_held_check_locked(s);
  pthread_mutex_unlock(&s->lock);
  kopd_map_free(&c->lent);
  for (size_t i = 0; i < c->bodies_count; i++)
    free(c->bodies[i]);
  free(c->bodies);
  free(c->notices);
  free(c);
}

/* ---- what else a node asks ---- */

uint64_t kopd_store_effects(const kopd_store *store) {
  static const uint8_t kinds[] = {KOP_EFFECT_ACQUIRE,
                                  KOP_EFFECT_CONFIRM,
                                  KOP_EFFECT_RESIGN,
                                  KOP_EFFECT_APPEND,
                                  KOP_EFFECT_READ,
                                  KOP_EFFECT_RELEASE,
                                  KOP_EFFECT_LIST_OFFSETS,
                                  KOP_EFFECT_DELETE_RECORDS,
                                  KOP_EFFECT_STATE_PUT,
                                  KOP_EFFECT_STATE_GET,
                                  KOP_EFFECT_ALLOCATE_PRODUCER_IDS,
                                  KOP_EFFECT_LOOKUP_TOPIC,
                                  KOP_EFFECT_CREATE_TOPIC,
                                  KOP_EFFECT_DELETE_TOPIC,
                                  KOP_EFFECT_CREATE_PARTITIONS,
                                  KOP_EFFECT_ALTER_CONFIGS};
  (void)store;
  uint64_t bits = 0;
  for (size_t i = 0; i < sizeof kinds; i++)
    bits |= UINT64_C(1) << kinds[i];
  return bits;
}

uint64_t kopd_store_capabilities(const kopd_store *store) {
  uint64_t bits = KOP_STORE_LENDS;
  if (store->config.durability == KOPD_DURABILITY_DISK) bits |= KOP_STORE_DURABLE;
  return bits;
}

kop_slice kopd_store_cluster_id(const kopd_store *store) {
  return (kop_slice){(const uint8_t *)store->cluster_id, strlen(store->cluster_id)};
}

kop_slice kopd_store_log_dir(const kopd_store *store) {
  return (kop_slice){(const uint8_t *)store->path, strlen(store->path)};
}

void kopd_store_clean(kopd_store *s) {
  pthread_mutex_lock(&s->lock);
  uint64_t mine = ++s->cleans_wanted;
  pthread_cond_broadcast(&s->janitor_wakes);
  while (s->cleans_done < mine)
    pthread_cond_wait(&s->janitor_done, &s->lock);
  pthread_mutex_unlock(&s->lock);
}

void kopd_store_stats_get(kopd_store *s, kopd_store_stats *stats) {
  pthread_mutex_lock(&s->lock);
  *stats = s->stats;
  for (const kopd_file *f = s->files; f != NULL; f = f->next) {
    stats->files++;
    stats->file_bytes += f->size;
    stats->live_bytes += f->live;
  }
  stats->topics = s->by_name.len;
  stats->partitions = s->partitions.len;
  pthread_mutex_unlock(&s->lock);
}
