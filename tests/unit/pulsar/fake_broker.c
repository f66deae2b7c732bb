/* A Pulsar broker made of memory: what it says, what it keeps, what it does about a command. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fake_broker.h"

enum { LEDGER = 7 };

static const char *or_dash(const char *text) {
  return text == NULL ? "-" : text;
}

/* ---- what the broker says ---- */

void fb_raw(fb *f, uint64_t conn, const void *bytes, size_t len) {
  fb_conn *c = fb_find(f, conn);
  if (c != NULL) kopi_buf_put(&c->out, bytes, len);
}

static void reply_with(fb *f, uint64_t conn, const Kopi__BaseCommand *b, kop_slice tail) {
  fb_conn *c = fb_find(f, conn);
  if (c == NULL) return;
  cr_assert_eq(kopi_pulsar_frame_write(&c->out, b, tail.len), KOP_OK);
  kopi_buf_put(&c->out, tail.ptr, tail.len);
}

void fb_reply(fb *f, uint64_t conn, const Kopi__BaseCommand *b) {
  reply_with(f, conn, b, (kop_slice){NULL, 0});
}

#define COMMAND(TYPE, Name, upper, field)                                                          \
  Kopi__BaseCommand b = KOPI__BASE_COMMAND__INIT;                                                  \
  Kopi__Command##Name m = KOPI__COMMAND_##upper##__INIT;                                           \
  b.type = KOPI__BASE_COMMAND__TYPE__##TYPE;                                                       \
  b.field = &m

void fb_success(fb *f, uint64_t conn, uint64_t request) {
  COMMAND(SUCCESS, Success, SUCCESS, success);
  m.request_id = request;
  fb_reply(f, conn, &b);
}

void fb_error(fb *f, uint64_t conn, uint64_t request, int32_t error, const char *text) {
  COMMAND(ERROR, Error, ERROR, error);
  m.request_id = request;
  m.error = (Kopi__ServerError)error;
  m.message = text;
  fb_reply(f, conn, &b);
}

void fb_lookup(fb *f, uint64_t conn, uint64_t request, int32_t kind, const char *url,
               bool authoritative, bool proxy) {
  COMMAND(LOOKUP_RESPONSE, LookupTopicResponse, LOOKUP_TOPIC_RESPONSE, lookuptopicresponse);
  m.request_id = request;
  m.has_response = 1;
  m.response = (Kopi__CommandLookupTopicResponse__LookupType)kind;
  m.brokerserviceurl = url;
  m.brokerserviceurltls = url;
  m.has_authoritative = 1;
  m.authoritative = authoritative;
  m.has_proxy_through_service_url = 1;
  m.proxy_through_service_url = proxy;
  fb_reply(f, conn, &b);
}

void fb_producer_success(fb *f, uint64_t conn, uint64_t request, bool ready) {
  COMMAND(PRODUCER_SUCCESS, ProducerSuccess, PRODUCER_SUCCESS, producer_success);
  m.request_id = request;
  m.producer_name = "prod";
  m.has_topic_epoch = f->topic_epoch > 0;
  m.topic_epoch = f->topic_epoch;
  m.has_producer_ready = 1;
  m.producer_ready = ready;
  fb_reply(f, conn, &b);
}

void fb_receipt(fb *f, uint64_t conn, uint64_t producer, uint64_t sequence, uint64_t ledger,
                uint64_t entry) {
  COMMAND(SEND_RECEIPT, SendReceipt, SEND_RECEIPT, send_receipt);
  Kopi__MessageIdData id = KOPI__MESSAGE_ID_DATA__INIT;
  id.ledgerid = ledger;
  id.entryid = entry;
  m.producer_id = producer;
  m.sequence_id = sequence;
  m.message_id = &id;
  fb_reply(f, conn, &b);
}

