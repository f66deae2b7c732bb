/* What the session sends: commands into frames, queued on a connection. */
#include <string.h>

#include "pulsar/frame.h"
#include "pulsar/session_command.h"
#include "pulsar/session_conn.h"

enum { PROTOCOL_VERSION = 21, LONGEST_TEXT = 1 << 20 };

bool kopi_ps_is_text(kop_slice s) {
  return s.len <= LONGEST_TEXT && (s.len == 0 || memchr(s.ptr, 0, s.len) == NULL);
}

bool kopi_ps_are_texts(const kop_pulsar_property *properties, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    if (!kopi_ps_is_text(properties[i].key) || !kopi_ps_is_text(properties[i].value)) return false;
  }
  return true;
}

/* Encodes and queues. `status`: whether memory for the command's parts was there. */
static kop_status put(kopi_ps *s, kopi_ps_conn *c, const Kopi__BaseCommand *b, kop_status status) {
  kopi_buf_reset(&s->encoded);
  if (status == KOP_OK) status = kopi_pulsar_frame_write(&s->encoded, b, 0);
  if (status == KOP_OK)
    status = kopi_ps_write(s, c, (kop_slice){.ptr = s->encoded.data, .len = s->encoded.len});
  kopi_arena_reset(&s->texts);
  return status;
}

/* With its end, as protobuf-c wants it. Null stays NULL. */
static const char *text(kopi_ps *s, kop_slice from, kop_status *ok) {
  if (from.ptr == NULL) return NULL;
  char *to = kopi_arena_alloc(&s->texts, from.len + 1);
  if (to == NULL) {
    *ok = kopi_arena_status(&s->texts, from.len + 1);
    return "";
  }
  if (from.len > 0) memcpy(to, from.ptr, from.len);
  to[from.len] = 0;
  return to;
}

/* A string that must be there. */
static const char *needed(kopi_ps *s, kop_slice from, kop_status *ok) {
  return from.ptr == NULL ? "" : text(s, from, ok);
}

static ProtobufCBinaryData binary(kop_slice from) {
  /* protobuf-c does not write to what it encodes */
  union {
    const uint8_t *from;
    uint8_t *to;
  } ptr = {.from = from.ptr};
  return (ProtobufCBinaryData){.len = from.len, .data = ptr.to};
}

/* Zeroed memory for the parts of a command; n 0 gives NULL. */
static void *parts(kopi_ps *s, size_t n, size_t size, kop_status *ok) {
  if (n == 0) return NULL;
  void *p = kopi_arena_calloc(&s->texts, n, size);
  if (p == NULL) *ok = kopi_arena_status(&s->texts, n * size);
  return p;
}

static Kopi__KeyValue **key_values(kopi_ps *s, const kop_pulsar_property *properties, uint32_t n,
                                   kop_status *ok) {
  Kopi__KeyValue **list = parts(s, n, sizeof(*list), ok);
  Kopi__KeyValue *all = parts(s, n, sizeof *all, ok);
  if (list == NULL || all == NULL) return NULL;
  for (uint32_t i = 0; i < n; i++) {
    kopi__key_value__init(&all[i]);
    all[i].key = needed(s, properties[i].key, ok);
    all[i].value = needed(s, properties[i].value, ok);
    list[i] = &all[i];
  }
  return list;
}

static void set_id(Kopi__MessageIdData *to, const kop_pulsar_message_id *id) {
  kopi__message_id_data__init(to);
  to->ledgerid = id->ledger_id;
  to->entryid = id->entry_id;
}

