"""Kafka offsets of a Pulsar topic: entries, what is known of a topic (Map), and searches by probes (kop/offset.h).

    known = offset.Map()
    for event in ...: known.observe(offset.entry(ledger, entry, index, count))
    result = known.find(ask, kop.OFFSET_FIND_OFFSET, 4711, can=kop.OFFSET_CAN_READ)
    (result.entry.ledger_id, result.entry.entry_id, result.batch_index)

Offsets that the old schemes packed: adaptor_pack() and plugin_pack(), and back.
"""
import ctypes as c
from dataclasses import dataclass

from . import _abi
from ._convert import pack, pack_array, represent, represents
from ._library import check, library

NO_INDEX = 2**64 - 1


@represents(_abi.kop_offset_entry)
@dataclass(frozen=True)
class Entry:
    """An entry of a topic and its offsets `first` to `last`, -1 without an index. Make one with entry(). Two are ordered by
    where they stand; they are equal when all fields are."""

    ledger_id: int
    entry_id: int
    first: int
    last: int
    timestamp: int
    count: int

    def _struct(self):
        return pack(_abi.kop_offset_entry, vars(self), [])

    def _compare(self, other):
        return library.kop_offset_entry_compare(c.byref(self._struct()), c.byref(other._struct()))

    def __lt__(self, other):
        return self._compare(other) < 0

    def __le__(self, other):
        return self._compare(other) <= 0

    def follow(self, previous=None):
        """Takes the offsets that belong to entries before it, given the one just before or the one with the highest `last` of
        them: the entry that is left, and one of kop.OFFSET_FITS .. OFFSET_UNINDEXED_AFTER."""
        struct = self._struct()
        before = c.byref(previous._struct()) if previous is not None else None
        verdict = library.kop_offset_entry_follow(c.byref(struct), before)
        return represent(struct), verdict

    def find(self, offset):
        """Which of its messages has an offset, from 0; None if the offset is none of its own."""
        number = c.c_int32()
        status = library.kop_offset_entry_find(c.byref(self._struct()), offset, c.byref(number))
        return _found(status, number)

    def at(self, batch_index):
        """The offset of a message; None if it has none of its own. KopError if there is no such message."""
        offset = c.c_int64()
        return _found(library.kop_offset_entry_at(c.byref(self._struct()), batch_index, c.byref(offset)), offset)


def _found(status, value):
    if status == _abi.KOP_ERR_NOT_FOUND:
        return None
    check(status)
    return value.value


def entry(ledger_id, entry_id, index=NO_INDEX, count=1, timestamp=-1):
    """An entry by what a reader sees of it: the index of its last message, the number of its messages."""
    made = _abi.kop_offset_entry()
    check(library.kop_offset_entry_set(ledger_id, entry_id, index, count, timestamp, c.byref(made)))
    return represent(made)


def adaptor_pack(ledger_id, entry_id):
    """The offset of Pulsar's own Kafka adaptor; KopError for a number that does not fit."""
    offset = c.c_int64()
    check(library.kop_offset_adaptor_pack(ledger_id, entry_id, c.byref(offset)))
    return offset.value


def adaptor_unpack(offset):
    """Ledger and entry of such an offset."""
    ledger, number = c.c_uint64(), c.c_uint64()
    check(library.kop_offset_adaptor_unpack(offset, c.byref(ledger), c.byref(number)))
    return ledger.value, number.value


def plugin_pack(ledger_id, entry_id, batch_index=0):
    """The offset of the Java plug-in before its release 2.8; KopError for a number that does not fit."""
    offset = c.c_int64()
    check(library.kop_offset_plugin_pack(ledger_id, entry_id, batch_index, c.byref(offset)))
    return offset.value


def plugin_unpack(offset):
    """Ledger, entry and place in the batch of such an offset."""
    ledger, number, batch_index = c.c_uint64(), c.c_uint64(), c.c_int32()
    check(library.kop_offset_plugin_unpack(offset, c.byref(ledger), c.byref(number), c.byref(batch_index)))
    return ledger.value, number.value, batch_index.value


