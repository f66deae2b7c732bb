/* Which API is answered by which file, in which versions, and what it needs of the embedder. */
#include "engine/api.h"

#define BIT(kind) (1ull << KOP_EFFECT_##kind)

/* What leading a partition takes. */
#define LEAD (BIT(ACQUIRE) | BIT(READ))

/*
 * Versions are those of the union of Kafka 3.9.2 and 4.4.0; the last one of InitProducerId (6) is unstable in 4.4.0 and stays out.
 */
static const kopi_api APIS[] = {
    {0, 0, 13, "Produce", LEAD | BIT(APPEND), kopi_api_produce},
    {1, 0, 18, "Fetch", LEAD, kopi_api_fetch},
    {2, 0, 11, "ListOffsets", LEAD | BIT(LIST_OFFSETS), kopi_api_list_offsets},
    {3, 0, 13, "Metadata", 0, kopi_api_metadata},
    {10, 0, 6, "FindCoordinator", 0, kopi_api_find_coordinator},
    {18, 0, 5, "ApiVersions", 0, kopi_api_api_versions},
    {19, 0, 7, "CreateTopics", BIT(CREATE_TOPIC), kopi_api_create_topics},
    {20, 0, 6, "DeleteTopics", BIT(DELETE_TOPIC), kopi_api_delete_topics},
    {21, 0, 2, "DeleteRecords", LEAD | BIT(DELETE_RECORDS), kopi_api_delete_records},
    {22, 0, 5, "InitProducerId", BIT(ALLOCATE_PRODUCER_IDS), kopi_api_init_producer_id},
    {23, 0, 4, "OffsetForLeaderEpoch", LEAD, kopi_api_offset_for_leader_epoch},
    {32, 0, 4, "DescribeConfigs", 0, kopi_api_describe_configs},
    {33, 0, 2, "AlterConfigs", BIT(ALTER_CONFIGS), kopi_api_alter_configs},
    {35, 0, 5, "DescribeLogDirs", 0, kopi_api_describe_log_dirs},
    {37, 0, 3, "CreatePartitions", BIT(CREATE_PARTITIONS), kopi_api_create_partitions},
    {43, 0, 2, "ElectLeaders", 0, kopi_api_elect_leaders},
    {44, 0, 1, "IncrementalAlterConfigs", BIT(ALTER_CONFIGS), kopi_api_incremental_alter_configs},
    {60, 0, 2, "DescribeCluster", 0, kopi_api_describe_cluster},
    {61, 0, 0, "DescribeProducers", LEAD, kopi_api_describe_producers},
    {75, 0, 0, "DescribeTopicPartitions", 0, kopi_api_describe_topic_partitions},
};

enum { APIS_LEN = sizeof APIS / sizeof APIS[0] };

const kopi_api *kopi_api_at(size_t index) {
  return index < APIS_LEN ? &APIS[index] : NULL;
}

const kopi_api *kopi_api_find(const kop_engine *e, int16_t key) {
  for (size_t i = 0; i < APIS_LEN; i++) {
    if (APIS[i].key == key) return kopi_serves(e, APIS[i].needs) ? &APIS[i] : NULL;
  }
  return NULL;
}
