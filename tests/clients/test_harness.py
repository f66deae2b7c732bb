"""The cells find what they are there to find: against a cluster in memory that does one thing
wrong, the cell must fail.

No broker and no client takes part: a fake driver stands in for both, and for the runner's own
requests.
"""

import dataclasses
import struct
import sys
import types
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))
from harness import raw  # noqa: E402
from harness.cells import CELLS, VALUE_LIMIT, Context, Failure  # noqa: E402
from harness.driver import ClientError  # noqa: E402

ADDRESS = ("127.0.0.1", 1)
BROKERS = {1: ADDRESS, 2: ("127.0.0.1", 2), 3: ("127.0.0.1", 3)}


class Cluster:
    """Topics in memory: a list of records and one of batch heads for each partition."""

    def __init__(self):
        self.topics = {}

    def metadata(self, _address, topic):
        if topic not in self.topics:
            return raw.Metadata(BROKERS, raw.Topic(raw.UNKNOWN_TOPIC, {}))
        return raw.Metadata(
            BROKERS,
            raw.Topic(0, {partition: 1 + partition % 3 for partition in self.topics[topic]}),
        )

    def batch_heads(self, _address, topic, partition):
        return self.topics[topic][partition].heads


class Driver:
    """A client and its cluster that do all right, but for one fault."""

    def __init__(self, cluster, fault=None):
        self.cluster = cluster
        self.fault = fault
        self.sockets = {"socket:[1]"}

    def faulty(self, fault):
        return self.fault == fault

    def create(self, topic, partitions):
        count = partitions - self.faulty("creates one partition less")
        self.cluster.topics[topic] = {
            partition: types.SimpleNamespace(records=[], heads=[], start=0)
            for partition in range(count)
        }

    def list(self):
        return [] if self.faulty("lists nothing") else list(self.cluster.topics)

    def describe(self, topic):
        leaders = self.cluster.metadata(ADDRESS, topic).topic.leaders
        if self.faulty("mixes up the leaders"):
            leaders = {partition: leader % 3 + 1 for partition, leader in leaders.items()}
        return {
            "brokers": [1, 2] if self.faulty("hides a broker") else [1, 2, 3],
            "partitions": [
                {"partition": partition, "leader": leader} for partition, leader in leaders.items()
            ],
        }

    def delete(self, topic):
        if not self.faulty("does not delete"):
            del self.cluster.topics[topic]

    def produce(self, topic, records, acks="all", idempotent=False, codec="none"):
        if len(records[0].value or b"") > VALUE_LIMIT and not self.faulty(
            "takes what is too large"
        ):
            if self.faulty("closes the connection over it"):
                self.sockets = {"socket:[2]"}
            raise ClientError(
                "REQUEST_TIMED_OUT" if self.faulty("tells another error") else "MESSAGE_TOO_LARGE"
            )
        told = len(records) - self.faulty("tells an offset less")
        if self.faulty("loses an unacknowledged record") and acks == "0":
            records = records[:-1]
        if self.faulty("writes twice"):
            records = records + records[-1:]
        offsets = []
        for record in map(self.spoil, records):
            partition = self.cluster.topics[topic][record.partition]
            offset = len(partition.records)
            offsets.append(offset + self.faulty("tells a wrong offset"))
            partition.records.append(dataclasses.replace(record, offset=offset))
            attributes = 0 if self.faulty("does not compress") else raw.CODECS.index(codec)
            producer = 7 if idempotent and not self.faulty("has no producer id") else -1
            overhead = 73 if self.faulty("counts a byte too much") else 72
            partition.heads.append(
                raw.BatchHead(
                    offset,
                    overhead + len(record.value or b""),
                    2,
                    attributes,
                    producer,
                    0 if producer > 0 else -1,
                    1,
                )
            )
        return (offsets + [None])[:told]

    def spoil(self, record):
        """What the fault makes of a record on its way into the log."""
        change = {
            "changes a value": {"value": (record.value or b"") + b"!"},
            "makes null keys empty": {"key": record.key or b""},
            "makes empty keys null": {"key": record.key or None},
            "makes null values empty": {"value": record.value or b""},
            "makes empty values null": {"value": record.value or None},
            "makes null headers empty": {
                "headers": tuple((name, value or b"") for name, value in record.headers)
            },
            "makes empty headers null": {
                "headers": tuple((name, value or None) for name, value in record.headers)
            },
            "keeps one of repeated headers": {"headers": tuple(dict(record.headers).items())},
            "sorts headers": {"headers": tuple(sorted(record.headers, key=repr))},
            "drops headers": {"headers": ()},
            "shifts the time": {"timestamp": record.timestamp + 1},
            "writes to another partition": {"partition": 0},
        }
        return dataclasses.replace(record, **change.get(self.fault, {}))

    def send_consume(self, topic, partition, count, start, at=0):
        log = self.cluster.topics[topic][partition]
        first = {"earliest": log.start, "latest": len(log.records), "offset": at}.get(start)
        if start == "timestamp":
            first = next(record.offset for record in log.records if record.timestamp >= at)
        first += {"begins one late": 1, "begins one early": -1}.get(self.fault, 0) * (
            start == "latest" or self.fault != "begins one early"
        )
        if (
            self.faulty("forgets the start")
            or self.faulty("takes latest as earliest")
            and start == "latest"
        ):
            first = 0
        self.wanted = (log, max(first, 0), count)

    def waiting(self, _timeout):
        log, first, count = self.wanted
        return len(log.records) < first + count

    def receive_records(self):
        log, first, count = self.wanted
        records = log.records[first : first + count]
        return records[::-1] if self.faulty("turns the order") else records

    def consume(self, topic, partition, count, start="earliest", at=0):
        self.send_consume(topic, partition, count, start, at)
        return self.receive_records()

    def ask(self, op, topic, partition, at):
        assert op == "truncate"
        self.cluster.topics[topic][partition].start = at

    def connections(self):
        return self.sockets


