"""Limits that are set through kopd, at their edges: what passes, what is refused, and that others are not hurt."""

import resource
import select
import subprocess
import threading
import unittest

import kafka
from server import KOPD, Kopd, wait_until


def topics_of(connection):
    return kafka.metadata_result(connection.call(kafka.metadata_of_all()))[2]


class Partitions(unittest.TestCase):
    """max.partitions: no success for what is not there, whichever way it is asked for."""

    def test_creating(self):
        names = [f"t{i}" for i in range(5)]
        with Kopd(settings=["max.partitions=3"]) as kopd:
            with kopd.connect() as c:
                errors = kafka.created(c.call(kafka.create_topics(names)))
                self.assertEqual(sorted(errors.values()), [0, 0, 0] + 2 * [kafka.POLICY_VIOLATION])
                there = {name for name, error in errors.items() if error == 0}
                self.assertEqual(set(topics_of(c)), there)
                for name in there:
                    self.assertEqual(kafka.produce_error(c.call(kafka.produce(name, kafka.batch([b"x"]))), name),
                                     (0, 0))
            # What was not created does not come back.
            kopd.stop()
            kopd.start()
            with kopd.connect() as c:
                self.assertEqual(set(topics_of(c)), there)
            kopd.stop()
            self.assertEqual([line for line in kopd.log if "ERROR" in line], [])

    def test_growing(self):
        with Kopd(settings=["max.partitions=3"]) as kopd, kopd.connect() as c:
            c.call(kafka.create_topics(["a", "b"]))
            errors = kafka.grown(c.call(kafka.create_partitions(["a", "b"], 2)))
            self.assertEqual(errors["a"], (0, None))
            self.assertEqual(errors["b"][0], kafka.POLICY_VIOLATION)
            self.assertIn("more partitions", errors["b"][1])
            self.assertEqual({name: len(parts) for name, (_, parts) in topics_of(c).items()}, {"a": 2, "b": 1})
            self.assertEqual(kopd.metric("kop_partitions", 1), 3)

    def test_first_use(self):
        names = [f"auto{i}" for i in range(6)]
        with Kopd(settings=["max.partitions=3"]) as kopd:
            with kopd.connect() as c:
                c.call(kafka.metadata(names))
                wait_until(lambda: len(topics_of(c)) == 3)
                for _ in range(20):
                    _, _, topics = kafka.metadata_result(c.call(kafka.metadata(names)))
                    self.assertEqual(sorted(error for error, _ in topics.values()),
                                     3 * [0] + 3 * [kafka.UNKNOWN_TOPIC_OR_PARTITION])
                there = set(topics_of(c))
            kopd.stop()
            self.assertEqual(len([line for line in kopd.log if "more partitions" in line]), 1)
            kopd.start()
            with kopd.connect() as c:
                self.assertEqual(set(topics_of(c)), there)
            kopd.stop()
            self.assertEqual([line for line in kopd.log if "ERROR" in line], [])

    def test_nodes_that_create_at_once(self):
        """Each node sees room; the store lets so many through as there is."""
        with Kopd(nodes=3, store="memory:", settings=["max.partitions=10"]) as kopd:
            errors = {}

            def create(node):
                with kopd.connect(node) as c:
                    for i in range(10):
                        errors.update(kafka.created(c.call(kafka.create_topic(f"n{node}-{i}"))))

            threads = [threading.Thread(target=create, args=(node,)) for node in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            there = {name for name, error in errors.items() if error == 0}
            self.assertEqual(len(errors), 30)
            self.assertEqual(len(there), 10)
            self.assertEqual(set(errors.values()), {0, kafka.POLICY_VIOLATION})
            for node in range(3):
                with kopd.connect(node) as c:
                    self.assertEqual(set(topics_of(c)), there)
            kopd.stop()
            self.assertEqual([line for line in kopd.log if "ERROR" in line], [])

    def test_a_folder_that_holds_more(self):
        with Kopd(settings=["max.partitions=3"]) as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t", 3))
            kopd.stop()
            done = subprocess.run([KOPD, "--store", kopd.store, "--listen", "127.0.0.1:0", "--metrics", "off",
                                   "--set", "max.partitions=2"], capture_output=True, text=True, timeout=60)
            self.assertNotEqual(done.returncode, 0)
            self.assertNotIn("ready", done.stdout)
            self.assertIn("holds 3 partitions, and max.partitions allows 2", done.stderr)
            kopd.start()
            with kopd.connect() as c:
                self.assertEqual(len(topics_of(c)["t"][1]), 3)


class Shown(unittest.TestCase):
    """DescribeConfigs of a node shows the limits that it keeps."""

    NAMES = ("max.connections", "queued.max.request.bytes", "max.incremental.fetch.session.cache.slots",
             "connections.max.idle.ms", "node.id")

    def shown(self, *settings, nodes=1):
        with Kopd(store="memory:", nodes=nodes, settings=settings) as kopd:
            with kopd.connect(nodes - 1) as c:
                answer = kafka.described(c.call(kafka.describe_node(nodes, self.NAMES)))
        return tuple(answer[name][0] for name in self.NAMES)

    def test_defaults(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        most = self.shown()
        self.assertEqual(most[1:], ("268435456", "1000", "600000", "1"))
        if hard == resource.RLIM_INFINITY or hard > 11000:
            self.assertEqual(most[0], "10000")

    def test_given(self):
        self.assertEqual(self.shown("max.connections=7", "queued.max.request.bytes=200000000",
                                    "max.incremental.fetch.session.cache.slots=5",
                                    "connections.max.idle.ms=9000", nodes=3),
                         ("7", "200000000", "5", "9000", "3"))

    def test_the_rack_is_told_as_it_is_shown(self):
        for settings, rack in ((("broker.rack=cellar",), "cellar"), ((), None)):
            with Kopd(store="memory:", settings=settings) as kopd, kopd.connect() as c:
                r = kafka.Reader(c.call(kafka.metadata([])))
                self.assertEqual((r.take("i"), r.take("i"), r.text(), r.take("i"), r.text()),
                                 (1, 1, "127.0.0.1", kopd.ports[0], rack))
                shown = kafka.described(c.call(kafka.describe_node(1, ["broker.rack"])))
                self.assertEqual(shown["broker.rack"][0], rack)

    def test_no_limit_is_none_that_is_kept(self):
        self.assertEqual(self.shown("queued.max.request.bytes=-1")[1], "268435456")


class Memory(unittest.TestCase):
    """What one connection, the waiting fetches, and the answers that hold the log may take: each with its limit and without."""

    def served_unread(self, *settings):
        """How many of eighty requests are decoded of a client that takes no answer; then it takes them all."""
        with Kopd(store="memory:", settings=settings) as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t", 10000))
            with kopd.connect() as other, kopd.connect(receive_buffer=32768) as c:
                before = kopd.metric("kop_requests_total", 1)
                c.send(kafka.metadata(["t"]) * 80)
                wait_until(lambda: kopd.metric("kop_paused_connections", 1) == 1)
                decoded = kopd.metric("kop_requests_total", 1) - before
                other.call(kafka.metadata([]))
                lengths = {len(c.answer()) for _ in range(80)}
                self.assertEqual(len(lengths), 1)
                self.assertGreater(lengths.pop(), 250000)
                return decoded

    def test_one_connection(self):
        self.assertLess(self.served_unread("connection.max.request.bytes=65536"), 25)
        self.assertGreater(self.served_unread(), 50)

    def answered_at_once(self, *settings):
        """How many of two hundred fetches that could wait are answered at once."""
        with Kopd(store="memory:", settings=settings) as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t"))
                kafka.produce_error(c.call(kafka.produce("t", kafka.batch([b"first"]))), "t")
            clients = [kopd.connect() for _ in range(200)]
            try:
                for c in clients:
                    c.send(kafka.fetch("t", 1, max_wait_ms=300000))

                def answered():
                    return select.select([c.socket for c in clients], [], [], 0)[0]

                wait_until(lambda: len(answered()) + kopd.metric("kop_fetches_waiting", 1) == len(clients))
                at_once = answered()
                with kopd.connect() as c:
                    kafka.produce_error(c.call(kafka.produce("t", kafka.batch([b"second"]))), "t")
                for c in clients:
                    error, _, records = kafka.fetch_result(c.answer(), "t")
                    self.assertEqual((error, len(records) > 0), (0, c.socket not in at_once))
                return len(at_once)
            finally:
                for c in clients:
                    c.socket.close()

    def test_waiting_fetches(self):
        self.assertEqual(self.answered_at_once(), 0)
        refused = self.answered_at_once("queued.max.poll.bytes=65536")
        self.assertGreater(refused, 0)
        self.assertLess(refused, 200, "some wait")

    def most_lent(self, reached, *settings):
        """The most bytes of the log that are seen held for twelve clients who take nothing; then each takes all.

        Each begins elsewhere, since those that ask for the same share what was read."""
        batch = kafka.batch([bytes(900000)])
        with Kopd(settings=settings) as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t"))
                for _ in range(12):
                    self.assertEqual(kafka.produce_error(c.call(kafka.produce("t", batch)), "t")[0], 0)
            clients = [kopd.connect(receive_buffer=4096) for _ in range(12)]
            try:
                for i, c in enumerate(clients):
                    c.send(kafka.fetch("t", i, max_wait_ms=500))
                wait_until(lambda: kopd.metric("kop_lent_bytes", 1) > reached)
                most = max(kopd.metric("kop_lent_bytes", 1) for _ in range(50))
                for offset, c in enumerate(clients):
                    answer = c.answer()
                    while True:
                        error, _, records = kafka.fetch_result(answer, "t")
                        self.assertEqual(error, 0)
                        self.assertEqual(len(records) % len(batch), 0)
                        offset += len(records) // len(batch)
                        if offset == 12:
                            break
                        answer = c.call(kafka.fetch("t", offset, max_wait_ms=500))
                return most
            finally:
                for c in clients:
                    c.socket.close()

    def test_bytes_of_the_log(self):
        limit = 16 << 20
        self.assertLessEqual(self.most_lent(0, f"fetch.max.lent.bytes={limit}"), limit + (1 << 20))
        self.assertGreater(self.most_lent(2 * limit), 2 * limit)


if __name__ == "__main__":
    unittest.main()