class Map:
    """What is known of one topic. `config` are fields of kop_offset_map_config."""

    def __init__(self, **config):
        self._handle = c.c_void_p()
        check(library.kop_offset_map_new(_config("map", config), c.byref(self._handle)))

    def __del__(self):
        library.kop_offset_map_free(self._handle)

    def observe(self, seen, keep=False):
        """Learns from an entry; returns one of kop.OFFSET_FITS .. OFFSET_UNINDEXED_AFTER."""
        verdict = c.c_uint32()
        check(library.kop_offset_map_observe(self._handle, c.byref(seen._struct()), keep, c.byref(verdict)))
        return verdict.value

    def ledgers(self, ledgers):
        """Learns the topic's ledgers in order of id, each an (id, entries) or as pulsar_admin.read("internals") gives it. The
        first one is where the log begins, the last one is taken as growing."""
        array = pack_array(_abi.kop_offset_ledger, ledgers, [])
        check(library.kop_offset_map_ledgers(self._handle, array, len(array)))

    def trim(self, ledger_id, entry_id=0):
        """Nothing before a position exists any more."""
        library.kop_offset_map_trim(self._handle, ledger_id, entry_id)

    def set_first(self, first):
        """The first entry of the log, just read there: all before it is trimmed."""
        check(library.kop_offset_map_set_first(self._handle, c.byref(first._struct())))

    def set_end(self, next_offset):
        """Where the log ends: the offset that its next message has at least, -1 for not known."""
        check(library.kop_offset_map_set_end(self._handle, next_offset))

    def query(self, offset):
        """Where an offset stands, from memory alone: the fields of kop_offset_place."""
        place = _abi.kop_offset_place()
        check(library.kop_offset_map_query(self._handle, offset, c.byref(place)))
        return represent(place)

    def checkpoints(self):
        """The entries that the map remembers, in the order of the topic."""
        found, made = [], _abi.kop_offset_entry()
        while (status := library.kop_offset_map_checkpoint(self._handle, len(found), c.byref(made))) \
                != _abi.KOP_ERR_NOT_FOUND:
            check(status)
            found.append(represent(made))
        return found

    def state(self):
        """What the map holds: the fields of kop_offset_map_state."""
        state = _abi.kop_offset_map_state()
        library.kop_offset_map_describe(self._handle, c.byref(state))
        return represent(state)

    def reset(self):
        """Forgets everything."""
        library.kop_offset_map_reset(self._handle)

    def search(self, **config):
        """A Search on this map; `config` are fields of kop_offset_search_config."""
        return Search(self, **config)

    def find(self, ask, what, value=0, **config):
        """Runs a search to its end: ask(probe) carries out a probe and returns its answer, see Search."""
        search = self.search(**config)
        search.begin(what, value)
        while (probe := search.probe()) is not None:
            search.answer(ask(probe))
        return search.result()


class Search:
    """Looks for one entry at a time, by probes that you carry out whenever you like:

        search.begin(kop.OFFSET_FIND_OFFSET, 4711)
        while (probe := search.probe()) is not None:
            search.answer(await ask(probe))
        search.result()

    Each answer is learned by the map, so that the next search asks less. pulsar_admin.probe() asks by HTTP.
    """

    def __init__(self, known, **config):
        self._handle, self._map = c.c_void_p(), known  # which must outlive it
        check(library.kop_offset_search_new(known._handle, _config("search", config), c.byref(self._handle)))

    def __del__(self):
        library.kop_offset_search_free(self._handle)

    def begin(self, what, value=0):
        """Begins to look for kop.OFFSET_FIND_OFFSET or another, with the offset or time; what was looked for before is
        forgotten."""
        check(library.kop_offset_search_begin(self._handle, what, value))

    def probe(self):
        """What is to be looked up, the fields of kop_offset_probe; None when the search has ended."""
        probe = _abi.kop_offset_probe()
        status = library.kop_offset_search_probe(self._handle, c.byref(probe))
        if status == _abi.KOP_ERR_NOT_FOUND:
            return None
        check(status)
        return represent(probe)

    def answer(self, answer):
        """Answers the probe with the fields of a kop_offset_answer as a dict, or such a struct."""
        keep = []
        if isinstance(answer, dict):
            answer = pack(_abi.kop_offset_answer, {"next_offset": -1, **answer}, keep)
        check(library.kop_offset_search_answer(self._handle, c.byref(answer)))

    def result(self):
        """What was found: the fields of kop_offset_result. KopError before the end."""
        result = _abi.kop_offset_result()
        check(library.kop_offset_search_result(self._handle, c.byref(result)))
        return represent(result)


def _config(kind, given):
    struct = getattr(_abi, f"kop_offset_{kind}_config")()
    getattr(library, f"kop_offset_{kind}_config_init")(c.byref(struct), c.sizeof(struct))
    for name, value in given.items():
        if not hasattr(struct, name):
            raise TypeError(f"kop_offset_{kind}_config has no field {name}")
        setattr(struct, name, value)
    return c.byref(struct)
