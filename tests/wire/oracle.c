/*
 * Compares libkop with the messages that Oracle.java made with Kafka's own classes.
 *
 *   wire_oracle VECTORS BACK [VECTORS BACK]...
 *
 * For each message: libkop decodes Kafka's bytes; as JSON it is the same as Kafka's JSON; encoded again it is the same
 * bytes, also in cuts; and Kafka's JSON, read and encoded, is those bytes too. What libkop encodes is written to BACK, for Java
 * to read. The last line counts the pairs of message and version of which every message agreed.
 */
#include <jansson.h>
#include <kop/json.h>
#include <kop/wire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 736, LARGEST = 16 << 20, LINES = 30 };

typedef struct vector {
  char name[128];
  char label[32];
  int16_t version;
  uint8_t *bytes;
  uint32_t size;
  char *json;
  uint32_t json_size;
} vector;

/* Every pair that was met: requests and responses apart from all other messages. */
typedef struct tally {
  int32_t seen[2048][64]; /* by id and version: 0 not met, 1 identical, -1 not */
  uint32_t messages;
  uint32_t faults;
} tally;

static tally counts;

static void fault(const vector *v, const char *what) {
  if (counts.faults++ < LINES) printf("%s v%d %s: %s\n", v->name, v->version, v->label, what);
}

/* Reads a length and that many bytes; NULL at the end of the file. */
static uint8_t *get(FILE *in, uint32_t *size) {
  uint8_t head[4];
  if (fread(head, 1, 4, in) != 4) return NULL;
  *size = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
  uint8_t *bytes = *size < LARGEST ? malloc(*size + 1u) : NULL;
  if (bytes == NULL || fread(bytes, 1, *size, in) != *size) {
    fprintf(stderr, "a vector file is damaged\n");
    exit(2);
  }
  bytes[*size] = 0;
  return bytes;
}

static void get_text(FILE *in, char *to, size_t cap) {
  uint32_t size = 0;
  uint8_t *bytes = get(in, &size);
  if (bytes == NULL || size >= cap) {
    fprintf(stderr, "a vector file is damaged\n");
    exit(2);
  }
  memcpy(to, bytes, size + 1u);
  free(bytes);
}

static int get_vector(FILE *in, vector *v) {
  uint32_t size = 0;
  uint8_t version[2], *name = get(in, &size);
  if (name == NULL) return 0;
  snprintf(v->name, sizeof v->name, "%s", (char *)name);
  free(name);
  if (fread(version, 1, 2, in) != 2) exit(2);
  v->version = (int16_t)(version[0] << 8 | version[1]);
  get_text(in, v->label, sizeof v->label);
  v->bytes = get(in, &v->size);
  v->json = (char *)get(in, &v->json_size);
  return v->json != NULL;
}

static void put(FILE *out, const void *bytes, size_t size) {
  uint8_t head[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                     (uint8_t)size};
  fwrite(head, 1, 4, out);
  fwrite(bytes, 1, size, out);
}

static void put_vector(FILE *out, const vector *v, const uint8_t *bytes, size_t size) {
  put(out, v->name, strlen(v->name));
  fputc(v->version >> 8 & 0xFF, out);
  fputc(v->version & 0xFF, out);
  put(out, v->label, strlen(v->label));
  put(out, bytes, size);
  put(out, "", 0);
}

/* Encodes, and says whether that gives the bytes of the vector; the memory is the caller's. */
static uint8_t *encode(uint32_t id, const vector *v, const void *msg, size_t msg_size, size_t *n) {
  size_t size = 0;
  kop_status status = kop_message_size(id, v->version, msg, msg_size, &size);
  uint8_t *out = malloc(size + 1);
  *n = 0;
  if (status == KOP_OK) {
    status = kop_message_encode(id, v->version, msg, msg_size, out, size, n);
  }
  if (status != KOP_OK) {
    fault(v, kop_strerror(status));
  } else if (*n != v->size || memcmp(out, v->bytes, *n) != 0) {
    fault(v, "libkop encodes other bytes");
  } else if (size != *n) {
    fault(v, "size and encode disagree");
  }
  return out;
}

/* The same in cuts: put together, they must be the vector's bytes again. */
static void check_cuts(uint32_t id, const vector *v, const void *msg, size_t msg_size) {
  size_t size = 0, count = 0, n = 0, at = 0, from = 0;
  if (kop_message_size_cuts(id, v->version, msg, msg_size, &size, &count) != KOP_OK) {
    fault(v, "the size in cuts is refused");
    return;
  }
  uint8_t *out = malloc(size + 1), *whole = malloc(v->size + 1u);
  kop_cut *cuts = calloc(count + 1, sizeof *cuts);
  kop_status status =
      kop_message_encode_cuts(id, v->version, msg, msg_size, out, size, &n, cuts, count, &count);
  for (size_t i = 0; status == KOP_OK && i <= count; i++) {
    size_t upto = i < count ? cuts[i].at : n, len = i < count ? cuts[i].bytes.len : 0;
    if (at + (upto - from) + len > v->size) {
      at = SIZE_MAX;
      break;
    }
    memcpy(whole + at, out + from, upto - from);
    at += upto - from;
    if (len > 0) memcpy(whole + at, cuts[i].bytes.ptr, len);
    at += len;
    from = upto;
  }
  if (status != KOP_OK || n != size || at != v->size || memcmp(whole, v->bytes, at) != 0) {
    fault(v, "the bytes in cuts are others");
  }
  free(cuts);
  free(whole);
  free(out);
}

