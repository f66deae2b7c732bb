"""The broker on a list: what an unmodified kcat writes to it, it reads back."""
import os
import socket
import subprocess
import time
import unittest
from pathlib import Path

PROGRAM = Path(os.environ["KOP_BUILD"]) / "list_broker"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class ListBroker(unittest.TestCase):
    def setUp(self):
        self.port = free_port()
        self.broker = subprocess.Popen([PROGRAM, str(self.port)])
        self.addCleanup(self.broker.wait)
        self.addCleanup(self.broker.kill)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            self.assertIsNone(self.broker.poll(), "the broker ended")
            time.sleep(0.01)
        self.fail("the broker does not listen")

    def kcat(self, *flags, text=None):
        command = ["kcat", "-b", f"127.0.0.1:{self.port}", "-t", "demo", "-q", *flags]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=True).stdout

    def test_round_trip(self):
        lines = [f"key{i}:value {i}" for i in range(500)]
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            self.kcat("-P", "-K:", "-z", codec, text="\n".join(lines) + "\n")
        self.assertEqual(self.kcat("-C", "-e", "-K:", "-o", "beginning").splitlines(), lines * 5)
        self.assertEqual(self.kcat("-C", "-e", "-K:", "-o", "-1").splitlines(), lines[-1:])
        self.assertEqual(self.kcat("-Q", "-t", "demo:0:0").strip(), "demo [0] offset 0")


if __name__ == "__main__":
    unittest.main()
