"""The holes in Pulsar's fencing of producers, each made to happen on the real one: what docs/pulsar-holes.md tells.

A case asserts what this version does, also where that is what one would not want. A case that fails on another version
of Pulsar says that its page, and the rules in docs/offsets.md that answer it, have to be looked at again.
"""

import statistics
import threading
import time

from harness.case import case, note
from harness.wire import (
    EARLIEST,
    EXCLUSIVE,
    EXCLUSIVE_WITH_FENCING,
    SHARED,
    WAIT_FOR_EXCLUSIVE,
    Closed,
    Refused,
)

PERSISTENT_TOPIC = "org.apache.pulsar.broker.service.persistent.PersistentTopic"


def whole_log(connection, topic, last, consumer_id=99):
    """The payloads of a topic from its first entry to the one named, and what follows it within a moment."""
    connection.reader(topic, EARLIEST, consumer_id)
    frames = connection.messages(lambda frame: frame.entry.payload == last, consumer_id)
    time.sleep(0.2)
    while connection.seen("MESSAGE"):
        frames += connection.messages(lambda frame: True, consumer_id)
    return [frame.entry.payload for frame in frames]


def a_leader_and_a_successor(pulsar):
    """A topic, the connection whose exclusive producer has written `a0` there, and one that may take over."""
    topic, old, new = pulsar.topic(), pulsar.connect(), pulsar.connect()
    old.producer(topic, EXCLUSIVE)
    old.publish(0, b"a0")
    assert old.receipt(0).name == "SEND_RECEIPT"
    return topic, old, new


def refused(open_producer):
    try:
        open_producer()
    except Refused as error:
        return error
    raise AssertionError("a producer was opened that ought to be refused")


def silent(connection, seconds):
    """Whether nothing but PINGs reaches a connection for a while."""
    time.sleep(seconds)
    return not connection.frames and not connection.closed


@case("holes")
def hole_1_writes_in_flight_are_confirmed_after_the_take_over(pulsar):
    topic, old, new = a_leader_and_a_successor(pulsar)
    with pulsar.debugger().held("BookieJournal"):
        for number in range(1, 6):
            old.publish(number, b"a%d" % number)
        old.send("PING")
        old.expect("PONG")  # the five have been taken up: a connection is served in order
        epoch = new.producer(topic, EXCLUSIVE_WITH_FENCING)["topic_epoch"]
        new.publish(0, b"barrier")
        assert silent(old, 0.2) and silent(new, 0), "no write can have been confirmed"
    answers = [old.receipt(number) for number in range(1, 6)]
    barrier = new.receipt(0)
    note(f"epoch {epoch}, then five receipts of the evicted producer, then {barrier.fields}")
    assert {frame.name for frame in answers} == {"SEND_RECEIPT"}
    assert barrier.fields["message_id"]["entry"] == 6
    expected = [b"a0", b"a1", b"a2", b"a3", b"a4", b"a5", b"barrier"]
    assert whole_log(new, topic, b"barrier") == expected


@case("holes")
def hole_1_errors_of_an_eviction_overtake_earlier_receipts(pulsar):
    topic, old, new = a_leader_and_a_successor(pulsar)
    debugger = pulsar.debugger()
    with debugger.held("BookieJournal"):
        old.publish(1, b"a1")
        old.send("PING")
        old.expect("PONG")
        # The eviction closes the producer, then hands its removal from the connection to the connection's thread.
        # That thread is held at the next SEND, before it looks whether the producer is closed.
        stop = debugger.stop_once_at("org.apache.pulsar.broker.service.Producer", "checkAndStartPublish")
        old.publish(2, b"a2")
        thread = debugger.await_stop(stop)
        elsewhere(pulsar, [new]).producer(topic, EXCLUSIVE_WITH_FENCING)
        debugger.resume(thread)
        error = old.receipt()
        note(str(error))
    receipt = old.receipt()
    note(str(receipt))
    assert (error.name, error.fields["sequence_id"]) == ("SEND_ERROR", 2)
    assert (receipt.name, receipt.fields["sequence_id"]) == ("SEND_RECEIPT", 1)
    assert "closed" in error.fields["message"] and not old.closed


