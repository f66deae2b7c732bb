/* Names of topics: every form, partitions, and what is no name. */
#include <criterion/criterion.h>
#include <kop/pulsar_topic.h>
#include <string.h>

static kop_slice text(const char *s) {
  return (kop_slice){(const uint8_t *)s, strlen(s)};
}

static kop_status read_name(const char *name, kop_pulsar_topic *t) {
  return kop_pulsar_topic_read(text(name), text("public"), text("default"), t);
}

/* The full name that a name comes to, also when it is taken apart once more. */
static void comes_to(const char *name, const char *full) {
  kop_pulsar_topic t;
  uint8_t out[200], again[200];
  size_t len, len_again;
  cr_assert_eq(read_name(name, &t), KOP_OK, "%s", name);
  cr_assert_eq(kop_pulsar_topic_write(&t, out, sizeof out, &len), KOP_OK);
  cr_assert(len == strlen(full) && memcmp(out, full, len) == 0, "%s -> %.*s", name, (int)len,
            (const char *)out);
  cr_assert_eq(kop_pulsar_topic_read((kop_slice){out, len}, text(""), text(""), &t), KOP_OK);
  cr_assert_eq(kop_pulsar_topic_write(&t, again, sizeof again, &len_again), KOP_OK);
  cr_assert(len == len_again && memcmp(out, again, len) == 0);
}

Test(topic_name, every_form) {
  comes_to("x", "persistent://public/default/x");
  comes_to("t/n/x", "persistent://t/n/x");
  comes_to("persistent://t/n/x", "persistent://t/n/x");
  comes_to("non-persistent://t/n/x", "non-persistent://t/n/x");
  comes_to("x-partition-12", "persistent://public/default/x-partition-12");
  comes_to("a:b c\xC3\xBC", "persistent://public/default/a:b c\xC3\xBC");
}

Test(topic_name, partitions) {
  static const struct {
    const char *name;
    const char *local;
    int32_t partition;
  } cases[] = {{"x-partition-0", "x", 0},
               {"x-partition-2147483647", "x", INT32_MAX},
               {"x-partition-2147483648", "x-partition-2147483648", -1},
               {"x-partition-03", "x-partition-03", -1},
               {"x-partition-", "x-partition-", -1},
               {"x-partition-1a", "x-partition-1a", -1},
               {"x-partition--1", "x-partition--1", -1},
               {"x-partition-1-partition-2", "x-partition-1", 2},
               {"x-partition-1-partition-b", "x-partition-1-partition-b", -1},
               {"-partition-1", "-partition-1", -1},
               {"x", "x", -1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kop_pulsar_topic t;
    cr_assert_eq(read_name(cases[i].name, &t), KOP_OK);
    cr_assert_eq(t.partition, cases[i].partition, "%s", cases[i].name);
    cr_assert(t.local.len == strlen(cases[i].local) &&
                  memcmp(t.local.ptr, cases[i].local, t.local.len) == 0,
              "%s", cases[i].name);
    cr_assert_eq(t.is_persistent, 1);
  }
}

Test(topic_name, what_is_none) {
  static const struct {
    const char *name;
    kop_status status;
  } cases[] = {{"", KOP_ERR_MALFORMED},
               {"t/n/", KOP_ERR_MALFORMED},
               {"/n/x", KOP_ERR_MALFORMED},
               {"t//x", KOP_ERR_MALFORMED},
               {"n/x", KOP_ERR_MALFORMED},
               {"persistent://x", KOP_ERR_MALFORMED},
               {"persistent://", KOP_ERR_MALFORMED},
               {"t n/n/x", KOP_ERR_MALFORMED},
               {"t/n\xC3\xBC/x", KOP_ERR_MALFORMED},
               {"t/cluster/n/x", KOP_ERR_UNSUPPORTED},
               {"persistent://t/cluster/n/x", KOP_ERR_UNSUPPORTED},
               {"a/b/c/d/e", KOP_ERR_MALFORMED},
               {"topic://t/n/x", KOP_ERR_UNSUPPORTED}};
  kop_pulsar_topic t;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    cr_assert_eq(read_name(cases[i].name, &t), cases[i].status, "%s", cases[i].name);
  cr_assert_eq(
      kop_pulsar_topic_read((kop_slice){(const uint8_t *)"a\0b", 3}, text("p"), text("d"), &t),
      KOP_ERR_MALFORMED);
  cr_assert_eq(kop_pulsar_topic_read(text("x"), text(""), text("d"), &t), KOP_ERR_MALFORMED);
  cr_assert_eq(kop_pulsar_topic_read(text("x"), text("p"), text("d/e"), &t), KOP_ERR_MALFORMED);
}

Test(topic_name, writing_checks_room_and_parts) {
  kop_pulsar_topic t;
  uint8_t out[64];
  size_t len = 0;
  cr_assert_eq(read_name("x-partition-7", &t), KOP_OK);
  size_t full = strlen("persistent://public/default/x-partition-7");
  cr_assert_eq(kop_pulsar_topic_write(&t, out, full - 1, &len), KOP_ERR_NO_SPACE);
  cr_assert_eq(len, full);
  cr_assert_eq(kop_pulsar_topic_write(&t, out, full, &len), KOP_OK);
  t.partition = -2;
  cr_assert_eq(kop_pulsar_topic_write(&t, out, sizeof out, &len), KOP_ERR_INVALID);
  t.partition = -1;
  t.local = text("a/b");
  cr_assert_eq(kop_pulsar_topic_write(&t, out, sizeof out, &len), KOP_ERR_INVALID);
  t.local = text("a");
  t.tenant = text("");
  cr_assert_eq(kop_pulsar_topic_write(&t, out, sizeof out, &len), KOP_ERR_INVALID);
}
