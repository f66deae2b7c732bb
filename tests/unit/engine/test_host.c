/* The callback face: what it refuses. That it serves is shown by all tests of this folder, run with KOP_TEST_FACE=host. */
#include "harness.h"

static int32_t send_nothing(void *user_data, const kop_effect *effect, kop_host_answer *answer) {
  (void)user_data;
  (void)effect;
  answer->outcome = KOP_DONE;
  return KOP_HOST_ANSWERED;
}

static void ignore(void *user_data, const kop_effect *effect) {
  (void)user_data;
  (void)effect;
}

static const kop_host_ops LEAST = {.size = sizeof LEAST,
                                   .send = send_nothing,
                                   .close = ignore,
                                   .recv_pause = ignore,
                                   .recv_resume = ignore};

static void *no_memory(void *user_data, void *ptr, size_t size) {
  (void)user_data;
  (void)ptr;
  (void)size;
  return NULL;
}

static void no_free(void *user_data, void *ptr) {
  (void)user_data;
  cr_assert_null(ptr);
}

Test(host, refuses_what_it_cannot_work_with) {
  kop_engine_config config;
  cr_assert_eq(kop_engine_config_init(&config, sizeof config), KOP_OK);
  kop_now now = {1, 1};
  kop_host *host = NULL;
  cr_assert_eq(kop_host_new(&LEAST, &config, now, &host), KOP_OK);
  cr_assert_eq(kop_host_pump(host, now), KOP_OK);
  kop_host_free(host);
  kop_host_ops without_send = LEAST;
  without_send.send = NULL;
  cr_assert_eq(kop_host_new(&without_send, &config, now, &host), KOP_ERR_INVALID);
  cr_assert_null(host);
  const kop_alloc bad[] = {{.size = sizeof bad[0], .realloc = no_memory},
                           {.size = sizeof bad[0], .free = no_free},
                           {.size = 1, .realloc = no_memory, .free = no_free}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    config.alloc = &bad[i];
    cr_assert_eq(kop_host_new(&LEAST, &config, now, &host), KOP_ERR_INVALID);
  }
  const kop_alloc empty = {.size = sizeof empty, .realloc = no_memory, .free = no_free};
  config.alloc = &empty;
  cr_assert_eq(kop_host_new(&LEAST, &config, now, &host), KOP_ERR_NOMEM);
  cr_assert_null(host);
}

/* An answer that breaks the contract: a result that is too small to be one. */
static int32_t acquires_nothing(void *user_data, const kop_effect *effect,
                                kop_host_answer *answer) {
  (void)user_data;
  (void)effect;
  answer->acquired.size = 1;
  return KOP_HOST_ANSWERED;
}

Test(host, tells_of_an_answer_that_breaks_the_contract) {
  kop_host_ops ops = LEAST;
  ops.acquire = acquires_nothing;
  kop_engine_config config;
  cr_assert_eq(kop_engine_config_init(&config, sizeof config), KOP_OK);
  config.node_id = KH_NODE;
  kop_now now = {1, 1};
  kop_host *host = NULL;
  cr_assert_eq(kop_host_new(&ops, &config, now, &host), KOP_OK);
  kop_engine *e = kop_host_engine(host);
  kop_topic_partition partition = {.id = 1, .leader = KH_NODE, .leader_epoch = -1};
  kop_topic topic = {.size = sizeof topic,
                     .name = kh_text("t"),
                     .id = {{1}},
                     .partitions = &partition,
                     .partitions_count = 1};
  kop_event event = {
      .size = sizeof event, .kind = KOP_EVENT_TOPIC, .body = &topic, .body_size = sizeof topic};
  cr_assert_eq(kop_engine_push(e, &event, now), KOP_OK);
  cr_assert_eq(kop_host_pump(host, now), KOP_ERR_INVALID);
  cr_assert_not_null(strstr(kop_engine_error_text(e), "too small"));
  kop_host_free(host);
}
