"""Whatever comes in, the process lives, its memory stays bounded, and others are served."""

import gzip
import os
import random
import resource
import struct
import time
import unittest

import kafka
from kafka import Closed
from server import SANITIZED, Kopd, wait_until

MIB = 1 << 20
SEED = int(os.environ.get("KOPD_SEED", "1"))


def raise_file_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Hostile(unittest.TestCase):
    """One server for all of these: it must survive each and end well."""

    @classmethod
    def setUpClass(cls):
        cls.kopd = Kopd(settings=("message.max.bytes=2000000",))
        with cls.kopd.connect() as c:
            c.call(kafka.create_topic("t"))
            c.call(kafka.produce("t", kafka.batch([b"record"] * 10)))

    @classmethod
    def tearDownClass(cls):
        with cls.kopd:
            status = cls.kopd.stop()
            assert status == 0, status

    def setUp(self):
        self.connections = set()

    def tearDown(self):
        """Still well: a stranger is served, and no connection is left over."""
        self.assertIsNone(self.kopd.process.poll(), "kopd died:\n" + "".join(self.kopd.log[-20:]))
        with self.kopd.connect() as c:
            error, _, records = kafka.fetch_result(c.call(kafka.fetch("t", 0)), "t")
            self.assertEqual(error, 0)
            self.assertIn(b"record", records)
        wait_until(lambda: self.kopd.metric("kop_connections", 1) == 0)
        wait_until(lambda: self.kopd.metric("kop_requests_open", 1) == 0)
        self.assertEqual(self.kopd.metric("kop_frame_bytes", 1), 0)

    def valid_requests(self):
        records = kafka.batch([b"a", b"b" * 50])
        return [kafka.api_versions(), kafka.metadata(["t", "other"]), kafka.create_topic("c"),
                kafka.produce("t", records), kafka.fetch("t", 0, max_wait_ms=0),
                kafka.list_offsets("t", -1), kafka.init_producer_id()]

    def closed_or_answered(self, c):
        """The answer, or None when the connection was closed instead."""
        try:
            return c.answer()
        except Closed:
            return None

    def test_every_truncation_by_a_client_that_goes(self):
        for whole in self.valid_requests():
            for n in range(len(whole)):
                with self.kopd.connect() as c:
                    c.send(whole[:n])

    def test_every_truncation_by_a_client_that_lies_about_the_length(self):
        for whole in self.valid_requests():
            for n in range(4, len(whole)):
                with self.kopd.connect() as c:
                    c.send(struct.pack(">i", n - 4) + whole[4:n])
                    self.closed_or_answered(c)

    def test_every_byte_changed(self):
        chance = random.Random(SEED)
        for whole in self.valid_requests():
            for place in range(4, len(whole)):
                broken = bytearray(whole)
                broken[place] ^= 1 << chance.randrange(8)
                if broken[4:6] == b"\0\x14":
                    continue  # became DeleteTopics, which is no fault of anybody's
                with self.kopd.connect() as c:
                    c.send(bytes(broken))
                    c.socket.settimeout(0.05)
                    try:
                        self.closed_or_answered(c)
                    except TimeoutError:
                        pass  # acks became 0, or a fetch waits

    def test_impossible_lengths_close(self):
        for length in (-1, -(1 << 31), (1 << 31) - 1, 104857601, 0, 1, 7):
            with self.subTest(length=length), self.kopd.connect() as c:
                c.send(struct.pack(">i", length) + b"\0" * 8)
                c.wait_closed()

    def test_impossible_counts_close(self):
        """Counts and lengths inside a request that its bytes cannot hold; no memory is taken for them."""
        before = self.kopd.anonymous_bytes()
        text = kafka.string("t")
        for count in (-2, 1 << 20, (1 << 31) - 1, -(1 << 31)):
            number = struct.pack(">i", count)
            for name, bad in (
                    ("topics of Metadata", kafka.request(3, 1, number)),
                    ("topics of Produce", kafka.request(0, 3, struct.pack(">hhi", -1, -1, 1000) + number)),
                    ("partitions of Produce", kafka.request(
                        0, 3, struct.pack(">hhii", -1, -1, 1000, 1) + text + number)),
                    ("records of Produce", kafka.request(
                        0, 3, struct.pack(">hhii", -1, -1, 1000, 1) + text + struct.pack(">ii", 1, 0) + number)),
                    ("topics of Fetch", kafka.request(1, 4, struct.pack(">iiiib", -1, 0, 0, 1, 0) + number)),
                    ("topics of CreateTopics", kafka.request(19, 0, number)),
            ):
                with self.subTest(name=name, count=count), self.kopd.connect() as c:
                    c.send(bad)
                    c.wait_closed()
        for length in (-2, 32767, -32768):
            with self.subTest(length=length), self.kopd.connect() as c:
                c.send(kafka.request(3, 1, struct.pack(">ih", 1, length) + b"t"))
                c.wait_closed()
        self.assertTrue(self.kopd.memory_is_below(before + 8 * MIB))

    def test_unknown_apis_and_versions(self):
        for api in (-1, 4, 5, 6, 7, 95, 1000, 32767, -32768):
            with self.subTest(api=api), self.kopd.connect() as c:
                c.send(kafka.request(api, 0, b""))
                c.wait_closed()
        for version in (99, 32767, -1):
            with self.subTest(version=version), self.kopd.connect() as c:
                c.send(kafka.request(3, version, b"\0" * 4))
                c.wait_closed()
            with self.subTest(version=version), self.kopd.connect() as c:
                # From version 3 on, header and body end with tagged fields; those of the future are thought to as well.
                answer = c.call(kafka.request(18, version, b"\0\1\1\0" if version > 2 else b""))
                (error,) = struct.unpack(">h", answer[:2])
                self.assertEqual(error, 35)

    def test_garbage(self):
        chance = random.Random(SEED)
        for _ in range(300):
            with self.kopd.connect() as c:
                try:
                    c.send(chance.randbytes(chance.randrange(1, 3000)))
                except ConnectionError:
                    pass
        for _ in range(300):
            with self.kopd.connect() as c:
                body = chance.randbytes(chance.randrange(4, 200))
                api = chance.choice((0, 1, 2, 3, 18, 19, 22))
                c.send(struct.pack(">ihh", len(body) + 4, api, chance.randrange(0, 13)) + body)
                c.socket.settimeout(0.02)
                try:
                    self.closed_or_answered(c)
                except TimeoutError:
                    pass
        for text in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"x" * 500):
            with self.kopd.connect() as c:
                c.send(text)
                c.wait_closed()

    def test_broken_batches_are_refused_not_stored(self):
        good = kafka.batch([b"x", b"y"])
        with self.kopd.connect() as c:
            _, end, _ = kafka.fetch_result(c.call(kafka.fetch("t", 0)), "t")
            broken = [good[:n] for n in range(1, len(good))]
            for place in range(8, len(good)):
                if 12 <= place < 16:
                    continue  # the leader epoch, which the client does not set and the checksum does not cover
                one = bytearray(good)
                one[place] ^= 0x41
                broken.append(bytes(one))
            for records in broken:
                try:
                    error, _ = kafka.produce_error(c.call(kafka.produce("t", records)), "t")
                    self.assertNotEqual(error, 0, records.hex())
                except Closed:
                    c.socket.close()
                    c.__init__(self.kopd.address)
            _, after, _ = kafka.fetch_result(c.call(kafka.fetch("t", 0)), "t")
            self.assertEqual(after, end)

    def test_decompression_bombs(self):
        """A quarter of a gigabyte in a quarter of a megabyte: refused or taken, but never unpacked into memory."""
        zeros = 256 * MIB
        size = kafka.varint(zeros)
        body_size = 3 + 1 + len(size) + zeros + 1
        head = kafka.varint(body_size) + b"\0\0\0" + kafka.varint(-1) + size
        many = gzip.compress(b"\0" * zeros, 6)
        packed = b"".join((gzip.compress(head), many, gzip.compress(b"\0")))
        self.assertLess(len(packed), 1_000_000)
        peak = 0
        for records, count in ((packed, 1), (many, 1), (many, 1 << 30)):
            with self.kopd.connect(timeout=60) as c, self.kopd.connect() as other:
                c.send(kafka.produce("t", kafka.batch_around(records, count, attributes=1)))
                other.call(kafka.api_versions())
                peak = max(peak, self.kopd.anonymous_bytes())
                self.closed_or_answered(c)
        self.assertTrue(SANITIZED or peak < 100 * MIB, peak)

    def test_frames_of_100_mib(self):
        filling = bytes(MIB)
        frame = 100 * MIB
        # A Produce that wants an answer; what follows is no topic list.
        head = struct.pack(">ihhi", frame, 0, 3, 7) + kafka.string("big") + struct.pack(">hhi", -1, -1, 1000)
        clients = [self.kopd.connect() for _ in range(4)]
        try:
            sent = 0
            for c in clients:
                c.send(head)
                c.socket.settimeout(0.5)
                try:
                    for _ in range(99):
                        c.send(filling)
                        sent += 1
                except (TimeoutError, ConnectionError):
                    pass  # at the limit, reading waits
            self.assertGreaterEqual(sent, 2 * 99, "two of them fit")
            # What the limit of 256 MiB allows, and nothing for the others.
            self.assertTrue(self.kopd.memory_is_below(256 * MIB + 32 * MIB))
            with self.kopd.connect() as other:
                other.call(kafka.api_versions())
        finally:
            for c in clients:
                c.socket.close()
        with self.kopd.connect() as c:
            c.send(head)
            for _ in range(99):
                c.send(filling)
            c.send(bytes(frame - 99 * MIB - (len(head) - 4)))
            self.closed_or_answered(c)
        wait_until(lambda: self.kopd.memory_is_below(32 * MIB))

    def test_half_closed_sockets(self):
        for _ in range(50):
            with self.kopd.connect() as c:
                c.send(kafka.fetch("t", 1 << 40, max_wait_ms=60000)[:-1])
                c.socket.shutdown(1)
                c.wait_closed()
            with self.kopd.connect() as c:
                c.socket.shutdown(1)
                c.wait_closed()

    def test_pipelined_requests_are_answered_in_order(self):
        n = 20000
        with self.kopd.connect() as c:
            requests = b"".join(kafka.request(18, 0, b"", correlation=i) for i in range(n))
            c.socket.setblocking(False)
            sent = 0
            got = b""
            seen = 0
            end = time.monotonic() + 60
            while seen < n:
                self.assertLess(time.monotonic(), end)
                try:
                    sent += c.socket.send(requests[sent : sent + MIB])
                except BlockingIOError:
                    pass
                try:
                    got += c.socket.recv(MIB)
                except BlockingIOError:
                    pass
                while len(got) >= 8:
                    length, correlation = struct.unpack(">ii", got[:8])
                    if len(got) < length + 4:
                        break
                    self.assertEqual(correlation, seen)
                    got = got[length + 4 :]
                    seen += 1

    def test_clients_that_never_read(self):
        big = kafka.batch_around(kafka.record(0, b"x" * 900_000), 1)
        with self.kopd.connect() as c:
            c.call(kafka.create_topic("unread"))
            for _ in range(20):
                c.call(kafka.produce("unread", big))
        clients = [self.kopd.connect(receive_buffer=4096) for _ in range(40)]
        try:
            for c in clients:
                c.socket.settimeout(0.2)
                try:
                    for _ in range(200):
                        c.send(kafka.fetch("unread", 0))
                        c.send(kafka.metadata([f"none{i}" for i in range(50)]))
                except TimeoutError:
                    pass
            wait_until(lambda: self.kopd.metric("kop_requests_open", 1) > 0)
            self.assertTrue(self.kopd.memory_is_below(100 * MIB))
            with self.kopd.connect() as c:
                error, _, records = kafka.fetch_result(c.call(kafka.fetch("t", 0)), "t")
                self.assertEqual(error, 0)
                error, _ = kafka.produce_error(c.call(kafka.produce("t", kafka.batch([b"record"]))), "t")
                self.assertEqual(error, 0)
            print(f"40 clients that never read: {self.kopd.anonymous_bytes() / MIB:.1f} MiB anonymous, "
                  f"{self.kopd.metric('kop_lent_bytes', 1) / MIB:.1f} MiB lent")
        finally:
            for c in clients:
                c.socket.close()

    def test_metrics_address(self):
        import socket
        host, port = self.kopd.http.rsplit("/", 1)[1].split(":")
        idle = [socket.create_connection((host, int(port))) for _ in range(100)]
        for text in (b"\0" * 10000, b"GET /metrics", b"a" * 5000, b"\n\n\n"):
            with socket.create_connection((host, int(port))) as c:
                c.sendall(text)
        for c in idle:
            c.close()
        self.assertEqual(self.kopd.get("/health")[0], 200)


