/* The clients of the long random runs, and what each expects of its replies. */
#include "long_run.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- connections ---- */

static void ended(run *w, peer *p);

peer *lr_peer_at(run *w, size_t i) {
  if (i < PRODUCERS) return &w->producers[i].peer;
  i -= PRODUCERS;
  return i < CONSUMERS ? &w->consumers[i].peer : &w->askers[i - CONSUMERS].peer;
}

static peer *peer_of(run *w, uint64_t conn) {
  for (size_t i = 0; i < PEERS; i++) {
    if (lr_peer_at(w, i)->conn == conn) return lr_peer_at(w, i);
  }
  return NULL;
}

void lr_take_sent(run *w, uint64_t conn, const kop_send *s) {
  peer *p = peer_of(w, conn);
  if (p == NULL) return; /* it has gone */
  p->in = realloc(p->in, p->in_len + s->bytes);
  for (uint32_t i = 0; i < s->slices_count; i++) {
    memcpy(p->in + p->in_len, s->slices[i].ptr, s->slices[i].len);
    p->in_len += s->slices[i].len;
  }
}

void lr_drain(run *w) {
  const kop_effect *fx = NULL;
  size_t n = 0;
  while ((n = kop_engine_drain(w->e, &fx)) > 0) {
    for (size_t i = 0; i < n; i++) {
      if (fx[i].kind == KOP_EFFECT_RELEASE) {
        w->lent--;
      } else if (fx[i].token != 0) {
        cr_assert_lt(w->open_len, (size_t)OPEN);
        w->open[w->open_len++] = (open_effect){.fx = fx[i]};
      } else if (fx[i].kind == KOP_EFFECT_CLOSE) {
        peer *p = peer_of(w, fx[i].target);
        cr_assert_eq(kop_engine_conn_closed(w->e, fx[i].target, w->now), KOP_OK);
        if (p != NULL) ended(w, p);
      }
    }
  }
  cr_assert_geq(w->lent, 0);
}

void lr_hang_up(run *w, peer *p) {
  if (p->conn == 0) return;
  uint64_t conn = p->conn;
  ended(w, p);
  cr_assert_eq(kop_engine_conn_closed(w->e, conn, w->now), KOP_OK);
}

static void dial(run *w, peer *p) {
  kop_conn_info info = {.size = sizeof info, .peer = kh_text("1.2.3.4:5")};
  cr_assert_eq(kop_engine_conn_open(w->e, &info, w->now, &p->conn), KOP_OK);
  p->frame = (kh_conn){.correlation = 1};
  p->answered = 0;
}

static void say(run *w, peer *p, uint32_t message, int16_t version, const void *q, size_t size) {
  size_t len = 0;
  uint8_t *frame = kh_frame(&p->frame, message, version, q, size, &len);
  for (size_t at = 0; at < len;) {
    size_t n = 1 + lr_pick(w, (uint32_t)(len - at));
    size_t taken = 0;
    cr_assert_eq(kop_engine_feed(w->e, p->conn, frame + at, n, w->now, &taken), KOP_OK);
    cr_assert_eq(taken, n);
    at += n;
  }
  free(frame);
}

/* The next whole reply, decoded; its memory lives until the next. */
static bool hear(run *w, peer *p, uint32_t message, int16_t version, void *msg, size_t size) {
  if (p->in_len < 4) return false;
  size_t len = 4 + (((size_t)p->in[0] << 24) | ((size_t)p->in[1] << 16) | ((size_t)p->in[2] << 8) |
                    p->in[3]);
  if (p->in_len < len) return false;
  static uint8_t last[1 << 20];
  cr_assert_leq(len, sizeof last);
  memcpy(last, p->in, len);
  memmove(p->in, p->in + len, p->in_len - len);
  p->in_len -= len;
  kop_arena_reset(w->arena);
  int32_t correlation = 0;
  size_t body = 0;
  cr_assert_eq(kop_response_header_decode((int16_t)(message / 2), version, last + 4, len - 4,
                                          &correlation, &body),
               KOP_OK);
  cr_assert_eq(correlation, ++p->answered, "replies in the order of the requests, each once");
  cr_assert_eq(kop_message_decode(message, version, w->arena, last + 4 + body, len - 4 - body, msg,
                                  size, NULL),
               KOP_OK);
  return true;
}

