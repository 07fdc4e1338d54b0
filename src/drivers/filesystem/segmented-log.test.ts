import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { SegmentedLog } from './segmented-log.ts'

const START = { segment: 0, offset: 0 }

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'headworks-log-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const texts = (log: SegmentedLog, from = START): string[] => [...log.after(from)].map(({ bytes }) => bytes.toString())

test('what was appended is read again after a position, over an end and a new start', (t) => {
  const folder = folderFor(t)
  const first = SegmentedLog.open(folder, START)
  const [a] = first.append([Buffer.from('a'), Buffer.from('b')])
  first.close()
  const again = SegmentedLog.open(folder, START)
  again.append([Buffer.from('c')])
  assert.deepEqual(texts(again), ['a', 'b', 'c'])
  assert.deepEqual(texts(again, a), ['b', 'c'])
  again.close()
})

test('wherever the last write was torn, what came before it stays and what comes next follows', (t) => {
  const whole = Buffer.from('whole')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(40), (garbage, cut) => {
      const folder = folderFor(t)
      const log = SegmentedLog.open(folder, START)
      log.append([whole])
      const { length } = readFileSync(join(folder, readdirSync(folder)[0] ?? ''))
      log.append([Buffer.alloc(20, 7)])
      log.close()
      const path = join(folder, readdirSync(folder)[0] ?? '')
      const bytes = readFileSync(path)
      // Cut within the second record, and strewn with what a disk may leave.
      writeFileSync(path, bytes.subarray(0, Math.max(length, bytes.length - 1 - (cut % 27))))
      appendFileSync(path, garbage)
      const again = SegmentedLog.open(folder, START)
      again.append([Buffer.from('next')])
      assert.deepEqual([texts(again).at(0), texts(again).at(-1)], ['whole', 'next'])
      again.close()
    }),
    { numRuns: 40 },
  )
})

test('a log that is behind what its reader has seen begins after it', (t) => {
  const folder = folderFor(t)
  const log = SegmentedLog.open(folder, { segment: 4, offset: 100 })
  const [position] = log.append([Buffer.from('new')])
  assert.ok((position?.segment ?? 0) > 4)
  assert.deepEqual(texts(log, { segment: 4, offset: 100 }), ['new'])
  log.close()
})

test('segments that lie wholly before a position are dropped, the last one never', (t) => {
  const folder = folderFor(t)
  const log = SegmentedLog.open(folder, START)
  const large = Buffer.alloc(33 * 1024 * 1024, 1)
  log.append([large])
  const [position] = log.append([Buffer.from('x')])
  assert.equal(readdirSync(folder).length, 2)
  log.drop(position ?? START)
  assert.equal(readdirSync(folder).length, 1)
  log.drop({ segment: 99, offset: 0 })
  assert.deepEqual(texts(log), ['x'])
  log.close()
})
