/*
 * The messages: which there are, their versions and defaults, and the dispatch of decode, size and encode.
 *
 * Every message goes through the tables. A message that is worth straight-line code gets it here, behind the same calls.
 */
#include "wire/codec.h"

#include <string.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "wire/arena.h"
#include "wire/encode.h"

static KOPI_COLD const kopi_message *search(uint32_t id) {
  size_t low = 0, high = kopi_wire_message_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (kopi_wire_messages[middle].id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == kopi_wire_message_count || kopi_wire_messages[low].id != id) return NULL;
  return &kopi_wire_messages[low];
}

/* Requests and responses lie at the index of their id: the generator leaves no gap between api keys. */
KOPI_INLINE const kopi_message *get(uint32_t id) {
  if (KOPI_LIKELY(id < kopi_wire_message_count && kopi_wire_messages[id].id == id)) {
    return &kopi_wire_messages[id];
  }
  return search(id);
}

const kopi_message *kopi_message_get(uint32_t id) {
  return get(id);
}

KOPI_INLINE const kopi_layout *layout_of(const kopi_message *message, int16_t version) {
  if (version < message->version_min || version > message->version_max) return NULL;
  int32_t index = message->layouts + version - message->version_min;
  return &kopi_wire_layouts[kopi_wire_version_layouts[index]];
}

const kopi_layout *kopi_message_layout(const kopi_message *message, int16_t version) {
  return layout_of(message, version);
}

int32_t kopi_struct_get(uint32_t struct_id) {
  const kopi_message *message = kopi_message_get(struct_id / 256);
  if (message == NULL || struct_id % 256 >= message->struct_count) return -1;
  return (int32_t)(message->structs + struct_id % 256);
}

kop_status kop_message_find(int16_t api_key, uint8_t is_response, uint32_t *id) {
  if (api_key < 0) return KOP_ERR_NOT_FOUND;
  uint32_t wanted = (uint32_t)api_key * 2 + (is_response != 0);
  if (wanted >= 1000 || kopi_message_get(wanted) == NULL) return KOP_ERR_NOT_FOUND;
  *id = wanted;
  return KOP_OK;
}

kop_status kop_message_find_name(const char *name, uint32_t *id) {
  for (size_t i = 0; i < kopi_wire_message_count; i++) {
    if (strcmp(&kopi_wire_names[kopi_wire_messages[i].name], name) == 0) {
      *id = kopi_wire_messages[i].id;
      return KOP_OK;
    }
  }
  return KOP_ERR_NOT_FOUND;
}

kop_status kop_message_describe(uint32_t id, kop_message_info *out, size_t out_size) {
  const kopi_message *message = kopi_message_get(id);
  if (message == NULL) return KOP_ERR_NOT_FOUND;
  if (out_size != sizeof *out) return KOP_ERR_INVALID;
  uint8_t rpc = id < 1000;
  *out = (kop_message_info){
      .size = sizeof *out,
      .name = &kopi_wire_names[message->name],
      .id = id,
      .struct_id = id * 256,
      .struct_size = kopi_wire_structs[message->structs].size,
      .api_key = rpc ? (int16_t)(id / 2) : -1,
      .version_min = message->version_min,
      .version_max = message->version_max,
      .flexible_from = message->flexible_from,
      .unstable = message->unstable,
      .is_response = rpc && id % 2 == 1,
  };
  return KOP_OK;
}

kop_status kop_message_next(uint32_t id, uint32_t *next) {
  for (size_t i = 0; i < kopi_wire_message_count; i++) {
    if (kopi_wire_messages[i].id >= id) {
      *next = kopi_wire_messages[i].id;
      return KOP_OK;
    }
  }
  return KOP_ERR_NOT_FOUND;
}

kop_status kop_message_versions(uint32_t id, int16_t *min, int16_t *max, int16_t *flexible_from,
                                uint8_t *unstable) {
  const kopi_message *message = kopi_message_get(id);
  if (message == NULL) return KOP_ERR_NOT_FOUND;
  if (min != NULL) *min = message->version_min;
  if (max != NULL) *max = message->version_max;
  if (flexible_from != NULL) *flexible_from = message->flexible_from;
  if (unstable != NULL) *unstable = message->unstable;
  return KOP_OK;
}

kop_status kop_struct_init(uint32_t struct_id, void *ptr, size_t size) {
  int32_t index = kopi_struct_get(struct_id);
  if (index < 0) return KOP_ERR_NOT_FOUND;
  const kopi_struct *s = &kopi_wire_structs[index];
  if (size != s->size) return KOP_ERR_INVALID;
  memset(ptr, 0, size);
  kopi_defaults_set(&kopi_wire_defaults[s->inits], s->init_count, ptr);
  return KOP_OK;
}

