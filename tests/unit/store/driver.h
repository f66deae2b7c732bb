/*
 * A node's loop for tests: sends one effect, waits for its answer. All drivers of a test are turned while one waits, as the threads of
 * several nodes would.
 */
#ifndef TESTS_UNIT_STORE_DRIVER_H
#define TESTS_UNIT_STORE_DRIVER_H

#include <stdbool.h>

#include "store/store.h"

enum { DRIVER_TOPICS = 8, DRIVER_PARTITIONS = 64 };

typedef struct driver_topic {
  char name[64];
  kop_uuid id;
  uint32_t seen;
  uint32_t gone;
  uint32_t partitions_count;
  kop_topic_partition partitions[DRIVER_PARTITIONS];
} driver_topic;

/* The last answer, with copies of what tests look at. */
typedef struct driver_answer {
  uint64_t token;
  int32_t outcome;
  int16_t error;
  uint16_t flags;
  kop_acquired acquired;
  int64_t base_offset;
  int64_t log_start;
  int64_t listed;
  int64_t first_id;
  int64_t next_offset;
  uint32_t batches;
  const uint8_t *lent;
  size_t lent_len;
} driver_answer;

typedef struct driver {
  kopd_store *store;
  kopd_store_client *client;
  uint64_t token;
  driver_topic topics[DRIVER_TOPICS];
  uint32_t topics_count;
  uint32_t log_events;
  uint32_t leader_events;
  kop_log_state log;
  driver_answer answer;
  bool answered;
  int64_t read_end; /* bound of READs, 0: none */
  /* Called with each batch of a READ while it is valid; may be NULL. */
  void (*each)(void *arg, int64_t base, const uint8_t *bytes, size_t len);
  void *each_arg;
} driver;

void driver_attach(driver *d, kopd_store *store, uint32_t index);
void driver_detach(driver *d);
/* Takes what has come, once, on all drivers. */
void driver_turn(void);
const driver_answer *driver_do(driver *d, uint32_t kind, uint32_t flags, uint64_t target,
                               const void *body, uint32_t size);
void driver_release(driver *d, uint64_t token);

const driver_answer *driver_create(driver *d, const char *name, int32_t partitions,
                                   const char *config, const char *value);
const driver_answer *driver_delete(driver *d, const char *name);
driver_topic *driver_topic_of(driver *d, const char *name);
/* Id of a topic's partition. */
uint64_t driver_id(driver *d, const char *name, uint32_t partition);
const driver_answer *driver_acquire(driver *d, uint64_t id);
/* One batch of one record of that size, whose bytes follow from `mark`. */
const driver_answer *driver_append(driver *d, uint64_t id, int32_t epoch, size_t size,
                                   uint32_t mark, int64_t timestamp);
const driver_answer *driver_read(driver *d, uint64_t id, int64_t offset, uint32_t max,
                                 uint32_t flags);
const driver_answer *driver_delete_records(driver *d, uint64_t id, int32_t epoch, int64_t before);
void driver_fill(uint8_t *out, size_t size, uint32_t mark);
/* Reads offsets [from, to) and checks that each batch is driver_fill(size, mark + offset). */
void driver_expect(driver *d, uint64_t id, int64_t from, int64_t to, size_t size, uint32_t mark);

#endif
