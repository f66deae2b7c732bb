#!/usr/bin/env python3
"""Messages that Kafka's classes wrote, kept for machines without Java: tests/wire/golden.vectors.

    tests/wire/golden.py pick BUILD    chooses them anew from what tests/wire/run.sh left in BUILD/wire
    tests/wire/golden.py test BUILD    libkop agrees with each of them, and the comparison notices damage

One random message for each pair of message and version, the one whose length is closest to LENGTH.
"""
import pathlib
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE / "golden.vectors"
LENGTH = 90


def read(path):
    """(name, version, label, bytes, json) of each vector."""
    data, at = path.read_bytes(), 0

    def field():
        nonlocal at
        size, = struct.unpack_from(">I", data, at)
        at += 4 + size
        return data[at - size:at]

    while at < len(data):
        name = field()
        version, = struct.unpack_from(">h", data, at)
        at += 2
        yield name, version, field(), field(), field()


def write(path, vectors):
    with open(path, "wb") as out:
        for name, version, *rest in vectors:
            out.write(struct.pack(">I", len(name)) + name + struct.pack(">h", version))
            for part in rest:
                out.write(struct.pack(">I", len(part)) + part)


def pick(build):
    best = {}
    for path in sorted((build / "wire").glob("*.vectors")):
        for vector in read(path):
            name, version, label, body, _ = vector
            held = best.get((name, version))
            if label.startswith(b"random") and (held is None or abs(len(body) - LENGTH) < abs(len(held[3]) - LENGTH)):
                best[name, version] = vector
    write(GOLDEN, [best[key] for key in sorted(best)])
    print(f"golden: {len(best)} messages")


def compare(build, path):
    """Exit status and last line of the comparison."""
    run = subprocess.run([build / "wire_oracle", path, build / "golden.back"], stdout=subprocess.PIPE, text=True)
    return run.returncode, run.stdout.splitlines()[-1]


def test(build):
    status, line = compare(build, GOLDEN)
    print(line)
    if status != 0:
        return 1
    vectors = list(read(GOLDEN))
    damaged = build / "golden.damaged"
    for number in range(0, len(vectors), 100):
        name, version, label, body, json = vectors[number]
        if not body:
            continue
        for what in ((label, body[:-1] + bytes([body[-1] ^ 1]), json), (label, body + b"\0", json), (label, body, b"{}")):
            write(damaged, vectors[:number] + [(name, version, *what)] + vectors[number + 1:])
            status, line = compare(build, damaged)
            if status != 1:
                print(f"damage to {name.decode()} v{version} is not noticed: {line}")
                return 1
    write(damaged, vectors[1:])
    if compare(build, damaged)[0] != 1 and vectors[0][0].endswith((b"Request", b"Response")):
        print("a missing pair is not noticed")
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("pick", "test"):
        sys.exit(__doc__)
    sys.exit({"pick": pick, "test": test}[sys.argv[1]](pathlib.Path(sys.argv[2]).resolve()))
