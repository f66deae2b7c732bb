#!/usr/bin/env python3
"""Makes the C of lib/wire/schema: include/kop/messages.h and lib/wire/gen.

    tools/wire/generate.py            writes the files
    tools/wire/generate.py --check    fails when a committed file is not what the schema gives
"""
import pathlib
import sys

import header
import schema
import tables

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def outputs():
    """{path: text} of everything that is generated."""
    messages = schema.load(ROOT / "lib" / "wire" / "schema")
    return {
        ROOT / "include" / "kop" / "messages.h": header.write(messages),
        ROOT / "lib" / "wire" / "gen" / "tables.c": tables.write(messages),
    }


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    stale = 0
    for path, text in outputs().items():
        if path.exists() and path.read_text() == text:
            continue
        if sys.argv[1:]:
            print(f"{path.relative_to(ROOT)} is stale: run tools/wire/generate.py", file=sys.stderr)
            stale = 1
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
