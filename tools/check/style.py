#!/usr/bin/env python3
"""Checks what a formatter does not see in the sources under version control: no hand-written C file above 800
lines, an opening comment in each, no left-over marks, and generated files that say what made them.

Usage: tools/check/style.py
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 800
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def tracked():
    listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                             check=True, capture_output=True, text=True).stdout
    return [p for p in listing.split("\0") if p and (ROOT / p).is_file()]


def faults():
    for name in tracked():
        source = name.endswith((".c", ".h"))
        if not source and not name.endswith((".py", ".sh", ".cmake", ".java", ".go", ".js", ".rs")):
            continue
        lines = (ROOT / name).read_text(errors="replace").splitlines()
        if "gen" in Path(name).parts or (lines and "enerated" in lines[0]):
            if not lines or not re.search(r"[Gg]enerated (by|from)", lines[0]):
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
