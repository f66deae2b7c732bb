"""That each variant of tools/pulsar-server.sh is what it says."""

import ssl
import time
import urllib.error

from harness.case import case, note
from harness.wire import SHARED, Connection, Refused


def fill(connection, topic, count, producer_id=1):
    """Publishes so many entries; returns their message ids."""
    connection.producer(topic, SHARED, producer_id)
    for number in range(count):
        connection.publish(number, b"%d" % number, producer_id)
    return [connection.receipt(number).fields["message_id"] for number in range(count)]


def everything(connection, topic, count, consumer_id=1):
    connection.reader(topic, consumer_id=consumer_id)
    found = []
    return connection.messages(lambda frame: found.append(frame) or len(found) == count, consumer_id)


@case("plain", quick=True)
def variant_plain_shows_the_index(pulsar):
    connection, topic = pulsar.connect(), pulsar.topic()
    ids = fill(connection, topic, 3)
    entries = [frame.entry for frame in everything(connection, topic, 3)]
    assert [entry.index for entry in entries] == [0, 1, 2]
    assert all("broker_timestamp" in entry.broker and entry.checksum_good for entry in entries)
    headers, payload = pulsar.admin.entry(topic, ids[1]["ledger"], ids[1]["entry"])
    assert headers["X-Pulsar-Broker-Entry-METADATA-index"] == "1" and payload == b"1"


@case("noindex")
def variant_noindex_shows_none(pulsar):
    connection, topic = pulsar.connect(), pulsar.topic()
    ids = fill(connection, topic, 3)
    assert [frame.entry.broker for frame in everything(connection, topic, 3)] == [{}, {}, {}]
    headers, _ = pulsar.admin.entry(topic, ids[0]["ledger"], ids[0]["entry"])
    assert headers["X-Pulsar-Broker-Entry-METADATA-index"] is None


@case("short-ledgers")
def variant_short_ledgers_roll_over_and_are_trimmed(pulsar):
    connection, topic = pulsar.connect(), pulsar.topic()
    pulsar.admin.retention(topic, -1, -1)
    ids = fill(connection, topic, 501)
    ledgers = sorted({number["ledger"] for number in ids})
    entries = everything(connection, topic, 501)
    note(f"{len(ledgers)} ledgers")
    assert len(ledgers) >= 10
    assert [frame.entry.index for frame in entries] == list(range(501))
    pulsar.admin.retention(topic, 0, 0)
    deadline = time.monotonic() + 30
    while len(pulsar.admin.internal_stats(topic)["ledgers"]) > 2:
        assert time.monotonic() < deadline, "nothing was trimmed"
        time.sleep(0.1)
    late = pulsar.connect()
    late.reader(topic)
    first = late.expect("MESSAGE").entry.index
    note(f"after trimming a reader from the earliest begins at index {first}")
    assert 0 < first <= 500


def refused_by_http(admin):
    try:
        admin.get("persistent/public/default")
    except urllib.error.HTTPError as error:
        return error.code
    return 200


@case("token,tls")
def variant_token_tells_right_from_wrong(pulsar):
    topic = pulsar.topic()
    outcome = {}
    for name in ("admin", "user", "wrong", "expired"):
        try:
            connection = pulsar.connect(token=pulsar.token(name))
            connection.producer(topic)
            outcome[name] = "open"
        except AssertionError as error:
            outcome[name] = "no connection"
            note(f"{name}: {error}")
        except Refused as error:
            outcome[name] = error.error
            note(f"{name}: {error}")
    assert outcome == {
        "admin": "open",
        "user": "Authorization",
        "wrong": "no connection",
        "expired": "no connection",
    }
    codes = [
        refused_by_http(type(pulsar.admin)(pulsar.admin.url, pulsar.token(name)))
        for name in ("admin", "user", "wrong", "expired")
    ]
    assert codes == [200, 403, 401, 401]
    pulsar.admin.post("namespaces/public/default/permissions/user", ["produce", "consume"])
    pulsar.connect(token=pulsar.token("user")).producer(topic)
    pulsar.admin.delete("namespaces/public/default/permissions/user")


@case("token,tls")
def variant_token_is_asked_for_again_when_it_expires(pulsar):
    topic = pulsar.topic()
    fresh = Connection(pulsar.port, token=pulsar.make_token("admin", 2))
    pulsar.connections.append(fresh)
    fresh.producer(topic)
    fresh.token = pulsar.token("admin")
    challenge = fresh.expect("AUTH_CHALLENGE")
    note(f"asked: {challenge.fields}")
    assert challenge.fields["challenge"]["auth_data"] == b"PulsarAuthRefresh"
    fresh.publish(0, b"after the refresh")
    assert fresh.receipt(0).name == "SEND_RECEIPT"
    mute = Connection(pulsar.port, token=pulsar.make_token("admin", 2))
    pulsar.connections.append(mute)
    mute.token = None
    assert mute.await_close(30), "who does not answer is disconnected"


@case("token,tls")
def variant_tls_proves_who_it_is(pulsar):
    authority = str(pulsar.folder / "tls/ca.pem")
    options = {"token": pulsar.token(), "tls": authority}
    for host in ("127.0.0.1", "localhost"):
        connection = Connection(pulsar.tls_port, host=host, **options)
        pulsar.connections.append(connection)
        connection.producer(pulsar.topic(host), SHARED)
    for wrong in ({"tls": str(pulsar.folder / "tls/other-ca.pem")}, {"tls_name": "wrong.example"}):
        try:
            Connection(pulsar.tls_port, **options | wrong)
            raise AssertionError(f"connected with {wrong}")
        except ssl.SSLCertVerificationError as error:
            note(f"{wrong}: {error.verify_message}")
