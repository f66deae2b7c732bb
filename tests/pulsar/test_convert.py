"""Conversion against the real world: batches of Kafka's own classes to native Pulsar clients, and their messages back.

    Kafka's classes -> batch -> libkop -> SEND -> Pulsar -> Python, Go, Java         compared field by field
                                                         -> raw entry -> libkop -> Kafka's classes, compared again
    Python, Go, Java -> Pulsar -> raw entry -> libkop -> batch -> Kafka's classes    compared field by field
"""

import random
import re

from kop import _abi

from harness import native, samples
from harness.case import case, note
from harness.convert import Converter
from harness.session import Session
from harness.wire import Entry

KAFKA_CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PUBLISH = 1_700_000_123_456


def build(kafka, records, **options):
    asked = [samples.record_request(record) for record in records]
    return samples.unb64(kafka.ask(op="build", records=asked, **options)["batch"])


def check(kafka, batches):
    """What Kafka's classes say of batches: (batches, records)."""
    answer = kafka.ask(op="check", batches=samples.b64(batches))
    return answer["batches"], [samples.record_answer(record) for record in answer["records"]]


class Sender:
    """Sends what libkop made, over raw frames."""

    def __init__(self, connection, topic):
        self.connection, self.topic, self.sequence = connection, topic, 0
        self.sent = []  # (frame's entry, its place among the offsets: first, last)
        self.offset = 0
        connection.producer(topic)

    def send(self, entries):
        for entry in entries:
            fields = {"producer_id": 1, "sequence_id": entry.sequence_id}
            fields["num_messages"] = entry.num_messages
            self.connection.send("SEND", entry.head + entry.payload, **fields)
            answer = self.connection.receipt(entry.sequence_id)
            assert answer.name == "SEND_RECEIPT", answer
            self.sequence = entry.sequence_id + 1
            self.sent.append((self.offset, self.offset + entry.num_messages - 1))
            self.offset += entry.num_messages


def raw_entries(pulsar, topic, count):
    """The frames MESSAGE of a topic, read without any client."""
    connection = pulsar.connect()
    connection.reader(topic, permits=1_000_000)
    found = []
    return connection.messages(lambda one: found.append(one) or len(found) == count)


# ---- what docs/conversion.md promises to native clients -------------------------------------------


def is_text(data):
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return not any(ord(c) < 32 and c not in "\t\n\r" or ord(c) == 127 for c in text)


def property_of(name, value):
    if not is_text(name.encode()):
        coded = samples.b64(name.encode())
        return ("kop.y." + coded, "") if value is None else ("kop.x." + coded, samples.b64(value))
    if value is None:
        return "kop.n." + name, ""
    if not is_text(value):
        return "kop.b." + name, samples.b64(value)
    return ("kop.t." if re.match(r"kop\.[tbnxy]\.", name) else "") + name, value.decode()


def as_native(client, record):
    """What a native client shows of a record: (key, value, properties, event time)."""
    key, value, properties = record["key"], record["value"], {}
    if client != "java":
        if key is not None and not is_text(key):
            key = samples.b64(key).encode()
        key = key or None  # they know no difference
    if client == "go" and value is None:
        value = b""
    for name, text in (property_of(*header) for header in record["headers"]):
        if client != "python" or name not in properties:
            properties[name] = text  # of a repeated name Python shows the first, the others the last
    return key, value, properties, max(record["timestamp"], 0)


def shown(message):
    return tuple(message[name] for name in ("key", "value", "properties", "event"))


# ---- Kafka to Pulsar ---------------------------------------------------------------------------------


