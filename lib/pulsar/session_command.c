/* What brokers send: frames into commands. */
#include "pulsar/session_command.h"

#include <string.h>

#include "pulsar/frame.h"

static kop_slice text_of(const char *text) {
  if (text == NULL) return (kop_slice){.ptr = NULL};
  return (kop_slice){.ptr = (const uint8_t *)text, .len = strlen(text)};
}

static kop_slice bytes_of(int has, ProtobufCBinaryData data) {
  if (!has) return (kop_slice){.ptr = NULL};
  static const uint8_t NOTHING[1] = {0};
  return (kop_slice){.ptr = data.len == 0 ? NOTHING : data.data, .len = data.len};
}

static kop_pulsar_message_id no_id(void) {
  return (kop_pulsar_message_id){.ledger_id = KOP_PULSAR_EARLIEST,
                                 .entry_id = KOP_PULSAR_EARLIEST,
                                 .partition = -1,
                                 .batch_index = -1};
}

static kop_pulsar_message_id id_of(const Kopi__MessageIdData *m) {
  if (m == NULL) return no_id();
  return (kop_pulsar_message_id){.ledger_id = m->ledgerid,
                                 .entry_id = m->entryid,
                                 .partition = m->partition,
                                 .batch_index = m->batch_index,
                                 .batch_size = m->has_batch_size ? m->batch_size : 0};
}

/* Fills in what an answer says of an error. */
static void set_error(kopi_ps_command *out, int has, int32_t error, const char *text) {
  out->server_error = has ? error : KOP_PULSAR_NO_ERROR;
  out->text = text_of(text);
}

static void read_connected(const Kopi__CommandConnected *m, kopi_ps_command *out) {
  out->server = text_of(m->server_version);
  out->protocol_version = m->protocol_version;
  if (m->has_max_message_size && m->max_message_size > 0)
    out->max_message_bytes = (uint32_t)m->max_message_size;
  const Kopi__FeatureFlags *f = m->feature_flags;
  if (f == NULL) return;
  out->features = (f->supports_auth_refresh ? KOP_PULSAR_SERVER_AUTH_REFRESH : 0u) |
                  (f->supports_broker_entry_metadata ? KOP_PULSAR_SERVER_ENTRY_METADATA : 0u) |
                  (f->supports_topic_watchers ? KOP_PULSAR_SERVER_TOPIC_WATCHERS : 0u) |
                  (f->supports_get_partitioned_metadata_without_auto_creation
                       ? KOP_PULSAR_SERVER_PARTITIONS_WITHOUT_CREATION
                       : 0u);
}

static void read_challenge(const Kopi__CommandAuthChallenge *m, kopi_ps_command *out) {
  if (m->challenge == NULL) return;
  out->method = text_of(m->challenge->auth_method_name);
  out->challenge = bytes_of(m->challenge->has_auth_data, m->challenge->auth_data);
}

static void read_looked_up(const Kopi__CommandLookupTopicResponse *m, kopi_ps_command *out) {
  out->request = m->request_id;
  kopi_ps_looked_up *l = &out->looked_up;
  l->failed = !m->has_response ||
              (m->response != KOPI__COMMAND_LOOKUP_TOPIC_RESPONSE__LOOKUP_TYPE__Redirect &&
               m->response != KOPI__COMMAND_LOOKUP_TOPIC_RESPONSE__LOOKUP_TYPE__Connect);
  l->redirect = m->response == KOPI__COMMAND_LOOKUP_TOPIC_RESPONSE__LOOKUP_TYPE__Redirect;
  l->authoritative = m->authoritative;
  l->proxy = m->proxy_through_service_url;
  l->server_error = m->has_error ? (int32_t)m->error : KOP_PULSAR_NO_ERROR;
  l->text = text_of(m->message);
  l->url = text_of(m->brokerserviceurl);
  l->url_tls = text_of(m->brokerserviceurltls);
}

static void read_partitions(const Kopi__CommandPartitionedTopicMetadataResponse *m,
                            kopi_ps_command *out) {
  out->request = m->request_id;
  out->partitions = m->has_partitions ? m->partitions : 0;
  bool ok = m->has_response &&
            m->response == KOPI__COMMAND_PARTITIONED_TOPIC_METADATA_RESPONSE__LOOKUP_TYPE__Success;
  if (!ok) {
    out->kind = KOPI_PS_ERROR;
    set_error(out, m->has_error, (int32_t)m->error, m->message);
  }
}

static void read_producer_success(const Kopi__CommandProducerSuccess *m, kopi_ps_command *out) {
  out->request = m->request_id;
  out->name = text_of(m->producer_name);
  out->last_sequence_id = m->last_sequence_id;
  out->schema_version = bytes_of(m->has_schema_version, m->schema_version);
  out->topic_epoch = m->has_topic_epoch ? (int64_t)m->topic_epoch : -1;
  out->ready = m->producer_ready;
}

