/*
 * Reading for a fetch: in the order of its parts, within its max bytes.
 *
 *   parts    [done][done][open READ][open READ][ not looked at ... ]
 *              read_bytes    promised             next
 *
 * A READ is issued while max_bytes - read_bytes - promised leaves something for it, so a store far away is asked for
 * several partitions at once, and the sum never passes max bytes but for the one batch that a reply always may hold. All
 * fetches together are bounded by room.h.
 */
#include "engine/fetch.h"

#include "base/assert.h"
#include "engine/conn.h"
#include "engine/lease.h"

/* ---- what a look at a partition says ---- */

static int16_t judge_leadership(const kop_engine *e, const kopi_fetch_member *m,
                                kopi_fetch_part *part) {
  const kopi_partition *p = m->p;
  if (p == NULL || p->topic == NULL) {
    bool id_unknown = m->set->by_id && !m->topic_known;
    return id_unknown ? KOP_KAFKA_UNKNOWN_TOPIC_ID : KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
  }
  if (m->max_bytes < 0) return KOP_KAFKA_UNKNOWN_SERVER_ERROR;
  int16_t error = kopi_partition_leads(p);
  if (error == 0 && m->leader_epoch >= 0) {
    if (m->leader_epoch < p->leader_epoch) error = KOP_KAFKA_FENCED_LEADER_EPOCH;
    if (m->leader_epoch > p->leader_epoch) error = KOP_KAFKA_UNKNOWN_LEADER_EPOCH;
  }
  if (error == KOP_KAFKA_NOT_LEADER_OR_FOLLOWER || error == KOP_KAFKA_FENCED_LEADER_EPOCH) {
    part->current_leader = p->leader;
    part->current_epoch = p->leader_epoch;
  }
  (void)e;
  return error;
}

/* KIP-320: whether the client's last record was written by an epoch that ended before its position. */
static void judge_divergence(const kopi_fetch_member *m, kopi_fetch_part *part) {
  if (m->last_epoch < 0) return;
  int32_t epoch = -1;
  int64_t end = -1;
  kopi_epochs_end_offset(&m->p->epochs, m->last_epoch, m->p->high_watermark, &epoch, &end);
  if (epoch < 0 || end < 0) {
    part->error = KOP_KAFKA_OFFSET_OUT_OF_RANGE;
  } else if (epoch < m->last_epoch || end < m->offset) {
    part->diverging_epoch = epoch;
    part->diverging_end = end;
  }
}

void kopi_fetch_judge(kop_engine *e, const kopi_fetch_member *m, kopi_fetch_part *part) {
  *part = (kopi_fetch_part){
      .topic = m->topic,
      .topic_id = m->topic_id,
      .index = m->index,
      .offset = m->offset,
      .max_bytes = m->max_bytes > 0 ? (uint32_t)m->max_bytes : 0,
      .high_watermark = -1,
      .log_start = -1,
      .current_leader = -1,
      .current_epoch = -1,
      .diverging_epoch = -1,
  };
  part->error = judge_leadership(e, m, part);
  if (part->error != 0) return;
  judge_divergence(m, part);
  bool out_of_range = m->offset < m->p->log_start || m->offset > m->p->high_watermark;
  if (part->error == 0 && part->diverging_epoch < 0 && out_of_range) {
    part->error = KOP_KAFKA_OFFSET_OUT_OF_RANGE;
  }
  if (part->error != 0) return; /* Kafka tells no offsets with an error */
  part->high_watermark = m->p->high_watermark;
  part->log_start = m->p->log_start;
}

/* ---- reading ---- */

static void read_on(kop_engine *e, kopi_fetch *f, bool waited, kop_now now);

static bool wants_data(const kopi_fetch_part *part) {
  return part->error == 0 && part->member->p != NULL && part->diverging_epoch < 0 &&
         part->offset < part->high_watermark;
}

static uint64_t remaining(const kopi_fetch *f) {
  uint64_t used = f->read_bytes + f->promised;
  return used < f->max_bytes ? f->max_bytes - used : 0;
}

/* True if the part has its result; false if it has to read on behind a hole. */
static bool take(kop_engine *e, kopi_fetch *f, kopi_fetch_part *part) {
  kopi_read *read = part->read;
  if (read->error == 0 && read->batches_len == 0 && read->next_offset > part->offset) {
    part->offset = read->next_offset;
    part->read = NULL;
    kopi_read_put(e, read, &part->waiter);
    return part->offset >=
           part->high_watermark; /* a hole up to the end is told by kopi_fetch_reply */
  }
  part->error = read->error;
  f->read_bytes += read->bytes;
  return true;
}

static void on_ready(kop_engine *e, kopi_read_waiter *w, kop_now now) {
  kopi_fetch_part *part = (kopi_fetch_part *)w;
  kopi_fetch *f = part->fetch;
  part->reading = false;
  f->reading--;
  f->promised -= part->promised;
  part->promised = 0;
  if (!take(e, f, part)) {
    uint32_t index = (uint32_t)(part - f->parts);
    if (index < f->next) f->next = index; /* parts behind it that are done are passed over */
  }
  read_on(e, f, false, now);
}

/* Reads for one part. False: it has to read on behind a hole. */
static bool issue(kop_engine *e, kopi_fetch *f, kopi_fetch_part *part, uint32_t bytes,
                  kop_now now) {
  part->waiter.ready = on_ready;
  part->read = kopi_read_get(e, part->member->p, part->offset, part->high_watermark, bytes,
                             &part->waiter, now);
  if (part->read == NULL) {
    part->error = KOP_KAFKA_KAFKA_STORAGE_ERROR;
    return true;
  }
  if (part->read->state == KOPI_READ_READY) return take(e, f, part);
  part->reading = true;
  part->promised = bytes;
  f->promised += bytes;
  f->reading++;
  return true;
}

