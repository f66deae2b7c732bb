/*
 * The saved state of a partition: what its leader knows of the log up to an offset, as bytes.
 *
 * A leader that starts restores the newest snapshot and reads the log from its as-of offset on, instead of reading it
 * whole. The store keeps the bytes (STATE_PUT) without looking into them, and may lose or damage them: then the log is
 * read from its start. All numbers are big-endian.
 *
 *    0  4  magic "KOPL"
 *    4  2  version, 1
 *    6  2  number of sections
 *    8  4  CRC32C of all bytes from 12 on
 *   12  8  as-of offset: everything below it is in here, so replay begins here
 *   20     sections in ascending order of kind, each
 *             0  2  kind
 *             2  2  flags; bit 0: a reader that does not know the kind must refuse the whole, else it skips the section
 *             4  4  length of what follows
 *             8     content
 *
 *   kind 1, leader epochs, ascending:
 *             0  4  epoch
 *             4  8  start offset
 *   kind 2, producers, ascending by the offset of their last batch:
 *             0  8  producer id
 *             8  2  epoch
 *            10  1  number of batches, 1 to 5; oldest first, each
 *                      0  4  first sequence
 *                      4  4  last sequence
 *                      8  8  base offset
 *                     16  8  timestamp
 *
 * It takes at most KOPI_SNAPSHOT_MAX bytes, about 8,000 producers with full windows: of more, those whose last batch is oldest
 * are left out, and are unknown to the next leader.
 */
#ifndef KOPI_LOG_SNAPSHOT_H
#define KOPI_LOG_SNAPSHOT_H

#include <kop/base.h>

#include "base/buf.h"
#include "log/epochs.h"
#include "log/producers.h"

enum { KOPI_SNAPSHOT_MAX = 1024 * 1024 };

/*
 * Appends the snapshot to `out`. `as_of` must not be above the base offset of any append that is still in flight or unknown to
 * `epochs` and `producers`; state beyond it does no harm. KOP_ERR_INVALID for a negative one; KOP_ERR_NOMEM, KOP_ERR_LIMIT (of `out`): `out` is left as it was, its status set.
 */
kop_status kopi_snapshot_write(kopi_buf *out, int64_t as_of, const kopi_epochs *epochs,
                               const kopi_producers *producers);

/*
 * Restores into two empty structures of any bounds. Whatever the bytes are: KOP_ERR_MALFORMED, KOP_ERR_CHECKSUM,
 * KOP_ERR_UNSUPPORTED (a newer version, or a section that must not be skipped) and KOP_ERR_NOMEM leave both empty.
 */
kop_status kopi_snapshot_read(kop_slice bytes, kopi_epochs *epochs, kopi_producers *producers,
                              int64_t *as_of);

#endif
