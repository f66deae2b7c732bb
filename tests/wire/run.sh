#!/usr/bin/env bash
# Compares libkop's codec with Apache Kafka's own classes, both ways, for every message in every version.
#
#   tests/wire/run.sh [BUILD]      BUILD is a built tree, build/ by default
#
# Kafka writes messages (Oracle.java), libkop reads and rewrites them (oracle.c), Kafka reads what libkop wrote. The
# schema is compared with the definitions in the same jars. The last line is "wire: N of 736 pairs identical"; the exit
# status is 0 only when N is 736 and everything else agreed.
#
#   SEED         seed of the random messages, 1 by default
#   KOP_CACHE    where downloads go, ~/.cache/libkop by default
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:-$root/build}" && pwd)
seed=${SEED:-1}
releases="4.4.0 3.9.2" # the second gives the pairs that the first no longer knows
work=$build/wire

oracle() {
  local release=$1 jars
  shift
  jars=$("$root/tools/wire/jars.sh" "$release")
  java -Xmx1g -XX:+UseSerialGC -cp "$work/$release:$(printf '%s:' "$jars"/*.jar)" Oracle "$@" 2>"$work/java.log" ||
    { cat "$work/java.log" >&2; return 1; }
}

echo "wire: schema against the definitions in the jars"
"$root/tools/wire/extract.py" --check
echo "wire: messages by Kafka's classes, seed $seed"
files=() skip=()
for release in $releases; do
  mkdir -p "$work/$release"
  jars=$("$root/tools/wire/jars.sh" "$release")
  javac -nowarn -cp "$jars/*" -d "$work/$release" "$root/tests/wire/Oracle.java"
  oracle "$release" generate "$seed" "$work/$release.vectors" ${skip[@]+"${skip[@]}"}
  files+=("$work/$release.vectors" "$work/$release.back")
  skip+=("$work/$release.vectors")
done
echo "wire: the same by libkop"
status=0
"$build/wire_oracle" "${files[@]}" >"$work/report" || status=1
sed '$d' "$work/report"
echo "wire: libkop's messages read by Kafka's classes"
for release in $releases; do
  oracle "$release" verify "$work/$release.vectors" "$work/$release.back" || status=1
done
tail -n 1 "$work/report"
exit $status
