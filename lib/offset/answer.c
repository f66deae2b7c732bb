/*
 * What an answer does to the interval of a search.
 *
 * That nothing stands between two positions is believed of a reader only as long as lo is still there afterwards: trimming takes from the
 * front, so if lo stands, all that ever followed it does. `lo_stood` keeps account of that.
 */
#include "offset/search.h"

static kopi_offset_pos after(const kop_offset_entry *e) {
  return (kopi_offset_pos){e->ledger_id, e->entry_id + 1};
}

static int32_t compare(const kop_offset_entry *a, const kop_offset_entry *b) {
  return kop_offset_entry_compare(a, b);
}

static void learn(kop_offset_search *s, const kop_offset_entry *e) {
  /* Refused memory costs a checkpoint, nothing else. */
  (void)kop_offset_map_observe(s->map, e, 1, NULL);
}

static void raise_lo(kop_offset_search *s, const kop_offset_entry *e) {
  if (s->has_lo && compare(e, &s->lo) <= 0) return;
  if (e->last < 0 && s->has_lo && s->lo.last >= 0) {
    kopi_offset_search_end(s, KOP_OFFSET_NO_INDEX, e);
    return;
  }
  s->lo = *e;
  s->has_lo = 1;
  s->lo_stood = 1;
}

/* `e` answers yes, and nothing exists between `from` and it. */
static void lower_hi(kop_offset_search *s, const kop_offset_entry *e, kopi_offset_pos from) {
  if (s->has_hi && compare(e, &s->hi) >= 0) return;
  if (s->has_lo && compare(e, &s->lo) <= 0)
    return; /* the index went back: what stands first counts */
  if (s->has_lo && kopi_offset_pos_compare(from, after(&s->lo)) < 0) from = after(&s->lo);
  s->hi = *e;
  s->hi_pos = from;
  s->has_hi = 1;
  if (kopi_offset_pos_compare(from, kopi_offset_pos_of(e)) < 0) s->lo_stood = 0;
}

static uint8_t ends_found(kop_offset_search *s, const kop_offset_entry *e) {
  if (s->find != KOP_OFFSET_FIND_OFFSET || !kopi_offset_holds(e, s->wanted)) return 0;
  kopi_offset_search_end(s, KOP_OFFSET_FOUND, e);
  return 1;
}

static void take_first(kop_offset_search *s, const kop_offset_entry *e) {
  (void)kop_offset_map_set_first(s->map, e);
  s->read_first = 1;
  s->lo_stood = 1;
  if (e->last >= 0) s->result.start_offset = e->first;
  if (s->lo_number == 0) s->lo_number = 1;
  if (!kopi_offset_search_yes(s, e)) {
    if (s->has_hi && compare(e, &s->hi) >= 0) {
      kopi_offset_search_restart(s);
    } else {
      raise_lo(s, e);
    }
  } else if (!ends_found(s, e)) {
    uint8_t low = s->find == KOP_OFFSET_FIND_OFFSET;
    kopi_offset_search_end(s, low ? KOP_OFFSET_TOO_LOW : KOP_OFFSET_FOUND, e);
  }
}

static void take_last(kop_offset_search *s, const kop_offset_entry *e) {
  learn(s, e);
  if (e->last < 0) {
    kopi_offset_search_end(s, KOP_OFFSET_NO_INDEX, e);
    return;
  }
  s->result.end_offset = e->last + 1;
  if (s->find == KOP_OFFSET_FIND_LATEST) {
    kopi_offset_search_end(s, KOP_OFFSET_FOUND, e);
  } else if (!kopi_offset_search_yes(s, e)) {
    kopi_offset_search_end(s, KOP_OFFSET_TOO_HIGH, e);
  } else if (s->has_lo && compare(e, &s->lo) <= 0) {
    kopi_offset_search_restart(s); /* the topic was cut or made anew */
  } else if (!ends_found(s, e)) {
    lower_hi(s, e, kopi_offset_pos_of(e));
  }
}

