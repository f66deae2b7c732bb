"""The kcat driver of the client matrix: one run of kcat for each thing that is asked.

kcat takes and prints text, so records travel between markers that no test record contains: lengths
tell where a key or a value ends, and only header values are text (`name=value`, parted by commas,
null as NULL).
"""

import re
import subprocess
import sys

sys.path.insert(0, str(__file__).rsplit("/", 2)[0] + "/python")
import protocol  # noqa: E402

BOOTSTRAP = sys.argv[1]
END, KEY = b"\x1e\x1e", b"\x1f\x1f"


def kcat(*arguments, stdin=b"", patience=protocol.PATIENCE):
    done = subprocess.run(
        ["kcat", "-b", BOOTSTRAP, *arguments],
        input=stdin,
        capture_output=True,
        timeout=patience,
        check=False,
    )
    sys.stderr.buffer.write(done.stderr)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace").strip())
    return done.stdout


def hello(_request):
    text = subprocess.run(["kcat", "-V"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Version (\S+).*librdkafka ([\d.]+)", text)
    return {"version": f"{found[1]} (librdkafka {found[2]})"}


def list_topics(_request):
    return {"topics": re.findall(r'^  topic "(.*)" with', kcat("-L").decode(), re.MULTILINE)}


def describe(request):
    text = kcat("-L", "-t", request["topic"]).decode()
    return {
        "brokers": [int(node) for node in re.findall(r"^  broker (\d+) at", text, re.MULTILINE)],
        "partitions": [
            {"partition": int(partition), "leader": int(leader)}
            for partition, leader in re.findall(
                r"^    partition (\d+), leader (-?\d+)", text, re.MULTILINE
            )
        ],
    }


def produce(request):
    """Neighbours go together in a run, which has one partition, headers and meaning of empty."""
    records = protocol.decode_records(request)
    runs = []
    for record in records:
        nulls = record["value"] is None
        mode = (record["partition"], record["headers"], nulls)
        if not runs or runs[-1][0] != mode:
            runs.append((mode, []))
        runs[-1][1].append(record)
    for (partition, headers, nulls), batch in runs:
        options = [
            "-X",
            f"acks={request['acks']}",
            "-X",
            f"enable.idempotence={str(request['idempotent']).lower()}",
        ]
        options += [
            "-X",
            "message.max.bytes=4194304",
            "-X",
            "linger.ms=5",
        ]  # the broker is to refuse what is too large
        options += ["-z", request["codec"]] if request["codec"] != "none" else []
        for name, value in headers:
            options += ["-H", name.encode() + (b"" if value is None else b"=" + value)]
        options += ["-Z"] if nulls else []
        stdin = (
            END.join(
                (b"" if one["key"] is None else one["key"] + KEY) + (one["value"] or b"")
                for one in batch
            )
            + END
        )
        kcat(
            "-P",
            "-t",
            request["topic"],
            "-p",
            str(partition),
            "-D",
            END,
            "-K",
            KEY,
            *options,
            stdin=stdin,
        )
    return {"offsets": [None] * len(records)}


def consume(request):
    start = {"earliest": "beginning", "latest": "end", "timestamp": f"s@{request['at']}"}.get(
        request["from"], str(request["at"])
    )
    out = kcat(
        "-C",
        "-t",
        request["topic"],
        "-p",
        str(request["partition"]),
        "-o",
        start,
        "-c",
        str(request["count"]),
        "-q",
        "-X",
        "fetch.wait.max.ms=100",
        "-f",
        r"%p %o %T %K %S %k%s%h\x1e\x1e",
        patience=protocol.PATIENCE,
    )
    records = []
    while out:
        partition, offset, timestamp, key_length, value_length, out = out.split(b" ", 5)
        key, out = take(out, int(key_length))
        value, out = take(out, int(value_length))
        headers, out = out.split(END, 1)
        pairs = [pair.split(b"=", 1) for pair in headers.split(b",") if pair]
        headers = [(name.decode(), None if data == b"NULL" else data) for name, data in pairs]
        records.append(
            protocol.consumed(int(partition), int(offset), int(timestamp), key, value, headers)
        )
    return {"records": records}


def take(data, length):
    return (None, data) if length < 0 else (data[:length], data[length:])


protocol.serve(
    {
        "hello": hello,
        "list": list_topics,
        "describe": describe,
        "produce": produce,
        "consume": consume,
    }
)
