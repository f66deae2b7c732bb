/* UTF-8: the shortest form only, no surrogates, nothing above U+10FFFF. */
#ifndef KOPI_BASE_UTF8_H
#define KOPI_BASE_UTF8_H

#include <kop/base.h>

/* Bytes of the code point that begins at p, of which n > 0 bytes are there; 0 when there is none. */
size_t kopi_utf8_length(const uint8_t *p, size_t n);

/* Whether all of it is. */
uint8_t kopi_is_utf8(kop_slice text);

#endif