def elsewhere(pulsar, candidates):
    """A connection that the broker serves by another thread than the one that is held."""
    for connection in [*candidates, pulsar.connect, pulsar.connect]:
        try:
            connection = connection() if callable(connection) else connection
            connection.send("PING")
            connection.expect("PONG", timeout=1)
            return connection
        except TimeoutError:
            continue
    raise AssertionError("every thread of the broker stands still")


@case("holes")
def hole_2_a_write_that_passed_the_check_lands_behind_the_barrier(pulsar):
    topic, old, new = a_leader_and_a_successor(pulsar)
    debugger = pulsar.debugger()
    stop = debugger.stop_once_at(PERSISTENT_TOPIC, "publishMessage")
    old.publish(1, b"late")
    thread = debugger.await_stop(stop)
    note(f"{debugger.thread_name(thread)} stands between the check and the write")
    new = elsewhere(pulsar, [new])
    epoch = new.producer(topic, EXCLUSIVE_WITH_FENCING)["topic_epoch"]
    new.publish(0, b"barrier")
    assert new.receipt(0).name == "SEND_RECEIPT"
    debugger.resume(thread)
    late = old.receipt(1)
    new.publish(1, b"end")
    log = whole_log(new, topic, b"end")
    note(f"epoch {epoch}, the evicted producer was told {late.name}, the log is {log}")
    assert late.name == "SEND_RECEIPT"
    assert log == [b"a0", b"barrier", b"late", b"end"]


@case("holes")
def hole_2_also_when_who_wrote_it_is_gone(pulsar):
    topic, old, new = a_leader_and_a_successor(pulsar)
    debugger = pulsar.debugger()
    stop = debugger.stop_once_at(PERSISTENT_TOPIC, "publishMessage")
    old.publish(1, b"late")
    thread = debugger.await_stop(stop)
    old.close()
    new = elsewhere(pulsar, [new])
    new.producer(topic, EXCLUSIVE_WITH_FENCING)
    new.publish(0, b"barrier")
    assert new.receipt(0).name == "SEND_RECEIPT"
    debugger.resume(thread)
    while pulsar.admin.internal_stats(topic)["entriesAddedCounter"] < 3:
        time.sleep(0.05)
    new.publish(1, b"end")
    log = whole_log(new, topic, b"end")
    note(f"its connection was closed before the take-over, and the log is {log}")
    assert log == [b"a0", b"barrier", b"late", b"end"]


@case("holes")
def hole_2_an_unload_turns_the_late_write_away(pulsar):
    topic, old, new = a_leader_and_a_successor(pulsar)
    debugger = pulsar.debugger()
    stop = debugger.stop_once_at(PERSISTENT_TOPIC, "publishMessage")
    old.publish(1, b"late")
    thread = debugger.await_stop(stop)
    new = elsewhere(pulsar, [new])
    unloading = threading.Thread(target=pulsar.admin.unload, args=(topic,))
    unloading.start()
    time.sleep(1)
    held = unloading.is_alive()
    debugger.resume(thread)
    unloading.join()
    answers = [frame.name for _, frame in old.frames]
    new.producer(topic, EXCLUSIVE)
    new.publish(0, b"barrier")
    log = whole_log(new, topic, b"barrier")
    note(f"the unload waited: {held}; the old producer was told {answers}; the log is {log}")
    assert held and sorted(answers) == ["CLOSE_PRODUCER", "SEND_ERROR"]
    assert log == [b"a0", b"barrier"]


