/* From an intrusive node back to the object that holds it. */
#ifndef KOPI_BASE_CONTAINER_H
#define KOPI_BASE_CONTAINER_H

#include <stddef.h>

/* `ptr` must point at `member` of an object of `type`, and must not be NULL. */
#define KOPI_CONTAINER_OF(ptr, type, member)                                                       \
  ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
