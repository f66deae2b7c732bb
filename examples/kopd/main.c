/* kopd: a Kafka server on libkop. Reads what it was told to do, and serves. */
#include <kop/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "options.h"
#include "server.h"

enum { STATUS_USAGE = 2 };

static int run(kopd_options *options, int argc, char **argv) {
  char error[512];
  if (kopd_options_read(options, argc, argv, environ, error, sizeof error) != 0) {
    fprintf(stderr, "kopd: %s\n", error);
    return STATUS_USAGE;
  }
  switch (options->action) {
  case KOPD_SHOW_HELP:
    kopd_options_help(stdout);
    return 0;
  case KOPD_SHOW_VERSION:
    printf("kopd %d.%d.%d\n", KOP_VERSION_MAJOR, KOP_VERSION_MINOR, KOP_VERSION_PATCH);
    return 0;
  default:
    kopd_log_set_level(options->log_level);
    return kopd_server_run(options);
  }
}

int main(int argc, char **argv) {
  kopd_options *options = calloc(1, sizeof *options); /* too large for a stack */
  if (options == NULL) return EXIT_FAILURE;
  int status = run(options, argc, argv);
  kopd_options_free(options);
  free(options);
  return status;
}
