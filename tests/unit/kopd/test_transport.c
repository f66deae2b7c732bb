/* The transport between real sockets and an engine that only remembers. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "fake_engine.h"
#include "log.h"
#include "support/rng.h"
#include "transport.h"

static uv_loop_t loop;
static kopd_transport *transport;
static kop_engine *engine;
static uint16_t port;

static void on_changed(void *user_data) {
  (void)user_data;
}

static void start(uint32_t max_connections, uint32_t per_ip) {
  char err[256] = "";
  kopd_address address = {"127.0.0.1", 0};
  engine = calloc(1, sizeof *engine);
  kopd_log_set_level(0);
  uv_loop_init(&loop);
  transport = kopd_transport_new(&(kopd_transport_config){
      .loop = &loop,
      .node_id = 1,
      .max_connections = max_connections,
      .max_connections_per_ip = per_ip,
      .changed = on_changed,
  });
  cr_assert_not_null(transport);
  cr_assert_eq(kopd_transport_listen(transport, 0, &address, &port, err, sizeof err), 0, "%s", err);
  kopd_transport_serve(transport, engine);
}

static void finish(void) {
  kopd_transport_stop_listening(transport);
  kopd_transport_close_all(transport);
  uv_run(&loop, UV_RUN_DEFAULT);
  cr_assert_eq(kopd_transport_connections(transport), 0);
  cr_assert_eq(engine->opened, engine->closed);
  cr_assert_eq(uv_loop_close(&loop), 0);
  kopd_transport_free(transport);
  free(engine);
}

static int client(void) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
  return fd;
}

/* A client whose connection the engine has. */
static int accepted_client(void) {
  uint64_t before = engine->opened;
  int fd = client();
  while (engine->opened == before)
    uv_run(&loop, UV_RUN_ONCE);
  return fd;
}

static kop_effect conn_effect(uint32_t kind, const kop_conn_effect *body) {
  return (kop_effect){.kind = kind, .body = body, .body_size = sizeof *body};
}

static void send_slices(uint64_t token, uint64_t context, const kop_slice *slices, uint32_t count,
                        kop_send *body) {
  *body =
      (kop_send){.size = sizeof *body, .slices_count = count, .slices = slices, .context = context};
  for (uint32_t i = 0; i < count; i++)
    body->bytes += slices[i].len;
  kop_effect effect = {
      .kind = KOP_EFFECT_SEND, .token = token, .body = body, .body_size = sizeof *body};
  kopd_transport_effect(transport, &effect);
}

Test(transport, bytes_land_where_the_engine_said) {
  start(10, UINT32_MAX);
  int fd = accepted_client();
  char out[5000];
  for (size_t i = 0; i < sizeof out; i++)
    out[i] = (char)(i * 7);
  cr_assert_eq(write(fd, out, sizeof out), (ssize_t)sizeof out);
  while (engine->conns[0].received_len < sizeof out)
    uv_run(&loop, UV_RUN_ONCE);
  cr_assert_eq(memcmp(engine->conns[0].received, out, sizeof out), 0);
  close(fd);
  while (engine->closed == 0)
    uv_run(&loop, UV_RUN_ONCE);
  finish();
}

/* Between what the client has and all there is; told at most every 100 ms, so this clock runs ahead. */
static void check_report(uint64_t got, uint64_t total) {
  static kop_now now;
  if (engine->completions > 0) return;
  uint64_t before = engine->sent_bytes;
  uint64_t reports = engine->reports;
  now.mono_ns += 100000000;
  kopd_transport_report(transport, now);
  kopd_transport_report(transport, now);
  cr_assert_eq(engine->reports, reports + 1);
  cr_assert_eq(engine->sent_token, 42);
  cr_assert_geq(engine->sent_bytes, before);
  cr_assert_geq(engine->sent_bytes, got);
  cr_assert_leq(engine->sent_bytes, total);
}

Test(transport, a_send_of_any_shape_arrives_whole) {
  enum { COUNT = 30000 }; /* some 24 MB: more than the buffers of both sockets grow to */
  static kop_slice slices[COUNT];
  static uint8_t pool[4000];
  uint64_t rng = 1;
  kop_send body;
  start(10, UINT32_MAX);
  int fd = accepted_client();
  for (size_t i = 0; i < sizeof pool; i++)
    pool[i] = (uint8_t)rng_next(&rng);
  size_t total = 0;
  for (size_t i = 0; i < COUNT; i++) {
    size_t len = i % 5 == 0 ? 0 : rng_below(&rng, 2000);
    slices[i] = (kop_slice){pool + rng_below(&rng, 2000), len};
    total += len;
  }
  send_slices(42, engine->conns[0].context, slices, COUNT, &body);
  cr_assert_eq(engine->completions, 0, "more than a socket holds cannot have left yet");
  /* The client reads in odd pieces and compares as it goes. */
  size_t got = 0;
  size_t slice = 0;
  size_t offset = 0;
  while (got < total) {
    uint8_t in[7777];
    ssize_t n = recv(fd, in, sizeof in, MSG_DONTWAIT);
    if (n < 0) {
      cr_assert_eq(errno, EAGAIN);
      uv_run(&loop, UV_RUN_NOWAIT);
      check_report(got, total);
      continue;
    }
    for (ssize_t i = 0; i < n; i++) {
      while (offset == slices[slice].len) {
        slice++;
        offset = 0;
      }
      cr_assert_eq(in[i], slices[slice].ptr[offset++], "byte %zu", got);
      got++;
    }
  }
  while (engine->completions == 0)
    uv_run(&loop, UV_RUN_NOWAIT);
  cr_assert_eq(engine->completions, 1);
  cr_assert_eq(engine->last.token, 42);
  cr_assert_eq(engine->last.outcome, KOP_DONE);
  close(fd);
  finish();
}

