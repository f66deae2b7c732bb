#!/usr/bin/env bash
# Checks that hand-written C keeps to .clang-format. Usage: tools/check/format.sh; `make format` puts it right.
set -euo pipefail
cd "$(dirname "$0")/../.."

git ls-files -z --cached --others --exclude-standard '*.c' '*.h' | grep -zv -e '/gen/' -e '^include/kop/messages\.h$' |
  xargs -0 clang-format --dry-run -Werror
echo "format: ok"
