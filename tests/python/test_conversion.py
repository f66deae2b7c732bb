"""Conversion from Python: round trips, options, the fixtures of the Java plug-in, and what is refused."""
import unittest
from pathlib import Path

import kop

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "kop"
RECORDS = [kop.Record(0, 1_700_000_000_000, b"user-1", b"v" * 300, [("a", b"1"), ("b", None), ("a", b"\xff")]),
           kop.Record(1, 1_700_000_000_005, None, None, []), kop.Record(2, -1, b"", b"", [])]
NOW = 1_790_000_000_000


class Conversion(unittest.TestCase):
    def setUp(self):
        self.converter = kop.Converter()

    def test_there_and_back(self):
        for codec in (kop.CODEC_NONE, kop.CODEC_GZIP, kop.CODEC_SNAPPY, kop.CODEC_LZ4, kop.CODEC_ZSTD):
            with self.subTest(codec):
                batch = kop.batch(RECORDS, codec=codec)
                entry, = self.converter.to_pulsar(batch, NOW, producer_name="p", properties={"kop.term": "7"})
                self.assertEqual((entry.num_messages, entry.count, entry.first_delta), (3, 3, 0))
                answer = self.converter.to_kafka(entry.data, 0, 2)
                self.assertEqual((answer.kind, answer.writer), (kop.ANSWER_BATCHES, kop.CONVERT_BY_LIBRARY))
                self.assertEqual(list(kop.records(answer.batches)), RECORDS)
                if codec == kop.CODEC_NONE:
                    self.assertEqual(answer.batches, batch)
                self.assertIn(b"kop.term", entry.data)

    def test_a_large_batch_is_split(self):
        records = [kop.Record(i, NOW, None, bytes([i]) * 500, []) for i in range(40)]
        entries = self.converter.to_pulsar(kop.batch(records), NOW, max_entry_bytes=5000)
        self.assertGreater(len(entries), 3)
        batches, first = b"", 0
        for entry in entries:
            self.assertLessEqual(len(entry.data), 5000)
            batches += self.converter.to_kafka(entry.data, first, first + entry.num_messages - 1).batches
            first += entry.num_messages
        self.assertEqual(list(kop.records(batches)), records)

    def test_a_refusal_says_why(self):
        with self.assertRaisesRegex(kop.KopError, "producer id"):
            records = [kop.Record(i, NOW, None, bytes(500), []) for i in range(40)]
            self.converter.to_pulsar(kop.batch(records, producer_id=1, producer_epoch=0, base_sequence=0), NOW,
                                     max_entry_bytes=5000)
        with self.assertRaises(TypeError):
            self.converter.to_pulsar(kop.batch(RECORDS), NOW, no_such_option=1)
        with self.assertRaises(kop.KopError):
            kop.Converter(max_bytes=0)

    def test_entries_of_the_plugin(self):
        found = []
        for line in (FIXTURES / "kafka.entries.tsv").read_text().splitlines():
            data = bytes.fromhex(line.split("\t")[2])
            answer = self.converter.to_kafka(data, 0, 1000)
            self.assertIn(answer.kind, (kop.ANSWER_BATCHES, kop.ANSWER_HOLE))
            if answer.kind == kop.ANSWER_HOLE:
                self.assertEqual(answer.reason, kop.HOLE_CONTROL)
            found += kop.records(answer.batches)
        self.assertEqual(len(found), 72)

    def test_facts_of_a_batch(self):
        records = [kop.Record(i, 1_700_000_000_000 - i, None, b"v", []) for i in range(3)]
        plain, = self.converter.to_pulsar(kop.batch(records), NOW)
        said = kop.facts(plain.data)
        self.assertEqual((said.producer_id, said.base_sequence, said.base_timestamp, said.max_timestamp), (-1, -1, None, None))
        batch = kop.batch(records, producer_id=9, producer_epoch=2, base_sequence=70, timestamp_type=kop.TIMESTAMP_LOG_APPEND,
                          log_append_ms=NOW)
        entry, = self.converter.to_pulsar(batch, NOW)
        said = kop.facts(entry.data)
        self.assertEqual((said.producer_id, said.producer_epoch, said.base_sequence), (9, 2, 70))
        self.assertEqual((said.attributes, said.max_timestamp), (kop.BATCH_LOG_APPEND_TIME, NOW))
        for line in (FIXTURES / "pulsar.entries.tsv").read_text().splitlines():
            self.assertIsNone(kop.facts(bytes.fromhex(line.split("\t")[2])))
        with self.assertRaises(kop.KopError):
            kop.facts(entry.data[:20])

    def test_damage_is_an_answer(self):
        entry, = self.converter.to_pulsar(kop.batch(RECORDS), NOW)
        damaged = entry.data[:-1] + bytes([entry.data[-1] ^ 1])
        answer = self.converter.to_kafka(damaged, 10, 12)
        self.assertEqual((answer.kind, answer.reason, answer.batches), (kop.ANSWER_HOLE, kop.HOLE_CHECKSUM, b""))
        self.assertTrue(answer.text)
        with self.assertRaises(kop.KopError):
            self.converter.to_kafka(entry.data, 5, 4)

    def test_chunks(self):
        # MessageMetadata: producer "p", sequence 0, publish time 1, uuid "u", 2 chunks of 6 bytes together, number n
        def chunk(number, payload):
            md = b"\x0a\x01p\x10\x00\x18\x01" + b"\xd2\x01\x01u" + b"\xd8\x01\x02" + b"\xe0\x01\x06" + b"\xe8\x01" + bytes([number])
            return len(md).to_bytes(4, "big") + md + payload

        parts = []
        for number, payload in enumerate((b"abc", b"def")):
            answer = self.converter.to_kafka(chunk(number, payload), number, number)
            self.assertEqual((answer.kind, answer.part), (kop.ANSWER_CHUNK, (b"u", number, 2)))
            parts.append(answer.chunk)
        answer = self.converter.chunks_to_kafka(chunk(1, b"def"), b"".join(parts), 1)
        self.assertEqual([(r.offset, r.timestamp, r.value) for r in kop.records(answer.batches)], [(1, 1, b"abcdef")])


if __name__ == "__main__":
    unittest.main()
