/* The calls of a search, its beginning and its end. search.h tells how it works. */
#include "offset/search.h"

#include "base/alloc.h"
#include "base/sized.h"

enum { LEAST_PROBES = 8, DEFAULT_PROBES = 256, DEFAULT_RESTARTS = 4 };

static const uint32_t readers =
    KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_READ_EXACT | KOP_OFFSET_CAN_EXAMINE;
static const uint32_t known_bits = KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_READ_EXACT |
                                   KOP_OFFSET_CAN_EXAMINE | KOP_OFFSET_CAN_LIST |
                                   KOP_OFFSET_CAN_INDEX | KOP_OFFSET_CAN_TIME;

static kop_offset_search_config defaults(size_t size) {
  return (kop_offset_search_config){.size = size,
                                    .can = KOP_OFFSET_CAN_READ,
                                    .max_probes = DEFAULT_PROBES,
                                    .max_restarts = DEFAULT_RESTARTS};
}

void kop_offset_search_config_init(kop_offset_search_config *config, size_t size) {
  kop_offset_search_config own = defaults(size);
  kopi_sized_defaults(config, size, &own, sizeof own);
}

static uint8_t usable(const kop_offset_search_config *c) {
  if ((c->can & ~known_bits) != 0 || (c->can & readers) == 0) return 0;
  if (c->max_probes < LEAST_PROBES || c->reserved != 0) return 0;
  return (c->can & KOP_OFFSET_CAN_READ_EXACT) == 0 || (c->can & KOP_OFFSET_CAN_READ) != 0 ||
         (c->can & KOP_OFFSET_CAN_LIST) != 0;
}

kop_status kop_offset_search_new(kop_offset_map *map, const kop_offset_search_config *config,
                                 kop_offset_search **out) {
  if (out == NULL) return KOP_ERR_INVALID;
  *out = NULL;
  kop_offset_search_config own = defaults(sizeof own);
  if (config != NULL && kopi_sized_load(&own, sizeof own, config) != KOP_OK) return KOP_ERR_INVALID;
  if (map == NULL || !usable(&own)) return KOP_ERR_INVALID;
  kop_alloc alloc;
  kop_status status = kopi_alloc_init(&alloc, own.alloc);
  if (status != KOP_OK) return status;
  kop_offset_search *s = kopi_calloc(&alloc, 1, sizeof *s);
  if (s == NULL) return KOP_ERR_NOMEM;
  s->alloc = alloc;
  s->map = map;
  s->can = own.can;
  s->max_probes = own.max_probes;
  s->max_restarts = own.max_restarts;
  *out = s;
  return KOP_OK;
}

void kop_offset_search_free(kop_offset_search *search) {
  if (search == NULL) return;
  kop_alloc alloc = search->alloc;
  kopi_free(&alloc, search);
}

void kopi_offset_search_end(kop_offset_search *s, uint32_t kind, const kop_offset_entry *entry) {
  s->state = SEARCH_ENDED;
  s->result.kind = kind;
  if (entry == NULL) return;
  s->result.entry = *entry;
  s->result.entry.reserved = 0;
  if (kind != KOP_OFFSET_FOUND) return;
  if (s->find == KOP_OFFSET_FIND_OFFSET) {
    (void)kop_offset_entry_find(entry, s->wanted, &s->result.batch_index);
  } else if (s->find == KOP_OFFSET_FIND_LATEST) {
    s->result.batch_index = entry->count - 1;
  } else {
    s->result.batch_index = entry->count - 1 - (int32_t)(entry->last - entry->first);
  }
}

uint8_t kopi_offset_search_yes(const kop_offset_search *s, const kop_offset_entry *e) {
  if (e->last < 0) return 0;
  if (s->find == KOP_OFFSET_FIND_OFFSET) return e->last >= s->wanted;
  return s->find != KOP_OFFSET_FIND_TIME || e->timestamp >= s->wanted;
}

static void set_hi(kop_offset_search *s, const kop_offset_entry *e) {
  s->hi = *e;
  s->hi_pos = kopi_offset_pos_of(e);
  s->has_hi = 1;
}

static void set_lo(kop_offset_search *s, const kop_offset_entry *e) {
  s->lo = *e;
  s->has_lo = 1;
}

