/* The loop of a node; see node.h. */
#include "node.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "clock.h"
#include "engine_config.h"
#include "log.h"
#include "transport.h"

/* The loop's frames are small; what is not touched of a stack costs nothing, but what is stays. */
#define NODE_STACK_BYTES (256u * 1024)

/*
 * How long after cutting all connections a node may take to come to rest before the process is
 * ended.
 */
#define GIVE_UP_MS 5000

/* Answers and events taken from the store at a time. */
#define BATCH 64

struct kopd_node {
  kopd_node_config config;
  int32_t id;
  uv_loop_t loop;
  uv_prepare_t prepare; /* runs `pump` before the loop sleeps */
  uv_timer_t timer;     /* the engine's deadline */
  uv_timer_t cut;       /* DRAINING: when to stop being patient */
  uv_async_t wake;
  int loop_made;
  uv_thread_t thread;
  int started;
  kop_engine *engine;
  kopd_transport *transport;
  kopd_store_client *client;
  uint64_t cluster_version; /* the one the engine was told */
  int changed;              /* the engine may have effects, or the store answers */
  _Atomic int stop_wanted;
  pthread_mutex_t lock; /* over the rest */
  kopd_node_stats stats;
};

static void publish(kopd_node *n, int state) {
  kop_engine_stats engine = {0};
  kop_engine_stats_get(n->engine, &engine, sizeof engine);
  pthread_mutex_lock(&n->lock);
  n->stats.engine = engine;
  n->stats.connections = kopd_transport_connections(n->transport);
  n->stats.refused = kopd_transport_refused(n->transport);
  int reached = state != 0 && n->stats.state != state;
  if (state != 0) n->stats.state = state;
  pthread_mutex_unlock(&n->lock);
  if (reached) n->config.notify(n->config.user_data);
}

static int state_of(kopd_node *n) {
  pthread_mutex_lock(&n->lock);
  int state = n->stats.state;
  pthread_mutex_unlock(&n->lock);
  return state;
}

void kopd_node_stats_get(kopd_node *n, kopd_node_stats *out) {
  pthread_mutex_lock(&n->lock);
  *out = n->stats;
  pthread_mutex_unlock(&n->lock);
}

static void on_changed(void *user_data) {
  ((kopd_node *)user_data)->changed = 1;
}

/* From the store's threads. */
static void on_store(void *user_data) {
  uv_async_send(&((kopd_node *)user_data)->wake);
}

static void on_wake(uv_async_t *async) {
  ((kopd_node *)async->data)->changed = 1;
}

static void on_timer(uv_timer_t *timer) {
  ((kopd_node *)timer->data)->changed = 1;
}

static void tell_cluster(kopd_node *n, kop_now now) {
  if (n->cluster_version == kopd_cluster_version(n->config.cluster)) return;
  uint64_t version = 0;
  kop_status status = kopd_cluster_tell(n->config.cluster, n->engine, now, &version);
  if (status == KOP_OK)
    n->cluster_version = version;
  else
    kopd_log_line(KOP_LOG_ERROR, n->id, "cannot take the list of nodes: %s", kop_strerror(status));
}

/* What the store has to say, into the engine. Returns how much that was. */
static size_t take_from_store(kopd_node *n, kop_now now) {
  kop_event events[BATCH];
  kop_completion items[BATCH];
  size_t all = 0;
  size_t count = 0;
  while ((count = kopd_store_poll_events(n->client, events, BATCH)) > 0) {
    all += count;
    for (size_t i = 0; i < count; i++) {
      kop_status status = kop_engine_push(n->engine, &events[i], now);
      /* A partition may have gone with its topic before its last event came. */
      if (status != KOP_OK && status != KOP_ERR_NOT_FOUND)
        kopd_log_line(KOP_LOG_ERROR, n->id, "event %u of the store was not taken: %s: %s",
                      (unsigned)events[i].kind, kop_strerror(status),
                      kop_engine_error_text(n->engine));
    }
  }
  while ((count = kopd_store_poll(n->client, items, BATCH)) > 0) {
    all += count;
    kop_status status = kop_engine_complete(n->engine, items, sizeof items[0], count, now);
    if (status != KOP_OK)
      kopd_log_line(KOP_LOG_ERROR, n->id, "an answer of the store was not taken: %s: %s",
                    kop_strerror(status), kop_engine_error_text(n->engine));
  }
  return all;
}

