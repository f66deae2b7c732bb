#!/usr/bin/env bash
# Record batches against Kafka's classes, on the same bytes in one run: microseconds of processor time per MiB of records.
#
#   tests/bench/record.sh [BUILD]      BUILD is a built tree, build/ by default
#
# KOP_CACHE is where the jars are kept, ~/.cache/libkop by default.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:-$root/build}" && pwd)
work=$build/bench-record
version=4.3.1
jars=$("$root/tools/kafka-server.sh" lib "$version")
rm -rf "$work"
mkdir -p "$work/classes" "$work/in"

sed "s/@RECORD_PACKAGE@/org.apache.kafka.common.record.internal/g" "$root/tests/bench/BenchRecord.java" >"$work/BenchRecord.java"
javac -nowarn -cp "$jars/*" -d "$work/classes" "$work/BenchRecord.java"
"$build/bench_record" "$work/in" >"$work/c"
java -Xmx512m -XX:+UseSerialGC -cp "$work/classes:$jars/*" BenchRecord "$work/in" >"$work/java" 2>"$work/java.log" ||
  { cat "$work/java.log" >&2; exit 1; }

echo "us per MiB of records in batches of 16 KiB; Java is Kafka $version on $(java -version 2>&1 | head -1)"
awk '
  NR == FNR { validate[$1] = $4; iterate[$1] = $5; checksum[$1] = $6; next }
  FNR == 1 {
    printf "%-14s | %9s %9s %5s %12s | %9s %9s %5s | %9s %9s\n", "record, codec", "validate", "Java", "ratio", "ns a record",
      "iterate", "Java", "ratio", "checksum", "Java"
  }
  {
    printf "%-14s | %9.1f %9.1f %5.2f %12.1f | %9.1f %9.1f %5.2f | %9.1f %9.1f\n", $1, $4 / 1e3, validate[$1] / 1e3,
      $4 / validate[$1], $4 / $2, $5 / 1e3, iterate[$1] / 1e3, $5 / iterate[$1], $6 / 1e3, checksum[$1] / 1e3
  }' "$work/java" "$work/c"
