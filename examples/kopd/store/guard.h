/*
 * Mapped log files that are cut while they are in use.
 *
 * A page of a mapping behind the end of its file raises SIGBUS when it is touched, which ends the process: one file that somebody
 * truncates would take all others with it. So the handler puts a page of zeros in its place and remembers that it did. Zeros are no
 * frame, no index and no batch, so whoever meets them finds nothing whole; the store looks at kopd_guard_faults after each look into a
 * mapping, and answers with an error of that file from then on.
 *
 *   map  --->  kopd_guard_add        touch behind the end  --->  SIGBUS  --->  zeros there, hit, faults + 1
 *
 * Only mappings that were added are guarded: a SIGBUS anywhere else (LMDB, a fault of the memory) ends the process as it would without.
 * The system's own reads (writev of lent bytes) do not come here: they fail with EFAULT.
 */
#ifndef KOPD_STORE_GUARD_H
#define KOPD_STORE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Installs the handler, for the whole process. 0 or -errno. */
int kopd_guard_install(void);

/* Guards a mapping until it is removed, which has to be done before it is unmapped. Where there is no place left, it is not guarded. */
void kopd_guard_add(const void *address, size_t length);
void kopd_guard_remove(const void *address);

/* How many pages have been replaced so far, anywhere. */
uint64_t kopd_guard_faults(void);

/* Whether one of this mapping has. */
bool kopd_guard_is_hit(const void *address);

#endif
