"""libkop from Python on the real Pulsar, each of its faces once: what bindings/python promises, on asyncio's sockets."""

import time

import kop
from harness.case import case, note
from harness.client import Client, run
from harness.offsets import Http
from harness.wire import Entry
from kop import offset, pulsar_admin, pulsar_entry
from kop.pulsar import LATEST, MessageId, Part, Topic, messages

DURABLE = {
    "subscription": "group",
    "flags": kop.PULSAR_CONSUMER_DURABLE | kop.PULSAR_CONSUMER_FROM_EARLIEST,
    "permits": 100,
}


async def publish(client, producer, values):
    """Sends values as entries of their own; returns their ids, receipts awaited."""
    for number, value in enumerate(values):
        client.session.send(producer, value, sequence_id=number, context=number)
    receipts = [await client.event(kop.PULSAR_RECEIPT) for _ in values]
    assert [event.context for event in receipts] == list(range(len(values)))
    return [event.id for event in receipts]


def values_of(events):
    return [m.value for event in events for m in messages(event.bytes, ack_set=event.ack_set)]


@case("plain", quick=True)
def binding_produces_and_reads(pulsar):
    run(produces_and_reads(pulsar, pulsar.topic()))


async def produces_and_reads(pulsar, topic):
    async with Client(pulsar.url) as client:
        producer, ready = await client.producer(topic)
        fields = {"properties": [("a", "ä"), ("a", "")], "partition_key": "k", "event_time": 5}
        client.session.send(producer, b"single", sequence_id=1, context="single", **fields)
        items = [b"one", {"value": None, "partition_key": "k", "properties": {"x": "y"}}, b""]
        payload = pulsar_entry.batch(items)
        packed = pulsar_entry.compress(payload, kop.PULSAR_COMPRESSION_ZSTD)
        compression = {"compression": kop.PULSAR_COMPRESSION_ZSTD, "uncompressed_size": len(payload)}
        client.session.send(
            producer, packed, sequence_id=2, num_messages=3, context="batch", **compression
        )
        receipts = [await client.event(kop.PULSAR_RECEIPT) for _ in range(2)]
        assert [event.context for event in receipts] == ["single", "batch"]
        assert receipts[0].id < receipts[1].id < LATEST

        reader = await client.consumer(topic, permits=10)
        events = await client.entries(reader, 2)
        assert [event.id for event in events] == [event.id for event in receipts]
        found = [m for event in events for m in messages(event.bytes)]
        assert [(m.index, m.batch_index, m.key, m.value, m.properties) for m in found] == [
            (0, 0, b"k", b"single", fields["properties"]),
            (1, 0, None, b"one", []),
            (2, 1, b"k", None, [("x", "y")]),
            (3, 2, None, b"", []),
        ]
        assert found[0].event_time == 5 and abs(found[0].publish_time / 1000 - time.time()) < 60
        entry, by_hand = pulsar_entry.read(events[1].bytes), Entry(events[1].bytes)
        assert (entry.kind, entry.index) == (kop.PULSAR_KIND_BATCH, 3)
        assert entry.metadata == by_hand.metadata, (entry.metadata, by_hand.metadata)
        assert entry.metadata["producer_name"] == ready.name.decode()
        assert by_hand.raw.endswith(pulsar_entry.write(entry.payload, **entry.metadata))

        client.session.producer_close(producer)
        await client.event(kop.PULSAR_PRODUCER_CLOSED)
        client.session.consumer_close(reader)
        assert (await client.event(kop.PULSAR_CONSUMER_CLOSED)).outcome == kop.PULSAR_DONE
        stats = client.session.stats()
        assert (stats["receipts_total"], stats["messages_total"]) == (2, 2), stats


@case("plain", quick=True)
def binding_acknowledges_and_seeks(pulsar):
    run(acknowledges_and_seeks(pulsar, pulsar.topic()))


async def acknowledges_and_seeks(pulsar, topic):
    async with Client(pulsar.url) as client:
        session = client.session
        producer, _ = await client.producer(topic)
        ids = await publish(client, producer, [b"%d" % number for number in range(10)])
        consumer = await client.consumer(topic, **DURABLE)
        events = await client.entries(consumer, 10)
        assert [event.id for event in events] == ids
        await client.result(
            session.ack(consumer, [ids[3]], cumulative=True, properties={"kop.offset": 4})
        )
        await client.result(session.ack(consumer, [ids[5], ids[6]]))
        last = await client.result(session.last_message_id(consumer))
        assert last.last_message_id.entry_id == ids[9].entry_id
        assert last.mark_delete.entry_id == ids[3].entry_id
        cursor = pulsar.admin.internal_stats(topic)["cursors"]["group"]
        assert cursor["properties"] == {"kop.offset": 4}, cursor
        session.consumer_close(consumer)
        await client.event(kop.PULSAR_CONSUMER_CLOSED)

        consumer = await client.consumer(topic, **DURABLE)
        assert values_of(await client.entries(consumer, 4)) == [b"4", b"7", b"8", b"9"]
        assert session.ack(consumer, ids[7:], receipt=False) is None
        await client.result(session.seek(consumer, ids[8]))
        await client.event(kop.PULSAR_CONSUMER_READY)
        session.flow(consumer, 10)
        assert values_of(await client.entries(consumer, 2)) == [b"8", b"9"]
        await client.result(session.seek(consumer, publish_ms=1))
        await client.event(kop.PULSAR_CONSUMER_READY)
        session.flow(consumer, 10)
        assert values_of(await client.entries(consumer, 1)) == [b"0"]
        await client.result(session.unsubscribe(consumer))
        assert (await client.event(kop.PULSAR_CONSUMER_CLOSED)).target == consumer
        assert pulsar.admin.stats(topic)["subscriptions"] == {}


