"""Offsets in Python: entries, the map, and searches whose probes a list answers."""
import unittest
import weakref

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

    def test_an_entry_by_its_offsets(self):
        made = offset.entry(7, 12, 41, 3)
        self.assertEqual([made.find(number) for number in range(38, 43)], [None, 0, 1, 2, None])
        self.assertEqual([made.at(number) for number in range(3)], [39, 40, 41])
        with self.assertRaises(kop.KopError):
            made.at(3)
        self.assertIsNone(offset.entry(7, 12).at(0))

    def test_entries_in_order(self):
        made = [offset.entry(7, 12, 41, 3), offset.entry(7, 3, 90), offset.entry(8, 0), offset.entry(6, 99, 5)]
        self.assertEqual([(e.ledger_id, e.entry_id) for e in sorted(made)], [(6, 99), (7, 3), (7, 12), (8, 0)])
        self.assertTrue(made[0] <= offset.entry(7, 12, 50))
        self.assertFalse(made[0] < offset.entry(7, 12, 50))
        self.assertTrue(made[0] > made[1])

    def test_offsets_that_belong_to_an_entry_before(self):
        before, taken = offset.entry(7, 11, 39, 2), offset.entry(7, 12, 41, 3)
        left, verdict = taken.follow(before)
        self.assertEqual((verdict, left.first, left.last), (kop.OFFSET_OVERLAP, 40, 41))
        self.assertEqual(([left.at(number) for number in range(3)], left.find(39)), ([None, 40, 41], None))
        self.assertEqual(taken.follow(), (taken, kop.OFFSET_FITS))
        self.assertEqual(offset.entry(7, 12, 50).follow(before)[1], kop.OFFSET_GAP)

    def test_old_schemes(self):
        self.assertEqual(offset.adaptor_pack(5, 9), 5 << 28 | 9)
        self.assertEqual(offset.adaptor_unpack(5 << 28 | 9), (5, 9))
        self.assertEqual(offset.plugin_pack(5, 9, 3), 5 << 44 | 9 << 12 | 3)
        self.assertEqual(offset.plugin_unpack(5 << 44 | 9 << 12 | 3), (5, 9, 3))
        for refused in (lambda: offset.adaptor_pack(1, 1 << 28), lambda: offset.plugin_pack(1, 1, 4096)):
            with self.assertRaises(kop.KopError) as caught:
                refused()
            self.assertEqual(caught.exception.status, kop.ERR_LIMIT)
        for unpack in (offset.adaptor_unpack, offset.plugin_unpack):
            with self.assertRaises(kop.KopError):
                unpack(-1)

    def test_ends_and_ledgers_of_a_map(self):
        entries, known = log(30), offset.Map(spacing=1)
        known.ledgers([(100, 10), (103, 10), (106, kop.offset.NO_INDEX)])
        self.assertEqual(known.state().ledgers, 3)
        for made in entries:
            known.observe(made)
        self.assertEqual(known.checkpoints(), entries)
        known.set_end(entries[-1].last + 7)
        self.assertEqual(known.state().end_offset, entries[-1].last + 7)
        self.assertEqual(known.query(entries[-1].last + 9).kind, kop.OFFSET_BEYOND_END)
        known.trim(103, 2)
        self.assertEqual(known.checkpoints(), entries[12:])
        known.set_first(entries[15])
        self.assertEqual((known.checkpoints(), known.state().start_offset), (entries[15:], entries[15].first))
        self.assertEqual(known.query(entries[14].last).kind, kop.OFFSET_BELOW_START)
        with self.assertRaises(kop.KopError):
            known.ledgers([(5, 1), (4, 1)])
        with self.assertRaises(kop.KopError):
            known.set_end(entries[-1].first)

    def test_search_step_by_step(self):
        entries, known = log(50), offset.Map()
        search = known.search(can=kop.OFFSET_CAN_READ)
        with self.assertRaises(kop.KopError):
            search.result()
        search.begin(kop.OFFSET_FIND_OFFSET, entries[33].last)
        ask = reader(entries)
        with self.assertRaises(kop.KopError):
            search.result()
        with self.assertRaises(kop.KopError):
            search.answer({"kind": kop.OFFSET_ANSWER_POSITION})
        alive = weakref.ref(known)
        del known
        self.assertIsNotNone(alive(), "the search needs it")
        while (probe := search.probe()) is not None:
            self.assertEqual(search.probe(), probe)
            search.answer(ask(probe))
        self.assertEqual((search.result().entry, search.result().batch_index), (entries[33], 1))
        search.begin(kop.OFFSET_FIND_EARLIEST)
        while (probe := search.probe()) is not None:
            search.answer(ask(probe))
        self.assertEqual(search.result().entry, entries[0])

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
