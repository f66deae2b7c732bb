"""The cells of the matrix: what is asked of every client, and what must come of it.

They are written once for all clients. A cell is a function that returns when all is well and raises
Failure otherwise. What a client wrote is read back by the reference (the Java client of the newest
Kafka) and by the client itself; what a client reads was written by the reference; heads of batches
and metadata are looked at by the runner's own requests (raw.py).
"""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

from . import raw
from .driver import ClientError, Driver, Record

# A topic's max.message.bytes unless set: 1 MiB of batch and 12 bytes of offset and length. A batch
# of one record without key and headers has 61 bytes of head, 3 of record length, 4 of attributes,
# deltas and null key, 3 of value length and 1 of header count.
BATCH_LIMIT = 1048588
VALUE_LIMIT = BATCH_LIMIT - 72
PATIENCE = 10  # seconds


class Failure(Exception):
    """The cell fails, for this reason."""


@dataclass
class Context:
    """What a cell works with."""

    client: dict  # the client's table of clients.toml
    driver: Driver
    reference: Driver
    bootstrap: tuple  # (host, port) of the first broker
    settle_seconds: float  # how long a broker may take to hear of a topic that another one created
    prefix: str

    def new_topic(self, cell, partitions=1):
        topic = f"{self.prefix}-{cell}"
        self.reference.create(topic, partitions)
        self.await_topic(topic, partitions)
        return topic

    def brokers(self):
        return raw.metadata(self.bootstrap, "no-such-topic").brokers

    def await_topic(self, topic, partitions):
        """Every broker knows the topic, and its leaders serve it."""
        seconds = self.settle_seconds
        await_that(lambda: self._unknown(topic, partitions), seconds, f"{topic} is created")
        await_that(lambda: self._unserved(topic), PATIENCE, f"{topic} is served")

    def await_deletion(self, topic):
        await_that(lambda: self._known(topic), PATIENCE, f"{topic} is deleted")

    def _unknown(self, topic, partitions):
        for node, address in self.brokers().items():
            seen = raw.metadata(address, topic).topic
            led = {partition for partition, leader in seen.leaders.items() if leader >= 0}
            if seen.error or led != set(range(partitions)):
                return f"broker {node} sees error {seen.error} and the leaders {seen.leaders}"
        return None

    def _unserved(self, topic):
        for partition in raw.metadata(self.bootstrap, topic).topic.leaders:
            try:
                self.batch_heads(topic, partition)
            except raw.BrokerError as error:
                return str(error)
        return None

    def _known(self, topic):
        for node, address in self.brokers().items():
            if raw.metadata(address, topic).topic.error != raw.UNKNOWN_TOPIC:
                return f"broker {node} still knows it"
        return None

    def batch_heads(self, topic, partition=0):
        cluster = raw.metadata(self.bootstrap, topic)
        return raw.batch_heads(cluster.brokers[cluster.topic.leaders[partition]], topic, partition)

    def await_end(self, topic, partition, count):
        """The end offset of a partition: what was sent with acks 0 may still be on its way."""
        deadline = time.monotonic() + PATIENCE
        while True:
            heads = self.batch_heads(topic, partition)
            end = heads[-1].base_offset + heads[-1].records if heads else 0
            if end >= count or time.monotonic() > deadline:
                return end
            time.sleep(0.05)

    def can(self, cell):
        return cell not in self.client.get("na", {})

    def read_back(self, topic, sent, offsets):
        """All that was sent is there, once and in order, for the reference and for the client."""
        expected = placed(sent)
        for partition in {record.partition for record in sent}:
            count = sum(record.partition == partition for record in sent)
            end = self.await_end(topic, partition, count)
            if end != count:
                raise Failure(f"partition {partition} has {end} records in place of {count}")
        if len(offsets) != len(sent):
            raise Failure(f"the client was told {len(offsets)} offsets of {len(sent)} records")
        for record, offset in zip(expected, offsets, strict=True):
            if offset is not None and offset != record.offset:
                raise Failure(
                    f"the client was told offset {offset} of a record at offset {record.offset}"
                )
        self.expect(
            self.reference,
            "the reference",
            topic,
            expected,
            self.client.get("sets_timestamps", True),
        )
        if self.can("earliest"):
            self.expect(
                self.driver, "the client", topic, expected, self.client.get("sets_timestamps", True)
            )

    def expect(self, driver, who, topic, expected, exact_time=True):
        for partition in sorted({record.partition for record in expected}):
            wanted = [record for record in expected if record.partition == partition]
            got = driver.consume(topic, partition, len(wanted))
            if driver is self.driver and self.client.get("reads_empty_as_null"):
                got, wanted = [list(map(without_empties, records)) for records in (got, wanted)]
            compare(who, got, wanted, exact_time)


