/* A partition's saved state to and from bytes; snapshot.h draws them. */
#include "log/snapshot.h"

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/endian.h"

enum {
  VERSION = 1,
  AT_SECTIONS = 6,
  AT_CHECKSUM = 8,
  AT_AS_OF = 12,
  HEAD_SIZE = 20,
  SECTION_HEAD_SIZE = 8,
  KIND_EPOCHS = 1,
  KIND_PRODUCERS = 2,
  FLAG_MUST_KNOW = 1,
  EPOCH_SIZE = 12,
  PRODUCER_HEAD_SIZE = 11,
  BATCH_SIZE = 24,
  /* Epochs are few; should there be very many, the newest that fit into a quarter are saved. */
  EPOCHS_MAX = KOPI_SNAPSHOT_MAX / 4 / EPOCH_SIZE
};

#define MAGIC UINT32_C(0x4B4F504C)

/* Writing. */

static void put_section_head(kopi_buf *out, uint16_t kind, uint16_t flags, size_t length) {
  kopi_buf_put_be16(out, kind);
  kopi_buf_put_be16(out, flags);
  kopi_buf_put_be32(out, (uint32_t)length);
}

static void put_epochs(kopi_buf *out, const kopi_epochs *epochs) {
  size_t n = epochs->len < EPOCHS_MAX ? epochs->len : EPOCHS_MAX;
  put_section_head(out, KIND_EPOCHS, FLAG_MUST_KNOW, n * EPOCH_SIZE);
  for (size_t i = epochs->len - n; i < epochs->len; i++) {
    kopi_buf_put_be32(out, (uint32_t)epochs->entries[i].epoch);
    kopi_buf_put_be64(out, (uint64_t)epochs->entries[i].start_offset);
  }
}

static size_t producer_size(const kopi_producer_state *s) {
  return PRODUCER_HEAD_SIZE + (size_t)s->count * BATCH_SIZE;
}

static void put_producer(kopi_buf *out, const kopi_producer_state *s) {
  kopi_buf_put_be64(out, (uint64_t)s->producer_id);
  kopi_buf_put_be16(out, (uint16_t)s->epoch);
  kopi_buf_put_u8(out, s->count);
  for (size_t i = 0; i < s->count; i++) {
    kopi_buf_put_be32(out, (uint32_t)s->batches[i].first_seq);
    kopi_buf_put_be32(out, (uint32_t)s->batches[i].last_seq);
    kopi_buf_put_be64(out, (uint64_t)s->batches[i].base_offset);
    kopi_buf_put_be64(out, (uint64_t)s->batches[i].timestamp);
  }
}

/* The newest producers that fit into `room` bytes, section head included. */
static void put_producers(kopi_buf *out, const kopi_producer_state *const *all, size_t n,
                          size_t room) {
  size_t first = n, length = 0;
  while (first > 0 && SECTION_HEAD_SIZE + length + producer_size(all[first - 1]) <= room)
    length += producer_size(all[--first]);
  put_section_head(out, KIND_PRODUCERS, FLAG_MUST_KNOW, length);
  for (size_t i = first; i < n; i++)
    put_producer(out, all[i]);
}

kop_status kopi_snapshot_write(kopi_buf *out, int64_t as_of, const kopi_epochs *epochs,
                               const kopi_producers *producers) {
  if (as_of < 0) return KOP_ERR_INVALID;
  const kopi_producer_state **all;
  size_t n;
  kop_status status = kopi_producers_sorted(producers, KOPI_PRODUCERS_BY_OFFSET, &all, &n);
  if (status != KOP_OK) {
    if (out->status == KOP_OK) out->status = status;
    return status;
  }
  size_t start = out->len;
  kopi_buf_put_be32(out, MAGIC);
  kopi_buf_put_be16(out, VERSION);
  kopi_buf_put_be16(out, 2);
  kopi_buf_put_be32(out, 0);
  kopi_buf_put_be64(out, (uint64_t)as_of);
  put_epochs(out, epochs);
  put_producers(out, all, n, KOPI_SNAPSHOT_MAX - (out->len - start));
  kopi_free(producers->alloc, all);
  if (out->status != KOP_OK) {
    out->len = start;
    return out->status;
  }
  uint8_t *head = out->data + start;
  uint32_t crc = kopi_crc32c(0, head + AT_AS_OF, out->len - start - AT_AS_OF);
  kopi_store_be32(head + AT_CHECKSUM, crc);
  return KOP_OK;
}

/* Reading. */

static kop_status read_epochs(kop_slice s, kopi_epochs *epochs) {
  if (s.len % EPOCH_SIZE != 0) return KOP_ERR_MALFORMED;
  int32_t epoch = -1;
  int64_t start_offset = -1;
  for (size_t i = 0; i < s.len; i += EPOCH_SIZE) {
    int32_t next_epoch = (int32_t)kopi_load_be32(s.ptr + i);
    int64_t next_offset = (int64_t)kopi_load_be64(s.ptr + i + 4);
    if (next_epoch <= epoch || next_offset <= start_offset) return KOP_ERR_MALFORMED;
    epoch = next_epoch;
    start_offset = next_offset;
    kop_status status = kopi_epochs_assign(epochs, epoch, start_offset);
    if (status != KOP_OK) return status;
  }
  return KOP_OK;
}

