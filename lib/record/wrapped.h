/* Reading the set of messages inside a compressed message of magic 0 or 1. */
#ifndef KOPI_RECORD_WRAPPED_H
#define KOPI_RECORD_WRAPPED_H

#include "record/ctx.h"

/* Begins to decompress the wrapper's value. KOP_ERR_UNSUPPORTED for a codec that came later; KOP_ERR_MALFORMED for a null value. */
kop_status kopi_wrapped_stream(kop_record_ctx *ctx, const kopi_message *wrapper);

/* The size of the next message at s->p, of which 12 bytes are then there. KOP_ERR_NOT_FOUND at the end. */
kop_status kopi_wrapped_next(kopi_source *s, size_t *size);

/* What to add to the offsets inside. Reads the whole stream. KOP_ERR_MALFORMED for an empty set or a wrapper offset below the last. */
kop_status kopi_wrapped_base(kop_record_ctx *ctx, const kopi_message *wrapper, int64_t *base);

/* The next message, parsed, with its offset as written and the wrapper's time where that rules. KOP_ERR_NOT_FOUND at the end. */
kop_status kopi_wrapped_message(kopi_source *s, const kopi_message *wrapper, kopi_message *m);

#endif
