/* The sockets and the timer of a Pulsar session, by libuv. */
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct conn {
  uv_tcp_t tcp; /* first: libuv's handle is the conn */
  uv_connect_t connect;
  uv_write_t write;
  struct conn *next;
  uint64_t id;
  int error; /* what ended it */
} conn;

static kop_pulsar_session *session;
static pulsar_event_fn *tell;
static uv_timer_t timer;
static conn *conns;

kop_now pulsar_now(void) {
  uv_timeval64_t wall;
  uv_gettimeofday(&wall);
  return (kop_now){uv_hrtime(), wall.tv_sec * 1000 + wall.tv_usec / 1000};
}

kop_slice text_slice(const char *text) {
  return (kop_slice){(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
}

static void on_closed(uv_handle_t *handle) {
  conn *c = (conn *)handle, **at = &conns;
  while (*at != c)
    at = &(*at)->next;
  *at = c->next;
  kop_pulsar_closed(session, c->id, text_slice(uv_strerror(c->error)), pulsar_now());
  free(c);
  pulsar_loop_turn();
}

static void end(conn *c, int error) {
  c->error = error;
  if (!uv_is_closing((uv_handle_t *)c)) uv_close((uv_handle_t *)c, on_closed);
}

static void on_space(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)suggested;
  kop_pulsar_recv_buffer(session, ((conn *)handle)->id, (uint8_t **)&buf->base, &buf->len);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  (void)buf;
  if (n >= 0) kop_pulsar_recv_commit(session, ((conn *)stream)->id, (size_t)n, pulsar_now());
  if (n < 0) end((conn *)stream, (int)n);
  pulsar_loop_turn();
}

static void on_connected(uv_connect_t *request, int error) {
  conn *c = (conn *)request->handle;
  if (error == 0) error = uv_read_start(request->handle, on_space, on_read);
  if (error == 0) kop_pulsar_connected(session, c->id, pulsar_now());
  if (error != 0) end(c, error);
  pulsar_loop_turn();
}

static void connect_to(uint64_t id, const kop_pulsar_address *address) {
  char host[256], port[8];
  uv_getaddrinfo_t found = {0};
  conn *c = calloc(1, sizeof *c);
  if (c == NULL) abort();
  *c = (conn){.next = conns, .id = id};
  conns = c;
  uv_tcp_init(uv_default_loop(), &c->tcp);
  snprintf(host, sizeof host, "%.*s", (int)address->host.len, (const char *)address->host.ptr);
  snprintf(port, sizeof port, "%u", address->port);
  int error = address->tls ? UV_EPROTONOSUPPORT : 0; /* TLS would begin here */
  if (error == 0) error = uv_getaddrinfo(uv_default_loop(), &found, NULL, host, port, NULL);
  if (error == 0)
    error = uv_tcp_connect(&c->connect, &c->tcp, found.addrinfo->ai_addr, on_connected);
  uv_freeaddrinfo(found.addrinfo);
  if (error != 0) end(c, error);
}

static void on_written(uv_write_t *request, int error) {
  conn *c = (conn *)request->handle;
  if (error != 0) end(c, error);
  if (error == 0) kop_pulsar_sent(session, c->id, pulsar_now());
  pulsar_loop_turn();
}

static void send_out(conn *c, const kop_pulsar_output *output) {
  uv_buf_t *bufs = calloc(output->slices_count, sizeof *bufs);
  if (bufs == NULL) abort();
  for (uint32_t i = 0; i < output->slices_count; i++)
    bufs[i] = (uv_buf_t){(char *)(uintptr_t)output->slices[i].ptr, output->slices[i].len};
  int error = uv_write(&c->write, (uv_stream_t *)c, bufs, output->slices_count, on_written);
  free(bufs); /* uv_write has copied it; the bytes stay where they are until on_written */
  if (error != 0) end(c, error);
}

static void act(const kop_pulsar_effect *effect) {
  conn *c = conns;
  while (c != NULL && c->id != effect->target)
    c = c->next;
  if (effect->kind == KOP_PULSAR_CONNECT) connect_to(effect->target, effect->body);
  if (effect->kind >= KOP_PULSAR_CONN_READY) tell(session, effect);
  if (effect->kind >= KOP_PULSAR_CONN_READY || c == NULL) return;
  if (effect->kind == KOP_PULSAR_SEND) send_out(c, effect->body);
  if (effect->kind == KOP_PULSAR_CLOSE) end(c, 0);
  if (effect->kind == KOP_PULSAR_RECV_PAUSE) uv_read_stop((uv_stream_t *)c);
  if (effect->kind == KOP_PULSAR_RECV_RESUME) uv_read_start((uv_stream_t *)c, on_space, on_read);
  if (effect->kind == KOP_PULSAR_AUTH_NEEDED)
    kop_pulsar_auth_answer(session, c->id, text_slice(getenv("PULSAR_TOKEN")), pulsar_now());
}

static void on_timer(uv_timer_t *handle) {
  (void)handle;
  kop_pulsar_tick(session, pulsar_now());
  pulsar_loop_turn();
}

void pulsar_loop_turn(void) {
  const kop_pulsar_effect *effects;
  for (size_t n; (n = kop_pulsar_drain(session, &effects)) > 0;)
    for (size_t i = 0; i < n; i++)
      act(&effects[i]);
  uint64_t due = kop_pulsar_deadline(session), now = uv_hrtime();
  uv_timer_stop(&timer);
  if (due == UINT64_MAX || kop_pulsar_is_idle(session)) return;
  uv_update_time(uv_default_loop());
  uv_timer_start(&timer, on_timer, due > now ? (due - now) / 1000000 + 1 : 0, 0);
}

kop_pulsar_session *pulsar_loop_open(const char *url, pulsar_event_fn *on_event) {
  kop_pulsar_session_config config;
  kop_pulsar_session_config_init(&config, sizeof config);
  config.seed = uv_hrtime();
  config.service_url = text_slice(url);
  config.auth_data = text_slice(getenv("PULSAR_TOKEN"));
  config.auth_method = text_slice(config.auth_data.ptr == NULL ? NULL : "token");
  tell = on_event;
  uv_timer_init(uv_default_loop(), &timer);
  return kop_pulsar_session_new(&config, &session) == KOP_OK ? session : NULL;
}

void pulsar_loop_run(void) {
  pulsar_loop_turn();
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  kop_pulsar_session_free(session);
}
