/* Pulsar, Kafka, Pulsar: random native messages with every property come back as they were, when asked to. */
#include <jansson.h>

#include "support.h"

enum { TURNS = 3000, MESSAGES = 6, PROPERTIES = 4 };

/* A native message as it is produced. */
typedef struct native {
  kop_pulsar_single single;
  kop_pulsar_property properties[PROPERTIES];
  size_t property_count;
  kop_slice value;
} native;

typedef struct native_entry {
  kop_pulsar_metadata md;
  native messages[MESSAGES];
  int count;
  int batch; /* in batch format */
  bytes bytes;
} native_entry;

/* How many texts went beyond ASCII: a test that meets none proves too little. */
static int beyond_ascii;

static int is_utf8(kop_slice s) {
  json_t *text = json_stringn((const char *)s.ptr, s.len);
  json_decref(text);
  return text != NULL;
}

/* Protobuf's strings are UTF-8, of which the names that begin with kop.b. are the library's own. */
static kop_slice random_text(uint64_t *seed, pool *p, size_t most) {
  kop_slice s;
  do {
    s = random_slice(seed, p, 0, most);
    size_t ascii = 0;
    while (ascii < s.len && s.ptr[ascii] < 0x80)
      ascii++;
    if (!is_utf8(s)) s.len = ascii;
    beyond_ascii += ascii < s.len;
  } while (s.len >= 6 && memcmp(s.ptr, "kop.b.", 6) == 0);
  return s;
}

static int maybe(uint64_t *seed) {
  return rng_below(seed, 2) == 0;
}

static void random_message(uint64_t *seed, pool *p, native *m) {
  kop_pulsar_single *s = &m->single;
  kop_pulsar_single_init(s);
  if (maybe(seed)) {
    s->present |= KOP_PULSAR_SINGLE_HAS_PARTITION_KEY;
    s->partition_key = random_text(seed, p, 20);
    if (maybe(seed)) {
      s->present |= KOP_PULSAR_SINGLE_HAS_PARTITION_KEY_B64_ENCODED;
      s->partition_key_b64_encoded = (uint8_t)rng_below(seed, 2);
      if (s->partition_key_b64_encoded) {
        const char *const coded[] = {"azE=", "/wCA", "", "AAAAAQ==", "not base64!"};
        s->partition_key = text_slice(coded[rng_below(seed, 5)]);
      }
    }
  }
  if (rng_below(seed, 3) == 0) {
    s->present |= KOP_PULSAR_SINGLE_HAS_ORDERING_KEY;
    s->ordering_key = random_slice(seed, p, 0, 20);
  }
  if (maybe(seed)) {
    s->present |= KOP_PULSAR_SINGLE_HAS_EVENT_TIME;
    s->event_time = rng_below(seed, 4) == 0 ? 0 : 1700000000000 + rng_below(seed, 1000);
  }
  if (maybe(seed)) {
    s->present |= KOP_PULSAR_SINGLE_HAS_SEQUENCE_ID;
    s->sequence_id = rng_next(seed);
  }
  if (rng_below(seed, 8) == 0) {
    s->present |= KOP_PULSAR_SINGLE_HAS_NULL_PARTITION_KEY;
    s->null_partition_key = 1;
  }
  m->value = random_slice(seed, p, 0, 200);
  if (rng_below(seed, 5) == 0) {
    s->present |= KOP_PULSAR_SINGLE_HAS_NULL_VALUE;
    s->null_value = 1;
    m->value.len = 0;
  }
  m->property_count = (size_t)rng_below(seed, PROPERTIES + 1);
  for (size_t i = 0; i < m->property_count; i++) {
    m->properties[i].key =
        i > 0 && rng_below(seed, 4) == 0 ? m->properties[0].key : random_text(seed, p, 12);
    m->properties[i].value = random_text(seed, p, 30);
  }
}

static void random_metadata(uint64_t *seed, pool *p, kop_pulsar_metadata *md) {
  kop_pulsar_metadata_init(md);
  md->present =
      KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID | KOP_PULSAR_HAS_PUBLISH_TIME;
  md->producer_name = text_slice("standalone-1-2");
  md->sequence_id = rng_next(seed) >> 1;
  md->publish_time = 1700000005000 + rng_below(seed, 1000);
  if (maybe(seed)) {
    md->present |= KOP_PULSAR_HAS_SCHEMA_VERSION;
    md->schema_version = random_slice(seed, p, 0, 8);
  }
  if (maybe(seed)) {
    md->present |= KOP_PULSAR_HAS_REPLICATED_FROM;
    md->replicated_from = text_slice("us-west");
  }
  if (rng_below(seed, 4) == 0) {
    md->present |= KOP_PULSAR_HAS_DELIVER_AT_TIME;
    md->deliver_at_time = (int64_t)rng_below(seed, 1u << 31);
  }
  if (rng_below(seed, 4) == 0) {
    static const char field[] = "\x3a\x07us-east\x3a\x02"
                                "eu"; /* as it stands in a message */
    md->replicate_to = (kop_pulsar_repeated){
        .ptr = (const uint8_t *)field, .len = sizeof field - 1, .count = 2, .field = 7};
  }
  if (rng_below(seed, 4) == 0) {
    md->present |= KOP_PULSAR_HAS_SCHEMA_ID;
    md->schema_id = random_slice(seed, p, 0, 8);
  }
}

