"""libkop's Pulsar session on a real cluster: two brokers and a proxy, topics that move, brokers that die.

Each case has a namespace of one bundle, so its topics are in one place, with deduplication: nothing may come twice.
"""

import collections
import contextlib
import threading
import time

import kop
from kop import _abi

from harness.case import case, note
from harness.session import MAYBE_WRITTEN, Session, error_name, outcome_name
from harness.traffic import Troubled, a_session, publish, read, through, values, where
from harness.wire import EXCLUSIVE_WITH_FENCING as FENCING, SHARED, COMMAND_OF, Entry, read_varint

REDIRECT, CONNECT = 0, 1  # CommandLookupTopicResponse.response
PASSING = {"ServiceNotReady", "MetadataError", "PersistenceError"}  # what a broker may say while a topic moves


class Witness(Session):
    """Writes down what was sent where: (command, port, the broker that a proxy was told), SENDs and FLOWs apart."""

    def __init__(self, *arguments, **options):
        self.places, self.sent, self.rest = {}, [], {}
        super().__init__(*arguments, **options)

    def _connect(self, event):
        broker = int(event.broker.rsplit(b":", 1)[1]) if event.broker else None
        self.places[event.target] = event.port, broker
        super()._connect(event)

    def _send(self, event):
        data = self.rest.get(event.target, b"") + b"".join(event.slices)
        while len(data) >= 4 and len(data) >= 4 + (size := int.from_bytes(data[:4], "big")):
            number, _ = read_varint(data, 9)  # behind both sizes and the tag of the field `type`
            name = COMMAND_OF.get(number, (str(number),))[0]
            if name not in ("SEND", "FLOW"):
                self.sent.append((name, *self.places[event.target]))
            data = data[4 + size :]
        self.rest[event.target] = data
        super()._send(event)

    def where_sent(self, command):
        return [place for name, *place in self.sent if name == command]


def producer_and_reader(session, topic):
    """Opens both, and proves that they work."""
    producer = session.open_producer(topic)
    end = session.wait("PRODUCER_READY").name
    reader = session.open_consumer(topic, permits=10_000)
    places = publish(session, producer, values(3) + [end])
    assert [place for place, _, _ in read(session, reader, end)][-4:] == places


# ---- finding the owner -----------------------------------------------------------------------------------


@case("cluster-modular")
def cluster_redirects_a_lookup(pulsar):
    """A broker that is asked for a topic without an owner places it, or sends on to the one that places topics."""
    topic = pulsar.topic_in(namespace := pulsar.namespace())
    leader = pulsar.leader()
    follower = pulsar.other(leader)
    for wanted, asked in ((leader, follower), (follower, leader)):
        pulsar.bring(topic, wanted)
        pulsar.move(namespace, wanted)
        answer = pulsar.connect_to(asked).request("LOOKUP", topic=topic).fields
        note(f"leader {leader}; {asked} is asked for what {wanted} shall get: {answer}")
        assert answer["response"] == REDIRECT and answer["broker_url"] == pulsar.url_of(wanted)
        assert answer["authoritative"] == (asked == leader), "only the one that places topics decides"
        pulsar.bring(topic, wanted)
        pulsar.move(namespace, wanted)
        with a_session(pulsar, Witness, url=pulsar.url_of(asked)) as session:
            producer_and_reader(session, topic)
            asked_for = session.where_sent("LOOKUP")
            note(f"looked up at {asked_for}")
            assert asked_for[:2] == [[pulsar.ports[asked], None], [pulsar.ports[wanted], None]]
            assert session.where_sent("PRODUCER")[-1] == [pulsar.ports[pulsar.owner(topic)], None]


