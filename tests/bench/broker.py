"""kopd beside Apache Kafka in one run: the same client, the same bytes, in turns.

    python3 tests/bench/broker.py BUILD

Servers: Kafka 4.3.1 with its defaults and 1 GiB of heap, kopd with --durability os, and kopd with --durability disk. The
first two promise the same: a record is acknowledged when the operating system has it; the third syncs it to the disk before.

All three run all the time and are used one after the other. First each takes the same records as later three times,
uncounted, so that the JVM has compiled what is hot. Then for 1 and 8 partitions and records of 100 B and 1 KB each round produces and
consumes everything once on every server; the median of the rounds counts. Latency is measured at half the rate of the
slowest server, 1 ms of linger included, the median of as many rounds. Processor time is that of the server's process in
nanoseconds (its CPU-time clock, every thread that ever was) from before its records were produced or consumed until
after; the memory that they will take in the page cache is touched beforehand (touch_memory). "client" is how many cores the client itself kept busy: where it is near 1 or
above, the client was what was measured.
Java's ProducerPerformance is a new JVM in each run, so its own warming up is part of its rates, the same for all.
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

from report import goal, table

ROOT = Path(__file__).resolve().parents[2]
VERSION = "4.3.1"
ROUNDS = int(os.environ.get("ROUNDS", "5"))
SCALE = float(os.environ.get("SCALE", "1"))
WORKLOADS = [(1, 100, 1_000_000), (8, 100, 1_000_000), (1, 1000, 250_000), (8, 1000, 250_000)]
WARMING = 3  # rounds of all workloads
JAVA = [(1, 100, 2_000_000), (8, 1000, 500_000)]
STARTS = 5


def scaled(count):
    return max(int(count * SCALE), 25_000)


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
    """A server process: self.pid, self.port, and self.first_answer in seconds from the start of the process."""

    def __init__(self, name):
        self.name = name
        self.data = Path(tempfile.mkdtemp(prefix="kop-bench-"))
        self.port = free_ports(3)
        self.launch()
        deadline = time.monotonic() + 120
        while True:
            try:
                if api_versions(self.port):
                    break
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise SystemExit(f"broker bench: {name} does not answer")
            time.sleep(0.001)
        self.first_answer = time.clock_gettime(time.CLOCK_BOOTTIME) - self.started()
        self.ready()

    def address(self):
        return f"127.0.0.1:{self.port}"

    def cpu(self):
        """Processor seconds of the process: Linux makes the id of that clock from the process id."""
        return time.clock_gettime(~self.pid << 3 | 2)

    def memory(self):
        """(resident, anonymous) in MB."""
        rollup = dict(line.split()[:2] for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()[1:])
        return int(rollup["Rss:"]) / 1024, int(rollup["Anonymous:"]) / 1024

    def stop(self):
        self.end()
        shutil.rmtree(self.data, ignore_errors=True)


class Kafka(Server):
    SCRIPT = str(ROOT / "tools" / "kafka-server.sh")

    def launch(self):
        """Formatting its folder is no part of its start: waits for the process itself."""
        self.starter = subprocess.Popen([self.SCRIPT, "start", VERSION, str(self.port), str(self.data)],
                                        env=dict(os.environ, KAFKA_HEAP="1g"), stdout=subprocess.DEVNULL)
        file = self.data / "1" / "pid"
        while not (file.exists() and file.read_text().strip()):
            if self.starter.poll():
                raise SystemExit("broker bench: Kafka does not start")
            time.sleep(0.01)
        self.pid = int(file.read_text())

    def started(self):
        """To 10 ms, from the kernel."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")

    def ready(self):
        if self.starter.wait() != 0:
            raise SystemExit("broker bench: Kafka did not start")

    def end(self):
        subprocess.run([self.SCRIPT, "kill", str(self.data)], check=False, stdout=subprocess.DEVNULL)


