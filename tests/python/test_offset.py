"""Offsets in Python: entries, the map, and searches whose probes a list answers."""
import unittest

import kop
from kop import offset


def log(entries):
    """Entries of two messages each, ten to a ledger, with a hole before every seventh."""
    made, index = [], -1
    for number in range(entries):
        index += 2 if number % 7 else 5
        made.append(offset.entry(100 + number // 10 * 3, number % 10, index, 2, 1000 + number))
    return made


def reader(entries, asked=None):
    def ask(probe):
        if asked is not None:
            asked.append(probe.kind)
        if probe.kind == kop.OFFSET_PROBE_LEDGERS:
            ids = sorted({e.ledger_id for e in entries})
            counts = [(number, sum(e.ledger_id == number for e in entries)) for number in ids]
            return {"kind": kop.OFFSET_ANSWER_LEDGERS, "ledgers": counts}
        place = {kop.OFFSET_PROBE_FIRST: (0, 0), kop.OFFSET_PROBE_LAST: (entries[-1].ledger_id, entries[-1].entry_id),
                 kop.OFFSET_PROBE_AT: (probe.ledger_id, probe.entry_id)}[probe.kind]
        seen = next((e for e in entries if (e.ledger_id, e.entry_id) >= place), None)
        return {"kind": kop.OFFSET_ANSWER_ENTRY, "entry": vars(seen)} if seen else {"kind": kop.OFFSET_ANSWER_NONE}

    return ask


class Offsets(unittest.TestCase):
    def test_entry(self):
        made = offset.entry(7, 12, 41, 3)
        self.assertEqual((made.first, made.last), (39, 41))
        self.assertEqual(offset.entry(7, 12).last, -1)
        with self.assertRaises(kop.KopError):
            offset.entry(7, 12, 41, 0)

    def test_map_learns(self):
        known = offset.Map(spacing=1)
        for made in log(30):
            self.assertIn(known.observe(made), (kop.OFFSET_FITS, kop.OFFSET_GAP))
        place = known.query(6)
        self.assertEqual((place.kind, place.low.entry_id, place.batch_index), (kop.OFFSET_EXACT, 1, 1))
        self.assertEqual(known.state().checkpoints, 30)
        known.reset()
        self.assertEqual(known.query(6).kind, kop.OFFSET_BETWEEN)
        with self.assertRaises(TypeError):
            offset.Map(max_everything=1)

    def test_search(self):
        entries = log(200)
        for can in (kop.OFFSET_CAN_READ, kop.OFFSET_CAN_READ | kop.OFFSET_CAN_LIST):
            for number, made in enumerate(entries):
                result = offset.Map().find(reader(entries), kop.OFFSET_FIND_OFFSET, made.last, can=can)
                self.assertEqual((result.kind, result.batch_index), (kop.OFFSET_FOUND, 1))
                self.assertEqual(vars(result.entry), vars(made))
                if number % 7 == 0:
                    hole = offset.Map().find(reader(entries), kop.OFFSET_FIND_OFFSET, made.first - 1, can=can)
                    wanted = kop.OFFSET_IN_HOLE if number else kop.OFFSET_TOO_LOW
                    self.assertEqual((hole.kind, vars(hole.entry)), (wanted, vars(made)))

    def test_one_map_asks_less_each_time(self):
        entries, known, asked = log(200), offset.Map(), []
        known.find(reader(entries, asked), kop.OFFSET_FIND_OFFSET, 300)
        before = len(asked)
        known.find(reader(entries, asked), kop.OFFSET_FIND_OFFSET, 300)
        self.assertGreater(before, 2)
        self.assertEqual(len(asked), before)

    def test_ends_and_time(self):
        entries = log(50)
        latest = offset.Map().find(reader(entries), kop.OFFSET_FIND_LATEST)
        self.assertEqual(latest.end_offset, entries[-1].last + 1)
        at = offset.Map().find(reader(entries), kop.OFFSET_FIND_TIME, 1017)
        self.assertEqual(vars(at.entry), vars(entries[17]))


if __name__ == "__main__":
    unittest.main()