/* ---- producers ---- */

/* The producer's batch of that number: two records that say so. Valid until the next one. */
kop_slice lr_build(run *w, const producer *p, int32_t number) {
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  if (p->id >= 0) {
    o.producer_id = p->id;
    o.producer_epoch = 0;
    o.base_sequence = number * 2;
  }
  cr_assert_eq(kop_batch_builder_begin(w->builder, &o), KOP_OK);
  char value[9];
  (void)snprintf(value, sizeof value, "%02d %05d", (int)(p - w->producers), number);
  for (int i = 0; i < 2; i++) {
    kop_record_in record = {.offset = -1, .timestamp = 1000, .value = kh_text(value)};
    cr_assert_eq(kop_batch_builder_append(w->builder, &record), KOP_OK);
  }
  kop_slice batch;
  cr_assert_eq(kop_batch_builder_finish(w->builder, &batch.ptr, &batch.len), KOP_OK);
  return batch;
}

static void send_batch(run *w, producer *p, int32_t number) {
  kop_slice batch = lr_build(w, p, number);
  kop_produce_request_partition_produce_data d;
  kop_produce_request_topic_produce_data t;
  kop_produce_request q;
  kop_struct_init(KOP_STRUCT_PRODUCE_REQUEST_PARTITION_PRODUCE_DATA, &d, sizeof d);
  kop_struct_init(KOP_STRUCT_PRODUCE_REQUEST_TOPIC_PRODUCE_DATA, &t, sizeof t);
  kop_message_init(KOP_MSG_PRODUCE_REQUEST, &q, sizeof q);
  d.records = batch;
  t.name = kh_text("t");
  t.partition_data.ptr = &d;
  t.partition_data.len = 1;
  q.acks = -1;
  q.timeout_ms = 1000 + (int32_t)lr_pick(w, 3000);
  q.topic_data.ptr = &t;
  q.topic_data.len = 1;
  say(w, &p->peer, KOP_MSG_PRODUCE_REQUEST, 9, &q, sizeof q);
}

bool lr_has_finished(const producer *p) {
  return p->first == BATCHES;
}

/* All of the window are answered, or nobody will: what failed is sent again, from the first of them on. */
static void close_window(producer *p) {
  int32_t good = 0;
  while (good < p->len && !p->failed[good])
    good++;
  p->first += good;
  p->len = 0;
  p->got = 0;
}

static void hear_produced(run *w, producer *p) {
  kop_produce_response r;
  while (p->peer.conn != 0 && p->got < p->len &&
         hear(w, &p->peer, KOP_MSG_PRODUCE_RESPONSE, 9, &r, sizeof r)) {
    const kop_produce_response_partition_produce_response *d =
        &r.responses.ptr[0].partition_responses.ptr[0];
    int32_t number = p->first + p->got;
    bool failed_before = false;
    for (int32_t i = 0; i < p->got; i++)
      failed_before = failed_before || p->failed[i];
    cr_assert(d->error_code != KOP_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER || failed_before,
              "a sequence error without an earlier failure");
    p->failed[p->got++] = d->error_code != 0;
    if (d->error_code != 0) continue;
    bool there = false;
    for (int32_t i = 0; i < w->log_len && !there; i++) {
      const stored *s = &w->log[i];
      there = s->base == d->base_offset && s->number == number &&
              s->producer == (int32_t)(p - w->producers);
    }
    cr_assert(there, "batch %d was acknowledged at %lld, where it is not", number,
              (long long)d->base_offset);
    p->acked[number] = d->base_offset;
    if (d->base_offset + 2 > w->told) w->told = d->base_offset + 2;
  }
  if (p->len > 0 && p->got == p->len) close_window(p);
}

