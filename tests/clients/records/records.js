// Reads the list of records that records.py prints, and compares what was read back.

const assert = require('node:assert/strict')
const { readFileSync } = require('node:fs')

const decode = part => (part === null ? null : Buffer.from(part, 'base64'))

// Of $SCRATCH/records.json: key, value and the values of headers are buffers or null, timestamp is in ms.
function allRecords() {
  const lines = readFileSync(`${process.env.SCRATCH}/records.json`, 'utf8').trimEnd().split('\n')
  return lines.map(JSON.parse).map(({ key, value, headers, timestamp_ms: timestamp }) => ({
    key: decode(key),
    value: decode(value),
    headers: headers.map(([name, part]) => [name, decode(part)]),
    timestamp
  }))
}

// Both clients make one batch of what one call sends, and a batch has a limit of a megabyte.
function batches(records) {
  const all = [[]]
  let size = 0
  for (const record of records) {
    size += record.value?.length ?? 0
    if (size > 950_000) {
      all.push([])
      size = record.value.length
    }
    all.at(-1).push(record)
  }
  return all
}

function expect(found, wanted, what) {
  assert.equal(found.length, wanted.length, `${what}: the number of records`)
  for (const [n, record] of found.entries()) {
    for (const part of Object.keys(wanted[n])) {
      assert.deepEqual(record[part], wanted[n][part], `${what}: ${part} of record ${n}`)
    }
  }
}

// Kafka answers when a change is durable, and the broker shows it a moment later.
async function eventually(holds, what, patienceMs = 10_000) {
  for (const deadline = Date.now() + patienceMs; !(await holds());) {
    assert(Date.now() < deadline, what)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

// Runs a client's program to its end: a failure ends the process at once.
function run(name, program) {
  program(process.env.BOOTSTRAP).then(
    () => {
      console.log(`${name}: all records read back`)
      process.exit(0)
    },
    error => {
      console.error(error)
      process.exit(1)
    }
  )
}

module.exports = { allRecords, batches, eventually, expect, run }