/* Reads one producer; gives the bytes it took, 0 if they cannot be one. */
static size_t read_producer(kop_slice s, kopi_producer_state *out) {
  if (s.len < PRODUCER_HEAD_SIZE) return 0;
  *out = (kopi_producer_state){.producer_id = (int64_t)kopi_load_be64(s.ptr),
                               .epoch = (int16_t)kopi_load_be16(s.ptr + 8),
                               .count = s.ptr[10]};
  if (out->count == 0 || out->count > KOPI_PRODUCER_WINDOW || s.len < producer_size(out)) return 0;
  const uint8_t *p = s.ptr + PRODUCER_HEAD_SIZE;
  for (size_t i = 0; i < out->count; i++, p += BATCH_SIZE) {
    out->batches[i] = (kopi_producer_entry){.first_seq = (int32_t)kopi_load_be32(p),
                                            .last_seq = (int32_t)kopi_load_be32(p + 4),
                                            .base_offset = (int64_t)kopi_load_be64(p + 8),
                                            .timestamp = (int64_t)kopi_load_be64(p + 16)};
  }
  return producer_size(out);
}

static kop_status read_producers(kop_slice s, kopi_producers *producers) {
  int64_t last_offset = -1;
  while (s.len > 0) {
    kopi_producer_state state;
    size_t took = read_producer(s, &state);
    if (took == 0) return KOP_ERR_MALFORMED;
    if (state.batches[state.count - 1].base_offset <= last_offset) return KOP_ERR_MALFORMED;
    last_offset = state.batches[state.count - 1].base_offset;
    kop_status status = kopi_producers_restore(producers, &state);
    if (status != KOP_OK) return status;
    s.ptr += took;
    s.len -= took;
  }
  return KOP_OK;
}

static kop_status read_sections(kop_slice s, unsigned count, kopi_epochs *epochs,
                                kopi_producers *producers) {
  unsigned last_kind = 0;
  for (unsigned i = 0; i < count; i++) {
    if (s.len < SECTION_HEAD_SIZE) return KOP_ERR_MALFORMED;
    unsigned kind = kopi_load_be16(s.ptr);
    unsigned flags = kopi_load_be16(s.ptr + 2);
    kop_slice content = {.ptr = s.ptr + SECTION_HEAD_SIZE, .len = kopi_load_be32(s.ptr + 4)};
    if (kind <= last_kind || content.len > s.len - SECTION_HEAD_SIZE) return KOP_ERR_MALFORMED;
    kop_status status = KOP_OK;
    if (kind == KIND_EPOCHS) {
      status = read_epochs(content, epochs);
    } else if (kind == KIND_PRODUCERS) {
      status = read_producers(content, producers);
    } else if (flags & FLAG_MUST_KNOW) {
      status = KOP_ERR_UNSUPPORTED;
    }
    if (status != KOP_OK) return status;
    last_kind = kind;
    s.ptr = content.ptr + content.len;
    s.len -= SECTION_HEAD_SIZE + content.len;
  }
  return s.len == 0 ? KOP_OK : KOP_ERR_MALFORMED;
}

kop_status kopi_snapshot_read(kop_slice bytes, kopi_epochs *epochs, kopi_producers *producers,
                              int64_t *as_of) {
  if (bytes.len < HEAD_SIZE || bytes.len > KOPI_SNAPSHOT_MAX) return KOP_ERR_MALFORMED;
  if (kopi_load_be32(bytes.ptr) != MAGIC) return KOP_ERR_MALFORMED;
  if (kopi_load_be16(bytes.ptr + 4) != VERSION) return KOP_ERR_UNSUPPORTED;
  uint32_t crc = kopi_crc32c(0, bytes.ptr + AT_AS_OF, bytes.len - AT_AS_OF);
  if (crc != kopi_load_be32(bytes.ptr + AT_CHECKSUM)) return KOP_ERR_CHECKSUM;
  int64_t offset = (int64_t)kopi_load_be64(bytes.ptr + AT_AS_OF);
  if (offset < 0) return KOP_ERR_MALFORMED;
  kop_slice sections = {.ptr = bytes.ptr + HEAD_SIZE, .len = bytes.len - HEAD_SIZE};
  kop_status status =
      read_sections(sections, kopi_load_be16(bytes.ptr + AT_SECTIONS), epochs, producers);
  if (status != KOP_OK) {
    kopi_epochs_free(epochs);
    kopi_producers_free(producers);
    return status;
  }
  *as_of = offset;
  return KOP_OK;
}
