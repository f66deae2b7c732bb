/* The disk that loses power. Names are those of log files; the folder itself, the lock and the catalogue's file are the real ones'. */
#include "sim_io.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/rng.h"

enum { FILES = 512, DESCRIPTORS = 1024 };

/* A file: what is on the disk for certain, and what the page cache holds at the cut. */
typedef struct inode {
  char names[2][512]; /* [0] in memory, [1] on the disk; "" for none */
  uint8_t *synced;
  size_t synced_len;
  uint8_t *cached;
  size_t cached_len;
  uint8_t *cut; /* what it was before it was cut, until that is synced */
  size_t cut_len;
} inode;

struct sim {
  kopd_io io;
  pthread_mutex_t lock;
  uint64_t rng;
  uint64_t calls;
  uint64_t cut_at;
  uint64_t fail_at;
  uint64_t fail_count;
  int fail_with;
  bool dead;
  inode files[FILES];
  size_t files_count;
  int inode_of[DESCRIPTORS]; /* index + 1 */
};

/* What becomes of a call: it is done, it fails and is not done, or the power goes (and it may be done). */
typedef enum fate { DO, FAIL, CUT_BEFORE, CUT_AFTER } fate;

static fate fate_of(sim *s, int *error) {
  *error = EIO;
  if (s->dead) return FAIL;
  s->calls++;
  if (s->cut_at != 0 && s->calls >= s->cut_at) {
    s->dead = true;
    return rng_below(&s->rng, 2) ? CUT_BEFORE : CUT_AFTER;
  }
  if (s->fail_at != 0 && s->calls >= s->fail_at && s->calls < s->fail_at + s->fail_count) {
    *error = s->fail_with;
    return FAIL;
  }
  return DO;
}

static bool happens(fate f) {
  return f == DO || f == CUT_AFTER;
}

/* What the caller is told. */
static int told(fate f, int rc, int error) {
  return f == DO ? rc : -error;
}

static inode *by_name(sim *s, const char *name) {
  for (size_t i = 0; i < s->files_count; i++)
    if (strcmp(s->files[i].names[0], name) == 0) return &s->files[i];
  return NULL;
}

static uint8_t *contents(const char *path, size_t *len) {
  int fd = open(path, O_RDONLY);
  *len = 0;
  if (fd < 0) return NULL;
  struct stat st;
  fstat(fd, &st);
  uint8_t *bytes = malloc((size_t)st.st_size + 1);
  ssize_t n = pread(fd, bytes, (size_t)st.st_size, 0);
  close(fd);
  *len = n < 0 ? 0 : (size_t)n;
  return bytes;
}

static int sim_mkdir(void *user_data, const char *path) {
  (void)user_data;
  return kopd_io_system.mkdir(NULL, path);
}

static bool is_log(const char *path) {
  return strstr(path, "/log/") != NULL;
}

static int sim_open(void *user_data, const char *path, int flags) {
  sim *s = user_data;
  if (!is_log(path)) return kopd_io_system.open(NULL, path, flags);
  pthread_mutex_lock(&s->lock);
  int error = 0, rc = -EIO;
  fate f = fate_of(s, &error);
  if (happens(f)) {
    rc = kopd_io_system.open(NULL, path, flags);
    if (rc >= 0) {
      inode *n = by_name(s, path);
      if (n == NULL) {
        cr_assert(s->files_count < FILES);
        n = &s->files[s->files_count++];
        snprintf(n->names[0], sizeof n->names[0], "%s", path);
      }
      s->inode_of[rc] = (int)(n - s->files) + 1;
      if (f != DO) close(rc);
    }
  }
  rc = told(f, rc, error);
  pthread_mutex_unlock(&s->lock);
  return rc;
}

static int sim_close(void *user_data, int fd) {
  sim *s = user_data;
  pthread_mutex_lock(&s->lock);
  s->inode_of[fd] = 0;
  pthread_mutex_unlock(&s->lock);
  return kopd_io_system.close(NULL, fd);
}

static int sim_lock(void *user_data, int fd) {
  (void)user_data;
  return kopd_io_system.lock(NULL, fd);
}

static ssize_t sim_pwritev(void *user_data, int fd, const struct iovec *iov, int count, off_t at) {
  sim *s = user_data;
  pthread_mutex_lock(&s->lock);
  int error = 0;
  ssize_t rc = -EIO;
  fate f = fate_of(s, &error);
  if (f == DO) {
    rc = kopd_io_system.pwritev(NULL, fd, iov, count, at);
  } else {
    /* A part of it happens. */
    int part = (int)rng_below(&s->rng, (uint64_t)count + 1);
    if (part > 0 && !(f == FAIL && s->dead)) kopd_io_system.pwritev(NULL, fd, iov, part, at);
    rc = -error;
  }
  pthread_mutex_unlock(&s->lock);
  return rc;
}

