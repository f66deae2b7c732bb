/* What conversions need of the builder beyond its public face. */
#ifndef KOPI_RECORD_BUILDER_H
#define KOPI_RECORD_BUILDER_H

#include <kop/record.h>

/* Ends the batch and gives its memory away; free it with the builder's allocator. */
kop_status kopi_builder_take(kop_batch_builder *b, uint8_t **batch, size_t *len);

/*
 * Like kop_batch_builder_append, for a record that came out of a batch: its headers stay as they stand there (magic 2),
 * negative timestamps are kept.
 */
kop_status kopi_builder_copy(kop_batch_builder *b, int64_t offset, const kop_record *record);

/* Bytes of the records since the last begin, before compression; also once the batch has been taken. */
size_t kopi_builder_plain(const kop_batch_builder *b);

#endif