kop_status kopi_ps_put_connect(kopi_ps *s, kopi_ps_conn *c) {
  kop_status ok = KOP_OK;
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandConnect m = KOPI__COMMAND_CONNECT__INIT;
  Kopi__FeatureFlags f = KOPI__FEATURE_FLAGS__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__CONNECT;
  b.connect = &m;
  m.client_version = needed(s, s->cfg.client_version, &ok);
  m.has_protocol_version = 1;
  m.protocol_version = PROTOCOL_VERSION;
  m.auth_method_name = text(s, s->cfg.auth_method, &ok);
  m.has_auth_data = s->auth_data != NULL;
  m.auth_data = binary(kopi_ps_blob_slice(s->auth_data));
  m.proxy_to_broker_url = text(s, kopi_ps_blob_slice(c->target), &ok);
  m.feature_flags = &f;
  f.has_supports_auth_refresh = f.supports_auth_refresh = 1;
  f.has_supports_broker_entry_metadata = f.supports_broker_entry_metadata = 1;
  f.has_supports_topic_watchers = f.supports_topic_watchers = 1;
  return put(s, c, &b, ok);
}

kop_status kopi_ps_put_auth_response(kopi_ps *s, kopi_ps_conn *c, kop_slice data) {
  kop_status ok = KOP_OK;
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandAuthResponse m = KOPI__COMMAND_AUTH_RESPONSE__INIT;
  Kopi__AuthData d = KOPI__AUTH_DATA__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__AUTH_RESPONSE;
  b.authresponse = &m;
  m.client_version = needed(s, s->cfg.client_version, &ok);
  m.has_protocol_version = 1;
  m.protocol_version = PROTOCOL_VERSION;
  m.response = &d;
  d.auth_method_name = text(s, s->cfg.auth_method, &ok);
  d.has_auth_data = 1;
  d.auth_data = binary(data);
  return put(s, c, &b, ok);
}

kop_status kopi_ps_put_lookup(kopi_ps *s, kopi_ps_conn *c, uint64_t request, kop_slice topic,
                              bool authoritative) {
  kop_status ok = KOP_OK;
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandLookupTopic m = KOPI__COMMAND_LOOKUP_TOPIC__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__LOOKUP;
  b.lookuptopic = &m;
  m.topic = needed(s, topic, &ok);
  m.request_id = request;
  m.has_authoritative = 1;
  m.authoritative = authoritative;
  m.advertised_listener_name = text(s, s->cfg.listener_name, &ok);
  return put(s, c, &b, ok);
}

kop_status kopi_ps_put_partitions(kopi_ps *s, kopi_ps_conn *c, uint64_t request, kop_slice topic) {
  kop_status ok = KOP_OK;
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandPartitionedTopicMetadata m = KOPI__COMMAND_PARTITIONED_TOPIC_METADATA__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__PARTITIONED_METADATA;
  b.partitionmetadata = &m;
  m.topic = needed(s, topic, &ok);
  m.request_id = request;
  m.has_metadata_auto_creation_enabled = 1;
  m.metadata_auto_creation_enabled = 0;
  return put(s, c, &b, ok);
}

kop_status kopi_ps_put_topics(kopi_ps *s, kopi_ps_conn *c, uint64_t request, kop_slice ns,
                              uint32_t mode) {
  kop_status ok = KOP_OK;
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandGetTopicsOfNamespace m = KOPI__COMMAND_GET_TOPICS_OF_NAMESPACE__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__GET_TOPICS_OF_NAMESPACE;
  b.gettopicsofnamespace = &m;
  m.request_id = request;
  m.namespace_ = needed(s, ns, &ok);
  m.has_mode = 1;
  m.mode = (Kopi__CommandGetTopicsOfNamespace__Mode)mode;
  return put(s, c, &b, ok);
}

kop_status kopi_ps_put_watch(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t watcher,
                             kop_slice ns, kop_slice pattern) {
  kop_status ok = KOP_OK;
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandWatchTopicList m = KOPI__COMMAND_WATCH_TOPIC_LIST__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__WATCH_TOPIC_LIST;
  b.watchtopiclist = &m;
  m.request_id = request;
  m.watcher_id = watcher;
  m.namespace_ = needed(s, ns, &ok);
  m.topics_pattern = needed(s, pattern, &ok);
  return put(s, c, &b, ok);
}

kop_status kopi_ps_put_unwatch(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t watcher) {
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandWatchTopicListClose m = KOPI__COMMAND_WATCH_TOPIC_LIST_CLOSE__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__WATCH_TOPIC_LIST_CLOSE;
  b.watchtopiclistclose = &m;
  m.request_id = request;
  m.watcher_id = watcher;
  return put(s, c, &b, KOP_OK);
}

