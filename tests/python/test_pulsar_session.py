"""A session of kop.pulsar against a broker made of bytes: each call, what it puts on the wire, and the event that answers it."""
import asyncio
import unittest

import kop
from fake_pulsar import LEDGER, Broker, wire
from kop import aio, pulsar_entry
from kop.pulsar import MessageId, Part, Topic

TOPIC = str(Topic.read("t"))
DURABLE = dict(subscription="s", flags=kop.PULSAR_CONSUMER_DURABLE | kop.PULSAR_CONSUMER_FROM_EARLIEST)


class WithBroker(unittest.TestCase):
    settings = {}

    def setUp(self):
        self.broker = Broker([f"{TOPIC}-partition-{n}" for n in range(3)])
        self.ms = 10**12
        self.session = kop.pulsar.Session("pulsar://one:6650", seed=7, clocks=lambda: (self.ms * 10**6, self.ms),
                                          **self.settings)
        self.conns, self.events = [], []

    def run_all(self):
        """Carries out what the session wants; collects the events."""
        while effects := self.session.drain():
            for effect in effects:
                if effect.kind == kop.PULSAR_CONNECT:
                    self.session.connected(effect.target)
                    self.conns.append(effect.target)
                elif effect.kind == kop.PULSAR_SEND:
                    answers = self.broker.hear(b"".join(effect.slices))
                    self.session.sent(effect.target)
                    self.session.feed(effect.target, answers)
                elif effect.kind == kop.PULSAR_CLOSE:
                    self.session.closed(effect.target)
                else:
                    self.events.append(effect)

    def take(self, kind):
        """The events of a kind, which must come within a second."""
        self.run_all()
        until = self.ms + 1000
        while self.ms < until and not any(event.kind == kind for event in self.events):
            self.ms += 50
            self.session.tick()
            self.run_all()
        found = [event for event in self.events if event.kind == kind]
        self.events = [event for event in self.events if event.kind != kind]
        self.assertTrue(found, f"no event {kind}, but {self.events}")
        return found

    def result(self, request, of):
        [event] = self.take(kop.PULSAR_RESULT)
        self.assertEqual((event.target, event.request, kop.pulsar.outcome_name(event.outcome)),
                         (request, of, kop.pulsar.outcome_name(kop.PULSAR_DONE)), event)
        return event

    def producer(self):
        producer = self.session.producer_open(TOPIC)
        self.assertEqual(self.take(kop.PULSAR_PRODUCER_READY)[0].name, b"chosen")
        return producer

    def consumer(self, **settings):
        consumer = self.session.consumer_open(TOPIC, **{**DURABLE, **settings})
        self.take(kop.PULSAR_CONSUMER_READY)
        return consumer


class Producing(WithBroker):
    def test_send_and_receive(self):
        producer = self.producer()
        self.session.send(producer, b"value", sequence_id=4, context="mine", properties=[("a", "ä"), ("a", "")],
                          partition_key="k", event_time=5, replicate_to=["eu"])
        payload = pulsar_entry.batch([b"one", {"value": None, "partition_key": "k", "properties": {"x": "y"}}, b""])
        self.session.send(producer, payload, sequence_id=5, num_messages=3)
        first, second = self.take(kop.PULSAR_RECEIPT)
        self.assertEqual((first.context, first.sequence_id, first.id), ("mine", 4, MessageId(LEDGER, 0)))
        self.assertEqual((second.context, second.id), (None, MessageId(LEDGER, 1)))
        stored = [wire.Entry(entry) for entry in self.broker.entries]
        self.assertEqual(stored[0].metadata | {"publish_time": 0}, {
            "producer_name": "chosen", "sequence_id": 4, "publish_time": 0, "partition_key": "k", "event_time": 5,
            "properties": [{"key": "a", "value": "ä"}, {"key": "a", "value": ""}]})
        self.assertEqual(stored[1].metadata["num_messages_in_batch"], 3)
        self.assertTrue(all(entry.checksum_good for entry in stored))

        consumer = self.consumer(permits=10)
        events = self.take(kop.PULSAR_MESSAGE)
        self.assertEqual([event.id for event in events], [MessageId(LEDGER, 0), MessageId(LEDGER, 1)])
        self.assertEqual({event.target for event in events}, {consumer})
        self.assertEqual(pulsar_entry.read(events[0].bytes).metadata["replicate_to"], ["eu"])
        found = [message for event in events for message in kop.pulsar.messages(event.bytes, ack_set=event.ack_set)]
        self.assertEqual([(m.index, m.batch_index, m.key, m.value, m.properties) for m in found], [
            (0, 0, b"k", b"value", [("a", "ä"), ("a", "")]), (1, 0, None, b"one", []),
            (2, 1, b"k", None, [("x", "y")]), (3, 2, None, b"", [])])

    def test_a_send_that_is_given_up(self):
        producer = self.producer()
        self.session.send(producer, b"lost", sequence_id=0, context="that")
        self.session.producer_close(producer)
        [failed] = self.take(kop.PULSAR_SEND_FAILED)
        self.assertEqual((failed.context, failed.outcome), ("that", kop.PULSAR_CANCELLED))
        self.take(kop.PULSAR_PRODUCER_CLOSED)


