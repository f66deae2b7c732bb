#!/usr/bin/env python3
"""Checks that .ci/run comes to every case of tests/pulsar: quick ones are always run, any other one must be in a slice."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
slices = re.findall(r"test-pulsar CASE=([\w,]+)", (ROOT / ".ci/run").read_text())
prefixes = tuple(prefix for names in slices for prefix in names.split(","))
cases = [
    case
    for path in sorted(ROOT.glob("tests/pulsar/test_*.py"))
    for case in re.findall(r"^@case\((.*)\)\ndef (\w+)", path.read_text(), re.MULTILINE)
]
missed = [name for how, name in cases if "quick=True" not in how and not name.startswith(prefixes)]
idle = [prefix for prefix in prefixes if not any(name.startswith(prefix) for _, name in cases)]
for name in missed:
    print(f".ci/run: no slice runs {name}")
for prefix in idle:
    print(f".ci/run: no case of tests/pulsar begins with {prefix}")
print(f"ci cases: {len(cases)} cases, {len(missed) + len(idle)} faults")
sys.exit(1 if missed or idle or not cases else 0)