static void read_send_error(const Kopi__CommandSendError *m, kopi_ps_command *out) {
  out->id = m->producer_id;
  out->sequence_id = m->sequence_id;
  set_error(out, 1, (int32_t)m->error, m->message);
}

static void read_last_message_id(const Kopi__CommandGetLastMessageIdResponse *m,
                                 kopi_ps_command *out) {
  out->request = m->request_id;
  out->message_id = id_of(m->last_message_id);
  out->mark_delete = id_of(m->consumer_mark_delete_position);
}

static void read_migrated(const Kopi__CommandTopicMigrated *m, kopi_ps_command *out) {
  out->id = m->resource_id;
  out->is_consumer = m->resource_type == KOPI__COMMAND_TOPIC_MIGRATED__RESOURCE_TYPE__Consumer;
  out->url = text_of(m->brokerserviceurl);
  out->url_tls = text_of(m->brokerserviceurltls);
}

/* The topics of a namespace, by request and by watcher. */
static void read_topics(const Kopi__BaseCommand *b, kopi_ps_command *out) {
  if (out->kind == KOPI_PS_TOPICS_RESPONSE) {
    const Kopi__CommandGetTopicsOfNamespaceResponse *m = b->gettopicsofnamespaceresponse;
    out->request = m->request_id;
    out->topics = (const char *const *)m->topics;
    out->topics_count = m->n_topics;
    out->topics_hash = text_of(m->topics_hash);
  } else if (out->kind == KOPI_PS_WATCH_SUCCESS) {
    const Kopi__CommandWatchTopicListSuccess *m = b->watchtopiclistsuccess;
    out->request = m->request_id;
    out->id = m->watcher_id;
    out->topics = (const char *const *)m->topic;
    out->topics_count = m->n_topic;
    out->topics_hash = text_of(m->topics_hash);
  } else {
    const Kopi__CommandWatchTopicUpdate *m = b->watchtopicupdate;
    out->id = m->watcher_id;
    out->topics = (const char *const *)m->new_topics;
    out->topics_count = m->n_new_topics;
    out->removed = (const char *const *)m->deleted_topics;
    out->removed_count = m->n_deleted_topics;
    out->topics_hash = text_of(m->topics_hash);
  }
}

static void read_close(const Kopi__BaseCommand *b, kopi_ps_command *out) {
  if (out->kind == KOPI_PS_CLOSE_PRODUCER) {
    out->id = b->close_producer->producer_id;
    out->url = text_of(b->close_producer->assignedbrokerserviceurl);
    out->url_tls = text_of(b->close_producer->assignedbrokerserviceurltls);
  } else {
    out->id = b->close_consumer->consumer_id;
    out->url = text_of(b->close_consumer->assignedbrokerserviceurl);
    out->url_tls = text_of(b->close_consumer->assignedbrokerserviceurltls);
  }
}

static void read_body(const Kopi__BaseCommand *b, kopi_ps_command *out) {
  switch (out->kind) {
  case KOPI_PS_CONNECTED:
    read_connected(b->connected, out);
    break;
  case KOPI_PS_AUTH_CHALLENGE:
    read_challenge(b->authchallenge, out);
    break;
  case KOPI_PS_SUCCESS:
    out->request = b->success->request_id;
    break;
  case KOPI_PS_ERROR:
    out->request = b->error->request_id;
    set_error(out, 1, (int32_t)b->error->error, b->error->message);
    break;
  case KOPI_PS_LOOKUP_RESPONSE:
    read_looked_up(b->lookuptopicresponse, out);
    break;
  case KOPI_PS_PARTITIONS_RESPONSE:
    read_partitions(b->partitionmetadataresponse, out);
    break;
  case KOPI_PS_PRODUCER_SUCCESS:
    read_producer_success(b->producer_success, out);
    break;
  case KOPI_PS_SEND_ERROR:
    read_send_error(b->send_error, out);
    break;
  case KOPI_PS_CLOSE_PRODUCER:
  case KOPI_PS_CLOSE_CONSUMER:
    read_close(b, out);
    break;
  case KOPI_PS_ACK_RESPONSE:
    out->id = b->ackresponse->consumer_id;
    out->request = b->ackresponse->has_request_id ? b->ackresponse->request_id : 0;
    set_error(out, b->ackresponse->has_error, (int32_t)b->ackresponse->error,
              b->ackresponse->message);
    break;
  case KOPI_PS_LAST_MESSAGE_ID:
    read_last_message_id(b->getlastmessageidresponse, out);
    break;
  case KOPI_PS_END_OF_TOPIC:
    out->id = b->reachedendoftopic->consumer_id;
    break;
  case KOPI_PS_ACTIVE_CHANGE:
    out->id = b->active_consumer_change->consumer_id;
    out->active = b->active_consumer_change->is_active;
    break;
  case KOPI_PS_TOPIC_MIGRATED:
    read_migrated(b->topicmigrated, out);
    break;
  default:
    read_topics(b, out);
    break;
  }
}

