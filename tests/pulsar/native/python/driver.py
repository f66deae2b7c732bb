"""The Python client of Pulsar as a driver: see README.md in the folder above."""

import base64
import json
import os
import sys
import time

import pulsar

# The library logs to the standard output, which is for answers alone.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
client = pulsar.Client(
    sys.argv[1], logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error), connection_timeout_ms=5000
)
CODECS = {
    "none": pulsar.CompressionType.NONE,
    "lz4": pulsar.CompressionType.LZ4,
    "zlib": pulsar.CompressionType.ZLib,
    "zstd": pulsar.CompressionType.ZSTD,
    "snappy": pulsar.CompressionType.SNAPPY,
}


def b64(data):
    return None if data is None else base64.b64encode(data).decode()


def unb64(text):
    return None if text is None else base64.b64decode(text)


def text(data):
    return None if data is None else unb64(data).decode()


def produce(request):
    messages = request["messages"]
    batched = request["shape"] == "batch"
    options = {"batching_max_messages": len(messages), "batching_max_publish_delay_ms": 10_000}
    producer = client.create_producer(
        request["topic"],
        compression_type=CODECS[request["codec"]],
        batching_enabled=batched,
        chunking_enabled=request["shape"] == "chunk",
        **(options if batched else {}),
    )
    ids = [None] * len(messages)

    def done(at):
        def callback(result, message_id):
            ids[at] = [message_id.ledger_id(), message_id.entry_id(), message_id.batch_index()]
            if result != pulsar.Result.Ok:
                ids[at] = str(result)

        return callback

    for at, message in enumerate(messages):
        options = {
            "properties": dict(message["properties"]),
            "partition_key": text(message["key"]),
            "ordering_key": text(message["ordering"]),
            "event_timestamp": message["event"] or None,
        }
        producer.send_async(unb64(message["value"]), done(at), **options)
        if not batched:
            producer.flush()
    producer.flush()
    deadline = time.monotonic() + 20
    while None in ids and time.monotonic() < deadline:
        time.sleep(0.01)
    producer.close()
    return {"ids": ids}


def read(request):
    start = pulsar.MessageId.earliest
    reader = client.create_reader(request["topic"], start)
    found = []
    while len(found) < request["count"]:
        message = reader.read_next(10_000)
        number = message.message_id()
        found.append(
            {
                "id": [number.ledger_id(), number.entry_id(), number.batch_index()],
                "key": b64(message.partition_key().encode()) if message.partition_key() else None,
                "ordering": b64(message.ordering_key().encode()) if message.ordering_key() else None,
                "value": None if message.has_null_value() else b64(message.data()),
                "properties": message.properties(),
                "event": message.event_timestamp(),
                "publish": message.publish_timestamp(),
                "producer": message.producer_name(),
            }
        )
    reader.close()
    return {"messages": found}


def measured(work):
    """Seconds and processor seconds of a piece of work."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def flood(request):
    """For the bench: so many equal messages, as fast as they go, in batches."""
    producer = client.create_producer(
        request["topic"],
        batching_enabled=True,
        batching_max_messages=request["batch"],
        batching_max_allowed_size_in_bytes=4 << 20,
        batching_max_publish_delay_ms=100,
        block_if_queue_full=True,
        max_pending_messages=16 * request["batch"],
    )
    value, failed = bytes(request["bytes"]), []

    def done(result, _id):
        if result != pulsar.Result.Ok:
            failed.append(result)

    def work():
        for _ in range(request["count"]):
            producer.send_async(value, done)
        producer.flush()

    answer = measured(work)
    producer.close()
    if failed:
        raise RuntimeError(str(failed[0]))
    return answer


def drain(request):
    """For the bench: reads so many messages from the earliest."""
    reader = client.create_reader(
        request["topic"], pulsar.MessageId.earliest, receiver_queue_size=100_000
    )

    def work():
        for _ in range(request["count"]):
            assert reader.read_next(20_000).data()

    answer = measured(work)
    reader.close()
    return answer


def hello(_request):
    return {"version": pulsar.__version__}


OPS = {"hello": hello, "produce": produce, "read": read, "flood": flood, "drain": drain}
for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = OPS[asked["op"]](asked)
    except Exception as error:  # whatever the client says is the answer
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), file=answers, flush=True)
client.close()
