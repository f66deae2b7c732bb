/* The entries that a running Java plug-in wrote (tests/fixtures/kop): each line of a .entries.tsv is one. */
#ifndef TESTS_UNIT_PULSAR_FIXTURES_H
#define TESTS_UNIT_PULSAR_FIXTURES_H

#include <stddef.h>
#include <stdint.h>

typedef struct fixture {
  const char *file;  /* without folder */
  const char *topic; /* as the plug-in named it */
  const char *id;    /* ledger:entry */
  const uint8_t *bytes;
  size_t len;
} fixture;

/* The names of all files of entries, NULL at the end. */
extern const char *const fixture_files[];

/* Calls `see` for each entry of one file, or of all when `file` is NULL; fails the test when a file cannot be read. Gives their number. */
size_t fixture_each(const char *file, void (*see)(const fixture *entry, void *context),
                    void *context);

#endif
