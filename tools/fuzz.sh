#!/usr/bin/env bash
# Runs every libFuzzer target of a build for some seconds, as many at a time as there are cores, from its
# seeds and from what earlier runs found (kept in BUILD/corpus). A crash leaves its input in BUILD/crashes and fails.
# Usage: tools/fuzz.sh BUILD SECONDS [NAME...]
set -euo pipefail
root=$(realpath "$(dirname "$0")/..")
build=$(realpath "$1")
seconds=$2
shift 2

run() {
  local name=$1 log=$build/$1.fuzz.log
  mkdir -p "$build/corpus/$name"
  if "$build/fuzz_$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$build/crashes/$name-" "$build/corpus/$name" "$root/tests/fuzz/corpus/$name" > "$log" 2>&1; then
    echo "$name: clean, $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
  else
    tail -40 "$log"
    echo "$name: FAILED, its input is in $build/crashes"
    return 1
  fi
}

mkdir -p "$build/crashes"
names=()
for source in "$root"/tests/fuzz/fuzz_*.c; do
  name=$(basename "$source" .c)
  name=${name#fuzz_}
  if [ $# = 0 ] || [[ " $* " == *" $name "* ]]; then names+=("$name"); fi
done

failed=0 started=0
for name in "${names[@]}"; do
  (( started < $(nproc) )) || wait -n || failed=$((failed + 1))
  run "$name" &
  started=$((started + 1))
done
for (( i = started < $(nproc) ? started : $(nproc); i > 0; i-- )); do
  wait -n || failed=$((failed + 1))
done
echo "fuzz: $((started - failed)) of $started targets clean"
(( started > 0 && failed == 0 ))