@case(quick=True)
def convert_kafka_batches_for_native_clients_and_back(pulsar):
    kafka, converter = native.client("kafka"), Converter()
    topic, rng = pulsar.topic(), random.Random(4)
    sender, wanted, built = Sender(pulsar.connect(), topic), [], []
    shapes = [
        {},
        {"append_time": samples.EVENT + 77},
        {"producer_id": 4711, "producer_epoch": 3, "sequence": 2**31 - 2, "leader_epoch": 9},
        {"producer_id": 1, "producer_epoch": 0, "sequence": 0, "transactional": True},
    ]
    for codec in KAFKA_CODECS:
        for shape in shapes:
            records = samples.records(rng, rng.choice([1, 2, 7, 40]))
            batch = build(kafka, records, codec=codec, **shape)
            (facts,), read = check(kafka, batch)
            options = {"publish_time_ms": PUBLISH, "sequence_id": sender.sequence}
            sender.send(converter.to_pulsar(batch, **options))
            wanted += records
            built.append((facts, read))
    for name in native.CLIENTS:
        answer = native.client(name, pulsar.url).ask(op="read", topic=topic, count=len(wanted))
        for number, (record, found) in enumerate(zip(wanted, answer["messages"], strict=True)):
            found = samples.answer(found)
            expected = as_native(name, record)
            assert shown(found) == expected, f"{name}, message {number}: {shown(found)}, not {expected}"
            assert found["publish"] == PUBLISH and found.get("index", number) == number
        note(f"{len(wanted)} records in {len(built)} batches are read by {name}")
    frames = raw_entries(pulsar, topic, len(built))
    for (facts, read), message, (first, last) in zip(built, frames, sender.sent, strict=True):
        assert message.entry.index == last and message.entry.checksum_good is not False
        answer = converter.to_kafka(message.entry.raw, first, last)
        assert (answer.kind, answer.writer, answer.dropped) == ("batches", "library", 0), answer
        (again,), records = check(kafka, answer.batches)
        moved = facts | {"base": first, "last": last}
        assert again == moved, f"{again}, not {moved}"
        assert records == [record | {"offset": record["offset"] + first} for record in read]
    note("and come back to Kafka's classes as they were")


@case(quick=True)
def convert_through_the_session(pulsar):
    """As a gateway does: entries are sent, heads ready, and read by libkop's session; offsets come from the index."""
    kafka, topic, rng = native.client("kafka"), pulsar.topic(), random.Random(8)
    session = Session(pulsar.url)
    producer = session.open_producer(topic)
    name, sequence = session.wait("PRODUCER_READY").name, 0
    built, wanted, sent = [], [], []
    for number in range(25):
        records = samples.records(rng, rng.choice([1, 3, 30]))
        batch = build(
            kafka, records, codec=KAFKA_CODECS[number % 5], producer_id=5, producer_epoch=1, sequence=number
        )
        built.append(check(kafka, batch))
        options = {"sequence_id": sequence, "flags": _abi.KOP_TO_PULSAR_COUNT_MESSAGES, "producer_name": name}
        (entry,) = Converter().to_pulsar(batch, publish_time_ms=PUBLISH, **options)
        session.send_entry(producer, entry)
        wanted += records
        sent.append(entry)
        sequence = entry.highest_sequence_id + 1
    receipts = [session.wait("RECEIPT") for _ in sent]
    assert [one.sequence_id for one in receipts] == [one.sequence_id for one in sent]
    session.open_consumer(topic, permits=100_000)
    converter, offset = Converter(), 0
    for ((facts,), read), ours in zip(built, sent, strict=True):
        message = session.wait("MESSAGE")
        stored = Entry(message.bytes)
        assert stored.raw.endswith(ours.head + ours.payload), "what is stored is what was converted"
        answer = converter.to_kafka(message.bytes, stored.index - message.num_messages + 1, stored.index)
        (again,), records = check(kafka, answer.batches)
        assert again == facts | {"base": offset, "last": stored.index}
        assert records == [one | {"offset": one["offset"] + offset} for one in read]
        offset = stored.index + 1
    for client in native.CLIENTS:
        found = native.client(client, pulsar.url).ask(op="read", topic=topic, count=len(wanted))["messages"]
        for number, (record, message) in enumerate(zip(wanted, found, strict=True)):
            message = samples.answer(message)
            assert shown(message) == as_native(client, record), f"{client}, message {number}"
            assert message["publish"] == PUBLISH and message.get("index", number) == number
    session.close()
    note(f"{len(built)} batches, {offset} offsets, read by libkop and by {', '.join(native.CLIENTS)}")


