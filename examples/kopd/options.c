/* Flags into settings, settings into kopd_options; see options.h. */
#include "options.h"

#include <kop/effect.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "store/store.h"

/* Where complaints go while options are read. */
typedef struct report {
  char *text;
  size_t cap;
} report;

static int set_from_flag(kopd_options *o, const char *flag, const char *value, report r) {
  const kopd_own_setting *own = kopd_own_setting_of_flag(flag);
  if (own != NULL)
    return kopd_properties_set(&o->settings, own->name, value, KOPD_FROM_FLAG, flag, r.text, r.cap);
  const char *equals = strchr(value, '=');
  if (equals == NULL || equals == value) {
    snprintf(r.text, r.cap, "--set: %s: expected NAME=VALUE", value);
    return -1;
  }
  char name[256];
  snprintf(name, sizeof name, "%.*s", (int)(equals - value), value);
  return kopd_properties_set(&o->settings, name, equals + 1, KOPD_FROM_FLAG, "--set", r.text,
                             r.cap);
}

/* Reads flags; --config is only noted. Both "--flag VALUE" and "--flag=VALUE" are taken. */
static int read_flags(kopd_options *o, int argc, char *const *argv, const char **config, report r) {
  for (int i = 1; i < argc; i++) {
    char flag[64];
    const char *equals = strncmp(argv[i], "--", 2) == 0 ? strchr(argv[i], '=') : NULL;
    size_t len = equals != NULL ? (size_t)(equals - argv[i]) : strlen(argv[i]);
    snprintf(flag, sizeof flag, "%.*s", (int)len, argv[i]);
    if (equals == NULL && (strcmp(flag, "--help") == 0 || strcmp(flag, "-h") == 0)) {
      o->action = KOPD_SHOW_HELP;
      return 0;
    }
    if (equals == NULL && strcmp(flag, "--version") == 0) {
      o->action = KOPD_SHOW_VERSION;
      return 0;
    }
    int is_config = strcmp(flag, "--config") == 0;
    if (len >= sizeof flag ||
        (!is_config && strcmp(flag, "--set") != 0 && kopd_own_setting_of_flag(flag) == NULL)) {
      snprintf(r.text, r.cap, "there is no flag %s; kopd --help lists them", argv[i]);
      return -1;
    }
    const char *value = equals != NULL ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
    if (value == NULL) {
      snprintf(r.text, r.cap, "%s needs a value", flag);
      return -1;
    }
    if (is_config)
      *config = value;
    else if (set_from_flag(o, flag, value, r) != 0)
      return -1;
  }
  return 0;
}

static const char *text_of(const kopd_options *o, const char *name) {
  const kopd_property *s = kopd_properties_get(&o->settings, name);
  return s != NULL ? s->value : NULL;
}

/* A whole number within bounds; *out keeps its value if the setting was not given. */
static int number(const kopd_options *o, const char *name, int64_t min, int64_t max, int64_t *out,
                  report r) {
  const kopd_property *s = kopd_properties_get(&o->settings, name);
  if (s == NULL) return 0;
  char *end = NULL;
  long long value = strtoll(s->value, &end, 10);
  if (s->value[0] == '\0' || *end != '\0' || value < min || value > max) {
    snprintf(r.text, r.cap, "%s: %s=%s: expected a whole number from %lld to %lld", s->where, name,
             s->value, (long long)min, (long long)max);
    return -1;
  }
  *out = value;
  return 0;
}

/* The place in words of a setting's value, or -1. The list ends with NULL. */
static int choice(const kopd_options *o, const char *name, const char *const *words, int otherwise,
                  report r) {
  const kopd_property *s = kopd_properties_get(&o->settings, name);
  if (s == NULL) return otherwise;
  for (int i = 0; words[i] != NULL; i++) {
    if (strcmp(words[i], s->value) == 0) return i;
  }
  int n = snprintf(r.text, r.cap, "%s: %s=%s: expected", s->where, name, s->value);
  for (int i = 0; words[i] != NULL && n > 0 && (size_t)n < r.cap; i++)
    n += snprintf(r.text + n, r.cap - (size_t)n, "%s %s", i > 0 ? "," : "", words[i]);
  return -1;
}

