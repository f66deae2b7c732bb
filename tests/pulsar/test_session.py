"""libkop's Pulsar session against the real one: every command, and what brokers do to their clients."""

import ctypes as c
import time

from kop import _abi
from kop._library import library

from harness.case import case, note
from harness.session import MAYBE_WRITTEN, Session, error_name, outcome_name
from harness.traffic import a_session, publish, read, through, values, where
from harness.wire import EXCLUSIVE, EXCLUSIVE_WITH_FENCING as FENCING, SHARED, WAIT_FOR_EXCLUSIVE as WAIT, Entry, batch_payload

START_AFTER = _abi.KOP_PULSAR_CONSUMER_START_AFTER


# ---- every command ----------------------------------------------------------------------------------


@case("plain", quick=True)
def session_sends_and_reads_back(pulsar):
    topic = pulsar.topic()
    with a_session(pulsar) as session:
        server = session.open_producer(topic)
        ready = session.wait("PRODUCER_READY")
        places = publish(session, server, values(500) + [b"end"])
        reader = session.open_consumer(topic, permits=1000)
        session.wait("CONSUMER_READY")
        found = read(session, reader, b"end")
        assert [place for place, _, _ in found] == places
        assert [payload for _, payload, _ in found] == values(500) + [b"end"]
        assert [index for _, _, index in found] == list(range(501))
        note(f"producer {ready.name}, at most {ready.max_message_bytes} bytes, {len(session.sockets)} connection")
        session.call("consumer_close", reader)
        session.call("producer_close", server)
        closed = [session.wait("CONSUMER_CLOSED"), session.wait("PRODUCER_CLOSED")]
        assert {event.outcome for event in closed} == {_abi.KOP_PULSAR_DONE}
        session.call("shutdown")
        session.run_for(0.2)
        assert not session.sockets


@case("plain", quick=True)
def session_requests_are_answered(pulsar):
    pulsar.admin.put("persistent/public/default/session-partitioned/partitions", 3)
    with a_session(pulsar) as session:
        watcher = session.watch("public/default")
        base = "persistent://public/default/session-partitioned"
        assert session.request("partitions", base).partitions == 3
        missing = session.request("partitions", "persistent://public/default/session-none")
        note(f"partitions of no topic: {outcome_name(missing.outcome)}, {missing.partitions}")
        assert missing.partitions == 0
        found = session.request("lookup", base + "-partition-1")
        assert (found.broker_host, found.broker_port) == (b"127.0.0.1", pulsar.port)
        topics = session.request("topics", "public/default", 0).topics
        assert {f"{base}-partition-{n}".encode() for n in range(3)} <= set(topics)
        fresh = pulsar.topic("fresh")
        change = session.wait("TOPICS_CHANGED", lambda event: fresh.encode() in event.added)
        assert change.target == watcher and not change.flags
        pulsar.admin.delete("persistent/public/default/session-partitioned/partitions?force=true")
        session.wait("TOPICS_CHANGED", lambda event: f"{base}-partition-2".encode() in event.removed)
        session.call("unwatch", watcher)
        assert session.wait("WATCH_CLOSED").outcome == _abi.KOP_PULSAR_DONE
        none = session.request("lookup", "persistent://public/none/x")
        note(f"look-up in no namespace: {outcome_name(none.outcome)} {error_name(none.server_error)}")
        assert none.outcome == _abi.KOP_PULSAR_REFUSED


