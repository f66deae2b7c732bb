/*
 * Writing: commands and entries become SENDs.
 *
 *   out:  [ commands ] [ entry ] [ entry ] [ commands ] ...      in the order in which they were queued
 *           |______________________________|
 *            gathered when the SEND is drained, up to 1024 slices or 4 MiB; stays in `writing` until sent()
 *
 * Commands that follow each other share one piece. PING and PONG are constant bytes and go in front.
 */
#include <string.h>

#include "pulsar/session_send.h"

enum { COMMANDS_LEAST = 1000 };

typedef struct commands {
  kopi_ps_piece piece;
  size_t len;
  size_t cap;
  uint8_t bytes[];
} commands;

static const uint8_t PING[] = {0, 0, 0, 9, 0, 0, 0, 5, 8, 18, 0x92, 1, 0};
static const uint8_t PONG[] = {0, 0, 0, 9, 0, 0, 0, 5, 8, 19, 0x9a, 1, 0};

static bool has_output(const kopi_ps_conn *c) {
  return c->ping_due || c->pong_due || !kopi_list_empty(&c->out);
}

static void want_send(kopi_ps *s, kopi_ps_conn *c) {
  if (!c->send_open && has_output(c) && c->send_node.link.next == NULL)
    kopi_ps_tell(s, &c->send_node);
}

void kopi_ps_write_ping(kopi_ps *s, kopi_ps_conn *c) {
  c->ping_due = true;
  want_send(s, c);
}

void kopi_ps_write_pong(kopi_ps *s, kopi_ps_conn *c) {
  c->pong_due = true;
  want_send(s, c);
}

static commands *last_commands(const kopi_ps_conn *c) {
  if (kopi_list_empty(&c->out)) return NULL;
  kopi_ps_piece *last = KOPI_CONTAINER_OF(c->out.prev, kopi_ps_piece, link);
  return last->is_entry ? NULL : KOPI_CONTAINER_OF(last, commands, piece);
}

kop_status kopi_ps_write(kopi_ps *s, kopi_ps_conn *c, kop_slice frame) {
  if (c->state == KOPI_PS_CONN_CLOSING) return KOP_OK; /* nobody will read it */
  if (frame.len > s->cfg.max_control_bytes ||
      c->control_bytes > s->cfg.max_control_bytes - frame.len)
    return KOP_ERR_LIMIT;
  commands *to = last_commands(c);
  if (to == NULL || to->cap - to->len < frame.len) {
    size_t cap = frame.len < COMMANDS_LEAST ? COMMANDS_LEAST : frame.len;
    to = kopi_malloc(&s->alloc, sizeof *to + cap);
    if (to == NULL) return KOP_ERR_NOMEM;
    *to = (commands){.cap = cap};
    kopi_list_append(&c->out, &to->piece.link);
  }
  memcpy(to->bytes + to->len, frame.ptr, frame.len);
  to->len += frame.len;
  c->control_bytes += frame.len;
  want_send(s, c);
  return KOP_OK;
}

void kopi_ps_write_entry(kopi_ps *s, kopi_ps_conn *c, kopi_ps_piece *piece) {
  kopi_list_append(&c->out, &piece->link);
  want_send(s, c);
}

static void add(kopi_ps_conn *c, const uint8_t *bytes, size_t len) {
  c->slices[c->slices_len++] = (kop_slice){.ptr = bytes, .len = len};
  c->sending += len;
}

/* Moves the piece into the SEND. Says no when it does not fit beside what is there. */
static bool gather(kopi_ps_conn *c, kopi_ps_piece *piece) {
  if (c->sending >= KOPI_PS_SEND_BYTES) return false;
  if (piece->is_entry) {
    kopi_ps_entry *entry = KOPI_CONTAINER_OF(piece, kopi_ps_entry, piece);
    if (entry->slices_count > KOPI_PS_SLICES - c->slices_len) return false;
    for (uint32_t i = 0; i < entry->slices_count; i++)
      add(c, entry->slices[i].ptr, entry->slices[i].len);
    entry->state = KOPI_PS_ENTRY_WRITING;
    entry->handed = true;
  } else {
    if (c->slices_len == KOPI_PS_SLICES) return false;
    commands *from = KOPI_CONTAINER_OF(piece, commands, piece);
    add(c, from->bytes, from->len);
  }
  kopi_list_remove(&piece->link);
  kopi_list_append(&c->writing, &piece->link);
  return true;
}

