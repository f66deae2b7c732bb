/* Base64 for the JSON view: the standard alphabet with padding for bytes, the URL-safe one without for uuids. */
#ifndef KOPI_WIRE_BASE64_H
#define KOPI_WIRE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Characters that n bytes take, padding included or not. */
size_t kopi_base64_size(size_t n, uint8_t url_safe);

/* Writes that many. */
void kopi_base64_write(const uint8_t *in, size_t n, uint8_t url_safe, uint8_t *out);

/* Bytes in `len` characters, at most 3 for each 4 of them, or -1 when they are no base64 of that form. `out` has room for len / 4 * 3 + 2. */
ptrdiff_t kopi_base64_read(const char *in, size_t len, uint8_t url_safe, uint8_t *out);

#endif
