/*
 * Conversion between Kafka's batches and Pulsar's entries.
 *
 *   Kafka batch                                    Pulsar entry
 *
 *   head     producer id, epoch, sequence,   <->   MessageMetadata   property kop.batch        facts.c
 *            attributes, timestamps
 *   records  [record]                        <->   payload           [size, single, value]
 *              key                                   partition_key, base64 if it is no text
 *              headers                               properties, odd ones under kop. names     property.c
 *              timestamp                             event_time
 *              value                                 the message's bytes, null_value
 *              offset delta                          its place in the batch
 *
 *   to_pulsar.c walks the records of one batch and makes entries of them: pieces no larger than an entry may be
 *     message.c writes one message, entry.c the head of an entry
 *   to_kafka.c looks at an entry and says what it is: a hole, a chunk, or one of
 *     from_messages.c   Pulsar's format, whoever wrote it, becomes one batch
 *     from_batches.c    the plug-in's formats: whole batches and message sets, renumbered
 *   native.c keeps in two headers what Kafka has no place for, and puts it back
 *   text.c tells text from bytes
 *
 * This file holds the handle: buffers that live from call to call, so that a call allocates only while they grow. A buffer
 * that one large batch has grown is given back by the call after it.
 */
#include "convert/convert.h"

#include <string.h>

#include "base/alloc.h"
#include "base/sized.h"

enum {
  DEFAULT_BYTES = 128 * 1024 * 1024,
  LARGEST_BYTES = 1024 * 1024 * 1024,
  SLACK = 1024 * 1024, /* room for what is reserved before it is known how much is needed */
  KEPT = 8 * 1024 * 1024
};

void kop_convert_config_init(kop_convert_config *config, size_t size) {
  kop_convert_config defaults = {.size = size, .max_bytes = DEFAULT_BYTES};
  kopi_sized_defaults(config, size, &defaults, sizeof defaults);
}

kop_status kop_convert_new(const kop_convert_config *config, kop_convert **out) {
  kop_convert_config own;
  kop_convert_config_init(&own, sizeof own);
  kop_status status = KOP_OK;
  if (config != NULL) status = kopi_sized_load(&own, sizeof own, config);
  if (status != KOP_OK) return status;
  if (own.max_bytes == 0 || own.max_bytes > LARGEST_BYTES) return KOP_ERR_INVALID;
  kop_alloc alloc;
  status = kopi_alloc_init(&alloc, own.alloc);
  if (status != KOP_OK) return status;
  kop_convert *c = kopi_calloc(&alloc, 1, sizeof *c);
  if (c == NULL) return KOP_ERR_NOMEM;
  c->alloc = alloc;
  c->max_bytes = (size_t)own.max_bytes;
  kopi_buf *const buffers[] = {&c->plain, &c->data, &c->heads, &c->scratch, &c->list, &c->owned};
  for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
    kopi_buf_init(buffers[i], &c->alloc, c->max_bytes * 2 + SLACK);
  }
  *out = c;
  return KOP_OK;
}

static void free_owned(kop_convert *c) {
  for (size_t at = 0; at < c->owned.len; at += sizeof(uint8_t *)) {
    uint8_t *set;
    memcpy(&set, c->owned.data + at, sizeof set);
    kop_record_bytes_free(c->sets, set);
  }
  kopi_buf_reset(&c->owned);
}

void kop_convert_free(kop_convert *convert) {
  if (convert == NULL) return;
  kop_convert *c = convert;
  kop_alloc alloc = c->alloc;
  free_owned(c);
  kopi_buf *const buffers[] = {&c->plain, &c->data, &c->heads, &c->scratch, &c->list, &c->owned};
  for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
    kopi_buf_free(buffers[i]);
  }
  kop_pulsar_codec_free(c->pulsar_codec);
  kopi_decoder_free(c->decoder);
  kopi_encoder_free(c->encoder);
  kop_record_ctx_free(c->sets);
  kopi_free(&alloc, c);
}

const char *kop_convert_error_text(const kop_convert *convert) {
  return convert->text;
}

void kopi_convert_begin(kop_convert *c) {
  free_owned(c);
  c->text[0] = 0;
  kopi_buf *const buffers[] = {&c->plain, &c->data, &c->heads, &c->scratch, &c->list};
  for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
    if (buffers[i]->cap > KEPT) kopi_buf_free(buffers[i]);
    kopi_buf_reset(buffers[i]);
  }
}

kop_status kopi_convert_fail(kop_convert *c, kop_status status, const char *why) {
  size_t len = strlen(why);
  if (len >= sizeof c->text) len = sizeof c->text - 1;
  memcpy(c->text, why, len);
  c->text[len] = 0;
  return status;
}

kop_status kopi_convert_pulsar_codec(kop_convert *c) {
  return c->pulsar_codec != NULL ? KOP_OK : kop_pulsar_codec_new(&c->alloc, &c->pulsar_codec);
}

kop_status kopi_convert_decoder(kop_convert *c) {
  return c->decoder != NULL ? KOP_OK : kopi_decoder_new(&c->alloc, c->max_bytes, &c->decoder);
}

kop_status kopi_convert_encoder(kop_convert *c) {
  return c->encoder != NULL ? KOP_OK : kopi_encoder_new(&c->alloc, &c->encoder);
}

kop_status kopi_convert_sets(kop_convert *c) {
  if (c->sets != NULL) return KOP_OK;
  kop_record_ctx_config config;
  kop_record_ctx_config_init(&config, sizeof config);
  config.alloc = &c->alloc;
  config.max_decompressed_bytes = c->max_bytes;
  config.max_record_bytes = c->max_bytes;
  return kop_record_ctx_new(&config, &c->sets);
}

static const struct {
  int32_t codec;
  int32_t compression;
} same[] = {
    {KOP_CODEC_NONE, KOP_PULSAR_COMPRESSION_NONE},
    {KOP_CODEC_GZIP, KOP_PULSAR_COMPRESSION_ZLIB},
    {KOP_CODEC_SNAPPY, KOP_PULSAR_COMPRESSION_SNAPPY},
    {KOP_CODEC_LZ4, KOP_PULSAR_COMPRESSION_LZ4},
    {KOP_CODEC_ZSTD, KOP_PULSAR_COMPRESSION_ZSTD},
};

int32_t kopi_compression_of_codec(int32_t codec) {
  for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
    if (same[i].codec == codec) return same[i].compression;
  }
  return KOP_PULSAR_COMPRESSION_NONE;
}

int32_t kopi_codec_of_compression(int32_t compression) {
  for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
    if (same[i].compression == compression) return same[i].codec;
  }
  return KOP_CODEC_NONE;
}
