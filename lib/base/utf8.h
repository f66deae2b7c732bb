/* Whether bytes are UTF-8: the shortest form only, no surrogates, nothing above U+10FFFF. */
#ifndef KOPI_BASE_UTF8_H
#define KOPI_BASE_UTF8_H

#include <kop/base.h>

uint8_t kopi_is_utf8(kop_slice text);

#endif
