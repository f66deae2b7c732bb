"""A client of Apache Pulsar whose sockets and clock are yours, and Pulsar's entries as messages.

    session = kop.pulsar.Session("pulsar://localhost:6650")
    session.consumer_open("persistent://public/default/demo", permits=100)
    for event in session.drain():                  what to do and what has happened
        if event.kind == kop.PULSAR_MESSAGE:
            for message in kop.pulsar.messages(event.bytes): ...

kop.aio.PulsarClient does the sockets. Fields of an event's body (kop/pulsar.h) are attributes of the event, as copies.
"""
import base64
import ctypes as c
from typing import NamedTuple

from . import _abi
from ._convert import pack, slice_bytes, unpack
from ._library import check, library
from .engine import NEVER, read_clocks

BODIES = {
    _abi.KOP_PULSAR_CONNECT: _abi.kop_pulsar_address,
    _abi.KOP_PULSAR_SEND: _abi.kop_pulsar_output,
    _abi.KOP_PULSAR_CLOSE: _abi.kop_pulsar_reason,
    _abi.KOP_PULSAR_AUTH_NEEDED: _abi.kop_pulsar_challenge,
    _abi.KOP_PULSAR_CONN_READY: _abi.kop_pulsar_server,
    _abi.KOP_PULSAR_PRODUCER_READY: _abi.kop_pulsar_producer_state,
    _abi.KOP_PULSAR_PRODUCER_DOWN: _abi.kop_pulsar_reason,
    _abi.KOP_PULSAR_PRODUCER_CLOSED: _abi.kop_pulsar_reason,
    _abi.KOP_PULSAR_RECEIPT: _abi.kop_pulsar_receipt,
    _abi.KOP_PULSAR_SEND_FAILED: _abi.kop_pulsar_send_failure,
    _abi.KOP_PULSAR_CONSUMER_READY: _abi.kop_pulsar_consumer_state,
    _abi.KOP_PULSAR_CONSUMER_DOWN: _abi.kop_pulsar_reason,
    _abi.KOP_PULSAR_CONSUMER_CLOSED: _abi.kop_pulsar_reason,
    _abi.KOP_PULSAR_MESSAGE: _abi.kop_pulsar_delivery,
    _abi.KOP_PULSAR_RESULT: _abi.kop_pulsar_result,
    _abi.KOP_PULSAR_TOPICS_CHANGED: _abi.kop_pulsar_topics_change,
    _abi.KOP_PULSAR_WATCH_CLOSED: _abi.kop_pulsar_reason,
}


class Event:
    """One thing to do or to know. `kind`, `flags`, `target` and `context` as in C; the body's fields are attributes too."""

    def __init__(self, effect):
        self.kind, self.flags, self.target, self.context = effect.kind, effect.flags, effect.target, effect.context
        body = BODIES.get(self.kind)
        if body is not None and effect.body:
            self.__dict__.update(unpack(c.cast(effect.body, c.POINTER(body)).contents))

    def __repr__(self):
        return f"Event({vars(self)})"


class Message(NamedTuple):
    """One message of an entry. Keys as they stand (base64 undone), null keys and values are None, times are in ms, 0 for none."""

    index: int | None  # of the broker, counted from 0 in its partition; None if the broker does not count
    batch_index: int
    key: bytes | None
    value: bytes | None
    properties: list[tuple[str, str]]
    event_time: int
    publish_time: int


def _properties(repeated):
    """A repeated field of properties as a list."""
    rest, found, item = _abi.kop_pulsar_repeated.from_buffer_copy(repeated), [], _abi.kop_pulsar_property()
    while (status := library.kop_pulsar_property_next(c.byref(rest), c.byref(item))) != _abi.KOP_ERR_NOT_FOUND:
        check(status)
        found.append((slice_bytes(item.key).decode(), slice_bytes(item.value).decode()))
    return found


def _key(single):
    key = slice_bytes(single.partition_key)
    if key is None or single.null_partition_key:
        return None
    if single.partition_key_b64_encoded:
        key = base64.b64decode(key)
    return key


