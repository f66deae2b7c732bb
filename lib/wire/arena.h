/* The public arena: base's arena with the allocator it uses. */
#ifndef KOPI_WIRE_ARENA_H
#define KOPI_WIRE_ARENA_H

#include <kop/wire.h>

#include "base/arena.h"

struct kop_arena {
  kop_alloc alloc;
  kopi_arena arena;
};

#endif
