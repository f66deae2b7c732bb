"""Instances of tools/pulsar-cluster.sh: two brokers, a and b, and a proxy in front of them."""

import os
import subprocess
import time

from . import wire
from .admin import Admin, at
from .server import ROOT, Pulsar

# Variants of a case -> what the script is told.
VARIANTS = {"cluster-modular": "modular", "cluster-extensible": "extensible"}


class Cluster(Pulsar):
    """Like one Pulsar, with `a` and `b` for names of brokers. A case has a namespace of its own with a single bundle, so that
    all its topics are in one place."""

    SCRIPT = ROOT / "tools/pulsar-cluster.sh"

    def __init__(self, variant, folder, port):
        super().__init__(variant, folder, port)
        self.ports = {"a": port, "b": port + 2, "proxy": port + 4}

    def url_of(self, *names):
        return "pulsar://" + ",".join(f"127.0.0.1:{self.ports[name]}" for name in names)

    @property
    def url(self):
        return self.url_of("a", "b")

    def admin_of(self, name):
        return Admin(f"http://127.0.0.1:{self.ports[name] + 1}")

    def namespace(self, name="ns", deduplication=True):
        """A fresh namespace, told in the form tenant/name."""
        namespace = f"public/{self.case}-{name}"
        policies = {"bundles": {"numBundles": 1, "boundaries": ["0x00000000", "0xffffffff"]}}
        self.admin.put(f"namespaces/{namespace}", policies | {"deduplicationEnabled": deduplication})
        return namespace

    def topic_in(self, namespace, name="t"):
        topic = f"persistent://{namespace}/{name}"
        self.admin.create(topic)
        return topic

    def owner(self, topic, asked="a"):
        """Which broker has the topic; gives it to one if none has it. While it moves, brokers may not know for a moment."""
        for _ in range(100):
            try:
                return self.owner_now(topic, asked)
            except OSError:
                time.sleep(0.1)
        return self.owner_now(topic, asked)

    def owner_now(self, topic, asked):
        found = self.admin_of(asked).get(f"/lookup/v2/topic/{at(topic)}")
        return self._named(found["brokerUrl"])

    def inherit(self, topic, heir):
        """Waits until a broker has the topic whose owner has died; returns how many seconds that took."""
        began = time.monotonic()
        while time.monotonic() - began < 60:
            try:
                if self.owner_now(topic, heir) == heir:
                    return time.monotonic() - began
            except OSError:
                pass  # it cannot say yet
            time.sleep(0.1)
        raise AssertionError(f"{heir} does not get {topic}")

    def leader(self):
        """The broker that places topics."""
        return self._named(self.admin.get("brokers/leaderBroker")["serviceUrl"])

    def move(self, namespace, to=None):
        """Unloads a namespace's bundle, to a broker or to where the load manager likes."""
        target = f"?destinationBroker=127.0.0.1:{self.ports[to] + 1}" if to else ""
        self.admin.put(f"namespaces/{namespace}/0x00000000_0xffffffff/unload{target}")

    def bring(self, topic, to):
        """Moves until it has happened. The modular load manager forgets where to for whoever looks up meanwhile."""
        namespace = topic.removeprefix("persistent://").rpartition("/")[0]
        for _ in range(10):
            if self.owner(topic) == to:
                return
            self.move(namespace, to)
        raise AssertionError(f"{topic} does not go to {to}")

    def other(self, name):
        return {"a": "b", "b": "a"}[name]

    def _named(self, url):
        port = int(url.rsplit(":", 1)[1])
        return next(name for name, number in self.ports.items() if number in (port, port - 1))

    def connect_to(self, name, **options):
        connection = wire.Connection(self.ports[name], **options)
        self.connections.append(connection)
        return connection

    def start(self):
        return self.script("start", str(self.port), VARIANTS[self.variant])

    def stop(self, *names):
        self.script("stop", *names)

    def kill(self, *names):
        self.script("kill", *names)

    def script(self, verb, *arguments):
        command = [self.SCRIPT, verb, self.folder, *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the cluster did not {verb}:\n{done.stdout}")
        return done.stdout.strip()
