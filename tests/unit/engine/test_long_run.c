/*
 * Long random runs: producers that retry as real ones do, consumers, and a store that keeps its contract and no more.
 *
 *   store    appends take effect in order, at any time after they were asked for; answers come in any order, late,
 *            as UNKNOWN (done or not), REJECTED or FENCED; others take the leadership; saved state is lost
 *   clients  five batches under way each, connections that close at any moment, retries on another one
 *   leases   end at any time; CONFIRM comes late, not for seconds, or with a lease that is past; others lead and append
 *   time     requests time out
 *
 * What must hold in every run: an acknowledged batch stands at its offset; an idempotent producer's batches are in the log once
 * and in order; a sequence error never comes without an earlier failure; replies come in the order of the requests, each
 * once; the high watermark a consumer sees never goes back, and what it reads is the log; no answer is older than its question:
 * what anybody was told is in the log when it was asked counts in it. KOP_SEEDS sets how many runs.
 */
#include "long_run.h"

#include <stdlib.h>

/* ---- runs ---- */

static void push(run *w, uint32_t kind, const void *body, uint32_t size) {
  kop_event event = {.size = sizeof event, .kind = kind, .body = body, .body_size = size};
  cr_assert_eq(kop_engine_push(w->e, &event, w->now), KOP_OK);
}

static void lead(run *w, int32_t node) {
  kop_leader leader = {.size = sizeof leader, .leader = node, .partition = 7, .leader_epoch = -1};
  push(w, KOP_EVENT_LEADER, &leader, sizeof leader);
}

static run *begin(uint64_t seed) {
  run *w = calloc(1, sizeof *w);
  w->r = seed;
  w->now = (kop_now){.mono_ns = 1000000000, .wall_ms = 1700000000000};
  w->refused = -1;
  kop_engine_config config;
  cr_assert_eq(kop_engine_config_init(&config, sizeof config), KOP_OK);
  config.node_id = KH_NODE;
  config.seed = seed;
  config.state_every_bytes = 500 + lr_pick(w, 3000);
  config.max_lent_bytes = 1 + lr_pick(w, 2000);
  config.kept_read_bytes = lr_pick(w, 1000);
  cr_assert_eq(kop_engine_new(&config, w->now, &w->e), KOP_OK);
  cr_assert_eq(kop_arena_new(NULL, (size_t)8 << 20, &w->arena), KOP_OK);
  cr_assert_eq(kop_batch_builder_new(NULL, &w->builder), KOP_OK);
  kop_topic_partition part = {.id = 7, .leader = KH_NODE, .leader_epoch = -1};
  kop_topic topic = {.size = sizeof topic,
                     .name = kh_text("t"),
                     .id = {{1}},
                     .partitions = &part,
                     .partitions_count = 1};
  push(w, KOP_EVENT_TOPIC, &topic, sizeof topic);
  for (int32_t i = 0; i < PRODUCERS; i++) {
    w->producers[i].id = i + 1 < PRODUCERS ? 100 + i : -1;
    for (int32_t k = 0; k < BATCHES; k++)
      w->producers[i].acked[k] = -1;
  }
  return w;
}

static void pass_time(run *w, uint32_t ms) {
  w->now.mono_ns += ms * UINT64_C(1000000);
  w->now.wall_ms += ms;
  kop_engine_tick(w->e, w->now);
}

static void disturb(run *w) {
  if (lr_now_and_then(w, 60)) lr_hang_up(w, lr_peer_at(w, lr_pick(w, PEERS)));
  if (lr_now_and_then(w, 150)) lead(w, lr_pick(w, 2) == 0 ? 2 : KH_NODE);
  if (lr_now_and_then(w, 10)) lead(w, KH_NODE);
  /* another leader, which only the end of the lease allows; what was asked for before is done or fenced */
  if (lr_now_and_then(w, 100) && w->now.mono_ns > w->lease) {
    lr_execute(w, lr_pick(w, 4));
    w->epoch++;
    if (lr_pick(w, 2) == 0) lr_append_as_another(w);
  }
  if (lr_now_and_then(w, 300)) w->silent = w->now.mono_ns + lr_pick(w, 5000) * UINT64_C(1000000);
}

