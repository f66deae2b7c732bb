/* Several nodes on one store: who leads what, who knows what, and what happens when one goes. */
#include <criterion/criterion.h>
#include <string.h>

#include "driver.h"
#include "folder.h"

static const int32_t node_ids[] = {1, 2, 3};

static kopd_store *three(driver d[3]) {
  char error[256];
  kopd_store *s = NULL;
  kopd_store_config config;
  kopd_store_config_init(&config);
  config.nodes_count = 3;
  config.node_ids = node_ids;
  cr_assert_eq(kopd_store_open(&config, &s, error, sizeof error), 0, "%s", error);
  for (uint32_t i = 0; i < 3; i++)
    driver_attach(&d[i], s, i);
  return s;
}

static void closed(kopd_store *s, driver d[3]) {
  for (int i = 0; i < 3; i++)
    if (d[i].client != NULL) driver_detach(&d[i]);
  kopd_store_close(s);
}

static driver *leader_of(driver d[3], uint32_t partition) {
  const driver_topic *t = driver_topic_of(&d[0], "t");
  return &d[t->partitions[partition].leader - 1];
}

Test(nodes, partitions_are_spread_and_all_agree) {
  driver d[3];
  kopd_store *s = three(d);
  cr_assert_eq(driver_create(&d[0], "t", 48, NULL, NULL)->outcome, KOP_DONE);
  int led[4] = {0};
  for (uint32_t i = 0; i < 48; i++) {
    int32_t leader = driver_topic_of(&d[0], "t")->partitions[i].leader;
    for (int j = 1; j < 3; j++)
      cr_assert_eq(driver_topic_of(&d[j], "t")->partitions[i].leader, leader);
    led[leader]++;
  }
  for (int i = 1; i <= 3; i++)
    cr_assert(led[i] >= 6, "node %d leads %d of 48", i, led[i]);
  closed(s, d);
}

Test(nodes, only_the_leader_acquires_and_the_others_hear_of_it) {
  driver d[3];
  kopd_store *s = three(d);
  driver_create(&d[0], "t", 6, NULL, NULL);
  for (uint32_t i = 0; i < 6; i++) {
    driver *leader = leader_of(d, i);
    uint64_t id = driver_id(&d[0], "t", i);
    for (int j = 0; j < 3; j++) {
      const driver_answer *a = driver_acquire(&d[j], id);
      if (&d[j] == leader) {
        cr_assert_eq(a->outcome, KOP_DONE);
      } else {
        cr_assert_eq(a->outcome, KOP_REJECTED);
        cr_assert_eq(a->error, 6);
      }
    }
    driver_turn();
    for (int j = 0; j < 3; j++)
      if (&d[j] != leader) cr_assert_eq(driver_topic_of(&d[j], "t")->partitions[i].leader_epoch, 0);
  }
  closed(s, d);
}

Test(nodes, a_manual_assignment_is_kept) {
  driver d[3];
  kopd_store *s = three(d);
  static const int32_t assigned[] = {3, 3, 1};
  kop_create_topic body = {.size = sizeof body,
                           .partitions = 3,
                           .name = {(const uint8_t *)"t", 1},
                           .assigned_count = 3,
                           .assigned = assigned};
  driver_do(&d[1], KOP_EFFECT_CREATE_TOPIC, 0, 0, &body, sizeof body);
  for (uint32_t i = 0; i < 3; i++)
    cr_assert_eq(driver_topic_of(&d[0], "t")->partitions[i].leader, assigned[i]);
  closed(s, d);
}

Test(nodes, partitions_of_a_stopped_node_move_and_come_back) {
  driver d[3];
  kopd_store *s = three(d);
  driver_create(&d[0], "t", 12, NULL, NULL);
  uint32_t p = 0;
  while (leader_of(d, p) != &d[2])
    p++;
  uint64_t id = driver_id(&d[0], "t", p);
  int32_t epoch = driver_acquire(&d[2], id)->acquired.epoch;
  for (uint32_t i = 0; i < 5; i++)
    driver_append(&d[2], id, epoch, 500, i, i);
  int32_t before[12];
  for (uint32_t i = 0; i < 12; i++)
    before[i] = driver_topic_of(&d[0], "t")->partitions[i].leader;

  driver_detach(&d[2]);
  driver_turn();
  for (uint32_t i = 0; i < 12; i++) {
    int32_t now = driver_topic_of(&d[0], "t")->partitions[i].leader;
    cr_assert_neq(now, 3);
    if (before[i] != 3) cr_assert_eq(now, before[i]);
  }
  driver *heir = leader_of(d, p);
  driver_answer a = *driver_acquire(heir, id);
  cr_assert_eq(a.outcome, KOP_DONE);
  cr_assert_eq(a.acquired.end_offset, 5);
  driver_append(heir, id, a.acquired.epoch, 500, 5, 5);

  driver_attach(&d[2], s, 2);
  driver_turn();
  for (uint32_t i = 0; i < 12; i++)
    cr_assert_eq(driver_topic_of(&d[2], "t")->partitions[i].leader, before[i]);
  a = *driver_acquire(&d[2], id);
  cr_assert_eq(a.acquired.end_offset, 6);
  cr_assert_eq(driver_append(heir, id, a.acquired.epoch - 1, 500, 6, 6)->outcome, KOP_FENCED);
  driver_expect(&d[2], id, 0, 6, 500, 0);
  closed(s, d);
}

