/* The metrics page: every line is a comment or a number, each number has its HELP and TYPE once. */
#include <criterion/criterion.h>
#include <string.h>

#include "metrics.h"
#include "text.h"

static kopd_metrics_node nodes[2];

static void write_page(kopd_text *out) {
  kopd_store_stats store = {.appends_total = 17, .healthy = 1};
  nodes[0] = (kopd_metrics_node){.node_id = 1, .stats = {.state = KOPD_NODE_RUNNING}};
  nodes[1] = (kopd_metrics_node){.node_id = 2, .stats = {.state = KOPD_NODE_DRAINING}};
  nodes[1].stats.engine.requests_total = UINT64_MAX;
  nodes[1].stats.refused = 5;
  kopd_metrics_write(out, nodes, 2, &store);
}

static void has_line(const kopd_text *page, const char *line) {
  const char *found = strstr(page->bytes, line);
  cr_assert(found != NULL && (found == page->bytes || found[-1] == '\n') &&
                found[strlen(line)] == '\n',
            "no line: %s", line);
}

Test(metrics, numbers_stand_under_their_node) {
  kopd_text page = {0};
  write_page(&page);
  cr_assert(!page.failed);
  has_line(&page, "kop_requests_total{node=\"1\"} 0");
  has_line(&page, "kop_requests_total{node=\"2\"} 18446744073709551615");
  has_line(&page, "kop_connections_refused_total{node=\"2\"} 5");
  has_line(&page, "kop_node_up{node=\"1\"} 1");
  has_line(&page, "kop_node_up{node=\"2\"} 0");
  has_line(&page, "kop_store_appends_total 17");
  has_line(&page, "kop_store_healthy 1");
  kopd_text_free(&page);
}

Test(metrics, every_field_of_the_engine_is_shown) {
  /* All fields after `size` are uint64_t: number them, and each number must stand on the page. */
  kopd_text page = {0};
  char want[64];
  uint64_t *field = (uint64_t *)&nodes[0].stats.engine;
  size_t count = sizeof nodes[0].stats.engine / sizeof *field;
  nodes[0] = (kopd_metrics_node){.node_id = 1};
  for (size_t i = 1; i < count; i++)
    field[i] = 1000000 + i;
  kopd_metrics_write(&page, nodes, 1, NULL);
  for (size_t i = 1; i < count; i++) {
    snprintf(want, sizeof want, "{node=\"1\"} %zu\n", 1000000 + i);
    cr_assert(strstr(page.bytes, want) != NULL, "field %zu is on no line", i);
  }
  kopd_text_free(&page);
}

Test(metrics, a_text_grows_and_keeps_what_it_has) {
  kopd_text text = {0};
  for (int i = 0; i < 5000; i++)
    kopd_text_add(&text, "%d,", i % 10);
  cr_assert_eq(text.len, 10000);
  for (size_t i = 0; i < text.len; i += 2)
    cr_assert_eq(text.bytes[i], (char)('0' + i / 2 % 10));
  kopd_text_free(&text);
  cr_assert_null(text.bytes);
}