@case("plain")
def session_durable_subscription(pulsar):
    topic = pulsar.topic()
    durable = {"subscription": "group", "flags": 1 | 16}  # durable, from the earliest
    with a_session(pulsar) as session:
        producer = session.open_producer(topic)
        session.wait("PRODUCER_READY")
        publish(session, producer, values(20) + [b"end"])
        consumer = session.open_consumer(topic, permits=100, **durable)
        session.wait("CONSUMER_READY")
        events = [session.wait("MESSAGE") for _ in range(21)]
        assert session.request("last_message_id", consumer).last_message_id.entry_id == 20
        result = session.ack(consumer, [events[4].id], cumulative=True, properties=[("kop.offset", 5)])
        assert outcome_name(result.outcome) == "DONE"
        assert outcome_name(session.ack(consumer, [events[7].id, events[8].id]).outcome) == "DONE"
        mark = session.request("last_message_id", consumer).mark_delete
        assert mark.entry_id == 4
        cursor = pulsar.admin.internal_stats(topic)["cursors"]["group"]
        note(f"cursor: {cursor['markDeletePosition']}, {cursor['properties']}, {cursor['individuallyDeletedMessages']}")
        assert cursor["properties"] == {"kop.offset": 5}
        session.call("consumer_close", consumer)
        session.wait("CONSUMER_CLOSED")
        again = session.open_consumer(topic, permits=100, **durable)
        session.wait("CONSUMER_READY")
        left = [payload for _, payload, _ in read(session, again, b"end")]
        assert left == [b"v5", b"v6"] + values(20)[9:] + [b"end"]
        start = _abi.kop_pulsar_message_id(events[2].id.ledger_id, 2, -1, -1, 0, 0)
        assert outcome_name(session.request("seek", again, start, 0).outcome) == "DONE"
        assert session.wait("CONSUMER_READY").times == 2
        session.call("flow", again, 100)
        assert read(session, again, b"end")[0][1] == b"v2"
        assert outcome_name(session.request("seek", again, None, 1).outcome) == "DONE"
        session.wait("CONSUMER_READY")
        session.call("flow", again, 100)
        assert read(session, again, b"end")[0][1] == b"v0"
        assert outcome_name(session.request("unsubscribe", again, 0).outcome) == "DONE"
        session.wait("CONSUMER_CLOSED")
        assert pulsar.admin.stats(topic)["subscriptions"] == {}


@case("plain")
def session_failover_and_end_of_topic(pulsar):
    topic = pulsar.topic()
    with a_session(pulsar) as session:
        fields = {"subscription": "s", "flags": 1 | 16, "type": 2, "permits": 100}
        consumers = [session.open_consumer(topic, name=name, **fields) for name in ("a", "b")]
        for _ in consumers:
            session.wait("CONSUMER_READY")
        session.run_for(1)
        told = {event.target: event.flags for event in session.take("ACTIVE_CHANGE")}
        (active,) = [target for target, flags in told.items() if flags == _abi.KOP_PULSAR_ACTIVE]
        session.call("consumer_close", active)
        session.wait("CONSUMER_CLOSED")
        change = session.wait("ACTIVE_CHANGE", lambda event: event.flags)
        note(f"consumers {consumers}: at first {told}, and {change.target} when {active} has left")
        assert {active, change.target} == set(consumers)
        producer = session.open_producer(topic)
        session.wait("PRODUCER_READY")
        publish(session, producer, [b"end"])
        reader = session.open_consumer(topic, permits=10)
        read(session, reader, b"end")
        message = session.wait("MESSAGE")
        assert message.target == change.target
        session.ack(message.target, [message.id])
        pulsar.admin.post(f"{topic.replace('://', '/')}/terminate")
        session.wait("END_OF_TOPIC", lambda event: event.target == message.target)
        session.run_for(0.5)
        assert not session.take("END_OF_TOPIC"), "a reader that acknowledges nothing is not told"
        closed = session.wait("PRODUCER_CLOSED")
        note(f"the producer of a terminated topic: {outcome_name(closed.outcome)} {error_name(closed.server_error)}")


