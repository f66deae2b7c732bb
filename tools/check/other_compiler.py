#!/usr/bin/env python3
"""Compiles every source of a build a second time with the other compiler (gcc or clang), all warnings errors, for
its opinion alone: no output is kept. What a developer builds with one compiler then has no warning in either.

Usage: tools/check/other_compiler.py BUILD
"""
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def second_opinion(entry):
    words = shlex.split(entry["command"])
    compiler = next(i for i, word in enumerate(words) if not word.endswith("ccache"))
    other = "gcc" if "clang" in Path(words[compiler]).name else "clang"
    flags = words[compiler + 1:]
    del flags[flags.index("-o"):flags.index("-o") + 2]
    done = subprocess.run([other, *flags, "-fsyntax-only", "-Werror"], cwd=entry["directory"], capture_output=True,
                          text=True)
    return entry["file"], done.returncode, done.stdout + done.stderr


entries = json.loads((Path(sys.argv[1]) / "compile_commands.json").read_text())
with ThreadPoolExecutor(os.cpu_count()) as pool:
    wrong = [result for result in pool.map(second_opinion, entries) if result[1] != 0]
for _, _, text in wrong:
    print(text)
print(f"other compiler: {len(entries)} sources, {len(wrong)} with warnings")
sys.exit(1 if wrong or not entries else 0)
