/* What the readers of admin answers share. jansson parses, everything kept is copied into the arena. */
#include "pulsar/admin_json.h"

#include <stdio.h>
#include <string.h>

#include "base/sized.h"

kop_status kopi_admin_answer_load(const kop_pulsar_admin_answer *from,
                                  kop_pulsar_admin_answer *to) {
  *to = (kop_pulsar_admin_answer){0};
  if (kopi_sized_load(to, sizeof *to, from) != KOP_OK) return KOP_ERR_INVALID;
  uint8_t broken = (to->headers == NULL && to->headers_count > 0) ||
                   (to->body.ptr == NULL && to->body.len > 0) || to->reserved != 0;
  return broken ? KOP_ERR_INVALID : KOP_OK;
}

kop_status kopi_admin_json_load(const kop_pulsar_admin_answer *answer, json_t **root) {
  kop_pulsar_admin_answer a;
  *root = NULL;
  kop_status status = kopi_admin_answer_load(answer, &a);
  if (status != KOP_OK) return status;
  if (a.status < 200 || a.status > 299) return KOP_ERR_STATE;
  if (a.body.len > KOP_PULSAR_ADMIN_MAX_BODY) return KOP_ERR_LIMIT;
  if (a.body.len == 0) return KOP_OK;
  json_error_t where;
  *root = json_loadb((const char *)a.body.ptr, a.body.len,
                     JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &where);
  if (*root != NULL) return KOP_OK;
  return json_error_code(&where) == json_error_out_of_memory ? KOP_ERR_NOMEM : KOP_ERR_MALFORMED;
}

kop_status kopi_admin_copy(kopi_arena *arena, const void *bytes, size_t len, kop_slice *out) {
  uint8_t *copy = kopi_arena_alloc(arena, len);
  if (copy == NULL) return kopi_arena_status(arena, len);
  if (len > 0) memcpy(copy, bytes, len);
  *out = (kop_slice){copy, len};
  return KOP_OK;
}

kop_status kopi_admin_string(kopi_arena *arena, json_t *from, kop_slice *out) {
  if (!json_is_string(from)) return KOP_ERR_MALFORMED;
  return kopi_admin_copy(arena, json_string_value(from), json_string_length(from), out);
}

/* The member, NULL when there is none or it is null. */
static json_t *member(json_t *object, const char *name) {
  json_t *found = json_object_get(object, name);
  return json_is_null(found) ? NULL : found;
}

kop_status kopi_admin_member_int(json_t *object, const char *name, int64_t min, int64_t max,
                                 int64_t *out) {
  json_t *found = member(object, name);
  if (found == NULL) return KOP_OK;
  if (!json_is_integer(found)) return KOP_ERR_MALFORMED;
  int64_t value = json_integer_value(found);
  if (value < min || value > max) return KOP_ERR_MALFORMED;
  *out = value;
  return KOP_OK;
}

kop_status kopi_admin_member_real(json_t *object, const char *name, double *out) {
  json_t *found = member(object, name);
  if (found == NULL || json_is_string(found))
    return KOP_OK; /* Java writes "NaN" for a rate of nothing */
  if (!json_is_number(found)) return KOP_ERR_MALFORMED;
  *out = json_number_value(found);
  return KOP_OK;
}

kop_status kopi_admin_member_bool(json_t *object, const char *name, int32_t *out) {
  json_t *found = member(object, name);
  if (found == NULL) return KOP_OK;
  if (!json_is_boolean(found)) return KOP_ERR_MALFORMED;
  *out = json_is_true(found) ? 1 : 0;
  return KOP_OK;
}

kop_status kopi_admin_member_string(kopi_arena *arena, json_t *object, const char *name,
                                    kop_slice *out) {
  json_t *found = member(object, name);
  return found == NULL ? KOP_OK : kopi_admin_string(arena, found, out);
}

kop_status kopi_admin_strings(kopi_arena *arena, json_t *from, kop_pulsar_admin_strings *out) {
  *out = (kop_pulsar_admin_strings){NULL, 0};
  if (from == NULL || json_is_null(from)) return KOP_OK;
  if (!json_is_array(from)) return KOP_ERR_MALFORMED;
  size_t n = json_array_size(from);
  kop_slice *items = kopi_arena_calloc(arena, n, sizeof *items);
  if (items == NULL) return kopi_arena_status(arena, n * sizeof *items);
  for (size_t i = 0; i < n; i++) {
    kop_status status = kopi_admin_string(arena, json_array_get(from, i), &items[i]);
    if (status != KOP_OK) return status;
  }
  *out = (kop_pulsar_admin_strings){items, n};
  return KOP_OK;
}

/* Brokers' settings and cursors' properties hold numbers too: as text here. */
static kop_status scalar(kopi_arena *arena, json_t *from, kop_slice *out) {
  char number[32];
  if (json_is_null(from)) {
    *out = (kop_slice){NULL, 0};
    return KOP_OK;
  }
  if (json_is_boolean(from)) {
    const char *text = json_is_true(from) ? "true" : "false";
    return kopi_admin_copy(arena, text, strlen(text), out);
  }
  if (json_is_integer(from)) {
    int len = snprintf(number, sizeof number, "%lld", (long long)json_integer_value(from));
    return kopi_admin_copy(arena, number, (size_t)len, out);
  }
  return kopi_admin_string(arena, from, out);
}

kop_status kopi_admin_properties(kopi_arena *arena, json_t *from,
                                 kop_pulsar_admin_properties *out) {
  *out = (kop_pulsar_admin_properties){NULL, 0};
  if (from == NULL || json_is_null(from)) return KOP_OK;
  if (!json_is_object(from)) return KOP_ERR_MALFORMED;
  size_t n = json_object_size(from), i = 0;
  kop_pulsar_property *items = kopi_arena_calloc(arena, n, sizeof *items);
  if (items == NULL) return kopi_arena_status(arena, n * sizeof *items);
  for (void *at = json_object_iter(from); at != NULL; at = json_object_iter_next(from, at), i++) {
    const char *key = json_object_iter_key(at);
    kop_status status = kopi_admin_copy(arena, key, strlen(key), &items[i].key);
    if (status == KOP_OK) status = scalar(arena, json_object_iter_value(at), &items[i].value);
    if (status != KOP_OK) return status;
  }
  *out = (kop_pulsar_admin_properties){items, n};
  return KOP_OK;
}
