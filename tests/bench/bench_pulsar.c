/*
 * libkop's Pulsar session as a client, for tests/bench/pulsar.py, which has native clients do the same.
 *
 *   bench_pulsar send URL TOPIC BATCHES COUNT BYTES    batches of COUNT messages of so many bytes, made message by message
 *   bench_pulsar read URL TOPIC MESSAGES               from the earliest, each message looked at
 *   bench_pulsar readers URL TOPIC N                   N readers on TOPIC-0 to TOPIC-99, all at once
 *
 * Prints messages, seconds from the first to the last, and the processor seconds of the process in that time; with
 * `readers` the bytes of anonymous memory that each reader took.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "loop.h"

enum { IN_FLIGHT = 16, READERS_TOPICS = 100, PERMITS = 100000 };

static char mode;
static uint64_t wanted, done, opened, batches_sent;
static uint32_t batch_count, message_bytes;
static uint64_t target; /* the producer or reader */
static uint8_t *places[IN_FLIGHT];
static size_t place_cap;
static uint64_t started, cpu_started, memory_before;
static kop_pulsar_codec *codec;

static void fail(const char *what) {
  fprintf(stderr, "bench_pulsar: %s\n", what);
  exit(1);
}

static uint64_t cpu_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static uint64_t anonymous_bytes(void) {
  unsigned long pages = 0, resident = 0, shared = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (f == NULL || fscanf(f, "%lu %lu %lu", &pages, &resident, &shared) != 3) fail("statm");
  fclose(f);
  return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void start(void) {
  if (started != 0) return;
  started = uv_hrtime();
  cpu_started = cpu_ns();
}

static void finish(kop_pulsar_session *session) {
  double seconds = (double)(uv_hrtime() - started) / 1e9;
  double cpu = (double)(cpu_ns() - cpu_started) / 1e9;
  printf("%llu %.6f %.6f\n", (unsigned long long)done, seconds, cpu);
  kop_pulsar_shutdown(session, pulsar_now());
}

/* ---- send ---- */

static kop_slice make_batch(uint8_t *place) {
  static const uint8_t zeros[1 << 16];
  size_t at = 0, len = 0;
  for (uint32_t i = 0; i < batch_count; i++) {
    kop_pulsar_single single;
    kop_pulsar_single_init(&single);
    if (kop_pulsar_batch_put(&single, NULL, 0, (kop_slice){zeros, message_bytes}, place + at,
                             place_cap - at, &len) != KOP_OK)
      fail("batch");
    at += len;
  }
  return (kop_slice){place, at};
}

static void send_batch(kop_pulsar_session *session, uint64_t place) {
  if (batches_sent * batch_count == wanted) return;
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  kop_slice payload = make_batch(places[place]);
  md.present = KOP_PULSAR_HAS_PUBLISH_TIME | KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  md.publish_time = (uint64_t)pulsar_now().wall_ms;
  md.num_messages_in_batch = (int32_t)batch_count;
  kop_pulsar_send_info info = {.size = sizeof info,
                               .context = place,
                               .metadata = &md,
                               .payload = &payload,
                               .payload_count = 1,
                               .num_messages = batch_count,
                               .sequence_id = batches_sent++ * batch_count};
  if (kop_pulsar_send(session, target, &info, pulsar_now()) != KOP_OK) fail("send");
}

/* ---- read ---- */

static void read_entry(kop_slice bytes) {
  kop_pulsar_entry entry;
  kop_pulsar_batch_iter iter;
  kop_pulsar_message message;
  if (kop_pulsar_entry_read(bytes.ptr, bytes.len, KOP_PULSAR_ENTRY_CHECK, &entry) != KOP_OK)
    fail("entry");
  const kop_pulsar_metadata *md = &entry.metadata;
  if (kop_pulsar_decompress(codec, md->compression, entry.payload, md->uncompressed_size, 64u << 20,
                            &entry.payload) != KOP_OK)
    fail("decompress");
  if (kop_pulsar_batch_begin(&iter, md, entry.payload) != KOP_OK) fail("batch");
  while (kop_pulsar_batch_next(&iter, &message) == KOP_OK)
    done += message.payload.len > 0;
}

/* ---- the loop ---- */

static void on_event(kop_pulsar_session *session, const kop_pulsar_effect *event) {
  const kop_pulsar_delivery *delivery = event->body;
  switch (event->kind) {
  case KOP_PULSAR_PRODUCER_READY:
    start();
    for (uint64_t i = 0; i < IN_FLIGHT; i++)
      send_batch(session, i);
    break;
  case KOP_PULSAR_RECEIPT:
    done += batch_count;
    send_batch(session, event->context);
    if (done == wanted) finish(session);
    break;
  case KOP_PULSAR_MESSAGE:
    start();
    read_entry(delivery->bytes);
    kop_pulsar_flow(session, event->target, delivery->num_messages, pulsar_now());
    if (done == wanted) finish(session);
    break;
  case KOP_PULSAR_CONSUMER_READY:
    if (mode != 'm' || ++opened < wanted) break;
    printf("%llu\n", (unsigned long long)((anonymous_bytes() - memory_before) / wanted));
    fflush(stdout);
    _exit(0); /* the broker has ten thousand cursors to close; that is not measured */
  case KOP_PULSAR_SEND_FAILED:
  case KOP_PULSAR_PRODUCER_CLOSED:
  case KOP_PULSAR_CONSUMER_CLOSED:
    if (done != wanted)
      fail(kop_pulsar_outcome_name(((const kop_pulsar_reason *)event->body)->outcome));
    break;
  default:
    break;
  }
}

static void open_producer(kop_pulsar_session *session, const char *topic) {
  kop_pulsar_producer_config config;
  kop_pulsar_producer_config_init(&config, sizeof config);
  config.topic = text_slice(topic);
  place_cap = (size_t)batch_count * (message_bytes + 64);
  for (int i = 0; i < IN_FLIGHT; i++) {
    places[i] = malloc(place_cap);
    if (places[i] == NULL) fail("memory");
  }
  if (kop_pulsar_producer_open(session, &config, pulsar_now(), &target) != KOP_OK) fail("open");
}

static void open_reader(kop_pulsar_session *session, const char *topic, uint32_t permits) {
  kop_pulsar_consumer_config config;
  kop_pulsar_consumer_config_init(&config, sizeof config);
  config.topic = text_slice(topic);
  config.permits = permits;
  config.open_ns = UINT64_MAX;
  if (kop_pulsar_consumer_open(session, &config, pulsar_now(), &target) != KOP_OK) fail("open");
}

int main(int argc, char **argv) {
  if (argc < 5) fail("usage: bench_pulsar send|read|readers URL TOPIC ...");
  mode = strcmp(argv[1], "readers") == 0 ? 'm' : argv[1][0];
  kop_pulsar_session *session = pulsar_open(argv[2]);
  if (session == NULL || kop_pulsar_codec_new(NULL, &codec) != KOP_OK) fail("open");
  wanted = strtoull(argv[4], NULL, 10);
  if (mode == 's' && argc == 7) {
    batch_count = (uint32_t)strtoul(argv[5], NULL, 10);
    message_bytes = (uint32_t)strtoul(argv[6], NULL, 10);
    wanted *= batch_count;
    open_producer(session, argv[3]);
  } else if (mode == 'm') {
    memory_before = anonymous_bytes();
    for (uint64_t i = 0; i < wanted; i++) {
      char topic[512];
      snprintf(topic, sizeof topic, "%s-%llu", argv[3], (unsigned long long)(i % READERS_TOPICS));
      open_reader(session, topic, 1);
    }
  } else {
    open_reader(session, argv[3], PERMITS);
  }
  pulsar_run(on_event);
  return done != wanted;
}
