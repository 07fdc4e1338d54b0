import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { fault, Fault, Refusal } from '../base/errors.ts'
import { seededRandom } from '../base/random.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import type { Change, Rows } from '../store/rows.ts'
import { readBindings } from './bindings.ts'
import { CHANGES_KEPT, KEYS } from './key-rows.ts'
import { Keyring, type NewKey, POLL_MS } from './keyring.ts'
import { Pepper, PEPPER_BYTES } from './secret.ts'

const pepperOf = (byte: number): Pepper => new Pepper(new Uint8Array(PEPPER_BYTES).fill(byte))

/** Rows whose commits and reads can be made to fail, before or after they took effect. */
class FickleRows extends MemoryRows {
  commits: 'work' | 'fail' | 'fail after all' = 'work'
  readsFail = false
  gets = 0
  scans = 0

  override async get<Row>(...of: Parameters<Rows['get']>) {
    this.gets++
    if (this.readsFail) throw fault('store_unavailable', { reason: 'told to' })
    return super.get<Row>(of[0] as never, of[1])
  }

  override async scan<Row>(...of: Parameters<Rows['scan']>) {
    this.scans++
    return super.scan<Row>(of[0] as never, of[1])
  }

  override async commit(changes: readonly Change[]): Promise<boolean> {
    const done = this.commits === 'fail' || (await super.commit(changes))
    if (this.commits !== 'work') throw fault('store_unavailable', { reason: 'told to' })
    return done
  }
}

function open(rows = new FickleRows()) {
  const clock = new ManualClock()
  let seed = 1
  /** A process with the same store. */
  const join = (pepper = pepperOf(1)): Promise<Keyring> =>
    Keyring.open({ rows, clock, random: seededRandom(seed++), pepper })
  return { rows, clock, join }
}

const isOpen = (keyring: Keyring, ...keys: readonly NewKey[]): boolean[] =>
  keys.map(({ text }) => keyring.find(text) !== undefined)

function made(rotated: NewKey | Refusal): NewKey {
  return rotated instanceof Refusal ? assert.fail(rotated.code) : rotated
}

test('bindings come back from the store, frozen', async () => {
  const { join } = open()
  const bindings = readBindings({ user: 'ann', team: 'web', tags: ['a'], models: ['chat-*'] }, 'user')
  assert(!(bindings instanceof Refusal))
  const { text, id } = await (await join()).create('app', 'user', { bindings })
  const found = (await join()).find(text)
  assert.deepEqual(found, { id, name: 'app', role: 'user', bindings })
  assert(Object.isFrozen(found) && Object.isFrozen(found.bindings) && Object.isFrozen(found.bindings.models))
})

test('a key ends when the wall clock says so, here and in its sessions', async () => {
  const { clock, join } = open()
  const keyring = await join()
  const key = await keyring.create('app', 'admin', { expiresAtMs: clock.wallMs() + 1000 })
  const principal = keyring.find(key.text)
  assert(principal !== undefined && keyring.hasAdmin)
  clock.advance(999)
  assert.deepEqual(isOpen(keyring, key), [true])
  assert.equal(keyring.current(principal), principal)
  clock.advance(1)
  assert.deepEqual(isOpen(keyring, key), [false])
  assert.equal(keyring.current(principal), undefined)
  assert.equal(keyring.hasAdmin, false)
  const [row] = await keyring.list(undefined, 10)
  assert.equal(row && keyring.stateOf(row), 'expired')
  const refused = await keyring.rotate(key.id)
  assert.equal(refused instanceof Refusal && refused.code, 'key_ended')
})

test('a rotation changes the text and nothing else', async () => {
  const { join } = open()
  const keyring = await join()
  const before = await keyring.create('app', 'user')
  const principal = keyring.find(before.text)
  const after = made(await keyring.rotate(before.id))
  assert.notEqual(after.text, before.text)
  assert.deepEqual(isOpen(keyring, before, after), [false, true])
  assert.deepEqual(keyring.find(after.text), principal)
  assert.deepEqual(isOpen(await join(), before, after), [false, true])
})

test('the old text is taken for the grace given, and only the latest old one', async () => {
  const { clock, join } = open()
  const keyring = await join()
  const first = await keyring.create('app', 'user')
  const second = made(await keyring.rotate(first.id, 60_000))
  assert.deepEqual(isOpen(keyring, first, second), [true, true])
  assert.deepEqual(isOpen(await join(), first, second), [true, true])
  const third = made(await keyring.rotate(first.id, 60_000))
  assert.deepEqual(isOpen(keyring, first, second, third), [false, true, true])
  clock.advance(60_000)
  assert.deepEqual(isOpen(keyring, first, second, third), [false, false, true])
  const fourth = made(await keyring.rotate(first.id, 60_000))
  assert.ok(await keyring.revoke(first.id))
  assert.deepEqual(isOpen(keyring, third, fourth), [false, false])
})

