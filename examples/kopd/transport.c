/*
 * Listening sockets, limits on connections, and the table from an effect's context to its
 * connection; see transport.h.
 */
#include "conn.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "listen.h"
#include "listeners.h"
#include "log.h"

/*
 * A context is slot | generation << 32. The generation counts the slot's tenants, so that an effect
 * drained after its connection has closed never meets the next one.
 */
typedef struct slot {
  kopd_conn *conn;
  uint32_t generation;
  uint32_t next_free; /* slot index + 1; 0: end of the list */
} slot;

typedef struct listening {
  uv_tcp_t tcp;
  kopd_transport *transport;
  uint32_t listener;
  uint32_t shed_again; /* a connection waits for `shed` to be free */
  uv_tcp_t shed;       /* accepts what there is no memory for, to close it */
} listening;

struct kopd_transport {
  kopd_transport_config config;
  kop_engine *engine;
  listening listening[KOPD_LISTENERS_MAX];
  uint32_t listening_count;
  int spare_fd; /* closed to make room for one accept when the process is out of descriptors */
  slot *slots;
  uint32_t slots_count;
  uint32_t free_slot; /* index + 1 */
  uint32_t connections;
  uint64_t refused;
  uint64_t refused_logged_ns; /* one line a second says so */
  uint64_t refused_since;
  uint64_t reported_ns;
};

/* Timers of long polls fire all the time, and the table may be long. */
enum { REPORT_EVERY_NS = 100000000 };

kop_engine *kopd_transport_engine(kopd_transport *t) {
  return t->engine;
}

void kopd_transport_changed(kopd_transport *t) {
  t->config.changed(t->config.user_data);
}

int32_t kopd_transport_node(const kopd_transport *t) {
  return t->config.node_id;
}

uint32_t kopd_transport_connections(const kopd_transport *t) {
  return t->connections;
}

uint64_t kopd_transport_refused(const kopd_transport *t) {
  return t->refused;
}

kopd_transport *kopd_transport_new(const kopd_transport_config *config) {
  kopd_transport *t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  t->config = *config;
  t->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return t;
}

void kopd_transport_free(kopd_transport *t) {
  if (t == NULL) return;
  if (t->spare_fd >= 0) close(t->spare_fd);
  free(t->slots);
  free(t);
}

void kopd_transport_serve(kopd_transport *t, kop_engine *engine) {
  t->engine = engine;
}

/* Takes a free slot for the connection; -1 if memory is refused. */
static int take_slot(kopd_transport *t, kopd_conn *c) {
  if (t->free_slot == 0) {
    uint32_t count = t->slots_count == 0 ? 16 : t->slots_count * 2;
    slot *slots = realloc(t->slots, count * sizeof *slots);
    if (slots == NULL) return -1;
    for (uint32_t i = t->slots_count; i < count; i++)
      slots[i] = (slot){.next_free = i + 1 < count ? i + 2 : 0};
    t->free_slot = t->slots_count + 1;
    t->slots = slots;
    t->slots_count = count;
  }
  c->slot = t->free_slot - 1;
  slot *s = &t->slots[c->slot];
  t->free_slot = s->next_free;
  s->conn = c;
  s->generation++;
  t->connections++;
  return 0;
}

void kopd_transport_forget(kopd_transport *t, kopd_conn *c) {
  slot *s = &t->slots[c->slot];
  s->conn = NULL;
  s->next_free = t->free_slot;
  t->free_slot = c->slot + 1;
  t->connections--;
  kopd_transport_changed(t);
}

static kopd_conn *find(kopd_transport *t, uint64_t context) {
  uint32_t index = (uint32_t)context;
  if (index >= t->slots_count || t->slots[index].generation != (uint32_t)(context >> 32))
    return NULL;
  return t->slots[index].conn;
}

/* One line a second at most, with a count: this is where a flood of connections ends. */
static void refuse(kopd_transport *t, const char *peer, const char *why) {
  uint64_t now = kopd_now().mono_ns;
  t->refused++;
  t->refused_since++;
  if (now - t->refused_logged_ns < 1000000000u && t->refused_logged_ns != 0) return;
  kopd_log_line(KOP_LOG_WARN, t->config.node_id,
                "connection from %s refused: %s (%llu refused since the last such line)", peer, why,
                (unsigned long long)t->refused_since);
  t->refused_logged_ns = now;
  t->refused_since = 0;
}

int kopd_conn_peer(kopd_conn *c, char *text, size_t cap) {
  struct sockaddr_storage address;
  int len = sizeof address;
  if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&address, &len) != 0) return -1;
  char host[64] = "";
  uint16_t port = 0;
  if (address.ss_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
    memcpy(c->address, &in6->sin6_addr, 16);
    uv_ip6_name(in6, host, sizeof host);
    port = ntohs(in6->sin6_port);
  } else {
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)&address;
    c->address[10] = c->address[11] = 0xff;
    memcpy(c->address + 12, &in4->sin_addr, 4);
    uv_ip4_name(in4, host, sizeof host);
    port = ntohs(in4->sin_port);
  }
  kopd_address_text(host, port, text, cap);
  return 0;
}

/*
 * Counts by walking the table: the limit is off by default, and a table of thousands is walked in
 * microseconds.
 */
static uint32_t connections_from(const kopd_transport *t, const uint8_t *address) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < t->slots_count; i++) {
    const kopd_conn *c = t->slots[i].conn;
    n += c != NULL && c->open && memcmp(c->address, address, sizeof c->address) == 0;
  }
  return n;
}

