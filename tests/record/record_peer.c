/*
 * libkop's side of the comparison with Kafka's own record classes.
 *
 * RecordOracle.java starts this program and sends it requests on standard input, one frame each, big-endian:
 *
 *    frame:   length i32 | op i8 | arguments          answer: length i32 | status i32 | result
 *
 *    1 iterate    bytes                               a dump of every record
 *    2 validate   rules, bytes                        verdict, and what would be stored
 *    3 build      options, records                    the batch
 *    4 down       magic i8, first offset i64, bytes   the message set
 *    5 empty      base i64, last i64, epoch i32       the batch
 *    6 entry      property name and value, number     why it is a hole i32 (KOP_HOLE_), and else the batches that kop_convert_to_kafka()
 *                 of messages i32, payload            makes of a Pulsar entry like that, whose offsets begin with 0
 *
 * The dump of a record: offset i64, timestamp i64, timestamp type i8, sequence i32, key, value (length i32 or -1, bytes), header
 * count i32, headers alike, control type i32 and coordinator epoch i32 (-1 each outside control batches).
 */
#include <kop/convert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct out {
  uint8_t *ptr;
  size_t len;
  size_t cap;
} out;

typedef struct in {
  const uint8_t *p;
  const uint8_t *end;
} in;

static void die(const char *why) {
  fprintf(stderr, "record_peer: %s\n", why);
  exit(1);
}

static void put(out *o, const void *bytes, size_t n) {
  if (n == 0) return;
  if (o->len + n > o->cap) {
    o->cap = (o->len + n) * 2;
    o->ptr = realloc(o->ptr, o->cap);
    if (o->ptr == NULL) die("out of memory");
  }
  memcpy(o->ptr + o->len, bytes, n);
  o->len += n;
}

static void put_int(out *o, uint64_t v, int size) {
  uint8_t bytes[8];
  for (int i = 0; i < size; i++) {
    bytes[i] = (uint8_t)(v >> (8 * (size - 1 - i)));
  }
  put(o, bytes, (size_t)size);
}

static void put_slice(out *o, kop_slice s) {
  put_int(o, s.ptr == NULL ? UINT32_MAX : (uint32_t)s.len, 4);
  put(o, s.ptr, s.len);
}

static uint64_t get_int(in *i, int size) {
  if (i->end - i->p < size) die("request too short");
  uint64_t v = 0;
  for (int k = 0; k < size; k++) {
    v = (v << 8) | *i->p++;
  }
  return v;
}

static int32_t get_i32(in *i) {
  return (int32_t)(uint32_t)get_int(i, 4);
}

static int64_t get_i64(in *i) {
  return (int64_t)get_int(i, 8);
}

static kop_slice get_slice(in *i) {
  int32_t len = get_i32(i);
  if (len < 0) return (kop_slice){.ptr = NULL, .len = 0};
  if (i->end - i->p < len) die("request too short");
  kop_slice s = {.ptr = i->p, .len = (size_t)len};
  i->p += len;
  return s;
}

static kop_slice get_rest(in *i) {
  kop_slice s = {.ptr = i->p, .len = (size_t)(i->end - i->p)};
  i->p = i->end;
  return s;
}

static kop_status dump_record(const kop_record *r, int control, out *o) {
  put_int(o, (uint64_t)r->offset, 8);
  put_int(o, (uint64_t)r->timestamp, 8);
  put_int(o, (uint64_t)r->timestamp_type, 1);
  put_int(o, (uint64_t)r->sequence, 4);
  put_slice(o, r->key);
  put_slice(o, r->value);
  put_int(o, (uint64_t)r->header_count, 4);
  kop_slice rest = r->headers;
  kop_record_header header;
  kop_status status = kop_record_header_next(&rest, &header);
  for (; status == KOP_OK; status = kop_record_header_next(&rest, &header)) {
    put_slice(o, header.key);
    put_slice(o, header.value);
  }
  if (status != KOP_ERR_NOT_FOUND) return status;
  kop_control c = {.type = -1, .coordinator_epoch = -1};
  if (control) {
    status = kop_control_decode(r, &c);
    if (status != KOP_OK) return status;
  }
  put_int(o, (uint64_t)c.type, 4);
  put_int(o, (uint64_t)c.coordinator_epoch, 4);
  return KOP_OK;
}

