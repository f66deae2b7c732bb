/*
 * Prometheus' text format. A table says which field of which struct is which metric, so that a new
 * counter is one row.
 *
 *     # HELP kop_requests_total Requests decoded.
 *     # TYPE kop_requests_total counter
 *     kop_requests_total{node="1"} 42
 */
#include "metrics.h"

#include <fcntl.h>
#include <kop/version.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct metric {
  const char *name;
  const char *type; /* "counter" or "gauge" */
  const char *help;
  size_t offset; /* of a uint64_t */
} metric;

#define NODE(field)  offsetof(kop_engine_stats, field)
#define STORE(field) offsetof(kopd_store_stats, field)

static const metric of_node[] = {
    {"kop_connections", "gauge", "Open connections.", NODE(connections)},
    {"kop_connections_total", "counter", "Connections opened.", NODE(connections_total)},
    {"kop_requests_total", "counter", "Requests decoded.", NODE(requests_total)},
    {"kop_requests_open", "gauge", "Requests not answered yet.", NODE(requests_open)},
    {"kop_bytes_in_total", "counter", "Bytes received from clients.", NODE(bytes_in_total)},
    {"kop_bytes_out_total", "counter", "Bytes sent to clients.", NODE(bytes_out_total)},
    {"kop_records_in_total", "counter", "Records appended.", NODE(records_in_total)},
    {"kop_batches_in_total", "counter", "Batches appended.", NODE(batches_in_total)},
    {"kop_append_bytes_total", "counter", "Bytes of batches appended.", NODE(append_bytes_total)},
    {"kop_fetch_bytes_total", "counter", "Bytes of batches fetched.", NODE(fetch_bytes_total)},
    {"kop_fetches_waiting", "gauge", "Fetches that wait for records.", NODE(fetches_waiting)},
    {"kop_fetch_sessions", "gauge", "Fetch sessions held.", NODE(fetch_sessions)},
    {"kop_frame_bytes", "gauge", "Memory held by requests.", NODE(frame_bytes)},
    {"kop_reply_bytes", "gauge", "Memory held by answers that clients have not taken.",
     NODE(reply_bytes)},
    {"kop_lent_bytes", "gauge", "Bytes of the log held for answers.", NODE(lent_bytes)},
    {"kop_paused_connections", "gauge", "Connections not read from at a limit.",
     NODE(paused_connections)},
    {"kop_protocol_errors_total", "counter", "Connections closed for breaking the protocol.",
     NODE(protocol_errors_total)},
    {"kop_topics", "gauge", "Known topics.", NODE(topics)},
    {"kop_partitions", "gauge", "Known partitions.", NODE(partitions)},
    {"kop_partitions_active", "gauge", "Partitions led here and ready.", NODE(partitions_active)},
};

static const metric of_store[] = {
    {"kop_store_appends_total", "counter", "Batches appended.", STORE(appends_total)},
    {"kop_store_append_bytes_total", "counter", "Their bytes.", STORE(append_bytes_total)},
    {"kop_store_commits_total", "counter", "Group commits.", STORE(commits_total)},
    {"kop_store_reads_total", "counter", "Reads answered.", STORE(reads_total)},
    {"kop_store_reads_cold_total", "counter", "Of them from disk.", STORE(reads_cold_total)},
    {"kop_store_read_bytes_total", "counter", "Bytes read.", STORE(read_bytes_total)},
    {"kop_store_errors_total", "counter", "Commits and reads that failed.", STORE(errors_total)},
    {"kop_store_files", "gauge", "Log files.", STORE(files)},
    {"kop_store_file_bytes", "gauge", "Their size.", STORE(file_bytes)},
    {"kop_store_live_bytes", "gauge", "Of it what partitions still hold.", STORE(live_bytes)},
    {"kop_store_files_dropped_total", "counter", "Log files deleted.", STORE(files_dropped_total)},
    {"kop_store_cleaned_bytes_total", "counter", "Bytes the cleaner copied.",
     STORE(cleaned_bytes_total)},
    {"kop_store_pinned_files", "gauge", "Deleted files that readers still hold.",
     STORE(pinned_files)},
    {"kop_store_topics", "gauge", "Topics.", STORE(topics)},
    {"kop_store_partitions", "gauge", "Partitions.", STORE(partitions)},
};

static uint64_t field(const void *base, size_t offset) {
  uint64_t value = 0;
  memcpy(&value, (const char *)base + offset, sizeof value);
  return value;
}

static void head(kopd_text *out, const char *name, const char *type, const char *help) {
  kopd_text_add(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void plain(kopd_text *out, const char *name, const char *type, const char *help,
                  double value) {
  head(out, name, type, help);
  kopd_text_add(out, "%s %.15g\n", name, value);
}

/* Resident bytes as the kernel counts them; 0 if it will not say. */
static double resident_bytes(void) {
  char text[128];
  unsigned long long size = 0;
  unsigned long long resident = 0;
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = '\0';
  if (sscanf(text, "%llu %llu", &size, &resident) != 2) return 0;
  return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double seconds(struct timeval t) {
  return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void write_process(kopd_text *out) {
  struct rusage usage = {0};
  getrusage(RUSAGE_SELF, &usage);
  head(out, "kop_build_info", "gauge", "Version of kopd.");
  kopd_text_add(out, "kop_build_info{version=\"%s\"} 1\n", kop_version_string());
  plain(out, "process_cpu_seconds_total", "counter", "CPU time used.",
        seconds(usage.ru_utime) + seconds(usage.ru_stime));
  plain(out, "process_resident_memory_bytes", "gauge",
        "Resident memory, mapped log files included.", resident_bytes());
}

static void write_nodes(kopd_text *out, const kopd_metrics_node *nodes, uint32_t count) {
  for (size_t i = 0; i < sizeof of_node / sizeof of_node[0]; i++) {
    const metric *m = &of_node[i];
    head(out, m->name, m->type, m->help);
    for (uint32_t j = 0; j < count; j++)
      kopd_text_add(out, "%s{node=\"%d\"} %llu\n", m->name, (int)nodes[j].node_id,
                    (unsigned long long)field(&nodes[j].stats.engine, m->offset));
  }
  head(out, "kop_connections_refused_total", "counter", "Connections closed at a limit.");
  for (uint32_t j = 0; j < count; j++)
    kopd_text_add(out, "kop_connections_refused_total{node=\"%d\"} %llu\n", (int)nodes[j].node_id,
                  (unsigned long long)nodes[j].stats.refused);
  head(out, "kop_node_up", "gauge", "1 while the node serves.");
  for (uint32_t j = 0; j < count; j++)
    kopd_text_add(out, "kop_node_up{node=\"%d\"} %d\n", (int)nodes[j].node_id,
                  nodes[j].stats.state == KOPD_NODE_RUNNING);
}

void kopd_metrics_write(kopd_text *out, const kopd_metrics_node *nodes, uint32_t nodes_count,
                        const kopd_store_stats *store) {
  write_process(out);
  write_nodes(out, nodes, nodes_count);
  if (store == NULL) return;
  for (size_t i = 0; i < sizeof of_store / sizeof of_store[0]; i++) {
    const metric *m = &of_store[i];
    plain(out, m->name, m->type, m->help, (double)field(store, m->offset));
  }
  plain(out, "kop_store_healthy", "gauge", "0 after a failed write until one succeeds.",
        store->healthy);
}
