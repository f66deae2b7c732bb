/*
 * The client of the kill loop: librdkafka, idempotent, acks=all, one numbered record after the
 * other into each partition.
 *
 *     load produce BOOTSTRAP TOPIC PARTITIONS BYTES    until input ends, then every answer
 *     load verify BOOTSTRAP TOPIC PARTITIONS           reads all back: each number once, in order
 *
 * Each prints one line: "produced N acknowledged N failed N" and "read N missing N twice N
 * disordered N"; for each partition the numbers are 0, 1, 2 and so on, so that what is missing,
 * doubled or out of place is known exactly. Exit status 1 if anything is not as it must be.
 */
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTITIONS_MAX 64

/* How long a record may stay unanswered over all restarts. */
#define MESSAGE_TIMEOUT "120000"

static uint64_t acknowledged;
static uint64_t failed;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
  (void)rk;
  (void)opaque;
  if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    acknowledged++;
    return;
  }
  if (failed++ == 0) fprintf(stderr, "load: a record failed: %s\n", rd_kafka_err2str(m->err));
}

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque) {
  (void)rk;
  (void)opaque;
  /* Lost connections are what this is about; anything else should be seen. */
  if (err != RD_KAFKA_RESP_ERR__TRANSPORT && err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
    fprintf(stderr, "load: %s: %s\n", rd_kafka_err2name(err), reason);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char err[256];
  if (rd_kafka_conf_set(conf, name, value, err, sizeof err) != RD_KAFKA_CONF_OK) {
    fprintf(stderr, "load: %s\n", err);
    exit(2);
  }
}

static rd_kafka_t *new_client(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
  char err[256];
  rd_kafka_t *rk = rd_kafka_new(type, conf, err, sizeof err);
  if (rk == NULL) {
    fprintf(stderr, "load: %s\n", err);
    exit(2);
  }
  return rk;
}

static rd_kafka_conf_t *base_conf(const char *bootstrap) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", bootstrap);
  set(conf, "log_level", "0");
  set(conf, "reconnect.backoff.ms", "20");
  set(conf, "reconnect.backoff.max.ms", "200");
  rd_kafka_conf_set_error_cb(conf, on_error);
  return conf;
}

static int input_ended(void) {
  struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
  char byte;
  return poll(&fd, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

/* A record: "PARTITION NUMBER" and filling up to the size. */
static void fill(char *payload, size_t size, int partition, uint64_t number) {
  memset(payload, '.', size);
  int n = snprintf(payload, size, "%d %llu", partition, (unsigned long long)number);
  payload[n] = '.';
}

static int produce(const char *bootstrap, const char *name, int partitions, size_t size) {
  rd_kafka_conf_t *conf = base_conf(bootstrap);
  set(conf, "enable.idempotence", "true");
  set(conf, "acks", "all");
  set(conf, "linger.ms", "2");
  set(conf, "retry.backoff.ms", "20");
  set(conf, "message.timeout.ms", MESSAGE_TIMEOUT);
  set(conf, "queue.buffering.max.messages", "20000");
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_t *rk = new_client(RD_KAFKA_PRODUCER, conf);
  rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
  char *payload = malloc(size);
  uint64_t number = 0;
  uint64_t produced = 0;
  while (payload != NULL && !input_ended()) {
    for (int p = 0; p < partitions; p++) {
      fill(payload, size, p, number);
      while (rd_kafka_produce(topic, p, RD_KAFKA_MSG_F_COPY, payload, size, NULL, 0, NULL) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
          fprintf(stderr, "load: %s\n", rd_kafka_err2str(rd_kafka_last_error()));
          return 1;
        }
        rd_kafka_poll(rk, 50);
      }
      produced++;
    }
    number++;
    rd_kafka_poll(rk, 0);
  }
  rd_kafka_resp_err_t flushed = rd_kafka_flush(rk, atoi(MESSAGE_TIMEOUT));
  printf("produced %llu acknowledged %llu failed %llu\n", (unsigned long long)produced,
         (unsigned long long)acknowledged, (unsigned long long)failed);
  char why[256];
  rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(rk, why, sizeof why);
  if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR)
    fprintf(stderr, "load: fatal: %s: %s\n", rd_kafka_err2name(fatal), why);
  free(payload);
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(rk);
  return flushed != 0 || fatal != 0 || failed > 0 || acknowledged != produced;
}

/* What verify has seen. */
typedef struct tally {
  uint64_t next[PARTITIONS_MAX]; /* the number that must come */
  uint64_t read;
  uint64_t missing;
  uint64_t twice;
  uint64_t disordered;
} tally;

static void count(tally *t, const rd_kafka_message_t *m) {
  int partition = -1;
  unsigned long long number = 0;
  char head[48] = "";
  memcpy(head, m->payload, m->len < sizeof head - 1 ? m->len : sizeof head - 1);
  t->read++;
  if (sscanf(head, "%d %llu", &partition, &number) != 2 || partition != m->partition) {
    t->disordered++;
  } else if (number == t->next[partition]) {
    t->next[partition]++;
  } else if (number < t->next[partition]) {
    t->twice++; /* or late, which is as wrong */
  } else {
    t->missing += number - t->next[partition];
    t->next[partition] = number + 1;
  }
}

static int verify(const char *bootstrap, const char *name, int partitions) {
  rd_kafka_conf_t *conf = base_conf(bootstrap);
  set(conf, "enable.partition.eof", "true");
  set(conf, "check.crcs", "true");
  rd_kafka_t *rk = new_client(RD_KAFKA_CONSUMER, conf);
  rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
  rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
  static tally t;
  int ended = 0;
  int broken = 0;
  for (int p = 0; p < partitions; p++)
    rd_kafka_consume_start_queue(topic, p, RD_KAFKA_OFFSET_BEGINNING, queue);
  while (ended < partitions && !broken) {
    rd_kafka_message_t *m = rd_kafka_consume_queue(queue, 60000);
    if (m == NULL) {
      fprintf(stderr, "load: nothing came for a minute\n");
      broken = 1;
    } else if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      ended++;
    } else if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      count(&t, m);
    } else {
      fprintf(stderr, "load: %s\n", rd_kafka_message_errstr(m));
      broken = 1;
    }
    if (m != NULL) rd_kafka_message_destroy(m);
  }
  printf("read %llu missing %llu twice %llu disordered %llu\n", (unsigned long long)t.read,
         (unsigned long long)t.missing, (unsigned long long)t.twice,
         (unsigned long long)t.disordered);
  for (int p = 0; p < partitions; p++)
    rd_kafka_consume_stop(topic, p);
  rd_kafka_queue_destroy(queue);
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(rk);
  return broken || t.missing > 0 || t.twice > 0 || t.disordered > 0;
}

int main(int argc, char **argv) {
  int partitions = argc > 4 ? atoi(argv[4]) : 0;
  if (partitions < 1 || partitions > PARTITIONS_MAX) goto usage;
  if (argc == 6 && strcmp(argv[1], "produce") == 0 && atoi(argv[5]) >= 48)
    return produce(argv[2], argv[3], partitions, (size_t)atoi(argv[5]));
  if (argc == 5 && strcmp(argv[1], "verify") == 0) return verify(argv[2], argv[3], partitions);
usage:
  fprintf(stderr, "usage: load produce BOOTSTRAP TOPIC PARTITIONS BYTES (48 or more) | load verify "
                  "BOOTSTRAP TOPIC PARTITIONS\n");
  return 2;
}
