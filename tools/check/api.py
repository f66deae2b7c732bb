#!/usr/bin/env python3
"""Checks the public headers: only what an ABI for every language may hold, every name documented, and the
shared object exporting exactly what they declare.

Usage: tools/check/api.py [build/libkop.so]
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import capi  # noqa: E402


def known(kind, api):
    if kind.struct is not None:
        return all(known(f.type, api) for f in kind.struct.fields)
    if kind.function is not None:
        return known(kind.function.result, api) and all(known(p.type, api) for p in kind.function.params)
    return kind.base in capi.SCALARS or kind.base in api.structs or kind.base in api.aliases


def undocumented(api):
    """What is wrong with the comments and types, one line each."""
    for name, function in api.functions.items():
        where = f"{function.header}:{function.line}: {name}"
        if not name.startswith("kop_"):
            yield f"{where}: public names begin with kop_"
        if not function.doc:
            yield f"{where}: no comment"
            continue
        if not re.search(r"\bSince \d+\.\d+", function.doc):
            yield f"{where}: the comment does not say since which version"
        returns = function.result.base != "void" or function.result.pointers
        if returns and not re.search(r"@returns?\b", function.doc):
            yield f"{where}: the comment has no @return"
        for param in function.params:
            if not re.search(rf"@param(\[\w+(,\w+)?\])?\s+([\w.]+,\s*)*{param.name}\b", function.doc):
                yield f"{where}: the comment has no @param {param.name}"
        for kind in [function.result, *(p.type for p in function.params)]:
            if not known(kind, api):
                yield f"{where}: {kind.base} is not a type that a public header declares"
    for name, struct in api.structs.items():
        where = f"{struct.header}:{struct.line}: {name}"
        if struct.header == "messages.h":  # generated: what a field means stands in Kafka's own protocol guide
            continue
        if not struct.doc:
            yield f"{where}: no comment"
        for entry in struct.fields or []:
            if not entry.doc and entry.name != "size" and not re.match(r"(reserved|spare)", entry.name):
                yield f"{where}: field {entry.name} has no comment"
            if not known(entry.type, api):
                yield f"{where}: field {entry.name} has a type that no public header declares"
    for name in api.constants:
        if not name.startswith("KOP_"):
            yield f"{api.constants[name].header}: {name}: public constants begin with KOP_"


def exports(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    return {line.split()[2].split("@")[0] for line in lines.splitlines() if line.split()[1] not in "A"}


def main():
    api = capi.read_headers(ROOT / "include" / "kop")
    wrong = list(undocumented(api))
    if len(sys.argv) > 1:
        exported, declared = exports(sys.argv[1]), set(api.functions)
        wrong += [f"{n} is declared in {api.functions[n].header} and not exported" for n in sorted(declared - exported)]
        wrong += [f"{n} is exported and in no public header" for n in sorted(exported - declared)]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"api: {len(api.functions)} functions, {len(api.structs)} structs, {len(api.constants)} constants; "
          f"{len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except capi.Refused as refused:
        print(refused)
        sys.exit(1)
