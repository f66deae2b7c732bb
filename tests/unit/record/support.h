/* What the record tests share: batches to look at. */
#ifndef KOP_TEST_RECORD_SUPPORT_H
#define KOP_TEST_RECORD_SUPPORT_H

#include <criterion/criterion.h>
#include <kop/record.h>
#include <stdlib.h>
#include <string.h>

#include "support/reseal.h"

/* Bytes that a test owns. */
typedef struct bytes {
  uint8_t *ptr;
  size_t len;
} bytes;

/* `count` records of about `size` bytes each, every third without a key, every fifth with two headers. */
bytes make_batch(const kop_batch_options *options, int count, size_t size);
/* The same with default options but magic and codec. */
bytes make_plain(int magic, int codec, int count, size_t size);
/* The record that make_batch writes at an index; its parts point into `store`. */
typedef struct record_store {
  uint8_t key[16];
  uint8_t *value;
  kop_record_header headers[2];
} record_store;
void nth_record(int index, size_t size, int magic, kop_record_in *record, record_store *store);

/* Counts records of one entry, or gives the status that ends the iteration (negative). */
int32_t count_records(kop_record_ctx *ctx, const uint8_t *batch, size_t len);

kop_record_ctx *new_ctx(void);

/* Rules with a wall clock near the timestamps that make_batch writes. */
enum { FIRST_TIMESTAMP = 1700000000 };
kop_batch_rules new_rules(void);
kop_batch_info validate(kop_record_ctx *ctx, const uint8_t *ptr, size_t len,
                        const kop_batch_rules *rules);

#endif
