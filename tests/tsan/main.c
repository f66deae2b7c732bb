/* Runs the tests that registered themselves, in the order of their names; see criterion/criterion.h. */
#include <stdarg.h>

#include <criterion/criterion.h>

static tsan_test *tests, *suites;

static int compare(const tsan_test *a, const tsan_test *b) {
  int suite = strcmp(a->suite, b->suite);
  return suite != 0 ? suite : strcmp(a->name, b->name);
}

void tsan_register(tsan_test *test) {
  tsan_test **at = &tests;
  while (*at != NULL && compare(*at, test) < 0)
    at = &(*at)->next;
  test->next = *at;
  *at = test;
}

void tsan_register_suite(tsan_test *suite) {
  suite->next = suites;
  suites = suite;
}

static const tsan_test *suite_of(const tsan_test *test) {
  static const tsan_test none;
  const tsan_test *suite = suites;
  while (suite != NULL && strcmp(suite->suite, test->suite) != 0)
    suite = suite->next;
  return suite == NULL ? &none : suite;
}

void tsan_check(int ok, const char *file, int line, const char *what, const char *format, ...) {
  if (ok) return;
  va_list args;
  va_start(args, format);
  fprintf(stderr, "%s:%d: %s: ", file, line, what);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(1);
}

int main(void) {
  int count = 0;
  for (tsan_test *test = tests; test != NULL; test = test->next) {
    if (test->disabled || test->signal != 0 || test->exit_code != 0) continue;
    fprintf(stderr, "%s/%s\n", test->suite, test->name);
    const tsan_test *suite = suite_of(test);
    if (suite->init != NULL) suite->init();
    if (test->init != NULL) test->init();
    test->run();
    if (test->fini != NULL) test->fini();
    if (suite->fini != NULL) suite->fini();
    count++;
  }
  printf("%d tests passed\n", count);
  return count > 0 ? 0 : 1;
}
