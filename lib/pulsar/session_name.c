/* Names for what a log line speaks of. */
#include <kop/pulsar.h>

const char *kop_pulsar_server_error_name(int32_t server_error) {
  static const char *const NAMES[] = {
      "UnknownError",
      "MetadataError",
      "PersistenceError",
      "AuthenticationError",
      "AuthorizationError",
      "ConsumerBusy",
      "ServiceNotReady",
      "ProducerBlockedQuotaExceededError",
      "ProducerBlockedQuotaExceededException",
      "ChecksumError",
      "UnsupportedVersionError",
      "TopicNotFound",
      "SubscriptionNotFound",
      "ConsumerNotFound",
      "TooManyRequests",
      "TopicTerminatedError",
      "ProducerBusy",
      "InvalidTopicName",
      "IncompatibleSchema",
      "ConsumerAssignError",
      "TransactionCoordinatorNotFound",
      "InvalidTxnStatus",
      "NotAllowedError",
      "TransactionConflict",
      "TransactionNotFound",
      "ProducerFenced",
  };
  if (server_error == KOP_PULSAR_NO_ERROR) return "none";
  if (server_error < 0 || server_error > KOP_PULSAR_PRODUCER_FENCED) return "unknown";
  return NAMES[server_error];
}

const char *kop_pulsar_outcome_name(int32_t outcome) {
  static const char *const NAMES[] = {
      "done",      "refused", "timed out",     "disconnected",
      "cancelled", "limited", "not supported", "bad answer",
      "corrupted", "silence", "unused",        "closed by the broker",
  };
  if (outcome < KOP_PULSAR_DONE || outcome > KOP_PULSAR_MOVED) return "unknown";
  return NAMES[outcome];
}
