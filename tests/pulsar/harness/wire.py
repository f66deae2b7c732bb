"""Pulsar's protocol by hand, frame by frame: for tests that must do what no client library does.

A command is a name and its fields, as in `connection.send("PRODUCER", topic=..., producer_id=1)`; what arrives is a
Frame with the fields as a dict. It shares no code with libkop, so it is a witness of its own.

    simple    [total u32][size u32][command]
    payload   [total u32][size u32][command] {[0x0e02][size u32][entry metadata]} {[0x0e01][crc32c u32]}
              [size u32][metadata][payload]
"""

import collections
import itertools
import socket
import ssl
import struct
import threading
import time

# Protobuf: field name -> (number, kind). A kind is `int` (all varints; the 64 bit ones may be negative), `str`, `bytes`,
# or a table of fields; in a list it is repeated.
KEY_VALUE = {"key": (1, str), "value": (2, str)}
KEY_LONG = {"key": (1, str), "value": (2, int)}
FEATURES = {
    "auth_refresh": (1, int),
    "broker_entry_metadata": (2, int),
    "partial_producer": (3, int),
    "topic_watchers": (4, int),
    "get_partitioned_metadata_without_auto_creation": (5, int),
}
MESSAGE_ID = {
    "ledger": (1, int),
    "entry": (2, int),
    "partition": (3, int),
    "batch_index": (4, int),
    "ack_set": (5, [int]),
    "batch_size": (6, int),
}
AUTH_DATA = {"auth_method_name": (1, str), "auth_data": (2, bytes)}

