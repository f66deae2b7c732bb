/*
 * Time of decoding and encoding hot messages; BenchWire.java measures Kafka's classes on the same bytes.
 *
 *   bench_wire DIR       writes each message to DIR/NAME.bin, and prints "NAME BYTES DECODE_NS ENCODE_NS"
 *
 * A name is message-version-shape; the messages are made up here. Each figure is the best of ROUNDS rounds. Encoding is
 * what a broker does: size first, then bytes.
 */
#include <kop/messages.h>
#include <kop/wire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 8, ROUND_NS = 30000000, TEXT = 32 };

static kop_arena *making;

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *make(uint32_t struct_id, size_t count, size_t size) {
  void *out = NULL;
  if (kop_arena_alloc(making, count, size, &out) != KOP_OK) exit(1);
  for (size_t i = 0; i < count; i++) {
    if (kop_struct_init(struct_id, (uint8_t *)out + i * size, size) != KOP_OK) exit(1);
  }
  return out;
}

static kop_slice text(const char *prefix, int number) {
  void *out = NULL;
  if (kop_arena_alloc(making, 1, TEXT, &out) != KOP_OK) exit(1);
  int n = snprintf(out, TEXT, "%s%d", prefix, number);
  return (kop_slice){out, (size_t)n};
}

static kop_slice bytes(size_t n) {
  void *out = NULL;
  if (kop_arena_alloc(making, 1, n, &out) != KOP_OK) exit(1);
  memset(out, 0x5A, n);
  return (kop_slice){out, n};
}

static kop_int32_array ints(int32_t n) {
  kop_int32_array a = {.len = n};
  void *out = NULL;
  if (kop_arena_alloc(making, (size_t)n, sizeof(int32_t), &out) != KOP_OK) exit(1);
  a.ptr = out;
  for (int32_t i = 0; i < n; i++)
    a.ptr[i] = i;
  return a;
}

static void *produce(int32_t topics, int32_t partitions, size_t batch) {
  kop_produce_request *m = make(KOP_STRUCT_PRODUCE_REQUEST, 1, sizeof *m);
  m->acks = -1;
  m->timeout_ms = 30000;
  m->topic_data.len = topics;
  m->topic_data.ptr = make(KOP_STRUCT_PRODUCE_REQUEST_TOPIC_PRODUCE_DATA, (size_t)topics,
                           sizeof *m->topic_data.ptr);
  for (int32_t t = 0; t < topics; t++) {
    kop_produce_request_topic_produce_data *topic = &m->topic_data.ptr[t];
    topic->name = text("orders-", t);
    topic->partition_data.len = partitions;
    topic->partition_data.ptr = make(KOP_STRUCT_PRODUCE_REQUEST_PARTITION_PRODUCE_DATA,
                                     (size_t)partitions, sizeof *topic->partition_data.ptr);
    for (int32_t p = 0; p < partitions; p++) {
      topic->partition_data.ptr[p].index = p;
      topic->partition_data.ptr[p].records = bytes(batch);
    }
  }
  return m;
}

static void *fetch_request(int32_t topics, int32_t partitions) {
  kop_fetch_request *m = make(KOP_STRUCT_FETCH_REQUEST, 1, sizeof *m);
  m->max_wait_ms = 500;
  m->min_bytes = 1;
  m->topics.len = topics;
  m->topics.ptr = make(KOP_STRUCT_FETCH_REQUEST_TOPIC, (size_t)topics, sizeof *m->topics.ptr);
  for (int32_t t = 0; t < topics; t++) {
    kop_fetch_request_topic *topic = &m->topics.ptr[t];
    topic->topic = text("orders-", t);
    topic->partitions.len = partitions;
    topic->partitions.ptr =
        make(KOP_STRUCT_FETCH_REQUEST_PARTITION, (size_t)partitions, sizeof *topic->partitions.ptr);
    for (int32_t p = 0; p < partitions; p++) {
      topic->partitions.ptr[p].partition = p;
      topic->partitions.ptr[p].fetch_offset = 1000000 + p;
      topic->partitions.ptr[p].partition_max_bytes = 1 << 20;
    }
  }
  return m;
}

