/* Connections: handshake, credentials, keep-alive, look-up, proxy, loss. */
#include <criterion/criterion.h>

#include "fake_broker.h"

static bool refuse_credentials(fb *f, const fb_command *c) {
  if (c->b->type != KOPI__BASE_COMMAND__TYPE__CONNECT) return false;
  fb_error(f, c->conn, UINT64_MAX, KOP_PULSAR_AUTHENTICATION_ERROR, "bad token");
  return true;
}

Test(session_conn, refused_credentials_end_what_is_opened) {
  fb f;
  fb_init(&f, NULL);
  f.script = refuse_credentials;
  fb_producer(&f, "t", KOP_PULSAR_SHARED);
  fb_expect(&f, "connect 2 svc:6650\n"
                "2 > CONNECT - for=-\n"
                "close 2 refused AuthenticationError bad token\n"
                "producer_closed 1 refused AuthenticationError bad token\n");
  fb_free(&f);
}

static void with_token(kop_pulsar_session_config *c) {
  fb_config(c);
  c->auth_method = fb_text("token");
  c->auth_data = fb_text("old");
}

Test(session_conn, a_challenge_is_answered_on_its_connection_and_kept) {
  kop_pulsar_session_config c;
  with_token(&c);
  fb f;
  fb_init(&f, &c);
  fb_reader(&f, "t", 0);
  fb_forget(&f);
  fb_challenge(&f, 3, "PulsarAuthRefresh");
  fb_expect(&f, "auth_needed 3 token PulsarAuthRefresh\n");
  cr_assert_eq(kop_pulsar_auth_answer(f.s, 2, fb_text("new"), f.now), KOP_ERR_STATE);
  cr_assert_eq(kop_pulsar_auth_answer(f.s, 99, fb_text("new"), f.now), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_pulsar_auth_answer(f.s, 3, fb_text("new"), f.now), KOP_OK);
  fb_expect(&f, "3 > AUTH_RESPONSE token=new\n");
  cr_assert_eq(kop_pulsar_auth_answer(f.s, 3, fb_text("new"), f.now), KOP_ERR_STATE);
  fb_drop_all(&f);
  fb_pass(&f, 1000);
  cr_assert(fb_saw(&f, " > CONNECT token=new for=-\n"));
  cr_assert(!fb_saw(&f, " > CONNECT token=old"));
  fb_free(&f);
}

/* Method and data as they go over the wire; what is given later counts from the next connection on. */
Test(session_conn, every_method_presents_its_credentials) {
  static const struct {
    const char *method, *data, *fresh, *first, *next;
  } cases[] = {
      {"token", "t1", "t2", " > CONNECT token=t1 for=-\n", " > CONNECT token=t2 for=-\n"},
      {"basic", "u:old", "u:new", " > CONNECT basic=u:old for=-\n",
       " > CONNECT basic=u:new for=-\n"},
      {"tls", NULL, "", " > CONNECT tls for=-\n", " > CONNECT tls= for=-\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kop_pulsar_session_config c;
    fb_config(&c);
    c.auth_method = fb_text(cases[i].method);
    if (cases[i].data != NULL) c.auth_data = fb_text(cases[i].data);
    fb f;
    fb_init(&f, &c);
    fb_reader(&f, "t", 0);
    cr_assert(fb_saw(&f, cases[i].first), "%zu", i);
    fb_forget(&f);
    cr_assert_eq(kop_pulsar_auth_update(f.s, fb_text(cases[i].fresh)), KOP_OK);
    fb_expect(&f, ""); /* an open connection stays as it is */
    fb_drop_all(&f);
    fb_pass(&f, 1000);
    cr_assert(fb_saw(&f, cases[i].next), "%zu", i);
    cr_assert_eq(fb_count(&f, " > CONNECT "), 2);
    fb_free(&f);
  }
}

static bool challenge_first(fb *f, const fb_command *c) {
  if (c->b->type == KOPI__BASE_COMMAND__TYPE__CONNECT) {
    fb_challenge(f, c->conn, "step");
    return true;
  }
  if (c->b->type != KOPI__BASE_COMMAND__TYPE__AUTH_RESPONSE) return false;
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandConnected m = KOPI__COMMAND_CONNECTED__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__CONNECTED;
  b.connected = &m;
  m.server_version = "old broker"; /* says neither a version nor a size nor features */
  fb_reply(f, c->conn, &b);
  return true;
}

Test(session_conn, a_handshake_can_have_steps) {
  kop_pulsar_session_config c;
  with_token(&c);
  fb f;
  fb_init(&f, &c);
  f.script = challenge_first;
  fb_reader(&f, "t", 0);
  fb_expect(&f, "connect 2 svc:6650\n"
                "2 > CONNECT token=old for=-\n"
                "auth_needed 2 token step\n");
  cr_assert_eq(kop_pulsar_auth_answer(f.s, 2, fb_text("proof"), f.now), KOP_OK);
  fb_run(&f);
  cr_assert(
      fb_saw(&f, "2 > AUTH_RESPONSE token=proof\nconn_ready 2 v0 max=5242880\n2 > LOOKUP t\n"));
  fb_free(&f);
}

Test(session_conn, a_handshake_has_its_time) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.operation_ns = 11ull * 1000000000;
  fb f;
  fb_init(&f, &c);
  f.mute = 1ull << KOPI__BASE_COMMAND__TYPE__CONNECT;
  fb_reader(&f, "t", 0);
  fb_forget(&f);
  fb_pass(&f, 9999);
  fb_expect(&f, "");
  fb_pass(&f, 1);
  fb_expect(&f, "close 2 timed out none no handshake in time\n"
                "consumer_down 1 timed out none no handshake in time\n");
  fb_pass(&f, 10500);
  cr_assert(fb_saw(&f, "consumer_closed 1 timed out none no handshake in time\n"));
  fb_free(&f);
}

