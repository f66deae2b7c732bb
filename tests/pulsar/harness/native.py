"""The programs in native/ and kafka/: built into the cache once, started at their first request."""

import importlib.util
from pathlib import Path

from .case import Skip

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent

PULSAR_JAVA = "4.2.4"
KAFKA_JAVA = "4.3.1"
SLF4J = "2.0.16"


def _from_the_client_matrix(name):
    """A module of tests/clients/harness, which builds and drives programs of the same kind."""
    path = ROOT / f"tests/clients/harness/{name}.py"
    spec = importlib.util.spec_from_file_location(f"clients_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


toolchain = _from_the_client_matrix("toolchain")
driver = _from_the_client_matrix("driver")


def _python():
    def build(folder):
        toolchain.run([toolchain.sys.executable, "-m", "venv", "venv"], folder)
        pip = ["venv/bin/pip", "install", "-q", "--disable-pip-version-check"]
        toolchain.run([*pip, "-r", "requirements.txt"], folder)

    source = HERE / "native/python"
    folder = toolchain.built("pulsar-python", source, print, build, salt=toolchain.sys.version)
    return [folder / "venv/bin/python", folder / "driver.py"]


def _go():
    toolchain.need("go", ["version"], r"go(\d+\.\d+)", (1, 26))

    def build(folder):
        toolchain.run(
            ["go", "build", "-o", "driver", "."],
            folder,
            GOFLAGS="-mod=readonly -buildvcs=false",
            GOTOOLCHAIN="local",
        )

    return [toolchain.built("pulsar-go", HERE / "native/go", print, build) / "driver"]


def _java():
    toolchain.need_java()

    def build(folder):
        artifacts = [
            f"org.apache.pulsar:pulsar-client:{PULSAR_JAVA}",
            f"com.fasterxml.jackson.core:jackson-databind:{toolchain.JACKSON}",
            f"org.slf4j:slf4j-simple:{SLF4J}",
        ]
        toolchain.maven(folder, artifacts)
        toolchain.run(["javac", "-nowarn", "-cp", "lib/*", "-d", "classes", "Driver.java"], folder)

    source = HERE / "native/java"
    folder = toolchain.built("pulsar-java", source, print, build, salt=PULSAR_JAVA + SLF4J)
    return [*toolchain.java(f"{folder}/classes:{folder}/lib/*"), "Driver"]


def _kafka():
    toolchain.need_java()

    def build(folder):
        artifacts = [
            f"org.apache.kafka:kafka-clients:{KAFKA_JAVA}",
            f"com.fasterxml.jackson.core:jackson-databind:{toolchain.JACKSON}",
            f"org.slf4j:slf4j-simple:{SLF4J}",
        ]
        toolchain.maven(folder, artifacts)
        command = ["javac", "-nowarn", "-cp", "lib/*", "-d", "classes", "KafkaRecords.java"]
        toolchain.run(command, folder)

    folder = toolchain.built("pulsar-kafka", HERE / "kafka", print, build, salt=KAFKA_JAVA + SLF4J)
    return [*toolchain.java(f"{folder}/classes:{folder}/lib/*"), "KafkaRecords"]


BUILDERS = {"python": _python, "go": _go, "java": _java, "kafka": _kafka}
CLIENTS = ["python", "go", "java"]
running = {}


def client(name, url="none"):
    """The program of that name, against the broker at url."""
    if (name, url) not in running:
        try:
            command = BUILDERS[name]()
        except toolchain.Missing as error:
            raise Skip(f"{name}: {error}") from None
        log = ROOT / f"build/pulsar/{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        running[name, url] = driver.Driver(command, HERE, url, log)
    return running[name, url]


def stop_all():
    for one in running.values():
        one.stop()
    running.clear()


def versions():
    return {name: one.ask(op="hello")["version"] for (name, _), one in running.items()}
