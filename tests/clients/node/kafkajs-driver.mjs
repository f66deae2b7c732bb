// The KafkaJS driver of the client matrix. Codecs other than gzip are plugged in, as its
// documentation says.
import { compress, decompress, init } from '@bokuweb/zstd-wasm'
import { lz4Compress, lz4Decompress } from '@platformatic/wasm-utils'
import kafkajs from 'kafkajs'
import snappy from 'kafkajs-snappy'
import { decode, offsets, producerKey, serve, version } from './protocol.mjs'

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs
const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD
}

await init()
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async ({ buffer }) => lz4Compress(buffer),
  decompress: async (data) => lz4Decompress(data)
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async ({ buffer }) => Buffer.from(compress(buffer)),
  decompress: async (data) => Buffer.from(decompress(data))
})

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
const kafka = new Kafka({
  brokers: [process.argv[2]],
  logLevel: logLevel.ERROR,
  logCreator: () => (entry) => console.error(entry.log.message)
})
const admin = kafka.admin()
await admin.connect()
const producers = new Map()

async function create({ topic, partitions }) {
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }] })
}

async function describe({ topic }) {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  const { brokers } = await admin.describeCluster()
  return {
    brokers: brokers.map((broker) => broker.nodeId),
    partitions: topics[0].partitions.map(({ partitionId, leader }) => ({
      partition: partitionId,
      leader
    }))
  }
}

async function produce(request) {
  const producer = producers.get(producerKey(request)) ?? (await newProducer(request))
  const results = await producer.send({
    topic: request.topic,
    acks: { 0: 0, 1: 1, all: -1 }[request.acks],
    compression: CODECS[request.codec],
    messages: request.records.map((record) => ({
      partition: record.partition,
      timestamp: String(record.timestamp),
      key: decode(record.key),
      value: decode(record.value),
      headers: headersOf(record)
    }))
  })
  const bases = results.map(({ partition, baseOffset }) => [partition, BigInt(baseOffset)])
  return { offsets: offsets(request.records, bases) }
}

async function newProducer(request) {
  const producer = kafka.producer({ idempotent: request.idempotent })
  await producer.connect()
  producers.set(producerKey(request), producer)
  return producer
}

// An object: the values of a repeated name are an array.
function headersOf({ headers }) {
  const result = {}
  for (const [name, value] of headers) (result[name] ??= []).push(decode(value))
  return result
}

await serve({
  hello: () => ({ version: version('kafkajs') }),
  create,
  list: async () => ({ topics: await admin.listTopics() }),
  describe,
  delete: ({ topic }) => admin.deleteTopics({ topics: [topic] }),
  produce
})
