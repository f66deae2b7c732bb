/* See listen.h. The first address that a name stands for is taken, as Kafka does. */
#include "listen.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

static int resolve(const kopd_address *address, struct sockaddr_storage *out, const char **why) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
  struct addrinfo *found = NULL;
  char port[8];
  snprintf(port, sizeof port, "%u", (unsigned)address->port);
  const char *host = address->host[0] == '\0' ? "0.0.0.0" : address->host;
  int result = getaddrinfo(host, port, &hints, &found);
  if (result != 0) {
    *why = gai_strerror(result);
    return -1;
  }
  memcpy(out, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return 0;
}

static uint16_t port_of(const struct sockaddr_storage *a) {
  return ntohs(a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)a)->sin6_port
                                        : ((const struct sockaddr_in *)a)->sin_port);
}

int kopd_listen(uv_loop_t *loop, uv_tcp_t *tcp, const kopd_address *address, int backlog,
                uv_connection_cb on_connection, uint16_t *port, char *err, size_t errcap) {
  struct sockaddr_storage at = {0};
  char text[KOPD_HOST_MAX + 16];
  const char *why = "";
  int len = sizeof at;
  int result = 0;
  uv_tcp_init(loop, tcp); /* makes no socket, so it cannot fail */
  if (resolve(address, &at, &why) != 0) goto fail;
  result = uv_tcp_bind(tcp, (const struct sockaddr *)&at, 0);
  if (result == 0) result = uv_listen((uv_stream_t *)tcp, backlog, on_connection);
  if (result == 0) result = uv_tcp_getsockname(tcp, (struct sockaddr *)&at, &len);
  if (result != 0) {
    why = uv_strerror(result);
    goto fail;
  }
  *port = port_of(&at);
  return 0;
fail:
  kopd_address_text(address->host, address->port, text, sizeof text);
  snprintf(err, errcap, "cannot listen on %s: %s", text, why);
  return -1;
}