static void on_room(kop_engine *e, kopi_room_waiter *w, kop_now now) {
  read_on(e, (kopi_fetch *)w, true, now);
}

/* Without room a fetch that has nothing waits for it; one that has something makes do with that. */
static void read_on(kop_engine *e, kopi_fetch *f, bool waited, kop_now now) {
  while (f->next < f->parts_len) {
    kopi_fetch_part *part = &f->parts[f->next];
    if (!wants_data(part) || part->read != NULL) {
      f->next++;
      continue;
    }
    uint64_t left = remaining(f);
    if (left == 0 && f->reading > 0) return; /* what is open may turn out shorter */
    if (left == 0 && f->read_bytes > 0) break;
    uint32_t bytes = part->max_bytes < left ? part->max_bytes : (uint32_t)left;
    bool there = kopi_read_is_there(part->member->p, part->offset);
    bool newcomer = f->r->conn != NULL && !f->r->conn->has_taken;
    if (!there && !kopi_room_grant(e, newcomer, bytes, waited, &bytes)) {
      if (f->reading > 0) return; /* it is asked again when that is answered */
      if (f->read_bytes > 0) break;
      f->room.go = on_room;
      kopi_room_wait(e, newcomer, &f->room, now);
      return;
    }
    waited = false;
    if (newcomer && !there)
      kopi_fetch_count_newcomer(e, f, f->newcomer + kopi_room_charge(e, bytes));
    if (issue(e, f, part, bytes, now)) f->next++;
  }
  if (f->reading == 0) kopi_fetch_reply(e, f, now);
}

/* What memory says does not count if the lease was not confirmed. */
static void refuse_unconfirmed(kop_engine *e, const kopi_fetch_member *m, kopi_fetch_part *part) {
  if (m->p == NULL || kopi_partition_leads(m->p) != 0 || kopi_lease_error(e, m->p) == 0) return;
  part->error = KOP_KAFKA_NOT_LEADER_OR_FOLLOWER;
  part->high_watermark = -1;
  part->log_start = -1;
  part->diverging_epoch = -1;
}

/* One part per member that the reply may speak of: all of them, or what is dirty in a session. */
static bool make_parts(kop_engine *e, kopi_fetch *f, kop_now now) {
  const kopi_link *head = f->incremental ? &f->set->dirty : &f->set->members;
  uint32_t n = 0;
  for (const kopi_link *link = head->next; link != head; link = link->next)
    n++;
  if (n > 0) {
    f->parts = kopi_request_alloc(e, f->r, n, sizeof *f->parts, now);
    if (f->parts == NULL) return false;
  }
  for (const kopi_link *link = head->next; link != head; link = link->next) {
    kopi_fetch_member *m = f->incremental ? KOPI_CONTAINER_OF(link, kopi_fetch_member, in_dirty)
                                          : KOPI_CONTAINER_OF(link, kopi_fetch_member, in_set);
    kopi_fetch_part *part = &f->parts[f->parts_len++];
    kopi_fetch_judge(e, m, part);
    refuse_unconfirmed(e, m, part);
    part->fetch = f;
    part->member = m;
    part->tell = !f->incremental || m->told_high_watermark != part->high_watermark ||
                 m->told_log_start != part->log_start || part->error != 0 ||
                 part->diverging_epoch >= 0;
  }
  return true;
}

/* What the parts hold goes with the request, whether it was replied to or its client has gone. */
static void on_release(kop_engine *e, kopi_request *r) {
  kopi_fetch *f = r->state_of_api;
  kopi_fetch_count_newcomer(e, f, 0);
  for (uint32_t i = 0; i < f->parts_len; i++) {
    kopi_fetch_part *part = &f->parts[i];
    if (part->read != NULL) kopi_read_put(e, part->read, &part->waiter);
    kop_record_bytes_free(e->records, part->converted);
    e->lent_bytes -= part->converted_len;
  }
}

static void read_all(kop_engine *e, kopi_request *r, kop_now now) {
  kopi_fetch *f = r->state_of_api;
  f->state = KOPI_FETCH_READING;
  r->release = on_release;
  if (!make_parts(e, f, now)) {
    kopi_fetch_end(e, f);
    return;
  }
  read_on(e, f, false, now);
}

void kopi_fetch_read(kop_engine *e, kopi_request *r, kop_now now) {
  kopi_fetch *f = r->state_of_api;
  kopi_lease_begin(e, r);
  for (kopi_link *link = f->set->members.next; e->leases && link != &f->set->members;
       link = link->next) {
    kopi_fetch_member *m = KOPI_CONTAINER_OF(link, kopi_fetch_member, in_set);
    if (!kopi_lease_ask(e, r, m->p, now)) {
      kopi_fetch_end(e, f);
      return;
    }
  }
  if (!kopi_lease_wait(e, r, 0, read_all, now)) read_all(e, r, now);
}

void kopi_fetch_count_newcomer(kop_engine *e, kopi_fetch *f, uint64_t bytes) {
  e->newcomer_bytes += bytes - f->newcomer;
  f->newcomer = bytes;
}

void kopi_fetch_give_up_reads(kop_engine *e, kopi_fetch *f) {
  kopi_room_leave(&f->room);
  for (uint32_t i = 0; i < f->parts_len; i++) {
    kopi_fetch_part *part = &f->parts[i];
    if (!part->reading) continue;
    part->reading = false;
    kopi_read_put(e, part->read, &part->waiter);
    part->read = NULL;
  }
  f->reading = 0;
}

void kopi_fetch_cut_short(kop_engine *e, kopi_fetch *f, kop_now now) {
  kopi_fetch_give_up_reads(e, f);
  kopi_fetch_reply(e, f, now);
}
