/* Reading a folder's log files at start. */
#include "store/state.h"

#include <stdio.h>

int kopd_recover(kopd_store *s, char *error, size_t cap) {
  snprintf(error, cap, "%s: this build has memory: only", s->path);
  return -1;
}

int kopd_index_rebuild(const kopd_file *f, uint64_t partition, int64_t base, int64_t end,
                       kopd_entry **entries, uint32_t *count) {
  (void)f;
  (void)partition;
  (void)base;
  (void)end;
  (void)entries;
  (void)count;
  return -1;
}
