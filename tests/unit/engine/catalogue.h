/*
 * A catalogue of topics behind the harness: it holds the effects that create, change, delete and look up topics, and
 * cat_settle does what they ask, pushes the outcome and answers them.
 */
#ifndef KOP_TESTS_ENGINE_CATALOGUE_H
#define KOP_TESTS_ENGINE_CATALOGUE_H

#include "harness.h"

enum { CAT_TOPICS = 24, CAT_CONFIGS = 16, CAT_TEXT = 260 };

typedef struct cat_config {
  char name[64];
  char value[64];
} cat_config;

typedef struct cat_topic {
  char name[CAT_TEXT];
  uint8_t number; /* first byte of the id; 0: gone */
  uint32_t partitions;
  cat_config configs[CAT_CONFIGS];
  uint32_t configs_len;
  bool pushed;
} cat_topic;

typedef struct cat {
  kh *h;
  cat_topic topics[CAT_TOPICS];
  uint32_t topics_len;
  int32_t last_assigned[8]; /* of the last CREATE_TOPIC or CREATE_PARTITIONS */
  uint32_t last_assigned_len;
} cat;

/* Starts the harness with the catalogue behind it. */
void cat_start(cat *c, kh *h, void (*tune)(kop_engine_config *config));

/* The same behind a harness that runs already. */
void cat_attach(cat *c, kh *h);

/* Answers everything that the catalogue holds. */
void cat_settle(cat *c);

/* Sends a request, settles, and takes the reply; fails the test if there is none. */
void cat_call(cat *c, kh_conn *conn, uint32_t request, int16_t version, const void *q,
              size_t q_size, void *p, size_t p_size);

/* A topic that is there already, one that exists but was not pushed, and one by name. */
cat_topic *cat_add(cat *c, const char *name, uint32_t partitions);
cat_topic *cat_add_unpushed(cat *c, const char *name, uint32_t partitions);
cat_topic *cat_find(cat *c, const char *name);
/* Its value of a config, NULL without one. */
const char *cat_config_of(const cat_topic *t, const char *name);

/* The text of a slice, for comparisons; good for eight at a time. */
const char *cat_text(kop_slice s);

#endif
