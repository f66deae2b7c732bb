/* The topic in memory. */
#include "model.h"

void model_init(model *m, uint64_t seed) {
  m->len = 0;
  m->ledger_len = 0;
  m->first_ledger = 0;
  m->next_offset = 0;
  m->rng = seed;
  model_roll(m);
}

void model_roll(model *m) {
  if (m->ledger_len == MODEL_LEDGERS) return;
  uint64_t id = m->ledger_len == 0 ? rng_below(&m->rng, 1000) : m->ledgers[m->ledger_len - 1].id;
  id += 1 + (rng_below(&m->rng, 3) == 0 ? rng_below(&m->rng, 50) : 0);
  m->ledgers[m->ledger_len++] = (model_ledger){.id = id, .begin = m->len};
}

void model_append(model *m, const model_shape *shape) {
  for (uint32_t n = 0; n < shape->entries && m->len < MODEL_ENTRIES; n++) {
    while (rng_below(&m->rng, shape->per_ledger) == 0 && m->ledger_len < MODEL_LEDGERS)
      model_roll(m);
    model_ledger *ledger = &m->ledgers[m->ledger_len - 1];
    uint8_t hidden = shape->hidden_one_in != 0 && rng_below(&m->rng, shape->hidden_one_in) == 0;
    int32_t count = hidden ? 1 : (int32_t)(1 + rng_below(&m->rng, shape->batch));
    int64_t said = shape->miscounted && rng_below(&m->rng, 4) == 0
                       ? (int64_t)(1 + rng_below(&m->rng, (uint64_t)count))
                       : count;
    if (shape->gap_one_in != 0 && rng_below(&m->rng, shape->gap_one_in) == 0) {
      m->next_offset += (int64_t)(1 + rng_below(&m->rng, 40));
    }
    uint64_t index = UINT64_MAX;
    if (n >= shape->unindexed) {
      m->next_offset += said;
      index = (uint64_t)m->next_offset - 1;
    }
    (void)kop_offset_entry_set(ledger->id, ledger->count++, index, count,
                               1000 + 10 * (int64_t)m->len, &m->entries[m->len]);
    m->hidden[m->len++] = hidden;
  }
}

void model_trim(model *m, uint32_t ledgers) {
  m->first_ledger += ledgers;
  if (m->first_ledger >= m->ledger_len) m->first_ledger = m->ledger_len - 1;
}

uint32_t model_first(const model *m) {
  return m->ledgers[m->first_ledger].begin;
}

uint8_t model_sees(const model *m, uint32_t can, uint32_t i) {
  return !m->hidden[i] || (can & KOP_OFFSET_CAN_READ) == 0;
}

static kop_offset_answer none(uint32_t kind) {
  return (kop_offset_answer){.size = sizeof(kop_offset_answer), .kind = kind, .next_offset = -1};
}

static kop_offset_answer give(const model *m, uint32_t i) {
  kop_offset_answer a = none(KOP_OFFSET_ANSWER_ENTRY);
  a.entry = m->entries[i];
  return a;
}

/* The first visible entry at or after a place in the row. */
static kop_offset_answer from(const model *m, uint32_t can, uint32_t i) {
  for (; i < m->len; i++) {
    if (model_sees(m, can, i)) return give(m, i);
  }
  return none(KOP_OFFSET_ANSWER_NONE);
}

static kop_offset_answer last(const model *m, uint32_t can) {
  for (uint32_t i = m->len; i > model_first(m); i--) {
    if (model_sees(m, can, i - 1)) return give(m, i - 1);
  }
  return none(KOP_OFFSET_ANSWER_NONE);
}

static kop_offset_answer at(const model *m, uint32_t can, const kop_offset_probe *probe) {
  kop_offset_entry place = {.ledger_id = probe->ledger_id, .entry_id = probe->entry_id};
  for (uint32_t i = model_first(m); i < m->len; i++) {
    int32_t order = kop_offset_entry_compare(&m->entries[i], &place);
    if ((can & KOP_OFFSET_CAN_READ) != 0 ? order >= 0 : order == 0) return from(m, can, i);
  }
  return none((can & KOP_OFFSET_CAN_READ) != 0 ? KOP_OFFSET_ANSWER_NONE
                                               : KOP_OFFSET_ANSWER_MISSING);
}

static kop_offset_answer list(const model *m, kop_offset_ledger *out) {
  kop_offset_answer a = none(KOP_OFFSET_ANSWER_LEDGERS);
  a.ledgers = out;
  a.next_offset = m->next_offset;
  for (uint32_t i = m->first_ledger; i < m->ledger_len; i++) {
    out[a.ledgers_count++] = (kop_offset_ledger){m->ledgers[i].id, m->ledgers[i].count};
  }
  return a;
}

/* getMessageIdByIndex of brokers that have it. */
static kop_offset_answer by_index(const model *m, int64_t offset) {
  kop_offset_answer a = none(KOP_OFFSET_ANSWER_POSITION);
  for (uint32_t i = model_first(m); i < m->len; i++) {
    if (m->entries[i].last < offset) continue;
    a.entry = m->entries[i];
    return a;
  }
  return none(KOP_OFFSET_ANSWER_NONE);
}

kop_offset_answer model_answer(const model *m, uint32_t can, const kop_offset_probe *probe,
                               kop_offset_ledger *room) {
  switch (probe->kind) {
  case KOP_OFFSET_PROBE_FIRST:
    return from(m, can, model_first(m));
  case KOP_OFFSET_PROBE_LAST:
    return last(m, can);
  case KOP_OFFSET_PROBE_AT:
    return at(m, can, probe);
  case KOP_OFFSET_PROBE_KTH:
    if (probe->kth > m->len - model_first(m)) return none(KOP_OFFSET_ANSWER_NONE);
    return give(m, model_first(m) + (uint32_t)probe->kth - 1);
  case KOP_OFFSET_PROBE_LEDGERS:
    return list(m, room);
  case KOP_OFFSET_PROBE_INDEX:
    return by_index(m, probe->value);
  default:
    return none(KOP_OFFSET_ANSWER_UNSUPPORTED);
  }
}
