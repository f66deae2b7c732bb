"""libkop's Pulsar session on real sockets: what an embedder does, in one thread, from Python.

    session = Session(pulsar.url)
    producer = session.open_producer(topic)
    session.wait("PRODUCER_READY")
    session.send(producer, 0, b"value")
    receipt = session.wait("RECEIPT")

Events have the fields of their body (kop/pulsar_effect.h) as attributes, and `kind`, `flags`, `target`, `context`.
"""

import collections
import ctypes as c
import select
import socket
import ssl
import time
from types import SimpleNamespace

from kop import _abi
from kop._convert import pack, unpack
from kop._library import check, library

BODIES = {
    "CONNECT": _abi.kop_pulsar_address,
    "SEND": _abi.kop_pulsar_output,
    "CLOSE": _abi.kop_pulsar_reason,
    "RECV_PAUSE": None,
    "RECV_RESUME": None,
    "AUTH_NEEDED": _abi.kop_pulsar_challenge,
    "CONN_READY": _abi.kop_pulsar_server,
    "PRODUCER_READY": _abi.kop_pulsar_producer_state,
    "PRODUCER_WAITING": None,
    "PRODUCER_DOWN": _abi.kop_pulsar_reason,
    "PRODUCER_CLOSED": _abi.kop_pulsar_reason,
    "RECEIPT": _abi.kop_pulsar_receipt,
    "SEND_FAILED": _abi.kop_pulsar_send_failure,
    "CONSUMER_READY": _abi.kop_pulsar_consumer_state,
    "CONSUMER_DOWN": _abi.kop_pulsar_reason,
    "CONSUMER_CLOSED": _abi.kop_pulsar_reason,
    "MESSAGE": _abi.kop_pulsar_delivery,
    "END_OF_TOPIC": None,
    "ACTIVE_CHANGE": None,
    "RESULT": _abi.kop_pulsar_result,
    "TOPICS_CHANGED": _abi.kop_pulsar_topics_change,
    "WATCH_CLOSED": _abi.kop_pulsar_reason,
}
KINDS = {getattr(_abi, "KOP_PULSAR_" + name): name for name in BODIES}
EVENTS_FROM = 32  # below it an effect asks for something
MAYBE_WRITTEN = _abi.KOP_PULSAR_MAYBE_WRITTEN


def error_name(number):
    return library.kop_pulsar_server_error_name(number).decode()


def outcome_name(number):
    return next(
        name
        for name in (
            "DONE REFUSED TIMED_OUT DISCONNECTED CANCELLED LIMITED NOT_SUPPORTED BAD_ANSWER CORRUPTED SILENCE UNUSED "
            "MOVED".split()
        )
        if getattr(_abi, "KOP_PULSAR_" + name) == number
    )