/* Nothing exists from `asked` up to hi_pos. */
static void shrink_to(kop_offset_search *s, kopi_offset_pos asked) {
  if (kopi_offset_pos_compare(asked, s->hi_pos) < 0) s->hi_pos = asked;
  s->lo_stood = 0;
}

static void take_at(kop_offset_search *s, const kop_offset_entry *e) {
  learn(s, e);
  uint8_t direct = s->on_shortcut;
  s->on_shortcut = 0;
  if (ends_found(s, e)) return;
  if (direct && s->find == KOP_OFFSET_FIND_TIME && e->last >= 0) {
    kopi_offset_search_end(s, KOP_OFFSET_FOUND, e); /* the broker searched by its own clock */
    return;
  }
  if (!direct && s->has_hi && compare(e, &s->hi) > 0) {
    kopi_offset_search_restart(s); /* hi and all before it are gone */
  } else if (!direct && s->has_hi && compare(e, &s->hi) == 0) {
    shrink_to(s, s->asked);
  } else if (kopi_offset_search_yes(s, e)) {
    lower_hi(s, e, s->asked);
  } else {
    raise_lo(s, e);
  }
}

/* An exact reader found no entry: it looks on at the start of the next ledger, as a reader of the topic would. */
static void take_missing(kop_offset_search *s) {
  if (s->on_shortcut) {
    s->on_shortcut = 0;
    return;
  }
  if (!s->read_list) {
    s->wants_list = 1;
    return;
  }
  kopi_offset_pos next;
  if (kopi_offset_next_ledger(s->map, s->probe.ledger_id, &next) &&
      kopi_offset_pos_compare(next, s->hi_pos) < 0) {
    s->probe.ledger_id = next.ledger;
    s->probe.entry_id = next.entry;
    s->walks = 1;
    return;
  }
  shrink_to(s, s->asked);
}

static void take_none_at(kop_offset_search *s) {
  if (s->on_shortcut) {
    s->on_shortcut = 0;
  } else {
    kopi_offset_search_restart(s); /* hi stood there: the topic was cut or made anew */
  }
}

static void take_kth(kop_offset_search *s, const kop_offset_entry *e) {
  learn(s, e);
  if (s->checks_number) {
    s->lo_stood = 1;
    if (compare(e, &s->lo) != 0) kopi_offset_search_restart(s);
    return; /* else choose settles it */
  }
  if (compare(e, &s->lo) <= 0) {
    kopi_offset_search_restart(s);
  } else if (ends_found(s, e)) {
    return;
  } else if (kopi_offset_search_yes(s, e)) {
    s->hi = *e;
    s->hi_pos = kopi_offset_pos_of(e);
    s->hi_number = s->probe.kth;
  } else {
    raise_lo(s, e);
    s->lo_number = s->probe.kth;
  }
}

static void take_none_kth(kop_offset_search *s) {
  if (s->checks_number) {
    kopi_offset_search_restart(s);
  } else {
    s->hi_number = s->probe.kth;
  }
}

static kop_status take_entry(kop_offset_search *s, const kop_offset_entry *e) {
  if (!kopi_offset_entry_valid(e)) return KOP_ERR_INVALID;
  switch (s->probe.kind) {
  case KOP_OFFSET_PROBE_FIRST:
    take_first(s, e);
    return KOP_OK;
  case KOP_OFFSET_PROBE_LAST:
    take_last(s, e);
    return KOP_OK;
  case KOP_OFFSET_PROBE_KTH:
    take_kth(s, e);
    return KOP_OK;
  case KOP_OFFSET_PROBE_AT: {
    kopi_offset_pos at = {s->probe.ledger_id, s->probe.entry_id};
    if (kopi_offset_pos_compare(kopi_offset_pos_of(e), at) < 0) return KOP_ERR_INVALID;
    take_at(s, e);
    return KOP_OK;
  }
  default:
    return KOP_ERR_INVALID;
  }
}

