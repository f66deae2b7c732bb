/*
 * Structs that begin with their size, so that they can grow at the tail without a new function.
 *
 * The caller's struct may be older (shorter: fields it lacks have their defaults) or newer (longer: what this library
 * does not know must be zero, or the caller asks for something that would silently not happen).
 */
#ifndef KOPI_BASE_SIZED_H
#define KOPI_BASE_SIZED_H

#include <kop/base.h>

/* Writes defaults (of own_size bytes, its size field already the caller's) into the caller's struct of `size` bytes. */
void kopi_sized_defaults(void *out, size_t size, const void *defaults, size_t own_size);

/* Lays the caller's struct over `own`, which holds the defaults. KOP_ERR_INVALID. */
kop_status kopi_sized_load(void *own, size_t own_size, const void *given);

#endif
