/*
 * From ACQUIRE to ACTIVE: saved state is restored, and the log behind it replayed. And the other way: saving state.
 */
#ifndef KOPI_ENGINE_LOAD_H
#define KOPI_ENGINE_LOAD_H

#include "engine/partition.h"

/* The partition has been acquired. Ends with kopi_partition_loaded. */
void kopi_load_begin(kop_engine *e, kopi_partition *p, kop_now now);

/* Producers and epochs equal the log up to the high watermark, or (not ok) something could not be read. */
void kopi_partition_loaded(kop_engine *e, kopi_partition *p, bool ok, kop_now now);

#endif
