/**
 * @file kafka_error.h
 * Kafka's error codes: the int16 that responses carry. They are data and no ::kop_status.
 */
#ifndef KOP_KAFKA_ERROR_H
#define KOP_KAFKA_ERROR_H

#include <kop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Every error code of Kafka 4.4.0, by the name it has there. */
enum {
  KOP_KAFKA_UNKNOWN_SERVER_ERROR = -1, /**< A client does not retry it. */
  KOP_KAFKA_NONE = 0,                  /**< Success. */
  KOP_KAFKA_OFFSET_OUT_OF_RANGE = 1,   /**< A client does not retry it. */
  KOP_KAFKA_CORRUPT_MESSAGE = 2,       /**< A client retries it. */
  KOP_KAFKA_UNKNOWN_TOPIC_OR_PARTITION =
      3, /**< A client retries it after it has asked for metadata again. */
  KOP_KAFKA_INVALID_FETCH_SIZE = 4, /**< A client does not retry it. */
  KOP_KAFKA_LEADER_NOT_AVAILABLE =
      5, /**< A client retries it after it has asked for metadata again. */
  KOP_KAFKA_NOT_LEADER_OR_FOLLOWER =
      6, /**< A client retries it after it has asked for metadata again. */
  KOP_KAFKA_REQUEST_TIMED_OUT = 7,    /**< A client retries it. */
  KOP_KAFKA_BROKER_NOT_AVAILABLE = 8, /**< A client does not retry it. */
  KOP_KAFKA_REPLICA_NOT_AVAILABLE =
      9, /**< A client retries it after it has asked for metadata again. */
  KOP_KAFKA_MESSAGE_TOO_LARGE = 10,         /**< A client does not retry it. */
  KOP_KAFKA_STALE_CONTROLLER_EPOCH = 11,    /**< A client does not retry it. */
  KOP_KAFKA_OFFSET_METADATA_TOO_LARGE = 12, /**< A client does not retry it. */
  KOP_KAFKA_NETWORK_EXCEPTION =
      13, /**< A client retries it after it has asked for metadata again. */
  KOP_KAFKA_COORDINATOR_LOAD_IN_PROGRESS = 14,          /**< A client retries it. */
  KOP_KAFKA_COORDINATOR_NOT_AVAILABLE = 15,             /**< A client retries it. */
  KOP_KAFKA_NOT_COORDINATOR = 16,                       /**< A client retries it. */
  KOP_KAFKA_INVALID_TOPIC_EXCEPTION = 17,               /**< A client does not retry it. */
  KOP_KAFKA_RECORD_LIST_TOO_LARGE = 18,                 /**< A client does not retry it. */
  KOP_KAFKA_NOT_ENOUGH_REPLICAS = 19,                   /**< A client retries it. */
  KOP_KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20,      /**< A client retries it. */
  KOP_KAFKA_INVALID_REQUIRED_ACKS = 21,                 /**< A client does not retry it. */
  KOP_KAFKA_ILLEGAL_GENERATION = 22,                    /**< A client does not retry it. */
  KOP_KAFKA_INCONSISTENT_GROUP_PROTOCOL = 23,           /**< A client does not retry it. */
  KOP_KAFKA_INVALID_GROUP_ID = 24,                      /**< A client does not retry it. */
  KOP_KAFKA_UNKNOWN_MEMBER_ID = 25,                     /**< A client does not retry it. */
  KOP_KAFKA_INVALID_SESSION_TIMEOUT = 26,               /**< A client does not retry it. */
  KOP_KAFKA_REBALANCE_IN_PROGRESS = 27,                 /**< A client does not retry it. */
  KOP_KAFKA_INVALID_COMMIT_OFFSET_SIZE = 28,            /**< A client does not retry it. */
  KOP_KAFKA_TOPIC_AUTHORIZATION_FAILED = 29,            /**< A client does not retry it. */
  KOP_KAFKA_GROUP_AUTHORIZATION_FAILED = 30,            /**< A client does not retry it. */
  KOP_KAFKA_CLUSTER_AUTHORIZATION_FAILED = 31,          /**< A client does not retry it. */
  KOP_KAFKA_INVALID_TIMESTAMP = 32,                     /**< A client does not retry it. */
  KOP_KAFKA_UNSUPPORTED_SASL_MECHANISM = 33,            /**< A client does not retry it. */
  KOP_KAFKA_ILLEGAL_SASL_STATE = 34,                    /**< A client does not retry it. */
  KOP_KAFKA_UNSUPPORTED_VERSION = 35,                   /**< A client does not retry it. */
  KOP_KAFKA_TOPIC_ALREADY_EXISTS = 36,                  /**< A client does not retry it. */
  KOP_KAFKA_INVALID_PARTITIONS = 37,                    /**< A client does not retry it. */
  KOP_KAFKA_INVALID_REPLICATION_FACTOR = 38,            /**< A client does not retry it. */
  KOP_KAFKA_INVALID_REPLICA_ASSIGNMENT = 39,            /**< A client does not retry it. */
  KOP_KAFKA_INVALID_CONFIG = 40,                        /**< A client does not retry it. */
  KOP_KAFKA_NOT_CONTROLLER = 41,                        /**< A client retries it. */
  KOP_KAFKA_INVALID_REQUEST = 42,                       /**< A client does not retry it. */
  KOP_KAFKA_UNSUPPORTED_FOR_MESSAGE_FORMAT = 43,        /**< A client does not retry it. */
  KOP_KAFKA_POLICY_VIOLATION = 44,                      /**< A client does not retry it. */
  KOP_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER = 45,          /**< A client does not retry it. */
  KOP_KAFKA_DUPLICATE_SEQUENCE_NUMBER = 46,             /**< A client does not retry it. */
  KOP_KAFKA_INVALID_PRODUCER_EPOCH = 47,                /**< A client does not retry it. */
  KOP_KAFKA_INVALID_TXN_STATE = 48,                     /**< A client does not retry it. */
  KOP_KAFKA_INVALID_PRODUCER_ID_MAPPING = 49,           /**< A client does not retry it. */
  KOP_KAFKA_INVALID_TRANSACTION_TIMEOUT = 50,           /**< A client does not retry it. */
  KOP_KAFKA_CONCURRENT_TRANSACTIONS = 51,               /**< A client retries it. */
  KOP_KAFKA_TRANSACTION_COORDINATOR_FENCED = 52,        /**< A client does not retry it. */
  KOP_KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53, /**< A client does not retry it. */
  KOP_KAFKA_SECURITY_DISABLED = 54,                     /**< A client does not retry it. */
  KOP_KAFKA_OPERATION_NOT_ATTEMPTED = 55,               /**< A client does not retry it. */
  KOP_KAFKA_KAFKA_STORAGE_ERROR =
      56, /**< A client retries it after it has asked for metadata again. */
  KOP_KAFKA_LOG_DIR_NOT_FOUND = 57,                     /**< A client does not retry it. */
  KOP_KAFKA_SASL_AUTHENTICATION_FAILED = 58,            /**< A client does not retry it. */
  KOP_KAFKA_UNKNOWN_PRODUCER_ID = 59,                   /**< A client does not retry it. */
  KOP_KAFKA_REASSIGNMENT_IN_PROGRESS = 60,              /**< A client does not retry it. */
  KOP_KAFKA_DELEGATION_TOKEN_AUTH_DISABLED = 61,        /**< A client does not retry it. */
  KOP_KAFKA_DELEGATION_TOKEN_NOT_FOUND = 62,            /**< A client does not retry it. */
  KOP_KAFKA_DELEGATION_TOKEN_OWNER_MISMATCH = 63,       /**< A client does not retry it. */
  KOP_KAFKA_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64,  /**< A client does not retry it. */
  KOP_KAFKA_DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65, /**< A client does not retry it. */
  KOP_KAFKA_DELEGATION_TOKEN_EXPIRED = 66,              /**< A client does not retry it. */
  KOP_KAFKA_INVALID_PRINCIPAL_TYPE = 67,                /**< A client does not retry it. */
  KOP_KAFKA_NON_EMPTY_GROUP = 68,                       /**< A client does not retry it. */
  KOP_KAFKA_GROUP_ID_NOT_FOUND = 69,                    /**< A client does not retry it. */
  KOP_KAFKA_FETCH_SESSION_ID_NOT_FOUND = 70,            /**< A client retries it. */
  KOP_KAFKA_INVALID_FETCH_SESSION_EPOCH = 71,           /**< A client retries it. */
  KOP_KAFKA_LISTENER_NOT_FOUND =
      72, /**< A client retries it after it has asked for metadata again. */
  KOP_KAFKA_TOPIC_DELETION_DISABLED = 73, /**< A client does not retry it. */
  KOP_KAFKA_FENCED_LEADER_EPOCH =
      74, /**< A client retries it after it has asked for metadata again. */
  KOP_KAFKA_UNKNOWN_LEADER_EPOCH = 75,         /**< A client retries it. */
  KOP_KAFKA_UNSUPPORTED_COMPRESSION_TYPE = 76, /**< A client does not retry it. */
  KOP_KAFKA_STALE_BROKER_EPOCH = 77,           /**< A client does not retry it. */
  KOP_KAFKA_OFFSET_NOT_AVAILABLE = 78,         /**< A client retries it. */
  KOP_KAFKA_MEMBER_ID_REQUIRED = 79,           /**< A client does not retry it. */
  KOP_KAFKA_PREFERRED_LEADER_NOT_AVAILABLE =
      80, /**< A client retries it after it has asked for metadata again. */
  KOP_KAFKA_GROUP_MAX_SIZE_REACHED = 81, /**< A client does not retry it. */
  KOP_KAFKA_FENCED_INSTANCE_ID = 82,     /**< A client does not retry it. */
  KOP_KAFKA_ELIGIBLE_LEADERS_NOT_AVAILABLE =
      83, /**< A client retries it after it has asked for metadata again. */
  KOP_KAFKA_ELECTION_NOT_NEEDED =
      84, /**< A client retries it after it has asked for metadata again. */
  KOP_KAFKA_NO_REASSIGNMENT_IN_PROGRESS = 85,       /**< A client does not retry it. */
  KOP_KAFKA_GROUP_SUBSCRIBED_TO_TOPIC = 86,         /**< A client does not retry it. */
  KOP_KAFKA_INVALID_RECORD = 87,                    /**< A client does not retry it. */
  KOP_KAFKA_UNSTABLE_OFFSET_COMMIT = 88,            /**< A client retries it. */
  KOP_KAFKA_THROTTLING_QUOTA_EXCEEDED = 89,         /**< A client retries it. */
  KOP_KAFKA_PRODUCER_FENCED = 90,                   /**< A client does not retry it. */
  KOP_KAFKA_RESOURCE_NOT_FOUND = 91,                /**< A client does not retry it. */
  KOP_KAFKA_DUPLICATE_RESOURCE = 92,                /**< A client does not retry it. */
  KOP_KAFKA_UNACCEPTABLE_CREDENTIAL = 93,           /**< A client does not retry it. */
  KOP_KAFKA_INCONSISTENT_VOTER_SET = 94,            /**< A client does not retry it. */
  KOP_KAFKA_INVALID_UPDATE_VERSION = 95,            /**< A client does not retry it. */
  KOP_KAFKA_FEATURE_UPDATE_FAILED = 96,             /**< A client does not retry it. */
  KOP_KAFKA_PRINCIPAL_DESERIALIZATION_FAILURE = 97, /**< A client does not retry it. */
  KOP_KAFKA_SNAPSHOT_NOT_FOUND = 98,                /**< A client does not retry it. */
  KOP_KAFKA_POSITION_OUT_OF_RANGE = 99,             /**< A client does not retry it. */
  KOP_KAFKA_UNKNOWN_TOPIC_ID =
      100, /**< A client retries it after it has asked for metadata again. */
  KOP_KAFKA_DUPLICATE_BROKER_REGISTRATION = 101, /**< A client does not retry it. */
  KOP_KAFKA_BROKER_ID_NOT_REGISTERED = 102,      /**< A client does not retry it. */
  KOP_KAFKA_INCONSISTENT_TOPIC_ID =
      103, /**< A client retries it after it has asked for metadata again. */
  KOP_KAFKA_INCONSISTENT_CLUSTER_ID = 104,                    /**< A client does not retry it. */
  KOP_KAFKA_TRANSACTIONAL_ID_NOT_FOUND = 105,                 /**< A client does not retry it. */
  KOP_KAFKA_FETCH_SESSION_TOPIC_ID_ERROR = 106,               /**< A client retries it. */
  KOP_KAFKA_INELIGIBLE_REPLICA = 107,                         /**< A client does not retry it. */
  KOP_KAFKA_NEW_LEADER_ELECTED = 108,                         /**< A client does not retry it. */
  KOP_KAFKA_OFFSET_MOVED_TO_TIERED_STORAGE = 109,             /**< A client does not retry it. */
  KOP_KAFKA_FENCED_MEMBER_EPOCH = 110,                        /**< A client does not retry it. */
  KOP_KAFKA_UNRELEASED_INSTANCE_ID = 111,                     /**< A client does not retry it. */
  KOP_KAFKA_UNSUPPORTED_ASSIGNOR = 112,                       /**< A client does not retry it. */
  KOP_KAFKA_STALE_MEMBER_EPOCH = 113,                         /**< A client does not retry it. */
  KOP_KAFKA_MISMATCHED_ENDPOINT_TYPE = 114,                   /**< A client does not retry it. */
  KOP_KAFKA_UNSUPPORTED_ENDPOINT_TYPE = 115,                  /**< A client does not retry it. */
  KOP_KAFKA_UNKNOWN_CONTROLLER_ID = 116,                      /**< A client does not retry it. */
  KOP_KAFKA_UNKNOWN_SUBSCRIPTION_ID = 117,                    /**< A client does not retry it. */
  KOP_KAFKA_TELEMETRY_TOO_LARGE = 118,                        /**< A client does not retry it. */
  KOP_KAFKA_INVALID_REGISTRATION = 119,                       /**< A client does not retry it. */
  KOP_KAFKA_TRANSACTION_ABORTABLE = 120,                      /**< A client does not retry it. */
  KOP_KAFKA_INVALID_RECORD_STATE = 121,                       /**< A client does not retry it. */
  KOP_KAFKA_SHARE_SESSION_NOT_FOUND = 122,                    /**< A client retries it. */
  KOP_KAFKA_INVALID_SHARE_SESSION_EPOCH = 123,                /**< A client retries it. */
  KOP_KAFKA_FENCED_STATE_EPOCH = 124,                         /**< A client does not retry it. */
  KOP_KAFKA_INVALID_VOTER_KEY = 125,                          /**< A client does not retry it. */
  KOP_KAFKA_DUPLICATE_VOTER = 126,                            /**< A client does not retry it. */
  KOP_KAFKA_VOTER_NOT_FOUND = 127,                            /**< A client does not retry it. */
  KOP_KAFKA_INVALID_REGULAR_EXPRESSION = 128,                 /**< A client does not retry it. */
  KOP_KAFKA_REBOOTSTRAP_REQUIRED = 129,                       /**< A client does not retry it. */
  KOP_KAFKA_STREAMS_INVALID_TOPOLOGY = 130,                   /**< A client does not retry it. */
  KOP_KAFKA_STREAMS_INVALID_TOPOLOGY_EPOCH = 131,             /**< A client does not retry it. */
  KOP_KAFKA_STREAMS_TOPOLOGY_FENCED = 132,                    /**< A client does not retry it. */
  KOP_KAFKA_SHARE_SESSION_LIMIT_REACHED = 133,                /**< A client retries it. */
  KOP_KAFKA_GROUP_DELETION_FAILED = 134,                      /**< A client does not retry it. */
  KOP_KAFKA_STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED = 135, /**< A client does not retry it. */
  KOP_KAFKA_CONTROLLER_ID_NOT_REGISTERED = 136                /**< A client does not retry it. */
};

/**
 * Names an error code for a log line or an error message.
 *
 * @param code  Any int16.
 * @return A static string such as "NOT_LEADER_OR_FOLLOWER", "UNKNOWN" for a code that this release does not know. Never fails. Since 0.1.
 */
KOP_API const char *kop_kafka_error_name(int16_t code);

/**
 * Finds the code of a name.
 *
 * @param name  For example "NOT_LEADER_OR_FOLLOWER".
 * @param code  Receives the code.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND. Since 0.1.
 */
KOP_API kop_status kop_kafka_error_find(const char *name, int16_t *code);

/**
 * Whether clients send the same request again after this error.
 *
 * @param code  Any int16.
 * @return 1 for errors that Kafka calls retriable, else 0, also for unknown codes. Never fails. Since 0.1.
 */
KOP_API uint8_t kop_kafka_error_retriable(int16_t code);

#ifdef __cplusplus
}
#endif

#endif
