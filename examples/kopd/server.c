/* Start, supervision and end of the process; see server.h. */
#include "server.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "banner.h"
#include "control.h"
#include "log.h"
#include "server_state.h"
#include "store/guard.h"

/* Descriptors left to the store's files, the loops and the metrics address. */
#define RESERVED_DESCRIPTORS 256

/*
 * How often to look whether memory can go back to the system: an engine at rest has given its own back after two
 * seconds. Clients that only wait and beat are rest too.
 */
#define TRIM_INTERVAL_MS 3000
#define TRIM_REST_BYTES  (1u << 20)

static void on_store_log(void *user_data, int32_t level, const char *text) {
  (void)user_data;
  kopd_log_line((uint32_t)level, 0, "%s", text);
}

static int64_t broker_number(const kopd_options *o, const char *name, int64_t otherwise) {
  const kopd_property *s = kopd_properties_get(&o->settings, name);
  return s != NULL ? strtoll(s->value, NULL, 10) : otherwise;
}

/* Kafka's three units for one value; the finest that is given wins. */
static int64_t retention_ms(const kopd_options *o, int64_t otherwise) {
  int64_t hours = broker_number(o, "log.retention.hours", INT64_MIN);
  int64_t minutes = broker_number(o, "log.retention.minutes", INT64_MIN);
  int64_t ms = broker_number(o, "log.retention.ms", INT64_MIN);
  if (ms != INT64_MIN) return ms;
  if (minutes != INT64_MIN) return minutes < 0 ? -1 : minutes * 60000;
  if (hours != INT64_MIN) return hours < 0 ? -1 : hours * 3600000;
  return otherwise;
}

static int open_store(kopd_server *s) {
  char err[512] = "";
  kopd_store_config config;
  int32_t ids[KOPD_STORE_MAX_NODES];
  kopd_store_config_init(&config);
  for (uint32_t i = 0; i < s->options->nodes; i++)
    ids[i] = s->options->first_node_id + (int32_t)i;
  config.spec = s->options->store;
  config.durability = s->options->durability;
  config.nodes_count = s->options->nodes;
  config.node_ids = ids;
  config.max_partitions = s->options->max_partitions;
  config.retention_ms = retention_ms(s->options, config.retention_ms);
  config.retention_bytes = broker_number(s->options, "log.retention.bytes", config.retention_bytes);
  config.retention_check_ms = (uint64_t)broker_number(s->options, "log.retention.check.interval.ms",
                                                      (int64_t)config.retention_check_ms);
  config.log = on_store_log;
  if (kopd_store_open(&config, &s->store, err, sizeof err) != 0) {
    kopd_log_line(KOP_LOG_ERROR, 0, "cannot open the store %s: %s", s->options->store, err);
    return -1;
  }
  return 0;
}

/*
 * Raises the soft limit on descriptors to the hard one; returns what a node may use for
 * connections.
 */
static uint32_t connections_per_node(const kopd_options *o) {
  struct rlimit limit = {0};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return o->max_connections;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
  uint64_t room = limit.rlim_cur > 2 * RESERVED_DESCRIPTORS ? limit.rlim_cur - RESERVED_DESCRIPTORS
                                                            : limit.rlim_cur / 2;
  uint64_t each = room / o->nodes;
  if (each >= o->max_connections) return o->max_connections;
  /* Worth a warning only to those who asked for more. */
  int asked = kopd_properties_get(&o->settings, "max.connections") != NULL;
  kopd_log_line(asked ? KOP_LOG_WARN : KOP_LOG_DEBUG, 0,
                "at most %llu connections to a node instead of %u: the process may open %llu files "
                "(ulimit -n)",
                (unsigned long long)each, o->max_connections, (unsigned long long)limit.rlim_cur);
  return (uint32_t)each;
}

static void on_notify(void *user_data) {
  uv_async_send(&((kopd_server *)user_data)->notified);
}

