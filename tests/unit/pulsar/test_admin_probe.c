/* A search for offsets over the admin's HTTP: each probe as a call, each answer as the search's. */
#include <criterion/criterion.h>
#include <kop/pulsar_admin.h>
#include <string.h>

static kop_slice text(const char *s) {
  return (kop_slice){(const uint8_t *)s, strlen(s)};
}

static kop_arena *arena;

static void make(void) {
  cr_assert_eq(kop_arena_new(NULL, 1 << 20, &arena), KOP_OK);
}

static void end(void) {
  kop_arena_free(arena);
}

TestSuite(admin_probe, .init = make, .fini = end);

static kop_offset_probe probe(uint32_t kind) {
  return (kop_offset_probe){.size = sizeof(kop_offset_probe),
                            .kind = kind,
                            .ledger_id = 14,
                            .entry_id = 20,
                            .kth = 7,
                            .value = 99};
}

Test(admin_probe, becomes_a_call) {
  static const struct {
    uint32_t kind;
    const char *path;
  } cases[] = {
      {KOP_OFFSET_PROBE_FIRST, "/examinemessage?initialPosition=earliest&messagePosition=1"},
      {KOP_OFFSET_PROBE_LAST, "/examinemessage?initialPosition=latest&messagePosition=1"},
      {KOP_OFFSET_PROBE_AT, "/ledger/14/entry/20"},
      {KOP_OFFSET_PROBE_KTH, "/examinemessage?initialPosition=earliest&messagePosition=7"},
      {KOP_OFFSET_PROBE_LEDGERS, "/internal-info"},
      {KOP_OFFSET_PROBE_INDEX, "/getMessageIdByIndex?index=99"},
      {KOP_OFFSET_PROBE_TIME, "/messageid/99"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kop_offset_probe p = probe(cases[i].kind);
    kop_pulsar_admin_request r;
    kop_pulsar_admin_call call;
    cr_assert_eq(kop_pulsar_admin_probe(&p, text("x"), &r), KOP_OK);
    cr_assert_eq(kop_pulsar_admin_write(&r, arena, &call), KOP_OK);
    cr_assert_str_eq(call.method, "GET");
    cr_assert_str_eq((const char *)call.path.ptr + strlen("/admin/v2/persistent/public/default/x"),
                     cases[i].path);
  }
  kop_pulsar_admin_request r;
  kop_offset_probe p = probe(8);
  cr_assert_eq(kop_pulsar_admin_probe(&p, text("x"), &r), KOP_ERR_INVALID);
}

static kop_offset_answer gives(uint32_t kind, int32_t status, const char *body) {
  kop_pulsar_admin_header headers[] = {
      {text("X-Pulsar-Message-ID"), text("14:20")},
      {text("X-Pulsar-Broker-Entry-METADATA-index"), text("122")},
      {text("X-Pulsar-num-batch-message"), text("3")},
      {text("X-Pulsar-publish-time"), text("1970-01-01T00:00:01Z")},
      {text("Location"), text("http://elsewhere")}};
  kop_pulsar_admin_answer a = {.size = sizeof a,
                               .status = status,
                               .headers = headers,
                               .headers_count = 5,
                               .body = text(body)};
  kop_offset_probe p = probe(kind);
  kop_offset_answer out;
  cr_assert_eq(kop_pulsar_admin_probe_answer(&p, &a, arena, &out), KOP_OK);
  return out;
}

Test(admin_probe, answers_that_are_what_was_asked_for) {
  static const uint32_t reads[] = {KOP_OFFSET_PROBE_FIRST, KOP_OFFSET_PROBE_LAST,
                                   KOP_OFFSET_PROBE_AT, KOP_OFFSET_PROBE_KTH};
  for (size_t i = 0; i < 4; i++) {
    kop_offset_answer a = gives(reads[i], 200, "");
    cr_assert_eq(a.kind, KOP_OFFSET_ANSWER_ENTRY);
    cr_assert(a.entry.ledger_id == 14 && a.entry.entry_id == 20 && a.entry.first == 120 &&
              a.entry.last == 122 && a.entry.count == 3 && a.entry.timestamp == 1000);
  }
  kop_offset_answer a = gives(KOP_OFFSET_PROBE_LEDGERS, 200,
                              "{\"ledgers\":[{\"ledgerId\":5,\"entries\":50},{\"ledgerId\":14}],"
                              "\"properties\":{\"index\":\"99\"}}");
  cr_assert(a.kind == KOP_OFFSET_ANSWER_LEDGERS && a.ledgers_count == 2 && a.next_offset == 100);
  cr_assert(a.ledgers[0].entries == 50 && a.ledgers[1].entries == UINT64_MAX);
  a = gives(KOP_OFFSET_PROBE_LEDGERS, 200, "{}");
  cr_assert_eq(a.next_offset, -1);
  a = gives(KOP_OFFSET_PROBE_INDEX, 200, "{\"ledgerId\":3,\"entryId\":4}");
  cr_assert(a.kind == KOP_OFFSET_ANSWER_POSITION && a.entry.ledger_id == 3 &&
            a.entry.entry_id == 4);
  a = gives(KOP_OFFSET_PROBE_INDEX, 200, "{\"ledgerId\":-1,\"entryId\":-1}");
  cr_assert(a.entry.ledger_id == UINT64_MAX && a.entry.entry_id == UINT64_MAX);
  a = gives(KOP_OFFSET_PROBE_TIME, 200, "{\"ledgerId\":3,\"entryId\":-1}");
  cr_assert(a.entry.ledger_id == 3 && a.entry.entry_id == 0);
}

Test(admin_probe, answers_that_are_not) {
  static const char missing[] = "{\"reason\":\"Message id not found\"}";
  static const char empty[] =
      "{\"reason\":\"Could not examine messages due to the total message is zero\"}";
  static const char no_entry[] = "{\"reason\":\"Message: No such entry\"}";
  static const struct {
    uint32_t probe;
    int32_t status;
    const char *body;
    uint32_t answer;
  } cases[] = {
      {KOP_OFFSET_PROBE_AT, 404, missing, KOP_OFFSET_ANSWER_MISSING},
      {KOP_OFFSET_PROBE_AT, 500, no_entry, KOP_OFFSET_ANSWER_MISSING},
      {KOP_OFFSET_PROBE_AT, 412, missing, KOP_OFFSET_ANSWER_FAILED},
      {KOP_OFFSET_PROBE_AT, 403, "", KOP_OFFSET_ANSWER_UNSUPPORTED},
      {KOP_OFFSET_PROBE_FIRST, 412, empty, KOP_OFFSET_ANSWER_NONE},
      {KOP_OFFSET_PROBE_LAST, 412, empty, KOP_OFFSET_ANSWER_NONE},
      {KOP_OFFSET_PROBE_FIRST, 404, missing, KOP_OFFSET_ANSWER_FAILED},
      {KOP_OFFSET_PROBE_KTH, 503, "", KOP_OFFSET_ANSWER_FAILED},
      {KOP_OFFSET_PROBE_LEDGERS, 404, missing, KOP_OFFSET_ANSWER_FAILED},
      {KOP_OFFSET_PROBE_LEDGERS, 401, "", KOP_OFFSET_ANSWER_UNSUPPORTED},
      {KOP_OFFSET_PROBE_LEDGERS, 307, "", KOP_OFFSET_ANSWER_FAILED},
      {KOP_OFFSET_PROBE_INDEX, 404, "<html>", KOP_OFFSET_ANSWER_UNSUPPORTED},
      {KOP_OFFSET_PROBE_INDEX, 405, missing, KOP_OFFSET_ANSWER_UNSUPPORTED},
      {KOP_OFFSET_PROBE_INDEX, 404, missing, KOP_OFFSET_ANSWER_NONE},
      {KOP_OFFSET_PROBE_INDEX, 412, missing, KOP_OFFSET_ANSWER_NONE},
      {KOP_OFFSET_PROBE_TIME, 404, missing, KOP_OFFSET_ANSWER_NONE},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kop_offset_answer a = gives(cases[i].probe, cases[i].status, cases[i].body);
    cr_assert_eq(a.kind, cases[i].answer, "case %zu: %u", i, a.kind);
  }
}
