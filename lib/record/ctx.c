/* The context: configuration, life and death. */
#include "record/ctx.h"

#include <string.h>

#include "base/alloc.h"
#include "base/sized.h"

enum { DEFAULT_RECORD = 128 * 1024 * 1024, DEFAULT_DECOMPRESSED = 256 * 1024 * 1024 };

void kop_record_ctx_config_init(kop_record_ctx_config *config, size_t size) {
  kop_record_ctx_config defaults = {
      .size = size,
      .max_decompressed_bytes = DEFAULT_DECOMPRESSED,
      .max_record_bytes = DEFAULT_RECORD,
  };
  kopi_sized_defaults(config, size, &defaults, sizeof defaults);
}

kop_status kop_record_ctx_new(const kop_record_ctx_config *config, kop_record_ctx **out) {
  kop_record_ctx_config own;
  kop_record_ctx_config_init(&own, sizeof own);
  kop_status status = KOP_OK;
  if (config != NULL) status = kopi_sized_load(&own, sizeof own, config);
  if (status != KOP_OK) return status;
  if (own.max_record_bytes == 0 || own.max_record_bytes > INT32_MAX) return KOP_ERR_INVALID;
  if (own.max_decompressed_bytes == 0) return KOP_ERR_INVALID;
  kop_alloc alloc;
  status = kopi_alloc_init(&alloc, own.alloc);
  if (status != KOP_OK) return status;
  kop_record_ctx *ctx = kopi_calloc(&alloc, 1, sizeof *ctx);
  if (ctx == NULL) return KOP_ERR_NOMEM;
  ctx->alloc = alloc;
  size_t max_record = (size_t)own.max_record_bytes;
  kopi_source_init(&ctx->source, &ctx->alloc, max_record < KOPI_WINDOW ? KOPI_WINDOW : max_record,
                   own.max_decompressed_bytes);
  status = kopi_decoder_new(&ctx->alloc, max_record, &ctx->decoder);
  if (status != KOP_OK) {
    kop_record_ctx_free(ctx);
    return status;
  }
  *out = ctx;
  return KOP_OK;
}

void kop_record_ctx_free(kop_record_ctx *ctx) {
  if (ctx == NULL) return;
  kop_alloc alloc = ctx->alloc;
  kop_batch_builder_free(ctx->builder);
  kopi_decoder_free(ctx->decoder);
  kopi_source_free(&ctx->source);
  kopi_free(&alloc, ctx->errors);
  kopi_free(&alloc, ctx);
}

kop_status kopi_ctx_stream(kop_record_ctx *ctx, int32_t codec, int32_t magic, const uint8_t *bytes,
                           size_t len) {
  kop_status status = kopi_decoder_begin(ctx->decoder, codec, magic, bytes, len);
  if (status != KOP_OK) return status;
  return kopi_source_stream(&ctx->source, ctx->decoder);
}

kop_status kopi_ctx_builder(kop_record_ctx *ctx, kop_batch_builder **out) {
  kop_status status = KOP_OK;
  if (ctx->builder == NULL) status = kop_batch_builder_new(&ctx->alloc, &ctx->builder);
  *out = ctx->builder;
  return status;
}

void kop_record_bytes_free(kop_record_ctx *ctx, uint8_t *ptr) {
  kopi_free(&ctx->alloc, ptr);
}