int kopd_server_open_node(kopd_server *s, uint32_t index, char *err, size_t errcap) {
  kopd_node_config config = {
      .options = s->options,
      .store = s->store,
      .cluster = s->cluster,
      .index = index,
      .max_connections = s->max_connections,
      .notify = on_notify,
      .user_data = s,
  };
  return kopd_node_open(&config, &s->nodes[index], err, errcap);
}

/* The others hear of a node that comes or goes. */
void kopd_server_set_live(kopd_server *s, uint32_t index, int live) {
  kopd_cluster_set_live(s->cluster, index, live);
  for (uint32_t i = 0; i < s->options->nodes; i++) {
    if (s->nodes[i] != NULL && i != index) kopd_node_wake(s->nodes[i]);
  }
}

int kopd_server_node_state(kopd_server *s, uint32_t index) {
  kopd_node_stats stats;
  if (s->nodes[index] == NULL) return KOPD_NODE_ENDED;
  kopd_node_stats_get(s->nodes[index], &stats);
  return stats.state;
}

/* Once all that can end has ended, the main loop has nothing to wait for. */
static void close_loop_handles(kopd_server *s) {
  uv_close((uv_handle_t *)&s->notified, NULL);
  uv_close((uv_handle_t *)&s->sigterm, NULL);
  uv_close((uv_handle_t *)&s->sigint, NULL);
  uv_close((uv_handle_t *)&s->trim, NULL);
  kopd_http_close(s->http);
}

static void on_notified(uv_async_t *async) {
  kopd_server *s = async->data;
  uint32_t ended = 0;
  for (uint32_t i = 0; i < s->options->nodes; i++) {
    if (kopd_server_node_state(s, i) != KOPD_NODE_ENDED) continue;
    kopd_node_free(s->nodes[i]);
    s->nodes[i] = NULL;
    ended++;
  }
  if (s->stopping && ended == s->options->nodes && !uv_is_closing((uv_handle_t *)&s->notified))
    close_loop_handles(s);
}

static void on_signal(uv_signal_t *handle, int signum) {
  kopd_server *s = handle->data;
  const char *name = signum == SIGTERM ? "SIGTERM" : "SIGINT";
  if (s->stopping) {
    kopd_log_line(KOP_LOG_WARN, 0, "second signal (%s): ending at once", name);
    _exit(128 + signum);
  }
  kopd_log_line(KOP_LOG_INFO, 0, "%s: draining; a second signal ends at once", name);
  s->stopping = 1;
  for (uint32_t i = 0; i < s->options->nodes; i++) {
    if (s->nodes[i] != NULL) kopd_node_stop(s->nodes[i]);
  }
  on_notified(&s->notified);
}

/* After a load, what the heap still holds goes back to the system as soon as nothing moves. */
static void on_trim(uv_timer_t *timer) {
  kopd_server *s = timer->data;
  uint64_t moved = 0;
  for (uint32_t i = 0; i < s->options->nodes; i++) {
    kopd_node_stats stats;
    if (s->nodes[i] == NULL) continue;
    kopd_node_stats_get(s->nodes[i], &stats);
    moved += stats.engine.bytes_in_total + stats.engine.bytes_out_total;
  }
  /* A node that was stopped takes its numbers along. */
  int rests = moved < s->trim_seen || moved - s->trim_seen < TRIM_REST_BYTES;
  int moved_since = moved < s->trim_done || moved - s->trim_done >= TRIM_REST_BYTES;
  if (rests && moved_since) {
    malloc_trim(0);
    s->trim_done = moved;
  }
  s->trim_seen = moved;
}

static int start_loop(kopd_server *s) {
  uv_loop_init(&s->loop);
  if (uv_async_init(&s->loop, &s->notified, on_notified) != 0) return -1;
  uv_signal_init(&s->loop, &s->sigterm);
  uv_signal_init(&s->loop, &s->sigint);
  uv_timer_init(&s->loop, &s->trim);
  s->notified.data = s->sigterm.data = s->sigint.data = s->trim.data = s;
  uv_signal_start(&s->sigterm, on_signal, SIGTERM);
  uv_signal_start(&s->sigint, on_signal, SIGINT);
  uv_timer_start(&s->trim, on_trim, TRIM_INTERVAL_MS, TRIM_INTERVAL_MS);
  return 0;
}

