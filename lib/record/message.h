/* One message of magic 0 or 1: parse and write. */
#ifndef KOPI_RECORD_MESSAGE_H
#define KOPI_RECORD_MESSAGE_H

#include <kop/record.h>

typedef struct kopi_message {
  int64_t offset;
  int64_t timestamp; /* -1 in magic 0 */
  kop_slice key;
  kop_slice value;
  size_t size; /* with the offset and size fields */
  uint8_t attributes;
  uint8_t magic;
} kopi_message;

/*
 * Parses a whole message: `size` bytes as kopi_entry_next gave them. Bytes after the value are ignored, as Kafka ignores them.
 * KOP_ERR_MALFORMED if key and value do not fit, KOP_ERR_UNSUPPORTED for magic 2.
 */
kop_status kopi_message_parse(const uint8_t *bytes, size_t size, kopi_message *m);

/* Bytes that a message of that magic takes, its offset and size fields included; SIZE_MAX if the size field cannot hold it. */
size_t kopi_message_size(int32_t magic, const kop_slice *key, const kop_slice *value);

/* Writes kopi_message_size() bytes, checksum included. m->size is not read. */
void kopi_message_write(const kopi_message *m, uint8_t *out);

/* The timestamp type that a message's attributes tell. */
int32_t kopi_message_timestamp_type(const kopi_message *m);

#endif
