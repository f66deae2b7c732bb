"""Pulsar's admin calls as data: requests to be sent by any HTTP client, and its answers read.

    call = pulsar_admin.request(kop.PULSAR_ADMIN_PARTITIONS, topic="orders")
    http.request(call.method, call.path, call.body, {"Content-Type": call.content_type} if call.content_type else {})
    answer = pulsar_admin.Answer(response.status, response.getheaders(), response.read())
    pulsar_admin.read("partitions", answer).partitions
"""
import ctypes as c
from types import SimpleNamespace
from typing import NamedTuple

from . import _abi
from ._convert import pack, pack_slice, represent, slice_text, unpack
from ._library import check, library

ARENA = 64 << 20


class Call(NamedTuple):
    method: str
    path: str
    content_type: str | None
    body: bytes


class Answer(NamedTuple):
    """What HTTP gave; headers as (name, value) pairs."""

    status: int
    headers: list
    body: bytes


class _Arena:
    def __enter__(self):
        self.handle = c.c_void_p()
        check(library.kop_arena_new(None, ARENA, c.byref(self.handle)))
        return self.handle

    def __exit__(self, *_):
        library.kop_arena_free(self.handle)


def request(op, **fields):
    """A request as HTTP sees it; `fields` are those of kop_pulsar_admin_request."""
    keep = []
    given = pack(_abi.kop_pulsar_admin_request, {"op": op, "batch_index": -1, **fields}, keep)
    with _Arena() as arena:
        return _write(given, arena)


def _write(given, arena):
    call = _abi.kop_pulsar_admin_call()
    check(library.kop_pulsar_admin_write(c.byref(given), arena, c.byref(call)))
    found = unpack(call)
    return Call(found["method"], found["path"].decode(), found["content_type"], found["body"])


def _answer(answer, keep):
    fields = {"status": answer.status, "headers": list(answer.headers), "body": answer.body}
    return c.byref(pack(_abi.kop_pulsar_admin_answer, fields, keep))


def judge(answer):
    """What an answer means: kind (kop.PULSAR_ADMIN_DONE, ...), location and reason."""
    verdict, keep = _abi.kop_pulsar_admin_verdict(), []
    with _Arena() as arena:
        check(library.kop_pulsar_admin_judge(_answer(answer, keep), arena, c.byref(verdict)))
        return represent(verdict)


_WITH_ARENA = ("strings", "properties", "partitions", "internals", "stats")
_ALONE = {"entry": "kop_pulsar_admin_entry", "message_id": "kop_pulsar_message_id",
          "retention": "kop_pulsar_admin_retention", "inactive_policy": "kop_pulsar_admin_inactive_policy"}


def read(what, answer):
    """Reads an answer: "strings", "properties", "partitions", "internals", "stats", "entry", "message_id", "retention",
    "inactive_policy", "number", "compaction" or "permissions". None when a policy is not set."""
    keep = []
    given = _answer(answer, keep)
    reader = getattr(library, f"kop_pulsar_admin_read_{what}")
    with _Arena() as arena:
        if what == "permissions":
            array, count = c.POINTER(_abi.kop_pulsar_admin_permission)(), c.c_size_t()
            check(reader(given, arena, c.byref(array), c.byref(count)))
            items = [unpack(array[i]) for i in range(count.value)]
            return {item["role"].decode(): [action.decode() for action in item["actions"].items] for item in items}
        if what == "compaction":
            state, error = c.c_int32(), _abi.kop_slice()
            check(reader(given, arena, c.byref(state), c.byref(error)))
            return SimpleNamespace(state=state.value, error=slice_text(error))
        if what == "number":
            found, status = c.c_int64(), None
            status = reader(given, c.byref(found))
            return found.value if status != _abi.KOP_ERR_NOT_FOUND and check(status) == 0 else None
        if what in _WITH_ARENA:
            found = getattr(_abi, f"kop_pulsar_admin_{what}")()
            check(reader(given, arena, c.byref(found)))
            return represent(found)
        found = getattr(_abi, _ALONE[what])()
        status = reader(given, c.byref(found))
        return represent(found) if status != _abi.KOP_ERR_NOT_FOUND and check(status) == 0 else None


def probe(asked, topic, send):
    """Carries out a probe of kop.offset.Map.find: send(call) gives an Answer, redirects followed. Returns the answer's fields."""
    keep, given = [], _abi.kop_pulsar_admin_request()
    asked = pack(_abi.kop_offset_probe, vars(asked), keep)
    check(library.kop_pulsar_admin_probe(c.byref(asked), pack_slice(topic, keep), c.byref(given)))
    found = _abi.kop_offset_answer()
    with _Arena() as arena:
        answer = send(_write(given, arena))
        check(library.kop_pulsar_admin_probe_answer(c.byref(asked), _answer(answer, keep), arena, c.byref(found)))
        return {name: value if not isinstance(value, list) else [vars(item) for item in value]
                for name, value in unpack(found).items()}