void lr_step_producer(run *w, producer *p) {
  if (lr_has_finished(p)) return;
  if (p->peer.conn == 0) {
    dial(w, &p->peer);
    return;
  }
  if (p->len > 0) return;
  p->len = 1 + (int32_t)lr_pick(w, WINDOW);
  if (p->len > BATCHES - p->first) p->len = BATCHES - p->first;
  p->got = 0;
  int32_t len = p->len;
  for (int32_t i = 0; i < len && p->peer.conn != 0 && p->len == len; i++) {
    p->failed[i] = true; /* until it is answered */
    send_batch(w, p, p->first + i);
  }
}

/* ---- consumers ---- */

void lr_step_consumer(run *w, consumer *c) {
  if (c->peer.conn == 0) {
    dial(w, &c->peer);
    return;
  }
  if (c->asked) return;
  kop_fetch_request_partition p;
  kop_fetch_request_topic t;
  kop_fetch_request q;
  kop_struct_init(KOP_STRUCT_FETCH_REQUEST_PARTITION, &p, sizeof p);
  kop_struct_init(KOP_STRUCT_FETCH_REQUEST_TOPIC, &t, sizeof t);
  kop_message_init(KOP_MSG_FETCH_REQUEST, &q, sizeof q);
  p.fetch_offset = c->offset;
  p.partition_max_bytes = 1 + (int32_t)lr_pick(w, 2000);
  t.topic = kh_text("t");
  t.partitions.ptr = &p;
  t.partitions.len = 1;
  q.max_wait_ms = (int32_t)lr_pick(w, 2000);
  q.min_bytes = (int32_t)lr_pick(w, 300);
  q.session_epoch = -1;
  q.topics.ptr = &t;
  q.topics.len = 1;
  c->asked = true;
  c->told = w->told;
  say(w, &c->peer, KOP_MSG_FETCH_REQUEST, 11, &q, sizeof q);
}

static void check_read(run *w, consumer *c, kop_slice records) {
  while (records.len >= KOP_BATCH_HEAD_SIZE) {
    kop_batch_head h;
    cr_assert_eq(kop_batch_head_decode(records.ptr, records.len, &h), KOP_OK);
    const stored *found = NULL;
    for (int32_t i = 0; i < w->log_len; i++) {
      if (w->log[i].base == h.base_offset) found = &w->log[i];
    }
    cr_assert_not_null(found, "a batch that is not in the log");
    cr_assert_leq(found->slice.len, records.len);
    cr_assert_eq(memcmp(found->bytes + 8, records.ptr + 8, found->slice.len - 8), 0);
    cr_assert(h.base_offset == c->offset, "offsets are dense");
    c->offset = h.base_offset + 2;
    records.ptr += found->slice.len;
    records.len -= found->slice.len;
  }
  cr_assert_eq(records.len, 0u);
}

static void hear_fetched(run *w, consumer *c) {
  kop_fetch_response r;
  if (c->peer.conn == 0 || !c->asked ||
      !hear(w, &c->peer, KOP_MSG_FETCH_RESPONSE, 11, &r, sizeof r))
    return;
  c->asked = false;
  const kop_fetch_response_partition_data *d = &r.responses.ptr[0].partitions.ptr[0];
  cr_assert_neq(d->error_code, KOP_KAFKA_OFFSET_OUT_OF_RANGE, "the log has lost its end");
  if (d->error_code != 0) return;
  cr_assert_geq(d->high_watermark, c->watermark, "the high watermark never goes back");
  cr_assert_leq(d->high_watermark, w->end);
  cr_assert_geq(d->high_watermark, c->told, "an answer from old memory");
  c->watermark = d->high_watermark;
  check_read(w, c, (kop_slice){d->records.ptr, d->records.len});
}

/* ---- askers ---- */

