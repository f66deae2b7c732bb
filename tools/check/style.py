#!/usr/bin/env python3
"""Checks what a formatter does not see in the sources: no hand-written C file above 800
lines, an opening comment in each, no left-over marks, and generated files that say what made them.

Usage: tools/check/style.py
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 800
FOLDERS = ["bindings", "cmake", "examples", "include", "lib", "tests", "tools"]
DEPENDENCIES = {"node_modules", "target", "venv"}  # what package managers put beside sources
GENERATED = re.compile(r"\W*Generated (by|from) ")
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def sources():
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and not DEPENDENCIES.intersection(path.parts):
                yield str(path.relative_to(ROOT))


def faults():
    for name in sources():
        source = name.endswith((".c", ".h"))
        if not source and not name.endswith((".py", ".sh", ".cmake", ".java", ".go", ".js", ".rs")):
            continue
        lines = (ROOT / name).read_text(errors="replace").splitlines()
        generated = lines and GENERATED.match(lines[0])
        if generated or "gen" in Path(name).parts:
            if not generated:
                yield f"{name}:1: a generated file says in its first line what made it"
            continue
        if source and len(lines) > LONGEST:
            yield f"{name}: {len(lines)} lines; a file holds one idea and at most {LONGEST}"
        if source and not re.match(r"/[*/]", lines[0] if lines else ""):
            yield f"{name}:1: a file opens with a comment that says what it is for"
        if name == "tools/check/style.py":
            continue
        for number, line in enumerate(lines, 1):
            if MARKS.search(line):
                yield f"{name}:{number}: {MARKS.search(line).group()} is a note to oneself: do it or leave it out"


wrong = list(faults())
print(*wrong, sep="\n", end="\n" if wrong else "")
print(f"style: {len(wrong)} faults")
sys.exit(1 if wrong else 0)
