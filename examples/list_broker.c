/*
 * A Kafka broker on a list in memory, in one file: kop/host.h with thirty lines of storage and a poll(2) loop.
 *
 *   ./list_broker 9092 &  kcat -b 127.0.0.1:9092 -t demo -P  /  kcat -b 127.0.0.1:9092 -t demo -C
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <kop/kop.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 64, BATCHES = 100000, PARTITION = 1 };

/* ---- storage: batches in a list, in the order of their offsets ---- */

typedef struct batch {
  kop_slice bytes;
  int64_t base_offset, max_timestamp;
} batch;

static batch list[BATCHES];
static size_t batches;
static int64_t end_offset;

static int32_t acquire(void *ud, const kop_effect *fx, kop_host_answer *a) {
  (void)ud, (void)fx;
  a->acquired.epoch = 1;
  a->acquired.end_offset = end_offset;
  a->acquired.lease_mono_ns = UINT64_MAX; /* nobody else can lead it */
  return KOP_HOST_ANSWERED;
}

static int32_t append(void *ud, const kop_effect *fx, kop_host_answer *a) {
  (void)ud;
  const kop_append *append = fx->body;
  uint8_t *copy = batches < BATCHES ? malloc(append->bytes) : NULL;
  if (copy == NULL) {
    a->outcome = KOP_REJECTED;
    a->kafka_error = 56; /* KAFKA_STORAGE_ERROR */
    return KOP_HOST_ANSWERED;
  }
  list[batches++] = (batch){{copy, append->bytes}, end_offset, append->max_timestamp};
  for (uint32_t i = 0; i < append->slices_count; i++) {
    memcpy(copy, append->slices[i].ptr, append->slices[i].len);
    copy += append->slices[i].len;
  }
  a->appended.base_offset = end_offset;
  end_offset += append->count;
  return KOP_HOST_ANSWERED;
}

static int32_t read_batches(void *ud, const kop_effect *fx, kop_host_answer *a) {
  (void)ud;
  static kop_read_batch out[256];
  const kop_read *read = fx->body;
  uint64_t bytes = 0;
  a->read.batches = out;
  a->read.next_offset = end_offset;
  a->flags = KOP_COMPLETION_LENT; /* the list never frees a batch */
  for (size_t i = 0; i < batches && list[i].base_offset < read->end; i++) {
    int64_t next = i + 1 < batches ? list[i + 1].base_offset : end_offset;
    if (next <= read->offset) continue;
    bytes += list[i].bytes.len;
    if (a->read.batches_count == 256 || (a->read.batches_count > 0 && bytes > read->max_bytes)) break;
    out[a->read.batches_count++] = (kop_read_batch){list[i].base_offset, &list[i].bytes, 1, 0};
    a->read.next_offset = next;
  }
  return KOP_HOST_ANSWERED;
}

static int32_t list_offsets(void *ud, const kop_effect *fx, kop_host_answer *a) {
  (void)ud;
  const kop_list_offsets *ask = fx->body;
  a->outcome = KOP_NOT_FOUND;
  for (size_t i = 0; i < batches; i++) {
    bool by_time = ask->what == KOP_LIST_BY_TIME;
    bool better = a->outcome == KOP_NOT_FOUND || (!by_time && list[i].max_timestamp > a->listed.max_timestamp);
    if (!better || (by_time && list[i].max_timestamp < ask->timestamp)) continue;
    a->outcome = KOP_DONE;
    a->listed.base_offset = list[i].base_offset;
    a->listed.max_timestamp = list[i].max_timestamp;
  }
  return KOP_HOST_ANSWERED;
}

/* ---- sockets: the engine's connection ids by place in the poll set ---- */

static struct pollfd fds[CONNECTIONS];
static uint64_t ids[CONNECTIONS];
static nfds_t open_fds = 1;

static int32_t send_slices(void *ud, const kop_effect *fx, kop_host_answer *a) {
  (void)ud;
  const kop_send *send_it = fx->body; /* its context is the socket */
  for (uint32_t i = 0; i < send_it->slices_count; i++) {
    const uint8_t *at = send_it->slices[i].ptr;
    for (size_t left = send_it->slices[i].len; left > 0;) {
      ssize_t n = send((int)send_it->context, at, left, MSG_NOSIGNAL);
      if (n <= 0) {
        a->outcome = KOP_CANCELLED; /* poll will see the error and close */
        return KOP_HOST_ANSWERED;
      }
      at += n;
      left -= (size_t)n;
    }
  }
  return KOP_HOST_ANSWERED;
}

