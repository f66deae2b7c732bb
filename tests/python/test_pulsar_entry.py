"""Pulsar's entries as kop.pulsar.messages reads them: what native clients sent, out of the raw bytes of a ledger."""
import base64
import json
import unittest
from pathlib import Path

import kop

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "kop"


def entries(name):
    for line in (FIXTURES / f"{name}.entries.tsv").read_text().splitlines():
        yield bytes.fromhex(line.split("\t")[2])


class Entries(unittest.TestCase):
    def test_what_native_clients_sent(self):
        """The Java client's messages in every compression, single and batched, from topics of all three formats."""
        for name in ("pulsar", "kafka", "mixed_kafka"):
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
            with self.assertRaises(kop.KopError) as caught:
                list(kop.pulsar.messages(bytes(damaged)))
            self.assertEqual(caught.exception.status, kop.ERR_CHECKSUM)
        with self.assertRaises(kop.KopError):
            list(kop.pulsar.messages(whole[:20]))


if __name__ == "__main__":
    unittest.main()