def messages(entry, limit=64 << 20):
    """The messages of an entry as a MESSAGE event brings it or a ledger holds it, decompressed, in order; those that
    compaction removed are left out. Bytes that cannot be read raise KopError, as does a payload above `limit`."""
    buffer = c.create_string_buffer(entry, len(entry))
    found, iterator, message = _abi.kop_pulsar_entry(), _abi.kop_pulsar_batch_iter(), _abi.kop_pulsar_message()
    codec, payload = c.c_void_p(), _abi.kop_slice()
    check(library.kop_pulsar_entry_read(buffer, len(entry), _abi.KOP_PULSAR_ENTRY_CHECK, c.byref(found)))
    md = found.metadata
    check(library.kop_pulsar_codec_new(None, c.byref(codec)))
    try:
        check(library.kop_pulsar_decompress(codec, md.compression, found.payload, md.uncompressed_size, limit,
                                            c.byref(payload)))
        check(library.kop_pulsar_batch_begin(c.byref(iterator), c.byref(md), payload))
        counted = found.present & _abi.KOP_PULSAR_ENTRY_HAS_INDEX
        first = found.index - md.num_messages_in_batch + 1
        while (status := library.kop_pulsar_batch_next(c.byref(iterator), c.byref(message))) != _abi.KOP_ERR_NOT_FOUND:
            check(status)
            one = message.single
            if not message.compacted_out:
                yield Message(first + message.batch_index if counted else None, message.batch_index, _key(one),
                              None if one.null_value else slice_bytes(message.payload), _properties(one.properties),
                              one.event_time, md.publish_time)
    finally:
        library.kop_pulsar_codec_free(codec)


