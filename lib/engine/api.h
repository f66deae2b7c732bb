/*
 * Which API is answered by which file, in which versions, and what it needs of the embedder.
 *
 * The table is the truth for dispatch and for ApiVersions alike: what is not in it, or needs an effect that the
 * embedder does not serve, is neither advertised nor dispatched.
 */
#ifndef KOPI_ENGINE_API_H
#define KOPI_ENGINE_API_H

#include "engine/request.h"

typedef void kopi_api_handler(kop_engine *e, kopi_request *r, kop_now now);

typedef struct kopi_api {
  int16_t key;
  int16_t min; /* versions served */
  int16_t max;
  const char *name;
  uint64_t needs; /* effect kinds, bits 1 << KOP_EFFECT_X */
  kopi_api_handler *handle;
} kopi_api;

/* NULL past the end: the APIs in order of their keys, also those that this embedder does not serve. */
const kopi_api *kopi_api_at(size_t index);

/* NULL if the key is not served with this embedder. */
const kopi_api *kopi_api_find(const kop_engine *e, int16_t key);

kopi_api_handler kopi_api_alter_configs;
kopi_api_handler kopi_api_api_versions;
kopi_api_handler kopi_api_create_partitions;
kopi_api_handler kopi_api_create_topics;
kopi_api_handler kopi_api_delete_records;
kopi_api_handler kopi_api_delete_topics;
kopi_api_handler kopi_api_describe_cluster;
kopi_api_handler kopi_api_describe_configs;
kopi_api_handler kopi_api_describe_log_dirs;
kopi_api_handler kopi_api_describe_producers;
kopi_api_handler kopi_api_describe_topic_partitions;
kopi_api_handler kopi_api_elect_leaders;
kopi_api_handler kopi_api_fetch;
kopi_api_handler kopi_api_find_coordinator;
kopi_api_handler kopi_api_incremental_alter_configs;
kopi_api_handler kopi_api_init_producer_id;
kopi_api_handler kopi_api_list_offsets;
kopi_api_handler kopi_api_metadata;
kopi_api_handler kopi_api_offset_for_leader_epoch;
kopi_api_handler kopi_api_produce;

/* The answer to an ApiVersions request of a version that is not served: version 0 with UNSUPPORTED_VERSION and those that are (KIP-511). */
void kopi_api_versions_unsupported(kop_engine *e, kopi_request *r, kop_now now);

#endif
