/* Questions about topics, and watchers. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fake_broker.h"

#define OPENED "connect 2 svc:6650\n2 > CONNECT - for=-\nconn_ready 2 v21 max=5242880\n"

Test(session_topics, answers) {
  fb f;
  fb_init(&f, NULL);
  uint64_t request = 0;
  cr_assert_eq(kop_pulsar_lookup(f.s, fb_text(""), 1, f.now, &request), KOP_ERR_INVALID);
  cr_assert_eq(kop_pulsar_topics(f.s, fb_text("n/s"), 3, 1, f.now, &request), KOP_ERR_INVALID);
  cr_assert_eq(kop_pulsar_lookup(f.s, fb_text("t"), 1, f.now, &request), KOP_OK);
  fb_expect(&f, OPENED "2 > LOOKUP t\nresult 1 ctx=1 done none b1:6650\n");
  cr_assert_eq(kop_pulsar_partitions(f.s, fb_text("t"), 2, f.now, &request), KOP_OK);
  fb_expect(&f, "2 > PARTITIONED_METADATA\nresult 3 ctx=2 done none partitions=3\n");
  cr_assert_eq(kop_pulsar_topics(f.s, fb_text("n/s"), KOP_PULSAR_TOPICS_ALL, 3, f.now, &request),
               KOP_OK);
  fb_expect(&f, "2 > GET_TOPICS_OF_NAMESPACE\n"
                "result 4 ctx=3 done none persistent://n/s/a persistent://n/s/b-partition-0 "
                "hash=h1\n");
  fb_free(&f);
}

Test(session_topics, a_broker_that_would_create_is_not_asked) {
  fb f;
  fb_init(&f, NULL);
  f.feature_bits = 0;
  uint64_t request = 0;
  cr_assert_eq(kop_pulsar_partitions(f.s, fb_text("t"), 2, f.now, &request), KOP_OK);
  fb_expect(&f, OPENED "result 1 ctx=2 not supported none this broker cannot do it\n");
  fb_free(&f);
}

/* Answers PARTITIONED_METADATA with errors until `data` has counted down. */
static bool fail_first(fb *f, const fb_command *c) {
  int *left = f->data;
  if (c->b->type != KOPI__BASE_COMMAND__TYPE__PARTITIONED_METADATA || *left == 0) return false;
  --*left;
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandPartitionedTopicMetadataResponse m =
      KOPI__COMMAND_PARTITIONED_TOPIC_METADATA_RESPONSE__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__PARTITIONED_METADATA_RESPONSE;
  b.partitionmetadataresponse = &m;
  m.request_id = c->b->partitionmetadata->request_id;
  m.has_response = 1;
  m.response = KOPI__COMMAND_PARTITIONED_TOPIC_METADATA_RESPONSE__LOOKUP_TYPE__Failed;
  m.has_error = 1;
  m.error = KOPI__SERVER_ERROR__ServiceNotReady;
  m.message = "loading";
  fb_reply(f, c->conn, &b);
  return true;
}

Test(session_topics, a_question_is_asked_again_until_its_time_is_over) {
  for (int failures = 3; failures <= 1000; failures += 997) {
    fb f;
    fb_init(&f, NULL);
    int left = failures;
    f.data = &left;
    f.script = fail_first;
    uint64_t request = 0;
    cr_assert_eq(kop_pulsar_partitions(f.s, fb_text("t"), 2, f.now, &request), KOP_OK);
    fb_pass(&f, 30000);
    cr_assert_eq(fb_count(&f, "result 1 ctx=2 done none partitions=3\n"), failures == 3);
    cr_assert_eq(fb_count(&f, "result 1 ctx=2 refused ServiceNotReady loading\n"), failures != 3);
    fb_free(&f);
  }
}

Test(session_topics, a_question_survives_its_connection) {
  fb f;
  fb_init(&f, NULL);
  f.mute = 1ull << KOPI__BASE_COMMAND__TYPE__LOOKUP;
  uint64_t request = 0;
  cr_assert_eq(kop_pulsar_lookup(f.s, fb_text("t"), 1, f.now, &request), KOP_OK);
  fb_forget(&f);
  f.mute = 0;
  fb_drop(&f, 2);
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "3 > LOOKUP t\nresult 1 ctx=1 done none b1:6650\n"));
  fb_free(&f);
}

/* ---- watchers ---- */

