/* From what kopd was told to what the engine wants to know. */
#ifndef KOPD_ENGINE_CONFIG_H
#define KOPD_ENGINE_CONFIG_H

#include <kop/engine.h>

#include "options.h"
#include "store/store.h"

/* Makes the engine of one node. Returns 0, or -1 with a sentence in err. */
int kopd_engine_make(const kopd_options *options, const kopd_store *store, int32_t node_id,
                     uint32_t max_connections, kop_engine **out, char *err, size_t errcap);

#endif