def await_that(obstacle, seconds, what):
    """Waits until there is no obstacle any more, but not longer than so many seconds."""
    deadline = time.monotonic() + seconds
    while reason := obstacle():
        if time.monotonic() > deadline:
            raise Failure(f"{what}? {reason}")
        time.sleep(0.05)


def placed(records, first=0):
    """The same records with the offsets that they have in an empty topic."""
    ends = {}
    result = []
    for record in records:
        offset = ends.get(record.partition, first)
        ends[record.partition] = offset + 1
        result.append(dataclasses.replace(record, offset=offset))
    return result


def without_empties(record):
    """What is left of a record for a client that does not tell empty from null."""
    headers = tuple((name, value or None) for name, value in record.headers)
    return dataclasses.replace(
        record, key=record.key or None, value=record.value or None, headers=headers
    )


def compare(who, got, wanted, exact_time=True):
    if len(got) != len(wanted):
        raise Failure(f"{who} read {len(got)} records in place of {len(wanted)}")
    for one, other in zip(got, wanted, strict=True):
        if not exact_time:
            # A client that cannot set a record's time puts its own clock there.
            if abs(one.timestamp - time.time() * 1000) > 600_000:
                raise Failure(f"{who} read the time {one.timestamp}")
            other = dataclasses.replace(other, timestamp=one.timestamp)
        if one != other:
            raise Failure(f"{who} read {brief(one)} in place of {brief(other)}")


def brief(record):
    parts = []
    for field in dataclasses.fields(record):
        text = repr(getattr(record, field.name))
        parts.append(f"{field.name}={text if len(text) < 80 else text[:77] + '...'}")
    return ", ".join(parts)


def sample(count, partition=0, headers=True):
    """Records that differ in all that may differ, an hour old, a second apart."""
    start = int(time.time()) * 1000 - 3_600_000
    return [
        Record(
            value=f"value {index} ".encode() + bytes([0x80 + index % 64, 0xFF]) * 8,
            key=None if index % 3 == 2 else f"key {index}".encode(),
            headers=(("index", str(index).encode()),) if headers and index % 2 else (),
            timestamp=start + 1000 * index + 7,
            partition=partition,
        )
        for index in range(count)
    ]


# Admin


def create(c):
    topic = f"{c.prefix}-create"
    c.driver.create(topic, 3)
    c.await_topic(topic, 3)


def list_topics(c):
    topic = c.new_topic("list")
    names = c.driver.list()
    if names.count(topic) != 1:
        raise Failure(f"{topic} is not in the list {names}")


def describe(c):
    topic = c.new_topic("describe", 3)
    _check_description(c, topic)


def _check_description(c, topic):
    truth = raw.metadata(c.bootstrap, topic)
    seen = c.driver.describe(topic)
    hides = c.client.get("metadata_hides", ())
    partitions = {item["partition"]: item["leader"] for item in seen["partitions"]}
    if "leaders" in hides:
        if set(partitions) != set(truth.topic.leaders):
            raise Failure(f"the client sees the partitions {sorted(partitions)}")
    elif partitions != truth.topic.leaders:
        raise Failure(f"the client sees the leaders {partitions}, they are {truth.topic.leaders}")
    if "brokers" not in hides and sorted(seen["brokers"]) != sorted(truth.brokers):
        raise Failure(
            f"the client sees the brokers {seen['brokers']}, they are {sorted(truth.brokers)}"
        )


def delete(c):
    topic = c.new_topic("delete")
    c.driver.delete(topic)
    c.await_deletion(topic)


# Produce


