/*
 * Splits at the last colon outside brackets; a bare IPv6 address is refused, since its port cannot
 * be told from it.
 */
#include "address.h"

#include <stdio.h>
#include <string.h>

static int parse_port(const char *text, size_t len, uint16_t *port) {
  uint32_t value = 0;
  if (len == 0 || len > 5) return -1;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (uint32_t)(text[i] - '0');
  }
  if (value > 65535) return -1;
  *port = (uint16_t)value;
  return 0;
}

static int legal_host_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_' || c == ':' || c == '%';
}

int kopd_address_parse(const char *text, size_t len, kopd_address *out, const char **why) {
  const char *host = text;
  size_t host_len = 0;
  const char *colon = NULL;
  if (len > 0 && text[0] == '[') {
    const char *end = memchr(text, ']', len);
    if (end == NULL || end + 1 == text + len || end[1] != ':') {
      *why = "expected [HOST]:PORT";
      return -1;
    }
    host = text + 1;
    host_len = (size_t)(end - host);
    colon = end + 1;
  } else {
    colon = memrchr(text, ':', len);
    if (colon == NULL) {
      *why = "expected HOST:PORT";
      return -1;
    }
    host_len = (size_t)(colon - text);
    if (memchr(host, ':', host_len) != NULL) {
      *why = "an IPv6 address stands in brackets: [HOST]:PORT";
      return -1;
    }
  }
  if (parse_port(colon + 1, len - (size_t)(colon + 1 - text), &out->port) != 0) {
    *why = "the port is not a number from 0 to 65535";
    return -1;
  }
  if (host_len >= sizeof out->host) {
    *why = "the host name is too long";
    return -1;
  }
  for (size_t i = 0; i < host_len; i++) {
    if (!legal_host_byte(host[i])) {
      *why = "the host name has a character that no host name has";
      return -1;
    }
  }
  memcpy(out->host, host, host_len);
  out->host[host_len] = '\0';
  return 0;
}

int kopd_address_is_any(const kopd_address *a) {
  return a->host[0] == '\0' || strcmp(a->host, "0.0.0.0") == 0 || strcmp(a->host, "::") == 0;
}

void kopd_address_text(const char *host, uint16_t port, char *out, size_t cap) {
  snprintf(out, cap, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
}
