"""Record batches: what an APPEND carries and a Fetch response brings."""
import ctypes as c
from typing import NamedTuple

from . import _abi
from ._convert import slice_bytes
from ._library import KopError, check, library


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


__all__ = ["KopError", "Record", "records"]
