#!/usr/bin/env bash
# Codec against Kafka's classes, on the same bytes in one run: ns per message, best of many rounds.
#
#   tests/bench/wire.sh [BUILD]      BUILD is a built tree, build/ by default
#
# Says whether the goals for decoding are met: Produce and Metadata at most 0.8 of Java's time, Fetch at most 2.
# KOP_CACHE is where the jars are kept, ~/.cache/libkop by default.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:-$root/build}" && pwd)
work=$build/bench-wire
jars=$("$root/tools/wire/jars.sh" 4.4.0)
rm -rf "$work"
mkdir -p "$work/classes" "$work/in"

javac -nowarn -cp "$jars/*" -d "$work/classes" "$root/tests/bench/BenchWire.java"
# Taken in turns, so that a disturbance of the machine does not meet one side alone.
for turn in 1 2 3; do
  "$build/bench_wire" "$work/in" >>"$work/c"
  java -Xmx512m -XX:+UseSerialGC -cp "$work/classes:$(printf '%s:' "$jars"/*.jar)" BenchWire "$work/in" \
    >>"$work/java" 2>"$work/java.log" || { cat "$work/java.log" >&2; exit 1; }
done

# The best turn of each message, in the order of the first.
best() {
  awk '
    !($1 in decode) { names[++n] = $1; bytes[$1] = $2; decode[$1] = $3; encode[$1] = $4 }
    $3 < decode[$1] { decode[$1] = $3 }
    $4 < encode[$1] { encode[$1] = $4 }
    END { for (i = 1; i <= n; i++) print names[i], bytes[names[i]], decode[names[i]], encode[names[i]] }' "$1"
}
best "$work/java" >"$work/java.best"
best "$work/c" >"$work/c.best"

awk '
  NR == FNR { decode[$1] = $3; encode[$1] = $4; next }
  FNR == 1 {
    printf "%-30s %8s | %9s %9s %5s | %9s %9s %5s\n", "message-version-shape", "bytes", "decode ns", "Java",
      "ratio", "encode ns", "Java", "ratio"
  }
  {
    ratio = $3 / decode[$1]
    name = $1 ~ /^Produce/ ? "Produce" : $1 ~ /^Metadata/ ? "Metadata" : $1 ~ /^Fetch/ ? "Fetch" : ""
    if (name != "" && ratio > worst[name]) worst[name] = ratio
    printf "%-30s %8d | %9d %9d %5.2f | %9d %9d %5.2f\n", $1, $2, $3, decode[$1], ratio, $4, encode[$1], $4 / encode[$1]
  }
  function goal(name, bound) {
    printf "goal: time to decode %s, the worst beside Java | at most %sx | %.2fx | %s\n", name, bound, worst[name],
      worst[name] <= bound ? "met" : "missed"
  }
  END { goal("Produce", 0.8); goal("Metadata", 0.8); goal("Fetch", 2) }' "$work/java.best" "$work/c.best"
