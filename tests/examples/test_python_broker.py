"""The broker on Python lists, served to Debian's kcat: produce, consume, headers, keys, nulls, every codec, offsets."""
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def kcat(*arguments, text=""):
    done = subprocess.run(["kcat", "-b", Broker.address, *arguments], input=text, capture_output=True, text=True,
                          timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"kcat {arguments}: {done.stderr}")
    return done.stdout


class Broker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.process = subprocess.Popen([sys.executable, ROOT / "examples" / "python_broker.py", "0"],
                                       stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        line = cls.process.stdout.readline()
        assert line.startswith("listening on "), line
        Broker.address = line.split()[-1]

    @classmethod
    def tearDownClass(cls):
        cls.process.terminate()
        cls.process.wait(10)
        cls.process.stdout.close()

    def consume(self, topic, *arguments):
        lines = kcat("-C", "-t", topic, "-e", "-q", "-J", *arguments).splitlines()
        return [(m["offset"], m["key"], m["payload"]) for m in map(json.loads, lines)]

    def test_program_is_short(self):
        self.assertLess(len((ROOT / "examples" / "python_broker.py").read_text().splitlines()), 60)

    def test_every_codec(self):
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            with self.subTest(codec):
                values = [f"value {i} " + "x" * 100 for i in range(200)]
                kcat("-P", "-t", f"codec-{codec}", "-z", codec, text="\n".join(values) + "\n")
                self.assertEqual(self.consume(f"codec-{codec}", "-o", "beginning"),
                                 [(i, None, v) for i, v in enumerate(values)])

    def test_keys_nulls_and_headers(self):
        kcat("-P", "-t", "keys", "-K", ":", "-Z", "-H", "trace=1", text="a:1\nb:\n:3\n")
        messages = [json.loads(m) for m in kcat("-C", "-t", "keys", "-e", "-q", "-J", "-o", "beginning").splitlines()]
        self.assertEqual([(m["key"], m["payload"]) for m in messages], [("a", "1"), ("b", None), (None, "3")])
        self.assertEqual([m["headers"] for m in messages], [["trace", "1"]] * 3)

    def test_offsets(self):
        kcat("-P", "-t", "offsets", "-p", "0", "-X", "acks=1", text="".join(f"{i}\n" for i in range(50)))
        self.assertEqual([v for _, _, v in self.consume("offsets", "-p", "0", "-o", "47")], ["47", "48", "49"])
        self.assertEqual([v for _, _, v in self.consume("offsets", "-p", "0", "-o", "-2")], ["48", "49"])
        self.assertEqual(self.consume("offsets", "-p", "0", "-o", "end"), [])
        self.assertEqual(len(self.consume("offsets", "-p", "0", "-o", "s@1")), 50)

    def test_metadata(self):
        kcat("-P", "-t", "seen", text="1\n")
        topics = {t["topic"] for t in json.loads(kcat("-L", "-J"))["topics"]}
        self.assertIn("seen", topics)


if __name__ == "__main__":
    unittest.main()