/* The size stays, so there is nothing that a power cut could change, and no failure that matters: not counted. */
static int sim_reserve(void *user_data, int fd, off_t at, off_t length) {
  (void)user_data;
  (void)fd;
  (void)at;
  (void)length;
  return -EOPNOTSUPP;
}

static int sim_fdatasync(void *user_data, int fd) {
  sim *s = user_data;
  pthread_mutex_lock(&s->lock);
  int error = 0;
  fate f = fate_of(s, &error);
  if (happens(f) && s->inode_of[fd] != 0) {
    inode *n = &s->files[s->inode_of[fd] - 1];
    struct stat st;
    fstat(fd, &st);
    n->synced = realloc(n->synced, (size_t)st.st_size + 1);
    n->synced_len = (size_t)st.st_size;
    cr_assert_eq(pread(fd, n->synced, n->synced_len, 0), (ssize_t)n->synced_len);
    n->cut_len = 0;
  }
  pthread_mutex_unlock(&s->lock);
  return told(f, 0, error);
}

static void names_to_disk(sim *s) {
  for (size_t i = 0; i < s->files_count; i++)
    memcpy(s->files[i].names[1], s->files[i].names[0], sizeof s->files[i].names[0]);
}

static int sim_sync_dir(void *user_data, const char *path) {
  sim *s = user_data;
  (void)path;
  pthread_mutex_lock(&s->lock);
  int error = 0;
  fate f = fate_of(s, &error);
  if (happens(f)) names_to_disk(s);
  pthread_mutex_unlock(&s->lock);
  return told(f, 0, error);
}

/* The disk may have written of itself what is cut off now. */
static void keep_cut(inode *n, int fd, size_t size) {
  struct stat st;
  fstat(fd, &st);
  size_t len = (size_t)st.st_size;
  if (len <= size || len <= n->cut_len) return;
  n->cut = realloc(n->cut, len);
  n->cut_len = len;
  cr_assert_eq(pread(fd, n->cut, len, 0), (ssize_t)len);
}

static int sim_ftruncate(void *user_data, int fd, off_t size) {
  sim *s = user_data;
  pthread_mutex_lock(&s->lock);
  int error = 0, rc = 0;
  fate f = fate_of(s, &error);
  if (happens(f)) {
    if (s->inode_of[fd] != 0) keep_cut(&s->files[s->inode_of[fd] - 1], fd, (size_t)size);
    rc = kopd_io_system.ftruncate(NULL, fd, size);
  }
  pthread_mutex_unlock(&s->lock);
  return told(f, rc, error);
}

static int sim_rename(void *user_data, const char *from, const char *to) {
  sim *s = user_data;
  pthread_mutex_lock(&s->lock);
  int error = 0, rc = 0;
  fate f = fate_of(s, &error);
  if (happens(f)) {
    rc = kopd_io_system.rename(NULL, from, to);
    inode *n = by_name(s, from);
    if (n != NULL) snprintf(n->names[0], sizeof n->names[0], "%s", to);
  }
  pthread_mutex_unlock(&s->lock);
  return told(f, rc, error);
}

/* The bytes of an unlinked file stay, in case the name comes back. */
static int sim_unlink(void *user_data, const char *path) {
  sim *s = user_data;
  pthread_mutex_lock(&s->lock);
  int error = 0, rc = 0;
  fate f = fate_of(s, &error);
  if (happens(f)) {
    inode *n = by_name(s, path);
    if (n != NULL) {
      free(n->cached);
      n->cached = contents(path, &n->cached_len);
      n->names[0][0] = '\0';
    }
    rc = kopd_io_system.unlink(NULL, path);
  }
  pthread_mutex_unlock(&s->lock);
  return told(f, rc, error);
}

static int sim_stat(void *user_data, int fd, uint64_t *size, int *linked) {
  sim *s = user_data;
  pthread_mutex_lock(&s->lock);
  bool dead = s->dead;
  pthread_mutex_unlock(&s->lock);
  return dead ? -EIO : kopd_io_system.stat(NULL, fd, size, linked);
}

static int sim_volume(void *user_data, const char *path, int64_t *total, int64_t *usable) {
  (void)user_data;
  return kopd_io_system.volume(NULL, path, total, usable);
}

static int sim_list(void *user_data, const char *path, int (*each)(void *arg, const char *name),
                    void *arg) {
  (void)user_data;
  return kopd_io_system.list(NULL, path, each, arg);
}

static int sim_map(void *user_data, int fd, off_t at, size_t length, void **address) {
  sim *s = user_data;
  pthread_mutex_lock(&s->lock);
  int error = 0;
  fate f = fate_of(s, &error);
  pthread_mutex_unlock(&s->lock);
  return f == DO ? kopd_io_system.map(NULL, fd, at, length, address) : -error;
}

