/*
 * Admin answers from a hostile server: status, headers and body through every reader, within a small arena.
 *
 *     byte 0, 1   the status, 200 to 599
 *     byte 2      which reader; the high bits: how many headers
 *     then        headers, each {name length, name, value length, value}, and the rest is the body
 *
 * What a reader says is there is read, so that a sanitizer sees a wrong length. A name that can be read as a topic's must come out
 * of writing and reading it again as it was.
 */
#include <kop/pulsar_admin.h>
#include <kop/pulsar_topic.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_HEADERS = 15, ARENA = 1 << 20 };

static uint64_t sum;

static void touch(kop_slice s) {
  for (size_t i = 0; i < s.len; i++)
    sum += s.ptr[i];
}

static void touch_properties(const kop_pulsar_admin_properties *p) {
  for (size_t i = 0; i < p->items_count; i++) {
    touch(p->items[i].key);
    touch(p->items[i].value);
  }
}

static void read_internals(const kop_pulsar_admin_answer *a, kop_arena *arena) {
  kop_pulsar_admin_internals in;
  kop_offset_map *map;
  if (kop_pulsar_admin_read_internals(a, arena, &in) != KOP_OK) return;
  for (size_t i = 0; i < in.ledgers_count; i++)
    sum += in.ledgers[i].entries + in.ledger_bytes[i];
  for (size_t i = 0; i < in.cursors_count; i++) {
    touch(in.cursors[i].name);
    touch_properties(&in.cursors[i].positions);
  }
  touch_properties(&in.properties);
  if (kop_offset_map_new(NULL, &map) != KOP_OK) abort();
  if (kop_offset_map_ledgers(map, in.ledgers, in.ledgers_count) != KOP_OK) abort();
  kop_offset_map_free(map);
}

static void read_stats(const kop_pulsar_admin_answer *a, kop_arena *arena) {
  kop_pulsar_admin_stats s;
  if (kop_pulsar_admin_read_stats(a, arena, &s) != KOP_OK) return;
  touch(s.owner);
  for (size_t i = 0; i < s.subscriptions_count; i++) {
    touch(s.subscriptions[i].name);
    touch(s.subscriptions[i].type);
    touch_properties(&s.subscriptions[i].properties);
  }
}

static void read_lists(const kop_pulsar_admin_answer *a, kop_arena *arena) {
  kop_pulsar_admin_strings s;
  kop_pulsar_admin_properties p;
  kop_pulsar_admin_partitions n;
  const kop_pulsar_admin_permission *permissions;
  size_t count;
  if (kop_pulsar_admin_read_strings(a, arena, &s) == KOP_OK) {
    for (size_t i = 0; i < s.items_count; i++)
      touch(s.items[i]);
  }
  if (kop_pulsar_admin_read_properties(a, arena, &p) == KOP_OK) touch_properties(&p);
  if (kop_pulsar_admin_read_partitions(a, arena, &n) == KOP_OK) touch_properties(&n.properties);
  if (kop_pulsar_admin_read_permissions(a, arena, &permissions, &count) != KOP_OK) return;
  for (size_t i = 0; i < count; i++) {
    touch(permissions[i].role);
    for (size_t k = 0; k < permissions[i].actions.items_count; k++)
      touch(permissions[i].actions.items[k]);
  }
}

static void read_policies(const kop_pulsar_admin_answer *a, kop_arena *arena) {
  kop_pulsar_admin_retention retention;
  kop_pulsar_admin_inactive_policy policy;
  int64_t number;
  int32_t state;
  kop_slice error;
  (void)kop_pulsar_admin_read_retention(a, &retention);
  (void)kop_pulsar_admin_read_inactive_policy(a, &policy);
  (void)kop_pulsar_admin_read_number(a, &number);
  if (kop_pulsar_admin_read_compaction(a, arena, &state, &error) == KOP_OK) touch(error);
}

