"""Messages and records to send: chosen for the corners of both worlds, the same in every run."""

import base64
import random

CODECS = ["none", "lz4", "zlib", "zstd", "snappy"]
EVENT = 1_700_000_000_000


def b64(data):
    return None if data is None else base64.b64encode(data).decode()


def unb64(text):
    return None if text is None else base64.b64decode(text)


def messages(client, seed=1, count=12, empty=True):
    """What a native client is asked to produce. No client can say everything: see the notes at each line."""
    rng = random.Random(f"{client} {seed}")
    found = []
    for number in range(count):
        message = {
            "key": None if number % 3 == 0 else f"key-{rng.randrange(5)}-ä".encode(),
            "ordering": b"order" if number % 4 == 1 else None,
            "value": bytes(rng.choices(b"abcdefgh", k=rng.randrange(200))) + b"%d" % number,
            "properties": [[f"name-{n}", f"value {n} ö"] for n in range(number % 4)],
            "event": 0 if number % 2 else EVENT + number,
        }
        if number == 5 and empty:
            message["value"] = b""
        if number == 7 and empty and client != "go":  # the Go client has no null value
            message["value"] = None
        if number == 8 and client == "java":  # only the Java client has keys of bytes
            message |= {"key": b"\x00\xff\x80key", "binary_key": True}
        if number == 9:  # Java compresses nothing that is shorter than 4 KiB
            message["value"] = b"many words that repeat " * 2000
        if number == 10:
            message["value"] = rng.randbytes(20_000)
        found.append(message)
    return found


def request(message):
    return message | {name: b64(message[name]) for name in ("key", "ordering", "value")}


def answer(message):
    return message | {name: unb64(message[name]) for name in ("key", "ordering", "value")}


def records(rng, count):
    """Kafka records: every corner of keys, values, headers and timestamps."""
    keys = [None, b"", b"plain", "schlüssel".encode(), b"\x00\x01", b"\xff\xfe", b"a" * 300, b"tab\there"]
    values = [None, b"", b"value", b"\x00\xff" * 20, b"v" * 2000]
    names = ["", "name", "nämé", "kop.t.x", "kop.batch", "n\x00l", "trace-id"]
    texts = [None, b"", b"text", "größe".encode(), b"\xc3\x28", b"\x00", b"AAAA=="]
    found = []
    for number in range(count):
        headers = [[rng.choice(names), rng.choice(texts)] for _ in range(rng.choice([0, 0, 1, 2, 5]))]
        if rng.random() < 0.2 and headers:
            headers.append(headers[0])
        found.append(
            {
                "key": rng.choice(keys),
                "value": rng.choice(values),
                "headers": headers,
                "timestamp": rng.choice([EVENT + number, EVENT - number, 1, -1]),
            }
        )
    return found


def record_request(record):
    return record | {
        "key": b64(record["key"]),
        "value": b64(record["value"]),
        "headers": [[name, b64(value)] for name, value in record["headers"]],
    }


def record_answer(record):
    return record | {
        "key": unb64(record["key"]),
        "value": unb64(record["value"]),
        "headers": [[name, unb64(value)] for name, value in record["headers"]],
    }
