"""Two thousand clients that ask for metadata and records and read nothing: memory is bounded in all, and who reads is served."""

import threading
import unittest

import kafka
from server import SANITIZED, Kopd, wait_until
from test_hostile import raise_file_limit

MIB = 1 << 20
CLIENTS = 2000
BOUND = 64 * MIB  # 32 KiB for each: what one that waits for its answers needs is left over
LENT = 16 * MIB
SETTINGS = (f"queued.max.reply.bytes={BOUND}", f"fetch.max.lent.bytes={LENT}",
            "socket.send.buffer.bytes=8192")


class Reader(threading.Thread):
    """Produces a record, fetches it, compares, and so on."""

    def __init__(self, kopd):
        super().__init__()
        self.kopd = kopd
        self.ended = threading.Event()
        self.records = 0
        self.failure = None

    def turn(self, producer, consumer):
        value = b"record %d" % self.records
        answer = producer.call(kafka.produce("good", kafka.batch([value])))
        error, offset = kafka.produce_error(answer, "good")
        if (error, offset) != (0, self.records):
            raise AssertionError(f"produce: error {error}, offset {offset}, not {self.records}")
        records = b""
        while not records:
            error, _, records = kafka.fetch_result(consumer.call(kafka.fetch("good", offset)), "good")
            if error != 0:
                raise AssertionError(f"fetch: error {error}")
        if value not in records:
            raise AssertionError(f"another record at offset {offset}")
        self.records += 1

    def run(self):
        try:
            with self.kopd.connect(timeout=60) as producer, self.kopd.connect(timeout=60) as consumer:
                while not self.ended.is_set():
                    self.turn(producer, consumer)
        except Exception as failure:  # told by the test
            self.failure = failure

    def goes_on(self):
        """Waits for twenty more records."""
        goal = self.records + 20
        wait_until(lambda: self.records >= goal or self.failure is not None, seconds=60)
        if self.failure is not None:
            raise self.failure

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


def fill(kopd):
    with kopd.connect() as c:
        for topic, partitions in (("good", 1), ("wide", 200), ("unread", 1)):
            c.call(kafka.create_topic(topic, partitions=partitions))
        big = kafka.batch_around(kafka.record(0, b"x" * 900_000), 1)
        for _ in range(20):
            c.call(kafka.produce("unread", big))


def crowd(kopd, clients):
    """They ask until the node reads no more of what they say."""
    wide = kafka.metadata(["wide"])
    mixes = [(kafka.metadata(["wide"]) + kafka.fetch("unread", 0)) * 20,
             (kafka.fetch("unread", 0, max_wait_ms=60000) + wide) * 20,
             wide * 40,
             kafka.fetch("unread", 20, max_wait_ms=600000) + wide * 40]
    for i in range(CLIENTS):
        c = kopd.connect(receive_buffer=4096)
        c.socket.setblocking(False)
        clients.append(c)
        try:
            c.socket.send(mixes[i % len(mixes)])
        except (BlockingIOError, ConnectionError):
            pass


class Unread(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        assert raise_file_limit() > CLIENTS + 100

    def test_memory_is_bounded_in_all_and_who_reads_is_served(self):
        settings = SETTINGS + ("queued.request.stall.ms=0",)  # nobody is closed for it
        with Kopd("--durability", "os", settings=settings) as kopd:
            fill(kopd)
            clients = []
            with Reader(kopd) as reader:
                reader.goes_on()
                before = kopd.anonymous_bytes()
                try:
                    crowd(kopd, clients)
                    wait_until(lambda: kopd.metric("kop_reply_bytes", 1) >= BOUND / 2, seconds=60)
                    wait_until(lambda: kopd.metric("kop_paused_connections", 1) >= CLIENTS / 2, seconds=60)
                    reader.goes_on()
                    replies = kopd.metric("kop_reply_bytes", 1)
                    lent = kopd.metric("kop_lent_bytes", 1)
                    memory = kopd.anonymous_bytes() - before
                    print(f"{CLIENTS} clients that never read: {memory / MIB:.1f} MiB more memory, "
                          f"{replies / MIB:.1f} MiB of answers, {lent / MIB:.1f} MiB lent")
                    self.assertLess(replies, BOUND + CLIENTS * 8192)  # each may have a request in work
                    self.assertLess(lent, LENT + 17 * MIB)  # what is kept for later fetches counts too
                    self.assertTrue(SANITIZED or memory < BOUND + CLIENTS * 20000, memory)
                    self.assertEqual(kopd.metric("kop_connections", 1), CLIENTS + 2)
                    reader.goes_on()
                finally:
                    for c in clients:
                        c.socket.close()
            self.assertEqual(kopd.stop(), 0)

    def test_who_does_not_read_is_closed_while_others_wait(self):
        with Kopd("--durability", "os", settings=SETTINGS + ("queued.request.stall.ms=500",)) as kopd:
            fill(kopd)
            clients = []
            with Reader(kopd) as reader:
                try:
                    crowd(kopd, clients)
                    wait_until(lambda: any("were not read" in line for line in kopd.log), seconds=60)
                    reader.goes_on()
                    with kopd.connect(timeout=60) as newcomer:  # has its turn among the others
                        wait_until(lambda: kafka.fetch_result(newcomer.call(kafka.fetch("unread", 0)), "unread")[2],
                                   seconds=60)
                finally:
                    for c in clients:
                        c.socket.close()
            wait_until(lambda: kopd.metric("kop_requests_open", 1) == 0, seconds=60)
            self.assertEqual(kopd.metric("kop_reply_bytes", 1), 0)
            self.assertEqual(kopd.metric("kop_frame_bytes", 1), 0)
            self.assertEqual(kopd.stop(), 0)


if __name__ == "__main__":
    unittest.main()
