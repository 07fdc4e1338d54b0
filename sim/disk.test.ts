import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryEvents } from '../src/drivers/memory/events.ts'
import { MemoryLeases } from '../src/drivers/memory/leases.ts'
import { MemoryRows } from '../src/drivers/memory/rows.ts'
import type { Entry } from '../src/store/events.ts'
import { put, table } from '../src/store/rows.ts'
import { NO_BUDGETS } from './budgets.ts'
import { Dice } from './dice.ts'
import { type Image, SimDisk, storeClock } from './disk.ts'
import { Kernel } from './kernel.ts'
import { Life } from './life.ts'
import type { Scenario } from './scenario.ts'

interface Bench {
  readonly kernel: Kernel
  readonly life: Life
  readonly disk: SimDisk
  readonly image: Image
  readonly ports: Image
}

function bench(seed: number, change: Partial<Scenario> = {}): Bench {
  const kernel = new Kernel(seed)
  const image = { events: new MemoryEvents(), rows: new MemoryRows(), leases: new MemoryLeases(storeClock(kernel)) }
  const scenario: Scenario = {
    seed,
    requests: [],
    crashes: [],
    stopsAtMs: [],
    diskFull: [],
    diskSlow: false,
    skewMs: 0,
    budgets: NO_BUDGETS,
    ...change,
  }
  const disk = new SimDisk(kernel, scenario, image, { entered() {}, committed() {} }, new Dice(seed))
  const life = new Life(kernel, { number: 0, crashAtEffect: Infinity, skewMs: 0, onCrash: () => void disk.crash() })
  return { kernel, life, disk, image, ports: disk.ports(life) }
}

const entry = (id: string): Entry => ({ id, phase: 'open', kind: 'request', atMs: 1, body: {} })

test('a write is acknowledged only once it is durable, and writes keep their order', async () => {
  const { kernel, image, ports, disk } = bench(1)
  const log: string[] = []
  for (const id of ['a', 'b', 'c']) {
    void ports.events.append([entry(id)]).then(async () => log.push(`${id} ${(await image.events.read(id)).length}`))
  }
  assert.deepEqual(await image.events.read('a'), [])
  await kernel.run(100)
  assert.deepEqual(log.toSorted(), ['a 1', 'b 1', 'c 1'])
  assert.deepEqual(
    (await image.events.unclosed(10)).map(({ id }) => id),
    ['a', 'b', 'c'],
  )
  assert.equal(disk.pending, 0)
})

test('a crash loses what was not acknowledged, or keeps the oldest of it; what was acknowledged stays', async () => {
  const kept = new Set<string>()
  for (let seed = 0; seed < 80; seed++) {
    const { kernel, life, image, ports } = bench(seed)
    const acknowledged: string[] = []
    for (const id of ['a', 'b', 'c', 'd'])
      void ports.events.append([entry(id), entry(`${id}2`)]).then(() => acknowledged.push(id))
    kernel.after(2, 'crash', () => life.end('crash'))
    await kernel.run(100)
    const durable = (await image.events.unclosed(10)).map(({ id }) => id).join(' ')
    assert.ok('a a2 b b2 c c2 d d2'.startsWith(durable), durable)
    assert.equal(durable.split(' ').length % 2, durable === '' ? 1 : 0, 'a batch is whole or absent')
    for (const id of acknowledged) assert.ok(durable.includes(id), `${id} was acknowledged and is lost`)
    kept.add(`${acknowledged.length} of ${durable.length}`)
  }
  assert.ok(kept.size >= 4, 'crashes fall in different places')
})

test('a full disk refuses with `disk_full`, changes nothing, and takes writes again when there is room', async () => {
  const { kernel, image, ports, disk } = bench(3, { diskFull: [{ fromMs: 0, forMs: 100 }] })
  const T = table<{ n: number }>('t')
  const log: unknown[] = []
  const attempt = (): void =>
    void ports.rows.commit([put(T, ['k'], { n: 1 })]).then(
      (done) => log.push(done),
      (cause: { code: string }) => log.push(cause.code),
    )
  attempt()
  kernel.after(50, 'read', () => void image.rows.get(T, ['k']).then((found) => log.push(found)))
  kernel.after(200, 'again', attempt)
  await kernel.run(100)
  assert.deepEqual(log, ['disk_full', undefined, true])
  assert.equal((await rowIn(image, T))?.n, 1)
  assert.equal(disk.refusals, 1)
})

const rowIn = async (
  image: Image,
  T: { readonly name: string; readonly row?: { n: number } },
): Promise<{ n: number } | undefined> => (await image.rows.get(T, ['k']))?.row

test('a dead house neither writes nor hears an answer', async () => {
  const { kernel, life, image, ports } = bench(4)
  life.end('crash')
  void ports.events.append([entry('a')]).then(() => assert.fail('answered the dead'))
  void ports.events.unclosed(10).then(() => assert.fail('answered the dead'))
  await kernel.run(100)
  assert.deepEqual(await image.events.unclosed(10), [])
})
