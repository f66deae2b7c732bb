"""Names of Pulsar topics: the short forms, the full one, and partitions (kop/pulsar_topic.h).

    str(Topic.read("orders"))                                   "persistent://public/default/orders"
    Topic.read("persistent://t/n/orders-partition-3").partition 3
"""
import ctypes as c
from dataclasses import dataclass

from . import _abi
from ._convert import pack, pack_slice, slice_text
from ._library import check, library


@dataclass(frozen=True)
class Topic:
    """A topic's name in its parts; str() of it is the full name. `partition` is -1 for the topic itself."""

    tenant: str
    name_space: str
    local: str
    partition: int = -1
    is_persistent: bool = True

    @classmethod
    def read(cls, name, tenant="public", name_space="default"):
        """Takes a name in any form apart; the defaults are for short ones. KopError for what is no topic's name."""
        keep, found = [], _abi.kop_pulsar_topic()
        check(library.kop_pulsar_topic_read(pack_slice(name, keep), pack_slice(tenant, keep), pack_slice(name_space, keep),
                                            c.byref(found)), name)
        return cls(slice_text(found.tenant), slice_text(found.name_space), slice_text(found.local), found.partition,
                   bool(found.is_persistent))

    def __str__(self):
        keep, size, name = [], c.c_size_t(), b""
        given = pack(_abi.kop_pulsar_topic, vars(self), keep)
        while (status := library.kop_pulsar_topic_write(c.byref(given), name, len(name), c.byref(size))) \
                == _abi.KOP_ERR_NO_SPACE:
            name = c.create_string_buffer(size.value)
        check(status, repr(self))
        return name.raw.decode(errors="surrogateescape")