static void *fetch_response(int32_t topics, int32_t partitions, size_t batch) {
  kop_fetch_response *m = make(KOP_STRUCT_FETCH_RESPONSE, 1, sizeof *m);
  m->session_id = 77;
  m->responses.len = topics;
  m->responses.ptr = make(KOP_STRUCT_FETCH_RESPONSE_FETCHABLE_TOPIC_RESPONSE, (size_t)topics,
                          sizeof *m->responses.ptr);
  for (int32_t t = 0; t < topics; t++) {
    kop_fetch_response_fetchable_topic_response *topic = &m->responses.ptr[t];
    topic->topic = text("orders-", t);
    topic->partitions.len = partitions;
    topic->partitions.ptr = make(KOP_STRUCT_FETCH_RESPONSE_PARTITION_DATA, (size_t)partitions,
                                 sizeof *topic->partitions.ptr);
    for (int32_t p = 0; p < partitions; p++) {
      topic->partitions.ptr[p].partition_index = p;
      topic->partitions.ptr[p].high_watermark = 5000000;
      topic->partitions.ptr[p].records = bytes(batch);
    }
  }
  return m;
}

static void *metadata_request(int32_t topics) {
  kop_metadata_request *m = make(KOP_STRUCT_METADATA_REQUEST, 1, sizeof *m);
  m->topics.len = topics;
  m->topics.ptr = make(KOP_STRUCT_METADATA_REQUEST_TOPIC, (size_t)topics, sizeof *m->topics.ptr);
  for (int32_t t = 0; t < topics; t++)
    m->topics.ptr[t].name = text("orders-", t);
  return m;
}

static void *metadata_response(int32_t topics, int32_t partitions) {
  kop_metadata_response *m = make(KOP_STRUCT_METADATA_RESPONSE, 1, sizeof *m);
  m->brokers.len = 3;
  m->brokers.ptr = make(KOP_STRUCT_METADATA_RESPONSE_BROKER, 3, sizeof *m->brokers.ptr);
  for (int32_t b = 0; b < 3; b++) {
    m->brokers.ptr[b].node_id = b;
    m->brokers.ptr[b].host = text("broker.example.org.", b);
    m->brokers.ptr[b].port = 9092;
  }
  m->cluster_id = text("cluster-", 1);
  m->topics.len = topics;
  m->topics.ptr = make(KOP_STRUCT_METADATA_RESPONSE_TOPIC, (size_t)topics, sizeof *m->topics.ptr);
  for (int32_t t = 0; t < topics; t++) {
    kop_metadata_response_topic *topic = &m->topics.ptr[t];
    topic->name = text("orders-", t);
    memset(&topic->topic_id, t, sizeof topic->topic_id);
    topic->partitions.len = partitions;
    topic->partitions.ptr = make(KOP_STRUCT_METADATA_RESPONSE_PARTITION, (size_t)partitions,
                                 sizeof *topic->partitions.ptr);
    for (int32_t p = 0; p < partitions; p++) {
      topic->partitions.ptr[p].partition_index = p;
      topic->partitions.ptr[p].leader_id = p % 3;
      topic->partitions.ptr[p].replica_nodes = ints(3);
      topic->partitions.ptr[p].isr_nodes = ints(3);
    }
  }
  return m;
}

static void *offset_commit(int32_t topics, int32_t partitions) {
  kop_offset_commit_request *m = make(KOP_STRUCT_OFFSET_COMMIT_REQUEST, 1, sizeof *m);
  m->group_id = text("group-", 1);
  m->member_id = text("member-", 1);
  m->topics.len = topics;
  m->topics.ptr =
      make(KOP_STRUCT_OFFSET_COMMIT_REQUEST_TOPIC, (size_t)topics, sizeof *m->topics.ptr);
  for (int32_t t = 0; t < topics; t++) {
    kop_offset_commit_request_topic *topic = &m->topics.ptr[t];
    topic->name = text("orders-", t);
    topic->partitions.len = partitions;
    topic->partitions.ptr = make(KOP_STRUCT_OFFSET_COMMIT_REQUEST_PARTITION, (size_t)partitions,
                                 sizeof *topic->partitions.ptr);
    for (int32_t p = 0; p < partitions; p++) {
      topic->partitions.ptr[p].partition_index = p;
      topic->partitions.ptr[p].committed_offset = 1000000 + p;
      topic->partitions.ptr[p].committed_metadata = text("host-", p);
    }
  }
  return m;
}

