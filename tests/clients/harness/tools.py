"""Kafka's own command line tools: a client of the matrix with cells of its own."""

import dataclasses
import json
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

    def run(self, tool, options, stdin=b"", address="--bootstrap-server {}"):
        """The standard output of a tool, which must succeed. Its options are parted by spaces."""
        options = f"{address.format(self.bootstrap)} {options}"
        command = [*self.java, tool, *options.split()]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
        said = done.stdout + done.stderr
        with open(self.log, "ab") as log:
            log.write(f"\n$ {tool} {options}\n".encode() + said)
        if done.returncode:
            text = said[-600:].decode(errors="replace")
            raise Failure(f"{tool} ended with {done.returncode}: {text}")
        return done.stdout


def expect(text, pattern):
    if not re.search(pattern, text, re.MULTILINE):
        raise Failure(f"no {pattern!r} in {text[-600:]!r}")


def topics(c):
    """One topic's life, as TopicCommand sees it."""
    name = f"{c.prefix}-topics"
    run = c.driver.run
    run(TOPICS, f"--create --topic {name} --partitions 3 --config retention.ms=3600000")
    c.await_topic(name, 3)
    if name not in run(TOPICS, "--list").decode().split():
        raise Failure(f"{name} is not in the list")
    text = run(TOPICS, f"--describe --topic {name}").decode()
    expect(text, rf"Topic: {name}\s.*PartitionCount: 3\s+ReplicationFactor: 1\s")
    expect(text, rf"Topic: {name}\s.*Configs: .*retention\.ms=3600000")
    found = re.findall(r"Partition: (\d+)\s+Leader: (\d+)", text)
    leaders = {int(partition): int(leader) for partition, leader in found}
    if leaders != raw.metadata(c.bootstrap, name).topic.leaders:
        raise Failure(f"other leaders than the brokers tell: {text}")
    run(TOPICS, f"--alter --topic {name} --partitions 5")
    c.await_topic(name, 5)
    run(TOPICS, f"--delete --topic {name}")
    c.await_deletion(name)


def configs(c):
    topic = c.new_topic("configs")
    entity = f"--entity-type topics --entity-name {topic}"
    run = c.driver.run
    run(CONFIGS, f"--alter {entity} --add-config max.message.bytes=2000,retention.ms=7200000")
    text = run(CONFIGS, f"--describe {entity}").decode()
    expect(text, r"max\.message\.bytes=2000\b")
    expect(text, r"retention\.ms=7200000\b")
    run(CONFIGS, f"--alter {entity} --delete-config retention.ms")
    text = run(CONFIGS, f"--describe --all {entity}").decode()
    expect(text, r"max\.message\.bytes=2000\b")
    expect(text, r"retention\.ms=604800000\b")


def console_producer(c):
    topic = c.new_topic("console-producer")
    lines = b"a:1,b:two\tkey 1\tvalue 1\na:2\tkey 2\tNIL\n"
    reader = "parse.key=true parse.headers=true null.marker=NIL".split()
    options = " ".join(f"--reader-property {one}" for one in reader)
    c.driver.run(CONSOLE_PRODUCER, f"--topic {topic} {options}", stdin=lines)
    sent = [
        Record(b"value 1", b"key 1", (("a", b"1"), ("b", b"two"))),
        Record(None, b"key 2", (("a", b"2"),)),
    ]
    compare("the reference", c.reference.consume(topic, 0, 2), placed(sent), exact_time=False)


def console_consumer(c):
    topic = c.new_topic("console-consumer", 2)
    sent = [
        dataclasses.replace(
            record,
            key=f"key {index}".encode(),
            value=f"value {index}".encode(),
            headers=(("index", str(index).encode()),),
            partition=index % 2,
        )
        for index, record in enumerate(sample(8))
    ]
    c.reference.produce(topic, sent)
    shown = ("timestamp", "partition", "offset", "headers", "key")
    options = " ".join(f"--formatter-property print.{what}=true" for what in shown)
    place = f"--topic {topic} --partition 1 --offset 1 --max-messages 3 --timeout-ms 20000"
    text = c.driver.run(CONSOLE_CONSUMER, f"{place} {options}").decode()
    wanted = [
        f"CreateTime:{record.timestamp}\tPartition:1\tOffset:{record.offset}"
        f"\tindex:{record.headers[0][1].decode()}\t{record.key.decode()}\t{record.value.decode()}"
        for record in placed(sent)
        if record.partition == 1 and record.offset >= 1
    ]
    if text.splitlines() != wanted:
        raise Failure(f"the consumer printed {text!r} in place of {wanted}")


def perf_producer(c):
    topic = c.new_topic("perf-producer", 3)
    load = f"--topic {topic} --num-records 30000 --record-size 100 --throughput -1"
    options = f"{load} --producer-props compression.type=lz4 acks=all bootstrap.servers="
    text = c.driver.run(PERF_PRODUCER, options + c.driver.bootstrap, address="").decode()
    expect(text, r"^30000 records sent, ")
    ends = [
        c.reference.ask(op="end", topic=topic, partition=partition)["offset"]
        for partition in range(3)
    ]
    if sum(ends) != 30000:
        raise Failure(f"the partitions end at {ends}")


def get_offsets(c):
    topic = c.new_topic("get-offsets", 2)
    sent = sample(7) + sample(4, partition=1)
    c.reference.produce(topic, sent)
    third = sent[2].timestamp
    for time, wanted in [(-1, (7, 4)), (-2, (0, 0)), (-3, (6, 3)), (third, (2, 2))]:
        text = c.driver.run(GET_OFFSETS, f"--topic {topic} --time {time}").decode()
        if text.split() != [f"{topic}:{partition}:{end}" for partition, end in enumerate(wanted)]:
            raise Failure(f"offsets for time {time}: {text!r}, {wanted} are expected")


def delete_records(c):
    topic = c.new_topic("delete-records")
    sent = placed(sample(9))
    c.reference.produce(topic, sent)
    plan = c.driver.log.with_suffix(".json")
    to_delete = {"topic": topic, "partition": 0, "offset": 4}
    plan.write_text(json.dumps({"version": 1, "partitions": [to_delete]}))
    text = c.driver.run(DELETE_RECORDS, f"--offset-json-file {plan}").decode()
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
