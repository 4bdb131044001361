// What a group is asked to do, for clients in JavaScript. A member has `owned`, the set of partitions that
// are its own now; `read`, what it was given, with partition and offset; and `leave`.

const assert = require('node:assert/strict')
const { eventually, expect } = require('./records')

const topic = 'grouped'
const partitions = [0, 1, 2]
const patienceMs = 30_000

// `produce` writes records to a partition of the topic; `all` are the records that each writing writes.
class Story {
  constructor(produce, all) {
    Object.assign(this, { produce, all, written: partitions.map(() => []) })
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
      expect(found, wanted, `${what}: partition ${partition}`)
      for (const [n, { offset }] of found.entries()) {
        assert.equal(Number(offset), n, `${what}: an offset of partition ${partition}`)
      }
    }
    assert(second.read.length > 0 && third.read.length > 0, `${what}: a member was given nothing`)
  }
}

// Each has a part, and both have all.
function isShared(one, other) {
  return one.size > 0 && other.size > 0 && isEqual([...one, ...other].toSorted(), partitions)
}

function isEqual(one, other) {
  return JSON.stringify(one) === JSON.stringify(other)
}

module.exports = { Story, isShared, partitions, patienceMs, topic }
