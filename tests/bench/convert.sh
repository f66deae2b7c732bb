#!/usr/bin/env bash
# Conversion between Kafka batches and Pulsar entries, checksums of both included, on one core. There is no peer to run beside it: the
# Java plug-in converts only inside a broker. The goals: 3 million messages of 100 bytes a second each way, and no
# allocation per message. Then what was converted is sent by the Pulsar session, up to its receipt: with the head that is ready, and as if
# there were none, by metadata that is encoded and summed up once more.
# Usage: tests/bench/convert.sh [BUILD]
set -euo pipefail
build=${1:-build}
"$build/bench_convert" | awk '
  BEGIN {
    print "| batch | to Pulsar, ns a message | M messages/s | to Kafka, ns a message | M messages/s |"
    print "|---|---|---|---|---|"
  }
  {
    printf "| %s, %d records | %.1f | %.1f | %.1f | %.1f |\n", $1, $2, $3, 1e3 / $3, $4, 1e3 / $4
    allocations += $5
    if ($1 == "100B-key") {
      to_pulsar = 1e3 / $3
      to_kafka = 1e3 / $4
    }
  }
  function goal(what, wanted, got, met) {
    printf "goal: %s | %s | %s | %s\n", what, wanted, got, met ? "met" : "missed"
  }
  END {
    goal("100 B messages a second and core, Kafka batch to Pulsar entry", "at least 3 M", sprintf("%.1f M", to_pulsar), to_pulsar >= 3)
    goal("100 B messages a second and core, Pulsar entry to Kafka batch", "at least 3 M", sprintf("%.1f M", to_kafka), to_kafka >= 3)
    goal("allocations of conversion once its buffers have grown", "none", allocations, allocations == 0)
  }'
echo
"$build/bench_convert" kafka | awk '
  BEGIN {
    print "| batch in an entry of Kafka\x27s format | to Kafka unseen, ns a message | looked at, ns a message | looked at, us an entry, p50 |"
    print "|---|---|---|---|"
  }
  { printf "| %s, %d records | %.1f | %.1f | %.1f |\n", $1, $2, $3, $4, $6; allocations += $5 }
  END { if (allocations > 0) print "allocations: " allocations }'
echo
"$build/bench_convert" send | awk '
  BEGIN {
    print "| batch | convert, ns a message | and send, head ready | and send by metadata | the one to the other |"
    print "|---|---|---|---|---|"
  }
  { printf "| %s, %d records | %.1f | %.1f | %.1f | %.2fx |\n", $1, $2, $3, $4, $5, $4 / $5 }'
