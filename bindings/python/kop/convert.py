"""Kafka batches to Pulsar entries and back, see kop/convert.h and docs/conversion.md."""
import ctypes as c
from typing import NamedTuple

from . import _abi
from ._convert import pack, pack_slice, represent, slice_bytes
from ._library import KopError, check, library


class Entry(NamedTuple):
    """One entry to be sent, for kop.pulsar.Session.send_entry(): `head` is checksum and metadata, `num_messages` the places that
    it takes. `data` is the entry as a ledger will hold it."""

    head: bytes
    payload: bytes
    num_messages: int
    count: int
    first_delta: int
    sequence_id: int
    highest_sequence_id: int

    @property
    def data(self):
        return self.head + self.payload


class Answer(NamedTuple):
    """What an entry is for Kafka: `kind` is one of kop.ANSWER_, `reason` one of kop.HOLE_. `batches` are whole batches in a row, for
    kop.records; `chunk` is a part of a message with (uuid, number, parts); `text` says more about what cannot be read."""

    kind: int
    reason: int
    batches: bytes
    format: int
    writer: int
    dropped: int
    chunk: bytes | None
    part: tuple[bytes, int, int] | None
    text: str


def _options(kind, init, given, keep):
    """A struct with its defaults and the fields in `given` laid over them."""
    options = kind()
    init(c.byref(options), c.sizeof(options))
    packed, counts = pack(kind, given, keep), dict(kind._fields_)
    for name in given:
        for field in (name, name + "_count"):
            if field in counts:
                setattr(options, field, getattr(packed, field))
    return options


def facts(entry):
    """What an entry of this library says of the Kafka batch that it was, without looking at its payload: the fields of
    kop_convert_facts, base_timestamp and max_timestamp None when they are not said. None for the entries of others."""
    read, found, data = _abi.kop_pulsar_entry(), _abi.kop_convert_facts(), bytes(entry)
    check(library.kop_pulsar_entry_read(data, len(data), 0, c.byref(read)))
    if (status := library.kop_convert_facts_read(c.byref(read.metadata), c.byref(found))) == _abi.KOP_ERR_NOT_FOUND:
        return None
    check(status)
    made = represent(found)
    made.base_timestamp = made.base_timestamp if made.has_base else None
    made.max_timestamp = made.max_timestamp if made.has_max else None
    del made.has_base, made.has_max
    return made


class Converter:
    """Keeps buffers and codec states from call to call. `options` are fields of kop_convert_config."""

    def __init__(self, **options):
        self._handle = c.c_void_p()
        config = _options(_abi.kop_convert_config, library.kop_convert_config_init, options, [])
        self._check(library.kop_convert_new(c.byref(config), c.byref(self._handle)))

    def __del__(self):
        library.kop_convert_free(self._handle)

    def _check(self, status):
        if status < 0:
            raise KopError(status, library.kop_convert_error_text(self._handle).decode() if self._handle else "")

    def to_pulsar(self, batch, publish_time_ms, **options):
        """The entries of one batch. `options` are fields of kop_to_pulsar_options: compression=kop.PULSAR_COMPRESSION_ZSTD,
        properties={"kop.term": "7"}, max_entry_bytes=..., flags=kop.TO_PULSAR_RESTORE, ..."""
        keep = []
        given = _options(_abi.kop_to_pulsar_options, library.kop_to_pulsar_options_init,
                         dict(options, publish_time_ms=publish_time_ms), keep)
        entries, count, batch = c.POINTER(_abi.kop_convert_entry)(), c.c_size_t(), bytes(batch)
        self._check(library.kop_convert_to_pulsar(self._handle, batch, len(batch), c.byref(given), c.byref(entries),
                                                  c.byref(count)))
        return [Entry(slice_bytes(e.head), slice_bytes(e.payload), e.num_messages, e.count, e.first_delta, e.sequence_id,
                      e.highest_sequence_id) for e in entries[:count.value]]

    def to_kafka(self, entry, first_offset, last_offset, **options):
        """What an entry, with or without broker metadata, is for Kafka. `options` are fields of kop_to_kafka_options."""
        given = _options(_abi.kop_to_kafka_options, library.kop_to_kafka_options_init, options, [])
        answer, entry = _abi.kop_convert_answer(), bytes(entry)
        self._check(library.kop_convert_to_kafka(self._handle, entry, len(entry), first_offset, last_offset, c.byref(given),
                                                 c.byref(answer)))
        return self._answer(answer)

    def chunks_to_kafka(self, last, payload, offset, **options):
        """The same for a message that was put together: its last chunk's entry, and the payloads of all in a row."""
        given, read, keep = _options(_abi.kop_to_kafka_options, library.kop_to_kafka_options_init, options, []), \
            _abi.kop_pulsar_entry(), []
        answer, last = _abi.kop_convert_answer(), bytes(last)
        whole = pack_slice(payload, keep)
        self._check(library.kop_pulsar_entry_read(last, len(last), 0, c.byref(read)))
        self._check(library.kop_convert_chunks_to_kafka(self._handle, c.byref(read), whole, offset, c.byref(given),
                                                        c.byref(answer)))
        return self._answer(answer)

    def _answer(self, a):
        chunk = a.kind == _abi.KOP_ANSWER_CHUNK
        return Answer(a.kind, a.reason, b"".join(slice_bytes(b.head) + slice_bytes(b.records)
                                                 for b in a.batches[:a.batches_count]),
                      a.format, a.writer, a.dropped, slice_bytes(a.chunk) if chunk else None,
                      (slice_bytes(a.chunk_uuid) or b"", a.chunk_id, a.chunk_count) if chunk else None,
                      library.kop_convert_error_text(self._handle).decode())