/* The facts of an entry that is no batch are those of its message. */
static void lift(kop_pulsar_metadata *md, const kop_pulsar_single *s) {
  const struct {
    uint32_t of_message;
    uint64_t of_entry;
  } bits[] = {
      {KOP_PULSAR_SINGLE_HAS_PARTITION_KEY, KOP_PULSAR_HAS_PARTITION_KEY},
      {KOP_PULSAR_SINGLE_HAS_PARTITION_KEY_B64_ENCODED, KOP_PULSAR_HAS_PARTITION_KEY_B64_ENCODED},
      {KOP_PULSAR_SINGLE_HAS_ORDERING_KEY, KOP_PULSAR_HAS_ORDERING_KEY},
      {KOP_PULSAR_SINGLE_HAS_EVENT_TIME, KOP_PULSAR_HAS_EVENT_TIME},
      {KOP_PULSAR_SINGLE_HAS_NULL_VALUE, KOP_PULSAR_HAS_NULL_VALUE},
      {KOP_PULSAR_SINGLE_HAS_NULL_PARTITION_KEY, KOP_PULSAR_HAS_NULL_PARTITION_KEY},
  };
  for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
    if ((s->present & bits[i].of_message) != 0) md->present |= bits[i].of_entry;
  }
  md->partition_key = s->partition_key;
  md->partition_key_b64_encoded = s->partition_key_b64_encoded;
  md->ordering_key = s->ordering_key;
  md->event_time = s->event_time;
  md->null_value = s->null_value;
  md->null_partition_key = s->null_partition_key;
}

static void write_entry(native_entry *e, int32_t compression) {
  static uint8_t plain[64 * 1024];
  kop_slice payload = {plain, 0};
  const kop_pulsar_property *properties = NULL;
  size_t property_count = 0;
  if (e->batch) {
    e->md.present |= KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
    e->md.num_messages_in_batch = e->count;
    for (int i = 0; i < e->count; i++) {
      const native *m = &e->messages[i];
      size_t len;
      cr_assert_eq(kop_pulsar_batch_put(&m->single, m->properties, m->property_count, m->value,
                                        plain + payload.len, sizeof plain - payload.len, &len),
                   KOP_OK);
      payload.len += len;
    }
  } else {
    lift(&e->md, &e->messages[0].single);
    payload = e->messages[0].value;
    properties = e->messages[0].properties;
    property_count = e->messages[0].property_count;
  }
  kop_pulsar_codec *codec;
  cr_assert_eq(kop_pulsar_codec_new(NULL, &codec), KOP_OK);
  if (compression != KOP_PULSAR_COMPRESSION_NONE) {
    e->md.present |= KOP_PULSAR_HAS_COMPRESSION | KOP_PULSAR_HAS_UNCOMPRESSED_SIZE;
    e->md.compression = compression;
    e->md.uncompressed_size = (uint32_t)payload.len;
    cr_assert_eq(
        kop_pulsar_compress(codec, compression, KOP_PULSAR_LEVEL_DEFAULT, payload, &payload),
        KOP_OK);
  }
  uint8_t head[8192];
  size_t len;
  cr_assert_eq(kop_pulsar_entry_write(&e->md, properties, property_count, &payload, 1, head,
                                      sizeof head, &len),
               KOP_OK);
  e->bytes = copy_bytes(head, len);
  e->bytes.ptr = realloc(e->bytes.ptr, len + payload.len + 1);
  if (payload.len != 0) memcpy(e->bytes.ptr + len, payload.ptr, payload.len);
  e->bytes.len = len + payload.len;
  kop_pulsar_codec_free(codec);
}

static void assert_slice(kop_slice a, kop_slice b, const char *what) {
  cr_assert_eq(a.len, b.len, "%s", what);
  cr_assert(a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0, "%s", what);
}

