/*
 * A very small HTTP server for /metrics and /health: one request a connection, no body, bounded in
 * every way (head of 4 KiB, 32 connections, 5 seconds). A client that breaks a bound is closed.
 */
#ifndef KOPD_HTTP_H
#define KOPD_HTTP_H

#include <uv.h>

#include "address.h"
#include "text.h"

#define KOPD_HTTP_HEAD_MAX        4096
#define KOPD_HTTP_CONNECTIONS_MAX 32
#define KOPD_HTTP_TIMEOUT_MS      5000

/* A parsed request line. */
typedef struct kopd_http_request {
  char method[8];
  char path[256]; /* without the query */
} kopd_http_request;

/*
 * Writes the body, returns the status (200, 404, ...) and sets the content type if it is not
 * text/plain.
 */
typedef int (*kopd_http_handler)(void *user_data, const kopd_http_request *request, kopd_text *body,
                                 const char **content_type);

/*
 * Looks for a whole head in len bytes: 1 and *out filled, 0 if more must come, -1 if this will
 * never be a request.
 */
int kopd_http_parse(const char *bytes, size_t len, kopd_http_request *out);

typedef struct kopd_http kopd_http;

/* Listens; *port receives the port in use. NULL with a sentence in err on failure. */
kopd_http *kopd_http_listen(uv_loop_t *loop, const kopd_address *address, kopd_http_handler handler,
                            void *user_data, uint16_t *port, char *err, size_t errcap);

/* Begins to close everything; free after the loop has run. NULL is fine for both. */
void kopd_http_close(kopd_http *http);
void kopd_http_free(kopd_http *http);

#endif
