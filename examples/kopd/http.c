/* See http.h. A request is read until its empty line, answered, and the connection closed. */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "listen.h"

typedef struct client {
  uv_tcp_t tcp;
  uv_timer_t timer;
  uv_write_t write;
  kopd_http *http;
  int handles; /* tcp and timer; the last to close frees */
  size_t len;
  char head[KOPD_HTTP_HEAD_MAX];
  kopd_text response;
} client;

struct kopd_http {
  uv_tcp_t tcp;
  uv_loop_t *loop;
  kopd_http_handler handler;
  void *user_data;
  client *clients[KOPD_HTTP_CONNECTIONS_MAX]; /* NULL: free */
  int waiting; /* a connection waits for a free place; libuv keeps it and offers no other */
};

static void on_connection(uv_stream_t *server, int status);

/* The end of a word that ends with a blank, or NULL. */
static const char *word_end(const char *from, const char *end) {
  return memchr(from, ' ', (size_t)(end - from));
}

int kopd_http_parse(const char *bytes, size_t len, kopd_http_request *out) {
  const char *line_end = memchr(bytes, '\n', len);
  if (line_end == NULL) return len < KOPD_HTTP_HEAD_MAX ? 0 : -1;
  const char *method_end = word_end(bytes, line_end);
  if (method_end == NULL || method_end == bytes ||
      (size_t)(method_end - bytes) >= sizeof out->method)
    return -1;
  const char *path = method_end + 1;
  const char *path_end = word_end(path, line_end);
  if (path_end == NULL || *path != '/' || (size_t)(line_end - path_end) < 6 ||
      memcmp(path_end + 1, "HTTP/", 5) != 0)
    return -1;
  const char *query = memchr(path, '?', (size_t)(path_end - path));
  if (query != NULL) path_end = query;
  if ((size_t)(path_end - path) >= sizeof out->path) return -1;
  if (memmem(line_end, len - (size_t)(line_end - bytes), "\n\r\n", 3) == NULL &&
      memmem(line_end, len - (size_t)(line_end - bytes), "\n\n", 2) == NULL)
    return len < KOPD_HTTP_HEAD_MAX ? 0 : -1;
  *out = (kopd_http_request){0};
  memcpy(out->method, bytes, (size_t)(method_end - bytes));
  memcpy(out->path, path, (size_t)(path_end - path));
  return 1;
}

static void on_client_closed(uv_handle_t *handle) {
  client *c = handle->data;
  if (--c->handles > 0) return;
  for (size_t i = 0; i < KOPD_HTTP_CONNECTIONS_MAX; i++) {
    if (c->http->clients[i] == c) c->http->clients[i] = NULL;
  }
  kopd_http *http = c->http;
  kopd_text_free(&c->response);
  free(c);
  if (http->waiting && !uv_is_closing((uv_handle_t *)&http->tcp)) {
    http->waiting = 0;
    on_connection((uv_stream_t *)&http->tcp, 0);
  }
}

static void close_client(client *c) {
  if (!uv_is_closing((uv_handle_t *)&c->tcp)) {
    uv_close((uv_handle_t *)&c->tcp, on_client_closed);
    uv_close((uv_handle_t *)&c->timer, on_client_closed);
  }
}

static void on_timeout(uv_timer_t *timer) {
  close_client(timer->data);
}

static void on_answered(uv_write_t *write, int status) {
  (void)status;
  close_client(write->data);
}

static const char *reason_of(int status) {
  switch (status) {
  case 200:
    return "OK";
  case 202:
    return "Accepted";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 409:
    return "Conflict";
  case 503:
    return "Service Unavailable";
  default:
    return "Bad Request";
  }
}

static void answer(client *c, const kopd_http_request *request) {
  kopd_text body = {0};
  const char *type = "text/plain; charset=utf-8";
  int status = 400;
  if (request != NULL) status = c->http->handler(c->http->user_data, request, &body, &type);
  kopd_text_add(&c->response,
                "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: "
                "close\r\n\r\n%s",
                status, reason_of(status), type, body.len,
                body.bytes != NULL && (request == NULL || strcmp(request->method, "HEAD") != 0)
                    ? body.bytes
                    : "");
  int failed = body.failed || c->response.failed;
  kopd_text_free(&body);
  uv_buf_t buf = uv_buf_init(c->response.bytes, (unsigned)c->response.len);
  c->write.data = c;
  if (failed || uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_answered) != 0)
    close_client(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  client *c = handle->data;
  (void)suggested;
  *buf = uv_buf_init(c->head + c->len, (unsigned)(sizeof c->head - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  client *c = stream->data;
  kopd_http_request request;
  (void)buf;
  if (n < 0) {
    close_client(c);
    return;
  }
  c->len += (size_t)n;
  int parsed = kopd_http_parse(c->head, c->len, &request);
  if (parsed == 0) return;
  uv_read_stop(stream);
  answer(c, parsed > 0 ? &request : NULL);
}

static void on_connection(uv_stream_t *server, int status) {
  kopd_http *http = server->data;
  size_t place = 0;
  if (status != 0) return;
  while (place < KOPD_HTTP_CONNECTIONS_MAX && http->clients[place] != NULL)
    place++;
  client *c = place < KOPD_HTTP_CONNECTIONS_MAX ? calloc(1, sizeof *c) : NULL;
  if (c == NULL) {
    http->waiting = 1;
    return;
  }
  http->clients[place] = c;
  c->http = http;
  c->handles = 2;
  c->tcp.data = c->timer.data = c;
  uv_tcp_init(http->loop, &c->tcp);
  uv_timer_init(http->loop, &c->timer);
  uv_timer_start(&c->timer, on_timeout, KOPD_HTTP_TIMEOUT_MS, 0);
  if (uv_accept(server, (uv_stream_t *)&c->tcp) != 0 ||
      uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
    close_client(c);
}

static void on_unused(uv_handle_t *handle) {
  free(handle->data);
}

kopd_http *kopd_http_listen(uv_loop_t *loop, const kopd_address *address, kopd_http_handler handler,
                            void *user_data, uint16_t *port, char *err, size_t errcap) {
  kopd_http *http = calloc(1, sizeof *http);
  if (http == NULL) {
    snprintf(err, errcap, "no memory for the metrics server");
    return NULL;
  }
  http->loop = loop;
  http->handler = handler;
  http->user_data = user_data;
  http->tcp.data = http;
  if (kopd_listen(loop, &http->tcp, address, 64, on_connection, port, err, errcap) != 0) {
    uv_close((uv_handle_t *)&http->tcp, on_unused);
    return NULL;
  }
  return http;
}

void kopd_http_close(kopd_http *http) {
  if (http == NULL) return;
  if (!uv_is_closing((uv_handle_t *)&http->tcp)) uv_close((uv_handle_t *)&http->tcp, NULL);
  for (size_t i = 0; i < KOPD_HTTP_CONNECTIONS_MAX; i++) {
    if (http->clients[i] != NULL) close_client(http->clients[i]);
  }
}

void kopd_http_free(kopd_http *http) {
  free(http);
}
