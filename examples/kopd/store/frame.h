/*
 * The bytes of a log file. All numbers are little-endian; docs/store.md draws the same.
 *
 *   file header (64)   what file this is, and where the one before it in its class ended
 *   frame ...          header (48) and one batch, back to back
 *   footer             once the file is full: padding to 8, entries of each run, run table, list of replaced files, trailer (64)
 *
 * A frame's checksum is CRC32C of the batch first and of the header's fields after it, so that the costly part can be computed before
 * the writer has given the batch its offset.
 *
 * `settled` is the length up to which the file was known to be on disk when the frame was written. A scan that meets a bad frame
 * at P and a good one behind it with settled > P knows that the bad frame was once whole: it is damage, not a torn write, and what follows
 * it was acknowledged. Without sync (--durability os) it is 0 and nothing is known.
 */
#ifndef KOPD_STORE_FRAME_H
#define KOPD_STORE_FRAME_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
  KOPD_FORMAT = 1, /* version of everything below */
  KOPD_FILE_HEADER = 64,
  KOPD_FRAME_HEADER = 48,
  KOPD_TRAILER = 64
};

typedef struct kopd_file_header {
  uint32_t retention_class;
  uint32_t flags;        /* KOPD_FILE_CLEANED */
  uint64_t number;       /* as in the name; never used again */
  uint64_t previous;     /* number of the file before it in its class, 0: none */
  uint64_t previous_end; /* bytes of that one that count; what follows there never happened */
  int64_t created_ms;
} kopd_file_header;

enum { KOPD_FILE_CLEANED = 1 };

typedef struct kopd_frame {
  uint32_t length; /* of the batch */
  uint32_t count;  /* offsets it takes */
  int32_t epoch;
  uint64_t partition;
  int64_t base_offset;
  int64_t max_timestamp;
  uint64_t settled;
} kopd_frame;

/* One batch in the index of a run, in memory as in the footer: 48 bytes, little-endian. */
typedef struct kopd_entry {
  int64_t base_offset;
  int64_t max_timestamp;
  int64_t
      highest_timestamp; /* of this and all earlier entries of the run: what a search by time needs */
  uint64_t position;     /* of the batch in the file, behind its frame header */
  uint32_t length;       /* of the batch */
  uint32_t count;
  int32_t epoch;
  uint32_t zero;
} kopd_entry;

/* One run in the footer's table, 72 bytes: the batches of one partition in this file. */
typedef struct kopd_run_row {
  uint64_t partition;
  int64_t base_offset;
  int64_t end_offset;
  int64_t max_timestamp;
  uint64_t bytes;    /* of its batches */
  uint64_t entries;  /* position of its kopd_entry array in the file */
  uint32_t count;    /* of entries */
  uint32_t checksum; /* CRC32C of the entries */
  int32_t first_epoch;
  int32_t last_epoch;
  uint64_t zero;
} kopd_run_row;

typedef struct kopd_trailer {
  uint64_t footer;   /* where the frames end */
  uint64_t table;    /* position of the run table, followed by the replaced files' numbers */
  uint32_t runs;     /* rows in it */
  uint32_t replaced; /* numbers behind it: files that this one stands for */
  uint32_t checksum; /* CRC32C of table and numbers */
} kopd_trailer;

uint32_t kopd_crc32c(uint32_t crc, const void *bytes, size_t length);

void kopd_file_header_write(uint8_t out[KOPD_FILE_HEADER], const kopd_file_header *h);
/* 0; -1: not a header of ours; -2: a format we do not know. */
int kopd_file_header_read(const uint8_t in[KOPD_FILE_HEADER], kopd_file_header *h);

/* `batch_crc` is kopd_crc32c(0, batch). */
void kopd_frame_write(uint8_t out[KOPD_FRAME_HEADER], const kopd_frame *f, uint32_t batch_crc);
void kopd_frame_read(const uint8_t in[KOPD_FRAME_HEADER], kopd_frame *f);
/* 1 if header and batch, which follow each other in memory, agree with the checksum. `f` was read from the header. */
int kopd_frame_is_whole(const uint8_t *in, const kopd_frame *f);

void kopd_trailer_write(uint8_t out[KOPD_TRAILER], const kopd_trailer *t);
int kopd_trailer_read(const uint8_t in[KOPD_TRAILER], kopd_trailer *t); /* 0 or -1 */

/* Entries and rows lie in the footer as they lie in memory; on a big-endian machine each field is turned. */
static inline int64_t kopd_le_i64(int64_t v) {
  return (int64_t)le64toh((uint64_t)v);
}
static inline uint64_t kopd_le_u64(uint64_t v) {
  return le64toh(v);
}
static inline uint32_t kopd_le_u32(uint32_t v) {
  return le32toh(v);
}
static inline int32_t kopd_le_i32(int32_t v) {
  return (int32_t)le32toh((uint32_t)v);
}
static inline int64_t kopd_entry_end(const kopd_entry *e) {
  return kopd_le_i64(e->base_offset) + (int64_t)kopd_le_u32(e->count);
}

#endif
