/* Entries on their way: receipts, errors, sending again, time, what the call refuses. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fake_broker.h"

#define SEND KOPI__BASE_COMMAND__TYPE__SEND

/* ---- receipts ---- */

Test(session_send, a_duplicate_is_a_receipt_without_an_id) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 1);
  fb_receipt(&f, 3, p, 1, UINT64_MAX, UINT64_MAX);
  fb_expect(&f, "receipt 1 ctx=1 -1:-1 duplicate\n");
  fb_free(&f);
}

Test(session_send, an_older_receipt_is_passed_over_a_newer_one_ends_the_connection) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 0);
  fb_send_some(&f, p, 10, 12);
  fb_forget(&f);
  fb_receipt(&f, 3, p, 9, 1, 1);
  fb_expect(&f, "");
  fb_receipt(&f, 3, p, 12, 1, 2);
  fb_run(&f);
  cr_assert(fb_saw(&f, "close 3 bad answer none a receipt for another entry than the oldest\n"
                       "producer_down 1 disconnected none"));
  f.mute = 0;
  fb_forget(&f);
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "resent=3\n"
                       "4 > SEND 1 seq=10 n=1\n4 > SEND 1 seq=11 n=1\n4 > SEND 1 seq=12 n=1\n"
                       "receipt 1 ctx=10 7:0\nreceipt 1 ctx=11 7:1\nreceipt 1 ctx=12 7:2\n"));
  fb_free(&f);
}

Test(session_send, a_receipt_for_what_was_never_sent_ends_the_connection) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 0);
  f.hold = true; /* a first SEND stays open, so the second entry is only queued */
  fb_send_some(&f, p, 1, 1);
  fb_send_some(&f, p, 2, 2);
  fb_receipt(&f, 3, p, 1, 1, 1);
  fb_run(&f);
  cr_assert(!fb_saw(&f, "receipt"));
  fb_receipt(&f, 3, p, 2, 1, 2);
  fb_run(&f);
  cr_assert(fb_saw(&f, "close 3 bad answer"));
  fb_free(&f);
}

/* RECEIPT gives the payload back, so it waits until the embedder has written it. */
Test(session_send, a_receipt_waits_for_the_end_of_its_send) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 0);
  f.hold = true;
  fb_send_some(&f, p, 1, 1);
  fb_forget(&f);
  fb_receipt(&f, 3, p, 1, 1, 1);
  fb_expect(&f, "");
  fb_sent_all(&f);
  fb_expect(&f, "receipt 1 ctx=1 1:1\n");
  fb_free(&f);
}

/* ---- sending again ---- */

Test(session_send, what_has_no_receipt_is_sent_again_byte_for_byte) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 3);
  fb_receipt(&f, 3, p, 1, 1, 1);
  fb_forget(&f);
  fb_drop(&f, 3);
  cr_assert_eq(fb_send(&f, p, 4, "while it is down"), KOP_OK);
  f.mute = 0;
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "producer_down 1 disconnected none gone\n"));
  cr_assert(fb_saw(&f, "times=2 name=prod epoch=-1 resent=2\n"
                       "4 > SEND 1 seq=2 n=1\n4 > SEND 1 seq=3 n=1\n4 > SEND 1 seq=4 n=1\n"
                       "receipt 1 ctx=2 7:0\nreceipt 1 ctx=3 7:1\nreceipt 1 ctx=4 7:2\n"));
  for (size_t i = 0; i < FB_TOPICS; i++) {
    for (size_t j = 0; j < f.topics[i].len; j++) {
      kop_pulsar_entry e;
      const kopi_buf *b = &f.topics[i].entries[j];
      cr_assert_eq(kop_pulsar_entry_read(b->data, b->len, KOP_PULSAR_ENTRY_CHECK, &e), KOP_OK);
      cr_assert_eq(e.metadata.sequence_id, j + 2);
    }
  }
  fb_free(&f);
}