# Each fault, and cells that must find it; other cells may.
FAULTS = {
    "creates one partition less": ["create"],
    "lists nothing": ["list"],
    "mixes up the leaders": ["describe", "three-nodes"],
    "hides a broker": ["describe", "three-nodes"],
    "does not delete": ["delete"],
    "takes what is too large": ["over-limit"],
    "tells another error": ["over-limit"],
    "closes the connection over it": ["over-limit"],
    "loses an unacknowledged record": ["acks-0"],
    "writes twice": ["acks-all", "idempotent"],
    "tells a wrong offset": ["acks-1", "acks-all", "idempotent", "zstd"],
    "tells an offset less": ["acks-1"],
    "does not compress": ["gzip", "snappy", "lz4", "zstd"],
    "has no producer id": ["idempotent"],
    "counts a byte too much": ["at-limit"],
    "changes a value": [
        "acks-0",
        "acks-1",
        "acks-all",
        "idempotent",
        "none",
        "zstd",
        "three-nodes",
    ],
    "makes null keys empty": ["keys", "nothing", "acks-all"],
    "makes empty keys null": ["keys"],
    "makes null values empty": ["null-values", "nothing"],
    "makes empty values null": ["null-values", "nothing"],
    "makes null headers empty": ["null-headers"],
    "makes empty headers null": ["headers", "null-headers"],
    "keeps one of repeated headers": ["repeated-headers"],
    "sorts headers": ["repeated-headers"],
    "drops headers": ["headers", "repeated-headers", "null-headers"],
    "shifts the time": ["acks-all", "keys", "headers"],
    "writes to another partition": ["keys", "three-nodes"],
    "begins one late": ["earliest", "offset", "timestamp"],
    "begins one early": ["latest"],
    "forgets the start": ["earliest", "offset", "timestamp", "latest"],
    "takes latest as earliest": ["latest"],
    "turns the order": ["acks-all", "earliest", "offset"],
}


def outcome(cell, fault):
    """The reason why the cell fails, or None."""
    cluster = Cluster()
    context = Context(
        {"too_large": "MESSAGE_TOO_LARGE"},
        Driver(cluster, fault),
        Driver(cluster),
        ADDRESS,
        0,
        "fake",
    )
    with (
        mock.patch.multiple(raw, metadata=cluster.metadata, batch_heads=cluster.batch_heads),
        mock.patch("harness.cells.PATIENCE", 0),
    ):
        try:
            cell.run(context)
        except (Failure, ClientError) as failure:
            return str(failure)
    return None


class Cells(unittest.TestCase):
    def test_all_pass_where_all_is_right(self):
        for cell in CELLS:
            with self.subTest(cell.title):
                self.assertIsNone(outcome(cell, None))

    def test_every_fault_is_found(self):
        cells = {cell.id: cell for cell in CELLS}
        for fault, finders in FAULTS.items():
            for finder in finders:
                with self.subTest(fault, cell=finder):
                    self.assertIsNotNone(outcome(cells[finder], fault))

    def test_every_cell_finds_a_fault(self):
        self.assertEqual(
            {cell.id for cell in CELLS},
            {finder for finders in FAULTS.values() for finder in finders},
        )


class Heads(unittest.TestCase):
    def batch(self, base, attributes, payload):
        body = struct.pack(">ibIhiqqqhii", 0, 2, 0, attributes, 0, 0, 0, 5, 0, 9, 1) + payload
        return struct.pack(">qi", base, len(body)) + body

    def test_heads_of_whole_batches(self):
        data = self.batch(3, 4, b"x" * 10) + self.batch(4, 0, b"") + self.batch(5, 0, b"cut")[:-1]
        heads = list(raw._heads(data))
        self.assertEqual(
            [(3, "zstd", 71, 5, 9), (4, "none", 61, 5, 9)],
            [
                (head.base_offset, head.codec, head.size, head.producer_id, head.base_sequence)
                for head in heads
            ],
        )


if __name__ == "__main__":
    unittest.main()