COMMANDS = {
    "CONNECT": (
        2,
        {
            "client_version": (1, str),
            "auth_data": (3, bytes),
            "protocol_version": (4, int),
            "auth_method_name": (5, str),
            "proxy_to_broker_url": (6, str),
            "feature_flags": (10, FEATURES),
        },
    ),
    "CONNECTED": (
        3,
        {
            "server_version": (1, str),
            "protocol_version": (2, int),
            "max_message_size": (3, int),
            "feature_flags": (4, FEATURES),
        },
    ),
    "SUBSCRIBE": (
        4,
        {
            "topic": (1, str),
            "subscription": (2, str),
            "sub_type": (3, int),
            "consumer_id": (4, int),
            "request_id": (5, int),
            "consumer_name": (6, str),
            "durable": (8, int),
            "start_message_id": (9, MESSAGE_ID),
            "read_compacted": (11, int),
            "initial_position": (13, int),
            "force_topic_creation": (15, int),
        },
    ),
    "PRODUCER": (
        5,
        {
            "topic": (1, str),
            "producer_id": (2, int),
            "request_id": (3, int),
            "producer_name": (4, str),
            "epoch": (8, int),
            "user_provided_producer_name": (9, int),
            "access_mode": (10, int),
            "topic_epoch": (11, int),
        },
    ),
    "SEND": (
        6,
        {
            "producer_id": (1, int),
            "sequence_id": (2, int),
            "num_messages": (3, int),
            "highest_sequence_id": (6, int),
            "is_chunk": (7, int),
        },
    ),
    "SEND_RECEIPT": (
        7,
        {
            "producer_id": (1, int),
            "sequence_id": (2, int),
            "message_id": (3, MESSAGE_ID),
            "highest_sequence_id": (4, int),
        },
    ),
    "SEND_ERROR": (
        8,
        {"producer_id": (1, int), "sequence_id": (2, int), "error": (3, int), "message": (4, str)},
    ),
    "MESSAGE": (
        9,
        {
            "consumer_id": (1, int),
            "message_id": (2, MESSAGE_ID),
            "redelivery_count": (3, int),
            "ack_set": (4, [int]),
            "consumer_epoch": (5, int),
        },
    ),
    "ACK": (
        10,
        {
            "consumer_id": (1, int),
            "ack_type": (2, int),
            "message_id": (3, [MESSAGE_ID]),
            "properties": (5, [KEY_LONG]),
            "request_id": (8, int),
        },
    ),
    "FLOW": (11, {"consumer_id": (1, int), "permits": (2, int)}),
    "UNSUBSCRIBE": (12, {"consumer_id": (1, int), "request_id": (2, int)}),
    "SUCCESS": (13, {"request_id": (1, int)}),
    "ERROR": (14, {"request_id": (1, int), "error": (2, int), "message": (3, str)}),
    "CLOSE_PRODUCER": (15, {"producer_id": (1, int), "request_id": (2, int), "assigned": (3, str)}),
    "CLOSE_CONSUMER": (16, {"consumer_id": (1, int), "request_id": (2, int), "assigned": (3, str)}),
    "PRODUCER_SUCCESS": (
        17,
        {
            "request_id": (1, int),
            "producer_name": (2, str),
            "last_sequence_id": (3, int),
            "topic_epoch": (5, int),
            "producer_ready": (6, int),
        },
    ),
    "PING": (18, {}),
    "PONG": (19, {}),
    "PARTITIONED_METADATA": (
        21,
        {"topic": (1, str), "request_id": (2, int), "metadata_auto_creation_enabled": (6, int)},
    ),
    "PARTITIONED_METADATA_RESPONSE": (
        22,
        {
            "partitions": (1, int),
            "request_id": (2, int),
            "response": (3, int),
            "error": (4, int),
            "message": (5, str),
        },
    ),
    "LOOKUP": (23, {"topic": (1, str), "request_id": (2, int), "authoritative": (3, int)}),
    "LOOKUP_RESPONSE": (
        24,
        {
            "broker_url": (1, str),
            "broker_url_tls": (2, str),
            "response": (3, int),
            "request_id": (4, int),
            "authoritative": (5, int),
            "error": (6, int),
            "message": (7, str),
            "proxy_through_service_url": (8, int),
        },
    ),
    "REACHED_END_OF_TOPIC": (27, {"consumer_id": (1, int)}),
    "SEEK": (
        28,
        {
            "consumer_id": (1, int),
            "request_id": (2, int),
            "message_id": (3, MESSAGE_ID),
            "publish_time": (4, int),
        },
    ),
    "GET_LAST_MESSAGE_ID": (29, {"consumer_id": (1, int), "request_id": (2, int)}),
    "GET_LAST_MESSAGE_ID_RESPONSE": (
        30,
        {
            "last_message_id": (1, MESSAGE_ID),
            "request_id": (2, int),
            "mark_delete": (3, MESSAGE_ID),
        },
    ),
    "GET_TOPICS": (32, {"request_id": (1, int), "namespace": (2, str), "mode": (3, int)}),
    "GET_TOPICS_RESPONSE": (
        33,
        {"request_id": (1, int), "topics": (2, [str]), "topics_hash": (4, str)},
    ),
    "AUTH_CHALLENGE": (
        36,
        {"server_version": (1, str), "challenge": (2, AUTH_DATA), "protocol_version": (3, int)},
    ),
    "AUTH_RESPONSE": (
        37,
        {"client_version": (1, str), "response": (2, AUTH_DATA), "protocol_version": (3, int)},
    ),
    "ACK_RESPONSE": (
        38,
        {"consumer_id": (1, int), "error": (4, int), "message": (5, str), "request_id": (6, int)},
    ),
    "WATCH_TOPICS": (
        64,
        {
            "request_id": (1, int),
            "watcher_id": (2, int),
            "namespace": (3, str),
            "topics_pattern": (4, str),
        },
    ),
    "WATCH_TOPICS_SUCCESS": (
        65,
        {
            "request_id": (1, int),
            "watcher_id": (2, int),
            "topics": (3, [str]),
            "topics_hash": (4, str),
        },
    ),
    "WATCH_TOPICS_UPDATE": (
        66,
        {
            "watcher_id": (1, int),
            "new_topics": (2, [str]),
            "deleted_topics": (3, [str]),
            "topics_hash": (4, str),
        },
    ),
    "WATCH_TOPICS_CLOSE": (67, {"request_id": (1, int), "watcher_id": (2, int)}),
}
COMMAND_OF = {number: (name, fields) for name, (number, fields) in COMMANDS.items()}

