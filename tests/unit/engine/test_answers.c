/*
 * Every kind of effect, answered in every way, at every time: what the client is told. After each answer the token is closed,
 * the engine serves others, ends when it shall, and has given back all of its memory.
 */
#include "answers.h"

enum { OUTCOMES = 8, BROKEN = 7, ERROR = KOP_KAFKA_POLICY_VIOLATION, TIMEOUT_MS = 1000 };

/* ---- one scene ---- */

static failing_alloc *heap;
static const asking *asked;

static void tune(kop_engine_config *config) {
  config->alloc = &heap->alloc;
  if (asked->tune != NULL) asked->tune(config);
}

/* Ends with the effect held and its request waiting. */
static void begin(scene *s, const asking *a, int32_t timeout_ms) {
  memset(s, 0, sizeof *s);
  failing_alloc_init(&s->heap, SIZE_MAX);
  heap = &s->heap;
  asked = a;
  kh_start(&s->h, tune);
  s->c = kh_connect(&s->h);
  s->other = kh_connect(&s->h);
  if (!a->bare) s->log = kh_topic(&s->h, "t", 1, 1);
  if (a->prepare != NULL) a->prepare(s);
  kh_hold(&s->h, UINT64_C(1) << a->kind);
  a->ask(s, timeout_ms);
  cr_assert_eq(s->h.held_len, 1u, "%s: one is held, not %zu", a->name, s->h.held_len);
}

static void end(scene *s) {
  kh_stop(&s->h);
  cr_assert_eq(s->heap.live, 0u, "%s: %zu blocks are left", asked->name, s->heap.live);
}

/* Answers the held effect, and once more: its token is closed. What follows is answered as the world is. */
static void answer(scene *s, int32_t outcome) {
  kop_effect fx = s->h.held[0];
  kop_completion c = {.token = fx.token, .outcome = outcome};
  kh_hold(&s->h, 0);
  if (outcome == BROKEN || (outcome == KOP_DONE && asked->push != NULL)) {
    if (outcome == KOP_DONE) asked->push(s);
    s->h.held_len = 0;
    kop_status want = outcome == KOP_DONE ? KOP_OK : KOP_ERR_INVALID;
    cr_assert_eq(kop_engine_complete(s->h.e, &c, sizeof c, 1, s->h.now), want);
    kh_run(&s->h);
  } else {
    kh_answer(&s->h, 0, outcome, outcome == KOP_REJECTED ? ERROR : 0);
  }
  c.outcome = KOP_CANCELLED;
  cr_assert_eq(kop_engine_complete(s->h.e, &c, sizeof c, 1, s->h.now), KOP_ERR_NOT_FOUND,
               "%s outcome %d: the token is still open", asked->name, outcome);
}

/* Leads again whatever was lost, and serves. */
static void check_alive(scene *s, int32_t outcome) {
  kh_lead(&s->h, s->log->id, KH_NODE, -1);
  kh_advance(&s->h, 60000);
  int64_t end_before = s->log->end;
  kop_produce_response_partition_produce_response p =
      kh_produce(&s->h, s->other, "t", 0, kh_batch_of(&s->h, 1, 3, 0, 0));
  cr_assert_eq(p.error_code, 0, "%s outcome %d: then %d", asked->name, outcome, p.error_code);
  cr_assert_eq(s->log->end, end_before + 1);
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(s->h.e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.requests_open, 0u);
}

static void check_ends(scene *s, int32_t outcome) {
  kop_engine_shutdown(s->h.e, s->h.now);
  kh_run(&s->h);
  kh_advance(&s->h, 60000);
  cr_assert_eq(kop_engine_is_idle(s->h.e), 1, "%s outcome %d: it does not end", asked->name,
               outcome);
  cr_assert_eq(s->h.lent, 0u);
  end(s);
}

/* Nothing more comes for a request that is answered. */
static void check_told_once(scene *s, int32_t outcome) {
  cr_assert_eq(s->c->out_len, 0u, "%s outcome %d: told twice", asked->name, outcome);
  cr_assert_not(s->c->closed);
}

/* ---- the table ---- */

enum {
  NOT_LEADER = KOP_KAFKA_NOT_LEADER_OR_FOLLOWER,
  TIME_OUT = KOP_KAFKA_REQUEST_TIMED_OUT,
  STORAGE = KOP_KAFKA_KAFKA_STORAGE_ERROR,
  LOADING = KOP_KAFKA_COORDINATOR_LOAD_IN_PROGRESS,
  NO_TOPIC = KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
  NOT_DONE = KOP_KAFKA_UNSUPPORTED_VERSION
};

