"""The confluent-kafka driver of the client matrix."""

import sys
import time

import confluent_kafka
import protocol
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

CONFIG = {"bootstrap.servers": sys.argv[1]}
admin = AdminClient(CONFIG)
producers = {}


def hello(_request):
    return {"version": confluent_kafka.__version__}


def create(request):
    admin.create_topics([NewTopic(request["topic"], request["partitions"], 1)])[
        request["topic"]
    ].result()


def list_topics(_request):
    return {"topics": list(admin.list_topics(timeout=10).topics)}


def describe(request):
    topic = admin.describe_topics(confluent_kafka.TopicCollection([request["topic"]]))[
        request["topic"]
    ].result()
    return {
        "brokers": [node.id for node in admin.describe_cluster().result().nodes],
        "partitions": [{"partition": one.id, "leader": one.leader.id} for one in topic.partitions],
    }


def delete(request):
    admin.delete_topics([request["topic"]])[request["topic"]].result()


def produce(request):
    producer = producers.get(protocol.producer_key(request))
    if producer is None:
        producer = producers[protocol.producer_key(request)] = Producer(
            CONFIG
            | {
                "acks": request["acks"],
                "enable.idempotence": request["idempotent"],
                "compression.type": request["codec"],
                "linger.ms": 5,
                "message.max.bytes": 4 << 20,  # the broker is to refuse what is too large
            }
        )
    records = protocol.decode_records(request)
    reports = [None] * len(records)

    def report(index):
        def delivered(error, message):
            reports[index] = error or message

        return delivered

    for index, record in enumerate(records):
        producer.produce(
            request["topic"],
            record["value"],
            record["key"],
            record["partition"],
            timestamp=record["timestamp"],
            headers=record["headers"],
            on_delivery=report(index),
        )
    producer.flush(protocol.PATIENCE)
    for one in reports:
        if isinstance(one, confluent_kafka.KafkaError):
            raise KafkaException(one)
    return {"offsets": [None if request["acks"] == "0" else one.offset() for one in reports]}


def consume(request):
    consumer = Consumer(
        CONFIG
        | {
            "group.id": "none",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 100,
        }
    )
    consumer.list_topics(
        request["topic"], timeout=10
    )  # so that the leader is known, or the look-up of the offset waits half a second
    at = {"earliest": confluent_kafka.OFFSET_BEGINNING, "latest": confluent_kafka.OFFSET_END}.get(
        request["from"], request["at"]
    )
    place = TopicPartition(request["topic"], request["partition"], at)
    if request["from"] == "timestamp":
        [place] = consumer.offsets_for_times([place], timeout=10)
    consumer.assign([place])
    records = []
    deadline = time.monotonic() + protocol.PATIENCE
    while len(records) < request["count"] and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        records.append(
            protocol.consumed(
                message.partition(),
                message.offset(),
                message.timestamp()[1],
                message.key(),
                message.value(),
                message.headers(),
            )
        )
    consumer.close()
    return {"records": records}


protocol.serve(
    {
        "hello": hello,
        "create": create,
        "list": list_topics,
        "describe": describe,
        "delete": delete,
        "produce": produce,
        "consume": consume,
    }
)
