"""The aiokafka driver of the client matrix."""

import asyncio
import json
import sys

import aiokafka
import protocol
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

BOOTSTRAP = sys.argv[1]
producers = {}


def raise_for(code):
    """The admin client hands error codes through in place of raising them."""
    if code:
        raise for_code(code)()


async def hello(_admin, _request):
    return {"version": aiokafka.__version__}


async def create(admin, request):
    response = await admin.create_topics([NewTopic(request["topic"], request["partitions"], 1)])
    raise_for(response.topic_errors[0][1])


async def list_topics(admin, _request):
    return {"topics": await admin.list_topics()}


async def describe(admin, request):
    [topic] = await admin.describe_topics([request["topic"]])
    raise_for(topic["error_code"])
    return {
        "brokers": [broker["node_id"] for broker in (await admin.describe_cluster())["brokers"]],
        "partitions": [
            {"partition": one["partition"], "leader": one["leader"]} for one in topic["partitions"]
        ],
    }


async def delete(admin, request):
    response = await admin.delete_topics([request["topic"]])
    raise_for(response.topic_error_codes[0][1])


async def produce(_admin, request):
    producer = producers.get(protocol.producer_key(request))
    if producer is None:
        producer = AIOKafkaProducer(
            bootstrap_servers=BOOTSTRAP,
            acks={"0": 0, "1": 1, "all": "all"}[request["acks"]],
            enable_idempotence=request["idempotent"],
            compression_type=None if request["codec"] == "none" else request["codec"],
            linger_ms=5,
            max_request_size=4 << 20,  # the broker is to refuse what is too large
        )
        await producer.start()
        producers[protocol.producer_key(request)] = producer
    futures = [
        await producer.send(
            request["topic"],
            record["value"],
            record["key"],
            record["partition"],
            record["timestamp"],
            record["headers"],
        )
        for record in protocol.decode_records(request)
    ]
    results = [await asyncio.wait_for(future, protocol.PATIENCE) for future in futures]
    return {"offsets": [None if request["acks"] == "0" else result.offset for result in results]}


async def consume(_admin, request):
    consumer = AIOKafkaConsumer(
        bootstrap_servers=BOOTSTRAP,
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    records = []
    try:
        async with asyncio.timeout(protocol.PATIENCE):
            await seek(consumer, TopicPartition(request["topic"], request["partition"]), request)
            while len(records) < request["count"]:
                one = await consumer.getone()
                records.append(
                    protocol.consumed(
                        one.partition, one.offset, one.timestamp, one.key, one.value, one.headers
                    )
                )
    except TimeoutError:
        pass  # what came is told
    finally:
        await consumer.stop()
    return {"records": records}


async def seek(consumer, place, request):
    consumer.assign([place])
    match request["from"]:
        case "earliest":
            await consumer.seek_to_beginning(place)
        case "latest":
            await consumer.seek_to_end(place)
        case "timestamp":
            consumer.seek(
                place, (await consumer.offsets_for_times({place: request["at"]}))[place].offset
            )
        case _:
            consumer.seek(place, request["at"])


async def main():
    handlers = {
        "hello": hello,
        "create": create,
        "list": list_topics,
        "describe": describe,
        "delete": delete,
        "produce": produce,
        "consume": consume,
    }
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    while line := await asyncio.to_thread(sys.stdin.readline):
        request = json.loads(line)
        try:
            answer = await handlers[request["op"]](admin, request)
        except Exception as error:
            answer = protocol.failure(error)
        protocol.write(answer)
    for producer in producers.values():
        await producer.stop()
    await admin.close()


asyncio.run(main())