static void assert_message(const native *m, const kop_pulsar_message *got) {
  const kop_pulsar_single *a = &m->single;
  const kop_pulsar_single *b = &got->single;
  const uint32_t compared =
      (KOP_PULSAR_SINGLE_HAS_PARTITION_KEY | KOP_PULSAR_SINGLE_HAS_PARTITION_KEY_B64_ENCODED |
       KOP_PULSAR_SINGLE_HAS_ORDERING_KEY | KOP_PULSAR_SINGLE_HAS_EVENT_TIME |
       KOP_PULSAR_SINGLE_HAS_NULL_VALUE | KOP_PULSAR_SINGLE_HAS_NULL_PARTITION_KEY);
  cr_assert_eq(a->present & compared, b->present & compared, "present %x, got %x", a->present,
               b->present);
  assert_slice(a->partition_key, b->partition_key, "key");
  cr_assert_eq(a->partition_key_b64_encoded, b->partition_key_b64_encoded);
  assert_slice(a->ordering_key, b->ordering_key, "ordering key");
  cr_assert_eq(a->event_time, b->event_time);
  cr_assert_eq(a->null_value, b->null_value);
  cr_assert_eq(a->null_partition_key, b->null_partition_key);
  assert_slice(m->value, got->payload, "value");
  cr_assert_eq((size_t)b->properties.count, m->property_count);
  kop_pulsar_repeated rest = b->properties;
  kop_pulsar_property property;
  for (size_t i = 0; kop_pulsar_property_next(&rest, &property) == KOP_OK; i++) {
    assert_slice(m->properties[i].key, property.key, "property");
    assert_slice(m->properties[i].value, property.value, "property's value");
  }
}

static void assert_entry(const native_entry *e, bytes got) {
  kop_pulsar_entry entry;
  cr_assert_eq(kop_pulsar_entry_read(got.ptr, got.len, KOP_PULSAR_ENTRY_CHECK, &entry), KOP_OK);
  const kop_pulsar_metadata *a = &e->md;
  const kop_pulsar_metadata *b = &entry.metadata;
  const uint64_t compared = KOP_PULSAR_HAS_REPLICATED_FROM | KOP_PULSAR_HAS_SCHEMA_VERSION |
                            KOP_PULSAR_HAS_SCHEMA_ID | KOP_PULSAR_HAS_DELIVER_AT_TIME;
  cr_assert_eq(a->present & compared, b->present & compared);
  assert_slice(a->producer_name, b->producer_name, "producer");
  cr_assert_eq(a->sequence_id, b->sequence_id);
  cr_assert_eq(a->publish_time, b->publish_time);
  assert_slice(a->replicated_from, b->replicated_from, "replicated from");
  assert_slice(a->schema_version, b->schema_version, "schema version");
  assert_slice(a->schema_id, b->schema_id, "schema id");
  cr_assert_eq(a->deliver_at_time, b->deliver_at_time);
  cr_assert_eq(a->replicate_to.count, b->replicate_to.count);
  kop_pulsar_repeated to = b->replicate_to;
  kop_slice cluster;
  while (kop_pulsar_string_next(&to, &cluster) == KOP_OK) {
    assert_slice(cluster, text_slice(to.count == 1 ? "us-east" : "eu"), "replicate to");
  }
  kop_pulsar_batch_iter it;
  kop_pulsar_message message;
  cr_assert_eq(kop_pulsar_batch_begin(&it, b, entry.payload), KOP_OK);
  for (int i = 0; i < e->count; i++) {
    cr_assert_eq(kop_pulsar_batch_next(&it, &message), KOP_OK);
    assert_message(&e->messages[i], &message);
    if (e->batch) {
      cr_assert_eq(message.single.sequence_id, e->messages[i].single.sequence_id);
    }
  }
  cr_assert_eq(kop_pulsar_batch_next(&it, &message), KOP_ERR_NOT_FOUND);
}

static void random_entry(uint64_t *seed, pool *p, native_entry *e) {
  p->used = 0;
  *e = (native_entry){.batch = maybe(seed)};
  random_metadata(seed, p, &e->md);
  e->count = e->batch ? 1 + (int)rng_below(seed, MESSAGES) : 1;
  for (int i = 0; i < e->count; i++) {
    random_message(seed, p, &e->messages[i]);
  }
  write_entry(e, (int32_t)rng_below(seed, 5));
}

static kop_convert_answer read_entry(kop_convert *c, const native_entry *e, int32_t flags) {
  kop_to_kafka_options o;
  kop_to_kafka_options_init(&o, sizeof o);
  o.flags = flags;
  kop_convert_answer answer;
  cr_assert_eq(
      kop_convert_to_kafka(c, e->bytes.ptr, e->bytes.len, 100, 100 + e->count - 1, &o, &answer),
      KOP_OK);
  cr_assert_eq(answer.kind, KOP_ANSWER_BATCHES, "%s", kop_convert_error_text(c));
  cr_assert_eq(answer.writer, KOP_CONVERT_BY_NATIVE);
  cr_assert_eq(answer.batches_count, 1);
  cr_assert_eq(answer.batches[0].base_offset, 100);
  cr_assert_eq(answer.batches[0].count, e->count);
  return answer;
}

