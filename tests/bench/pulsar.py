"""libkop's Pulsar session beside the native Python and Go clients: the same messages, on one real Pulsar, in turns.

    python3 tests/bench/pulsar.py BUILD

Each round sends batches of 1,000 messages of 100 B to a topic of its own and reads them back, each client the messages that it sent;
the median of the rounds counts. Processor time is that of the client's process while it sends or reads; the broker, on the same
machine, takes most of the rest and is what bounds the rates. Every client makes its batches message by message
and looks at each message that it reads. Memory is what 10,000 idle readers on 100 topics add to one session.
"""
import os
import statistics
import subprocess
import sys
from pathlib import Path

from report import goal, table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/pulsar"))
from harness import native, server  # noqa: E402  (the path comes first)

BUILD = Path(sys.argv[1])
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SCALE = float(os.environ.get("SCALE", "1"))
BATCH, BYTES, READERS, TOPICS = 1000, 100, 10_000, 100
COUNT = max(int(1_000_000 * SCALE) // BATCH, 20) * BATCH
PORT = 19640


def ours(pulsar, what, topic):
    more = [str(COUNT // BATCH), str(BATCH), str(BYTES)] if what == "send" else [str(COUNT)]
    run = subprocess.run([BUILD / "bench_pulsar", what, pulsar.url, topic, *more], capture_output=True, text=True,
                         timeout=120, check=True)
    messages, seconds, cpu = run.stdout.split()
    assert int(messages) == COUNT
    return float(seconds), float(cpu)


def theirs(client, what, topic):
    answer = client.ask(op={"send": "flood", "read": "drain"}[what], topic=topic, count=COUNT, batch=BATCH, bytes=BYTES)
    return answer["seconds"], answer["cpu"]


def measure(pulsar):
    """{(client, what): (messages/s, processor seconds per million)}, medians."""
    clients = {name: native.client(name, pulsar.url) for name in ("python", "go")}
    found = {}
    for number in range(ROUNDS + 1):  # the first is for the broker to warm up
        for name in ("libkop", *clients):
            topic = pulsar.topic(f"{name}-{number}")
            for what in ("send", "read"):
                seconds, cpu = ours(pulsar, what, topic) if name == "libkop" else theirs(clients[name], what, topic)
                if number > 0:
                    found.setdefault((name, what), []).append((COUNT / seconds, cpu / COUNT * 1e6))
    return {key: tuple(map(statistics.median, zip(*values))) for key, values in found.items()}, clients


def main():
    pulsar = server.Pulsar("plain", BUILD / "bench-pulsar", PORT)
    pulsar.case = "bench"
    if pulsar.folder.exists():
        pulsar.stop()
        pulsar.remove()
    print(pulsar.start(), flush=True)
    try:
        found, clients = measure(pulsar)
        versions = {name: client.ask(op="hello")["version"] for name, client in clients.items()}
        rows = [("client", "sent, k/s", "CPU-s per M sent", "read, k/s", "CPU-s per M read")]
        for name in ("libkop", *clients):
            cells = [name if name == "libkop" else f"{name} {versions[name]}"]
            for what in ("send", "read"):
                rate, cpu = found[name, what]
                cells += [f"{rate / 1000:.0f}", f"{cpu:.3f}"]
            rows.append(cells)
        print("\n" + table(rows))
        for name in clients:
            for what in ("send", "read"):
                rate, cpu = found["libkop", what]
                rate_theirs, cpu_theirs = found[name, what]
                goal(f"Pulsar messages/s, {what}, beside the {name} client", "at least 1x", f"{rate / rate_theirs:.2f}x",
                     rate >= rate_theirs)
                goal(f"processor time per Pulsar message, {what}, beside the {name} client", "at most 0.2x",
                     f"{cpu / cpu_theirs:.3f}x", cpu <= 0.2 * cpu_theirs)
        native.stop_all()
        for number in range(TOPICS):
            pulsar.topic(f"readers-{number}")
        count = max(int(READERS * SCALE), TOPICS)
        run = subprocess.run([BUILD / "bench_pulsar", "readers", pulsar.url,
                              "persistent://public/default/bench-readers", str(count)], capture_output=True, text=True,
                             timeout=300, check=True)
        print(f"memory: {int(run.stdout)} bytes a reader, {count} readers in one session")
    finally:
        native.stop_all()
        pulsar.stop()


main()
