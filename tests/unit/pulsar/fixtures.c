/* Reads tests/fixtures/kop. */
#include "fixtures.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const fixture_files[] = {"pulsar.entries.tsv",
                                     "kafka.entries.tsv",
                                     "mixed_kafka.entries.tsv",
                                     "consumer_offsets.entries.tsv",
                                     "transaction_state.entries.tsv",
                                     NULL};

/* Decodes hex in place into exactly as much memory as it needs, so that a sanitizer sees a read beyond. */
static uint8_t *unhex(const char *hex, size_t *len) {
  *len = strspn(hex, "0123456789abcdef") / 2;
  uint8_t *bytes = malloc(*len == 0 ? 1 : *len);
  cr_assert_not_null(bytes);
  for (size_t i = 0; i < *len; i++) {
    char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
    bytes[i] = (uint8_t)strtoul(two, NULL, 16);
  }
  return bytes;
}

static size_t each_of(const char *name, void (*see)(const fixture *, void *), void *context) {
  char path[1024];
  snprintf(path, sizeof path, KOP_SOURCE_DIR "/tests/fixtures/kop/%s", name);
  FILE *file = fopen(path, "r");
  cr_assert_not_null(file, "%s cannot be read", path);
  char *line = NULL;
  size_t cap = 0;
  size_t n = 0;
  while (getline(&line, &cap, file) > 0) {
    char *rest = line;
    char *topic = strsep(&rest, "\t");
    char *id = strsep(&rest, "\t");
    cr_assert_not_null(rest, "%s: a line without three columns", name);
    fixture entry = {.file = name, .topic = topic, .id = id};
    uint8_t *bytes = unhex(rest, &entry.len);
    entry.bytes = bytes;
    see(&entry, context);
    free(bytes);
    n++;
  }
  free(line);
  fclose(file);
  return n;
}

size_t fixture_each(const char *file, void (*see)(const fixture *, void *), void *context) {
  if (file != NULL) return each_of(file, see, context);
  size_t n = 0;
  for (size_t i = 0; fixture_files[i] != NULL; i++) {
    n += each_of(fixture_files[i], see, context);
  }
  return n;
}