Test(native, what_was_kept_comes_back) {
  static pool p;
  static native_entry e;
  uint64_t seed = 11;
  kop_convert *c = new_convert();
  for (int turn = 0; turn < TURNS; turn++) {
    random_entry(&seed, &p, &e);
    kop_convert_answer answer = read_entry(c, &e, KOP_TO_KAFKA_KEEP);
    bytes batch = batch_bytes(&answer.batches[0]);
    kop_to_pulsar_options o = to_pulsar_defaults();
    o.flags = KOP_TO_PULSAR_RESTORE;
    o.compression = KOP_PULSAR_COMPRESSION_NONE;
    const kop_convert_entry *entries;
    size_t n;
    cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK);
    cr_assert_eq(n, 1);
    bytes got = entry_bytes(&entries[0]);
    assert_entry(&e, got);
    free(got.ptr);
    free(batch.ptr);
    free(e.bytes.ptr);
  }
  cr_assert_gt(beyond_ascii, TURNS);
  kop_convert_free(c);
}

/* The same bytes as a Kafka consumer sees them, by the rules of docs/conversion.md, written down a second time. */
Test(native, what_kafka_sees) {
  static pool p;
  static native_entry e;
  uint64_t seed = 12;
  kop_convert *c = new_convert();
  kop_record_ctx *ctx;
  cr_assert_eq(kop_record_ctx_new(NULL, &ctx), KOP_OK);
  for (int turn = 0; turn < TURNS; turn++) {
    random_entry(&seed, &p, &e);
    kop_convert_answer answer = read_entry(c, &e, 0);
    bytes batch = batch_bytes(&answer.batches[0]);
    cr_assert_eq(kop_batch_check_crc(batch.ptr, batch.len), KOP_OK);
    cr_assert_eq(kop_record_begin(ctx, batch.ptr, batch.len), KOP_OK);
    for (int i = 0; i < e.count; i++) {
      const native *m = &e.messages[i];
      kop_record r;
      cr_assert_eq(kop_record_next(ctx, &r), KOP_OK);
      cr_assert_eq(r.offset, 100 + i);
      cr_assert_eq(r.timestamp, m->single.event_time != 0 ? (int64_t)m->single.event_time
                                                          : (int64_t)e.md.publish_time);
      int has_key = (m->single.present & KOP_PULSAR_SINGLE_HAS_PARTITION_KEY) != 0;
      int has_order = (m->single.present & KOP_PULSAR_SINGLE_HAS_ORDERING_KEY) != 0;
      if (m->single.null_partition_key || (!has_key && !has_order)) {
        cr_assert_null(r.key.ptr);
      } else if (!has_key) {
        assert_slice(r.key, m->single.ordering_key, "ordering key as key");
      } else if (!m->single.partition_key_b64_encoded) {
        assert_slice(r.key, m->single.partition_key, "key");
      }
      cr_assert_eq(r.value.ptr == NULL, m->single.null_value);
      assert_slice(r.value, m->value, "value");
      cr_assert_eq((size_t)r.header_count, m->property_count);
      kop_slice rest = r.headers;
      kop_record_header h;
      for (size_t k = 0; kop_record_header_next(&rest, &h) == KOP_OK; k++) {
        assert_slice(h.key, m->properties[k].key, "header");
        assert_slice(h.value, m->properties[k].value, "header's value");
      }
    }
    free(batch.ptr);
    free(e.bytes.ptr);
  }
  cr_assert_gt(beyond_ascii, TURNS);
  kop_record_ctx_free(ctx);
  kop_convert_free(c);
}

/* ---- kept headers on records that are not the native ones any more ------------------------------- */

/* The two headers that reading a native message adds. */
static void kept_headers(kop_convert *c, uint64_t publish_time, const char *key, pool *p,
                         kop_record_header out[2]) {
  native_entry e = {.count = 1};
  kop_pulsar_metadata_init(&e.md);
  e.md.present =
      KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID | KOP_PULSAR_HAS_PUBLISH_TIME;
  e.md.producer_name = text_slice("native");
  e.md.publish_time = publish_time;
  kop_pulsar_single *s = &e.messages[0].single;
  kop_pulsar_single_init(s);
  s->present = KOP_PULSAR_SINGLE_HAS_PARTITION_KEY | KOP_PULSAR_SINGLE_HAS_ORDERING_KEY;
  s->partition_key = text_slice(key);
  s->ordering_key = text_slice("order");
  e.messages[0].value = text_slice("v");
  write_entry(&e, KOP_PULSAR_COMPRESSION_NONE);
  kop_convert_answer answer = read_entry(c, &e, KOP_TO_KAFKA_KEEP);
  bytes batch = batch_bytes(&answer.batches[0]);
  kop_record_ctx *ctx;
  cr_assert_eq(kop_record_ctx_new(NULL, &ctx), KOP_OK);
  cr_assert_eq(kop_record_begin(ctx, batch.ptr, batch.len), KOP_OK);
  kop_record r;
  cr_assert_eq(kop_record_next(ctx, &r), KOP_OK);
  cr_assert_eq(r.header_count, 2);
  kop_slice rest = r.headers;
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(kop_record_header_next(&rest, &out[i]), KOP_OK);
    kop_slice *const both[] = {&out[i].key, &out[i].value};
    for (int k = 0; k < 2; k++) {
      memcpy(p->bytes + p->used, both[k]->ptr, both[k]->len);
      both[k]->ptr = p->bytes + p->used;
      p->used += both[k]->len;
    }
  }
  kop_record_ctx_free(ctx);
  free(batch.ptr);
  free(e.bytes.ptr);
}

