import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ManualClock } from '../../tests/kit/clock.ts'
import { fault, Refusal } from '../base/errors.ts'
import { seededRandom } from '../base/random.ts'
import { MemoryBlobs } from '../drivers/memory/blobs.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import { unbound } from '../guard/bindings.ts'
import { SCAN_MAX } from '../store/rows.ts'
import { type FileRow, FILES, HOLDINGS, type Purpose } from './file.ts'
import { Files } from './files.ts'
import { ownerOf } from './owner.ts'

const OWNER = 'key_1'

async function open({ ownerBytesMax = 2 ** 40 } = {}) {
  const clock = new ManualClock()
  const [rows, blobs] = [new MemoryRows(), new MemoryBlobs()]
  const dependencies = { clock, random: seededRandom(3), rows, blobs, ownerBytesMax: () => ownerBytesMax }
  const files = await Files.open(dependencies)
  const write = (
    bytes: Uint8Array,
    purpose: Purpose = 'user_data',
    expiresAfterS?: number,
  ): Promise<FileRow | Refusal> =>
    files.write({ owner: OWNER, name: 'a.txt', mediaType: 'text/plain' }, piecesOf(bytes), async () => ({
      purpose,
      ...(expiresAfterS === undefined ? {} : { expiresAfterS }),
    }))
  const reopen = (): Promise<Files> => Files.open(dependencies)
  return { clock, rows, blobs, files, write, reopen }
}

async function* piecesOf(bytes: Uint8Array, size = 1_000_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const whole = async (pieces: AsyncIterable<Uint8Array>): Promise<Buffer> => Buffer.concat(await Array.fromAsync(pieces))

function made(written: FileRow | Refusal): FileRow {
  assert.ok(!(written instanceof Refusal), written instanceof Refusal ? written.code : '')
  return written
}

test('a file of several parts comes back byte for byte, from wherever it is read', async () => {
  const { files, write, blobs } = await open()
  const bytes = Buffer.from(Uint32Array.from({ length: 5_000_000 }, (_, at) => at).buffer)
  const file = made(await write(bytes))
  assert.equal(file.bytes, bytes.length)
  assert.ok((await blobs.list('files/')).length > 2)
  assert.ok(bytes.equals(await whole(files.read(file))))
  for (const offset of [1, 8 * 2 ** 20 - 1, 8 * 2 ** 20, 8 * 2 ** 20 + 1, bytes.length - 1, bytes.length])
    assert.ok(bytes.subarray(offset).equals(await whole(files.read(file, offset))), String(offset))
})

test('it is there for its owner alone, and gone with its bytes once removed', async () => {
  const { files, write, blobs, rows } = await open()
  const { id } = made(await write(Buffer.from('hello')))
  assert.equal((await files.find(OWNER, id))?.name, 'a.txt')
  assert.equal(await files.find('key_2', id), undefined)
  assert.equal(await files.remove('key_2', id), false)
  assert.equal(await files.remove(OWNER, id), true)
  assert.equal(await files.remove(OWNER, id), false)
  assert.equal(await files.find(OWNER, id), undefined)
  assert.deepEqual(await blobs.list(''), [])
  assert.deepEqual((await rows.get(HOLDINGS, [OWNER]))?.row, { files: 0, bytes: 0 })
})

test('what breaks off leaves nothing, at once or after the next start', async () => {
  const { files, blobs, rows, reopen } = await open()
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(9 * 2 ** 20)
    throw fault('body_timeout', { limitMs: 1 })
  }
  const writing = files.write({ owner: OWNER, name: 'a', mediaType: '' }, broken(), async () => ({ purpose: 'batch' }))
  await assert.rejects(writing, { code: 'body_timeout' })
  assert.deepEqual(await blobs.list(''), [])
  // A crash in the middle: the row and a part are all there is.
  const stuck = async function* (): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(9 * 2 ** 20)
    await new Promise(() => {})
  }
  void files.write({ owner: OWNER, name: 'a', mediaType: '' }, stuck(), async () => ({ purpose: 'batch' }))
  while ((await blobs.list('')).length === 0) await new Promise(setImmediate)
  await reopen()
  assert.deepEqual(await blobs.list(''), [])
  assert.deepEqual(await rows.scan(FILES, { limit: SCAN_MAX }), [])
})

test('an empty file, one too large for its purpose and one too many are refused and leave nothing', async () => {
  const { write, blobs } = await open({ ownerBytesMax: 1000 })
  const codeOf = async (written: Promise<FileRow | Refusal>): Promise<string> => {
    const refused = await written
    assert.ok(refused instanceof Refusal)
    return refused.code
  }
  assert.equal(await codeOf(write(new Uint8Array())), 'field_invalid')
  const large = new Uint8Array(200 * 2 ** 20 + 1)
  assert.equal(await codeOf(write(large, 'batch')), 'file_too_large')
  assert.deepEqual(await blobs.list(''), [])
  made(await write(new Uint8Array(600), 'assistants'))
  assert.equal(await codeOf(write(new Uint8Array(600), 'assistants')), 'files_full')
  made(await write(new Uint8Array(600), 'batch_output'))
})

test('what has expired is not there any more, and is swept', async () => {
  const { files, write, clock, blobs } = await open()
  const passing = made(await write(Buffer.from('a'), 'user_data', 3600))
  const staying = made(await write(Buffer.from('b')))
  clock.advance(3_599_999)
  await files.sweep()
  assert.ok(await files.find(OWNER, passing.id))
  clock.advance(1)
  assert.equal(await files.find(OWNER, passing.id), undefined)
  await files.sweep()
  assert.deepEqual(
    (await blobs.list('')).map(({ name }) => name.split('/')[1]),
    [staying.id],
  )
})

test('the holdings of an owner are what its files are, however they come and go', async () => {
  const step = fc.oneof(fc.record({ write: fc.nat({ max: 50 }) }), fc.record({ remove: fc.nat({ max: 5 }) }))
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const { files, write, rows } = await open()
      const known: FileRow[] = []
      await Promise.all(
        steps.map(async (one) => {
          if ('write' in one) known.push(made(await write(new Uint8Array(one.write + 1))))
          else {
            const [file] = known.splice(one.remove, 1)
            if (file !== undefined) assert.equal(await files.remove(OWNER, file.id), true)
          }
        }),
      )
      const sum = { files: known.length, bytes: known.reduce((total, { bytes }) => total + bytes, 0) }
      assert.deepEqual((await rows.get(HOLDINGS, [OWNER]))?.row ?? { files: 0, bytes: 0 }, sum)
    }),
    { numRuns: 30 },
  )
})

test('keys bound to the same names share, others and unbound ones do not', () => {
  const of = (id: string, more: object = {}): string =>
    ownerOf({ id, name: id, role: 'user', bindings: { ...unbound('user'), ...more } })
  assert.notEqual(of('key_1'), of('key_2'))
  assert.equal(of('key_1', { team: 'web' }), of('key_2', { team: 'web' }))
  assert.notEqual(of('key_1', { team: 'web' }), of('key_1', { tenant: 'web' }))
  assert.notEqual(of('key_1', { team: 'web', user: 'ann' }), of('key_1', { team: 'web' }))
})
