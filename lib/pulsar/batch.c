/* The messages of a payload: a walk over them, and writing them one behind the other. */
#include "base/assert.h"
#include "base/endian.h"
#include "pulsar/metadata.h"

enum { SIZE_SIZE = 4 };

kop_status kop_pulsar_batch_begin(kop_pulsar_batch_iter *it, const kop_pulsar_metadata *md,
                                  kop_slice payload) {
  static const uint8_t nothing[1];
  if (payload.ptr == NULL) payload = (kop_slice){nothing, 0};
  *it = (kop_pulsar_batch_iter){
      .metadata = md,
      .next = payload.ptr,
      .end = payload.ptr + payload.len,
      .indexes = md->compacted_batch_indexes,
      .left = 1,
      .index = -1,
      .size = 1,
      .is_batch = (md->present & KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH) != 0,
  };
  if (!it->is_batch) return KOP_OK;
  it->size = md->num_messages_in_batch;
  it->compacted = it->indexes.count > 0;
  it->left = it->compacted ? it->indexes.count : it->size;
  if (it->size >= 1 && it->left <= it->size) return KOP_OK;
  it->left = 0;
  return KOP_ERR_MALFORMED;
}

/* The bits of a metadata that say the same of its message, and which. */
static const struct {
  uint64_t of_entry;
  uint32_t of_message;
} shared[] = {
    {KOP_PULSAR_HAS_PARTITION_KEY, KOP_PULSAR_SINGLE_HAS_PARTITION_KEY},
    {KOP_PULSAR_HAS_EVENT_TIME, KOP_PULSAR_SINGLE_HAS_EVENT_TIME},
    {KOP_PULSAR_HAS_PARTITION_KEY_B64_ENCODED, KOP_PULSAR_SINGLE_HAS_PARTITION_KEY_B64_ENCODED},
    {KOP_PULSAR_HAS_ORDERING_KEY, KOP_PULSAR_SINGLE_HAS_ORDERING_KEY},
    {KOP_PULSAR_HAS_SEQUENCE_ID, KOP_PULSAR_SINGLE_HAS_SEQUENCE_ID},
    {KOP_PULSAR_HAS_NULL_VALUE, KOP_PULSAR_SINGLE_HAS_NULL_VALUE},
    {KOP_PULSAR_HAS_NULL_PARTITION_KEY, KOP_PULSAR_SINGLE_HAS_NULL_PARTITION_KEY},
};

static kop_status only_message(kop_pulsar_batch_iter *it, kop_pulsar_message *out) {
  const kop_pulsar_metadata *md = it->metadata;
  size_t size = (size_t)(it->end - it->next);
  if (size > INT32_MAX) return KOP_ERR_MALFORMED;
  *out = (kop_pulsar_message){
      .single = {.event_time = md->event_time,
                 .sequence_id = md->sequence_id,
                 .partition_key = md->partition_key,
                 .ordering_key = md->ordering_key,
                 .properties = md->properties,
                 .present = KOP_PULSAR_SINGLE_HAS_PAYLOAD_SIZE,
                 .payload_size = (int32_t)size,
                 .partition_key_b64_encoded = md->partition_key_b64_encoded,
                 .null_value = md->null_value,
                 .null_partition_key = md->null_partition_key},
      .payload = {it->next, size},
  };
  for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++) {
    if ((md->present & shared[i].of_entry) != 0) out->single.present |= shared[i].of_message;
  }
  it->next = it->end;
  return KOP_OK;
}

static kop_status next_index(kop_pulsar_batch_iter *it) {
  int32_t index = it->index + 1;
  if (it->compacted) {
    kop_status status = kop_pulsar_int_next(&it->indexes, &index);
    if (status != KOP_OK) return KOP_ERR_MALFORMED;
    if (index <= it->index || index >= it->size) return KOP_ERR_MALFORMED;
  }
  it->index = index;
  return KOP_OK;
}

static kop_status next_of_batch(kop_pulsar_batch_iter *it, kop_pulsar_message *out) {
  size_t left = (size_t)(it->end - it->next);
  if (left < SIZE_SIZE) return KOP_ERR_MALFORMED;
  size_t size = kopi_load_be32(it->next);
  left -= SIZE_SIZE;
  if (size > left) return KOP_ERR_MALFORMED;
  const uint8_t *p = it->next + SIZE_SIZE;
  kop_status status = kop_pulsar_single_read(p, size, &out->single);
  if (status != KOP_OK) return status;
  left -= size;
  size_t payload = (size_t)out->single.payload_size;
  if (payload > left) return KOP_ERR_MALFORMED;
  status = next_index(it);
  if (status != KOP_OK) return status;
  out->payload = (kop_slice){p + size, payload};
  out->batch_index = it->index;
  out->compacted_out = out->single.compacted_out;
  memset(out->reserved, 0, sizeof out->reserved);
  it->next = p + size + payload;
  return KOP_OK;
}

kop_status kop_pulsar_batch_next(kop_pulsar_batch_iter *it, kop_pulsar_message *out) {
  if (it->left == 0) return KOP_ERR_NOT_FOUND;
  kop_status status = it->is_batch ? next_of_batch(it, out) : only_message(it, out);
  it->left = status == KOP_OK ? it->left - 1 : 0;
  return status;
}

kop_status kop_pulsar_batch_put(const kop_pulsar_single *single,
                                const kop_pulsar_property *properties, size_t property_count,
                                kop_slice payload, uint8_t *out, size_t cap, size_t *len) {
  if (payload.len > INT32_MAX) return KOP_ERR_INVALID;
  if (single->properties.count > 0) {
    kop_status status = kopi_pb_repeated_check(single->properties);
    if (status != KOP_OK) return status;
  }
  int32_t payload_size = (int32_t)payload.len;
  size_t head = kopi_pulsar_single_size(single, payload_size, properties, property_count);
  if (head > INT32_MAX) return KOP_ERR_INVALID;
  *len = SIZE_SIZE + head + payload.len;
  if (*len > cap) return KOP_ERR_NO_SPACE;
  kopi_store_be32(out, (uint32_t)head);
  uint8_t *end =
      kopi_pulsar_single_put(out + SIZE_SIZE, single, payload_size, properties, property_count);
  KOPI_ASSERT(end == out + SIZE_SIZE + head);
  kopi_pb_put_raw(end, payload);
  return KOP_OK;
}