static bytes batch_with(const kop_record_in *records, int count, int64_t producer_id) {
  kop_batch_builder *b;
  kop_batch_options o;
  kop_batch_options_init(&o, sizeof o);
  o.producer_id = producer_id;
  cr_assert_eq(kop_batch_builder_new(NULL, &b), KOP_OK);
  cr_assert_eq(kop_batch_builder_begin(b, &o), KOP_OK);
  for (int i = 0; i < count; i++) {
    cr_assert_eq(kop_batch_builder_append(b, &records[i]), KOP_OK);
  }
  const uint8_t *lent;
  size_t len;
  cr_assert_eq(kop_batch_builder_finish(b, &lent, &len), KOP_OK);
  bytes out = copy_bytes(lent, len);
  kop_batch_builder_free(b);
  return out;
}

Test(native, records_of_several_entries_become_several_entries) {
  static pool p;
  kop_convert *c = new_convert();
  kop_record_header headers[2][2];
  kept_headers(c, 1000, "a", &p, headers[0]);
  kept_headers(c, 2000, "b", &p, headers[1]);
  const kop_record_in records[] = {
      {.offset = -1,
       .timestamp = 1000,
       .key = text_slice("a"),
       .headers = headers[0],
       .header_count = 2},
      {.offset = -1,
       .timestamp = 1000,
       .key = text_slice("a"),
       .headers = headers[0],
       .header_count = 2},
      {.offset = -1,
       .timestamp = 2000,
       .key = text_slice("b"),
       .headers = headers[1],
       .header_count = 2},
      {.offset = -1, .timestamp = 7, .key = text_slice("none of them")},
  };
  kop_to_pulsar_options o = to_pulsar_defaults();
  const kop_convert_entry *entries;
  size_t n;
  for (int compression = 0; compression < 2; compression++) {
    o.flags = KOP_TO_PULSAR_RESTORE;
    o.compression = compression;
    bytes batch = batch_with(records, 4, -1);
    cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK);
    cr_assert_eq(n, 3);
    const uint64_t times[] = {1000, 2000, (uint64_t)o.publish_time_ms};
    const int32_t counts[] = {2, 1, 1};
    for (size_t i = 0; i < 3; i++) {
      bytes got = entry_bytes(&entries[i]);
      kop_pulsar_entry entry;
      cr_assert_eq(kop_pulsar_entry_read(got.ptr, got.len, KOP_PULSAR_ENTRY_CHECK, &entry), KOP_OK);
      cr_assert_eq(entry.metadata.publish_time, times[i]);
      cr_assert_eq(entries[i].count, counts[i]);
      free(got.ptr);
    }
    free(batch.ptr);
    batch = batch_with(records, 4, 77);
    cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_ERR_LIMIT);
    cr_assert_not_null(strstr(kop_convert_error_text(c), "several entries"));
    o.flags = 0;
    cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK);
    cr_assert_eq(n, 1, "without the flag they are headers like any other");
    free(batch.ptr);
  }
  kop_convert_free(c);
}

