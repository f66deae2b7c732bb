#!/usr/bin/env python3
"""Tests the schema's reader and the generator: notation, refusals, names, and that a field is one line."""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools" / "wire"))
import extract  # noqa: E402
import header  # noqa: E402
import names  # noqa: E402
import schema  # noqa: E402
import tables  # noqa: E402

SAMPLE = """
# a comment
request SampleRequest 0: versions 1-7 flexible 5+

GroupId: string? 3-6 = null ignorable
Count: int32 = -1
Items: []SampleItem null 2+ {
  Name: string key
  Extra: Shared 6+ tag 0
}
Shared: Shared

struct Shared {
  Class: bool = true
}
"""


def parse(text):
    return schema.parse("sample", text)


class Notation(unittest.TestCase):
    def test_reads_every_part(self):
        message = parse(SAMPLE)
        self.assertEqual((message.id, message.versions, message.flexible, message.unstable), (0, (1, 7), 5, False))
        group, count, items, shared = message.structs[0].fields
        self.assertEqual((group.versions, group.nullable, group.default, group.flags), ((3, 6), (3, 6), None, ["ignorable"]))
        self.assertEqual((count.versions, count.nullable, count.default), ((1, 7), None, -1))
        self.assertEqual((items.array, items.kind, items.nullable, items.default), (True, "struct", (2, 7), []))
        self.assertEqual([f.name for f in items.struct.fields], ["Name", "Extra"])
        self.assertEqual(items.struct.fields[1].tag, 0)
        self.assertIs(items.struct.fields[1].struct, shared.struct)
        self.assertEqual([s.name for s in message.structs], ["SampleRequest", "SampleItem", "Shared"])

    def test_numbers_the_kinds_apart(self):
        for head, number in (("request A 3", 6), ("response A 3", 7), ("header A 1", 1001), ("data A 10", 1010),
                             ("group-key A 2", 1104), ("group-value A 2", 1105), ("transaction-key A 0", 1200),
                             ("transaction-value A 0", 1201)):
            self.assertEqual(parse(f"{head}: versions 0\n").id, number)

    def test_refuses_what_makes_no_sense(self):
        head = "request A 0: versions 0-3 flexible 2+\n"
        for body, complaint in (
                ("X int32", "is not a field"),
                ("X: int33", "unknown type int33"),
                ("X: Missing", "struct Missing is not declared"),
                ("X: int32 2-4", "do not lie within"),
                ("X: int32 3-2", "do not lie within"),
                ("X: int32 = 2147483648", "does not fit int32"),
                ("X: uint16 = -1", "does not fit uint16"),
                ("X: bool = 1", "is no default of bool"),
                ("X: int32 = null", "the default is null but the field never is"),
                ("X: int32?", "int32 cannot be null"),
                ("X: bytes = \"\"", "only null can be given"),
                ("X: int32 tag 0", "needs flexible versions"),
                ("X: int32 2+ tag 1", "count from 0 without a gap"),
                ("X: int32 2+ tag 0\nY: int32 2+ tag 0", "count from 0 without a gap"),
                ("X: records 2+ tag 0", "record sets can neither"),
                ("X: int32\nX: int32", "X appears twice"),
                ("X: B {\n}\nY: B {\n}", "struct B appears twice"),
                ("X: int32 {\n}", "int32 has no fields"),
                ("X: B\nstruct B {\nY: []C\n}\nstruct C {\nZ: B\n}", "contains itself"),
                ("X: int32\n}\nY: int32", "does not open a struct")):
            with self.assertRaises(schema.SchemaError, msg=body) as caught:
                parse(head + body + "\n")
            self.assertIn(complaint, str(caught.exception))
            self.assertRegex(str(caught.exception), r"^sample:\d+: ")
        for head in ("", "request A: versions 0", "reply A 0: versions 0", "request A 0"):
            with self.assertRaises(schema.SchemaError):
                parse(head + "\nX: int32\n")