@case("plain", quick=True)
def binding_looks_up_and_watches(pulsar):
    run(looks_up_and_watches(pulsar))


async def looks_up_and_watches(pulsar):
    base = Topic.read("binding-partitioned")
    http = Http(pulsar)
    http.ask(kop.PULSAR_ADMIN_CREATE_PARTITIONED, topic="binding-partitioned", number=2)
    async with Client(pulsar.url) as client:
        session = client.session
        watcher = session.watch("public/default")
        snapshot = await client.event(kop.PULSAR_TOPICS_CHANGED)
        assert (snapshot.target, snapshot.flags) == (watcher, kop.PULSAR_SNAPSHOT)
        parts = [Topic(base.tenant, base.name_space, base.local, number) for number in range(2)]
        assert set(parts) <= {Topic.read(name.decode()) for name in snapshot.added}
        assert (await client.result(session.partitions(str(base)))).partitions == 2
        listed = await client.result(session.topics("public/default"))
        assert {str(part).encode() for part in parts} <= set(listed.topics)
        owner = await client.result(session.lookup(str(parts[1])))
        assert (owner.broker_host, owner.broker_port) == (b"127.0.0.1", pulsar.port)
        refused = session.lookup("persistent://public/none/x")
        refused = await client.event(kop.PULSAR_RESULT, lambda event: event.target == refused)
        words = kop.pulsar.outcome_name(refused.outcome), kop.pulsar.server_error_name(refused.server_error)
        note(f"look-up in no namespace: {words}")
        assert refused.outcome == kop.PULSAR_REFUSED and words[1] != "none"
        fresh = pulsar.topic("fresh").encode()
        change = await client.event(kop.PULSAR_TOPICS_CHANGED, lambda event: fresh in event.added)
        assert change.target == watcher and not change.flags
        http.ask(kop.PULSAR_ADMIN_DELETE_TOPIC, topic=fresh.decode(), force=1)
        await client.event(kop.PULSAR_TOPICS_CHANGED, lambda event: fresh in event.removed)
        session.unwatch(watcher)
        assert (await client.event(kop.PULSAR_WATCH_CLOSED)).outcome == kop.PULSAR_DONE


@case("plain", quick=True)
def binding_converts(pulsar):
    run(converts(pulsar, pulsar.topic()))


async def converts(pulsar, topic):
    records = [
        kop.Record(0, 1_700_000_000_000, b"\xff", b"v" * 300, [("a", b"1"), ("b", None), ("a", b"\xff")]),
        kop.Record(1, 1_700_000_000_005, None, None, []),
        kop.Record(2, -1, b"", b"", []),
    ]
    converter = kop.Converter()
    batch = kop.batch(records, producer_id=9, producer_epoch=2, base_sequence=70, codec=kop.CODEC_LZ4)
    async with Client(pulsar.url) as client:
        producer, ready = await client.producer(topic)
        entry, = converter.to_pulsar(batch, 1_790_000_000_000, producer_name=ready.name, sequence_id=5)
        client.session.send_entry(producer, entry, context="converted")
        receipt = await client.event(kop.PULSAR_RECEIPT)
        assert (receipt.context, receipt.sequence_id) == ("converted", 5)
        [event] = await client.entries(await client.consumer(topic, permits=10), 1)
        said = kop.facts(event.bytes)
        assert (said.producer_id, said.producer_epoch, said.base_sequence) == (9, 2, 70), said
        last = pulsar_entry.read(event.bytes).index
        answer = converter.to_kafka(event.bytes, last - 2, last)
        assert (answer.kind, answer.writer) == (kop.ANSWER_BATCHES, kop.CONVERT_BY_LIBRARY), answer
        assert list(kop.records(answer.batches)) == records
        # A native consumer reads the same messages.
        assert values_of([event]) == [b"v" * 300, None, b""]


@case("short-ledgers", quick=True)
def binding_finds_offsets(pulsar):
    run(finds_offsets(pulsar, pulsar.topic()))


