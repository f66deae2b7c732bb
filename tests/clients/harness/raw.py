"""The few Kafka requests that the runner sends itself, to see what no client shows.

A client's consumer hides how its records lie in the log: whether a batch is compressed, and with
which codec, and whether it carries a producer id. So the runner fetches the batches and reads their
heads. Metadata is asked of one given broker, which clients do not let one choose.

The versions are those that Kafka 2.1 to 4.x all serve: Metadata 4 and Fetch 10.
"""

import socket
import struct
from dataclasses import dataclass

UNKNOWN_TOPIC = 3
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


class BrokerError(Exception):
    """A broker answered with an error code."""


@dataclass(frozen=True)
class Topic:
    error: int
    leaders: dict  # partition -> node id


@dataclass(frozen=True)
class Metadata:
    brokers: dict  # node id -> (host, port)
    topic: Topic


@dataclass(frozen=True)
class BatchHead:
    """The fields of a v2 record batch before its records."""

    base_offset: int
    size: int  # with the 12 bytes of offset and length
    magic: int
    attributes: int
    producer_id: int
    base_sequence: int
    records: int

    @property
    def codec(self):
        return CODECS[self.attributes & 7]


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values[0] if len(values) == 1 else values

    def bytes(self, length):
        self.at += max(length, 0)
        return self.data[self.at - max(length, 0) : self.at]

    def string(self):
        return self.bytes(self.take("h")).decode()

    def array(self, item):
        return [item() for _ in range(self.take("i"))]


def _string(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def _ask(address, key, version, body):
    with socket.create_connection(address, timeout=10) as connection:
        frame = struct.pack(">hhi", key, version, 1) + _string("libkop-matrix") + body
        connection.sendall(struct.pack(">i", len(frame)) + frame)
        answer = connection.makefile("rb")
        head = answer.read(4)
        if len(head) != 4:
            raise ConnectionError(f"the broker closed the connection on api key {key}")
        (length,) = struct.unpack(">i", head)
        data = answer.read(length)
        if len(data) != length:
            raise ConnectionError(f"the broker's answer to api key {key} ended early")
        reader = _Reader(data)
        if reader.take("i") != 1:
            raise ConnectionError("another correlation id than the request's")
        return reader


def metadata(address, topic):
    """What one broker knows of the cluster and of one topic, which it does not create."""
    r = _ask(address, 3, 4, struct.pack(">i", 1) + _string(topic) + b"\0")
    r.take("i")  # throttle time

    def broker():
        node = r.take("i")
        host, port = r.string(), r.take("i")
        r.string()  # rack
        return node, (host, port)

    def partition():
        _error, index, leader = r.take("hii")
        r.array(lambda: r.take("i"))  # replicas
        r.array(lambda: r.take("i"))  # in-sync replicas
        return index, leader

    def one_topic():
        error = r.take("h")
        r.string()
        r.take("b")  # internal
        return Topic(error, dict(r.array(partition)))

    brokers = dict(r.array(broker))
    r.string()  # cluster id
    r.take("i")  # controller
    return Metadata(brokers, r.array(one_topic)[0])


def batch_heads(address, topic, partition):
    """The heads of all batches of a partition, asked of its leader; or a BrokerError."""
    heads = []
    offset = 0
    while True:
        records = _fetch(address, topic, partition, offset)
        found = list(_heads(records))
        if not found:
            return heads
        heads += found
        offset = found[-1].base_offset + found[-1].records


def _fetch(address, topic, partition, offset):
    limit = 8 << 20
    r = _ask(
        address,
        1,
        10,
        struct.pack(">iiiib", -1, 0, 1, limit, 0)
        + struct.pack(">ii", 0, -1)  # no session
        + struct.pack(">i", 1)
        + _string(topic)
        + struct.pack(">iiiqqi", 1, partition, -1, offset, -1, limit)
        + struct.pack(">i", 0),  # nothing to leave out of a session
    )
    _throttle_time, error, _session = r.take("ihi")
    if error:
        raise BrokerError(f"fetch was answered with error {error}")
    records = []

    def one_partition():
        _index, error, _high_watermark, _stable, _start = r.take("ihqqq")
        r.array(lambda: r.take("qq"))  # aborted transactions
        if error:
            raise BrokerError(f"fetch of {topic}-{partition} was answered with error {error}")
        records.append(r.bytes(r.take("i")))

    def one_topic():
        r.string()
        r.array(one_partition)

    r.array(one_topic)
    return records[0]


def _heads(records):
    at = 0
    while at + 61 <= len(records):
        (
            base,
            length,
            _epoch,
            magic,
            _crc,
            attributes,
            _last,
            _first_time,
            _max_time,
            producer,
            _producer_epoch,
            sequence,
            count,
        ) = struct.unpack_from(">qiibIhiqqqhii", records, at)
        if at + 12 + length > len(records):
            return  # the last batch of an answer may be cut
        yield BatchHead(base, 12 + length, magic, attributes, producer, sequence, count)
        at += 12 + length
