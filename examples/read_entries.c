/*
 * What a Kafka consumer would get of Pulsar's entries, whoever wrote them.
 *
 *   read_entries < tests/fixtures/kop/pulsar.entries.tsv
 *
 * Each line of the input ends with an entry in hex, broker metadata included, as a ledger holds it. Printed are its records, one
 * a line: offset, timestamp, key, value, headers; or why it is a hole.
 */
#include <kop/convert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 16 * 1024 * 1024 };

static const char *const reasons[] = {"none",      "marker",   "transaction marker", "compacted",
                                      "encrypted", "checksum", "malformed",          "codec",
                                      "limit",     "version"};

static void print_slice(kop_slice s) {
  if (s.ptr == NULL) printf("null");
  for (size_t i = 0; i < s.len; i++) {
    printf(s.ptr[i] >= 32 && s.ptr[i] < 127 ? "%c" : "\\x%02x", s.ptr[i]);
  }
}

static void print_record(const kop_record *r) {
  printf("%lld\t%lld\t", (long long)r->offset, (long long)r->timestamp);
  print_slice(r->key);
  printf("\t");
  print_slice(r->value);
  kop_slice rest = r->headers;
  kop_record_header h;
  while (kop_record_header_next(&rest, &h) == KOP_OK) {
    printf("\t");
    print_slice(h.key);
    printf("=");
    print_slice(h.value);
  }
  printf("\n");
}

static void print_batch(kop_record_ctx *ctx, const kop_convert_batch *b) {
  size_t len = b->head.len + b->records.len;
  uint8_t *batch = malloc(len);
  if (batch == NULL) exit(1);
  memcpy(batch, b->head.ptr, b->head.len);
  memcpy(batch + b->head.len, b->records.ptr, b->records.len);
  kop_status status = kop_record_begin(ctx, batch, len);
  kop_record record;
  while (status == KOP_OK && (status = kop_record_next(ctx, &record)) == KOP_OK) {
    print_record(&record);
  }
  if (status != KOP_ERR_NOT_FOUND) printf("%s\n", kop_strerror(status));
  free(batch);
}

static void print_entry(kop_convert *convert, kop_record_ctx *ctx, const uint8_t *bytes,
                        size_t len) {
  kop_pulsar_entry entry;
  kop_status status = kop_pulsar_entry_read(bytes, len, 0, &entry);
  if (status != KOP_OK || (entry.present & KOP_PULSAR_ENTRY_HAS_INDEX) == 0) {
    printf("no offset: %s\n", status != KOP_OK ? kop_strerror(status) : "an entry without index");
    return;
  }
  int64_t last = (int64_t)entry.index;
  kop_convert_answer answer;
  status = kop_convert_entry_to_kafka(
      convert, &entry, last - entry.metadata.num_messages_in_batch + 1, last, NULL, &answer);
  if (status != KOP_OK) {
    printf("%s\n", kop_strerror(status));
  } else if (answer.kind == KOP_ANSWER_HOLE) {
    printf("%lld\thole: %s\n", (long long)last, reasons[answer.reason]);
  } else if (answer.kind == KOP_ANSWER_CHUNK) {
    printf("%lld\tchunk %d of %d\n", (long long)last, (int)answer.chunk_id + 1,
           (int)answer.chunk_count);
  }
  for (size_t i = 0; status == KOP_OK && i < answer.batches_count; i++) {
    print_batch(ctx, &answer.batches[i]);
  }
}

/* Decodes hex in place. */
static size_t unhex(char *text, uint8_t *out) {
  size_t n = strspn(text, "0123456789abcdef") / 2;
  for (size_t i = 0; i < n; i++) {
    const char two[3] = {text[2 * i], text[2 * i + 1], 0};
    out[i] = (uint8_t)strtoul(two, NULL, 16);
  }
  return n;
}

int main(void) {
  kop_convert *convert = NULL;
  kop_record_ctx *ctx = NULL;
  char *line = malloc(LINE_MAX_BYTES);
  if (line == NULL || kop_convert_new(NULL, &convert) != KOP_OK ||
      kop_record_ctx_new(NULL, &ctx) != KOP_OK) {
    return 1;
  }
  while (fgets(line, LINE_MAX_BYTES, stdin) != NULL) {
    char *hex = strrchr(line, '\t');
    hex = hex == NULL ? line : hex + 1;
    size_t len = unhex(hex, (uint8_t *)line);
    print_entry(convert, ctx, (const uint8_t *)line, len);
  }
  kop_record_ctx_free(ctx);
  kop_convert_free(convert);
  free(line);
  return 0;
}
