/*
 * Prints the messages of a Pulsar topic from its beginning: index, key, value.
 *
 *   pulsar_reader pulsar://127.0.0.1:6650 persistent://public/default/demo [COUNT]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

static unsigned long left = -1ul;
static kop_pulsar_codec *codec;
static uint64_t reader;

static void print_slice(kop_slice s, const char *end) {
  if (s.ptr == NULL) s = text_slice("-");
  fwrite(s.ptr, 1, s.len, stdout);
  fputs(end, stdout);
}

/* A key of bytes stands in base64. */
static void print_base64(kop_slice s, const char *end) {
  static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint32_t bits = 0;
  for (size_t i = 0; i < s.len && memchr(DIGITS, s.ptr[i], 64) != NULL; i++) {
    bits = bits << 6 | (uint32_t)(strchr(DIGITS, s.ptr[i]) - DIGITS);
    if (i % 4 > 0) putchar(bits >> (6 - 2 * (i % 4)) & 0xff);
  }
  fputs(end, stdout);
}

/* An entry is one message or a batch of them, perhaps compressed. */
static kop_status print_entry(kop_slice bytes) {
  kop_pulsar_entry entry;
  kop_pulsar_batch_iter iter;
  kop_pulsar_message message;
  kop_status status = kop_pulsar_entry_read(bytes.ptr, bytes.len, 0, &entry);
  if (status != KOP_OK) return status;
  const kop_pulsar_metadata *md = &entry.metadata;
  status = kop_pulsar_decompress(codec, md->compression, entry.payload, md->uncompressed_size,
                                 64u << 20, &entry.payload);
  if (status != KOP_OK) return status;
  status = kop_pulsar_batch_begin(&iter, md, entry.payload);
  if (status != KOP_OK) return status;
  uint64_t first = entry.index + 1 - (uint64_t)md->num_messages_in_batch;
  while (left > 0 && (status = kop_pulsar_batch_next(&iter, &message)) == KOP_OK) {
    if (message.compacted_out) continue;
    if ((entry.present & KOP_PULSAR_ENTRY_HAS_INDEX) != 0)
      printf("%llu ", (unsigned long long)(first + (uint64_t)message.batch_index));
    int base64 = message.single.partition_key_b64_encoded;
    (base64 ? print_base64 : print_slice)(message.single.partition_key, " ");
    print_slice(message.single.null_value ? (kop_slice){NULL, 0} : message.payload, "\n");
    left--;
  }
  return status == KOP_ERR_NOT_FOUND ? KOP_OK : status;
}

static void on_event(kop_pulsar_session *session, const kop_pulsar_effect *event) {
  const kop_pulsar_delivery *delivery = event->body;
  const kop_pulsar_reason *reason = event->body;
  if (event->kind == KOP_PULSAR_MESSAGE && left > 0) {
    kop_status status = print_entry(delivery->bytes);
    if (status != KOP_OK) fprintf(stderr, "an entry is skipped: %s\n", kop_strerror(status));
    kop_pulsar_flow(session, reader, delivery->num_messages, pulsar_now());
    if (left == 0) kop_pulsar_shutdown(session, pulsar_now());
  } else if (event->kind == KOP_PULSAR_CONSUMER_CLOSED && left > 0) {
    pulsar_failed(kop_pulsar_outcome_name(reason->outcome), reason->text);
    kop_pulsar_shutdown(session, pulsar_now());
  }
}

int main(int argc, char **argv) {
  kop_pulsar_session *session = argc >= 3 ? pulsar_open(argv[1]) : NULL;
  if (session == NULL || kop_pulsar_codec_new(NULL, &codec) != KOP_OK)
    return fprintf(stderr, "usage: pulsar_reader URL TOPIC [COUNT]\n"), 2;
  if (argc > 3) left = strtoul(argv[3], NULL, 10);
  setvbuf(stdout, NULL, _IOLBF, 0);
  kop_pulsar_consumer_config config;
  kop_pulsar_consumer_config_init(&config, sizeof config);
  config.topic = text_slice(argv[2]);
  config.permits = 1000;
  if (kop_pulsar_consumer_open(session, &config, pulsar_now(), &reader) != KOP_OK) return 1;
  int status = pulsar_run(on_event);
  kop_pulsar_codec_free(codec);
  return status;
}
