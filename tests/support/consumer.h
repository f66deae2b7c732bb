/*
 * What the strictest of Kafka's consumers makes of a batch with magic 2, through public calls only: the oracle for everything
 * that hands batches out. Java, librdkafka and sarama each refuse something else; a batch has to please all of them.
 */
#ifndef TESTS_SUPPORT_CONSUMER_H
#define TESTS_SUPPORT_CONSUMER_H

#include <kop/record.h>

static inline const char *consumer_refuses_control(const kop_record *r) {
  kop_control control;
  if (kop_control_decode(r, &control) != KOP_OK) return "a control record cannot be decoded";
  if (control.version == 0 && r->key.len != 4) return "librdkafka wants four bytes of control key";
  return NULL;
}

/* NULL if every consumer reads the batch; otherwise why one of them does not. */
static inline const char *consumer_refuses(kop_record_ctx *ctx, const uint8_t *batch, size_t len) {
  kop_batch_head head;
  size_t size;
  if (kop_batch_next(batch, len, &size, NULL) != KOP_OK || size != len) return "not whole";
  if (kop_batch_check_crc(batch, len) != KOP_OK) return "checksum";
  if (kop_batch_head_decode(batch, len, &head) != KOP_OK) return "head";
  if (head.last_offset_delta < 0) return "its end is before its begin";
  if (head.count < 0 || head.count > head.last_offset_delta + INT64_C(1)) return "count";
  if (head.count == 0 && len != KOP_BATCH_HEAD_SIZE) return "bytes behind no record";
  if (head.count == 0 && (head.attributes & KOP_BATCH_CODEC_MASK) != 0) return "codec of nothing";
  kop_status status = kop_record_begin(ctx, batch, len);
  int64_t next = head.base_offset;
  kop_record r;
  for (; status == KOP_OK && (status = kop_record_next(ctx, &r)) == KOP_OK; next = r.offset + 1) {
    if (r.offset < next) return "an offset does not rise";
    if (r.offset > head.base_offset + head.last_offset_delta) return "an offset is beyond the last";
    if (head.count == head.last_offset_delta + 1 && r.offset != next) return "a gap without room";
    kop_slice rest = r.headers;
    kop_record_header header;
    for (int32_t i = 0; i < r.header_count; i++) {
      if (kop_record_header_next(&rest, &header) != KOP_OK) return "a header";
    }
    if (rest.len != 0) return "bytes behind the headers";
    const char *why =
        (head.attributes & KOP_BATCH_CONTROL) == 0 ? NULL : consumer_refuses_control(&r);
    if (why != NULL) return why;
  }
  return status == KOP_ERR_NOT_FOUND ? NULL : "a record";
}

#endif
