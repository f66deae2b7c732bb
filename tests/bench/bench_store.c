/*
 * file: beside one bare shared file, in the same run and on the same disk.
 *
 * Both take the same batches for 1,000 partitions, 64 to a commit. The bare file is what no store can beat by much: one thread, one
 * writev a commit, one fdatasync if it is to be durable, the oldest file removed when there are too many. If it is not, a
 * second thread syncs each full file while the next one is written, as Kafka does with its segments and the store with its files:
 * what no disk ever takes costs nothing, and nobody can run on that for long. The store
 * is filled to its retention and then turned over three times, with index, checksums, footers and retention. Measured are MB/s with
 * commits in flight back to back, and the time of single commits. Rounds of the two alternate, and so do the single commits, so
 * that what else the machine does hits both.
 *
 * Usage: bench_store DIR disk|os mixed|1k MEGABYTES   one line of results
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "store/frame.h"
#include "store/store.h"

enum {
  PARTITIONS = 1000,
  COMMIT = 64,
  IN_FLIGHT = 4, /* commits, in the throughput part */
  ROUNDS = 4,    /* filling, then three turnovers */
  LATENCIES = 500
};

static uint64_t file_bytes;

static uint64_t now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static void die(const char *what) {
  fprintf(stderr, "bench_store: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* ---- the batches ---- */

/* Made before anything is measured. The engine has a batch's checksum at hand, so making it is not the store's time. */
typedef struct batch {
  kop_slice bytes;
  uint32_t crc32c;
} batch;

enum { BATCHES = 4096 };

static uint8_t *payload; /* random bytes that all batches are cut from */
static batch batches[BATCHES];
static uint64_t rng_state;
static int mixed;

static uint64_t rng(void) {
  uint64_t z = (rng_state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* 1 KB, or 0.3 to 65 KiB with small ones more frequent than large ones. */
static size_t batch_size(void) {
  if (!mixed) return 1024;
  uint64_t r = rng();
  return 300 + (size_t)(r & 0xff) * ((size_t)(r >> 8) & 0xff);
}

static void payload_make(void) {
  payload = malloc(1 << 20);
  if (payload == NULL) die("malloc");
  for (size_t i = 0; i < 1 << 20; i += 8) {
    uint64_t r = rng();
    memcpy(payload + i, &r, 8);
  }
  for (size_t i = 0; i < BATCHES; i++) {
    batches[i].bytes = (kop_slice){payload + (rng() & 0xffff), batch_size()};
    batches[i].crc32c = kopd_crc32c(0, batches[i].bytes.ptr, batches[i].bytes.len);
  }
}

static const batch *any_batch(void) {
  return &batches[rng() % BATCHES];
}

/* ---- the bare file ---- */

typedef struct bare {
  char dir[512];
  int fd;
  uint64_t first; /* number of the oldest file */
  uint64_t last;  /* of the one that is written */
  uint64_t at;
  uint64_t keep; /* files */
  int durable;
  pthread_t syncer;
  int syncing; /* the syncer works on a full file */
} bare;

static void bare_path(const bare *b, uint64_t number, char out[600]) {
  snprintf(out, 600, "%s/bare-%" PRIu64, b->dir, number);
}

static void *sync_and_close(void *fd) {
  if (fdatasync((int)(intptr_t)fd) != 0) die("fdatasync");
  close((int)(intptr_t)fd);
  return NULL;
}

static void bare_full(bare *b) {
  if (b->syncing) pthread_join(b->syncer, NULL);
  b->syncing = 0;
  if (b->fd < 0) return;
  void *fd = (void *)(intptr_t)b->fd;
  if (b->durable) {
    sync_and_close(fd);
  } else if (pthread_create(&b->syncer, NULL, sync_and_close, fd) == 0) {
    b->syncing = 1;
  } else {
    die("pthread_create");
  }
  b->fd = -1;
}

static void bare_next(bare *b) {
  char path[600];
  bare_full(b);
  b->last++;
  bare_path(b, b->last, path);
  b->fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (b->fd < 0) die(path);
  b->at = 0;
  while (b->last - b->first >= b->keep) {
    bare_path(b, b->first++, path);
    unlink(path);
  }
}

static uint64_t bare_commit(bare *b) {
  static uint8_t headers[COMMIT][48];
  struct iovec iov[2 * COMMIT];
  uint64_t bytes = 0;
  for (int i = 0; i < COMMIT; i++) {
    const kop_slice *bytes_of = &any_batch()->bytes;
    iov[2 * i] = (struct iovec){headers[i], sizeof headers[i]};
    iov[2 * i + 1] = (struct iovec){(void *)(uintptr_t)bytes_of->ptr, bytes_of->len};
    bytes += bytes_of->len;
  }
  if (b->at + bytes + sizeof headers > file_bytes) bare_next(b);
  ssize_t n = pwritev(b->fd, iov, 2 * COMMIT, (off_t)b->at);
  if (n != (ssize_t)(bytes + sizeof headers)) die("pwritev");
  b->at += (uint64_t)n;
  if (b->durable && fdatasync(b->fd) != 0) die("fdatasync");
  return bytes;
}

static void bare_end(bare *b) {
  char path[600];
  bare_full(b);
  bare_full(b);
  while (b->first <= b->last) {
    bare_path(b, b->first++, path);
    unlink(path);
  }
}

/* ---- the store ---- */

typedef struct flight {
  kop_append body;
  kop_slice slice;
} flight;

typedef struct rig {
  kopd_store *store;
  kopd_store_client *client;
  int event;
  uint64_t ids[PARTITIONS];
  int32_t epochs[PARTITIONS];
  flight flights[IN_FLIGHT * COMMIT];
  uint32_t left[IN_FLIGHT]; /* appends of the commit that are not answered */
  uint32_t open;            /* commits */
  int acquired;
  int created;
} rig;

static void wake(void *user_data) {
  uint64_t one = 1;
  if (write(((rig *)user_data)->event, &one, sizeof one) != sizeof one) die("eventfd");
}

static void take_topic(rig *r, const kop_topic *t) {
  for (uint32_t i = 0; i < t->partitions_count; i++)
    r->ids[i] = t->partitions[i].id;
}

static void take_item(rig *r, const kop_completion *c) {
  if (c->outcome != KOP_DONE) {
    fprintf(stderr, "bench_store: outcome %d, error %d\n", c->outcome, c->kafka_error);
    exit(1);
  }
  if (c->token == UINT64_MAX) {
    r->created = 1;
  } else if (c->token >= 1u << 20) {
    r->epochs[c->token - (1u << 20)] = ((const kop_acquired *)c->body)->epoch;
    r->acquired++;
  } else {
    uint32_t commit = (uint32_t)(c->token - 1) / COMMIT;
    if (--r->left[commit] == 0) r->open--;
  }
}

static size_t turn(rig *r) {
  kop_event events[64];
  kop_completion items[256];
  size_t n = 0, all = 0;
  while ((n = kopd_store_poll_events(r->client, events, 64)) > 0)
    for (size_t i = 0; i < n; i++)
      if (events[i].kind == KOP_EVENT_TOPIC) take_topic(r, events[i].body);
  while ((n = kopd_store_poll(r->client, items, 256)) > 0) {
    for (size_t i = 0; i < n; i++)
      take_item(r, &items[i]);
    all += n;
  }
  return all;
}

static void wait_turn(rig *r) {
  while (turn(r) == 0) {
    uint64_t value = 0;
    if (read(r->event, &value, sizeof value) != sizeof value) die("eventfd");
  }
}

static void submit(rig *r, uint32_t kind, uint64_t token, uint64_t target, const void *body,
                   uint32_t size) {
  kop_effect e = {.kind = kind, .token = token, .target = target, .body = body, .body_size = size};
  kopd_store_submit(r->client, &e);
}

static void rig_open(rig *r, const char *dir, int durable, uint64_t bytes) {
  char spec[600], error[256], value[32];
  kopd_store_config config;
  kopd_store_config_init(&config);
  snprintf(spec, sizeof spec, "file:%s/store", dir);
  config.spec = spec;
  config.durability = durable ? KOPD_DURABILITY_DISK : KOPD_DURABILITY_OS;
  config.file_bytes = file_bytes;
  config.retention_check_ms = 100;
  r->event = eventfd(0, EFD_CLOEXEC);
  if (kopd_store_open(&config, &r->store, error, sizeof error) != 0) {
    fprintf(stderr, "bench_store: %s\n", error);
    exit(1);
  }
  r->client = kopd_store_attach(r->store, 0, wake, r);
  snprintf(value, sizeof value, "%" PRIu64, bytes / PARTITIONS);
  kop_config_entry entry = {{(const uint8_t *)"retention.bytes", 15},
                            {(const uint8_t *)value, strlen(value)}};
  kop_create_topic topic = {.size = sizeof topic,
                            .partitions = PARTITIONS,
                            .name = {(const uint8_t *)"bench", 5},
                            .configs = &entry,
                            .configs_count = 1};
  submit(r, KOP_EFFECT_CREATE_TOPIC, UINT64_MAX, 0, &topic, sizeof topic);
  while (!r->created)
    wait_turn(r);
  kop_acquire acquire = {.size = sizeof acquire};
  for (uint32_t i = 0; i < PARTITIONS; i++)
    submit(r, KOP_EFFECT_ACQUIRE, (1u << 20) + i, r->ids[i], &acquire, sizeof acquire);
  while (r->acquired < PARTITIONS)
    wait_turn(r);
}

/* Submits one commit into a place that is free; the bytes in it. */
static uint64_t rig_commit(rig *r, int64_t timestamp) {
  uint32_t place = 0;
  while (r->left[place] > 0)
    place++;
  uint64_t bytes = 0;
  r->left[place] = COMMIT;
  r->open++;
  for (uint32_t i = 0; i < COMMIT; i++) {
    flight *f = &r->flights[place * COMMIT + i];
    const batch *b = any_batch();
    uint32_t p = (uint32_t)(rng() % PARTITIONS);
    f->slice = b->bytes;
    f->body = (kop_append){.size = sizeof f->body,
                           .epoch = r->epochs[p],
                           .slices = &f->slice,
                           .slices_count = 1,
                           .count = 1,
                           .max_timestamp = timestamp,
                           .bytes = b->bytes.len,
                           .crc32c = b->crc32c};
    submit(r, KOP_EFFECT_APPEND, place * COMMIT + i + 1, r->ids[p], &f->body, sizeof f->body);
    bytes += b->bytes.len;
  }
  return bytes;
}

/* ---- measuring ---- */

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

typedef struct figures {
  uint64_t bytes;
  uint64_t ns;
  uint64_t latency[ROUNDS * LATENCIES];
  size_t latencies;
} figures;

static int64_t wall_ms(void) {
  return (int64_t)time(NULL) * 1000;
}

static void bare_round(bare *b, figures *f, uint64_t bytes) {
  uint64_t start = now_ns(), done = 0;
  while (done < bytes)
    done += bare_commit(b);
  f->ns += now_ns() - start;
  f->bytes += done;
}

static void rig_round(rig *r, figures *f, uint64_t bytes) {
  uint64_t start = now_ns(), done = 0;
  int64_t timestamp = wall_ms();
  while (done < bytes) {
    while (r->open == IN_FLIGHT)
      wait_turn(r);
    done += rig_commit(r, timestamp);
    turn(r);
  }
  while (r->open > 0)
    wait_turn(r);
  f->ns += now_ns() - start;
  f->bytes += done;
}

/* One commit of each in turn, so that a busy spell of the machine hits both. */
static void latencies(bare *b, figures *theirs, rig *r, figures *ours) {
  int64_t timestamp = wall_ms();
  for (int i = 0; i < LATENCIES; i++) {
    uint64_t start = now_ns();
    bare_commit(b);
    theirs->latency[theirs->latencies++] = now_ns() - start;
    start = now_ns();
    rig_commit(r, timestamp);
    while (r->open > 0)
      wait_turn(r);
    ours->latency[ours->latencies++] = now_ns() - start;
  }
}

static double mbs(const figures *f) {
  return (double)f->bytes / 1e6 / ((double)f->ns / 1e9);
}

static double percentile(figures *f, double p) {
  qsort(f->latency, f->latencies, sizeof f->latency[0], by_value);
  return (double)f->latency[(size_t)((double)(f->latencies - 1) * p)] / 1e3;
}

int main(int argc, char **argv) {
  static rig r;
  static figures ours, theirs;
  if (argc != 5) {
    fprintf(stderr, "usage: bench_store DIR disk|os mixed|1k MEGABYTES\n");
    return 2;
  }
  int durable = strcmp(argv[2], "disk") == 0;
  mixed = strcmp(argv[3], "mixed") == 0;
  uint64_t keep = strtoull(argv[4], NULL, 10) * 1000000;
  file_bytes = UINT64_C(128) << 20;
  if (file_bytes > keep / 8) file_bytes = keep / 8;
  bare b = {.fd = -1, .first = 1, .durable = durable, .keep = keep / file_bytes};
  snprintf(b.dir, sizeof b.dir, "%s", argv[1]);
  payload_make();
  rig_open(&r, argv[1], durable, keep);
  bare_next(&b);
  for (int round = 0; round < ROUNDS; round++) {
    bare_round(&b, &theirs, keep);
    rig_round(&r, &ours, keep);
    latencies(&b, &theirs, &r, &ours);
  }
  kopd_store_stats stats;
  kopd_store_stats_get(r.store, &stats);
  double ratio = mbs(&ours) / mbs(&theirs);
  double p99 = percentile(&ours, 0.99) / percentile(&theirs, 0.99);
  printf("%-5s %-5s bare %7.0f MB/s  store %7.0f MB/s  %3.0f %%   commit p50 %7.0f / %7.0f us, "
         "p99 %7.0f / %7.0f us, ratio %.2f   files %" PRIu64 ", dropped %" PRIu64
         ", cleaned %" PRIu64 " MB\n",
         argv[2], argv[3], mbs(&theirs), mbs(&ours), ratio * 100, percentile(&theirs, 0.5),
         percentile(&ours, 0.5), percentile(&theirs, 0.99), percentile(&ours, 0.99), p99,
         stats.files, stats.files_dropped_total, stats.cleaned_bytes_total / 1000000);
  kopd_store_detach(r.client);
  kopd_store_close(r.store);
  close(r.event);
  bare_end(&b);
  free(payload);
  return ratio < 0.8 || p99 > 2.0;
}
