/* What a topic does and holds: the essentials of stats and partitioned-stats. */
#include <string.h>

#include "pulsar/admin_json.h"
#include "wire/arena.h"

static kop_status member_count(json_t *from, const char *name, uint64_t *out) {
  int64_t n = 0;
  kop_status status = kopi_admin_member_int(from, name, INT64_MIN, INT64_MAX, &n);
  *out = n < 0 ? 0 : (uint64_t)n; /* brokers have counted below 0 */
  return status;
}

static uint32_t member_length(json_t *from, const char *name) {
  size_t n = json_array_size(json_object_get(from, name));
  return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static kop_status read_subscription(const char *name, json_t *from, kopi_arena *arena,
                                    kop_pulsar_admin_subscription *s) {
  if (!json_is_object(from)) return KOP_ERR_MALFORMED;
  s->type = (kop_slice){(const uint8_t *)"None", 4};
  s->is_durable = 1;
  s->consumers = member_length(from, "consumers");
  kop_status status = kopi_admin_copy(arena, name, strlen(name), &s->name);
  if (status == KOP_OK) status = kopi_admin_member_string(arena, from, "type", &s->type);
  if (status == KOP_OK) status = member_count(from, "msgBacklog", &s->backlog);
  if (status == KOP_OK) status = kopi_admin_member_bool(from, "isDurable", &s->is_durable);
  if (status == KOP_OK) status = kopi_admin_member_bool(from, "isReplicated", &s->is_replicated);
  if (status == KOP_OK) {
    status = kopi_admin_properties(arena, json_object_get(from, "subscriptionProperties"),
                                   &s->properties);
  }
  return status;
}

static kop_status read_subscriptions(json_t *root, kopi_arena *arena, kop_pulsar_admin_stats *out) {
  json_t *all = json_object_get(root, "subscriptions");
  size_t n = json_object_size(all), i = 0;
  if (all == NULL || json_is_null(all)) return KOP_OK;
  if (!json_is_object(all)) return KOP_ERR_MALFORMED;
  kop_pulsar_admin_subscription *items = kopi_arena_calloc(arena, n, sizeof *items);
  if (items == NULL) return kopi_arena_status(arena, n * sizeof *items);
  for (void *at = json_object_iter(all); at != NULL; at = json_object_iter_next(all, at), i++) {
    kop_status status =
        read_subscription(json_object_iter_key(at), json_object_iter_value(at), arena, &items[i]);
    if (status != KOP_OK) return status;
  }
  out->subscriptions = items;
  out->subscriptions_count = n;
  return KOP_OK;
}

static kop_status read_numbers(json_t *root, kop_pulsar_admin_stats *out) {
  static const struct {
    const char *name;
    size_t at;
  } rates[] = {{"msgRateIn", offsetof(kop_pulsar_admin_stats, messages_in)},
               {"msgThroughputIn", offsetof(kop_pulsar_admin_stats, bytes_in)},
               {"msgRateOut", offsetof(kop_pulsar_admin_stats, messages_out)},
               {"msgThroughputOut", offsetof(kop_pulsar_admin_stats, bytes_out)}};
  kop_status status = KOP_OK;
  for (size_t i = 0; i < sizeof rates / sizeof rates[0] && status == KOP_OK; i++) {
    double rate = 0;
    status = kopi_admin_member_real(root, rates[i].name, &rate);
    memcpy((uint8_t *)out + rates[i].at, &rate, sizeof rate);
  }
  if (status == KOP_OK) status = member_count(root, "msgInCounter", &out->messages_total);
  if (status == KOP_OK) status = member_count(root, "storageSize", &out->storage_bytes);
  if (status == KOP_OK) status = member_count(root, "backlogSize", &out->backlog_bytes);
  return status;
}

kop_status kop_pulsar_admin_read_stats(const kop_pulsar_admin_answer *answer, kop_arena *arena,
                                       kop_pulsar_admin_stats *out) {
  json_t *root;
  kop_status status = kopi_admin_json_load(answer, &root);
  if (status != KOP_OK) return status;
  kop_pulsar_admin_stats found = {.owner = {(const uint8_t *)"", 0}};
  int64_t partitions = 0;
  status = json_is_object(root) ? read_numbers(root, &found) : KOP_ERR_MALFORMED;
  if (status == KOP_OK) {
    status = kopi_admin_member_int(json_object_get(root, "metadata"), "partitions", 0, INT32_MAX,
                                   &partitions);
  }
  found.producers = member_length(root, "publishers");
  found.partitions = (uint32_t)partitions;
  if (status == KOP_OK) {
    status = kopi_admin_member_string(&arena->arena, root, "ownerBroker", &found.owner);
  }
  if (status == KOP_OK) status = read_subscriptions(root, &arena->arena, &found);
  json_decref(root);
  if (status == KOP_OK) *out = found;
  return status;
}
