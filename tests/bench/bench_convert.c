/*
 * Time of conversion between Kafka batches and Pulsar entries, the checksums of both included; and of sending what was converted.
 *
 *   bench_convert          prints "NAME MESSAGES TO_PULSAR_NS TO_KAFKA_NS ALLOCATIONS", times per message
 *   bench_convert kafka    prints "NAME MESSAGES TRUSTED_NS LOOKED_AT_NS ALLOCATIONS P50_US" of reading entries that hold the batch as it
 *                          is: passed on unseen, with its records looked at, and the median of that for one entry
 *   bench_convert send     prints "NAME MESSAGES CONVERT_NS READY_NS STRUCT_NS": to convert, to convert and send with the ready head,
 *                          to convert and send by the metadata read from that head
 *
 * Sending goes up to the receipt: kop_pulsar_send(), the effect SEND, and RECEIPT, on a session that a few frames have opened. Nothing
 * reads the bytes that are sent, so what a socket costs is not in it.
 *
 * A batch has 1,000 records with values of 100 bytes, unless the name says otherwise. A figure is processor time, the best of
 * ROUNDS rounds; ALLOCATIONS counts those of all rounds after the first.
 */
#include <kop/convert.h>
#include <kop/pulsar.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz/fuzz_pulsar_frames.h"
#include "support/rng.h"

enum { ROUNDS = 15, ROUND_NS = 40000000 };

typedef struct shape {
  const char *name;
  int records;
  size_t value;
  size_t key; /* SIZE_MAX: eight bytes that are no text */
  int headers;
  int codec;
} shape;

static const shape shapes[] = {
    {"100B", 1000, 100, 0, 0, KOP_CODEC_NONE},
    {"100B-key", 1000, 100, 10, 0, KOP_CODEC_NONE},
    {"100B-binary-key", 1000, 100, SIZE_MAX, 0, KOP_CODEC_NONE},
    {"100B-key-2-headers", 1000, 100, 10, 2, KOP_CODEC_NONE},
    {"100B-in-tens", 10, 100, 10, 0, KOP_CODEC_NONE},
    {"1KB-key", 1000, 1000, 10, 0, KOP_CODEC_NONE},
    {"100B-key-lz4", 1000, 100, 10, 0, KOP_CODEC_LZ4},
    {"100B-key-zstd", 1000, 100, 10, 0, KOP_CODEC_ZSTD},
};

static size_t allocations;

static void *count_realloc(void *user_data, void *ptr, size_t size) {
  (void)user_data;
  allocations++;
  return realloc(ptr, size);
}

static void count_free(void *user_data, void *ptr) {
  (void)user_data;
  free(ptr);
}

static void must(kop_status status, const char *what) {
  if (status == KOP_OK) return;
  fprintf(stderr, "bench_convert: %s: %s\n", what, kop_strerror(status));
  exit(1);
}

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void fill(uint8_t *p, size_t n, uint64_t *seed) {
  for (size_t i = 0; i < n; i++) {
    p[i] = (uint8_t) "order, item, price; 0123456789ab"[rng_next(seed) % 32];
  }
}

static uint8_t *make_batch(const shape *s, size_t *len) {
  kop_batch_builder *b;
  must(kop_batch_builder_new(NULL, &b), "builder");
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.codec = s->codec;
  options.producer_id = 2001;
  options.producer_epoch = 0;
  options.base_sequence = 0;
  must(kop_batch_builder_begin(b, &options), "begin");
  uint64_t seed = 42;
  uint8_t *value = malloc(s->value);
  for (int i = 0; i < s->records; i++) {
    char text[32];
    int n = snprintf(text, sizeof text, "user-%05d", (int)(rng_next(&seed) % 100000));
    uint8_t number[8] = {0, 0, 0, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};
    fill(value, s->value, &seed);
    const kop_record_header headers[2] = {
        {{(const uint8_t *)"trace", 5}, {(const uint8_t *)"0123456789abcdef", 16}},
        {{(const uint8_t *)"source", 6}, {(const uint8_t *)"bench", 5}}};
    kop_record_in record = {
        .offset = -1,
        .timestamp = 1700000000000 + i / 20,
        .value = {value, s->value},
        .headers = headers,
        .header_count = s->headers,
    };
    if (s->key > 0) {
      record.key = s->key == SIZE_MAX ? (kop_slice){number, 8}
                                      : (kop_slice){(const uint8_t *)text, (size_t)n};
    }
    must(kop_batch_builder_append(b, &record), "append");
  }
  free(value);
  const uint8_t *batch;
  must(kop_batch_builder_finish(b, &batch, len), "finish");
  uint8_t *copy = malloc(*len);
  memcpy(copy, batch, *len);
  kop_batch_builder_free(b);
  return copy;
}

