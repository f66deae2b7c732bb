"""A client of Apache Pulsar whose sockets and clock are yours (kop/pulsar.h).

    session = kop.pulsar.Session("pulsar://localhost:6650")
    session.consumer_open("persistent://public/default/demo", permits=100)
    for event in session.drain():                  what to do and what has happened
        if event.kind == kop.PULSAR_MESSAGE:
            for message in kop.pulsar.messages(event.bytes, ack_set=event.ack_set): ...

kop.aio.PulsarClient does the sockets. Fields of an event's body (kop/pulsar_effect.h) are attributes of the event, as copies.
"""
import ctypes as c
from typing import NamedTuple

from . import _abi, pulsar_entry
from ._convert import pack, pack_slice, unpack
from ._library import check, library
from .engine import NEVER, read_clocks
from .pulsar_entry import EARLIEST, LATEST, Message, MessageId, messages
from .pulsar_topic import Topic

__all__ = ["EARLIEST", "LATEST", "Event", "Message", "MessageId", "Part", "Session", "Topic", "messages", "outcome_name",
           "server_error_name"]

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
            struct = c.cast(effect.body, c.POINTER(body)).contents
            self.__dict__.update(unpack(struct))
            if self.kind == _abi.KOP_PULSAR_MESSAGE:
                self.ack_set = [item.value for item in pulsar_entry.repeated(library.kop_pulsar_int64_next, struct.ack_set,
                                                                             c.c_int64())]

    def __repr__(self):
        return f"Event({vars(self)})"


class Part(NamedTuple):
    """For Session.ack(): of the batch at `id`, all messages but those whose numbers are in `left`."""

    id: MessageId
    batch_size: int
    left: list[int]


def outcome_name(outcome):
    """An outcome in words, for a log line."""
    return library.kop_pulsar_outcome_name(outcome).decode()


def server_error_name(error):
    """Pulsar's own name of a ServerError, for a log line."""
    return library.kop_pulsar_server_error_name(error).decode()


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

    def _named(self, name, text, *arguments):
        keep = []
        return self._made(name, pack_slice(text, keep), *arguments)

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
        self._call("closed", conn, pack_slice(why, keep))

    def feed(self, conn, data):
        """Bytes that arrived. How many were taken: fewer than given while reading is paused (RECV_PAUSE)."""
        taken = c.c_size_t()
        check(library.kop_pulsar_feed(self._session, conn, data, len(data), self._now(), c.byref(taken)))
        return taken.value

    def auth_answer(self, conn, data):
        """Answers AUTH_NEEDED with credentials, with which later connections begin as well."""
        keep = []
        self._call("auth_answer", conn, pack_slice(data, keep))

    def auth_update(self, data):
        """Replaces the credentials that later connections begin with."""
        keep = []
        check(library.kop_pulsar_auth_update(self._session, pack_slice(data, keep)))

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
        """Sends an entry: RECEIPT or SEND_FAILED with that `context` follows. `metadata` are such fields as
        pulsar_entry.write() takes (publish_time is the present unless given); `payload` is the message, or with `num_messages` a
        batch, see pulsar_entry.batch()."""
        keep = []
        metadata.setdefault("publish_time", self._clocks()[1])
        if num_messages != 1:
            metadata.setdefault("num_messages_in_batch", num_messages)
        given = pulsar_entry.metadata(dict(metadata, properties=properties, producer_name="", sequence_id=sequence_id), keep)
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

    def ack(self, consumer, ids, *, cumulative=False, receipt=True, properties=(), context=0):
        """Acknowledges entries by their MessageIds, batches also by Parts; or cumulatively all up to a single one. With a receipt
        RESULT follows, whose id is returned; else it is sent and forgotten. `properties`, numbers by name, are stored with the
        cursor (cumulative only)."""
        keep = []
        info = pack(_abi.kop_pulsar_ack_info, dict(
            context=context, type=_abi.KOP_PULSAR_ACK_CUMULATIVE if cumulative else _abi.KOP_PULSAR_ACK_INDIVIDUAL,
            receipt=int(receipt), ids=[_ack_id(id) for id in ids], properties=properties), keep)
        return self._made("ack", consumer, c.byref(info)) or None

    def seek(self, consumer, id=None, *, publish_ms=None, context=0):
        """Moves the subscription to an entry, delivered next, or to the first message published at or after a time. RESULT follows,
        and the consumer is opened again by itself. Its id."""
        if (id is None) == (publish_ms is None):
            raise TypeError("seek() takes an id or publish_ms")
        keep = []
        where = c.byref(pack(_abi.kop_pulsar_message_id, vars(id), keep)) if id is not None else None
        return self._made("seek", consumer, where, publish_ms or 0, context)

    def last_message_id(self, consumer, context=0):
        """Asks for the last message, and how far the subscription is acknowledged; RESULT follows. Its id."""
        return self._made("last_message_id", consumer, context)

    def unsubscribe(self, consumer, force=False, context=0):
        """Deletes the subscription, with `force` even if other consumers are connected; RESULT and CONSUMER_CLOSED follow. Its
        id."""
        return self._made("unsubscribe", consumer, int(force), context)

    # topics

    def lookup(self, topic, context=0):
        """Asks which broker owns a topic; RESULT follows. Its id."""
        return self._named("lookup", topic, context)

    def partitions(self, topic, context=0):
        """Asks how many partitions a topic has; RESULT follows. Its id."""
        return self._named("partitions", topic, context)

    def topics(self, namespace, mode=_abi.KOP_PULSAR_TOPICS_PERSISTENT, context=0):
        """Lists the topics of a namespace; RESULT follows. Its id."""
        return self._named("topics", namespace, mode, context)

    def watch(self, namespace, context=0):
        """Watches which topics a namespace has: TOPICS_CHANGED follows, at first with all of them (PULSAR_SNAPSHOT). The watcher's
        id."""
        return self._named("watch", namespace, context)

    def unwatch(self, watcher):
        """Ends a watcher; WATCH_CLOSED follows."""
        self._call("unwatch", watcher)

    def stats(self):
        """The gauges and counters as a dict."""
        stats = _abi.kop_pulsar_session_stats(size=c.sizeof(_abi.kop_pulsar_session_stats))
        check(library.kop_pulsar_session_stats_get(self._session, c.byref(stats), c.sizeof(stats)))
        return unpack(stats)


def _ack_id(id):
    if not isinstance(id, Part):
        return dict(id=id)
    words = [0] * -(-id.batch_size // 64)
    for number in id.left:
        words[number // 64] |= 1 << number % 64
    return dict(id=id.id, batch_size=id.batch_size, ack_set=words)
