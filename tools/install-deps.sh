#!/usr/bin/env bash
# Installs the Debian packages that libkop, kopd and the tests are built with. Does nothing when all are there.
# Usage: tools/install-deps.sh [build|test]    (test, the default, includes build)
set -eu

build="gcc libc6-dev make cmake ninja-build pkg-config zlib1g-dev liblz4-dev libzstd-dev libsnappy-dev libisal-dev
  libxxhash-dev libjansson-dev libprotobuf-c-dev libuv1-dev liblmdb-dev"
test="g++ binutils git dpkg-dev file clang clang-format libclang-rt-14-dev libcriterion-dev abigail-tools doxygen
  kcat python3 librdkafka-dev protobuf-c-compiler libprotobuf-dev curl openssl spin"

case "${1:-test}" in
build) packages=$build ;;
test) packages="$build $test" ;;
*) echo "usage: tools/install-deps.sh [build|test]" >&2; exit 2 ;;
esac

missing=""
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
echo "installing:$missing"
$sudo apt-get update -q
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends $missing
