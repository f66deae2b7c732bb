/* Writing messages: the fields go out in one pass behind four bytes for the size, which is known at the end. */
#include "convert/message.h"

#include <string.h>

#include "base/compiler.h"
#include "base/endian.h"
#include "convert/native.h"
#include "convert/property.h"
#include "convert/text.h"
#include "pulsar/pb.h"
#include "wire/base64.h"

enum {
  SIZE_SIZE = 4,
  FIXED = 96, /* more than all fields take that are no strings, with tags and lengths */
  PER_HEADER = 64
};

/* Tags: number << 3 | wire type. */
enum {
  TAG_PROPERTY = 1 << 3 | 2,
  TAG_KEY = 2 << 3 | 2,
  TAG_PAYLOAD_SIZE = 3 << 3,
  TAG_COMPACTED_OUT = 4 << 3,
  TAG_EVENT_TIME = 5 << 3,
  TAG_KEY_CODED = 6 << 3,
  TAG_ORDERING_KEY = 7 << 3 | 2,
  TAG_SEQUENCE_ID = 8 << 3,
  TAG_NULL_VALUE = 9 << 3,
  TAG_NULL_KEY = 10 << 3,
  TAG_NAME = 1 << 3 | 2,
  TAG_VALUE = 2 << 3 | 2
};

kopi_key_form kopi_key_form_of(kop_slice key, int32_t mode) {
  if (key.ptr == NULL) return (kopi_key_form){.present = 0};
  int text = mode == KOP_CONVERT_KEY_TEXT && kopi_is_text(key);
  return (kopi_key_form){
      .present = 1, .coded = !text, .text_len = text ? key.len : kopi_base64_size(key.len, 0)};
}

KOPI_INLINE uint8_t *put_bytes(uint8_t *p, kop_slice bytes) {
  if (bytes.len != 0) memcpy(p, bytes.ptr, bytes.len);
  return p + bytes.len;
}

uint8_t *kopi_key_write(uint8_t *p, kop_slice key, const kopi_key_form *form) {
  if (!form->coded) return put_bytes(p, key);
  kopi_base64_write(key.ptr, key.len, 0, p);
  return p + form->text_len;
}

/* Begins a property whose key and value have those lengths; gives the place of the key. */
static uint8_t *begin_property(uint8_t *p, size_t key_len, size_t value_len, uint8_t **value) {
  size_t inner =
      2 + kopi_pb_varint_size(key_len) + key_len + kopi_pb_varint_size(value_len) + value_len;
  *p++ = TAG_PROPERTY;
  p = kopi_pb_put(p, inner);
  *p++ = TAG_NAME;
  p = kopi_pb_put(p, key_len);
  uint8_t *v = p + key_len;
  *v++ = TAG_VALUE;
  *value = kopi_pb_put(v, value_len);
  return p;
}

static uint8_t *put_property(uint8_t *p, const kop_record_header *header, int native) {
  kopi_property_form form = kopi_property_form_of(header, native);
  uint8_t *value;
  uint8_t *key = begin_property(p, form.key_len, form.value_len, &value);
  kopi_property_write(header, &form, key, value);
  return value + form.value_len;
}

static uint8_t *put_properties(uint8_t *p, const kopi_record2 *record, const kopi_kept *kept) {
  kop_slice rest = record->headers;
  for (int32_t i = 0; i < record->header_count; i++) {
    kop_record_header header;
    if (kop_record_header_next(&rest, &header) != KOP_OK) break; /* the record was parsed */
    if (kept != NULL && kopi_native_is_kept(kept, &header)) continue;
    p = put_property(p, &header, kept != NULL && kept->message.ptr != NULL);
  }
  return p;
}

/* Room for a record's message; base64 makes four bytes of three. */
static uint8_t *reserve(const kopi_record2 *record, size_t more, kopi_buf *out) {
  uint64_t text = (uint64_t)record->key.len + record->headers.len + more;
  uint64_t need =
      FIXED + text + text / 3 + record->value.len + (uint64_t)record->header_count * PER_HEADER;
  /* 64 MiB of empty headers would need more than a size_t of 32 bits holds. */
  return kopi_buf_reserve(out, need < SIZE_MAX ? (size_t)need : SIZE_MAX);
}

/* Ends the message that began at `start`: its size, and the value behind its metadata. */
KOPI_INLINE void end_message(uint8_t *start, uint8_t *p, kop_slice value, kopi_buf *out) {
  kopi_store_be32(start, (uint32_t)(p - start - SIZE_SIZE));
  out->len = (size_t)(put_bytes(p, value) - out->data);
}

KOPI_INLINE uint8_t *put_key(uint8_t *p, kop_slice key, const kopi_key_form *form) {
  if (!form->present) return p;
  *p++ = TAG_KEY;
  return kopi_key_write(kopi_pb_put(p, form->text_len), key, form);
}

KOPI_INLINE uint8_t *put_number(uint8_t *p, uint8_t tag, uint64_t value) {
  *p++ = tag;
  return kopi_pb_put(p, value);
}

void kopi_message_put(const kopi_record2 *record, int64_t timestamp, int32_t mode, kopi_buf *out) {
  uint8_t *start = reserve(record, 0, out);
  if (start == NULL) return;
  uint8_t *p = start + SIZE_SIZE;
  if (record->header_count != 0) p = put_properties(p, record, NULL);
  kopi_key_form form = kopi_key_form_of(record->key, mode);
  p = put_key(p, record->key, &form);
  p = put_number(p, TAG_PAYLOAD_SIZE, record->value.len);
  if (timestamp != -1) p = put_number(p, TAG_EVENT_TIME, (uint64_t)timestamp);
  if (form.coded) p = put_number(p, TAG_KEY_CODED, 1);
  if (record->value.ptr == NULL) p = put_number(p, TAG_NULL_VALUE, 1);
  end_message(start, p, record->value, out);
}

