/*
 * The inside of a topic, in the two forms that brokers give it.
 *
 *     internalStats    what the owner has loaded: "lastConfirmedEntry": "14:20", cursors with "markDeletePosition": "5:-1"; the newest
 *                      ledger's count is 0 and stands in currentLedgerEntries
 *     internal-info    what the metadata store has: cursors with "markDelete": {"ledgerId": 5, "entryId": -1}, "properties" with
 *                      the index; the newest ledger has no count
 *
 * Names of cursors are encoded as in a URL there.
 */
#include <string.h>

#include "base/decimal.h"
#include "pulsar/admin_json.h"
#include "wire/arena.h"

static int hex(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') return (c | 0x20) - 'a' + 10;
  return -1;
}

/* As Java's URLEncoder wrote it: "%2F", and '+' for a blank. */
static kop_status copy_decoded(kopi_arena *arena, const char *from, kop_slice *out) {
  size_t len = strlen(from), n = 0;
  uint8_t *copy = kopi_arena_alloc(arena, len);
  if (copy == NULL) return kopi_arena_status(arena, len);
  for (size_t i = 0; i < len; i++) {
    uint8_t c = (uint8_t)from[i];
    int high = c == '%' && i + 2 < len ? hex((uint8_t)from[i + 1]) : -1;
    int low = high >= 0 ? hex((uint8_t)from[i + 2]) : -1;
    if (low >= 0) i += 2;
    copy[n++] = low >= 0 ? (uint8_t)(high * 16 + low) : c == '+' ? ' ' : c;
  }
  *out = (kop_slice){copy, n};
  return KOP_OK;
}

/* A decimal of at least -1 (no ledger, no entry), and what follows it. */
static const uint8_t *read_id(const uint8_t *p, const uint8_t *end, uint64_t *out) {
  int negative = p < end && *p == '-';
  int64_t n;
  p = kopi_decimal_read_signed(p, end, &n);
  if (p == NULL || (negative && n != -1)) return NULL;
  *out = (uint64_t)n;
  return p;
}

/* "ledger:entry". */
static kop_status read_position(json_t *from, uint64_t *ledger, uint64_t *entry) {
  if (from == NULL || json_is_null(from)) return KOP_OK;
  const uint8_t *p = (const uint8_t *)json_string_value(from);
  if (p == NULL) return KOP_ERR_MALFORMED;
  const uint8_t *end = p + json_string_length(from);
  uint64_t first;
  uint64_t second;
  p = read_id(p, end, &first);
  if (p == NULL || p == end || *p != ':' || read_id(p + 1, end, &second) != end) {
    return KOP_ERR_MALFORMED;
  }
  *ledger = first;
  *entry = second;
  return KOP_OK;
}

static int by_id(const void *a, const void *b) {
  uint64_t x = ((const kop_offset_ledger *)a)->ledger_id;
  uint64_t y = ((const kop_offset_ledger *)b)->ledger_id;
  return x < y ? -1 : x > y;
}

static kop_status read_ledger(json_t *from, kop_offset_ledger *ledger, uint64_t *bytes) {
  int64_t id = -1, entries = -1, size = 0;
  if (!json_is_object(from)) return KOP_ERR_MALFORMED;
  kop_status status = kopi_admin_member_int(from, "ledgerId", 0, INT64_MAX, &id);
  if (status == KOP_OK) status = kopi_admin_member_int(from, "entries", -1, INT64_MAX, &entries);
  if (status == KOP_OK) status = kopi_admin_member_int(from, "size", -1, INT64_MAX, &size);
  if (status == KOP_OK && id < 0) status = KOP_ERR_MALFORMED;
  *ledger = (kop_offset_ledger){(uint64_t)id, entries < 0 ? UINT64_MAX : (uint64_t)entries};
  *bytes = size < 0 ? 0 : (uint64_t)size;
  return status;
}

static kop_status read_ledgers(json_t *root, kopi_arena *arena, kop_pulsar_admin_internals *out) {
  json_t *list = json_object_get(root, "ledgers");
  size_t n = json_array_size(list);
  if (list == NULL || json_is_null(list)) return KOP_OK;
  if (!json_is_array(list)) return KOP_ERR_MALFORMED;
  kop_offset_ledger *ledgers = kopi_arena_calloc(arena, n, sizeof *ledgers);
  uint64_t *bytes = kopi_arena_calloc(arena, n, sizeof *bytes);
  if (ledgers == NULL || bytes == NULL) return kopi_arena_status(arena, n * sizeof *ledgers);
  for (size_t i = 0; i < n; i++) {
    kop_status status = read_ledger(json_array_get(list, i), &ledgers[i], &bytes[i]);
    if (status != KOP_OK) return status;
    /* Brokers list them in order. One that does not is not understood. */
    if (i > 0 && by_id(&ledgers[i - 1], &ledgers[i]) >= 0) return KOP_ERR_MALFORMED;
  }
  out->ledgers = ledgers;
  out->ledger_bytes = bytes;
  out->ledgers_count = out->ledger_bytes_count = n;
  int64_t growing = -1, growing_bytes = -1;
  kop_status status = kopi_admin_member_int(root, "currentLedgerEntries", -1, INT64_MAX, &growing);
  if (status == KOP_OK) {
    status = kopi_admin_member_int(root, "currentLedgerSize", -1, INT64_MAX, &growing_bytes);
  }
  if (status != KOP_OK || n == 0) return status;
  if (growing >= 0) ledgers[n - 1].entries = (uint64_t)growing;
  if (growing_bytes >= 0) bytes[n - 1] = (uint64_t)growing_bytes;
  return KOP_OK;
}

