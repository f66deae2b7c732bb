"""The native clients among themselves: what each can say and see, without libkop. What the other tests rest on."""

from harness import native, samples
from harness.case import case, note

CHUNKED = b"0123456789abcdef" * 400_000  # 6.4 MB, over the broker's 5 MB


def produce(client, topic, messages, codec="none", shape="single"):
    asked = [samples.request(message) for message in messages]
    return client.ask(op="produce", topic=topic, messages=asked, codec=codec, shape=shape)["ids"]


def read(client, topic, count):
    answer = client.ask(op="read", topic=topic, count=count)
    return [samples.answer(message) for message in answer["messages"]]


def seen_by(reader, message):
    """What a client shows of a message: (key, ordering key, value, properties, event time)."""
    key, value = message["key"], message["value"]
    if message.get("binary_key") and reader != "java":
        key = samples.b64(key).encode()  # they show the key as it is stored, and do not say that it is base64
    if reader == "go" and value is None:
        value = b""
    return key, message["ordering"], value, dict(message["properties"]), message["event"]


def shown(message):
    return tuple(message[name] for name in ("key", "ordering", "value", "properties", "event"))


@case(quick=True)
def native_clients_read_each_other(pulsar):
    clients = {name: native.client(name, pulsar.url) for name in native.CLIENTS}
    for writer, client in clients.items():
        topic = pulsar.topic(writer)
        sent, ids = [], []
        for codec in samples.CODECS:
            for shape in ("single", "batch"):
                safe = codec == "none" or shape == "batch"  # for empty values, see below
                more = samples.messages(writer, seed=f"{codec} {shape}", empty=safe)
                ids += produce(client, topic, more, codec, shape)
                sent += more
        for name, reader in clients.items():
            got = read(reader, topic, len(sent))
            for wanted, found, number in zip(sent, got, ids, strict=True):
                assert shown(found) == seen_by(name, wanted), (writer, name, wanted, found)
                assert found["id"][:2] == number[:2], (writer, name, number, found)
            if "index" in got[0]:
                assert [message["index"] for message in got] == list(range(len(sent))), name
        entries = len({tuple(number[:2]) for number in ids})
        note(f"{writer}: {len(sent)} messages in {entries} entries, read by {', '.join(clients)}")
        assert entries == len(samples.CODECS) * (1 + len(sent) // len(samples.CODECS) // 2)
    note(f"versions: {native.versions()}")


@case()
def native_clients_read_each_other_s_chunks(pulsar):
    clients = {name: native.client(name, pulsar.url) for name in native.CLIENTS}
    message = samples.messages("go")[1] | {"value": CHUNKED}
    for writer, client in clients.items():
        topic = pulsar.topic(writer)
        produce(client, topic, [message], shape="chunk")
        for name, reader in clients.items():
            (found,) = read(reader, topic, 1)
            wanted = message
            if (writer, name) == ("python", "go"):
                # The C++ client leaves uncompressed_size out, and without it Go shows the last chunk alone.
                wanted = message | {"value": CHUNKED[-len(found["value"]) :]}
                assert 0 < len(found["value"]) < len(CHUNKED)
            assert shown(found) == seen_by(name, wanted), (writer, name)
            note(f"{writer} -> {name}: id {found['id']}, index {found.get('index')}")


@case()
def native_clients_misread_an_empty_payload_that_is_compressed(pulsar):
    """
    Also their own. Go takes an uncompressed size of 0 to say that nothing is compressed; the C++ client, which Python's is,
    takes a zlib stream of nothing for a corrupt message. Java's never compresses an empty payload, nor should others.
    """
    empty = samples.messages("python")[0] | {"value": b"", "properties": [["a", "b"]]}
    for writer in native.CLIENTS:
        topic, client = pulsar.topic(writer), native.client(writer, pulsar.url)
        for codec in samples.CODECS:
            produce(client, topic, [empty], codec)
        produce(client, topic, [empty | {"value": b"end"}])
        found = {}
        for name in native.CLIENTS:
            lost = name == "python" and writer != "java"
            values = read(native.client(name, pulsar.url), topic, len(samples.CODECS) + 1 - lost)
            found[name] = [message["value"] for message in values]
            note(f"{writer} -> {name}: {found[name]}")
        assert found["java"] == [b""] * 5 + [b"end"]
        assert found["python"] == [b""] * (5 if writer == "java" else 4) + [b"end"]
        assert any(found["go"][:5]) == (writer != "java")


@case()
def native_go_loses_an_empty_message_without_properties(pulsar):
    """In single format; in a batch all is well."""
    bare = samples.messages("python")[0] | {"value": b"", "properties": []}
    topic, client = pulsar.topic(), native.client("go", pulsar.url)
    produce(client, topic, [bare, bare])
    produce(client, topic, [bare, bare], shape="batch")
    produce(client, topic, [bare | {"value": b"end"}])
    values = [message["value"] for message in read(client, topic, 3)]
    assert values == [b"", b"", b"end"]
    java = [message["value"] for message in read(native.client("java", pulsar.url), topic, 5)]
    assert java == [b""] * 4 + [b"end"]