typedef struct expected {
  int held;           /* told although the effect is not answered */
  int timed_out;      /* told when the request's time is up; NO_REPLY: it waits for the answer */
  int with[OUTCOMES]; /* told with the answer, or by a second attempt of the engine */
} expected;

/* What the client waits for, and what an outcome makes of it. The eighth is an answer that breaks its contract. */
#define WAITS .held = NO_REPLY
#define EACH(done, rejected, fenced, unknown, cancelled, unsupported, not_found, broken)           \
  .with = {done, rejected, fenced, unknown, cancelled, unsupported, not_found, broken}
#define ALL(told) EACH(told, told, told, told, told, told, told, told)
/* Changes of topics and records: each outcome has an error of its own. */
#define CHANGE EACH(0, ERROR, NOT_LEADER, TIME_OUT, TIME_OUT, NOT_DONE, NO_TOPIC, TIME_OUT)

static const expected EXPECTED[ASKINGS] = {
    /* only bytes that have left arrive; the embedder says so when the connection is gone */
    [ASK_SEND] = {WAITS, .timed_out = NO_REPLY,
                  EACH(0, NO_REPLY, NO_REPLY, NO_REPLY, NO_REPLY, NO_REPLY, NO_REPLY, NO_REPLY)},
    /* asked again until it is granted */
    [ASK_ACQUIRE] = {WAITS, .timed_out = NOT_LEADER, ALL(0)},
    [ASK_CONFIRM] = {WAITS, .timed_out = NOT_LEADER,
                     EACH(0, NOT_LEADER, NOT_LEADER, NOT_LEADER, NOT_LEADER, NOT_LEADER, NOT_LEADER,
                          NOT_LEADER)},
    [ASK_RESIGN] = {.held = NOT_LEADER, .timed_out = NO_REPLY, ALL(NO_REPLY)},
    /* fenced: appended with the next epoch; unknown: not idempotent, so the client decides */
    [ASK_APPEND] = {WAITS, .timed_out = TIME_OUT,
                    EACH(0, ERROR, 0, NOT_LEADER, NOT_LEADER, NOT_DONE, NOT_LEADER, NOT_LEADER)},
    /* an empty reply when the wait is over */
    [ASK_READ] = {WAITS, .timed_out = 0,
                  EACH(0, ERROR, NOT_LEADER, STORAGE, STORAGE, STORAGE, STORAGE, STORAGE)},
    /* not found: no record is so young, which is no error */
    [ASK_LIST_OFFSETS] = {WAITS, .timed_out = NO_REPLY,
                          EACH(0, ERROR, STORAGE, STORAGE, STORAGE, STORAGE, 0, STORAGE)},
    [ASK_DELETE_RECORDS] = {WAITS, .timed_out = TIME_OUT, CHANGE},
    [ASK_STATE_PUT] = {.held = 0, .timed_out = NO_REPLY, ALL(NO_REPLY)},
    [ASK_STATE_PUT_LAST] = {.held = NOT_LEADER, .timed_out = NO_REPLY, ALL(NO_REPLY)},
    /* without a state the whole log is read */
    [ASK_STATE_GET] = {WAITS, .timed_out = NOT_LEADER, ALL(0)},
    [ASK_PRODUCER_IDS] = {WAITS, .timed_out = NO_REPLY,
                          EACH(0, ERROR, LOADING, LOADING, LOADING, LOADING, LOADING, LOADING)},
    [ASK_LOOKUP_TOPIC] = {WAITS, .timed_out = NO_REPLY,
                          EACH(0, NO_TOPIC, NO_TOPIC, NO_TOPIC, NO_TOPIC, NO_TOPIC, NO_TOPIC,
                               NO_TOPIC)},
    [ASK_CREATE_TOPIC] = {WAITS, .timed_out = TIME_OUT, CHANGE},
    [ASK_DELETE_TOPIC] = {WAITS, .timed_out = TIME_OUT, CHANGE},
    [ASK_CREATE_PARTITIONS] = {WAITS, .timed_out = TIME_OUT, CHANGE},
    [ASK_ALTER_CONFIGS] = {WAITS, .timed_out = NO_REPLY, CHANGE},
};

/* ---- when ---- */

/* What comes with the answer; or, where the engine tries again, some time after it. */
static int told_then(scene *s) {
  int error = asked->told(s);
  if (error != NO_REPLY) return error;
  kh_advance(&s->h, 20000);
  return asked->told(s);
}