static int sim_unmap(void *user_data, void *address, size_t length) {
  (void)user_data;
  return kopd_io_system.unmap(NULL, address, length);
}

static int sim_resident(void *user_data, const void *address, size_t length) {
  (void)user_data;
  (void)address;
  (void)length;
  return 0; /* every read takes the long way */
}

static int sim_populate(void *user_data, const void *address, size_t length) {
  (void)user_data;
  (void)address;
  (void)length;
  return 0;
}

static int sim_commit(void *user_data, void *lmdb_txn) {
  sim *s = user_data;
  pthread_mutex_lock(&s->lock);
  int error = 0, rc = 0;
  fate f = fate_of(s, &error);
  pthread_mutex_unlock(&s->lock);
  if (happens(f)) {
    rc = kopd_io_system.commit(NULL, lmdb_txn);
  } else {
    mdb_txn_abort(lmdb_txn);
  }
  return told(f, rc, error);
}

sim *sim_new(uint64_t seed) {
  sim *s = calloc(1, sizeof *s);
  cr_assert_not_null(s);
  s->rng = seed;
  pthread_mutex_init(&s->lock, NULL);
  s->io = (kopd_io){.user_data = s,
                    .mkdir = sim_mkdir,
                    .open = sim_open,
                    .close = sim_close,
                    .lock = sim_lock,
                    .pwritev = sim_pwritev,
                    .reserve = sim_reserve,
                    .fdatasync = sim_fdatasync,
                    .sync_dir = sim_sync_dir,
                    .ftruncate = sim_ftruncate,
                    .rename = sim_rename,
                    .unlink = sim_unlink,
                    .stat = sim_stat,
                    .volume = sim_volume,
                    .list = sim_list,
                    .map = sim_map,
                    .unmap = sim_unmap,
                    .resident = sim_resident,
                    .populate = sim_populate,
                    .commit = sim_commit};
  return s;
}

void sim_free(sim *s) {
  for (size_t i = 0; i < s->files_count; i++) {
    free(s->files[i].synced);
    free(s->files[i].cached);
    free(s->files[i].cut);
  }
  pthread_mutex_destroy(&s->lock);
  free(s);
}

const kopd_io *sim_io(sim *s) {
  return &s->io;
}

void sim_cut_at(sim *s, uint64_t call) {
  s->cut_at = call;
}

void sim_fail_at(sim *s, uint64_t call, uint64_t count, int error) {
  s->fail_at = call;
  s->fail_count = count;
  s->fail_with = error;
}

uint64_t sim_calls(const sim *s) {
  return s->calls;
}

bool sim_is_dead(const sim *s) {
  return s->dead;
}

/* The bytes that the disk has of a file: the synced ones, and perhaps more of what was written since. */
static void write_back(sim *s, const inode *n, const char *path) {
  size_t len = n->synced_len, more = 0;
  bool uncut = n->cut_len > 0 && rng_below(&s->rng, 2) == 0;
  const uint8_t *cached = uncut ? n->cut : n->cached;
  size_t cached_len = uncut ? n->cut_len : n->cached_len;
  if (cached_len > len) more = (size_t)rng_below(&s->rng, cached_len - len + 1);
  switch (rng_below(&s->rng, 4)) {
  case 0:
    more = 0;
    break;
  case 1:
    more = cached_len > len ? cached_len - len : 0;
    break;
  default:
    break;
  }
  uint8_t *bytes = malloc(len + more + 1);
  if (len > 0) memcpy(bytes, n->synced, len);
  if (more > 0) memcpy(bytes + len, cached + len, more);
  if (more > 0 && rng_below(&s->rng, 2) == 0) { /* a sector that did not get there */
    size_t at = len + (size_t)rng_below(&s->rng, more);
    size_t sector = len + more - at < 512 ? len + more - at : 512;
    memset(bytes + at, 0, sector);
  }
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  cr_assert(fd >= 0);
  cr_assert_eq(pwrite(fd, bytes, len + more, 0), (ssize_t)(len + more));
  close(fd);
  free(bytes);
}

void sim_restart(sim *s) {
  for (size_t i = 0; i < s->files_count; i++) {
    inode *n = &s->files[i];
    if (n->names[0][0] == '\0') continue;
    free(n->cached);
    n->cached = contents(n->names[0], &n->cached_len);
    unlink(n->names[0]);
  }
  for (size_t i = 0; i < s->files_count; i++) {
    const inode *n = &s->files[i];
    const char *name = n->names[1];
    if (strcmp(n->names[0], n->names[1]) != 0) name = n->names[rng_below(&s->rng, 2)];
    if (name[0] != '\0') write_back(s, n, name);
  }
}