static void step(run *w) {
  switch (lr_pick(w, 8)) {
  case 0:
  case 1:
    lr_step_producer(w, &w->producers[lr_pick(w, PRODUCERS)]);
    break;
  case 2:
    if (lr_pick(w, 3) == 0) {
      lr_step_asker(w, &w->askers[lr_pick(w, ASKERS)]);
    } else {
      lr_step_consumer(w, &w->consumers[lr_pick(w, CONSUMERS)]);
    }
    break;
  case 3:
    lr_execute(w, lr_pick(w, 3));
    break;
  case 4:
    pass_time(w, lr_pick(w, lr_now_and_then(w, 30) ? 4000 : 30));
    break;
  default:
    if (w->open_len > 0) lr_answer(w, lr_pick(w, lr_pick(w, 3) == 0 ? (uint32_t)w->open_len : 1));
    break;
  }
  disturb(w);
  lr_drain(w);
  lr_hear_all(w);
}

static bool all_done(const run *w) {
  for (size_t i = 0; i < PRODUCERS; i++) {
    if (!lr_has_finished(&w->producers[i])) return false;
  }
  for (size_t i = 0; i < CONSUMERS; i++) {
    if (w->consumers[i].offset < w->end) return false;
  }
  return true;
}

static void check_log(const run *w) {
  int32_t next[PRODUCERS] = {0};
  for (int32_t i = 0; i < w->log_len; i++) {
    const stored *s = &w->log[i];
    if (w->producers[s->producer].id < 0) continue;
    cr_assert_eq(s->number, next[s->producer], "producer %d: batch %d stands where %d should",
                 s->producer, s->number, next[s->producer]);
    next[s->producer]++;
  }
  for (int32_t p = 0; p < PRODUCERS; p++) {
    if (w->producers[p].id >= 0) cr_assert_eq(next[p], (int32_t)BATCHES);
    for (int32_t k = 0; k < BATCHES; k++)
      cr_assert_geq(w->producers[p].acked[k], 0);
  }
}

/* Drains the engine as a server that ends does. */
static void end(run *w) {
  w->silent = 0;
  kop_engine_shutdown(w->e, w->now);
  lr_drain(w);
  for (int i = 0; i < 10000 && !kop_engine_is_idle(w->e); i++) {
    if (w->open_len > 0) lr_answer(w, lr_pick(w, (uint32_t)w->open_len));
    if (lr_pick(w, 4) == 0) pass_time(w, 50);
    lr_drain(w);
  }
  cr_assert(kop_engine_is_idle(w->e), "shutdown comes to its end");
  cr_assert_eq(w->lent, 0);
  kop_engine_stats stats;
  cr_assert_eq(kop_engine_stats_get(w->e, &stats, sizeof stats), KOP_OK);
  cr_assert_eq(stats.requests_open, 0u);
  cr_assert_eq(stats.frame_bytes, 0u);
  cr_assert_eq(stats.reply_bytes, 0u);
  kop_engine_free(w->e);
  kop_arena_free(w->arena);
  kop_batch_builder_free(w->builder);
  for (int32_t i = 0; i < w->log_len; i++)
    free(w->log[i].bytes);
  for (size_t i = 0; i < PEERS; i++)
    free(lr_peer_at(w, i)->in);
  free(w->state);
  free(w);
}

static void run_one(uint64_t seed, bool to_the_end) {
  run *w = begin(seed);
  int32_t faults = to_the_end ? STEPS / 2 : (int32_t)lr_pick(w, 3000);
  for (int32_t i = 0; i < faults && !all_done(w); i++)
    step(w);
  if (to_the_end) {
    w->calm = true;
    lead(w, KH_NODE);
    for (int32_t i = 0; i < 4 * STEPS && !all_done(w); i++)
      step(w);
    cr_assert(all_done(w), "seed %llu: it does not come to its end", (unsigned long long)seed);
    check_log(w);
  }
  end(w);
}

static uint64_t seeds(void) {
  const char *text = getenv("KOP_SEEDS");
  return text == NULL ? 30 : strtoull(text, NULL, 10);
}

Test(long_run, nothing_is_lost_doubled_or_reordered) {
  for (uint64_t seed = 1; seed <= seeds(); seed++)
    run_one(seed, true);
}

Test(long_run, shutdown_in_the_middle_of_everything) {
  for (uint64_t seed = 1; seed <= seeds() * 4; seed++)
    run_one(seed, false);
}