void fb_send_error(fb *f, uint64_t conn, uint64_t producer, uint64_t sequence, int32_t error) {
  COMMAND(SEND_ERROR, SendError, SEND_ERROR, send_error);
  m.producer_id = producer;
  m.sequence_id = sequence;
  m.error = (Kopi__ServerError)error;
  m.message = "no";
  fb_reply(f, conn, &b);
}

void fb_close_producer(fb *f, uint64_t conn, uint64_t producer, const char *url) {
  COMMAND(CLOSE_PRODUCER, CloseProducer, CLOSE_PRODUCER, close_producer);
  m.producer_id = producer;
  m.request_id = UINT64_MAX;
  m.assignedbrokerserviceurl = url;
  m.assignedbrokerserviceurltls = url;
  fb_reply(f, conn, &b);
}

void fb_close_consumer(fb *f, uint64_t conn, uint64_t consumer, const char *url) {
  for (size_t i = 0; i < FB_CONSUMERS; i++) {
    if (f->consumers[i].id == consumer) f->consumers[i] = (fb_consumer){.id = 0};
  }
  COMMAND(CLOSE_CONSUMER, CloseConsumer, CLOSE_CONSUMER, close_consumer);
  m.consumer_id = consumer;
  m.request_id = UINT64_MAX;
  m.assignedbrokerserviceurl = url;
  m.assignedbrokerserviceurltls = url;
  fb_reply(f, conn, &b);
}

void fb_challenge(fb *f, uint64_t conn, const char *data) {
  COMMAND(AUTH_CHALLENGE, AuthChallenge, AUTH_CHALLENGE, authchallenge);
  Kopi__AuthData d = KOPI__AUTH_DATA__INIT;
  char copy[64];
  snprintf(copy, sizeof copy, "%s", data);
  d.auth_method_name = "token";
  d.has_auth_data = 1;
  d.auth_data = (ProtobufCBinaryData){.len = strlen(copy), .data = (uint8_t *)copy};
  m.challenge = &d;
  fb_reply(f, conn, &b);
}

void fb_ping(fb *f, uint64_t conn) {
  COMMAND(PING, Ping, PING, ping);
  fb_reply(f, conn, &b);
}

void fb_message(fb *f, uint64_t conn, uint64_t consumer, uint64_t ledger, uint64_t entry,
                kop_slice bytes) {
  COMMAND(MESSAGE, Message, MESSAGE, message);
  Kopi__MessageIdData id = KOPI__MESSAGE_ID_DATA__INIT;
  id.ledgerid = ledger;
  id.entryid = entry;
  m.consumer_id = consumer;
  m.message_id = &id;
  reply_with(f, conn, &b, bytes);
}

/* ---- topics ---- */

static fb_topic *topic_of(fb *f, const char *name) {
  for (size_t i = 0; i < FB_TOPICS; i++) {
    fb_topic *t = &f->topics[i];
    if (t->name[0] == 0) snprintf(t->name, sizeof t->name, "%s", name);
    if (strcmp(t->name, name) == 0) return t;
  }
  cr_assert_fail("too many topics");
  return NULL;
}

static uint64_t store(fb *f, fb_topic *t, kop_slice bytes) {
  cr_assert_lt(t->len, FB_ENTRIES);
  kopi_buf *to = &t->entries[t->len];
  kopi_buf_init(to, &f->alloc, 64u << 20);
  kopi_buf_put(to, bytes.ptr, bytes.len);
  return t->len++;
}

void fb_publish(fb *f, const char *topic, const char *payload, int32_t n) {
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  md.present =
      KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID | KOP_PULSAR_HAS_PUBLISH_TIME;
  md.producer_name = fb_text("else");
  if (n > 1) {
    md.present |= KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
    md.num_messages_in_batch = n;
  }
  uint8_t head[200];
  size_t len = 0;
  kop_slice body = fb_text(payload);
  cr_assert_eq(kop_pulsar_entry_write(&md, NULL, 0, &body, 1, head, sizeof head, &len), KOP_OK);
  kopi_buf all;
  kopi_buf_init(&all, &f->alloc, 64u << 20);
  kopi_buf_put(&all, head, len);
  kopi_buf_put(&all, body.ptr, body.len);
  store(f, topic_of(f, topic), (kop_slice){all.data, all.len});
  kopi_buf_free(&all);
  fb_dispatch_messages(f);
}

