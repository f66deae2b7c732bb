/* Writing metadata into room that is known to be enough: for what puts something in front of it. */
#ifndef KOPI_PULSAR_METADATA_H
#define KOPI_PULSAR_METADATA_H

#include "pulsar/pb.h"

/* KOP_ERR_INVALID or KOP_ERR_MALFORMED, as kop_pulsar_metadata_write() gives them. */
kop_status kopi_pulsar_metadata_check(const kop_pulsar_metadata *md);

/* Writes kop_pulsar_metadata_size() bytes of a checked metadata; gives the position behind them. */
uint8_t *kopi_pulsar_metadata_put(uint8_t *p, const kop_pulsar_metadata *md,
                                  const kop_pulsar_property *properties, size_t property_count);

/* The same for a SingleMessageMetadata with that payload size. */
size_t kopi_pulsar_single_size(const kop_pulsar_single *single, int32_t payload_size,
                               const kop_pulsar_property *properties, size_t property_count);
uint8_t *kopi_pulsar_single_put(uint8_t *p, const kop_pulsar_single *single, int32_t payload_size,
                                const kop_pulsar_property *properties, size_t property_count);

#endif