@case("plain")
def convert_deduplication_knows_ready_heads(pulsar):
    """After a restart the broker learns what it has from the metadata in the log: hence the head says what the send says."""
    kafka, topic, converter = native.client("kafka"), pulsar.deduplicated_topic(), Converter()
    records = samples.records(random.Random(9), 10)
    options = {"flags": _abi.KOP_TO_PULSAR_COUNT_MESSAGES, "producer_name": b"gateway"}
    entries = [
        converter.to_pulsar(build(kafka, records), publish_time_ms=PUBLISH, sequence_id=first, **options)[0]
        for first in (0, 10, 20)
    ]
    session = Session(pulsar.url)
    producer = session.open_producer(topic, name="gateway")
    session.wait("PRODUCER_READY")
    for entry in entries[:2]:
        session.send_entry(producer, entry)
        assert not session.wait("RECEIPT").flags
    session.close()
    pulsar.kill()
    pulsar.start()
    session = Session(pulsar.url)
    producer = session.open_producer(topic, name="gateway")
    known = session.wait("PRODUCER_READY", timeout=40).last_sequence_id
    for entry in entries[1:]:
        session.send_entry(producer, entry)
    flags = [session.wait("RECEIPT").flags for _ in range(2)]
    session.close()
    note(f"after kill -9 the broker knows {known}; sent again and a new one: flags {flags}")
    assert known == 19 and flags == [_abi.KOP_PULSAR_DUPLICATE, 0]


@case()
def convert_control_batches_are_null_messages_to_native_clients(pulsar):
    kafka, converter, topic = native.client("kafka"), Converter(), pulsar.topic()
    sender, built = Sender(pulsar.connect(), topic), []
    for control in ("commit", "abort"):
        asked = {"timestamp": samples.EVENT, "producer_id": 7, "producer_epoch": 1}
        asked |= {"control": control, "coordinator_epoch": 12}
        batch = samples.unb64(kafka.ask(op="build", **asked)["batch"])
        built.append(check(kafka, batch))
        sender.send(converter.to_pulsar(batch, publish_time_ms=PUBLISH, sequence_id=sender.sequence))
    for name in native.CLIENTS:
        answer = native.client(name, pulsar.url).ask(op="read", topic=topic, count=2)
        found = [samples.answer(message) for message in answer["messages"]]
        assert [one["properties"]["kop.ctl"] for one in found] == ["commit", "abort"]
        assert {one["value"] for one in found} == {b"" if name == "go" else None}
    for ((facts,), (record,)), message, (first, last) in zip(
        built, raw_entries(pulsar, topic, 2), sender.sent, strict=True
    ):
        answer = converter.to_kafka(message.entry.raw, first, last)
        (again,), (found,) = check(kafka, answer.batches)
        assert again == facts | {"base": first, "last": last} and again["control"]
        assert found == record | {"offset": first}
        note(str(found))


@case()
def convert_batches_with_holes_keep_their_offsets(pulsar):
    kafka, converter, topic = native.client("kafka"), Converter(), pulsar.topic()
    sender, rng = Sender(pulsar.connect(), topic), random.Random(5)
    records = samples.records(rng, 6)
    offsets = [0, 3, 4, 9, 10, 20]
    batch = build(kafka, [one | {"offset": at} for one, at in zip(records, offsets)])
    _, read = check(kafka, batch)
    sender.send(converter.to_pulsar(batch, publish_time_ms=PUBLISH))
    assert sender.sent == [(0, 20)]
    for name in native.CLIENTS:
        # Java's passes over what is marked as removed by compaction; the others show an empty message in its place.
        count = 6 if name == "java" else 21
        answer = native.client(name, pulsar.url).ask(op="read", topic=topic, count=count)
        found = [samples.answer(message) for message in answer["messages"]]
        if name == "java":
            assert [one["index"] for one in found] == offsets
        else:
            holes = [shown(one) for at, one in enumerate(found) if at not in offsets]
            assert holes == [(None, b"", {}, 0)] * 15
            found = [found[at] for at in offsets]
        assert [shown(one) for one in found] == [as_native(name, one) for one in records]
    (message,) = raw_entries(pulsar, topic, 1)
    answer = converter.to_kafka(message.entry.raw, 0, message.entry.index)
    _, again = check(kafka, answer.batches)
    assert again == read


