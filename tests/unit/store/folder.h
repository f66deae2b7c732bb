/* A folder of its own for a test, gone when the test is over. */
#ifndef TESTS_UNIT_STORE_FOLDER_H
#define TESTS_UNIT_STORE_FOLDER_H

#include <stddef.h>
#include <stdint.h>

typedef struct folder {
  char path[256];
  char spec[272]; /* "file:" and the path */
} folder;

folder folder_make(void);
void folder_remove(const folder *f);
/* Names of the log files, sorted; how many. */
size_t folder_logs(const folder *f, char names[][64], size_t cap);
/* Path of a log file, in a static buffer. */
const char *folder_log(const folder *f, const char *name);
uint64_t folder_bytes(const folder *f);
/* Changes one byte of a file, or cuts it. */
void folder_flip(const char *path, long at);
void folder_cut(const char *path, long size);
long folder_size(const char *path);

#endif
