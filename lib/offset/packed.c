/*
 * Offsets that are a position in disguise: how Pulsar's offsets were made before entries had an index.
 *
 *     adaptor   0 | ledger 35 | entry 28                     one offset for a whole batch
 *     plug-in   0 | ledger 19 | entry 32 | batch index 12    ledger ids of a cluster outgrow 19 bits soon
 *
 * They leave gaps of 2^28 or 4,096 and 2^44, so that nothing which subtracts offsets works on them. They serve to read old
 * history and committed offsets of that time.
 */
#include <kop/offset.h>

enum {
  ADAPTOR_LEDGER_BITS = 35,
  ADAPTOR_ENTRY_BITS = 28,
  PLUGIN_LEDGER_BITS = 19,
  PLUGIN_ENTRY_BITS = 32,
  PLUGIN_BATCH_BITS = 12
};

static uint8_t fits(uint64_t value, unsigned bits) {
  return value >> bits == 0;
}

static uint64_t low_bits(uint64_t value, unsigned bits) {
  return value & ((UINT64_C(1) << bits) - 1);
}

kop_status kop_offset_adaptor_pack(uint64_t ledger_id, uint64_t entry_id, int64_t *offset) {
  if (!fits(ledger_id, ADAPTOR_LEDGER_BITS) || !fits(entry_id, ADAPTOR_ENTRY_BITS)) {
    return KOP_ERR_LIMIT;
  }
  *offset = (int64_t)(ledger_id << ADAPTOR_ENTRY_BITS | entry_id);
  return KOP_OK;
}

kop_status kop_offset_adaptor_unpack(int64_t offset, uint64_t *ledger_id, uint64_t *entry_id) {
  if (offset < 0) return KOP_ERR_INVALID;
  *ledger_id = (uint64_t)offset >> ADAPTOR_ENTRY_BITS;
  *entry_id = low_bits((uint64_t)offset, ADAPTOR_ENTRY_BITS);
  return KOP_OK;
}

kop_status kop_offset_plugin_pack(uint64_t ledger_id, uint64_t entry_id, int32_t batch_index,
                                  int64_t *offset) {
  if (!fits(ledger_id, PLUGIN_LEDGER_BITS) || !fits(entry_id, PLUGIN_ENTRY_BITS) ||
      batch_index < 0 || !fits((uint64_t)batch_index, PLUGIN_BATCH_BITS)) {
    return KOP_ERR_LIMIT;
  }
  *offset = (int64_t)(ledger_id << (PLUGIN_ENTRY_BITS + PLUGIN_BATCH_BITS) |
                      entry_id << PLUGIN_BATCH_BITS | (uint64_t)batch_index);
  return KOP_OK;
}

kop_status kop_offset_plugin_unpack(int64_t offset, uint64_t *ledger_id, uint64_t *entry_id,
                                    int32_t *batch_index) {
  if (offset < 0) return KOP_ERR_INVALID;
  uint64_t bits = (uint64_t)offset;
  *ledger_id = bits >> (PLUGIN_ENTRY_BITS + PLUGIN_BATCH_BITS);
  *entry_id = low_bits(bits >> PLUGIN_BATCH_BITS, PLUGIN_ENTRY_BITS);
  *batch_index = (int32_t)low_bits(bits, PLUGIN_BATCH_BITS);
  return KOP_OK;
}