static void ask_offsets(run *w, asker *a) {
  kop_list_offsets_request_partition p;
  kop_list_offsets_request_topic t;
  kop_list_offsets_request q;
  kop_struct_init(KOP_STRUCT_LIST_OFFSETS_REQUEST_PARTITION, &p, sizeof p);
  kop_struct_init(KOP_STRUCT_LIST_OFFSETS_REQUEST_TOPIC, &t, sizeof t);
  kop_message_init(KOP_MSG_LIST_OFFSETS_REQUEST, &q, sizeof q);
  p.timestamp = -1;
  p.current_leader_epoch = -1;
  t.name = kh_text("t");
  t.partitions.ptr = &p;
  t.partitions.len = 1;
  q.topics.ptr = &t;
  q.topics.len = 1;
  say(w, &a->peer, KOP_MSG_LIST_OFFSETS_REQUEST, 8, &q, sizeof q);
}

static void ask_epoch(run *w, asker *a) {
  kop_offset_for_leader_epoch_request_offset_for_leader_partition p;
  kop_offset_for_leader_epoch_request_offset_for_leader_topic t;
  kop_offset_for_leader_epoch_request q;
  kop_struct_init(KOP_STRUCT_OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_PARTITION, &p,
                  sizeof p);
  kop_struct_init(KOP_STRUCT_OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_TOPIC, &t, sizeof t);
  kop_message_init(KOP_MSG_OFFSET_FOR_LEADER_EPOCH_REQUEST, &q, sizeof q);
  p.leader_epoch = w->epoch; /* the newest: whoever leads knows it, and where it ends or ended */
  t.topic = kh_text("t");
  t.partitions.ptr = &p;
  t.partitions.len = 1;
  q.topics.ptr = &t;
  q.topics.len = 1;
  say(w, &a->peer, KOP_MSG_OFFSET_FOR_LEADER_EPOCH_REQUEST, 4, &q, sizeof q);
}

void lr_step_asker(run *w, asker *a) {
  if (a->peer.conn == 0) dial(w, &a->peer);
  if (a->asked) return;
  a->asked = true;
  a->told = w->told;
  if (a == w->askers) {
    ask_offsets(w, a);
  } else {
    ask_epoch(w, a);
  }
}

static void hear_asked(run *w, asker *a) {
  kop_list_offsets_response l;
  kop_offset_for_leader_epoch_response o;
  int16_t error = 0;
  int64_t end = 0;
  if (a->peer.conn == 0 || !a->asked) return;
  if (a == w->askers) {
    if (!hear(w, &a->peer, KOP_MSG_LIST_OFFSETS_RESPONSE, 8, &l, sizeof l)) return;
    error = l.topics.ptr[0].partitions.ptr[0].error_code;
    end = l.topics.ptr[0].partitions.ptr[0].offset;
  } else {
    if (!hear(w, &a->peer, KOP_MSG_OFFSET_FOR_LEADER_EPOCH_RESPONSE, 4, &o, sizeof o)) return;
    error = o.topics.ptr[0].partitions.ptr[0].error_code;
    end = o.topics.ptr[0].partitions.ptr[0].end_offset;
  }
  a->asked = false;
  cr_assert(error == 0 || error == KOP_KAFKA_NOT_LEADER_OR_FOLLOWER, "error %d", error);
  if (error != 0) return;
  cr_assert_geq(end, a->told, "an answer from old memory");
  cr_assert_leq(end, w->end);
}

static void ended(run *w, peer *p) {
  p->conn = 0;
  p->in_len = 0;
  for (size_t i = 0; i < PRODUCERS; i++) {
    if (p == &w->producers[i].peer) close_window(&w->producers[i]);
  }
  for (size_t i = 0; i < CONSUMERS; i++) {
    if (p == &w->consumers[i].peer) w->consumers[i].asked = false;
  }
  for (size_t i = 0; i < ASKERS; i++) {
    if (p == &w->askers[i].peer) w->askers[i].asked = false;
  }
}

void lr_hear_all(run *w) {
  for (size_t i = 0; i < PRODUCERS; i++)
    hear_produced(w, &w->producers[i]);
  for (size_t i = 0; i < CONSUMERS; i++)
    hear_fetched(w, &w->consumers[i]);
  for (size_t i = 0; i < ASKERS; i++)
    hear_asked(w, &w->askers[i]);
}
