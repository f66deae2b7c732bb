/*
 * Sends each line of its input as a message to a Pulsar topic, and prints where each was stored.
 *
 *   echo hello | pulsar_producer pulsar://127.0.0.1:6650 persistent://public/default/demo
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

static char *next_line; /* read, not sent */
static uint64_t producer, sequence, waiting;
static int failed;

static void read_line(void) {
  size_t room = 0;
  next_line = NULL;
  if (getline(&next_line, &room, stdin) >= 0) {
    next_line[strcspn(next_line, "\n")] = '\0';
  } else {
    free(next_line);
    next_line = NULL;
  }
}

/* Sends as long as there is input and the session takes it; what it does not take waits for a receipt. */
static void send_lines(kop_pulsar_session *session) {
  for (; next_line != NULL; read_line()) {
    kop_pulsar_metadata metadata;
    kop_pulsar_metadata_init(&metadata);
    metadata.present = KOP_PULSAR_HAS_PUBLISH_TIME;
    metadata.publish_time = (uint64_t)pulsar_now().wall_ms;
    kop_slice payload = text_slice(next_line);
    kop_pulsar_send_info info = {.size = sizeof info,
                                 .context = (uintptr_t)next_line,
                                 .metadata = &metadata,
                                 .payload = &payload,
                                 .payload_count = 1,
                                 .num_messages = 1,
                                 .sequence_id = sequence};
    if (kop_pulsar_send(session, producer, &info, pulsar_now()) != KOP_OK) break;
    sequence++;
    waiting++;
  }
  if (waiting == 0) kop_pulsar_shutdown(session, pulsar_now());
}

static void on_event(kop_pulsar_session *session, const kop_pulsar_effect *event) {
  const kop_pulsar_receipt *receipt = event->body;
  const kop_pulsar_reason *reason = event->body;
  switch (event->kind) {
  case KOP_PULSAR_PRODUCER_READY:
    send_lines(session);
    break;
  case KOP_PULSAR_RECEIPT:
    printf("%llu:%llu %s\n", (unsigned long long)receipt->id.ledger_id,
           (unsigned long long)receipt->id.entry_id, (char *)(uintptr_t)event->context);
    /* fall through */
  case KOP_PULSAR_SEND_FAILED:
    failed |= event->kind == KOP_PULSAR_SEND_FAILED;
    free((void *)(uintptr_t)event->context); /* until here the line was lent */
    waiting--;
    send_lines(session);
    break;
  case KOP_PULSAR_PRODUCER_CLOSED:
    if (reason->outcome == KOP_PULSAR_DONE || reason->outcome == KOP_PULSAR_CANCELLED) break;
    fprintf(stderr, "%s: %.*s\n", kop_pulsar_outcome_name(reason->outcome), (int)reason->text.len,
            (const char *)reason->text.ptr);
    failed = 1;
    kop_pulsar_shutdown(session, pulsar_now());
    break;
  default:
    break;
  }
}

int main(int argc, char **argv) {
  kop_pulsar_session *session = argc == 3 ? pulsar_loop_open(argv[1], on_event) : NULL;
  if (session == NULL) return fprintf(stderr, "usage: pulsar_producer URL TOPIC\n"), 2;
  kop_pulsar_producer_config config;
  kop_pulsar_producer_config_init(&config, sizeof config);
  config.topic = text_slice(argv[2]);
  if (kop_pulsar_producer_open(session, &config, pulsar_now(), &producer) != KOP_OK) return 1;
  read_line();
  pulsar_loop_run();
  return failed;
}