static int32_t messages_in(kop_slice bytes) {
  kop_pulsar_entry entry;
  cr_assert_eq(kop_pulsar_entry_read(bytes.ptr, bytes.len, 0, &entry), KOP_OK);
  return (entry.metadata.present & KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH) != 0
             ? entry.metadata.num_messages_in_batch
             : 1;
}

void fb_dispatch_messages(fb *f) {
  for (size_t i = 0; i < FB_CONSUMERS; i++) {
    fb_consumer *q = &f->consumers[i];
    while (q->id != 0 && q->permits > 0 && q->at < q->topic->len) {
      const kopi_buf *e = &q->topic->entries[q->at];
      kop_slice bytes = {e->data, e->len};
      fb_message(f, q->conn, q->id, LEDGER, q->at, bytes);
      q->permits -= messages_in(bytes);
      q->at++;
    }
  }
}

static size_t place_of(const fb_topic *t, uint64_t ledger, uint64_t entry) {
  if (ledger == KOP_PULSAR_EARLIEST || ledger < LEDGER) return 0;
  if (ledger > LEDGER || entry > t->len) return t->len;
  return (size_t)entry;
}

/* ---- what it does about a command ---- */

static fb_consumer *consumer_of(fb *f, uint64_t conn, uint64_t id) {
  for (size_t i = 0; i < FB_CONSUMERS; i++) {
    if (f->consumers[i].id == id && f->consumers[i].conn == conn) return &f->consumers[i];
  }
  return NULL;
}

static void on_connect_command(fb *f, const fb_command *c) {
  const Kopi__CommandConnect *q = c->b->connect;
  COMMAND(CONNECTED, Connected, CONNECTED, connected);
  Kopi__FeatureFlags flags = KOPI__FEATURE_FLAGS__INIT;
  (void)q;
  flags.has_supports_topic_watchers = flags.supports_topic_watchers =
      (f->feature_bits & KOP_PULSAR_SERVER_TOPIC_WATCHERS) != 0;
  flags.has_supports_get_partitioned_metadata_without_auto_creation =
      flags.supports_get_partitioned_metadata_without_auto_creation =
          (f->feature_bits & KOP_PULSAR_SERVER_PARTITIONS_WITHOUT_CREATION) != 0;
  m.server_version = "Fake 1";
  m.has_protocol_version = 1;
  m.protocol_version = 21;
  m.has_max_message_size = f->max_message > 0;
  m.max_message_size = f->max_message;
  m.feature_flags = &flags;
  fb_reply(f, c->conn, &b);
}

static void on_subscribe(fb *f, const fb_command *c) {
  const Kopi__CommandSubscribe *q = c->b->subscribe;
  for (size_t i = 0; i < FB_CONSUMERS; i++) {
    fb_consumer *to = &f->consumers[i];
    if (to->id != 0) continue;
    *to = (fb_consumer){.id = q->consumer_id, .conn = c->conn, .topic = topic_of(f, q->topic)};
    if (q->start_message_id != NULL)
      to->at = place_of(to->topic, q->start_message_id->ledgerid, q->start_message_id->entryid);
    break;
  }
  fb_success(f, c->conn, q->request_id);
}

static void on_seek(fb *f, const fb_command *c) {
  const Kopi__CommandSeek *q = c->b->seek;
  fb_close_consumer(f, c->conn, q->consumer_id, NULL);
  fb_success(f, c->conn, q->request_id);
}