@case("holes")
def hole_3_the_next_send_of_an_evicted_producer_ends_its_connection(pulsar):
    topic, other = pulsar.topic(), pulsar.topic("other")
    old, new = pulsar.connect(), pulsar.connect()
    old.producer(topic, EXCLUSIVE)
    old.producer(other, SHARED, producer_id=2)
    old.reader(other)
    new.producer(topic, EXCLUSIVE_WITH_FENCING)
    assert silent(old, 1), "an evicted producer is told nothing"
    old.publish(0, b"mine", producer_id=2)
    assert old.receipt(0).fields["producer_id"] == 2
    old.publish(0, b"late")
    assert old.await_close(), "the broker closes the connection"
    errors = [frame for _, frame in old.frames if frame.name != "MESSAGE"]
    note(f"with no word before: {errors}; a reader and another producer went with it")
    assert not errors


@case("holes")
def hole_4_a_leader_that_only_reads_never_notices(pulsar):
    topic, old, new = pulsar.topic(), pulsar.connect(), pulsar.connect()
    old.producer(topic, EXCLUSIVE)
    old.reader(topic)
    new.producer(topic, EXCLUSIVE_WITH_FENCING)
    new.publish(0, b"of the new leader")
    old.messages(lambda frame: frame.entry.payload == b"of the new leader")
    pings = old.pings
    assert silent(old, 5), "only PINGs and the entries of others arrive"
    note(f"{old.pings - pings} PINGs in five seconds; the entry of the other was read as any other")
    assert old.pings > pings


@case("holes")
def hole_5_a_stale_fencing_reconnect_evicts_before_it_is_refused(pulsar):
    topic, stale, leader = pulsar.topic(), pulsar.connect(), pulsar.connect()
    old_epoch = stale.producer(topic, EXCLUSIVE_WITH_FENCING)["topic_epoch"]
    epoch = leader.producer(topic, EXCLUSIVE_WITH_FENCING)["topic_epoch"]
    leader.publish(0, b"one")
    assert leader.receipt(0).name == "SEND_RECEIPT"
    error = refused(
        lambda: stale.producer(topic, EXCLUSIVE_WITH_FENCING, 2, topic_epoch=old_epoch)
    )
    note(f"the leader has epoch {epoch}; who came with {old_epoch} was refused: {error}")
    assert error.error == "ProducerFenced"
    assert pulsar.admin.stats(topic)["publishers"] == []
    assert silent(leader, 0.5)
    leader.publish(1, b"two")
    assert leader.await_close(), "the rightful leader loses its connection all the same"


