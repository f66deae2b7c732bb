#!/usr/bin/env python3
"""Compiles lib/pulsar/PulsarApi.proto into lib/pulsar/gen with protoc-c.

    tools/pulsar/generate.py            writes the files
    tools/pulsar/generate.py --check    fails when a committed file is not what protoc-c gives

Needs Debian's protobuf-c-compiler and libprotobuf-c-dev (tools/install-deps.sh).
"""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "lib" / "pulsar"
OUTPUT = SOURCE / "gen"


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    stale = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc-c", f"--proto_path={SOURCE}", "--proto_path=/usr/include", f"--c_out={folder}",
                        SOURCE / "PulsarApi.proto"], check=True)
        for made in sorted(pathlib.Path(folder).iterdir()):
            path = OUTPUT / made.name
            if path.exists() and path.read_text() == made.read_text():
                continue
            if sys.argv[1:]:
                print(f"{path.relative_to(ROOT)} is stale: run tools/pulsar/generate.py", file=sys.stderr)
                stale = 1
            else:
                OUTPUT.mkdir(exist_ok=True)
                path.write_text(made.read_text())
    return stale


if __name__ == "__main__":
    sys.exit(main())