static void close_socket(void *ud, const kop_effect *fx) {
  (void)ud;
  shutdown((int)((const kop_conn_effect *)fx->body)->context, SHUT_RDWR);
}

static void set_events(const kop_effect *fx, short events) {
  for (nfds_t i = 1; i < open_fds; i++) {
    if (ids[i] == fx->target) fds[i].events = events;
  }
}

static void pause_socket(void *ud, const kop_effect *fx) {
  (void)ud;
  set_events(fx, 0);
}

static void resume_socket(void *ud, const kop_effect *fx) {
  (void)ud;
  set_events(fx, POLLIN);
}

static kop_now now(void) {
  struct timespec mono, wall;
  clock_gettime(CLOCK_MONOTONIC, &mono);
  clock_gettime(CLOCK_REALTIME, &wall);
  return (kop_now){(uint64_t)mono.tv_sec * 1000000000u + (uint64_t)mono.tv_nsec,
                   (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000};
}

static void accept_one(kop_engine *e) {
  int fd = accept(fds[0].fd, NULL, NULL);
  kop_conn_info info = {.size = sizeof info, .context = (uint64_t)fd};
  if (fd < 0) return;
  if (open_fds == CONNECTIONS || kop_engine_conn_open(e, &info, now(), &ids[open_fds]) != KOP_OK) {
    close(fd);
    return;
  }
  fds[open_fds++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void receive(kop_engine *e, nfds_t i) {
  uint8_t *at;
  size_t room;
  ssize_t n = 0;
  if (kop_engine_recv_buffer(e, ids[i], &at, &room) == KOP_OK && room > 0) n = recv(fds[i].fd, at, room, 0);
  if (n > 0) {
    kop_engine_recv_commit(e, ids[i], (size_t)n, now());
  } else if (n < 0 || room > 0) {
    kop_engine_conn_closed(e, ids[i], now());
    close(fds[i].fd);
    open_fds--;
    fds[i] = fds[open_fds];
    ids[i] = ids[open_fds];
  }
}

static void push(kop_engine *e, uint32_t kind, const void *body, uint32_t size) {
  kop_event event = {.size = sizeof event, .kind = kind, .body = body, .body_size = size};
  kop_engine_push(e, &event, now());
}

int main(int argc, char **argv) {
  int port = argc > 1 ? atoi(argv[1]) : 9092;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fds[0] = (struct pollfd){.fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN};
  setsockopt(fds[0].fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  if (bind(fds[0].fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fds[0].fd, 16) != 0) return 1;

  kop_host_ops ops = {.size = sizeof ops, .send = send_slices, .close = close_socket, .recv_pause = pause_socket,
                      .recv_resume = resume_socket, .acquire = acquire, .append = append, .read = read_batches,
                      .list_offsets = list_offsets};
  kop_engine_config config;
  kop_host *host;
  if (kop_engine_config_init(&config, sizeof config) != KOP_OK || kop_host_new(&ops, &config, now(), &host) != KOP_OK) return 1;
  kop_engine *e = kop_host_engine(host);
  kop_endpoint self = {.host = {(const uint8_t *)"127.0.0.1", 9}, .port = port};
  kop_nodes nodes = {.size = sizeof nodes, .endpoints = &self, .endpoints_count = 1};
  kop_topic_partition partition = {.id = PARTITION};
  kop_topic topic = {.size = sizeof topic, .name = {(const uint8_t *)"demo", 4}, .id = {{1}}, .partitions = &partition, .partitions_count = 1};
  push(e, KOP_EVENT_NODES, &nodes, sizeof nodes);
  push(e, KOP_EVENT_TOPIC, &topic, sizeof topic);
  for (;;) {
    kop_host_pump(host, now());
    uint64_t deadline = kop_engine_deadline(e), mono = now().mono_ns;
    uint64_t wait = deadline <= mono ? 0 : (deadline - mono) / 1000000 + 1;
    if (poll(fds, open_fds, deadline == UINT64_MAX || wait > 1000 ? 1000 : (int)wait) < 0) return 1;
    kop_engine_tick(e, now());
    for (nfds_t i = open_fds; i-- > 1;) {
      if (fds[i].revents != 0) receive(e, i);
    }
    if (fds[0].revents != 0) accept_one(e);
  }
}
