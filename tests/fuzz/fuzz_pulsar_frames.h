/* Frames of a broker, made by hand for the fuzzer of the session: a right one of each type, whose ids the script chooses. */
#ifndef TESTS_FUZZ_FUZZ_PULSAR_FRAMES_H
#define TESTS_FUZZ_FUZZ_PULSAR_FRAMES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { FRAME_MAX = 256 };

static inline uint8_t *frame_varint(uint8_t *p, uint64_t v) {
  while (v >= 0x80) {
    *p++ = (uint8_t)(v | 0x80);
    v >>= 7;
  }
  *p++ = (uint8_t)v;
  return p;
}

static inline uint8_t *frame_int(uint8_t *p, uint32_t field, uint64_t v) {
  return frame_varint(frame_varint(p, field << 3), v);
}

static inline uint8_t *frame_bytes(uint8_t *p, uint32_t field, const void *bytes, size_t len) {
  p = frame_varint(frame_varint(p, field << 3 | 2), len);
  memcpy(p, bytes, len);
  return p + len;
}

static inline uint8_t *frame_text(uint8_t *p, uint32_t field, const char *text) {
  return frame_bytes(p, field, text, strlen(text));
}

static inline uint8_t *frame_id(uint8_t *p, uint32_t field, uint64_t ledger, uint64_t entry) {
  uint8_t id[24];
  uint8_t *q = frame_int(frame_int(id, 1, ledger), 2, entry);
  return frame_bytes(p, field, id, (size_t)(q - id));
}

/* The body of a command of that type. `id` is a producer's or consumer's, `n` a request or sequence id. */
static inline uint8_t *frame_body(uint8_t *p, uint8_t type, uint8_t arg, uint64_t id, uint64_t n) {
  static const char url[] = "pulsar://a:6650";
  switch (type) {
  case 3: { /* CONNECTED */
    uint8_t flags[] = {8, 1, 16, 1, 32, (uint8_t)(arg & 1), 40, 1};
    p = frame_int(frame_text(p, 1, "fake"), 2, 21);
    return frame_bytes(p, 4, flags, sizeof flags);
  }
  case 7: /* SEND_RECEIPT */
    return frame_id(frame_int(frame_int(p, 1, id), 2, n), 3, 1, n);
  case 8: /* SEND_ERROR */
    return frame_text(frame_int(frame_int(frame_int(p, 1, id), 2, n), 3, arg % 26), 4, "no");
  case 9: /* MESSAGE */
    return frame_id(frame_int(p, 1, id), 2, 1, n);
  case 13: /* SUCCESS */
    return frame_int(p, 1, n);
  case 14: /* ERROR */
    return frame_text(frame_int(frame_int(p, 1, n), 2, arg % 26), 3, "no");
  case 15: /* CLOSE_PRODUCER */
  case 16: /* CLOSE_CONSUMER */
    p = frame_int(frame_int(p, 1, id), 2, UINT64_MAX);
    return arg & 1 ? frame_text(p, 3, url) : p;
  case 17: /* PRODUCER_SUCCESS */
    p = frame_text(frame_int(p, 1, n), 2, "p");
    return frame_int(frame_int(p, 5, arg), 6, (arg & 3) != 3);
  case 22: /* PARTITIONED_METADATA_RESPONSE */
    return frame_int(frame_int(frame_int(p, 1, 3), 2, n), 3, arg & 1);
  case 24: /* LOOKUP_RESPONSE */
    p = frame_int(frame_int(frame_text(p, 1, url), 3,
                            arg % 8 == 7   ? 0
                            : arg % 8 == 6 ? 2
                                           : 1),
                  4, n);
    return frame_int(p, 8, (arg & 0x18) == 0x18);
  case 27: /* REACHED_END_OF_TOPIC */
    return frame_int(p, 1, id);
  case 30: /* GET_LAST_MESSAGE_ID_RESPONSE */
    return frame_int(frame_id(p, 1, 1, 1), 2, n);
  case 31: /* ACTIVE_CONSUMER_CHANGE */
    return frame_int(frame_int(p, 1, id), 2, arg & 1);
  case 33: /* GET_TOPICS_OF_NAMESPACE_RESPONSE */
    return frame_text(frame_text(frame_int(p, 1, n), 2, "x"), 2, "yy");
  case 36: { /* AUTH_CHALLENGE */
    uint8_t data[] = {10, 1, 't', 18, 1, 'c'};
    return frame_bytes(p, 2, data, sizeof data);
  }
  case 38: /* ACK_RESPONSE */
    return frame_int(frame_int(p, 1, id), 6, n);
  case 65: /* WATCH_TOPIC_LIST_SUCCESS */
    return frame_text(frame_text(frame_int(frame_int(p, 1, n), 2, id), 3, "x"), 4, "h");
  case 66: /* WATCH_TOPIC_UPDATE */
    return frame_text(frame_text(frame_int(p, 1, n), 2, "x"), 4, "h");
  case 68: /* TOPIC_MIGRATED */
    return frame_text(frame_int(frame_int(p, 1, id), 2, arg & 1), 3, url);
  default:
    return p;
  }
}

/* A whole frame in `out`; its length. A MESSAGE has an entry behind it. */
static inline size_t frame_make(uint8_t out[FRAME_MAX], uint8_t type, uint8_t arg, uint64_t id,
                                uint64_t n) {
  static const uint8_t entry[] = {0, 0, 0, 7, 10, 1, 'p', 16, 1, 24, 1, 'v'};
  uint8_t body[160];
  size_t len = (size_t)(frame_body(body, type, arg, id, n) - body);
  uint8_t *p = frame_int(out + 8, 1, type);
  p = frame_bytes(p, type, body, len);
  size_t command = (size_t)(p - out - 8);
  if (type == 9) {
    memcpy(p, entry, sizeof entry);
    p += sizeof entry;
  }
  size_t total = (size_t)(p - out - 4);
  uint32_t sizes[2] = {(uint32_t)total, (uint32_t)command};
  for (size_t i = 0; i < 8; i++)
    out[i] = (uint8_t)(sizes[i / 4] >> (24 - 8 * (i % 4)));
  return total + 4;
}

#endif
