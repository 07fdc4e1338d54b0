import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import fc from 'fast-check'
import type { Blobs } from '../blobs.ts'
import { BLOB_BYTES_MAX } from '../bounds.ts'
import { rejects, StoppedClock, type Open, type Opened, type OpenDurable } from './opened.ts'

const RUNS = 15

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Names that would leave the folder, hide in it, or mean another file on some systems. */
const BAD_NAMES = [
  '',
  '.',
  '..',
  '../a',
  'a/../b',
  'a/..',
  '/a',
  '/etc/passwd',
  'a//b',
  'a/',
  '.hidden',
  'a/.hidden',
  'A',
  'a b',
  'a\\b',
  'c:a',
  'a\0b',
  'é',
  'a\n',
  '%2e%2e/a',
  'x'.repeat(257),
]

export function blobsContract(driver: string, open: Open<Blobs>): void {
  describe(`blobs: ${driver}`, () => {
    let opened: Opened<Blobs>
    beforeEach(async () => {
      opened = await open(new StoppedClock())
    })
    afterEach(() => opened.close())

    keeping(() => opened.port)
    listing(() => opened.port)
    refusing(() => opened.port)
  })
}

function keeping(blobs: () => Blobs): void {
  test('bytes come back as they were put, and as a copy', async () => {
    const every = Uint8Array.from({ length: 256 }, (_, at) => at)
    const large = new Uint8Array(3_000_000).fill(7)
    for (const [name, bytes] of [
      ['empty', new Uint8Array()],
      ['every', every],
      ['a/b/c-d_e.f', large],
      ['x'.repeat(200), every],
    ] as const) {
      await blobs().put(name, bytes)
      assert.deepEqual(Buffer.from((await blobs().get(name)) ?? []), Buffer.from(bytes))
    }
    every[0] = 99 // Allowed from when `put` resolved.
    const found = (await blobs().get('every')) ?? new Uint8Array(2)
    assert.equal(found[0], 0)
    found[1] = 99
    assert.equal((await blobs().get('every'))?.[1], 1)
  })

  test('a piece of a larger buffer is put alone', async () => {
    await blobs().put('piece', bytesOf('0123456789').subarray(3, 6))
    assert.deepEqual(Buffer.from((await blobs().get('piece')) ?? []), Buffer.from('345'))
  })

  test('putting again replaces; what is not there is undefined', async () => {
    assert.equal(await blobs().get('a'), undefined)
    assert.equal(await blobs().get('a/b'), undefined)
    await blobs().put('a', bytesOf('long ago'))
    await blobs().put('a', bytesOf('now'))
    assert.deepEqual(Buffer.from((await blobs().get('a')) ?? []), Buffer.from('now'))
  })

  test('of many puts to one name one stands, whole', async () => {
    const letters = [...'abcdefgh']
    await Promise.all(letters.map((letter) => blobs().put('raced/name', bytesOf(letter.repeat(50_000)))))
    const text = Buffer.from((await blobs().get('raced/name')) ?? []).toString()
    assert.ok(letters.some((letter) => text === letter.repeat(50_000)))
    assert.deepEqual(await blobs().list(''), [{ name: 'raced/name', bytes: 50_000 }])
  })

  test('removing says whether there was one', async () => {
    await blobs().put('a/b', bytesOf('x'))
    assert.equal(await blobs().remove('a'), false)
    assert.equal(await blobs().remove('a/b'), true)
    assert.equal(await blobs().remove('a/b'), false)
    assert.equal(await blobs().get('a/b'), undefined)
    assert.deepEqual(await blobs().list(''), [])
  })
}

