/*
 * The settings that kopd adds to Kafka's own, one row each; --help and docs/configuration.md are
 * made from this table.
 */
#include "properties.h"

#include <string.h>

static const kopd_own_setting table[] = {
    {"listeners", "--listen", "HOST:PORT", "PLAINTEXT://127.0.0.1:9092",
     "Where clients connect: a list of NAME://HOST:PORT; without NAME:// it is PLAINTEXT. Node n "
     "of "
     "several listens n-1 ports further on; port 0 takes any free one."},
    {"advertised.listeners", "--advertise", "HOST:PORT", "as listeners",
     "What clients are told to connect to, matched to listeners by NAME; for an address that "
     "stands "
     "for all, the host name of the machine is told."},
    {"listener.security.protocol.map", NULL, NULL, "PLAINTEXT:PLAINTEXT",
     "Which protocol each listener name speaks; only PLAINTEXT is served."},
    {"store", "--store", "SPEC", "file:./kopd-data",
     "Where the data lives: memory: (gone at exit) or file:PATH."},
    {"durability", "--durability", "disk|os", "disk",
     "When a record is acknowledged: disk, when it is on disk; os, when the operating system has "
     "it, "
     "as Kafka does (a power cut then costs the newest records, a killed process none)."},
    {"nodes", "--nodes", "N", "1",
     "Kafka nodes in this process, each with its own thread, ports and node id; at most 64."},
    {"metrics", "--metrics", "HOST:PORT|off", "127.0.0.1:9404",
     "Where /metrics (Prometheus) and /health answer over HTTP. If the default address is taken, "
     "kopd says so and goes on without; one that was asked for must be free."},
    {"log.level", "--log-level", "LEVEL", "info", "What is logged: error, warn, info or debug."},
    {"node.id", NULL, NULL, "1", "Node id of the first node; the others count on from it."},
    {"broker.id", NULL, NULL, "1", "Older name of node.id."},
    {"log.dirs", NULL, NULL, "none", "A folder: means store=file:FOLDER where store is not given."},
    {"log.dir", NULL, NULL, "none", "As log.dirs."},
    {"max.connections", NULL, NULL, "10000",
     "Connections to one node; one more is closed at once."},
    {"max.connections.per.ip", NULL, NULL, "no limit",
     "Connections to one node from one address; one more is closed at once."},
    {"queued.max.request.bytes", NULL, NULL, "268435456",
     "Memory for requests of 64 KiB and more of one node; at the limit, reading waits."},
    {"queued.request.stall.ms", NULL, NULL, "30000",
     "While requests wait for memory, one that is being received must gain an eighth of its size "
     "in this time, and answers that hold much of what is waited for must get rid of an eighth of "
     "theirs, or the connection is closed; 0: never."},
    {"queued.max.poll.bytes", NULL, NULL, "268435456",
     "Memory that waiting fetches of one node keep; at the limit, a fetch is answered at once with "
     "what there is."},
    {"queued.max.reply.bytes", NULL, NULL, "268435456",
     "Memory for answers of one node that clients have not taken yet, bytes of the log not "
     "counted; "
     "at half of it, reading waits on connections with requests under way, at all of it on all."},
    {"connection.max.request.bytes", NULL, NULL, "134217728",
     "Memory for the requests of one connection and for replies that it does not take; at the "
     "limit, reading from it waits. A single request may always be held."},
    {"fetch.max.lent.bytes", NULL, NULL, "268435456",
     "Bytes of the log that are read or held at a time for answers of one node."},
    {"max.partitions", NULL, NULL, "200000",
     "Partitions of all topics; what would be more is refused, and so is a start with a folder "
     "that "
     "holds more."},
    {"drain.timeout.ms", NULL, NULL, "10000",
     "How long a stop waits for work that is under way, in milliseconds."},
    {"node.control", NULL, NULL, "off",
     "on: POST /nodes/ID/stop and /nodes/ID/start at the metrics address stop and start single "
     "nodes, for tests of clients."},
};

const kopd_own_setting *kopd_own_setting_at(size_t index) {
  return index < sizeof table / sizeof table[0] ? &table[index] : NULL;
}

const kopd_own_setting *kopd_own_setting_named(const char *name) {
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (strcmp(table[i].name, name) == 0) return &table[i];
  }
  return NULL;
}

const kopd_own_setting *kopd_own_setting_of_flag(const char *flag) {
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (table[i].flag != NULL && strcmp(table[i].flag, flag) == 0) return &table[i];
  }
  return NULL;
}