@case()
def convert_splits_what_is_too_large_for_the_broker(pulsar):
    kafka, converter, topic = native.client("kafka"), Converter(), pulsar.topic()
    limit = pulsar.connect().connected["max_message_size"]
    sender, rng = Sender(pulsar.connect(), topic), random.Random(6)
    records = [
        {"key": b"%d" % n, "value": rng.randbytes(400_000), "headers": [], "timestamp": samples.EVENT}
        for n in range(30)
    ]
    batch = build(kafka, records, codec="none")
    entries = converter.to_pulsar(batch, publish_time_ms=PUBLISH, max_entry_bytes=limit)
    note(f"{len(batch)} bytes, limit {limit}: entries of {[len(e.head + e.payload) for e in entries]}")
    assert len(entries) > 1 and max(len(one.head + one.payload) for one in entries) <= limit
    sender.send(entries)
    found = native.client("java", pulsar.url).ask(op="read", topic=topic, count=30)["messages"]
    assert [samples.unb64(one["value"]) for one in found] == [one["value"] for one in records]
    assert [one["index"] for one in found] == list(range(30))


# ---- Pulsar to Kafka ---------------------------------------------------------------------------------


def as_kafka(message, entry):
    """What Kafka shows of a native message, by docs/conversion.md."""
    key = message["key"] if message["key"] is not None else message["ordering"]
    headers = [[name, value.encode()] for name, value in message["properties"]]
    return key, message["value"], headers, message["event"] or entry.metadata["publish_time"]


@case(quick=True)
def convert_native_messages_for_kafka(pulsar):
    kafka, converter = native.client("kafka"), Converter()
    for writer in native.CLIENTS:
        client, topic = native.client(writer, pulsar.url), pulsar.topic(writer)
        sent, shapes = [], []
        for codec in samples.CODECS:
            for shape in ("single", "batch"):
                more = samples.messages(writer, seed=f"{codec} {shape}")
                asked = [samples.request(message) for message in more]
                client.ask(op="produce", topic=topic, messages=asked, codec=codec, shape=shape)
                sent += more
                shapes += [(codec, 1)] * len(more) if shape == "single" else [(codec, len(more))]
        offset = 0
        for (codec, count), message in zip(shapes, raw_entries(pulsar, topic, len(shapes)), strict=True):
            last = message.entry.index
            assert last == offset + count - 1
            answer = converter.to_kafka(message.entry.raw, offset, last)
            assert (answer.kind, answer.writer) == ("batches", "native"), answer
            (facts,), found = check(kafka, answer.batches)
            assert [one["offset"] for one in found] == list(range(offset, last + 1))
            for wanted, one in zip(sent[offset : last + 1], found, strict=True):
                # The order of properties is the client's: none of them promises it.
                one["headers"].sort()
                shown = tuple(one[name] for name in ("key", "value", "headers", "timestamp"))
                assert shown == as_kafka(wanted, message.entry), (writer, codec, wanted, one)
            offset = last + 1
        note(f"{writer}: {len(sent)} messages of every codec, single and batched")
        assert offset == len(sent)


@case()
def convert_native_chunks_for_kafka(pulsar):
    kafka, converter = native.client("kafka"), Converter()
    for writer in native.CLIENTS:
        client, topic = native.client(writer, pulsar.url), pulsar.topic(writer)
        for codec in samples.CODECS:
            value = random.Random(7).randbytes(6_400_000)
            wanted = samples.messages(writer)[1] | {"value": value}
            count = len(raw_entries(pulsar, topic, 2 * samples.CODECS.index(codec))) if codec != "none" else 0
            asked = [samples.request(wanted)]
            client.ask(op="produce", topic=topic, messages=asked, codec=codec, shape="chunk")
            parts = raw_entries(pulsar, topic, count + 2)[count:]
            answers = [
                converter.to_kafka(part.entry.raw, part.entry.index, part.entry.index) for part in parts
            ]
            assert {answer.kind for answer in answers} == {"chunk"}
            payload = b"".join(answer.chunk for answer in answers)
            last = parts[-1].entry
            answer = converter.chunks_to_kafka(last.raw, payload, last.index)
            assert answer.kind == "batches", (writer, codec, answer)
            _, (found,) = check(kafka, answer.batches)
            shown = tuple(found[name] for name in ("key", "value", "headers", "timestamp"))
            assert shown == as_kafka(wanted, last), (writer, codec)
            assert found["offset"] == count + 1
        note(f"{writer}: two chunks in each codec")
