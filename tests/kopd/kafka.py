"""The few Kafka messages the tests write by hand, so that they can also be written wrong.

Only old, fixed-layout versions are used: ApiVersions 0, Metadata 1, CreateTopics 0, CreatePartitions 0, DescribeConfigs 1,
Produce 3, Fetch 4, ListOffsets 1.
"""

import socket
import struct

API_PRODUCE, API_FETCH, API_LIST_OFFSETS, API_METADATA = 0, 1, 2, 3
API_VERSIONS, API_CREATE_TOPICS, API_INIT_PRODUCER_ID = 18, 19, 22
API_DESCRIBE_CONFIGS, API_CREATE_PARTITIONS = 32, 37

UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, POLICY_VIOLATION = 3, 6, 44


def crc32c_table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


CRC32C = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def string(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def varint(value):
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def record(delta, value, key=None):
    body = b"\0" + varint(0) + varint(delta)
    body += varint(-1) if key is None else varint(len(key)) + key
    body += varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def batch_around(records, count, attributes=0, producer=(-1, -1, -1)):
    """A v2 batch with these record bytes, whatever they are."""
    tail = struct.pack(">hiqqqhii", attributes, count - 1, 1, 1, *producer, count) + records
    return struct.pack(">qiibI", 0, 9 + len(tail), -1, 2, crc32c(tail)) + tail


def batch(values):
    return batch_around(b"".join(record(i, v) for i, v in enumerate(values)), len(values))


def request(api, version, body, correlation=1, client="test"):
    head = struct.pack(">hhi", api, version, correlation) + string(client)
    return struct.pack(">i", len(head) + len(body)) + head + body


def api_versions(version=0):
    return request(API_VERSIONS, version, b"")


def metadata(topics):
    return request(API_METADATA, 1, struct.pack(">i", len(topics)) + b"".join(map(string, topics)))


def metadata_of_all():
    return request(API_METADATA, 1, struct.pack(">i", -1))


def create_topics(names, partitions=1, timeout_ms=10000):
    body = struct.pack(">i", len(names))
    for name in names:
        body += string(name) + struct.pack(">ihii", partitions, 1, 0, 0)
    return request(API_CREATE_TOPICS, 0, body + struct.pack(">i", timeout_ms))


def create_topic(name, partitions=1, timeout_ms=10000):
    return create_topics([name], partitions, timeout_ms)


def create_partitions(names, count, timeout_ms=10000):
    body = struct.pack(">i", len(names))
    for name in names:
        body += string(name) + struct.pack(">ii", count, -1)
    return request(API_CREATE_PARTITIONS, 0, body + struct.pack(">ib", timeout_ms, 0))


def describe_node(node, names):
    body = struct.pack(">ib", 1, 4) + string(str(node)) + struct.pack(">i", len(names))
    return request(API_DESCRIBE_CONFIGS, 1, body + b"".join(map(string, names)) + b"\0")


def produce(topic, records, partition=0, acks=-1, timeout_ms=10000):
    body = struct.pack(">hhii", -1, acks, timeout_ms, 1) + string(topic)
    body += struct.pack(">iii", 1, partition, len(records)) + records
    return request(API_PRODUCE, 3, body)


def fetch(topic, offset, partition=0, max_wait_ms=500, min_bytes=1, max_bytes=50 << 20):
    body = struct.pack(">iiiibi", -1, max_wait_ms, min_bytes, max_bytes, 0, 1) + string(topic)
    body += struct.pack(">iiqi", 1, partition, offset, max_bytes)
    return request(API_FETCH, 4, body)


def list_offsets(topic, timestamp, partition=0):
    body = struct.pack(">ii", -1, 1) + string(topic) + struct.pack(">iiq", 1, partition, timestamp)
    return request(API_LIST_OFFSETS, 1, body)


def init_producer_id():
    return request(API_INIT_PRODUCER_ID, 0, struct.pack(">hi", -1, 60000))


class Closed(Exception):
    """The server closed the connection."""


class Connection:
    """One socket, with answers in the order of the requests."""

    def __init__(self, address, timeout=20, receive_buffer=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def exactly(self, n):
        parts = []
        while n > 0:
            try:
                part = self.socket.recv(min(n, 1 << 20))
            except ConnectionError as error:
                raise Closed from error
            if not part:
                raise Closed
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    def answer(self):
        """The next answer's body, without length and correlation id."""
        (length,) = struct.unpack(">i", self.exactly(4))
        return self.exactly(length)[4:]

    def call(self, data):
        self.send(data)
        return self.answer()

    def wait_closed(self):
        """Reads what comes until the server closes; raises TimeoutError if it does not."""
        try:
            while self.socket.recv(1 << 16):
                pass
        except ConnectionError:
            pass


class Reader:
    """Takes an answer apart from the front."""

    def __init__(self, answer):
        self.answer, self.place = answer, 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.answer, self.place)
        self.place += struct.calcsize(">" + form)
        return values if len(values) > 1 else values[0]

    def text(self):
        length = self.take("h")
        self.place += max(length, 0)
        return self.answer[self.place - length : self.place].decode() if length >= 0 else None


def created(answer):
    """{topic: error} of a CreateTopics 0 answer."""
    r = Reader(answer)
    return {r.text(): r.take("h") for _ in range(r.take("i"))}


def grown(answer):
    """{topic: (error, message)} of a CreatePartitions 0 answer."""
    r = Reader(answer)
    return {r.text(): (r.take("h"), r.text()) for _ in range(r.take("ii")[1])}


def described(answer):
    """{name: (value, read only, source)} of the only resource of a DescribeConfigs 1 answer without synonyms."""
    r = Reader(answer)
    r.take("ii")
    assert r.take("h") == 0
    r.text(), r.take("b"), r.text()
    result = {}
    for _ in range(r.take("i")):
        name = r.text()
        value, (read_only, source, _, synonyms) = r.text(), r.take("bbbi")
        assert synonyms == 0
        result[name] = value, read_only, source
    return result


def produce_error(answer, topic):
    """(error code, base offset) of the only partition of a Produce 3 answer."""
    place = 4 + 2 + len(topic) + 4 + 4
    return struct.unpack(">hq", answer[place : place + 10])


def fetch_result(answer, topic):
    """(error code, high watermark, record bytes) of the only partition of a Fetch 4 answer."""
    place = 4 + 4 + 2 + len(topic) + 4 + 4
    error, high_watermark, _, aborted = struct.unpack(">hqqi", answer[place : place + 22])
    place += 22 + max(aborted, 0) * 16
    (length,) = struct.unpack(">i", answer[place : place + 4])
    return error, high_watermark, answer[place + 4 : place + 4 + length]


def offset_result(answer, topic):
    """(error code, offset) of the only partition of a ListOffsets 1 answer."""
    place = 4 + 2 + len(topic) + 4 + 4
    error, _, offset = struct.unpack(">hqq", answer[place : place + 18])
    return error, offset


def metadata_result(answer):
    """({node id: (host, port)}, controller, {topic: (error, {partition: (error, leader)})}) of a Metadata 1 answer."""
    r = Reader(answer)
    nodes = {}
    for _ in range(r.take("i")):
        node, host, port, _ = r.take("i"), r.text(), r.take("i"), r.text()
        nodes[node] = (host, port)
    controller = r.take("i")
    topics = {}
    for _ in range(r.take("i")):
        error, name, _ = r.take("h"), r.text(), r.take("b")
        partitions = {}
        for _ in range(r.take("i")):
            part_error, index, leader = r.take("hii")
            for _ in ("replicas", "in sync"):
                count = r.take("i")
                r.place += 4 * count
            partitions[index] = (part_error, leader)
        topics[name] = (error, partitions)
    return nodes, controller, topics
