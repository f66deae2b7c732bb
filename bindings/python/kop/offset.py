"""Kafka offsets of a Pulsar topic: what is known of it (Map), and searches by probes (Map.find)."""
import ctypes as c

from . import _abi
from ._convert import SimpleNamespace, pack, unpack
from ._library import check, library

NO_INDEX = 2**64 - 1


def entry(ledger_id, entry_id, index=NO_INDEX, count=1, timestamp=-1):
    """An entry and its offsets: `first` to `last`, -1 without an index."""
    made = _abi.kop_offset_entry()
    check(library.kop_offset_entry_set(ledger_id, entry_id, index, count, timestamp, c.byref(made)))
    return SimpleNamespace(**unpack(made))


class Map:
    """What is known of one topic. `config` are fields of kop_offset_map_config."""

    def __init__(self, **config):
        self._handle = c.c_void_p()
        check(library.kop_offset_map_new(_config("map", config), c.byref(self._handle)))

    def __del__(self):
        library.kop_offset_map_free(self._handle)

    def observe(self, seen, keep=False):
        """Learns from an entry; returns one of kop.OFFSET_FITS .. OFFSET_UNINDEXED_AFTER."""
        verdict, keep_alive = c.c_uint32(), []
        given = pack(_abi.kop_offset_entry, vars(seen), keep_alive)
        check(library.kop_offset_map_observe(self._handle, c.byref(given), keep, c.byref(verdict)))
        return verdict.value

    def query(self, offset):
        """Where an offset stands, from memory alone: the fields of kop_offset_place."""
        place = _abi.kop_offset_place()
        check(library.kop_offset_map_query(self._handle, offset, c.byref(place)))
        return SimpleNamespace(**unpack(place))

    def state(self):
        """What the map holds: the fields of kop_offset_map_state."""
        state = _abi.kop_offset_map_state()
        library.kop_offset_map_describe(self._handle, c.byref(state))
        return SimpleNamespace(**unpack(state))

    def reset(self):
        """Forgets everything."""
        library.kop_offset_map_reset(self._handle)

    def find(self, ask, what, value=0, **config):
        """Runs a search; returns the fields of kop_offset_result.

        ask(probe) carries out a probe (fields of kop_offset_probe) and returns the fields of a kop_offset_answer as a dict, or such a
        struct. `what` is kop.OFFSET_FIND_OFFSET or another, `config` are fields of kop_offset_search_config.
        """
        search, probe, result = c.c_void_p(), _abi.kop_offset_probe(), _abi.kop_offset_result()
        check(library.kop_offset_search_new(self._handle, _config("search", config), c.byref(search)))
        try:
            check(library.kop_offset_search_begin(search, what, value))
            while (status := library.kop_offset_search_probe(search, c.byref(probe))) != _abi.KOP_ERR_NOT_FOUND:
                check(status)
                answer, keep = ask(SimpleNamespace(**unpack(probe))), []
                if isinstance(answer, dict):
                    answer = pack(_abi.kop_offset_answer, {"next_offset": -1, **answer}, keep)
                check(library.kop_offset_search_answer(search, c.byref(answer)))
            check(library.kop_offset_search_result(search, c.byref(result)))
        finally:
            library.kop_offset_search_free(search)
        return SimpleNamespace(**unpack(result))


def _config(kind, given):
    struct = getattr(_abi, f"kop_offset_{kind}_config")()
    getattr(library, f"kop_offset_{kind}_config_init")(c.byref(struct), c.sizeof(struct))
    for name, value in given.items():
        if not hasattr(struct, name):
            raise TypeError(f"kop_offset_{kind}_config has no field {name}")
        setattr(struct, name, value)
    return c.byref(struct)