static void change(fb *f, uint64_t conn, uint64_t watcher) {
  static const char *const added[] = {"persistent://n/s/c"};
  static const char *const removed[] = {"persistent://n/s/a"};
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandWatchTopicUpdate m = KOPI__COMMAND_WATCH_TOPIC_UPDATE__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__WATCH_TOPIC_UPDATE;
  b.watchtopicupdate = &m;
  m.watcher_id = watcher;
  m.topics_hash = "h2";
  m.n_new_topics = 1;
  m.new_topics = (const char **)added;
  m.n_deleted_topics = 1;
  m.deleted_topics = (const char **)removed;
  fb_reply(f, conn, &b);
}

Test(session_topics, a_watcher_tells_all_then_changes_and_comes_back) {
  fb f;
  fb_init(&f, NULL);
  uint64_t w = 0;
  cr_assert_eq(kop_pulsar_watch(f.s, fb_text("n/s"), 8, f.now, &w), KOP_OK);
  fb_expect(&f, OPENED "2 > WATCH_TOPIC_LIST\ntopics 1 snapshot +persistent://n/s/a\n");
  change(&f, 2, w);
  change(&f, 2, 99);
  fb_expect(&f, "topics 1 +persistent://n/s/c -persistent://n/s/a\n");
  fb_pass(&f, 200000); /* a connection that only listens is in use */
  fb_expect(&f, "");
  fb_drop(&f, 2);
  fb_pass(&f, 200);
  fb_expect(&f, "connect 3 svc:6650\n3 > CONNECT - for=-\nconn_ready 3 v21 max=5242880\n"
                "3 > WATCH_TOPIC_LIST\ntopics 1 snapshot +persistent://n/s/a\n");
  cr_assert_eq(kop_pulsar_unwatch(f.s, w, f.now), KOP_OK);
  cr_assert_eq(kop_pulsar_unwatch(f.s, w, f.now), KOP_ERR_NOT_FOUND);
  change(&f, 3, w);
  fb_expect(&f, "watch_closed 1 done none \n3 > WATCH_TOPIC_LIST_CLOSE\n");
  fb_free(&f);
}

static bool refuse_watch(fb *f, const fb_command *c) {
  if (c->b->type != KOPI__BASE_COMMAND__TYPE__WATCH_TOPIC_LIST) return false;
  fb_error(f, c->conn, c->b->watchtopiclist->request_id, KOP_PULSAR_NOT_ALLOWED_ERROR,
           "switched off");
  return true;
}

Test(session_topics, a_watcher_that_cannot_be) {
  fb f;
  fb_init(&f, NULL);
  f.feature_bits = 0;
  uint64_t w = 0;
  cr_assert_eq(kop_pulsar_watch(f.s, fb_text("n/s"), 8, f.now, &w), KOP_OK);
  fb_expect(&f, OPENED "watch_closed 1 not supported none this broker cannot do it\n");
  fb_free(&f);

  fb_init(&f, NULL);
  f.script = refuse_watch;
  cr_assert_eq(kop_pulsar_watch(f.s, fb_text("n/s"), 8, f.now, &w), KOP_OK);
  fb_expect(&f,
            OPENED "2 > WATCH_TOPIC_LIST\nwatch_closed 1 refused NotAllowedError switched off\n");
  fb_free(&f);
}

Test(session_topics, shutdown_cancels_questions_and_watchers) {
  fb f;
  fb_init(&f, NULL);
  f.mute = 1ull << KOPI__BASE_COMMAND__TYPE__LOOKUP;
  uint64_t id = 0;
  cr_assert_eq(kop_pulsar_lookup(f.s, fb_text("t"), 1, f.now, &id), KOP_OK);
  cr_assert_eq(kop_pulsar_watch(f.s, fb_text("n/s"), 8, f.now, &id), KOP_OK);
  fb_forget(&f);
  kop_pulsar_shutdown(f.s, f.now);
  cr_assert_eq(kop_pulsar_lookup(f.s, fb_text("t"), 1, f.now, &id), KOP_ERR_STATE);
  cr_assert_eq(kop_pulsar_watch(f.s, fb_text("n/s"), 8, f.now, &id), KOP_ERR_STATE);
  fb_expect(&f, "result 1 ctx=1 cancelled none the session ends\n"
                "watch_closed 3 cancelled none the session ends\n"
                "close 2 cancelled none the session ends\n");
  cr_assert_eq(kop_pulsar_is_idle(f.s), 1);
  fb_free(&f);
}