/* Any answer to any probe leaves a search that goes on or has ended. */
static void read_probe(const kop_pulsar_admin_answer *a, kop_arena *arena) {
  kop_offset_map *map;
  kop_offset_search *s;
  kop_offset_search_config config;
  kop_offset_search_config_init(&config, sizeof config);
  config.can = KOP_OFFSET_CAN_READ_EXACT | KOP_OFFSET_CAN_LIST | KOP_OFFSET_CAN_INDEX;
  if (kop_offset_map_new(NULL, &map) != KOP_OK) abort();
  if (kop_offset_search_new(map, &config, &s) != KOP_OK) abort();
  if (kop_offset_search_begin(s, KOP_OFFSET_FIND_OFFSET, 100) != KOP_OK) abort();
  kop_offset_probe probe;
  for (int i = 0; kop_offset_search_probe(s, &probe) == KOP_OK; i++) {
    kop_offset_answer answer;
    if (i > 300) abort();
    if (kop_pulsar_admin_probe_answer(&probe, a, arena, &answer) != KOP_OK ||
        kop_offset_search_answer(s, &answer) != KOP_OK) {
      answer = (kop_offset_answer){.size = sizeof answer, .kind = KOP_OFFSET_ANSWER_FAILED};
      if (kop_offset_search_answer(s, &answer) != KOP_OK) abort();
    }
  }
  kop_offset_search_free(s);
  kop_offset_map_free(map);
}

static void read_topic(kop_slice name) {
  static const kop_slice tenant = {(const uint8_t *)"t", 1};
  kop_pulsar_topic t, again;
  size_t len, len_again;
  if (kop_pulsar_topic_read(name, tenant, tenant, &t) != KOP_OK) return;
  uint8_t *out = malloc(name.len + 64), *other = malloc(name.len + 64);
  if (out == NULL || other == NULL) abort();
  if (kop_pulsar_topic_write(&t, out, name.len + 64, &len) != KOP_OK) abort();
  if (kop_pulsar_topic_read((kop_slice){out, len}, tenant, tenant, &again) != KOP_OK) abort();
  if (again.partition != t.partition || again.is_persistent != t.is_persistent) abort();
  if (kop_pulsar_topic_write(&again, other, name.len + 64, &len_again) != KOP_OK) abort();
  if (len != len_again || memcmp(out, other, len) != 0) abort();
  free(out);
  free(other);
}

/* {length, bytes}; 0 when the input is used up. */
static int take(const uint8_t **at, const uint8_t *end, kop_slice *out) {
  if (*at == end || (size_t)(end - *at) <= **at) return 0;
  *out = (kop_slice){*at + 1, **at};
  *at += 1 + out->len;
  return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static kop_arena *arena;
  kop_pulsar_admin_header headers[MAX_HEADERS];
  if (size < 3) return 0;
  if (arena == NULL && kop_arena_new(NULL, ARENA, &arena) != KOP_OK) abort();
  kop_arena_reset(arena);
  const uint8_t *at = data + 3, *end = data + size;
  kop_pulsar_admin_answer a = {
      .size = sizeof a, .status = 200 + (data[0] * 256 + data[1]) % 400, .headers = headers};
  while (a.headers_count < (size_t)(data[2] >> 4) &&
         take(&at, end, &headers[a.headers_count].name) &&
         take(&at, end, &headers[a.headers_count].value)) {
    a.headers_count++;
  }
  a.body = (kop_slice){at, (size_t)(end - at)};
  kop_pulsar_admin_verdict verdict;
  kop_pulsar_admin_entry entry;
  kop_pulsar_message_id id;
  if (kop_pulsar_admin_judge(&a, arena, &verdict) == KOP_OK) touch(verdict.reason);
  switch (data[2] % 8) {
  case 0:
    read_internals(&a, arena);
    break;
  case 1:
    read_stats(&a, arena);
    break;
  case 2:
    read_lists(&a, arena);
    break;
  case 3:
    read_policies(&a, arena);
    break;
  case 4:
    (void)kop_pulsar_admin_read_message_id(&a, &id);
    break;
  case 5:
    if (kop_pulsar_admin_read_entry(&a, &entry) == KOP_OK) touch(entry.properties);
    break;
  case 6:
    read_probe(&a, arena);
    break;
  default:
    read_topic(a.body);
  }
  return 0;
}