class Session:
    """One client of one Pulsar cluster.

    `settings` are further fields of kop_pulsar_session_config (kop/pulsar.h). `clocks` gives (monotonic ns, wall ms). One
    thread at a time. Opened things have ids, by which events name them; a `context` comes back in their events.
    """

    def __init__(self, service_url, *, clocks=read_clocks, **settings):
        self._clocks, self._session, self._lent, self._sends = clocks, None, {}, 0
        config, keep = self._config("session", dict(service_url=service_url, **settings))
        handle = c.c_void_p()
        check(library.kop_pulsar_session_new(c.byref(config), c.byref(handle)))
        self._session = handle

    def close(self):
        """Ends the session and all its memory; nothing is said to the broker."""
        if self._session:
            library.kop_pulsar_session_free(self._session)
            self._session = None

    __del__ = close

    @staticmethod
    def _config(what, values):
        """A config struct with its defaults, then `values`; and what has to live as long."""
        kind, keep = getattr(_abi, f"kop_pulsar_{what}_config"), []
        config = kind()
        check(getattr(library, f"kop_pulsar_{what}_config_init")(c.byref(config), c.sizeof(config)))
        given = pack(kind, values, keep)
        for name in values:
            setattr(config, name, getattr(given, name))
            if hasattr(config, name + "_count"):
                setattr(config, name + "_count", getattr(given, name + "_count"))
        return config, (keep, given)

    def _now(self):
        return _abi.kop_now(*self._clocks())

    def _call(self, name, *arguments):
        check(getattr(library, f"kop_pulsar_{name}")(self._session, *arguments, self._now()))

    def _made(self, name, *arguments):
        """A call that gives an id."""
        made = c.c_uint64()
        check(getattr(library, f"kop_pulsar_{name}")(self._session, *arguments, self._now(), c.byref(made)))
        return made.value

    # what became of the effects

    def connected(self, conn):
        """Answers CONNECT."""
        self._call("connected", conn)

    def sent(self, conn):
        """Answers SEND: its bytes were written, or copied."""
        self._call("sent", conn)

    def closed(self, conn, why=""):
        """The connection is gone or could not be opened, whoever ended it."""
        keep = []
        self._call("closed", conn, _slice(why, keep))

    def feed(self, conn, data):
        """Bytes that arrived. How many were taken: fewer than given while reading is paused (RECV_PAUSE)."""
        taken = c.c_size_t()
        check(library.kop_pulsar_feed(self._session, conn, data, len(data), self._now(), c.byref(taken)))
        return taken.value

    def auth_answer(self, conn, data):
        """Answers AUTH_NEEDED with credentials."""
        keep = []
        self._call("auth_answer", conn, _slice(data, keep))

    def tick(self):
        """Lets timers fire that are due."""
        library.kop_pulsar_tick(self._session, self._now())

    def wait(self):
        """Seconds until the next tick(), None if there is no timer."""
        deadline = library.kop_pulsar_deadline(self._session)
        return None if deadline == NEVER else max(0.0, (deadline - self._clocks()[0]) / 1e9)

    def drain(self):
        """What waits to be done and known, in order."""
        array, found = c.POINTER(_abi.kop_pulsar_effect)(), []
        while n := library.kop_pulsar_drain(self._session, c.byref(array)):
            found.extend(Event(array[i]) for i in range(n))
        for event in found:
            if event.kind in (_abi.KOP_PULSAR_RECEIPT, _abi.KOP_PULSAR_SEND_FAILED):
                event.context = self._lent.pop(event.context)[0]
        return found

    def shutdown(self):
        """Begins to end; go on draining and ticking until `idle`."""
        library.kop_pulsar_shutdown(self._session, self._now())

    @property
    def idle(self):
        """Whether nothing is left to wait for."""
        return bool(library.kop_pulsar_is_idle(self._session))

    # producers and consumers

    def producer_open(self, topic, **settings):
        """Opens a producer; `settings` are fields of kop_pulsar_producer_config. Its id."""
        config, keep = self._config("producer", dict(topic=topic, **settings))
        return self._made("producer_open", c.byref(config))

    def producer_close(self, producer):
        """Closes it; PRODUCER_CLOSED follows."""
        self._call("producer_close", producer)

    def send(self, producer, payload, *, sequence_id, num_messages=1, context=None, properties=(), **metadata):
        """Sends an entry: RECEIPT or SEND_FAILED with that `context` follows. `metadata` are fields of kop_pulsar_metadata
        (publish_time is the present unless given); `payload` is the message, or a batch in Pulsar's format."""
        keep = []
        metadata.setdefault("publish_time", self._clocks()[1])
        if num_messages != 1:
            metadata.setdefault("num_messages_in_batch", num_messages)
        given = self._metadata(metadata, properties, keep)
        self._send(producer, payload, context, keep, metadata=c.pointer(given), num_messages=num_messages,
                   sequence_id=sequence_id)

    def send_entry(self, producer, entry, *, context=None):
        """The same for an entry that kop.Converter.to_pulsar() made with this producer's name: its head is sent as it is."""
        keep = []
        self._send(producer, entry.payload, context, keep, head=entry.head, num_messages=entry.num_messages,
                   sequence_id=entry.sequence_id, highest_sequence_id=entry.highest_sequence_id)

    def _send(self, producer, payload, context, keep, **fields):
        self._sends += 1
        info = pack(_abi.kop_pulsar_send_info, dict(fields, context=self._sends, payload=[payload]), keep)
        self._call("send", producer, c.byref(info))
        self._lent[self._sends] = context, keep

    @staticmethod
    def _metadata(values, properties, keep):
        md, read, size = _abi.kop_pulsar_metadata(), _abi.kop_pulsar_metadata(), c.c_size_t()
        library.kop_pulsar_metadata_init(c.byref(md))
        given = pack(_abi.kop_pulsar_metadata, values, keep)
        md.present = 7 << 1  # producer name and sequence id, which the session replaces, and publish time
        for name in values:
            setattr(md, name, getattr(given, name))
            md.present |= getattr(_abi, f"KOP_PULSAR_HAS_{name.upper()}")
        items = (_abi.kop_pulsar_property * len(properties))(
            *(pack(_abi.kop_pulsar_property, dict(key=key, value=value), keep) for key, value in properties))
        out = c.create_string_buffer(library.kop_pulsar_metadata_size(c.byref(md), items, len(properties)))
        check(library.kop_pulsar_metadata_write(c.byref(md), items, len(properties), out, len(out), c.byref(size)))
        check(library.kop_pulsar_metadata_read(out, size.value, c.byref(read)))
        keep.append(out)
        return read

    def consumer_open(self, topic, **settings):
        """Opens a consumer, a reader unless `flags` say otherwise; `settings` are fields of kop_pulsar_consumer_config. Its id."""
        config, keep = self._config("consumer", dict(topic=topic, **settings))
        return self._made("consumer_open", c.byref(config))

    def consumer_close(self, consumer):
        """Closes it; CONSUMER_CLOSED follows."""
        self._call("consumer_close", consumer)

    def flow(self, consumer, count):
        """Lets the broker send that many more messages."""
        self._call("flow", consumer, count)

    def last_message_id(self, consumer, context=0):
        """Asks for the last message; RESULT follows. Its id."""
        return self._made("last_message_id", consumer, context)

    def partitions(self, topic, context=0):
        """Asks how many partitions a topic has; RESULT follows. Its id."""
        keep = []
        return self._made("partitions", _slice(topic, keep), context)

    def topics(self, namespace, mode=_abi.KOP_PULSAR_TOPICS_PERSISTENT, context=0):
        """Lists the topics of a namespace; RESULT follows. Its id."""
        keep = []
        return self._made("topics", _slice(namespace, keep), mode, context)

    def stats(self):
        """The gauges and counters as a dict."""
        stats = _abi.kop_pulsar_session_stats(size=c.sizeof(_abi.kop_pulsar_session_stats))
        check(library.kop_pulsar_session_stats_get(self._session, c.byref(stats), c.sizeof(stats)))
        return unpack(stats)


def _slice(value, keep):
    return pack(_abi.kop_pulsar_property, {"key": value}, keep).key
