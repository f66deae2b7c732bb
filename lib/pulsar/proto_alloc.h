/*
 * An arena as protobuf-c's allocator: all that one decoded command needs comes from it and dies at the next decode,
 * so that in steady state decoding allocates nothing and freeing is no work.
 *
 * protobuf-c only says that an unpack failed; the arena remembers whether memory was the reason.
 */
#ifndef KOPI_PULSAR_PROTO_ALLOC_H
#define KOPI_PULSAR_PROTO_ALLOC_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"

typedef struct kopi_proto_arena {
  kopi_arena arena;
  ProtobufCAllocator face; /* its data is this struct, which must not move */
  kop_status status;       /* why memory was refused since the last reset */
} kopi_proto_arena;

/* `limit`: bytes that one message may take. A string costs some 24 bytes more than on the wire, a message a few hundred. */
void kopi_proto_arena_init(kopi_proto_arena *a, const kop_alloc *alloc, size_t limit);
void kopi_proto_arena_free(kopi_proto_arena *a);

/*
 * Decodes a message; what was decoded before ends. `out` lives until the next call. KOP_ERR_MALFORMED, KOP_ERR_LIMIT,
 * KOP_ERR_NOMEM.
 */
kop_status kopi_proto_unpack(kopi_proto_arena *a, const ProtobufCMessageDescriptor *type,
                             kop_slice bytes, ProtobufCMessage **out);

#endif
