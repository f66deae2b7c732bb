/*
 * The bytes of an entry: what a send is given, and the frame that is made of it.
 *
 *   frame head | SEND | 0x0e01, checksum, size, metadata | payload ...
 *                     '----------- the head -----------'
 *
 * A head is encoded here, from a metadata struct, or comes ready: somebody else has encoded it and summed it up together with
 * the payload. Either way it is done once, and the entry is sent again as it stands. Of a ready head the session has to
 * know what it answers receipts by, and what the broker's deduplication reads out of the log after a restart: the head must
 * say what the send says.
 */
#include <string.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "pulsar/frame.h"
#include "pulsar/session_producer.h"
#include "pulsar/session_send.h"

enum { MAGIC = 2, CHECKSUM = 4, SIZE = 4, HEAD_FIXED = MAGIC + CHECKSUM + SIZE };

static uint64_t highest_of_send(const kop_pulsar_send_info *i) {
  return i->highest_sequence_id > i->sequence_id ? i->highest_sequence_id : i->sequence_id;
}

static uint64_t highest_of_metadata(const kop_pulsar_metadata *md) {
  bool said = (md->present & KOP_PULSAR_HAS_HIGHEST_SEQUENCE_ID) != 0;
  return said && md->highest_sequence_id > md->sequence_id ? md->highest_sequence_id
                                                           : md->sequence_id;
}

/* Places that the entry takes. The broker goes by the command, whoever reads the entry by its metadata. */
static bool counts_alike(const kop_pulsar_send_info *i, const kop_pulsar_metadata *md) {
  bool batch = (md->present & KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH) != 0;
  return (int32_t)i->num_messages == (batch ? md->num_messages_in_batch : 1);
}

/* The caller's metadata with the producer's name and the ids of this send. */
static void complete(const kopi_ps_producer *p, const kop_pulsar_send_info *i,
                     kop_pulsar_metadata *md) {
  *md = *i->metadata;
  md->producer_name = kopi_ps_blob_slice(p->name);
  md->sequence_id = i->sequence_id;
  md->present |= KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID;
  md->present &= ~KOP_PULSAR_HAS_HIGHEST_SEQUENCE_ID;
  if (i->highest_sequence_id > i->sequence_id) {
    md->highest_sequence_id = i->highest_sequence_id;
    md->present |= KOP_PULSAR_HAS_HIGHEST_SEQUENCE_ID;
  }
}

static bool is_named(const kopi_ps_producer *p, kop_slice name) {
  kop_slice mine = kopi_ps_blob_slice(p->name);
  return name.len == mine.len && (name.len == 0 || memcmp(name.ptr, mine.ptr, name.len) == 0);
}

/* Exactly a head: nothing of the broker's in front of it, its checksum there, no payload behind it. */
static kop_status read_ready(kop_slice head, kop_pulsar_metadata *md) {
  kop_pulsar_entry entry;
  kop_status status = kop_pulsar_entry_read(head.ptr, head.len, 0, &entry);
  if (status != KOP_OK || entry.payload.len != 0 ||
      entry.checked.ptr != head.ptr + MAGIC + CHECKSUM)
    return KOP_ERR_MALFORMED;
  *md = entry.metadata;
  return KOP_OK;
}

kop_status kopi_ps_head_prepare(const kopi_ps_producer *p, const kop_pulsar_send_info *i,
                                kopi_ps_head *head) {
  head->ready = i->head;
  head->payload_size = 0;
  for (uint32_t j = 0; j < i->payload_count; j++)
    head->payload_size += i->payload[j].len;
  if (i->metadata != NULL) {
    complete(p, i, &head->md);
    head->metadata_size = kop_pulsar_metadata_size(&head->md, NULL, 0);
    return counts_alike(i, &head->md) ? KOP_OK : KOP_ERR_INVALID;
  }
  kop_status status = read_ready(i->head, &head->md);
  if (status != KOP_OK) return status;
  head->metadata_size = i->head.len - HEAD_FIXED;
  bool agrees = is_named(p, head->md.producer_name) && head->md.sequence_id == i->sequence_id &&
                highest_of_metadata(&head->md) == highest_of_send(i) && counts_alike(i, &head->md);
  return agrees ? KOP_OK : KOP_ERR_INVALID;
}

static kop_status put_head(const kop_pulsar_send_info *i, const kopi_ps_head *head, uint8_t *out) {
  if (head->ready.ptr != NULL) {
    memcpy(out, head->ready.ptr, head->ready.len);
    return KOP_OK;
  }
  size_t len = 0;
  return kop_pulsar_entry_write(&head->md, NULL, 0, i->payload, i->payload_count, out,
                                HEAD_FIXED + head->metadata_size, &len);
}

kop_status kopi_ps_entry_new(kopi_ps *s, const kopi_ps_producer *p, const kop_pulsar_send_info *i,
                             const kopi_ps_head *head, kopi_ps_entry **out) {
  size_t head_size = HEAD_FIXED + head->metadata_size;
  size_t slices = (1 + (size_t)i->payload_count) * sizeof(kop_slice);
  kopi_ps_entry *e = kopi_malloc(&s->alloc, sizeof *e + slices + KOPI_PULSAR_SEND_MAX + head_size);
  if (e == NULL) return KOP_ERR_NOMEM;
  memset(e, 0, sizeof *e);
  uint8_t *bytes = (uint8_t *)e + sizeof *e + slices;
  e->sequence_id = i->sequence_id;
  e->highest_sequence_id = highest_of_send(i);
  e->slices_count = 1;
  for (uint32_t j = 0; j < i->payload_count; j++) {
    if (i->payload[j].len > 0) e->slices[e->slices_count++] = i->payload[j];
  }
  kopi_pulsar_send send = {
      .producer_id = p->attach.id,
      .sequence_id = i->sequence_id,
      .highest_sequence_id = i->highest_sequence_id > i->sequence_id ? i->highest_sequence_id : 0,
      .num_messages = (int32_t)i->num_messages,
      .is_chunk = (i->flags & KOP_PULSAR_SEND_CHUNK) != 0,
  };
  size_t command = kopi_pulsar_send_write(&send, head_size + head->payload_size, bytes);
  kop_status status = put_head(i, head, bytes + command);
  if (status != KOP_OK) {
    kopi_free(&s->alloc, e);
    return status == KOP_ERR_NOMEM ? status : KOP_ERR_INVALID;
  }
  e->slices[0] = (kop_slice){.ptr = bytes, .len = command + head_size};
  *out = e;
  return KOP_OK;
}

bool kopi_ps_entry_is_intact(const kopi_ps_entry *e) {
  const uint8_t *bytes = e->slices[0].ptr;
  size_t at = KOPI_PULSAR_FRAME_HEAD + kopi_load_be32(bytes + 4) + MAGIC;
  uint32_t crc = kopi_crc32c(0, bytes + at + CHECKSUM, e->slices[0].len - at - CHECKSUM);
  for (uint32_t j = 1; j < e->slices_count; j++)
    crc = kopi_crc32c(crc, e->slices[j].ptr, e->slices[j].len);
  return crc == kopi_load_be32(bytes + at);
}
