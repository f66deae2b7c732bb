"""Pulsar's entries in Python: what native clients sent, out of the raw bytes of a ledger; read, written, compressed; ids."""
import base64
import json
import sys
import unittest
from pathlib import Path

import kop
from kop import pulsar_entry
from kop.pulsar_entry import EARLIEST, LATEST, MessageId

TESTS = Path(__file__).resolve().parents[1]
FIXTURES = TESTS / "fixtures" / "kop"
sys.path.insert(0, str(TESTS / "pulsar"))
from harness import wire  # noqa: E402  (a reader and writer of entries that shares no code with libkop)

FORMATS = ("pulsar", "kafka", "mixed_kafka")
HEAD = {"producer_name": "p", "sequence_id": 7, "publish_time": 1_700_000_000_000}
COMPRESSIONS = (kop.PULSAR_COMPRESSION_NONE, kop.PULSAR_COMPRESSION_LZ4, kop.PULSAR_COMPRESSION_ZLIB,
                kop.PULSAR_COMPRESSION_ZSTD, kop.PULSAR_COMPRESSION_SNAPPY)


def entries(name):
    for line in (FIXTURES / f"{name}.entries.tsv").read_text().splitlines():
        yield bytes.fromhex(line.split("\t")[2])


class Entries(unittest.TestCase):
    def test_what_native_clients_sent(self):
        """The Java client's messages in every compression, single and batched, from topics of all three formats."""
        for name in FORMATS:
            sent = [line for line in map(json.loads, (FIXTURES / f"{name}.written.jsonl").read_text().splitlines())
                    if line["step"].startswith("native-")]
            self.assertEqual(len(sent), 30)
            # The plug-in names no producer in its entries, native clients do.
            native = [entry for entry in entries(name) if b"standalone-" in entry]
            read = [message for entry in native for message in kop.pulsar.messages(entry)]
            self.assertEqual(len(read), len(sent))
            before = -1
            for given, message in zip(sent, read):
                self.assertEqual(message.key, base64.b64decode(given["key"]))
                self.assertEqual(message.value, base64.b64decode(given["value"]))
                self.assertEqual(message.properties, [(k, base64.b64decode(v).decode()) for k, v in given["headers"]])
                self.assertEqual(message.event_time, given["event_time_ms"])
                self.assertGreater(message.index, before)
                before = message.index

    def test_damage(self):
        whole = next(entries("pulsar"))
        self.assertEqual(len(list(kop.pulsar.messages(whole))), 7)
        for at in (30, len(whole) - 1):
            damaged = bytearray(whole)
            damaged[at] ^= 1
            for read in (pulsar_entry.read, lambda data: list(kop.pulsar.messages(data))):
                with self.assertRaises(kop.KopError) as caught:
                    read(bytes(damaged))
                self.assertEqual(caught.exception.status, kop.ERR_CHECKSUM)
        self.assertEqual(pulsar_entry.read(bytes(damaged), check=False).kind, kop.PULSAR_KIND_BATCH)
        with self.assertRaises(kop.KopError):
            list(kop.pulsar.messages(whole[:20]))

    def test_every_entry_is_read_as_by_hand_and_written_again(self):
        kinds, again = set(), 0
        for data in (entry for name in FORMATS for entry in entries(name)):
            found, by_hand = pulsar_entry.read(data), wire.Entry(data)
            self.assertEqual((found.index, found.broker_timestamp, found.payload),
                             (by_hand.broker["index"], by_hand.broker.get("broker_timestamp"), by_hand.payload))
            renamed = {"num_chunks": "num_chunks_from_msg", "total_chunk_size": "total_chunk_msg_size"}
            for name, value in by_hand.metadata.items():
                if name == "properties":
                    value = [(pair["key"], pair["value"]) for pair in value]
                self.assertEqual(found.metadata[renamed.get(name, name)], value, name)
            if found.checksum is not None:
                self.assertTrue(data.endswith(pulsar_entry.write(found.payload, **found.metadata)))
                again += 1
            kinds.add(found.kind)
        self.assertEqual(kinds, {kop.PULSAR_KIND_BATCH, kop.PULSAR_KIND_SINGLE})
        self.assertGreater(again, 50)

    def test_every_field_is_written_and_read(self):
        given = HEAD | {
            "properties": [("a", "ä"), ("a", ""), ("odd", "\udcff")], "replicate_to": ["eu", "us"], "partition_key": "k\udcfe",
            "ordering_key": b"\xff", "event_time": 5, "schema_version": b"\x00\x01", "schema_id": b"s", "uuid": "u",
            "chunk_id": 0, "num_chunks_from_msg": 2, "total_chunk_msg_size": 300, "deliver_at_time": -1,
            "encryption_keys": [("one", b"\x80\x00", [("m", "n")]), ("two", b"", [])], "encryption_algo": "x",
            "encryption_param": b"\x00", "compacted_batch_indexes": [0, 200], "num_messages_in_batch": 300,
            "marker_type": 3, "null_value": 1, "null_partition_key": 1, "highest_sequence_id": 2**63,
            "replicated_from": "us-west", "txnid_least_bits": 1, "txnid_most_bits": 2}
        data = pulsar_entry.write(b"payload", **given)
        found = pulsar_entry.read(data)
        self.assertEqual(found.metadata, given)
        self.assertEqual((found.payload, found.kind, found.index), (b"payload", kop.PULSAR_KIND_MARKER, None))
        by_hand = wire.Entry(data)
        self.assertTrue(by_hand.checksum_good)
        self.assertEqual([(pair["key"], pair["value"]) for pair in by_hand.metadata["properties"]], given["properties"])
        as_dict = pulsar_entry.write(b"", **HEAD, properties={"a": "b"})
        self.assertEqual(pulsar_entry.read(as_dict).metadata["properties"], [("a", "b")])

    def test_what_cannot_be_written(self):
        with self.assertRaises(kop.KopError):
            pulsar_entry.write(b"", producer_name="p", sequence_id=1)
        with self.assertRaises(TypeError):
            pulsar_entry.write(b"", **HEAD, no_such_field=1)
        with self.assertRaises(TypeError):
            pulsar_entry.batch([{"no_such_field": 1}])

    def test_batches(self):
        items = [{"value": b"one", "partition_key": base64.b64encode(b"\xff\x00").decode(), "partition_key_b64_encoded": 1,
                  "properties": {"x": "y"}, "event_time": 9}, b"", {"value": None, "partition_key": "k"},
                 {"value": b"odd", "partition_key": "not base64!", "partition_key_b64_encoded": 1}]
        payload = pulsar_entry.batch(items)
        at, by_hand = 0, []
        while at < len(payload):
            size = int.from_bytes(payload[at:at + 4])
            single = wire.decode(wire.SINGLE, payload[at + 4:at + 4 + size])
            at += 4 + size + single["payload_size"]
            by_hand.append((single, payload[at - single["payload_size"]:at]))
        self.assertEqual(by_hand, [
            ({"properties": [{"key": "x", "value": "y"}], "partition_key": "/wA=", "payload_size": 3, "event_time": 9,
              "partition_key_b64_encoded": 1}, b"one"), ({"payload_size": 0}, b""),
            ({"partition_key": "k", "payload_size": 0, "null_value": 1}, b""),
            ({"partition_key": "not base64!", "payload_size": 3, "partition_key_b64_encoded": 1}, b"odd")])
        for compression in COMPRESSIONS:
            packed = pulsar_entry.compress(payload, compression)
            self.assertEqual(pulsar_entry.decompress(packed, compression, len(payload)), payload)
            data = pulsar_entry.write(packed, **HEAD, num_messages_in_batch=4, compression=compression,
                                      uncompressed_size=len(payload))
            found = list(pulsar_entry.messages(data))
            self.assertEqual([(m.batch_index, m.key, m.value, m.properties, m.event_time) for m in found], [
                (0, b"\xff\x00", b"one", [("x", "y")], 9), (1, None, b"", [], 0), (2, b"k", None, [], 0),
                (3, b"not base64!", b"odd", [], 0)])
            with self.assertRaises(kop.KopError) as caught:
                list(pulsar_entry.messages(data, limit=len(payload) - 1))
            self.assertEqual(caught.exception.status, kop.ERR_LIMIT)

    def test_compression(self):
        payload = b"0123456789" * 1000
        for compression in COMPRESSIONS[1:]:
            packed = pulsar_entry.compress(payload, compression)
            self.assertLess(len(packed), 1000)
            for size in (len(payload) - 1, len(payload) + 1):
                with self.assertRaises(kop.KopError):
                    pulsar_entry.decompress(packed, compression, size)
        self.assertLessEqual(len(pulsar_entry.compress(payload, kop.PULSAR_COMPRESSION_ZSTD, 19)),
                             len(pulsar_entry.compress(payload, kop.PULSAR_COMPRESSION_ZSTD, 1)))
        with self.assertRaises(kop.KopError):
            pulsar_entry.compress(payload, 77)


class Ids(unittest.TestCase):
    def test_order(self):
        rising = [EARLIEST, MessageId(3, 9), MessageId(4, 0), MessageId(4, 0, -1, 0), MessageId(4, 0, -1, 7),
                  MessageId(4, 1), LATEST]
        self.assertEqual(sorted(reversed(rising)), rising)
        self.assertTrue(MessageId(4, 0, 1, 2, 10) <= MessageId(4, 0, 2, 2))
        self.assertFalse(MessageId(4, 0, 1, 2, 10) < MessageId(4, 0, 2, 2))
        self.assertTrue(LATEST > EARLIEST)
        self.assertTrue(LATEST >= LATEST)
        self.assertEqual(len({MessageId(1, 2), MessageId(1, 2), MessageId(1, 3)}), 2)


if __name__ == "__main__":
    unittest.main()
