/*
 * What the checks of the store's contract stand on: effects out, answers in, events followed.
 *
 * A check is a function that returns when it is done and calls st_fail at the first thing that is not as it should be. Helpers send
 * one effect, wait for its answer and give it back by value; those named `_start` do not wait, st_await does.
 */
#ifndef KOPI_STORETEST_HARNESS_H
#define KOPI_STORETEST_HARNESS_H

#include <kop/engine.h>
#include <kop/store_test.h>

enum {
  ST_ANSWERS = 128,       /* tokens that can be open at a time */
  ST_BATCHES = 256,       /* batches of one READ that are looked at */
  ST_TOPICS = 8,          /* topics followed at a time */
  ST_PARTITIONS = 8,      /* partitions of one */
  ST_BYTES = 4 << 20,     /* bytes of one READ that are kept */
  ST_TIMEOUT = INT32_MAX, /* outcome of an answer that never came */
  ST_NAME = 64
};

/* Kafka's error codes that the contract names. */
enum { ST_OFFSET_OUT_OF_RANGE = 1, ST_TOPIC_ALREADY_EXISTS = 36, ST_STORAGE_ERROR = 56 };

typedef struct st_batch {
  int64_t base;
  const uint8_t *bytes; /* a copy in the answer's buffer */
  size_t len;
} st_batch;

typedef struct st_answer {
  uint64_t token; /* 0: free */
  uint32_t kind;
  uint32_t times; /* how often it was answered */
  int32_t outcome;
  int16_t error;
  uint16_t flags;
  kop_acquired acquired;
  kop_appended appended;
  kop_listed listed;
  kop_records_deleted deleted;
  kop_producer_ids ids;
  int64_t as_of;
  int64_t next_offset;
  uint32_t batches_count;
  st_batch batches[ST_BATCHES];
  const uint8_t *lent; /* where the first lent batch lies */
  uint8_t *bytes;      /* copies of batches, or of the state */
  size_t bytes_len;
  size_t bytes_cap;
} st_answer;

typedef struct st_topic {
  char name[ST_NAME];
  kop_uuid id;
  uint32_t seen; /* pushes so far */
  uint32_t gone; /* pushes as gone */
  uint32_t partitions_count;
  kop_topic_partition partitions[ST_PARTITIONS];
  uint32_t configs_count;
  char retention_ms[24]; /* its config of that name, "" if it has none */
} st_topic;

typedef struct st {
  const kop_store_under_test *store;
  const kop_alloc *alloc;
  kop_store_test_config config;
  kop_store_test_result *result;
  uint64_t next_token;
  uint64_t rng;
  uint32_t serial; /* makes topic names new */
  uint32_t strays; /* answers to tokens that were not open */
  st_topic topics[ST_TOPICS];
  uint32_t topics_count;
  st_answer answers[ST_ANSWERS];
  uint8_t *batch;   /* ST_BYTES of room to build batches in */
  uint8_t *scratch; /* the same size again */
  const char *name; /* of the check that runs */
  int32_t verdict;  /* 1, 0, -1 */
  char detail[200];
} st;

/* ---- checks ---- */
void st_fail(st *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void st_skip(st *t);
/* True if it holds; otherwise the check fails with this text. */
int st_expect(st *t, int holds, const char *what);
int st_expect_i64(st *t, int64_t got, int64_t want, const char *what);
uint64_t st_random(st *t, uint64_t below);

/* ---- answers ---- */
void st_pump(st *t);
st_answer *st_submit(st *t, uint32_t kind, uint32_t flags, uint64_t target, const void *body,
                     uint32_t body_size);
/* Waits for the answer, or ST_TIMEOUT. The answer stays readable until its place is used again. */
st_answer *st_await(st *t, st_answer *a);
void st_release(st *t, const st_answer *a);

/* ---- effects ---- */
st_answer *st_acquire(st *t, uint64_t partition);
/* A legal v2 batch of `count` records with about `len` bytes that depend on `mark`; its length, built at `out`. */
size_t st_batch_build(uint8_t *out, size_t len, uint32_t count, int64_t max_timestamp,
                      int32_t epoch, uint32_t mark);

/* An append in flight: what its body points to must stay in place. */
typedef struct st_append {
  kop_append body;
  kop_slice slices[4];
  st_answer *answer;
} st_append;

void st_append_start(st *t, st_append *a, uint64_t partition, int32_t epoch, const uint8_t *bytes,
                     size_t len, uint32_t slices, uint32_t count, int64_t max_timestamp);
/* Builds a batch, appends it and waits. */
st_answer *st_append_one(st *t, uint64_t partition, int32_t epoch, size_t len, uint32_t count,
                         int64_t max_timestamp, uint32_t mark);
st_answer *st_read(st *t, uint64_t partition, int64_t offset, int64_t end, uint32_t max_bytes,
                   uint32_t flags);
st_answer *st_list(st *t, uint64_t partition, uint32_t what, int64_t timestamp);
st_answer *st_delete_records(st *t, uint64_t partition, int32_t epoch, int64_t before);
st_answer *st_confirm(st *t, uint32_t kind, uint64_t partition, int32_t epoch);

/* ---- topics ---- */
/* A new name; valid until the next call. */
const char *st_topic_name(st *t, char out[ST_NAME]);
st_answer *st_topic_create(st *t, const char *name, int32_t partitions,
                           const kop_config_entry *configs, uint32_t configs_count);
st_answer *st_topic_delete(st *t, const char *name);
/* The topic as it was pushed last, or NULL. */
st_topic *st_topic_find(st *t, const char *name);
/* A new topic whose partitions this node leads; NULL after st_fail. */
st_topic *st_topic_make(st *t, int32_t partitions);
/* The same with one partition, acquired. Its id, or 0 after st_fail. */
uint64_t st_partition_make(st *t, char name[ST_NAME], int32_t *epoch);

/* ---- the checks ---- */
void st_checks_topics(st *t);
void st_checks_leadership(st *t);
void st_checks_append(st *t);
void st_checks_read(st *t);
void st_checks_offsets(st *t);
void st_checks_state(st *t);
void st_checks_reopen(st *t);
void st_checks_failure(st *t);
void st_checks_random(st *t);

typedef struct st_check {
  const char *name;
  uint64_t needs; /* bits of kinds besides those that every check needs */
  void (*run)(st *t);
} st_check;

void st_run(st *t, const st_check *checks, size_t count);

#define ST_NEEDS(kind) (UINT64_C(1) << (kind))

#endif
