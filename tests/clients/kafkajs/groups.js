// Reads in a group: each record once while members come and go; on from where a group stopped; what
// administrators see of a group, change and delete.

const assert = require('node:assert/strict')
const { AssignerProtocol, Partitioners } = require('kafkajs')

const { batches, eventually } = require('../records/records')
const { Story, isShared, partitions, patienceMs, topic } = require('../records/story')

const groupId = 'readers'
const strategy = 'RoundRobinAssigner'
// What a member commits beside an offset.
const metadata = 'as far as this, с приветом'

async function checkGroups(kafka, admin, all, compression) {
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions.length }] })
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const produce = async (partition, records) => {
    for (const batch of batches(records)) {
      await producer.send({ topic, messages: batch.map(message => ({ ...message, partition })), compression })
    }
  }
  const story = new Story(produce, all)
  const offsets = () => listOffsets(admin)
  await story.check('round robin', {
    join: () => join(kafka),
    committed: async () => (await offsets()).map(([offset]) => offset),
    whileShared: () => checkShared(admin)
  })
  await producer.disconnect()
  await checkEmpty(kafka, admin, story.ends())
}

// A consumer that commits each batch that it is given.
async function join(kafka) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 500, maxWaitTimeInMs: 100 })
  const member = { owned: new Set(), read: [], leave: () => consumer.disconnect() }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    member.owned = new Set(payload.memberAssignment[topic])
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    throw payload.error
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      const { partition, messages } = batch
      member.read.push(...messages.map(message => ({ ...message, partition })))
      const offset = String(Number(batch.lastOffset()) + 1)
      await consumer.commitOffsets([{ topic, partition, offset, metadata }])
    }
  })
  return member
}

// What administrators see of two members, and may not do to them.
async function checkShared(admin) {
  await eventually(async () => (await describe(admin)).state === 'Stable', 'stable')
  const { protocol, protocolType, members } = await describe(admin)
  assert.deepEqual([protocolType, protocol, members.length], ['consumer', strategy, 2])
  const shares = members.map(({ memberAssignment }) => {
    const { assignment } = AssignerProtocol.MemberAssignment.decode(memberAssignment)
    return new Set(assignment[topic])
  })
  assert(isShared(...shares), 'shares')
  for (const { clientId, clientHost } of members) assert.deepEqual([clientId, clientHost], ['kafkajs', '/127.0.0.1'])
  const { groups } = await admin.listGroups()
  assert.deepEqual(groups.find(group => group.groupId === groupId), { groupId, protocolType: 'consumer' })
  await expectRefusal(admin, 'NON_EMPTY_GROUP')
  await assert.rejects(admin.resetOffsets({ groupId, topic }), /must have no running instances/)
}

// What a group leaves, and how it ends.
async function checkEmpty(kafka, admin, ends) {
  await eventually(async () => (await describe(admin)).state === 'Empty', 'empty')
  assert.deepEqual((await describe(admin)).members, [])
  assert.deepEqual(await listOffsets(admin), ends.map(end => [end, metadata]))
  // This client joins the group for that.
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 1, offset: '3' }] })
  await eventually(async () => (await listOffsets(admin))[1][0] === 3, 'an offset that was set')
  await eventually(async () => (await describe(admin)).state === 'Empty', 'empty again')
  const member = await join(kafka)
  await eventually(() => member.read.length === ends[1] - 3, 'from 3', patienceMs)
  await member.leave()

  assert.deepEqual(await admin.deleteGroups([groupId]), [{ groupId, errorCode: 0 }])
  const { groups } = await admin.listGroups()
  assert(!groups.some(group => group.groupId === groupId), 'still listed')
  assert.deepEqual(await listOffsets(admin), partitions.map(() => [-1, null]))
  await expectRefusal(admin, 'GROUP_ID_NOT_FOUND')
}

function expectRefusal(admin, code) {
  return assert.rejects(admin.deleteGroups([groupId]), ({ groups }) => groups[0].error.type === code)
}

async function describe(admin) {
  const { groups } = await admin.describeGroups([groupId])
  return groups[0]
}

// Offset and metadata of each partition.
async function listOffsets(admin) {
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
  const inOrder = found.partitions.toSorted((a, b) => a.partition - b.partition)
  return inOrder.map(place => [Number(place.offset), place.metadata])
}

module.exports = { checkGroups }
