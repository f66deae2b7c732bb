/* What the files of the long random runs share; test_long_run.c says what they are. */
#ifndef KOP_TESTS_ENGINE_LONG_RUN_H
#define KOP_TESTS_ENGINE_LONG_RUN_H

#include "harness.h"

enum {
  PRODUCERS = 4, /* the last one is not idempotent */
  CONSUMERS = 2,
  ASKERS = 2, /* ListOffsets and OffsetForLeaderEpoch */
  PEERS = PRODUCERS + CONSUMERS + ASKERS,
  WINDOW = 5,
  BATCHES = 60, /* of each producer */
  LOG = 4096,
  OPEN = 2048,
  STEPS = 40000
};

typedef struct stored {
  uint8_t *bytes;
  kop_slice slice;
  int64_t base;
  int32_t producer;
  int32_t number; /* the how manieth batch of its producer */
} stored;

/* An effect that the engine waits for. */
typedef struct open_effect {
  kop_effect fx;
  bool executed; /* APPEND: its outcome is fixed */
  int32_t outcome;
  int64_t base;
} open_effect;

typedef struct peer {
  uint64_t conn; /* 0: none */
  uint8_t *in;
  size_t in_len;
  kh_conn frame; /* counts correlation ids */
  int32_t answered;
} peer;

typedef struct producer {
  peer peer;
  int64_t id;    /* -1: not idempotent */
  int32_t first; /* of the window */
  int32_t len;   /* sent */
  int32_t got;   /* answered */
  bool failed[WINDOW];
  int64_t acked[BATCHES]; /* offsets, -1 */
} producer;

typedef struct consumer {
  peer peer;
  int64_t offset;
  int64_t watermark;
  int64_t told; /* what was known of the log when it asked */
  bool asked;
} consumer;

typedef struct asker {
  peer peer;
  int64_t told; /* what was known of the log when it asked */
  bool asked;
} asker;

/* A run: the engine, the world around it, and what is known of it. */
typedef struct run {
  uint64_t r;
  kop_engine *e;
  kop_now now;
  kop_arena *arena;
  kop_batch_builder *builder;
  stored log[LOG];
  int32_t log_len;
  int64_t end;
  int32_t epoch;
  int32_t refused; /* appends of this epoch are refused */
  uint64_t lease;
  uint64_t silent; /* until then no CONFIRM is answered */
  int64_t told;    /* so far the log reaches by what clients and other leaders know */
  uint8_t *state;
  size_t state_len;
  int64_t state_as_of;
  open_effect open[OPEN];
  size_t open_len;
  int64_t lent;
  producer producers[PRODUCERS];
  consumer consumers[CONSUMERS];
  asker askers[ASKERS];
  bool calm; /* no more faults: everything must come to its end */
} run;

uint32_t lr_pick(run *w, uint32_t n);
/* Never while the run is calm. */
bool lr_now_and_then(run *w, uint32_t one_in);

/* ---- long_run_store.c ---- */

/* Makes the first n appends that wait take effect, in the order in which they were asked for. */
void lr_execute(run *w, size_t n);
/* Answers the i-th open effect as the store, or the network, sees fit. */
void lr_answer(run *w, size_t i);
/* Another leader, who has been granted the newest epoch, appends a batch. */
void lr_append_as_another(run *w);

/* ---- long_run_clients.c ---- */

peer *lr_peer_at(run *w, size_t i);
void lr_hang_up(run *w, peer *p);
void lr_take_sent(run *w, uint64_t conn, const kop_send *s);
/* Takes the effects. */
void lr_drain(run *w);
/* The producer's batch of that number: two records that say so. Valid until the next one. */
kop_slice lr_build(run *w, const producer *p, int32_t number);
void lr_step_producer(run *w, producer *p);
void lr_step_consumer(run *w, consumer *c);
void lr_step_asker(run *w, asker *a);
/* Each client takes and checks what has come for it. */
void lr_hear_all(run *w);
bool lr_has_finished(const producer *p);

#endif
