"""Pulsar's message ids and entries: read, written, taken apart into messages (kop/pulsar_entry.h).

    found = pulsar_entry.read(data)                     found.index, found.kind, found.metadata["producer_name"]
    for message in pulsar_entry.messages(data): ...     its messages, decompressed, whether it is a batch or not

    payload = pulsar_entry.batch([b"one", {"value": b"two", "partition_key": "k", "properties": {"a": "b"}}])
    data = pulsar_entry.write(payload, num_messages_in_batch=2, producer_name="p", sequence_id=1, publish_time=now)
"""
import base64
import ctypes as c
from dataclasses import dataclass
from typing import NamedTuple

from . import _abi
from ._convert import pack, pack_slice, represents, slice_bytes, slice_text
from ._library import check, library

LIMIT = 64 << 20  # bytes that a payload may expand to unless the caller says otherwise


@represents(_abi.kop_pulsar_message_id)
@dataclass(frozen=True)
class MessageId:
    """Where a message is. `batch_index` is -1 for a whole entry. Two of one partition are ordered by ledger, entry and batch
    index, EARLIEST first and LATEST last; they are equal when all fields are."""

    ledger_id: int
    entry_id: int
    partition: int = -1
    batch_index: int = -1
    batch_size: int = 0

    def _compare(self, other):
        return library.kop_pulsar_message_id_compare(c.byref(pack(_abi.kop_pulsar_message_id, vars(self), [])),
                                                     c.byref(pack(_abi.kop_pulsar_message_id, vars(other), [])))

    def __lt__(self, other):
        return self._compare(other) < 0

    def __le__(self, other):
        return self._compare(other) <= 0


EARLIEST = MessageId(_abi.KOP_PULSAR_EARLIEST, _abi.KOP_PULSAR_EARLIEST)
LATEST = MessageId(_abi.KOP_PULSAR_LATEST, _abi.KOP_PULSAR_LATEST)


class Message(NamedTuple):
    """One message of an entry. Keys as they stand (base64 undone), null keys and values are None, times are in ms, 0 for none."""

    index: int | None  # of the broker, counted from 0 in its partition; None if the broker does not count
    batch_index: int
    key: bytes | None
    value: bytes | None
    properties: list[tuple[str, str]]
    event_time: int
    publish_time: int


class Entry(NamedTuple):
    """An entry. `kind` is one of kop.PULSAR_KIND_; what the broker or the producer has left out is None. `metadata` holds the
    fields of kop_pulsar_metadata that are there: texts as str, other bytes as bytes, repeated ones as lists."""

    kind: int
    index: int | None
    broker_timestamp: int | None
    checksum: int | None
    metadata: dict
    payload: bytes


# ---- repeated fields ----


def repeated(take, field, item):
    """The elements of a repeated field: `take` is the library's function for the next one, which it puts into `item`."""
    rest = _abi.kop_pulsar_repeated.from_buffer_copy(field)
    while (status := take(c.byref(rest), c.byref(item))) != _abi.KOP_ERR_NOT_FOUND:
        check(status)
        yield item


def properties_of(field):
    """A repeated field of properties, as pairs."""
    return [(slice_text(item.key), slice_text(item.value))
            for item in repeated(library.kop_pulsar_property_next, field, _abi.kop_pulsar_property())]


def _encryption_keys(field):
    return [(slice_text(item.name), slice_bytes(item.value), properties_of(item.metadata)) for item in
            repeated(library.kop_pulsar_encryption_key_next, field, _abi.kop_pulsar_encryption_key())]


def _strings(field):
    return [slice_text(item) for item in repeated(library.kop_pulsar_string_next, field, _abi.kop_slice())]


def _numbers(field):
    return [item.value for item in repeated(library.kop_pulsar_int_next, field, c.c_int32())]


