/* Memory that is kept for reuse goes back when a second has passed without need of it. */
#include "engine/trim.h"

#include "engine/read.h"
#include "engine/request.h"

enum {
  EVERY_MS = 1000,
  AT_REST_BLOCK_BYTES = 64 * 1024, /* what is kept in any case */
  AT_REST_REQUESTS = 16,
  AT_REST_READS = 8
};

static bool has_surplus(const kop_engine *e) {
  return e->blocks.kept_bytes > AT_REST_BLOCK_BYTES || e->free_requests_len > AT_REST_REQUESTS ||
         e->free_reads_len > AT_REST_READS;
}

static void on_trim(kop_engine *e, kopi_alarm *alarm, kop_now now) {
  (void)alarm;
  e->trim_due = false;
  kopi_blocks_trim(&e->blocks, AT_REST_BLOCK_BYTES);
  kopi_requests_trim(e, AT_REST_REQUESTS);
  kopi_reads_trim(e, AT_REST_READS);
  kopi_trim_watch(e, now);
}

void kopi_trim_watch(kop_engine *e, kop_now now) {
  if (e->trim_due || !has_surplus(e)) return;
  e->trim_due = true;
  e->trim_alarm.fire = on_trim;
  kopi_alarm_set(e, &e->trim_alarm, kopi_later(now, kopi_ms(EVERY_MS)));
}