typedef struct job {
  const char *name;
  uint32_t id;
  int16_t version;
  size_t size; /* of the struct */
  uint8_t *in;
  size_t len;
  void *msg;
  uint8_t *out;
  kop_arena *arena;
} job;

static void decode(job *j) {
  kop_arena_reset(j->arena);
  if (kop_message_decode(j->id, j->version, j->arena, j->in, j->len, j->msg, j->size, NULL) !=
      KOP_OK) {
    exit(1);
  }
}

static void encode(job *j) {
  size_t size = 0, n = 0;
  if (kop_message_size(j->id, j->version, j->msg, j->size, &size) != KOP_OK ||
      kop_message_encode(j->id, j->version, j->msg, j->size, j->out, size, &n) != KOP_OK) {
    exit(1);
  }
}

static double measure(job *j, void (*step)(job *)) {
  double best = 0;
  size_t n = 1;
  for (int round = 0; round < ROUNDS;) {
    double from = now_ns();
    for (size_t i = 0; i < n; i++)
      step(j);
    double took = now_ns() - from;
    if (took < ROUND_NS && round == 0) {
      n *= 2;
      continue;
    }
    if (round++ == 0 || took / (double)n < best) best = took / (double)n;
  }
  return best;
}

static void run(const char *dir, const char *name, uint32_t id, int16_t version, void *msg,
                size_t size) {
  job j = {.name = name, .id = id, .version = version, .size = size, .msg = msg};
  char path[512];
  if (kop_message_size(id, version, msg, size, &j.len) != KOP_OK) exit(1);
  j.in = malloc(j.len);
  j.out = malloc(j.len);
  size_t n = 0;
  if (kop_message_encode(id, version, msg, size, j.in, j.len, &n) != KOP_OK) exit(1);
  snprintf(path, sizeof path, "%s/%s.bin", dir, name);
  FILE *f = fopen(path, "wb");
  if (f == NULL || fwrite(j.in, 1, n, f) != n || fclose(f) != 0) exit(1);
  if (kop_arena_new(NULL, (size_t)64 << 20, &j.arena) != KOP_OK) exit(1);
  j.msg = malloc(size);
  double decoding = measure(&j, decode);
  double encoding = measure(&j, encode);
  if (memcmp(j.in, j.out, n) != 0) exit(1);
  printf("%s %zu %.0f %.0f\n", name, n, decoding, encoding);
  fflush(stdout);
  kop_arena_free(j.arena);
  free(j.msg);
  free(j.in);
  free(j.out);
}

int main(int argc, char **argv) {
  if (argc != 2 || kop_arena_new(NULL, (size_t)64 << 20, &making) != KOP_OK) {
    fprintf(stderr, "usage: bench_wire DIR\n");
    return 2;
  }
  const char *dir = argv[1];
  run(dir, "ProduceRequest-9-1KB", KOP_MSG_PRODUCE_REQUEST, 9, produce(1, 1, 1000),
      sizeof(kop_produce_request));
  run(dir, "ProduceRequest-9-1MB", KOP_MSG_PRODUCE_REQUEST, 9, produce(8, 8, 16384),
      sizeof(kop_produce_request));
  run(dir, "FetchRequest-12-1x1", KOP_MSG_FETCH_REQUEST, 12, fetch_request(1, 1),
      sizeof(kop_fetch_request));
  run(dir, "FetchRequest-12-10x10", KOP_MSG_FETCH_REQUEST, 12, fetch_request(10, 10),
      sizeof(kop_fetch_request));
  run(dir, "FetchResponse-12-10x10", KOP_MSG_FETCH_RESPONSE, 12, fetch_response(10, 10, 100),
      sizeof(kop_fetch_response));
  run(dir, "MetadataRequest-12-20", KOP_MSG_METADATA_REQUEST, 12, metadata_request(20),
      sizeof(kop_metadata_request));
  run(dir, "MetadataResponse-12-100x4", KOP_MSG_METADATA_RESPONSE, 12, metadata_response(100, 4),
      sizeof(kop_metadata_response));
  run(dir, "OffsetCommitRequest-8-100x10", KOP_MSG_OFFSET_COMMIT_REQUEST, 8, offset_commit(100, 10),
      sizeof(kop_offset_commit_request));
  kop_arena_free(making);
  return 0;
}
