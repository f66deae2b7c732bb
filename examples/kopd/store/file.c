/* Log files as objects: making, mapping, pinning, and the footer that seals one. */
#include "store/guard.h"
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int kopd_write_all(const kopd_io *io, int fd, struct iovec *iov, size_t count, uint64_t at) {
  while (count > 0) {
    ssize_t n =
        io->pwritev(io->user_data, fd, iov, (int)(count < IOV_MAX ? count : IOV_MAX), (off_t)at);
    if (n < 0) return (int)n;
    if (n == 0) return -EIO;
    at += (uint64_t)n;
    size_t left = (size_t)n;
    while (count > 0 && left >= iov->iov_len) {
      left -= iov->iov_len;
      iov++;
      count--;
    }
    if (left > 0) {
      iov->iov_base = (char *)iov->iov_base + left;
      iov->iov_len -= left;
    }
  }
  return 0;
}

void kopd_file_path(const kopd_store *s, uint64_t number, const char *suffix, char out[KOPD_PATH]) {
  snprintf(out, KOPD_PATH, "%s/%016llx.%s", s->log_path, (unsigned long long)number, suffix);
}

kopd_file *kopd_file_new(uint64_t number, uint32_t retention_class) {
  kopd_file *f = calloc(1, sizeof *f);
  if (f == NULL) return NULL;
  f->number = number;
  f->retention_class = retention_class;
  f->fd = -1;
  return f;
}

int kopd_file_create(kopd_store *s, const kopd_file_header *header, uint64_t capacity,
                     kopd_file **out) {
  const kopd_io *io = s->io;
  char path[KOPD_PATH];
  uint8_t bytes[KOPD_FILE_HEADER];
  kopd_file *f = kopd_file_new(header->number, header->retention_class);
  if (f == NULL) return -ENOMEM;
  kopd_file_path(s, header->number, "log", path);
  int rc = io->open(io->user_data, path, O_RDWR | O_CREAT | O_EXCL);
  if (rc < 0) {
    free(f);
    return rc;
  }
  f->fd = rc;
  kopd_file_header_write(bytes, header);
  struct iovec iov = {bytes, sizeof bytes};
  rc = kopd_write_all(io, f->fd, &iov, 1, 0);
  if (rc == 0) rc = io->fdatasync(io->user_data, f->fd);
  if (rc == 0) rc = io->sync_dir(io->user_data, s->log_path);
  void *map = NULL;
  if (rc == 0) rc = io->map(io->user_data, f->fd, 0, (size_t)capacity, &map);
  if (rc != 0) {
    kopd_file_free(s, f);
    io->unlink(io->user_data, path);
    return rc;
  }
  f->map = map;
  f->map_len = (size_t)capacity;
  f->written = f->committed = f->size = KOPD_FILE_HEADER;
  f->created_ms = header->created_ms;
  f->previous = header->previous;
  f->trusted = true;
  *out = f;
  return 0;
}

int kopd_file_enter(kopd_store *s, kopd_file *f, const kopd_file_header *header) {
  uint8_t bytes[KOPD_FILE_HEADER];
  kopd_file_header_write(bytes, header);
  struct iovec iov = {bytes, sizeof bytes};
  f->created_ms = header->created_ms;
  f->previous = header->previous;
  return kopd_write_all(s->io, f->fd, &iov, 1, 0);
}

void kopd_file_discard(kopd_store *s, kopd_file *f) {
  char path[KOPD_PATH];
  if (f == NULL) return;
  kopd_file_path(s, f->number, "log", path);
  kopd_file_free(s, f);
  s->io->unlink(s->io->user_data, path);
}

void kopd_file_add_locked(kopd_store *s, kopd_file *f) {
  kopd_file **link = &s->files;
  while (*link != NULL && (*link)->number < f->number)
    link = &(*link)->next;
  f->next = *link;
  *link = f;
}

void kopd_file_unlist_locked(kopd_store *s, kopd_file *f) {
  kopd_file **link = &s->files;
  while (*link != f)
    link = &(*link)->next;
  *link = f->next;
  f->next = NULL;
}

void kopd_file_free(kopd_store *s, kopd_file *f) {
  const kopd_io *io = s->io;
  if (f->map != NULL) io->unmap(io->user_data, f->map, f->map_len);
  if (f->footer != NULL) io->unmap(io->user_data, f->footer, f->footer_len);
  if (f->fd >= 0) io->close(io->user_data, f->fd);
  free(f->runs);
  free(f);
}

bool kopd_file_is_witness_locked(const kopd_store *s, const kopd_file *f) {
  for (const kopd_file *g = s->files; g != NULL; g = g->next)
    if (g->unsettled && g->number == f->previous) return true;
  return false;
}