class Consuming(WithBroker):
    def setUp(self):
        super().setUp()
        producer = self.producer()
        for number in range(4):
            self.session.send(producer, b"%d" % number, sequence_id=number)
        self.take(kop.PULSAR_RECEIPT)
        self.open = self.consumer(permits=10)
        self.take(kop.PULSAR_MESSAGE)

    def test_acks(self):
        session, ids = self.session, [MessageId(LEDGER, number) for number in range(4)]
        self.result(session.ack(self.open, ids[:1], cumulative=True, properties={"kop.offset": 17}), kop.PULSAR_REQUEST_ACK)
        self.result(session.ack(self.open, [ids[2], ids[3]], context=5), kop.PULSAR_REQUEST_ACK)
        self.assertIsNone(session.ack(self.open, [Part(ids[1], 70, [0, 2, 69])], receipt=False))
        self.run_all()
        self.assertEqual([event for event in self.events if event.kind == kop.PULSAR_RESULT], [])
        up_to, two, part = self.broker.fields("ACK")
        self.assertEqual((up_to["ack_type"], up_to["properties"]), (1, [{"key": "kop.offset", "value": 17}]))
        self.assertEqual([(place["ledger"], place["entry"]) for place in two["message_id"]], [(LEDGER, 2), (LEDGER, 3)])
        self.assertEqual(two["ack_type"], 0)
        self.assertEqual(part["message_id"], [{"ledger": LEDGER, "entry": 1, "ack_set": [5, 32], "batch_size": 70}])
        with self.assertRaises(kop.KopError):
            session.ack(self.open, ids[:2], cumulative=True)

    def test_acknowledged_messages_are_left_out(self):
        self.broker.ack_set = [-1, 1 << 5]  # of the second word only number 69
        entry = pulsar_entry.write(pulsar_entry.batch([b"%d" % n for n in range(80)]), num_messages_in_batch=80,
                                   producer_name="p", sequence_id=1, publish_time=1)
        self.broker.entries[:] = [entry]
        self.result(self.session.seek(self.open, MessageId(LEDGER, 0)), kop.PULSAR_REQUEST_SEEK)
        [event] = self.take(kop.PULSAR_MESSAGE)
        self.assertEqual(event.ack_set, [-1, 32])
        found = [int(message.value) for message in kop.pulsar.messages(event.bytes, ack_set=event.ack_set)]
        self.assertEqual(found, [*range(64), 69])

    def test_seek(self):
        self.result(self.session.seek(self.open, MessageId(LEDGER, 2), context=8), kop.PULSAR_REQUEST_SEEK)
        [ready] = self.take(kop.PULSAR_CONSUMER_READY)
        self.assertEqual(ready.times, 2)
        self.assertEqual([event.id.entry_id for event in self.take(kop.PULSAR_MESSAGE)], [2, 3])
        self.result(self.session.seek(self.open, publish_ms=1234), kop.PULSAR_REQUEST_SEEK)
        by_id, by_time = self.broker.fields("SEEK")
        self.assertEqual(((by_id["message_id"]["entry"], by_time["publish_time"])), (2, 1234))
        self.assertNotIn("message_id", by_time)
        for wrong in ({}, {"id": MessageId(LEDGER, 0), "publish_ms": 1}):
            with self.assertRaises(TypeError):
                self.session.seek(self.open, **wrong)

    def test_flow(self):
        reader = self.session.consumer_open(TOPIC)
        self.take(kop.PULSAR_CONSUMER_READY)
        self.assertNotIn(kop.PULSAR_MESSAGE, [event.kind for event in self.events])
        for permits, numbers in ((1, [0]), (2, [1, 2]), (9, [3])):
            self.session.flow(reader, permits)
            self.assertEqual([event.id.entry_id for event in self.take(kop.PULSAR_MESSAGE)], numbers)

    def test_last_message_id(self):
        last = self.result(self.session.last_message_id(self.open), kop.PULSAR_REQUEST_LAST_MESSAGE_ID)
        self.assertEqual((last.last_message_id.entry_id, last.mark_delete.entry_id), (3, 1))

    def test_unsubscribe_and_close(self):
        other = self.consumer()
        self.result(self.session.unsubscribe(self.open, force=True), kop.PULSAR_REQUEST_UNSUBSCRIBE)
        [closed] = self.take(kop.PULSAR_CONSUMER_CLOSED)
        self.assertEqual((closed.target, closed.outcome), (self.open, kop.PULSAR_DONE))
        self.session.consumer_close(other)
        self.assertEqual(self.take(kop.PULSAR_CONSUMER_CLOSED)[0].target, other)
        self.assertEqual(len(self.broker.fields("UNSUBSCRIBE")), 1)
        self.session.shutdown()
        self.run_all()
        self.assertTrue(self.session.idle)


