/*
 * Which probe comes next.
 *
 * In the row of entries that the list of ledgers makes, or within one ledger, the next position is a guess by offset, since
 * offsets grow about evenly. A guess that leaves more than half is followed by the plain middle, so n entries never take more than
 * two times log2(n) probes. Where the list does not reach (no rights to read it, ledgers made since), ledger ids are halved,
 * and the end of a ledger is found by galloping:
 *
 *     lo at (7, 30), hi_pos at (8, 0):  (7, 31)  (7, 33)  (7, 37)  (7, 45) is beyond the end: halve (7, 37) to (7, 45)
 */
#include "offset/search.h"

enum { STRIDE_BITS = 62 };

static void ask(kop_offset_search *s, uint32_t kind) {
  s->probe = (kop_offset_probe){.size = sizeof s->probe, .kind = kind, .value = s->wanted};
  if (kind != KOP_OFFSET_PROBE_INDEX && kind != KOP_OFFSET_PROBE_TIME) s->probe.value = 0;
}

static void ask_at(kop_offset_search *s, kopi_offset_pos pos) {
  ask(s, KOP_OFFSET_PROBE_AT);
  s->asked = pos;
  s->probe.ledger_id = pos.ledger;
  s->probe.entry_id = pos.entry;
}

static void ask_kth(kop_offset_search *s, uint64_t number) {
  ask(s, KOP_OFFSET_PROBE_KTH);
  s->probe.kth = number;
}

static uint8_t can(const kop_offset_search *s, uint32_t bits) {
  return (s->can & bits) != 0;
}

/* No position is left between lo and hi_pos. */
static uint8_t closed(const kop_offset_search *s) {
  if (!s->has_lo || !s->has_hi) return 0;
  kopi_offset_pos lo = kopi_offset_pos_of(&s->lo);
  return kopi_offset_pos_compare(s->hi_pos, lo) <= 0 || kopi_offset_adjacent(s->map, lo, s->hi_pos);
}

/* hi is the first entry that answers yes, and does not hold the wanted offset itself. */
static void settle(kop_offset_search *s) {
  uint8_t by_offset = s->find == KOP_OFFSET_FIND_OFFSET;
  if (by_offset && !s->lo_stood) {
    ask(s, KOP_OFFSET_PROBE_FIRST); /* was it missing, or trimmed? */
    return;
  }
  if (s->lo.last < 0) {
    kopi_offset_map_prove_first(s->map, &s->hi);
    s->result.start_offset = s->hi.first;
    kopi_offset_search_end(s, by_offset ? KOP_OFFSET_TOO_LOW : KOP_OFFSET_FOUND, &s->hi);
  } else {
    kopi_offset_search_end(s, by_offset ? KOP_OFFSET_IN_HOLE : KOP_OFFSET_FOUND, &s->hi);
  }
}

/* n * part / whole for part <= whole, without passing 64 bits; exact enough for a guess. */
static uint64_t share(uint64_t n, uint64_t part, uint64_t whole) {
  unsigned lost = 0;
  while (whole >> 32 != 0) {
    whole >>= 1;
    part >>= 1;
  }
  while (n >> 31 != 0) {
    n >>= 1;
    lost++;
  }
  return whole == 0 ? 0 : n * part / whole << lost;
}

/* Which of `room` positions between lo and hi_pos to read. */
static uint64_t pick(kop_offset_search *s, uint64_t room) {
  uint8_t poor = s->guessed && room > s->last_room / 2;
  uint8_t sloped = s->find == KOP_OFFSET_FIND_OFFSET && s->lo.last >= 0 &&
                   s->hi.first > s->wanted && s->wanted > s->lo.last;
  s->last_room = room;
  s->guessed = sloped && !poor;
  if (!s->guessed) return room / 2;
  uint64_t n =
      share(room, (uint64_t)(s->wanted - s->lo.last - 1), (uint64_t)(s->hi.first - s->lo.last - 1));
  return n < room ? n : room - 1;
}

/* Between two ledgers of which the list tells nothing. */
static void choose_blindly(kop_offset_search *s) {
  uint64_t ledger = s->lo.ledger_id, span = s->hi_pos.ledger - ledger;
  uint8_t fresh = s->stride == 0 || s->stride_ledger != ledger;
  uint8_t only_tail = span == 1 && s->hi_pos.entry == 0;
  if (only_tail || (fresh && can(s, KOP_OFFSET_CAN_LIST))) {
    s->stride = fresh ? 1 : s->stride * 2;
    s->stride_ledger = ledger;
    if (s->stride >> STRIDE_BITS != 0 || s->lo.entry_id >> STRIDE_BITS != 0) {
      kopi_offset_search_end(s, KOP_OFFSET_GAVE_UP, NULL);
      return;
    }
    ask_at(s, (kopi_offset_pos){ledger, s->lo.entry_id + s->stride});
    return;
  }
  uint64_t half = span / 2 + span % 2;
  if (half == span && s->hi_pos.entry == 0) half--;
  ask_at(s, (kopi_offset_pos){ledger + half, 0});
}