@case("holes")
def hole_5_the_reconnect_that_harms_nobody(pulsar):
    topic, stale, leader = pulsar.topic(), pulsar.connect(), pulsar.connect()
    old_epoch = stale.producer(topic, EXCLUSIVE_WITH_FENCING)["topic_epoch"]
    epoch = leader.producer(topic, EXCLUSIVE_WITH_FENCING)["topic_epoch"]
    error = refused(lambda: stale.producer(topic, EXCLUSIVE, 2, topic_epoch=old_epoch))
    note(f"mode Exclusive, epoch {old_epoch} against a leader of {epoch}: {error}")
    leader.publish(0, b"one")
    assert leader.receipt(0).name == "SEND_RECEIPT"
    leader.close()
    deadline = time.monotonic() + 10
    while pulsar.admin.stats(topic)["publishers"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    fenced = refused(lambda: stale.producer(topic, EXCLUSIVE, 3, topic_epoch=old_epoch))
    note(f"the same with nobody there: {fenced}")
    assert fenced.error == "ProducerFenced"
    again = pulsar.connect().producer(topic, EXCLUSIVE, topic_epoch=epoch)["topic_epoch"]
    note(f"the leader comes back with {epoch} and gets {again}")
    assert (error.error, again) == ("ProducerFenced", epoch)


@case("holes")
def hole_6_a_half_open_connection_keeps_the_topic(pulsar):
    topic = pulsar.topic()
    orphan, new = pulsar.connect(pong=False), pulsar.connect()
    orphan.producer(topic, EXCLUSIVE)
    began = time.monotonic()
    errors = []
    while True:
        try:
            new.producer(topic, EXCLUSIVE, producer_id=10 + len(errors))
            break
        except Refused as error:
            errors.append(error)
            assert time.monotonic() - began < 30
            time.sleep(0.1)
    took = time.monotonic() - began
    note(f"{len(errors)} refusals, first {errors[0]}; free after {took:.1f} s of a keep-alive of 2 s")
    assert errors and {error.error for error in errors} == {"ProducerFenced"}
    assert "existing exclusive producer" in errors[0].message
    assert orphan.await_close(1) and orphan.pings


@case("holes")
def hole_6_a_leader_is_refused_for_its_own_ghost(pulsar):
    topic = pulsar.topic()
    ghost, again = pulsar.connect(pong=False), pulsar.connect()
    held = ghost.producer(topic, EXCLUSIVE_WITH_FENCING, name="leader")
    epoch = held["topic_epoch"]
    error = refused(lambda: again.producer(topic, EXCLUSIVE, topic_epoch=epoch, epoch=1, name="leader"))
    note(f"with its own name and its own epoch, the newest: {error}")
    assert error.error == "ProducerFenced" and "existing exclusive producer: leader" in error.message
    assert again.producer(topic, EXCLUSIVE_WITH_FENCING, 2)["topic_epoch"] == epoch + 1


@case("holes")
def hole_6_fencing_takes_the_topic_from_a_half_open_connection(pulsar):
    topic = pulsar.topic()
    orphan, waiting, new = pulsar.connect(pong=False), pulsar.connect(), pulsar.connect()
    orphan.producer(topic, EXCLUSIVE)
    assert waiting.producer(topic, WAIT_FOR_EXCLUSIVE)["producer_ready"] == 0
    assert new.producer(topic, EXCLUSIVE_WITH_FENCING)["topic_epoch"] == 1
    new.publish(0, b"mine")
    assert new.receipt(0).name == "SEND_RECEIPT" and not orphan.closed
    told = waiting.take(lambda frame: True)
    note(f"one that waited in the queue was told: {told}")
    assert told.name == "ERROR" and told.fields["error"] == 25


@case("plain")
def hole_6_the_same_name_is_refused_while_the_old_connection_lives(pulsar):
    topic = pulsar.topic()
    orphan, new = pulsar.connect(pong=False), pulsar.connect()
    orphan.producer(topic, SHARED, name="gateway-1")
    began = time.monotonic()
    try:
        new.producer(topic, SHARED, name="gateway-1")
        outcome = "opened"
    except Refused as error:
        outcome = error.error
    note(f"a shared producer of a name that a half-open connection holds: {outcome} after {time.monotonic() - began:.1f} s")
    alive = pulsar.connect()
    alive.producer(topic, SHARED, name="gateway-2")
    error = refused(lambda: new.producer(topic, SHARED, 2, name="gateway-2"))
    note(f"of a name that a living connection holds: {error}")
    assert error.error == "ProducerBusy"
    assert outcome in ("opened", "ProducerBusy")


@case("holes")
def hole_7_after_an_unload_a_shared_producer_slips_in(pulsar):
    topic, leader, stranger = pulsar.topic(), pulsar.connect(), pulsar.connect()
    epoch = leader.producer(topic, EXCLUSIVE)["topic_epoch"]
    refusal = refused(lambda: stranger.producer(topic, SHARED))
    pulsar.admin.unload(topic)
    leader.expect("CLOSE_PRODUCER")
    stranger.producer(topic, SHARED, 2)
    stranger.publish(0, b"slipped in", producer_id=2)
    assert stranger.receipt(0).name == "SEND_RECEIPT"
    error = refused(lambda: leader.producer(topic, EXCLUSIVE, 2, topic_epoch=epoch))
    note(f"before: {refusal}; after the unload the leader is refused: {error}")
    assert (refusal.error, error.error) == ("ProducerBusy", "ProducerFenced")
    assert "existing shared producers" in error.message
    back = leader.producer(topic, EXCLUSIVE_WITH_FENCING, 3)["topic_epoch"]
    leader.publish(0, b"back", producer_id=3)
    assert leader.receipt(0).name == "SEND_RECEIPT"
    stranger.publish(1, b"more", producer_id=2)
    assert stranger.await_close(), "a shared producer is evicted like any other"
    log = whole_log(leader, topic, b"back")
    note(f"epoch {epoch} became {back}; the log is {log}")
    assert back == epoch + 1 and log == [b"slipped in", b"back"]


@case("holes")
def hole_8_a_take_over_writes_metadata(pulsar):
    topic, rounds = pulsar.topic(), 50
    times = {}
    for mode, name in ((SHARED, "shared"), (EXCLUSIVE, "exclusive"), (EXCLUSIVE_WITH_FENCING, "fencing")):
        connection = pulsar.connect()
        epochs, times[name] = [], []
        for number in range(rounds):
            began = time.perf_counter()
            success = connection.producer(topic, mode, producer_id=number)
            times[name].append(time.perf_counter() - began)
            epochs.append(success.get("topic_epoch"))
            if mode != EXCLUSIVE_WITH_FENCING:
                answer = connection.request("CLOSE_PRODUCER", producer_id=number)
                assert answer.name == "SUCCESS"
        if mode == SHARED:
            assert set(epochs) == {None}, "a shared producer gets no epoch"
        else:
            assert epochs == list(range(epochs[0], epochs[0] + rounds)), "each take-over is an epoch"
        if mode == EXCLUSIVE_WITH_FENCING:
            last = connection.producer(topic, mode, producer_id=rounds)["topic_epoch"]
        connection.close()
    kept = pulsar.admin.ledger_properties(topic)
    for name, taken in times.items():
        note(f"{name}: median {statistics.median(taken) * 1e3:.2f} ms, most {max(taken) * 1e3:.1f} ms")
    note(f"the properties of the ledger list: {kept}")
    assert kept["pulsar.topic.epoch"] == str(last)


@case("holes")
def hole_8_the_epoch_outlives_unload_and_the_broker(pulsar):
    topic = pulsar.topic()
    epochs = [pulsar.connect().producer(topic, EXCLUSIVE_WITH_FENCING)["topic_epoch"]]
    pulsar.admin.unload(topic)
    epochs.append(pulsar.connect().producer(topic, EXCLUSIVE_WITH_FENCING)["topic_epoch"])
    pulsar.kill()
    pulsar.start()
    connection = pulsar.connect()
    assert connection.request("LOOKUP", topic=topic).name == "LOOKUP_RESPONSE"
    epochs.append(connection.producer(topic, EXCLUSIVE)["topic_epoch"])
    note(f"at first, after an unload, after kill -9: {epochs}")
    assert epochs == [0, 1, 2]


@case("holes")
def hole_9_the_epoch_of_one_that_waits_is_not_compared(pulsar):
    topic, old, new = pulsar.topic(), pulsar.connect(), pulsar.connect()
    epoch = old.producer(topic, EXCLUSIVE)["topic_epoch"]
    newer = new.producer(topic, EXCLUSIVE_WITH_FENCING)["topic_epoch"]
    waits = old.producer(topic, WAIT_FOR_EXCLUSIVE, 2, topic_epoch=epoch)
    assert not waits["producer_ready"]
    assert new.request("CLOSE_PRODUCER", producer_id=1).name == "SUCCESS"
    granted = old.expect("PRODUCER_SUCCESS").fields
    kept = pulsar.admin.ledger_properties(topic)["pulsar.topic.epoch"]
    note(f"the topic was at epoch {newer}; who waited with {epoch} is ready with {granted['topic_epoch']}, kept is {kept}")
    assert (epoch, newer, granted["topic_epoch"], kept) == (0, 1, 0, "0")
