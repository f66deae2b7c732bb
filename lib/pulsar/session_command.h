/*
 * Commands as bytes: what the session sends, and what brokers send it.
 *
 * A received command is decoded into an arena of the session and is valid until the next one is decoded.
 */
#ifndef KOPI_PULSAR_SESSION_COMMAND_H
#define KOPI_PULSAR_SESSION_COMMAND_H

#include "pulsar/session.h"

enum kopi_ps_kind {
  KOPI_PS_OTHER, /* nothing for us */
  KOPI_PS_CONNECTED,
  KOPI_PS_AUTH_CHALLENGE,
  KOPI_PS_PING,
  KOPI_PS_PONG,
  KOPI_PS_SUCCESS,
  KOPI_PS_ERROR,
  KOPI_PS_LOOKUP_RESPONSE,
  KOPI_PS_PARTITIONS_RESPONSE,
  KOPI_PS_PRODUCER_SUCCESS,
  KOPI_PS_SEND_RECEIPT,
  KOPI_PS_SEND_ERROR,
  KOPI_PS_CLOSE_PRODUCER,
  KOPI_PS_CLOSE_CONSUMER,
  KOPI_PS_MESSAGE,
  KOPI_PS_ACK_RESPONSE,
  KOPI_PS_LAST_MESSAGE_ID,
  KOPI_PS_END_OF_TOPIC,
  KOPI_PS_ACTIVE_CHANGE,
  KOPI_PS_TOPICS_RESPONSE,
  KOPI_PS_WATCH_SUCCESS,
  KOPI_PS_WATCH_UPDATE,
  KOPI_PS_TOPIC_MIGRATED
};

typedef struct kopi_ps_looked_up {
  bool failed;
  bool redirect;
  bool authoritative;
  bool proxy;
  int32_t server_error;
  kop_slice text;
  kop_slice url;
  kop_slice url_tls;
} kopi_ps_looked_up;

/* One received command. Which fields count depends on the kind; what is missing is zero, null or -1. */
struct kopi_ps_command {
  kopi_ps_conn *conn;
  int32_t kind;
  uint64_t request;     /* that it answers */
  uint64_t id;          /* producer, consumer or watcher */
  int32_t server_error; /* ERROR, SEND_ERROR, and answers that hold one; KOP_PULSAR_NO_ERROR */
  kop_slice text;       /* its words */

  /* CONNECTED */
  kop_slice server;
  int32_t protocol_version;
  uint32_t max_message_bytes; /* 0: not said */
  uint32_t features;          /* KOP_PULSAR_SERVER_ */
  /* AUTH_CHALLENGE */
  kop_slice method;
  kop_slice challenge;
  /* PRODUCER_SUCCESS */
  kop_slice name;
  int64_t last_sequence_id;
  int64_t topic_epoch; /* -1: none */
  kop_slice schema_version;
  bool ready;
  /* SEND_RECEIPT, SEND_ERROR */
  uint64_t sequence_id;
  uint64_t highest_sequence_id;
  /* SEND_RECEIPT, MESSAGE, LAST_MESSAGE_ID */
  kop_pulsar_message_id message_id;
  kop_pulsar_message_id mark_delete; /* ledger and entry -1: not said */
  /* MESSAGE */
  uint32_t redelivery_count;
  kop_pulsar_repeated ack_set;
  kop_slice entry;
  /* CLOSE_PRODUCER, CLOSE_CONSUMER, TOPIC_MIGRATED */
  kop_slice url;
  kop_slice url_tls;
  bool is_consumer; /* TOPIC_MIGRATED */
  /* ACTIVE_CHANGE */
  bool active;
  /* LOOKUP_RESPONSE; PARTITIONS_RESPONSE */
  kopi_ps_looked_up looked_up;
  uint32_t partitions;
  /* TOPICS_RESPONSE, WATCH_SUCCESS, WATCH_UPDATE */
  const char *const *topics;
  size_t topics_count;
  const char *const *removed;
  size_t removed_count;
  kop_slice topics_hash;
};

/* Decodes a frame without its length. KOP_ERR_MALFORMED, KOP_ERR_LIMIT, KOP_ERR_NOMEM. */
kop_status kopi_ps_command_read(kopi_ps *s, kop_slice frame, kopi_ps_command *out);

/* Whether protobuf can carry it as a string: no byte 0, not absurdly long. */
bool kopi_ps_is_text(kop_slice s);
/* The same for properties. */
bool kopi_ps_are_texts(const kop_pulsar_property *properties, uint32_t n);

/*
 * The writers: each encodes one command and queues it on the connection. KOP_ERR_LIMIT (max_control_bytes), KOP_ERR_NOMEM: then
 * nothing was queued.
 */
kop_status kopi_ps_put_connect(kopi_ps *s, kopi_ps_conn *c);
kop_status kopi_ps_put_auth_response(kopi_ps *s, kopi_ps_conn *c, kop_slice data);
kop_status kopi_ps_put_lookup(kopi_ps *s, kopi_ps_conn *c, uint64_t request, kop_slice topic,
                              bool authoritative);
kop_status kopi_ps_put_partitions(kopi_ps *s, kopi_ps_conn *c, uint64_t request, kop_slice topic);
kop_status kopi_ps_put_topics(kopi_ps *s, kopi_ps_conn *c, uint64_t request, kop_slice ns,
                              uint32_t mode);
kop_status kopi_ps_put_watch(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t watcher,
                             kop_slice ns, kop_slice pattern);
kop_status kopi_ps_put_unwatch(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t watcher);

typedef struct kopi_ps_producer_open {
  kop_slice topic;
  kop_slice name; /* null: the broker chooses */
  bool name_is_given;
  uint64_t epoch;
  int64_t topic_epoch; /* -1: none */
  uint32_t access_mode;
  const kop_pulsar_property *properties;
  uint32_t properties_count;
} kopi_ps_producer_open;

kop_status kopi_ps_put_producer(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t producer,
                                const kopi_ps_producer_open *o);
kop_status kopi_ps_put_close_producer(kopi_ps *s, kopi_ps_conn *c, uint64_t request,
                                      uint64_t producer);

typedef struct kopi_ps_subscribe {
  kop_slice topic;
  kop_slice subscription;
  kop_slice name; /* null: none */
  uint32_t type;
  uint32_t flags; /* KOP_PULSAR_CONSUMER_ */
  int32_t priority;
  const kop_pulsar_message_id *start; /* NULL: none */
  const kop_pulsar_property *properties;
  uint32_t properties_count;
} kopi_ps_subscribe;

kop_status kopi_ps_put_subscribe(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t consumer,
                                 const kopi_ps_subscribe *o);
kop_status kopi_ps_put_close_consumer(kopi_ps *s, kopi_ps_conn *c, uint64_t request,
                                      uint64_t consumer);
kop_status kopi_ps_put_unsubscribe(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t consumer,
                                   bool force);
kop_status kopi_ps_put_flow(kopi_ps *s, kopi_ps_conn *c, uint64_t consumer, uint32_t permits);
/* request 0: without a receipt */
kop_status kopi_ps_put_ack(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t consumer,
                           const kop_pulsar_ack_info *ack);
/* id NULL: by time */
kop_status kopi_ps_put_seek(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t consumer,
                            const kop_pulsar_message_id *id, uint64_t publish_ms);
kop_status kopi_ps_put_last_message_id(kopi_ps *s, kopi_ps_conn *c, uint64_t request,
                                       uint64_t consumer);

#endif