static void begin_by_offset(kop_offset_search *s) {
  kop_offset_place place;
  (void)kop_offset_map_query(s->map, s->wanted, &place);
  if (place.kind == KOP_OFFSET_EXACT) {
    kopi_offset_search_end(s, KOP_OFFSET_FOUND, &place.high);
    return;
  }
  if ((place.known & KOP_OFFSET_LOW) != 0) set_lo(s, &place.low);
  if ((place.known & KOP_OFFSET_HIGH) != 0) set_hi(s, &place.high);
}

/* Timestamps of the checkpoints need not ascend, so the first one late enough decides. */
static void begin_by_time(kop_offset_search *s) {
  const kop_offset_map *m = s->map;
  for (size_t i = 0; i < m->len; i++) {
    if (m->points[i].timestamp < 0) continue;
    if (m->points[i].timestamp >= s->wanted) {
      set_hi(s, &m->points[i]);
      return;
    }
    set_lo(s, &m->points[i]);
  }
}

/* The interval as the map knows it. */
static void begin_round(kop_offset_search *s) {
  s->has_lo = s->has_hi = 0;
  s->read_first = s->read_list = s->lo_stood = 0;
  s->tried_shortcut = s->on_shortcut = 0;
  s->empty = s->wants_list = s->walks = 0;
  s->guessed = 0;
  s->last_room = 0;
  s->stride = 0;
  s->lo_number = s->hi_number = 0;
  s->checks_number = 0;
  s->map_changes = s->map->changes;
  if (s->find == KOP_OFFSET_FIND_OFFSET) {
    begin_by_offset(s);
  } else if (s->find == KOP_OFFSET_FIND_TIME) {
    begin_by_time(s);
  }
  if ((s->can & (KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_READ_EXACT)) == 0) {
    s->has_lo = s->has_hi = 0; /* the map does not know numbers */
  }
}

void kopi_offset_search_restart(kop_offset_search *s) {
  if (s->result.restarts == s->max_restarts) {
    kopi_offset_search_end(s, KOP_OFFSET_GAVE_UP, NULL);
    return;
  }
  s->result.restarts++;
  begin_round(s);
}

static void go_on(kop_offset_search *s) {
  if (s->state == SEARCH_RUNS) kopi_offset_search_choose(s);
  if (s->state != SEARCH_RUNS) return;
  if (s->result.probes == s->max_probes) {
    kopi_offset_search_end(s, KOP_OFFSET_GAVE_UP, NULL);
    return;
  }
  s->result.probes++;
}

kop_status kop_offset_search_begin(kop_offset_search *search, uint32_t find, int64_t value) {
  if (find < KOP_OFFSET_FIND_OFFSET || find > KOP_OFFSET_FIND_TIME || value < 0) {
    return KOP_ERR_INVALID;
  }
  search->find = find;
  search->wanted = value;
  search->state = SEARCH_RUNS;
  search->result =
      (kop_offset_result){.size = sizeof search->result, .start_offset = -1, .end_offset = -1};
  begin_round(search);
  go_on(search);
  return KOP_OK;
}

/* The caller has trimmed or reset the map since: what lo and hi say may be gone. */
static uint8_t overtaken(const kop_offset_search *s) {
  return s->state == SEARCH_RUNS && s->map_changes != s->map->changes;
}

kop_status kop_offset_search_probe(kop_offset_search *search, kop_offset_probe *out) {
  if (search->state == SEARCH_IDLE) return KOP_ERR_STATE;
  if (overtaken(search)) {
    kopi_offset_search_restart(search);
    go_on(search);
  }
  if (search->state == SEARCH_ENDED) return KOP_ERR_NOT_FOUND;
  *out = search->probe;
  return KOP_OK;
}

kop_status kop_offset_search_answer(kop_offset_search *search, const kop_offset_answer *answer) {
  if (search->state != SEARCH_RUNS) return KOP_ERR_STATE;
  kop_offset_answer own = {.next_offset = -1};
  if (kopi_sized_load(&own, sizeof own, answer) != KOP_OK) return KOP_ERR_INVALID;
  uint8_t late = overtaken(search);
  kop_status status = kopi_offset_search_take(search, &own);
  if (status != KOP_OK) return status;
  if (late && search->state == SEARCH_RUNS) kopi_offset_search_restart(search);
  search->map_changes = search->map->changes;
  go_on(search);
  return KOP_OK;
}

kop_status kop_offset_search_result(const kop_offset_search *search, kop_offset_result *out) {
  if (search->state != SEARCH_ENDED) return KOP_ERR_STATE;
  *out = search->result;
  return KOP_OK;
}
