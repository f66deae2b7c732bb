#!/usr/bin/env bash
# The file store beside one bare shared file, durable and not, with mixed batches and with 1 KB ones. A line reads: what the bare
# file does, what the store does, the times of single commits of both. The goals: at least 80 % of the bare file's
# throughput, and a p99 of at most twice its.
# Usage: tests/bench/store.sh [BUILD]    KOP_BENCH_DIR: a folder on the disk to measure; KOP_BENCH_MB: what is kept (256)
set -euo pipefail
build=${1:-build}
dir=$(mktemp -d "${KOP_BENCH_DIR:-${TMPDIR:-/tmp}}/kop-bench-XXXXXX")
trap 'rm -rf "$dir"' EXIT
for durability in os disk; do
  for batches in mixed 1k; do
    # Status 1 with a line is a missed goal, told below; anything else is a failure.
    line=$("$build/bench_store" "$dir" "$durability" "$batches" "${KOP_BENCH_MB:-256}") || [ $? = 1 ]
    [ -n "$line" ]
    echo "$line"
    rm -rf "${dir:?}"/*
  done
done | awk '
  {
    print
    name[++n] = $1 ", " ($2 == "1k" ? "1 KB" : $2) " batches"
    match($0, /[0-9]+ %/)
    share[n] = substr($0, RSTART) + 0
    match($0, /ratio [0-9.]+/)
    late[n] = substr($0, RSTART + 6) + 0
  }
  function goal(what, bound, got, unit, met) {
    printf "goal: %s | %s | %s%s | %s\n", what, bound, got, unit, met ? "met" : "missed"
  }
  END {
    for (i = 1; i <= n; i++) {
      goal("throughput of the store beside a bare file, " name[i], "at least 80 %", share[i], " %", share[i] >= 80)
      goal("p99 of a commit beside a bare file, " name[i], "at most 2x", late[i], "x", late[i] <= 2)
    }
    exit n != 4
  }'