def finds_the_owner(pulsar):
    """Whoever is asked names the owner once there is one."""
    topic = pulsar.topic_in(pulsar.namespace())
    for wanted in "ab":
        pulsar.bring(topic, wanted)
        for asked in "ab":
            answer = pulsar.connect_to(asked).request("LOOKUP", topic=topic).fields
            assert answer["response"] == CONNECT and not answer.get("proxy_through_service_url"), answer
            with a_session(pulsar, Witness, url=pulsar.url_of(asked)) as session:
                producer_and_reader(session, topic)
                found = session.request("lookup", topic)
                assert (found.broker_port, found.proxied) == (pulsar.ports[wanted], 0)
                for command in ("PRODUCER", "SUBSCRIBE"):
                    assert session.where_sent(command) == [[pulsar.ports[wanted], None]]


@case("cluster-modular")
def cluster_names_the_owner(pulsar):
    finds_the_owner(pulsar)


@case("cluster-extensible")
def cluster_extensible_names_the_owner(pulsar):
    finds_the_owner(pulsar)


def serves_through_a_proxy(pulsar):
    """All connections go to the proxy, those for a topic with its broker's name in CONNECT."""
    topics = [pulsar.topic_in(pulsar.namespace(name)) for name in "ab"]
    for topic, wanted in zip(topics, "ab"):
        pulsar.bring(topic, wanted)
    proxy = pulsar.ports["proxy"]
    with a_session(pulsar, Witness, url=pulsar.url_of("proxy")) as session:
        for topic, wanted in zip(topics, "ab"):
            producer_and_reader(session, topic)
            found = session.request("lookup", topic)
            assert (found.broker_port, found.proxied) == (pulsar.ports[wanted], 1)
        for command in ("PRODUCER", "SUBSCRIBE"):
            assert session.where_sent(command) == [[proxy, pulsar.ports[wanted]] for wanted in "ab"]
        assert set(map(tuple, session.where_sent("LOOKUP"))) == {(proxy, None)}
        assert session.request("partitions", topics[0]).partitions == 0
        listed = session.request("topics", topics[0].removeprefix("persistent://").removesuffix("/t"), 0).topics
        assert topics[0].encode() in listed and topics[1].encode() not in listed
        number = session.begin_watch("public/default")
        closed = session.wait("WATCH_CLOSED", lambda event: event.target == number)
        note(f"watching through a proxy: {outcome_name(closed.outcome)}, {closed.text}")
        assert outcome_name(closed.outcome) == "NOT_SUPPORTED"
        assert not session.take("PRODUCER_DOWN", "CONSUMER_DOWN")


@case("cluster-modular")
def cluster_serves_through_a_proxy(pulsar):
    serves_through_a_proxy(pulsar)


@case("cluster-extensible")
def cluster_extensible_serves_through_a_proxy(pulsar):
    serves_through_a_proxy(pulsar)


# ---- moving ---------------------------------------------------------------------------------------------------


def keeps_moving(pulsar, namespace, times=6, tell=True):
    """Moves a namespace from one broker to the other and back; without telling the broker where to, unloads it."""

    def trouble(topic):
        for _ in range(times):
            time.sleep(0.3)
            if tell:
                pulsar.bring(topic, pulsar.other(pulsar.owner(topic)))
            else:
                pulsar.move(namespace)
                pulsar.owner(topic)

    return trouble


def moved(lived):
    """The traffic was interrupted by moves, and by what a broker answers that comes too early; by nothing else."""
    found = {(event.kind, outcome_name(event.outcome)) for event in lived.downs}
    errors = {error_name(event.server_error) for event in lived.downs if outcome_name(event.outcome) == "REFUSED"}
    note(f"interrupted by {sorted(found)}, {errors}")
    assert {("PRODUCER_DOWN", "MOVED"), ("CONSUMER_DOWN", "MOVED")} <= found
    assert {outcome for _, outcome in found} <= {"MOVED", "REFUSED"} and errors <= PASSING


def last_words(pulsar, topic, namespace, to):
    """Which new owner a raw producer and a raw reader are told when the topic moves."""
    connection = pulsar.connect_to(pulsar.owner(topic))
    connection.producer(topic)
    connection.reader(topic)
    pulsar.move(namespace, to)
    told = [connection.expect(name).fields.get("assigned") for name in ("CLOSE_PRODUCER", "CLOSE_CONSUMER")]
    note(f"moved to {to}, told {told}")
    return told