static void to_pulsar(kop_convert *c, const uint8_t *batch, size_t len, int32_t format,
                      uint64_t sequence, const kop_convert_entry **entry) {
  kop_to_pulsar_options o;
  kop_to_pulsar_options_init(&o, sizeof o);
  o.publish_time_ms = 1700000000000;
  o.format = format;
  o.producer_name = (kop_slice){(const uint8_t *)"p", 1};
  o.sequence_id = sequence;
  size_t n;
  must(kop_convert_to_pulsar(c, batch, len, &o, entry, &n), "to_pulsar");
}

static void to_kafka(kop_convert *c, const uint8_t *entry, size_t len, int records, int32_t flags) {
  kop_to_kafka_options o;
  kop_to_kafka_options_init(&o, sizeof o);
  o.flags = flags;
  kop_convert_answer answer;
  must(kop_convert_to_kafka(c, entry, len, 1000, 1000 + records - 1, &o, &answer), "to_kafka");
  if (answer.kind != KOP_ANSWER_BATCHES || answer.batches[0].count != records) {
    fprintf(stderr, "bench_convert: the entry did not come back: %s\n", kop_convert_error_text(c));
    exit(1);
  }
}

/* What is measured, and what for: one batch and its entry. */
typedef struct setting {
  const shape *shape;
  kop_convert *c;
  uint8_t *batch;
  size_t batch_len;
  uint8_t *entry;
  size_t entry_len;
  size_t allocations; /* before the first round */
} setting;

enum { TO_PULSAR, TO_KAFKA, TO_KAFKA_TRUSTED };

static void once(const setting *x, int what) {
  const kop_convert_entry *e;
  if (what == TO_PULSAR) {
    to_pulsar(x->c, x->batch, x->batch_len, KOP_CONVERT_PULSAR, 0, &e);
  } else {
    to_kafka(x->c, x->entry, x->entry_len, x->shape->records,
             what == TO_KAFKA_TRUSTED ? KOP_TO_KAFKA_TRUST_RECORDS : 0);
  }
}

static void begin(setting *x, const shape *s, int32_t format) {
  static const kop_alloc alloc = {
      .size = sizeof alloc, .realloc = count_realloc, .free = count_free};
  kop_convert_config config;
  kop_convert_config_init(&config, sizeof config);
  config.alloc = &alloc;
  *x = (setting){.shape = s};
  must(kop_convert_new(&config, &x->c), "new");
  x->batch = make_batch(s, &x->batch_len);
  const kop_convert_entry *e;
  to_pulsar(x->c, x->batch, x->batch_len, format, 0, &e);
  x->entry_len = e->head.len + e->payload.len;
  x->entry = malloc(x->entry_len);
  memcpy(x->entry, e->head.ptr, e->head.len);
  memcpy(x->entry + e->head.len, e->payload.ptr, e->payload.len);
  once(x, TO_KAFKA);
  x->allocations = allocations;
}

static void end(setting *x) {
  free(x->entry);
  free(x->batch);
  kop_convert_free(x->c);
}