class Kopd(Server):
    def __init__(self, name, build, durability):
        self.command = [str(build / "kopd"), "--durability", durability]
        super().__init__(name)

    def launch(self):
        self.start = time.clock_gettime(time.CLOCK_BOOTTIME)
        self.process = subprocess.Popen(
            [*self.command, "--listen", self.address(), "--store", f"file:{self.data}/kopd",
             "--metrics", f"127.0.0.1:{self.port + 1}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid

    def started(self):
        return self.start

    def ready(self):
        pass

    def end(self):
        self.process.terminate()
        self.process.wait(60)


def touch_memory(size):
    """Lets the page cache have used as much memory as is about to be written, for nobody's account.

    The host of a virtual machine takes back what its guest leaves free, and the first to touch such a page pays for fetching
    it again: up to twice the whole of a write. That falls on whoever is measured at that moment.
    """
    piece = bytes(1 << 20)
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(0, size + size // 5, len(piece)):
            file.write(piece)


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
        """In, then out, for each: records/s, CPU-seconds of the server per million records, cores of the client."""
        name = self.topic(server, partitions)
        touch_memory(size * count)
        before = server.cpu()
        rate_in, client_in = self.run("produce", server.address(), name, partitions, size, count, 0)[:2]
        between = server.cpu()
        rate_out, client_out = self.run("consume", server.address(), name, partitions, size, count)
        after = server.cpu()
        million = count / 1e6
        return rate_in, (between - before) / million, client_in, rate_out, (after - between) / million, client_out

    def latency(self, server, partitions, size, rate):
        """p50 and p99 in us, of two seconds."""
        name = self.topic(server, partitions)
        count = max(int(rate * 2 * min(SCALE, 1)), 1000)
        touch_memory(size * count)
        return self.run("produce", server.address(), name, partitions, size, count, rate)[2:]

    def java(self, server, partitions, size, count):
        """(records/s, CPU-seconds of the server per million records) of ProducerPerformance."""
        jars = subprocess.run([Kafka.SCRIPT, "lib", VERSION], capture_output=True, text=True, check=True).stdout.strip()
        name = self.topic(server, partitions)
        touch_memory(size * count)
        before = server.cpu()
        done = subprocess.run(
            ["java", "-Xmx512m", "-cp", f"{jars}/*", "org.apache.kafka.tools.ProducerPerformance", "--topic", name,
             "--num-records", str(count), "--record-size", str(size), "--throughput", "-1", "--producer-props",
             f"bootstrap.servers={server.address()}", "acks=all", "batch.size=131072", "linger.ms=5"],
            capture_output=True, text=True, timeout=300)
        lines = [text for text in done.stdout.splitlines() if text.startswith(f"{count} records sent")]
        if not lines:
            raise SystemExit(f"broker bench: ProducerPerformance: {done.stderr.strip()}")
        return float(lines[-1].split(",")[1].split()[0]), (server.cpu() - before) / (count / 1e6)


def in_turns(servers, call):
    """{name: medians of the columns that call(server) gives in ROUNDS rounds}"""
    got = {server.name: [] for server in servers}
    for _ in range(ROUNDS):
        for server in servers:
            got[server.name].append(call(server))
    return {name: [statistics.median(column) for column in zip(*runs)] for name, runs in got.items()}


def beside(value, kafka, name, digits):
    """A figure, and how many times Kafka's it is."""
    text = f"{value:.{digits}f}"
    return text if name.startswith("Kafka") else f"{text} ({value / kafka:.2g}x)"


def workloads(bench, servers, seen):
    """Prints the table; the ratios of kopd with os to Kafka, by what they measure."""
    head = ["partitions x record", "server", "in, k/s", "CPU-s per M in", "client", "out, k/s", "CPU-s per M out", "client",
            "p50, ms", "p99, ms"]
    rows = [head]
    ratios = {key: [] for key in ("in", "out", "java in", "cpu in", "cpu out", "cpu java in")}
    for partitions, size, count in WORKLOADS:
        def once(server):
            result = bench.throughput(server, partitions, size, scaled(count))
            seen[server.name] = [max(pair) for pair in zip(seen[server.name], server.memory())]
            return result
        m = in_turns(servers, once)
        half = min(median[0] for median in m.values()) / 2
        late = in_turns(servers, lambda server: bench.latency(server, partitions, size, half))
        kafka, kopd = m[servers[0].name], m[servers[1].name]
        for key, column in (("in", 0), ("cpu in", 1), ("out", 3), ("cpu out", 4)):
            ratios[key].append(kopd[column] / kafka[column])
        for server in servers:
            v = m[server.name]
            rows.append([f"{partitions} x {size} B", server.name, beside(v[0] / 1e3, kafka[0] / 1e3, server.name, 0),
                         beside(v[1], kafka[1], server.name, 3), f"{v[2]:.1f}",
                         beside(v[3] / 1e3, kafka[3] / 1e3, server.name, 0), beside(v[4], kafka[4], server.name, 3),
                         f"{v[5]:.1f}", *(f"{us / 1e3:.2f}" for us in late[server.name])])
        print(f"{partitions} x {size} B done, latency at {half / 1e3:.0f} k records/s", file=sys.stderr, flush=True)
    print(table(rows), flush=True)
    return ratios


def java_table(bench, servers, ratios):
    rows = [["Java's ProducerPerformance", "server", "in, k/s", "CPU-s per M in"]]
    for partitions, size, count in JAVA:
        m = in_turns(servers, lambda server: bench.java(server, partitions, size, scaled(count)))
        kafka, kopd = m[servers[0].name], m[servers[1].name]
        ratios["java in"].append(kopd[0] / kafka[0])
        ratios["cpu java in"].append(kopd[1] / kafka[1])
        for server in servers:
            v = m[server.name]
            rows.append([f"{partitions} x {size} B", server.name, beside(v[0] / 1e3, kafka[0] / 1e3, server.name, 0),
                         beside(v[1], kafka[1], server.name, 3)])
    print(table(rows), flush=True)


def first_answers(build, servers):
    """{name: seconds}; kopd's is the median of several starts on empty folders."""
    seconds = {servers[0].name: servers[0].first_answer}
    for durability in ("os", "disk"):
        times = []
        for _ in range(STARTS):
            server = Kopd("", build, durability)
            times.append(server.first_answer)
            server.stop()
        seconds[f"kopd, {durability}"] = statistics.median(times)
    return seconds


def measure(build):
    bench = Bench(build)
    servers = []
    try:
        for make in (lambda: Kafka(f"Kafka {VERSION}"), lambda: Kopd("kopd, os", build, "os"),
                     lambda: Kopd("kopd, disk", build, "disk")):
            servers.append(make())
        time.sleep(1)
        idle = {server.name: server.memory() for server in servers}
        for partitions, size, count in WORKLOADS * WARMING:
            for server in servers:
                bench.throughput(server, partitions, size, scaled(count))
        seen = {server.name: (0, 0) for server in servers}
        ratios = workloads(bench, servers, seen)
        java_table(bench, servers, ratios)
        time.sleep(10)
        after = {server.name: server.memory() for server in servers}
        first = first_answers(build, servers)
    finally:
        for server in servers:
            server.stop()
    rows = [["memory, MB", "resident idle", "anonymous idle", "resident under load", "anonymous under load",
             "anonymous idle after it", "first answer, ms"]]
    for server in servers:
        name = server.name
        figures = [*idle[name], *seen[name], after[name][1]]
        rows.append([name, *(f"{mb:.1f}" for mb in figures), f"{first[name] * 1e3:.0f}"])
    print(table(rows))
    for key, what in (("in", "produced"), ("java in", "produced by Java's perf producer"), ("out", "consumed")):
        least, most = min(ratios[key]), max(ratios[key])
        goal(f"records/s {what}, kopd with os beside Kafka", "at least 1x", f"{least:.2g}x to {most:.2g}x", least >= 1)
        least, most = min(ratios[f"cpu {key}"]), max(ratios[f"cpu {key}"])
        goal(f"processor time per record {what}, kopd with os beside Kafka", "at most 0.33x",
             f"{least:.2g}x to {most:.2g}x", most <= 1 / 3)
    kopd = servers[1].name
    goal("kopd's anonymous memory, idle after start", "at most 10 MB", f"{idle[kopd][1]:.1f} MB", idle[kopd][1] <= 10)
    goal("kopd's anonymous memory, idle after the load", "at most 10 MB", f"{after[kopd][1]:.1f} MB", after[kopd][1] <= 10)
    goal("kopd's first answer after its start", "at most 100 ms", f"{first[kopd] * 1e3:.0f} ms", first[kopd] <= 0.1)


def main():
    print(f"Medians of {ROUNDS} rounds; librdkafka, acks=all, batches of 128 KiB, 5 ms of linger (1 ms for latency).\n")
    measure(Path(sys.argv[1]).resolve())


if __name__ == "__main__":
    main()
