/* Shared READs and kept results. */
#include "engine/read.h"

#include <kop/kafka_error.h>

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "engine/room.h"

enum {
  KEEP_MS = 5000,
  FREE_READS = 64,
  KEPT_ARRAY_BYTES = 64 * 1024 /* memory for batches that a pooled read may keep */
};

/* ---- memory ---- */

static void destroy(kop_engine *e, kopi_read *read) {
  kopi_list_remove(&read->all);
  kopi_free(&e->alloc, read->copy);
  kopi_free(&e->alloc, read->batches);
  kopi_free(&e->alloc, read);
}

static kopi_read *new_read(kop_engine *e) {
  kopi_read *read = e->free_reads;
  if (read == NULL) {
    read = kopi_calloc(&e->alloc, 1, sizeof *read);
    if (read != NULL) kopi_list_append(&e->all_reads, &read->all);
    return read;
  }
  e->free_reads = read->next;
  e->free_reads_len--;
  if (e->free_reads_len < e->free_reads_least) e->free_reads_least = e->free_reads_len;
  kop_read_batch *batches = read->batches;
  size_t cap = read->memory_cap;
  kopi_link all = read->all;
  *read = (kopi_read){.batches = batches, .memory_cap = cap, .all = all};
  return read;
}

void kopi_reads_trim(kop_engine *e, uint32_t keep) {
  for (uint32_t n = e->free_reads_least; n > 0 && e->free_reads_len > keep; n--) {
    kopi_read *read = e->free_reads;
    e->free_reads = read->next;
    e->free_reads_len--;
    destroy(e, read);
  }
  e->free_reads_least = e->free_reads_len;
}

static void unlink_from_partition(kopi_read *read) {
  if (read->p == NULL) return;
  kopi_read **link = &read->p->reads;
  while (*link != read)
    link = &(*link)->next;
  *link = read->next;
  read->p = NULL;
}

static void unlink_from_kept(kop_engine *e, kopi_read *read) {
  if (read->state != KOPI_READ_KEPT) return;
  if (read->kept_prev == NULL) {
    e->kept_oldest = read->kept_next;
  } else {
    read->kept_prev->kept_next = read->kept_next;
  }
  if (read->kept_next == NULL) {
    e->kept_newest = read->kept_prev;
  } else {
    read->kept_next->kept_prev = read->kept_prev;
  }
  e->kept_bytes -= read->bytes;
  read->state = KOPI_READ_READY;
}

static void end_read(kop_engine *e, kopi_read *read) {
  bool held = read->state == KOPI_READ_READY;
  unlink_from_kept(e, read);
  unlink_from_partition(read);
  if (read->op != NULL) kopi_op_release(&e->ops, read->op);
  if (held) e->lent_bytes -= read->bytes;
  kopi_free(&e->alloc, read->copy);
  read->op = NULL;
  read->copy = NULL;
  if (e->free_reads_len >= FREE_READS || read->memory_cap > KEPT_ARRAY_BYTES) {
    destroy(e, read);
    return;
  }
  read->next = e->free_reads;
  e->free_reads = read;
  e->free_reads_len++;
}

/* ---- results ---- */

/* Takes over the arrays; the slices still point to the embedder's bytes. */
static kop_status copy_arrays(kop_engine *e, kopi_read *read, const kop_read_result *result) {
  size_t slices = 0;
  for (uint32_t i = 0; i < result->batches_count; i++)
    slices += result->batches[i].slices_count;
  size_t need = result->batches_count * sizeof(kop_read_batch) + slices * sizeof(kop_slice);
  if (need > read->memory_cap) {
    void *memory = kopi_realloc(&e->alloc, read->batches, need);
    if (memory == NULL) return KOP_ERR_NOMEM;
    read->batches = memory;
    read->memory_cap = need;
  }
  read->bytes = 0;
  read->batches_len = 0;
  if (result->batches_count == 0) return KOP_OK; /* there may be no array at all */
  kop_slice *to = (kop_slice *)(read->batches + result->batches_count);
  for (uint32_t i = 0; i < result->batches_count; i++) {
    const kop_read_batch *from = &result->batches[i];
    memcpy(to, from->slices, from->slices_count * sizeof *to);
    for (uint32_t j = 0; j < from->slices_count; j++)
      read->bytes += to[j].len;
    read->batches[i] = (kop_read_batch){
        .base_offset = from->base_offset, .slices = to, .slices_count = from->slices_count};
    to += from->slices_count;
  }
  read->batches_len = result->batches_count;
  return KOP_OK;
}

