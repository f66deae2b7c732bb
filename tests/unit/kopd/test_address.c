/* HOST:PORT and listener lists. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "listeners.h"

static int parse(const char *text, kopd_address *out) {
  const char *why = "";
  int result = kopd_address_parse(text, strlen(text), out, &why);
  if (result != 0) cr_assert(why[0] != '\0', "%s is refused without a reason", text);
  return result;
}

Test(address, reads_what_people_write) {
  static const struct {
    const char *text;
    const char *host;
    uint16_t port;
  } good[] = {
      {"127.0.0.1:9092", "127.0.0.1", 9092},
      {"[::1]:9092", "::1", 9092},
      {"localhost:0", "localhost", 0},
      {":65535", "", 65535},
      {"my-host_1.example:1", "my-host_1.example", 1},
  };
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    kopd_address a;
    cr_assert(parse(good[i].text, &a) == 0, "%s", good[i].text);
    cr_assert_str_eq(a.host, good[i].host);
    cr_assert_eq(a.port, good[i].port);
  }
}

Test(address, refuses_what_is_none) {
  static const char *const bad[] = {
      "",         "9092",    "host",      "host:",     "host:x", "host:65536",  "host:-1",
      "::1:9092", "[::1]",   "[::1]9092", "[::1:9092", "a b:1",  "host:999999", "a/b:1",
      "host:1 ",  "host:+1",
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    kopd_address a;
    cr_assert(parse(bad[i], &a) != 0, "%s was taken", bad[i]);
  }
  char longest[KOPD_HOST_MAX + 8];
  kopd_address a;
  memset(longest, 'a', KOPD_HOST_MAX);
  memcpy(longest + KOPD_HOST_MAX, ":1", 3);
  cr_assert(parse(longest, &a) != 0, "a host of KOPD_HOST_MAX bytes has no room for its end");
  cr_assert(parse(longest + 1, &a) == 0);
}

Test(address, is_written_as_it_is_read) {
  char text[KOPD_HOST_MAX + 16];
  kopd_address_text("::1", 9, text, sizeof text);
  cr_assert_str_eq(text, "[::1]:9");
  kopd_address_text("h", 9, text, sizeof text);
  cr_assert_str_eq(text, "h:9");
}

static kopd_listeners all;
static char err[512];

Test(listeners, bare_address_is_plaintext) {
  cr_assert_eq(kopd_listeners_parse(&all, "127.0.0.1:9092", NULL, NULL, 3, err, sizeof err), 0,
               "%s", err);
  cr_assert_eq(all.count, 1);
  cr_assert_str_eq(all.items[0].name, "PLAINTEXT");
  cr_assert_str_eq(all.items[0].advertise.host, "127.0.0.1");
  cr_assert_eq(all.items[0].advertise.port, 9092);
}

Test(listeners, each_advertises_its_own) {
  cr_assert_eq(kopd_listeners_parse(&all, "PLAINTEXT://127.0.0.1:9092, OUT://0.0.0.0:9192",
                                    "OUT://broker.example:443", "OUT:PLAINTEXT,X:SSL", 1, err,
                                    sizeof err),
               0, "%s", err);
  cr_assert_eq(all.count, 2);
  cr_assert_str_eq(all.items[0].advertise.host, "127.0.0.1");
  cr_assert_str_eq(all.items[1].name, "OUT");
  cr_assert_str_eq(all.items[1].listen.host, "0.0.0.0");
  cr_assert_str_eq(all.items[1].advertise.host, "broker.example");
  cr_assert_eq(all.items[1].advertise.port, 443);
}

Test(listeners, an_address_for_all_advertises_a_name) {
  cr_assert_eq(kopd_listeners_parse(&all, "0.0.0.0:9092", NULL, NULL, 1, err, sizeof err), 0);
  cr_assert(!kopd_address_is_any(&all.items[0].advertise));
}

Test(listeners, wrong_ones_are_named) {
  static const struct {
    const char *listeners;
    const char *advertised;
    const char *map;
    uint32_t nodes;
    const char *complaint;
  } bad[] = {
      {"SSL://h:1", NULL, NULL, 1, "only PLAINTEXT is served"},
      {"IN://h:1", NULL, NULL, 1, "listener.security.protocol.map"},
      {"IN://h:1", NULL, "IN:SASL_SSL", 1, "SASL_SSL"},
      {"h:1,h:2", NULL, NULL, 1, "stands twice"},
      {"PLAINTEXT://h:1,B://h:3", NULL, "B:PLAINTEXT", 3, "same port"},
      {"PLAINTEXT://0.0.0.0:5,B://h:5", NULL, "B:PLAINTEXT", 1, "same port"},
      {"h:65535", NULL, NULL, 2, "ports in a row"},
      {"h:1", "0.0.0.0:1", NULL, 1, "no client can connect"},
      {"h:1", "X://h:1", NULL, 1, "names none of the listeners"},
      {"", NULL, NULL, 1, "HOST:PORT"},
      {"h:1,", NULL, NULL, 1, "HOST:PORT"},
      {"a b://h:1", NULL, NULL, 1, "not a listener name"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    err[0] = '\0';
    int result = kopd_listeners_parse(&all, bad[i].listeners, bad[i].advertised, bad[i].map,
                                      bad[i].nodes, err, sizeof err);
    cr_assert(result != 0, "%s was taken", bad[i].listeners);
    cr_assert(strstr(err, bad[i].complaint) != NULL, "%s: %s", bad[i].listeners, err);
  }
}

Test(listeners, are_bounded) {
  char list[64 * (KOPD_LISTENERS_MAX + 1)] = "";
  char map[64 * (KOPD_LISTENERS_MAX + 1)] = "";
  for (int i = 0; i <= KOPD_LISTENERS_MAX; i++) {
    snprintf(list + strlen(list), 64, "%sL%d://h:%d", i > 0 ? "," : "", i, i + 1);
    snprintf(map + strlen(map), 64, "%sL%d:PLAINTEXT", i > 0 ? "," : "", i);
  }
  cr_assert(kopd_listeners_parse(&all, list, NULL, map, 1, err, sizeof err) != 0);
  *strrchr(list, ',') = '\0';
  cr_assert_eq(kopd_listeners_parse(&all, list, NULL, map, 1, err, sizeof err), 0, "%s", err);
}
