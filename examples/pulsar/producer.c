/*
 * Sends each line of its input as a message to a Pulsar topic, and prints where each was stored.
 *
 *   echo hello | pulsar_producer pulsar://127.0.0.1:6650 persistent://public/default/demo
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

static uint64_t producer, sequence, waiting;

/* Up to 50 lines are on their way: as the largest messages they are below max_pending_bytes. */
static void send_lines(kop_pulsar_session *session) {
  kop_status status = KOP_OK;
  char *line = NULL;
  size_t room = 0;
  while (status != KOP_ERR_NOT_FOUND && waiting < 50 && getline(&line, &room, stdin) >= 0) {
    line[strcspn(line, "\n")] = '\0';
    kop_slice payload = text_slice(line);
    kop_pulsar_metadata metadata;
    kop_pulsar_metadata_init(&metadata);
    metadata.present = KOP_PULSAR_HAS_PUBLISH_TIME;
    metadata.publish_time = (uint64_t)pulsar_now().wall_ms;
    kop_pulsar_send_info info = {.size = sizeof info,
                                 .context = (uintptr_t)line,
                                 .metadata = &metadata,
                                 .payload = &payload,
                                 .payload_count = 1,
                                 .num_messages = 1,
                                 .sequence_id = sequence++};
    status = kop_pulsar_send(session, producer, &info, pulsar_now());
    if (status != KOP_OK) pulsar_failed(kop_strerror(status), payload);
    if (status != KOP_OK) continue;
    waiting++;
    line = NULL; /* lent until RECEIPT or SEND_FAILED */
  }
  free(line);
  if (waiting == 0) kop_pulsar_shutdown(session, pulsar_now());
}

static void on_event(kop_pulsar_session *session, const kop_pulsar_effect *event) {
  const kop_pulsar_receipt *receipt = event->body;
  const kop_pulsar_send_failure *failure = event->body;
  const kop_pulsar_reason *reason = event->body;
  char *line = (char *)(uintptr_t)event->context;
  if (event->kind == KOP_PULSAR_RECEIPT)
    printf("%" PRIu64 ":%" PRIu64 " %s\n", receipt->id.ledger_id, receipt->id.entry_id, line);
  if (event->kind == KOP_PULSAR_SEND_FAILED)
    pulsar_failed(kop_pulsar_outcome_name(failure->outcome), text_slice(line));
  if (event->kind == KOP_PULSAR_RECEIPT || event->kind == KOP_PULSAR_SEND_FAILED) {
    free(line);
    waiting--;
    send_lines(session);
  }
  if (event->kind == KOP_PULSAR_PRODUCER_READY) send_lines(session);
  if (event->kind == KOP_PULSAR_PRODUCER_CLOSED) {
    if (reason->outcome != KOP_PULSAR_DONE)
      pulsar_failed(kop_pulsar_outcome_name(reason->outcome), reason->text);
    kop_pulsar_shutdown(session, pulsar_now());
  }
}

int main(int argc, char **argv) {
  kop_pulsar_session *session = argc == 3 ? pulsar_open(argv[1]) : NULL;
  if (session == NULL) return fprintf(stderr, "usage: pulsar_producer URL TOPIC\n"), 2;
  kop_pulsar_producer_config config;
  kop_pulsar_producer_config_init(&config, sizeof config);
  config.topic = text_slice(argv[2]);
  if (kop_pulsar_producer_open(session, &config, pulsar_now(), &producer) != KOP_OK) return 1;
  return pulsar_run(on_event);
}
