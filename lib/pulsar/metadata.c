/*
 * MessageMetadata, read and written by one table: row n says where field n lies in the struct and what it is.
 *
 * It stands once in each entry, so the table's short code is worth more than a hand-written switch; the
 * metadata of each message in a batch is in metadata_single.c.
 */
#include "pulsar/metadata.h"

#include "base/assert.h"

enum {
  NONE, /* no such field */
  U64,  /* 64-bit integers, signed or not */
  U32,
  I32,
  FLAG,
  BYTES,
  PROPERTIES,
  STRINGS,
  KEYS,
  INTS
};

typedef struct row {
  uint16_t offset;
  uint8_t kind;
} row;

#define AT(field) (uint16_t) offsetof(kop_pulsar_metadata, field)

enum { LAST = 34 };

static const row rows[LAST + 1] = {
    [1] = {AT(producer_name), BYTES},
    [2] = {AT(sequence_id), U64},
    [3] = {AT(publish_time), U64},
    [4] = {AT(properties), PROPERTIES},
    [5] = {AT(replicated_from), BYTES},
    [6] = {AT(partition_key), BYTES},
    [7] = {AT(replicate_to), STRINGS},
    [8] = {AT(compression), I32},
    [9] = {AT(uncompressed_size), U32},
    [11] = {AT(num_messages_in_batch), I32},
    [12] = {AT(event_time), U64},
    [13] = {AT(encryption_keys), KEYS},
    [14] = {AT(encryption_algo), BYTES},
    [15] = {AT(encryption_param), BYTES},
    [16] = {AT(schema_version), BYTES},
    [17] = {AT(partition_key_b64_encoded), FLAG},
    [18] = {AT(ordering_key), BYTES},
    [19] = {AT(deliver_at_time), U64},
    [20] = {AT(marker_type), I32},
    [22] = {AT(txnid_least_bits), U64},
    [23] = {AT(txnid_most_bits), U64},
    [24] = {AT(highest_sequence_id), U64},
    [25] = {AT(null_value), FLAG},
    [26] = {AT(uuid), BYTES},
    [27] = {AT(num_chunks_from_msg), I32},
    [28] = {AT(total_chunk_msg_size), I32},
    [29] = {AT(chunk_id), I32},
    [30] = {AT(null_partition_key), FLAG},
    [31] = {AT(compacted_batch_indexes), INTS},
    [32] = {AT(schema_id), BYTES},
    [33] = {AT(entry_hash_min), U32},
    [34] = {AT(entry_hash_max), U32},
};

enum { PROPERTIES_FIELD = 4, REPLICATE_TO = 7, ENCRYPTION_KEYS = 13, COMPACTED_INDEXES = 31 };

static const uint64_t required =
    KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID | KOP_PULSAR_HAS_PUBLISH_TIME;

/* The fields that have a bit in `present`. */
static const uint64_t singular =
    ((UINT64_C(1) << (LAST + 1)) - 1) &
    ~(UINT64_C(1) | UINT64_C(1) << 10 | UINT64_C(1) << 21 | UINT64_C(1) << PROPERTIES_FIELD |
      UINT64_C(1) << REPLICATE_TO | UINT64_C(1) << ENCRYPTION_KEYS |
      UINT64_C(1) << COMPACTED_INDEXES);

void kop_pulsar_metadata_init(kop_pulsar_metadata *md) {
  *md = (kop_pulsar_metadata){
      .num_messages_in_batch = 1,
      .properties = {.field = PROPERTIES_FIELD},
      .replicate_to = {.field = REPLICATE_TO},
      .encryption_keys = {.field = ENCRYPTION_KEYS},
      .compacted_batch_indexes = {.field = COMPACTED_INDEXES},
  };
}

static int read_key(kop_slice bytes, kop_pulsar_encryption_key *out) {
  enum { NAME = 1, VALUE = 2, METADATA = 3 };
  const uint8_t *p = bytes.ptr;
  const uint8_t *end = p + bytes.len;
  *out = (kop_pulsar_encryption_key){.metadata = {.field = METADATA}};
  while (p < end) {
    kopi_pb_field field;
    kop_pulsar_property property;
    const uint8_t *start = p;
    p = kopi_pb_next(p, end, &field);
    if (p == NULL) return 0;
    if (field.number > METADATA) continue;
    if (field.wire != KOPI_PB_BYTES) return 0;
    if (field.number == METADATA) {
      if (!kopi_pb_property(field.bytes, &property)) return 0;
      kopi_pb_repeat(&out->metadata, start, p, 1);
    } else {
      *(field.number == NAME ? &out->name : &out->value) = field.bytes;
    }
  }
  return out->name.ptr != NULL && out->value.ptr != NULL;
}

