/*
 * As much of Criterion's face as our unit tests use, for ThreadSanitizer builds alone: Criterion runs each test in a
 * process that it maps itself, which that sanitizer does not survive. Here all tests run in one process, one after the
 * other, and the first failure ends it. Tests that expect a signal or an exit code are left out.
 */
#ifndef KOP_TSAN_CRITERION_H
#define KOP_TSAN_CRITERION_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tsan_test {
  const char *suite;
  const char *name;
  void (*run)(void);
  void (*init)(void);
  void (*fini)(void);
  const char *description;
  double timeout;
  int signal;
  int exit_code;
  bool disabled;
  struct tsan_test *next;
} tsan_test;

void tsan_register(tsan_test *test);

/* What is done before and after each test of a suite. */
void tsan_register_suite(tsan_test *suite);

/* Ends the process with a message when `ok` is 0. */
void tsan_check(int ok, const char *file, int line, const char *what, const char *format, ...);

#define Test(Suite, Name, ...)                                                                     \
  static void Suite##_##Name##_run(void);                                                          \
  static tsan_test Suite##_##Name##_test = {                                                       \
      .suite = #Suite, .name = #Name, .run = Suite##_##Name##_run, __VA_ARGS__};                   \
  __attribute__((constructor)) static void Suite##_##Name##_register(void) {                       \
    tsan_register(&Suite##_##Name##_test);                                                         \
  }                                                                                                \
  static void Suite##_##Name##_run(void)

#define TestSuite(Suite, ...)                                                                      \
  static tsan_test Suite##_suite = {.suite = #Suite, __VA_ARGS__};                                 \
  __attribute__((constructor)) static void Suite##_suite_register(void) {                          \
    tsan_register_suite(&Suite##_suite);                                                           \
  }                                                                                                \
  _Static_assert(sizeof #Suite > 1, "a suite has a name")

/* The text after the values is optional: an empty one follows, so that there always is one. */
#define TSAN_ONE(what, test, ...) tsan_check((test) != 0, __FILE__, __LINE__, what, __VA_ARGS__)
#define TSAN_IS(a, ...)           TSAN_ONE(#a, (a), __VA_ARGS__)
#define TSAN_NULL(a, ...)         TSAN_ONE(#a " is null", (a) == NULL, __VA_ARGS__)
#define TSAN_NOT_NULL(a, ...)     TSAN_ONE(#a " is not null", (a) != NULL, __VA_ARGS__)
#define TSAN_TWO(op, a, b, ...)   TSAN_ONE(#a " " #op " " #b, (a)op(b), __VA_ARGS__)
#define TSAN_TEXT(op, a, b, ...)  TSAN_ONE(#a " " #op " " #b, strcmp((a), (b)) op 0, __VA_ARGS__)
#define TSAN_BYTES(op, a, b, n, ...)                                                               \
  TSAN_ONE(#a " " #op " " #b, memcmp((a), (b), (n)) op 0, __VA_ARGS__)

#define cr_assert(...)          TSAN_IS(__VA_ARGS__, "%s", "")
#define cr_assert_not(...)      TSAN_TWO(==, 0, __VA_ARGS__, "%s", "")
#define cr_assert_null(...)     TSAN_NULL(__VA_ARGS__, "%s", "")
#define cr_assert_not_null(...) TSAN_NOT_NULL(__VA_ARGS__, "%s", "")
#define cr_assert_eq(...)       TSAN_TWO(==, __VA_ARGS__, "%s", "")
#define cr_assert_neq(...)      TSAN_TWO(!=, __VA_ARGS__, "%s", "")
#define cr_assert_lt(...)       TSAN_TWO(<, __VA_ARGS__, "%s", "")
#define cr_assert_leq(...)      TSAN_TWO(<=, __VA_ARGS__, "%s", "")
#define cr_assert_gt(...)       TSAN_TWO(>, __VA_ARGS__, "%s", "")
#define cr_assert_geq(...)      TSAN_TWO(>=, __VA_ARGS__, "%s", "")
#define cr_assert_str_eq(...)   TSAN_TEXT(==, __VA_ARGS__, "%s", "")
#define cr_assert_str_empty(s)  TSAN_TEXT(==, s, "", "%s", "")
#define cr_assert_str_neq(...)  TSAN_TEXT(!=, __VA_ARGS__, "%s", "")
#define cr_assert_arr_eq(...)   TSAN_BYTES(==, __VA_ARGS__, "%s", "")
#define cr_assert_arr_neq(...)  TSAN_BYTES(!=, __VA_ARGS__, "%s", "")
#define cr_assert_fail(...)     tsan_check(0, __FILE__, __LINE__, "failed", __VA_ARGS__)
#define cr_log_info(...)        (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr))
#define cr_fatal(...)           tsan_check(0, __FILE__, __LINE__, "failed", __VA_ARGS__)

#endif
