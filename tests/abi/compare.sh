#!/usr/bin/env bash
# Compares the ABI of a built libkop.so with the baseline tests/abi/libkop.abi (libabigail).
#   tests/abi/compare.sh BUILD            fails on an incompatible change, and on an addition that the baseline lacks
#   tests/abi/compare.sh BUILD --update   writes the baseline anew
# An addition is recorded by `make abi-update` in the commit that makes it. An incompatible change is refused once a
# version is released (a tag v* exists); before that it is recorded in the same way.
set -euo pipefail
root=$(realpath "$(dirname "$0")/../..")
library=$(realpath "$1/libkop.so")
baseline=$root/tests/abi/libkop.abi

if [ "${2:-}" = --update ]; then
  abidw --headers-dir "$root/include" --no-corpus-path --no-comp-dir-path --no-show-locs --drop-undefined-syms \
    "$library" | sed "s|path='$root/|path='|" > "$baseline"
  echo "abi: wrote tests/abi/libkop.abi"
  exit 0
fi

outcome=0
abidiff --headers-dir2 "$root/include" --no-show-locs "$baseline" "$library" || outcome=$?
if (( outcome == 0 )); then
  echo "abi: as recorded"
elif (( outcome & 1 || outcome & 2 )); then
  echo "abi: abidiff itself failed ($outcome)"
  exit 2
elif (( outcome & 8 )) && [ -n "$(git -C "$root" tag --list 'v*')" ]; then
  echo "abi: INCOMPATIBLE with the released baseline: programs that are already built would break"
  exit 1
else
  echo "abi: changed; if that is meant, run 'make abi-update' and commit tests/abi/libkop.abi with it"
  exit 1
fi
