/* See control.h. */
#include "control.h"

#include <stdio.h>
#include <string.h>

#include "metrics.h"
#include "server_state.h"

static const char *state_word(int state) {
  switch (state) {
  case KOPD_NODE_OPEN:
    return "starting";
  case KOPD_NODE_RUNNING:
    return "serving";
  case KOPD_NODE_DRAINING:
    return "draining";
  default:
    return "stopped";
  }
}

static int health(kopd_server *s, kopd_text *body) {
  int ok = !s->stopping;
  for (uint32_t i = 0; i < s->options->nodes; i++)
    ok &= kopd_server_node_state(s, i) == KOPD_NODE_RUNNING;
  kopd_text_add(body, "%s\n", ok ? "ok" : s->stopping ? "draining" : "not all nodes serve");
  for (uint32_t i = 0; i < s->options->nodes; i++)
    kopd_text_add(body, "node %d: %s\n", (int)(s->options->first_node_id + (int32_t)i),
                  state_word(kopd_server_node_state(s, i)));
  return ok ? 200 : 503;
}

static int metrics(kopd_server *s, kopd_text *body, const char **content_type) {
  static kopd_metrics_node nodes[KOPD_STORE_MAX_NODES]; /* of the main thread only */
  kopd_store_stats store;
  for (uint32_t i = 0; i < s->options->nodes; i++) {
    nodes[i] = (kopd_metrics_node){.node_id = s->options->first_node_id + (int32_t)i};
    if (s->nodes[i] != NULL) kopd_node_stats_get(s->nodes[i], &nodes[i].stats);
  }
  kopd_store_stats_get(s->store, &store);
  kopd_metrics_write(body, nodes, s->options->nodes, &store);
  *content_type = "text/plain; version=0.0.4; charset=utf-8";
  return 200;
}

/* Starts a node that is stopped. */
static int start_node(kopd_server *s, uint32_t index, kopd_text *body) {
  char err[512] = "";
  if (s->nodes[index] != NULL || s->stopping) {
    kopd_text_add(body, "the node has not ended\n");
    return 409;
  }
  if (kopd_server_open_node(s, index, err, sizeof err) != 0 ||
      kopd_node_start(s->nodes[index], err, sizeof err) != 0) {
    kopd_node_free(s->nodes[index]);
    s->nodes[index] = NULL;
    kopd_text_add(body, "%s\n", err);
    return 503;
  }
  kopd_server_set_live(s, index, 1);
  kopd_node_wake(s->nodes[index]);
  kopd_text_add(body, "starting\n");
  return 202;
}

static int stop_node(kopd_server *s, uint32_t index, kopd_text *body) {
  if (kopd_server_node_state(s, index) != KOPD_NODE_RUNNING) {
    kopd_text_add(body, "the node does not serve\n");
    return 409;
  }
  kopd_server_set_live(s, index, 0);
  kopd_node_stop(s->nodes[index]);
  kopd_text_add(body, "draining\n");
  return 202;
}

static int control_node(kopd_server *s, const char *path, kopd_text *body) {
  int id = 0;
  int end = 0;
  char verb[8] = "";
  if (sscanf(path, "/nodes/%9d/%7[a-z]%n", &id, verb, &end) != 2 || path[end] != '\0') return 404;
  int64_t index = (int64_t)id - s->options->first_node_id;
  if (index < 0 || index >= s->options->nodes) return 404;
  if (strcmp(verb, "stop") == 0) return stop_node(s, (uint32_t)index, body);
  if (strcmp(verb, "start") == 0) return start_node(s, (uint32_t)index, body);
  return 404;
}

int kopd_control_answer(void *user_data, const kopd_http_request *request, kopd_text *body,
                        const char **content_type) {
  kopd_server *s = user_data;
  int reads = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
  if (strcmp(request->path, "/metrics") == 0) return reads ? metrics(s, body, content_type) : 405;
  if (strcmp(request->path, "/health") == 0) return reads ? health(s, body) : 405;
  if (s->options->node_control && strncmp(request->path, "/nodes/", 7) == 0)
    return strcmp(request->method, "POST") == 0 ? control_node(s, request->path, body) : 405;
  return 404;
}
