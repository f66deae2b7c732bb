/*
 * The head of an entry: checksum, metadata and in it what the batch was.
 *
 *    producer name, sequence id, publish time      the caller's, or what a native producer's were
 *    properties                                    entry.format of Kafka's format, kop.batch, the caller's
 *    partition key                                 the first record's, for the broker's Key_Shared dispatch
 *    compression, uncompressed size                of the payload
 *    number of messages                            as many offsets as the entry takes
 */
#include <string.h>

#include "convert/facts.h"
#include "convert/message.h"
#include "convert/writing.h"

enum {
  HEAD_FIXED =
      128 + KOPI_FACTS_MAX, /* more than a head takes beside producer name, properties and key */
  HEAD_KEY_MAX = 1024,      /* a longer key is not repeated in the head */
  PER_PROPERTY = 24
};

static void describe(const kopi_writing *j, const kopi_piece *s, int whole,
                     kop_convert_facts *facts) {
  const kop_batch_head *head = &j->head;
  kopi_facts_init(facts);
  facts->producer_id = head->producer_id;
  facts->producer_epoch = head->producer_epoch;
  facts->base_sequence = head->base_sequence;
  facts->leader_epoch = head->leader_epoch;
  facts->attributes = (uint16_t)head->attributes & ~(int32_t)KOP_BATCH_CODEC_MASK;
  if (j->options.format == KOP_CONVERT_KAFKA) return;
  facts->base_timestamp = head->base_timestamp;
  facts->max_timestamp = head->max_timestamp;
  facts->has_base = whole && head->base_timestamp != s->first_timestamp;
  int fixed = whole || (head->attributes & KOP_BATCH_LOG_APPEND_TIME) != 0;
  facts->has_max = fixed && head->max_timestamp != s->max_timestamp;
}

/* What goes into a head; the memory behind the pointers is in `scratch`. */
typedef struct parts {
  kop_pulsar_metadata md;
  kop_pulsar_property *properties;
  size_t count;
  uint8_t *facts; /* KOPI_FACTS_MAX bytes */
  uint8_t *key;   /* HEAD_KEY_MAX bytes */
} parts;

static void add_properties(const kopi_writing *j, const kopi_piece *s, int whole, parts *h) {
  static const uint8_t format_name[] = "entry.format";
  static const uint8_t format_kafka[] = "kafka";
  const kop_to_pulsar_options *o = &j->options;
  if (o->format == KOP_CONVERT_KAFKA) {
    h->properties[h->count++] = (kop_pulsar_property){{format_name, sizeof format_name - 1},
                                                      {format_kafka, sizeof format_kafka - 1}};
  }
  /* What a native producer wrote, and nothing else, is a native entry again. */
  if (s->native.ptr == NULL || !kopi_writing_is_plain(j)) {
    kop_convert_facts facts;
    describe(j, s, whole, &facts);
    h->properties[h->count++] =
        (kop_pulsar_property){kopi_facts_name(), {h->facts, kopi_facts_write(&facts, h->facts)}};
  }
  if (o->properties_count != 0) {
    memcpy(h->properties + h->count, o->properties, o->properties_count * sizeof *o->properties);
    h->count += o->properties_count;
  }
}

static void add_key(const kopi_writing *j, const kopi_piece *s, parts *h) {
  int control = (j->head.attributes & KOP_BATCH_CONTROL) != 0;
  kop_slice key = control ? j->options.control_key : s->key;
  kopi_key_form form = kopi_key_form_of(key, j->options.key);
  if (!form.present || form.text_len > HEAD_KEY_MAX) return;
  kopi_key_write(h->key, key, &form);
  h->md.present |= KOP_PULSAR_HAS_PARTITION_KEY;
  h->md.partition_key = (kop_slice){h->key, form.text_len};
  if (form.coded) h->md.present |= KOP_PULSAR_HAS_PARTITION_KEY_B64_ENCODED;
  h->md.partition_key_b64_encoded = form.coded != 0;
}

/* Lays what a native producer said over what the caller says. */
static void restore_native(const kop_pulsar_metadata *kept, kop_pulsar_metadata *md) {
  md->present |= kept->present;
  md->producer_name = kept->producer_name;
  md->sequence_id = kept->sequence_id;
  md->publish_time = kept->publish_time;
  md->replicated_from = kept->replicated_from;
  md->replicate_to = kept->replicate_to;
  md->schema_version = kept->schema_version;
  md->schema_id = kept->schema_id;
  md->deliver_at_time = kept->deliver_at_time;
}