static kop_status dump(kop_record_ctx *ctx, kop_slice bytes, out *o) {
  for (size_t at = 0, size; at < bytes.len; at += size) {
    int32_t magic;
    kop_status status = kop_batch_next(bytes.ptr + at, bytes.len - at, &size, &magic);
    if (status != KOP_OK) return status;
    status = kop_batch_check_crc(bytes.ptr + at, size);
    int control = magic == 2 && (bytes.ptr[at + 22] & KOP_BATCH_CONTROL) != 0;
    if (status == KOP_OK) status = kop_record_begin(ctx, bytes.ptr + at, size);
    while (status == KOP_OK) {
      kop_record record;
      status = kop_record_next(ctx, &record);
      if (status == KOP_OK) status = dump_record(&record, control, o);
    }
    if (status != KOP_ERR_NOT_FOUND) return status;
  }
  return KOP_OK;
}

static kop_status validate(kop_record_ctx *ctx, in *i, out *o) {
  kop_batch_rules rules;
  kop_batch_rules_init(&rules, sizeof rules);
  rules.produce_version = get_i32(i);
  rules.timestamp_type = get_i32(i);
  rules.now_ms = get_i64(i);
  rules.before_max_ms = get_i64(i);
  rules.after_max_ms = get_i64(i);
  rules.max_message_bytes = get_i32(i);
  rules.codec = get_i32(i);
  rules.key_required = get_i32(i);
  int64_t base_offset = get_i64(i);
  int32_t leader_epoch = get_i32(i);
  kop_slice bytes = get_rest(i);
  kop_batch_info info;
  kop_status status = kop_batch_validate(ctx, bytes.ptr, bytes.len, &rules, &info, sizeof info);
  if (status != KOP_OK) return status;
  uint8_t *stored = NULL;
  size_t len = info.payload_len;
  if (info.error == 0 && info.rebuild != 0) {
    status = kop_batch_rebuild(ctx, bytes.ptr, len, &rules, KOP_LEVEL_DEFAULT, &stored, &len);
    if (status == KOP_ERR_LIMIT) info.error = 10; /* what the header says to answer */
    if (status != KOP_OK && status != KOP_ERR_LIMIT) return status;
  } else if (info.error == 0 && len != 0) {
    stored = malloc(len);
    if (stored == NULL) die("out of memory");
    memcpy(stored, bytes.ptr, len);
    status = kop_batch_accept(stored, &info);
    if (status != KOP_OK) return status;
  }
  put_int(o, (uint64_t)info.error, 2);
  put_int(o, (uint64_t)info.rebuild, 4);
  put_int(o, (uint64_t)info.max_timestamp, 8);
  put_int(o, (uint64_t)info.count, 4);
  put_int(o, (uint64_t)info.record_errors_len, 4);
  for (int32_t k = 0; k < info.record_errors_len; k++) {
    put_int(o, (uint64_t)info.record_errors[k].index, 4);
  }
  put_slice(o, (kop_slice){.ptr = (const uint8_t *)(info.message == NULL ? "" : info.message),
                           .len = info.message == NULL ? 0 : strlen(info.message)});
  if (stored != NULL) {
    kop_batch_set_position(stored, base_offset, leader_epoch);
    put(o, stored, len);
  }
  if (info.rebuild != 0) {
    kop_record_bytes_free(ctx, stored);
  } else {
    free(stored);
  }
  return KOP_OK;
}

static kop_status build(in *i, out *o) {
  kop_batch_options options;
  kop_batch_options_init(&options, sizeof options);
  options.magic = get_i32(i);
  options.codec = get_i32(i);
  options.timestamp_type = get_i32(i);
  options.log_append_ms = get_i64(i);
  options.base_offset = get_i64(i);
  options.leader_epoch = get_i32(i);
  options.producer_id = get_i64(i);
  options.producer_epoch = get_i32(i);
  options.base_sequence = get_i32(i);
  options.flags = get_i32(i);
  int32_t count = get_i32(i);
  kop_batch_builder *b;
  kop_status status = kop_batch_builder_new(NULL, &b);
  if (status != KOP_OK) return status;
  status = kop_batch_builder_begin(b, &options);
  for (int32_t k = 0; k < count && status == KOP_OK; k++) {
    kop_record_in r = {.offset = get_i64(i), .timestamp = get_i64(i)};
    r.key = get_slice(i);
    r.value = get_slice(i);
    r.header_count = get_i32(i);
    kop_record_header *headers = calloc((size_t)r.header_count + 1, sizeof *headers);
    if (headers == NULL) die("out of memory");
    for (int32_t h = 0; h < r.header_count; h++) {
      headers[h].key = get_slice(i);
      headers[h].value = get_slice(i);
    }
    r.headers = headers;
    status = kop_batch_builder_append(b, &r);
    free(headers);
  }
  const uint8_t *batch = NULL;
  size_t len = 0;
  if (status == KOP_OK) status = kop_batch_builder_finish(b, &batch, &len);
  if (status == KOP_OK) put(o, batch, len);
  kop_batch_builder_free(b);
  return status;
}

