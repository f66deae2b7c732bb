// The @platformatic/kafka driver of the client matrix. Its consumer streams only to members of a
// group, but fetches from a given partition too: that is what consumes here.
import {
  Admin,
  Consumer,
  FetchIsolationLevels,
  ListOffsetTimestamps,
  Producer
} from '@platformatic/kafka'
import { PATIENCE, decode, encode, offsets, producerKey, serve, version } from './protocol.mjs'

const options = { clientId: 'matrix', bootstrapBrokers: [process.argv[2]] }
const admin = new Admin(options)
const producers = new Map()

const metadata = (topic) => admin.metadata({ topics: [topic], forceUpdate: true })

async function describe({ topic }) {
  const { brokers, topics } = await metadata(topic)
  return {
    brokers: [...brokers.keys()],
    partitions: topics.get(topic).partitions.map(({ leader }, partition) => ({ partition, leader }))
  }
}

async function produce(request) {
  const producer = producers.get(producerKey(request)) ?? newProducer(request)
  const result = await producer.send({
    messages: request.records.map((record) => ({
      topic: request.topic,
      partition: record.partition,
      timestamp: BigInt(record.timestamp),
      key: decode(record.key) ?? undefined,
      value: decode(record.value) ?? undefined,
      headers: new Map(record.headers.map(([name, value]) => [Buffer.from(name), decode(value)]))
    }))
  })
  const bases = (result.offsets ?? []).map(({ partition, offset }) => [partition, offset])
  return { offsets: offsets(request.records, bases) }
}

function newProducer(request) {
  const producer = new Producer({
    ...options,
    acks: { 0: 0, 1: 1, all: -1 }[request.acks],
    idempotent: request.idempotent,
    compression: request.codec
  })
  producers.set(producerKey(request), producer)
  return producer
}

async function consume({ topic, partition, from, at, count }) {
  const consumer = new Consumer({ ...options, groupId: 'none' })
  try {
    const { id, partitions } = (await metadata(topic)).topics.get(topic)
    consumer.topics.track(topic)
    let fetchOffset =
      from === 'offset' ? BigInt(at) : await lookUp(consumer, topic, partition, from, at)
    const records = []
    const deadline = Date.now() + PATIENCE
    while (records.length < count && Date.now() < deadline) {
      const response = await consumer.fetch({
        node: partitions[partition].leader,
        minBytes: 1,
        maxBytes: 4 << 20,
        maxWaitTime: 100,
        isolationLevel: FetchIsolationLevels.READ_UNCOMMITTED,
        topics: [
          {
            topicId: id,
            partitions: [
              {
                partition,
                fetchOffset,
                currentLeaderEpoch: -1,
                lastFetchedEpoch: -1,
                partitionMaxBytes: 4 << 20
              }
            ]
          }
        ]
      })
      const [fetched] = response.responses.flatMap((one) => one.partitions)
      for (const record of fetched ? recordsOf(fetched, partition) : []) {
        if (record.offset >= Number(fetchOffset) && records.length < count) {
          records.push(record)
          fetchOffset = BigInt(record.offset) + 1n
        }
      }
    }
    return { records }
  } finally {
    await consumer.close(true)
  }
}

async function lookUp(consumer, topic, partition, from, at) {
  const { EARLIEST, LATEST } = ListOffsetTimestamps
  const timestamp = { earliest: EARLIEST, latest: LATEST }[from] ?? BigInt(at)
  const found = await consumer.listOffsets({
    topics: [topic],
    partitions: { [topic]: [partition] },
    timestamp
  })
  return found.get(topic)[partition]
}

function recordsOf(response, partition) {
  return (response.records ?? []).flatMap((batch) =>
    batch.records.map((record) => ({
      partition,
      offset: Number(batch.firstOffset) + record.offsetDelta,
      timestamp: Number(batch.firstTimestamp + record.timestampDelta),
      key: encode(record.key),
      value: encode(record.value),
      headers: record.headers.map(([name, value]) => [name.toString(), encode(value)])
    }))
  )
}

await serve({
  hello: () => ({ version: version('@platformatic/kafka') }),
  create: ({ topic, partitions }) =>
    admin.createTopics({ topics: [topic], partitions, replicas: 1 }),
  list: async () => ({ topics: await admin.listTopics() }),
  describe,
  delete: ({ topic }) => admin.deleteTopics({ topics: [topic] }),
  produce,
  consume
})
