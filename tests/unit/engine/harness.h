/*
 * An engine with a scripted world around it, for tests through public headers only.
 *
 * The world keeps a small log per partition and answers every effect at once, unless the test's filter says
 * otherwise: hold it (and answer later with kh_answer), or leave it to the test altogether. Time stands still until
 * kh_advance. What is sent to a connection is kept until kh_receive takes it reply by reply.
 *
 * With KOP_TEST_FACE=host in the environment the same world stands behind the callback face (host_face.c), so that every test of
 * the engine is one of kop/host.h too.
 */
#ifndef KOP_TESTS_ENGINE_HARNESS_H
#define KOP_TESTS_ENGINE_HARNESS_H

#include <criterion/criterion.h>
#include <kop/kop.h>
#include <stdbool.h>
#include <string.h>

enum { KH_CONNS = 32, KH_PARTITIONS = 64, KH_HELD = 512, KH_BATCHES = 512, KH_NODE = 1 };

/* What a filter says of an effect. */
typedef enum kh_way { KH_AUTO, KH_HOLD, KH_TAKEN } kh_way;

#define KH_KIND(name) (UINT64_C(1) << KOP_EFFECT_##name)

typedef struct kh kh;
typedef kh_way kh_filter(kh *h, const kop_effect *effect, void *data);

typedef struct kh_batch {
  uint8_t *bytes;
  size_t len;
  kop_slice slice;
  int64_t base_offset;
  int64_t next_offset;
  int64_t max_timestamp;
} kh_batch;

typedef struct kh_log {
  uint64_t id;
  int32_t epoch;
  int64_t log_start;
  int64_t end;
  uint64_t lease;
  int64_t damaged; /* READs of the batches from here to damaged_end are refused */
  int64_t damaged_end;
  kh_batch batches[KH_BATCHES];
  size_t batches_len;
  uint8_t *state;
  size_t state_len;
  int64_t state_as_of;
} kh_log;

typedef struct kh_conn {
  uint64_t id;
  uint8_t *out; /* sent and not yet received */
  size_t out_len;
  bool closed; /* CLOSE was emitted, or the test closed it */
  bool paused;
  uint32_t close_reason;
  int32_t correlation;
} kh_conn;

struct kh {
  kop_engine *e;
  kop_host *host; /* the engine's, if it is driven by callbacks */
  kop_now now;
  kop_arena *arena; /* of what kh_receive decodes */
  kh_filter *filter;
  void *filter_data;
  uint64_t hold; /* see kh_hold */
  kop_effect held[KH_HELD];
  size_t held_len;
  kh_conn conns[KH_CONNS];
  size_t conns_len;
  kh_log logs[KH_PARTITIONS];
  size_t logs_len;
  int64_t next_producer_id;
  uint32_t counts[32]; /* effects seen, by kind */
  uint32_t lent;       /* READs answered lent and not released */
  uint32_t logged;
  char last_log[300];
  bool tolerant; /* calls may fail for want of memory, connections may be closed for it */
  bool trace;    /* print every effect, for the eye */
  kop_batch_builder *builder;
};

/* Defaults, node KH_NODE, every kind served. `tune` may change the config before the engine is made; NULL. */
void kh_start(kh *h, void (*tune)(kop_engine_config *config));
/* The same, but tells when the engine cannot be made. */
kop_status kh_try_start(kh *h, void (*tune)(kop_engine_config *config));
/* Defaults, topic "t" with one partition, whose log is returned, and one connection. */
kh_log *kh_begin(kh *h, kh_conn **c);
void kh_stop(kh *h);

/* Pushes a topic of n partitions, all led by this node. Its id is {number, 0, ...}; returns the first partition's log. */
kh_log *kh_topic(kh *h, const char *name, uint8_t number, uint32_t partitions);
/* The same with configs. */
kh_log *kh_topic_with(kh *h, const char *name, uint8_t number, uint32_t partitions,
                      const kop_config_entry *configs, uint32_t configs_len);
void kh_topic_gone(kh *h, uint8_t number);
/* Pushes who leads a partition. */
void kh_lead(kh *h, uint64_t partition, int32_t leader, int32_t leader_epoch);
void kh_push(kh *h, uint32_t kind, const void *body, uint32_t size);

kh_conn *kh_connect(kh *h);
void kh_disconnect(kh *h, kh_conn *c);

/* Runs until no effect is left that is answered at once. */
void kh_run(kh *h);
void kh_advance(kh *h, uint64_t ms);

