/*
 * Addresses: the service URL that the embedder gives, and the URLs that brokers give for each other.
 *
 *   pulsar://host:6650,other:6650         plain; the port may be missing
 *   pulsar+ssl://[::1]:6651               TLS, and how an IPv6 address is written
 */
#ifndef KOPI_PULSAR_SESSION_ADDRESS_H
#define KOPI_PULSAR_SESSION_ADDRESS_H

#include <kop/base.h>
#include <stdbool.h>

enum { KOPI_PS_HOST_MAX = 255, KOPI_PS_PORT = 6650, KOPI_PS_PORT_TLS = 6651 };

typedef struct kopi_ps_address {
  uint16_t port;
  uint8_t host_len; /* 0: none */
  uint8_t host[KOPI_PS_HOST_MAX];
} kopi_ps_address;

/* The addresses of the service, tried in turn. */
typedef struct kopi_ps_service {
  kopi_ps_address *list;
  uint32_t len;
  uint32_t at; /* the one in use */
  bool tls;
} kopi_ps_service;

/* Reads the next address of a list that commas separate, and moves `rest` behind it. KOP_ERR_INVALID if it is none; KOP_ERR_NOT_FOUND at the end. */
kop_status kopi_ps_address_next(kop_slice *rest, bool tls, kopi_ps_address *out);

/* Reads "pulsar://..." or "pulsar+ssl://..." up to its first address. KOP_ERR_INVALID. */
kop_status kopi_ps_url_scheme(kop_slice *url, bool *tls);

/* Reads a URL of one address. KOP_ERR_INVALID, also if it is not `tls` or is it without being asked. */
kop_status kopi_ps_url_read(kop_slice url, bool tls, kopi_ps_address *out);

bool kopi_ps_address_equal(const kopi_ps_address *a, const kopi_ps_address *b);
kop_slice kopi_ps_address_host(const kopi_ps_address *a);

enum { KOPI_PS_AUTHORITY_MAX = KOPI_PS_HOST_MAX + 2 + 6 };
/* "host:port", as CONNECT.proxy_to_broker_url wants it; returns the length. */
size_t kopi_ps_address_print(const kopi_ps_address *a, uint8_t out[KOPI_PS_AUTHORITY_MAX]);

#endif