static const uint8_t *megabytes(void) {
  static uint8_t bytes[8 << 20];
  return bytes;
}

Test(transport, a_send_to_a_client_that_goes_is_cancelled_once) {
  kop_send body;
  start(10, UINT32_MAX);
  int fd = accepted_client();
  kop_slice slice = {megabytes(), 8 << 20};
  send_slices(7, engine->conns[0].context, &slice, 1, &body);
  cr_assert_eq(engine->completions, 0);
  close(fd);
  while (engine->completions == 0 || engine->closed == 0)
    uv_run(&loop, UV_RUN_ONCE);
  cr_assert_eq(engine->last.token, 7);
  cr_assert_eq(engine->last.outcome, KOP_CANCELLED);
  finish();
}

Test(transport, close_cancels_what_is_being_sent) {
  kop_send body;
  start(10, UINT32_MAX);
  int fd = accepted_client();
  kop_slice slice = {megabytes(), 8 << 20};
  send_slices(7, engine->conns[0].context, &slice, 1, &body);
  kop_conn_effect about = {.size = sizeof about, .context = engine->conns[0].context};
  kop_effect effect = conn_effect(KOP_EFFECT_CLOSE, &about);
  kopd_transport_effect(transport, &effect);
  kopd_transport_effect(transport, &effect); /* a second time is nothing */
  uv_run(&loop, UV_RUN_NOWAIT);
  uv_run(&loop, UV_RUN_NOWAIT);
  cr_assert_eq(engine->completions, 1);
  cr_assert_eq(engine->last.outcome, KOP_CANCELLED);
  cr_assert_eq(engine->closed, 1);
  close(fd);
  finish();
}

Test(transport, an_effect_for_a_gone_connection_does_not_meet_the_next) {
  kop_send body;
  start(10, UINT32_MAX);
  int fd = accepted_client();
  uint64_t old = engine->conns[0].context;
  close(fd);
  while (kopd_transport_connections(transport) > 0)
    uv_run(&loop, UV_RUN_ONCE);
  fd = accepted_client();
  cr_assert_eq((uint32_t)engine->conns[1].context, (uint32_t)old, "the slot is used again");
  cr_assert_neq(engine->conns[1].context, old);
  kop_slice slice = {(const uint8_t *)"x", 1};
  send_slices(9, old, &slice, 1, &body);
  cr_assert_eq(engine->completions, 1);
  cr_assert_eq(engine->last.outcome, KOP_CANCELLED);
  kop_conn_effect about = {.size = sizeof about, .context = old};
  kop_effect effect = conn_effect(KOP_EFFECT_CLOSE, &about);
  kopd_transport_effect(transport, &effect);
  cr_assert(engine->conns[1].open);
  about.context = UINT64_MAX;
  kopd_transport_effect(transport, &effect);
  char byte = 0;
  cr_assert_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
  close(fd);
  finish();
}

Test(transport, pause_stops_reading_and_resume_goes_on) {
  start(10, UINT32_MAX);
  int fd = accepted_client();
  kop_conn_effect about = {.size = sizeof about, .context = engine->conns[0].context};
  kop_effect pause = conn_effect(KOP_EFFECT_RECV_PAUSE, &about);
  kop_effect resume = conn_effect(KOP_EFFECT_RECV_RESUME, &about);
  kopd_transport_effect(transport, &pause);
  cr_assert_eq(write(fd, "abc", 3), 3);
  for (int i = 0; i < 10; i++)
    uv_run(&loop, UV_RUN_NOWAIT);
  cr_assert_eq(engine->conns[0].received_len, 0);
  kopd_transport_effect(transport, &resume);
  kopd_transport_effect(transport, &resume); /* a second time is nothing */
  while (engine->conns[0].received_len < 3)
    uv_run(&loop, UV_RUN_ONCE);
  /* Without the effect, a capacity of 0 stops it as well. */
  engine->conns[0].cap = 0;
  cr_assert_eq(write(fd, "abc", 3), 3);
  for (int i = 0; i < 10; i++)
    uv_run(&loop, UV_RUN_NOWAIT);
  cr_assert_eq(engine->conns[0].received_len, 3);
  engine->conns[0].cap = 1000;
  kopd_transport_effect(transport, &resume);
  while (engine->conns[0].received_len < 6)
    uv_run(&loop, UV_RUN_ONCE);
  close(fd);
  finish();
}

/* Whether the server has closed; turns the loop until the client can tell. */
static int turned_away(int fd) {
  char byte = 0;
  for (;;) {
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno == ECONNRESET)) return 1;
    if (n > 0) return 0;
    uv_run(&loop, UV_RUN_NOWAIT);
  }
}

Test(transport, limits_turn_away_and_let_in_again) {
  start(2, UINT32_MAX);
  int first = accepted_client();
  int second = accepted_client();
  int third = client();
  cr_assert(turned_away(third));
  cr_assert_eq(kopd_transport_refused(transport), 1);
  cr_assert_eq(engine->opened, 2);
  close(first);
  while (kopd_transport_connections(transport) > 1)
    uv_run(&loop, UV_RUN_ONCE);
  first = accepted_client();
  close(first);
  close(second);
  close(third);
  finish();
}

Test(transport, one_address_has_its_own_limit) {
  start(10, 1);
  int first = accepted_client();
  int second = client();
  cr_assert(turned_away(second));
  close(first);
  close(second);
  finish();
}

Test(transport, what_the_engine_refuses_is_closed) {
  start(10, UINT32_MAX);
  engine->admit = KOP_ERR_LIMIT;
  int fd = client();
  cr_assert(turned_away(fd));
  cr_assert_eq(kopd_transport_refused(transport), 1);
  close(fd);
  finish();
}
