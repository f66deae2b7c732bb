/*
 * The process: the store, its nodes, signals, the metrics address.
 *
 *     main thread: signals, /metrics, /health, starting and stopping nodes
 *     one thread per node: sockets and engine (node.h)
 *     the store's own threads
 */
#ifndef KOPD_SERVER_H
#define KOPD_SERVER_H

#include "options.h"

/*
 * Serves until a signal ends it. Returns the exit status: 0 after an orderly end, 1 when serving
 * was not possible.
 */
int kopd_server_run(const kopd_options *options);

#endif