class Topics(WithBroker):
    def test_requests(self):
        session = self.session
        owner = self.result(session.lookup(TOPIC, context=1), kop.PULSAR_REQUEST_LOOKUP)
        self.assertEqual((owner.broker_host, owner.broker_port, owner.context), (b"one", 6650, 1))
        self.assertEqual(self.result(session.partitions(TOPIC), kop.PULSAR_REQUEST_PARTITIONS).partitions, 3)
        listed = self.result(session.topics("public/default", kop.PULSAR_TOPICS_ALL), kop.PULSAR_REQUEST_TOPICS)
        self.assertEqual([name.decode() for name in listed.topics], self.broker.topics)
        self.assertEqual(self.broker.fields("GET_TOPICS")[0]["mode"], kop.PULSAR_TOPICS_ALL)

    def test_watch(self):
        watcher = self.session.watch("public/default", context=6)
        [all_of_them] = self.take(kop.PULSAR_TOPICS_CHANGED)
        self.assertEqual((all_of_them.target, all_of_them.context, all_of_them.flags), (watcher, 6, kop.PULSAR_SNAPSHOT))
        self.assertEqual(len(all_of_them.added), 3)
        [asked] = self.broker.fields("WATCH_TOPICS")
        self.session.feed(self.conns[0], wire.frame("WATCH_TOPICS_UPDATE", watcher_id=asked["watcher_id"], topics_hash="i",
                                                    new_topics=["persistent://public/default/new"],
                                                    deleted_topics=[self.broker.topics[0]]))
        [change] = self.take(kop.PULSAR_TOPICS_CHANGED)
        self.assertEqual((change.flags, change.added, change.removed),
                         (0, [b"persistent://public/default/new"], [self.broker.topics[0].encode()]))
        self.session.unwatch(watcher)
        self.assertEqual(self.take(kop.PULSAR_WATCH_CLOSED)[0].target, watcher)


class Credentials(WithBroker):
    settings = dict(auth_method="token", auth_data="first")

    def test_challenge_and_update(self):
        self.broker.challenge = {"auth_method_name": "token", "auth_data": b"PulsarAuthRefresh"}
        self.session.lookup(TOPIC)
        [needed] = self.take(kop.PULSAR_AUTH_NEEDED)
        self.assertEqual(needed.challenge, b"PulsarAuthRefresh")
        self.session.auth_answer(needed.target, b"second")
        self.take(kop.PULSAR_RESULT)
        self.session.auth_update("third")
        self.broker.challenge = None
        self.session.closed(self.conns[0], "cut")
        self.session.lookup(TOPIC)
        self.take(kop.PULSAR_RESULT)
        self.assertEqual([fields["auth_data"] for fields in self.broker.fields("CONNECT")], [b"first", b"third"])
        self.assertEqual(self.broker.fields("AUTH_RESPONSE")[0]["response"]["auth_data"], b"second")

    def test_names_for_log_lines(self):
        self.assertEqual(kop.pulsar.server_error_name(kop.PULSAR_PRODUCER_BUSY), "ProducerBusy")
        self.assertNotEqual(kop.pulsar.outcome_name(kop.PULSAR_REFUSED), kop.pulsar.outcome_name(kop.PULSAR_DONE))


class Sockets(unittest.TestCase):
    """kop.aio.PulsarClient, over a real socket to the broker of bytes."""

    def test_client(self):
        self.assertEqual(asyncio.run(asyncio.wait_for(self.talk(), 20)), [b"a value", b"third"])

    async def talk(self):
        broker, seen = Broker(), []
        broker.challenge = {"auth_method_name": "token", "auth_data": b"PulsarAuthRefresh"}

        async def serve(reader, writer):
            while data := await reader.read(1000):
                writer.write(broker.hear(data))
            writer.close()

        def on_event(session, event):
            if event.kind == kop.PULSAR_PRODUCER_READY:
                session.send(event.target, b"a value", sequence_id=0)
            elif event.kind == kop.PULSAR_RECEIPT:
                session.consumer_open(TOPIC, permits=1)
            elif event.kind == kop.PULSAR_MESSAGE:
                seen.extend(message.value for message in kop.pulsar.messages(event.bytes))
                session.shutdown()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        broker.url = f"pulsar://127.0.0.1:{port}"
        client = aio.PulsarClient(broker.url, on_event, auth_method="token", auth_data="first")
        client.auth_update("third")
        await client.run(lambda session: session.producer_open(TOPIC))
        server.close()
        return seen + [broker.fields("AUTH_RESPONSE")[0]["response"]["auth_data"]]


if __name__ == "__main__":
    unittest.main()
