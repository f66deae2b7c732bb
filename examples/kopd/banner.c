/* See banner.h. */
#include "banner.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

/* The addresses of all nodes on one listener, separated by commas. */
static void addresses(kopd_server *s, uint32_t listener, int advertised, kopd_text *out) {
  const kopd_listener *l = &s->options->listeners.items[listener];
  const char *host = advertised ? l->advertise.host : l->listen.host;
  for (uint32_t i = 0; i < s->options->nodes; i++) {
    char text[KOPD_HOST_MAX + 16];
    uint16_t port = advertised ? kopd_cluster_advertised(s->cluster, i, listener)
                               : kopd_cluster_listened(s->cluster, i, listener);
    kopd_address_text(host[0] == '\0' ? "0.0.0.0" : host, port, text, sizeof text);
    kopd_text_add(out, "%s%s", i > 0 ? "," : "", text);
  }
}

static void describe_data(const kopd_server *s, kopd_text *out) {
  if (strcmp(s->options->store, "memory:") == 0) {
    kopd_text_add(out, "  data: in memory only; it is gone when kopd ends\n");
    return;
  }
  kop_slice dir = kopd_store_log_dir(s->store);
  kopd_text_add(out, "  data: %.*s; a record is acknowledged when %s has it\n", (int)dir.len,
                (const char *)dir.ptr,
                s->options->durability == KOPD_DURABILITY_DISK ? "the disk"
                                                               : "the operating system");
}

void kopd_banner_print(kopd_server *s) {
  kopd_text out = {0};
  kopd_text_add(&out, "kopd ready: %u node%s on ", s->options->nodes,
                s->options->nodes == 1 ? "" : "s");
  addresses(s, 0, 0, &out);
  kopd_text_add(&out, "\n");
  for (uint32_t i = 0; i < s->options->listeners.count; i++) {
    kopd_text_add(&out, "  clients of listener %s are told to connect to ",
                  s->options->listeners.items[i].name);
    addresses(s, i, 1, &out);
    kopd_text_add(&out, "\n");
  }
  describe_data(s, &out);
  if (s->http != NULL) {
    char text[KOPD_HOST_MAX + 16];
    kopd_address_text(s->options->metrics.host, s->metrics_port, text, sizeof text);
    kopd_text_add(&out, "  metrics: http://%s/metrics\n", text);
  }
  char text[KOPD_HOST_MAX + 16];
  kopd_address_text(s->options->listeners.items[0].advertise.host,
                    kopd_cluster_advertised(s->cluster, 0, 0), text, sizeof text);
  kopd_text_add(&out,
                "  try it: echo hello | kcat -P -b %s -t greetings\n"
                "          kcat -C -b %s -t greetings -e\n",
                text, text);
  if (!out.failed) fwrite(out.bytes, 1, out.len, stdout);
  fflush(stdout);
  kopd_text_free(&out);
}