@case("cluster-modular")
def cluster_moves_a_topic(pulsar):
    topic = pulsar.topic_in(namespace := pulsar.namespace())
    told = last_words(pulsar, topic, namespace, pulsar.other(pulsar.owner(topic)))
    assert told == [None, None]
    lived = through(pulsar, keeps_moving(pulsar, namespace), topic=topic, once=True, pause=0.01)
    moved(lived)


@case("cluster-modular")
def cluster_moves_the_topic_of_a_leader(pulsar):
    topic = pulsar.topic_in(namespace := pulsar.namespace())
    lived = through(pulsar, keeps_moving(pulsar, namespace), FENCING, topic=topic, once=True, pause=0.01)
    assert {event.topic_epoch for event in lived.readies if event.kind == "PRODUCER_READY"} == {0}


@case("cluster-extensible")
def cluster_extensible_tells_where_a_topic_went(pulsar):
    topic = pulsar.topic_in(namespace := pulsar.namespace())
    new = pulsar.other(pulsar.owner(topic))
    assert last_words(pulsar, topic, namespace, new) == [pulsar.url_of(new)] * 2
    sessions = []

    class Kept(Witness):
        def close(self):
            sessions.append(self)
            super().close()

    lived = through(pulsar, keeps_moving(pulsar, namespace), kind=Kept, topic=topic, once=True, pause=0.01)
    moved(lived)
    opened = [name for name, *_ in sessions[0].sent if name in ("LOOKUP", "PRODUCER")]
    straight = sum(pair == ("PRODUCER", "PRODUCER") for pair in zip(opened, opened[1:]))
    note(f"opened {opened.count('PRODUCER')} times, {straight} of them where it was told to")
    assert straight


@case("cluster-extensible")
def cluster_extensible_moves_the_topic_of_a_leader(pulsar):
    topic = pulsar.topic_in(namespace := pulsar.namespace())
    lived = through(pulsar, keeps_moving(pulsar, namespace), FENCING, topic=topic, once=True, pause=0.01)
    assert {event.topic_epoch for event in lived.readies if event.kind == "PRODUCER_READY"} == {0}


@case("cluster-extensible")
def cluster_extensible_unloads_a_topic(pulsar):
    topic = pulsar.topic_in(namespace := pulsar.namespace())
    assert last_words(pulsar, topic, namespace, None) == [None, None]
    trouble = keeps_moving(pulsar, namespace, tell=False)
    lived = through(pulsar, trouble, topic=topic, once=True, pause=0.01)
    moved(lived)


@case("cluster-modular")
def cluster_moves_a_topic_behind_a_proxy(pulsar):
    topic = pulsar.topic_in(namespace := pulsar.namespace())
    trouble = keeps_moving(pulsar, namespace)
    through(pulsar, trouble, topic=topic, once=True, pause=0.01, url=pulsar.url_of("proxy"))


@case("cluster-extensible")
def cluster_extensible_moves_a_topic_behind_a_proxy(pulsar):
    topic = pulsar.topic_in(namespace := pulsar.namespace())
    trouble = keeps_moving(pulsar, namespace)
    through(pulsar, trouble, topic=topic, once=True, pause=0.01, url=pulsar.url_of("proxy"))


# ---- dying -----------------------------------------------------------------------------------------------------


def loses_its_broker(pulsar, access_mode=SHARED):
    """kill -9 of the owner under load, direct and through the proxy; the other broker takes over while the dead one is dead."""
    namespace = pulsar.namespace()
    topics = [pulsar.topic_in(namespace, name) for name in ("direct", "proxied")]
    dead = threading.Event()

    def trouble(topic):
        time.sleep(0.5)
        owner = pulsar.owner(topic)
        heir = pulsar.other(owner)
        pulsar.kill(f"broker-{owner}")
        note(f"{heir} has the topic {pulsar.inherit(topic, heir):.1f} s after {owner} was killed")
        time.sleep(1)
        dead.set()

    def through_the_proxy(topic):
        url = pulsar.url_of("proxy")
        survived(through(pulsar, lambda _: dead.wait(60), topic=topic, once=True, pause=0.01, url=url))

    try:
        proxied = Troubled(through_the_proxy, topics[1])
        survived(through(pulsar, trouble, access_mode, topic=topics[0], once=True, pause=0.01))
        proxied.finish()
    finally:
        pulsar.start()


