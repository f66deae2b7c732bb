/*
 * A Kafka broker on a list in memory: kop/host.h, sixty lines of storage, and a poll(2) loop.
 *
 *   list_broker 9092 &    echo hello | kcat -b 127.0.0.1:9092 -t demo -P    kcat -b 127.0.0.1:9092 -t demo -C -e
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <kop/kop.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 64, BATCHES = 100000, READ_BATCHES = 256, KAFKA_STORAGE_ERROR = 56 };

/* ---- the storage: batches in the order of their offsets ---- */

static struct {
  kop_slice bytes;
  int64_t base_offset, max_timestamp;
} list[BATCHES];
static size_t batches;
static int64_t end_offset;

static int32_t on_acquire(void *ud, const kop_effect *effect, kop_host_answer *a) {
  (void)ud, (void)effect;
  a->acquired.epoch = 1;
  a->acquired.lease_mono_ns = UINT64_MAX; /* nobody else can lead it */
  return KOP_HOST_ANSWERED;
}

static int32_t on_append(void *ud, const kop_effect *effect, kop_host_answer *a) {
  (void)ud;
  const kop_append *append = effect->body;
  uint8_t *copy = batches < BATCHES ? malloc(append->bytes) : NULL;
  if (copy == NULL) {
    a->outcome = KOP_REJECTED;
    a->kafka_error = KAFKA_STORAGE_ERROR;
    return KOP_HOST_ANSWERED;
  }
  list[batches].bytes = (kop_slice){copy, append->bytes};
  list[batches].base_offset = a->appended.base_offset = end_offset;
  list[batches++].max_timestamp = append->max_timestamp;
  end_offset += append->count;
  for (uint32_t i = 0; i < append->slices_count; copy += append->slices[i++].len) {
    memcpy(copy, append->slices[i].ptr, append->slices[i].len);
  }
  return KOP_HOST_ANSWERED;
}

static int32_t on_read(void *ud, const kop_effect *effect, kop_host_answer *a) {
  (void)ud;
  static kop_read_batch found[READ_BATCHES];
  const kop_read *read = effect->body;
  uint64_t bytes = 0;
  a->flags = KOP_COMPLETION_LENT; /* the list never frees a batch */
  a->read.batches = found;
  a->read.next_offset = end_offset;
  for (size_t i = 0; i < batches && list[i].base_offset < read->end; i++) {
    int64_t next = i + 1 < batches ? list[i + 1].base_offset : end_offset;
    if (next <= read->offset) continue;
    bytes += list[i].bytes.len;
    if (a->read.batches_count == READ_BATCHES ||
        (a->read.batches_count > 0 && bytes > read->max_bytes))
      break;
    found[a->read.batches_count++] = (kop_read_batch){list[i].base_offset, &list[i].bytes, 1, 0};
    a->read.next_offset = next;
  }
  return KOP_HOST_ANSWERED;
}

static int32_t on_list_offsets(void *ud, const kop_effect *effect, kop_host_answer *a) {
  (void)ud;
  const kop_list_offsets *ask = effect->body;
  int64_t least = ask->what == KOP_LIST_BY_TIME ? ask->timestamp : INT64_MIN;
  a->outcome = KOP_NOT_FOUND;
  for (size_t i = 0; i < batches; i++) {
    if (a->outcome == KOP_DONE && ask->what == KOP_LIST_BY_TIME) break;
    if (list[i].max_timestamp < least || (a->outcome == KOP_DONE && list[i].max_timestamp == least))
      continue;
    a->outcome = KOP_DONE;
    a->listed.base_offset = list[i].base_offset;
    a->listed.max_timestamp = least = list[i].max_timestamp;
  }
  return KOP_HOST_ANSWERED;
}

/* ---- the sockets; a connection's context is its socket ---- */

static struct pollfd fds[CONNECTIONS] = {{.fd = -1}};
static uint64_t ids[CONNECTIONS];
static nfds_t open_fds = 1;

