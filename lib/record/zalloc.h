/* The handle's allocator in the forms that zlib and zstd ask for. */
#ifndef KOPI_RECORD_ZALLOC_H
#define KOPI_RECORD_ZALLOC_H

#include <kop/base.h>

#define ZSTD_STATIC_LINKING_ONLY /* for ZSTD_customMem */
#define ZLIB_CONST               /* zlib only reads its input */
#include <zlib.h>
#include <zstd.h>

/* The libraries take the context as a pointer that is not const; they only hand it back. */
void *kopi_zopaque(const kop_alloc *alloc);
void *kopi_zalloc(void *opaque, uInt items, uInt size);
void kopi_zfree(void *opaque, void *ptr);
ZSTD_customMem kopi_zstd_mem(const kop_alloc *alloc);

#endif
