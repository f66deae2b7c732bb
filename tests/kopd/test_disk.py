"""Disks that are full, and files that were cut or lost while kopd was not running."""

import glob
import os
import resource
import shutil
import unittest

import kafka
from server import Kopd, wait_until


def end_offset(kopd):
    with kopd.connect() as c:
        return kafka.offset_result(c.call(kafka.list_offsets("t", -1)), "t")


def produce(kopd, size):
    with kopd.connect() as c:
        answer = c.call(kafka.produce("t", kafka.batch([b"x" * size]), timeout_ms=1000))
        return kafka.produce_error(answer, "t")[0]


class Disk(unittest.TestCase):
    def filled(self, kopd):
        with kopd.connect() as c:
            c.call(kafka.create_topic("t"))
        for _ in range(20):
            self.assertEqual(produce(kopd, 1000), 0)

    def test_limit_on_file_sizes(self):
        """Writes fail, the process lives, what was acknowledged stays, and it goes on when the limit goes."""
        with Kopd() as kopd:
            self.filled(kopd)
            pid = kopd.process.pid
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (30000, hard))
            errors = [produce(kopd, 3000) for _ in range(5)]
            self.assertIn(56, errors)
            self.assertIsNone(kopd.process.poll())
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
            wait_until(lambda: produce(kopd, 100) == 0)
            error, end = end_offset(kopd)
            self.assertEqual((error, end), (0, 21 + errors.count(0)))
            kopd.kill()
            kopd.start()
            wait_until(lambda: end_offset(kopd) == (0, end))
            self.assertEqual(kopd.stop(), 0)

    def damaged(self, damage):
        """A start with a damaged catalogue says so, and leaves the log as it is."""
        with Kopd() as kopd:
            self.filled(kopd)
            self.assertEqual(kopd.stop(), 0)
            catalogue = kopd.folder + "/data/catalogue.mdb"
            shutil.copyfile(catalogue, kopd.folder + "/saved")
            log = glob.glob(kopd.folder + "/data/log/*.log")[0]
            with open(log, "rb") as file:
                before = file.read()
            damage(catalogue)
            kopd.log.clear()
            with self.assertRaises(RuntimeError):
                kopd.start()
            self.assertEqual(kopd.process.returncode, 1)
            lines = [line for line in kopd.log if "ERROR" in line]
            self.assertEqual(len(lines), 1, kopd.log)
            self.assertIn("catalogue.mdb", lines[0])
            with open(log, "rb") as file:
                self.assertEqual(file.read(), before)
            shutil.copyfile(kopd.folder + "/saved", catalogue)
            kopd.start()
            wait_until(lambda: end_offset(kopd) == (0, 20))
            self.assertEqual(kopd.stop(), 0)

    def test_catalogue_removed(self):
        self.damaged(os.remove)

    def test_catalogue_emptied(self):
        self.damaged(lambda path: os.truncate(path, 0))

    def test_catalogue_cut_short(self):
        self.damaged(lambda path: os.truncate(path, os.path.getsize(path) // 2))


if __name__ == "__main__":
    unittest.main()