Test(session_send, what_the_old_connection_still_writes_waits_for_its_end) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 0);
  f.hold = true;
  fb_send_some(&f, p, 1, 2);
  fb_forget(&f);
  f.mute = 0;
  /* the producer moves while its SEND is open on connection 3 */
  fb_close_producer(&f, 3, p, "pulsar://b2:6650");
  fb_run(&f);
  for (int i = 0; i < 4; i++) { /* CONNECT and PRODUCER on the new one */
    for (size_t k = 0; k < FB_CONNS; k++) {
      if (f.conns[k].id == 4 && f.conns[k].sending) {
        f.conns[k].sending = false;
        cr_assert_eq(kop_pulsar_sent(f.s, 4, f.now), KOP_OK);
      }
    }
    fb_run(&f);
  }
  cr_assert(fb_saw(&f, "producer_ready 1 on 4 times=2 "));
  cr_assert(!fb_saw(&f, "4 > SEND"));
  f.hold = false;
  fb_sent_all(&f); /* now connection 3 has let go */
  fb_run(&f);
  cr_assert(fb_saw(&f, "4 > SEND 1 seq=1 n=1\n4 > SEND 1 seq=2 n=1\nreceipt 1 ctx=1 7:0\n"));
  fb_free(&f);
}

Test(session_send, without_resend_what_was_handed_out_fails) {
  fb f;
  fb_init(&f, NULL);
  kop_pulsar_producer_config c;
  cr_assert_eq(kop_pulsar_producer_config_init(&c, sizeof c), KOP_OK);
  c.topic = fb_text("t");
  c.flags = KOP_PULSAR_PRODUCER_NO_RESEND;
  uint64_t p = 0;
  cr_assert_eq(kop_pulsar_producer_open(f.s, &c, f.now, &p), KOP_OK);
  fb_run(&f);
  f.mute = 1ull << SEND;
  fb_send_some(&f, p, 1, 2);
  fb_forget(&f);
  cr_assert_eq(fb_send(&f, p, 3, "not yet handed out"), KOP_OK);
  fb_drop(&f, 3);
  fb_run(&f);
  cr_assert(fb_saw(&f, "send_failed 1 ctx=1 disconnected none maybe\n"
                       "send_failed 1 ctx=2 disconnected none maybe\n"));
  cr_assert(!fb_saw(&f, "ctx=3"));
  f.mute = 0;
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "resent=0\n4 > SEND 1 seq=3 n=1\nreceipt 1 ctx=3 7:0\n"));
  fb_free(&f);
}

/* ---- SEND_ERROR ---- */

Test(session_send, every_send_error) {
  for (int32_t error = 0; error <= KOP_PULSAR_PRODUCER_FENCED; error++) {
    bool end = error == KOP_PULSAR_TOPIC_TERMINATED || error == KOP_PULSAR_PRODUCER_FENCED ||
               error == KOP_PULSAR_AUTHORIZATION_ERROR ||
               error == KOP_PULSAR_PRODUCER_BLOCKED_QUOTA_EXCEPTION;
    fb f;
    uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 2);
    f.mute = 0;
    fb_send_error(&f, 3, p, 1, error);
    fb_run(&f);
    if (end) {
      char lines[300];
      const char *name = kop_pulsar_server_error_name(error);
      snprintf(lines, sizeof lines,
               "send_failed 1 ctx=1 refused %s maybe\nsend_failed 1 ctx=2 refused %s maybe\n"
               "producer_closed 1 refused %s no\n",
               name, name, name);
      fb_expect(&f, lines);
    } else if (error == KOP_PULSAR_NOT_ALLOWED_ERROR) {
      fb_expect(&f, "send_failed 1 ctx=1 refused NotAllowedError maybe\n");
      fb_receipt(&f, 3, p, 2, 1, 1);
      fb_expect(&f, "receipt 1 ctx=2 1:1\n");
    } else {
      fb_pass(&f, 200);
      cr_assert(fb_saw(&f, "producer_down 1 refused"));
      cr_assert(fb_saw(&f, "3 > CLOSE_PRODUCER 1\n"));
      cr_assert(
          fb_saw(&f, "resent=2\n3 > SEND 1 seq=1 n=1\n3 > SEND 1 seq=2 n=1\nreceipt 1 ctx=1"));
    }
    fb_free(&f);
  }
}

