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
    options = {"text": True, "timeout": 120} | options
    return subprocess.run(command, env=environment, capture_output=True, check=False, **options)


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


@case()
def examples_report_a_line_that_cannot_be_sent(pulsar):
    """One above the broker's limit costs itself, not those behind it; so does everything when the topic is gone."""
    topic = pulsar.topic("long")
    producer = [str(BUILD / "pulsar_producer"), pulsar.url, topic]
    lines = ["first", "x" * 6_000_000] + [f"line {number}" for number in range(200)] + ["y" * 6_000_000, "last"]
    sent = run(*producer, input="\n".join(lines) + "\n")
    stored = [line.split(" ", 1)[1] for line in sent.stdout.splitlines()]
    assert stored == [line for line in lines if len(line) < 100], sent.stdout[:200]
    assert sent.returncode == 1 and len(sent.stderr.splitlines()) == 2, sent.stderr[:500]
    note(f"{sent.stderr[:60]}...")
    client = native.client("python", pulsar.url)
    got = client.ask(op="read", topic=topic, count=len(stored))["messages"]
    assert [samples.answer(message)["value"].decode() for message in got] == stored
    pulsar.admin.post(f"{topic.replace('://', '/')}/terminate")
    refused = run(*producer, input="one more\n" * 1000)
    note(refused.stderr)
    assert refused.returncode == 1 and refused.stdout == "" and "terminated" in refused.stderr.lower()


@case()
def examples_print_keys_of_bytes(pulsar):
    topic, keys = pulsar.topic("keys"), [bytes(range(250, 256))[:size] + b"\x00k" for size in range(4)] + [b"text", None]
    messages = [
        {"key": key, "binary_key": key != b"text", "ordering": None, "value": b"v", "properties": [], "event": 0}
        for key in keys
    ]
    asked = [samples.request(message) for message in messages]
    native.client("java", pulsar.url).ask(op="produce", topic=topic, messages=asked, codec="none", shape="batch")
    wanted = [b"%d %s v" % (index, b"-" if key is None else key) for index, key in enumerate(keys)]
    for name, command in READERS.items():
        found = run(*command, pulsar.url, topic, str(len(keys)), text=False)
        assert found.stdout.split(b"\n")[:-1] == wanted, (name, found.stdout, found.stderr)
