"""A Kafka broker whose logs are Python lists: python_broker.py [PORT], then kcat -b 127.0.0.1:PORT -L."""
import asyncio
import itertools
import sys
import uuid

import kop
from kop.aio import Broker

SERVED = [kop.EFFECT_ACQUIRE, kop.EFFECT_APPEND, kop.EFFECT_READ, kop.EFFECT_LIST_OFFSETS, kop.EFFECT_CREATE_TOPIC]
logs, ids = {}, itertools.count(1)  # partition id -> list of (base offset, end offset, max timestamp, bytes)


def store(engine, e):
    log = logs.get(e.target, [])
    end_offset = log[-1][1] if log else 0
    match e.kind:
        case kop.EFFECT_CREATE_TOPIC:
            new = [dict(id=next(ids), leader=1, leader_epoch=-1) for _ in range(e.partitions)]
            logs.update((partition["id"], []) for partition in new)
            engine.push(kop.EVENT_TOPIC, name=e.name, id=uuid.uuid4().bytes, partitions=new, configs=e.configs)
            return e.done()
        case kop.EFFECT_ACQUIRE:
            return e.done(epoch=1, end_offset=end_offset, lease_mono_ns=kop.NEVER)
        case kop.EFFECT_APPEND:
            log.append((end_offset, end_offset + e.count, e.max_timestamp, e.data))
            return e.done(base_offset=end_offset)
        case kop.EFFECT_READ:
            batches, room, next_offset = [], e.max_bytes, e.offset
            for base, end, _, data in log:
                if end <= e.offset or base >= e.end:
                    continue
                if len(data) > room and (batches or not e.flags & kop.READ_AT_LEAST_ONE):
                    break
                batches.append((base, [data]))
                room, next_offset = room - len(data), end
            return e.done(batches=batches, next_offset=next_offset)
        case kop.EFFECT_LIST_OFFSETS:
            newest = max((batch[2] for batch in log), default=0)
            wanted = newest if e.what == kop.LIST_MAX_TIMESTAMP else e.timestamp
            found = [e.done(base_offset=batch[0], max_timestamp=batch[2]) for batch in log if batch[2] >= wanted]
            return found[0] if found else e.not_found()


if __name__ == "__main__":
    broker = Broker(store, effects=SERVED, port=int(sys.argv[1]) if len(sys.argv) > 1 else 9092)
    asyncio.run(broker.run(ready=lambda b: print(f"listening on {b.host}:{b.port}", flush=True)))
