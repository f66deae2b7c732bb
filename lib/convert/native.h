/*
 * What a native message has and Kafka has no place for, kept in two headers of the record when the caller asks for it:
 *
 *    kop.entry    a MessageMetadata: producer name, sequence id, publish time, replication, schema, delivery time
 *    kop.message  a SingleMessageMetadata: the keys as they stand, event time, sequence id; no payload, no properties
 *
 * Restoring looks whether key and timestamp still are what they were: who copies headers from one record to another, as
 * stream processors do, gets the message's own ones.
 */
#ifndef KOPI_CONVERT_NATIVE_H
#define KOPI_CONVERT_NATIVE_H

#include <kop/convert.h>

#include "base/buf.h"

/* The key that a Kafka consumer sees: null, borrowed, or decoded behind `scratch`. */
kop_slice kopi_native_key(const kop_pulsar_single *single, kopi_buf *scratch);

/* The timestamp that a Kafka consumer sees. */
int64_t kopi_native_timestamp(const kop_pulsar_single *single, uint64_t publish_time, int plugin);

/* Appends the header kop.entry of an entry. KOP_ERR_NOMEM, KOP_ERR_LIMIT are the buffer's status. */
void kopi_native_keep_entry(const kop_pulsar_metadata *md, kopi_buf *out);
/* Appends the header kop.message. */
void kopi_native_keep_message(const kop_pulsar_single *single, kopi_buf *out);

/* What a record's headers keep. */
typedef struct kopi_kept {
  kop_slice entry;   /* the header's value; null without one */
  kop_slice message; /* the same */
  int32_t
      native_times; /* the entry will be read as a native one: without an event time, the publish time counts */
  kop_pulsar_metadata metadata;
  kop_pulsar_single single;
} kopi_kept;

/*
 * Looks for the two among `count` headers: the first of one name, the last of the other, as keeping writes them around a
 * message's own properties. What cannot be read, or is one too many, is left among the others.
 */
void kopi_native_find(kop_slice headers, int32_t count, kopi_kept *kept);

/* 1 if the header is one that kopi_native_find took. */
int kopi_native_is_kept(const kopi_kept *kept, const kop_record_header *header);

#endif
