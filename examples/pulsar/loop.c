/* The sockets and the timer of a Pulsar session, by libuv. */
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

typedef struct conn {
  uv_tcp_t tcp; /* first: libuv's handle is the conn */
  uv_connect_t connect;
  uv_write_t write;
  uint64_t id; /* 0: not in use */
  int error;   /* what ended it */
} conn;

static conn conns[16]; /* the session's max_connections */
static kop_pulsar_session *session;
static int exit_status;

kop_now pulsar_now(void) {
  uv_timeval64_t wall;
  uv_gettimeofday(&wall);
  return (kop_now){uv_hrtime(), wall.tv_sec * 1000 + wall.tv_usec / 1000};
}

kop_slice text_slice(const char *text) {
  return (kop_slice){(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
}

void pulsar_failed(const char *why, kop_slice what) {
  fprintf(stderr, "%s: %.*s\n", why, what.len < 200 ? (int)what.len : 200, (const char *)what.ptr);
  exit_status = 1;
}

static void on_closed(uv_handle_t *handle) {
  conn *c = (conn *)handle;
  kop_pulsar_closed(session, c->id, text_slice(uv_strerror(c->error)), pulsar_now());
  c->id = 0;
}

/* Ends the connection if a step of it has failed. */
static void check(conn *c, int error) {
  if (error == 0 || uv_is_closing((uv_handle_t *)c)) return;
  c->error = error;
  uv_close((uv_handle_t *)c, on_closed);
}

static void on_space(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)suggested;
  kop_pulsar_recv_buffer(session, ((conn *)handle)->id, (uint8_t **)&buf->base, &buf->len);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  (void)buf;
  if (n > 0) kop_pulsar_recv_commit(session, ((conn *)stream)->id, (size_t)n, pulsar_now());
  if (n < 0) check((conn *)stream, (int)n);
}

static void on_connected(uv_connect_t *request, int error) {
  conn *c = (conn *)request->handle;
  if (error == 0) error = uv_read_start(request->handle, on_space, on_read);
  if (error == 0) kop_pulsar_connected(session, c->id, pulsar_now());
  check(c, error);
}

static void connect_to(conn *c, const kop_pulsar_address *to) {
  char host[256], port[8];
  uv_getaddrinfo_t at = {0};
  snprintf(host, sizeof host, "%.*s", (int)to->host.len, (const char *)to->host.ptr);
  snprintf(port, sizeof port, "%u", to->port);
  uv_tcp_init(uv_default_loop(), &c->tcp);
  int error = to->tls ? UV_EPROTONOSUPPORT : 0; /* TLS would begin here */
  if (error == 0) error = uv_getaddrinfo(uv_default_loop(), &at, NULL, host, port, NULL);
  if (error == 0) error = uv_tcp_connect(&c->connect, &c->tcp, at.addrinfo->ai_addr, on_connected);
  uv_freeaddrinfo(at.addrinfo);
  check(c, error);
}

static void on_written(uv_write_t *request, int error) {
  conn *c = (conn *)request->handle;
  if (error == 0) kop_pulsar_sent(session, c->id, pulsar_now());
  check(c, error);
}

static void send_out(conn *c, const kop_pulsar_output *output) {
  uv_buf_t *bufs = calloc(output->slices_count, sizeof *bufs);
  if (bufs == NULL) abort();
  for (uint32_t i = 0; i < output->slices_count; i++)
    bufs[i] = (uv_buf_t){(char *)(uintptr_t)output->slices[i].ptr, output->slices[i].len};
  check(c, uv_write(&c->write, (uv_stream_t *)c, bufs, output->slices_count, on_written));
  free(bufs); /* uv_write has copied it; the bytes stay where they are until on_written */
}

static void act(const kop_pulsar_effect *effect) {
  conn *c = conns;
  while (c->id != (effect->kind == KOP_PULSAR_CONNECT ? 0 : effect->target))
    c++;
  c->id = effect->target;
  if (effect->kind == KOP_PULSAR_CONNECT) connect_to(c, effect->body);
  if (effect->kind == KOP_PULSAR_SEND) send_out(c, effect->body);
  if (effect->kind == KOP_PULSAR_CLOSE) check(c, UV_ECANCELED);
  if (effect->kind == KOP_PULSAR_RECV_PAUSE) uv_read_stop((uv_stream_t *)c);
  if (effect->kind == KOP_PULSAR_RECV_RESUME) uv_read_start((uv_stream_t *)c, on_space, on_read);
  /* KOP_PULSAR_AUTH_NEEDED: whose token can be renewed calls kop_pulsar_auth_answer() here */
}

static void on_timer(uv_timer_t *timer) {
  (void)timer;
  kop_pulsar_tick(session, pulsar_now());
}

kop_pulsar_session *pulsar_open(const char *url) {
  kop_pulsar_session_config config;
  kop_pulsar_session_config_init(&config, sizeof config);
  config.seed = uv_hrtime();
  config.service_url = text_slice(url);
  config.auth_data = text_slice(getenv("PULSAR_TOKEN"));
  config.auth_method = text_slice(config.auth_data.ptr == NULL ? NULL : "token");
  config.max_connections = sizeof conns / sizeof *conns;
  return kop_pulsar_session_new(&config, &session) == KOP_OK ? session : NULL;
}

int pulsar_run(void (*on_event)(kop_pulsar_session *session, const kop_pulsar_effect *event)) {
  uv_timer_t timer;
  uv_timer_init(uv_default_loop(), &timer);
  while (!kop_pulsar_is_idle(session)) {
    const kop_pulsar_effect *effects;
    for (size_t n; (n = kop_pulsar_drain(session, &effects)) > 0;)
      for (size_t i = 0; i < n; i++)
        effects[i].kind < KOP_PULSAR_CONN_READY ? act(&effects[i]) : on_event(session, &effects[i]);
    uint64_t due = kop_pulsar_deadline(session), now = uv_hrtime();
    uv_timer_start(&timer, on_timer, due > now ? (due - now) / 1000000 + 1 : 0, 0);
    uv_run(uv_default_loop(), UV_RUN_ONCE);
  }
  kop_pulsar_session_free(session);
  return exit_status;
}
