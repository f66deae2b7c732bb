"""Several nodes in one process: clients see a cluster, leaders are spread, a node can be stopped and started."""

import subprocess
import time
import unittest

import kafka
from server import Kopd, wait_until


def leaders(kopd, topic, node=0):
    with kopd.connect(node) as c:
        nodes, controller, topics = kafka.metadata_result(c.call(kafka.metadata([topic])))
    return nodes, controller, {i: leader for i, (_, leader) in topics[topic][1].items()}


class Nodes(unittest.TestCase):
    def test_three_nodes(self):
        with Kopd(store="memory:", nodes=3) as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t", 12))
            seen = [leaders(kopd, "t", node) for node in range(3)]
            self.assertEqual(seen[0], seen[1])
            self.assertEqual(seen[0], seen[2])
            nodes, controller, led = seen[0]
            self.assertEqual(nodes, {i + 1: ("127.0.0.1", kopd.ports[i]) for i in range(3)})
            self.assertIn(controller, nodes)
            self.assertEqual(len(led), 12)
            self.assertEqual(set(led.values()), {1, 2, 3}, "twelve partitions reach every node")
            for partition, leader in led.items():
                for node in range(3):
                    with kopd.connect(node) as c:
                        answer = c.call(kafka.produce("t", kafka.batch([b"x"]), partition))
                        error, _ = kafka.produce_error(answer, "t")
                        expected = 0 if node + 1 == leader else kafka.NOT_LEADER_OR_FOLLOWER
                        self.assertEqual(error, expected)
                        answer = c.call(kafka.fetch("t", 0, partition, max_wait_ms=0))
                        error, _, _ = kafka.fetch_result(answer, "t")
                        self.assertEqual(error, expected)
                        answer = c.call(kafka.list_offsets("t", -1, partition))
                        self.assertEqual(kafka.offset_result(answer, "t")[0], expected)

    def test_kcat_sees_all_partitions(self):
        with Kopd(nodes=3) as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t", 6))
            text = "".join(f"{i}\n" for i in range(3000))
            subprocess.run(["kcat", "-P", "-b", kopd.bootstrap, "-t", "t"], input=text, text=True,
                           check=True, timeout=60)
            back = subprocess.run(["kcat", "-C", "-b", kopd.bootstrap, "-t", "t", "-o", "beginning",
                                   "-e", "-q"], capture_output=True, text=True, check=True, timeout=60)
            self.assertEqual(sorted(back.stdout.split()), sorted(text.split()))

    def test_the_number_of_nodes_may_differ_at_every_start(self):
        with Kopd(nodes=3) as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t", 6))
            _, _, led = leaders(kopd, "t")
            for partition, leader in led.items():
                with kopd.connect(leader - 1) as c:
                    answer = c.call(kafka.produce("t", kafka.batch([b"%d" % partition]), partition))
                    self.assertEqual(kafka.produce_error(answer, "t"), (0, 0))
            kopd.stop()
            kopd.nodes = 1
            kopd.start()
            with kopd.connect() as c:
                for partition in range(6):
                    def taken_over():
                        answer = c.call(kafka.fetch("t", 0, partition))
                        error, high_watermark, records = kafka.fetch_result(answer, "t")
                        self.assertIn(error, (0, kafka.NOT_LEADER_OR_FOLLOWER))
                        return error == 0 and (high_watermark, records)
                    high_watermark, records = wait_until(taken_over)
                    self.assertEqual(high_watermark, 1)
                    self.assertIn(b"%d" % partition, records)

    def test_a_node_stops_and_starts(self):
        with Kopd("--set", "node.control=on", store="memory:", nodes=3) as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t", 12))
            _, _, before = leaders(kopd, "t")
            for partition, leader in before.items():
                with kopd.connect(leader - 1) as c:
                    c.call(kafka.produce("t", kafka.batch([b"before"]), partition))
            self.assertEqual(kopd.get("/nodes/2/stop", "POST")[0], 202)
            wait_until(lambda: "node 2: stopped" in kopd.get("/health")[1])
            self.assertEqual(kopd.get("/health")[0], 503)
            self.assertEqual(kopd.get("/nodes/2/stop", "POST")[0], 409)
            with self.assertRaises(ConnectionRefusedError), kopd.connect(1):
                pass
            wait_until(lambda: 2 not in leaders(kopd, "t")[0])
            wait_until(lambda: 2 not in leaders(kopd, "t")[2].values())
            nodes, _, during = leaders(kopd, "t")
            self.assertEqual(set(nodes), {1, 3})
            for partition, leader in before.items():
                if leader != 2:
                    self.assertEqual(during[partition], leader, "only its partitions move")
            self.produce_everywhere(kopd, during, 1)
            self.assertEqual(kopd.get("/nodes/2/start", "POST")[0], 202)
            wait_until(lambda: kopd.get("/health")[0] == 200)
            wait_until(lambda: leaders(kopd, "t")[2] == before)
            self.produce_everywhere(kopd, before, 2)
            self.assertEqual(kopd.stop(), 0)

    def produce_everywhere(self, kopd, led, offset):
        """Each partition takes a record at this offset from its leader, as soon as that has taken over."""
        for partition, leader in led.items():
            def once():
                with kopd.connect(leader - 1) as c:
                    answer = c.call(kafka.produce("t", kafka.batch([b"x"]), partition))
                    error, base = kafka.produce_error(answer, "t")
                    self.assertIn(error, (0, kafka.NOT_LEADER_OR_FOLLOWER))
                    return error == 0 and base + 1
            self.assertEqual(wait_until(once), offset + 1)

    def test_a_long_poll_on_a_node_that_stops_is_answered(self):
        with Kopd("--set", "node.control=on", store="memory:", nodes=2) as kopd:
            with kopd.connect() as c:
                c.call(kafka.create_topic("t", 4))
            _, _, led = leaders(kopd, "t")
            partition = next(p for p, leader in led.items() if leader == 2)
            with kopd.connect(1) as c:
                c.send(kafka.fetch("t", 0, partition, max_wait_ms=60000))
                wait_until(lambda: kopd.metric("kop_fetches_waiting", 2) == 1)
                began = time.monotonic()
                self.assertEqual(kopd.get("/nodes/2/stop", "POST")[0], 202)
                c.answer()
                self.assertLess(time.monotonic() - began, 8)


if __name__ == "__main__":
    unittest.main()