class Limits(unittest.TestCase):
    def test_ten_thousand_connections_that_send_one_byte(self):
        limit = raise_file_limit()
        count = min(10000, limit - 600)
        with Kopd(store="memory:", settings=(f"max.connections={count + 50}",)) as kopd:
            before = kopd.anonymous_bytes()
            clients = []
            try:
                for _ in range(count):
                    c = kopd.connect()
                    c.send(b"\0")
                    clients.append(c)
                wait_until(lambda: kopd.metric("kop_connections", 1) == count)
                each = (kopd.anonymous_bytes() - before) / count
                print(f"{count} connections of one byte: {each:.0f} bytes each")
                self.assertTrue(SANITIZED or each < 16384, each)
                began = time.monotonic()
                with kopd.connect() as c:
                    c.call(kafka.create_topic("t"))
                    self.assertEqual(kafka.produce_error(c.call(kafka.produce("t", kafka.batch([b"x"]))), "t"),
                                     (0, 0))
                self.assertLess(time.monotonic() - began, 2)
            finally:
                for c in clients:
                    c.socket.close()
            wait_until(lambda: kopd.metric("kop_connections", 1) == 0)
            self.assertEqual(kopd.stop(), 0)
        if count < 10000:
            self.skipTest(f"only {count} connections: the hard limit of open files is {limit}, not 10600 or more")

    def test_max_connections(self):
        with Kopd(store="memory:", settings=("max.connections=5",)) as kopd:
            clients = [kopd.connect() for _ in range(5)]
            for c in clients:
                c.call(kafka.api_versions())
            with kopd.connect() as c:
                c.wait_closed()
            wait_until(lambda: kopd.metric("kop_connections_refused_total", 1) == 1)
            clients.pop().socket.close()
            def again():
                with kopd.connect() as c:
                    try:
                        return c.call(kafka.api_versions())
                    except (Closed, ConnectionError):
                        return None
            wait_until(again)
            for c in clients:
                c.call(kafka.api_versions())
                c.socket.close()

    def test_max_connections_per_ip(self):
        import socket
        with Kopd(store="memory:", settings=("max.connections.per.ip=2",)) as kopd:
            first = [kopd.connect() for _ in range(2)]
            for c in first:
                c.call(kafka.api_versions())
            with kopd.connect() as c:
                c.wait_closed()
            with socket.create_connection(kopd.address, source_address=("127.0.0.2", 0)) as other:
                other.settimeout(20)
                other.sendall(kafka.api_versions())
                self.assertEqual(len(other.recv(4)), 4)
            for c in first:
                c.socket.close()

    def test_request_size(self):
        with Kopd(store="memory:", settings=("socket.request.max.bytes=2000",)) as kopd:
            with kopd.connect() as c:
                c.send(struct.pack(">i", 2001))
                c.wait_closed()
            with kopd.connect() as c:
                c.call(kafka.create_topic("t"))
                records = kafka.batch([b"x" * 1800])
                self.assertEqual(kafka.produce_error(c.call(kafka.produce("t", records)), "t"), (0, 0))

    def test_promised_requests_that_do_not_come(self):
        """They hold the memory of large requests only until somebody else wants it."""
        settings = ("socket.request.max.bytes=1048576", "queued.max.request.bytes=2097152",
                    "queued.request.stall.ms=500")
        with Kopd(settings=settings) as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t"))
            with kopd.connect() as slow, kopd.connect() as slower, kopd.connect() as c:
                for stalled in (slow, slower):
                    stalled.send(struct.pack(">i", MIB - 100))
                wait_until(lambda: kopd.metric("kop_frame_bytes", 1) > 2 * MIB - 1000)
                answer = c.call(kafka.produce("t", kafka.batch([b"x" * 200000])))
                self.assertEqual(kafka.produce_error(answer, "t"), (0, 0))
                wait_until(lambda: any("stalled" in line for line in kopd.log))
            self.assertEqual(kopd.stop(), 0)

    def test_idle_connections_are_closed(self):
        with Kopd(store="memory:", settings=("connections.max.idle.ms=300",)) as kopd:
            with kopd.connect() as c, kopd.connect() as slow:
                slow.send(b"\0")
                c.call(kafka.api_versions())
                c.wait_closed()
                slow.wait_closed()
            wait_until(lambda: kopd.metric("kop_connections", 1) == 0)

    def test_out_of_descriptors(self):
        """accept fails with EMFILE: others go on, the processor does not spin, and it ends when there is room again."""
        with Kopd(store="memory:") as kopd:
            with kopd.connect() as old:
                old.call(kafka.api_versions())
                in_use = len(os.listdir(f"/proc/{kopd.process.pid}/fd"))
                _, hard = resource.prlimit(kopd.process.pid, resource.RLIMIT_NOFILE)
                resource.prlimit(kopd.process.pid, resource.RLIMIT_NOFILE, (in_use, hard))
                began = kopd.cpu_seconds()
                for _ in range(200):
                    with kopd.connect() as c:
                        c.wait_closed()
                old.call(kafka.api_versions())
                self.assertLess(kopd.cpu_seconds() - began, 1.0)
                resource.prlimit(kopd.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
                with kopd.connect() as c:
                    c.call(kafka.api_versions())

    def test_memory_of_all_requests(self):
        """At queued.max.request.bytes large requests wait, small ones pass."""
        with Kopd(store="memory:", settings=("socket.request.max.bytes=1000000",
                                             "queued.max.request.bytes=1000000")) as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t"))
            large = kafka.produce("t", kafka.batch([b"x" * 900_000]))
            with kopd.connect() as half, kopd.connect() as waits, kopd.connect() as small:
                half.send(large[:500_000])
                wait_until(lambda: kopd.metric("kop_frame_bytes", 1) > 400_000)
                waits.send(large[:300_000])
                small.call(kafka.api_versions())
                self.assertLess(kopd.metric("kop_frame_bytes", 1), 1_100_000)
                half.send(large[500_000:])
                self.assertEqual(kafka.produce_error(half.answer(), "t")[0], 0)
                waits.send(large[300_000:])
                self.assertEqual(kafka.produce_error(waits.answer(), "t")[0], 0)


if __name__ == "__main__":
    unittest.main()