Test(session_conn, the_next_address_is_tried) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.service_url = fb_text("pulsar://one,two:7000/");
  fb f;
  fb_init(&f, &c);
  f.refuse = true;
  fb_reader(&f, "t", 0);
  fb_pass(&f, 2000);
  cr_assert(fb_saw(&f, " one:6650\n"));
  cr_assert(fb_saw(&f, " two:7000\n"));
  cr_assert(fb_saw(&f, "consumer_down 1 disconnected none refused\n"));
  f.refuse = false;
  fb_pass(&f, 5000);
  cr_assert(fb_saw(&f, "consumer_ready 1 "));
  fb_free(&f);
}

Test(session_conn, silence_is_probed_then_ended) {
  fb f;
  fb_init(&f, NULL);
  fb_reader(&f, "t", 0);
  fb_forget(&f);
  fb_pass(&f, 29000);
  fb_expect(&f, "");
  f.mute = 1ull << KOPI__BASE_COMMAND__TYPE__PING;
  fb_pass(&f, 1000);
  fb_expect(&f, ""); /* the PING is out */
  fb_ping(&f, 3);    /* whatever comes proves life */
  fb_pass(&f, 30000);
  cr_assert(fb_saw(&f, "close 2 "));
  fb_pass(&f, 29999); /* the second PING of connection 3 went out at 60 s */
  cr_assert(!fb_saw(&f, "close 3"));
  fb_pass(&f, 2);
  cr_assert(fb_saw(&f, "close 3 silence none nothing heard from the broker\n"
                       "consumer_down 1 disconnected none nothing heard from the broker\n"));
  fb_free(&f);
}

static bool count_pongs(fb *f, const fb_command *c) {
  if (c->b->type == KOPI__BASE_COMMAND__TYPE__PONG) ++*(int *)f->data;
  return false;
}

Test(session_conn, a_ping_is_answered) {
  fb f;
  fb_init(&f, NULL);
  int pongs = 0;
  f.data = &pongs;
  f.script = count_pongs;
  fb_reader(&f, "t", 0);
  fb_run(&f);
  fb_ping(&f, 3);
  fb_run(&f);
  cr_assert_eq(pongs, 1);
  fb_free(&f);
}

Test(session_conn, what_nobody_uses_is_closed) {
  fb f;
  fb_init(&f, NULL);
  fb_reader(&f, "t", 0);
  fb_forget(&f);
  fb_pass(&f, 200000);
  fb_expect(&f, "close 2 unused none nobody uses it\n");
  fb_free(&f);
}

/* ---- look-up ---- */

static bool redirect_twice(fb *f, const fb_command *c) {
  if (c->b->type != KOPI__BASE_COMMAND__TYPE__LOOKUP) return false;
  int *n = f->data;
  static const char *const urls[] = {"pulsar://x:1", "pulsar://y:2", "pulsar://z:3"};
  fb_lookup(f, c->conn, c->b->lookuptopic->request_id, *n < 2 ? 0 : 1, urls[*n], *n == 1, false);
  ++*n;
  return true;
}

