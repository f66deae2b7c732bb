/*
 * A search for offsets over the admin's HTTP: its probes as calls, the answers as its answers.
 *
 * Seen on 4.0.8: examinemessage takes a number beyond the end for the last entry, which is as good a "behind" as any; an empty topic is a
 * 412; an entry that does not exist a 404 or a 500 (admin_judge.c). The list of ledgers comes from internal-info, which
 * has the index too.
 */
#include <kop/pulsar_admin.h>

kop_status kop_pulsar_admin_probe(const kop_offset_probe *probe, kop_slice topic,
                                  kop_pulsar_admin_request *out) {
  kop_pulsar_admin_request r = {.size = sizeof r, .topic = topic, .number = 1};
  switch (probe->kind) {
  case KOP_OFFSET_PROBE_FIRST:
    r.op = KOP_PULSAR_ADMIN_EXAMINE_EARLIEST;
    break;
  case KOP_OFFSET_PROBE_LAST:
    r.op = KOP_PULSAR_ADMIN_EXAMINE_LATEST;
    break;
  case KOP_OFFSET_PROBE_AT:
    r.op = KOP_PULSAR_ADMIN_ENTRY;
    r.ledger_id = probe->ledger_id;
    r.entry_id = probe->entry_id;
    break;
  case KOP_OFFSET_PROBE_KTH:
    r.op = KOP_PULSAR_ADMIN_EXAMINE_EARLIEST;
    r.number = probe->kth > INT64_MAX ? INT64_MAX : (int64_t)probe->kth;
    break;
  case KOP_OFFSET_PROBE_LEDGERS:
    r.op = KOP_PULSAR_ADMIN_INTERNAL_INFO;
    break;
  case KOP_OFFSET_PROBE_INDEX:
    r.op = KOP_PULSAR_ADMIN_MESSAGE_ID_BY_INDEX;
    r.number = probe->value;
    break;
  case KOP_OFFSET_PROBE_TIME:
    r.op = KOP_PULSAR_ADMIN_MESSAGE_ID_BY_TIME;
    r.number = probe->value;
    break;
  default:
    return KOP_ERR_INVALID;
  }
  *out = r;
  return KOP_OK;
}

static kop_status answer_entry(const kop_pulsar_admin_answer *answer, kop_offset_answer *out) {
  kop_pulsar_admin_entry e;
  kop_status status = kop_pulsar_admin_read_entry(answer, &e);
  if (status != KOP_OK) return status;
  int64_t timestamp = e.broker_timestamp >= 0 ? e.broker_timestamp : e.publish_time;
  out->kind = KOP_OFFSET_ANSWER_ENTRY;
  status =
      kop_offset_entry_set(e.ledger_id, e.entry_id, e.index, e.batch_count, timestamp, &out->entry);
  return status == KOP_OK ? KOP_OK : KOP_ERR_MALFORMED;
}

static kop_status answer_position(const kop_pulsar_admin_answer *answer, kop_offset_answer *out) {
  kop_pulsar_message_id id;
  kop_status status = kop_pulsar_admin_read_message_id(answer, &id);
  if (status != KOP_OK) return status;
  out->kind = KOP_OFFSET_ANSWER_POSITION;
  out->entry.ledger_id = id.ledger_id;
  /* An empty ledger's entry -1: what follows it begins at 0. */
  uint8_t before_first = id.entry_id == KOP_PULSAR_EARLIEST && id.ledger_id != KOP_PULSAR_EARLIEST;
  out->entry.entry_id = before_first ? 0 : id.entry_id;
  return KOP_OK;
}

static kop_status answer_ledgers(const kop_pulsar_admin_answer *answer, kop_arena *arena,
                                 kop_offset_answer *out) {
  kop_pulsar_admin_internals in;
  kop_status status = kop_pulsar_admin_read_internals(answer, arena, &in);
  if (status != KOP_OK) return status;
  out->kind = KOP_OFFSET_ANSWER_LEDGERS;
  out->ledgers = in.ledgers;
  out->ledgers_count = in.ledgers_count;
  out->next_offset = in.index >= -1 && in.index < INT64_MAX ? in.index + 1 : -1;
  return KOP_OK;
}

/* A call that did not give what it is for. */
static uint32_t answer_otherwise(const kop_offset_probe *probe, uint32_t verdict, int32_t status) {
  switch (verdict) {
  case KOP_PULSAR_ADMIN_NO_SUCH_CALL:
  case KOP_PULSAR_ADMIN_UNAUTHORIZED:
    return KOP_OFFSET_ANSWER_UNSUPPORTED;
  case KOP_PULSAR_ADMIN_MISSING:
  case KOP_PULSAR_ADMIN_REFUSED:
    break;
  default:
    return KOP_OFFSET_ANSWER_FAILED;
  }
  switch (probe->kind) {
  case KOP_OFFSET_PROBE_INDEX:
  case KOP_OFFSET_PROBE_TIME:
    return KOP_OFFSET_ANSWER_NONE;
  case KOP_OFFSET_PROBE_AT:
    return verdict == KOP_PULSAR_ADMIN_MISSING ? KOP_OFFSET_ANSWER_MISSING
                                               : KOP_OFFSET_ANSWER_FAILED;
  case KOP_OFFSET_PROBE_LEDGERS:
    return KOP_OFFSET_ANSWER_FAILED;
  default: /* 404 would mean that the topic itself is missing */
    return verdict == KOP_PULSAR_ADMIN_MISSING && status == 412 ? KOP_OFFSET_ANSWER_NONE
                                                                : KOP_OFFSET_ANSWER_FAILED;
  }
}

kop_status kop_pulsar_admin_probe_answer(const kop_offset_probe *probe,
                                         const kop_pulsar_admin_answer *answer, kop_arena *arena,
                                         kop_offset_answer *out) {
  kop_pulsar_admin_verdict verdict;
  kop_status status = kop_pulsar_admin_judge(answer, arena, &verdict);
  if (status != KOP_OK) return status;
  kop_offset_answer a = {.size = sizeof a, .next_offset = -1};
  if (verdict.kind != KOP_PULSAR_ADMIN_DONE) {
    a.kind = answer_otherwise(probe, verdict.kind, answer->status);
  } else if (probe->kind == KOP_OFFSET_PROBE_LEDGERS) {
    status = answer_ledgers(answer, arena, &a);
  } else if (probe->kind == KOP_OFFSET_PROBE_INDEX || probe->kind == KOP_OFFSET_PROBE_TIME) {
    status = answer_position(answer, &a);
  } else {
    status = answer_entry(answer, &a);
  }
  if (status == KOP_OK) *out = a;
  return status;
}