static void carry_out(kopd_node *n, const kop_effect *effect) {
  switch (effect->kind) {
  case KOP_EFFECT_SEND:
  case KOP_EFFECT_CLOSE:
  case KOP_EFFECT_RECV_PAUSE:
  case KOP_EFFECT_RECV_RESUME:
    kopd_transport_effect(n->transport, effect);
    break;
  case KOP_EFFECT_LOG: {
    const kop_log_line *line = effect->body;
    if (line->dropped > 0)
      kopd_log_line(KOP_LOG_WARN, n->id, "%llu log lines of the engine found no room",
                    (unsigned long long)line->dropped);
    kopd_log_text(line->level, n->id, (const char *)line->text.ptr, line->text.len);
    break;
  }
  default:
    kopd_store_submit(n->client, effect);
  }
}

/* Sets the timer for the engine's next deadline, in whole milliseconds rounded up. */
static void set_timer(kopd_node *n) {
  uint64_t deadline = kop_engine_deadline(n->engine);
  if (deadline == UINT64_MAX) {
    uv_timer_stop(&n->timer);
    return;
  }
  uint64_t now = kopd_now().mono_ns;
  uint64_t ms = deadline > now ? (deadline - now + 999999) / 1000000 : 0;
  uv_update_time(&n->loop); /* the timer counts from the loop's idea of now */
  uv_timer_start(&n->timer, on_timer, ms, 0);
}