static int resolve_limits(kopd_options *o, report r) {
  int64_t connections = 10000;
  int64_t per_ip = UINT32_MAX;
  int64_t frames = 256ll << 20;
  int64_t connection_bytes = 128ll << 20;
  int64_t lent = 256ll << 20;
  int64_t parked = 256ll << 20;
  int64_t replies = 256ll << 20;
  int64_t stalled = 30000;
  int64_t partitions = 200000;
  int64_t drain = 10000;
  if (number(o, "max.connections", 1, 10000000, &connections, r) != 0 ||
      number(o, "max.connections.per.ip", 1, UINT32_MAX, &per_ip, r) != 0 ||
      number(o, "queued.max.request.bytes", -1, INT64_MAX, &frames, r) != 0 ||
      number(o, "connection.max.request.bytes", 65536, INT64_MAX, &connection_bytes, r) != 0 ||
      number(o, "fetch.max.lent.bytes", 65536, INT64_MAX, &lent, r) != 0 ||
      number(o, "queued.max.poll.bytes", 65536, INT64_MAX, &parked, r) != 0 ||
      number(o, "queued.max.reply.bytes", 65536, INT64_MAX, &replies, r) != 0 ||
      number(o, "queued.request.stall.ms", 0, 3600000, &stalled, r) != 0 ||
      number(o, "max.partitions", 1, 10000000, &partitions, r) != 0 ||
      number(o, "drain.timeout.ms", 0, 3600000, &drain, r) != 0)
    return -1;
  int64_t request_max = 100ll << 20;
  if (number(o, "socket.request.max.bytes", 1, INT32_MAX, &request_max, r) != 0) return -1;
  if (frames <= 0) /* Kafka's word for "no limit"; here there is always one */
    frames = 256ll << 20;
  if (frames < request_max) {
    snprintf(r.text, r.cap,
             "queued.max.request.bytes (%lld) is smaller than socket.request.max.bytes (%lld): no "
             "such request could ever be read",
             (long long)frames, (long long)request_max);
    return -1;
  }
  o->max_connections = (uint32_t)connections;
  o->max_connections_per_ip = (uint32_t)per_ip;
  o->max_frame_bytes_total = (uint64_t)frames;
  o->max_connection_bytes = (uint64_t)connection_bytes;
  o->max_lent_bytes = (uint64_t)lent;
  o->max_parked_bytes_total = (uint64_t)parked;
  o->max_reply_bytes_total = (uint64_t)replies;
  o->stalled_request_ms = (uint64_t)stalled;
  o->max_partitions = (uint32_t)partitions;
  o->drain_ms = (uint64_t)drain;
  return 0;
}

static int resolve_nodes(kopd_options *o, report r) {
  int64_t nodes = 1;
  int64_t node_id = 1;
  int64_t broker_id = -1;
  if (number(o, "nodes", 1, KOPD_STORE_MAX_NODES, &nodes, r) != 0 ||
      number(o, "broker.id", 0, INT32_MAX - KOPD_STORE_MAX_NODES, &broker_id, r) != 0)
    return -1;
  if (broker_id >= 0) node_id = broker_id;
  if (number(o, "node.id", 0, INT32_MAX - KOPD_STORE_MAX_NODES, &node_id, r) != 0) return -1;
  if (broker_id >= 0 && node_id != broker_id) {
    snprintf(r.text, r.cap, "node.id and broker.id are one setting and differ");
    return -1;
  }
  o->nodes = (uint32_t)nodes;
  o->first_node_id = (int32_t)node_id;
  const char *listeners = text_of(o, "listeners");
  return kopd_listeners_parse(
      &o->listeners, listeners != NULL ? listeners : "PLAINTEXT://127.0.0.1:9092",
      text_of(o, "advertised.listeners"), text_of(o, "listener.security.protocol.map"), o->nodes,
      r.text, r.cap);
}

