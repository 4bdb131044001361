// What a group is asked to do, for clients in JavaScript. A member has `owned`, the set of partitions that
// are its own now; `read`, what it was given, with partition and offset; and `leave`.

const assert = require('node:assert/strict')
const { setTimeout } = require('node:timers/promises')
const { eventually, expect } = require('./records')

const topic = 'grouped'
const partitions = [0, 1, 2]
const patienceMs = 30_000

// `produce` writes records to a partition of the topic; `all` are the records that each writing writes. A
// client that delivers what it has asked for before it lost a partition gets time for that in between.
class Story {
  constructor(produce, all, settleMs = 0) {
    Object.assign(this, { produce, all, settleMs, written: partitions.map(() => []) })
  }

  async write() {
    for (const partition of partitions) {
      const here = this.all.filter((_, n) => n % partitions.length === partition)
      await this.produce(partition, here)
      this.written[partition].push(...here)
    }
  }

  ends() {
    return this.written.map(({ length }) => length)
  }

  // The members of one new group read everything, each record once, while they come and go. `committed` gives
  // the group's offset in each partition.
  async check(what, { join, committed, whileShared }) {
    const members = []
    const joined = async () => {
      members.push(await join())
      return members.at(-1)
    }
    const readOn = async () => {
      await setTimeout(this.settleMs)
      await this.write()
      const isCommitted = async () => isEqual(await committed(), this.ends())
      await eventually(isCommitted, `${what}: everything is committed`, patienceMs)
    }
    const ownsAll = member =>
      eventually(() => isEqual([...member.owned].toSorted(), partitions), `${what}: one owns all`, patienceMs)

    const first = await joined()
    await ownsAll(first)
    await readOn()
    const second = await joined()
    await eventually(() => isShared(first.owned, second.owned), `${what}: two share`, patienceMs)
    await readOn()
    await whileShared()
    await second.leave()
    await ownsAll(first)
    await readOn()
    await first.leave()
    // Commits outlive the members.
    const third = await joined()
    await readOn()
    await third.leave()

    for (const partition of partitions) {
      const found = members.flatMap(({ read }) => read).filter(record => record.partition === partition)
      found.sort((a, b) => Number(a.offset) - Number(b.offset))
      const wanted = this.written[partition]
      const told = members.map(({ read }) => runs(read.filter(record => record.partition === partition)))
      assert.equal(found.length, wanted.length, `${what}: partition ${partition}, read by each: ${told.join('; ')}`)
      expect(found, wanted, `${what}: partition ${partition}`)
      for (const [n, { offset }] of found.entries()) {
        assert.equal(Number(offset), n, `${what}: an offset of partition ${partition}`)
      }
    }
    assert(second.read.length > 0 && third.read.length > 0, `${what}: a member was given nothing`)
  }
}

// Which offsets were read one after another.
function runs(read) {
  const all = []
  for (const offset of read.map(({ offset }) => Number(offset))) {
    if (all.at(-1)?.[1] === offset - 1) all.at(-1)[1] = offset
    else all.push([offset, offset])
  }
  return all.map(([first, last]) => `${first}-${last}`).join(' ')
}

// Each has a part, and both have all.
function isShared(one, other) {
  return one.size > 0 && other.size > 0 && isEqual([...one, ...other].toSorted(), partitions)
}

function isEqual(one, other) {
  return JSON.stringify(one) === JSON.stringify(other)
}

module.exports = { Story, isShared, partitions, patienceMs, topic }