METADATA = {
    "producer_name": (1, str),
    "sequence_id": (2, int),
    "publish_time": (3, int),
    "properties": (4, [KEY_VALUE]),
    "replicated_from": (5, str),
    "partition_key": (6, str),
    "compression": (8, int),
    "uncompressed_size": (9, int),
    "num_messages_in_batch": (11, int),
    "event_time": (12, int),
    "schema_version": (16, bytes),
    "partition_key_b64_encoded": (17, int),
    "ordering_key": (18, bytes),
    "deliver_at_time": (19, int),
    "marker_type": (20, int),
    "highest_sequence_id": (24, int),
    "null_value": (25, int),
    "uuid": (26, str),
    "num_chunks": (27, int),
    "total_chunk_size": (28, int),
    "chunk_id": (29, int),
    "null_partition_key": (30, int),
}
SINGLE = {
    "properties": (1, [KEY_VALUE]),
    "partition_key": (2, str),
    "payload_size": (3, int),
    "compacted_out": (4, int),
    "event_time": (5, int),
    "partition_key_b64_encoded": (6, int),
    "ordering_key": (7, bytes),
    "sequence_id": (8, int),
    "null_value": (9, int),
    "null_partition_key": (10, int),
}
ENTRY_METADATA = {"broker_timestamp": (1, int), "index": (2, int)}

# CommandProducer.access_mode
SHARED, EXCLUSIVE, WAIT_FOR_EXCLUSIVE, EXCLUSIVE_WITH_FENCING = range(4)

ERRORS = dict(
    enumerate(
        "Unknown Metadata Persistence Authentication Authorization ConsumerBusy ServiceNotReady QuotaExceededError "
        "QuotaExceededException Checksum UnsupportedVersion TopicNotFound SubscriptionNotFound ConsumerNotFound "
        "TooManyRequests TopicTerminated ProducerBusy InvalidTopicName IncompatibleSchema ConsumerAssign "
        "TransactionCoordinatorNotFound InvalidTxnStatus NotAllowed TransactionConflict TransactionNotFound "
        "ProducerFenced".split()
    )
)

EARLIEST = {"ledger": -1, "entry": -1}
LATEST = {"ledger": 2**63 - 1, "entry": 2**63 - 1}


def varint(number):
    number &= 2**64 - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode(fields, values):
    out = bytearray()
    for name, value in values.items():
        number, kind = fields[name]
        for item in value if isinstance(kind, list) else [value]:
            out += encode_field(number, kind[0] if isinstance(kind, list) else kind, item)
    return bytes(out)