/* A real broker refuses what comes after a take-over before it acknowledges what came ahead of it. */
Test(session_send, an_error_that_overtakes_receipts) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_EXCLUSIVE, 3);
  fb_send_error(&f, 3, p, 2, KOP_PULSAR_NOT_ALLOWED_ERROR);
  fb_expect(&f, ""); /* told in the order of the sends */
  fb_receipt(&f, 3, p, 1, 1, 1);
  fb_receipt(&f, 3, p, 3, 1, 2);
  fb_expect(&f, "receipt 1 ctx=1 1:1\n"
                "send_failed 1 ctx=2 refused NotAllowedError maybe\n"
                "receipt 1 ctx=3 1:2\n");
  fb_send_some(&f, p, 4, 5);
  fb_forget(&f);
  fb_send_error(&f, 3, p, 5, KOP_PULSAR_PERSISTENCE_ERROR);
  fb_receipt(&f, 3, p, 4, 1, 3);
  fb_run(&f);
  cr_assert(fb_saw(&f, "producer_down 1 refused PersistenceError no\n"));
  cr_assert(fb_saw(&f, "receipt 1 ctx=4 1:3\n"));
  f.mute = 0;
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "resent=1\n3 > SEND 1 seq=5 n=1\nreceipt 1 ctx=5 7:0\n"));
  fb_free(&f);
}

Test(session_send, a_payload_changed_after_the_send_fails_alone) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 0);
  char payload[] = "as it was";
  cr_assert_eq(fb_send(&f, p, 1, payload), KOP_OK);
  cr_assert_eq(fb_send(&f, p, 2, "good"), KOP_OK);
  fb_run(&f);
  payload[0] = '!';
  fb_forget(&f);
  f.mute = 0;
  fb_send_error(&f, 3, p, 1, KOP_PULSAR_CHECKSUM_ERROR);
  fb_run(&f);
  cr_assert(fb_saw(&f, "send_failed 1 ctx=1 corrupted ChecksumError maybe\n"));
  fb_pass(&f, 200);
  cr_assert(fb_saw(&f, "3 > SEND 1 seq=2 n=1\nreceipt 1 ctx=2 7:0\n"));
  fb_free(&f);
}

/* ---- time ---- */

Test(session_send, entries_without_receipt_fail_in_time) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 1);
  fb_pass(&f, 20000);
  fb_send_some(&f, p, 2, 2);
  fb_forget(&f);
  fb_pass(&f, 9999);
  fb_expect(&f, "");
  fb_pass(&f, 1);
  fb_expect(&f, "send_failed 1 ctx=1 timed out none maybe\n"
                "send_failed 1 ctx=2 timed out none maybe\n");
  fb_receipt(&f, 3, p, 1, 1, 1); /* too late */
  f.mute = 0;
  fb_send_some(&f, p, 3, 3);
  fb_expect(&f, "3 > SEND 1 seq=3 n=1\nreceipt 1 ctx=3 7:0\n");
  fb_free(&f);
}

Test(session_send, the_clock_of_an_entry_starts_with_its_send) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 1);
  fb_pass(&f, 20000);
  fb_send_some(&f, p, 2, 2);
  fb_forget(&f);
  fb_receipt(&f, 3, p, 1, 1, 1);
  fb_pass(&f, 29000);
  fb_expect(&f, "receipt 1 ctx=1 1:1\n");
  fb_pass(&f, 1000);
  cr_assert(fb_saw(&f, "send_failed 1 ctx=2 timed out none maybe\n"));
  fb_free(&f);
}

