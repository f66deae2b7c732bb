/* The inside of a kop_record_ctx: what the record layer keeps from call to call. */
#ifndef KOPI_RECORD_CTX_H
#define KOPI_RECORD_CTX_H

#include <kop/record.h>

#include "record/decoder.h"
#include "record/message.h"
#include "record/source.h"

/* Where an iteration stands. */
typedef struct kopi_iteration {
  int32_t active;
  int32_t magic;
  int32_t wrapped; /* magic 0 and 1: the records are inside a compressed message */
  int32_t left;    /* magic 2: records to come; plain message: 1 before it, 0 after */
  kop_batch_head head;
  kopi_message message; /* magic 0 and 1: the message, or the one that wraps */
  int64_t inner_base;   /* what is added to the offsets of wrapped messages */
} kopi_iteration;

struct kop_record_ctx {
  kop_alloc alloc;
  kopi_decoder *decoder;
  kopi_source source;
  kopi_iteration iteration;
  kop_batch_builder *builder; /* for conversions; made at first use */
  kop_record_error *errors;
  size_t errors_cap;
};

/* Begins to read a compressed payload through the context's window. */
kop_status kopi_ctx_stream(kop_record_ctx *ctx, int32_t codec, int32_t magic, const uint8_t *bytes,
                           size_t len);

/* The builder for conversions. KOP_ERR_NOMEM. */
kop_status kopi_ctx_builder(kop_record_ctx *ctx, kop_batch_builder **out);

#endif
