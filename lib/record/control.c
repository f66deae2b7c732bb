/*
 * Control records: what the protocol itself writes into a partition.
 *
 *    key:   version i16 | type i16          versions above 0 may append to it
 *    value: version i16 | coordinator epoch i32      of an abort or commit marker
 */
#include <kop/record.h>

#include "base/endian.h"

kop_status kop_control_decode(const kop_record *record, kop_control *control) {
  const kop_slice *key = &record->key;
  const kop_slice *value = &record->value;
  if (key->ptr == NULL || key->len < 4) return KOP_ERR_MALFORMED;
  int16_t version = (int16_t)kopi_load_be16(key->ptr);
  if (version < 0) return KOP_ERR_MALFORMED;
  *control = (kop_control){
      .version = version,
      .type = (int16_t)kopi_load_be16(key->ptr + 2),
      .coordinator_epoch = -1,
  };
  if (control->type != KOP_CONTROL_ABORT && control->type != KOP_CONTROL_COMMIT) return KOP_OK;
  if (value->ptr == NULL || value->len < 6) return KOP_ERR_MALFORMED;
  if ((int16_t)kopi_load_be16(value->ptr) < 0) return KOP_ERR_MALFORMED;
  control->coordinator_epoch = (int32_t)kopi_load_be32(value->ptr + 2);
  return KOP_OK;
}
