/* Settings as the admin APIs check them and show them. */
#include "engine/config_answer.h"

const char *kopi_topic_config_fault(const kop_engine *e, kop_slice name, kop_slice value) {
  const char *reason = NULL;
  kop_status status = kop_config_check(KOP_CONFIG_TOPIC, name, value, &reason);
  if (status == KOP_OK) return NULL;
  bool is_policy = kopi_slice_equal(name, kopi_text("cleanup.policy"));
  bool compacts = (e->cfg.store & KOP_STORE_COMPACTS_KEYS) != 0;
  if (status == KOP_ERR_UNSUPPORTED && is_policy && compacts) return NULL;
  return reason;
}

kop_slice kopi_config_answer_value(kop_engine *e, kopi_request *r, const kop_config_entry *own,
                                   uint32_t own_len, const kopi_config_row *row, int8_t *source) {
  char digits[KOPI_CONFIG_DIGITS];
  kop_slice value = kopi_topic_config_value(&e->settings, own, own_len, row, digits, source);
  bool is_local = value.ptr == (const uint8_t *)digits;
  return is_local ? kopi_answer_text(r, "%.*s", (int)value.len, digits) : value;
}