static void on_handle(uv_handle_t *handle, void *arg) {
  (void)arg;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static void on_give_up(uv_timer_t *timer) {
  kopd_node *n = timer->data;
  kop_engine_stats s = {0};
  kop_engine_stats_get(n->engine, &s, sizeof s);
  kopd_log_line(KOP_LOG_ERROR, n->id, "did not come to rest (%llu requests open); ending at once",
                (unsigned long long)s.requests_open);
  _exit(1);
}

static void on_cut(uv_timer_t *timer) {
  kopd_node *n = timer->data;
  kop_engine_stats s = {0};
  kop_engine_stats_get(n->engine, &s, sizeof s);
  kopd_log_line(KOP_LOG_WARN, n->id,
                "cutting %u connections with %llu requests under way: drain.timeout.ms is over",
                kopd_transport_connections(n->transport), (unsigned long long)s.requests_open);
  kopd_transport_close_all(n->transport);
  uv_timer_start(&n->cut, on_give_up, GIVE_UP_MS, 0);
  n->changed = 1;
}

static void begin_drain(kopd_node *n, kop_now now) {
  kopd_log_line(KOP_LOG_INFO, n->id, "draining");
  kopd_transport_stop_listening(n->transport);
  kop_engine_shutdown(n->engine, now);
  uv_update_time(&n->loop);
  uv_timer_start(&n->cut, on_cut, n->config.options->drain_ms, 0);
  publish(n, KOPD_NODE_DRAINING);
}

/* Carries answers and events in and effects out, until there is neither. */
static void pump(uv_prepare_t *prepare) {
  kopd_node *n = prepare->data;
  kop_now now = kopd_now();
  if (kop_engine_deadline(n->engine) <= now.mono_ns) {
    kopd_transport_report(n->transport, now);
    kop_engine_tick(n->engine, now);
    n->changed = 1;
  }
  if (!n->changed) return;
  n->changed = 0;
  tell_cluster(n, now);
  if (atomic_load(&n->stop_wanted) && state_of(n) == KOPD_NODE_RUNNING) begin_drain(n, now);
  size_t moved = 0;
  do {
    const kop_effect *effects = NULL;
    size_t count = 0;
    moved = take_from_store(n, now);
    while ((count = kop_engine_drain(n->engine, &effects)) > 0) {
      moved += count;
      for (size_t i = 0; i < count; i++)
        carry_out(n, &effects[i]);
    }
    now = kopd_now();
  } while (moved > 0);
  set_timer(n);
  publish(n, 0);
  if (state_of(n) == KOPD_NODE_DRAINING && kop_engine_is_idle(n->engine) &&
      kopd_transport_connections(n->transport) == 0) {
    /*
     * Nothing is left: all handles close and uv_run returns. The store stops calling before `wake`
     * goes.
     */
    kopd_store_detach(n->client);
    n->client = NULL;
    uv_prepare_stop(&n->prepare);
    uv_walk(&n->loop, on_handle, NULL);
  }
}

static void run(void *arg) {
  kopd_node *n = arg;
  n->changed = 1;
  publish(n, KOPD_NODE_RUNNING);
  uv_run(&n->loop, UV_RUN_DEFAULT);
  kopd_log_line(KOP_LOG_INFO, n->id, "ended");
  publish(n, KOPD_NODE_ENDED);
}

static int make_loop(kopd_node *n, char *err, size_t errcap) {
  int result = uv_loop_init(&n->loop);
  if (result != 0) {
    snprintf(err, errcap, "cannot make an event loop: %s", uv_strerror(result));
    return -1;
  }
  n->loop_made = 1;
  result = uv_async_init(&n->loop, &n->wake, on_wake);
  if (result != 0) {
    snprintf(err, errcap, "cannot make an event loop: %s", uv_strerror(result));
    return -1;
  }
  uv_prepare_init(&n->loop, &n->prepare);
  uv_timer_init(&n->loop, &n->timer);
  uv_timer_init(&n->loop, &n->cut);
  n->wake.data = n->prepare.data = n->timer.data = n->cut.data = n;
  uv_prepare_start(&n->prepare, pump);
  return 0;
}

static int listen_all(kopd_node *n, char *err, size_t errcap) {
  const kopd_listeners *all = &n->config.options->listeners;
  for (uint32_t i = 0; i < all->count; i++) {
    const kopd_listener *l = &all->items[i];
    kopd_address at = l->listen;
    uint16_t bound = 0;
    /* A node that is started anew keeps a port that was chosen for it. */
    at.port = at.port != 0 ? (uint16_t)(at.port + n->config.index)
                           : kopd_cluster_listened(n->config.cluster, n->config.index, i);
    if (kopd_transport_listen(n->transport, i, &at, &bound, err, errcap) != 0) return -1;
    kopd_cluster_set_ports(n->config.cluster, n->config.index, i, bound,
                           l->advertise.port != 0 ? (uint16_t)(l->advertise.port + n->config.index)
                                                  : bound);
  }
  return 0;
}

int kopd_node_open(const kopd_node_config *config, kopd_node **out, char *err, size_t errcap) {
  kopd_node *n = calloc(1, sizeof *n);
  *out = NULL;
  if (n == NULL) {
    snprintf(err, errcap, "no memory for a node");
    return -1;
  }
  n->config = *config;
  n->id = config->options->first_node_id + (int32_t)config->index;
  n->stats.state = KOPD_NODE_OPEN;
  pthread_mutex_init(&n->lock, NULL);
  if (make_loop(n, err, errcap) != 0) goto fail;
  n->transport = kopd_transport_new(&(kopd_transport_config){
      .loop = &n->loop,
      .node_id = n->id,
      .max_connections = config->max_connections,
      .max_connections_per_ip = config->options->max_connections_per_ip,
      .changed = on_changed,
      .user_data = n,
  });
  if (n->transport == NULL) {
    snprintf(err, errcap, "no memory for a node");
    goto fail;
  }
  if (listen_all(n, err, errcap) != 0 ||
      kopd_engine_make(config->options, config->store, n->id, config->max_connections, &n->engine,
                       err, errcap) != 0)
    goto fail;
  kopd_transport_serve(n->transport, n->engine);
  *out = n;
  return 0;
fail:
  kopd_node_free(n);
  return -1;
}

int kopd_node_start(kopd_node *n, char *err, size_t errcap) {
  uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, NODE_STACK_BYTES};
  n->client = kopd_store_attach(n->config.store, n->config.index, on_store, n);
  if (n->client == NULL) {
    snprintf(err, errcap, "no memory for a node");
    return -1;
  }
  int result = uv_thread_create_ex(&n->thread, &options, run, n);
  if (result != 0) {
    snprintf(err, errcap, "cannot start a thread: %s", uv_strerror(result));
    return -1;
  }
  n->started = 1;
  return 0;
}

void kopd_node_stop(kopd_node *n) {
  atomic_store(&n->stop_wanted, 1);
  kopd_node_wake(n);
}

void kopd_node_wake(kopd_node *n) {
  if (state_of(n) != KOPD_NODE_ENDED) uv_async_send(&n->wake);
}

void kopd_node_free(kopd_node *n) {
  if (n == NULL) return;
  if (n->started) uv_thread_join(&n->thread);
  if (n->client != NULL) kopd_store_detach(n->client);
  if (n->loop_made) {
    /* Of a node that never ran; otherwise nothing is left to close. */
    uv_walk(&n->loop, on_handle, NULL);
    uv_run(&n->loop, UV_RUN_DEFAULT);
    uv_loop_close(&n->loop);
  }
  kop_engine_free(n->engine);
  kopd_transport_free(n->transport);
  pthread_mutex_destroy(&n->lock);
  free(n);
}
