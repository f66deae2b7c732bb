"""Kafka's own command line tools: a client of the matrix with cells of its own."""

import dataclasses
import re
import subprocess

from . import raw, toolchain
from .cells import Cell, Failure, compare, placed, sample
from .driver import Record

NAME = "kafka-tools"
CLIENT = {"title": "Kafka's command line tools", "quick": False}

TOPICS = "org.apache.kafka.tools.TopicCommand"
CONFIGS = "kafka.admin.ConfigCommand"
GET_OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
DELETE_RECORDS = "org.apache.kafka.tools.DeleteRecordsCommand"
PERF_PRODUCER = "org.apache.kafka.tools.ProducerPerformance"
CONSOLE_PRODUCER = "org.apache.kafka.tools.ConsoleProducer"
CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"


def prepare(_client, _say):
    return toolchain.java(f"{toolchain.kafka_tools()}/*"), None


class Tools:
    """Runs one tool after the other; takes the place of a driver."""

    def __init__(self, java, bootstrap, log):
        self.java = java
        self.bootstrap = bootstrap
        self.log = log

    def hello(self):
        return {"version": toolchain.KAFKA_TOOLS}

    def stop(self):
        pass

    def run(self, tool, *arguments, stdin=b"", address="--bootstrap-server"):
        """The standard output of a tool, which must succeed."""
        command = [*self.java, tool, *([address, self.bootstrap] if address else []), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
        with open(self.log, "ab") as log:
            log.write(f"\n$ {tool} {' '.join(arguments)}\n".encode() + done.stdout + done.stderr)
        if done.returncode:
            raise Failure(f"{tool} ended with {done.returncode}: {(done.stdout + done.stderr)[-600:].decode(errors='replace')}")
        return done.stdout


def expect(text, pattern):
    if not re.search(pattern, text, re.MULTILINE):
        raise Failure(f"no {pattern!r} in {text[-600:]!r}")


def topics(c):
    """One topic's life, as TopicCommand sees it."""
    name = f"{c.prefix}-topics"
    run = c.driver.run
    run(TOPICS, "--create", "--topic", name, "--partitions", "3", "--config", "retention.ms=3600000")
    c.await_topic(name, 3)
    if name not in run(TOPICS, "--list").decode().split():
        raise Failure(f"{name} is not in the list")
    text = run(TOPICS, "--describe", "--topic", name).decode()
    expect(text, rf"Topic: {name}\s.*PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: .*retention\.ms=3600000")
    leaders = {int(partition): int(leader) for partition, leader in re.findall(r"Partition: (\d+)\s+Leader: (\d+)", text)}
    if leaders != raw.metadata(c.bootstrap, name).topic.leaders:
        raise Failure(f"other leaders than the brokers tell: {text}")
    run(TOPICS, "--alter", "--topic", name, "--partitions", "5")
    c.await_topic(name, 5)
    run(TOPICS, "--delete", "--topic", name)
    c.await_topic(name, 0)


def configs(c):
    topic = c.new_topic("configs")
    entity = ("--entity-type", "topics", "--entity-name", topic)
    run = c.driver.run
    run(CONFIGS, "--alter", *entity, "--add-config", "max.message.bytes=2000,retention.ms=7200000")
    text = run(CONFIGS, "--describe", *entity).decode()
    expect(text, r"max\.message\.bytes=2000\b")
    expect(text, r"retention\.ms=7200000\b")
    run(CONFIGS, "--alter", *entity, "--delete-config", "retention.ms")
    text = run(CONFIGS, "--describe", "--all", *entity).decode()
    expect(text, r"max\.message\.bytes=2000\b")
    expect(text, r"retention\.ms=604800000\b")


def console_producer(c):
    topic = c.new_topic("console-producer")
    lines = "a:1,b:two\tkey 1\tvalue 1\na:2\tkey 2\tNIL\n".encode()
    c.driver.run(
        CONSOLE_PRODUCER, "--topic", topic, "--reader-property", "parse.key=true", "--reader-property", "parse.headers=true",
        "--reader-property", "null.marker=NIL", stdin=lines,
    )
    sent = [
        Record(b"value 1", b"key 1", (("a", b"1"), ("b", b"two"))),
        Record(None, b"key 2", (("a", b"2"),)),
    ]
    compare("the reference", c.reference.consume(topic, 0, 2), placed(sent), exact_time=False)


def console_consumer(c):
    topic = c.new_topic("console-consumer", 2)
    sent = [
        dataclasses.replace(record, key=f"key {index}".encode(), value=f"value {index}".encode(), partition=index % 2)
        for index, record in enumerate(sample(8))
    ]
    c.reference.produce(topic, sent)
    shown = ("timestamp", "partition", "offset", "headers", "key")
    options = [word for what in shown for word in ("--formatter-property", f"print.{what}=true")]
    text = c.driver.run(
        CONSOLE_CONSUMER, "--topic", topic, "--partition", "1", "--offset", "1", "--max-messages", "3", "--timeout-ms", "20000", *options,
    ).decode()
    wanted = [
        f"CreateTime:{record.timestamp}\tPartition:1\tOffset:{record.offset}\tindex:{dict(record.headers)['index'].decode()}"
        f"\t{record.key.decode()}\t{record.value.decode()}"
        for record in placed(sent)
        if record.partition == 1 and record.offset >= 1
    ]
    if text.splitlines() != wanted:
        raise Failure(f"the consumer printed {text!r} in place of {wanted}")


def perf_producer(c):
    topic = c.new_topic("perf-producer", 3)
    text = c.driver.run(
        PERF_PRODUCER, "--topic", topic, "--num-records", "30000", "--record-size", "100", "--throughput", "-1",
        "--producer-props", f"bootstrap.servers={c.driver.bootstrap}", "acks=all", "compression.type=lz4", address=None,
    ).decode()
    expect(text, r"^30000 records sent, ")
    ends = [c.reference.ask(op="end", topic=topic, partition=partition)["offset"] for partition in range(3)]
    if sum(ends) != 30000:
        raise Failure(f"the partitions end at {ends}")


def get_offsets(c):
    topic = c.new_topic("get-offsets", 2)
    sent = sample(7) + sample(4, partition=1)
    c.reference.produce(topic, sent)
    run = c.driver.run
    for time, wanted in [("-1", (7, 4)), ("-2", (0, 0)), ("-3", (6, 3)), (str(sent[2].timestamp), (2, 2))]:
        text = run(GET_OFFSETS, "--topic", topic, "--time", time).decode()
        if text.split() != [f"{topic}:{partition}:{offset}" for partition, offset in enumerate(wanted)]:
            raise Failure(f"offsets for time {time}: {text!r}, {wanted} are expected")


def delete_records(c):
    topic = c.new_topic("delete-records")
    sent = placed(sample(9))
    c.reference.produce(topic, sent)
    plan = c.driver.log.with_suffix(".json")
    plan.write_text('{"version": 1, "partitions": [{"topic": "%s", "partition": 0, "offset": 4}]}' % topic)
    text = c.driver.run(DELETE_RECORDS, "--offset-json-file", str(plan)).decode()
    expect(text, rf"{topic}-0\s+low_watermark: 4")
    compare("the reference", c.reference.consume(topic, 0, 5), sent[4:])


CELLS = [
    Cell("topics", "topics: create, list, describe, alter, delete", topics),
    Cell("configs", "configs: alter, describe, delete", configs),
    Cell("console-producer", "console producer", console_producer),
    Cell("console-consumer", "console consumer by partition and offset", console_consumer),
    Cell("perf-producer", "perf producer", perf_producer),
    Cell("get-offsets", "get-offsets: latest, earliest, max, by time", get_offsets),
    Cell("delete-records", "delete-records", delete_records),
]