/* Lets the engine know of an accepted connection, or says why not. */
static const char *admit(kopd_transport *t, kopd_conn *c, uint32_t listener, const char *peer) {
  if (t->connections > t->config.max_connections) return "max.connections reached";
  if (t->config.max_connections_per_ip != UINT32_MAX &&
      connections_from(t, c->address) >= t->config.max_connections_per_ip)
    return "max.connections.per.ip reached";
  kop_conn_info info = {
      .size = sizeof info,
      .context = (uint64_t)t->slots[c->slot].generation << 32 | c->slot,
      .listener = listener,
      .peer = {(const uint8_t *)peer, strlen(peer)},
  };
  switch (kop_engine_conn_open(t->engine, &info, kopd_now(), &c->id)) {
  case KOP_OK:
    c->open = 1;
    return NULL;
  case KOP_ERR_LIMIT:
    return "max.connections reached";
  case KOP_ERR_STATE:
    return "the node is stopping";
  default:
    return "no memory";
  }
}

/* Accepts and closes one connection with the spare descriptor, so that the backlog moves on. */
static void shed_one(kopd_transport *t, uv_stream_t *server) {
  int fd = -1;
  if (t->spare_fd >= 0) close(t->spare_fd);
  if (uv_fileno((uv_handle_t *)server, &fd) == 0) {
    int accepted = accept(fd, NULL, NULL);
    if (accepted >= 0) close(accepted);
  }
  t->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  refuse(t, "a client", "the process is out of file descriptors");
}

static void on_connection(uv_stream_t *server, int status);

static void on_shed(uv_handle_t *handle) {
  listening *l = handle->data;
  l->shed.data = NULL;
  if (l->shed_again && !uv_is_closing((uv_handle_t *)&l->tcp)) {
    l->shed_again = 0;
    on_connection((uv_stream_t *)&l->tcp, 0);
  }
}

/*
 * libuv accepts nothing more until uv_accept takes what it has, so that needs a handle that is
 * always there.
 */
static void shed_without_memory(listening *l) {
  if (l->shed.data != NULL) {
    l->shed_again = 1;
    return;
  }
  uv_tcp_init(l->transport->config.loop, &l->shed);
  l->shed.data = l;
  uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)&l->shed);
  uv_close((uv_handle_t *)&l->shed, on_shed);
  refuse(l->transport, "a client", "no memory");
}

static void on_connection(uv_stream_t *server, int status) {
  listening *l = server->data;
  kopd_transport *t = l->transport;
  char peer[96] = "?";
  if (status == UV_EMFILE || status == UV_ENFILE) {
    shed_one(t, server);
    return;
  }
  if (status != 0) return; /* the client was gone before it was accepted */
  kopd_conn *c = calloc(1, sizeof *c);
  if (c == NULL || take_slot(t, c) != 0) {
    free(c);
    shed_without_memory(l);
    return;
  }
  c->transport = t;
  c->tcp.data = c;
  uv_tcp_init(t->config.loop, &c->tcp); /* makes no socket, so it cannot fail */
  if (uv_accept(server, (uv_stream_t *)&c->tcp) != 0 || kopd_conn_peer(c, peer, sizeof peer) != 0) {
    kopd_conn_close(c);
    return;
  }
  const char *why = admit(t, c, l->listener, peer);
  if (why != NULL) {
    refuse(t, peer, why);
    kopd_conn_close(c);
    return;
  }
  uv_tcp_nodelay(&c->tcp, 1);
  uv_tcp_keepalive(&c->tcp, 1, 60);
  kopd_conn_start(c);
  kopd_transport_changed(t);
}

int kopd_transport_listen(kopd_transport *t, uint32_t listener, const kopd_address *address,
                          uint16_t *port, char *err, size_t errcap) {
  listening *l = &t->listening[t->listening_count++];
  *l = (listening){.transport = t, .listener = listener};
  l->tcp.data = l;
  return kopd_listen(t->config.loop, &l->tcp, address, 1024, on_connection, port, err, errcap);
}

void kopd_transport_stop_listening(kopd_transport *t) {
  for (uint32_t i = 0; i < t->listening_count; i++) {
    if (!uv_is_closing((uv_handle_t *)&t->listening[i].tcp))
      uv_close((uv_handle_t *)&t->listening[i].tcp, NULL);
  }
}

void kopd_transport_close_all(kopd_transport *t) {
  for (uint32_t i = 0; i < t->slots_count; i++) {
    if (t->slots[i].conn != NULL) kopd_conn_close(t->slots[i].conn);
  }
}

void kopd_transport_sent(kopd_transport *t, uint64_t token, int32_t outcome) {
  kop_completion done = {.token = token, .outcome = outcome};
  kop_engine_complete(t->engine, &done, sizeof done, 1, kopd_now());
  kopd_transport_changed(t);
}

void kopd_transport_report(kopd_transport *t, kop_now now) {
  if (now.mono_ns - t->reported_ns < REPORT_EVERY_NS) return;
  t->reported_ns = now.mono_ns;
  for (uint32_t i = 0; i < t->slots_count; i++) {
    if (t->slots[i].conn != NULL) kopd_conn_report(t->slots[i].conn, now);
  }
}

void kopd_transport_effect(kopd_transport *t, const kop_effect *effect) {
  const kop_conn_effect *about = effect->body;
  if (effect->kind == KOP_EFFECT_SEND) {
    kopd_conn *to = find(t, ((const kop_send *)effect->body)->context);
    if (to != NULL && to->open)
      kopd_conn_send(to, effect);
    else
      kopd_transport_sent(t, effect->token, KOP_CANCELLED);
    return;
  }
  kopd_conn *c = find(t, about->context);
  if (c == NULL) return;
  if (effect->kind == KOP_EFFECT_CLOSE)
    kopd_conn_close(c);
  else if (effect->kind == KOP_EFFECT_RECV_PAUSE)
    kopd_conn_pause(c);
  else
    kopd_conn_start(c);
}
