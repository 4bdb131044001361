// Creates, configures, grows and deletes a topic; writes to it with every codec, with and without
// idempotence, and reads everything back; finds the next topic of its name empty; reads in a group.

const assert = require('node:assert/strict')
const { promisify } = require('node:util')
const zlib = require('node:zlib')
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, Partitioners, logLevel } = require('kafkajs')
const lz4 = require('lz4-napi')

const { allRecords, batches, eventually, expect, run } = require('../records/records')
const { checkGroups } = require('./groups')

const topic = 'administered'

// The client brings gzip; the others are given to it.
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer)
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: encoder => promisify(zlib.zstdCompress)(encoder.buffer),
  decompress: buffer => promisify(zlib.zstdDecompress)(buffer)
})

run('kafkajs', async bootstrap => {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()

  await create(admin, 2, [{ name: 'segment.bytes', value: '1048576' }])
  assert.equal(await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] }), false, 'created twice')
  await checkConfigs(admin)
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
  await eventually(async () => (await partitions(admin)) === 3, 'a third partition')
  const fewer = admin.createPartitions({ topicPartitions: [{ topic, count: 1 }] })
  await assert.rejects(fewer, error => error.type === 'INVALID_PARTITIONS')

  await checkEveryCodec(kafka, admin, bootstrap)

  await admin.deleteTopics({ topics: [topic] })
  await eventually(async () => (await partitions(admin)) === 0, 'still listed')
  const again = admin.deleteTopics({ topics: [topic] })
  // It tries this several times.
  await assert.rejects(again, /does not host this topic-partition/)
  await create(admin, 3, [])
  assert.deepEqual(await ends(admin), ['0', '0', '0'], 'a new topic has old records')
  await expectConfig(admin, 'segment.bytes', '1073741824')
  await admin.deleteTopics({ topics: [topic] })
  const all = allRecords().filter(canBeSent).map(asMessage)
  await checkGroups(kafka, admin, all, CompressionTypes.LZ4)
  await admin.disconnect()
})

async function create(admin, numPartitions, configEntries) {
  assert(await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }] }), 'not created')
  await eventually(async () => (await partitions(admin)) === numPartitions, 'a new topic')
}

async function partitions(admin) {
  const { topics } = await admin.fetchTopicMetadata()
  return topics.find(({ name }) => name === topic)?.partitions.length ?? 0
}

// This client knows only the older call, which sets what it names, and resets everything else.
async function checkConfigs(admin) {
  const alter = configEntries =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }]
    })
  await expectConfig(admin, 'segment.bytes', '1048576')
  await alter([
    { name: 'retention.ms', value: '86400000' },
    { name: 'cleanup.policy', value: 'delete,compact' }
  ])
  await expectConfig(admin, 'retention.ms', '86400000')
  await expectConfig(admin, 'cleanup.policy', 'delete,compact')
  await expectConfig(admin, 'segment.bytes', '1073741824')
  await alter([{ name: 'segment.bytes', value: '1048576' }])
  await expectConfig(admin, 'retention.ms', '604800000')
  const unknown = alter([{ name: 'no.such.key', value: '1' }])
  await assert.rejects(unknown, error => error.type === 'INVALID_CONFIG')
}

async function expectConfig(admin, key, value) {
  const found = async () => {
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: [key] }]
    const answer = await admin.describeConfigs({ includeSynonyms: true, resources })
    return answer.resources[0].configEntries[0].configValue
  }
  await eventually(async () => (await found()) === value, `${key}=${value}`)
}

async function checkEveryCodec(kafka, admin, bootstrap) {
  const all = allRecords().filter(canBeSent).map(asMessage)
  const written = [[], [], []]
  const broker = await connectBroker(kafka)
  for (const [number, [name, compression]] of Object.entries(CompressionTypes).entries()) {
    for (const idempotent of [false, true]) {
      const what = `${name}, idempotence ${idempotent}`
      const partition = number % 3
      const producer = kafka.producer({ idempotent, createPartitioner: Partitioners.DefaultPartitioner })
      await producer.connect()
      for (const batch of batches(all)) {
        const messages = batch.map(message => ({ ...message, partition }))
        await producer.send({ topic, messages, compression, acks: -1 })
      }
      await producer.disconnect()
      const here = written[partition]
      here.push(...all)
      expect(await consume(broker, partition, 0, here.length), here, what)
      const middle = here.length - 500
      expect(await consume(broker, partition, middle, 500), here.slice(middle), `${what}, from the middle`)
      assert.equal((await ends(admin))[partition], String(here.length), what)
    }
  }
  const [found] = await admin.fetchTopicOffsetsByTimestamp(topic, Number(all[12].timestamp))
  assert.equal(found.offset, '12', 'the offset of a timestamp')
  await broker.disconnect()
}

// This client's consumer wants a group. Below it, a broker answers for a partition.
async function connectBroker(kafka) {
  const createCluster = Object.getOwnPropertySymbols(kafka).find(symbol =>
    symbol.description.endsWith(':createCluster')
  )
  const cluster = kafka[createCluster]({ allowAutoTopicCreation: false })
  await cluster.connect()
  await cluster.refreshMetadata()
  return cluster.findBroker({ nodeId: '1' })
}

async function consume(broker, partition, offset, count) {
  const found = []
  while (found.length < count) {
    const fetchOffset = String(offset + found.length)
    const topics = [{ topic, partitions: [{ partition, fetchOffset, maxBytes: 10 << 20 }] }]
    const answer = await broker.fetch({ replicaId: -1, isolationLevel: 1, topics })
    const { messages } = answer.responses[0].partitions[0]
    // A batch comes whole.
    const asked = messages.filter(message => BigInt(message.offset) >= BigInt(fetchOffset))
    for (const message of asked) {
      assert.equal(message.offset, String(offset + found.length), 'offset')
      found.push(message)
    }
  }
  return found
}

async function ends(admin) {
  const offsets = await admin.fetchTopicOffsets(topic)
  return offsets.toSorted((a, b) => a.partition - b.partition).map(({ high }) => high)
}

// This client has no null in a header, and groups headers by name.
function canBeSent({ headers }) {
  return headers.every(([name, value]) => value !== null && name !== 'other')
}

function asMessage({ headers, timestamp, ...content }) {
  const byName = {}
  for (const [name, value] of headers) {
    byName[name] = name in byName ? [byName[name], value].flat() : value
  }
  return { ...content, headers: byName, timestamp: String(timestamp) }
}
