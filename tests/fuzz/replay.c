/*
 * Runs a fuzz target over files without libFuzzer, so that any compiler can replay a corpus as a test.
 * Usage: replay_<name> FILE|FOLDER...   A folder stands for the files in it, in order of name.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t files_run;

static int run_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
    perror(path);
    return 1;
  }
  long size = ftell(file);
  rewind(file);
  /* Exactly the input's size, so that a sanitizer sees a read beyond its end. */
  uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
  if (size < 0 || data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size) {
    fprintf(stderr, "%s: cannot be read\n", path);
    exit(1);
  }
  fclose(file);
  fprintf(stderr, "%s\n", path);
  (void)LLVMFuzzerTestOneInput(data, (size_t)size);
  free(data);
  files_run++;
  return 0;
}

static int run_folder(const char *path) {
  struct dirent **entries;
  int n = scandir(path, &entries, NULL, alphasort);
  if (n < 0) {
    perror(path);
    return 1;
  }
  int failed = 0;
  for (int i = 0; i < n; i++) {
    char file[4096];
    if (entries[i]->d_name[0] != '.') {
      snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
      failed |= run_file(file);
    }
    free(entries[i]);
  }
  free(entries);
  return failed;
}

int main(int argc, char **argv) {
  int failed = 0;
  for (int i = 1; i < argc; i++) {
    struct stat about;
    if (stat(argv[i], &about) == 0 && S_ISDIR(about.st_mode)) {
      failed |= run_folder(argv[i]);
    } else {
      failed |= run_file(argv[i]);
    }
  }
  if (files_run == 0) {
    fprintf(stderr, "no input was replayed\n");
    return 1;
  }
  printf("%zu inputs replayed\n", files_run);
  return failed;
}
