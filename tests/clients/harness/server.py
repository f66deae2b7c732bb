"""The broker under test: kopd, or Apache Kafka, against which the matrix proves itself."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from .toolchain import ROOT

KAFKA_VERSION = "4.3.1"
NODES = 3


class Kafka:
    settle_seconds = 15  # a topic reaches the brokers through the metadata log, after the answer

    def __init__(self, store, folder, port):
        self.folder = folder
        self.port = port
        self.title = f"Apache Kafka {KAFKA_VERSION}"

    @staticmethod
    def check():
        """Nothing that the drivers do not need too."""

    def start(self):
        subprocess.run(
            [
                ROOT / "tools/kafka-server.sh",
                "start",
                KAFKA_VERSION,
                str(self.port),
                self.folder / "kafka",
                str(NODES),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def lives(self):
        return True  # whoever ended one of three brokers is not looked for here

    def stop(self):
        subprocess.run([ROOT / "tools/kafka-server.sh", "stop", self.folder / "kafka"], check=True)

    def kill(self):
        subprocess.run([ROOT / "tools/kafka-server.sh", "kill", self.folder / "kafka"], check=False)


class Kopd:
    settle_seconds = 0  # CreateTopics answers once every live node of the process knows the topic

    def __init__(self, store, folder, port):
        self.log = folder / "kopd.log"
        self.port = port
        self.title = f"kopd, {store} store"
        self.command = [
            self.binary(),
            "--listen",
            f"127.0.0.1:{port}",
            "--nodes",
            str(NODES),
            "--store",
            "memory:" if store == "memory" else f"file:{folder}/data",
            "--metrics",
            f"127.0.0.1:{port + NODES}",
        ]

    @staticmethod
    def binary():
        return Path(os.environ.get("KOPD") or ROOT / "build/kopd")

    @classmethod
    def check(cls):
        if not cls.binary().exists():
            raise SystemExit(f"{cls.binary()} is not built: run make first")

    def start(self):
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not any(line.startswith("kopd ready") for line in self.log.read_text().splitlines()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise SystemExit(f"kopd did not get ready:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def lives(self):
        return self.process.poll() is None

    def stop(self):
        """A clean end; anything else than exit status 0 fails the run."""
        if not self.lives():
            log = self.log.read_text()[-2000:]
            raise RuntimeError(f"kopd ended before its time; the end of its log:\n{log}")
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = "none within 30 s of SIGTERM"
        if status != 0:
            raise RuntimeError(
                f"kopd's exit status: {status}; the end of its log:\n{self.log.read_text()[-2000:]}"
            )

    def kill(self):
        self.process.kill()


def free_ports(count):
    """The first of so many neighbouring ports that nothing listens on."""
    for first in range(int(os.environ.get("PORT") or 19100), 65000, count):
        held = []
        try:
            for port in range(first, first + count):
                held.append(socket.socket())
                held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                held[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
    raise SystemExit("no free ports")
