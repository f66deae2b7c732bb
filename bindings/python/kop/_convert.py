"""C structs to Python values and back, by rules that all of libkop's structs keep:

a kop_slice is bytes or None; a kop_uuid is 16 bytes; a pointer `x` beside `x_count` is a list; `size` and `reserved...`
are filled in and left out. Everything is copied, so no Python value dies with the library's memory. A struct in a struct is a
SimpleNamespace, or of the class that represents() has named for it.
"""
import ctypes as c
from functools import cache
from types import SimpleNamespace

from . import _abi

_SLICE, _UUID, _CHARS = _abi.kop_slice, _abi.kop_uuid, c.c_char_p
_CLASSES = {}


def represents(struct):
    """Names the dataclass, of the same fields, that a struct becomes."""

    def register(cls):
        _CLASSES[struct] = cls
        return cls

    return register


def represent(struct):
    """A struct as an object: of its class, else a SimpleNamespace."""
    return _CLASSES.get(type(struct), SimpleNamespace)(**unpack(struct))


def slice_text(value):
    """The text that a kop_slice points to; bytes that are no UTF-8 come through as surrogates, and go back as they were."""
    return c.string_at(value.ptr, value.len).decode(errors="surrogateescape") if value.ptr is not None else None


def slice_bytes(value):
    """What a kop_slice points to; None for null."""
    return c.string_at(value.ptr, value.len) if value.ptr is not None else None


@cache
def _plan(struct):
    """(field, its type, its count field or None) of what is to be seen of a struct."""
    names = {name for name, _ in struct._fields_}
    return [(name, kind, name + "_count" if name + "_count" in names else None) for name, kind in struct._fields_
            if name != "size" and not name.startswith("reserved")
            and not (name.endswith("_count") and name.removesuffix("_count") in names)]


def _value(kind, value):
    if kind is _SLICE:
        return slice_bytes(value)
    if kind is _UUID:
        return bytes(value.bytes)
    if kind is _CHARS:
        return value.decode() if value is not None else None
    return represent(value) if isinstance(value, c.Structure) else value


def unpack(struct):
    """A struct as a dict of Python values."""
    found = {}
    for name, kind, count in _plan(type(struct)):
        value = getattr(struct, name)
        if count:
            found[name] = [_value(kind._type_, value[i]) for i in range(getattr(struct, count))]
        else:
            found[name] = _value(kind, value)
    return found


def _as_mapping(kind, value):
    """The fields of one struct, given as a dict, as an object with attributes, or as a tuple in order of the fields."""
    if isinstance(value, dict):
        return value
    if isinstance(value, (tuple, list)):
        return dict(zip((name for name, _, _ in _plan(kind)), value))
    return vars(value)


def _fill(kind, value, keep):
    if kind is _SLICE:
        if value is None:
            return _SLICE()
        value = value.encode(errors="surrogateescape") if isinstance(value, str) else bytes(value)
        # A NULL pointer means null, so an empty value still points somewhere.
        address = c.cast(c.c_char_p(value), c.c_void_p).value
        keep.append(value)
        return _SLICE(address, len(value))
    if kind is _UUID:
        return _UUID((c.c_uint8 * 16)(*value))
    if isinstance(kind, type) and issubclass(kind, c.Structure):
        return pack(kind, _as_mapping(kind, value), keep)
    return value


def pack(kind, values, keep):
    """A struct of Python values; `keep` collects what has to live as long as the struct is used."""
    struct = kind()
    counts = {name: count for name, _, count in _plan(kind)}
    types = dict(kind._fields_)
    if "size" in types:
        struct.size = c.sizeof(kind)
    for name, value in values.items():
        if name not in counts:
            raise TypeError(f"{kind.__name__} has no field {name}")
        if not counts[name]:
            setattr(struct, name, _fill(types[name], value, keep))
            continue
        array = pack_array(types[name]._type_, value, keep)
        setattr(struct, name, c.cast(array, types[name]))
        setattr(struct, counts[name], len(array))
    return struct


def pack_array(kind, values, keep):
    """An array of structs, slices or numbers; a dict gives its items."""
    values = list(values.items() if isinstance(values, dict) else values)
    array = (kind * len(values))(*(_fill(kind, item, keep) for item in values))
    keep.append(array)
    return array


def pack_slice(value, keep):
    """A kop_slice of bytes, text or None."""
    return _fill(_SLICE, value, keep)