/* The leader of before must know, before another may answer in its place. */
Test(nodes, a_partition_is_granted_when_its_old_leader_knows) {
  driver d[3];
  kopd_store *s = three(d);
  driver_create(&d[0], "t", 12, NULL, NULL);
  driver_detach(&d[2]);
  driver_turn();
  uint32_t p = 0;
  while (driver_topic_of(&d[0], "t")->partitions[p].leader != 1)
    p++;
  uint64_t id = 0;
  /* A partition that node 1 holds for node 3: it moves back when node 3 comes. */
  driver_attach(&d[2], s, 2);
  for (p = 0; p < 12; p++)
    if (driver_topic_of(&d[2], "t")->partitions[p].leader == 3) id = driver_id(&d[2], "t", p);
  cr_assert_neq(id, 0u);
  driver_detach(&d[2]);
  driver_turn();
  for (p = 0; driver_id(&d[0], "t", p) != id; p++)
    ;
  driver *heir = leader_of(d, p);
  cr_assert_eq(driver_acquire(heir, id)->outcome, KOP_DONE);

  kopd_store_client *old = heir->client;
  driver_attach(&d[2], s, 2);
  driver_turn();
  kop_acquire body = {.size = sizeof body};
  kop_effect e = {.kind = KOP_EFFECT_ACQUIRE,
                  .token = 77 | (uint64_t)KOP_EFFECT_ACQUIRE << 32,
                  .target = id,
                  .body = &body,
                  .body_size = sizeof body};
  cr_assert_eq(heir->client, old);
  d[2].answered = false;
  kopd_store_submit(d[2].client, &e);
  /* driver_turn above acknowledged for all: the grant goes through, once. */
  while (!d[2].answered)
    driver_turn();
  cr_assert_eq(d[2].answer.outcome, KOP_DONE);
  closed(s, d);
}

static void nothing(void *user_data) {
  (void)user_data;
}

/* A client that takes events but does not come back for more has not acknowledged them. */
Test(nodes, creation_waits_for_every_node) {
  driver d[3];
  kopd_store *s = three(d);
  driver_detach(&d[2]);
  kopd_store_client *lazy = kopd_store_attach(s, 2, nothing, NULL);
  kop_event events[16];
  while (kopd_store_poll_events(lazy, events, 16) > 0)
    ;
  kop_create_topic body = {.size = sizeof body, .partitions = 1, .name = {(const uint8_t *)"t", 1}};
  kop_effect e = {.kind = KOP_EFFECT_CREATE_TOPIC,
                  .token = 5 | (uint64_t)KOP_EFFECT_CREATE_TOPIC << 32,
                  .body = &body,
                  .body_size = sizeof body};
  d[0].answered = false;
  kopd_store_submit(d[0].client, &e);
  while (driver_topic_of(&d[0], "t") == NULL)
    driver_turn();
  size_t n = 0;
  while ((n = kopd_store_poll_events(lazy, events, 16)) == 0)
    ;
  cr_assert_eq(events[n - 1].kind, (uint32_t)KOP_EVENT_TOPIC);
  driver_turn();
  driver_turn();
  cr_assert_not(d[0].answered);
  cr_assert_eq(kopd_store_poll_events(lazy, events, 16), 0u);
  driver_turn();
  cr_assert(d[0].answered);
  cr_assert_eq(d[0].answer.outcome, KOP_DONE);
  kopd_store_detach(lazy);
  closed(s, d);
}

Test(nodes, their_number_may_change_from_start_to_start) {
  folder f = folder_make();
  char error[256];
  for (uint32_t n = 3; n >= 1; n--) {
    kopd_store *s = NULL;
    kopd_store_config config;
    kopd_store_config_init(&config);
    config.spec = f.spec;
    config.nodes_count = n;
    config.node_ids = node_ids;
    cr_assert_eq(kopd_store_open(&config, &s, error, sizeof error), 0, "%s", error);
    driver d[3];
    for (uint32_t i = 0; i < n; i++)
      driver_attach(&d[i], s, i);
    if (n == 3) driver_create(&d[0], "t", 6, NULL, NULL);
    for (uint32_t p = 0; p < 6; p++) {
      driver *leader = leader_of(d, p);
      uint64_t id = driver_id(&d[0], "t", p);
      driver_answer a = *driver_acquire(leader, id);
      cr_assert_eq(a.outcome, KOP_DONE);
      cr_assert_eq(a.acquired.end_offset, 3 - (int64_t)n);
      driver_append(leader, id, a.acquired.epoch, 300, 3 - n, 0);
      driver_expect(leader, id, 0, 4 - (int64_t)n, 300, 0);
    }
    for (uint32_t i = 0; i < n; i++)
      driver_detach(&d[i]);
    kopd_store_close(s);
  }
  folder_remove(&f);
}