static void choose_position(kop_offset_search *s) {
  if (closed(s)) {
    settle(s);
    return;
  }
  uint8_t may_list = can(s, KOP_OFFSET_CAN_LIST) && !s->read_list;
  if (may_list && s->wants_list) {
    ask(s, KOP_OFFSET_PROBE_LEDGERS);
    return;
  }
  kopi_offset_pos lo = kopi_offset_pos_of(&s->lo);
  if (lo.ledger == s->hi_pos.ledger) {
    uint64_t n = pick(s, s->hi_pos.entry - lo.entry - 1);
    ask_at(s, (kopi_offset_pos){lo.ledger, lo.entry + 1 + n});
    return;
  }
  uint8_t reaches =
      kopi_offset_listed(s->map, lo.ledger) && kopi_offset_listed(s->map, s->hi_pos.ledger);
  if (may_list && !reaches) {
    ask(s, KOP_OFFSET_PROBE_LEDGERS);
    return;
  }
  uint64_t room = kopi_offset_between(s->map, lo, s->hi_pos);
  if (room > 0) {
    ask_at(s, kopi_offset_nth(s->map, lo, s->hi_pos, pick(s, room)));
  } else if (can(s, KOP_OFFSET_CAN_READ)) {
    choose_blindly(s);
  } else if (!s->read_list) {
    ask(s, KOP_OFFSET_PROBE_LEDGERS);
  } else {
    settle(s); /* the list is fresh and names nothing between */
  }
}

/* By number: trimming renumbers, so that lo is looked at once more before a hole is believed. */
static void choose_number(kop_offset_search *s) {
  if (s->hi_number == 0) {
    if (s->lo_number >> STRIDE_BITS != 0) {
      kopi_offset_search_end(s, KOP_OFFSET_GAVE_UP, NULL);
    } else {
      ask_kth(s, s->lo_number * 2);
    }
  } else if (s->hi_number - s->lo_number > 1) {
    ask_kth(s, s->lo_number + (s->hi_number - s->lo_number) / 2);
  } else if (!s->checks_number) {
    s->checks_number = 1;
    ask_kth(s, s->lo_number);
  } else {
    settle(s);
  }
}

static void choose_for_empty(kop_offset_search *s) {
  if (can(s, KOP_OFFSET_CAN_LIST) && !s->read_list) {
    ask(s, KOP_OFFSET_PROBE_LEDGERS);
    return;
  }
  if (s->result.end_offset < 0) s->result.end_offset = s->map->end_offset;
  s->result.start_offset = s->result.end_offset;
  uint8_t low = s->find == KOP_OFFSET_FIND_OFFSET && s->wanted < s->result.end_offset;
  kopi_offset_search_end(s, low ? KOP_OFFSET_TOO_LOW : KOP_OFFSET_TOO_HIGH, NULL);
}

/* The map may know an entry with an index behind those without. */
static void take_hi_from_map(kop_offset_search *s) {
  const kop_offset_map *m = s->map;
  if (s->find != KOP_OFFSET_FIND_EARLIEST || s->has_hi || !s->has_lo || m->len == 0) return;
  if (kop_offset_entry_compare(&m->points[0], &s->lo) <= 0) return;
  s->hi = m->points[0];
  s->hi_pos = kopi_offset_pos_of(&s->hi);
  s->has_hi = 1;
}

static uint32_t shortcut(const kop_offset_search *s) {
  if (s->tried_shortcut || !can(s, KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_READ_EXACT)) return 0;
  if (s->find == KOP_OFFSET_FIND_OFFSET && can(s, KOP_OFFSET_CAN_INDEX) && !closed(s)) {
    return KOP_OFFSET_PROBE_INDEX;
  }
  return s->find == KOP_OFFSET_FIND_TIME && can(s, KOP_OFFSET_CAN_TIME) ? KOP_OFFSET_PROBE_TIME : 0;
}

/* A step that needs no search among positions; 0 when there is none. */
static uint8_t choose_frame(kop_offset_search *s) {
  if (s->empty) {
    choose_for_empty(s);
  } else if (s->on_shortcut) {
    ask_at(s, s->asked);
  } else if (s->find == KOP_OFFSET_FIND_LATEST) {
    ask(s, KOP_OFFSET_PROBE_LAST);
  } else if (shortcut(s) != 0) {
    ask(s, shortcut(s));
    s->tried_shortcut = 1;
  } else if (!s->read_first && (!s->has_lo || s->result.restarts > 0)) {
    ask(s, KOP_OFFSET_PROBE_FIRST);
  } else if (!s->has_hi) {
    ask(s, KOP_OFFSET_PROBE_LAST);
  } else {
    return 0;
  }
  return 1;
}

void kopi_offset_search_choose(kop_offset_search *s) {
  if (s->walks) {
    s->walks = 0; /* the probe is set already */
    return;
  }
  take_hi_from_map(s);
  if (choose_frame(s)) return;
  if (can(s, KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_READ_EXACT)) {
    choose_position(s);
  } else {
    choose_number(s);
  }
}