/* A producer may put headers of those names beside the kept ones: each is a header like any other. */
Test(native, only_one_header_of_a_name_is_taken) {
  static pool p;
  static char long_text[4000];
  kop_convert *c = new_convert();
  kop_record_header headers[4];
  kept_headers(c, 1000, "a", &p, headers);
  kop_record_header other[2];
  kept_headers(c, 2000, "b", &p, other);
  /* kop.entry again: one that breaks off behind a producer name, and a whole one. */
  memset(long_text, 'x', sizeof long_text);
  long_text[0] = 1 << 3 | 2;
  long_text[1] = (char)(0x80 | (3997 & 0x7F));
  long_text[2] = 3997 >> 7;
  headers[2] = (kop_record_header){other[0].key, {(const uint8_t *)long_text, sizeof long_text}};
  headers[3] = other[0];
  const kop_record_in record = {.offset = -1,
                                .timestamp = 1000,
                                .key = text_slice("a"),
                                .headers = headers,
                                .header_count = 4};
  bytes batch = batch_with(&record, 1, -1);
  kop_to_pulsar_options o = to_pulsar_defaults();
  o.flags = KOP_TO_PULSAR_RESTORE;
  const kop_convert_entry *entries;
  size_t n;
  cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK);
  cr_assert_eq(n, 1);
  bytes got = entry_bytes(&entries[0]);
  kop_pulsar_entry entry;
  cr_assert_eq(kop_pulsar_entry_read(got.ptr, got.len, KOP_PULSAR_ENTRY_CHECK, &entry), KOP_OK);
  cr_assert_eq(entry.metadata.publish_time, 1000);
  cr_assert_eq(entry.metadata.producer_name.len, strlen("native"));
  kop_pulsar_batch_iter it;
  kop_pulsar_message message;
  cr_assert_eq(kop_pulsar_batch_begin(&it, &entry.metadata, entry.payload), KOP_OK);
  cr_assert_eq(kop_pulsar_batch_next(&it, &message), KOP_OK);
  cr_assert_eq(message.single.properties.count, 2, "those that were not taken");
  for (int i = 2; i < 4; i++) {
    kop_pulsar_property property;
    cr_assert_eq(kop_pulsar_property_next(&message.single.properties, &property), KOP_OK);
    cr_assert_eq(property.value.len, headers[i].value.len);
    cr_assert_eq(memcmp(property.value.ptr, headers[i].value.ptr, property.value.len), 0);
  }
  free(got.ptr);
  free(batch.ptr);
  kop_convert_free(c);
}

/* A kept sequence id among counted ones would make the broker drop what follows as duplicates. */
Test(native, a_kept_sequence_id_does_not_leave_the_count) {
  kop_convert *c = new_convert();
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  md.present =
      KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID | KOP_PULSAR_HAS_PUBLISH_TIME;
  md.producer_name = text_slice("native");
  md.sequence_id = UINT64_C(1) << 62;
  uint8_t kept[64];
  size_t len;
  cr_assert_eq(kop_pulsar_metadata_write(&md, NULL, 0, kept, sizeof kept, &len), KOP_OK);
  const kop_record_header header = {text_slice("kop.entry"), {kept, len}};
  const kop_record_in record = {.offset = -1,
                                .timestamp = 1,
                                .value = text_slice("v"),
                                .headers = &header,
                                .header_count = 1};
  const kop_record_in records[] = {record, record};
  bytes batch = batch_with(records, 2, -1);
  kop_to_pulsar_options o = to_pulsar_defaults();
  o.sequence_id = 100;
  const kop_convert_entry *entries;
  size_t n;
  for (int counted = 0; counted < 2; counted++) {
    o.flags = KOP_TO_PULSAR_RESTORE | (counted ? KOP_TO_PULSAR_COUNT_MESSAGES : 0);
    cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK);
    cr_assert_eq(n, 1);
    cr_assert_eq(entries[0].sequence_id, counted ? 100 : md.sequence_id);
    cr_assert_eq(entries[0].highest_sequence_id, counted ? 101 : 0);
    bytes got = entry_bytes(&entries[0]);
    kop_pulsar_entry entry;
    cr_assert_eq(kop_pulsar_entry_read(got.ptr, got.len, KOP_PULSAR_ENTRY_CHECK, &entry), KOP_OK);
    cr_assert_eq(entry.metadata.sequence_id, entries[0].sequence_id);
    free(got.ptr);
  }
  free(batch.ptr);
  kop_convert_free(c);
}

