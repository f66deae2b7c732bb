"""examples/read_entries over the entries of the Java plug-in."""
import os
import subprocess
import unittest
from pathlib import Path

PROGRAM = Path(os.environ["KOP_BUILD"]) / "read_entries"
FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "kop"


def run(text):
    return subprocess.run([PROGRAM], input=text, capture_output=True, text=True, check=True).stdout.splitlines()


class ReadEntries(unittest.TestCase):
    def test_records_and_holes(self):
        lines = run((FIXTURES / "kafka.entries.tsv").read_text())
        self.assertEqual(lines[1], "1\t1700000000124\tk1\twith headers\th1=text\th1=again\tempty=\t\\xc3\\xa4=\\xc3\\xa9")
        self.assertEqual(lines[3], "3\t1700000000000\tk2\tnull")
        self.assertEqual(lines[40], "40\thole: transaction marker")
        self.assertEqual(len(lines), 75)

    def test_damage(self):
        line = (FIXTURES / "pulsar.entries.tsv").read_text().splitlines()[0]
        damaged = line[:-1] + ("0" if line[-1] != "0" else "1")
        self.assertEqual(run(damaged + "\n"), ["6\thole: checksum"])
        self.assertEqual(run("00\n"), ["no offset: input ends too early"])


if __name__ == "__main__":
    unittest.main()
