"""Prints the messages of a Pulsar topic from its beginning: reader.py pulsar://127.0.0.1:6650 TOPIC [COUNT]."""
import asyncio
import os
import sys

import kop
from kop.aio import PulsarClient

url, topic = sys.argv[1:3]
left = int(sys.argv[3]) if len(sys.argv) > 3 else None
token = os.environ.get("PULSAR_TOKEN")


def line(message):
    index = [] if message.index is None else [b"%d" % message.index]
    return b" ".join(index + [b"-" if part is None else part for part in (message.key, message.value)]) + b"\n"


def on_event(session, event):
    global left
    if event.kind == kop.PULSAR_MESSAGE and left != 0:
        try:
            for message in kop.pulsar.messages(event.bytes):
                sys.stdout.buffer.write(line(message))
                sys.stdout.buffer.flush()
                left = left and left - 1
                if left == 0:
                    return session.shutdown()
        except kop.KopError as error:
            print(f"an entry is skipped: {error}", file=sys.stderr)
        session.flow(event.target, event.num_messages)
    elif event.kind == kop.PULSAR_CONSUMER_CLOSED and left != 0:
        session.shutdown()
        sys.exit(event.text.decode())


auth = dict(auth_method="token", auth_data=token.encode()) if token else {}
client = PulsarClient(url, on_event, **auth)
asyncio.run(client.run(lambda session: session.consumer_open(topic, permits=1000)))
