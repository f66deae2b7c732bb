"""Sockets and timers for the engine by asyncio, so that a program supplies only its storage.

    def store(engine, effect):              called for every effect that is not about a connection
        return effect.done(...)             an answer, None where none is asked for, or a coroutine that gives one

    broker = kop.aio.Broker(store, effects=[kop.EFFECT_ACQUIRE, kop.EFFECT_APPEND, kop.EFFECT_READ], port=9092)
    asyncio.run(broker.run())
"""
import asyncio
import inspect
import sys

from . import _abi
from .engine import Engine

CONNECTION = [_abi.KOP_EFFECT_SEND, _abi.KOP_EFFECT_CLOSE, _abi.KOP_EFFECT_RECV_PAUSE, _abi.KOP_EFFECT_RECV_RESUME,
              _abi.KOP_EFFECT_LOG]


class Broker:
    """One engine on one port. Further settings are those of Engine. Port 0: the system chooses; `port` says which."""

    def __init__(self, store, *, effects, host="127.0.0.1", port=9092, **settings):
        self.engine = Engine(effects=[*CONNECTION, *effects], **settings)
        self.node_id = settings.get("node_id", 1)
        self.store, self.host, self.port, self.clients = store, host, port, {}
        self.tasks, self.timer, self.turning = set(), None, False

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

    def turn(self):
        """Carries out what waits, and sets the one timer anew."""
        if self.turning:  # feeding inside a turn: the loop below sees the rest
            return
        self.turning = True
        while effects := self.engine.drain():
            self.engine.complete(filter(None, map(self._carry_out, effects)))
        self.turning = False
        if self.timer:
            self.timer.cancel()
        wait = self.engine.wait()
        self.timer = self.loop.call_later(wait, self._tick) if wait is not None else None

    def _tick(self):
        self.engine.tick()
        self.turn()

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
        task = self.loop.create_task(self._answer_later(answer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return None

    async def _answer_later(self, answer):
        self.engine.complete(filter(None, [await answer]))
        self.turn()


class _Client(asyncio.Protocol):
    def __init__(self, broker):
        self.broker, self.rest = broker, b""

    def connection_made(self, transport):
        self.transport = transport
        self.conn = self.broker.engine.conn_open(peer=str(transport.get_extra_info("peername")))
        self.broker.clients[self.conn] = self
        self.broker.turn()

    def data_received(self, data):
        self.rest += data
        self._feed()

    def connection_lost(self, _):
        del self.broker.clients[self.conn]
        self.broker.engine.conn_closed(self.conn)
        self.broker.turn()

    def _feed(self):
        taken = self.broker.engine.feed(self.conn, self.rest)
        self.rest = self.rest[taken:]
        self.broker.turn()

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
                self.transport.resume_reading()
                self.broker.loop.call_soon(self._feed)
        return None
