"""kcat produces and consumes; a start, a restart, an orderly end; figures of an idle server."""

import subprocess
import unittest

import kafka
from server import Kopd, free_ports


def kcat(kopd, *arguments, text=""):
    command = ["kcat", "-b", kopd.bootstrap, *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stderr}")
    return done.stdout


class Smoke(unittest.TestCase):
    def produce_and_consume(self, kopd):
        lines = [f"key{i}:value {i}" for i in range(1000)]
        kcat(kopd, "-P", "-t", "greetings", "-K:", "-X", "acks=all", text="\n".join(lines) + "\n")
        back = kcat(kopd, "-C", "-t", "greetings", "-o", "beginning", "-e", "-q", "-K:").splitlines()
        self.assertEqual(sorted(back), sorted(lines))

    def test_memory(self):
        with Kopd(store="memory:") as kopd:
            self.produce_and_consume(kopd)
            self.assertEqual(kopd.stop(), 0)

    def test_file_and_restart(self):
        with Kopd() as kopd:
            self.produce_and_consume(kopd)
            self.assertEqual(kopd.stop(), 0)
            kopd.start()
            back = kcat(kopd, "-C", "-t", "greetings", "-o", "beginning", "-e", "-q")
            self.assertEqual(len(back.splitlines()), 1000)
            listing = kcat(kopd, "-L")
            self.assertIn('topic "greetings"', listing)
            self.assertEqual(kopd.stop(), 0)

    def test_every_codec(self):
        with Kopd(store="memory:") as kopd:
            for codec in ("gzip", "snappy", "lz4", "zstd"):
                text = "".join(f"{codec} {i} {'x' * 100}\n" for i in range(500))
                kcat(kopd, "-P", "-t", codec, "-z", codec, text=text)
                self.assertEqual(kcat(kopd, "-C", "-t", codec, "-o", "beginning", "-e", "-q"), text)

    def test_banner_says_what_is_advertised(self):
        with Kopd("--advertise", "kafka.example:4711", store="memory:") as kopd:
            self.assertTrue(kopd.banner[0].startswith("kopd ready"))
            self.assertIn("told to connect to kafka.example:4711", "".join(kopd.banner))
            with kopd.connect() as c:
                nodes, _, _ = kafka.metadata_result(c.call(kafka.metadata([])))
            self.assertEqual(nodes, {1: ("kafka.example", 4711)})

    def test_listeners_advertise_their_own(self):
        port = free_ports(1)
        with Kopd(store="memory:", ports=port, settings=(
                f"listeners=PLAINTEXT://127.0.0.1:{port},OUT://127.0.0.1:0",
                "advertised.listeners=OUT://out.example:1",
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,OUT:PLAINTEXT")) as kopd:
            banner = "".join(kopd.banner)
            self.assertIn(f"listener PLAINTEXT are told to connect to 127.0.0.1:{port}\n", banner)
            self.assertIn("listener OUT are told to connect to out.example:1\n", banner)

    def test_idle_memory_and_first_answer(self):
        for store in ("memory:", None):
            with Kopd(store=store) as kopd:
                with kopd.connect() as c:
                    c.call(kafka.api_versions())
                    first = kopd.ready
                anonymous = kopd.anonymous_bytes()
                print(f"{kopd.store.split(':')[0]}: ready after {first * 1000:.0f} ms, "
                      f"{anonymous / 1e6:.1f} MB anonymous memory")
                self.assertTrue(kopd.memory_is_below(10_000_000))

    def test_metrics_and_health(self):
        with Kopd(store="memory:", nodes=2) as kopd:
            kcat(kopd, "-P", "-t", "m", text="a\nb\n")
            self.assertEqual(kopd.get("/health")[0], 200)
            status, page = kopd.get("/metrics")
            self.assertEqual(status, 200)
            for line in page.splitlines():
                self.assertRegex(line, r'^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"\})? [0-9.e+-]+)$')
            records = kopd.metric("kop_records_in_total", 1) + kopd.metric("kop_records_in_total", 2)
            self.assertEqual(records, 2)
            self.assertEqual(kopd.get("/nodes/1/stop", "POST")[0], 404)
            self.assertEqual(kopd.get("/x")[0], 404)
            self.assertEqual(kopd.get("/metrics", "POST")[0], 405)

    def test_second_process_is_refused(self):
        with Kopd() as kopd:
            with self.assertRaisesRegex(RuntimeError, r"ended with 1 [^$]*cannot open the store"):
                Kopd(store=kopd.store)
            with kopd.connect() as c:
                c.call(kafka.api_versions())

    def test_taken_port_is_one_clear_line(self):
        with Kopd(store="memory:") as kopd:
            with self.assertRaisesRegex(RuntimeError, r"cannot listen on 127.0.0.1:\d+: address already in use"):
                Kopd(store="memory:", ports=kopd.ports[0])


if __name__ == "__main__":
    unittest.main()