static int32_t on_send(void *ud, const kop_effect *effect, kop_host_answer *a) {
  (void)ud;
  const kop_send *reply = effect->body;
  for (uint32_t i = 0; i < reply->slices_count && a->outcome == KOP_DONE; i++) {
    const uint8_t *at = reply->slices[i].ptr, *end = at + reply->slices[i].len;
    while (at < end && a->outcome == KOP_DONE) {
      ssize_t n = send((int)reply->context, at, (size_t)(end - at), MSG_NOSIGNAL);
      if (n > 0) at += n;
      if (n <= 0) a->outcome = KOP_CANCELLED; /* poll sees it too, and closes */
    }
  }
  return KOP_HOST_ANSWERED;
}

static void on_close(void *ud, const kop_effect *effect) {
  (void)ud;
  shutdown((int)((const kop_conn_effect *)effect->body)->context, SHUT_RDWR);
}

static void on_flow(void *ud, const kop_effect *effect) {
  (void)ud;
  for (nfds_t i = 1; i < open_fds; i++) {
    if (ids[i] == effect->target)
      fds[i].events = effect->kind == KOP_EFFECT_RECV_PAUSE ? 0 : POLLIN;
  }
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
  bool room = fd >= 0 && open_fds < CONNECTIONS;
  if (room && kop_engine_conn_open(e, &info, now(), &ids[open_fds]) == KOP_OK) {
    fds[open_fds++] = (struct pollfd){.fd = fd, .events = POLLIN};
  } else if (fd >= 0) {
    close(fd);
  }
}

static void receive(kop_engine *e, nfds_t i) {
  uint8_t *at;
  size_t room;
  if (kop_engine_recv_buffer(e, ids[i], &at, &room) != KOP_OK || room == 0) room = 0;
  ssize_t n = room > 0 ? recv(fds[i].fd, at, room, 0) : 0;
  if (n > 0) {
    kop_engine_recv_commit(e, ids[i], (size_t)n, now());
  } else if (room > 0 || (fds[i].revents & (POLLHUP | POLLERR)) != 0) {
    kop_engine_conn_closed(e, ids[i], now());
    close(fds[i].fd);
    fds[i] = fds[--open_fds];
    ids[i] = ids[open_fds];
  }
}

static void push(kop_engine *e, uint32_t kind, const void *body, uint32_t size) {
  kop_event event = {.size = sizeof event, .kind = kind, .body = body, .body_size = size};
  kop_engine_push(e, &event, now());
}

int main(int argc, char **argv) {
  int port = argc > 1 ? atoi(argv[1]) : 9092;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
  fds[0] = (struct pollfd){.fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN};
  setsockopt(fds[0].fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  if (bind(fds[0].fd, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(fds[0].fd, 16) != 0)
    return 1;
  kop_host_ops ops = {.size = sizeof ops,
                      .send = on_send,
                      .close = on_close,
                      .recv_pause = on_flow,
                      .recv_resume = on_flow,
                      .acquire = on_acquire,
                      .append = on_append,
                      .read = on_read,
                      .list_offsets = on_list_offsets};
  kop_engine_config config;
  kop_host *host;
  kop_engine_config_init(&config, sizeof config);
  if (kop_host_new(&ops, &config, now(), &host) != KOP_OK) return 1;
  kop_engine *e = kop_host_engine(host);
  kop_endpoint self = {.host = {(const uint8_t *)"127.0.0.1", 9}, .port = port};
  kop_nodes nodes = {.size = sizeof nodes, .endpoints = &self, .endpoints_count = 1};
  kop_topic_partition partition = {.id = 1};
  kop_topic topic = {.size = sizeof topic,
                     .name = {(const uint8_t *)"demo", 4},
                     .id = {{1}},
                     .partitions = &partition,
                     .partitions_count = 1};
  push(e, KOP_EVENT_NODES, &nodes, sizeof nodes);
  push(e, KOP_EVENT_TOPIC, &topic, sizeof topic);
  for (;;) {
    kop_host_pump(host, now());
    uint64_t deadline = kop_engine_deadline(e), mono = now().mono_ns;
    uint64_t wait_ms = deadline <= mono ? 0 : (deadline - mono) / 1000000 + 1;
    if (poll(fds, open_fds, wait_ms > 1000 ? 1000 : (int)wait_ms) < 0) return 1;
    kop_engine_tick(e, now());
    for (nfds_t i = open_fds; i-- > 1;) {
      if (fds[i].revents != 0) receive(e, i);
    }
    if (fds[0].revents != 0) accept_one(e);
  }
}
