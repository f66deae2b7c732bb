"""Offsets of a real topic found by kop.offset: every one, from both ends, in every way to read, and after trimming."""

import math
import time

import kop
from harness.case import case, note
from harness.offsets import Http, Readers, fill
from kop import offset, pulsar_admin

FIND = kop.OFFSET_FIND_OFFSET


def ten_ledgers(pulsar, entries=520):
    topic = pulsar.topic()
    pulsar.admin.retention(topic, -1, -1)
    places = fill(pulsar, topic, entries)
    ledgers = sorted({ledger for ledger, _, _ in places})
    note(f"{len(places)} offsets, {entries} entries, {len(ledgers)} ledgers: {ledgers}")
    assert len(ledgers) >= 10
    return topic, places, ledgers


def found(result):
    return (result.entry.ledger_id, result.entry.entry_id, result.batch_index)


def find_all(ask, places):
    """Each offset from the first on, with one map that learns, then with another from the last on."""
    probes = 0
    for order in (range(len(places)), range(len(places) - 1, -1, -1)):
        known = offset.Map()
        for number in order:
            result = known.find(ask, FIND, number, can=ask.can)
            assert result.kind == kop.OFFSET_FOUND and found(result) == places[number], (number, result)
            probes += result.probes
    return probes


def find_fresh(ask, places, ids):
    """Offsets here and there, each with a map that knows nothing; the probes of each stay in their bound."""
    entries = len({place[:2] for place in places})
    most = 4 * math.ceil(math.log2(entries + 1)) + math.ceil(math.log2(ids + 1)) + 7
    if ask.can != kop.OFFSET_CAN_READ:
        most = 2 * math.ceil(math.log2(entries + 1)) + 6
    taken = []
    for number in [0, 1, 2, *range(37, len(places), 41), len(places) - 1]:
        result = offset.Map().find(ask, FIND, number, can=ask.can)
        assert result.kind == kop.OFFSET_FOUND and found(result) == places[number], (number, result)
        assert result.probes <= most, (number, result.probes, most)
        taken.append(result.probes)
    note(f"fresh: {sum(taken) / len(taken):.1f} probes, at most {max(taken)} of {most} allowed")


def ends_are_right(ask, places):
    known = offset.Map()
    first = known.find(ask, kop.OFFSET_FIND_EARLIEST, can=ask.can)
    last = known.find(ask, kop.OFFSET_FIND_LATEST, can=ask.can)
    beyond = known.find(ask, FIND, len(places), can=ask.can)
    assert found(first) == places[0] and first.start_offset == 0
    assert found(last) == places[-1] and last.end_offset == len(places)
    assert beyond.kind == kop.OFFSET_TOO_HIGH and beyond.end_offset == len(places)


@case("short-ledgers", quick=True)
def offset_of_ten_ledgers_by_readers_alone(pulsar):
    topic, places, ledgers = ten_ledgers(pulsar)
    ask = Readers(pulsar.connect(), topic)
    note(f"{find_all(ask, places)} probes from both ends")
    find_fresh(ask, places, ledgers[-1] - ledgers[0])
    ends_are_right(ask, places)


@case("short-ledgers", quick=True)
def offset_of_ten_ledgers_by_admin_calls(pulsar):
    topic, places, ledgers = ten_ledgers(pulsar)
    for can in (kop.OFFSET_CAN_READ_EXACT | kop.OFFSET_CAN_LIST, kop.OFFSET_CAN_EXAMINE,
                kop.OFFSET_CAN_READ_EXACT | kop.OFFSET_CAN_LIST | kop.OFFSET_CAN_INDEX):
        ask = Http(pulsar, topic, can)
        note(f"can {can}: {find_all(ask, places)} probes from both ends")
        if not can & kop.OFFSET_CAN_INDEX:  # 4.0.8 has no such call, which costs each fresh search a probe
            find_fresh(ask, places, ledgers[-1] - ledgers[0])
        ends_are_right(ask, places)


