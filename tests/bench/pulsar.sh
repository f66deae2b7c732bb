#!/usr/bin/env bash
# libkop's Pulsar session beside the native Python and Go clients, on one real Pulsar. See pulsar.py.
#
#   tests/bench/pulsar.sh [BUILD]      BUILD is a built tree, build/ by default
#
# ROUNDS (3) and SCALE (1; 0.1 for a quick look) are taken from the environment; KOP_CACHE is where Pulsar is kept.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:-$root/build}" && pwd)
"$root/tools/install-toolchains.sh" java python go
PATH=${KOP_CACHE:-$HOME/.cache/libkop}/toolchains/bin:$PATH exec python3 "$root/tests/bench/pulsar.py" "$build"