class Session:
    def __init__(self, url, token=None, tls=None, tls_name=None, seed=1, **limits):
        self.tls, self.tls_name = tls, tls_name
        self.fresh_token = None  # what AUTH_NEEDED is answered with
        self.sockets, self.paused = {}, set()
        self.abandoned = []
        self.keep = {}  # payloads that are lent, by the context of their send
        self.events = collections.defaultdict(list)  # by kind, in order
        self.log = []  # every effect and event, in short
        config, hold = _abi.kop_pulsar_session_config(), []
        check(library.kop_pulsar_session_config_init(c.byref(config), c.sizeof(config)))
        given = {"service_url": url, "seed": seed} | limits
        if token:
            given |= {"auth_method": "token", "auth_data": token}
        packed = pack(_abi.kop_pulsar_session_config, given, hold)
        for name in given:
            setattr(config, name, getattr(packed, name))
        self.handle = c.c_void_p()
        check(library.kop_pulsar_session_new(c.byref(config), c.byref(self.handle)))

    def close(self):
        library.kop_pulsar_session_free(self.handle)
        for one in [*self.sockets.values(), *self.abandoned]:
            one.close()
        self.sockets.clear()

    @staticmethod
    def now():
        return _abi.kop_now(time.monotonic_ns(), time.time_ns() // 1_000_000)

    # ---- calls ----

    def open_producer(self, topic, context=0, **fields):
        kind, out = _abi.kop_pulsar_producer_config, c.c_uint64()
        config = self._config(kind, library.kop_pulsar_producer_config_init, topic, context, fields)
        check(library.kop_pulsar_producer_open(self.handle, config, self.now(), c.byref(out)))
        return out.value

    def open_consumer(self, topic, context=0, **fields):
        kind, out = _abi.kop_pulsar_consumer_config, c.c_uint64()
        config = self._config(kind, library.kop_pulsar_consumer_config_init, topic, context, fields)
        check(library.kop_pulsar_consumer_open(self.handle, config, self.now(), c.byref(out)))
        return out.value

    def _config(self, kind, init, topic, context, fields):
        self.hold = []  # lives until the call that is given the config
        config, given = kind(), {"topic": topic, "context": context} | fields
        check(init(c.byref(config), c.sizeof(config)))
        packed = pack(kind, given, self.hold)
        for name in given:
            setattr(config, name, getattr(packed, name))
            if hasattr(config, name + "_count"):
                setattr(config, name + "_count", getattr(packed, name + "_count"))
        self.hold.append(packed)
        return c.byref(config)

    def send(self, producer, sequence, value, count=1, batch=False):
        """Sends an entry of one message, or a payload in batch format that holds `count`. Its context is its sequence id."""
        metadata = _abi.kop_pulsar_metadata()
        library.kop_pulsar_metadata_init(c.byref(metadata))
        metadata.present = _abi.KOP_PULSAR_HAS_PUBLISH_TIME
        metadata.publish_time = time.time_ns() // 1_000_000
        if batch:
            metadata.present |= _abi.KOP_PULSAR_HAS_NUM_MESSAGES_IN_BATCH
            metadata.num_messages_in_batch = count
        self.send_as(producer, sequence, metadata, value, count)

    def send_as(self, producer, sequence, metadata, payload, count):
        """Sends an entry by its metadata."""
        self._submit(producer, payload, metadata=c.pointer(metadata), num_messages=count, sequence_id=sequence)

    def send_entry(self, producer, entry):
        """Sends an entry of harness/convert.py as it is, head and all. Its context is its sequence id."""
        head = c.create_string_buffer(entry.head, len(entry.head))
        self._submit(
            producer,
            entry.payload,
            head=_abi.kop_slice(c.addressof(head), len(entry.head)),
            num_messages=entry.num_messages,
            sequence_id=entry.sequence_id,
            highest_sequence_id=entry.highest_sequence_id,
        )

    def _submit(self, producer, payload, sequence_id, **fields):
        lent = c.create_string_buffer(payload, len(payload))
        slices = (_abi.kop_slice * 1)(_abi.kop_slice(c.addressof(lent), len(payload)))
        info = _abi.kop_pulsar_send_info(
            size=c.sizeof(_abi.kop_pulsar_send_info),
            context=sequence_id,
            payload=slices,
            payload_count=1,
            sequence_id=sequence_id,
            **fields,
        )
        check(library.kop_pulsar_send(self.handle, producer, c.byref(info), self.now()))
        self.keep[producer, sequence_id] = lent

    def call(self, name, *arguments):
        """kop_pulsar_NAME(session, arguments, now)."""
        status = getattr(library, "kop_pulsar_" + name)(self.handle, *arguments, self.now())
        check(status or 0)  # shutdown and tick return nothing

    def request(self, name, *arguments, timeout=20):
        """kop_pulsar_NAME(session, arguments, context, now, &request); returns its RESULT."""
        out, hold = c.c_uint64(), []
        given = [self.slice(one, hold) if isinstance(one, str) else one for one in arguments]
        function = getattr(library, "kop_pulsar_" + name)
        if name != "ack":
            given.append(0)
        check(function(self.handle, *given, self.now(), c.byref(out)))
        return self.wait("RESULT", lambda event: event.target == out.value, timeout)

    def begin_watch(self, namespace):
        out, hold = c.c_uint64(), []
        given = self.slice(namespace, hold), 0, self.now()
        check(library.kop_pulsar_watch(self.handle, *given, c.byref(out)))
        return out.value

    def watch(self, namespace):
        """Watches a namespace; returns the watcher once its first list has come."""
        watcher = self.begin_watch(namespace)
        self.wait("TOPICS_CHANGED", lambda event: event.flags & _abi.KOP_PULSAR_SNAPSHOT)
        return watcher

    @staticmethod
    def slice(text, hold):
        data = c.create_string_buffer(text.encode())
        hold.append(data)
        return _abi.kop_slice(c.addressof(data), len(data) - 1)

    def ack(self, consumer, ids, cumulative=False, receipt=True, properties=()):
        """Acknowledges message ids, or parts of them given as dicts of a kop_pulsar_ack_id (ack_set: an array)."""
        wanted = {
            "type": int(cumulative),
            "receipt": int(receipt),
            "properties": [{"key": key, "value": value} for key, value in properties],
        }
        hold = []
        info = pack(_abi.kop_pulsar_ack_info, wanted, hold)
        given = (_abi.kop_pulsar_ack_id * len(ids))()
        for one, number in zip(given, ids):
            part = number if isinstance(number, dict) else {"id": vars(number)}
            one.id = pack(_abi.kop_pulsar_message_id, part["id"], hold)
            if "ack_set" in part:
                one.ack_set, one.ack_set_count = part["ack_set"], len(part["ack_set"])
                one.batch_size = part["batch_size"]
        info.ids, info.ids_count = given, len(ids)
        if receipt:
            return self.request("ack", consumer, c.byref(info))
        check(library.kop_pulsar_ack(self.handle, consumer, c.byref(info), self.now(), None))
        return None

    # ---- the loop ----

    def wait(self, kind, wanted=lambda event: True, timeout=20):
        """Takes the first event of that kind that is wanted; the others stay."""
        deadline = time.monotonic() + timeout
        while True:
            for at, event in enumerate(self.events[kind]):
                if wanted(event):
                    return self.events[kind].pop(at)
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {kind} within {timeout} s; last seen: {self.log[-12:]}")
            self.turn(0.05)

    def take(self, *kinds):
        """Takes all events of these kinds that have come so far."""
        return [event for kind in kinds for event in self.events.pop(kind, ())]

    def run_for(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.turn(0.05)

    def turn(self, patience):
        """Drains, waits for bytes or a timer, and feeds."""
        effects = c.POINTER(_abi.kop_pulsar_effect)()
        while count := library.kop_pulsar_drain(self.handle, c.byref(effects)):
            for at in range(count):
                self._serve(effects[at])
        due = library.kop_pulsar_deadline(self.handle)
        patience = min(patience, max(0, (due - time.monotonic_ns()) / 1e9))
        ready = [conn for conn, one in self.sockets.items() if conn not in self.paused]
        watched = {self.sockets[conn]: conn for conn in ready}
        if not watched:
            time.sleep(min(patience, 0.01))
        for one in select.select(list(watched), [], [], patience)[0] if watched else ():
            self._receive(watched[one], one)
        if library.kop_pulsar_deadline(self.handle) <= time.monotonic_ns():
            library.kop_pulsar_tick(self.handle, self.now())

    def _serve(self, effect):
        name = KINDS[effect.kind]
        event = SimpleNamespace(
            kind=name, flags=effect.flags, target=effect.target, context=effect.context
        )
        if BODIES[name] is not None:
            body = c.cast(effect.body, c.POINTER(BODIES[name])).contents
            event.__dict__.update(unpack(body))
        self.log.append(self._short(event))
        if effect.kind >= EVENTS_FROM:
            if name in ("RECEIPT", "SEND_FAILED"):
                self.keep.pop((event.target, event.context), None)
            self.events[event.kind].append(event)
        else:
            getattr(self, "_" + name.lower())(event)

    @staticmethod
    def _short(event):
        if hasattr(event, "server_error"):
            words = outcome_name(event.outcome), error_name(event.server_error)
            return f"{event.kind} {event.target} {' '.join(words)} {getattr(event, 'text', '')}"
        return f"{event.kind} {event.target}"

    def _connect(self, event):
        try:
            one = socket.create_connection((event.host.decode(), event.port), 5)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if event.tls:
                context = ssl.create_default_context(cafile=self.tls)
                name = self.tls_name or event.host.decode()
                one = context.wrap_socket(one, server_hostname=name)
            self.sockets[event.target] = one
            self.call("connected", event.target)
        except OSError as error:
            self._closed(event.target, str(error))

    def _send(self, event):
        try:
            self.sockets[event.target].sendall(b"".join(event.slices))
            self.call("sent", event.target)
        except OSError as error:
            self._closed(event.target, str(error))

    def _close(self, event):
        self._closed(event.target, "closed as asked")

    def _recv_pause(self, event):
        self.paused.add(event.target)

    def _recv_resume(self, event):
        self.paused.discard(event.target)

    def _auth_needed(self, event):
        self.events[event.kind].append(event)
        if self.fresh_token:
            self.call("auth_answer", event.target, self.slice(self.fresh_token, self.hold))

    def _closed(self, conn, why):
        one = self.sockets.pop(conn, None)
        if one:
            one.close()
        hold = []
        self.call("closed", conn, self.slice(why, hold))

    def abandon(self):
        """All connections are lost to the session, while the broker sees nothing of it."""
        for conn, one in list(self.sockets.items()):
            self.abandoned.append(one)
            del self.sockets[conn]
            self._closed(conn, "the network is cut")

    def _receive(self, conn, one):
        place, room = c.c_void_p(), c.c_size_t()
        check(library.kop_pulsar_recv_buffer(self.handle, conn, c.byref(place), c.byref(room)))
        if not room.value:
            self.paused.add(conn)
            return
        try:
            data = one.recv(room.value)
            while isinstance(one, ssl.SSLSocket) and one.pending() and len(data) < room.value:
                data += one.recv(room.value - len(data))
        except OSError as error:
            self._closed(conn, str(error))
            return
        if not data:
            self._closed(conn, "closed by the broker")
            return
        c.memmove(place, data, len(data))
        self.call("recv_commit", conn, len(data))
        if isinstance(one, ssl.SSLSocket) and one.pending():
            self._receive(conn, one)
