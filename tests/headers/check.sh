#!/usr/bin/env bash
# Every public header compiles alone, twice over, without a warning; kop.h includes them all.
# Usage: tests/headers/check.sh c11|c++17 COMPILER
set -euo pipefail
root=$(realpath "$(dirname "$0")/../..")

case $1 in
c11) language=c ;;
c++17) language=c++ ;;
*) echo "usage: tests/headers/check.sh c11|c++17 COMPILER" >&2; exit 2 ;;
esac

failed=0
for path in "$root"/include/kop/*.h; do
  name=kop/$(basename "$path")
  printf '#include <%s>\n#include <%s>\nint use;\n' "$name" "$name" |
    "$2" -x $language -std="$1" -pedantic-errors -Wall -Wextra -Wconversion -Wundef -Werror -I "$root/include" \
      -fsyntax-only - || { echo "$name does not stand alone as $1 ($2)"; failed=1; }
  [ "$name" = kop/kop.h ] || grep -qx "#include <$name>" "$root/include/kop/kop.h" ||
    { echo "include/kop/kop.h lacks: #include <$name>"; failed=1; }
done
exit $failed