class Names(unittest.TestCase):
    def test_snake(self):
        for name, want in (("MaxWaitMs", "max_wait_ms"), ("isKRaftController", "is_kraft_controller"), ("V0Host", "v0_host"),
                           ("Enable2Pc", "enable_2pc"), ("ISRs", "is_rs"), ("ErrorCode", "error_code"), ("ABTest", "ab_test")):
            self.assertEqual(names.snake(name), want)

    def test_members_avoid_the_words_of_c_and_cpp(self):
        self.assertEqual(names.member(parse(SAMPLE).structs[2].fields[0]), "class_")

    def test_structs_do_not_repeat_their_message(self):
        self.assertEqual([names.struct_name(s) for s in parse(SAMPLE).structs],
                         ["kop_sample_request", "kop_sample_request_item", "kop_sample_request_shared"])


class Merge(unittest.TestCase):
    def test_what_only_the_old_release_has_keeps_its_place(self):
        new = [{"name": "A", "type": "int32", "versions": "0+"}, {"name": "C", "type": "int32", "versions": "2+"}]
        old = [{"name": "A", "type": "int32", "versions": "0+"}, {"name": "B", "type": "int32", "versions": "0"},
               {"name": "C", "type": "int32", "versions": "2+"}]
        self.assertEqual([f["name"] for f in extract.merge_fields("M", new, old)], ["A", "B", "C"])

    def test_a_renamed_field_is_one_field(self):
        new = [{"name": "ReplicaEpoch", "type": "int32", "versions": "0+"}]
        old = [{"name": "CandidateEpoch", "type": "int32", "versions": "0+"}]
        self.assertEqual(extract.merge_fields("VoteRequest", new, old), new)

    def test_versions_are_those_of_both(self):
        base = {"type": "request", "name": "M", "fields": []}
        self.assertEqual(extract.merge(dict(base, validVersions="0-5"), dict(base, validVersions="3-8"))["validVersions"], "0-8")
        self.assertEqual(extract.merge(dict(base, validVersions="0-5"), dict(base, validVersions="none"))["validVersions"], "0-5")

    def test_ranges_are_written_as_short_as_they_can_be(self):
        self.assertEqual(extract.format_range((0, 9), (0, 9)), "")
        self.assertEqual(extract.format_range((3, 9), (0, 9)), "3+")
        self.assertEqual(extract.format_range((3, 5), (0, 9)), "3-5")
        self.assertEqual(extract.format_range((3, 3), (0, 9)), "3")


class Generator(unittest.TestCase):
    """One more line in a schema is one more member, everywhere, and the result is C without a warning."""

    def generate(self, change):
        folder = ROOT / "lib" / "wire" / "schema"
        messages = []
        for path in sorted(folder.glob("*.schema")):
            text = path.read_text()
            messages.append(schema.parse(path, change(text) if path.stem == "HeartbeatRequest" else text))
        messages.sort(key=lambda message: message.id)
        return header.write(messages), tables.write(messages)

    def test_a_field_is_one_line(self):
        plain = self.generate(lambda text: text)
        grown = self.generate(lambda text: text.replace("GenerationId: int32", "GenerationId: int32\nLuckyNumber: int16 2+ = 7"))
        self.assertNotIn("lucky_number", plain[0])
        struct = re.search(r"typedef struct kop_heartbeat_request \{.*?\}", grown[0], re.S).group()
        self.assertIn("int16_t lucky_number; /**< Versions 2 to 4, 7 by default. */", struct)
        self.assertIn("{KOPI_OP_I16, 0, offsetof(kop_heartbeat_request, lucky_number), 0, 0}", grown[1])
        self.assertIn("{KOPI_SET_CONST, 2, offsetof(kop_heartbeat_request, lucky_number),", grown[1])
        self.assertIn("{KOPI_IS_I16, 0, offsetof(kop_heartbeat_request, lucky_number), 7, 0}", grown[1])
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder)
            (place / "kop").mkdir()
            (place / "kop" / "messages.h").write_text(grown[0])
            (place / "tables.c").write_text(grown[1])
            subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-fsyntax-only", "-I", folder,
                            "-I", ROOT / "include", "-I", ROOT / "lib", place / "tables.c"], check=True)

    def test_it_writes_the_same_every_time(self):
        self.assertEqual(self.generate(lambda text: text), self.generate(lambda text: text))


if __name__ == "__main__":
    unittest.main()