Test(session_conn, redirects_are_followed) {
  fb f;
  fb_init(&f, NULL);
  int n = 0;
  f.data = &n;
  f.script = redirect_twice;
  fb_reader(&f, "t", 0);
  fb_expect(&f, "connect 2 svc:6650\n"
                "2 > CONNECT - for=-\n"
                "conn_ready 2 v21 max=5242880\n"
                "2 > LOOKUP t\n"
                "connect 3 x:1\n"
                "3 > CONNECT - for=-\n"
                "conn_ready 3 v21 max=5242880\n"
                "3 > LOOKUP t\n"
                "connect 4 y:2\n"
                "4 > CONNECT - for=-\n"
                "conn_ready 4 v21 max=5242880\n"
                "4 > LOOKUP t authoritative\n"
                "connect 5 z:3\n"
                "5 > CONNECT - for=-\n"
                "conn_ready 5 v21 max=5242880\n"
                "5 > SUBSCRIBE 1 start=-1:-1\n"
                "consumer_ready 1 on 5 times=1 permits=0\n");
  fb_free(&f);
}

static bool redirect_for_ever(fb *f, const fb_command *c) {
  if (c->b->type != KOPI__BASE_COMMAND__TYPE__LOOKUP) return false;
  fb_lookup(f, c->conn, c->b->lookuptopic->request_id, 0, "pulsar://x:1", true, false);
  return true;
}

Test(session_conn, redirects_have_an_end) {
  fb f;
  fb_init(&f, NULL);
  f.script = redirect_for_ever;
  fb_reader(&f, "t", 0);
  fb_run(&f);
  cr_assert(fb_saw(&f, "consumer_down 1 limited none redirected too often\n"));
  cr_assert_eq(
      f.commands,
      2 + 1 + KOP_PULSAR_MAX_REDIRECTS); /* two CONNECTs, the first LOOKUP, the redirected ones */
  fb_free(&f);
}

static bool through_proxy(fb *f, const fb_command *c) {
  if (c->b->type != KOPI__BASE_COMMAND__TYPE__LOOKUP) return false;
  fb_lookup(f, c->conn, c->b->lookuptopic->request_id, 1, "pulsar://inner:6650", true, true);
  return true;
}

Test(session_conn, a_proxy_is_asked_for_the_broker) {
  fb f;
  fb_init(&f, NULL);
  f.script = through_proxy;
  fb_reader(&f, "t", 0);
  fb_expect(&f, "connect 2 svc:6650\n"
                "2 > CONNECT - for=-\n"
                "conn_ready 2 v21 max=5242880\n"
                "2 > LOOKUP t\n"
                "connect 3 svc:6650 for inner:6650\n"
                "3 > CONNECT - for=inner:6650\n"
                "conn_ready 3 v21 max=5242880\n"
                "3 > SUBSCRIBE 1 start=-1:-1\n"
                "consumer_ready 1 on 3 times=1 permits=0\n");
  fb_close_consumer(&f, 3, 1, "pulsar://other:6650"); /* the new owner is behind the same proxy */
  fb_run(&f);
  cr_assert(fb_saw(&f, "connect 4 svc:6650 for other:6650\n"));
  fb_free(&f);
}

static bool no_tls_address(fb *f, const fb_command *c) {
  if (c->b->type != KOPI__BASE_COMMAND__TYPE__LOOKUP) return false;
  fb_lookup(f, c->conn, c->b->lookuptopic->request_id, 1,
            f->data == NULL ? "pulsar://b1:6650" : (const char *)f->data, true, false);
  return true;
}

Test(session_conn, tls_stays_tls) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.service_url = fb_text("pulsar+ssl://svc");
  fb f;
  fb_init(&f, &c);
  f.script = no_tls_address;
  fb_reader(&f, "t", 0);
  fb_run(&f);
  cr_assert(fb_saw(&f, "connect 2 svc:6651 tls\n"));
  cr_assert(fb_saw(&f, "consumer_down 1 bad answer none the look-up names no broker"));
  char url[] = "pulsar+ssl://[::1]:7777";
  f.data = url;
  fb_pass(&f, 1000);
  cr_assert(fb_saw(&f, " ::1:7777 tls\n"));
  cr_assert(fb_saw(&f, "consumer_ready 1 "));
  fb_free(&f);
}

/* The look-up fails with the error in `data` until it is -1. */
static bool lookup_error(fb *f, const fb_command *c) {
  if (c->b->type != KOPI__BASE_COMMAND__TYPE__LOOKUP || *(int32_t *)f->data < 0) return false;
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandLookupTopicResponse m = KOPI__COMMAND_LOOKUP_TOPIC_RESPONSE__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__LOOKUP_RESPONSE;
  b.lookuptopicresponse = &m;
  m.request_id = c->b->lookuptopic->request_id;
  m.has_response = 1;
  m.response = KOPI__COMMAND_LOOKUP_TOPIC_RESPONSE__LOOKUP_TYPE__Failed;
  m.has_error = 1;
  m.error = (Kopi__ServerError) * (int32_t *)f->data;
  m.message = "why";
  fb_reply(f, c->conn, &b);
  return true;
}