static void fill_metadata(const kopi_writing *j, const kopi_piece *s, size_t plain_len,
                          const kop_convert_entry *entry, kop_pulsar_metadata *md) {
  const kop_to_pulsar_options *o = &j->options;
  kop_pulsar_metadata_init(md);
  md->present = KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID |
                KOP_PULSAR_HAS_PUBLISH_TIME | KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  md->producer_name = o->producer_name;
  md->sequence_id = entry->sequence_id;
  md->publish_time = (uint64_t)o->publish_time_ms;
  md->num_messages_in_batch = entry->num_messages;
  if ((o->flags & KOP_TO_PULSAR_COUNT_MESSAGES) != 0) {
    md->present |= KOP_PULSAR_HAS_HIGHEST_SEQUENCE_ID;
    md->highest_sequence_id = entry->highest_sequence_id;
  }
  if (s->native.ptr != NULL) restore_native(&s->kept.metadata, md);
  /* Counted ids are one row over all entries, which no header may leave. */
  if ((o->flags & KOP_TO_PULSAR_COUNT_MESSAGES) != 0) md->sequence_id = entry->sequence_id;
  if (o->format == KOP_CONVERT_PULSAR && j->compression != KOP_PULSAR_COMPRESSION_NONE) {
    md->present |= KOP_PULSAR_HAS_COMPRESSION | KOP_PULSAR_HAS_UNCOMPRESSED_SIZE;
    md->compression = j->compression;
    md->uncompressed_size = (uint32_t)plain_len;
  }
}

static kop_status write_head(kopi_writing *j, const kopi_piece *s, kop_slice payload,
                             size_t plain_len, int whole, kop_convert_entry *entry) {
  kop_convert *c = j->c;
  kopi_buf_reset(&c->scratch);
  size_t properties_size = (j->options.properties_count + 2) * sizeof(kop_pulsar_property);
  uint8_t *p = kopi_buf_reserve(&c->scratch, properties_size + KOPI_FACTS_MAX + HEAD_KEY_MAX);
  if (p == NULL) return c->scratch.status;
  parts h = {
      .properties = (kop_pulsar_property *)(void *)p,
      .facts = p + properties_size,
      .key = p + properties_size + KOPI_FACTS_MAX,
  };
  fill_metadata(j, s, plain_len, entry, &h.md);
  add_properties(j, s, whole, &h);
  if (j->options.format == KOP_CONVERT_PULSAR) add_key(j, s, &h);
  entry->sequence_id = h.md.sequence_id;

  size_t room = j->head_room + HEAD_KEY_MAX + s->native.len;
  p = kopi_buf_reserve(&c->heads, room);
  if (p == NULL) return c->heads.status;
  size_t len;
  kop_status status =
      kop_pulsar_entry_write(&h.md, h.properties, h.count, &payload, 1, p, room, &len);
  if (status != KOP_OK) return status;
  c->heads.len += len;
  entry->head.len = len;
  return KOP_OK;
}

kop_status kopi_entry_add(kopi_writing *j, const kopi_piece *s, kop_slice payload, size_t plain_len,
                          int whole) {
  kop_convert *c = j->c;
  size_t n = c->list.len / sizeof(kop_convert_entry);
  kop_convert_entry entry = {
      .payload = payload,
      .max_timestamp = s->max_timestamp,
      .sequence_id = j->options.sequence_id + n,
      .first_delta = s->from.delta,
      .num_messages = s->num_messages,
      .count = s->count,
  };
  if (whole || (j->head.attributes & KOP_BATCH_LOG_APPEND_TIME) != 0) {
    entry.max_timestamp = j->head.max_timestamp;
  }
  if ((j->options.flags & KOP_TO_PULSAR_COUNT_MESSAGES) != 0) {
    entry.sequence_id = j->options.sequence_id + (uint64_t)s->from.delta;
    entry.highest_sequence_id = entry.sequence_id + (uint64_t)s->num_messages - 1;
  }
  kop_status status = write_head(j, s, payload, plain_len, whole, &entry);
  if (status != KOP_OK) return status;
  kopi_buf_put(&c->list, &entry, sizeof entry);
  return c->list.status;
}

void kopi_entry_place(kopi_writing *j) {
  kop_convert *c = j->c;
  kop_convert_entry *entries = (kop_convert_entry *)(void *)c->list.data;
  size_t n = c->list.len / sizeof *entries;
  const uint8_t *head = c->heads.data;
  const uint8_t *payload = j->options.format == KOP_CONVERT_KAFKA ? j->batch : c->data.data;
  for (size_t i = 0; i < n; i++) {
    entries[i].head.ptr = head;
    entries[i].payload.ptr = payload;
    head += entries[i].head.len;
    payload += entries[i].payload.len;
  }
}

kop_status kopi_entry_measure(kopi_writing *j) {
  const kop_to_pulsar_options *o = &j->options;
  uint64_t room = HEAD_FIXED + (uint64_t)o->producer_name.len;
  for (size_t i = 0; i < o->properties_count; i++) {
    room += (uint64_t)o->properties[i].key.len + o->properties[i].value.len + PER_PROPERTY;
    if (room > INT32_MAX) return KOP_ERR_LIMIT;
  }
  size_t with_key = (size_t)room + HEAD_KEY_MAX;
  if (with_key >= o->max_entry_bytes) {
    return kopi_convert_fail(j->c, KOP_ERR_LIMIT, "max_entry_bytes has no room for a payload");
  }
  j->head_room = (size_t)room;
  j->budget = o->max_entry_bytes - with_key;
  return KOP_OK;
}