bool kopd_files_were_cut_locked(kopd_store *s) {
  uint64_t faults = kopd_guard_faults();
  if (faults == s->faults_seen) return false;
  s->faults_seen = faults;
  for (kopd_file *f = s->files; f != NULL; f = f->next) {
    bool hit = kopd_guard_is_hit(f->map) || (f->footer != NULL && kopd_guard_is_hit(f->footer));
    if (!hit || f->cut) continue;
    f->cut = f->damaged = true;
    f->trusted = false;
    s->stats.errors_total++;
    kopd_log(
        s, KOP_LOG_ERROR,
        "store: somebody has cut %s/%016llx.log while it is in use; what is lost, or all of it "
        "if its index is, is answered with errors until kopd is started again",
        s->log_path, (unsigned long long)f->number);
  }
  return true;
}

void kopd_pin_locked(kopd_file *f) {
  f->pins++;
}

/* The last pin of an unlinked file lets it go; unmapping it is left to the janitor. */
void kopd_unpin_locked(kopd_store *s, kopd_file *f) {
  if (--f->pins > 0 || f->state != KOPD_FILE_DROPPED) return;
  kopd_file **link = &s->dropped;
  while (*link != f)
    link = &(*link)->next;
  *link = f->next;
  f->next = s->trash;
  s->trash = f;
  s->stats.pinned_files--;
  pthread_cond_signal(&s->janitor_wakes);
}

void kopd_row_from_run(const kopd_run *run, kopd_run_row *row) {
  *row = (kopd_run_row){.partition = htole64(run->partition->id),
                        .base_offset = kopd_le_i64(run->base),
                        .end_offset = kopd_le_i64(run->end),
                        .count = htole32(run->count)};
}

/* What a row says about its entries. */
static void row_complete(kopd_run_row *row, const kopd_entry *entries, uint64_t at) {
  uint32_t count = kopd_le_u32(row->count);
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < count; i++)
    bytes += kopd_le_u32(entries[i].length);
  row->bytes = htole64(bytes);
  row->max_timestamp = entries[count - 1].highest_timestamp;
  row->first_epoch = entries[0].epoch;
  row->last_epoch = entries[count - 1].epoch;
  row->entries = htole64(at);
  row->checksum = htole32(kopd_crc32c(0, entries, count * sizeof *entries));
}

static int by_partition_and_offset(const void *a, const void *b) {
  const kopd_run_row *x = &((const kopd_footer_run *)a)->row;
  const kopd_run_row *y = &((const kopd_footer_run *)b)->row;
  uint64_t p = kopd_le_u64(x->partition), q = kopd_le_u64(y->partition);
  if (p != q) return p < q ? -1 : 1;
  int64_t i = kopd_le_i64(x->base_offset), j = kopd_le_i64(y->base_offset);
  return i < j ? -1 : i > j;
}

int kopd_footer_write(const kopd_io *io, int fd, uint64_t frames_end, kopd_footer_run *runs,
                      uint32_t runs_count, const uint64_t *replaced, uint32_t replaced_count,
                      uint64_t *size) {
  static const uint8_t zeros[8];
  uint64_t at = (frames_end + 7) & ~UINT64_C(7);
  size_t table_len =
      runs_count * sizeof(kopd_run_row) + replaced_count * sizeof(uint64_t) + KOPD_TRAILER;
  struct iovec *iov = malloc((runs_count + 2) * sizeof *iov);
  uint8_t *table = malloc(table_len), *end = table;
  int rc = -ENOMEM;
  if (iov == NULL || table == NULL) goto out;
  if (runs_count > 0) qsort(runs, runs_count, sizeof *runs, by_partition_and_offset);
  iov[0] = (struct iovec){(void *)(uintptr_t)zeros, (size_t)(at - frames_end)};
  for (uint32_t i = 0; i < runs_count; i++) {
    size_t bytes = (size_t)kopd_le_u32(runs[i].row.count) * sizeof(kopd_entry);
    row_complete(&runs[i].row, runs[i].entries, at);
    iov[i + 1] = (struct iovec){(void *)(uintptr_t)runs[i].entries, bytes};
    at += bytes;
    memcpy(end, &runs[i].row, sizeof runs[i].row);
    end += sizeof runs[i].row;
  }
  for (uint32_t i = 0; i < replaced_count; i++) {
    uint64_t number = htole64(replaced[i]);
    memcpy(end, &number, sizeof number);
    end += sizeof number;
  }
  kopd_trailer trailer = {.footer = frames_end,
                          .table = at,
                          .runs = runs_count,
                          .replaced = replaced_count,
                          .checksum = kopd_crc32c(0, table, (size_t)(end - table))};
  kopd_trailer_write(end, &trailer);
  iov[runs_count + 1] = (struct iovec){table, table_len};
  *size = at + table_len;
  rc = kopd_write_all(io, fd, iov, runs_count + 2, frames_end);
  /* A file that a failed write had grown beyond its new end must not keep that tail behind the trailer. */
  if (rc == 0) rc = io->ftruncate(io->user_data, fd, (off_t)*size);
  if (rc == 0) rc = io->fdatasync(io->user_data, fd);
out:
  free(iov);
  free(table);
  return rc;
}
