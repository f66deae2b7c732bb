"""The engine: one Kafka node whose sockets, storage and clock are yours.

    engine.feed(conn, data)                 bytes of a connection go in
    for effect in engine.drain():           what to do comes out, as Python objects
        if effect.kind == kop.EFFECT_APPEND:
            answers.append(effect.done(base_offset=log.append(effect.data)))
    engine.complete(answers)                what was done goes in

Fields of an effect's body (kop/effect.h) are attributes of the effect, as copies.
"""
import ctypes as c
import time

from . import _abi
from ._convert import pack, unpack
from ._library import KopError, check, library

# The struct that describes an effect of each kind, and the one that carries its result.
BODIES = {
    _abi.KOP_EFFECT_SEND: (_abi.kop_send, None),
    _abi.KOP_EFFECT_CLOSE: (_abi.kop_conn_effect, None),
    _abi.KOP_EFFECT_RECV_PAUSE: (_abi.kop_conn_effect, None),
    _abi.KOP_EFFECT_RECV_RESUME: (_abi.kop_conn_effect, None),
    _abi.KOP_EFFECT_ACQUIRE: (_abi.kop_acquire, _abi.kop_acquired),
    _abi.KOP_EFFECT_CONFIRM: (_abi.kop_confirm, _abi.kop_confirmed),
    _abi.KOP_EFFECT_RESIGN: (_abi.kop_confirm, None),
    _abi.KOP_EFFECT_APPEND: (_abi.kop_append, _abi.kop_appended),
    _abi.KOP_EFFECT_READ: (_abi.kop_read, _abi.kop_read_result),
    _abi.KOP_EFFECT_RELEASE: (None, None),
    _abi.KOP_EFFECT_LIST_OFFSETS: (_abi.kop_list_offsets, _abi.kop_listed),
    _abi.KOP_EFFECT_DELETE_RECORDS: (_abi.kop_delete_records, _abi.kop_records_deleted),
    _abi.KOP_EFFECT_STATE_PUT: (_abi.kop_state, None),
    _abi.KOP_EFFECT_STATE_GET: (_abi.kop_state, _abi.kop_state_result),
    _abi.KOP_EFFECT_ALLOCATE_PRODUCER_IDS: (_abi.kop_allocate_producer_ids, _abi.kop_producer_ids),
    _abi.KOP_EFFECT_LOOKUP_TOPIC: (_abi.kop_topic_ref, None),
    _abi.KOP_EFFECT_CREATE_TOPIC: (_abi.kop_create_topic, None),
    _abi.KOP_EFFECT_DELETE_TOPIC: (_abi.kop_topic_ref, None),
    _abi.KOP_EFFECT_CREATE_PARTITIONS: (_abi.kop_create_partitions, None),
    _abi.KOP_EFFECT_ALTER_CONFIGS: (_abi.kop_alter_configs, None),
    _abi.KOP_EFFECT_LOG: (_abi.kop_log_line, None),
}

EVENTS = {
    _abi.KOP_EVENT_NODES: _abi.kop_nodes,
    _abi.KOP_EVENT_TOPIC: _abi.kop_topic,
    _abi.KOP_EVENT_TOPIC_GONE: _abi.kop_topic_ref,
    _abi.KOP_EVENT_LEADER: _abi.kop_leader,
    _abi.KOP_EVENT_LOG: _abi.kop_log_state,
    _abi.KOP_EVENT_VOLUME: _abi.kop_volume,
}

NEVER = 2**64 - 1  # a lease or deadline that does not come


class Answer:
    """The outcome of one effect, for Engine.complete(); made by the effect's methods."""

    __slots__ = ("token", "outcome", "kafka_error", "kind", "result")

    def __init__(self, effect, outcome, kafka_error=0, result=None):
        self.token, self.kind = effect.token, effect.kind
        self.outcome, self.kafka_error, self.result = outcome, kafka_error, result


class Effect:
    """One thing to do. `kind`, `token`, `target` and `flags` as in C; the body's fields are attributes too."""

    def __init__(self, effect):
        self.kind, self.flags, self.token, self.target = effect.kind, effect.flags, effect.token, effect.target
        body = BODIES[self.kind][0]
        if body is not None and effect.body:
            self.__dict__.update(unpack(c.cast(effect.body, c.POINTER(body)).contents))

    @property
    def data(self):
        """The bytes of a SEND or APPEND in one piece."""
        return b"".join(self.slices)

    def done(self, **result):
        """It is done; `result` are the fields of the kind's result struct."""
        return Answer(self, _abi.KOP_DONE, result=result)

    def rejected(self, kafka_error):
        """It was not done and will not be; the client gets this Kafka error code."""
        return Answer(self, _abi.KOP_REJECTED, kafka_error)

    def fenced(self):
        """It was not done: the epoch is not the newest."""
        return Answer(self, _abi.KOP_FENCED)

    def unknown(self):
        """It may have been done, or may still be."""
        return Answer(self, _abi.KOP_UNKNOWN)

    def cancelled(self):
        """It was given up."""
        return Answer(self, _abi.KOP_CANCELLED)

    def unsupported(self):
        """Such things are not done here."""
        return Answer(self, _abi.KOP_UNSUPPORTED)

    def not_found(self):
        """There is no such thing."""
        return Answer(self, _abi.KOP_NOT_FOUND)

    def __repr__(self):
        return f"Effect({vars(self)})"


