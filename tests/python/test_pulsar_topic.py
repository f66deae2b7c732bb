"""Names of Pulsar topics in Python."""
import unittest

import kop
from kop.pulsar_topic import Topic


class Topics(unittest.TestCase):
    def test_forms(self):
        for name, full in (("orders", "persistent://public/default/orders"), ("t/n/ä b", "persistent://t/n/ä b"),
                           ("non-persistent://t/n/x-partition-3", "non-persistent://t/n/x-partition-3")):
            self.assertEqual(str(Topic.read(name)), full)
            self.assertEqual(Topic.read(full), Topic.read(name))

    def test_parts(self):
        self.assertEqual(Topic.read("t/n/x-partition-12"), Topic("t", "n", "x", 12))
        self.assertEqual(Topic.read("x-partition-03"), Topic("public", "default", "x-partition-03"))
        self.assertEqual(Topic.read("x", "mine", "own"), Topic("mine", "own", "x"))
        self.assertFalse(Topic.read("non-persistent://t/n/x").is_persistent)
        self.assertEqual(str(Topic("t", "n", "x", 2)), "persistent://t/n/x-partition-2")

    def test_what_is_no_name(self):
        for name in ("", "a/b", "http://a/b/c", "persistent://a/cluster/b/c"):
            with self.assertRaises(kop.KopError, msg=name):
                Topic.read(name)
        with self.assertRaises(kop.KopError):
            str(Topic("t", "n", "a/b"))


if __name__ == "__main__":
    unittest.main()