kop_status kopi_ps_put_producer(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t producer,
                                const kopi_ps_producer_open *o) {
  kop_status ok = KOP_OK;
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandProducer m = KOPI__COMMAND_PRODUCER__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__PRODUCER;
  b.producer = &m;
  m.topic = needed(s, o->topic, &ok);
  m.producer_id = producer;
  m.request_id = request;
  m.producer_name = text(s, o->name, &ok);
  m.has_epoch = 1;
  m.epoch = o->epoch;
  m.has_user_provided_producer_name = 1;
  m.user_provided_producer_name = o->name_is_given;
  m.has_producer_access_mode = 1;
  m.producer_access_mode = (Kopi__ProducerAccessMode)o->access_mode;
  m.has_topic_epoch = o->topic_epoch >= 0;
  m.topic_epoch = m.has_topic_epoch ? (uint64_t)o->topic_epoch : 0;
  m.n_metadata = o->properties_count;
  m.metadata = key_values(s, o->properties, o->properties_count, &ok);
  return put(s, c, &b, ok);
}

kop_status kopi_ps_put_close_producer(kopi_ps *s, kopi_ps_conn *c, uint64_t request,
                                      uint64_t producer) {
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandCloseProducer m = KOPI__COMMAND_CLOSE_PRODUCER__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__CLOSE_PRODUCER;
  b.close_producer = &m;
  m.producer_id = producer;
  m.request_id = request;
  return put(s, c, &b, KOP_OK);
}

kop_status kopi_ps_put_subscribe(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t consumer,
                                 const kopi_ps_subscribe *o) {
  kop_status ok = KOP_OK;
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandSubscribe m = KOPI__COMMAND_SUBSCRIBE__INIT;
  Kopi__MessageIdData start;
  b.type = KOPI__BASE_COMMAND__TYPE__SUBSCRIBE;
  b.subscribe = &m;
  m.topic = needed(s, o->topic, &ok);
  m.subscription = needed(s, o->subscription, &ok);
  m.subtype = (Kopi__CommandSubscribe__SubType)o->type;
  m.consumer_id = consumer;
  m.request_id = request;
  m.consumer_name = text(s, o->name, &ok);
  m.has_priority_level = 1;
  m.priority_level = o->priority;
  m.has_durable = 1;
  m.durable = (o->flags & KOP_PULSAR_CONSUMER_DURABLE) != 0;
  if (o->start != NULL) {
    set_id(&start, o->start);
    if (o->start->batch_index >= 0) {
      start.has_batch_index = 1;
      start.batch_index = o->start->batch_index;
    }
    m.start_message_id = &start;
  }
  m.has_read_compacted = 1;
  m.read_compacted = (o->flags & KOP_PULSAR_CONSUMER_COMPACTED) != 0;
  m.has_initialposition = 1;
  m.initialposition = (o->flags & KOP_PULSAR_CONSUMER_FROM_EARLIEST) != 0
                          ? KOPI__COMMAND_SUBSCRIBE__INITIAL_POSITION__Earliest
                          : KOPI__COMMAND_SUBSCRIBE__INITIAL_POSITION__Latest;
  m.has_force_topic_creation = 1;
  m.force_topic_creation = (o->flags & KOP_PULSAR_CONSUMER_CREATE_TOPIC) != 0;
  m.n_subscription_properties = o->properties_count;
  m.subscription_properties = key_values(s, o->properties, o->properties_count, &ok);
  return put(s, c, &b, ok);
}

kop_status kopi_ps_put_close_consumer(kopi_ps *s, kopi_ps_conn *c, uint64_t request,
                                      uint64_t consumer) {
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandCloseConsumer m = KOPI__COMMAND_CLOSE_CONSUMER__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__CLOSE_CONSUMER;
  b.close_consumer = &m;
  m.consumer_id = consumer;
  m.request_id = request;
  return put(s, c, &b, KOP_OK);
}