static void on_last_id(fb *f, const fb_command *c) {
  const Kopi__CommandGetLastMessageId *q = c->b->getlastmessageid;
  const fb_consumer *consumer = consumer_of(f, c->conn, q->consumer_id);
  COMMAND(GET_LAST_MESSAGE_ID_RESPONSE, GetLastMessageIdResponse, GET_LAST_MESSAGE_ID_RESPONSE,
          getlastmessageidresponse);
  Kopi__MessageIdData id = KOPI__MESSAGE_ID_DATA__INIT;
  size_t len = consumer == NULL ? 0 : consumer->topic->len;
  id.ledgerid = len == 0 ? UINT64_MAX : LEDGER;
  id.entryid = len == 0 ? UINT64_MAX : len - 1;
  m.last_message_id = &id;
  m.request_id = q->request_id;
  fb_reply(f, c->conn, &b);
}

static void on_ack(fb *f, const fb_command *c) {
  const Kopi__CommandAck *q = c->b->ack;
  if (!q->has_request_id) return;
  COMMAND(ACK_RESPONSE, AckResponse, ACK_RESPONSE, ackresponse);
  m.consumer_id = q->consumer_id;
  m.has_request_id = 1;
  m.request_id = q->request_id;
  fb_reply(f, c->conn, &b);
}

static void on_topics_question(fb *f, const fb_command *c) {
  static const char *const NAMES[] = {"persistent://n/s/a", "persistent://n/s/b-partition-0"};
  COMMAND(GET_TOPICS_OF_NAMESPACE_RESPONSE, GetTopicsOfNamespaceResponse,
          GET_TOPICS_OF_NAMESPACE_RESPONSE, gettopicsofnamespaceresponse);
  m.request_id = c->b->gettopicsofnamespace->request_id;
  m.topics_hash = "h1";
  m.n_topics = 2;
  m.topics = (const char **)NAMES;
  fb_reply(f, c->conn, &b);
}

static void on_watch(fb *f, const fb_command *c) {
  static const char *const NAMES[] = {"persistent://n/s/a"};
  COMMAND(WATCH_TOPIC_LIST_SUCCESS, WatchTopicListSuccess, WATCH_TOPIC_LIST_SUCCESS,
          watchtopiclistsuccess);
  m.request_id = c->b->watchtopiclist->request_id;
  m.watcher_id = c->b->watchtopiclist->watcher_id;
  m.n_topic = 1;
  m.topic = (const char **)NAMES;
  m.topics_hash = "h";
  fb_reply(f, c->conn, &b);
}

static void on_partitions(fb *f, const fb_command *c) {
  COMMAND(PARTITIONED_METADATA_RESPONSE, PartitionedTopicMetadataResponse,
          PARTITIONED_TOPIC_METADATA_RESPONSE, partitionmetadataresponse);
  m.request_id = c->b->partitionmetadata->request_id;
  m.has_partitions = 1;
  m.partitions = 3;
  m.has_response = 1;
  fb_reply(f, c->conn, &b);
}

/* Of those that have nothing more to tell. */
static const char *name_of(Kopi__BaseCommand__Type type) {
  switch (type) {
  case KOPI__BASE_COMMAND__TYPE__UNSUBSCRIBE:
    return "UNSUBSCRIBE";
  case KOPI__BASE_COMMAND__TYPE__GET_LAST_MESSAGE_ID:
    return "GET_LAST_MESSAGE_ID";
  case KOPI__BASE_COMMAND__TYPE__PARTITIONED_METADATA:
    return "PARTITIONED_METADATA";
  case KOPI__BASE_COMMAND__TYPE__GET_TOPICS_OF_NAMESPACE:
    return "GET_TOPICS_OF_NAMESPACE";
  case KOPI__BASE_COMMAND__TYPE__WATCH_TOPIC_LIST:
    return "WATCH_TOPIC_LIST";
  case KOPI__BASE_COMMAND__TYPE__WATCH_TOPIC_LIST_CLOSE:
    return "WATCH_TOPIC_LIST_CLOSE";
  default:
    cr_assert_fail("the session sends a command of type %d", (int)type);
    return "";
  }
}

