/* Addresses: the service URL that the embedder gives, and the URLs that brokers give for each other. */
#include "pulsar/session_address.h"

#include <string.h>

#include "base/decimal.h"

static bool take(kop_slice *s, const char *prefix) {
  size_t n = strlen(prefix);
  if (s->len < n || memcmp(s->ptr, prefix, n) != 0) return false;
  s->ptr += n;
  s->len -= n;
  return true;
}

kop_status kopi_ps_url_scheme(kop_slice *url, bool *tls) {
  if (url->ptr == NULL) return KOP_ERR_INVALID;
  if (take(url, "pulsar://")) {
    *tls = false;
  } else if (take(url, "pulsar+ssl://")) {
    *tls = true;
  } else {
    return KOP_ERR_INVALID;
  }
  return KOP_OK;
}

static kop_status read_port(const uint8_t *p, const uint8_t *end, uint16_t *out) {
  uint64_t port;
  if (end - p > 5 || kopi_decimal_read(p, end, UINT16_MAX, &port) != end || port == 0) {
    return KOP_ERR_INVALID;
  }
  *out = (uint16_t)port;
  return KOP_OK;
}

/* Where the host ends: at its bracket, or at the colon of the port, or at the end. */
static const uint8_t *host_end(const uint8_t *p, const uint8_t *end) {
  const uint8_t *stop = memchr(p, *p == '[' ? ']' : ':', (size_t)(end - p));
  return stop == NULL ? end : stop;
}

static kop_status read_one(const uint8_t *p, const uint8_t *end, bool tls, kopi_ps_address *out) {
  if (p == end) return KOP_ERR_INVALID;
  const uint8_t *stop = host_end(p, end);
  const uint8_t *host = p;
  if (*p == '[') {
    if (stop == end) return KOP_ERR_INVALID;
    host++;
  }
  size_t len = (size_t)(stop - host);
  if (*p == '[') stop++;
  if (len == 0 || len > KOPI_PS_HOST_MAX) return KOP_ERR_INVALID;
  for (size_t i = 0; i < len; i++) { /* no path, no user, nothing that breaks a log line */
    if (host[i] <= ' ' || host[i] >= 0x7f || host[i] == '/' || host[i] == '@' || host[i] == '[')
      return KOP_ERR_INVALID;
  }
  out->port = tls ? KOPI_PS_PORT_TLS : KOPI_PS_PORT;
  if (stop < end && (*stop != ':' || read_port(stop + 1, end, &out->port) != KOP_OK))
    return KOP_ERR_INVALID;
  memcpy(out->host, host, len);
  out->host_len = (uint8_t)len;
  return KOP_OK;
}

kop_status kopi_ps_address_next(kop_slice *rest, bool tls, kopi_ps_address *out) {
  if (rest->ptr == NULL) return KOP_ERR_NOT_FOUND;
  const uint8_t *end = rest->ptr + rest->len;
  const uint8_t *comma = rest->len == 0 ? NULL : memchr(rest->ptr, ',', rest->len);
  const uint8_t *stop = comma == NULL ? end : comma;
  const uint8_t *from = rest->ptr;
  rest->ptr = comma == NULL ? NULL : comma + 1;
  rest->len = comma == NULL ? 0 : (size_t)(end - comma - 1);
  if (stop > from && stop[-1] == '/') stop--; /* a URL may end so */
  return read_one(from, stop, tls, out);
}

kop_status kopi_ps_url_read(kop_slice url, bool tls, kopi_ps_address *out) {
  bool is_tls = false;
  kop_status status = kopi_ps_url_scheme(&url, &is_tls);
  if (status != KOP_OK || is_tls != tls) return KOP_ERR_INVALID;
  status = kopi_ps_address_next(&url, tls, out);
  return status == KOP_OK && url.ptr == NULL ? KOP_OK : KOP_ERR_INVALID;
}

bool kopi_ps_address_equal(const kopi_ps_address *a, const kopi_ps_address *b) {
  return a->port == b->port && a->host_len == b->host_len &&
         memcmp(a->host, b->host, a->host_len) == 0;
}

kop_slice kopi_ps_address_host(const kopi_ps_address *a) {
  return (kop_slice){.ptr = a->host, .len = a->host_len};
}

size_t kopi_ps_address_print(const kopi_ps_address *a, uint8_t out[KOPI_PS_AUTHORITY_MAX]) {
  bool brackets = memchr(a->host, ':', a->host_len) != NULL;
  size_t n = 0;
  if (brackets) out[n++] = '[';
  memcpy(out + n, a->host, a->host_len);
  n += a->host_len;
  if (brackets) out[n++] = ']';
  out[n++] = ':';
  return (size_t)(kopi_decimal_put(out + n, a->port) - out);
}
