/* The table of file calls on the operating system. */
#include "store/io.h"

#include "store/guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int result(int rc) {
  return rc < 0 ? -errno : rc;
}

static int sys_mkdir(void *user_data, const char *path) {
  (void)user_data;
  if (mkdir(path, 0755) == 0 || errno == EEXIST) return 0;
  return -errno;
}

static int sys_open(void *user_data, const char *path, int flags) {
  (void)user_data;
  return result(open(path, flags | O_CLOEXEC, 0644));
}

static int sys_close(void *user_data, int fd) {
  (void)user_data;
  return result(close(fd));
}

static int sys_lock(void *user_data, int fd) {
  (void)user_data;
  return result(flock(fd, LOCK_EX | LOCK_NB));
}

static ssize_t sys_pwritev(void *user_data, int fd, const struct iovec *iov, int count, off_t at) {
  (void)user_data;
  ssize_t n = 0;
  do {
    n = pwritev(fd, iov, count, at);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

static int sys_reserve(void *user_data, int fd, off_t at, off_t length) {
  (void)user_data;
  return result(fallocate(fd, FALLOC_FL_KEEP_SIZE, at, length));
}

static int sys_fdatasync(void *user_data, int fd) {
  (void)user_data;
  return result(fdatasync(fd));
}

static int sys_sync_dir(void *user_data, const char *path) {
  (void)user_data;
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int rc = result(fsync(fd));
  close(fd);
  return rc;
}

static int sys_ftruncate(void *user_data, int fd, off_t size) {
  (void)user_data;
  return result(ftruncate(fd, size));
}

static int sys_rename(void *user_data, const char *from, const char *to) {
  (void)user_data;
  return result(rename(from, to));
}

static int sys_unlink(void *user_data, const char *path) {
  (void)user_data;
  return result(unlink(path));
}

static int sys_stat(void *user_data, int fd, uint64_t *size, int *linked) {
  (void)user_data;
  struct stat st;
  if (fstat(fd, &st) != 0) return -errno;
  *size = (uint64_t)st.st_size;
  *linked = st.st_nlink > 0;
  return 0;
}

static int sys_volume(void *user_data, const char *path, int64_t *total, int64_t *usable) {
  (void)user_data;
  struct statvfs st;
  if (statvfs(path, &st) != 0) return -errno;
  *total = (int64_t)(st.f_blocks * st.f_frsize);
  *usable = (int64_t)(st.f_bavail * st.f_frsize);
  return 0;
}

static int sys_list(void *user_data, const char *path, int (*each)(void *arg, const char *name),
                    void *arg) {
  (void)user_data;
  DIR *dir = opendir(path);
  if (dir == NULL) return -errno;
  int rc = 0;
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (entry == NULL) {
      rc = -errno;
      break;
    }
    if (entry->d_name[0] == '.') continue;
    rc = each(arg, entry->d_name);
    if (rc != 0) break;
  }
  closedir(dir);
  return rc;
}

static int sys_map(void *user_data, int fd, off_t at, size_t length, void **address) {
  (void)user_data;
  void *p = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, at);
  if (p == MAP_FAILED) return -errno;
  kopd_guard_add(p, length);
  *address = p;
  return 0;
}

static int sys_unmap(void *user_data, void *address, size_t length) {
  (void)user_data;
  kopd_guard_remove(address);
  return result(munmap(address, length));
}

/* The page-aligned range around some bytes. */
static void *pages_of(const void *address, size_t *length) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t first = (uintptr_t)address & ~(page - 1);
  *length = ((uintptr_t)address + *length - first + page - 1) & ~(page - 1);
  return (void *)first;
}

static int sys_resident(void *user_data, const void *address, size_t length) {
  (void)user_data;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  unsigned char seen[256];
  const char *at = pages_of(address, &length);
  while (length > 0) {
    size_t part = length < sizeof seen * page ? length : sizeof seen * page;
    if (mincore((void *)(uintptr_t)at, part, seen) != 0) return 0;
    for (size_t i = 0; i < part / page; i++)
      if ((seen[i] & 1) == 0) return 0;
    at += part;
    length -= part;
  }
  return 1;
}

