#!/usr/bin/env bash
# Checks that hand-written C keeps to .clang-format; with --fix makes it so. Usage: tools/check/format.sh [--fix]
set -euo pipefail
cd "$(dirname "$0")/../.."

how="--dry-run -Werror"
[ "${1:-}" = --fix ] && how=-i
# shellcheck disable=SC2046,SC2086
find $(ls -d bindings examples include lib tests 2> /dev/null) -name '*.[ch]' -not -path '*/gen/*' \
  -not -path '*/node_modules/*' -not -path include/kop/messages.h -print0 | xargs -0 clang-format $how
echo "format: ok"