function listing(blobs: () => Blobs): void {
  const names = ['a', 'a-b', 'a.b', 'ab/c', 'ab/cd/e', 'ab/d', 'abc', 'b/a']

  test('the list is sorted, sized and of one prefix, which may end anywhere', async () => {
    for (const [at, name] of names.toReversed().entries()) await blobs().put(name, new Uint8Array(at))
    assert.deepEqual(
      await blobs().list(''),
      names.map((name, at) => ({ name, bytes: names.length - 1 - at })),
    )
    for (const prefix of ['a', 'ab', 'ab/', 'ab/c', 'ab/cd', 'ab/cd/', 'ab/cd/e', 'abc', 'b/', 'c', 'b/a/', 'z/z']) {
      assert.deepEqual(
        (await blobs().list(prefix)).map(({ name }) => name),
        names.filter((name) => name.startsWith(prefix)),
        prefix,
      )
    }
  })

  test('any names put and removed leave what a map would', async () => {
    const name = fc
      .array(fc.constantFrom('a', 'b', '-', 'a.b'), { minLength: 1, maxLength: 3 })
      .map((parts) => `${parts.join('/')}/leaf`)
    const step = fc.record({ name, text: fc.option(fc.string({ maxLength: 20 })) })
    const law = fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const known = new Map<string, Uint8Array>()
      for (const { name: at, text } of steps) {
        if (text === null) assert.equal(await blobs().remove(at), known.delete(at))
        else await blobs().put(at, known.set(at, bytesOf(text)).get(at)!)
      }
      const listed = await blobs().list('')
      assert.deepEqual(
        listed,
        [...known.keys()].sort().map((at) => ({ name: at, bytes: known.get(at)!.length })),
      )
      for (const one of listed) {
        assert.deepEqual(Buffer.from((await blobs().get(one.name)) ?? []), Buffer.from(known.get(one.name)!))
        await blobs().remove(one.name)
      }
    })
    await fc.assert(law, { numRuns: RUNS })
  })
}

function refusing(blobs: () => Blobs): void {
  for (const name of BAD_NAMES) {
    test(`the name ${JSON.stringify(name.slice(0, 20))} is refused`, async () => {
      await rejects(() => blobs().put(name, bytesOf('x')), 'internal', /name of a blob/)
      await rejects(() => blobs().get(name), 'internal', /name of a blob/)
      await rejects(() => blobs().remove(name), 'internal', /name of a blob/)
      if (name !== '' && name !== 'a/') await rejects(() => blobs().list(name), 'internal', /name of a blob/)
      assert.deepEqual(await blobs().list(''), [])
    })
  }

  test('a name that is the folder of another is refused', async () => {
    await blobs().put('a/b', bytesOf('x'))
    await rejects(() => blobs().put('a', bytesOf('x')), 'internal', /folder/)
    await rejects(() => blobs().put('a/b/c', bytesOf('x')), 'internal', /folder/)
    await rejects(() => blobs().put('a/b/c/d', bytesOf('x')), 'internal', /folder/)
    assert.deepEqual(await blobs().list(''), [{ name: 'a/b', bytes: 1 }])
    assert.equal(await blobs().get('a'), undefined)
    assert.equal(await blobs().get('a/b/c'), undefined)
  })

  test('more bytes than can be read at once are refused', async () => {
    await rejects(() => blobs().put('large', new Uint8Array(BLOB_BYTES_MAX + 1)), 'internal', /larger/)
    assert.deepEqual(await blobs().list(''), [])
  })
}

/** For drivers whose data outlives the process. */
export function durableBlobsContract(driver: string, open: OpenDurable<Blobs>): void {
  test(`blobs: ${driver} > after reopening every blob is there`, async (t) => {
    const one = await open(new StoppedClock())
    t.after(() => one.close())
    await Promise.all(Array.from({ length: 20 }, (_, at) => one.port.put(`a/${at}`, bytesOf(`${at}`))))
    await one.port.remove('a/7')
    const again = await one.reopen()
    assert.equal((await again.list('a/')).length, 19)
    assert.deepEqual(Buffer.from((await again.get('a/19')) ?? []), Buffer.from('19'))
  })
}