/* Says what it is, for the lines. */
static void note(fb *f, const fb_command *c) {
  const Kopi__BaseCommand *b = c->b;
  uint64_t n = c->conn;
  switch (b->type) {
  case KOPI__BASE_COMMAND__TYPE__CONNECT:
    fb_line(f, "%" PRIu64 " > CONNECT %s%s%.*s for=%s", n, or_dash(b->connect->auth_method_name),
            b->connect->has_auth_data ? "=" : "", (int)b->connect->auth_data.len,
            (const char *)b->connect->auth_data.data, or_dash(b->connect->proxy_to_broker_url));
    break;
  case KOPI__BASE_COMMAND__TYPE__AUTH_RESPONSE:
    fb_line(f, "%" PRIu64 " > AUTH_RESPONSE %s=%.*s", n,
            or_dash(b->authresponse->response->auth_method_name),
            (int)b->authresponse->response->auth_data.len,
            (const char *)b->authresponse->response->auth_data.data);
    break;
  case KOPI__BASE_COMMAND__TYPE__LOOKUP:
    fb_line(f, "%" PRIu64 " > LOOKUP %s%s", n, b->lookuptopic->topic,
            b->lookuptopic->authoritative ? " authoritative" : "");
    break;
  case KOPI__BASE_COMMAND__TYPE__PRODUCER:
    fb_line(f,
            "%" PRIu64 " > PRODUCER %" PRIu64 " epoch=%" PRIu64 " mode=%d topic_epoch=%" PRId64
            " name=%s",
            n, b->producer->producer_id, b->producer->epoch, (int)b->producer->producer_access_mode,
            b->producer->has_topic_epoch ? (int64_t)b->producer->topic_epoch : -1,
            or_dash(b->producer->producer_name));
    break;
  case KOPI__BASE_COMMAND__TYPE__CLOSE_PRODUCER:
    fb_line(f, "%" PRIu64 " > CLOSE_PRODUCER %" PRIu64, n, b->close_producer->producer_id);
    break;
  case KOPI__BASE_COMMAND__TYPE__SEND:
    fb_line(f, "%" PRIu64 " > SEND %" PRIu64 " seq=%" PRIu64 " n=%d", n, b->send->producer_id,
            b->send->sequence_id, b->send->num_messages);
    break;
  case KOPI__BASE_COMMAND__TYPE__SUBSCRIBE: {
    const Kopi__MessageIdData *id = b->subscribe->start_message_id;
    char start[64] = "-";
    if (id != NULL)
      snprintf(start, sizeof start, "%" PRId64 ":%" PRId64, (int64_t)id->ledgerid,
               (int64_t)id->entryid);
    fb_line(f, "%" PRIu64 " > SUBSCRIBE %" PRIu64 " start=%s", n, b->subscribe->consumer_id, start);
    break;
  }
  case KOPI__BASE_COMMAND__TYPE__FLOW:
    fb_line(f, "%" PRIu64 " > FLOW %" PRIu64 " %u", n, b->flow->consumer_id,
            b->flow->messagepermits);
    break;
  case KOPI__BASE_COMMAND__TYPE__CLOSE_CONSUMER:
    fb_line(f, "%" PRIu64 " > CLOSE_CONSUMER %" PRIu64, n, b->close_consumer->consumer_id);
    break;
  case KOPI__BASE_COMMAND__TYPE__ACK:
    fb_line(f,
            "%" PRIu64 " > ACK %" PRIu64 " %s ids=%zu first=%" PRIu64 ":%" PRIu64
            " bits=%zu props=%zu",
            n, b->ack->consumer_id, b->ack->ack_type == 0 ? "individual" : "cumulative",
            b->ack->n_message_id, b->ack->message_id[0]->ledgerid, b->ack->message_id[0]->entryid,
            b->ack->message_id[0]->n_ack_set, b->ack->n_properties);
    break;
  case KOPI__BASE_COMMAND__TYPE__SEEK:
    fb_line(f, "%" PRIu64 " > SEEK %" PRIu64 " %s", n, b->seek->consumer_id,
            b->seek->message_id != NULL ? "id" : "time");
    break;
  case KOPI__BASE_COMMAND__TYPE__PING:
  case KOPI__BASE_COMMAND__TYPE__PONG:
    break;
  default:
    fb_line(f, "%" PRIu64 " > %s", n, name_of(b->type));
    break;
  }
}