static void show_send(kopi_ps *s, kopi_ps_node *node, kop_pulsar_effect *fx, kopi_ps_body *body) {
  (void)s;
  kopi_ps_conn *c = KOPI_CONTAINER_OF(node, kopi_ps_conn, send_node);
  if (!has_output(c)) return;
  c->slices_len = 0;
  c->sending = 0;
  if (c->pong_due) add(c, PONG, sizeof PONG);
  if (c->ping_due) add(c, PING, sizeof PING);
  c->pong_due = false;
  c->ping_due = false;
  kopi_link *link;
  while ((link = kopi_list_first(&c->out)) != NULL &&
         gather(c, KOPI_CONTAINER_OF(link, kopi_ps_piece, link)))
    continue;
  c->send_open = true;
  fx->kind = KOP_PULSAR_SEND;
  fx->target = c->id;
  fx->body_size = sizeof body->output;
  body->output.slices = c->slices;
  body->output.slices_count = c->slices_len;
  body->output.bytes = c->sending;
}

const kopi_ps_news KOPI_PS_SEND_NEWS = {.show = show_send};

static void free_commands(kopi_ps *s, kopi_ps_conn *c, kopi_ps_piece *piece) {
  commands *done = KOPI_CONTAINER_OF(piece, commands, piece);
  c->control_bytes -= done->len;
  kopi_free(&s->alloc, done);
}

/* The open SEND is over: its entries go on. */
static void let_go(kopi_ps *s, kopi_ps_conn *c) {
  kopi_link *next;
  for (kopi_link *link = c->writing.next; link != &c->writing; link = next) {
    next = link->next;
    kopi_ps_piece *piece = KOPI_CONTAINER_OF(link, kopi_ps_piece, link);
    if (!piece->is_entry) continue;
    kopi_list_remove(link);
    kopi_ps_entry_written(s, KOPI_CONTAINER_OF(piece, kopi_ps_entry, piece));
  }
}

void kopi_ps_write_free(kopi_ps *s, kopi_ps_conn *c) {
  kopi_link *link;
  while ((link = kopi_list_first(&c->writing)) != NULL) {
    kopi_list_remove(link);
    free_commands(s, c, KOPI_CONTAINER_OF(link, kopi_ps_piece, link));
  }
}

kop_status kop_pulsar_sent(kop_pulsar_session *s, uint64_t conn, kop_now now) {
  s->now = now.mono_ns;
  kopi_ps_conn *c = kopi_ps_conn_find(s, conn);
  if (c == NULL) return KOP_ERR_NOT_FOUND;
  if (!c->send_open) return KOP_ERR_STATE;
  c->send_open = false;
  s->stats.bytes_out_total += c->sending;
  if (!kopi_list_empty(&c->writing)) kopi_ps_conn_used(s, c); /* a PING is no use */
  let_go(s, c);
  kopi_ps_write_free(s, c);
  if (c->state != KOPI_PS_CONN_CLOSING) want_send(s, c);
  return KOP_OK;
}

void kopi_ps_write_cancel(kopi_ps *s, kopi_ps_conn *c) {
  c->ping_due = false;
  c->pong_due = false;
  kopi_link *link;
  while ((link = kopi_list_first(&c->out)) != NULL) {
    kopi_ps_piece *piece = KOPI_CONTAINER_OF(link, kopi_ps_piece, link);
    kopi_list_remove(link);
    if (piece->is_entry) {
      KOPI_CONTAINER_OF(piece, kopi_ps_entry, piece)->state = KOPI_PS_ENTRY_WAITING;
    } else {
      free_commands(s, c, piece);
    }
  }
}

void kopi_ps_write_end(kopi_ps *s, kopi_ps_conn *c) {
  c->send_open = false;
  let_go(s, c);
}
