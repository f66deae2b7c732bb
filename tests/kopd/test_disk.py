"""Disks that are full, and files that were cut or lost, while kopd was not running and while it was."""

import glob
import os
import resource
import shutil
import threading
import unittest

import kafka
from server import Kopd, wait_until


def end_offset(kopd):
    with kopd.connect() as c:
        return kafka.offset_result(c.call(kafka.list_offsets("t", -1)), "t")


def produce(kopd, size, topic="t"):
    with kopd.connect() as c:
        answer = c.call(kafka.produce(topic, kafka.batch([b"x" * size]), timeout_ms=1000))
        return kafka.produce_error(answer, topic)[0]


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

    def test_log_removed(self):
        """Without its log a partition does not begin again at offset 0, and the loss is said."""
        with Kopd() as kopd:
            self.filled(kopd)
            self.assertEqual(kopd.stop(), 0)
            for log in glob.glob(kopd.folder + "/data/log/*.log"):
                os.remove(log)
            kopd.log.clear()
            kopd.start()
            wait_until(lambda: end_offset(kopd) == (0, 20))
            lines = [line for line in kopd.log if "ERROR" in line]
            self.assertEqual(len(lines), 1, kopd.log)
            self.assertIn("t-0, offsets 0 to 19", lines[0])
            with kopd.connect() as c:
                self.assertEqual(kafka.fetch_result(c.call(kafka.fetch("t", 5)), "t")[0], 1)
                answer = c.call(kafka.produce("t", kafka.batch([b"x"])))
                self.assertEqual(kafka.produce_error(answer, "t"), (0, 20))
            self.assertEqual(kopd.stop(), 0)

    def test_log_cut_under_load(self):
        """Readers get errors or are closed, never garbage; the process lives, and what is not lost is served and written."""
        batches, size = 60, 50000
        with Kopd() as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t"))
                c.call(kafka.create_topic("u"))
            for _ in range(batches):
                self.assertEqual(produce(kopd, size), 0)
            seen = {"records": 0, "errors": 0, "closed": 0}
            ended = threading.Event()

            def read():
                while not ended.is_set():
                    try:
                        with kopd.connect(receive_buffer=4096) as c:
                            for offset in range(0, batches, 7):
                                error, _, records = kafka.fetch_result(
                                    c.call(kafka.fetch("t", offset, max_wait_ms=0)), "t")
                                if error == 0 and records:
                                    checked(records)
                                    seen["records"] += 1
                                elif error == 56:
                                    seen["errors"] += 1
                    except (kafka.Closed, OSError):
                        seen["closed"] += 1

            def checked(records):
                if records[16] != 2 or len(records) < 61:
                    seen["garbage"] = records[:61]

            readers = [threading.Thread(target=read) for _ in range(4)]
            for reader in readers:
                reader.start()
            try:
                wait_until(lambda: seen["records"] > 20)
                (log,) = glob.glob(kopd.folder + "/data/log/*.log")
                os.truncate(log, batches * size // 2)
                wait_until(lambda: seen["errors"] + seen["closed"] > 10)
                wait_until(lambda: produce(kopd, 100, "u") == 0)
                before = seen["records"]
                wait_until(lambda: seen["records"] > before + 10)
            finally:
                ended.set()
                for reader in readers:
                    reader.join()
            self.assertIsNone(kopd.process.poll())
            self.assertNotIn("garbage", seen)
            self.assertTrue(any("cut" in line for line in kopd.log), kopd.log)
            self.assertLess(len([line for line in kopd.log if "ERROR" in line]), 10 + seen["closed"])
            self.assertEqual(end_offset(kopd), (0, batches))
            self.assertEqual(kopd.stop(), 0)
            kopd.start()
            wait_until(lambda: end_offset(kopd) == (0, batches))
            self.assertEqual(produce(kopd, 100), 0)
            self.assertEqual(end_offset(kopd), (0, batches + 1))
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