static kop_status read_mark_delete(json_t *from, kop_pulsar_admin_cursor *c) {
  json_t *position = json_object_get(from, "markDelete");
  int64_t ledger = -1, entry = -1;
  if (position == NULL || json_is_null(position)) {
    return read_position(json_object_get(from, "markDeletePosition"), &c->ledger_id, &c->entry_id);
  }
  kop_status status = kopi_admin_member_int(position, "ledgerId", -1, INT64_MAX, &ledger);
  if (status == KOP_OK) status = kopi_admin_member_int(position, "entryId", -1, INT64_MAX, &entry);
  c->ledger_id = (uint64_t)ledger;
  c->entry_id = (uint64_t)entry;
  return status;
}

static kop_status read_cursor(const char *name, json_t *from, kopi_arena *arena,
                              kop_pulsar_admin_cursor *c) {
  if (!json_is_object(from)) return KOP_ERR_MALFORMED;
  c->ledger_id = c->entry_id = KOP_PULSAR_EARLIEST;
  kop_status status = copy_decoded(arena, name, &c->name);
  if (status == KOP_OK) status = read_mark_delete(from, c);
  if (status == KOP_OK) status = kopi_admin_member_bool(from, "active", &c->is_active);
  if (status == KOP_OK) {
    status = kopi_admin_properties(arena, json_object_get(from, "properties"), &c->positions);
  }
  return status;
}

static kop_status read_cursors(json_t *root, kopi_arena *arena, kop_pulsar_admin_internals *out) {
  json_t *all = json_object_get(root, "cursors");
  size_t n = json_object_size(all), i = 0;
  if (all == NULL || json_is_null(all)) return KOP_OK;
  if (!json_is_object(all)) return KOP_ERR_MALFORMED;
  kop_pulsar_admin_cursor *cursors = kopi_arena_calloc(arena, n, sizeof *cursors);
  if (cursors == NULL) return kopi_arena_status(arena, n * sizeof *cursors);
  for (void *at = json_object_iter(all); at != NULL; at = json_object_iter_next(all, at), i++) {
    kop_status status =
        read_cursor(json_object_iter_key(at), json_object_iter_value(at), arena, &cursors[i]);
    if (status != KOP_OK) return status;
  }
  out->cursors = cursors;
  out->cursors_count = n;
  return KOP_OK;
}

static kop_status read_counts(json_t *root, kop_pulsar_admin_internals *out) {
  int64_t entries = 0, bytes = 0, compacted = -1;
  kop_status status = kopi_admin_member_int(root, "numberOfEntries", 0, INT64_MAX, &entries);
  if (status == KOP_OK) status = kopi_admin_member_int(root, "totalSize", 0, INT64_MAX, &bytes);
  if (status == KOP_OK) {
    status = kopi_admin_member_int(json_object_get(root, "compactedLedger"), "ledgerId", -1,
                                   INT64_MAX, &compacted);
  }
  out->entries = (uint64_t)entries;
  out->bytes = (uint64_t)bytes;
  out->compacted_ledger_id = (uint64_t)compacted;
  return status;
}

/* The properties, and among them the index. */
static kop_status read_index(json_t *root, kopi_arena *arena, kop_pulsar_admin_internals *out) {
  json_t *all = json_object_get(root, "properties"), *index = json_object_get(all, "index");
  const uint8_t *text = (const uint8_t *)json_string_value(index);
  uint64_t value;
  kop_status status = kopi_admin_properties(arena, all, &out->properties);
  if (status != KOP_OK || index == NULL || json_is_null(index)) return status;
  const uint8_t *end = text == NULL ? NULL : text + json_string_length(index);
  if (text == NULL || read_id(text, end, &value) != end) return KOP_ERR_MALFORMED;
  out->index = (int64_t)value;
  return KOP_OK;
}

kop_status kop_pulsar_admin_read_internals(const kop_pulsar_admin_answer *answer, kop_arena *arena,
                                           kop_pulsar_admin_internals *out) {
  json_t *root;
  kop_status status = kopi_admin_json_load(answer, &root);
  if (status != KOP_OK) return status;
  kop_pulsar_admin_internals found = {.last_ledger_id = KOP_PULSAR_EARLIEST,
                                      .last_entry_id = KOP_PULSAR_EARLIEST,
                                      .index = INT64_MIN};
  kopi_arena *into = &arena->arena;
  status = json_is_object(root) ? read_counts(root, &found) : KOP_ERR_MALFORMED;
  if (status == KOP_OK) {
    status = read_position(json_object_get(root, "lastConfirmedEntry"), &found.last_ledger_id,
                           &found.last_entry_id);
  }
  if (status == KOP_OK) status = read_ledgers(root, into, &found);
  if (status == KOP_OK) status = read_cursors(root, into, &found);
  if (status == KOP_OK) status = read_index(root, into, &found);
  json_decref(root);
  if (status == KOP_OK) *out = found;
  return status;
}
