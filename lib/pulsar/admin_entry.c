/*
 * Entries that came through the admin's HTTP: the broker puts metadata into headers, as text.
 *
 *     X-Pulsar-Message-ID: 14:20                                        ledger:entry
 *     X-Pulsar-Broker-Entry-METADATA-index: 122                         with the interceptor
 *     X-Pulsar-Broker-Entry-METADATA-timestamp: 2026-11-24T11:45:55.984Z
 *     X-Pulsar-num-batch-message: 3                                     only for batches
 *     X-Pulsar-publish-time, X-Pulsar-event-time: as above
 *
 * Times are in the broker's own zone, Z or +02:00, with as many digits of the fraction as there are.
 */
#include "pulsar/admin_entry.h"

#include <string.h>

#include "base/decimal.h"
#include "pulsar/admin_json.h"

uint8_t kopi_admin_header(const kop_pulsar_admin_answer *a, const char *name, kop_slice *value) {
  size_t len = strlen(name);
  for (size_t i = 0; i < a->headers_count; i++) {
    kop_slice have = a->headers[i].name;
    if (have.len != len) continue;
    size_t same = 0;
    while (same < len) {
      uint8_t c = have.ptr[same];
      if (c >= 'A' && c <= 'Z') c = (uint8_t)(c - 'A' + 'a');
      if (c != (uint8_t)name[same]) break;
      same++;
    }
    if (same != len) continue;
    *value = a->headers[i].value;
    return 1;
  }
  return 0;
}

/* A cursor over a header's text; `ok` falls to 0 at the first thing that is not as it should be. */
typedef struct scan {
  const uint8_t *at;
  const uint8_t *end;
  uint8_t ok;
} scan;

static uint8_t next_is(const scan *s, uint8_t c) {
  return s->at < s->end && *s->at == c;
}

static uint8_t digit_next(const scan *s) {
  return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

/* A number of at least one digit, `most` at most, below 2^63. */
static uint64_t number(scan *s, size_t most) {
  const uint8_t *end = (size_t)(s->end - s->at) > most ? s->at + most : s->end;
  uint64_t n = 0;
  const uint8_t *next = kopi_decimal_read(s->at, end, INT64_MAX, &n);
  if (next == NULL) {
    s->ok = 0;
    return 0;
  }
  s->at = next;
  return s->ok ? n : 0;
}

static void sign(scan *s, uint8_t c) {
  if (!next_is(s, c)) {
    s->ok = 0;
  } else {
    s->at++;
  }
}

static int64_t bounded(scan *s, size_t digits, int64_t min, int64_t max) {
  int64_t n = (int64_t)number(s, digits);
  if (n < min || n > max) s->ok = 0;
  return n;
}

/* Days since 1970-01-01 in the Gregorian calendar: years begin in March, so that the leap day ends them. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day) {
  if (month <= 2) year--;
  int64_t shifted = month > 2 ? month - 3 : month + 9;
  int64_t era = year / 400, of_era = year % 400;
  int64_t of_year = (153 * shifted + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t read_fraction(scan *s) {
  int64_t ms = 0, scale = 100;
  if (!next_is(s, '.')) return 0;
  s->at++;
  if (!digit_next(s)) s->ok = 0;
  for (; digit_next(s); s->at++, scale /= 10)
    ms += (*s->at - '0') * scale;
  return ms;
}

static int64_t read_zone_minutes(scan *s) {
  if (next_is(s, 'Z')) {
    s->at++;
    return 0;
  }
  int64_t direction = next_is(s, '-') ? -1 : 1;
  sign(s, direction < 0 ? '-' : '+');
  int64_t hours = bounded(s, 2, 0, 18);
  if (next_is(s, ':')) s->at++;
  return direction * (hours * 60 + bounded(s, 2, 0, 59));
}

static kop_status read_time(kop_slice text, int64_t *ms) {
  scan s = {text.ptr, text.ptr + text.len, text.len > 0};
  int64_t year = bounded(&s, 4, 1970, 9999);
  sign(&s, '-');
  int64_t month = bounded(&s, 2, 1, 12);
  sign(&s, '-');
  int64_t day = bounded(&s, 2, 1, 31);
  sign(&s, 'T');
  int64_t seconds = bounded(&s, 2, 0, 23) * 3600;
  sign(&s, ':');
  seconds += bounded(&s, 2, 0, 59) * 60;
  if (next_is(&s, ':')) {
    s.at++;
    seconds += bounded(&s, 2, 0, 60);
  }
  int64_t fraction = read_fraction(&s);
  seconds -= read_zone_minutes(&s) * 60;
  if (!s.ok || s.at != s.end) return KOP_ERR_MALFORMED;
  *ms = (days_from_date(year, month, day) * 86400 + seconds) * 1000 + fraction;
  return *ms < 0 ? KOP_ERR_MALFORMED : KOP_OK;
}

static kop_status read_header_time(const kop_pulsar_admin_answer *a, const char *name,
                                   int64_t *ms) {
  kop_slice text;
  *ms = -1;
  return kopi_admin_header(a, name, &text) ? read_time(text, ms) : KOP_OK;
}

/* "ledger:entry", which later brokers may follow with ":partition". */
static kop_status read_position(kop_slice text, kop_pulsar_admin_entry *e) {
  scan s = {text.ptr, text.ptr + text.len, text.len > 0};
  e->ledger_id = number(&s, 20);
  sign(&s, ':');
  e->entry_id = number(&s, 20);
  return s.ok && (s.at == s.end || next_is(&s, ':')) ? KOP_OK : KOP_ERR_MALFORMED;
}

static kop_status read_count(kop_slice text, uint64_t max, uint64_t *out) {
  scan s = {text.ptr, text.ptr + text.len, text.len > 0};
  *out = number(&s, 20);
  return s.ok && s.at == s.end && *out <= max ? KOP_OK : KOP_ERR_MALFORMED;
}

kop_status kop_pulsar_admin_read_entry(const kop_pulsar_admin_answer *answer,
                                       kop_pulsar_admin_entry *out) {
  kop_pulsar_admin_answer a;
  kop_slice text;
  uint64_t count = 1;
  kop_status status = kopi_admin_answer_load(answer, &a);
  if (status != KOP_OK) return status;
  if (a.status < 200 || a.status > 299) return KOP_ERR_STATE;
  kop_pulsar_admin_entry e = {.index = UINT64_MAX, .payload = a.body};
  if (!kopi_admin_header(&a, "x-pulsar-message-id", &text)) return KOP_ERR_MALFORMED;
  status = read_position(text, &e);
  if (status == KOP_OK && kopi_admin_header(&a, "x-pulsar-broker-entry-metadata-index", &text)) {
    status = read_count(text, INT64_MAX, &e.index);
  }
  if (status == KOP_OK && kopi_admin_header(&a, "x-pulsar-num-batch-message", &text)) {
    status = read_count(text, INT32_MAX, &count);
    if (count == 0) status = KOP_ERR_MALFORMED;
    e.is_batch = 1;
  }
  e.batch_count = (int32_t)count;
  if (status == KOP_OK) {
    status = read_header_time(&a, "x-pulsar-broker-entry-metadata-timestamp", &e.broker_timestamp);
  }
  if (status == KOP_OK) status = read_header_time(&a, "x-pulsar-publish-time", &e.publish_time);
  if (status == KOP_OK) status = read_header_time(&a, "x-pulsar-event-time", &e.event_time);
  (void)kopi_admin_header(&a, "x-pulsar-property", &e.properties);
  if (status == KOP_OK) *out = e;
  return status;
}
