/*
 * What kopd was told to do: flags, environment and server.properties resolved into one struct that
 * is right or refused.
 */
#ifndef KOPD_OPTIONS_H
#define KOPD_OPTIONS_H

#include <stdio.h>

#include "listeners.h"
#include "properties.h"

/* What main does with the outcome. */
enum { KOPD_RUN = 0, KOPD_SHOW_HELP = 1, KOPD_SHOW_VERSION = 2 };

typedef struct kopd_options {
  int action;               /* KOPD_RUN and so on */
  kopd_properties settings; /* everything that was given; the broker settings go to the engine */
  kopd_listeners listeners;
  char store[KOPD_VALUE_MAX + 8];
  int32_t durability; /* KOPD_DURABILITY_ */
  uint32_t nodes;
  int32_t first_node_id;
  int metrics_on;
  int metrics_asked; /* the address was given, so it must be free */
  kopd_address metrics;
  uint32_t log_level;
  uint32_t max_connections;
  uint32_t max_connections_per_ip; /* UINT32_MAX: no limit */
  uint64_t max_frame_bytes_total;
  uint64_t max_connection_bytes;
  uint64_t max_lent_bytes;
  uint64_t max_parked_bytes_total;
  uint64_t max_reply_bytes_total;
  uint64_t stalled_request_ms;
  uint32_t max_partitions;
  uint64_t drain_ms;
  int node_control;
} kopd_options;

/*
 * Reads argv and the environment, and the file that --config names. Returns 0, or -1 with one
 * sentence in err. Free in both cases.
 */
int kopd_options_read(kopd_options *o, int argc, char *const *argv, char *const *environ_,
                      char *err, size_t errcap);

void kopd_options_free(kopd_options *o);

/* The text of --help. */
void kopd_options_help(FILE *out);

#endif
