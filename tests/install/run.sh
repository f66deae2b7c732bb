#!/usr/bin/env bash
# Installs a build into an empty folder, moves that folder, and builds and runs outside programs against
# it in four ways: CMake and pkg-config, each with the shared and the static library. A fifth way is
# without an installation: libkop's source tree as a folder of the program's own CMake build.
# One program says the version, the other is a store of its own under the suite of the store's contract.
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

# verify NAME FOLDER KIND: the programs must run, say the version and that the store holds, and need libkop.so exactly
# when they were linked with it.
verify() {
  local name=$1 folder=$2 kind=$3 program needs said
  for program in main list_store; do
    needs=static
    readelf -d "$folder/$program" | grep -q 'NEEDED.*libkop\.so' && needs=shared
    [ "$needs" = "$kind" ] || { echo "$name: $program is linked $needs"; exit 1; }
  done
  said=$("$folder/main")
  [ "$said" = "kop $(pkg-config --modversion kop)" ] || { echo "$name: says '$said'"; exit 1; }
  said=$("$folder/list_store") || { echo "$name: the list store: $said"; exit 1; }
  echo "$name: ok, the list store: $said"
}

# by_cmake NAME KIND OPTION...
by_cmake() {
  local name=$1 kind=$2 log=$tmp/$1.log
  shift 2
  { cmake -S "$here/consumer" -B "$tmp/$name" -DKIND="$kind" -DCMAKE_C_COMPILER="$cc" "$@" &&
    cmake --build "$tmp/$name"; } > "$log" 2>&1 || { cat "$log"; exit 1; }
  verify "cmake, $name" "$tmp/$name" "$kind"
}

by_cmake shared shared -DCMAKE_PREFIX_PATH="$tmp/prefix"
by_cmake static static -DCMAKE_PREFIX_PATH="$tmp/prefix"
CMAKE_C_COMPILER_LAUNCHER=$(command -v ccache || true) by_cmake source static -DKOP_SOURCE="$here/../.." -G Ninja

# by_pkg_config KIND LIB...
by_pkg_config() {
  local kind=$1 cflags
  shift
  cflags=$(pkg-config --cflags kop)
  mkdir "$tmp/pc-$kind"
  for program in main list_store; do
    # shellcheck disable=SC2086
    $cc -std=c11 -Wall -Wextra -Werror $cflags -o "$tmp/pc-$kind/$program" "$here/consumer/$program.c" "$@"
  done
  verify "pkg-config, $kind" "$tmp/pc-$kind" "$kind"
}

static=$(pkg-config --static --libs kop)
# shellcheck disable=SC2046,SC2086
by_pkg_config shared $(pkg-config --libs kop)
# shellcheck disable=SC2086
by_pkg_config static ${static/-lkop/-l:libkop.a}