@case("batch-acks")
def session_acknowledges_parts_of_a_batch(pulsar):
    topic = pulsar.topic()
    durable = {"subscription": "group", "flags": 1 | 16, "permits": 100}
    with a_session(pulsar) as session:
        producer = session.open_producer(topic)
        session.wait("PRODUCER_READY")
        session.send(producer, 0, batch_payload([({}, value) for value in values(10)]), 10, batch=True)
        session.wait("RECEIPT")
        consumer = session.open_consumer(topic, **durable)
        message = session.wait("MESSAGE")
        assert message.num_messages == 10 and Entry(message.bytes).index == 9
        left = 0b1111100101  # 0, 2, 5 to 9: the others are acknowledged
        words = (c.c_uint64 * 1)(left)
        partial = {"id": vars(message.id), "ack_set": words, "batch_size": 10}
        result = session.ack(consumer, [partial])
        assert outcome_name(result.outcome) == "DONE", result.text
        session.call("consumer_close", consumer)
        session.wait("CONSUMER_CLOSED")
        session.open_consumer(topic, **durable)
        again = session.wait("MESSAGE")
        note(f"acknowledged all but {left:#b}, delivered again with {ack_set(again):#b}")
        assert ack_set(again) == left and where(again) == where(message)


def ack_set(event):
    """The bits of a delivery, in one number."""
    repeated, number, found = _abi.kop_pulsar_repeated(**vars(event.ack_set)), c.c_int64(), []
    while library.kop_pulsar_int64_next(c.byref(repeated), c.byref(number)) == _abi.KOP_OK:
        found.append(number.value & 2**64 - 1)
    return sum(word << 64 * at for at, word in enumerate(found))


@case("plain")
def session_is_told_of_duplicates(pulsar):
    topic = pulsar.deduplicated_topic()
    with a_session(pulsar) as session:
        producer = session.open_producer(topic, name="one")
        session.wait("PRODUCER_READY")
        publish(session, producer, values(3))
        session.call("producer_close", producer)
        session.wait("PRODUCER_CLOSED")
        producer = session.open_producer(topic, name="one")
        last = session.wait("PRODUCER_READY").last_sequence_id
        assert last == 2
        session.send(producer, last - 1, b"again")
        session.send(producer, last + 1, b"new")
        receipts = [session.wait("RECEIPT") for _ in range(2)]
        note(f"the broker knows {last}; {last - 1} again: flags {receipts[0].flags}, id {where(receipts[0])}")
        assert [event.flags for event in receipts] == [_abi.KOP_PULSAR_DUPLICATE, 0]


# ---- who may write --------------------------------------------------------------------------------------


@case("plain")
def session_access_modes(pulsar):
    topic = pulsar.topic()
    with a_session(pulsar) as session, a_session(pulsar, seed=2) as other:
        holder = session.open_producer(topic, access_mode=EXCLUSIVE)
        assert session.wait("PRODUCER_READY").topic_epoch == 0
        for mode in (SHARED, EXCLUSIVE):
            other.open_producer(topic, access_mode=mode)
            closed = other.wait("PRODUCER_CLOSED")
            note(f"mode {mode} beside an exclusive one: {error_name(closed.server_error)}, {closed.text}")
            assert outcome_name(closed.outcome) == "REFUSED"
        waiting = other.open_producer(topic, access_mode=WAIT)
        other.wait("PRODUCER_WAITING")
        session.call("producer_close", holder)
        session.wait("PRODUCER_CLOSED")
        ready = other.wait("PRODUCER_READY")
        assert (ready.target, ready.topic_epoch) == (waiting, 1)
        publish(other, waiting, values(3))


@case("plain", quick=True)
def session_fenced_by_another(pulsar):
    topic = pulsar.topic()
    with a_session(pulsar) as old, a_session(pulsar, seed=2) as new:
        fenced = old.open_producer(topic, access_mode=FENCING, group=1)
        old.wait("PRODUCER_READY")
        reader = old.open_consumer(topic, permits=100)
        publish(old, fenced, values(3))
        leader = new.open_producer(topic, access_mode=FENCING)
        assert new.wait("PRODUCER_READY").topic_epoch == 1
        publish(new, leader, [b"barrier"])
        read(old, reader, b"barrier")
        old.send(fenced, 3, b"late")
        failed = old.wait("SEND_FAILED")
        closed = old.wait("PRODUCER_CLOSED")
        note(f"the old one: {outcome_name(failed.outcome)}, {error_name(closed.server_error)}: {closed.text}")
        assert failed.context == 3 and failed.flags == MAYBE_WRITTEN
        assert error_name(closed.server_error) == "ProducerFenced"
        publish(new, leader, [b"end"], first=1)
        assert [payload for _, payload, _ in read(old, reader, b"end")] == [b"end"]
        assert not old.take("CONSUMER_DOWN"), "the reader had a connection of its own"


