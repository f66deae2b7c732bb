/* See fake_engine.h. */
#include "fake_engine.h"

#include <string.h>

kop_status kop_engine_conn_open(kop_engine *e, const kop_conn_info *info, kop_now now,
                                uint64_t *conn) {
  (void)now;
  if (e->admit != KOP_OK) return e->admit;
  *conn = ++e->opened;
  e->conns[*conn - 1] = (fake_conn){.context = info->context, .open = 1, .cap = 1000};
  return KOP_OK;
}

kop_status kop_engine_recv_buffer(kop_engine *e, uint64_t conn, uint8_t **buffer,
                                  size_t *capacity) {
  fake_conn *c = &e->conns[conn - 1];
  size_t room = sizeof c->received - c->received_len;
  *buffer = c->received + c->received_len;
  *capacity = c->cap < room ? c->cap : room;
  return c->open ? KOP_OK : KOP_ERR_NOT_FOUND;
}

kop_status kop_engine_recv_commit(kop_engine *e, uint64_t conn, size_t n, kop_now now) {
  (void)now;
  e->conns[conn - 1].received_len += n;
  return KOP_OK;
}

kop_status kop_engine_conn_closed(kop_engine *e, uint64_t conn, kop_now now) {
  (void)now;
  if (!e->conns[conn - 1].open) return KOP_ERR_NOT_FOUND;
  e->conns[conn - 1].open = 0;
  e->closed++;
  return KOP_OK;
}

kop_status kop_engine_complete(kop_engine *e, const kop_completion *items, size_t item_size,
                               size_t n, kop_now now) {
  (void)now;
  (void)item_size;
  e->completions += n;
  e->last = items[n - 1];
  return KOP_OK;
}

kop_status kop_engine_sent(kop_engine *e, uint64_t token, uint64_t bytes, kop_now now) {
  (void)now;
  e->reports++;
  e->sent_token = token;
  e->sent_bytes = bytes;
  return KOP_OK;
}