static int start_metrics(kopd_server *s) {
  char err[512];
  const kopd_options *o = s->options;
  if (!o->metrics_on) return 0;
  s->http = kopd_http_listen(&s->loop, &o->metrics, kopd_control_answer, s, &s->metrics_port, err,
                             sizeof err);
  if (s->http != NULL) return 0;
  kopd_log_line(
      o->metrics_asked ? KOP_LOG_ERROR : KOP_LOG_WARN, 0, "metrics: %s%s", err,
      o->metrics_asked ? "" : "; serving without them (--metrics HOST:PORT for another address)");
  return o->metrics_asked ? -1 : 0;
}

static int start_nodes(kopd_server *s) {
  char err[512] = "";
  uint32_t nodes = s->options->nodes;
  for (uint32_t i = 0; i < nodes; i++) {
    if (kopd_server_open_node(s, i, err, sizeof err) != 0) goto fail;
  }
  for (uint32_t i = 0; i < nodes; i++)
    kopd_cluster_set_live(s->cluster, i, 1);
  for (uint32_t i = 0; i < nodes; i++) {
    if (kopd_node_start(s->nodes[i], err, sizeof err) != 0) goto fail;
  }
  return 0;
fail:
  kopd_log_line(KOP_LOG_ERROR, 0, "%s", err);
  return -1;
}

/* For a start that failed half way: whatever runs is asked to end and waited for. */
static void abandon(kopd_server *s) {
  if (!s->loop_made) return;
  s->stopping = 1;
  for (uint32_t i = 0; i < s->options->nodes; i++) {
    if (s->nodes[i] == NULL) continue;
    if (kopd_server_node_state(s, i) == KOPD_NODE_OPEN) {
      kopd_node_free(s->nodes[i]);
      s->nodes[i] = NULL;
    } else {
      kopd_node_stop(s->nodes[i]);
    }
  }
  on_notified(&s->notified);
  uv_run(&s->loop, UV_RUN_DEFAULT);
}

int kopd_server_run(const kopd_options *options) {
  kopd_server *s = calloc(1, sizeof *s);
  int status = 1;
  if (s == NULL) return 1;
  s->options = options;
  signal(SIGPIPE, SIG_IGN);
  int guarded = kopd_guard_install();
  if (guarded != 0)
    kopd_log_line(KOP_LOG_WARN, 0, "a log file that is cut while it is in use would end kopd: %s",
                  strerror(-guarded));
  signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error of the write, as a full disk is */
  /*
   * A heap for each node's thread and few for the rest: small when idle, without a queue for the
   * allocator under load.
   */
  mallopt(M_ARENA_MAX, options->nodes < 8 ? (int)options->nodes + 2 : 10);
  s->max_connections = connections_per_node(options);
  const kopd_property *rack = kopd_properties_get(&options->settings, "broker.rack");
  s->cluster = kopd_cluster_new(&options->listeners, options->first_node_id, options->nodes,
                                rack != NULL ? rack->value : NULL);
  if (s->cluster == NULL || open_store(s) != 0) goto out;
  if (start_loop(s) != 0) {
    kopd_log_line(KOP_LOG_ERROR, 0, "cannot make an event loop");
    goto out;
  }
  s->loop_made = 1;
  if (start_metrics(s) != 0 || start_nodes(s) != 0) {
    abandon(s);
    goto out;
  }
  kopd_banner_print(s);
  uv_run(&s->loop, UV_RUN_DEFAULT);
  kopd_log_line(KOP_LOG_INFO, 0, "ended");
  status = 0;
out:
  if (s->loop_made) uv_loop_close(&s->loop);
  kopd_http_free(s->http);
  kopd_store_close(s->store);
  kopd_cluster_free(s->cluster);
  free(s);
  return status;
}