/* ---- what a native producer wrote ---------------------------------------------------------------- */

static int has(const kop_pulsar_single *single, uint32_t bit) {
  return (single->present & bit) != 0;
}

/* 1 if the kept keys still are those of the record. */
static int same_key(const kopi_record2 *record, const kop_pulsar_single *single,
                    kopi_buf *scratch) {
  kopi_buf_reset(scratch);
  kop_slice key = kopi_native_key(single, scratch);
  return (key.ptr == NULL) == (record->key.ptr == NULL) && kopi_slice_equal(key, record->key);
}

void kopi_message_put_native(const kopi_record2 *record, int64_t timestamp, int32_t mode,
                             const kopi_kept *kept, kopi_buf *scratch, kopi_buf *out) {
  const kop_pulsar_single *single = &kept->single;
  uint8_t *start = reserve(record, single->partition_key.len + single->ordering_key.len, out);
  if (start == NULL) return;
  uint8_t *p = put_properties(start + SIZE_SIZE, record, kept);
  kopi_key_form form = kopi_key_form_of(record->key, mode);
  int keys_kept = kept->message.ptr != NULL && same_key(record, single, scratch);
  if (!keys_kept) {
    p = put_key(p, record->key, &form);
  } else if (has(single, KOP_PULSAR_SINGLE_HAS_PARTITION_KEY)) {
    const kopi_key_form plain = {.present = 1, .text_len = single->partition_key.len};
    p = put_key(p, single->partition_key, &plain);
  }
  p = put_number(p, TAG_PAYLOAD_SIZE, record->value.len);
  int time_kept = kept->message.ptr != NULL && kept->native_times &&
                  timestamp == kopi_native_timestamp(single, kept->metadata.publish_time, 0);
  if (!time_kept) {
    if (timestamp != -1) p = put_number(p, TAG_EVENT_TIME, (uint64_t)timestamp);
  } else if (has(single, KOP_PULSAR_SINGLE_HAS_EVENT_TIME)) {
    p = put_number(p, TAG_EVENT_TIME, single->event_time);
  }
  if (!keys_kept) {
    if (form.coded) p = put_number(p, TAG_KEY_CODED, 1);
  } else {
    if (has(single, KOP_PULSAR_SINGLE_HAS_PARTITION_KEY_B64_ENCODED)) {
      p = put_number(p, TAG_KEY_CODED, single->partition_key_b64_encoded);
    }
    if (has(single, KOP_PULSAR_SINGLE_HAS_ORDERING_KEY)) {
      *p++ = TAG_ORDERING_KEY;
      p = put_bytes(kopi_pb_put(p, single->ordering_key.len), single->ordering_key);
    }
  }
  if (kept->message.ptr != NULL && has(single, KOP_PULSAR_SINGLE_HAS_SEQUENCE_ID)) {
    p = put_number(p, TAG_SEQUENCE_ID, single->sequence_id);
  }
  if (record->value.ptr == NULL) p = put_number(p, TAG_NULL_VALUE, 1);
  if (keys_kept && has(single, KOP_PULSAR_SINGLE_HAS_NULL_PARTITION_KEY)) {
    p = put_number(p, TAG_NULL_KEY, single->null_partition_key);
  }
  end_message(start, p, record->value, out);
}

/* ---- control records ----------------------------------------------------------------------------- */

static kop_slice control_name(const kopi_record2 *record) {
  static const uint8_t words[] = "abortcommitother";
  int32_t type = record->key.len >= 4 ? kopi_load_be16(record->key.ptr + 2) : -1;
  if (type == KOP_CONTROL_ABORT) return (kop_slice){words, 5};
  if (type == KOP_CONTROL_COMMIT) return (kop_slice){words + 5, 6};
  return (kop_slice){words + 11, 5};
}

static uint8_t *put_coded(uint8_t *p, kop_slice name, kop_slice bytes) {
  if (bytes.ptr == NULL) return p;
  size_t len = kopi_base64_size(bytes.len, 0);
  uint8_t *value;
  put_bytes(begin_property(p, name.len, len, &value), name);
  kopi_base64_write(bytes.ptr, bytes.len, 0, value);
  return value + len;
}

void kopi_message_put_control(const kopi_record2 *record, int64_t timestamp, kop_slice key,
                              kopi_buf *out) {
  uint8_t *start = reserve(record, key.len + record->value.len + 3 * PER_HEADER, out);
  if (start == NULL) return;
  kop_slice word = control_name(record);
  uint8_t *value;
  put_bytes(begin_property(start + SIZE_SIZE, kopi_ctl_name.len, word.len, &value), kopi_ctl_name);
  uint8_t *p = put_bytes(value, word);
  p = put_coded(p, kopi_ctl_key_name, record->key);
  p = put_coded(p, kopi_ctl_value_name, record->value);
  p = put_properties(p, record, NULL);
  const kopi_key_form form = {.present = key.ptr != NULL, .text_len = key.len};
  p = put_key(p, key, &form);
  p = put_number(p, TAG_PAYLOAD_SIZE, 0);
  if (timestamp != -1) p = put_number(p, TAG_EVENT_TIME, (uint64_t)timestamp);
  p = put_number(p, TAG_NULL_VALUE, 1);
  end_message(start, p, (kop_slice){.ptr = NULL, .len = 0}, out);
}

void kopi_message_put_hole(kopi_buf *out) {
  static const uint8_t hole[] = {0, 0, 0, 4, TAG_PAYLOAD_SIZE, 0, TAG_COMPACTED_OUT, 1};
  kopi_buf_put(out, hole, sizeof hole);
}
