"""Pulsar's admin calls in Python: requests, answers, and a search over them."""
import unittest

import kop
from kop import offset, pulsar_admin
from kop.pulsar_admin import Answer, judge, read, request


class Admin(unittest.TestCase):
    def test_requests(self):
        call = request(kop.PULSAR_ADMIN_CREATE_PARTITIONED, topic="t/n/a b", number=3, properties={"x": "y"})
        self.assertEqual(call, ("PUT", "/admin/v2/persistent/t/n/a%20b/partitions",
                                "application/vnd.partitioned-topic-metadata+json",
                                b'{"partitions":3,"properties":{"x":"y"}}'))
        call = request(kop.PULSAR_ADMIN_GRANT, topic="t/n", name="joe", list=["produce", "consume"])
        self.assertEqual((call.method, call.body), ("POST", b'["produce","consume"]'))
        self.assertEqual(request(kop.PULSAR_ADMIN_TENANTS), ("GET", "/admin/v2/tenants", None, b""))
        with self.assertRaises(kop.KopError):
            request(kop.PULSAR_ADMIN_STATS, topic="n/x")

    def test_answers(self):
        self.assertEqual(judge(Answer(204, [], b"")).kind, kop.PULSAR_ADMIN_DONE)
        moved = judge(Answer(307, [("Location", "http://b:8080/x")], b""))
        self.assertEqual((moved.kind, moved.location), (kop.PULSAR_ADMIN_REDIRECT, b"http://b:8080/x"))
        gone = judge(Answer(404, [], b'{"reason":"Topic not found"}'))
        self.assertEqual((gone.kind, gone.reason), (kop.PULSAR_ADMIN_MISSING, b"Topic not found"))

    def test_readers(self):
        def of(what, body, headers=()):
            return read(what, Answer(200, list(headers), body))

        self.assertEqual(of("strings", b'["a","b"]').items, [b"a", b"b"])
        self.assertEqual([(p.key, p.value) for p in of("properties", b'{"a":"b"}').items], [(b"a", b"b")])
        self.assertEqual(of("partitions", b'{"partitions":4}').partitions, 4)
        inside = of("internals", b'{"ledgers":[{"ledgerId":5,"entries":9,"size":70}],"properties":{"index":"8"}}')
        self.assertEqual([(x.ledger_id, x.entries) for x in inside.ledgers], [(5, 9)])
        self.assertEqual((inside.ledger_bytes, inside.index), ([70], 8))
        self.assertEqual(of("stats", b'{"storageSize":7,"subscriptions":{"s":{}}}').subscriptions[0].name, b"s")
        self.assertEqual(of("message_id", b'{"ledgerId":5,"entryId":9}').entry_id, 9)
        self.assertEqual(of("retention", b'{"retentionTimeInMinutes":-1,"retentionSizeInMB":3}').megabytes, 3)
        self.assertIsNone(of("retention", b""))
        self.assertIsNone(of("number", b""))
        self.assertEqual(of("number", b"12"), 12)
        running = of("compaction", b'{"status":"RUNNING"}')
        self.assertEqual((running.state, running.error), (kop.PULSAR_ADMIN_COMPACTION_RUNNING, ""))
        failed = of("compaction", b'{"status":"ERROR","lastError":"no room"}')
        self.assertEqual((failed.state, failed.error), (kop.PULSAR_ADMIN_COMPACTION_ERROR, "no room"))
        self.assertEqual(of("permissions", b'{"joe":["produce"]}'), {"joe": ["produce"]})
        self.assertEqual(of("inactive_policy", b'{"deleteWhileInactive":true}').deletes, 1)
        entry = of("entry", b"v", [("X-Pulsar-Message-ID", "5:9"), ("X-Pulsar-Broker-Entry-METADATA-index", "70")])
        self.assertEqual((entry.ledger_id, entry.index, entry.payload), (5, 70, b"v"))
        with self.assertRaises(kop.KopError):
            of("strings", b"{}")

    def test_search_over_calls(self):
        asked = []

        def send(call):
            asked.append(call.path.rsplit("/x", 1)[1])
            if call.path.endswith("internal-info"):
                body = b'{"ledgers":[{"ledgerId":5,"entries":50},{"ledgerId":9}]}'
                return Answer(200, [], body)
            if "earliest" in call.path:
                place = (5, 0)
            elif "latest" in call.path:
                place = (9, 20)
            else:
                place = tuple(int(call.path.split("/")[at]) for at in (-3, -1))
            number = place[1] if place[0] == 5 else 50 + place[1]
            return Answer(200, [("X-Pulsar-Message-ID", "%d:%d" % place),
                                ("X-Pulsar-Broker-Entry-METADATA-index", str(number))], b"")

        result = offset.Map().find(lambda probe: pulsar_admin.probe(probe, "x", send), kop.OFFSET_FIND_OFFSET, 33,
                                   can=kop.OFFSET_CAN_READ_EXACT | kop.OFFSET_CAN_LIST)
        self.assertEqual((result.kind, result.entry.ledger_id, result.entry.entry_id), (kop.OFFSET_FOUND, 5, 33))
        self.assertEqual(asked[-1], "/ledger/5/entry/33")


if __name__ == "__main__":
    unittest.main()
