/* The request parser of the metrics address: every prefix, every bound. */
#include <criterion/criterion.h>
#include <string.h>

#include "http.h"

static const char whole[] = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n";

Test(http, reads_a_request_however_it_is_cut) {
  kopd_http_request r;
  for (size_t n = 0; n < sizeof whole - 1; n++)
    cr_assert_eq(kopd_http_parse(whole, n, &r), 0, "%zu bytes", n);
  cr_assert_eq(kopd_http_parse(whole, sizeof whole - 1, &r), 1);
  cr_assert_str_eq(r.method, "GET");
  cr_assert_str_eq(r.path, "/metrics");
}

Test(http, takes_bare_line_ends) {
  kopd_http_request r;
  static const char text[] = "HEAD /health HTTP/1.0\n\n";
  cr_assert_eq(kopd_http_parse(text, sizeof text - 1, &r), 1);
  cr_assert_str_eq(r.method, "HEAD");
  cr_assert_str_eq(r.path, "/health");
}

Test(http, refuses_what_is_no_request) {
  static const char *const bad[] = {
      "\n",
      " / HTTP/1.1\n\n",
      "GET\n\n",
      "GET /\n\n",
      "GET metrics HTTP/1.1\n\n",
      "GET / FTP/1.1\n\n",
      "TOOLONGMETHOD / HTTP/1.1\n\n",
  };
  kopd_http_request r;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    cr_assert_eq(kopd_http_parse(bad[i], strlen(bad[i]), &r), -1, "%s", bad[i]);
}

Test(http, a_path_that_is_too_long_is_refused) {
  char text[400] = "GET /";
  memset(text + 5, 'a', 300);
  strcpy(text + 305, " HTTP/1.1\n\n");
  kopd_http_request r;
  cr_assert_eq(kopd_http_parse(text, strlen(text), &r), -1);
}

Test(http, a_head_that_never_ends_is_refused_at_the_bound) {
  static char text[KOPD_HTTP_HEAD_MAX];
  kopd_http_request r;
  memset(text, 'a', sizeof text);
  cr_assert_eq(kopd_http_parse(text, sizeof text - 1, &r), 0);
  cr_assert_eq(kopd_http_parse(text, sizeof text, &r), -1);
  memcpy(text, "GET / HTTP/1.1\n", 15);
  cr_assert_eq(kopd_http_parse(text, sizeof text - 1, &r), 0);
  cr_assert_eq(kopd_http_parse(text, sizeof text, &r), -1);
}
