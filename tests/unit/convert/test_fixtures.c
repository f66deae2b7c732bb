/*
 * Every entry that a running Java plug-in left behind, in its three formats, is read to exactly what was sent to it; what it
 * had destroyed before is listed by name. tests/fixtures/kop/README.md says how they were made. The topics of its coordinators
 * are decoded by test_fixtures_coordinators.c.
 */
#include <jansson.h>
#include <stdio.h>

#include "support.h"
#include "unit/pulsar/fixtures.h"

/* A record as a Kafka consumer gets it. */
typedef struct seen {
  int64_t offset;
  int64_t timestamp;
  bytes key; /* ptr NULL: null */
  bytes value;
  bytes header_keys[8];
  bytes header_values[8];
  int header_count;
} seen;

typedef struct reading {
  kop_convert *c;
  kop_record_ctx *records;
  kop_to_kafka_options options;
  const char *topic; /* only this one; NULL: all */
  seen list[128];
  int count;
  int control;       /* records of control batches */
  int transactional; /* batches */
  int holes[16];     /* by reason */
  int formats[2];
  int64_t next; /* behind the last offset that was covered */
} reading;

static bytes keep(kop_slice s) {
  if (s.ptr == NULL) return (bytes){.ptr = NULL, .len = 0};
  return copy_bytes(s.ptr, s.len);
}

static void see_record(reading *r, const kop_record *record) {
  cr_assert_lt(r->count, 128);
  seen *to = &r->list[r->count++];
  *to = (seen){.offset = record->offset, .timestamp = record->timestamp};
  to->key = keep(record->key);
  to->value = keep(record->value);
  kop_slice rest = record->headers;
  kop_record_header h;
  while (kop_record_header_next(&rest, &h) == KOP_OK) {
    cr_assert_lt(to->header_count, 8);
    to->header_keys[to->header_count] = keep(h.key);
    to->header_values[to->header_count++] = keep(h.value);
  }
}

static void see_batch(reading *r, const kop_convert_batch *batch) {
  bytes b = batch_bytes(batch);
  cr_assert_eq(kop_batch_check_crc(b.ptr, b.len), KOP_OK);
  cr_assert_eq(kop_record_begin(r->records, b.ptr, b.len), KOP_OK);
  kop_record record;
  kop_status status;
  kop_batch_head head;
  cr_assert_eq(kop_batch_head_decode(b.ptr, b.len, &head), KOP_OK);
  cr_assert_eq((uint16_t)head.attributes, batch->attributes);
  cr_assert_eq(head.base_offset, batch->base_offset);
  if (r->options.flags == 0) cr_assert_eq(head.producer_id, -1, "no producer that has gone");
  r->transactional += (batch->attributes & KOP_BATCH_TRANSACTIONAL) != 0;
  while ((status = kop_record_next(r->records, &record)) == KOP_OK) {
    if ((batch->attributes & KOP_BATCH_CONTROL) != 0) {
      r->control++;
    } else if (r->topic != NULL) {
      see_record(r, &record);
    }
  }
  cr_assert_eq(status, KOP_ERR_NOT_FOUND);
  free(b.ptr);
}

static void see_entry(const fixture *f, void *context) {
  reading *r = context;
  if (r->topic != NULL && strcmp(f->topic, r->topic) != 0) return;
  kop_pulsar_entry entry;
  cr_assert_eq(kop_pulsar_entry_read(f->bytes, f->len, KOP_PULSAR_ENTRY_CHECK, &entry), KOP_OK);
  cr_assert(entry.present & KOP_PULSAR_ENTRY_HAS_INDEX);
  int64_t last = (int64_t)entry.index;
  int64_t first = last - entry.metadata.num_messages_in_batch + 1;
  if (r->topic != NULL) cr_assert_geq(first, r->next);
  r->next = last + 1;
  kop_convert_answer answer;
  cr_assert_eq(kop_convert_to_kafka(r->c, f->bytes, f->len, first, last, &r->options, &answer),
               KOP_OK);
  cr_assert_eq(answer.dropped, 0);
  r->holes[answer.reason]++;
  r->formats[answer.format]++;
  if (answer.kind == KOP_ANSWER_HOLE) return;
  cr_assert_eq(answer.kind, KOP_ANSWER_BATCHES, "%s %s", f->file, f->id);
  for (size_t i = 0; i < answer.batches_count; i++) {
    cr_assert_geq(answer.batches[i].base_offset, first);
    see_batch(r, &answer.batches[i]);
  }
  cr_assert_eq(answer.batches[answer.batches_count - 1].last_offset, last);
}

