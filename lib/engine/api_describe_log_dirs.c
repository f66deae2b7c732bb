/* DescribeLogDirs (KIP-113): the one log directory, with the partitions that this node leads and their sizes. */
#include "base/sort.h"
#include "engine/answer.h"
#include "engine/api.h"
#include "engine/partition.h"

typedef kop_describe_log_dirs_request_describable_log_dir_topic topic_request;
typedef kop_describe_log_dirs_response_topic dir_topic;
typedef kop_describe_log_dirs_response_partition dir_partition;
typedef kop_describe_log_dirs_response_result dir_result;

static int by_index(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

/* The partitions of a topic, those named or (`from` NULL) all; a topic without any is left out. */
static bool add_topic(kop_engine *e, kopi_request *r, const kopi_topic *t,
                      const topic_request *from, dir_result *dir, kop_now now) {
  size_t asked = from == NULL ? t->partitions_len : (size_t)from->partitions.len;
  if (from != NULL) kopi_sort(from->partitions.ptr, asked, sizeof(int32_t), by_index);
  dir_partition *parts = kopi_answer_array(e, r, KOP_STRUCT_DESCRIBE_LOG_DIRS_RESPONSE_PARTITION,
                                           asked, sizeof *parts, now);
  if (parts == NULL) return false;
  int32_t n = 0;
  for (size_t i = 0; i < asked; i++) {
    int32_t index = from == NULL ? (int32_t)i : from->partitions.ptr[i];
    if (n > 0 && parts[n - 1].partition_index == index) continue; /* named twice */
    const kopi_partition *p = kopi_topic_partition_at(t, index);
    if (p == NULL || p->leader != e->cfg.node_id) continue;
    parts[n].partition_index = index;
    parts[n].partition_size = (int64_t)p->log_bytes;
    parts[n].offset_lag = 0; /* there is no follower */
    n++;
  }
  if (n == 0) return true;
  dir_topic *to = &dir->topics.ptr[dir->topics.len++];
  to->name = t->name;
  to->partitions.ptr = parts;
  to->partitions.len = n;
  return true;
}

static bool fill(kop_engine *e, kopi_request *r, const kop_describe_log_dirs_request *q,
                 dir_result *dir, kop_now now) {
  size_t n = q->topics.len < 0 ? e->topics_len : (size_t)q->topics.len;
  dir->topics.ptr = kopi_answer_array(e, r, KOP_STRUCT_DESCRIBE_LOG_DIRS_RESPONSE_TOPIC, n,
                                      sizeof(dir_topic), now);
  if (dir->topics.ptr == NULL) return false;
  for (size_t i = 0; i < n; i++) {
    const topic_request *from = q->topics.len < 0 ? NULL : &q->topics.ptr[i];
    const kopi_topic *t = from == NULL ? e->topics[i] : kopi_topic_by_name(e, from->topic);
    if (t != NULL && !add_topic(e, r, t, from, dir, now)) return false;
  }
  return true;
}

void kopi_api_describe_log_dirs(kop_engine *e, kopi_request *r, kop_now now) {
  kop_describe_log_dirs_request q;
  if (!kopi_request_decode(e, r, KOP_MSG_DESCRIBE_LOG_DIRS_REQUEST, &q, sizeof q, now)) return;
  kop_describe_log_dirs_response p;
  (void)kop_message_init(KOP_MSG_DESCRIBE_LOG_DIRS_RESPONSE, &p, sizeof p);
  dir_result dir;
  (void)kop_struct_init(KOP_STRUCT_DESCRIBE_LOG_DIRS_RESPONSE_RESULT, &dir, sizeof dir);
  dir.log_dir = e->cfg.log_dir;
  dir.total_bytes = e->volume_total;
  dir.usable_bytes = e->volume_usable;
  p.results.ptr = &dir;
  p.results.len = 1;
  if (!fill(e, r, &q, &dir, now)) return;
  kopi_reply(e, r, KOP_MSG_DESCRIBE_LOG_DIRS_RESPONSE, &p, sizeof p, now);
}
