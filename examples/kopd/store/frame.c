/* Reading and writing the fixed parts of a log file. frame.h draws them. */
#include "store/frame.h"

#include <isa-l/crc.h>

static const uint8_t file_magic[8] = {'k', 'o', 'p', '-', 'l', 'o', 'g', '\n'};
static const uint8_t seal_magic[8] = {'k', 'o', 'p', '-', 's', 'e', 'a', 'l'};

static void put32(uint8_t *p, uint32_t v) {
  v = htole32(v);
  memcpy(p, &v, sizeof v);
}

static void put64(uint8_t *p, uint64_t v) {
  v = htole64(v);
  memcpy(p, &v, sizeof v);
}

static uint32_t get32(const uint8_t *p) {
  uint32_t v = 0;
  memcpy(&v, p, sizeof v);
  return le32toh(v);
}

static uint64_t get64(const uint8_t *p) {
  uint64_t v = 0;
  memcpy(&v, p, sizeof v);
  return le64toh(v);
}

/* ISA-L's crc32_iscsi neither complements its start value nor its result, and takes an int as length. */
uint32_t kopd_crc32c(uint32_t crc, const void *bytes, size_t length) {
  uint8_t *at = (uint8_t *)(uintptr_t)bytes;
  crc = ~crc;
  while (length > 0) {
    int part = length < 1u << 30 ? (int)length : 1 << 30;
    crc = crc32_iscsi(at, part, crc);
    at += part;
    length -= (size_t)part;
  }
  return ~crc;
}

void kopd_file_header_write(uint8_t out[KOPD_FILE_HEADER], const kopd_file_header *h) {
  memset(out, 0, KOPD_FILE_HEADER);
  memcpy(out, file_magic, sizeof file_magic);
  put32(out + 8, KOPD_FORMAT);
  put32(out + 12, h->retention_class);
  put64(out + 16, h->number);
  put64(out + 24, h->previous);
  put64(out + 32, h->previous_end);
  put64(out + 40, (uint64_t)h->created_ms);
  put32(out + 48, h->flags);
  put32(out + 60, kopd_crc32c(0, out, 60));
}

int kopd_file_header_read(const uint8_t in[KOPD_FILE_HEADER], kopd_file_header *h) {
  if (memcmp(in, file_magic, sizeof file_magic) != 0) return -1;
  if (get32(in + 60) != kopd_crc32c(0, in, 60)) return -1;
  if (get32(in + 8) != KOPD_FORMAT) return -2;
  *h = (kopd_file_header){.retention_class = get32(in + 12),
                          .flags = get32(in + 48),
                          .number = get64(in + 16),
                          .previous = get64(in + 24),
                          .previous_end = get64(in + 32),
                          .created_ms = (int64_t)get64(in + 40)};
  return 0;
}

/* The header's own share of the frame's checksum: everything but the checksum. */
static uint32_t frame_checksum(const uint8_t *header, uint32_t batch_crc) {
  uint32_t crc = kopd_crc32c(batch_crc, header, 4);
  return kopd_crc32c(crc, header + 8, KOPD_FRAME_HEADER - 8);
}

void kopd_frame_write(uint8_t out[KOPD_FRAME_HEADER], const kopd_frame *f, uint32_t batch_crc) {
  put32(out, f->length);
  put64(out + 8, f->partition);
  put64(out + 16, (uint64_t)f->base_offset);
  put64(out + 24, (uint64_t)f->max_timestamp);
  put64(out + 32, f->settled);
  put32(out + 40, f->count);
  put32(out + 44, (uint32_t)f->epoch);
  put32(out + 4, frame_checksum(out, batch_crc));
}

void kopd_frame_read(const uint8_t in[KOPD_FRAME_HEADER], kopd_frame *f) {
  *f = (kopd_frame){.length = get32(in),
                    .partition = get64(in + 8),
                    .base_offset = (int64_t)get64(in + 16),
                    .max_timestamp = (int64_t)get64(in + 24),
                    .settled = get64(in + 32),
                    .count = get32(in + 40),
                    .epoch = (int32_t)get32(in + 44)};
}

int kopd_frame_is_whole(const uint8_t *in, const kopd_frame *f) {
  return get32(in + 4) == frame_checksum(in, kopd_crc32c(0, in + KOPD_FRAME_HEADER, f->length));
}

void kopd_trailer_write(uint8_t out[KOPD_TRAILER], const kopd_trailer *t) {
  memset(out, 0, KOPD_TRAILER);
  put64(out, t->footer);
  put64(out + 8, t->table);
  put32(out + 16, t->runs);
  put32(out + 20, t->replaced);
  put32(out + 24, t->checksum);
  put32(out + 48, KOPD_FORMAT);
  put32(out + 52, kopd_crc32c(0, out, 52));
  memcpy(out + 56, seal_magic, sizeof seal_magic);
}

int kopd_trailer_read(const uint8_t in[KOPD_TRAILER], kopd_trailer *t) {
  if (memcmp(in + 56, seal_magic, sizeof seal_magic) != 0) return -1;
  if (get32(in + 52) != kopd_crc32c(0, in, 52) || get32(in + 48) != KOPD_FORMAT) return -1;
  *t = (kopd_trailer){.footer = get64(in),
                      .table = get64(in + 8),
                      .runs = get32(in + 16),
                      .replaced = get32(in + 20),
                      .checksum = get32(in + 24)};
  return 0;
}
