#!/usr/bin/env bash
# The file store beside one bare shared file, durable and not, with mixed batches and with 1 KB ones. A line reads: what the bare
# file does, what the store does, the times of single commits of both. Exit status 1 if the store is below 80 % of the bare
# file, or its p99 above twice the bare file's.
# Usage: tests/bench/store.sh [BUILD]    KOP_BENCH_DIR: a folder on the disk to measure; KOP_BENCH_MB: what is kept (256)
set -eu
build=${1:-build}
dir=$(mktemp -d "${KOP_BENCH_DIR:-${TMPDIR:-/tmp}}/kop-bench-XXXXXX")
trap 'rm -rf "$dir"' EXIT
status=0
for durability in os disk; do
  for batches in mixed 1k; do
    "$build/bench_store" "$dir" "$durability" "$batches" "${KOP_BENCH_MB:-256}" || status=1
    rm -rf "$dir"/*
  done
done
exit $status
