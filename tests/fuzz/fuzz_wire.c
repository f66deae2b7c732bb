/*
 * Any bytes as any message: refused, or a message that stays the same on every way back.
 *
 *   input: id 16, version 8, body
 *
 * What decodes must encode; what was encoded must decode to a message that encodes to the same bytes (the first body may
 * differ from it: padded varints, booleans above 1); the way through JSON must give those bytes too.
 */
#include <kop/json.h>
#include <kop/wire.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition) {
  if (!condition) abort();
}

static uint8_t *encode(uint32_t id, int16_t version, const void *msg, size_t msg_size, size_t *n) {
  size_t size = 0;
  require(kop_message_size(id, version, msg, msg_size, &size) == KOP_OK);
  uint8_t *out = malloc(size + 1);
  require(kop_message_encode(id, version, msg, msg_size, out, size, n) == KOP_OK);
  require(*n == size);
  return out;
}

static void by_json(uint32_t id, int16_t version, kop_arena *arena, void *msg, size_t msg_size,
                    const uint8_t *want, size_t n) {
  char *text = NULL;
  size_t len = 0, again = 0;
  require(kop_json_write(id, version, msg, msg_size, (size_t)1 << 26, NULL, &text, &len) == KOP_OK);
  kop_status status = kop_json_read(id, version, arena, text, len, msg, msg_size, NULL, 0);
  require(status == KOP_OK || status == KOP_ERR_LIMIT);
  kop_json_free(NULL, text);
  if (status != KOP_OK) return;
  uint8_t *bytes = encode(id, version, msg, msg_size, &again);
  require(again == n && memcmp(bytes, want, n) == 0);
  free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3) return 0;
  uint32_t id = (uint32_t)data[0] << 8 | data[1];
  int16_t version = data[2];
  kop_message_info info;
  if (kop_message_describe(id, &info, sizeof info) != KOP_OK) return 0;
  kop_arena *arena = NULL;
  require(kop_arena_new(NULL, (size_t)1 << 24, &arena) == KOP_OK);
  void *msg = malloc(info.struct_size);
  uint8_t *body = malloc(size - 3 + 1); /* its own block: a sanitizer sees a read behind its end */
  memcpy(body, data + 3, size - 3);
  size_t consumed = 0;
  if (kop_message_decode(id, version, arena, body, size - 3, msg, info.struct_size, &consumed) ==
      KOP_OK) {
    size_t n = 0, again = 0;
    require(consumed <= size - 3);
    uint8_t *first = encode(id, version, msg, info.struct_size, &n);
    require(kop_message_decode(id, version, arena, first, n, msg, info.struct_size, NULL) ==
            KOP_OK);
    uint8_t *second = encode(id, version, msg, info.struct_size, &again);
    require(again == n && memcmp(first, second, n) == 0);
    free(second);
    by_json(id, version, arena, msg, info.struct_size, first, n);
    free(first);
  }
  free(body);
  free(msg);
  kop_arena_free(arena);
  return 0;
}