/* Which errors time mends, at the first opening. */
Test(session_conn, every_error_of_a_look_up) {
  for (int32_t error = 0; error <= KOP_PULSAR_PRODUCER_FENCED; error++) {
    bool passing = error == KOP_PULSAR_UNKNOWN_ERROR || error == KOP_PULSAR_METADATA_ERROR ||
                   error == KOP_PULSAR_PERSISTENCE_ERROR || error == KOP_PULSAR_SERVICE_NOT_READY ||
                   error == KOP_PULSAR_PRODUCER_BLOCKED_QUOTA_ERROR ||
                   error == KOP_PULSAR_TOO_MANY_REQUESTS;
    fb f;
    fb_init(&f, NULL);
    f.data = &error;
    f.script = lookup_error;
    fb_reader(&f, "t", 0);
    fb_run(&f);
    cr_assert_eq(fb_saw(&f, "consumer_down 1 refused"), passing, "error %d", error);
    cr_assert_eq(fb_saw(&f, "consumer_closed 1 refused"), !passing, "error %d", error);
    int32_t none = -1;
    f.data = &none;
    fb_pass(&f, 1000);
    cr_assert_eq(fb_saw(&f, "consumer_ready 1"), passing, "error %d", error);
    fb_free(&f);
  }
}

/* ---- broken frames ---- */

static void expect_broken(const void *bytes, size_t len, const char *text) {
  fb f;
  fb_init(&f, NULL);
  fb_reader(&f, "t", 0);
  fb_forget(&f);
  fb_raw(&f, 3, bytes, len);
  fb_run(&f);
  cr_assert(fb_saw(&f, text), "no: %s", text);
  fb_pass(&f, 1000);
  cr_assert(fb_saw(&f, "consumer_ready 1 "));
  cr_assert(fb_saw(&f, " times=2 "));
  fb_free(&f);
}

Test(session_conn, broken_frames_end_the_connection) {
  static const uint8_t large[] = {0x7f, 0xff, 0xff, 0xff};
  static const uint8_t small[] = {0, 0, 0, 1, 0};
  static const uint8_t beyond[] = {0, 0, 0, 5, 0, 0, 0, 9, 8};
  static const uint8_t garbage[] = {0, 0, 0, 6, 0, 0, 0, 2, 8, 0x8c};
  static const uint8_t no_body[] = {0, 0, 0, 6, 0, 0, 0, 2, 8, 13}; /* SUCCESS without one */
  expect_broken(large, sizeof large, "close 3 bad answer none a frame above max_frame_bytes\n");
  expect_broken(small, sizeof small, "close 3 bad answer none a frame that cannot be one\n");
  expect_broken(beyond, sizeof beyond, "close 3 bad answer none a command that cannot be read\n");
  expect_broken(garbage, sizeof garbage, "close 3 bad answer none a command that cannot be read\n");
  expect_broken(no_body, sizeof no_body, "close 3 bad answer none a command that cannot be read\n");
}

Test(session_conn, unknown_commands_and_late_answers_are_passed_over) {
  static const uint8_t unknown[] = {0, 0, 0, 7, 0, 0, 0, 3, 8, 0xc8, 0x01};
  fb f;
  fb_init(&f, NULL);
  uint64_t r = fb_reader(&f, "t", 0);
  fb_forget(&f);
  fb_raw(&f, 3, unknown, sizeof unknown);
  fb_success(&f, 3, 12345);
  fb_error(&f, 3, 777, KOP_PULSAR_UNKNOWN_ERROR, "late");
  fb_receipt(&f, 3, 99, 1, 1, 1);
  fb_message(&f, 3, 99, 1, 1, (kop_slice){NULL, 0});
  fb_close_producer(&f, 3, 99, NULL);
  fb_message(&f, 2, r, 1, 1, (kop_slice){NULL, 0}); /* on a connection where it does not live */
  fb_expect(&f, "");
  fb_free(&f);
}

Test(session_conn, a_lost_connection_is_made_anew_with_rising_waits) {
  fb f;
  fb_init(&f, NULL);
  fb_reader(&f, "t", 0);
  fb_forget(&f);
  f.refuse = true;
  fb_drop_all(&f);
  fb_pass(&f, 120000);
  size_t downs = fb_count(&f, "consumer_down");
  cr_assert(downs >= 11 && downs <= 14, "%zu", downs); /* 0.1 0.2 ... 25.6 30 30 s, less a tenth */
  f.refuse = false;
  fb_pass(&f, 31000);
  cr_assert(fb_saw(&f, "times=2"));
  fb_free(&f);
}