test('the grace of an old text never outlasts the key', async () => {
  const { clock, join } = open()
  const keyring = await join()
  const first = await keyring.create('app', 'user', { expiresAtMs: clock.wallMs() + 1000 })
  const second = made(await keyring.rotate(first.id, 60_000))
  clock.advance(1000)
  assert.deepEqual(isOpen(keyring, first, second), [false, false])
})

test('what does not exist or was revoked cannot be rotated', async () => {
  const { join } = open()
  const keyring = await join()
  const key = await keyring.create('app', 'user')
  await keyring.revoke(key.id)
  for (const [id, code] of [
    ['key_nothing', 'not_found'],
    [key.id, 'key_ended'],
  ] as const) {
    const refused = await keyring.rotate(id)
    assert.equal(refused instanceof Refusal && refused.code, code)
  }
})

test('another process notices every change when it polls, without reading the rest again', async () => {
  const { rows, clock, join } = open()
  const [here, there] = [await join(), await join()]
  const [kept, revoked, rotated] = [
    await here.create('kept', 'user'),
    await here.create('revoked', 'user'),
    await here.create('rotated', 'user'),
  ]
  const stop = there.follow(() => assert.fail('the store answers'))
  const pass = async (): Promise<void> => {
    clock.advance(POLL_MS)
    await settled()
  }
  await pass()
  assert.deepEqual(isOpen(there, kept, revoked, rotated), [true, true, true])
  const principal = there.find(revoked.text)
  await here.revoke(revoked.id)
  const renewed = made(await here.rotate(rotated.id))
  const { scans } = rows
  await pass()
  assert.deepEqual(isOpen(there, kept, revoked, rotated, renewed), [true, false, false, true])
  assert.equal(principal && there.current(principal), undefined, 'its console sessions end as well')
  assert.equal(rows.scans, scans + 1, 'one look at the changes')
  const { gets } = rows
  for (let i = 0; i < 10; i++) await pass()
  assert.deepEqual([rows.gets - gets, rows.scans - scans], [10, 1], 'nothing changed: one read each')
  stop()
  assert.equal(clock.pending, 0)
  await here.revoke(kept.id)
  clock.advance(10 * POLL_MS)
  assert.deepEqual(isOpen(there, kept), [true], 'stopped')
})

test('a revocation elsewhere is seen within a second', () => assert.ok(POLL_MS < 1000))

test('a process that missed more changes than are kept reads every key anew', async () => {
  const { join } = open()
  const [here, there] = [await join(), await join()]
  const [revoked, kept] = [await here.create('revoked', 'user'), await here.create('kept', 'user')]
  await there.refresh()
  await here.revoke(revoked.id)
  let latest = kept
  for (let i = 0; i < CHANGES_KEPT; i++) latest = made(await here.rotate(kept.id))
  await there.refresh()
  assert.deepEqual(isOpen(there, revoked, kept, latest), [false, false, true])
})

test('a store that does not answer leaves the keys in force, and is told of once', async () => {
  const { rows, clock, join } = open()
  const keyring = await join()
  const key = await keyring.create('app', 'user')
  const failures: unknown[] = []
  const stop = keyring.follow((cause) => failures.push(cause))
  const pass = async (): Promise<void> => {
    clock.advance(POLL_MS)
    await settled()
  }
  rows.readsFail = true
  await pass()
  await pass()
  assert.deepEqual([failures.length, isOpen(keyring, key)], [1, [true]])
  rows.readsFail = false
  await pass()
  rows.readsFail = true
  await pass()
  assert.equal(failures.length, 2)
  stop()
})

test('a commit that fails leaves memory as the store is, whether it took effect or not', async () => {
  const { rows, join } = open()
  const keyring = await join()
  const key = await keyring.create('app', 'user')
  const unavailable = (thrown: unknown): boolean => thrown instanceof Fault && thrown.code === 'store_unavailable'
  for (const commits of ['fail', 'fail after all'] as const) {
    for (const change of [
      () => keyring.create('new', 'user'),
      () => keyring.rotate(key.id),
      () => keyring.revoke(key.id),
    ]) {
      rows.commits = commits
      await assert.rejects(change(), unavailable)
      rows.commits = 'work'
      if (commits === 'fail') assert.deepEqual(isOpen(keyring, key), [true])
      await keyring.refresh()
      assert.deepEqual(isOpen(keyring, key), isOpen(await join(), key))
    }
  }
  assert.deepEqual(isOpen(keyring, key), [false])
  assert.equal((await keyring.list(undefined, 10)).length, 2)
})

test('two changes at once: keys made in two processes are both there', async () => {
  const { join } = open()
  const [here, there] = [await join(), await join()]
  const keys = await Promise.all(
    Array.from({ length: 10 }, (_, at) => (at % 2 === 0 ? here : there).create(`app ${at}`, 'user')),
  )
  for (const keyring of [here, there, await join()]) {
    await keyring.refresh()
    assert.deepEqual(new Set(isOpen(keyring, ...keys)), new Set([true]))
  }
})

test('two changes at once: one text is registered once', async () => {
  const { join } = open()
  const [here, there] = [await join(), await join()]
  const adopted = await Promise.all([here, there, here].map((one) => one.adopt('hw_chosen', 'env', 'admin')))
  assert.equal(new Set(adopted.map(({ id }) => id)).size, 1)
  assert.equal((await here.list(undefined, 10)).length, 1)
})