# ---- what brokers do -------------------------------------------------------------------------------------


def unload_again_and_again(pulsar):
    def trouble(topic):
        for _ in range(6):
            time.sleep(0.2)
            pulsar.admin.unload(topic)

    return trouble


@case("plain")
def session_lives_through_unloads(pulsar):
    assert through(pulsar, unload_again_and_again(pulsar)).downs


@case("plain")
def session_lives_through_unloads_as_a_leader(pulsar):
    assert through(pulsar, unload_again_and_again(pulsar), FENCING).downs


@case("plain")
def session_lives_through_a_killed_broker(pulsar):
    def restart(_topic):
        time.sleep(0.5)
        pulsar.kill()
        pulsar.start()

    assert through(pulsar, restart).downs


@case("plain")
def session_lives_through_cut_networks(pulsar):
    cuts = []

    class Cutting(Session):
        def turn(self, patience):
            super().turn(patience)
            if len(cuts) < 20 and len(self.log) > 40 * (len(cuts) + 1) and self.sockets:
                conn = sorted(self.sockets)[-1]
                self._closed(conn, "the network is cut")
                cuts.append(conn)

    assert through(pulsar, lambda _topic: time.sleep(2), kind=Cutting).downs and len(cuts) == 20


@case("short-ledgers")
def session_lives_through_rollover_and_trimming(pulsar):
    topic = pulsar.topic()
    pulsar.admin.retention(topic, -1, -1)
    with a_session(pulsar) as session:
        producer = session.open_producer(topic)
        session.wait("PRODUCER_READY")
        places = publish(session, producer, values(600) + [b"end"])
        ledgers = sorted({ledger for ledger, _ in places})
        assert len(ledgers) >= 10
        reader = session.open_consumer(topic, permits=1000)
        assert [place for place, _, _ in read(session, reader, b"end")] == places
        start = {"ledger_id": places[333][0], "entry_id": places[333][1], "batch_index": -1}
        middle = session.open_consumer(topic, permits=1000, start=start)
        assert [place for place, _, _ in read(session, middle, b"end")] == places[333:]
        behind = session.open_consumer(topic, permits=1000, start=start, flags=4)
        assert [place for place, _, _ in read(session, behind, b"end")] == places[334:]
        for one in (reader, middle, behind):
            session.call("consumer_close", one)
        pulsar.admin.retention(topic, 0, 0)
        deadline = time.monotonic() + 30
        while len(pulsar.admin.internal_stats(topic)["ledgers"]) > 2:
            assert time.monotonic() < deadline, "nothing was trimmed"
            session.run_for(0.1)
        late = session.open_consumer(topic, permits=1000, start=start)
        left = read(session, late, b"end")
        note(f"{len(ledgers)} ledgers; a reader at a trimmed entry begins at index {left[0][2]}")
        assert 333 < left[0][2] and [place for place, _, _ in left] == places[left[0][2] :]


# ---- its own ghost: the network is cut and the broker does not see it ------------------------------------


@case("plain")
def session_with_a_name_waits_for_its_ghost(pulsar):
    topic = pulsar.topic()
    with a_session(pulsar, backoff_max_ns=500_000_000) as session:
        shared = session.open_producer(topic, name="gateway")
        session.wait("PRODUCER_READY")
        session.abandon()
        session.send(shared, 0, b"sent again")
        ready = session.wait("PRODUCER_READY")
        assert ready.times == 2 and session.wait("RECEIPT").sequence_id == 0


