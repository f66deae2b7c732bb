"""A Pulsar broker that fits into a test: frames of one connection in, frames out. It shares no code with libkop, since
tests/pulsar/harness/wire.py makes the frames."""
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pulsar"))
from harness import wire  # noqa: E402

LEDGER = 7


class Broker:
    """Stores what is sent, one entry after the other, with an index each, and answers every command. `seen` is what came in, as
    (name, fields)."""

    def __init__(self, topics=()):
        self.rest, self.seen, self.entries, self.index = b"", [], [], -1
        self.topics, self.subscribed = list(topics), {}
        self.challenge = self.ack_set = None
        self.url = "pulsar://one:6650"

    def fields(self, name):
        """The fields of all commands of that name."""
        return [fields for seen, fields in self.seen if seen == name]

    def hear(self, data):
        """Takes bytes, gives the bytes of the answers."""
        self.rest, out = self.rest + data, b""
        while len(self.rest) >= 4 and len(self.rest) >= 4 + (size := struct.unpack_from(">I", self.rest)[0]):
            body, self.rest = self.rest[4:4 + size], self.rest[4 + size:]
            frame = wire.parse(body)
            self.seen.append((frame.name, frame.fields))
            command = struct.unpack_from(">I", body)[0]
            for name, fields, entry in self.answer(frame.name, frame.fields, body[4 + command:]):
                out += wire.frame(name, entry, **fields)
        return out

    def answer(self, name, fields, entry):
        request = {"request_id": fields.get("request_id")}
        answers = {
            "LOOKUP": ("LOOKUP_RESPONSE", {"broker_url": self.url, "response": 1, "authoritative": 1}),
            "PRODUCER": ("PRODUCER_SUCCESS", {"producer_name": "chosen", "last_sequence_id": -1, "producer_ready": 1}),
            "PARTITIONED_METADATA": ("PARTITIONED_METADATA_RESPONSE", {"partitions": 3, "response": 0}),
            "GET_TOPICS": ("GET_TOPICS_RESPONSE", {"topics": self.topics, "topics_hash": "h"}),
            "WATCH_TOPICS": ("WATCH_TOPICS_SUCCESS", {"watcher_id": fields.get("watcher_id"), "topics": self.topics,
                                                      "topics_hash": "h"}),
            "ACK": ("ACK_RESPONSE", {"consumer_id": fields.get("consumer_id")}),
            "GET_LAST_MESSAGE_ID": ("GET_LAST_MESSAGE_ID_RESPONSE", {
                "last_message_id": {"ledger": LEDGER, "entry": len(self.entries) - 1},
                "mark_delete": {"ledger": LEDGER, "entry": 1}}),
        }
        if name == "CONNECT":
            if self.challenge:
                yield "AUTH_CHALLENGE", {"server_version": "fake", "challenge": self.challenge}, b""
            else:
                yield self.connected()
        elif name == "AUTH_RESPONSE":
            yield self.connected()
        elif name == "SEND":
            yield self.store(fields, entry)
        elif name == "SUBSCRIBE":
            self.subscribed.setdefault(fields["consumer_id"], 0)
            yield "SUCCESS", request, b""
        elif name == "FLOW":
            yield from self.deliver(fields["consumer_id"], fields["permits"])
        elif name == "ACK" and "request_id" not in fields:
            pass
        elif name == "SEEK":
            yield "SUCCESS", request, b""
            self.subscribed[fields["consumer_id"]] = fields.get("message_id", {"entry": 0})["entry"]
            yield "CLOSE_CONSUMER", {"consumer_id": fields["consumer_id"], "request_id": 0}, b""
        elif name in answers:
            answer, values = answers[name]
            yield answer, request | values, b""
        elif "request_id" in fields:
            yield "SUCCESS", request, b""

    @staticmethod
    def connected():
        features = {"auth_refresh": 1, "broker_entry_metadata": 1, "topic_watchers": 1,
                    "get_partitioned_metadata_without_auto_creation": 1}
        return "CONNECTED", {"server_version": "fake", "protocol_version": 21, "max_message_size": 5 << 20,
                             "feature_flags": features}, b""

    def store(self, fields, entry):
        self.index += fields.get("num_messages", 1)
        head = wire.encode(wire.ENTRY_METADATA, {"broker_timestamp": 1000, "index": self.index})
        self.entries.append(struct.pack(">HI", 0x0E02, len(head)) + head + entry)
        return "SEND_RECEIPT", {"producer_id": fields["producer_id"], "sequence_id": fields["sequence_id"],
                                "message_id": {"ledger": LEDGER, "entry": len(self.entries) - 1}}, b""

    def deliver(self, consumer, permits):
        first = self.subscribed[consumer]
        self.subscribed[consumer] = last = min(first + permits, len(self.entries))
        for number in range(first, last):
            ack_set = {"ack_set": self.ack_set} if self.ack_set else {}
            yield "MESSAGE", {"consumer_id": consumer, "message_id": {"ledger": LEDGER, "entry": number}} | ack_set, \
                self.entries[number]
