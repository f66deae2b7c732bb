"""The line protocol of the client matrix for clients written in Python: see
tests/clients/README.md.
"""

import base64
import json
import sys
import traceback

PATIENCE = 25  # seconds that a consumer waits for the records that it was asked for


def encode(data):
    return None if data is None else base64.b64encode(data).decode()


def decode(text):
    return None if text is None else base64.b64decode(text)


def decode_records(request):
    """The records of a produce request, their byte fields decoded."""
    for record in request["records"]:
        record["key"], record["value"] = decode(record["key"]), decode(record["value"])
        record["headers"] = [(name, decode(value)) for name, value in record["headers"]]
    return request["records"]


def consumed(partition, offset, timestamp, key, value, headers):
    return {
        "partition": partition,
        "offset": offset,
        "timestamp": timestamp,
        "key": encode(key),
        "value": encode(value),
        "headers": [[name, encode(data)] for name, data in headers or ()],
    }


def producer_key(request):
    """Which requests may use the same producer."""
    return request["acks"], request["idempotent"], request["codec"]


def failure(error):
    traceback.print_exc(file=sys.stderr)
    return {"error": f"{type(error).__name__}: {error}"}


def write(answer):
    sys.stdout.write(json.dumps(answer or {}) + "\n")
    sys.stdout.flush()


def serve(handlers):
    """Answers requests with handlers[op](request) until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = handlers[request["op"]](request)
        except Exception as error:
            answer = failure(error)
        write(answer)