def cut_off(session, topic, mode, **fields):
    """A leader and a reader of its own log, cut off with two entries without receipt: (leader, reader, its epoch)."""
    leader = session.open_producer(topic, access_mode=mode, group=1, **fields)
    epoch = session.wait("PRODUCER_READY").topic_epoch
    reader = session.open_consumer(topic, permits=1000)
    publish(session, leader, values(3))
    read(session, reader, b"v2")
    session.abandon()
    session.send(leader, 3, b"v3")
    session.send(leader, 4, b"v4")
    return leader, reader, epoch


def take_back(session, topic, leader, mode=FENCING, **fields):
    """What a leader does that was refused: it opens another producer, on the session that it has."""
    failed = [session.wait("SEND_FAILED") for _ in range(2)]
    assert [(event.context, event.flags) for event in failed] == [(3, 0), (4, 0)], failed
    closed = session.wait("PRODUCER_CLOSED")
    note(f"{error_name(closed.server_error)}, {closed.text}")
    assert closed.target == leader and error_name(closed.server_error) == "ProducerFenced"
    began = time.monotonic()
    again = session.open_producer(topic, access_mode=mode, group=1, **fields)
    ready = session.wait("PRODUCER_READY", timeout=40)
    note(f"ready after {time.monotonic() - began:.2f} s with epoch {ready.topic_epoch}")
    assert ready.target == again
    return again, ready


@case("plain")
def session_takes_its_topic_back_from_its_ghost(pulsar):
    topic = pulsar.topic()
    with a_session(pulsar, backoff_max_ns=500_000_000) as session:
        leader, reader, epoch = cut_off(session, topic, FENCING)
        again, ready = take_back(session, topic, leader)
        assert ready.topic_epoch == epoch + 1
        ledger = publish(session, again, [b"barrier", b"v3", b"v4"])[0][0]
        # The reader's ghost holds its subscription; another reader has one of its own.
        seen = {"ledger_id": ledger, "entry_id": 2, "partition": -1, "batch_index": -1}
        began = time.monotonic()
        for one in (session.open_consumer(topic, permits=10, start=seen, flags=START_AFTER), reader):
            assert [value for _, value, _ in read(session, one, b"v4")] == [b"barrier", b"v3", b"v4"]
            note(f"read by reader {one} after {time.monotonic() - began:.1f} s")
        assert session.wait("CONSUMER_READY", lambda event: event.times == 2).target == reader


@case("plain")
def session_takes_its_topic_and_its_name_back(pulsar):
    topic = pulsar.deduplicated_topic()
    with a_session(pulsar, backoff_max_ns=500_000_000) as session:
        leader, reader, epoch = cut_off(session, topic, FENCING, name="leader")
        again, ready = take_back(session, topic, leader, name="leader")
        note(f"epoch {epoch} became {ready.topic_epoch}, {session.log[-30:]}")
        assert ready.topic_epoch > epoch and ready.last_sequence_id == 2
        publish(session, again, [b"barrier", b"v3", b"v4"], first=10)
        assert [value for _, value, _ in read(session, reader, b"v4")] == [b"barrier", b"v3", b"v4"]


@case("holes")
def session_waits_until_its_ghost_is_gone(pulsar):
    """The patient way: nobody is thrown out, whoever it is that holds the topic."""
    topic = pulsar.topic()
    with a_session(pulsar, backoff_max_ns=500_000_000) as session:
        leader, reader, epoch = cut_off(session, topic, WAIT)
        again, ready = take_back(session, topic, leader, mode=WAIT)
        assert session.take("PRODUCER_WAITING") and ready.topic_epoch == epoch + 1
        publish(session, again, [b"v3", b"v4"])
        assert [value for _, value, _ in read(session, reader, b"v4")] == [b"v3", b"v4"]


