/* Readers of small admin answers: lists, properties, partitions, message ids, policies. */
#include <string.h>

#include "pulsar/admin_json.h"
#include "wire/arena.h"

kop_status kop_pulsar_admin_read_strings(const kop_pulsar_admin_answer *answer, kop_arena *arena,
                                         kop_pulsar_admin_strings *out) {
  json_t *root;
  kop_status status = kopi_admin_json_load(answer, &root);
  if (status != KOP_OK) return status;
  status = root == NULL ? KOP_ERR_MALFORMED : kopi_admin_strings(&arena->arena, root, out);
  json_decref(root);
  return status;
}

kop_status kop_pulsar_admin_read_properties(const kop_pulsar_admin_answer *answer, kop_arena *arena,
                                            kop_pulsar_admin_properties *out) {
  json_t *root;
  kop_status status = kopi_admin_json_load(answer, &root);
  if (status != KOP_OK) return status;
  status = kopi_admin_properties(&arena->arena, root, out);
  json_decref(root);
  return status;
}

kop_status kop_pulsar_admin_read_partitions(const kop_pulsar_admin_answer *answer, kop_arena *arena,
                                            kop_pulsar_admin_partitions *out) {
  json_t *root;
  int64_t partitions = 0;
  kop_status status = kopi_admin_json_load(answer, &root);
  if (status != KOP_OK) return status;
  *out = (kop_pulsar_admin_partitions){0};
  if (!json_is_object(root)) status = KOP_ERR_MALFORMED;
  if (status == KOP_OK) {
    status = kopi_admin_member_int(root, "partitions", 0, INT32_MAX, &partitions);
  }
  if (status == KOP_OK) status = kopi_admin_member_bool(root, "deleted", &out->deleted);
  if (status == KOP_OK) {
    status =
        kopi_admin_properties(&arena->arena, json_object_get(root, "properties"), &out->properties);
  }
  out->partitions = (int32_t)partitions;
  json_decref(root);
  return status;
}

kop_status kop_pulsar_admin_read_message_id(const kop_pulsar_admin_answer *answer,
                                            kop_pulsar_message_id *out) {
  json_t *root;
  int64_t ledger = INT64_MIN, entry = INT64_MIN, partition = -1, index = -1, size = 0;
  kop_status status = kopi_admin_json_load(answer, &root);
  if (status != KOP_OK) return status;
  if (!json_is_object(root)) status = KOP_ERR_MALFORMED;
  if (status == KOP_OK) status = kopi_admin_member_int(root, "ledgerId", -1, INT64_MAX, &ledger);
  if (status == KOP_OK) status = kopi_admin_member_int(root, "entryId", -1, INT64_MAX, &entry);
  if (status == KOP_OK) {
    status = kopi_admin_member_int(root, "partitionIndex", -1, INT32_MAX, &partition);
  }
  if (status == KOP_OK) status = kopi_admin_member_int(root, "batchIndex", -1, INT32_MAX, &index);
  if (status == KOP_OK) status = kopi_admin_member_int(root, "batchSize", 0, INT32_MAX, &size);
  json_decref(root);
  if (status != KOP_OK) return status;
  if (ledger < -1 || entry < -1) return KOP_ERR_MALFORMED;
  *out = (kop_pulsar_message_id){.ledger_id = (uint64_t)ledger,
                                 .entry_id = (uint64_t)entry,
                                 .partition = (int32_t)partition,
                                 .batch_index = (int32_t)index,
                                 .batch_size = (int32_t)size};
  return KOP_OK;
}

/* A policy: an object, or nothing when none is set. */
static kop_status load_policy(const kop_pulsar_admin_answer *answer, json_t **root) {
  kop_status status = kopi_admin_json_load(answer, root);
  if (status != KOP_OK) return status;
  if (json_is_object(*root)) return KOP_OK;
  status = *root == NULL || json_is_null(*root) ? KOP_ERR_NOT_FOUND : KOP_ERR_MALFORMED;
  json_decref(*root);
  return status;
}

kop_status kop_pulsar_admin_read_retention(const kop_pulsar_admin_answer *answer,
                                           kop_pulsar_admin_retention *out) {
  json_t *root;
  int64_t minutes = 0, megabytes = 0;
  kop_status status = load_policy(answer, &root);
  if (status != KOP_OK) return status;
  status = kopi_admin_member_int(root, "retentionTimeInMinutes", -1, INT32_MAX, &minutes);
  if (status == KOP_OK) {
    status = kopi_admin_member_int(root, "retentionSizeInMB", -1, INT32_MAX, &megabytes);
  }
  json_decref(root);
  if (status == KOP_OK) *out = (kop_pulsar_admin_retention){(int32_t)minutes, (int32_t)megabytes};
  return status;
}