kop_status kop_pulsar_encryption_key_next(kop_pulsar_repeated *rest,
                                          kop_pulsar_encryption_key *out) {
  kop_slice bytes;
  kop_status status = kopi_pb_repeated_next(rest, &bytes);
  if (status != KOP_OK) return status;
  return read_key(bytes, out) ? KOP_OK : KOP_ERR_MALFORMED;
}

/* How many elements a field adds to a repeated one of that kind, or -1. */
static int32_t elements(uint8_t kind, const kopi_pb_field *field) {
  kop_pulsar_property property;
  kop_pulsar_encryption_key key;
  if (kind == INTS) {
    if (field->wire == KOPI_PB_VARINT) return 1;
    return field->wire == KOPI_PB_BYTES ? kopi_pb_packed_count(field->bytes) : -1;
  }
  if (field->wire != KOPI_PB_BYTES) return -1;
  if (kind == PROPERTIES) return kopi_pb_property(field->bytes, &property) ? 1 : -1;
  if (kind == KEYS) return read_key(field->bytes, &key) ? 1 : -1;
  return 1;
}

kop_status kop_pulsar_metadata_read(const uint8_t *bytes, size_t len, kop_pulsar_metadata *md) {
  kop_pulsar_metadata_init(md);
  if (len == 0 || len > INT32_MAX) return KOP_ERR_MALFORMED;
  const uint8_t *p = bytes;
  const uint8_t *end = bytes + len;
  while (p < end) {
    kopi_pb_field field;
    const uint8_t *start = p;
    p = kopi_pb_next(p, end, &field);
    if (p == NULL) return KOP_ERR_MALFORMED;
    if (field.number > LAST) continue;
    row r = rows[field.number];
    void *at = (uint8_t *)md + r.offset;
    if (r.kind == NONE) continue;
    if (r.kind < BYTES) {
      if (field.wire != KOPI_PB_VARINT) return KOP_ERR_MALFORMED;
      if (r.kind == U64) *(uint64_t *)at = field.value;
      if (r.kind == U32) *(uint32_t *)at = (uint32_t)field.value;
      if (r.kind == I32) *(int32_t *)at = (int32_t)field.value;
      if (r.kind == FLAG) *(uint8_t *)at = field.value != 0;
    } else if (r.kind == BYTES) {
      if (field.wire != KOPI_PB_BYTES) return KOP_ERR_MALFORMED;
      *(kop_slice *)at = field.bytes;
    } else {
      int32_t n = elements(r.kind, &field);
      if (n < 0) return KOP_ERR_MALFORMED;
      if (n > 0) kopi_pb_repeat(at, start, p, n);
      continue;
    }
    md->present |= UINT64_C(1) << field.number;
  }
  return (md->present & required) == required ? KOP_OK : KOP_ERR_MALFORMED;
}

/* ---- writing ------------------------------------------------------------------------------------ */

/* The numbers of the fields to be written, as bits. */
static uint64_t fields_of(const kop_pulsar_metadata *md, size_t property_count) {
  uint64_t fields = md->present & singular;
  if (md->properties.count > 0 || property_count != 0) fields |= UINT64_C(1) << PROPERTIES_FIELD;
  if (md->replicate_to.count > 0) fields |= UINT64_C(1) << REPLICATE_TO;
  if (md->encryption_keys.count > 0) fields |= UINT64_C(1) << ENCRYPTION_KEYS;
  if (md->compacted_batch_indexes.count > 0) fields |= UINT64_C(1) << COMPACTED_INDEXES;
  return fields;
}

static uint64_t integer_of(const void *at, uint8_t kind) {
  switch (kind) {
  case U64:
    return *(const uint64_t *)at;
  case U32:
    return *(const uint32_t *)at;
  case I32:
    return kopi_pb_int32(*(const int32_t *)at);
  default:
    return *(const uint8_t *)at != 0;
  }
}

