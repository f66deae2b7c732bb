/* Every entry that the Java plug-in wrote: read whole, its checksum right where it has one, written again the same. */
#include <criterion/criterion.h>
#include <kop/pulsar_entry.h>
#include <stdlib.h>
#include <string.h>

#include "fixtures.h"

typedef struct seen {
  size_t checksums;
  size_t kinds[KOP_PULSAR_KIND_SINGLE + 1];
  size_t codecs[KOP_PULSAR_COMPRESSION_SNAPPY + 1];
  size_t messages;
  kop_pulsar_codec *codec;
} seen;

static void written_again(const fixture *f, const kop_pulsar_entry *entry) {
  size_t len;
  uint8_t *out = malloc(f->len + 16);
  cr_assert_eq(
      kop_pulsar_entry_write(&entry->metadata, NULL, 0, &entry->payload, 1, out, f->len + 16, &len),
      KOP_OK);
  const uint8_t *checked = out + 6;
  cr_assert_eq(len - 6 + entry->payload.len, entry->checked.len, "%s %s", f->file, f->id);
  cr_assert_eq(memcmp(checked, entry->checked.ptr, len - 6), 0, "%s %s", f->file, f->id);
  if ((entry->present & KOP_PULSAR_ENTRY_HAS_CHECKSUM) != 0) {
    cr_assert_eq(memcmp(out, entry->checked.ptr - 6, 6), 0, "%s %s", f->file, f->id);
  }
  free(out);
}

/* Walks the batch, writes it again, and compares. */
static size_t walked(const fixture *f, const kop_pulsar_entry *entry, kop_slice payload) {
  kop_pulsar_batch_iter it;
  kop_pulsar_message message;
  uint8_t *again = malloc(payload.len + 1);
  size_t at = 0;
  size_t n = 0;
  cr_assert_eq(kop_pulsar_batch_begin(&it, &entry->metadata, payload), KOP_OK);
  kop_status status;
  while ((status = kop_pulsar_batch_next(&it, &message)) == KOP_OK) {
    cr_assert_eq(message.batch_index, (int32_t)n++);
    if (!it.is_batch) continue;
    size_t len;
    cr_assert_eq(kop_pulsar_batch_put(&message.single, NULL, 0, message.payload, again + at,
                                      payload.len - at, &len),
                 KOP_OK);
    at += len;
  }
  cr_assert_eq(status, KOP_ERR_NOT_FOUND, "%s %s: %d", f->file, f->id, status);
  cr_assert_eq((int32_t)n, entry->metadata.num_messages_in_batch);
  if (it.is_batch) {
    cr_assert_eq(at, payload.len, "%s %s", f->file, f->id);
    cr_assert_eq(memcmp(again, payload.ptr, at), 0, "%s %s", f->file, f->id);
  }
  free(again);
  return n;
}

static int is_kafka_format(const kop_pulsar_metadata *md) {
  kop_pulsar_repeated rest = md->properties;
  kop_pulsar_property property;
  while (kop_pulsar_property_next(&rest, &property) == KOP_OK) {
    if (property.key.len == 12 && memcmp(property.key.ptr, "entry.format", 12) == 0) return 1;
  }
  return 0;
}

static void see(const fixture *f, void *context) {
  seen *s = context;
  kop_pulsar_entry entry;
  cr_assert_eq(kop_pulsar_entry_read(f->bytes, f->len, KOP_PULSAR_ENTRY_CHECK, &entry), KOP_OK,
               "%s %s", f->file, f->id);
  uint32_t broker = KOP_PULSAR_ENTRY_HAS_INDEX | KOP_PULSAR_ENTRY_HAS_BROKER_TIMESTAMP;
  cr_assert_eq(entry.present & broker, broker, "%s %s", f->file, f->id);
  s->checksums += (entry.present & KOP_PULSAR_ENTRY_HAS_CHECKSUM) != 0;
  s->kinds[kop_pulsar_entry_kind(&entry.metadata)]++;
  s->codecs[entry.metadata.compression]++;
  written_again(f, &entry);
  if (is_kafka_format(&entry.metadata)) return; /* its payload is a Kafka batch */
  kop_slice payload;
  cr_assert_eq(kop_pulsar_decompress(s->codec, entry.metadata.compression, entry.payload,
                                     entry.metadata.uncompressed_size, 1 << 20, &payload),
               KOP_OK, "%s %s", f->file, f->id);
  s->messages += walked(f, &entry, payload);
}

Test(entry_fixtures, all_are_read_and_written_the_same) {
  seen s = {0};
  cr_assert_eq(kop_pulsar_codec_new(NULL, &s.codec), KOP_OK);
  cr_assert_eq(fixture_each(NULL, see, &s), 170);
  kop_pulsar_codec_free(s.codec);
  cr_assert_eq(s.checksums, 145);
  cr_assert_eq(s.kinds[KOP_PULSAR_KIND_BATCH], 52);
  cr_assert_eq(s.kinds[KOP_PULSAR_KIND_SINGLE], 118);
  cr_assert_eq(s.codecs[KOP_PULSAR_COMPRESSION_NONE], 122);
  for (int codec = KOP_PULSAR_COMPRESSION_LZ4; codec <= KOP_PULSAR_COMPRESSION_SNAPPY; codec++) {
    cr_assert_eq(s.codecs[codec], 12);
  }
  cr_assert_eq(s.messages, 205);
}