def encode_field(number, kind, value):
    if kind is int:
        return varint(number << 3) + varint(int(value))
    if kind is str:
        value = value.encode()
    elif isinstance(kind, dict):
        value = encode(kind, value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def read_varint(data, at):
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return number, at


def decode(fields, data):
    named = {number: (name, kind) for name, (number, kind) in fields.items()}
    out, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            value, at = read_varint(data, at)
            value -= 2**64 if value >= 2**63 else 0
        elif tag & 7 == 2:
            size, at = read_varint(data, at)
            value, at = bytes(data[at : at + size]), at + size
        elif tag & 7 in (1, 5):
            at += 8 if tag & 7 == 1 else 4
            continue
        else:
            raise ValueError(f"wire type {tag & 7}")
        if tag >> 3 not in named:
            continue
        name, kind = named[tag >> 3]
        single = kind[0] if isinstance(kind, list) else kind
        if single is str:
            value = value.decode("utf-8", "surrogateescape")
        elif isinstance(single, dict):
            value = decode(single, value)
        if isinstance(kind, list):
            out.setdefault(name, []).append(value)
        else:
            out[name] = value
    return out


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def entry_bytes(metadata, payload=b"", checksum=True):
    """What follows the command in a SEND: checksum, metadata and payload."""
    meta = encode(METADATA, metadata)
    body = struct.pack(">I", len(meta)) + meta + payload
    return (struct.pack(">HI", 0x0E01, crc32c(body)) if checksum else b"") + body


def batch_payload(messages):
    """The payload of a batch: pairs of single metadata, without payload_size, and value."""
    out = b""
    for single, value in messages:
        meta = encode(SINGLE, single | {"payload_size": len(value)})
        out += struct.pack(">I", len(meta)) + meta + value
    return out


class Entry:
    """What follows the command in a MESSAGE, taken apart."""

    def __init__(self, data):
        self.raw, at = data, 0
        self.broker = {}
        self.checksum_good = None
        if data[at : at + 2] == b"\x0e\x02":
            (size,) = struct.unpack_from(">I", data, at + 2)
            self.broker = decode(ENTRY_METADATA, data[at + 6 : at + 6 + size])
            at += 6 + size
        if data[at : at + 2] == b"\x0e\x01":
            (crc,) = struct.unpack_from(">I", data, at + 2)
            at += 6
            self.checksum_good = crc32c(data[at:]) == crc if len(data) < 100_000 else None
        (size,) = struct.unpack_from(">I", data, at)
        self.metadata = decode(METADATA, data[at + 4 : at + 4 + size])
        self.payload = data[at + 4 + size :]
        self.index = self.broker.get("index")


Frame = collections.namedtuple("Frame", "name fields entry")


class Closed(Exception):
    """The broker has closed the connection."""


class Connection:
    """One connection, read by a thread of its own, so that PINGs are answered whatever the test does."""

    def __init__(self, port, token=None, tls=None, tls_name=None, pong=True, host="127.0.0.1", **connect):
        self.socket = socket.create_connection((host, port), 10)
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.create_default_context(cafile=tls)
            self.socket = context.wrap_socket(self.socket, server_hostname=tls_name or host)
        self.requests = itertools.count(1)
        self.frames = collections.deque()  # that nobody has taken yet, with the time of their arrival
        self.closed = False
        self.pings = 0
        self.pong = pong
        self.token = token
        self.changed = threading.Condition()
        self.writing = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()
        auth = {"auth_method_name": "token", "auth_data": token.encode()} if token else {}
        flags = {"auth_refresh": 1, "broker_entry_metadata": 1}
        fields = {"client_version": "test", "protocol_version": 21, "feature_flags": flags} | auth
        self.send("CONNECT", **fields | connect)
        self.connected = self.expect("CONNECTED").fields

    def send(self, command, entry=b"", **fields):
        self.send_bytes(frame(command, entry, **fields))

    def send_bytes(self, data):
        with self.writing:
            try:
                self.socket.sendall(data)
            except OSError as error:
                raise Closed from error

    def request(self, command, **fields):
        """Sends a request; returns its answer, a Frame, whether it is a success or an error."""
        number = next(self.requests)
        self.send(command, request_id=number, **fields)
        return self.take(lambda frame: frame.fields.get("request_id") == number)

    def take(self, wanted, timeout=20):
        """The first frame that is wanted; the others stay where they are."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                for at, (_, frame) in enumerate(self.frames):
                    if wanted(frame):
                        self.arrived = self.frames[at][0]
                        del self.frames[at]
                        return frame
                if self.closed:
                    raise Closed
                if not self.changed.wait(max(0, deadline - time.monotonic())):
                    waiting = [frame.name for _, frame in self.frames]
                    raise TimeoutError(f"no such frame within {timeout} s, but {waiting[:20]}")

    def expect(self, *names, timeout=20):
        frame = self.take(lambda frame: frame.name in (*names, "ERROR"), timeout)
        if frame.name not in names:
            raise AssertionError(f"{' or '.join(names)} wanted, came {frame}")
        return frame

    def await_close(self, timeout=20):
        with self.changed:
            return self.changed.wait_for(lambda: self.closed, timeout)

    def seen(self, *names):
        """How many frames of these names have arrived and were not taken."""
        with self.changed:
            return sum(frame.name in names for _, frame in self.frames)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    # What tests do again and again.

    def producer(self, topic, mode=SHARED, producer_id=1, name=None, **fields):
        """Opens a producer; returns the fields of PRODUCER_SUCCESS, or raises Refused."""
        if name:
            fields |= {"producer_name": name, "user_provided_producer_name": 1}
        answer = self.request(
            "PRODUCER", topic=topic, producer_id=producer_id, access_mode=mode, **fields
        )
        if answer.name == "ERROR":
            raise Refused(answer.fields)
        return answer.fields

    def take_over(self, topic, name, seconds=30):
        """Opens an exclusive producer whoever holds the topic. The broker refuses a name (ProducerBusy) for as long as it
        takes the connection that had it for alive: then it is asked again."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.producer(topic, EXCLUSIVE_WITH_FENCING, name=name)
            except Refused as busy:
                if busy.error != "ProducerBusy" or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def publish(self, sequence, value, producer_id=1, count=1, **metadata):
        self.send_bytes(send_frame(sequence, value, producer_id, count, **metadata))

    def receipt(self, sequence=None, timeout=20):
        """The answer to a SEND: a Frame, SEND_RECEIPT or SEND_ERROR."""
        return self.take(
            lambda frame: (
                frame.name in ("SEND_RECEIPT", "SEND_ERROR")
                and sequence in (None, frame.fields["sequence_id"])
            ),
            timeout,
        )

    def reader(self, topic, start=EARLIEST, consumer_id=1, permits=1000, **fields):
        answer = self.request(
            "SUBSCRIBE",
            topic=topic,
            subscription=f"reader-{id(self):x}-{consumer_id}",
            sub_type=0,
            consumer_id=consumer_id,
            durable=0,
            start_message_id=start,
            force_topic_creation=0,
            **fields,
        )
        if answer.name == "ERROR":
            raise Refused(answer.fields)
        self.send("FLOW", consumer_id=consumer_id, permits=permits)

    def messages(self, until, consumer_id=1, timeout=20):
        """Frames MESSAGE of a consumer, in order, up to the one for which until(frame) holds."""
        found = []
        while not found or not until(found[-1]):
            found.append(
                self.take(
                    lambda frame: (
                        frame.name == "MESSAGE" and frame.fields["consumer_id"] == consumer_id
                    ),
                    timeout,
                )
            )
        return found

    # The reading thread.

    def _read(self):
        try:
            buffer = self.socket.makefile("rb", 1 << 20)
            while head := buffer.read(4):
                body = buffer.read(*struct.unpack(">I", head))
                self._arrive(parse(body))
        except (OSError, struct.error, ValueError):
            pass
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def _arrive(self, frame):
        if frame.name == "PING":
            self.pings += 1
            if self.pong:
                self.send("PONG")
            return
        if frame.name == "AUTH_CHALLENGE" and self.token:
            token = self.token() if callable(self.token) else self.token
            response = {"auth_method_name": "token", "auth_data": token.encode()}
            self.send("AUTH_RESPONSE", client_version="test", response=response)
        with self.changed:
            self.frames.append((time.monotonic(), frame))
            self.changed.notify_all()


class Refused(Exception):
    """An ERROR of the broker."""

    def __init__(self, fields):
        super().__init__(f"{ERRORS.get(fields['error'], '?')}: {fields.get('message', '')}")
        self.error = ERRORS.get(fields["error"], "?")
        self.message = fields.get("message", "")


def frame(command, entry=b"", **fields):
    number, table = COMMANDS[command]
    message = varint(1 << 3) + varint(number) + encode_field(number, table, fields)
    return struct.pack(">II", 4 + len(message) + len(entry), len(message)) + message + entry


def send_frame(sequence, value, producer_id=1, count=1, **metadata):
    """A SEND of one message, or of a payload that the caller has made, with num_messages_in_batch in the metadata."""
    meta = {"producer_name": "raw", "sequence_id": sequence, "publish_time": int(time.time() * 1000)}
    entry = entry_bytes(meta | metadata, value)
    return frame(
        "SEND", entry, producer_id=producer_id, sequence_id=sequence, num_messages=count
    )


def parse(body):
    (size,) = struct.unpack_from(">I", body)
    command = body[4 : 4 + size]
    _, at = read_varint(command, 0)  # the field `type` comes first
    number, _ = read_varint(command, at)
    name, fields = COMMAND_OF.get(number, (str(number), {}))
    values = decode({"command": (number, fields)}, command).get("command", {}) if fields else {}
    tail = body[4 + size :]
    return Frame(name, values, Entry(tail) if name == "MESSAGE" else None)
