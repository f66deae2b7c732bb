/* Reads listener lists; see listeners.h. */
#include "listeners.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef struct piece {
  const char *ptr;
  size_t len;
} piece;

/* The next piece of a comma-separated list, blanks around it dropped. Returns 0 at the end. */
static int next_piece(const char **rest, piece *out) {
  if (*rest == NULL) return 0;
  const char *start = *rest;
  const char *comma = strchr(start, ',');
  const char *end = comma != NULL ? comma : start + strlen(start);
  *rest = comma != NULL ? comma + 1 : NULL;
  while (start < end && (*start == ' ' || *start == '\t'))
    start++;
  while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
    end--;
  *out = (piece){start, (size_t)(end - start)};
  return 1;
}

static int legal_name(const char *name, size_t len) {
  if (len == 0 || len >= KOPD_LISTENER_NAME_MAX) return 0;
  for (size_t i = 0; i < len; i++) {
    char c = name[i];
    if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
          c == '-'))
      return 0;
  }
  return 1;
}

/* NAME://HOST:PORT or HOST:PORT; the latter leaves *name_len 0. */
static int parse_one(const char *setting, piece p, piece *name, kopd_address *address, char *err,
                     size_t errcap) {
  const char *why = "";
  const char *scheme = memmem(p.ptr, p.len, "://", 3);
  *name = (piece){p.ptr, 0};
  piece rest = p;
  if (scheme != NULL) {
    name->len = (size_t)(scheme - p.ptr);
    rest = (piece){scheme + 3, p.len - name->len - 3};
    if (!legal_name(name->ptr, name->len)) {
      snprintf(err, errcap, "%s: %.*s: not a listener name", setting, (int)p.len, p.ptr);
      return -1;
    }
  }
  if (kopd_address_parse(rest.ptr, rest.len, address, &why) != 0) {
    snprintf(err, errcap, "%s: %.*s: %s", setting, (int)p.len, p.ptr, why);
    return -1;
  }
  return 0;
}

static kopd_listener *find(kopd_listeners *all, piece name) {
  for (size_t i = 0; i < all->count; i++) {
    const char *have = all->items[i].name;
    if (strlen(have) == name.len && strncasecmp(have, name.ptr, name.len) == 0)
      return &all->items[i];
  }
  return NULL;
}

/* The protocol that the map gives a name; a name that it lacks is its own protocol. */
static piece protocol_of(const char *name, const char *map) {
  piece p;
  size_t len = strlen(name);
  while (next_piece(&map, &p)) {
    if (p.len > len && p.ptr[len] == ':' && strncasecmp(p.ptr, name, len) == 0)
      return (piece){p.ptr + len + 1, p.len - len - 1};
  }
  return (piece){name, len};
}

static int check_protocols(const kopd_listeners *all, const char *map, char *err, size_t errcap) {
  for (size_t i = 0; i < all->count; i++) {
    piece protocol = protocol_of(all->items[i].name, map);
    if (protocol.len != 9 || strncasecmp(protocol.ptr, "PLAINTEXT", 9) != 0) {
      snprintf(err, errcap,
               "listeners: %s speaks %.*s, but only PLAINTEXT is served; name its protocol in "
               "listener.security.protocol.map",
               all->items[i].name, (int)protocol.len, protocol.ptr);
      return -1;
    }
  }
  return 0;
}

static int parse_listeners(kopd_listeners *out, const char *text, char *err, size_t errcap) {
  piece p;
  while (next_piece(&text, &p)) {
    piece name;
    if (out->count == KOPD_LISTENERS_MAX) {
      snprintf(err, errcap, "listeners: more than %d", KOPD_LISTENERS_MAX);
      return -1;
    }
    kopd_listener *l = &out->items[out->count];
    if (parse_one("listeners", p, &name, &l->listen, err, errcap) != 0) return -1;
    if (name.len == 0) name = (piece){"PLAINTEXT", 9};
    if (find(out, name) != NULL) {
      snprintf(err, errcap, "listeners: the name %.*s stands twice", (int)name.len, name.ptr);
      return -1;
    }
    memcpy(l->name, name.ptr, name.len);
    l->name[name.len] = '\0';
    l->advertise = l->listen;
    out->count++;
  }
  return 0;
}

/* Whatever is advertised must be an address that a client can connect to. */
static int name_the_machine(kopd_listeners *all, char *err, size_t errcap) {
  for (size_t i = 0; i < all->count; i++) {
    kopd_address *a = &all->items[i].advertise;
    if (!kopd_address_is_any(a)) continue;
    if (gethostname(a->host, sizeof a->host) != 0 ||
        memchr(a->host, '\0', sizeof a->host) == NULL) {
      snprintf(err, errcap, "advertised.listeners: this machine has no name to advertise for %s",
               all->items[i].name);
      return -1;
    }
  }
  return 0;
}

static int parse_advertised(kopd_listeners *all, const char *text, char *err, size_t errcap) {
  piece p;
  while (next_piece(&text, &p)) {
    piece name;
    kopd_address address;
    if (parse_one("advertised.listeners", p, &name, &address, err, errcap) != 0) return -1;
    kopd_listener *l = name.len == 0 && all->count == 1 ? &all->items[0] : NULL;
    if (l == NULL) l = find(all, name.len == 0 ? (piece){"PLAINTEXT", 9} : name);
    if (l == NULL) {
      snprintf(err, errcap, "advertised.listeners: %.*s names none of the listeners", (int)p.len,
               p.ptr);
      return -1;
    }
    if (kopd_address_is_any(&address)) {
      snprintf(err, errcap, "advertised.listeners: %.*s: no client can connect to that address",
               (int)p.len, p.ptr);
      return -1;
    }
    l->advertise = address;
  }
  return 0;
}

/* Each listener takes `nodes` ports from its own on; two on one host must not meet. */
static int check_ports(const kopd_listeners *all, uint32_t nodes, char *err, size_t errcap) {
  for (size_t i = 0; i < all->count; i++) {
    const kopd_listener *a = &all->items[i];
    if ((a->listen.port != 0 && a->listen.port + nodes - 1 > 65535) ||
        (a->advertise.port != 0 && a->advertise.port + nodes - 1 > 65535)) {
      snprintf(err, errcap, "listeners: %s has no %u ports in a row", a->name, (unsigned)nodes);
      return -1;
    }
    for (size_t j = 0; j < i; j++) {
      const kopd_listener *b = &all->items[j];
      int distance = (int)a->listen.port - (int)b->listen.port;
      int one_host = strcmp(a->listen.host, b->listen.host) == 0 ||
                     kopd_address_is_any(&a->listen) || kopd_address_is_any(&b->listen);
      if (one_host && a->listen.port != 0 && b->listen.port != 0 && distance < (int)nodes &&
          -distance < (int)nodes) {
        snprintf(err, errcap, "listeners: %s and %s want the same port", b->name, a->name);
        return -1;
      }
    }
  }
  return 0;
}

int kopd_listeners_parse(kopd_listeners *out, const char *listeners, const char *advertised,
                         const char *map, uint32_t nodes, char *err, size_t errcap) {
  out->count = 0;
  if (parse_listeners(out, listeners, err, errcap) != 0) return -1;
  if (advertised != NULL && parse_advertised(out, advertised, err, errcap) != 0) return -1;
  if (name_the_machine(out, err, errcap) != 0 || check_protocols(out, map, err, errcap) != 0)
    return -1;
  return check_ports(out, nodes, err, errcap);
}
