"""Kafka's messages as dicts, in every version, both ways, through libkop's JSON view.

    kop.decode("MetadataRequest", 12, body)      -> {"topics": None, "allowAutoTopicCreation": True, ...}
    kop.encode("MetadataRequest", 12, {...})     -> bytes
    kop.messages()                               -> what there is: names, API keys, versions

Members are called as in Kafka's own JSON; bytes are base64 text and uuids 22 characters of it (kop/json.h).
"""
import ctypes as c
import json
from typing import NamedTuple

from . import _abi
from ._library import check, library

_ARENA_LIMIT = 1 << 30


class Message(NamedTuple):
    """What the schema says about one message. `api_key` is -1 for what is neither request nor response."""

    name: str
    id: int
    api_key: int
    is_response: bool
    versions: range


def _describe(message):
    if isinstance(message, str):
        found = c.c_uint32()
        check(library.kop_message_find_name(message.encode(), c.byref(found)), message)
        message = found.value
    info = _abi.kop_message_info()
    check(library.kop_message_describe(message, c.byref(info), c.sizeof(info)), f"message {message}")
    return info


def messages():
    """All messages in order of their ids."""
    found, at = [], c.c_uint32(0)
    while library.kop_message_next(at.value, c.byref(at)) == _abi.KOP_OK:
        info = _describe(at.value)
        found.append(Message(info.name.decode(), info.id, info.api_key, bool(info.is_response),
                             range(info.version_min, info.version_max + 1)))
        at.value += 1
    return found


class _Message:
    """A message's struct in an arena of its own, for the length of a `with`."""

    def __init__(self, message):
        self.info, self.arena, self.struct = _describe(message), c.c_void_p(), c.c_void_p()

    def __enter__(self):
        check(library.kop_arena_new(None, _ARENA_LIMIT, c.byref(self.arena)))
        check(library.kop_arena_alloc(self.arena, 1, self.info.struct_size, c.byref(self.struct)))
        return self

    def __exit__(self, *_):
        library.kop_arena_free(self.arena)


def decode(message, version, data):
    """The message in `data`, a body without its header, as a dict. `message` is a name or a KOP_MSG_ number."""
    data, text, size = bytes(data), c.c_char_p(), c.c_size_t()
    with _Message(message) as m:
        check(library.kop_message_decode(m.info.id, version, m.arena, data, len(data), m.struct, m.info.struct_size,
                                         None), m.info.name.decode())
        check(library.kop_json_write(m.info.id, version, m.struct, m.info.struct_size, _ARENA_LIMIT, None,
                                     c.byref(text), c.byref(size)))
    try:
        return json.loads(c.string_at(text, size.value))
    finally:
        library.kop_json_free(None, text)


def encode(message, version, value):
    """A dict as the bytes of a message. Members that are missing have their default."""
    text, error, size = json.dumps(value).encode(), c.create_string_buffer(256), c.c_size_t()
    with _Message(message) as m:
        status = library.kop_json_read(m.info.id, version, m.arena, text, len(text), m.struct, m.info.struct_size,
                                       error, len(error))
        check(status, error.value.decode(errors="replace") or m.info.name.decode())
        check(library.kop_message_size(m.info.id, version, m.struct, m.info.struct_size, c.byref(size)))
        out = c.create_string_buffer(max(size.value, 1))
        check(library.kop_message_encode(m.info.id, version, m.struct, m.info.struct_size, out, size.value,
                                         c.byref(size)))
        return out.raw[:size.value]