/* What is kept takes room in the head, whatever the payload shrinks to. */
Test(native, kept_facts_count_towards_the_bound_of_an_entry) {
  enum { RECORDS = 200, KEPT = 60000 };
  static uint8_t kept[KEPT];
  static kop_record_in records[RECORDS];
  static uint8_t values[RECORDS][8];
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  md.present =
      KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID | KOP_PULSAR_HAS_PUBLISH_TIME;
  static uint8_t name[KEPT - 16];
  memset(name, 'n', sizeof name);
  md.producer_name = (kop_slice){name, sizeof name};
  size_t len;
  cr_assert_eq(kop_pulsar_metadata_write(&md, NULL, 0, kept, sizeof kept, &len), KOP_OK);
  const kop_record_header header = {text_slice("kop.entry"), {kept, len}};
  uint64_t seed = 1;
  for (int i = 0; i < RECORDS; i++) {
    for (int k = 0; k < 8; k++)
      values[i][k] = (uint8_t)rng_next(&seed);
    records[i] =
        (kop_record_in){.offset = -1, .timestamp = 1, .value = {values[i], 8}, .headers = &header};
    records[i].header_count = i == 0;
  }
  kop_convert *c = new_convert();
  bytes batch = batch_with(records, 1, -1);
  kop_to_pulsar_options o = to_pulsar_defaults();
  o.flags = KOP_TO_PULSAR_RESTORE;
  const kop_convert_entry *entries;
  size_t n;
  for (o.compression = 0; o.compression < 2; o.compression++) {
    o.max_entry_bytes = len / 2;
    cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_ERR_LIMIT);
  }
  free(batch.ptr);
  /* All of them have it: a payload that nearly fills an entry must leave room for it, and that in few attempts. */
  for (int i = 0; i < RECORDS; i++)
    records[i].header_count = 1;
  batch = batch_with(records, RECORDS, -1);
  for (o.compression = 0; o.compression < 2; o.compression++) {
    o.max_entry_bytes = len + 2500;
    cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK, "%d: %s",
                 o.compression, kop_convert_error_text(c));
    int32_t count = 0;
    for (size_t i = 0; i < n; i++) {
      cr_assert_leq(entries[i].head.len + entries[i].payload.len, o.max_entry_bytes);
      count += entries[i].count;
    }
    cr_assert_eq(count, RECORDS);
    cr_assert_gt(n, 1);
  }
  free(batch.ptr);
  kop_convert_free(c);
}

/* A stream processor copies headers to a record of its own. */
Test(native, a_record_with_another_key_or_time_keeps_its_own) {
  static pool p;
  kop_convert *c = new_convert();
  kop_record_header headers[2];
  kept_headers(c, 1000, "a", &p, headers);
  for (int i = 0; i < 6; i++) {
    const kop_slice keys[] = {text_slice("a"), text_slice("other"), {.ptr = NULL, .len = 0}};
    kop_record_in r = {.offset = -1, .timestamp = i % 2 == 0 ? 1000 : 5000, .key = keys[i / 2]};
    r.headers = headers;
    r.header_count = 2;
    bytes batch = batch_with(&r, 1, -1);
    kop_to_pulsar_options o = to_pulsar_defaults();
    o.flags = KOP_TO_PULSAR_RESTORE;
    const kop_convert_entry *entries;
    size_t n;
    cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK);
    bytes got = entry_bytes(&entries[0]);
    kop_pulsar_entry entry;
    cr_assert_eq(kop_pulsar_entry_read(got.ptr, got.len, KOP_PULSAR_ENTRY_CHECK, &entry), KOP_OK);
    kop_pulsar_batch_iter it;
    kop_pulsar_message m;
    cr_assert_eq(kop_pulsar_batch_begin(&it, &entry.metadata, entry.payload), KOP_OK);
    cr_assert_eq(kop_pulsar_batch_next(&it, &m), KOP_OK);
    cr_assert_eq(m.single.properties.count, 0);
    int same_key = i / 2 == 0;
    int same_time = i % 2 == 0;
    cr_assert_eq((m.single.present & KOP_PULSAR_SINGLE_HAS_ORDERING_KEY) != 0, same_key);
    cr_assert_eq((m.single.present & KOP_PULSAR_SINGLE_HAS_PARTITION_KEY) != 0, r.key.ptr != NULL);
    if (r.key.ptr != NULL) assert_slice(m.single.partition_key, r.key, "key");
    cr_assert_eq((m.single.present & KOP_PULSAR_SINGLE_HAS_EVENT_TIME) != 0, !same_time);
    if (!same_time) cr_assert_eq(m.single.event_time, 5000);
    free(got.ptr);
    free(batch.ptr);
  }
  kop_convert_free(c);
}

Test(native, an_empty_key_is_not_restored_to_a_record_without_one) {
  static pool p;
  kop_convert *c = new_convert();
  kop_record_header headers[2];
  kept_headers(c, 1000, "", &p, headers);
  const kop_record_in r = {.offset = -1, .timestamp = 1000, .headers = headers, .header_count = 2};
  bytes batch = batch_with(&r, 1, -1);
  kop_to_pulsar_options o = to_pulsar_defaults();
  o.flags = KOP_TO_PULSAR_RESTORE;
  const kop_convert_entry *entries;
  size_t n;
  cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK);
  kop_convert_answer answer;
  bytes got = entry_bytes(&entries[0]);
  cr_assert_eq(kop_convert_to_kafka(c, got.ptr, got.len, 0, 0, NULL, &answer), KOP_OK);
  bytes back = batch_bytes(&answer.batches[0]);
  kop_record_ctx *ctx;
  kop_record found;
  cr_assert_eq(kop_record_ctx_new(NULL, &ctx), KOP_OK);
  cr_assert_eq(kop_record_begin(ctx, back.ptr, back.len), KOP_OK);
  cr_assert_eq(kop_record_next(ctx, &found), KOP_OK);
  cr_assert_null(found.key.ptr);
  kop_record_ctx_free(ctx);
  free(back.ptr);
  free(got.ptr);
  free(batch.ptr);
  kop_convert_free(c);
}

