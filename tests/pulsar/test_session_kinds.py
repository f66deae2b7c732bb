"""libkop's Pulsar session against the real one: the kinds of consumers, messages and credentials beside the usual ones."""

import ctypes as c
import time

from kop import _abi
from kop._library import check, library

from harness import native, samples
from harness.case import case, note
from harness.session import Session, error_name
from harness.wire import Entry
from test_session import a_session, publish, read, values, where

DURABLE, COMPACTED, CREATE, EARLIEST = 1, 2, 8, 16  # KOP_PULSAR_CONSUMER_
SUB_SHARED, SUB_KEY_SHARED = 1, 3


def metadata_of(hold, **fields):
    """A kop_pulsar_metadata with these fields present."""
    metadata = _abi.kop_pulsar_metadata()
    library.kop_pulsar_metadata_init(c.byref(metadata))
    for name, value in ({"publish_time": time.time_ns() // 1_000_000} | fields).items():
        metadata.present |= getattr(_abi, "KOP_PULSAR_HAS_" + name.upper())
        setattr(metadata, name, Session.slice(value, hold) if isinstance(value, str) else value)
    return metadata


def send_keyed(session, producer, number, key):
    """Sends v<number> under the key, which lives as long as the call."""
    hold = []
    session.send_as(producer, number, metadata_of(hold, partition_key=key), b"v%d" % number, 1)


def compact(pulsar, topic):
    path = f"{topic.replace('://', '/')}/compaction"
    pulsar.admin.put(path)
    deadline = time.monotonic() + 30
    while "SUCCESS" not in str(pulsar.admin.get(path)):
        assert time.monotonic() < deadline, "the topic is not compacted"
        time.sleep(0.2)


@case("plain")
def session_reads_a_compacted_topic(pulsar):
    topic = pulsar.topic()
    with a_session(pulsar) as session:
        producer = session.open_producer(topic)
        session.wait("PRODUCER_READY")
        for number in range(40):
            send_keyed(session, producer, number, f"k{number % 4}")
        for _ in range(40):
            session.wait("RECEIPT")
        compact(pulsar, topic)
        whole = session.open_consumer(topic, permits=100)
        assert [value for _, value, _ in read(session, whole, b"v39")] == values(40)
        reader = session.open_consumer(topic, flags=COMPACTED, permits=100)
        found = read(session, reader, b"v39")
        assert [value for _, value, _ in found] == [b"v36", b"v37", b"v38", b"v39"]
        assert [index for _, _, index in found] == [36, 37, 38, 39]
        for conn in list(session.sockets):
            session._closed(conn, "the network is cut")
        send_keyed(session, producer, 40, "k1")
        assert [value for _, value, _ in read(session, reader, b"v40")] == [b"v40"], "it goes on behind what it gave"


@case("plain")
def session_consumers_share_by_turn_and_by_key(pulsar):
    for kind in (SUB_SHARED, SUB_KEY_SHARED):
        topic = pulsar.topic(f"kind-{kind}")
        with a_session(pulsar) as session:
            fields = {"subscription": "group", "type": kind, "flags": DURABLE | EARLIEST, "permits": 1000}
            consumers = [session.open_consumer(topic, name=name, **fields) for name in ("a", "b")]
            for _ in consumers:
                session.wait("CONSUMER_READY")
            producer = session.open_producer(topic)
            session.wait("PRODUCER_READY")
            for number in range(200):
                send_keyed(session, producer, number, f"key-{number % 20}")
            keys, payloads = {consumer: set() for consumer in consumers}, []
            for _ in range(200):
                message = session.wait("MESSAGE")
                entry = Entry(message.bytes)
                keys[message.target].add(entry.metadata["partition_key"])
                payloads.append(entry.payload)
            note(f"kind {kind}: {[len(found) for found in keys.values()]} keys of 20")
            assert sorted(payloads) == sorted(values(200)) and all(keys.values())
            assert bool(keys[consumers[0]] & keys[consumers[1]]) == (kind == SUB_SHARED)


@case("plain")
def session_creates_a_topic_only_if_it_may(pulsar):
    topic = pulsar.topic("missing", create=False)
    with a_session(pulsar) as session:
        for fields in ({}, {"subscription": "group", "flags": DURABLE}):
            session.open_consumer(topic, **fields)
            closed = session.wait("CONSUMER_CLOSED")
            note(f"{fields}: {error_name(closed.server_error)}, {closed.text}")
            assert error_name(closed.server_error) == "TopicNotFound"
            assert topic not in pulsar.admin.get("persistent/public/default")
        reader = session.open_consumer(topic, flags=CREATE, permits=10)
        session.wait("CONSUMER_READY")
        assert topic in pulsar.admin.get("persistent/public/default")
        producer = session.open_producer(topic)
        session.wait("PRODUCER_READY")
        places = publish(session, producer, [b"end"])
        assert [place for place, _, _ in read(session, reader, b"end")] == places


@case("plain")
def session_sends_a_message_in_chunks(pulsar):
    topic, whole, size = pulsar.topic(), bytes(range(256)) * 40, 4000
    with a_session(pulsar) as session:
        producer = session.open_producer(topic)
        session.wait("PRODUCER_READY")
        pieces, hold = [whole[at : at + size] for at in range(0, len(whole), size)], []
        for number, piece in enumerate(pieces):
            metadata = metadata_of(
                hold,
                uuid="u-1",
                num_chunks_from_msg=len(pieces),
                total_chunk_msg_size=len(whole),
                chunk_id=number,
                uncompressed_size=len(whole),
            )
            lent = c.create_string_buffer(piece, len(piece))
            slices = (_abi.kop_slice * 1)(_abi.kop_slice(c.addressof(lent), len(piece)))
            hold += [lent, slices, metadata]
            info = _abi.kop_pulsar_send_info(
                size=c.sizeof(_abi.kop_pulsar_send_info),
                context=number,
                metadata=c.pointer(metadata),
                payload=slices,
                payload_count=1,
                num_messages=1,
                sequence_id=7,
                flags=_abi.KOP_PULSAR_SEND_CHUNK,
            )
            check(library.kop_pulsar_send(session.handle, producer, c.byref(info), session.now()))
        receipts = [session.wait("RECEIPT") for _ in pieces]
        assert [(event.context, event.sequence_id) for event in receipts] == [(n, 7) for n in range(len(pieces))]
        places = [where(event) for event in receipts]
        assert places == sorted(set(places)), "each chunk is an entry of its own"
        reader = session.open_consumer(topic, permits=100)
        assert b"".join(value for _, value, _ in read(session, reader, pieces[-1])) == whole
        for name in native.CLIENTS:
            (got,) = native.client(name, pulsar.url).ask(op="read", topic=topic, count=1)["messages"]
            assert samples.answer(got)["value"] == whole, name


@case("token-basic")
def session_basic_credentials(pulsar):
    topic = pulsar.topic()
    with a_session(pulsar, auth_method="basic", auth_data="admin:wrong") as session:
        session.open_producer(topic)
        closed = session.wait("PRODUCER_CLOSED")
        note(f"a wrong password: {error_name(closed.server_error)}, {closed.text}")
        assert error_name(closed.server_error) == "AuthenticationError"
        update(session, "admin:right")
        producer = session.open_producer(topic)
        session.wait("PRODUCER_READY")
        publish(session, producer, values(2))
        update(session, "admin:wrong")
        publish(session, producer, values(1), first=2)  # the connection stays what it is
        assert not session.take("PRODUCER_DOWN")
        for conn in list(session.sockets):
            session._closed(conn, "the network is cut")
        assert error_name(session.wait("PRODUCER_CLOSED").server_error) == "AuthenticationError"


def update(session, credentials):
    check(library.kop_pulsar_auth_update(session.handle, session.slice(credentials, [])))