def acks(level):
    def cell(c):
        topic = c.new_topic(f"acks-{level}")
        sent = sample(12, headers=False)
        offsets = c.driver.produce(topic, sent, acks=level)
        c.read_back(topic, sent, offsets)

    return cell


def idempotent(c):
    topic = c.new_topic("idempotent")
    sent = sample(12, headers=False)
    offsets = c.driver.produce(topic, sent[:6], idempotent=True) + c.driver.produce(
        topic, sent[6:], idempotent=True
    )
    c.read_back(topic, sent, offsets)
    for head in c.batch_heads(topic):
        if head.producer_id < 0 or head.base_sequence < 0:
            raise Failure(f"a batch without a producer id or a sequence: {head}")


def codec(name):
    def cell(c):
        topic = c.new_topic(name)
        sent = [
            dataclasses.replace(record, value=record.value * 40)
            for record in sample(12, headers=False)
        ]
        offsets = c.driver.produce(topic, sent, codec=name)
        heads = c.batch_heads(topic)
        wrong = [head for head in heads if head.codec != name or head.magic != 2]
        if wrong or not heads:
            raise Failure(f"not every batch lies in the log as {name}: {wrong}")
        c.read_back(topic, sent, offsets)

    return cell


# What a record may carry


def keys(c):
    topic = c.new_topic("keys", 2)
    base = sample(8)
    values = [None, b"", b"k", "clé".encode(), b"\x01\xfe\xff", b"k", b"long " * 100, b"\r"]
    sent = [
        dataclasses.replace(record, key=key, headers=(), partition=index % 2)
        for index, (record, key) in enumerate(zip(base, values, strict=True))
    ]
    _both_ways(c, topic, sent)


def headers(c):
    topic = c.new_topic("headers")
    sets = [
        (("a", b"1"),),
        (("a", b"1"), ("b", b"two")),
        (("bytes", b"\x01\xfe\xff"), ("empty", b"")),
        (("é", "ü".encode()),),
    ]
    _both_ways(c, topic, _with_headers(sets))


def repeated_headers(c):
    topic = c.new_topic("repeated-headers")
    _both_ways(
        c,
        topic,
        _with_headers(
            [(("a", b"1"), ("a", b"2"), ("b", b"3")), (("a", b"2"), ("a", b"1"), ("a", b"2"))]
        ),
    )


def null_headers(c):
    topic = c.new_topic("null-headers")
    _both_ways(c, topic, _with_headers([(("a", None),), (("a", b""), ("b", None), ("c", b"1"))]))


def _with_headers(sets):
    return [
        dataclasses.replace(record, headers=item)
        for record, item in zip(sample(len(sets)), sets, strict=True)
    ]


def null_values(c):
    topic = c.new_topic("null-values")
    first, second, third, _ = sample(4, headers=False)
    _both_ways(
        c,
        topic,
        [dataclasses.replace(first, value=None), dataclasses.replace(second, value=b""), third],
    )


def nothing(c):
    topic = c.new_topic("nothing")
    first, second = sample(2, headers=False)
    _both_ways(
        c,
        topic,
        [
            dataclasses.replace(first, key=None, value=None),
            dataclasses.replace(second, key=None, value=b""),
        ],
    )


def _both_ways(c, topic, sent):
    """Both read what the client wrote; the client reads what the reference wrote."""
    offsets = []
    for record in sent:
        offsets += c.driver.produce(topic, [record])
    c.read_back(topic, sent, offsets)
    if c.can("earliest"):
        other = c.new_topic(
            topic.removeprefix(f"{c.prefix}-") + "-of-reference",
            1 + max(record.partition for record in sent),
        )
        c.reference.produce(other, sent)
        c.expect(c.driver, "the client", other, placed(sent))


# Sizes


