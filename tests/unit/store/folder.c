/* Folders for the tests of file:. */
#include "folder.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

folder folder_make(void) {
  folder f;
  /* In memory where that can be had: these tests look at bytes, and syncs would only take time. */
  const char *where = getenv("TMPDIR");
  if (where == NULL) where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  snprintf(f.path, sizeof f.path, "%s/kop-store-XXXXXX", where);
  cr_assert_not_null(mkdtemp(f.path));
  snprintf(f.spec, sizeof f.spec, "file:%s", f.path);
  return f;
}

static void remove_all(const char *path) {
  DIR *dir = opendir(path);
  if (dir == NULL) return;
  const struct dirent *entry;
  while ((entry = readdir(dir)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    char inner[1024];
    snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
    if (unlink(inner) != 0) remove_all(inner);
  }
  closedir(dir);
  rmdir(path);
}

void folder_remove(const folder *f) {
  remove_all(f->path);
}

static int by_name(const void *a, const void *b) {
  return strcmp(a, b);
}

size_t folder_logs(const folder *f, char names[][64], size_t cap) {
  char path[300];
  snprintf(path, sizeof path, "%s/log", f->path);
  DIR *dir = opendir(path);
  cr_assert_not_null(dir);
  size_t n = 0;
  const struct dirent *entry;
  while ((entry = readdir(dir)) != NULL)
    if (entry->d_name[0] != '.' && n < cap) snprintf(names[n++], 64, "%.63s", entry->d_name);
  closedir(dir);
  if (n > 0) qsort(names, n, sizeof names[0], by_name);
  return n;
}

const char *folder_log(const folder *f, const char *name) {
  static char path[400];
  snprintf(path, sizeof path, "%s/log/%s", f->path, name);
  return path;
}

long folder_size(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

uint64_t folder_bytes(const folder *f) {
  char names[256][64];
  size_t n = folder_logs(f, names, 256);
  uint64_t bytes = 0;
  for (size_t i = 0; i < n; i++)
    bytes += (uint64_t)folder_size(folder_log(f, names[i]));
  return bytes;
}

void folder_flip(const char *path, long at) {
  FILE *f = fopen(path, "r+b");
  cr_assert_not_null(f);
  fseek(f, at, SEEK_SET);
  int c = fgetc(f);
  cr_assert_neq(c, EOF);
  fseek(f, at, SEEK_SET);
  fputc(c ^ 0x5a, f);
  fclose(f);
}

void folder_cut(const char *path, long size) {
  cr_assert_eq(truncate(path, size), 0);
}
