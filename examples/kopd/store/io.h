/*
 * Every file call that the stores make, as a table, so that a test can stand between a store and its disk: forget at
 * a simulated power cut whatever was not synced, or fail the n-th call with ENOSPC or EIO.
 *
 * All functions give 0 or a count on success and -errno on failure. LMDB does its own file calls; to this
 * table one commit of the catalogue is one call that happens whole or not at all, which is LMDB's own promise.
 */
#ifndef KOPD_STORE_IO_H
#define KOPD_STORE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef struct kopd_io {
  void *user_data;
  int (*mkdir)(void *user_data, const char *path);           /* one that exists is fine */
  int (*open)(void *user_data, const char *path, int flags); /* a descriptor, close-on-exec */
  int (*close)(void *user_data, int fd);
  int (*lock)(void *user_data, int fd); /* exclusive, at once or -EWOULDBLOCK */
  ssize_t (*pwritev)(void *user_data, int fd, const struct iovec *iov, int count, off_t at);
  /* Disk space for bytes behind the end, whose size stays: appending there then allocates nothing. May do nothing. */
  int (*reserve)(void *user_data, int fd, off_t at, off_t length);
  int (*fdatasync)(void *user_data, int fd);
  int (*sync_dir)(void *user_data, const char *path); /* makes names in it durable */
  int (*ftruncate)(void *user_data, int fd, off_t size);
  int (*rename)(void *user_data, const char *from, const char *to);
  int (*unlink)(void *user_data, const char *path);
  /* Size, and whether a name still leads to the file. */
  int (*stat)(void *user_data, int fd, uint64_t *size, int *linked);
  /* Size and free space of the volume, in bytes. */
  int (*volume)(void *user_data, const char *path, int64_t *total, int64_t *usable);
  /* Calls `each` with every name in a folder, in any order, until it gives non-zero. */
  int (*list)(void *user_data, const char *path, int (*each)(void *arg, const char *name),
              void *arg);
  /* Shared, read-only. `*address` stays valid until unmap, also beyond close and unlink. */
  int (*map)(void *user_data, int fd, off_t at, size_t length, void **address);
  int (*unmap)(void *user_data, void *address, size_t length);
  int (*resident)(void *user_data, const void *address,
                  size_t length); /* 1: reading it waits for no disk */
  int (*populate)(void *user_data, const void *address,
                  size_t length);                 /* reads it in; -EFAULT if the disk fails */
  int (*commit)(void *user_data, void *lmdb_txn); /* mdb_txn_commit, or -errno after an abort */
} kopd_io;

/* The operating system's. */
extern const kopd_io kopd_io_system;

/* Files that have no name and live in memory: what `memory:` runs on. No call of it waits for a disk. */
extern const kopd_io kopd_io_memory;

#endif
