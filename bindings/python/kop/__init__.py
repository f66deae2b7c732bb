"""libkop from Python: a Kafka broker's protocol without its I/O, through ctypes.

    engine = kop.Engine(effects=[kop.EFFECT_SEND, ...], node_id=1)      the broker, see kop.engine
    kop.aio.Broker(store, effects=[...])                                sockets by asyncio, see kop.aio
    kop.decode("FetchRequest", 12, body)                                messages as dicts, see kop.wire
    for record in kop.records(batches): ...                             record batches, see kop.record
    kop.Converter().to_kafka(entry, first, last)                        entries of Pulsar, see kop.convert
    session = kop.pulsar.Session("pulsar://localhost:6650")             a Pulsar client, see kop.pulsar
    kop.pulsar_entry.read(entry).metadata                               Pulsar's entries, see kop.pulsar_entry
    kop.pulsar_topic.Topic.read("orders")                               names of topics, see kop.pulsar_topic
    kop.offset.Map().find(ask, kop.OFFSET_FIND_OFFSET, 4711)            offsets of a Pulsar topic, see kop.offset
    kop.pulsar_admin.request(kop.PULSAR_ADMIN_STATS, topic="orders")    Pulsar's admin calls, see kop.pulsar_admin

The library is found through the environment variable KOP_LIBRARY, beside this source tree in build/, or where the
dynamic linker finds libkop.so. Constants carry the C names without KOP_: kop.EFFECT_APPEND, kop.DONE.
"""
from . import _abi, offset, pulsar, pulsar_admin, pulsar_entry, pulsar_topic
from ._library import KopError, library, version
from .convert import Converter, facts
from .engine import NEVER, Answer, Effect, Engine
from .record import Record, batch, records
from .wire import Message, decode, encode, messages

globals().update({name[4:]: value for name, value in vars(_abi).items() if name.startswith("KOP_")})

__all__ = ["NEVER", "Answer", "Converter", "Effect", "Engine", "KopError", "Message", "Record", "batch", "decode", "encode",
           "facts", "library", "messages", "offset", "pulsar", "pulsar_admin", "pulsar_entry", "pulsar_topic", "records",
           "version"]