/* Replaces the embedder's bytes by a copy. */
static kop_status copy_bytes(kop_engine *e, kopi_read *read) {
  if (read->bytes == 0) return KOP_OK;
  uint8_t *at = kopi_malloc(&e->alloc, read->bytes);
  if (at == NULL) return KOP_ERR_NOMEM;
  read->copy = at;
  kop_slice *slices = (kop_slice *)(read->batches + read->batches_len);
  uint32_t n = 0;
  for (uint32_t i = 0; i < read->batches_len; i++)
    n += read->batches[i].slices_count;
  for (uint32_t i = 0; i < n; i++) {
    if (slices[i].len > 0) memcpy(at, slices[i].ptr, slices[i].len);
    slices[i].ptr = at;
    at += slices[i].len;
  }
  return KOP_OK;
}

static void keep(kop_engine *e, kopi_read *read, kop_now now) {
  while (e->kept_oldest != NULL && e->kept_bytes + read->bytes > e->cfg.kept_read_bytes) {
    end_read(e, e->kept_oldest);
  }
  if (read->error != 0 || read->p == NULL || e->kept_bytes + read->bytes > e->cfg.kept_read_bytes) {
    end_read(e, read);
    return;
  }
  if (read->op != NULL) {
    if (copy_bytes(e, read) != KOP_OK) {
      end_read(e, read);
      return;
    }
    kopi_op_release(&e->ops, read->op);
    read->op = NULL;
  }
  e->lent_bytes -= read->bytes;
  read->state = KOPI_READ_KEPT;
  read->kept_until = kopi_later(now, kopi_ms(KEEP_MS));
  read->kept_next = NULL;
  read->kept_prev = e->kept_newest;
  if (e->kept_newest == NULL) {
    e->kept_oldest = read;
  } else {
    e->kept_newest->kept_next = read;
  }
  e->kept_newest = read;
  e->kept_bytes += read->bytes;
  kopi_alarm_set(e, &e->kept_alarm, e->kept_oldest->kept_until);
}

static int16_t take_result(kop_engine *e, kopi_read *read, const kopi_op *op,
                           const kop_completion *c) {
  if (c->outcome == KOP_REJECTED) return c->kafka_error;
  if (c->outcome == KOP_FENCED) return KOP_KAFKA_NOT_LEADER_OR_FOLLOWER;
  if (c->outcome != KOP_DONE) return KOP_KAFKA_KAFKA_STORAGE_ERROR;
  const kop_read_result *result = c->body;
  read->next_offset = result->next_offset;
  if (copy_arrays(e, read, result) != KOP_OK) return KOP_KAFKA_KAFKA_STORAGE_ERROR;
  if (op->state == KOPI_OP_LENT) return 0;
  return copy_bytes(e, read) == KOP_OK ? 0 : KOP_KAFKA_KAFKA_STORAGE_ERROR;
}

