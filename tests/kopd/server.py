"""Starts and ends a kopd for a test, on ports that are free, in a folder that goes away."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from kafka import Connection

KOPD = os.environ["KOPD"]

# A sanitizer's own memory would drown what is measured, so with one the bounds are not looked at.
SANITIZED = bool(os.environ.get("KOPD_SANITIZE"))


# Below the range from which the system takes the ports of outgoing connections, so that a
# server that is killed finds its port again.
PORTS = range(19400, 19500)


def free_ports(count):
    """The first of `count` free ports in a row."""
    start = os.getpid() * 7 % len(PORTS)
    for i in range(len(PORTS)):
        first = PORTS[(start + i) % len(PORTS)]
        sockets = [socket.socket() for _ in range(count)]
        try:
            for j, each in enumerate(sockets):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                each.bind(("127.0.0.1", first + j))
            return first
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
    raise RuntimeError("no free ports")


class Kopd:
    """A running kopd. Its log is kept and shown when a test fails."""

    def __init__(self, *flags, store=None, nodes=1, ports=None, settings=()):
        self.folder = tempfile.mkdtemp(prefix="kopd-test-")
        self.own_store = store is None
        self.store = store or f"file:{self.folder}/data"
        self.nodes = nodes
        self.flags = list(flags)
        for setting in settings:
            self.flags += ["--set", setting]
        first = ports or free_ports(nodes)
        self.ports = [first + i for i in range(nodes)]
        self.log = []
        self.process = None
        self.start()

    def start(self):
        command = [KOPD, "--listen", self.bootstrap, "--metrics", "127.0.0.1:0",
                   "--store", self.store, "--nodes", str(self.nodes), *self.flags]
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, cwd=self.folder)
        self.drainer = threading.Thread(target=self.drain_log, args=(self.process.stderr,))
        self.drainer.start()
        self.banner = []
        for line in self.process.stdout:
            self.banner.append(line)
            if "kcat -C" in line:
                break
        else:
            status = self.process.wait()
            self.drainer.join()
            self.process.stdout.close()
            raise RuntimeError(f"kopd ended with {status} before it was ready:\n" + "".join(self.log))
        self.ready = time.monotonic() - self.started
        metrics = re.search(r"metrics: (http://\S+)/metrics", "".join(self.banner))
        self.http = metrics.group(1) if metrics else None

    def drain_log(self, stream):
        with stream:
            for line in stream:
                self.log.append(line)

    @property
    def address(self):
        return ("127.0.0.1", self.ports[0])

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.ports[0]}"

    def connect(self, node=0, **kwargs):
        return Connection(("127.0.0.1", self.ports[node]), **kwargs)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.drainer.join()
        self.process.stdout.close()

    def stop(self, timeout=30):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout)
        self.drainer.join()
        self.process.stdout.close()
        return status

    def get(self, path, method="GET"):
        """(status, body) of the metrics address."""
        call = urllib.request.Request(self.http + path, method=method)
        try:
            with urllib.request.urlopen(call, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name, node=None):
        label = f'{{node="{node}"}}' if node is not None else ""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(name + label + " "):
                return float(line.rsplit(" ", 1)[1])
        raise KeyError(name + label)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def anonymous_bytes(self):
        """Memory of its own, without mapped files."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"RssAnon:\s+(\d+) kB", status.read()).group(1)) * 1024

    def memory_is_below(self, limit):
        return SANITIZED or self.anonymous_bytes() < limit

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.kill()
        if kind is not None:
            print("the log of kopd:\n" + "".join(self.log[-60:]))
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_until(condition, seconds=20, step=0.01):
    """Waits until the condition holds; fails when it does not in that time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("it did not come to that in time")
        time.sleep(step)
