/* The reflective view: names, kinds, and every access checked. */
#include <criterion/criterion.h>
#include <kop/messages.h>
#include <kop/reflect.h>
#include <string.h>

static kop_arena *arena;

static void open_arena(void) {
  cr_assert_eq(kop_arena_new(NULL, 1 << 16, &arena), KOP_OK);
}

static void close_arena(void) {
  kop_arena_free(arena);
}

TestSuite(reflect, .init = open_arena, .fini = close_arena);

static uint32_t find(uint32_t struct_id, const char *name) {
  uint32_t field = UINT32_MAX;
  cr_assert_eq(kop_field_find(struct_id, name, &field), KOP_OK, "%s", name);
  return field;
}

Test(reflect, describes_a_field) {
  kop_field_info f;
  uint32_t s = KOP_STRUCT_FETCH_REQUEST;
  cr_assert_eq(kop_field_describe(s, find(s, "MaxBytes"), &f, sizeof f), KOP_OK);
  cr_assert_str_eq(f.name, "MaxBytes");
  cr_assert_eq(f.offset, offsetof(kop_fetch_request, max_bytes));
  cr_assert_eq(f.kind, KOP_KIND_INT32);
  cr_assert_eq(f.flags, KOP_FIELD_IGNORABLE);
  cr_assert_eq(f.version_min, 3);
  cr_assert_eq(f.version_max, 18);
  cr_assert_eq(f.default_number, INT32_MAX);
  cr_assert_eq(f.tag, -1);
  cr_assert_gt(f.null_min, f.null_max);
  cr_assert_eq(kop_field_describe(s, find(s, "clusterId"), &f, sizeof f), KOP_OK);
  cr_assert_eq(f.tag, 0);
  cr_assert_eq(f.flags, KOP_FIELD_IGNORABLE | KOP_FIELD_DEFAULT_NULL);
  cr_assert_eq(f.null_min, 12);
  cr_assert_eq(kop_field_describe(s, find(s, "Topics"), &f, sizeof f), KOP_OK);
  cr_assert_eq(f.kind, KOP_KIND_STRUCT);
  cr_assert_eq(f.flags, KOP_FIELD_ARRAY);
  cr_assert_eq(f.struct_id, KOP_STRUCT_FETCH_REQUEST_TOPIC);
  cr_assert_eq(kop_field_describe(s, 1000, &f, sizeof f), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_field_describe(s, 0, &f, sizeof f + 8), KOP_ERR_INVALID);
  uint32_t field;
  cr_assert_eq(kop_field_find(s, "", &field), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_field_find(s, "MAXBYTES", &field), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_field_find(s, "MaxByte", &field), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_field_find(UINT32_MAX, "MaxBytes", &field), KOP_ERR_NOT_FOUND);
}

Test(reflect, builds_a_message_without_its_header) {
  uint32_t s = KOP_STRUCT_METADATA_REQUEST, t = KOP_STRUCT_METADATA_REQUEST_TOPIC;
  kop_metadata_request m;
  cr_assert_eq(kop_message_init(KOP_MSG_METADATA_REQUEST, &m, sizeof m), KOP_OK);
  cr_assert_eq(kop_field_set_len(s, find(s, "topics"), &m, arena, 2), KOP_OK);
  for (int32_t i = 0; i < 2; i++) {
    void *topic = NULL;
    cr_assert_eq(kop_field_get_struct(s, find(s, "topics"), &m, i, &topic), KOP_OK);
    cr_assert_eq(topic, &m.topics.ptr[i]);
    kop_slice name = {(const uint8_t *)"topic", (size_t)i + 1};
    cr_assert_eq(kop_field_set_slice(t, find(t, "name"), topic, 0, name), KOP_OK);
  }
  cr_assert_eq(kop_field_set_int(s, find(s, "allowAutoTopicCreation"), &m, 0, 0), KOP_OK);
  cr_assert_eq(m.topics.len, 2);
  cr_assert_eq(m.topics.ptr[1].name.len, 2);
  cr_assert_eq(m.allow_auto_topic_creation, 0);
  int32_t len = 0;
  cr_assert_eq(kop_field_len(s, find(s, "topics"), &m, &len), KOP_OK);
  cr_assert_eq(len, 2);
  cr_assert_eq(kop_field_set_len(s, find(s, "topics"), &m, arena, -1), KOP_OK);
  cr_assert_eq(kop_field_len(s, find(s, "topics"), &m, &len), KOP_OK);
  cr_assert_eq(len, -1);
  void *topic = NULL;
  cr_assert_eq(kop_field_get_struct(s, find(s, "topics"), &m, 0, &topic), KOP_ERR_NOT_FOUND);
}