static void on_read(kop_engine *e, kopi_op *op, const kop_completion *c, kop_now now) {
  kopi_read *read = op->owner;
  kopi_partition *p = read->held;
  e->asked_bytes -= read->asked;
  read->asked = 0;
  read->op = op->state == KOPI_OP_LENT ? op : NULL;
  read->bytes = 0;
  read->error = take_result(e, read, op, c);
  read->state = KOPI_READ_READY;
  if (read->error != 0) {
    read->bytes = 0;
    read->batches_len = 0;
  }
  e->lent_bytes += read->bytes;
  read->users++; /* a waiter may put the last use back while others are being called */
  while (read->waiters != NULL) {
    kopi_read_waiter *w = read->waiters;
    read->waiters = w->next;
    w->next = NULL;
    w->ready(e, w, now);
  }
  read->users--;
  if (read->users == 0) keep(e, read, now);
  kopi_partition_unhold(e, p);
}

/* ---- getting ---- */

static kopi_read *find(const kopi_partition *p, int64_t offset) {
  kopi_read *read = p->reads;
  while (read != NULL && (read->offset != offset || read->state == KOPI_READ_READY))
    read = read->next;
  return read;
}

bool kopi_read_is_there(const kopi_partition *p, int64_t offset) {
  return find(p, offset) != NULL;
}

kopi_read *kopi_read_get(kop_engine *e, kopi_partition *p, int64_t offset, int64_t end,
                         uint32_t max_bytes, kopi_read_waiter *w, kop_now now) {
  (void)now;
  kopi_read *read = find(p, offset);
  if (read == NULL) {
    read = new_read(e);
    kopi_op *op = kopi_op_new(&e->ops, KOP_EFFECT_READ, p->id, on_read, read);
    if (read == NULL || op == NULL) {
      kopi_op_discard(&e->ops, op);
      if (read != NULL) destroy(e, read);
      return NULL;
    }
    read->p = p;
    read->held = p;
    read->offset = offset;
    read->state = KOPI_READ_OPEN;
    read->asked = kopi_room_charge(e, max_bytes);
    e->asked_bytes += read->asked;
    read->next = p->reads;
    p->reads = read;
    op->flags = KOP_READ_AT_LEAST_ONE | KOP_READ_MAY_LEND;
    op->body.read.offset = offset;
    op->body.read.end = end;
    op->body.read.max_bytes = max_bytes;
    kopi_partition_hold(p);
    kopi_op_emit(&e->ops, op);
  }
  read->users++;
  if (read->state == KOPI_READ_KEPT) {
    unlink_from_kept(e, read);
    e->lent_bytes += read->bytes;
    return read;
  }
  kopi_read_waiter **link = &read->waiters;
  while (*link != NULL)
    link = &(*link)->next;
  *link = w;
  w->next = NULL;
  return read;
}

void kopi_read_put(kop_engine *e, kopi_read *read, kopi_read_waiter *w) {
  if (read->state == KOPI_READ_OPEN) {
    kopi_read_waiter **link = &read->waiters;
    while (*link != NULL && *link != w)
      link = &(*link)->next;
    if (*link == w) *link = w->next;
  }
  KOPI_ASSERT(read->users > 0);
  read->users--;
  if (read->users == 0 && read->state == KOPI_READ_READY) end_read(e, read);
}

void kopi_reads_drop(kop_engine *e, kopi_partition *p) {
  kopi_read *next;
  for (kopi_read *read = p->reads; read != NULL; read = next) {
    next = read->next;
    if (read->state == KOPI_READ_KEPT) {
      end_read(e, read);
    } else {
      unlink_from_partition(read);
    }
  }
}

void kopi_reads_expire(kop_engine *e, kop_now now) {
  while (e->kept_oldest != NULL && e->kept_oldest->kept_until <= now.mono_ns)
    end_read(e, e->kept_oldest);
  if (e->kept_oldest != NULL) kopi_alarm_set(e, &e->kept_alarm, e->kept_oldest->kept_until);
}

void kopi_reads_free(kop_engine *e) {
  kopi_link *link;
  while ((link = kopi_list_first(&e->all_reads)) != NULL) {
    destroy(e, KOPI_CONTAINER_OF(link, kopi_read, all));
  }
}