def survived(lived):
    words = collections.Counter(f"{outcome_name(event.outcome)} {error_name(event.server_error)}" for event in lived.downs)
    note(f"interrupted by {dict(words)}")
    lost = {event.kind for event in lived.downs if outcome_name(event.outcome) == "DISCONNECTED"}
    assert lost == {"PRODUCER_DOWN", "CONSUMER_DOWN"}


@case("cluster-modular")
def cluster_loses_a_broker(pulsar):
    loses_its_broker(pulsar)


@case("cluster-extensible")
def cluster_extensible_loses_a_broker(pulsar):
    loses_its_broker(pulsar, FENCING)


@case("cluster-modular")
def cluster_takes_over_from_a_leader_of_a_dead_broker(pulsar):
    """The dead broker's exclusive producer is gone with it; who takes the topic at the next one fences the old leader."""
    topic = pulsar.topic_in(pulsar.namespace())
    patience = {"backoff_max_ns": 500_000_000}
    with a_session(pulsar, **patience) as old, a_session(pulsar, seed=2, **patience) as new:
        leader = old.open_producer(topic, access_mode=FENCING, group=1)
        assert old.wait("PRODUCER_READY").topic_epoch == 0
        acknowledged = publish(old, leader, values(200))
        old.send(leader, 200, b"in flight")
        old.turn(0)  # it leaves, and the old leader hears nothing from here on
        owner = pulsar.owner(topic)
        pulsar.kill(f"broker-{owner}")
        try:
            successor = new.open_producer(topic, access_mode=FENCING, open_ns=60_000_000_000)
            assert new.wait("PRODUCER_READY", timeout=60).topic_epoch == 1
            barrier = publish(new, successor, [b"barrier"])
            old.send(leader, 201, b"late")
            closed = old.wait("PRODUCER_CLOSED", timeout=60)
            note(f"the old leader: {error_name(closed.server_error)}, {closed.text}")
            assert error_name(closed.server_error) == "ProducerFenced"
            failed = {event.context: event.flags & MAYBE_WRITTEN for event in old.take("SEND_FAILED")}
            known = {event.context: where(event) for event in old.take("RECEIPT")}
            reader = new.open_consumer(topic, permits=1000)
            found = read(new, reader, b"barrier")
            note(f"its entries without an answer {failed}, before the barrier stands {found[-2][1]}")
            assert [place for place, _, _ in found][:200] == acknowledged and found[-1][0] == barrier[0]
            assert [payload for _, payload, _ in found[200:]] in ([b"barrier"], [b"in flight", b"barrier"])
            assert 201 in failed and (failed.get(200) == MAYBE_WRITTEN or known == {200: found[200][0]})
            assert publish(new, successor, [b"end"], first=1)
            assert [payload for _, payload, _ in read(new, reader, b"end")] == [b"end"], "nothing of the old leader"
        finally:
            pulsar.start()


# ---- watching --------------------------------------------------------------------------------------------------


