"""Pulsar from Python: entries that the plug-in and native clients wrote, and a session up to its first command."""
import base64
import json
import unittest
from pathlib import Path

import kop

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures/kop"


def entries(name):
    """(topic, entry) of each line."""
    for line in (FIXTURES / f"{name}.entries.tsv").read_text().splitlines():
        topic, _, entry = line.split("\t")
        yield topic, bytes.fromhex(entry)


class Entries(unittest.TestCase):
    def test_native_messages_are_read_to_what_was_sent(self):
        sent = [json.loads(line) for line in (FIXTURES / "pulsar.written.jsonl").read_text().splitlines()]
        native = [message for message in sent if message["step"].startswith("native-")]
        found = [message for _, entry in entries("pulsar") for message in kop.pulsar.messages(entry)]
        self.assertGreater(len(native), 10)
        for wanted, got in zip(native, found[-len(native):], strict=True):
            self.assertEqual(got.value, base64.b64decode(wanted["value"]), wanted)
            self.assertEqual((got.key, got.event_time), (base64.b64decode(wanted["key"]), wanted["event_time_ms"]), wanted)
            self.assertEqual([(k, base64.b64encode(v.encode()).decode()) for k, v in got.properties],
                             [tuple(header) for header in wanted["headers"]], wanted)
        self.assertEqual([message.index for message in found], sorted({message.index for message in found}))

    def test_damaged_entries_raise(self):
        _, entry = next(entries("pulsar"))
        for at in range(len(entry) - 1):
            with self.assertRaises(kop.KopError, msg=at):
                list(kop.pulsar.messages(entry[:at]))
        with self.assertRaises(kop.KopError):
            list(kop.pulsar.messages(entry[:-1] + bytes([entry[-1] ^ 1])))


class Session(unittest.TestCase):
    def setUp(self):
        self.time = 1_000
        self.session = kop.pulsar.Session("pulsar://one:6650", seed=7,
                                          clocks=lambda: (self.time * 1_000_000, self.time))

    def test_opening_a_reader_connects_and_greets(self):
        self.session.consumer_open("persistent://a/b/c", permits=1, context=9)
        [connect] = self.session.drain()
        self.assertEqual((connect.kind, connect.host, connect.port), (kop.PULSAR_CONNECT, b"one", 6650))
        self.session.connected(connect.target)
        [hello] = self.session.drain()
        frame = b"".join(hello.slices)
        self.assertEqual((hello.kind, hello.target), (kop.PULSAR_SEND, connect.target))
        self.assertEqual(int.from_bytes(frame[:4]), len(frame) - 4)
        self.session.sent(connect.target)
        self.assertEqual(self.session.stats()["connections"], 1)

    def test_a_refused_connection_is_told_when_time_has_run_out(self):
        reader = self.session.consumer_open("persistent://a/b/c", context=9, open_ns=5_000_000_000)
        events = []
        while not any(event.kind == kop.PULSAR_CONSUMER_CLOSED for event in events):
            for event in self.session.drain():
                events.append(event)
                if event.kind == kop.PULSAR_CONNECT:
                    self.session.closed(event.target, "connection refused")
            self.assertLess(self.time, 60_000)
            wait = self.session.wait()
            if wait is not None:
                self.time += int(wait * 1000) + 1
                self.session.tick()
        [ended] = [event for event in events if event.kind == kop.PULSAR_CONSUMER_CLOSED]
        self.assertEqual((ended.target, ended.context), (reader, 9))
        self.assertIn(b"connection refused", ended.text)

    def test_wrong_settings_raise(self):
        for url in ("", "http://one", "pulsar://"):
            with self.assertRaises(kop.KopError, msg=url):
                kop.pulsar.Session(url)
        with self.assertRaises(TypeError):
            self.session.consumer_open("persistent://a/b/c", nonsense=1)
        with self.assertRaises(kop.KopError):
            self.session.send(1, b"x", sequence_id=0)
        entry, = kop.Converter().to_pulsar(kop.batch([kop.Record(0, 1, None, b"v", [])]), self.time)
        with self.assertRaises(kop.KopError):
            self.session.send_entry(1, entry)


if __name__ == "__main__":
    unittest.main()
