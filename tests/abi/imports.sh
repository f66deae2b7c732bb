#!/usr/bin/env bash
# The shared object may import memory, string and compression functions, and nothing that reads a clock, draws a
# random number, opens a file, prints or starts a thread. Every import must match a pattern of imports.allow.
# Usage: tests/abi/imports.sh build/libkop.so
set -euo pipefail
here=$(dirname "$0")

mapfile -t imports < <(nm -D --undefined-only "$1" | awk '{ sub(/@.*/, "", $2); print $2 }' | sort -u)
forbidden=$(printf '%s\n' "${imports[@]}" | grep -vxEf <(grep -v -e '^#' -e '^$' "$here/imports.allow") || true)
if [ -n "$forbidden" ]; then
  echo "imports that tests/abi/imports.allow does not know:"
  echo "$forbidden"
  exit 1
fi
printf '%s\n' "${imports[@]}"
echo "imports: ${#imports[@]}, all allowed"
