/* Keeping native facts in headers, and finding them again. */
#include "convert/native.h"

#include <string.h>

#include "convert/property.h"

#define LITERAL(s)                                                                                 \
  { (const uint8_t *)(s), sizeof(s) - 1 }

static const kop_slice entry_name = LITERAL("kop.entry");
static const kop_slice message_name = LITERAL("kop.message");

/* Fields that are kept; the others the record says, or belong to the way the entry is sent, or would hide it (transactions). */
static const uint64_t entry_fields = KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID |
                                     KOP_PULSAR_HAS_PUBLISH_TIME | KOP_PULSAR_HAS_REPLICATED_FROM |
                                     KOP_PULSAR_HAS_SCHEMA_VERSION |
                                     KOP_PULSAR_HAS_DELIVER_AT_TIME | KOP_PULSAR_HAS_SCHEMA_ID;
static const uint32_t message_fields =
    KOP_PULSAR_SINGLE_HAS_PARTITION_KEY | KOP_PULSAR_SINGLE_HAS_PARTITION_KEY_B64_ENCODED |
    KOP_PULSAR_SINGLE_HAS_ORDERING_KEY | KOP_PULSAR_SINGLE_HAS_EVENT_TIME |
    KOP_PULSAR_SINGLE_HAS_SEQUENCE_ID | KOP_PULSAR_SINGLE_HAS_NULL_PARTITION_KEY;

kop_slice kopi_native_key(const kop_pulsar_single *single, kopi_buf *scratch) {
  const kop_slice null = {.ptr = NULL, .len = 0};
  if (single->null_partition_key) return null;
  if ((single->present & KOP_PULSAR_SINGLE_HAS_PARTITION_KEY) == 0) {
    return (single->present & KOP_PULSAR_SINGLE_HAS_ORDERING_KEY) != 0 ? single->ordering_key
                                                                       : null;
  }
  if (!single->partition_key_b64_encoded) return single->partition_key;
  kop_slice key = kopi_base64_append(single->partition_key, scratch);
  return key.ptr != NULL
             ? key
             : single->partition_key; /* the flag is wrong: better as it stands than lost */
}

int64_t kopi_native_timestamp(const kop_pulsar_single *single, uint64_t publish_time, int plugin) {
  int present = (single->present & KOP_PULSAR_SINGLE_HAS_EVENT_TIME) != 0;
  if (plugin) return present ? (int64_t)single->event_time : -1;
  return present && single->event_time != 0 ? (int64_t)single->event_time : (int64_t)publish_time;
}

void kopi_native_keep_entry(const kop_pulsar_metadata *md, kopi_buf *out) {
  kop_pulsar_metadata kept = *md;
  kept.present &= entry_fields;
  kept.properties.count = 0;
  kept.encryption_keys.count = 0;
  kept.compacted_batch_indexes.count = 0;
  size_t len = kop_pulsar_metadata_size(&kept, NULL, 0);
  uint8_t *bytes = kopi_buf_reserve(out, 2 * len + entry_name.len + 32);
  if (bytes == NULL) return;
  /* Written where it does not stay, since the header's length comes first. */
  bytes += len + entry_name.len + 32;
  if (kop_pulsar_metadata_write(&kept, NULL, 0, bytes, len, &len) != KOP_OK) return;
  kopi_header_put(entry_name, (kop_slice){bytes, len}, out);
}

void kopi_native_keep_message(const kop_pulsar_single *single, kopi_buf *out) {
  kop_pulsar_single kept = *single;
  kept.present = (kept.present & message_fields) | KOP_PULSAR_SINGLE_HAS_PAYLOAD_SIZE;
  kept.payload_size = 0;
  kept.properties.count = 0;
  size_t len = kop_pulsar_single_size(&kept, NULL, 0);
  uint8_t *bytes = kopi_buf_reserve(out, 2 * len + message_name.len + 32);
  if (bytes == NULL) return;
  bytes += len + message_name.len + 32;
  if (kop_pulsar_single_write(&kept, NULL, 0, bytes, len, &len) != KOP_OK) return;
  kopi_header_put(message_name, (kop_slice){bytes, len}, out);
}

void kopi_native_find(kop_slice headers, int32_t count, kopi_kept *kept) {
  kept->entry = (kop_slice){.ptr = NULL, .len = 0};
  kept->message = kept->entry;
  kop_pulsar_metadata_init(&kept->metadata);
  kop_pulsar_single_init(&kept->single);
  kop_record_header header;
  for (; count > 0 && kop_record_header_next(&headers, &header) == KOP_OK; count--) {
    kop_slice value = header.value;
    kop_pulsar_metadata metadata;
    kop_pulsar_single single;
    if (value.ptr == NULL) continue;
    if (kept->entry.ptr == NULL && kopi_slice_equal(header.key, entry_name)) {
      if (kop_pulsar_metadata_read(value.ptr, value.len, &metadata) != KOP_OK) continue;
      kept->metadata = metadata;
      kept->entry = value;
    } else if (kopi_slice_equal(header.key, message_name)) {
      if (kop_pulsar_single_read(value.ptr, value.len, &single) != KOP_OK) continue;
      kept->single = single;
      kept->message = value;
    }
  }
  kept->metadata.present &= entry_fields;
  kept->single.present &= message_fields;
}

int kopi_native_is_kept(const kopi_kept *kept, const kop_record_header *header) {
  const uint8_t *value = header->value.ptr; /* the bytes say which of several it was */
  return value != NULL && (value == kept->entry.ptr || value == kept->message.ptr);
}
