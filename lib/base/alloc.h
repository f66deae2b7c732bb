/* The allocator a handle carries: a copy of the embedder's, or the C library's heap. */
#ifndef KOPI_BASE_ALLOC_H
#define KOPI_BASE_ALLOC_H

#include <kop/base.h>

/* Takes over the caller's allocator (NULL: the C heap). KOP_ERR_INVALID if its size or functions are not usable. */
kop_status kopi_alloc_init(kop_alloc *out, const kop_alloc *from);

/* Uninitialised memory, or NULL. size must not be 0. */
void *kopi_malloc(const kop_alloc *a, size_t size);

/* Zeroed memory for n objects of the size, or NULL (also when n * size overflows or is 0). */
void *kopi_calloc(const kop_alloc *a, size_t n, size_t size);

/* Like realloc; NULL leaves ptr valid. */
void *kopi_realloc(const kop_alloc *a, void *ptr, size_t size);

/* ptr may be NULL. */
void kopi_free(const kop_alloc *a, void *ptr);

#endif