async def finds_offsets(pulsar, topic):
    pulsar.admin.retention(topic, -1, -1)
    http = Http(pulsar, topic)
    async with Client(pulsar.url) as client:
        producer, _ = await client.producer(topic)
        ids = await publish(client, producer, [b"x"] * 170)

        async def read(start):
            """The first entry at or after a position, by a reader with one permit."""
            reader = await client.consumer(topic, start=start, permits=1)
            [event] = await client.entries(reader, 1)
            client.session.consumer_close(reader)
            await client.event(kop.PULSAR_CONSUMER_CLOSED)
            index = pulsar_entry.read(event.bytes).index
            return offset.entry(event.id.ledger_id, event.id.entry_id, index, event.num_messages)

        async def ask(probe):
            if probe.kind == kop.OFFSET_PROBE_LEDGERS:
                return {"kind": kop.OFFSET_ANSWER_LEDGERS, "ledgers": ledgers()}
            start = MessageId(probe.ledger_id, probe.entry_id)
            if probe.kind == kop.OFFSET_PROBE_FIRST:
                start = kop.pulsar.EARLIEST
            elif probe.kind == kop.OFFSET_PROBE_LAST:
                reader = await client.consumer(topic)
                start = (await client.result(client.session.last_message_id(reader))).last_message_id
                client.session.consumer_close(reader)
                await client.event(kop.PULSAR_CONSUMER_CLOSED)
            return {"kind": kop.OFFSET_ANSWER_ENTRY, "entry": await read(start)}

        def ledgers():
            answer = http.ask(kop.PULSAR_ADMIN_INTERNAL_STATS, topic=topic)
            return pulsar_admin.read("internals", answer).ledgers

        asked = set()

        async def find(known, number, can):
            search = known.search(can=can)
            search.begin(kop.OFFSET_FIND_OFFSET, number)
            while (probe := search.probe()) is not None:
                asked.add(probe.kind)
                search.answer(await ask(probe))
            found = search.result()
            assert found.kind == kop.OFFSET_FOUND and found.entry.find(number) == 0, found
            where = found.entry.ledger_id, found.entry.entry_id
            assert where == (ids[number].ledger_id, ids[number].entry_id), (number, found)

        await find(offset.Map(), 93, kop.OFFSET_CAN_READ)  # with readers alone
        assert asked == {kop.OFFSET_PROBE_FIRST, kop.OFFSET_PROBE_LAST, kop.OFFSET_PROBE_AT}
        known = offset.Map(spacing=8)
        known.ledgers(ledgers())
        assert known.state().ledgers >= 3
        for number in (0, 77, 130, 169):
            await find(known, number, kop.OFFSET_CAN_READ | kop.OFFSET_CAN_LIST)
        seen = known.checkpoints()
        note(f"{len(seen)} checkpoints, {known.state()}")
        assert seen == sorted(seen) and {0, 77, 130, 169} <= {entry.last for entry in seen}
        assert known.query(77).kind == kop.OFFSET_EXACT
        known.set_end(170)
        assert known.query(170).kind == kop.OFFSET_BEYOND_END
        middle = await read(ids[100])
        known.set_first(middle)
        assert known.query(77).kind == kop.OFFSET_BELOW_START
        assert known.state().start_offset == middle.first == 100


@case("batch-acks")
def binding_acknowledges_parts_of_batches(pulsar):
    run(acknowledges_parts(pulsar, pulsar.topic()))


async def acknowledges_parts(pulsar, topic):
    async with Client(pulsar.url) as client:
        producer, _ = await client.producer(topic)
        values = [b"%d" % number for number in range(100)]
        batch = pulsar_entry.batch(values)
        client.session.send(producer, batch, sequence_id=0, num_messages=100)
        await client.event(kop.PULSAR_RECEIPT)
        consumer = await client.consumer(topic, **DURABLE)
        [event] = await client.entries(consumer, 1)
        assert event.num_messages == 100 and event.ack_set == []
        left = [0, 2, 63, 64, 99]
        await client.result(client.session.ack(consumer, [Part(event.id, 100, left)]))
        client.session.consumer_close(consumer)
        await client.event(kop.PULSAR_CONSUMER_CLOSED)
        [again] = await client.entries(await client.consumer(topic, **DURABLE), 1)
        assert again.id == event.id and values_of([again]) == [values[number] for number in left]


@case("token")
def binding_takes_fresh_credentials(pulsar):
    run(fresh_credentials(pulsar, pulsar.topic()))


async def fresh_credentials(pulsar, topic):
    token = pulsar.make_token("admin", 4)
    async with Client(pulsar.url, auth_method="token", auth_data=token) as client:
        producer, ready = await client.producer(topic)
        client.client.auth_update(pulsar.token().encode())
        connections = client.session.stats()["connections_total"]
        until = time.monotonic() + 8  # the token expires, the broker asks, and goes on
        number = 0
        while time.monotonic() < until:
            client.session.send(producer, b"x", sequence_id=number)
            await client.event(kop.PULSAR_RECEIPT)
            number += 1
        assert client.session.stats()["connections_total"] == connections
        assert not [event for event in client.events if event.kind == kop.PULSAR_PRODUCER_DOWN]
        await client.producer(topic, group=1)  # a connection of its own begins with the fresh token
        note(f"{number} entries while the first token of {ready.name.decode()} expired")
