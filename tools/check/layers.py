#!/usr/bin/env python3
"""Checks that the library is built like a house: a folder of lib/ includes only itself and folders below it.

LAYERS lists the folders from the ground up. A public header belongs to the layer that implements it; those whose name
is not a layer's are listed in HEADERS. Usage: tools/check/layers.py
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ["base", "wire", "record", "log", "offset", "pulsar", "convert", "coordinator", "group", "txn", "engine",
          "host", "gateway", "storetest"]
HEADERS = {"version": "base", "messages": "wire", "kafka_error": "wire", "reflect": "wire", "json": "wire", "config": "engine", "effect": "engine", "event": "engine",
           "store_test": "storetest",
           "pulsar_entry": "pulsar", "pulsar_effect": "pulsar", "pulsar_topic": "pulsar", "pulsar_admin": "pulsar"}
ALWAYS = {"kop"}  # the umbrella: for users of the library, never for the library


def layer_of(include, public):
    name = include.split("/")[1].removesuffix(".h") if public else include.split("/")[0]
    return HEADERS.get(name, name) if public else name


def faults():
    for path in sorted([*ROOT.glob("lib/*/**/*.[ch]"), *ROOT.glob("include/kop/*.h")]):
        place = path.relative_to(ROOT)
        public = place.parts[0] == "include"
        if public and path.stem in ALWAYS:
            continue
        own = HEADERS.get(path.stem, path.stem) if public else place.parts[1]
        if own not in LAYERS:
            yield f"{place}: '{own}' is not a layer; tools/check/layers.py lists them"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+(?:<(kop/[\w/]+\.h)>|"([\w/]+\.(?:h|inc))")', line)
            if not match or (match.group(2) and "/" not in match.group(2)):
                continue
            include = match.group(1) or match.group(2)
            used = layer_of(include, match.group(1) is not None)
            if used not in LAYERS:
                yield f"{place}:{number}: {include} belongs to no layer"
            elif LAYERS.index(used) > LAYERS.index(own):
                yield f"{place}:{number}: {own} may not use {used}, which lies above it"


wrong = list(faults())
print(*wrong, sep="\n", end="\n" if wrong else "")
print(f"layers: {len(wrong)} faults")
sys.exit(1 if wrong else 0)