/* Asking the kernel turns a failing disk into an error here instead of a SIGBUS at the first touch. */
static int sys_populate(void *user_data, const void *address, size_t length) {
  (void)user_data;
  void *at = pages_of(address, &length);
#if defined(MADV_POPULATE_READ)
  if (madvise(at, length, MADV_POPULATE_READ) == 0) return 0;
  if (errno != EINVAL) return -errno;
#endif
  madvise(at, length, MADV_WILLNEED);
  return 0;
}

static int sys_commit(void *user_data, void *lmdb_txn) {
  (void)user_data;
  int rc = mdb_txn_commit(lmdb_txn);
  if (rc == 0) return 0;
  return rc > 0 ? -rc : rc;
}

const kopd_io kopd_io_system = {
    .mkdir = sys_mkdir,
    .open = sys_open,
    .close = sys_close,
    .lock = sys_lock,
    .pwritev = sys_pwritev,
    .reserve = sys_reserve,
    .fdatasync = sys_fdatasync,
    .sync_dir = sys_sync_dir,
    .ftruncate = sys_ftruncate,
    .rename = sys_rename,
    .unlink = sys_unlink,
    .stat = sys_stat,
    .volume = sys_volume,
    .list = sys_list,
    .map = sys_map,
    .unmap = sys_unmap,
    .resident = sys_resident,
    .populate = sys_populate,
    .commit = sys_commit,
};

/* Memory: the same descriptors, made by memfd_create. What a name or a disk would mean is answered without them. */

static int mem_open(void *user_data, const char *path, int flags) {
  (void)user_data;
  (void)flags;
  return result(memfd_create(path, MFD_CLOEXEC));
}

static int mem_path(void *user_data, const char *path) {
  (void)user_data;
  (void)path;
  return 0;
}

static int mem_fd(void *user_data, int fd) {
  (void)user_data;
  (void)fd;
  return 0;
}

static int mem_reserve(void *user_data, int fd, off_t at, off_t length) {
  (void)user_data;
  (void)fd;
  (void)at;
  (void)length;
  return 0;
}

static int mem_rename(void *user_data, const char *from, const char *to) {
  (void)user_data;
  (void)from;
  (void)to;
  return 0;
}

static int mem_stat(void *user_data, int fd, uint64_t *size, int *linked) {
  int rc = sys_stat(user_data, fd, size, linked);
  *linked = 1;
  return rc;
}

static int mem_volume(void *user_data, const char *path, int64_t *total, int64_t *usable) {
  (void)user_data;
  (void)path;
  *total = -1;
  *usable = -1;
  return 0;
}

static int mem_list(void *user_data, const char *path, int (*each)(void *arg, const char *name),
                    void *arg) {
  (void)user_data;
  (void)path;
  (void)each;
  (void)arg;
  return 0;
}

static int mem_range(void *user_data, const void *address, size_t length) {
  (void)user_data;
  (void)address;
  (void)length;
  return 1;
}

static int mem_commit(void *user_data, void *lmdb_txn) {
  (void)user_data;
  (void)lmdb_txn;
  return 0;
}

const kopd_io kopd_io_memory = {
    .mkdir = mem_path,
    .open = mem_open,
    .close = sys_close,
    .lock = mem_fd,
    .pwritev = sys_pwritev,
    .reserve = mem_reserve,
    .fdatasync = mem_fd,
    .sync_dir = mem_path,
    .ftruncate = sys_ftruncate,
    .rename = mem_rename,
    .unlink = mem_path,
    .stat = mem_stat,
    .volume = mem_volume,
    .list = mem_list,
    .map = sys_map,
    .unmap = sys_unmap,
    .resident = mem_range,
    .populate = mem_range,
    .commit = mem_commit,
};