static void expect(int got, int want, const char *when, int32_t outcome) {
  cr_assert_eq(got, want, "%s outcome %d, %s: told %d, not %d", asked->name, outcome, when, got,
               want);
}

static void at_once(scene *s, const expected *x, int32_t outcome) {
  begin(s, asked, 30000);
  expect(asked->told(s), x->held, "held", outcome);
  answer(s, outcome);
  expect(told_then(s), x->with[outcome], "at once", outcome);
  check_told_once(s, outcome);
  check_alive(s, outcome);
  check_ends(s, outcome);
}

static void late(scene *s, const expected *x, int32_t outcome) {
  begin(s, asked, TIMEOUT_MS);
  expect(asked->told(s), x->held, "held", outcome);
  kh_advance(&s->h, TIMEOUT_MS - 1);
  expect(asked->told(s), NO_REPLY, "before its time", outcome);
  kh_advance(&s->h, 1);
  expect(asked->told(s), x->timed_out, "in time", outcome);
  answer(s, outcome);
  expect(told_then(s), x->timed_out == NO_REPLY ? x->with[outcome] : NO_REPLY, "late", outcome);
  check_told_once(s, outcome);
  check_alive(s, outcome);
  check_ends(s, outcome);
}

static void when_the_client_is_gone(scene *s, int32_t outcome) {
  begin(s, asked, 30000);
  kh_disconnect(&s->h, s->c);
  kh_advance(&s->h, 60000);
  cr_assert_eq(kop_engine_is_idle(s->h.e), 0, "%s: a token is open", asked->name);
  answer(s, outcome);
  check_alive(s, outcome);
  check_ends(s, outcome);
}

static void while_it_ends(scene *s, int32_t outcome) {
  begin(s, asked, 30000);
  kop_engine_shutdown(s->h.e, s->h.now);
  kh_run(&s->h);
  cr_assert_eq(kop_engine_is_idle(s->h.e), 0, "%s: it ends with a token open", asked->name);
  answer(s, outcome);
  kh_advance(&s->h, 60000);
  cr_assert_eq(kop_engine_is_idle(s->h.e), 1, "%s outcome %d: it does not end", asked->name,
               outcome);
  end(s);
}

static void never(scene *s) {
  begin(s, asked, 30000);
  kh_advance(&s->h, 60000);
  kh_disconnect(&s->h, s->c);
  kh_advance(&s->h, 60000);
  cr_assert_eq(kop_engine_is_idle(s->h.e), 0, "%s: a token is open", asked->name);
  end(s);
}

static scene SCENE; /* too large for a stack */

Test(answers, at_once) {
  for (int i = 0; i < ASKINGS; i++) {
    asked = &ASKING[i];
    for (int32_t outcome = 0; outcome < OUTCOMES; outcome++)
      at_once(&SCENE, &EXPECTED[i], outcome);
  }
}

Test(answers, after_the_time_of_the_request) {
  for (int i = 0; i < ASKINGS; i++) {
    asked = &ASKING[i];
    for (int32_t outcome = 0; outcome < OUTCOMES; outcome++)
      late(&SCENE, &EXPECTED[i], outcome);
  }
}

Test(answers, after_the_client_has_gone) {
  for (int i = 0; i < ASKINGS; i++) {
    asked = &ASKING[i];
    for (int32_t outcome = 0; outcome < OUTCOMES; outcome++)
      when_the_client_is_gone(&SCENE, outcome);
  }
}

Test(answers, while_the_engine_ends) {
  for (int i = 0; i < ASKINGS; i++) {
    asked = &ASKING[i];
    for (int32_t outcome = 0; outcome < OUTCOMES; outcome++)
      while_it_ends(&SCENE, outcome);
  }
}

Test(answers, never) {
  for (int i = 0; i < ASKINGS; i++) {
    asked = &ASKING[i];
    never(&SCENE);
  }
}

/* A kind that is answered and stands in no row would be a gap that nobody sees. */
Test(answers, every_kind_that_is_answered_has_a_row) {
  uint64_t kinds = 0;
  for (int i = 0; i < ASKINGS; i++)
    kinds |= UINT64_C(1) << ASKING[i].kind;
  kinds |=
      KH_KIND(CLOSE) | KH_KIND(RECV_PAUSE) | KH_KIND(RECV_RESUME) | KH_KIND(RELEASE) | KH_KIND(LOG);
  kop_engine_config config;
  cr_assert_eq(kop_engine_config_init(&config, sizeof config), KOP_OK);
  cr_assert_eq(config.effects, kinds, "the default serves every kind");
}