@case("cluster-modular")
def cluster_watches(pulsar):
    """Any broker tells of any namespace, wherever its topics are; when that broker dies, the next one begins anew."""
    namespace = pulsar.namespace()
    first = pulsar.topic_in(namespace, "first")
    with a_session(pulsar, Witness, backoff_max_ns=500_000_000) as session:
        watcher, created = session.watch(namespace), []
        for number, wanted in enumerate("abab"):
            pulsar.bring(first, wanted)
            created.append(fresh := pulsar.topic_in(namespace, f"fresh-{number}").encode())
            change = session.wait("TOPICS_CHANGED", lambda event: fresh in event.added)
            assert change.target == watcher and not change.flags
        ((port, _),) = session.where_sent("64")
        dead = next(name for name, number in pulsar.ports.items() if number == port)
        pulsar.kill(f"broker-{dead}")
        try:
            again = session.wait("TOPICS_CHANGED", lambda event: event.flags & _abi.KOP_PULSAR_SNAPSHOT, timeout=60)
            assert session.where_sent("64")[-1] == [pulsar.ports[pulsar.other(dead)], None]
            note(f"anew: {again.added}")
            own = [name for name in again.added if b"/__" not in name]  # __change_events is the broker's
            assert sorted(own) == sorted([first.encode(), *created])
            pulsar.inherit(first, pulsar.other(dead))
            pulsar.admin_of(pulsar.other(dead)).put(f"persistent/{namespace}/late")
            late = f"persistent://{namespace}/late".encode()
            session.wait("TOPICS_CHANGED", lambda event: late in event.added)
        finally:
            pulsar.start()
        note(f"watched at {session.where_sent('64')}")


# ---- another cluster -------------------------------------------------------------------------------------------


@case("migrating")
def cluster_migrates_to_another(pulsar):
    """TOPIC_MIGRATED: producers, and who has acknowledged everything, go to the other cluster and miss nothing."""
    green = pulsar.companion()
    green.topic()
    for number in range(8):  # so that green's ledger has a lower number than blue's
        pulsar.connect().producer(pulsar.topic(f"filler-{number}"))
    topic = pulsar.topic()
    with a_session(pulsar, Witness, backoff_max_ns=500_000_000, send_ns=600_000_000_000) as session:
        producer = session.open_producer(topic)
        session.wait("PRODUCER_READY")
        durable = session.open_consumer(topic, permits=10_000, subscription="s", flags=1 | 16)
        reader, idle = (session.open_consumer(topic, permits=10_000) for _ in range(2))
        found = {durable: [], reader: [], idle: []}

        def receive():
            session.run_for(0.2)
            for event in session.take("MESSAGE"):
                found[event.target].append((where(event), Entry(event.bytes).payload))
                if event.target != idle:
                    with contextlib.suppress(kop.KopError):  # it is on its way to the other cluster
                        session.ack(event.target, [event.id], cumulative=True, receipt=False)

        publish(session, producer, values(10))
        receive()
        url = {"serviceUrl": f"http://127.0.0.1:{green.port + 1}", "brokerServiceUrl": green.url}
        pulsar.admin.post("clusters/standalone/migrate?migrated=true", url)
        sequence, deadline = 10, time.monotonic() + 60
        while not session.take("PRODUCER_READY"):
            session.send(producer, sequence, b"v%d" % sequence)
            sequence += 1
            receive()
            assert time.monotonic() < deadline, "the producer was not moved"
        session.send(producer, sequence, b"end")
        while any(found[one][-1][1] != b"end" for one in (durable, reader)):
            receive()
            assert time.monotonic() < deadline, "not all was read"
        for one in (durable, reader):
            assert list(dict.fromkeys(payload for _, payload in found[one])) == [*values(sequence), b"end"]
        last, first = found[reader][9][0], found[reader][-1][0]
        note(f"{sequence} entries; on blue up to {last}, on green from {first}")
        assert first < last, "positions of one cluster say nothing about the other"
        downs = session.take("CONSUMER_DOWN")
        note(f"{[(event.target, event.text) for event in downs]}, {session.where_sent('SUBSCRIBE')}")
        assert {event.target for event in downs} == {durable, reader}, "who acknowledges nothing is not told"
        assert b"moved to another cluster" in {event.text for event in downs}
        for command in ("PRODUCER", "SUBSCRIBE"):
            assert session.where_sent(command)[-1][0] == green.port
        late = session.open_consumer(topic, permits=100)
        assert session.wait("MESSAGE", lambda event: event.target == late)
        note(f"a new reader is opened at {session.where_sent('SUBSCRIBE')[-1]}")