/* Encodes a request and feeds it. */
void kh_request(kh *h, kh_conn *c, uint32_t message, int16_t version, const void *msg, size_t size);
/* The frame of a request, to be fed by hand; freed by the caller. */
uint8_t *kh_frame(kh_conn *c, uint32_t message, int16_t version, const void *msg, size_t size,
                  size_t *len);
void kh_feed(kh *h, kh_conn *c, const uint8_t *bytes, size_t len);

/* Takes the next reply off the connection; false if there is no whole one. Decoded memory ends with the next kh_receive. */
bool kh_receive(kh *h, kh_conn *c, uint32_t message, int16_t version, void *msg, size_t size);

/* Answers a held effect (the i-th); KOP_DONE by what the world says. */
void kh_answer(kh *h, size_t i, int32_t outcome, int16_t kafka_error);
/* The index of the first held effect of a kind, or -1. */
int kh_find_held(const kh *h, uint32_t kind);

/* Holds the effects whose kinds' bits are set, KH_KIND(x) | ..., and answers the others; 0: answers all. Replaces the filter. */
void kh_hold(kh *h, uint64_t kinds);

/* Requests for one partition of one topic, with everything at its default but what is given. They borrow topic and records. */
typedef struct kh_produce_request {
  kop_produce_request_partition_produce_data partition;
  kop_produce_request_topic_produce_data topic;
  kop_produce_request q;
} kh_produce_request;
typedef struct kh_fetch_request {
  kop_fetch_request_partition partition;
  kop_fetch_request_topic topic;
  kop_fetch_request q;
} kh_fetch_request;
typedef struct kh_list_request {
  kop_list_offsets_request_partition partition;
  kop_list_offsets_request_topic topic;
  kop_list_offsets_request q;
} kh_list_request;

const kop_produce_request *kh_fill_produce(kh_produce_request *r, const char *topic,
                                           int32_t partition, kop_slice records, int16_t acks,
                                           int32_t timeout_ms);
/* partition max bytes 1 MiB; no waiting, no session: set r->q and r->partition for more. */
const kop_fetch_request *kh_fill_fetch(kh_fetch_request *r, const char *topic, int32_t partition,
                                       int64_t offset);
const kop_list_offsets_request *kh_fill_list(kh_list_request *r, const char *topic,
                                             int64_t timestamp, int32_t leader_epoch);

/* A batch of `count` records with values "v0", "v1", ...; valid until the next one. producer id -1: not idempotent. */
kop_slice kh_batch_of(kh *h, uint32_t count, int64_t producer_id, int16_t epoch, int32_t sequence);

/* Produces to one partition and returns its response; fails the test when there is none. */
kop_produce_response_partition_produce_response kh_produce(kh *h, kh_conn *c, const char *topic,
                                                           int32_t partition, kop_slice records);
/* Sends the request only. */
void kh_send_produce(kh *h, kh_conn *c, const char *topic, int32_t partition, kop_slice records,
                     int16_t acks, int32_t timeout_ms);
bool kh_receive_produce(kh *h, kh_conn *c, kop_produce_response_partition_produce_response *out);

/* Sends a Fetch (version 12) without a session. */
void kh_send_fetch(kh *h, kh_conn *c, const char *topic, int32_t partition, int64_t offset,
                   int32_t max_wait_ms, int32_t min_bytes);
bool kh_receive_fetch(kh *h, kh_conn *c, kop_fetch_response_partition_data *out);

kop_slice kh_text(const char *text);

/* ---- between harness.c and host_face.c ---- */

/* Room for an answer. */
typedef union kh_result {
  kop_acquired acquired;
  kop_confirmed confirmed;
  kop_appended appended;
  kop_read_result read;
  kop_listed listed;
  kop_records_deleted deleted;
  kop_state_result state;
  kop_producer_ids ids;
} kh_result;

/* Counts the effect and asks the filter; a held one is kept. */
kh_way kh_look(kh *h, const kop_effect *fx);
/* Answers by kop_engine_complete. */
void kh_complete(kh *h, const kop_effect *fx, int32_t outcome, int16_t kafka_error);
/* Does what the effect asks for and makes the completion, whose body is `r`. */
void kh_serve(kh *h, const kop_effect *fx, kh_result *r, kop_completion *c);
/* Takes an effect that wants no answer. */
void kh_tell(kh *h, const kop_effect *fx);
/* The kinds that there are callbacks for: LOG is the last. */
#define KH_SERVED (KH_KIND(LOG) * 2 - 1)
/* Makes h->host and h->e; callbacks for the kinds of config->effects only. */
kop_status kh_host_start(kh *h, const kop_engine_config *config);

#endif
