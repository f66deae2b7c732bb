/*
 * The client of the broker bench: librdkafka, which is the same for every server.
 *
 *   bench_client create  BROKER TOPIC PARTITIONS
 *   bench_client produce BROKER TOPIC PARTITIONS BYTES COUNT RATE    RATE in records/s, 0: as fast as it goes
 *   bench_client consume BROKER TOPIC PARTITIONS BYTES COUNT
 *
 * Prints one line: records/s, the cores this client itself kept busy meanwhile (a server cannot be seen to be faster
 * than its client), and for produce the median and the 99th percentile of the time from produce to acknowledgement,
 * in microseconds. Exit status 1 if a record was not acknowledged, did not come, or came with another length.
 *
 * A consumer's rate counts from its first batch of records, without that batch: connecting is no part of it.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { PATIENCE_MS = 60000 };

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Processor time of this process, all its threads. */
static double cpu_seconds(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char error[256];
  if (rd_kafka_conf_set(conf, name, value, error, sizeof error) == RD_KAFKA_CONF_OK) return;
  fprintf(stderr, "bench_client: %s\n", error);
  exit(1);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf, const char *broker) {
  char error[256];
  set(conf, "bootstrap.servers", broker);
  rd_kafka_t *rk = rd_kafka_new(type, conf, error, sizeof error);
  if (rk != NULL) return rk;
  fprintf(stderr, "bench_client: %s\n", error);
  exit(1);
}

static int create(const char *broker, const char *topic, int partitions) {
  rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), broker);
  char error[256];
  rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topic, partitions, 1, error, sizeof error);
  rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
  rd_kafka_CreateTopics(rk, &t, 1, NULL, queue);
  rd_kafka_event_t *event = rd_kafka_queue_poll(queue, PATIENCE_MS);
  int failed = event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR;
  if (event != NULL) rd_kafka_event_destroy(event);
  rd_kafka_NewTopic_destroy(t);
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(rk);
  return failed;
}

/* ---- produce ---- */

static int32_t *latencies;
static size_t acknowledged;
static size_t lost;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
  (void)rk;
  (void)opaque;
  if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    lost++;
    return;
  }
  latencies[acknowledged++] = (int32_t)(now_us() - (int64_t)(intptr_t)m->_private);
}

static int ascending(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a;
  int32_t y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

static void enqueue(rd_kafka_t *rk, rd_kafka_topic_t *topic, int32_t partition, char *value,
                    size_t size) {
  void *sent_at = (void *)(intptr_t)now_us();
  while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, value, size, NULL, 0, sent_at) !=
         0) {
    if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) exit(1);
    rd_kafka_poll(rk, 10);
  }
}

static int produce(const char *broker, const char *name, int partitions, size_t size, size_t count,
                   double rate) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "acks", "all");
  set(conf, "linger.ms", rate > 0 ? "1" : "5");
  set(conf, "batch.size", "131072");
  set(conf, "queue.buffering.max.messages", "500000");
  set(conf, "queue.buffering.max.kbytes", "400000");
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, conf, broker);
  rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
  const struct rd_kafka_metadata *metadata;
  if (rd_kafka_metadata(rk, 0, topic, &metadata, PATIENCE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return 1;
  rd_kafka_metadata_destroy(metadata);
  latencies = calloc(count, sizeof *latencies);
  char *value = malloc(size);
  for (size_t i = 0; i < size; i++)
    value[i] = (char)('a' + (i * 7 + i / 13) % 26);
  double cpu = cpu_seconds();
  int64_t start = now_us();
  for (size_t i = 0; i < count; i++) {
    /* Waiting in poll, not in a loop of its own: the server needs the processor too. */
    while (rate > 0 && (double)(now_us() - start) * rate < (double)i * 1e6)
      rd_kafka_poll(rk, 1);
    enqueue(rk, topic, (int32_t)(i % (size_t)partitions), value, size);
    if (i % 1000 == 0) rd_kafka_poll(rk, 0);
  }
  rd_kafka_flush(rk, PATIENCE_MS);
  double seconds = (double)(now_us() - start) / 1e6;
  cpu = cpu_seconds() - cpu;
  if (acknowledged == count) {
    qsort(latencies, count, sizeof *latencies, ascending);
    printf("%.0f %.2f %d %d\n", (double)count / seconds, cpu / seconds, latencies[count / 2],
           latencies[count - 1 - count / 100]);
  }
  int failed = lost > 0 || acknowledged != count;
  free(value);
  free(latencies);
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(rk);
  return failed;
}

/* ---- consume ---- */

static int consume(const char *broker, const char *name, int partitions, size_t size,
                   size_t count) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "group.id", "bench");
  set(conf, "enable.auto.commit", "false");
  set(conf, "queued.min.messages", "1000000");
  set(conf, "fetch.message.max.bytes", "1048576");
  rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, conf, broker);
  rd_kafka_poll_set_consumer(rk);
  rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(partitions);
  for (int i = 0; i < partitions; i++)
    rd_kafka_topic_partition_list_add(all, name, i)->offset = 0;
  rd_kafka_assign(rk, all);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
  static rd_kafka_message_t *messages[10000];
  int64_t start = 0;
  int64_t patience = now_us() + (int64_t)PATIENCE_MS * 1000;
  double cpu = 0;
  size_t got = 0;
  size_t first = 0;
  while (got < count && now_us() < patience) {
    size_t wanted = sizeof messages / sizeof messages[0];
    if (count - got < wanted) wanted = count - got; /* or the last call would wait for more */
    ssize_t n = rd_kafka_consume_batch_queue(queue, 100, messages, wanted);
    for (ssize_t i = 0; i < n; i++) {
      got += messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR && messages[i]->len == size;
      rd_kafka_message_destroy(messages[i]);
    }
    if (start == 0 && got > 0) {
      start = now_us();
      cpu = cpu_seconds();
      first = got;
    }
  }
  double seconds = (double)(now_us() - start) / 1e6;
  if (got == count)
    printf("%.0f %.2f\n", (double)(count - first) / seconds, (cpu_seconds() - cpu) / seconds);
  rd_kafka_queue_destroy(queue);
  rd_kafka_topic_partition_list_destroy(all);
  rd_kafka_consumer_close(rk);
  rd_kafka_destroy(rk);
  return got != count;
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "create") == 0) return create(argv[2], argv[3], atoi(argv[4]));
  if (argc == 8 && strcmp(argv[1], "produce") == 0) {
    return produce(argv[2], argv[3], atoi(argv[4]), (size_t)atol(argv[5]), (size_t)atol(argv[6]),
                   atof(argv[7]));
  }
  if (argc == 7 && strcmp(argv[1], "consume") == 0) {
    return consume(argv[2], argv[3], atoi(argv[4]), (size_t)atol(argv[5]), (size_t)atol(argv[6]));
  }
  fprintf(stderr, "usage: see the top of bench_client.c\n");
  return 2;
}
