/* What the files that validate a produced payload share. */
#ifndef KOPI_RECORD_CHECK_H
#define KOPI_RECORD_CHECK_H

#include "record/ctx.h"

/* A validation in progress. */
typedef struct kopi_check {
  kop_record_ctx *ctx;
  const kop_batch_rules *rules;
  kop_batch_info *info;
  int64_t max_timestamp; /* largest so far */
  int64_t offset_of_max; /* the first record with it, counted from 0 */
  int32_t index;         /* of the record that is looked at, in its batch */
  int32_t errors;        /* bad records found, listed or not */
  int32_t bad_timestamps;
  int32_t step; /* KOP_STEP_ that is being carried out */
} kopi_check;

/* A copy of the caller's rules with defaults for what it lacks. KOP_ERR_INVALID. */
kop_status kopi_rules_load(kop_batch_rules *own, const kop_batch_rules *given);

/* Refuses the payload as a whole: gives KOP_ERR_STATE, which ends the validation and means "info->error holds the verdict". */
kop_status kopi_refuse(kopi_check *c, int16_t error, const char *message);

/* Turns the status of a stream or parser into a verdict; KOP_ERR_NOMEM and KOP_OK stay. */
kop_status kopi_refuse_status(kopi_check *c, kop_status status);

/* Notes that the record at c->index is bad. `error` is INVALID_RECORD or INVALID_TIMESTAMP. KOP_ERR_NOMEM. */
kop_status kopi_refuse_record(kopi_check *c, int16_t error, const char *message);

/* After the records of a batch: the verdict if any of them was bad. */
kop_status kopi_refuse_noted(kopi_check *c);

/* Whether CreateTime demands that this timestamp be refused. */
static inline int kopi_timestamp_out_of_range(const kop_batch_rules *rules, int64_t timestamp) {
  int64_t age = (int64_t)((uint64_t)rules->now_ms - (uint64_t)timestamp);
  return age > rules->before_max_ms || (int64_t)(0u - (uint64_t)age) > rules->after_max_ms;
}

/* The key and timestamp rules for the record at c->index. `appended`: its batch says LogAppendTime. KOP_ERR_NOMEM. */
kop_status kopi_check_record(kopi_check *c, int has_key, int64_t timestamp, int appended);

/* All records of a batch with magic 2 that passed the rules for heads. */
kop_status kopi_check_records(kopi_check *c, const uint8_t *batch, size_t size,
                              const kop_batch_head *head);

/* One message of magic 0 or 1, with what is inside it. */
kop_status kopi_check_message(kopi_check *c, const uint8_t *bytes, size_t size);

#endif