static kop_status take_none(kop_offset_search *s) {
  switch (s->probe.kind) {
  case KOP_OFFSET_PROBE_FIRST:
  case KOP_OFFSET_PROBE_LAST:
    s->empty = 1;
    return KOP_OK;
  case KOP_OFFSET_PROBE_AT:
    take_none_at(s);
    return KOP_OK;
  case KOP_OFFSET_PROBE_KTH:
    take_none_kth(s);
    return KOP_OK;
  case KOP_OFFSET_PROBE_INDEX:
  case KOP_OFFSET_PROBE_TIME:
    return KOP_OK; /* the ordinary way finds out why */
  default:
    return KOP_ERR_INVALID;
  }
}

static kop_status take_position(kop_offset_search *s, const kop_offset_entry *e) {
  if (s->probe.kind != KOP_OFFSET_PROBE_INDEX && s->probe.kind != KOP_OFFSET_PROBE_TIME) {
    return KOP_ERR_INVALID;
  }
  if (e->ledger_id == UINT64_MAX) return KOP_OK; /* earliest: FIRST comes next anyway */
  s->on_shortcut = 1;
  s->asked = kopi_offset_pos_of(e);
  return KOP_OK;
}

static kop_status take_ledgers(kop_offset_search *s, const kop_offset_answer *a) {
  if (s->probe.kind != KOP_OFFSET_PROBE_LEDGERS) return KOP_ERR_INVALID;
  kop_status status = kop_offset_map_ledgers(s->map, a->ledgers, a->ledgers_count);
  if (status == KOP_ERR_INVALID) return status;
  s->read_list = 1;
  if (s->empty && a->next_offset >= 0) {
    s->result.start_offset = s->result.end_offset = a->next_offset;
  }
  if (!s->empty && s->has_lo &&
      kopi_offset_pos_compare(kopi_offset_pos_of(&s->lo), s->map->start) < 0) {
    kopi_offset_search_restart(s);
  }
  return KOP_OK;
}

static void take_unsupported(kop_offset_search *s) {
  switch (s->probe.kind) {
  case KOP_OFFSET_PROBE_LEDGERS:
    s->read_list = 1;
    if ((s->can & (KOP_OFFSET_CAN_READ | KOP_OFFSET_CAN_EXAMINE)) != 0 || s->empty) {
      s->can &= ~(uint32_t)(KOP_OFFSET_CAN_LIST | KOP_OFFSET_CAN_READ_EXACT);
      return;
    }
    break;
  case KOP_OFFSET_PROBE_INDEX:
    s->can &= ~(uint32_t)KOP_OFFSET_CAN_INDEX;
    return;
  case KOP_OFFSET_PROBE_TIME:
    s->can &= ~(uint32_t)KOP_OFFSET_CAN_TIME;
    return;
  default:
    break;
  }
  kopi_offset_search_end(s, KOP_OFFSET_GAVE_UP, NULL);
}

kop_status kopi_offset_search_take(kop_offset_search *s, const kop_offset_answer *a) {
  switch (a->kind) {
  case KOP_OFFSET_ANSWER_ENTRY:
    return take_entry(s, &a->entry);
  case KOP_OFFSET_ANSWER_NONE:
    return take_none(s);
  case KOP_OFFSET_ANSWER_MISSING:
    if (s->probe.kind != KOP_OFFSET_PROBE_AT) return KOP_ERR_INVALID;
    take_missing(s);
    return KOP_OK;
  case KOP_OFFSET_ANSWER_TRIMMED:
    if (s->probe.kind != KOP_OFFSET_PROBE_AT) return KOP_ERR_INVALID;
    kopi_offset_search_restart(s);
    return KOP_OK;
  case KOP_OFFSET_ANSWER_POSITION:
    return take_position(s, &a->entry);
  case KOP_OFFSET_ANSWER_LEDGERS:
    return take_ledgers(s, a);
  case KOP_OFFSET_ANSWER_UNSUPPORTED:
    take_unsupported(s);
    return KOP_OK;
  case KOP_OFFSET_ANSWER_FAILED:
    kopi_offset_search_end(s, KOP_OFFSET_GAVE_UP, NULL);
    return KOP_OK;
  default:
    return KOP_ERR_INVALID;
  }
}
