#!/usr/bin/env bash
# Installs a build into an empty folder, moves that folder, and builds and runs an outside program against
# it in four ways: CMake and pkg-config, each with the shared and the static library. A fifth way is
# without an installation: libkop's source tree as a folder of the program's own CMake build.
# Usage: tests/install/run.sh BUILD
set -euo pipefail

build=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
cc=${CC:-cc}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cmake --install "$build" --prefix "$tmp/first" > "$tmp/install.log"
mv "$tmp/first" "$tmp/prefix"
pc=$(find "$tmp/prefix" -name kop.pc)
lib=$(dirname "$(dirname "$pc")")
export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib

# The program must run, say its version, and need libkop.so exactly when it was linked with it.
verify() {
  local name=$1 program=$2 kind=$3 needs=static said
  readelf -d "$program" | grep -q 'NEEDED.*libkop\.so' && needs=shared
  [ "$needs" = "$kind" ] || { echo "$name: is linked $needs"; exit 1; }
  said=$("$program")
  [ "$said" = "kop $(pkg-config --modversion kop)" ] || { echo "$name: says '$said'"; exit 1; }
  echo "$name: ok"
}

# by_cmake NAME KIND OPTION...
by_cmake() {
  local name=$1 kind=$2 log=$tmp/$1.log
  shift 2
  { cmake -S "$here/consumer" -B "$tmp/$name" -DKIND="$kind" -DCMAKE_C_COMPILER="$cc" "$@" &&
    cmake --build "$tmp/$name"; } > "$log" 2>&1 || { cat "$log"; exit 1; }
  verify "cmake, $name" "$tmp/$name/consumer" "$kind"
}

by_cmake shared shared -DCMAKE_PREFIX_PATH="$tmp/prefix"
by_cmake static static -DCMAKE_PREFIX_PATH="$tmp/prefix"
CMAKE_C_COMPILER_LAUNCHER=$(command -v ccache || true) by_cmake source static -DKOP_SOURCE="$here/../.." -G Ninja

cflags=$(pkg-config --cflags kop)
# shellcheck disable=SC2086
$cc -std=c11 -Wall -Wextra -Werror $cflags -o "$tmp/by-pc-shared" "$here/consumer/main.c" $(pkg-config --libs kop)
verify "pkg-config, shared" "$tmp/by-pc-shared" shared
static=$(pkg-config --static --libs kop)
# shellcheck disable=SC2086
$cc -std=c11 -Wall -Wextra -Werror $cflags -o "$tmp/by-pc-static" "$here/consumer/main.c" ${static/-lkop/-l:libkop.a}
verify "pkg-config, static" "$tmp/by-pc-static" static
