"""What tests of the session do again and again: sending, reading back, and traffic that must live through trouble."""

import collections
import contextlib
import threading

from .case import note
from .session import Session
from .wire import SHARED, Entry


Lived = collections.namedtuple("Lived", "downs readies log")


@contextlib.contextmanager
def a_session(pulsar, kind=Session, **options):
    session = kind(options.pop("url", pulsar.url), **options)
    try:
        yield session
    finally:
        session.close()


def where(event):
    return event.id.ledger_id, event.id.entry_id


def values(count, prefix=b"v"):
    return [prefix + b"%d" % number for number in range(count)]


def publish(session, producer, payloads, first=0):
    """Sends entries and awaits their receipts; returns where they are."""
    for number, value in enumerate(payloads, first):
        session.send(producer, number, value)
    found = []
    for number in range(first, first + len(payloads)):
        event = session.wait("RECEIPT", lambda event: event.target == producer)
        assert event.sequence_id == event.context == number, "receipts come in the order of the sends"
        found.append(where(event))
    return found


def read(session, consumer, until, timeout=20):
    """Messages of a consumer up to the one with that payload: (where, payload, index)."""
    found = []
    while not found or found[-1][1] != until:
        event = session.wait("MESSAGE", lambda event: event.target == consumer, timeout)
        assert not event.flags, event
        entry = Entry(event.bytes)
        found.append((where(event), entry.payload, entry.index))
    return found


def through(pulsar, trouble, access_mode=SHARED, kind=Session, topic=None, once=False, pause=0.2, **options):
    """Sends and reads while the trouble happens: every entry arrives, in order. Only resent ones may come twice, and
    none may if the topic is deduplicated (once)."""
    topic = topic or pulsar.topic()
    patience = {"backoff_max_ns": 500_000_000, "send_ns": 600_000_000_000}
    with a_session(pulsar, kind, **patience | options) as session:
        name = {"name": "steady"} if once else {}
        producer = session.open_producer(topic, access_mode=access_mode, **name)
        session.wait("PRODUCER_READY")
        reader = session.open_consumer(topic, permits=1_000_000)
        session.wait("CONSUMER_READY")
        troubled = Troubled(trouble, topic)
        sequence = 0
        while troubled.is_alive() or sequence < 500:
            if sequence - len(session.events["RECEIPT"]) < 2000:
                for _ in range(20):
                    session.send(producer, sequence, b"%d" % sequence)
                    sequence += 1
            session.run_for(0.02 if sequence < 500 else pause)
        troubled.finish()
        session.send(producer, sequence, b"end")
        found = read(session, reader, b"end", timeout=60)
        receipts = [session.wait("RECEIPT").sequence_id for _ in range(sequence + 1)]
        assert receipts == list(range(sequence + 1))
        assert not session.take("SEND_FAILED")
        places = [place for place, _, _ in found]
        assert places == sorted(set(places)), "each stored entry is delivered once, in order"
        numbers = [int(payload) for _, payload, _ in found[:-1]]
        assert list(dict.fromkeys(numbers)) == list(range(sequence)), "nothing lost, first copies in order"
        downs = session.take("PRODUCER_DOWN", "CONSUMER_DOWN")
        readies = session.take("PRODUCER_READY", "CONSUMER_READY")
        doubled = len(numbers) - sequence
        note(f"{sequence} entries, {doubled} twice, {len(downs)} times down, {sum(e.times > 1 for e in readies)} times back")
        assert not (once and doubled)
        return Lived(downs, readies, session.log)


class Troubled(threading.Thread):
    """Trouble in a thread of its own; what it raises is raised where it is awaited."""

    def __init__(self, trouble, topic):
        super().__init__(daemon=True)
        self.trouble, self.topic, self.error = trouble, topic, None
        self.start()

    def run(self):
        try:
            self.trouble(self.topic)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def finish(self):
        self.join()
        if self.error:
            raise self.error