/* Nanoseconds per message in one round. */
static double one_round(const setting *x, int what) {
  double start = now_ns();
  double took;
  size_t turns = 0;
  do {
    once(x, what);
    turns++;
    took = now_ns() - start;
  } while (took < ROUND_NS);
  return took / (double)turns / x->shape->records;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Both in turns, so that what else the machine does hits both; the figures come sorted. */
static void measure(const setting *x, int first, int second, double figures[2][ROUNDS]) {
  for (int round = 0; round < 2 * ROUNDS; round++) {
    figures[round % 2][round / 2] = one_round(x, round % 2 == 0 ? first : second);
  }
  qsort(figures[0], ROUNDS, sizeof figures[0][0], by_size);
  qsort(figures[1], ROUNDS, sizeof figures[1][0], by_size);
}

static void run(const shape *s) {
  setting x;
  double figures[2][ROUNDS];
  begin(&x, s, KOP_CONVERT_PULSAR);
  measure(&x, TO_PULSAR, TO_KAFKA, figures);
  printf("%s %d %.1f %.1f %zu\n", s->name, s->records, figures[0][0], figures[1][0],
         allocations - x.allocations);
  fflush(stdout);
  end(&x);
}

static void run_kafka_format(const shape *s) {
  setting x;
  double figures[2][ROUNDS];
  begin(&x, s, KOP_CONVERT_KAFKA);
  measure(&x, TO_KAFKA_TRUSTED, TO_KAFKA, figures);
  printf("%s %d %.1f %.1f %zu %.1f\n", s->name, s->records, figures[0][0], figures[1][0],
         allocations - x.allocations, figures[1][ROUNDS / 2] * s->records / 1000);
  fflush(stdout);
  end(&x);
}

/* ---- sending ---- */

static const kop_now NOW = {.mono_ns = 1, .wall_ms = 1700000000000};

typedef struct client {
  kop_pulsar_session *s;
  uint64_t conn;
  uint64_t producer;
  uint64_t sequence; /* of the latest send */
  uint64_t receipts;
} client;

static void answer(client *l, uint8_t type, uint64_t id, uint64_t n) {
  uint8_t frame[FRAME_MAX];
  size_t taken = 0;
  size_t len = frame_make(frame, type, 0, id, n);
  must(kop_pulsar_feed(l->s, l->conn, frame, len, NOW, &taken), "feed");
}

static void drain(client *l) {
  const kop_pulsar_effect *fx;
  size_t n;
  while ((n = kop_pulsar_drain(l->s, &fx)) > 0) {
    for (size_t i = 0; i < n; i++) {
      if (fx[i].kind == KOP_PULSAR_CONNECT) {
        l->conn = fx[i].target;
        must(kop_pulsar_connected(l->s, l->conn, NOW), "connected");
      } else if (fx[i].kind == KOP_PULSAR_SEND) {
        must(kop_pulsar_sent(l->s, fx[i].target, NOW), "sent");
      } else if (fx[i].kind == KOP_PULSAR_RECEIPT) {
        l->receipts++;
      } else if (fx[i].kind == KOP_PULSAR_PRODUCER_READY) {
        l->producer = fx[i].target;
      }
    }
  }
}

static void open_client(client *l) {
  enum { CONNECTED = 3, PRODUCER_SUCCESS = 17, LOOKUP_RESPONSE = 24 };
  *l = (client){.s = NULL};
  kop_pulsar_session_config config;
  must(kop_pulsar_session_config_init(&config, sizeof config), "config");
  config.service_url = (kop_slice){(const uint8_t *)"pulsar://a", 10};
  must(kop_pulsar_session_new(&config, &l->s), "session");
  kop_pulsar_producer_config producer;
  must(kop_pulsar_producer_config_init(&producer, sizeof producer), "config");
  producer.topic = (kop_slice){(const uint8_t *)"persistent://a/b/c", 18};
  uint64_t id;
  must(kop_pulsar_producer_open(l->s, &producer, NOW, &id), "open");
  drain(l);
  answer(l, CONNECTED, 0, 0);
  drain(l);
  answer(l, LOOKUP_RESPONSE, 0, 1);
  drain(l);
  answer(l, PRODUCER_SUCCESS, 0, 2);
  drain(l);
  if (l->producer != id) must(KOP_ERR_STATE, "the producer is not ready");
}

enum { CONVERT, READY, STRUCT, WAYS };

static void send_converted(client *l, const kop_convert_entry *e, int way) {
  kop_pulsar_send_info info = {.size = sizeof info,
                               .head = e->head,
                               .payload = &e->payload,
                               .payload_count = 1,
                               .num_messages = (uint32_t)e->num_messages,
                               .sequence_id = e->sequence_id,
                               .highest_sequence_id = e->highest_sequence_id};
  kop_pulsar_entry read;
  if (way == STRUCT) {
    must(kop_pulsar_entry_read(e->head.ptr, e->head.len, 0, &read), "head");
    info.head = (kop_slice){NULL, 0};
    info.metadata = &read.metadata;
  }
  uint64_t before = l->receipts;
  must(kop_pulsar_send(l->s, l->producer, &info, NOW), "send");
  drain(l);
  answer(l, 7, l->producer, e->sequence_id);
  drain(l);
  if (l->receipts != before + 1) must(KOP_ERR_STATE, "no receipt");
}

static void run_send(const shape *s) {
  client l;
  open_client(&l);
  kop_convert *c;
  must(kop_convert_new(NULL, &c), "new");
  size_t len;
  uint8_t *batch = make_batch(s, &len);
  double best[WAYS] = {1e18, 1e18, 1e18};
  for (int round = 0; round < WAYS * ROUNDS; round++) {
    int way = round % WAYS;
    double start = now_ns();
    double took;
    size_t turns = 0;
    do {
      const kop_convert_entry *e;
      to_pulsar(c, batch, len, KOP_CONVERT_PULSAR, ++l.sequence, &e);
      if (way != CONVERT) send_converted(&l, e, way);
      turns++;
      took = now_ns() - start;
    } while (took < ROUND_NS);
    double each = took / (double)turns / s->records;
    if (each < best[way]) best[way] = each;
  }
  printf("%s %d %.2f %.2f %.2f\n", s->name, s->records, best[CONVERT], best[READY], best[STRUCT]);
  fflush(stdout);
  free(batch);
  kop_convert_free(c);
  kop_pulsar_session_free(l.s);
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    if (strcmp(what, "send") == 0) {
      run_send(&shapes[i]);
    } else if (strcmp(what, "kafka") == 0) {
      run_kafka_format(&shapes[i]);
    } else {
      run(&shapes[i]);
    }
  }
  return 0;
}
