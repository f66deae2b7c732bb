/*
 * A Kafka broker on a list in memory: kop/host.h, fifty lines of storage, and a poll(2) loop.
 *
 *   list_broker 9092 & echo hello | kcat -P -b 127.0.0.1:9092 -t demo
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <kop/kop.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 64, BATCHES = 100000, KAFKA_STORAGE_ERROR = 56 };

/* ---- the storage: batches in the order of their offsets; the list never frees one ---- */

static kop_slice bytes[BATCHES];
static int64_t base[BATCHES + 1], newest[BATCHES]; /* base[batches] is the end offset */
static size_t batches;

static int32_t on_acquire(void *ud, const kop_effect *effect, kop_host_answer *a) {
  (void)ud, (void)effect;
  a->acquired.epoch = 1;
  a->acquired.lease_mono_ns = UINT64_MAX; /* nobody else can lead it */
  return KOP_HOST_ANSWERED;
}

static int32_t on_append(void *ud, const kop_effect *effect, kop_host_answer *a) {
  (void)ud;
  const kop_append *append = effect->body;
  uint8_t *at = batches < BATCHES ? malloc(append->bytes) : NULL;
  a->kafka_error = at == NULL ? KAFKA_STORAGE_ERROR : 0;
  if (at == NULL) return a->outcome = KOP_REJECTED, KOP_HOST_ANSWERED;
  bytes[batches] = (kop_slice){at, append->bytes};
  newest[batches] = append->max_timestamp;
  base[batches + 1] = base[batches] + append->count;
  a->appended.base_offset = base[batches++];
  for (uint32_t i = 0; i < append->slices_count; at += append->slices[i++].len) {
    memcpy(at, append->slices[i].ptr, append->slices[i].len);
  }
  return KOP_HOST_ANSWERED;
}

static int32_t on_read(void *ud, const kop_effect *effect, kop_host_answer *a) {
  (void)ud;
  static kop_read_batch found;
  size_t i = 0;
  while (i < batches && base[i + 1] <= ((const kop_read *)effect->body)->offset)
    i++;
  if (i == batches) return a->outcome = KOP_NOT_FOUND, KOP_HOST_ANSWERED;
  found = (kop_read_batch){base[i], &bytes[i], 1, 0}; /* one batch is enough */
  a->flags = KOP_COMPLETION_LENT;
  a->read.batches = &found;
  a->read.batches_count = 1;
  a->read.next_offset = base[i + 1];
  return KOP_HOST_ANSWERED;
}

static int32_t on_list_offsets(void *ud, const kop_effect *effect, kop_host_answer *a) {
  (void)ud;
  const kop_list_offsets *ask = effect->body;
  size_t best = batches;
  for (size_t i = batches; i-- > 0;) {
    int64_t least = best < batches ? newest[best] : INT64_MIN;
    if (ask->what == KOP_LIST_BY_TIME) least = ask->timestamp;
    if (newest[i] >= least) best = i;
  }
  if (best == batches) return a->outcome = KOP_NOT_FOUND, KOP_HOST_ANSWERED;
  a->listed.base_offset = base[best];
  a->listed.max_timestamp = newest[best];
  return KOP_HOST_ANSWERED;
}

/* ---- the sockets; the context of a connection is its socket ---- */

static int32_t on_send(void *ud, const kop_effect *effect, kop_host_answer *a) {
  (void)ud;
  const kop_send *reply = effect->body;
  for (uint32_t i = 0; i < reply->slices_count && a->outcome == KOP_DONE; i++) {
    kop_slice s = reply->slices[i]; /* a blocking socket takes all of it, or is broken */
    if (send((int)reply->context, s.ptr, s.len, MSG_NOSIGNAL) != (ssize_t)s.len)
      a->outcome = KOP_CANCELLED;
  }
  return KOP_HOST_ANSWERED;
}

static void on_conn(void *ud, const kop_effect *effect) {
  (void)ud; /* PAUSE and RESUME need nothing: the loop asks for a buffer before it reads */
  int fd = (int)((const kop_conn_effect *)effect->body)->context;
  if (effect->kind == KOP_EFFECT_CLOSE) shutdown(fd, SHUT_RDWR);
}

static kop_now now(void) {
  struct timespec mono, wall;
  clock_gettime(CLOCK_MONOTONIC, &mono);
  clock_gettime(CLOCK_REALTIME, &wall);
  return (kop_now){(uint64_t)mono.tv_sec * 1000000000u + (uint64_t)mono.tv_nsec,
                   (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000};
}

static void push(kop_engine *e, uint32_t kind, const void *body, uint32_t size) {
  kop_engine_push(e, &(kop_event){sizeof(kop_event), kind, body, size, 0}, now());
}

int main(int argc, char **argv) {
  uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 9092);
  struct sockaddr_in self = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
  struct pollfd fds[CONNECTIONS] = {{socket(AF_INET, SOCK_STREAM, 0), POLLIN, 0}};
  uint64_t ids[CONNECTIONS] = {0};
  nfds_t n = 1;
  setsockopt(fds[0].fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  if (bind(fds[0].fd, (struct sockaddr *)&self, sizeof self) || listen(fds[0].fd, 16)) return 1;
  kop_host_ops ops = {.size = sizeof ops, .send = on_send};
  ops.close = ops.recv_pause = ops.recv_resume = on_conn;
  ops.acquire = on_acquire, ops.append = on_append;
  ops.read = on_read, ops.list_offsets = on_list_offsets;
  kop_engine_config cfg;
  kop_host *host;
  if (kop_engine_config_init(&cfg, sizeof cfg) || kop_host_new(&ops, &cfg, now(), &host)) return 1;
  kop_engine *e = kop_host_engine(host);
  kop_endpoint node = {0, 0, {(const uint8_t *)"127.0.0.1", 9}, port, 0, {NULL, 0}};
  push(e, KOP_EVENT_NODES, &(kop_nodes){sizeof(kop_nodes), 0, &node, 1, 0}, sizeof(kop_nodes));
  kop_topic_partition part = {.id = 1};
  kop_topic topic = {sizeof topic, 0, {(const uint8_t *)"demo", 4}, {{1}}, &part, 1, 0, NULL};
  push(e, KOP_EVENT_TOPIC, &topic, sizeof topic);
  for (;;) {
    kop_host_pump(host, now());
    uint64_t wait = kop_engine_deadline(e) - now().mono_ns; /* wraps when the time has passed */
    poll(fds, n, wait > 1000000000u ? 10 : (int)(wait / 1000000u) + 1);
    kop_engine_tick(e, now());
    if (fds[0].revents != 0 && n < CONNECTIONS) {
      fds[n] = (struct pollfd){accept(fds[0].fd, NULL, NULL), POLLIN, 0};
      kop_conn_info info = {.size = sizeof info, .context = (uint64_t)fds[n].fd};
      if (kop_engine_conn_open(e, &info, now(), &ids[n]) == KOP_OK) n++;
    }
    for (nfds_t i = n; i-- > 1;) {
      uint8_t *at;
      size_t room;
      if (!fds[i].revents || kop_engine_recv_buffer(e, ids[i], &at, &room) || !room) continue;
      ssize_t got = recv(fds[i].fd, at, room, 0);
      if (got > 0 && kop_engine_recv_commit(e, ids[i], (size_t)got, now()) == KOP_OK) continue;
      kop_engine_conn_closed(e, ids[i], now());
      close(fds[i].fd);
      n--, fds[i] = fds[n], ids[i] = ids[n];
    }
  }
}