static void forget(reading *r) {
  for (int i = 0; i < r->count; i++) {
    seen *s = &r->list[i];
    free(s->key.ptr);
    free(s->value.ptr);
    for (int h = 0; h < s->header_count; h++) {
      free(s->header_keys[h].ptr);
      free(s->header_values[h].ptr);
    }
  }
  r->count = 0;
}

/* Ends with forget(). */
static reading *read_all(const char *file, const char *topic, int32_t flags) {
  static reading r;
  r = (reading){.c = new_convert(), .topic = topic};
  kop_to_kafka_options_init(&r.options, sizeof r.options);
  r.options.flags = flags;
  cr_assert_eq(kop_record_ctx_new(NULL, &r.records), KOP_OK);
  cr_assert_gt(fixture_each(file, see_entry, &r), 0);
  kop_convert_free(r.c);
  kop_record_ctx_free(r.records);
  return &r;
}

/* ---- what was sent ------------------------------------------------------------------------------- */

static bytes decode64(const char *text) {
  bytes out = {.ptr = malloc(strlen(text) + 1)};
  uint32_t bits = 0;
  unsigned have = 0;
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (; *text != 0 && *text != '='; text++) {
    bits = bits << 6 | (uint32_t)(strchr(digits, *text) - digits);
    have += 6;
    if (have >= 8) out.ptr[out.len++] = (uint8_t)(bits >> (have -= 8));
  }
  return out;
}

static void assert_bytes(const bytes *got, const json_t *sent, const char *what, int line) {
  if (json_is_null(sent)) {
    cr_assert_null(got->ptr, "line %d: %s is null", line, what);
    return;
  }
  bytes want = decode64(json_string_value(sent));
  cr_assert_not_null(got->ptr, "line %d: %s is not null", line, what);
  cr_assert_eq(got->len, want.len, "line %d: %s", line, what);
  cr_assert(want.len == 0 || memcmp(got->ptr, want.ptr, want.len) == 0, "line %d: %s", line, what);
  free(want.ptr);
}

/* What the plug-in destroys when it writes: nobody can read it any more. */
static int destroyed(const char *format, const char *step) {
  /* A header value that is no UTF-8 becomes replacement characters. */
  return strcmp(format, "pulsar") == 0 && strcmp(step, "binary-header") == 0;
}

static void assert_headers(const seen *got, const json_t *sent, int spoilt, int line) {
  cr_assert_eq((size_t)got->header_count, json_array_size(sent), "line %d: headers", line);
  for (int i = 0; i < got->header_count; i++) {
    const json_t *pair = json_array_get(sent, (size_t)i);
    const char *name = json_string_value(json_array_get(pair, 0));
    cr_assert_eq(got->header_keys[i].len, strlen(name), "line %d: header name", line);
    cr_assert_eq(memcmp(got->header_keys[i].ptr, name, strlen(name)), 0, "line %d", line);
    if (spoilt) {
      static const uint8_t left[] = {0x00, 0xEF, 0xBF, 0xBD, 0xEF, 0xBF, 0xBD, 0xEF, 0xBF, 0xBD};
      cr_assert_eq(got->header_values[i].len, sizeof left);
      cr_assert_eq(memcmp(got->header_values[i].ptr, left, sizeof left), 0);
    } else {
      assert_bytes(&got->header_values[i], json_array_get(pair, 1), "header value", line);
    }
  }
}