static void check_json(uint32_t id, const vector *v, const void *msg, size_t msg_size) {
  char *text = NULL;
  size_t len = 0;
  kop_status status =
      kop_json_write(id, v->version, msg, msg_size, (size_t)1 << 28, NULL, &text, &len);
  if (status != KOP_OK) {
    fault(v, "no JSON");
    return;
  }
  json_error_t error;
  json_t *ours = json_loadb(text, len, JSON_ALLOW_NUL, &error);
  json_t *kafka = json_loadb(v->json, v->json_size, JSON_ALLOW_NUL, &error);
  if (ours == NULL || kafka == NULL || !json_equal(ours, kafka)) {
    fault(v, "other values than Kafka's");
    if (counts.faults == 1) printf("  libkop %.2000s\n  Kafka  %.2000s\n", text, v->json);
  }
  json_decref(ours);
  json_decref(kafka);
  kop_json_free(NULL, text);
}

static void check(const vector *v, kop_arena *arena, FILE *back) {
  uint32_t id = 0, faults = counts.faults;
  kop_message_info info;
  counts.messages++;
  if (kop_message_find_name(v->name, &id) != KOP_OK ||
      kop_message_describe(id, &info, sizeof info) != KOP_OK) {
    fault(v, "libkop has no such message");
    put_vector(back, v, NULL, 0);
    return;
  }
  void *msg = malloc(info.struct_size);
  uint8_t *out = NULL;
  size_t n = 0;
  char error[200] = "";
  kop_arena_reset(arena);
  kop_status status =
      kop_message_decode(id, v->version, arena, v->bytes, v->size, msg, info.struct_size, NULL);
  if (status == KOP_OK) {
    check_json(id, v, msg, info.struct_size);
    check_cuts(id, v, msg, info.struct_size);
    out = encode(id, v, msg, info.struct_size, &n);
  } else {
    fault(v, kop_strerror(status));
  }
  put_vector(back, v, out, n);
  free(out);
  status = kop_json_read(id, v->version, arena, v->json, v->json_size, msg, info.struct_size, error,
                         sizeof error);
  if (status == KOP_OK) {
    free(encode(id, v, msg, info.struct_size, &n));
  } else {
    fault(v, error[0] != '\0' ? error : kop_strerror(status));
  }
  free(msg);
  int32_t *seen = &counts.seen[id][v->version];
  if (counts.faults != faults) *seen = -1;
  if (*seen == 0) *seen = 1;
}

static void check_file(const char *vectors, const char *back_path) {
  FILE *in = fopen(vectors, "rb"), *back = fopen(back_path, "wb");
  kop_arena *arena = NULL;
  if (in == NULL || back == NULL || kop_arena_new(NULL, (size_t)1 << 28, &arena) != KOP_OK) {
    fprintf(stderr, "cannot open %s or %s\n", vectors, back_path);
    exit(2);
  }
  vector v;
  while (get_vector(in, &v)) {
    check(&v, arena, back);
    free(v.bytes);
    free(v.json);
  }
  kop_arena_free(arena);
  fclose(in);
  if (fclose(back) != 0) exit(2);
}

int main(int argc, char **argv) {
  if (argc < 3 || argc % 2 == 0) {
    fprintf(stderr, "usage: wire_oracle VECTORS BACK [VECTORS BACK]...\n");
    return 2;
  }
  for (int i = 1; i + 1 < argc; i += 2)
    check_file(argv[i], argv[i + 1]);
  int32_t good[2] = {0, 0}, met[2] = {0, 0};
  for (uint32_t id = 0; id < 2048; id++) {
    for (int version = 0; version < 64; version++) {
      int32_t seen = counts.seen[id][version];
      met[id >= 1000] += seen != 0;
      good[id >= 1000] += seen > 0;
    }
  }
  printf("%u messages, %u faults\n", counts.messages, counts.faults);
  printf("headers and records: %d of %d pairs identical\n", good[1], met[1]);
  printf("wire: %d of %d pairs identical\n", good[0], PAIRS);
  return good[0] == PAIRS && met[0] == PAIRS && good[1] == met[1] && counts.faults == 0 ? 0 : 1;
}
