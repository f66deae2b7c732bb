"""The engine from Python: bytes in, effects out as objects, answers in, with a clock of the test's own."""
import base64
import unittest

import kop

SERVED = [kop.EFFECT_SEND, kop.EFFECT_CLOSE, kop.EFFECT_RECV_PAUSE, kop.EFFECT_RECV_RESUME, kop.EFFECT_ACQUIRE,
          kop.EFFECT_APPEND, kop.EFFECT_READ, kop.EFFECT_LIST_OFFSETS, kop.EFFECT_LOG]
TOPIC = bytes(range(16))


def request(name, version, value, correlation_id=7):
    """A request frame."""
    message = next(m for m in kop.messages() if m.name == name)
    flexible = {"ApiVersionsRequest": 3, "ProduceRequest": 9, "FetchRequest": 12}[name]
    header = kop.encode("RequestHeader", 2 if version >= flexible else 1, {
        "requestApiKey": message.api_key, "requestApiVersion": version, "correlationId": correlation_id, "clientId": "t"})
    frame = header + kop.encode(name, version, value)
    return len(frame).to_bytes(4) + frame


class Node:
    """An engine that leads partition 9 of topic `t`, and the log of that partition."""

    def __init__(self, **settings):
        self.time, self.log, self.sent, self.other = 1_000, [], b"", []
        self.engine = kop.Engine(effects=SERVED, clocks=lambda: (self.time * 1_000_000, self.time), **settings)
        self.engine.push(kop.EVENT_NODES, controller_id=1, endpoints=[dict(node_id=1, host="h", port=9092)])
        self.engine.push(kop.EVENT_TOPIC, name="t", id=TOPIC, partitions=[(9, 1, -1)])
        self.conn = self.engine.conn_open(peer="test", context=5)

    def answer(self, effect):
        match effect.kind:
            case kop.EFFECT_SEND:
                self.sent += effect.data
                return effect.done()
            case kop.EFFECT_ACQUIRE:
                return effect.done(epoch=3, lease_mono_ns=kop.NEVER)
            case kop.EFFECT_APPEND:
                self.log.append(effect.data)
                return effect.done(base_offset=len(self.log) - 1)
            case kop.EFFECT_READ:
                return effect.done(batches=[(i, [b]) for i, b in enumerate(self.log)], next_offset=len(self.log))
        self.other.append(effect)
        return None

    def turn(self):
        while effects := self.engine.drain():
            self.engine.complete(filter(None, map(self.answer, effects)))

    def ask(self, name, version, value):
        """Sends a request in pieces of 7 bytes; the response as a dict, None if there is none yet."""
        data = request(name, version, value)
        for at in range(0, len(data), 7):
            assert self.engine.feed(self.conn, data[at:at + 7]) == len(data[at:at + 7])
        self.turn()
        return self.response(name, version)

    def response(self, name, version):
        if not self.sent:
            return None
        frame, self.sent = self.sent[4:], b""
        skip = 4 if name == "ApiVersionsRequest" or version < {"ProduceRequest": 9, "FetchRequest": 12}[name] else 5
        assert int.from_bytes(frame[:4]) == 7
        return kop.decode(name.replace("Request", "Response"), version, frame[skip:])

    def produce(self, value):
        batch = kop.batch([(None, value)])
        answer = self.ask("ProduceRequest", 9, {"acks": -1, "timeoutMs": 1_000, "topicData": [
            {"name": "t", "partitionData": [{"index": 0, "records": base64.b64encode(batch).decode()}]}]})
        return answer["responses"][0]["partitionResponses"][0]

    def fetch(self, offset, wait=500):
        return self.ask("FetchRequest", 12, {"maxWaitMs": wait, "minBytes": 1, "maxBytes": 1 << 20, "topics": [
            {"topic": "t", "partitions": [{"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 1 << 20}]}]})


class Engine(unittest.TestCase):
    def setUp(self):
        self.node = Node()
        self.node.turn()

    def test_api_versions_name_what_the_effects_allow(self):
        answer = self.node.ask("ApiVersionsRequest", 3, {"clientSoftwareName": "t", "clientSoftwareVersion": "1"})
        keys = {api["apiKey"] for api in answer["apiKeys"]}
        self.assertLessEqual({0, 1, 2, 3, 18}, keys)
        self.assertNotIn(20, keys)  # DeleteTopics needs an effect that is not served

    def test_a_batch_in_and_out(self):
        self.assertEqual((self.node.produce(b"one")["errorCode"], self.node.produce(b"two")["baseOffset"]), (0, 1))
        self.assertEqual([r.value for b in self.node.log for r in kop.records(b)], [b"one", b"two"])
        partition = self.node.fetch(0)["responses"][0]["partitions"][0]
        found = list(kop.records(base64.b64decode(partition["records"])))
        self.assertEqual([(r.offset, r.value) for r in found], [(0, b"one"), (1, b"two")])

    def test_a_fetch_waits_for_its_deadline(self):
        self.assertIsNone(self.node.fetch(0, wait=500))
        self.assertAlmostEqual(self.node.engine.wait(), 0.5)
        self.node.time += 500
        self.node.engine.tick()
        self.node.turn()
        self.assertEqual(self.node.response("FetchRequest", 12)["errorCode"], 0)

    def test_a_rejected_append_is_the_clients_error(self):
        self.node.answer = lambda effect, usual=self.node.answer: (
            effect.rejected(kop.KAFKA_KAFKA_STORAGE_ERROR) if effect.kind == kop.EFFECT_APPEND else usual(effect))
        self.assertEqual(self.node.produce(b"lost")["errorCode"], kop.KAFKA_KAFKA_STORAGE_ERROR)

    def test_garbage_closes_the_connection(self):
        self.node.engine.feed(self.node.conn, b"\xff" * 8)
        self.node.turn()
        closed = [e for e in self.node.other if e.kind == kop.EFFECT_CLOSE]
        self.assertEqual([(e.target, e.reason, e.context) for e in closed],
                         [(self.node.conn, kop.CLOSE_PROTOCOL, 5)])
        self.node.engine.conn_closed(self.node.conn)
        with self.assertRaises(kop.KopError) as raised:
            self.node.engine.feed(self.node.conn, b"x")
        self.assertEqual(raised.exception.status, kop.ERR_NOT_FOUND)

    def test_same_calls_same_bytes(self):
        def run():
            node = Node(seed=4)
            node.turn()
            for i in range(20):
                node.produce(b"%d" % i)
            return node.log, node.engine.stats()

        self.assertEqual(run(), run())

    def test_stats_and_shutdown(self):
        self.node.produce(b"one")
        stats = self.node.engine.stats()
        self.assertEqual((stats["connections"], stats["records_in_total"], stats["partitions_active"]), (1, 1, 1))
        self.node.engine.shutdown()
        self.node.turn()
        self.assertFalse(self.node.engine.idle)
        self.node.engine.conn_closed(self.node.conn)
        self.node.turn()
        self.assertTrue(self.node.engine.idle)

    def test_settings_that_are_refused(self):
        for settings in (dict(no_such_setting=1), dict(broker_configs={"no.such.config": "1"})):
            with self.subTest(settings), self.assertRaises((kop.KopError, TypeError)):
                kop.Engine(effects=SERVED, **settings)


if __name__ == "__main__":
    unittest.main()
