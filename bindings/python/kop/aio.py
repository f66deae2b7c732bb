"""Sockets and timers by asyncio: for the engine, so that a program supplies only its storage, and for a Pulsar client.

    def store(engine, effect):              called for every effect that is not about a connection
        return effect.done(...)             an answer, None where none is asked for, or a coroutine that gives one

    broker = kop.aio.Broker(store, effects=[kop.EFFECT_ACQUIRE, kop.EFFECT_APPEND, kop.EFFECT_READ], port=9092)
    asyncio.run(broker.run())

    client = kop.aio.PulsarClient("pulsar://localhost:6650", on_event)      on_event(session, event) for each event
    asyncio.run(client.run(lambda session: session.consumer_open(topic)))
"""
import asyncio
import inspect
import sys

from . import _abi
from .engine import Engine
from .pulsar import Session

CONNECTION = [_abi.KOP_EFFECT_SEND, _abi.KOP_EFFECT_CLOSE, _abi.KOP_EFFECT_RECV_PAUSE, _abi.KOP_EFFECT_RECV_RESUME,
              _abi.KOP_EFFECT_LOG]


class _Turning:
    """What drives an engine or a session: what it wants is carried out, in turns, and its one timer is kept."""

    def __init__(self, machine):
        self.machine, self.timer, self.turning, self.tasks = machine, None, False, set()

    def turn(self):
        """Carries out what waits, and sets the timer anew. To be called after calls from elsewhere than a turn."""
        if self.turning:  # the loop below sees the rest
            return
        self.turning = True
        try:
            while effects := self.machine.drain():
                self._carry_out_all(effects)
        finally:
            self.turning = False
        if self.timer:
            self.timer.cancel()
        wait = self.machine.wait()
        self.timer = self.loop.call_later(wait, self._tick) if wait is not None else None

    def _tick(self):
        self.machine.tick()
        self.turn()

    def _begin(self, coroutine):
        task = self.loop.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


class Broker(_Turning):
    """One engine on one port. Further settings are those of Engine. Port 0: the system chooses; `port` says which."""

    def __init__(self, store, *, effects, host="127.0.0.1", port=9092, **settings):
        self.engine = Engine(effects=[*CONNECTION, *effects], **settings)
        super().__init__(self.engine)
        self.node_id = settings.get("node_id", 1)
        self.store, self.host, self.port, self.clients = store, host, port, {}

    async def run(self, ready=None):
        """Serves until it is cancelled. `ready(broker)` is called when clients can connect."""
        self.loop = asyncio.get_running_loop()
        server = await self.loop.create_server(lambda: _Client(self), self.host, self.port)
        self.port = server.sockets[0].getsockname()[1]
        self.engine.push(_abi.KOP_EVENT_NODES, controller_id=self.node_id,
                         endpoints=[dict(node_id=self.node_id, host=self.host, port=self.port)])
        self.turn()
        if ready:
            ready(self)
        async with server:
            await server.serve_forever()

    def _carry_out_all(self, effects):
        self.engine.complete(filter(None, map(self._carry_out, effects)))

    def _carry_out(self, effect):
        if effect.kind == _abi.KOP_EFFECT_LOG:
            print(effect.text.decode(), file=sys.stderr)
            return None
        if effect.kind in CONNECTION:
            client = self.clients.get(effect.target)
            return client.carry_out(effect) if client else effect.cancelled() if effect.token else None
        answer = self.store(self.engine, effect)
        if not inspect.isawaitable(answer):
            return answer
        self._begin(self._answer_later(answer))
        return None

    async def _answer_later(self, answer):
        self.engine.complete(filter(None, [await answer]))
        self.turn()


class _Stream(asyncio.Protocol):
    """One connection: what arrives is fed to an engine or a session, as much of it as that takes."""

    def __init__(self, owner):
        self.owner, self.rest = owner, b""

    def data_received(self, data):
        self.rest += data
        self._feed()

    def resume(self):
        self.transport.resume_reading()
        self.owner.loop.call_soon(self._feed)

    def _feed(self):
        taken = self.owner.machine.feed(self.conn, self.rest)
        self.rest = self.rest[taken:]
        self.owner.turn()


class _Client(_Stream):
    def connection_made(self, transport):
        self.transport = transport
        self.conn = self.owner.engine.conn_open(peer=str(transport.get_extra_info("peername")))
        self.owner.clients[self.conn] = self
        self.owner.turn()

    def connection_lost(self, _):
        del self.owner.clients[self.conn]
        self.owner.engine.conn_closed(self.conn)
        self.owner.turn()

    def carry_out(self, effect):
        match effect.kind:
            case _abi.KOP_EFFECT_SEND:
                self.transport.write(effect.data)
                return effect.done()
            case _abi.KOP_EFFECT_CLOSE:
                self.transport.close()
            case _abi.KOP_EFFECT_RECV_PAUSE:
                self.transport.pause_reading()
            case _abi.KOP_EFFECT_RECV_RESUME:
                self.resume()
        return None


class PulsarClient(_Turning):
    """One Pulsar session. `on_event(session, event)` is called for each event (kop/pulsar.h, kinds from CONN_READY on).
    `settings` are those of Session; `ssl` is the context for TLS, the system's certificates by default."""

    def __init__(self, service_url, on_event, *, ssl=True, **settings):
        self.session, self.on_event, self.ssl = Session(service_url, **settings), on_event, ssl
        super().__init__(self.session)
        self.token, self.peers = settings.get("auth_data", b""), {}

    def auth_update(self, data):
        """Fresh credentials: for later connections, and for brokers that ask for them."""
        self.session.auth_update(data)
        self.token = data

    async def run(self, begin):
        """Calls `begin(session)`, then serves until the session has been shut down."""
        self.loop, self.done = asyncio.get_running_loop(), asyncio.Event()
        begin(self.session)
        self.turn()
        await self.done.wait()

    def _carry_out_all(self, events):
        for event in events:
            self._carry_out(event)

    def turn(self):
        super().turn()
        if self.session.idle:
            self.done.set()

    def _carry_out(self, event):
        peer = self.peers.get(event.target)
        if event.kind >= _abi.KOP_PULSAR_CONN_READY:
            self.on_event(self.session, event)
        elif event.kind == _abi.KOP_PULSAR_CONNECT:
            self._begin(self._connect(event))
        elif event.kind == _abi.KOP_PULSAR_AUTH_NEEDED:
            self.session.auth_answer(event.target, self.token)
        elif peer:
            peer.carry_out(event)

    async def _connect(self, event):
        try:
            await self.loop.create_connection(lambda: _Peer(self, event.target), event.host.decode(), event.port,
                                              ssl=self.ssl if event.tls else None)
        except OSError as error:
            self.session.closed(event.target, str(error))
        self.turn()


class _Peer(_Stream):
    def __init__(self, client, conn):
        super().__init__(client)
        self.conn = conn

    def connection_made(self, transport):
        self.transport = transport
        self.owner.peers[self.conn] = self
        self.owner.session.connected(self.conn)

    def connection_lost(self, error):
        del self.owner.peers[self.conn]
        self.owner.session.closed(self.conn, str(error or "closed by the broker"))
        self.owner.turn()

    def carry_out(self, event):
        match event.kind:
            case _abi.KOP_PULSAR_SEND:
                self.transport.write(b"".join(event.slices))
                self.owner.session.sent(self.conn)
            case _abi.KOP_PULSAR_CLOSE:
                self.transport.close()
            case _abi.KOP_PULSAR_RECV_PAUSE:
                self.transport.pause_reading()
            case _abi.KOP_PULSAR_RECV_RESUME:
                self.resume()
