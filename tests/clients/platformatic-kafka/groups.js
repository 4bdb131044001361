// Reads in groups, eagerly and cooperatively: each record once while members come and go; on from where a
// group stopped; members with names; what administrators see of a group, change and delete.

const assert = require('node:assert/strict')
const { Consumer, Producer } = require('@platformatic/kafka')

const { batches, eventually } = require('../records/records')
const { Story, isShared, partitions, patienceMs, topic } = require('../records/story')

const maxWaitTime = 100
const strategies = ['roundrobin', 'cooperative-sticky']

async function checkGroups(settings, admin, all, asMessage) {
  await admin.createTopics({ topics: [topic], partitions: partitions.length, replicas: 1 })
  await eventually(async () => (await admin.listTopics()).includes(topic), 'a new topic')
  const producer = new Producer({ ...settings, compression: 'lz4', acks: -1 })
  const produce = async (partition, records) => {
    for (const batch of batches(records)) {
      await producer.send({ messages: batch.map(record => ({ ...asMessage(record, partition), topic })) })
    }
  }
  const story = new Story(produce, all, 10 * maxWaitTime)
  for (const strategy of strategies) {
    const groupId = `readers-${strategy}`
    const joinThis = () => join(settings, groupId, strategy)
    await story.check(strategy, {
      join: joinThis,
      committed: () => listOffsets(admin, groupId),
      whileShared: () => checkShared(admin, groupId, strategy)
    })
    await checkEmpty(admin, groupId, joinThis, story.ends())
  }
  await producer.close()
  await checkStatic(settings, admin)
}

// A consumer that commits each record that it is given.
async function join(settings, groupId, strategy, options = {}) {
  const consumer = new Consumer({
    ...settings,
    ...options,
    groupId,
    protocols: [{ name: strategy, version: 1 }],
    sessionTimeout: 6000,
    rebalanceTimeout: 6000,
    heartbeatInterval: 500,
    retries: 20,
    retryDelay: 200
  })
  const member = { owned: new Set(), read: [], failure: null }
  consumer.on('consumer:group:join', ({ assignments }) => {
    member.owned = new Set(assignments.find(one => one.topic === topic)?.partitions)
  })
  const how = { mode: 'committed', fallbackMode: 'earliest', autocommit: false, maxWaitTime }
  const stream = await consumer.consume({ topics: [topic], ...how })
  const fail = error => (member.failure ??= error)
  stream.on('error', fail)
  stream.on('data', message => {
    member.read.push(asRecord(message))
    message.commit().catch(fail)
  })
  member.leave = async () => {
    await stream.close()
    await consumer.close()
    assert.ifError(member.failure)
  }
  return member
}

// What administrators see of two members, and may not do to them.
async function checkShared(admin, groupId, strategy) {
  await eventually(async () => (await describe(admin, groupId)).state === 'Stable', 'stable')
  const { protocol, protocolType, members } = await describe(admin, groupId)
  assert.deepEqual([protocolType, protocol, members.size], ['consumer', strategy, 2])
  const shares = [...members.values()].map(({ assignments }) => new Set(assignments.get(topic).partitions))
  assert(isShared(...shares), 'shares')
  for (const { clientHost } of members.values()) assert.equal(clientHost, '/127.0.0.1')
  const stable = (await admin.listGroups({ states: ['Stable'], types: ['classic'] })).get(groupId)
  assert.deepEqual([stable.protocolType, stable.groupType], ['consumer', 'classic'])
  assert(!(await admin.listGroups({ states: ['Empty'] })).has(groupId), 'listed as empty')
  assert(!(await admin.listGroups({ types: ['consumer'] })).has(groupId), 'listed as of the other protocol')
  await expectError(admin.deleteGroups({ groups: [groupId] }), 'NON_EMPTY_GROUP')
  await expectError(setOffset(admin, groupId, 0, 1n), 'UNKNOWN_MEMBER_ID')
}

// What a group leaves, and how it ends.
async function checkEmpty(admin, groupId, join, ends) {
  await eventually(async () => (await describe(admin, groupId)).state === 'Empty', 'empty')
  assert.equal((await describe(admin, groupId)).members.size, 0)
  await setOffset(admin, groupId, 1, 3n)
  await admin.deleteConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionIndexes: [2] }] })
  assert.deepEqual(await listOffsets(admin, groupId), [ends[0], 3])
  const member = await join()
  await eventually(() => member.read.length === ends[1] - 3 + ends[2], 'from 3 of one, and all of another', patienceMs)
  await member.leave()

  await admin.deleteGroups({ groups: [groupId] })
  assert(!(await admin.listGroups()).has(groupId), 'still listed')
  assert.deepEqual(await listOffsets(admin, groupId), [])
  await expectError(admin.deleteGroups({ groups: [groupId] }), 'GROUP_ID_NOT_FOUND')
}

// Members with names. This client takes them out of the group when it closes, as it does others.
async function checkStatic(settings, admin) {
  const groupId = 'static'
  const named = groupInstanceId => join(settings, groupId, 'roundrobin', { groupInstanceId })
  const one = await named('one')
  const other = await named('other')
  await eventually(() => isShared(one.owned, other.owned), 'two with names share', patienceMs)
  await eventually(async () => (await describe(admin, groupId)).state === 'Stable', 'stable')
  const names = [...(await describe(admin, groupId)).members.values()].map(({ groupInstanceId }) => groupInstanceId)
  assert.deepEqual(names.toSorted(), ['one', 'other'])
  await one.leave()
  await eventually(() => other.owned.size === partitions.length, 'one owns all', patienceMs)
  await other.leave()
  await admin.deleteGroups({ groups: [groupId] })
}

async function describe(admin, groupId) {
  return (await admin.describeGroups({ groups: [groupId] })).get(groupId)
}

// Of each partition that has one.
async function listOffsets(admin, groupId) {
  const [{ topics }] = await admin.listConsumerGroupOffsets({ groups: [groupId] })
  const found = topics.flatMap(({ partitions }) => partitions).toSorted((a, b) => a.partitionIndex - b.partitionIndex)
  return found.map(({ committedOffset }) => Number(committedOffset))
}

function setOffset(admin, groupId, partition, offset) {
  return admin.alterConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionOffsets: [{ partition, offset }] }] })
}

// A stream tells null as undefined.
function asRecord({ key, value, headerEntries, timestamp, partition, offset }) {
  const headers = headerEntries.map(([name, part]) => [name.toString(), part ?? null])
  return { key: key ?? null, value: value ?? null, headers, timestamp, partition, offset }
}

function expectError(promise, code) {
  return assert.rejects(promise, error => error.findBy('apiId', code) !== null)
}

module.exports = { checkGroups }
