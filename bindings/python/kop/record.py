"""Record batches: what an APPEND carries and a Fetch response brings."""
import ctypes as c
from typing import NamedTuple

from . import _abi
from ._convert import pack, slice_bytes
from ._library import check, library


class Record(NamedTuple):
    """One record. Null keys, values and header values are None; the timestamp is in ms, -1 for none."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def records(data):
    """The records of concatenated batches or message sets of any version, decompressed, in order.

    A batch that is cut off at the end is left out, as consumers do. Damaged bytes raise KopError.
    """
    buffer = c.create_string_buffer(bytes(data), len(data)) if data else None
    at, size, handle = 0, c.c_size_t(), c.c_void_p()
    check(library.kop_record_ctx_new(None, c.byref(handle)))
    try:
        while at < len(data):
            place = c.addressof(buffer) + at
            status = library.kop_batch_next(place, len(data) - at, c.byref(size), None)
            if status == _abi.KOP_ERR_TRUNCATED:
                return
            check(status)
            check(library.kop_record_begin(handle, place, size.value))
            yield from _batch(handle)
            at += size.value
    finally:
        library.kop_record_ctx_free(handle)


def _batch(handle):
    record, header = _abi.kop_record(), _abi.kop_record_header()
    while (status := library.kop_record_next(handle, c.byref(record))) != _abi.KOP_ERR_NOT_FOUND:
        check(status)
        rest, headers = _abi.kop_slice(record.headers.ptr, record.headers.len), []
        while (status := library.kop_record_header_next(c.byref(rest), c.byref(header))) != _abi.KOP_ERR_NOT_FOUND:
            check(status)
            headers.append((slice_bytes(header.key).decode(), slice_bytes(header.value)))
        yield Record(record.offset, record.timestamp, slice_bytes(record.key), slice_bytes(record.value), headers)


def batch(items, **options):
    """One batch of Records, or of (key, value) pairs without timestamp. `options` are fields of kop_batch_options:
    codec=kop.CODEC_ZSTD, base_offset=100, magic=1, ... Offsets of Records count, those of pairs follow each other."""
    given, handle, out, size = _abi.kop_batch_options(), c.c_void_p(), c.c_void_p(), c.c_size_t()
    library.kop_batch_options_init(c.byref(given), c.sizeof(given))
    for name, value in options.items():
        if not hasattr(given, name):
            raise TypeError(f"kop_batch_options has no field {name}")
        setattr(given, name, value)
    check(library.kop_batch_builder_new(None, c.byref(handle)))
    try:
        check(library.kop_batch_builder_begin(handle, c.byref(given)))
        for item in items:
            _append(handle, item if isinstance(item, Record) else Record(-1, -1, *item, []))
        check(library.kop_batch_builder_finish(handle, c.byref(out), c.byref(size)))
        return c.string_at(out, size.value)
    finally:
        library.kop_batch_builder_free(handle)


def _append(handle, record):
    keep = []
    headers = (_abi.kop_record_header * len(record.headers))(
        *(pack(_abi.kop_record_header, dict(key=key, value=value), keep) for key, value in record.headers))
    given = pack(_abi.kop_record_in, dict(offset=record.offset, timestamp=record.timestamp, key=record.key,
                                          value=record.value, headers=headers, header_count=len(headers)), keep)
    check(library.kop_batch_builder_append(handle, c.byref(given)))
