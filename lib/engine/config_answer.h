/* Settings as the admin APIs check them and show them. */
#ifndef KOPI_ENGINE_CONFIG_ANSWER_H
#define KOPI_ENGINE_CONFIG_ANSWER_H

#include "engine/answer.h"

/* NULL if a topic may have that value with this embedder's store, else what is wrong. */
const char *kopi_topic_config_fault(const kop_engine *e, kop_slice name, kop_slice value);

/* The value that counts and where it comes from (KOPI_SOURCE_), for as long as the request lives. */
kop_slice kopi_config_answer_value(kop_engine *e, kopi_request *r, const kop_config_entry *own,
                                   uint32_t own_len, const kopi_config_row *row, int8_t *source);

#endif