static kop_status down(kop_record_ctx *ctx, in *i, out *o) {
  int32_t magic = (int32_t)get_int(i, 1);
  int64_t first = get_i64(i);
  kop_slice bytes = get_rest(i);
  uint8_t *set;
  size_t len;
  kop_status status = kop_batch_down_convert(ctx, bytes.ptr, bytes.len, magic, first,
                                             (size_t)INT32_MAX, &set, &len);
  if (status == KOP_OK) put(o, set, len);
  kop_record_bytes_free(ctx, set);
  return status;
}

static kop_status empty(in *i, out *o) {
  int64_t base = get_i64(i);
  int64_t last = get_i64(i);
  uint8_t batch[KOP_BATCH_HEAD_SIZE];
  kop_status status = kop_batch_empty(base, last, get_i32(i), batch);
  if (status == KOP_OK) put(o, batch, sizeof batch);
  return status;
}

static kop_status entry(in *i, out *o) {
  static kop_convert *convert;
  if (convert == NULL && kop_convert_new(NULL, &convert) != KOP_OK) die("no converter");
  kop_pulsar_property property = {.key = get_slice(i)};
  property.value = get_slice(i);
  kop_pulsar_metadata md;
  kop_pulsar_metadata_init(&md);
  md.present = KOP_PULSAR_HAS_PRODUCER_NAME | KOP_PULSAR_HAS_SEQUENCE_ID |
               KOP_PULSAR_HAS_PUBLISH_TIME | KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH;
  md.producer_name = (kop_slice){(const uint8_t *)"forger", 6};
  md.num_messages_in_batch = get_i32(i);
  kop_slice payload = get_rest(i);
  uint8_t head[1024];
  size_t len;
  kop_status status =
      kop_pulsar_entry_write(&md, &property, 1, &payload, 1, head, sizeof head, &len);
  if (status != KOP_OK) return status;
  out whole = {0};
  put(&whole, head, len);
  put(&whole, payload.ptr, payload.len);
  kop_convert_answer answer;
  status = kop_convert_to_kafka(convert, whole.ptr, whole.len, 0, md.num_messages_in_batch - 1,
                                NULL, &answer);
  if (status == KOP_OK) put_int(o, (uint64_t)answer.reason, 4);
  for (size_t k = 0; status == KOP_OK && k < answer.batches_count; k++) {
    put(o, answer.batches[k].head.ptr, answer.batches[k].head.len);
    put(o, answer.batches[k].records.ptr, answer.batches[k].records.len);
  }
  free(whole.ptr);
  return status;
}

static kop_status serve(kop_record_ctx *ctx, in *i, out *o) {
  switch (get_int(i, 1)) {
  case 1:
    return dump(ctx, get_rest(i), o);
  case 2:
    return validate(ctx, i, o);
  case 3:
    return build(i, o);
  case 4:
    return down(ctx, i, o);
  case 5:
    return empty(i, o);
  case 6:
    return entry(i, o);
  default:
    die("unknown op");
    return KOP_ERR_UNSUPPORTED;
  }
}

static int read_all(uint8_t *p, size_t n) {
  return fread(p, 1, n, stdin) == n;
}

int main(void) {
  kop_record_ctx *ctx;
  if (kop_record_ctx_new(NULL, &ctx) != KOP_OK) die("no context");
  out answer = {0};
  uint8_t prefix[4];
  uint8_t *request = NULL;
  size_t cap = 0;
  while (read_all(prefix, sizeof prefix)) {
    in p = {.p = prefix, .end = prefix + sizeof prefix};
    size_t len = (size_t)get_int(&p, 4);
    if (len > cap) {
      cap = len * 2;
      request = realloc(request, cap);
      if (request == NULL) die("out of memory");
    }
    if (!read_all(request, len)) die("input ends inside a request");
    answer.len = 0;
    put_int(&answer, 0, 8);
    in i = {.p = request, .end = request + len};
    kop_status status = serve(ctx, &i, &answer);
    out head = {0};
    put_int(&head, answer.len - 4, 4);
    put_int(&head, (uint64_t)status, 4);
    memcpy(answer.ptr, head.ptr, 8);
    free(head.ptr);
    if (fwrite(answer.ptr, 1, answer.len, stdout) != answer.len || fflush(stdout) != 0)
      die("cannot write");
  }
  free(request);
  free(answer.ptr);
  kop_record_ctx_free(ctx);
  return 0;
}