Test(session_send, what_waits_for_a_broker_times_out_unwritten) {
  fb f;
  uint64_t p = fb_silent_producer(&f, KOP_PULSAR_SHARED, 0);
  f.refuse = true;
  fb_drop_all(&f);
  cr_assert_eq(fb_send(&f, p, 1, "x"), KOP_OK);
  fb_pass(&f, 30000);
  cr_assert(fb_saw(&f, "send_failed 1 ctx=1 timed out none\n"));
  fb_free(&f);
}

/* ---- the call ---- */

Test(session_send, send_refuses_what_it_must) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.max_pending_sends = 3;
  fb f;
  fb_init(&f, &c);
  f.max_message = 100;
  uint64_t p = fb_producer(&f, "t", KOP_PULSAR_SHARED);
  cr_assert_eq(fb_send(&f, p, 1, "x"), KOP_ERR_STATE); /* before the first READY */
  fb_run(&f);
  f.mute = 1ull << SEND;
  cr_assert_eq(fb_send(&f, 77, 1, "x"), KOP_ERR_NOT_FOUND);
  cr_assert_eq(fb_send(&f, p, 5, "x"), KOP_OK);
  cr_assert_eq(fb_send(&f, p, 5, "x"), KOP_ERR_INVALID);
  cr_assert_eq(fb_send(&f, p, 4, "x"), KOP_ERR_INVALID);
  char large[102];
  memset(large, 'l', 101);
  large[101] = 0;
  cr_assert_eq(fb_send(&f, p, 6, large), KOP_ERR_LIMIT);
  cr_assert_eq(fb_send(&f, p, 6, "x"), KOP_OK);
  cr_assert_eq(fb_send(&f, p, 7, "x"), KOP_OK);
  cr_assert_eq(fb_send(&f, p, 8, "x"), KOP_ERR_LIMIT);
  fb_run(&f);
  fb_receipt(&f, 3, p, 5, 1, 1);
  fb_run(&f);
  cr_assert_eq(fb_send(&f, p, 8, "x"), KOP_OK);
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  kop_pulsar_send_info i = {.size = sizeof i, .num_messages = 1, .sequence_id = 20};
  cr_assert_eq(kop_pulsar_send(f.s, p, &i, f.now), KOP_ERR_INVALID); /* no metadata */
  i.metadata = &md;
  i.num_messages = 0;
  cr_assert_eq(kop_pulsar_send(f.s, p, &i, f.now), KOP_ERR_INVALID);
  i.num_messages = 1;
  i.flags = 64;
  cr_assert_eq(kop_pulsar_send(f.s, p, &i, f.now), KOP_ERR_INVALID);
  fb_free(&f);
}

Test(session_send, pending_bytes_have_a_bound) {
  kop_pulsar_session_config c;
  fb_config(&c);
  c.max_pending_bytes = 200;
  fb f;
  fb_init(&f, &c);
  uint64_t p = fb_producer(&f, "t", KOP_PULSAR_SHARED);
  fb_run(&f);
  f.mute = 1ull << SEND;
  char large[301];
  memset(large, 'l', 300);
  large[300] = 0;
  cr_assert_eq(fb_send(&f, p, 1, large), KOP_OK); /* one alone may be larger */
  cr_assert_eq(fb_send(&f, p, 2, "x"), KOP_ERR_LIMIT);
  fb_run(&f);
  fb_receipt(&f, 3, p, 1, 1, 1);
  fb_run(&f);
  cr_assert_eq(fb_send(&f, p, 2, "x"), KOP_OK);
  kop_pulsar_session_stats stats;
  cr_assert_eq(kop_pulsar_session_stats_get(f.s, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.pending_sends, 1);
  cr_assert_eq(stats.receipts_total, 1);
  cr_assert_eq(stats.producers_ready, 1);
  fb_free(&f);
}
