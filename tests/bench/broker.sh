#!/usr/bin/env bash
# kopd beside Apache Kafka 4.3.1: throughput, latency, processor time, memory, time to the first answer. See broker.py.
#
#   tests/bench/broker.sh [BUILD]      BUILD is a built tree, build/ by default
#
# ROUNDS (5) and SCALE (1; 0.1 for a quick look) are taken from the environment; KOP_CACHE is where the jars are kept.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:-$root/build}" && pwd)
exec python3 "$root/tests/bench/broker.py" "$build"
