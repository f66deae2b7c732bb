/*
 * What an admin answer means. Most of it is in the status. Two things are not: a 404 may mean that the thing named is missing (the broker's own
 * words in JSON) or that this broker has no such call (a page of its web server), and for entries that do not exist 4.0.8 answers 500 or
 * 412 and says so in the text only.
 */
#include <string.h>

#include "pulsar/admin_entry.h"
#include "pulsar/admin_json.h"
#include "wire/arena.h"

static uint8_t contains(kop_slice text, const char *part) {
  size_t len = strlen(part);
  for (size_t i = 0; i + len <= text.len; i++) {
    if (memcmp(text.ptr + i, part, len) == 0) return 1;
  }
  return 0;
}

/* The line that tells most: after an unexpected error the one with the message, else the first that is not blank. */
static kop_slice telling_line(const char *text, size_t len) {
  static const char mark[] = "Message: ";
  kop_slice all = {(const uint8_t *)text, len}, best = {all.ptr, 0};
  for (size_t at = 0, end; at < all.len; at = end + 1) {
    const uint8_t *stop = memchr(all.ptr + at, '\n', all.len - at);
    end = stop == NULL ? all.len : (size_t)(stop - all.ptr);
    kop_slice line = {all.ptr + at, end - at};
    if (line.len >= sizeof mark - 1 && memcmp(line.ptr, mark, sizeof mark - 1) == 0) {
      return (kop_slice){line.ptr + sizeof mark - 1, line.len - (sizeof mark - 1)};
    }
    if (best.len == 0) best = line;
  }
  return best;
}

/* Whether the broker itself has spoken, and its reason. */
static kop_status read_reason(const kop_pulsar_admin_answer *a, kopi_arena *arena, uint8_t *spoken,
                              kop_slice *reason) {
  json_error_t where;
  *spoken = 0;
  if (a->body.len == 0 || a->body.len > KOP_PULSAR_ADMIN_MAX_BODY) return KOP_OK;
  json_t *root = json_loadb((const char *)a->body.ptr, a->body.len, JSON_ALLOW_NUL, &where);
  /* Without memory nobody knows whether the broker has spoken, which is half of what a 404 means. */
  if (root == NULL && json_error_code(&where) == json_error_out_of_memory) return KOP_ERR_NOMEM;
  json_t *text = json_object_get(root, "reason");
  kop_status status = KOP_OK;
  *spoken = json_is_object(root);
  if (json_is_string(text)) {
    kop_slice line = telling_line(json_string_value(text), json_string_length(text));
    status = kopi_admin_copy(arena, line.ptr, line.len, reason);
  }
  json_decref(root);
  return status;
}

static uint32_t judge(int32_t status, uint8_t spoken, kop_slice reason) {
  if (status < 300) return KOP_PULSAR_ADMIN_DONE;
  if (status < 400) return KOP_PULSAR_ADMIN_REDIRECT;
  switch (status) {
  case 401:
  case 403:
    return KOP_PULSAR_ADMIN_UNAUTHORIZED;
  case 404:
    return spoken ? KOP_PULSAR_ADMIN_MISSING : KOP_PULSAR_ADMIN_NO_SUCH_CALL;
  case 405:
  case 501:
    return KOP_PULSAR_ADMIN_NO_SUCH_CALL;
  case 409:
    return KOP_PULSAR_ADMIN_EXISTS;
  case 408:
  case 429:
    return KOP_PULSAR_ADMIN_TRY_LATER;
  case 412:
    return contains(reason, "the total message is zero") ? KOP_PULSAR_ADMIN_MISSING
                                                         : KOP_PULSAR_ADMIN_REFUSED;
  case 500:
    if (contains(reason, "No such entry") || contains(reason, "LastConfirmedEntry is")) {
      return KOP_PULSAR_ADMIN_MISSING;
    }
    return KOP_PULSAR_ADMIN_TRY_LATER;
  default:
    return status < 500 ? KOP_PULSAR_ADMIN_REFUSED : KOP_PULSAR_ADMIN_TRY_LATER;
  }
}

kop_status kop_pulsar_admin_judge(const kop_pulsar_admin_answer *answer, kop_arena *arena,
                                  kop_pulsar_admin_verdict *out) {
  kop_pulsar_admin_answer a;
  kop_pulsar_admin_verdict v = {.size = sizeof v, .reason = {(const uint8_t *)"", 0}};
  kop_status status = kopi_admin_answer_load(answer, &a);
  if (status != KOP_OK) return status;
  if (a.status < 200 || a.status > 599) return KOP_ERR_MALFORMED;
  uint8_t spoken = 0;
  if (a.status >= 400) status = read_reason(&a, &arena->arena, &spoken, &v.reason);
  if (status != KOP_OK) return status;
  v.kind = judge(a.status, spoken, v.reason);
  if (v.kind == KOP_PULSAR_ADMIN_REDIRECT && !kopi_admin_header(&a, "location", &v.location)) {
    return KOP_ERR_MALFORMED;
  }
  *out = v;
  return KOP_OK;
}
