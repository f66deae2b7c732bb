/* The inside of a kop_convert, and what the files of this folder share. convert.c says how they belong together. */
#ifndef KOPI_CONVERT_CONVERT_H
#define KOPI_CONVERT_CONVERT_H

#include <kop/convert.h>

#include "base/buf.h"
#include "record/decoder.h"
#include "record/encoder.h"

struct kop_convert {
  kop_alloc alloc;
  size_t max_bytes;
  kop_pulsar_codec *pulsar_codec; /* the codecs are made at first use */
  kopi_decoder *decoder;
  kopi_encoder *encoder;
  kop_record_ctx *sets; /* for message sets of magic 0 and 1 */
  kopi_buf plain;       /* records or messages, not compressed */
  kopi_buf data;        /* what is given out: payloads, records */
  kopi_buf heads;       /* what is given out: heads of entries or batches */
  kopi_buf scratch;     /* of one record or entry: headers, a decoded key */
  kopi_buf list;        /* entries or batches, as the caller sees them */
  kopi_buf owned;       /* pointers to rebuilt message sets, to be freed with the next call */
  char text[128];
};

/* Forgets what the last call gave out. */
void kopi_convert_begin(kop_convert *c);

/* Notes why a call fails or an entry is a hole, and gives `status` back. */
kop_status kopi_convert_fail(kop_convert *c, kop_status status, const char *why);

/* The handles that are made late. KOP_ERR_NOMEM. */
kop_status kopi_convert_pulsar_codec(kop_convert *c);
kop_status kopi_convert_decoder(kop_convert *c);
kop_status kopi_convert_encoder(kop_convert *c);
kop_status kopi_convert_sets(kop_convert *c);

/* Kafka's codec and Pulsar's compression of one name; `none` for what is none. */
int32_t kopi_compression_of_codec(int32_t codec);
int32_t kopi_codec_of_compression(int32_t compression);

/* ---- reading an entry: to_kafka.c, from_messages.c, from_batches.c ------------------------------ */

typedef struct kopi_reading {
  const kop_pulsar_entry *entry;
  kop_slice payload; /* plain */
  kop_to_kafka_options options;
  kop_convert_facts facts; /* of this library's entries */
  kop_convert_answer *answer;
} kopi_reading;

/* The messages of a payload in Pulsar's format as one batch. KOP_ERR_NOMEM; all else is the answer's. */
kop_status kopi_read_messages(kop_convert *c, kopi_reading *r);

/* The batches of a payload in Kafka's format. */
kop_status kopi_read_batches(kop_convert *c, kopi_reading *r);

/* Makes the answer a hole; KOP_OK. */
kop_status kopi_read_hole(kop_convert *c, kopi_reading *r, int32_t reason, const char *why);

/* The same for the status of something that failed: KOP_ERR_NOMEM stays an error, all else is a hole. */
kop_status kopi_read_failed(kop_convert *c, kopi_reading *r, kop_status status, const char *why);

#endif
