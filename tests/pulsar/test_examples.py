"""The examples, with a native client on the other side of the topic."""

import os
import subprocess
import sys
from pathlib import Path

from harness import native, samples
from harness.case import case, note

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("BUILD", ROOT / "build"))
LINES = [f"line {number}" for number in range(2000)]


def run(*command, **options):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "bindings/python"),
        "KOP_LIBRARY": str(BUILD / "libkop.so"),
        **options.pop("environment", {}),
    }
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False, **options
    )


READERS = {
    "C": [str(BUILD / "pulsar_reader")],
    "Python": [sys.executable, str(ROOT / "examples/pulsar/reader.py")],
}


@case(quick=True)
def examples_produce_for_native_clients_and_for_each_other(pulsar):
    topic = pulsar.topic("lines")
    sent = run(str(BUILD / "pulsar_producer"), pulsar.url, topic, input="\n".join(LINES) + "\n")
    assert sent.returncode == 0, sent.stderr
    ids = [line.split(" ", 1) for line in sent.stdout.splitlines()]
    assert [text for _, text in ids] == LINES
    client = native.client("python", pulsar.url)
    got = client.ask(op="read", topic=topic, count=len(LINES))["messages"]
    assert [samples.answer(message)["value"].decode() for message in got] == LINES
    assert [f"{message['id'][0]}:{message['id'][1]}" for message in got] == [id for id, _ in ids]
    wanted = [f"{index} - {line}" for index, line in enumerate(LINES)]
    for name, command in READERS.items():
        found = run(*command, pulsar.url, topic, str(len(LINES)))
        assert found.returncode == 0 and found.stdout.splitlines() == wanted, (name, found.stderr)


@case()
def examples_read_what_native_clients_batch_and_compress(pulsar):
    topic, wanted = pulsar.topic("batches"), []
    client = native.client("python", pulsar.url)
    for codec in samples.CODECS:
        messages = [
            {"key": None if n % 2 else f"key{n}".encode(), "ordering": None, "value": b"%d %s" % (n, codec.encode())}
            | {"properties": [], "event": 0}
            for n in range(100)
        ]
        asked = [samples.request(message) for message in messages]
        client.ask(op="produce", topic=topic, messages=asked, codec=codec, shape="batch")
        wanted += [f"{(m['key'] or b'-').decode()} {m['value'].decode()}" for m in messages]
    wanted = [f"{index} {line}" for index, line in enumerate(wanted)]
    for name, command in READERS.items():
        found = run(*command, pulsar.url, topic, str(len(wanted)))
        assert found.returncode == 0 and found.stdout.splitlines() == wanted, (name, found.stderr)
    note(f"{len(wanted)} messages in {len(samples.CODECS)} codecs")


@case("token")
def examples_show_their_token(pulsar):
    topic = pulsar.topic("secret")
    producer = [str(BUILD / "pulsar_producer"), pulsar.url, topic]
    good, bad = {"PULSAR_TOKEN": pulsar.token()}, {"PULSAR_TOKEN": pulsar.token("wrong")}
    sent = run(*producer, input="hush\n", environment=good)
    assert sent.returncode == 0, sent.stderr
    for name, command in READERS.items():
        found = run(*command, pulsar.url, topic, "1", environment=good)
        assert found.stdout == "0 - hush\n", (name, found.stdout, found.stderr)
        refused = run(*command, pulsar.url, topic, "1", environment=bad)
        assert refused.returncode == 1 and refused.stdout == "", (name, refused.stdout)
        note(f"{name}: {refused.stderr.strip()}")
    refused = run(*producer, input="hush\n", environment=bad)
    assert refused.returncode == 1 and refused.stdout == "", refused.stdout