@case("holes")
def session_that_was_replaced_is_refused_also_when_its_successor_is_gone(pulsar):
    """Whatever the mode was: see hole_9 for what the broker would do to one that waits again."""
    for mode in (EXCLUSIVE, WAIT, FENCING):
        topic = pulsar.topic(f"mode-{mode}")
        with a_session(pulsar) as session, a_session(pulsar, seed=2) as other:
            leader, reader, epoch = cut_off(session, topic, mode)
            successor = other.open_producer(topic, access_mode=FENCING)
            assert other.wait("PRODUCER_READY").topic_epoch == epoch + 1
            publish(other, successor, [b"barrier"])
            other.call("producer_close", successor)
            other.wait("PRODUCER_CLOSED")
            closed = session.wait("PRODUCER_CLOSED")
            note(f"mode {mode}: {error_name(closed.server_error)}, {closed.text}")
            assert closed.target == leader and error_name(closed.server_error) == "ProducerFenced"
            assert [event.context for event in session.take("SEND_FAILED")] == [3, 4]
            assert [value for _, value, _ in read(session, reader, b"barrier")] == [b"barrier"]


@case("holes")
def session_keeps_alive(pulsar):
    topic = pulsar.topic()
    with a_session(pulsar, keep_alive_ns=1_000_000_000) as session:
        producer = session.open_producer(topic)
        session.wait("PRODUCER_READY")
        session.run_for(6)
        assert not session.take("PRODUCER_DOWN"), "three intervals of the broker without a word of ours"
        publish(session, producer, values(1))
        debugger = pulsar.debugger()
        with debugger.held("pulsar-io"):
            session.send(producer, 1, b"into silence")
            down = session.wait("PRODUCER_DOWN")
            note(f"a broker that is silent: {outcome_name(down.outcome)}, {session.log[-4:]}")
        session.wait("PRODUCER_READY", timeout=40)
        assert session.wait("RECEIPT").sequence_id == 1


# ---- credentials and names ---------------------------------------------------------------------------


@case("token,tls")
def session_token(pulsar):
    topic = pulsar.topic()
    for name, error in (("wrong", "AuthenticationError"), ("expired", "AuthenticationError"), ("user", "AuthorizationError")):
        with a_session(pulsar, token=pulsar.token(name)) as session:
            session.open_producer(topic)
            closed = session.wait("PRODUCER_CLOSED")
            session.open_consumer(topic)
            also = session.wait("CONSUMER_CLOSED")
            note(f"token {name}: {error_name(closed.server_error)}, {closed.text}")
            assert (error_name(closed.server_error), error_name(also.server_error)) == (error, error)
    with a_session(pulsar, token=pulsar.make_token("admin", 2)) as session:
        session.fresh_token = pulsar.token()
        producer = session.open_producer(topic)
        session.wait("PRODUCER_READY")
        challenge = session.wait("AUTH_NEEDED")
        assert (challenge.method, challenge.challenge) == (b"token", b"PulsarAuthRefresh")
        session.run_for(3)
        publish(session, producer, values(2))
        assert not session.take("PRODUCER_DOWN")


@case("token,tls")
def session_tls_and_wrong_names(pulsar):
    url = f"pulsar+ssl://localhost:{pulsar.tls_port}"
    topic, tls = pulsar.topic(), str(pulsar.folder / "tls/ca.pem")
    options = {"url": url, "token": pulsar.token()}
    with a_session(pulsar, tls=tls, **options) as session:
        producer = session.open_producer(topic)
        session.wait("PRODUCER_READY")
        publish(session, producer, values(10))
    wrong = [
        ({"tls_name": "wrong.example"}, b"hostname mismatch"),
        ({"tls": str(pulsar.folder / "tls/other-ca.pem")}, b"unable to get local issuer certificate"),
        ({"url": "pulsar+ssl://no-such-host.invalid:6651"}, b"name"),
    ]
    for extra, why in wrong:
        with a_session(pulsar, **options | {"tls": tls} | extra) as session:
            session.open_producer(topic, open_ns=1_500_000_000)
            closed = session.wait("PRODUCER_CLOSED")
            note(f"{outcome_name(closed.outcome)}: {closed.text}")
            assert outcome_name(closed.outcome) == "DISCONNECTED" and why in closed.text.lower()
            assert not session.take("CONN_READY", "PRODUCER_READY")
