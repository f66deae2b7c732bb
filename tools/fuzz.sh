#!/usr/bin/env bash
# Runs every libFuzzer target of a build for some seconds, from its seeds and from what earlier runs found
# (kept in BUILD/corpus). A crash leaves its input in BUILD/crashes and fails the run.
# Usage: tools/fuzz.sh BUILD SECONDS [NAME...]
set -euo pipefail
root=$(realpath "$(dirname "$0")/..")
build=$(realpath "$1")
seconds=$2
shift 2

clean=0 all=0
mkdir -p "$build/crashes"
for target in "$build"/fuzz_*; do
  [ -x "$target" ] && [ -f "$target" ] || continue
  name=${target##*/fuzz_}
  [ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
  all=$((all + 1))
  mkdir -p "$build/corpus/$name"
  if "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$build/crashes/$name-" "$build/corpus/$name" "$root/tests/fuzz/corpus/$name" \
    > "$build/$name.fuzz.log" 2>&1; then
    clean=$((clean + 1))
    echo "$name: clean, $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.fuzz.log") inputs"
  else
    echo "$name: FAILED, its input is in $build/crashes"
    tail -40 "$build/$name.fuzz.log"
  fi
done
echo "fuzz: $clean of $all targets clean"
[ "$all" -gt 0 ] && [ "$clean" = "$all" ]
