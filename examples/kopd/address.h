/*
 * HOST:PORT as people write it: 127.0.0.1:9092, [::1]:9092, localhost:9092, :9092 (every address).
 */
#ifndef KOPD_ADDRESS_H
#define KOPD_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#define KOPD_HOST_MAX 256

typedef struct kopd_address {
  char host[KOPD_HOST_MAX]; /* without brackets; "" means every address of the machine */
  uint16_t port;            /* 0: any free one */
} kopd_address;

/* Reads len bytes of text. Returns 0, or -1 with *why set to a static phrase. */
int kopd_address_parse(const char *text, size_t len, kopd_address *out, const char **why);

/* Whether the address stands for every address of the machine: "", 0.0.0.0 or ::. */
int kopd_address_is_any(const kopd_address *a);

/* Writes HOST:PORT, with brackets where they are needed; out holds at least KOPD_HOST_MAX + 16. */
void kopd_address_text(const char *host, uint16_t port, char *out, size_t cap);

#endif
