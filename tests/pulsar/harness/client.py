"""kop.aio.PulsarClient as a program uses it, with events that can be awaited one by one.

    async with Client(pulsar.url) as client:
        producer = client.session.producer_open(topic)
        await client.event(kop.PULSAR_PRODUCER_READY)

    run(body(pulsar))        a coroutine to its end, within a minute
"""

import asyncio

import kop
from kop.aio import PulsarClient


class Client:
    def __init__(self, url, **settings):
        self.client = PulsarClient(url, self._take, **settings)
        self.session = self.client.session
        self.events = []

    async def __aenter__(self):
        self.changed, begun = asyncio.Event(), asyncio.Event()
        self.running = asyncio.create_task(self.client.run(lambda _: begun.set()))
        await begun.wait()
        return self

    async def __aexit__(self, *_):
        self.session.shutdown()
        self.client.turn()
        await asyncio.wait_for(self.running, 20)

    def _take(self, _, event):
        self.events.append(event)
        self.changed.set()

    async def event(self, kind, wanted=lambda event: True):
        """The first event of a kind that is wanted; the others stay."""
        deadline = asyncio.get_running_loop().time() + 20
        while True:
            self.client.turn()
            for at, event in enumerate(self.events):
                if event.kind == kind and wanted(event):
                    return self.events.pop(at)
            self.changed.clear()
            left = deadline - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self.changed.wait(), left)
            except TimeoutError:
                raise AssertionError(f"no event {kind}, but {self.events[-8:]}") from None

    async def result(self, request):
        """The RESULT of a request, which must be DONE."""
        event = await self.event(kop.PULSAR_RESULT, lambda event: event.target == request)
        assert event.outcome == kop.PULSAR_DONE, event
        return event

    async def producer(self, topic, **settings):
        """A producer that is ready: its id and PRODUCER_READY."""
        producer = self.session.producer_open(topic, **settings)
        return producer, await self.event(kop.PULSAR_PRODUCER_READY)

    async def consumer(self, topic, **settings):
        """A consumer or reader that is ready."""
        consumer = self.session.consumer_open(topic, **settings)
        await self.event(kop.PULSAR_CONSUMER_READY, lambda event: event.target == consumer)
        return consumer

    async def entries(self, consumer, count):
        """The next entries of a consumer."""
        of_it = lambda event: event.target == consumer  # noqa: E731
        return [await self.event(kop.PULSAR_MESSAGE, of_it) for _ in range(count)]


def run(body):
    asyncio.run(asyncio.wait_for(body, 60))
