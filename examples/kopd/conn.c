/* One connection's bytes, in and out; see transport.h. */
#include "conn.h"

#include <stdlib.h>

#include "clock.h"
#include "log.h"

/* libuv allocates memory to remember more buffers than this. */
enum { QUEUED_BUFS = 4 };

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  kopd_conn *c = handle->data;
  uint8_t *place = NULL;
  size_t cap = 0;
  (void)suggested;
  kop_status status =
      kop_engine_recv_buffer(kopd_transport_engine(c->transport), c->id, &place, &cap);
  if (status != KOP_OK) cap = 0;
  *buf = uv_buf_init((char *)place, cap > UINT32_MAX ? UINT32_MAX : (unsigned)cap);
  if (status == KOP_ERR_NOMEM) {
    kopd_log_line(KOP_LOG_WARN, kopd_transport_node(c->transport),
                  "connection %llu closed: no memory for its request", (unsigned long long)c->id);
    kopd_conn_close(c);
  }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  kopd_conn *c = stream->data;
  (void)buf;
  if (!c->open) return;
  if (n == UV_ENOBUFS) {
    /*
     * The engine wants no more; its RECV_PAUSE is on the way, and RECV_RESUME starts reading again.
     */
    uv_read_stop(stream);
  } else if (n < 0) {
    kopd_conn_close(c);
  } else { /* none is committed too: between frames the engine then holds no buffer */
    kop_engine_recv_commit(kopd_transport_engine(c->transport), c->id, (size_t)n, kopd_now());
    kopd_transport_changed(c->transport);
  }
}

void kopd_conn_start(kopd_conn *c) {
  if (!c->open) return;
  int result = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
  if (result != 0 && result != UV_EALREADY) kopd_conn_close(c);
}

void kopd_conn_pause(kopd_conn *c) {
  if (c->open) uv_read_stop((uv_stream_t *)&c->tcp);
}

static void on_closed(uv_handle_t *handle) {
  kopd_conn *c = handle->data;
  kopd_transport_forget(c->transport, c);
  free(c);
}

void kopd_conn_close(kopd_conn *c) {
  if (c->open) {
    c->open = 0;
    kop_engine_conn_closed(kopd_transport_engine(c->transport), c->id, kopd_now());
    kopd_transport_changed(c->transport);
  }
  /* A write in progress gets its callback with UV_ECANCELED before on_closed. */
  if (!uv_is_closing((uv_handle_t *)&c->tcp)) uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* The slices from the present place on, at most KOPD_IOV_MAX. */
static unsigned rest_of(const kopd_conn *c, uv_buf_t *bufs) {
  unsigned n = 0;
  size_t skip = c->send_offset;
  for (uint32_t i = c->send_slice; i < c->send->slices_count && n < KOPD_IOV_MAX; i++) {
    const kop_slice *s = &c->send->slices[i];
    if (s->len > skip) {
      size_t len = s->len - skip;
      bufs[n++] = uv_buf_init((char *)(uintptr_t)(s->ptr + skip),
                              len > UINT32_MAX ? UINT32_MAX : (unsigned)len);
      if (len > UINT32_MAX) break; /* the next buffer would not follow it */
    }
    skip = 0;
  }
  return n;
}

static void advance(kopd_conn *c, size_t written) {
  c->send_bytes += written;
  while (written > 0) {
    size_t left = c->send->slices[c->send_slice].len - c->send_offset;
    if (written < left) {
      c->send_offset += written;
      return;
    }
    written -= left;
    c->send_offset = 0;
    c->send_slice++;
  }
}

static void end_send(kopd_conn *c, int32_t outcome) {
  uint64_t token = c->send_token;
  c->send_token = 0;
  c->send = NULL;
  kopd_transport_sent(c->transport, token, outcome);
}

static void write_more(kopd_conn *c);

/* The peer has gone, or what it was to be sent: bytes of a log file that was cut (store/guard.h). */
static void give_up(kopd_conn *c, int status) {
  char peer[96] = "?";
  if (status == UV_EFAULT) {
    (void)kopd_conn_peer(c, peer, sizeof peer);
    kopd_log_line(KOP_LOG_ERROR, kopd_transport_node(c->transport),
                  "%s: closed, the part of the log that it was being sent is gone", peer);
  }
  end_send(c, KOP_CANCELLED);
  kopd_conn_close(c);
}

static void on_written(uv_write_t *write, int status) {
  kopd_conn *c = write->data;
  if (status == 0 && c->open) {
    advance(c, c->write_bytes);
    write_more(c);
    return;
  }
  give_up(c, status);
}

/* Writes until the kernel takes no more; what is left then goes by uv_write, a piece at a time. */
static void write_more(kopd_conn *c) {
  uv_buf_t bufs[KOPD_IOV_MAX];
  uv_stream_t *stream = (uv_stream_t *)&c->tcp;
  unsigned n = 0;
  while ((n = rest_of(c, bufs)) > 0) {
    int written = uv_try_write(stream, bufs, n);
    if (written >= 0) {
      advance(c, (size_t)written);
      continue;
    }
    c->write_bytes = 0;
    if (n > QUEUED_BUFS) n = QUEUED_BUFS;
    for (unsigned i = 0; i < n; i++)
      c->write_bytes += bufs[i].len;
    c->write.data = c;
    if (written == UV_EAGAIN) written = uv_write(&c->write, stream, bufs, n, on_written);
    if (written < 0) give_up(c, written);
    return;
  }
  end_send(c, KOP_DONE);
}

void kopd_conn_send(kopd_conn *c, const kop_effect *effect) {
  c->send_token = effect->token;
  c->send = effect->body;
  c->send_slice = 0;
  c->send_offset = 0;
  c->send_bytes = 0;
  write_more(c);
}

void kopd_conn_report(kopd_conn *c, kop_now now) {
  if (!c->open || c->send == NULL)
    return; /* an open SEND that was not all written is in a uv_write */
  size_t queued = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
  uint64_t left = queued < c->write_bytes ? c->write_bytes - queued : 0;
  kop_engine_sent(kopd_transport_engine(c->transport), c->send_token, c->send_bytes + left, now);
}
