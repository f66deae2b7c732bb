"""Searches of kop.offset on a real broker: over raw readers and over the admin's HTTP."""

import http.client
import itertools
import urllib.parse

import kop
from kop import offset, pulsar_admin

from .wire import EARLIEST, LATEST, SHARED


class Readers:
    """Carries out probes with readers alone, as one without admin rights would."""

    can = kop.OFFSET_CAN_READ

    def __init__(self, connection, topic):
        self.connection = connection
        self.topic = topic
        self.ids = itertools.count(100)
        self.probes = 0

    def __call__(self, probe):
        self.probes += 1
        if probe.kind == kop.OFFSET_PROBE_FIRST:
            return self.read(EARLIEST)
        if probe.kind == kop.OFFSET_PROBE_AT:
            return self.read({"ledger": probe.ledger_id, "entry": probe.entry_id})
        assert probe.kind == kop.OFFSET_PROBE_LAST
        consumer = self.subscribe(LATEST)
        answer = self.connection.request("GET_LAST_MESSAGE_ID", consumer_id=consumer)
        last = answer.fields["last_message_id"]
        self.close(consumer)
        if last["entry"] in (-1, 2**64 - 1):
            return {"kind": kop.OFFSET_ANSWER_NONE}
        return self.read({"ledger": last["ledger"], "entry": last["entry"]})

    def subscribe(self, start, permits=0):
        consumer = next(self.ids)
        answer = self.connection.request(
            "SUBSCRIBE",
            topic=self.topic,
            subscription=f"probe-{id(self):x}-{consumer}",
            sub_type=0,
            consumer_id=consumer,
            durable=0,
            start_message_id=start,
            force_topic_creation=0,
        )
        assert answer.name == "SUCCESS", answer
        if permits:
            self.connection.send("FLOW", consumer_id=consumer, permits=permits)
        return consumer

    def close(self, consumer):
        self.connection.request("CLOSE_CONSUMER", consumer_id=consumer)

    def read(self, start):
        consumer = self.subscribe(start, 1)
        try:
            frame = self.connection.take(
                lambda frame: frame.name == "MESSAGE" and frame.fields["consumer_id"] == consumer, 3
            )
        except TimeoutError:
            return {"kind": kop.OFFSET_ANSWER_NONE}
        finally:
            self.close(consumer)
        return {"kind": kop.OFFSET_ANSWER_ENTRY, "entry": entry_of(frame)}


class Http:
    """Makes admin calls with Python's own client, redirects followed; carries out probes with them."""

    def __init__(self, pulsar, topic=None, can=kop.OFFSET_CAN_READ_EXACT | kop.OFFSET_CAN_LIST):
        self.host = ("127.0.0.1", pulsar.port + 1)
        self.token = pulsar.token() if "token" in pulsar.variant else None
        self.topic = topic
        self.can = can
        self.client = http.client.HTTPConnection(*self.host, timeout=30)

    def __call__(self, probe):
        return pulsar_admin.probe(probe, self.topic, self.send)

    def send(self, call):
        path = call.path
        for _ in range(20):
            headers = {"Content-Type": call.content_type} if call.content_type else {}
            if self.token:
                headers["Authorization"] = f"Bearer {self.token}"
            self.client.request(call.method, path, call.body or None, headers)
            response = self.client.getresponse()
            answer = pulsar_admin.Answer(response.status, response.getheaders(), response.read())
            verdict = pulsar_admin.judge(answer)
            if verdict.kind != kop.PULSAR_ADMIN_REDIRECT:
                return answer
            target = urllib.parse.urlsplit(verdict.location.decode())
            self.client = http.client.HTTPConnection(target.hostname, target.port, timeout=30)
            path = f"{target.path}?{target.query}" if target.query else target.path
        raise AssertionError("redirected without end")

    def ask(self, op, **fields):
        """A call that must work; returns its answer."""
        answer = self.send(pulsar_admin.request(op, **fields))
        verdict = pulsar_admin.judge(answer)
        assert verdict.kind == kop.PULSAR_ADMIN_DONE, (op, fields, answer.status, verdict.reason)
        return answer

    def kind(self, op, **fields):
        """What a call comes to."""
        return pulsar_admin.judge(self.send(pulsar_admin.request(op, **fields))).kind


def entry_of(frame):
    place, seen = frame.fields["message_id"], frame.entry
    index = offset.NO_INDEX if seen.index is None else seen.index
    count = seen.metadata.get("num_messages_in_batch", 1)
    timestamp = seen.broker.get("broker_timestamp", seen.metadata["publish_time"])
    return vars(offset.entry(place["ledger"], place["entry"], index, count, timestamp))


def fill(pulsar, topic, entries):
    """Publishes entries of 1, 2, 3, 1, 2, ... messages; returns (ledger, entry, batch index) of each offset."""
    connection, places = pulsar.connect(), []
    connection.producer(topic, SHARED)
    counts = [1 + number % 3 for number in range(entries)]
    for number, count in enumerate(counts):
        batch = {"num_messages_in_batch": count} if count > 1 else {}
        connection.publish(number, b"x", count=count, **batch)
    for number, count in enumerate(counts):
        place = connection.receipt(number).fields["message_id"]
        places += [(place["ledger"], place["entry"], i) for i in range(count)]
    return places