static int32_t kind_of(int32_t type) {
  switch (type) {
#define KIND(name, kind)                                                                           \
  case KOPI__BASE_COMMAND__TYPE__##name:                                                           \
    return kind
    KIND(CONNECTED, KOPI_PS_CONNECTED);
    KIND(AUTH_CHALLENGE, KOPI_PS_AUTH_CHALLENGE);
    KIND(PING, KOPI_PS_PING);
    KIND(PONG, KOPI_PS_PONG);
    KIND(SUCCESS, KOPI_PS_SUCCESS);
    KIND(ERROR, KOPI_PS_ERROR);
    KIND(LOOKUP_RESPONSE, KOPI_PS_LOOKUP_RESPONSE);
    KIND(PARTITIONED_METADATA_RESPONSE, KOPI_PS_PARTITIONS_RESPONSE);
    KIND(PRODUCER_SUCCESS, KOPI_PS_PRODUCER_SUCCESS);
    KIND(SEND_RECEIPT, KOPI_PS_SEND_RECEIPT);
    KIND(SEND_ERROR, KOPI_PS_SEND_ERROR);
    KIND(CLOSE_PRODUCER, KOPI_PS_CLOSE_PRODUCER);
    KIND(CLOSE_CONSUMER, KOPI_PS_CLOSE_CONSUMER);
    KIND(MESSAGE, KOPI_PS_MESSAGE);
    KIND(ACK_RESPONSE, KOPI_PS_ACK_RESPONSE);
    KIND(GET_LAST_MESSAGE_ID_RESPONSE, KOPI_PS_LAST_MESSAGE_ID);
    KIND(REACHED_END_OF_TOPIC, KOPI_PS_END_OF_TOPIC);
    KIND(ACTIVE_CONSUMER_CHANGE, KOPI_PS_ACTIVE_CHANGE);
    KIND(GET_TOPICS_OF_NAMESPACE_RESPONSE, KOPI_PS_TOPICS_RESPONSE);
    KIND(WATCH_TOPIC_LIST_SUCCESS, KOPI_PS_WATCH_SUCCESS);
    KIND(WATCH_TOPIC_UPDATE, KOPI_PS_WATCH_UPDATE);
    KIND(TOPIC_MIGRATED, KOPI_PS_TOPIC_MIGRATED);
#undef KIND
  default:
    return KOPI_PS_OTHER;
  }
}

static kop_status read_receipt(kop_slice body, kopi_ps_command *out) {
  kopi_pulsar_receipt r;
  kop_status status = kopi_pulsar_receipt_read(body, &r);
  out->id = r.producer_id;
  out->sequence_id = r.sequence_id;
  out->highest_sequence_id = r.highest_sequence_id;
  out->message_id = r.id;
  return status;
}

static kop_status read_delivery(kop_slice body, kop_slice tail, kopi_ps_command *out) {
  kopi_pulsar_delivery d;
  kop_status status = kopi_pulsar_delivery_read(body, &d);
  out->id = d.consumer_id;
  out->message_id = d.id;
  out->ack_set = d.ack_set;
  out->redelivery_count = d.redelivery_count;
  out->entry = tail;
  return status;
}

kop_status kopi_ps_command_read(kopi_ps *s, kop_slice bytes, kopi_ps_command *out) {
  kopi_pulsar_frame frame;
  int32_t type = 0;
  kop_slice body = {.ptr = NULL};
  kop_status status = kopi_pulsar_frame_split(bytes.ptr, bytes.len, &frame);
  if (status == KOP_OK) status = kopi_pulsar_command_peek(frame.command, &type, &body);
  if (status != KOP_OK) return status;
  *out = (kopi_ps_command){.kind = kind_of(type),
                           .server_error = KOP_PULSAR_NO_ERROR,
                           .last_sequence_id = -1,
                           .topic_epoch = -1};
  switch (out->kind) {
  case KOPI_PS_OTHER:
  case KOPI_PS_PING:
  case KOPI_PS_PONG:
    return KOP_OK;
  case KOPI_PS_SEND_RECEIPT: /* in one piece, as every broker sends it */
    return body.ptr == NULL ? KOP_ERR_MALFORMED : read_receipt(body, out);
  case KOPI_PS_MESSAGE:
    return body.ptr == NULL ? KOP_ERR_MALFORMED : read_delivery(body, frame.tail, out);
  default:
    break;
  }
  const Kopi__BaseCommand *base = NULL;
  status = kopi_pulsar_command_decode(&s->decoded, frame.command, &base);
  if (status == KOP_OK) read_body(base, out);
  return status;
}
