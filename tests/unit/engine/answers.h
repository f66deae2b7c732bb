/*
 * For each kind of effect that is answered: a request that makes the engine ask for it, and what the client is told. The table of
 * test_answers.c says what each outcome leads to.
 */
#ifndef KOP_TESTS_ENGINE_ANSWERS_H
#define KOP_TESTS_ENGINE_ANSWERS_H

#include "harness.h"
#include "support/failing_alloc.h"

enum { NO_REPLY = -1000 };

typedef struct scene {
  kh h;
  kh_conn *c;     /* asks */
  kh_conn *other; /* shows that the engine goes on */
  kh_log *log;    /* of the topic "t" */
  failing_alloc heap;
} scene;

typedef struct asking {
  uint32_t kind;
  const char *name;
  void (*tune)(kop_engine_config *config);
  /* Before the kind is held: topics, records. Topic "t" is there already unless `bare`. */
  void (*prepare)(scene *s);
  void (*ask)(scene *s, int32_t timeout_ms);
  /* Takes the reply; its error code, or NO_REPLY. */
  int (*told)(scene *s);
  /* What the embedder does before it answers DONE, where the harness does nothing. */
  void (*push)(scene *s);
  bool bare;
} asking;

enum {
  ASK_SEND,
  ASK_ACQUIRE,
  ASK_CONFIRM,
  ASK_RESIGN,
  ASK_APPEND,
  ASK_READ,
  ASK_LIST_OFFSETS,
  ASK_DELETE_RECORDS,
  ASK_STATE_PUT,
  ASK_STATE_PUT_LAST,
  ASK_STATE_GET,
  ASK_PRODUCER_IDS,
  ASK_LOOKUP_TOPIC,
  ASK_CREATE_TOPIC,
  ASK_DELETE_TOPIC,
  ASK_CREATE_PARTITIONS,
  ASK_ALTER_CONFIGS,
  ASKINGS
};

extern const asking ASKING[ASKINGS];

#endif
