/* Binding and listening, for Kafka's listeners and for the metrics address. */
#ifndef KOPD_LISTEN_H
#define KOPD_LISTEN_H

#include <uv.h>

#include "address.h"

/*
 * Makes tcp a handle of the loop and listens on the address. *port receives the port in use.
 * Returns 0, or -1 with a sentence in err; in both cases tcp is a handle that wants uv_close.
 * Blocks while a host name is looked up.
 */
int kopd_listen(uv_loop_t *loop, uv_tcp_t *tcp, const kopd_address *address, int backlog,
                uv_connection_cb on_connection, uint16_t *port, char *err, size_t errcap);

#endif
