"""kill -9 in a loop under idempotent acks=all load: no acknowledged record is lost, none is there twice, order is kept."""

import os
import random
import subprocess
import time
import unittest

import kafka
from server import Kopd

LOAD = os.environ["KOPD_LOAD"]
CYCLES = int(os.environ.get("KOPD_KILL_CYCLES", "20"))
SEED = int(os.environ.get("KOPD_SEED", "1"))


class Kill(unittest.TestCase):
    def loop(self, partitions, size, cycles, *flags):
        chance = random.Random(SEED)
        with Kopd(*flags) as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t", partitions))
            load = subprocess.Popen([LOAD, "produce", kopd.bootstrap, "t", str(partitions), str(size)],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(cycles):
                # How long it serves before it dies is part of what is tried out, from "hardly started" on.
                time.sleep(chance.choice((0.05, 0.2, 0.5, 1.0)) * chance.random() + 0.05)
                kopd.kill()
                kopd.start()
            produced, _ = load.communicate(timeout=180)
            self.assertEqual(load.returncode, 0, produced)
            verified = subprocess.run([LOAD, "verify", kopd.bootstrap, "t", str(partitions)],
                                      capture_output=True, text=True, timeout=180)
            print(f"{cycles} kills: {produced.strip()}; {verified.stdout.strip()}")
            self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
            acknowledged = produced.split()[3]
            self.assertEqual(verified.stdout.split()[1], acknowledged)
            self.assertGreater(int(acknowledged), cycles * 10)
            self.assertEqual(kopd.stop(), 0)

    def test_small_records(self):
        self.loop(4, 100, CYCLES)

    def test_large_records(self):
        self.loop(1, 20000, max(CYCLES // 4, 1))

    def test_page_cache_durability_survives_a_kill_too(self):
        self.loop(4, 100, max(CYCLES // 4, 1), "--durability", "os")


class Stop(unittest.TestCase):
    def test_sigterm_under_load(self):
        """An orderly end and a start, again and again, are nothing that a producer sees."""
        with Kopd() as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t", 4))
            load = subprocess.Popen([LOAD, "produce", kopd.bootstrap, "t", "4", "200"],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(5):
                time.sleep(0.5)
                began = time.monotonic()
                self.assertEqual(kopd.stop(), 0)
                self.assertLess(time.monotonic() - began, 8, "it waited for the deadline")
                kopd.start()
            produced, _ = load.communicate(timeout=180)
            self.assertEqual(load.returncode, 0, produced)
            verified = subprocess.run([LOAD, "verify", kopd.bootstrap, "t", "4"],
                                      capture_output=True, text=True, timeout=180)
            self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
            self.assertEqual(verified.stdout.split()[1], produced.split()[3])

    def test_waiting_fetch_is_answered(self):
        with Kopd(store="memory:") as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t"))
                c.send(kafka.fetch("t", 0, max_wait_ms=60000))
                began = time.monotonic()
                self.assertEqual(kopd.stop(), 0)
                self.assertLess(time.monotonic() - began, 8)
                c.answer()

    def test_second_signal_ends_at_once(self):
        with Kopd("--set", "drain.timeout.ms=60000", store="memory:") as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t"))
                # A client that does not read its answer holds the drain up.
                value = b"x" * 900000
                for _ in range(12):
                    c.call(kafka.produce("t", kafka.batch_around(kafka.record(0, value), 1)))
            with kopd.connect(receive_buffer=4096) as c:
                for _ in range(8):
                    c.send(kafka.fetch("t", 0))
                time.sleep(0.3)
                kopd.process.terminate()
                with self.assertRaises(subprocess.TimeoutExpired):
                    kopd.process.wait(1)
                self.assertEqual(kopd.get("/health")[0], 503)
                self.assertEqual(kopd.stop(), 128 + 15)

    def test_deadline_cuts_what_will_not_end(self):
        with Kopd("--set", "drain.timeout.ms=300", store="memory:") as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t"))
                value = b"x" * 900000
                for _ in range(12):
                    c.call(kafka.produce("t", kafka.batch_around(kafka.record(0, value), 1)))
            with kopd.connect(receive_buffer=4096) as c:
                for _ in range(8):
                    c.send(kafka.fetch("t", 0))
                time.sleep(0.3)
                self.assertEqual(kopd.stop(), 0)
                self.assertIn("drain.timeout.ms is over", "".join(kopd.log))


if __name__ == "__main__":
    unittest.main()
