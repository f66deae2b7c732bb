"""One client under test: a process that reads JSON requests and writes JSON answers, a line each.

The requests and answers are described in tests/clients/README.md.
"""

import base64
import json
import os
import queue
import subprocess
import threading
from dataclasses import dataclass


class ClientError(Exception):
    """The client reported an error: its own words."""


class DriverGone(Exception):
    """The driver ended, or did not answer in time."""


@dataclass(frozen=True)
class Record:
    value: bytes | None
    key: bytes | None = None
    headers: tuple = ()  # of (name, bytes or None)
    timestamp: int = 0  # ms since 1970
    partition: int = 0
    offset: int | None = None

    def to_json(self):
        return {
            "partition": self.partition,
            "key": _b64(self.key),
            "value": _b64(self.value),
            "headers": [[name, _b64(value)] for name, value in self.headers],
            "timestamp": self.timestamp,
        }

    @staticmethod
    def from_json(item):
        return Record(
            value=_unb64(item["value"]),
            key=_unb64(item["key"]),
            headers=tuple((name, _unb64(value)) for name, value in item["headers"] or ()),
            timestamp=item["timestamp"],
            partition=item["partition"],
            offset=item["offset"],
        )


def _b64(data):
    return None if data is None else base64.b64encode(data).decode()


def _unb64(text):
    return None if text is None else base64.b64decode(text, validate=True)


class Driver:
    """A running driver. It is started at the first request, and again after it was lost."""

    def __init__(self, command, cwd, bootstrap, log, env=None):
        self.command = [*command, bootstrap]
        self.cwd = cwd
        self.log = log
        self.env = {**os.environ, **(env or {})}
        self.process = None
        self.answers = None

    # Requests, one method each.

    def hello(self):
        return self.ask(op="hello")

    def create(self, topic, partitions):
        self.ask(op="create", topic=topic, partitions=partitions)

    def list(self):
        return self.ask(op="list")["topics"]

    def describe(self, topic):
        return self.ask(op="describe", topic=topic)

    def delete(self, topic):
        self.ask(op="delete", topic=topic)

    def produce(self, topic, records, acks="all", idempotent=False, codec="none"):
        answer = self.ask(
            op="produce",
            topic=topic,
            acks=acks,
            idempotent=idempotent,
            codec=codec,
            records=[record.to_json() for record in records],
        )
        return answer["offsets"]

    def consume(self, topic, partition, count, start="earliest", at=0):
        self.send_consume(topic, partition, count, start, at)
        return self.receive_records()

    def send_consume(self, topic, partition, count, start, at=0):
        self.send(
            op="consume", topic=topic, partition=partition, count=count, at=at, **{"from": start}
        )

    def receive_records(self, timeout=40):
        return [Record.from_json(item) for item in self.receive(timeout)["records"]]

    # The line protocol below them.

    def ask(self, **request):
        self.send(**request)
        return self.receive()

    def send(self, **request):
        if self.process is None:
            self._start()
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except OSError:
            self.stop()
            raise DriverGone(f"the driver ended, see {self.log}") from None

    def waiting(self, timeout):
        """Whether the answer is still out after so many seconds."""
        try:
            self.early = self.answers.get(timeout=timeout)
            return False
        except queue.Empty:
            return True

    def receive(self, timeout=40):
        try:
            line = self.early if self.early is not None else self.answers.get(timeout=timeout)
        except queue.Empty:
            self.stop()
            raise DriverGone(f"no answer within {timeout} s") from None
        self.early = None
        if not line:
            self.stop()
            raise DriverGone(f"the driver ended, see {self.log}")
        answer = json.loads(line)
        if "error" in answer:
            raise ClientError(answer["error"])
        return answer

    def connections(self):
        """The TCP connections of the driver's process, as inodes. None are seen outside Linux."""
        folder = f"/proc/{self.process.pid}"
        held = set()
        for file in os.listdir(f"{folder}/fd") if os.path.isdir(folder) else ():
            try:
                held.add(os.readlink(f"{folder}/fd/{file}"))
            except FileNotFoundError:
                pass  # closed meanwhile
        established = set()
        for table in ("tcp", "tcp6") if held else ():
            with open(f"{folder}/net/{table}") as lines:
                for fields in map(str.split, list(lines)[1:]):
                    if fields[3] == "01":
                        established.add(f"socket:[{fields[9]}]")
        return held & established

    def stop(self):
        if self.process is None:
            return
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
            )
        self.answers = queue.Queue()
        self.early = None
        threading.Thread(
            target=_pump, args=(self.process.stdout, self.answers), daemon=True
        ).start()


def _pump(stream, answers):
    """Hands the lines of a driver over; an empty string tells its end."""
    for line in stream:
        answers.put(line)
    answers.put("")