static void pong(fb *f, uint64_t conn) {
  COMMAND(PONG, Pong, PONG, pong);
  fb_reply(f, conn, &b);
}

static void answer(fb *f, const fb_command *c) {
  const Kopi__BaseCommand *b = c->b;
  switch (b->type) {
  case KOPI__BASE_COMMAND__TYPE__CONNECT:
    on_connect_command(f, c);
    break;
  case KOPI__BASE_COMMAND__TYPE__PING:
    pong(f, c->conn);
    break;
  case KOPI__BASE_COMMAND__TYPE__LOOKUP:
    fb_lookup(f, c->conn, b->lookuptopic->request_id, 1, "pulsar://b1:6650", true, false);
    break;
  case KOPI__BASE_COMMAND__TYPE__PRODUCER:
    fb_producer_success(f, c->conn, b->producer->request_id, true);
    break;
  case KOPI__BASE_COMMAND__TYPE__SEND:
    fb_receipt(f, c->conn, b->send->producer_id, b->send->sequence_id, LEDGER,
               store(f, topic_of(f, "sent"), c->entry));
    break;
  case KOPI__BASE_COMMAND__TYPE__CLOSE_PRODUCER:
    fb_success(f, c->conn, b->close_producer->request_id);
    break;
  case KOPI__BASE_COMMAND__TYPE__SUBSCRIBE:
    on_subscribe(f, c);
    break;
  case KOPI__BASE_COMMAND__TYPE__FLOW: {
    fb_consumer *q = consumer_of(f, c->conn, b->flow->consumer_id);
    if (q != NULL) q->permits += b->flow->messagepermits;
    fb_dispatch_messages(f);
    break;
  }
  case KOPI__BASE_COMMAND__TYPE__CLOSE_CONSUMER: {
    fb_consumer *q = consumer_of(f, c->conn, b->close_consumer->consumer_id);
    if (q != NULL) *q = (fb_consumer){.id = 0};
    fb_success(f, c->conn, b->close_consumer->request_id);
    break;
  }
  case KOPI__BASE_COMMAND__TYPE__UNSUBSCRIBE:
    fb_success(f, c->conn, b->unsubscribe->request_id);
    break;
  case KOPI__BASE_COMMAND__TYPE__SEEK:
    on_seek(f, c);
    break;
  case KOPI__BASE_COMMAND__TYPE__GET_LAST_MESSAGE_ID:
    on_last_id(f, c);
    break;
  case KOPI__BASE_COMMAND__TYPE__ACK:
    on_ack(f, c);
    break;
  case KOPI__BASE_COMMAND__TYPE__GET_TOPICS_OF_NAMESPACE:
    on_topics_question(f, c);
    break;
  case KOPI__BASE_COMMAND__TYPE__WATCH_TOPIC_LIST:
    on_watch(f, c);
    break;
  case KOPI__BASE_COMMAND__TYPE__PARTITIONED_METADATA:
    on_partitions(f, c);
    break;
  default:
    break;
  }
}

void fb_serve(fb *f, const fb_command *c) {
  note(f, c);
  if (f->script != NULL && f->script(f, c)) return;
  if (c->b->type < 64 && (f->mute >> c->b->type & 1) != 0) return;
  answer(f, c);
}
