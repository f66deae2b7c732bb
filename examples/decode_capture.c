/*
 * Prints captured Kafka requests as JSON, one line each.
 *
 *   decode_capture [FILE]     the bytes a client sent on one connection, binary or hex; standard input without FILE
 *
 * A line holds the API's name, the version, the header and the body:
 *
 *   {"name":"MetadataRequest","version":12,"header":{"requestApiKey":3,...},"body":{"topics":null,...}}
 *
 * What cannot be decoded is told on standard error with its place in the capture, and makes the exit status 1. A
 * frame that ends badly does not hide the next one: the length prefix still tells where that begins.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kop/json.h>
#include <kop/messages.h>
#include <kop/wire.h>

enum { MAX_CAPTURE = 256 << 20, MAX_TEXT = 1 << 30, ARENA = 1 << 30 };

static uint8_t *read_all(FILE *file, size_t *len) {
  size_t cap = 1 << 16;
  uint8_t *bytes = malloc(cap);
  *len = 0;
  while (bytes != NULL && cap <= MAX_CAPTURE) {
    *len += fread(bytes + *len, 1, cap - *len, file);
    if (*len < cap) return bytes;
    cap *= 2;
    uint8_t *larger = realloc(bytes, cap);
    if (larger == NULL) break;
    bytes = larger;
  }
  free(bytes);
  return NULL;
}

static int hex_value(int digit) {
  return isdigit(digit) ? digit - '0' : tolower(digit) - 'a' + 10;
}

/* Turns hex digits into bytes in place, if the capture consists of nothing else. A capture in binary never
 * does: the first byte of a length prefix is below every digit. */
static size_t from_hex(uint8_t *bytes, size_t len) {
  size_t digits = 0;
  for (size_t i = 0; i < len; i++) {
    if (isxdigit(bytes[i])) {
      digits++;
    } else if (!isspace(bytes[i])) {
      return len;
    }
  }
  if (digits == 0 || digits % 2 != 0) return len;
  size_t at = 0, nibbles = 0;
  for (size_t i = 0; i < len; i++) {
    if (isspace(bytes[i])) continue;
    int value = hex_value(bytes[i]);
    if (nibbles++ % 2 == 0) {
      bytes[at] = (uint8_t)(value << 4);
    } else {
      bytes[at++] |= (uint8_t)value;
    }
  }
  return at;
}

/* Decodes one message and appends it to the line under the given name. */
static kop_status print_message(const char *name, uint32_t id, int16_t version, kop_arena *arena,
                                const uint8_t *in, size_t len, size_t *consumed) {
  kop_message_info info;
  void *message = NULL;
  char *text = NULL;
  size_t text_len = 0;
  kop_status status = kop_message_describe(id, &info, sizeof info);
  if (status == KOP_OK) status = kop_arena_alloc(arena, 1, info.struct_size, &message);
  if (status == KOP_OK) {
    status = kop_message_decode(id, version, arena, in, len, message, info.struct_size, consumed);
  }
  if (status == KOP_OK) {
    status =
        kop_json_write(id, version, message, info.struct_size, MAX_TEXT, NULL, &text, &text_len);
  }
  if (status == KOP_OK) printf("\"%s\":%s", name, text);
  kop_json_free(NULL, text);
  return status;
}

static kop_status print_request(kop_arena *arena, const uint8_t *frame, size_t len) {
  kop_request_header header;
  kop_message_info info;
  kop_status status = kop_request_header_decode(frame, len, &header, sizeof header);
  if (status != KOP_OK) return status;
  if (!header.supported) return KOP_ERR_UNSUPPORTED;
  status = kop_message_describe(header.message_id, &info, sizeof info);
  if (status != KOP_OK) return status;
  printf("{\"name\":\"%s\",\"version\":%d,", info.name, header.api_version);
  size_t used;
  status = print_message("header", KOP_MSG_REQUEST_HEADER, header.header_version, arena, frame, len,
                         &used);
  if (status == KOP_OK) {
    putchar(',');
    status = print_message("body", header.message_id, header.api_version, arena,
                           frame + header.body_offset, len - header.body_offset, &used);
  }
  puts(status == KOP_OK ? "}" : "\"error\":true}");
  return status;
}

/* Every whole frame of the capture. Returns how many could not be decoded. */
static size_t print_capture(kop_arena *arena, const uint8_t *bytes, size_t len) {
  size_t bad = 0;
  uint32_t event = KOP_FRAME_MORE;
  kop_framer framer;
  kop_slice rest = {bytes, len}, body = {NULL, 0}, part;
  kop_framer_init(&framer, INT32_MAX);
  do {
    size_t at = len - rest.len;
    kop_status status = kop_framer_next(&framer, &rest, &part, &event);
    if (status != KOP_OK) {
      fprintf(stderr, "byte %zu: %s\n", at, kop_strerror(status));
      return bad + 1;
    }
    if (event == KOP_FRAME_BEGIN) body.len = 0;
    if (event == KOP_FRAME_BYTES) body = part; /* the capture is one chunk, so a body is one part */
    if (event == KOP_FRAME_END) {
      status = print_request(arena, body.ptr, body.len);
      kop_arena_reset(arena);
      if (status != KOP_OK) {
        fprintf(stderr, "request before byte %zu: %s\n", at, kop_strerror(status));
        bad++;
      }
    }
  } while (event != KOP_FRAME_MORE);
  if (framer.have != 0) {
    fprintf(stderr, "the capture ends inside a frame\n");
    bad++;
  }
  return bad;
}

int main(int argc, char **argv) {
  FILE *file = argc > 1 ? fopen(argv[1], "rb") : stdin;
  if (argc > 2 || file == NULL) {
    fprintf(stderr, "usage: decode_capture [FILE]\n");
    return 2;
  }
  size_t len;
  uint8_t *bytes = read_all(file, &len);
  kop_arena *arena = NULL;
  if (bytes == NULL || kop_arena_new(NULL, ARENA, &arena) != KOP_OK) {
    fprintf(stderr, "out of memory\n");
    return 2;
  }
  size_t bad = print_capture(arena, bytes, from_hex(bytes, len));
  kop_arena_free(arena);
  free(bytes);
  return bad == 0 ? 0 : 1;
}
