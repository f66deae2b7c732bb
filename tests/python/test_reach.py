"""Every public function of Pulsar's protocol, of offsets and of conversion is of use from Python: the other tests here call it
through the modules of kop, or it is named below, with the reason why it needs no method."""
import importlib
import os
import sys
import unittest
from pathlib import Path

from kop import library

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import capi  # noqa: E402

HEADERS = ("pulsar.h", "pulsar_topic.h", "pulsar_entry.h", "pulsar_admin.h", "offset.h", "convert.h")
TESTS = ("test_conversion", "test_offset", "test_pulsar", "test_pulsar_admin", "test_pulsar_entry", "test_pulsar_session",
         "test_pulsar_topic")

NEEDLESS = {
    "kop_pulsar_recv_buffer": "a place to receive into: Session.feed() takes the bytes that Python's sockets give",
    "kop_pulsar_recv_commit": "the same",
    "kop_pulsar_keep": "bytes that live longer: those of an Event are a copy",
    "kop_pulsar_release": "the same",
    "kop_convert_entry_to_kafka": "an entry that was read: Converter.to_kafka() reads it itself",
    "kop_pulsar_entry_check": "the checksum of an entry that was read: pulsar_entry.read() checks it, unless told otherwise",
    "kop_pulsar_metadata_read": "metadata without its entry: pulsar_entry.read()",
    "kop_pulsar_metadata_write": "the same: pulsar_entry.write()",
    "kop_pulsar_metadata_size": "room for bytes, which Python does not ask for",
    "kop_pulsar_single_read": "metadata without its message: pulsar_entry.messages()",
    "kop_pulsar_single_write": "the same: pulsar_entry.batch()",
    "kop_pulsar_single_size": "room for bytes",
}


class Reach(unittest.TestCase):
    def test_every_function_is_called_or_needless(self):
        api = capi.read_headers(ROOT / "include" / "kop", skip=("messages.h",))
        declared = {name for name in api.functions if api.functions[name].header in HEADERS}
        self.assertGreater(len(declared), 100)
        called = set()

        def note(result, function, _):
            called.add(function.__name__)
            return result

        for name in declared:
            getattr(library, name).errcheck = note
        try:
            suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(name))
                                       for name in TESTS)
            with open(os.devnull, "w") as nowhere:
                outcome = unittest.TextTestRunner(nowhere).run(suite)
        finally:
            for name in declared:
                del getattr(library, name).errcheck
        self.assertTrue(outcome.wasSuccessful(), "the other tests tell more")
        self.assertEqual(sorted(declared - called - NEEDLESS.keys()), [], "neither reached from Python nor named as needless")
        self.assertEqual(sorted(NEEDLESS.keys() & called), [], "reached, so not needless")
        self.assertEqual(sorted(NEEDLESS.keys() - declared), [], "no such function")


if __name__ == "__main__":
    unittest.main()
