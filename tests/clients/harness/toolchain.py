"""Building the drivers: each toolchain's folder is copied into the cache and built there once.

The name of the copy has a hash of the folder's contents in it, so a changed source or pin is built
anew and nothing is ever written into the source tree. Downloads go to the cache too, or to where
the toolchain keeps its own.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("KOP_CACHE") or Path.home() / ".cache/libkop")

JACKSON = "2.19.2"
SLF4J = "1.7.36"
KAFKA_TOOLS = "4.3.1"


class Missing(Exception):
    """A toolchain is not there, or too old."""


class BuildFailed(Exception):
    """A driver did not build: what its tools said."""


def prepare(client, say):
    """Builds a client's driver if need be. Returns (command, working folder)."""
    return {
        "kcat": _kcat,
        "python": _python,
        "go": _go,
        "node": _node,
        "rust": _rust,
        "java": _java,
    }[client["toolchain"]](client, say)


def need(program, arguments, pattern, least):
    """The toolchain's version, a tuple of numbers, if it is at least the given one."""
    wanted = ".".join(map(str, least))
    path = shutil.which(program)
    if path is None:
        raise Missing(f"{program} is not installed ({wanted} or newer is needed)")
    text = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    found = re.search(pattern, text.stdout + text.stderr)
    version = tuple(int(number) for number in found[1].split(".")) if found else ()
    if version < least:
        raise Missing(
            f"{program} {'.'.join(map(str, version)) or '?'} is too old, {wanted} is needed"
        )
    return version


def built(name, source, say, build, salt=""):
    """The folder of a built copy of a source folder. build(folder) fills it."""
    digest = hashlib.sha256(salt.encode())
    for file in sorted(
        path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ):
        digest.update(str(file.relative_to(source)).encode() + b"\0" + file.read_bytes() + b"\0")
    folder = CACHE / "clients" / f"{name}-{digest.hexdigest()[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".built").exists():
            say(f"building {name} in {folder}")
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(source, folder)
            build(folder)
            (folder / ".built").touch()
    return folder


def run(command, cwd, **env):
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildFailed(f"{' '.join(map(str, command))} failed:\n{done.stdout[-4000:]}")


def _kcat(client, say):
    need("kcat", ["-V"], r"Version (\d+\.\d+)", (1, 7))
    return [sys.executable, HERE / "kcat" / client["run"]], HERE / "kcat"


def _python(client, say):
    need(sys.executable, ["--version"], r"Python (\d+\.\d+)", (3, 11))

    def build(folder):
        run([sys.executable, "-m", "venv", "venv"], folder)
        run(
            [
                "venv/bin/pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
                "requirements.txt",
            ],
            folder,
        )

    folder = built("python", HERE / "python", say, build, salt=sys.version)
    return [folder / "venv/bin/python", folder / client["run"]], folder


def _go(client, say):
    need("go", ["version"], r"go(\d+\.\d+)", (1, 26))

    def build(folder):
        (folder / "bin").mkdir()
        run(
            ["go", "build", "-o", "bin/", "./..."],
            folder,
            GOFLAGS="-mod=readonly -buildvcs=false",
            GOTOOLCHAIN="local",
        )

    return [built("go", HERE / "go", say, build) / "bin" / client["run"]], HERE


def _node(client, say):
    """Node comes as a package: @platformatic/kafka needs a newer one than Debian's."""
    need("npm", ["--version"], r"(\d+)", (9,))

    def build(folder):
        run(
            [
                "npm",
                "install",
                "--no-save",
                "--no-package-lock",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
            ],
            folder,
        )

    folder = built("node", HERE / "node", say, build)
    node = next(folder.glob("node_modules/node-linux-*/bin/node"), "node")
    need(node, ["--version"], r"v(\d+\.\d+)", (22, 15))
    return [node, folder / client["run"]], folder


def _rust(client, say):
    need("cargo", ["--version"], r"cargo (\d+\.\d+)", (1, 85))

    def build(folder):
        target = (
            CACHE / "clients/rust-target"
        )  # shared, so that a changed driver does not build its dependencies anew
        run(["cargo", "build", "--quiet", "--locked"], folder, CARGO_TARGET_DIR=str(target))
        shutil.copy(target / "debug" / client["run"], folder)

    return [built("rust", HERE / "rust", say, build) / client["run"]], HERE


def _java(client, say):
    version = client["kafka_clients"]
    need_java()

    def build(folder):
        artifacts = [
            f"org.apache.kafka:kafka-clients:{version}",
            f"com.fasterxml.jackson.core:jackson-databind:{JACKSON}",
            f"org.slf4j:slf4j-simple:{SLF4J}",
        ]
        maven(folder, artifacts)
        run(
            ["javac", "-nowarn", "--release", "11", "-cp", "lib/*", "-d", "classes", "Driver.java"],
            folder,
        )

    folder = built(
        f"java-{version}", HERE / "java", say, build, salt=f"{version} {JACKSON} {SLF4J}"
    )
    return [*java(f"{folder}/classes:{folder}/lib/*"), client["run"]], folder


def need_java():
    need("java", ["-version"], r'version "(\d+)', (17,))
    need("javac", ["-version"], r"javac (\d+)", (17,))
    need("mvn", ["-version"], r"Apache Maven.* (\d+\.\d+)", (3, 6))


def java(classpath):
    """A JVM for short work: small, and quick to start."""
    level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    return [
        "java",
        "-Xmx256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xshare:auto",
        level,
        "-cp",
        classpath,
    ]


def maven(folder, artifacts):
    """Fetches artifacts and all that they need into folder/lib."""
    entries = ""
    for group, name, version in (item.split(":") for item in artifacts):
        entries += f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        entries += f"<version>{version}</version></dependency>"
    (folder / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>kop</groupId><artifactId>client</artifactId><version>1</version>"
        f"<dependencies>{entries}</dependencies></project>"
    )
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
    run(
        ["mvn", "-q", "-B", f"-Dmaven.repo.local={CACHE}/m2", plugin, "-DoutputDirectory=lib"],
        folder,
    )


def kafka_tools():
    """The folder of the jars of Kafka's command line tools."""
    need_java()
    done = subprocess.run(
        [ROOT / "tools/kafka-server.sh", "lib", KAFKA_TOOLS],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildFailed("Kafka's tools could not be fetched")
    return done.stdout.strip()