def read_clocks():
    """The clocks of this machine: monotonic nanoseconds, wall clock milliseconds."""
    return time.monotonic_ns(), time.time_ns() // 1_000_000


class Engine:
    """One Kafka node.

    `effects` are the kinds that the program serves; other APIs are not advertised. `limits` are further fields of
    kop_engine_config (kop/engine.h). `clocks` gives (monotonic ns, wall ms); give your own for a run that can be repeated.
    One thread at a time.
    """

    def __init__(self, *, effects, node_id=1, cluster_id="kop", broker_configs=None, clocks=read_clocks, **limits):
        self._clocks, self._engine, keep = clocks, None, []
        config = _abi.kop_engine_config()
        check(library.kop_engine_config_init(c.byref(config), c.sizeof(config)))
        given = pack(_abi.kop_engine_config,
                     dict(effects=sum(1 << kind for kind in set(effects)), node_id=node_id, cluster_id=cluster_id,
                          broker_configs=broker_configs or {}, **limits), keep)
        for name in ("effects", "node_id", "cluster_id", "broker_configs", "broker_configs_count", *limits):
            setattr(config, name, getattr(given, name))
        handle = c.c_void_p()
        check(library.kop_engine_new(c.byref(config), self._now(), c.byref(handle)))
        self._engine = handle

    def close(self):
        """Ends the engine and all its memory."""
        if self._engine:
            library.kop_engine_free(self._engine)
            self._engine = None

    __del__ = close

    def _now(self):
        return _abi.kop_now(*self._clocks())

    def _check(self, status):
        if status < 0:
            raise KopError(status, library.kop_engine_error_text(self._engine).decode())

    def conn_open(self, peer="", context=0, listener=0):
        """A client has connected; the id of its connection."""
        keep, conn = [], c.c_uint64()
        info = pack(_abi.kop_conn_info, dict(peer=peer, context=context, listener=listener), keep)
        self._check(library.kop_engine_conn_open(self._engine, c.byref(info), self._now(), c.byref(conn)))
        return conn.value

    def conn_closed(self, conn):
        """The connection is gone, whoever closed it."""
        self._check(library.kop_engine_conn_closed(self._engine, conn, self._now()))

    def feed(self, conn, data):
        """Bytes that arrived. How many were taken: fewer than given while reading is paused (RECV_PAUSE)."""
        taken = c.c_size_t()
        self._check(library.kop_engine_feed(self._engine, conn, data, len(data), self._now(), c.byref(taken)))
        return taken.value

    def push(self, kind, **fields):
        """Tells of a node, topic, leader or log: a KOP_EVENT_ constant and the fields of its body (kop/event.h)."""
        keep = []
        body = pack(EVENTS[kind], fields, keep)
        event = _abi.kop_event(c.sizeof(_abi.kop_event), kind, c.addressof(body), c.sizeof(body), 0)
        self._check(library.kop_engine_push(self._engine, c.byref(event), self._now()))

    def drain(self):
        """All effects that wait, in order."""
        array, found = c.POINTER(_abi.kop_effect)(), []
        while n := library.kop_engine_drain(self._engine, c.byref(array)):
            found.extend(Effect(array[i]) for i in range(n))
        return found

    def complete(self, answers):
        """Answers effects, all in one call."""
        answers, keep = list(answers), []
        items = (_abi.kop_completion * len(answers))()
        for item, answer in zip(items, answers):
            item.token, item.outcome, item.kafka_error = answer.token, answer.outcome, answer.kafka_error
            result = BODIES[answer.kind][1]
            if answer.outcome == _abi.KOP_DONE and result is not None:
                body = pack(result, answer.result, keep)
                keep.append(body)
                item.body, item.body_size = c.addressof(body), c.sizeof(body)
        self._check(library.kop_engine_complete(self._engine, items, c.sizeof(_abi.kop_completion), len(answers),
                                                self._now()))

    def tick(self):
        """Lets timers fire that are due."""
        library.kop_engine_tick(self._engine, self._now())

    def wait(self):
        """Seconds until the next tick(), None if there is no timer."""
        deadline = library.kop_engine_deadline(self._engine)
        return None if deadline == NEVER else max(0.0, (deadline - self._clocks()[0]) / 1e9)

    def shutdown(self):
        """Begins to end; go on draining, completing and ticking until `idle`."""
        library.kop_engine_shutdown(self._engine, self._now())

    @property
    def idle(self):
        """Whether nothing is left to wait for."""
        return bool(library.kop_engine_is_idle(self._engine))

    def stats(self):
        """The counters as a dict."""
        stats = _abi.kop_engine_stats(size=c.sizeof(_abi.kop_engine_stats))
        self._check(library.kop_engine_stats_get(self._engine, c.byref(stats), c.sizeof(stats)))
        return unpack(stats)
