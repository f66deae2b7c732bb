"""The broker's deduplication as a fence: what docs/offsets.md, section 8, builds on for compacted topics.

All leaders of a topic write under one producer name, with sequence ids that rise with the term; the broker drops what is
not above the highest it has taken. Terms are the tens here: 10 is the first barrier, 11 its first record, 20 the next
term's barrier.
"""

import time

from harness.case import case, note
from harness.wire import EXCLUSIVE, EXCLUSIVE_WITH_FENCING
from test_holes import elsewhere, whole_log

NAME = "leader"
DROPPED = (-1, -1)


def publish(connection, sequence, value):
    connection.publish(sequence, value, producer_name=NAME)


def place(frame):
    message_id = frame.fields["message_id"]
    return message_id["ledger"], message_id["entry"]


def stored(frame):
    return frame.name == "SEND_RECEIPT" and place(frame) != DROPPED


@case("holes")
def dedup_drops_what_is_late_or_doubled(pulsar):
    topic, connection = pulsar.deduplicated_topic(), pulsar.connect()
    connection.producer(topic, EXCLUSIVE, name=NAME)
    answers = {}
    for sequence, value in ((10, b"barrier 1"), (11, b"a"), (20, b"barrier 2"), (12, b"late"), (20, b"again"), (21, b"end")):
        publish(connection, sequence, value)
        answers[value] = connection.receipt(sequence)
        note(f"{value}: {answers[value].name} {answers[value].fields}")
    assert [stored(answers[value]) for value in answers] == [True, True, True, False, False, True]
    assert whole_log(connection, topic, b"end") == [b"barrier 1", b"a", b"barrier 2", b"end"]


@case("holes")
def dedup_lets_a_second_leader_take_the_name_and_tells_it_the_highest(pulsar):
    topic, old, new = pulsar.deduplicated_topic(), pulsar.connect(), pulsar.connect()
    old.producer(topic, EXCLUSIVE, name=NAME)
    publish(old, 10, b"barrier 1")
    publish(old, 11, b"a")
    assert stored(old.receipt(10)) and stored(old.receipt(11))
    success = new.producer(topic, EXCLUSIVE_WITH_FENCING, name=NAME)
    note(str(success))
    assert success["last_sequence_id"] == 11
    publish(new, 20, b"end")
    assert stored(new.receipt(20))
    assert whole_log(new, topic, b"end") == [b"barrier 1", b"a", b"end"]


@case("holes")
def dedup_one_name_makes_a_take_over_wait_for_a_write_on_its_way(pulsar):
    """Hole 2 lets a held write land behind the barrier. With one name the successor has to wait for the thread that holds it."""
    topic, old, new = pulsar.deduplicated_topic(), pulsar.connect(), pulsar.connect()
    old.producer(topic, EXCLUSIVE, name=NAME)
    publish(old, 10, b"barrier 1")
    assert stored(old.receipt(10))
    debugger = pulsar.debugger()
    stop = debugger.stop_once_at("org.apache.pulsar.broker.service.persistent.PersistentTopic", "publishMessage")
    publish(old, 11, b"late")
    thread = debugger.await_stop(stop)
    new = elsewhere(pulsar, [new])
    fields = {"producer_name": NAME, "user_provided_producer_name": 1, "access_mode": EXCLUSIVE_WITH_FENCING}
    new.send("PRODUCER", request_id=77, topic=topic, producer_id=1, **fields)
    time.sleep(2)
    assert not new.seen("PRODUCER_SUCCESS", "ERROR"), "the take-over did not wait"
    debugger.resume(thread)
    answer = new.expect("PRODUCER_SUCCESS", "ERROR")
    note(f"the successor: {answer.name} {answer.fields}")
    if answer.name == "ERROR":  # the name was still taken when it looked
        new.take_over(topic, NAME)
    late = old.receipt(11)
    note(f"the evicted leader: {late.name} {late.fields}")
    publish(new, 20, b"end")
    assert stored(new.receipt(20))
    log = whole_log(new, topic, b"end")
    note(f"the log: {log}")
    assert log == [b"barrier 1", b"late", b"end"]


@case("holes")
def dedup_remembers_the_highest_when_the_broker_was_killed(pulsar):
    topic, old = pulsar.deduplicated_topic(), pulsar.connect()
    old.producer(topic, EXCLUSIVE, name=NAME)
    for sequence, value in ((10, b"barrier 1"), (11, b"a")):
        publish(old, sequence, value)
        assert stored(old.receipt(sequence))
    pulsar.kill()
    pulsar.start()
    pulsar.admin.stats(topic)  # the broker takes the topic's bundle
    new = pulsar.connect()
    success = new.producer(topic, EXCLUSIVE_WITH_FENCING, name=NAME)
    note(str(success))
    assert success["last_sequence_id"] == 11
    publish(new, 11, b"late")
    assert not stored(new.receipt(11))
    publish(new, 20, b"end")
    assert stored(new.receipt(20))
    assert whole_log(new, topic, b"end") == [b"barrier 1", b"a", b"end"]