kop_status kopi_ps_put_unsubscribe(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t consumer,
                                   bool force) {
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandUnsubscribe m = KOPI__COMMAND_UNSUBSCRIBE__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__UNSUBSCRIBE;
  b.unsubscribe = &m;
  m.consumer_id = consumer;
  m.request_id = request;
  m.has_force = force;
  m.force = force;
  return put(s, c, &b, KOP_OK);
}

kop_status kopi_ps_put_flow(kopi_ps *s, kopi_ps_conn *c, uint64_t consumer, uint32_t permits) {
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandFlow m = KOPI__COMMAND_FLOW__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__FLOW;
  b.flow = &m;
  m.consumer_id = consumer;
  m.messagepermits = permits;
  return put(s, c, &b, KOP_OK);
}

static void set_ack_id(kopi_ps *s, Kopi__MessageIdData *to, const kop_pulsar_ack_id *id,
                       kop_status *ok) {
  set_id(to, &id->id);
  if (id->ack_set == NULL) return;
  to->ack_set = parts(s, id->ack_set_count, sizeof *to->ack_set, ok);
  if (to->ack_set == NULL) return;
  to->n_ack_set = id->ack_set_count;
  memcpy(to->ack_set, id->ack_set, id->ack_set_count * sizeof *to->ack_set);
  to->has_batch_size = 1;
  to->batch_size = (int32_t)id->batch_size;
}

kop_status kopi_ps_put_ack(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t consumer,
                           const kop_pulsar_ack_info *ack) {
  kop_status ok = KOP_OK;
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandAck m = KOPI__COMMAND_ACK__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__ACK;
  b.ack = &m;
  m.consumer_id = consumer;
  m.ack_type = (Kopi__CommandAck__AckType)ack->type;
  m.has_request_id = request != 0;
  m.request_id = request;
  Kopi__MessageIdData *ids = parts(s, ack->ids_count, sizeof *ids, &ok);
  m.message_id = parts(s, ack->ids_count, sizeof(*m.message_id), &ok);
  Kopi__KeyLongValue *values = parts(s, ack->properties_count, sizeof *values, &ok);
  m.properties = parts(s, ack->properties_count, sizeof(*m.properties), &ok);
  if (ok != KOP_OK) return put(s, c, &b, ok);
  m.n_message_id = ack->ids_count;
  for (uint32_t i = 0; i < ack->ids_count; i++) {
    set_ack_id(s, &ids[i], &ack->ids[i], &ok);
    m.message_id[i] = &ids[i];
  }
  m.n_properties = ack->properties_count;
  for (uint32_t i = 0; i < ack->properties_count; i++) {
    kopi__key_long_value__init(&values[i]);
    values[i].key = needed(s, ack->properties[i].key, &ok);
    values[i].value = ack->properties[i].value;
    m.properties[i] = &values[i];
  }
  return put(s, c, &b, ok);
}

kop_status kopi_ps_put_seek(kopi_ps *s, kopi_ps_conn *c, uint64_t request, uint64_t consumer,
                            const kop_pulsar_message_id *id, uint64_t publish_ms) {
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandSeek m = KOPI__COMMAND_SEEK__INIT;
  Kopi__MessageIdData to;
  b.type = KOPI__BASE_COMMAND__TYPE__SEEK;
  b.seek = &m;
  m.consumer_id = consumer;
  m.request_id = request;
  if (id != NULL) {
    set_id(&to, id);
    m.message_id = &to;
  } else {
    m.has_message_publish_time = 1;
    m.message_publish_time = publish_ms;
  }
  return put(s, c, &b, KOP_OK);
}

kop_status kopi_ps_put_last_message_id(kopi_ps *s, kopi_ps_conn *c, uint64_t request,
                                       uint64_t consumer) {
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;
  Kopi__CommandGetLastMessageId m = KOPI__COMMAND_GET_LAST_MESSAGE_ID__INIT;
  b.type = KOPI__BASE_COMMAND__TYPE__GET_LAST_MESSAGE_ID;
  b.getlastmessageid = &m;
  m.consumer_id = consumer;
  m.request_id = request;
  return put(s, c, &b, KOP_OK);
}
