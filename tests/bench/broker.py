"""kopd beside Apache Kafka in one run: the same client, the same bytes, in turns.

    python3 tests/bench/broker.py BUILD [--write docs/figures-broker.md]

Servers: Kafka 4.3.1, kopd with --durability os (what Kafka promises: written to the page cache) and with disk
(synced before the answer). For 1 and 8 partitions and records of 100 B and 1 KB, each round produces and
consumes everything once on every server, in turns; the median of the rounds counts. Latency is measured at half
the rate of the slowest server. Processor time is that of the server's process while it was produced to and consumed
from, per million records in and out. Last, Java's ProducerPerformance on one partition of 100 B records.
"""
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION = "4.3.1"
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SCALE = float(os.environ.get("SCALE", "1"))
WORKLOADS = [(1, 100, 1_000_000), (8, 100, 1_000_000), (1, 1000, 250_000), (8, 1000, 250_000)]
TICKS = os.sysconf("SC_CLK_TCK")


def free_ports(n):
    """A run of n free ports."""
    for first in range(19600, 19690, n):
        try:
            for port in range(first, first + n):
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise SystemExit("broker bench: no free ports")


def api_versions(port):
    """One ApiVersions round trip; raises OSError when nobody listens yet."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        request = struct.pack(">hhih", 18, 0, 1, -1)
        s.sendall(struct.pack(">i", len(request)) + request)
        return s.recv(4) != b""


class Server:
    def __init__(self, name):
        self.name = name
        self.data = Path(tempfile.mkdtemp(prefix="kop-bench-"))
        self.port = free_ports(3)
        start = time.perf_counter()
        self.pid = self.launch()
        while True:
            try:
                if api_versions(self.port):
                    break
            except OSError:
                time.sleep(0.001)
        self.first_answer = time.perf_counter() - start

    def address(self):
        return f"127.0.0.1:{self.port}"

    def cpu(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        """(resident, anonymous) in MB."""
        rollup = dict(line.split()[:2] for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()[1:])
        return int(rollup["Rss:"]) / 1024, int(rollup["Anonymous:"]) / 1024

    def stop(self):
        self.end()
        shutil.rmtree(self.data, ignore_errors=True)


class Kafka(Server):
    def launch(self):
        env = dict(os.environ, KAFKA_HEAP="1g", KAFKA_SET="log.retention.ms=60000")
        script = str(ROOT / "tools" / "kafka-server.sh")
        subprocess.run([script, "start", VERSION, str(self.port), str(self.data)], check=True, env=env,
                       stdout=subprocess.DEVNULL)
        found = subprocess.run(["pgrep", "-f", f"kafka.Kafka.*{self.data}"], capture_output=True, text=True).stdout.split()
        return int(found[0])

    def end(self):
        subprocess.run([str(ROOT / "tools" / "kafka-server.sh"), "kill", str(self.data)], check=False,
                       stdout=subprocess.DEVNULL)


class Kopd(Server):
    def __init__(self, name, build, durability):
        self.command = [str(build / "kopd"), "--durability", durability]
        super().__init__(name)

    def launch(self):
        self.process = subprocess.Popen(
            [*self.command, "--listen", self.address(), "--store", f"file:{self.data}/kopd",
             "--metrics", f"127.0.0.1:{self.port + 1}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self.process.pid

    def end(self):
        self.process.terminate()
        self.process.wait(60)


class Bench:
    def __init__(self, build):
        self.client = str(build / "bench_client")
        self.topics = 0

    def run(self, *words):
        done = subprocess.run([self.client, *map(str, words)], capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise SystemExit(f"bench_client {words}: {done.stderr.strip() or 'records are missing'}")
        return [float(word) for word in done.stdout.split()]

    def topic(self, server, partitions):
        self.topics += 1
        name = f"bench-{self.topics}"
        self.run("create", server.address(), name, partitions)
        return name

    def throughput(self, server, partitions, size, count):
        """(records/s in, records/s out, CPU-seconds per million records in, the same out)"""
        name = self.topic(server, partitions)
        before = server.cpu()
        rate_in = self.run("produce", server.address(), name, partitions, size, count, 0)[0]
        between = server.cpu()
        rate_out = self.run("consume", server.address(), name, partitions, count)[0]
        after = server.cpu()
        million = count / 1e6
        return rate_in, rate_out, (between - before) / million, (after - between) / million

    def latency(self, server, partitions, size, rate):
        count = int(max(rate * 3 * min(SCALE, 1), 1000))
        name = self.topic(server, partitions)
        return self.run("produce", server.address(), name, partitions, size, count, rate)[1:]


def java_rate(server, count):
    jars = subprocess.run([str(ROOT / "tools" / "kafka-server.sh"), "lib", VERSION], capture_output=True, text=True,
                          check=True).stdout.strip()
    done = subprocess.run(
        ["java", "-Xmx512m", "-cp", f"{jars}/*", "org.apache.kafka.tools.ProducerPerformance", "--topic", "perf",
         "--num-records", str(count), "--record-size", "100", "--throughput", "-1", "--producer-props",
         f"bootstrap.servers={server.address()}", "acks=all", "batch.size=131072", "linger.ms=5"],
        capture_output=True, text=True, timeout=300)
    line = [text for text in done.stdout.splitlines() if "records sent" in text][-1]
    return float(line.split(",")[1].split()[0])


def machine():
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{len(model)} cores, {model[0]}, Linux {os.uname().release}"


def table(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def measure(build):
    bench = Bench(build)
    makers = [lambda: Kafka(f"Kafka {VERSION}"), lambda: Kopd("kopd, os", build, "os"),
              lambda: Kopd("kopd, disk", build, "disk")]
    servers = []
    try:
        for make in makers:
            servers.append(make())
        for server in servers:  # a first round that does not count: class loading, page cache
            bench.throughput(server, 1, 100, int(300_000 * SCALE) or 1000)
        time.sleep(1)
        idle = {server.name: server.memory() for server in servers}
        rows = [["partitions x record", "server", "in, k/s", "out, k/s", "CPU-s per M in", "CPU-s per M out",
                 "p50, ms", "p99, ms"]]
        peaks = {server.name: 0 for server in servers}
        for partitions, size, count in WORKLOADS:
            count = int(count * SCALE) or 1000
            got = {server.name: [] for server in servers}
            for _ in range(ROUNDS):
                for server in servers:
                    got[server.name].append(bench.throughput(server, partitions, size, count))
                    peaks[server.name] = max(peaks[server.name], server.memory()[0])
            medians = {name: [statistics.median(column) for column in zip(*runs)] for name, runs in got.items()}
            half = min(median[0] for median in medians.values()) / 2
            for server in servers:
                p50, p99 = bench.latency(server, partitions, size, half)
                m = medians[server.name]
                rows.append([f"{partitions} x {size} B", server.name, f"{m[0] / 1e3:.0f}", f"{m[1] / 1e3:.0f}",
                             f"{m[2]:.2f}", f"{m[3]:.2f}", f"{p50 / 1e3:.2f}", f"{p99 / 1e3:.2f}"])
            print(table([rows[0], *rows[-len(servers):]]), flush=True)
        java = [["Java's ProducerPerformance, 1 x 100 B", "records, k/s"]]
        for server in servers:
            runs = [java_rate(server, int(1_000_000 * SCALE) or 1000) for _ in range(2)]
            java.append([server.name, f"{max(runs) / 1e3:.0f}"])
        memory = [["server", "first answer, ms", "resident idle, MB", "anonymous idle, MB", "resident under load, MB"]]
        for server in servers:
            memory.append([server.name, f"{server.first_answer * 1e3:.0f}", f"{idle[server.name][0]:.1f}",
                           f"{idle[server.name][1]:.1f}", f"{peaks[server.name]:.0f}"])
        return table(rows) + "\n" + table(java) + "\n" + table(memory)
    finally:
        for server in servers:
            server.stop()


def main():
    build = Path(sys.argv[1]).resolve()
    text = f"{machine()}; median of {ROUNDS} rounds; librdkafka, acks=all, batches of 128 KiB, 5 ms linger.\n\n" + measure(build)
    print(text)
    if "--write" in sys.argv:
        Path(sys.argv[sys.argv.index("--write") + 1]).write_text(text)


if __name__ == "__main__":
    main()