Test(reflect, checks_ranges_kinds_and_places) {
  uint32_t s = KOP_STRUCT_FETCH_REQUEST, p = KOP_STRUCT_FETCH_REQUEST_PARTITION;
  kop_fetch_request m;
  kop_fetch_request_partition part;
  cr_assert_eq(kop_message_init(KOP_MSG_FETCH_REQUEST, &m, sizeof m), KOP_OK);
  cr_assert_eq(kop_struct_init(p, &part, sizeof part), KOP_OK);
  int64_t value = 0;
  double number = 0;
  kop_slice slice;
  cr_assert_eq(kop_field_set_int(s, find(s, "isolationLevel"), &m, 0, 127), KOP_OK);
  cr_assert_eq(kop_field_set_int(s, find(s, "isolationLevel"), &m, 0, 128), KOP_ERR_INVALID);
  cr_assert_eq(kop_field_get_int(s, find(s, "isolationLevel"), &m, 0, &value), KOP_OK);
  cr_assert_eq(value, 127);
  cr_assert_eq(kop_field_get_int(s, find(s, "isolationLevel"), &m, 1, &value), KOP_ERR_NOT_FOUND);
  cr_assert_eq(kop_field_get_int(s, find(s, "rackId"), &m, 0, &value), KOP_ERR_INVALID);
  cr_assert_eq(kop_field_get_slice(s, find(s, "maxWaitMs"), &m, 0, &slice), KOP_ERR_INVALID);
  cr_assert_eq(kop_field_get_float(s, find(s, "maxWaitMs"), &m, 0, &number), KOP_ERR_INVALID);
  cr_assert_eq(kop_field_set_len(s, find(s, "rackId"), &m, arena, -1), KOP_ERR_INVALID,
               "it is never null");
  cr_assert_eq(kop_field_set_len(s, find(s, "clusterId"), &m, arena, -1), KOP_OK);
  cr_assert_eq(kop_field_set_len(s, find(s, "topics"), &m, arena, 1 << 24), KOP_ERR_LIMIT);
  uint8_t uuid[16] = {1, 2, 3};
  cr_assert_eq(
      kop_field_set_slice(p, find(p, "replicaDirectoryId"), &part, 0, (kop_slice){uuid, 16}),
      KOP_OK);
  cr_assert_eq(
      kop_field_set_slice(p, find(p, "replicaDirectoryId"), &part, 0, (kop_slice){uuid, 15}),
      KOP_ERR_INVALID);
  cr_assert_eq(kop_field_get_slice(p, find(p, "replicaDirectoryId"), &part, 0, &slice), KOP_OK);
  cr_assert_eq(slice.ptr, part.replica_directory_id.bytes);
  cr_assert_arr_eq(slice.ptr, uuid, 16);
}

Test(reflect, reaches_nullable_structs_and_tags) {
  uint32_t s = KOP_STRUCT_DESCRIBE_TOPIC_PARTITIONS_REQUEST;
  kop_describe_topic_partitions_request m;
  cr_assert_eq(kop_message_init(KOP_MSG_DESCRIBE_TOPIC_PARTITIONS_REQUEST, &m, sizeof m), KOP_OK);
  int32_t len = 0;
  void *inner = &m;
  uint32_t cursor = find(s, "cursor");
  cr_assert_eq(kop_field_len(s, cursor, &m, &len), KOP_OK);
  cr_assert_eq(len, -1);
  cr_assert_eq(kop_field_get_struct(s, cursor, &m, 0, &inner), KOP_OK);
  cr_assert_null(inner);
  cr_assert_eq(kop_field_set_len(s, cursor, &m, arena, 2), KOP_ERR_INVALID);
  cr_assert_eq(kop_field_set_len(s, cursor, &m, arena, 1), KOP_OK);
  cr_assert_not_null(m.cursor);
  cr_assert_not_null(m.cursor->topic_name.ptr, "a new struct holds its defaults");
  cr_assert_eq(kop_field_get_struct(s, cursor, &m, 0, &inner), KOP_OK);
  cr_assert_eq(inner, m.cursor);

  static const uint8_t raw[] = {9, 0};
  kop_slice tags;
  cr_assert_eq(kop_struct_set_tags(s, &m, (kop_slice){raw, 2}), KOP_OK);
  cr_assert_eq(kop_struct_get_tags(s, &m, &tags), KOP_OK);
  cr_assert_eq(tags.ptr, raw);
  kop_sasl_handshake_request plain;
  cr_assert_eq(kop_struct_get_tags(KOP_STRUCT_SASL_HANDSHAKE_REQUEST, &plain, &tags),
               KOP_ERR_NOT_FOUND);
}