def _varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _bytes(number, value):
    """A field of protobuf with a length."""
    value = value.encode(errors="surrogateescape") if isinstance(value, str) else bytes(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _pair(number, item):
    return _bytes(number, _bytes(1, item[0]) + _bytes(2, item[1]))


# Repeated fields of the metadata: number in the message, how they are read, how an element is written. The library gives and
# takes them as the bytes that stand in the message.
_REPEATED = {
    "properties": (4, properties_of, _pair),
    "replicate_to": (7, _strings, _bytes),
    "encryption_keys": (13, _encryption_keys, lambda number, item: _bytes(
        number, _bytes(1, item[0]) + _bytes(2, item[1]) + b"".join(_pair(3, one) for one in item[2]))),
    "compacted_batch_indexes": (31, _numbers, lambda number, item: _varint(number << 3) + _varint(item)),
}


def _repeat(number, put, items, keep):
    items = list(items.items() if isinstance(items, dict) else items)
    data = pack_slice(b"".join(put(number, item) for item in items) if items else None, keep)
    return _abi.kop_pulsar_repeated(data.ptr, data.len, len(items), number, 0)


def _present(struct, values, prefix, keep):
    """Lays values over a struct whose `present` has a bit for each of its fields."""
    given = pack(type(struct), values, keep)
    for name in values:
        setattr(struct, name, getattr(given, name))
        struct.present |= getattr(_abi, f"{prefix}_HAS_{name.upper()}")
    return struct


def metadata(values, keep):
    """A kop_pulsar_metadata of such a dict as Entry.metadata; `keep` collects what has to live as long."""
    md, values = _abi.kop_pulsar_metadata(), dict(values)
    library.kop_pulsar_metadata_init(c.byref(md))
    for name, (number, _, put) in _REPEATED.items():
        if name in values:
            setattr(md, name, _repeat(number, put, values.pop(name), keep))
    return _present(md, values, "KOP_PULSAR", keep)


# ---- entries ----

_TEXTS = ("producer_name", "replicated_from", "partition_key", "encryption_algo", "uuid")


def _fields(md):
    found = {}
    for name, kind in md._fields_:
        if name in _REPEATED:
            if getattr(md, name).count:
                found[name] = _REPEATED[name][1](getattr(md, name))
        elif md.present & getattr(_abi, f"KOP_PULSAR_HAS_{name.upper()}", 0):
            value = getattr(md, name)
            found[name] = slice_text(value) if name in _TEXTS else slice_bytes(value) if kind is _abi.kop_slice else value
    return found


def _read(data, check_sum):
    """The struct of an entry, and the buffer that it borrows from."""
    buffer, found = c.create_string_buffer(data, len(data)), _abi.kop_pulsar_entry()
    check(library.kop_pulsar_entry_read(buffer, len(data), _abi.KOP_PULSAR_ENTRY_CHECK if check_sum else 0, c.byref(found)))
    return found, buffer


def read(data, check=True):
    """Reads an entry as a MESSAGE event brings it or a ledger holds it; a wrong checksum raises KopError unless `check` is
    False. The payload is as it stands: compressed, encrypted, a batch."""
    found, _buffer = _read(data, check)
    has = found.present
    return Entry(library.kop_pulsar_entry_kind(c.byref(found.metadata)),
                 found.index if has & _abi.KOP_PULSAR_ENTRY_HAS_INDEX else None,
                 found.broker_timestamp if has & _abi.KOP_PULSAR_ENTRY_HAS_BROKER_TIMESTAMP else None,
                 found.checksum if has & _abi.KOP_PULSAR_ENTRY_HAS_CHECKSUM else None,
                 _fields(found.metadata), slice_bytes(found.payload))


def write(payload=b"", **fields):
    """An entry as a producer sends it: checksum, metadata, payload. `fields` are those that Entry.metadata can hold, of which
    producer_name, sequence_id and publish_time must be there. `payload` is written as it is: see batch() and compress()."""
    keep, size, head = [], c.c_size_t(), b""
    md, piece = metadata(fields, keep), pack_slice(payload, keep)
    while (status := library.kop_pulsar_entry_write(c.byref(md), None, 0, c.byref(piece), 1, head, len(head),
                                                    c.byref(size))) == _abi.KOP_ERR_NO_SPACE:
        head = c.create_string_buffer(size.value)
    check(status)
    return head.raw + payload


# ---- messages ----


def _key(single):
    key = slice_bytes(single.partition_key)
    if key is None or single.null_partition_key:
        return None
    try:
        return base64.b64decode(key, validate=True) if single.partition_key_b64_encoded else key
    except ValueError:  # the flag is wrong: better as it stands than lost
        return key


def messages(entry, limit=LIMIT, ack_set=()):
    """The messages of an entry as a MESSAGE event brings it or a ledger holds it, decompressed, in order. Left out are those
    that compaction removed, and by the event's `ack_set` those that were acknowledged before. Bytes that cannot be read raise
    KopError, as does a payload above `limit`."""
    found, _buffer = _read(entry, True)
    iterator, message, payload = _abi.kop_pulsar_batch_iter(), _abi.kop_pulsar_message(), _abi.kop_slice()
    md = found.metadata
    with _Codec() as codec:
        check(library.kop_pulsar_decompress(codec, md.compression, found.payload, md.uncompressed_size, limit,
                                            c.byref(payload)))
        check(library.kop_pulsar_batch_begin(c.byref(iterator), c.byref(md), payload))
        counted = found.present & _abi.KOP_PULSAR_ENTRY_HAS_INDEX
        first = found.index - md.num_messages_in_batch + 1
        while (status := library.kop_pulsar_batch_next(c.byref(iterator), c.byref(message))) != _abi.KOP_ERR_NOT_FOUND:
            check(status)
            one, at = message.single, message.batch_index
            if message.compacted_out or ack_set and not ack_set[at // 64] >> at % 64 & 1:
                continue
            yield Message(first + at if counted else None, at, _key(one),
                          None if one.null_value else slice_bytes(message.payload), properties_of(one.properties),
                          one.event_time, md.publish_time)


def batch(items):
    """The payload of a batch: values, or dicts of `value`, `properties` and fields of kop_pulsar_single. A value of None is a
    tombstone. Say num_messages_in_batch with it."""
    return b"".join(_message(item if isinstance(item, dict) else {"value": item}) for item in items)


def _message(fields):
    keep, size, out, fields = [], c.c_size_t(), b"", dict(fields)
    single, value = _abi.kop_pulsar_single(), fields.pop("value", None)
    library.kop_pulsar_single_init(c.byref(single))
    single.properties = _repeat(1, _pair, fields.pop("properties", ()), keep)
    if value is None:
        fields["null_value"] = 1
    _present(single, fields, "KOP_PULSAR_SINGLE", keep)
    payload = pack_slice(value or b"", keep)
    while (status := library.kop_pulsar_batch_put(c.byref(single), None, 0, payload, out, len(out), c.byref(size))) \
            == _abi.KOP_ERR_NO_SPACE:
        out = c.create_string_buffer(size.value)
    check(status)
    return out.raw


# ---- compression ----


class _Codec:
    def __enter__(self):
        self.handle = c.c_void_p()
        check(library.kop_pulsar_codec_new(None, c.byref(self.handle)))
        return self.handle

    def __exit__(self, *_):
        library.kop_pulsar_codec_free(self.handle)


def compress(payload, compression, level=_abi.KOP_PULSAR_LEVEL_DEFAULT):
    """A payload compressed as one of kop.PULSAR_COMPRESSION_; its own length belongs into `uncompressed_size`."""
    keep, out = [], _abi.kop_slice()
    with _Codec() as codec:
        check(library.kop_pulsar_compress(codec, compression, level, pack_slice(payload, keep), c.byref(out)))
        return slice_bytes(out)


def decompress(payload, compression, uncompressed_size, limit=LIMIT):
    """The reverse; KopError unless it gives exactly `uncompressed_size` bytes, or when they are more than `limit`."""
    keep, out = [], _abi.kop_slice()
    with _Codec() as codec:
        check(library.kop_pulsar_decompress(codec, compression, pack_slice(payload, keep), uncompressed_size, limit,
                                            c.byref(out)))
        return slice_bytes(out)