def _sized(size):
    record = sample(1)[0]
    return dataclasses.replace(
        record, value=(b"0123456789abcdef" * (size // 16 + 1))[:size], key=None, headers=()
    )


def at_limit(c):
    topic = c.new_topic("at-limit")
    sent = [_sized(VALUE_LIMIT)]
    offsets = c.driver.produce(topic, sent)
    c.read_back(topic, sent, offsets)
    sizes = [head.size for head in c.batch_heads(topic)]
    if sizes != [BATCH_LIMIT]:
        raise Failure(
            f"the batch has {sizes} bytes, so the cell did not reach the limit of {BATCH_LIMIT}"
        )


def over_limit(c):
    topic = c.new_topic("over-limit")
    before, after = sample(2)
    offsets = c.driver.produce(topic, [before])
    connections = c.driver.connections()
    try:
        c.driver.produce(topic, [_sized(VALUE_LIMIT + 1)])
        raise Failure("a batch over the limit was taken")
    except ClientError as error:
        if c.client["too_large"] not in str(error):
            raise Failure(f"not the error of a message that is too large: {error}") from None
    offsets += c.driver.produce(topic, [after])
    if not connections <= c.driver.connections():
        raise Failure("a connection was closed over it")
    c.read_back(topic, [before, after], offsets)


# A cluster of three


def three_nodes(c):
    topic = c.new_topic("three-nodes", 24)
    leaders = raw.metadata(c.bootstrap, topic).topic.leaders
    if len(set(leaders.values())) != 3:
        raise Failure(f"the partitions are not led by three brokers: {leaders}")
    _check_description(c, topic)
    sent = [record for partition in range(24) for record in sample(2, partition, headers=False)]
    offsets = c.driver.produce(topic, sent)
    c.read_back(topic, sent, offsets)


# Consume by assignment


def earliest(c):
    topic, sent = _written(c, "earliest")
    c.reference.ask(op="truncate", topic=topic, partition=0, at=3)
    compare("the client", c.driver.consume(topic, 0, 7), sent[3:])


def offset(c):
    topic, sent = _written(c, "offset")
    compare("the client", c.driver.consume(topic, 0, 5, "offset", 4), sent[4:9])
    compare("the client", c.driver.consume(topic, 0, 1, "offset", 9), sent[9:])


def timestamp(c):
    topic, sent = _written(c, "timestamp")
    compare(
        "the client", c.driver.consume(topic, 0, 5, "timestamp", sent[4].timestamp + 1), sent[5:]
    )
    compare("the client", c.driver.consume(topic, 0, 3, "timestamp", sent[7].timestamp), sent[7:])


def latest(c):
    topic, _ = _written(c, "latest")
    c.driver.send_consume(topic, 0, 3, "latest")
    written = []
    deadline = time.monotonic() + 30
    while c.driver.waiting(0.2):  # the consumer may take its place at any moment from here on
        if time.monotonic() > deadline:
            break
        written += [dataclasses.replace(record, offset=10 + len(written)) for record in sample(1)]
        c.reference.produce(topic, written[-1:])
    got = c.driver.receive_records()
    if not got or got[0].offset < 10:
        raise Failure(
            f"the client began at {got[0].offset if got else 'no record'}, the end was 10"
        )
    first = got[0].offset - 10
    compare("the client", got, written[first : first + 3])


def _written(c, cell):
    topic = c.new_topic(cell)
    sent = sample(10)
    c.reference.produce(topic, sent)
    return topic, placed(sent)


@dataclass(frozen=True)
class Cell:
    id: str
    title: str
    run: Callable


CELLS = [
    Cell("create", "create topic", create),
    Cell("list", "list topics", list_topics),
    Cell("describe", "describe topic", describe),
    Cell("delete", "delete topic", delete),
    Cell("acks-0", "acks 0", acks("0")),
    Cell("acks-1", "acks 1", acks("1")),
    Cell("acks-all", "acks all", acks("all")),
    Cell("idempotent", "idempotent", idempotent),
    *[Cell(name, "uncompressed" if name == "none" else name, codec(name)) for name in raw.CODECS],
    Cell("keys", "keys", keys),
    Cell("headers", "headers", headers),
    Cell("repeated-headers", "repeated headers", repeated_headers),
    Cell("null-headers", "null headers", null_headers),
    Cell("null-values", "null values", null_values),
    Cell("nothing", "neither key nor value", nothing),
    Cell("at-limit", "at the size limit", at_limit),
    Cell("over-limit", "one byte over", over_limit),
    Cell("three-nodes", "3 nodes", three_nodes),
    Cell("earliest", "from earliest", earliest),
    Cell("latest", "from latest", latest),
    Cell("offset", "from offset", offset),
    Cell("timestamp", "from timestamp", timestamp),
]
