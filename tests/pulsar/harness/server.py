"""Instances of tools/pulsar-server.sh, one for each variant that a case asks for."""

import base64
import os
import shutil
import subprocess
import time
from pathlib import Path

from . import wire
from .admin import Admin, at
from .debugger import AGENT, Debugger

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "tools/pulsar-server.sh"

# The user admin with the password `right`, as `openssl passwd -apr1` writes it.
PASSWORDS = base64.b64encode(b"admin:$apr1$kopkopko$7jookAvK/Jgbk6l6t2YpL.\n").decode()
PROVIDERS = ",".join(f"org.apache.pulsar.broker.authentication.AuthenticationProvider{name}" for name in ("Token", "Basic"))

# What the script's variants leave to the one who starts it: (variant, more settings, with a debug agent).
OWN_VARIANTS = {
    # Half-open connections end soon, and single threads can be held (harness/debugger.py).
    "holes": ("plain", "keepAliveIntervalSeconds=2", True),
    # Hands its topics over to another cluster soon after it is told to (companion()).
    "migrating": ("plain", "clusterMigrationCheckDurationSeconds=1", False),
    # Passwords beside tokens.
    "token-basic": ("token", f"authenticationProviders={PROVIDERS}\nbasicAuthConf=data:;base64,{PASSWORDS}", False),
    "batch-acks": ("plain", "acknowledgmentAtBatchIndexLevelEnabled=true", False),
}


class Pulsar:
    """A running Pulsar. Topics are named by the case that asks for them, so cases can share one."""

    def __init__(self, variant, folder, port):
        self.variant = variant
        self.folder = Path(folder)
        self.port = port
        self.tls_port = port + 2
        self.debug_port = port + 4
        self.case = "none"
        self.connections = []
        self.companions = []

    @property
    def url(self):
        return f"pulsar://127.0.0.1:{self.port}"

    def token(self, name="admin"):
        return (self.folder / "tokens" / name).read_text().strip()

    def make_token(self, subject, seconds):
        command = [SCRIPT, "token", self.folder, subject, str(seconds)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    @property
    def admin(self):
        token = self.token() if "token" in self.variant else None
        return Admin(f"http://127.0.0.1:{self.port + 1}", token)

    def topic(self, name="t", create=True):
        topic = f"persistent://public/default/{self.case}-{name}"
        if create:
            self.admin.create(topic)
        return topic

    def deduplicated_topic(self):
        """A topic where the broker drops what is not above a producer's highest sequence id."""
        topic = self.topic()
        self.admin.post(f"{at(topic)}/deduplicationEnabled", True)
        deadline = time.monotonic() + 20
        while self.admin.stats(topic).get("deduplicationStatus") != "Enabled":
            assert time.monotonic() < deadline, "the topic's deduplication is not switched on"
            time.sleep(0.1)
        return topic

    def connect(self, **options):
        connection = wire.Connection(self.port, **options)
        self.connections.append(connection)
        return connection

    def debugger(self):
        debugger = Debugger(self.debug_port)
        self.connections.append(debugger)
        return debugger

    def start(self):
        variant, settings, debugged = OWN_VARIANTS.get(self.variant, (self.variant, "", False))
        environment = {**os.environ, "PULSAR_SET": settings}
        if debugged:
            environment["PULSAR_JVM"] = AGENT.format(port=self.debug_port)
        done = subprocess.run(
            [SCRIPT, "start", self.folder, str(self.port), variant],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"Pulsar did not start:\n{done.stdout}")
        return done.stdout.strip()

    def companion(self):
        """Starts another Pulsar, a cluster of its own, which stops with this one."""
        other = Pulsar("plain", f"{self.folder}-companion", self.port + 5)
        other.case = self.case
        other.remove()
        self.companions.append(other)
        other.start()
        return other

    def stop(self):
        for one in [*self.companions, self]:
            subprocess.run([SCRIPT, "stop", one.folder], check=True)

    def kill(self):
        for one in [*self.companions, self]:
            subprocess.run([SCRIPT, "kill", one.folder], check=True)

    def disconnect(self):
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