static int32_t inactive_mode(json_t *from) {
  const char *text = json_string_value(from);
  if (text == NULL) return 0;
  if (strcmp(text, "delete_when_no_subscriptions") == 0)
    return KOP_PULSAR_ADMIN_INACTIVE_NO_SUBSCRIPTIONS;
  if (strcmp(text, "delete_when_subscriptions_caught_up") == 0)
    return KOP_PULSAR_ADMIN_INACTIVE_CAUGHT_UP;
  return 0;
}

kop_status kop_pulsar_admin_read_inactive_policy(const kop_pulsar_admin_answer *answer,
                                                 kop_pulsar_admin_inactive_policy *out) {
  json_t *root;
  int64_t seconds = 0;
  kop_pulsar_admin_inactive_policy policy = {0};
  kop_status status = load_policy(answer, &root);
  if (status != KOP_OK) return status;
  policy.mode = inactive_mode(json_object_get(root, "inactiveTopicDeleteMode"));
  status = kopi_admin_member_int(root, "maxInactiveDurationSeconds", 0, INT32_MAX, &seconds);
  if (status == KOP_OK) {
    status = kopi_admin_member_bool(root, "deleteWhileInactive", &policy.deletes);
  }
  json_decref(root);
  policy.seconds = (int32_t)seconds;
  if (status == KOP_OK) *out = policy;
  return status;
}

kop_status kop_pulsar_admin_read_number(const kop_pulsar_admin_answer *answer, int64_t *out) {
  json_t *root;
  kop_status status = kopi_admin_json_load(answer, &root);
  if (status != KOP_OK) return status;
  if (root == NULL || json_is_null(root)) {
    status = KOP_ERR_NOT_FOUND;
  } else if (json_is_integer(root)) {
    *out = json_integer_value(root);
  } else {
    status = KOP_ERR_MALFORMED;
  }
  json_decref(root);
  return status;
}

kop_status kop_pulsar_admin_read_compaction(const kop_pulsar_admin_answer *answer, kop_arena *arena,
                                            int32_t *state, kop_slice *error) {
  static const char *const names[] = {"NOT_RUN", "RUNNING", "SUCCESS", "ERROR"};
  json_t *root;
  kop_status status = kopi_admin_json_load(answer, &root);
  if (status != KOP_OK) return status;
  const char *text = json_string_value(json_object_get(root, "status"));
  int32_t found = 0;
  for (int32_t i = 0; text != NULL && i < 4; i++) {
    if (strcmp(text, names[i]) == 0) found = i + 1;
  }
  *error = (kop_slice){(const uint8_t *)"", 0};
  status = found == 0 ? KOP_ERR_MALFORMED
                      : kopi_admin_member_string(&arena->arena, root, "lastError", error);
  json_decref(root);
  if (status == KOP_OK) *state = found;
  return status;
}

kop_status kop_pulsar_admin_read_permissions(const kop_pulsar_admin_answer *answer,
                                             kop_arena *arena,
                                             const kop_pulsar_admin_permission **out,
                                             size_t *count) {
  json_t *root;
  kop_status status = kopi_admin_json_load(answer, &root);
  if (status != KOP_OK) return status;
  size_t n = json_object_size(root), i = 0;
  kop_pulsar_admin_permission *items = NULL;
  if (!json_is_object(root)) {
    status = KOP_ERR_MALFORMED;
  } else {
    items = kopi_arena_calloc(&arena->arena, n, sizeof *items);
    if (items == NULL) status = kopi_arena_status(&arena->arena, n * sizeof *items);
  }
  void *at = status == KOP_OK ? json_object_iter(root) : NULL;
  for (; at != NULL && status == KOP_OK; at = json_object_iter_next(root, at), i++) {
    const char *role = json_object_iter_key(at);
    status = kopi_admin_copy(&arena->arena, role, strlen(role), &items[i].role);
    if (status == KOP_OK) {
      status = kopi_admin_strings(&arena->arena, json_object_iter_value(at), &items[i].actions);
    }
  }
  json_decref(root);
  if (status != KOP_OK) return status;
  *out = items;
  *count = n;
  return KOP_OK;
}