static size_t ints_size(kop_pulsar_repeated r) {
  size_t size = 0;
  int32_t value;
  while (kop_pulsar_int_next(&r, &value) == KOP_OK) {
    size += kopi_pb_uint_size(COMPACTED_INDEXES, kopi_pb_int32(value));
  }
  return size;
}

static uint8_t *put_ints(uint8_t *p, kop_pulsar_repeated r) {
  int32_t value;
  while (kop_pulsar_int_next(&r, &value) == KOP_OK) {
    p = kopi_pb_put_uint(p, COMPACTED_INDEXES, kopi_pb_int32(value));
  }
  return p;
}

size_t kop_pulsar_metadata_size(const kop_pulsar_metadata *md,
                                const kop_pulsar_property *properties, size_t property_count) {
  size_t size = 0;
  for (uint64_t left = fields_of(md, property_count); left != 0; left &= left - 1) {
    uint32_t number = (uint32_t)__builtin_ctzll(left);
    row r = rows[number];
    const void *at = (const uint8_t *)md + r.offset;
    if (r.kind < BYTES) {
      size += kopi_pb_uint_size(number, integer_of(at, r.kind));
    } else if (r.kind == BYTES) {
      size += kopi_pb_bytes_size(number, ((const kop_slice *)at)->len);
    } else if (r.kind == INTS) {
      size += ints_size(*(const kop_pulsar_repeated *)at);
    } else {
      size += kopi_pb_repeated_size(*(const kop_pulsar_repeated *)at, number);
    }
  }
  return size + kopi_pb_properties_size(properties, property_count, PROPERTIES_FIELD);
}

static kop_status check_ints(kop_pulsar_repeated r) {
  kop_status status;
  do {
    int32_t value;
    status = kop_pulsar_int_next(&r, &value);
  } while (status == KOP_OK);
  return status == KOP_ERR_NOT_FOUND ? KOP_OK : status;
}

kop_status kopi_pulsar_metadata_check(const kop_pulsar_metadata *md) {
  if ((md->present & required) != required) return KOP_ERR_INVALID;
  kop_status status = kopi_pb_repeated_check(md->properties);
  if (status == KOP_OK) status = kopi_pb_repeated_check(md->replicate_to);
  if (status == KOP_OK) status = kopi_pb_repeated_check(md->encryption_keys);
  if (status == KOP_OK) status = check_ints(md->compacted_batch_indexes);
  return status;
}

uint8_t *kopi_pulsar_metadata_put(uint8_t *p, const kop_pulsar_metadata *md,
                                  const kop_pulsar_property *properties, size_t property_count) {
  for (uint64_t left = fields_of(md, property_count); left != 0; left &= left - 1) {
    uint32_t number = (uint32_t)__builtin_ctzll(left);
    row r = rows[number];
    const void *at = (const uint8_t *)md + r.offset;
    if (r.kind < BYTES) {
      p = kopi_pb_put_uint(p, number, integer_of(at, r.kind));
    } else if (r.kind == BYTES) {
      p = kopi_pb_put_bytes(p, number, *(const kop_slice *)at);
    } else if (r.kind == INTS) {
      p = put_ints(p, *(const kop_pulsar_repeated *)at);
    } else {
      p = kopi_pb_put_repeated(p, *(const kop_pulsar_repeated *)at, number);
    }
    if (r.kind == PROPERTIES) {
      p = kopi_pb_put_properties(p, properties, property_count, PROPERTIES_FIELD);
    }
  }
  return p;
}

kop_status kop_pulsar_metadata_write(const kop_pulsar_metadata *md,
                                     const kop_pulsar_property *properties, size_t property_count,
                                     uint8_t *out, size_t cap, size_t *len) {
  kop_status status = kopi_pulsar_metadata_check(md);
  if (status != KOP_OK) return status;
  size_t size = kop_pulsar_metadata_size(md, properties, property_count);
  if (size > INT32_MAX) return KOP_ERR_INVALID;
  *len = size;
  if (size > cap) return KOP_ERR_NO_SPACE;
  const uint8_t *end = kopi_pulsar_metadata_put(out, md, properties, property_count);
  KOPI_ASSERT(end == out + size);
  (void)end;
  return KOP_OK;
}
