// Creates, configures, grows and deletes a topic; writes to it with every codec, with and without
// idempotence, and reads everything back; finds the next topic of its name empty; reads in groups.

const assert = require('node:assert/strict')
const { Admin, Consumer, Producer } = require('@platformatic/kafka')
const { ConfigResourceTypes, FetchIsolationLevels, IncrementalAlterConfigOperationTypes } = require('@platformatic/kafka')

const { allRecords, batches, eventually, expect, run } = require('../records/records')
const { checkGroups } = require('./groups')

const topic = 'administered'
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const END = -1n

run('@platformatic/kafka', async bootstrap => {
  const settings = { clientId: 'client', bootstrapBrokers: [bootstrap] }
  const admin = new Admin(settings)

  await create(admin, 2, [{ name: 'segment.bytes', value: '1048576' }])
  await expectError(admin.createTopics({ topics: [topic], partitions: 2, replicas: 1 }), 'TOPIC_ALREADY_EXISTS')
  await checkConfigs(admin)
  await admin.createPartitions({ topics: [{ name: topic, count: 3 }] })
  await eventually(async () => (await partitions(admin)) === 3, 'a third partition')
  await expectError(admin.createPartitions({ topics: [{ name: topic, count: 1 }] }), 'INVALID_PARTITIONS')

  await checkEveryCodec(settings, admin)

  const [broker] = await admin.describeLogDirs({ topics: [{ name: topic, partitions: [0, 1, 2] }] })
  const logs = broker.results.flatMap(({ topics }) => topics).flatMap(({ partitions }) => partitions)
  assert.equal(logs.filter(({ partitionSize }) => partitionSize > 0n).length, 3, 'partitions in log directories')

  await admin.deleteTopics({ topics: [topic] })
  await eventually(async () => !(await admin.listTopics()).includes(topic), 'still listed')
  await expectError(admin.deleteTopics({ topics: [topic] }), 'UNKNOWN_TOPIC_OR_PARTITION')
  await create(admin, 3, [])
  for (const partition of [0, 1, 2]) {
    assert.equal(await offset(admin, partition, END), 0n, 'a new topic has old records')
  }
  await expectConfig(admin, 'segment.bytes', '1073741824')
  await admin.deleteTopics({ topics: [topic] })
  await checkGroups(settings, admin, allKinds(), asMessage)
  await admin.close()
})

async function create(admin, count, configs) {
  await admin.createTopics({ topics: [topic], partitions: count, replicas: 1, configs })
  await eventually(async () => (await admin.listTopics()).includes(topic), 'a new topic')
  await eventually(async () => (await partitions(admin)) === count, 'the partitions of a new topic')
}

async function partitions(admin) {
  const metadata = await admin.metadata({ topics: [topic], forceUpdate: true })
  return metadata.topics.get(topic).partitionsCount
}

async function checkConfigs(admin) {
  const { SET, DELETE, APPEND } = IncrementalAlterConfigOperationTypes
  const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: topic }
  const alter = configs => admin.incrementalAlterConfigs({ resources: [{ ...resource, configs }] })
  await expectConfig(admin, 'segment.bytes', '1048576')
  await alter([
    { name: 'retention.ms', configOperation: SET, value: '86400000' },
    { name: 'cleanup.policy', configOperation: APPEND, value: 'compact' }
  ])
  await expectConfig(admin, 'retention.ms', '86400000')
  await expectConfig(admin, 'cleanup.policy', 'delete,compact')
  await alter([{ name: 'cleanup.policy', configOperation: DELETE }])
  await expectConfig(admin, 'cleanup.policy', 'delete')
  await expectError(alter([{ name: 'retention.ms', configOperation: SET, value: 'soon' }]), 'INVALID_CONFIG')
  // The older call, which sets what it names, and resets everything else.
  await admin.alterConfigs({ resources: [{ ...resource, configs: [{ name: 'segment.bytes', value: '1048576' }] }] })
  await expectConfig(admin, 'retention.ms', '604800000')
}

async function expectConfig(admin, key, value) {
  const found = async () => {
    const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configurationKeys: [key] }
    const [described] = await admin.describeConfigs({ resources: [resource], includeSynonyms: true })
    return described.configs[0].value
  }
  await eventually(async () => (await found()) === value, `${key}=${value}`)
}

async function checkEveryCodec(settings, admin) {
  const all = allKinds()
  const written = [[], [], []]
  const topicId = (await admin.metadata({ topics: [topic] })).topics.get(topic).id
  const consumer = new Consumer({ ...settings, groupId: 'unused' })
  consumer.topics.track(topic)
  for (const [number, compression] of codecs.entries()) {
    for (const idempotent of [false, true]) {
      const what = `${compression}, idempotence ${idempotent}`
      const partition = number % 3
      const producer = new Producer({ ...settings, compression, idempotent, acks: -1 })
      for (const batch of batches(all)) {
        await producer.send({ messages: batch.map(record => asMessage(record, partition)) })
      }
      await producer.close()
      const here = written[partition]
      here.push(...all)
      expect(await consume(consumer, topicId, partition, 0, here.length), here, what)
      const middle = here.length - 500
      const found = await consume(consumer, topicId, partition, middle, 500)
      expect(found, here.slice(middle), `${what}, from the middle`)
      assert.equal(await offset(admin, partition, END), BigInt(here.length), what)
    }
  }
  assert.equal(await offset(admin, 0, all[12].timestamp), 12n, 'the offset of a timestamp')
  await consumer.close()
}

function allKinds() {
  return allRecords().map(record => ({ ...record, timestamp: BigInt(record.timestamp) }))
}

// This client's streams want a group; its fetch takes a partition.
async function consume(consumer, topicId, partition, start, count) {
  const found = []
  while (found.length < count) {
    const next = BigInt(start + found.length)
    const place = { partition, fetchOffset: next, currentLeaderEpoch: -1, lastFetchedEpoch: -1, partitionMaxBytes: 10 << 20 }
    const answer = await consumer.fetch({
      node: 1,
      isolationLevel: FetchIsolationLevels.READ_COMMITTED,
      maxWaitTime: 1000,
      topics: [{ topicId, partitions: [place] }]
    })
    for (const batch of answer.responses.flatMap(({ partitions }) => partitions[0].records ?? [])) {
      for (const record of batch.records) {
        // A batch comes whole.
        if (batch.firstOffset + BigInt(record.offsetDelta) >= next) {
          found.push(asRecord(record, batch))
        }
      }
    }
  }
  return found
}

async function offset(admin, partitionIndex, timestamp) {
  const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions: [{ partitionIndex, timestamp }] }] })
  return listed.partitions[0].offset
}

function asMessage({ headers, ...content }, partition) {
  return { ...content, topic, partition, headers: new Map(headers.map(([name, value]) => [Buffer.from(name), value])) }
}

function asRecord({ key, value, headers, timestampDelta }, { firstTimestamp }) {
  const named = headers.map(([name, part]) => [name.toString(), part])
  return { key, value, headers: named, timestamp: firstTimestamp + timestampDelta }
}

function expectError(promise, code) {
  return assert.rejects(promise, error => error.findBy('apiId', code) !== null)
}
