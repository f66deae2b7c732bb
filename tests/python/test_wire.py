"""Messages through the JSON view: every message and version there and back, and what is refused."""
import unittest

import kop


class Messages(unittest.TestCase):
    def test_requests_and_responses_come_in_pairs(self):
        found = kop.messages()
        requests = {m.api_key for m in found if m.api_key >= 0 and not m.is_response}
        responses = {m.api_key for m in found if m.api_key >= 0 and m.is_response}
        self.assertEqual(requests, responses)
        self.assertEqual(len(requests), 95)

    def test_the_default_of_every_message_and_version_survives(self):
        pairs = 0
        for message in kop.messages():
            for version in message.versions:
                with self.subTest(message=message.name, version=version):
                    data = kop.encode(message.name, version, {})
                    value = kop.decode(message.id, version, data)
                    self.assertEqual(kop.encode(message.id, version, value), data)
                    pairs += 1
        self.assertGreater(pairs, 736)

    def test_values(self):
        value = {"topics": [{"name": "tö", "topicId": "AAAAAAAAAAAAAAAAAAAAAQ"}], "allowAutoTopicCreation": False,
                 "includeTopicAuthorizedOperations": True}
        data = kop.encode("MetadataRequest", 12, value)
        self.assertEqual(data, bytes.fromhex("02" + "00" * 15 + "01" + "04" + "74c3b6" + "00" + "000100"))
        self.assertEqual(kop.decode("MetadataRequest", 12, data), value)


class Refused(unittest.TestCase):
    def refused(self, status, call, *arguments):
        with self.assertRaises(kop.KopError) as raised:
            call(*arguments)
        self.assertEqual(raised.exception.status, status)
        return str(raised.exception)

    def test_names_and_versions(self):
        self.refused(kop.ERR_NOT_FOUND, kop.decode, "NoSuchRequest", 0, b"")
        self.refused(kop.ERR_UNSUPPORTED, kop.decode, "MetadataRequest", 99, b"")

    def test_bytes(self):
        data = kop.encode("MetadataRequest", 12, {})
        for n in range(len(data)):
            self.refused(kop.ERR_TRUNCATED, kop.decode, "MetadataRequest", 12, data[:n])
        self.refused(kop.ERR_MALFORMED, kop.decode, "MetadataRequest", 12, data + b"x")

    def test_values(self):
        self.assertIn("nonsense", self.refused(kop.ERR_MALFORMED, kop.encode, "MetadataRequest", 12, {"nonsense": 1}))
        self.refused(kop.ERR_MALFORMED, kop.encode, "MetadataRequest", 12, {"topics": 5})


if __name__ == "__main__":
    unittest.main()