static int resolve_store(kopd_options *o, report r) {
  static const char *const durabilities[] = {"disk", "os", NULL};
  const char *store = text_of(o, "store");
  const char *folder = text_of(o, "log.dirs");
  int durability = choice(o, "durability", durabilities, 0, r);
  if (durability < 0) return -1;
  o->durability = durability == 0 ? KOPD_DURABILITY_DISK : KOPD_DURABILITY_OS;
  if (folder == NULL) folder = text_of(o, "log.dir");
  if (store == NULL && folder != NULL && strchr(folder, ',') != NULL) {
    snprintf(r.text, r.cap, "log.dirs: %s: one folder, not a list", folder);
    return -1;
  }
  if (store != NULL)
    snprintf(o->store, sizeof o->store, "%s", store);
  else
    snprintf(o->store, sizeof o->store, "file:%s", folder != NULL ? folder : "./kopd-data");
  int is_file = strncmp(o->store, "file:", 5) == 0 && o->store[5] != '\0';
  if (!is_file && strcmp(o->store, "memory:") != 0) {
    snprintf(r.text, r.cap, "store: %s: expected memory: or file:PATH", o->store);
    return -1;
  }
  return 0;
}

static int resolve_metrics(kopd_options *o, report r) {
  const kopd_property *s = kopd_properties_get(&o->settings, "metrics");
  const char *text = s != NULL ? s->value : "127.0.0.1:9404";
  const char *why = "";
  o->metrics_asked = s != NULL;
  o->metrics_on = strcmp(text, "off") != 0;
  if (o->metrics_on && kopd_address_parse(text, strlen(text), &o->metrics, &why) != 0) {
    snprintf(r.text, r.cap, "%s: metrics=%s: %s", s->where, text, why);
    return -1;
  }
  return 0;
}

static int resolve(kopd_options *o, report r) {
  static const char *const off_on[] = {"off", "on", NULL};
  static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
  int level = choice(o, "log.level", levels, 2, r);
  int control = choice(o, "node.control", off_on, 0, r);
  if (level < 0 || control < 0) return -1;
  o->log_level = kopd_log_level_of(levels[level]);
  o->node_control = control;
  if (resolve_nodes(o, r) != 0 || resolve_store(o, r) != 0 || resolve_metrics(o, r) != 0) return -1;
  return resolve_limits(o, r);
}

int kopd_options_read(kopd_options *o, int argc, char *const *argv, char *const *environ_,
                      char *err, size_t errcap) {
  report r = {err, errcap};
  const char *config = NULL;
  *o = (kopd_options){.action = KOPD_RUN};
  if (read_flags(o, argc, argv, &config, r) != 0) return -1;
  if (o->action != KOPD_RUN) return 0;
  if (config != NULL && kopd_properties_read_file(&o->settings, config, err, errcap) != 0)
    return -1;
  if (kopd_properties_read_environment(&o->settings, environ_, err, errcap) != 0) return -1;
  return resolve(o, r);
}

void kopd_options_free(kopd_options *o) {
  kopd_properties_free(&o->settings);
}

void kopd_options_help(FILE *out) {
  const kopd_own_setting *own = NULL;
  fputs("kopd: a Kafka server on one log.\n\n"
        "usage: kopd [flags]\n\n"
        "  --config FILE\n      A server.properties with Kafka's names.\n",
        out);
  for (size_t i = 0; (own = kopd_own_setting_at(i)) != NULL; i++) {
    if (own->flag != NULL)
      fprintf(out, "  %s %s\n      %s\n      Setting %s, default %s.\n", own->flag, own->argument,
              own->doc, own->name, own->default_value);
  }
  fputs(
      "  --set NAME=VALUE\n      Any setting of server.properties; can be given many times.\n"
      "  --version, --help\n\n"
      "Each setting can also be given as environment variable: KOP_ and its name in capitals with "
      "_ for . and -.\n"
      "Flags win over the environment, the environment over the file.\n",
      out);
}
