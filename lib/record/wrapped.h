/* Reading the set of messages inside a compressed message of magic 0 or 1. */
#ifndef KOPI_RECORD_WRAPPED_H
#define KOPI_RECORD_WRAPPED_H

#include "record/ctx.h"

/* Begins to decompress the wrapper's value. KOP_ERR_UNSUPPORTED for a codec that came later; KOP_ERR_MALFORMED for a null value. */
kop_status kopi_wrapped_stream(kop_record_ctx *ctx, const kopi_message *wrapper);

/* The next message in one piece, unparsed; s is moved past it. KOP_ERR_NOT_FOUND at the end; KOP_ERR_MALFORMED for an impossible size. */
kop_status kopi_wrapped_next(kopi_source *s, const uint8_t **bytes, size_t *size);

/* What to add to the offsets inside. Reads the whole stream. KOP_ERR_MALFORMED for an empty set or a wrapper offset below the last. */
kop_status kopi_wrapped_base(kop_record_ctx *ctx, const kopi_message *wrapper, int64_t *base);

#endif