kop_status kop_message_init(uint32_t id, void *msg, size_t msg_size) {
  return id > UINT16_MAX ? KOP_ERR_NOT_FOUND : kop_struct_init(id * 256, msg, msg_size);
}

/* The layout of (id, version), or why there is none. */
KOPI_INLINE kop_status find_layout(uint32_t id, int16_t version, size_t msg_size,
                                   const kopi_layout **layout) {
  const kopi_message *message = get(id);
  if (message == NULL) return KOP_ERR_NOT_FOUND;
  *layout = layout_of(message, version);
  if (*layout == NULL) return KOP_ERR_UNSUPPORTED;
  return (*layout)->struct_size == msg_size ? KOP_OK : KOP_ERR_INVALID;
}

kop_status kopi_message_decode(uint32_t id, int16_t version, kopi_arena *arena, const uint8_t *in,
                               size_t len, void *msg, size_t msg_size, size_t *consumed) {
  const kopi_layout *layout = NULL;
  kop_status status = find_layout(id, version, msg_size, &layout);
  if (status != KOP_OK) return status;
  if (len == 0) in = kopi_wire_empty;
  const uint8_t *behind = kopi_decode_layout(layout, arena, in, in + len, msg, &status);
  if (behind == NULL) return status;
  if (consumed == NULL) return behind == in + len ? KOP_OK : KOP_ERR_MALFORMED;
  *consumed = (size_t)(behind - in);
  return KOP_OK;
}

kop_status kop_message_decode(uint32_t id, int16_t version, kop_arena *arena, const uint8_t *in,
                              size_t len, void *msg, size_t msg_size, size_t *consumed) {
  return kopi_message_decode(id, version, &arena->arena, in, len, msg, msg_size, consumed);
}

static kop_status measure(const kopi_layout *layout, const void *msg, uint8_t cuts_apart,
                          size_t *size, size_t *cuts) {
  kopi_measure m = {.cuts_apart = cuts_apart};
  kopi_measure_layout(&m, layout, msg);
  if (m.status == KOP_OK && m.bytes > (uint64_t)INT32_MAX) m.status = KOP_ERR_INVALID;
  if (m.status != KOP_OK) return m.status;
  *size = (size_t)m.bytes;
  if (cuts != NULL) *cuts = m.cuts;
  return KOP_OK;
}

kop_status kop_message_size(uint32_t id, int16_t version, const void *msg, size_t msg_size,
                            size_t *size) {
  const kopi_layout *layout = NULL;
  kop_status status = find_layout(id, version, msg_size, &layout);
  return status != KOP_OK ? status : measure(layout, msg, 0, size, NULL);
}

kop_status kop_message_size_cuts(uint32_t id, int16_t version, const void *msg, size_t msg_size,
                                 size_t *size, size_t *cuts) {
  const kopi_layout *layout = NULL;
  kop_status status = find_layout(id, version, msg_size, &layout);
  return status != KOP_OK ? status : measure(layout, msg, 1, size, cuts);
}

static kop_status encode(const kopi_layout *layout, const void *msg, kopi_encoder *e,
                         size_t *written) {
  const uint8_t *behind = kopi_encode_layout(e, layout, msg);
  if (behind != NULL) {
    *written = (size_t)(behind - e->begin);
    return KOP_OK;
  }
  if (e->status != KOP_ERR_NO_SPACE) return e->status;
  kop_status status = measure(layout, msg, e->cuts != NULL, written, &e->cut_count);
  return status == KOP_OK ? KOP_ERR_NO_SPACE : status;
}

kop_status kop_message_encode(uint32_t id, int16_t version, const void *msg, size_t msg_size,
                              uint8_t *out, size_t cap, size_t *written) {
  const kopi_layout *layout = NULL;
  kop_status status = find_layout(id, version, msg_size, &layout);
  if (status != KOP_OK) return status;
  uint8_t none;
  if (cap == 0) out = &none;
  kopi_encoder e = {.begin = out, .end = out + cap};
  return encode(layout, msg, &e, written);
}

kop_status kop_message_encode_cuts(uint32_t id, int16_t version, const void *msg, size_t msg_size,
                                   uint8_t *out, size_t cap, size_t *written, kop_cut *cuts,
                                   size_t cut_cap, size_t *cut_count) {
  const kopi_layout *layout = NULL;
  kop_status status = find_layout(id, version, msg_size, &layout);
  if (status != KOP_OK) return status;
  uint8_t none;
  kop_cut no_cut;
  if (cap == 0) out = &none;
  if (cut_cap == 0) cuts = &no_cut;
  kopi_encoder e = {.begin = out, .end = out + cap, .cuts = cuts, .cut_cap = cut_cap};
  status = encode(layout, msg, &e, written);
  *cut_count = e.cut_count;
  return status;
}
