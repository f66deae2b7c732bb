/*
 * Where everything stands in the entries of a log.
 *
 * All magics begin alike, so that one walker does for all:
 *
 *    0        8      12       16     17
 *    +--------+------+--------+------+----------
 *    | offset | size | 4 bytes| magic| ...            size counts what follows it
 *    +--------+------+--------+------+----------
 *
 * Magic 2 (one batch, many records):
 *
 *    8 length  12 leader epoch  16 magic  17 CRC32C  21 attributes  23 last offset delta  27 base timestamp
 *    35 max timestamp  43 producer id  51 producer epoch  53 base sequence  57 count  61 records
 *
 * Magic 0 and 1 (one message; compressed: its value is a set of messages):
 *
 *    8 size  12 CRC-32 of all that follows  16 magic  17 attributes  [18 timestamp i64, magic 1 only]
 *    key length i32, key, value length i32, value                    length -1: null
 */
#ifndef KOPI_RECORD_LAYOUT_H
#define KOPI_RECORD_LAYOUT_H

enum {
  KOPI_AT_OFFSET = 0,
  KOPI_AT_LENGTH = 8,
  KOPI_AT_LEADER_EPOCH = 12,
  KOPI_AT_MAGIC = 16,
  KOPI_AT_CRC = 17,
  KOPI_AT_ATTRIBUTES = 21, /* the checksum covers from here */
  KOPI_AT_LAST_OFFSET_DELTA = 23,
  KOPI_AT_BASE_TIMESTAMP = 27,
  KOPI_AT_MAX_TIMESTAMP = 35,
  KOPI_AT_PRODUCER_ID = 43,
  KOPI_AT_PRODUCER_EPOCH = 51,
  KOPI_AT_BASE_SEQUENCE = 53,
  KOPI_AT_COUNT = 57,
  KOPI_AT_RECORDS = 61
};

enum {
  KOPI_OLD_AT_CRC = 12,
  KOPI_OLD_AT_MAGIC = 16, /* the checksum covers from here */
  KOPI_OLD_AT_ATTRIBUTES = 17,
  KOPI_OLD_AT_TIMESTAMP = 18,
  KOPI_OLD_AT_KEY_V0 = 18,
  KOPI_OLD_AT_KEY_V1 = 26,
  KOPI_OLD_SIZE_MIN =
      14, /* smallest value of the size field: a magic 0 message with null key and value */
  KOPI_OLD_OVERHEAD_V0 = 12 + 14, /* bytes of a message beside its key and value */
  KOPI_OLD_OVERHEAD_V1 = 12 + 22
};

#endif
