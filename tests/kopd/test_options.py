"""Flags, environment, server.properties: what wins, and that what is wrong is one clear line and exit status 2."""

import os
import subprocess
import tempfile
import unittest

from server import KOPD, Kopd


def run(*arguments, environment=None, properties=None):
    with tempfile.TemporaryDirectory() as folder:
        if properties is not None:
            path = os.path.join(folder, "server.properties")
            with open(path, "w") as file:
                file.write(properties)
            arguments = ("--config", path, *arguments)
        return subprocess.run([KOPD, *arguments], capture_output=True, text=True, timeout=20, cwd=folder,
                              env={**os.environ, **(environment or {})})


class Wrong(unittest.TestCase):
    def refused(self, done, complaint):
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("kopd: "), done.stderr)
        self.assertIn(complaint, done.stderr)

    def test_flags(self):
        for arguments, complaint in (
                (("--nonsense",), "no flag --nonsense"),
                (("serve",), "no flag serve"),
                (("--listen",), "--listen needs a value"),
                (("--listen", "9092"), "HOST:PORT"),
                (("--nodes", "0"), "--nodes: nodes=0: expected a whole number from 1 to 64"),
                (("--nodes", "65"), "1 to 64"),
                (("--nodes", "3x"), "whole number"),
                (("--store", "redis:"), "expected memory: or file:PATH"),
                (("--store", "file:"), "expected memory: or file:PATH"),
                (("--durability", "hope"), "expected disk, os"),
                (("--log-level", "loud"), "expected error, warn, info, debug"),
                (("--metrics", "x"), "HOST:PORT"),
                (("--set", "nonsense=1"), "there is no setting nonsense"),
                (("--set", "nodes"), "expected NAME=VALUE"),
                (("--set", "=1"), "expected NAME=VALUE"),
                (("--set", "num.partitions=many"), "num.partitions=many"),
                (("--set", "log.cleanup.policy=compact"), "log.cleanup.policy=compact"),
                (("--listen", "h:65535", "--nodes", "2"), "ports in a row"),
                (("--advertise", "0.0.0.0:9092"), "no client can connect"),
                (("--set", "broker.id=1", "--set", "node.id=2"), "differ"),
                (("--set", "queued.max.request.bytes=1000"), "smaller than socket.request.max.bytes"),
                (("--config", "/does/not/exist"), "/does/not/exist"),
                (("--store", "file:" + "x" * 5000), "longer than"),
        ):
            with self.subTest(arguments=arguments):
                self.refused(run(*arguments), complaint)

    def test_environment(self):
        self.refused(run(environment={"KOP_NODES": "none"}), "environment KOP_NODES: nodes=none")
        self.refused(run(environment={"KOP_SOCKET_REQUEST_MAX_BYTES": "-7"}),
                     "environment KOP_SOCKET_REQUEST_MAX_BYTES")

    def test_file(self):
        self.refused(run(properties="# first\n\nnodes=1\nnosuch = 3\n"),
                     "server.properties line 4: there is no setting nosuch")
        self.refused(run(properties="store=\\u12\n"), "line 1: \\u takes four hexadecimal digits")
        self.refused(run(properties="store=" + "x" * 10000), "line 1: the line is too long")


class Right(unittest.TestCase):
    def test_help_and_version(self):
        done = run("--help")
        self.assertEqual(done.returncode, 0)
        for flag in ("--config", "--listen", "--advertise", "--store", "--durability", "--nodes",
                     "--metrics", "--set", "--log-level", "--version", "--help"):
            self.assertIn(flag, done.stdout)
        self.assertRegex(run("--version").stdout, r"^kopd \d+\.\d+\.\d+\n$")

    def test_flag_beats_environment_beats_file(self):
        def advertised(flag, variable, file):
            environment = {"KOP_ADVERTISE": variable} if variable else {}
            flags = ["--advertise", flag] if flag else []
            with tempfile.NamedTemporaryFile("w", suffix=".properties") as properties:
                if file:
                    properties.write(f"advertised.listeners = PLAINTEXT://{file}\n")
                properties.flush()
                old = {name: os.environ.pop(name, None) for name in ("KOP_ADVERTISE",)}
                os.environ.update(environment)
                try:
                    with Kopd("--config", properties.name, *flags, store="memory:") as kopd:
                        return next(line.rsplit(" ", 1)[1].strip() for line in kopd.banner
                                    if "told to connect" in line)
                finally:
                    for name, value in old.items():
                        os.environ.pop(name, None)
                        if value is not None:
                            os.environ[name] = value

        self.assertEqual(advertised("a:1", "b:2", "c:3"), "a:1")
        self.assertEqual(advertised(None, "b:2", "c:3"), "b:2")
        self.assertEqual(advertised(None, None, "c:3"), "c:3")

    def test_log_level(self):
        for level, lines in (("info", True), ("warn", False)):
            with Kopd("--log-level", level, store="memory:") as kopd:
                self.assertEqual(kopd.stop(), 0)
                self.assertEqual("INFO" in "".join(kopd.log), lines)

    def test_variables_of_others_are_left_alone(self):
        os.environ["KOP_NO_SUCH_SETTING"] = "1"
        try:
            with Kopd(store="memory:"):
                pass
        finally:
            del os.environ["KOP_NO_SUCH_SETTING"]

    def test_properties_are_read_as_java_reads_them(self):
        text = ("! comment\n"
                "advertised.listeners : PLAINTEXT://\\\n"
                "      folded.example:7   \n"
                "log.level warn\n"
                "num.partitions=3\r\n"
                "drain.timeout.ms\t=\t5000\n")
        with tempfile.NamedTemporaryFile("w", suffix=".properties", newline="") as properties:
            properties.write(text)
            properties.flush()
            with Kopd("--config", properties.name, store="memory:") as kopd:
                self.assertIn("folded.example:7", "".join(kopd.banner))
                subprocess.run(["kcat", "-L", "-b", kopd.bootstrap], check=True, timeout=60,
                               capture_output=True)

    def test_a_taken_default_metrics_address_is_no_obstacle(self):
        with Kopd("--metrics", "off", store="memory:") as kopd:
            self.assertNotIn("metrics:", "".join(kopd.banner))


if __name__ == "__main__":
    unittest.main()
