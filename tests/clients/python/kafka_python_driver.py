"""The kafka-python driver of the client matrix."""

import sys
import time

import kafka
import protocol
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

BOOTSTRAP = sys.argv[1]
admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
producers = {}


def hello(_request):
    return {"version": kafka.__version__}


def create(request):
    admin.create_topics([NewTopic(request["topic"], request["partitions"], 1)])


def list_topics(_request):
    return {"topics": admin.list_topics()}


def describe(request):
    [topic] = admin.describe_topics([request["topic"]])
    return {
        "brokers": [broker["broker_id"] for broker in admin.describe_cluster()["brokers"]],
        "partitions": [
            {"partition": one["partition_index"], "leader": one["leader_id"]}
            for one in topic["partitions"]
        ],
    }


def delete(request):
    admin.delete_topics([request["topic"]])


def produce(request):
    producer = producers.get(protocol.producer_key(request))
    if producer is None:
        producer = producers[protocol.producer_key(request)] = KafkaProducer(
            bootstrap_servers=BOOTSTRAP,
            acks={"0": 0, "1": 1, "all": "all"}[request["acks"]],
            enable_idempotence=request["idempotent"],
            compression_type=None if request["codec"] == "none" else request["codec"],
            linger_ms=5,
            max_request_size=4 << 20,  # the broker is to refuse what is too large
        )
    futures = [
        producer.send(
            request["topic"],
            record["value"],
            record["key"],
            record["headers"],
            record["partition"],
            record["timestamp"],
        )
        for record in protocol.decode_records(request)
    ]
    results = [future.get(timeout=protocol.PATIENCE) for future in futures]
    return {"offsets": [None if request["acks"] == "0" else result.offset for result in results]}


def consume(request):
    consumer = KafkaConsumer(
        bootstrap_servers=BOOTSTRAP,
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_wait_ms=100,
    )
    place = TopicPartition(request["topic"], request["partition"])
    consumer.assign([place])
    match request["from"]:
        case "earliest":
            consumer.seek_to_beginning(place)
        case "latest":
            consumer.seek_to_end(place)
        case "timestamp":
            consumer.seek(place, consumer.offsets_for_times({place: request["at"]})[place].offset)
        case _:
            consumer.seek(place, request["at"])
    records = []
    deadline = time.monotonic() + protocol.PATIENCE
    while len(records) < request["count"] and time.monotonic() < deadline:
        for one in consumer.poll(timeout_ms=200, max_records=request["count"] - len(records)).get(
            place, []
        ):
            records.append(
                protocol.consumed(
                    one.partition, one.offset, one.timestamp, one.key, one.value, one.headers
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
