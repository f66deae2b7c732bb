/*
 * Listeners and what is advertised for them.
 *
 *     listeners=PLAINTEXT://127.0.0.1:9092,EXTERNAL://0.0.0.0:9192
 *     advertised.listeners=EXTERNAL://broker.example:9192
 *     listener.security.protocol.map=PLAINTEXT:PLAINTEXT,EXTERNAL:PLAINTEXT
 *
 * A listener that advertises nothing of its own is advertised as it listens. With several nodes,
 * node n (from 0) listens and is advertised n ports further on.
 */
#ifndef KOPD_LISTENERS_H
#define KOPD_LISTENERS_H

#include "address.h"

#define KOPD_LISTENERS_MAX     16
#define KOPD_LISTENER_NAME_MAX 64

typedef struct kopd_listener {
  char name[KOPD_LISTENER_NAME_MAX];
  kopd_address listen;
  kopd_address advertise; /* port 0: the port that listening got */
} kopd_listener;

typedef struct kopd_listeners {
  kopd_listener items[KOPD_LISTENERS_MAX];
  size_t count;
} kopd_listeners;

/*
 * Reads the three settings; advertised and map may be NULL. nodes is how many ports in a row each
 * listener takes. Returns 0, or -1 with a sentence in err.
 */
int kopd_listeners_parse(kopd_listeners *out, const char *listeners, const char *advertised,
                         const char *map, uint32_t nodes, char *err, size_t errcap);

#endif