test('two changes at once: of two rotations one wins, and its text is taken', async () => {
  const { join } = open()
  const [here, there] = [await join(), await join()]
  const key = await here.create('app', 'user')
  for (const [one, other] of [
    [here, here],
    [here, there],
  ] as const) {
    const results = await Promise.all([one.rotate(key.id), other.rotate(key.id)])
    const winners = results.flatMap((result) => (result instanceof Refusal ? [] : result))
    assert.deepEqual(
      results.flatMap((result) => (result instanceof Refusal ? result.code : [])),
      ['key_changed'],
    )
    await Promise.all([one.refresh(), other.refresh()])
    for (const keyring of [one, other]) assert.deepEqual(isOpen(keyring, ...winners), [true])
  }
})

test('two changes at once: a revocation is never undone', async () => {
  const { join } = open()
  for (const order of [0, 1]) {
    const [here, there] = [await join(), await join()]
    const key = await here.create('app', 'user')
    const changes = [() => here.revoke(key.id), () => there.rotate(key.id, 60_000), () => there.revoke(key.id)]
    if (order === 1) changes.reverse()
    const results = await Promise.all(changes.map((change) => change()))
    const rotated = results.flatMap((result) => (typeof result === 'object' && 'text' in result ? result : []))
    for (const keyring of [here, there, await join()]) {
      await keyring.refresh()
      assert.ok(isOpen(keyring, key, ...rotated).every((one) => !one))
    }
  }
})

test('under another pepper no text is recognised; rotating a key brings it back', async () => {
  const { join } = open()
  const key = await (await join()).create('app', 'admin')
  const keyring = await join(pepperOf(2))
  assert.deepEqual([isOpen(keyring, key), keyring.orphans, keyring.hasAdmin], [[false], 1, false])
  const [row] = await keyring.list(undefined, 10)
  assert.equal(row && keyring.stateOf(row), 'orphaned')
  const rotated = made(await keyring.rotate(key.id, 60_000))
  assert.deepEqual([rotated.id, isOpen(keyring, key, rotated), keyring.orphans], [key.id, [false, true], 0])
  const back = await join()
  assert.deepEqual(isOpen(back, key, rotated), [false, false])
})

test('a pepper of another length is none', () => {
  for (const length of [0, 31, 33]) assert.throws(() => new Pepper(new Uint8Array(length)), RangeError)
})

test('the list is read page by page', async () => {
  const { join } = open()
  const keyring = await join()
  for (let at = 0; at < 5; at++) await keyring.create(`app ${at}`, 'user')
  const first = await keyring.list(undefined, 3)
  const second = await keyring.list(first.at(-1)?.id, 3)
  assert.deepEqual([first.length, second.length], [3, 2])
  assert.equal(new Set([...first, ...second].map(({ id }) => id)).size, 5)
})

test('law: whatever is done, every process agrees with the store, and no row holds a text', async () => {
  const step = fc.record({
    process: fc.nat(1),
    kind: fc.constantFrom('create', 'adopt', 'rotate', 'revoke', 'refresh', 'wait'),
    which: fc.nat(3),
    graceMs: fc.constantFrom(0, 1000),
    commits: fc.constantFrom('work', 'work', 'work', 'fail', 'fail after all'),
  } as const)
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const { rows, clock, join } = open()
      const processes = [await join(), await join()] as const
      const keys: NewKey[] = []
      for (const { process, kind, which, graceMs, commits } of steps) {
        const keyring = processes[process === 0 ? 0 : 1]
        const id = keys[which]?.id ?? 'key_nothing'
        rows.commits = commits
        const result = await (
          kind === 'create'
            ? keyring.create('app', 'user', { expiresAtMs: clock.wallMs() + 1 + which * 500 })
            : kind === 'adopt'
              ? keyring.adopt(`hw_chosen_by_the_operator_${which}`, 'env', 'admin')
              : kind === 'rotate'
                ? keyring.rotate(id, graceMs)
                : kind === 'revoke'
                  ? keyring.revoke(id)
                  : kind === 'refresh'
                    ? keyring.refresh()
                    : clock.advance(500)
        )?.catch(() => undefined)
        if (typeof result === 'object' && 'text' in result) keys.push(result)
      }
      rows.commits = 'work'
      const fresh = await join()
      for (const keyring of processes) {
        await keyring.refresh()
        for (const { text } of keys) assert.deepEqual(keyring.find(text), fresh.find(text))
      }
      const stored = []
      for (const name of [KEYS.name, 'api_keys_state', 'api_keys_changes'])
        stored.push(...(await rows.scan({ name }, { limit: 1000 })))
      const written = JSON.stringify(stored)
      // Past the hint nothing of a text is anywhere, and the hint is at most a third.
      for (const { text } of keys) assert.ok(!written.includes(text.slice(9, 20)), text)
    }),
    { numRuns: 60 },
  )
})
