/* The arena behind protobuf-c. */
#include "pulsar/proto_alloc.h"

static void *proto_alloc(void *data, size_t size) {
  kopi_proto_arena *a = data;
  void *p = kopi_arena_alloc(&a->arena, size);
  if (p == NULL) a->status = kopi_arena_status(&a->arena, size);
  return p;
}

static void proto_free(void *data, void *p) {
  (void)data; /* the reset frees all at once */
  (void)p;
}

void kopi_proto_arena_init(kopi_proto_arena *a, const kop_alloc *alloc, size_t limit) {
  kopi_arena_init(&a->arena, alloc, limit);
  a->face = (ProtobufCAllocator){.alloc = proto_alloc, .free = proto_free, .allocator_data = a};
  a->status = KOP_OK;
}

void kopi_proto_arena_free(kopi_proto_arena *a) {
  kopi_arena_free(&a->arena);
}

kop_status kopi_proto_unpack(kopi_proto_arena *a, const ProtobufCMessageDescriptor *type,
                             kop_slice bytes, ProtobufCMessage **out) {
  static const uint8_t nothing[1];
  kopi_arena_reset(&a->arena);
  a->status = KOP_OK;
  const uint8_t *from = bytes.ptr != NULL ? bytes.ptr : nothing;
  *out = protobuf_c_message_unpack(type, &a->face, bytes.len, from);
  if (*out != NULL) return KOP_OK;
  return a->status != KOP_OK ? a->status : KOP_ERR_MALFORMED;
}