/* A message larger than an entry: cut into chunks as Pulsar's clients do, put together by the caller. */
Test(native, chunks_are_parts_until_they_are_put_together) {
  static pool p;
  uint64_t seed = 13;
  kop_convert *c = new_convert();
  for (int turn = 0; turn < 200; turn++) {
    static native_entry e;
    p.used = 0;
    e = (native_entry){.count = 1};
    random_metadata(&seed, &p, &e.md);
    random_message(&seed, &p, &e.messages[0]);
    int32_t compression = (int32_t)rng_below(&seed, 5);
    write_entry(&e, compression);
    kop_pulsar_entry whole;
    cr_assert_eq(kop_pulsar_entry_read(e.bytes.ptr, e.bytes.len, 0, &whole), KOP_OK);
    int32_t parts = 2 + (int32_t)rng_below(&seed, 3);
    kop_pulsar_metadata md = whole.metadata;
    md.present |= KOP_PULSAR_HAS_UUID | KOP_PULSAR_HAS_NUM_CHUNKS_FROM_MSG |
                  KOP_PULSAR_HAS_TOTAL_CHUNK_MSG_SIZE | KOP_PULSAR_HAS_CHUNK_ID;
    md.uuid = text_slice("standalone-1-2-77");
    md.num_chunks_from_msg = parts;
    md.total_chunk_msg_size = (int32_t)whole.payload.len;
    uint8_t *joined = malloc(whole.payload.len + 1);
    size_t at = 0;
    kop_convert_answer answer;
    for (int32_t i = 0; i < parts; i++) {
      md.chunk_id = i;
      size_t end =
          i == parts - 1 ? whole.payload.len : whole.payload.len * (size_t)(i + 1) / (size_t)parts;
      kop_slice piece = {whole.payload.ptr + at, end - at};
      uint8_t bytes_of[16384];
      size_t len;
      cr_assert_eq(kop_pulsar_entry_write(&md, NULL, 0, &piece, 1, bytes_of, sizeof bytes_of, &len),
                   KOP_OK);
      if (piece.len != 0) memcpy(bytes_of + len, piece.ptr, piece.len);
      cr_assert_eq(
          kop_convert_to_kafka(c, bytes_of, len + piece.len, 10 + i, 10 + i, NULL, &answer),
          KOP_OK);
      cr_assert_eq(answer.kind, KOP_ANSWER_CHUNK);
      cr_assert_eq(answer.chunk_id, i);
      cr_assert_eq(answer.chunk_count, parts);
      cr_assert_eq((size_t)answer.chunk_total, whole.payload.len);
      assert_slice(answer.chunk_uuid, md.uuid, "uuid");
      if (answer.chunk.len != 0) memcpy(joined + at, answer.chunk.ptr, answer.chunk.len);
      at = end;
      if (i < parts - 1) continue;
      kop_pulsar_entry last;
      cr_assert_eq(kop_pulsar_entry_read(bytes_of, len + piece.len, 0, &last), KOP_OK);
      kop_to_kafka_options o;
      kop_to_kafka_options_init(&o, sizeof o);
      o.flags = KOP_TO_KAFKA_KEEP;
      cr_assert_eq(
          kop_convert_chunks_to_kafka(c, &last, (kop_slice){joined, at + 1}, 10 + i, &o, &answer),
          KOP_OK);
      cr_assert_eq(answer.reason, KOP_HOLE_MALFORMED, "a byte too many");
      cr_assert_eq(
          kop_convert_chunks_to_kafka(c, &last, (kop_slice){joined, at}, 10 + i, &o, &answer),
          KOP_OK);
    }
    cr_assert_eq(answer.kind, KOP_ANSWER_BATCHES);
    cr_assert_eq(answer.batches[0].base_offset, 10 + parts - 1);
    cr_assert_eq(answer.batches[0].last_offset, 10 + parts - 1);
    bytes batch = batch_bytes(&answer.batches[0]);
    kop_to_pulsar_options o = to_pulsar_defaults();
    o.flags = KOP_TO_PULSAR_RESTORE;
    o.compression = KOP_PULSAR_COMPRESSION_NONE;
    const kop_convert_entry *entries;
    size_t n;
    cr_assert_eq(kop_convert_to_pulsar(c, batch.ptr, batch.len, &o, &entries, &n), KOP_OK);
    bytes got = entry_bytes(&entries[0]);
    assert_entry(&e, got);
    free(got.ptr);
    free(batch.ptr);
    free(joined);
    free(e.bytes.ptr);
  }
  kop_convert_free(c);
}
