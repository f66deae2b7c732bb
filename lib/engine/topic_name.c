/* Kafka's rules for topic names. */
#include "engine/topic_name.h"

#include <string.h>

enum { LONGEST_NAME = 249 };

static bool is_legal(uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

static bool is(kop_slice name, const char *text) {
  return name.len == strlen(text) && memcmp(name.ptr, text, name.len) == 0;
}

const char *kopi_topic_name_fault(kop_slice name) {
  if (name.len == 0) return "the topic name is empty";
  if (is(name, ".") || is(name, "..")) return "the topic name must not be \".\" or \"..\"";
  if (name.len > LONGEST_NAME) return "the topic name is longer than 249 characters";
  for (size_t i = 0; i < name.len; i++) {
    if (!is_legal(name.ptr[i]))
      return "the topic name has a character that is no ASCII letter or digit, \".\", \"_\" or "
             "\"-\"";
  }
  return NULL;
}

bool kopi_topic_name_collides(kop_slice a, kop_slice b) {
  if (a.len != b.len) return false;
  bool differ = false;
  for (size_t i = 0; i < a.len; i++) {
    uint8_t x = a.ptr[i] == '.' ? '_' : a.ptr[i];
    uint8_t y = b.ptr[i] == '.' ? '_' : b.ptr[i];
    if (x != y) return false;
    differ = differ || a.ptr[i] != b.ptr[i];
  }
  return differ;
}

bool kopi_topic_name_is_internal(kop_slice name) {
  return is(name, "__consumer_offsets") || is(name, "__transaction_state") ||
         is(name, "__share_group_state");
}

bool kopi_topic_name_is_metadata_log(kop_slice name) {
  return is(name, "__cluster_metadata");
}
