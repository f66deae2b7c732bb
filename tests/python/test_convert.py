"""The ctypes module against the C compiler, and the conversion of structs both ways."""
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

import ctypes as c
import kop
from kop import _abi
from kop._convert import pack, unpack
from kop.engine import BODIES, EVENTS

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import capi  # noqa: E402


class Layout(unittest.TestCase):
    def test_sizes_and_offsets_are_those_of_the_compiler(self):
        program = Path(os.environ["KOP_BUILD"]) / "layout"
        compiled = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
        found = []
        for struct in _abi.STRUCTS:
            found.append(f"{struct.__name__} {c.sizeof(struct)}")
            for name, _ in struct._fields_:
                field = getattr(struct, name)
                found.append(f"{struct.__name__}.{name} {field.offset} {field.size}")
        self.assertGreater(len(compiled), 100)
        self.assertEqual(found, compiled)

    def test_the_library_that_runs_is_of_this_version(self):
        self.assertEqual(kop.library.kop_version(), _abi.KOP_VERSION_NUMBER)
        self.assertEqual(kop.version(), f"{_abi.KOP_VERSION_MAJOR}.{_abi.KOP_VERSION_MINOR}.{_abi.KOP_VERSION_PATCH}")


class Tables(unittest.TestCase):
    """The structs that engine.py names for each kind are those that the header names."""

    def bodies(self, prefix):
        api = capi.read_headers(ROOT / "include" / "kop", skip=("messages.h",))
        found = ((getattr(_abi, n), re.search(r"Body ::(\w+)", k.doc)) for n, k in api.constants.items()
                 if n.startswith(prefix))
        return {kind: match.group(1) for kind, match in found if match}

    def test_effects(self):
        documented = self.bodies("KOP_EFFECT_")
        self.assertGreater(len(documented), 15)
        self.assertEqual({k: b.__name__ for k, (b, _) in BODIES.items() if b}, documented)

    def test_events(self):
        self.assertEqual({k: b.__name__ for k, b in EVENTS.items()}, self.bodies("KOP_EVENT_"))


class Convert(unittest.TestCase):
    def there_and_back(self, kind, **values):
        keep = []
        struct = pack(kind, values, keep)
        if "size" in dict(kind._fields_):
            self.assertEqual(struct.size, c.sizeof(kind))
        return unpack(struct)

    def test_bytes_null_and_empty(self):
        got = self.there_and_back(_abi.kop_state, epoch=3, name="x", as_of=-1, bytes=b"\x00\xff")
        self.assertEqual(got, dict(epoch=3, name=b"x", as_of=-1, bytes=b"\x00\xff"))
        got = self.there_and_back(_abi.kop_config_entry, name=b"", value=None)
        self.assertEqual(got, dict(name=b"", value=None))

    def test_lists_of_structs(self):
        got = self.there_and_back(_abi.kop_topic, flags=1, name="t", id=bytes(range(16)),
                                  partitions=[dict(id=7, leader=1, leader_epoch=-1), (8, 2, 5)],
                                  configs={"retention.ms": "5"})
        self.assertEqual(got["id"], bytes(range(16)))
        self.assertEqual(got["partitions"], [SimpleNamespace(id=7, leader=1, leader_epoch=-1),
                                             SimpleNamespace(id=8, leader=2, leader_epoch=5)])
        self.assertEqual(got["configs"], [SimpleNamespace(name=b"retention.ms", value=b"5")])
        again = self.there_and_back(_abi.kop_topic, configs=got["configs"], partitions=[])
        self.assertEqual((again["configs"], again["partitions"]), (got["configs"], []))

    def test_batches_of_a_read(self):
        got = self.there_and_back(_abi.kop_read_result, batches=[(5, [b"head", b"tail"]), (9, [b""])], next_offset=12)
        self.assertEqual([(b.base_offset, b.slices) for b in got["batches"]], [(5, [b"head", b"tail"]), (9, [b""])])

    def test_a_field_that_does_not_exist(self):
        with self.assertRaises(TypeError):
            pack(_abi.kop_appended, dict(offset=1), [])


class Errors(unittest.TestCase):
    def test_a_refused_call_is_an_exception_with_its_status(self):
        with self.assertRaises(kop.KopError) as raised:
            kop._library.check(kop.ERR_MALFORMED, "here")
        self.assertEqual(raised.exception.status, kop.ERR_MALFORMED)
        self.assertEqual(str(raised.exception), "malformed input: here")


if __name__ == "__main__":
    unittest.main()
