/* Writing and reading kop.batch. */
#include "convert/facts.h"

#include <string.h>

#include "base/decimal.h"

static const char name[] = "kop.batch";

enum { VERSION = '1', ATTRIBUTES = 0xFFFF & ~KOP_BATCH_CODEC_MASK };

kop_slice kopi_facts_name(void) {
  return (kop_slice){(const uint8_t *)name, sizeof name - 1};
}

void kopi_facts_init(kop_convert_facts *facts) {
  *facts = (kop_convert_facts){
      .producer_id = -1,
      .base_timestamp = -1,
      .max_timestamp = -1,
      .base_sequence = -1,
      .leader_epoch = -1,
      .producer_epoch = -1,
  };
}

static uint8_t *put_field(uint8_t *p, const char *key, int64_t value) {
  size_t len = strlen(key);
  memcpy(p, key, len);
  p += len;
  if (value < 0) *p++ = '-';
  return kopi_decimal_put(p, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

size_t kopi_facts_write(const kop_convert_facts *facts, uint8_t *out) {
  uint8_t *p = out;
  *p++ = VERSION;
  if (facts->producer_id != -1) p = put_field(p, " pid=", facts->producer_id);
  if (facts->producer_epoch != -1) p = put_field(p, " epoch=", facts->producer_epoch);
  if (facts->base_sequence != -1) p = put_field(p, " seq=", facts->base_sequence);
  int32_t attributes = facts->attributes & ATTRIBUTES;
  if (attributes != 0) p = put_field(p, " attr=", attributes);
  if (facts->leader_epoch != -1) p = put_field(p, " leader=", facts->leader_epoch);
  if (facts->has_base) p = put_field(p, " base=", facts->base_timestamp);
  if (facts->has_max) p = put_field(p, " max=", facts->max_timestamp);
  return (size_t)(p - out);
}

static int is(const uint8_t *p, size_t len, const char *key) {
  return len == strlen(key) && memcmp(p, key, len) == 0;
}

static int in_range(int64_t value, int64_t least, int64_t most) {
  return value >= least && value <= most;
}

/* Takes "key=value". */
static kop_status take_field(const uint8_t *p, const uint8_t *end, kop_convert_facts *facts) {
  const uint8_t *sign = memchr(p, '=', (size_t)(end - p));
  if (sign == NULL) return KOP_ERR_MALFORMED;
  size_t len = (size_t)(sign - p);
  int64_t v = 0;
  int number = kopi_decimal_read_signed(sign + 1, end, &v) == end;
  int good = 1;
  if (is(p, len, "pid")) {
    facts->producer_id = v;
  } else if (is(p, len, "epoch")) {
    good = in_range(v, INT16_MIN, INT16_MAX);
    facts->producer_epoch = (int32_t)v;
  } else if (is(p, len, "seq")) {
    good = in_range(v, INT32_MIN, INT32_MAX);
    facts->base_sequence = (int32_t)v;
  } else if (is(p, len, "attr")) {
    good = in_range(v, 0, ATTRIBUTES) && (v & KOP_BATCH_CODEC_MASK) == 0;
    facts->attributes = (int32_t)v;
  } else if (is(p, len, "leader")) {
    good = in_range(v, INT32_MIN, INT32_MAX);
    facts->leader_epoch = (int32_t)v;
  } else if (is(p, len, "base")) {
    facts->has_base = 1;
    facts->base_timestamp = v;
  } else if (is(p, len, "max")) {
    facts->has_max = 1;
    facts->max_timestamp = v;
  } else {
    return KOP_OK; /* of a later library, which may have other values than numbers */
  }
  return good && number ? KOP_OK : KOP_ERR_MALFORMED;
}

static kop_status parse(kop_slice value, kop_convert_facts *facts) {
  const uint8_t *p = value.ptr;
  const uint8_t *end = p + value.len;
  if (value.len == 0) return KOP_ERR_MALFORMED;
  if (*p != VERSION || (value.len > 1 && p[1] != ' ')) return KOP_ERR_UNSUPPORTED;
  p++;
  kop_status status = KOP_OK;
  while (status == KOP_OK && p < end) {
    p++; /* the space */
    const uint8_t *space = memchr(p, ' ', (size_t)(end - p));
    const uint8_t *stop = space == NULL ? end : space;
    status = take_field(p, stop, facts);
    p = stop;
  }
  return status;
}

kop_status kop_convert_facts_read(const kop_pulsar_metadata *metadata, kop_convert_facts *facts) {
  kopi_facts_init(facts);
  kop_pulsar_repeated rest = metadata->properties;
  kop_pulsar_property property;
  kop_status status;
  while ((status = kop_pulsar_property_next(&rest, &property)) == KOP_OK) {
    if (is(property.key.ptr, property.key.len, name)) return parse(property.value, facts);
  }
  return status;
}