@case("short-ledgers")
def offset_by_time(pulsar):
    topic, places, _ = ten_ledgers(pulsar)
    lists = kop.OFFSET_CAN_READ_EXACT | kop.OFFSET_CAN_LIST
    plain, broker = Http(pulsar, topic, lists), Http(pulsar, topic, lists | kop.OFFSET_CAN_TIME)
    seen = {}
    for number in range(0, len(places), 25):
        ledger, entry, _ = places[number]
        read = pulsar_admin.read("entry", plain.ask(kop.PULSAR_ADMIN_ENTRY, topic=topic, ledger_id=ledger, entry_id=entry))
        seen[number] = read.broker_timestamp
    for number, timestamp in seen.items():
        for ask in (plain, broker):
            result = offset.Map().find(ask, kop.OFFSET_FIND_TIME, timestamp, can=ask.can)
            # The first entry of that millisecond; there may be several.
            assert result.kind == kop.OFFSET_FOUND, result
            assert found(result)[:2] <= places[number][:2] and result.entry.timestamp == timestamp
    for ask in (plain, broker):
        beyond = offset.Map().find(ask, kop.OFFSET_FIND_TIME, max(seen.values()) + 3_600_000, can=ask.can)
        assert beyond.kind == kop.OFFSET_TOO_HIGH, beyond


@case("short-ledgers")
def offset_after_trimming(pulsar):
    topic, places, _ = ten_ledgers(pulsar)
    known, ask = offset.Map(), Http(pulsar, topic)
    readers = Readers(pulsar.connect(), topic)
    assert found(known.find(ask, FIND, 5, can=ask.can)) == places[5]
    pulsar.admin.retention(topic, 0, 0)
    deadline = time.monotonic() + 30
    while len(pulsar.admin.internal_stats(topic)["ledgers"]) > 2:
        assert time.monotonic() < deadline, "nothing was trimmed"
        time.sleep(0.1)
    oldest = pulsar.admin.internal_stats(topic)["ledgers"][0]["ledgerId"]
    start = next(i for i, place in enumerate(places) if place[0] >= oldest)
    note(f"starts at {start}")
    for one in (ask, readers):
        stale = offset.Map()
        for number in range(start - 3, start + 3):
            result = stale.find(one, FIND, number, can=one.can)
            if number < start:
                assert result.kind == kop.OFFSET_TOO_LOW and result.entry.first == start, (number, result)
            else:
                assert found(result) == places[number], (number, result)
    # A map from before: what it holds of trimmed ledgers is found to be gone.
    assert known.find(ask, FIND, start - 1, can=ask.can).kind == kop.OFFSET_TOO_LOW
    assert known.state().start_offset == start


@case("short-ledgers")
def offset_in_a_topic_that_was_emptied(pulsar):
    topic = pulsar.topic()
    http = Http(pulsar, topic)
    for ask in (http, Http(pulsar, topic, kop.OFFSET_CAN_EXAMINE | kop.OFFSET_CAN_LIST)):
        virgin = offset.Map().find(ask, FIND, 0, can=ask.can)
        assert virgin.kind == kop.OFFSET_TOO_HIGH and virgin.end_offset == 0, virgin
    places = fill(pulsar, topic, 120)
    http.ask(kop.PULSAR_ADMIN_UNLOAD, topic=topic)  # ends the ledger that grows
    http.ask(kop.PULSAR_ADMIN_TRUNCATE, topic=topic)
    deadline = time.monotonic() + 30
    while pulsar_admin.read("internals", http.ask(kop.PULSAR_ADMIN_INTERNAL_STATS, topic=topic)).entries:
        assert time.monotonic() < deadline, "not emptied"
        time.sleep(0.1)
    for ask in (http, Http(pulsar, topic, kop.OFFSET_CAN_EXAMINE | kop.OFFSET_CAN_LIST)):
        before = offset.Map().find(ask, FIND, len(places) - 1, can=ask.can)
        at_end = offset.Map().find(ask, FIND, len(places), can=ask.can)
        assert before.kind == kop.OFFSET_TOO_LOW and before.end_offset == len(places), before
        assert at_end.kind == kop.OFFSET_TOO_HIGH and at_end.end_offset == len(places), at_end


@case("noindex")
def offset_without_an_index(pulsar):
    topic = pulsar.topic()
    fill(pulsar, topic, 5)
    for ask in (Readers(pulsar.connect(), topic), Http(pulsar, topic)):
        for what in (FIND, kop.OFFSET_FIND_EARLIEST, kop.OFFSET_FIND_LATEST):
            assert offset.Map().find(ask, what, 0, can=ask.can).kind == kop.OFFSET_NO_INDEX
