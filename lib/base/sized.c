/* Structs that grow at their tail. */
#include "base/sized.h"

#include <string.h>

void kopi_sized_defaults(void *out, size_t size, const void *defaults, size_t own_size) {
  memset(out, 0, size);
  memcpy(out, defaults, size < own_size ? size : own_size);
}

kop_status kopi_sized_load(void *own, size_t own_size, const void *given) {
  size_t size;
  memcpy(&size, given, sizeof size);
  if (size < sizeof size) return KOP_ERR_INVALID;
  const uint8_t *bytes = given;
  for (size_t i = own_size; i < size; i++) {
    if (bytes[i] != 0) return KOP_ERR_INVALID;
  }
  memcpy(own, given, size < own_size ? size : own_size);
  memcpy(own, &own_size, sizeof own_size);
  return KOP_OK;
}
