/*
 * What the caller asks for and gets a RESULT of: acknowledgements, seeks and the like of a consumer, and questions about topics.
 *
 *   a consumer's:  sent at once, or the call fails; answered, timed out, or lost with the consumer -> RESULT
 *   a topic's:     sent when a connection to the service is READY; tried again until it gives up -> RESULT
 */
#ifndef KOPI_PULSAR_SESSION_REQUEST_H
#define KOPI_PULSAR_SESSION_REQUEST_H

#include "pulsar/session_consumer.h"

typedef struct kopi_ps_request {
  kopi_ps_finder finder; /* its task carries the command, whatever it is */
  kopi_link all;         /* session.all_requests, until RESULT is told */
  kopi_link of_consumer;
  kopi_ps_consumer *consumer; /* NULL: it is about topics */
  kopi_ps_node node;
  uint64_t id;
  uint64_t context;
  uint32_t kind; /* KOP_PULSAR_REQUEST_; 0: a watcher */
  uint32_t mode; /* TOPICS */
  kopi_ps_kept_why why;

  /* of a consumer */
  const kop_pulsar_ack_info *ack; /* while it is being sent */
  kop_pulsar_message_id id_wanted;
  uint64_t publish_ms;
  bool by_id;
  bool force;
  bool is_starting; /* its call has not returned */
  bool is_over;     /* it ended while it was starting */
  kop_status sending;
  kop_pulsar_message_id last_message_id;
  kop_pulsar_message_id mark_delete;

  /* of topics */
  uint64_t give_up_at;
  uint32_t failures;
  uint32_t partitions;
  kopi_ps_place place;
  kop_slice *topics; /* one allocation with their texts */
  uint32_t topics_count;
  kopi_ps_blob *topics_hash;

  /* a watcher */
  bool is_watching;
  kop_slice pattern;
  uint64_t watched; /* the connection */
} kopi_ps_request;

/* ---- session_request.c ---- */

/* A request with so many bytes behind it, in the map and the list. NULL with a status. */
kopi_ps_request *kopi_ps_request_new(kopi_ps *s, size_t more, kop_status *status);
/* Ends it: RESULT is told. */
void kopi_ps_request_finish(kopi_ps *s, kopi_ps_request *r, const kopi_ps_why *why);
/* Frees it at once. */
void kopi_ps_request_free(kopi_ps *s, kopi_ps_request *r);
/* Ends the requests of a consumer. */
void kopi_ps_requests_end_of(kopi_ps *s, kopi_ps_consumer *q, int32_t outcome);
void kopi_ps_requests_shutdown(kopi_ps *s);
void kopi_ps_requests_free(kopi_ps *s);
/* Copies names into one allocation: an array of slices, then their bytes. KOP_ERR_NOMEM. */
kop_status kopi_ps_names_copy(kopi_ps *s, const char *const *names, size_t n, kop_slice **out);
/* Asks again after a while, with `again`; says no when it is time to give up. */
bool kopi_ps_request_retry(kopi_ps *s, kopi_ps_request *r, const kopi_ps_why *why,
                           void (*again)(kopi_ps *s, kopi_ps_alarm *alarm));

static inline kopi_ps_request *kopi_ps_request_of(kopi_ps_task *task) {
  kopi_ps_finder *finder = KOPI_CONTAINER_OF(task, kopi_ps_finder, task);
  return KOPI_CONTAINER_OF(finder, kopi_ps_request, finder);
}

/* ---- session_watch.c ---- */

void kopi_ps_watch_on_update(kopi_ps *s, kopi_ps_conn *conn, const kopi_ps_command *c);
/* Ends a watcher for that reason. */
void kopi_ps_watch_end(kopi_ps *s, kopi_ps_request *r, const kopi_ps_why *why);

#endif