static void assert_as_sent(const char *format, const reading *r) {
  char path[1024];
  snprintf(path, sizeof path, KOP_SOURCE_DIR "/tests/fixtures/kop/%s.written.jsonl", format);
  FILE *file = fopen(path, "r");
  cr_assert_not_null(file);
  char *text = NULL;
  size_t cap = 0;
  int line = 0;
  while (getline(&text, &cap, file) > 0) {
    json_t *sent = json_loads(text, 0, NULL);
    cr_assert_not_null(sent);
    cr_assert_lt(line, r->count, "fewer records were read than sent");
    const seen *got = &r->list[line++];
    const json_t *offset = json_object_get(sent, "offset");
    if (offset != NULL) cr_assert_eq(got->offset, json_integer_value(offset), "line %d", line);
    const json_t *time = json_object_get(sent, "timestamp_ms");
    if (time == NULL) time = json_object_get(sent, "event_time_ms");
    cr_assert_eq(got->timestamp, json_integer_value(time), "line %d: timestamp", line);
    assert_bytes(&got->key, json_object_get(sent, "key"), "key", line);
    assert_bytes(&got->value, json_object_get(sent, "value"), "value", line);
    const char *step = json_string_value(json_object_get(sent, "step"));
    assert_headers(got, json_object_get(sent, "headers"), destroyed(format, step), line);
    json_decref(sent);
  }
  cr_assert_eq(line, r->count, "more records were read than sent");
  free(text);
  fclose(file);
}

Test(fixtures, format_pulsar_is_read_to_what_was_sent) {
  reading *r = read_all("pulsar.entries.tsv", "public/default/fix-pulsar-partition-0", 0);
  assert_as_sent("pulsar", r);
  cr_assert_eq(r->transactional, 0);
  cr_assert_eq(r->formats[KOP_CONVERT_KAFKA], 0);
  forget(r);
}

Test(fixtures, format_kafka_is_read_to_what_was_sent) {
  reading *r = read_all("kafka.entries.tsv", "public/default/fix-kafka-partition-0", 0);
  assert_as_sent("kafka", r);
  cr_assert_eq(r->transactional, 0, "no flag is left that could hold a reader back");
  cr_assert_eq(r->control, 0);
  cr_assert_eq(r->holes[KOP_HOLE_CONTROL], 3, "the markers");
  cr_assert_gt(r->formats[KOP_CONVERT_KAFKA], 0);
  cr_assert_gt(r->formats[KOP_CONVERT_PULSAR], 0, "native messages between them");
  forget(r);
}

Test(fixtures, format_mixed_kafka_is_read_to_what_was_sent) {
  reading *r = read_all("mixed_kafka.entries.tsv", "public/default/fix-mixed_kafka-partition-0", 0);
  assert_as_sent("mixed_kafka", r);
  cr_assert_eq(r->transactional, 0, "its transaction has no end: the plug-in cannot write one");
  forget(r);
}

Test(fixtures, transactions_are_there_for_who_asks) {
  reading *r = read_all("kafka.entries.tsv", "public/default/fix-kafka-partition-0",
                        KOP_TO_KAFKA_TRANSACTIONS);
  assert_as_sent("kafka", r);
  cr_assert_eq(r->control, 3);
  cr_assert_eq(r->transactional, 6);
  cr_assert_eq(r->holes[KOP_HOLE_CONTROL], 0);
  forget(r);
  r = read_all("pulsar.entries.tsv", "public/default/fix-pulsar-partition-0",
               KOP_TO_KAFKA_TRANSACTIONS);
  assert_as_sent("pulsar", r);
  cr_assert_eq(r->transactional, 3);
  forget(r);
}

Test(fixtures, native_facts_can_be_kept_with_every_entry) {
  reading *r =
      read_all("pulsar.entries.tsv", "public/default/fix-pulsar-partition-0", KOP_TO_KAFKA_KEEP);
  for (int i = 0; i < r->count; i++) {
    cr_assert_geq(r->list[i].header_count, 2);
  }
  forget(r);
}

Test(fixtures, every_entry_is_an_answer) {
  reading *r = read_all(NULL, NULL, 0);
  for (int reason = 1; reason < 16; reason++) {
    if (reason != KOP_HOLE_CONTROL) cr_assert_eq(r->holes[reason], 0, "reason %d", reason);
  }
  forget(r);
}
