import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { HandEngine } from '../../../tests/kit/engine.ts'
import { fault } from '../../base/errors.ts'
import { seededRandom } from '../../base/random.ts'
import { Health } from '../../engine/health.ts'
import { always } from '../../meter/prices.ts'
import type { Deployment, LogicalModel, Routing } from '../catalogue.ts'
import { type Candidate, route } from './route.ts'

const health = new Health({ clock: new ManualClock() })
const deployment = (name: string, weight: number, more: Partial<Deployment> = {}): Deployment => ({
  engine: new HandEngine(name),
  model: 'm',
  weight,
  ...more,
})
const model = (
  name: string,
  deployments: Deployment[],
  { fallback = [], routing = 'weighted' }: { fallback?: LogicalModel[]; routing?: Routing } = {},
): LogicalModel => ({
  name,
  kind: 'model',
  description: '',
  operations: ['chat'],
  deployments,
  routing,
  fallback,
  outputTokensMax: 1,
  timeouts: { connectMs: 1, firstTokenMs: 1, betweenTokensMs: 1, totalMs: 1 },
})
const REQUEST = { operation: 'chat', size: { inputTokens: 1_000, outputTokens: 100 }, atMs: 0 } as const
const names = (order: Candidate[]): string[] => order.map((one) => one.deployment.engine.name)
const orderOf = (routing: Routing, deployments: Deployment[], seed = 1): string[] =>
  names(route(model('chat', deployments, { routing }), REQUEST, seededRandom(seed)))

/** Puts so many tokens in flight on a deployment. */
function loaded(name: string, tokens: number, weight = 1): Deployment {
  const own = new Health({ clock: new ManualClock() }).of(name, '')
  own.begin('chat', { tokens: tokens })
  return deployment(name, weight, { health: own })
}

function broken(name: string): Deployment {
  const own = health.of(name, '')
  for (let i = 0; i < 5; i++)
    own.begin('chat', { tokens: 1 })?.end(fault('engine_unreachable', { engine: name, reason: 'off' }))
  return deployment(name, 1, { health: own })
}

test('first attempts follow the weights', () => {
  const canary = model('chat', [deployment('stable', 95), deployment('canary', 5), deployment('spare', 0)])
  const random = seededRandom(3)
  const n = 20_000
  const firsts = { stable: 0, canary: 0, spare: 0 }
  for (let i = 0; i < n; i++) firsts[names(route(canary, REQUEST, random))[0] as keyof typeof firsts]++
  // Five standard errors of a share of 5 % at n = 20,000 are 0.8 %.
  assert.ok(Math.abs(firsts.canary / n - 0.05) < 0.008, String(firsts.canary / n))
  assert.equal(firsts.spare, 0)
})

test('every deployment stands in once, those without weight last, then the fallbacks in order', () => {
  const fallback = [model('small', [deployment('small', 1)])]
  const chat = model('chat', [deployment('spare', 0), deployment('a', 1), deployment('b', 1)], { fallback })
  const order = names(route(chat, REQUEST, seededRandom(1)))
  assert.deepEqual(
    [order.slice(0, 2).toSorted(), order.slice(2)],
    [
      ['a', 'b'],
      ['spare', 'small'],
    ],
  )
})

test('attempts are bounded', () => {
  const many = model(
    'chat',
    Array.from({ length: 10 }, (_, i) => deployment(String(i), 1)),
  )
  assert.equal(route(many, REQUEST, seededRandom(1)).length, 4)
  assert.deepEqual(route(model('none', []), REQUEST, seededRandom(1)), [])
})

test('a deployment whose circuit is open is left out, of fallbacks too', () => {
  const fallback = [model('small', [broken('down-too'), deployment('small', 1)])]
  const chat = model('chat', [broken('down'), deployment('up', 1)], { fallback })
  assert.deepEqual(names(route(chat, REQUEST, seededRandom(1))), ['up', 'small'])
})

test('by priority the list is the order, but for those without weight', () => {
  const all = [deployment('last', 0), deployment('a', 1), deployment('b', 1), deployment('c', 1)]
  for (let seed = 1; seed < 20; seed++) assert.deepEqual(orderOf('priority', all, seed), ['a', 'b', 'c', 'last'])
})

test('the least outstanding tokens win, for their weight; the draw decides between equals', () => {
  const all = [loaded('busy', 900), loaded('calm', 100), loaded('strong', 250, 5)]
  assert.deepEqual(orderOf('least_outstanding', all), ['strong', 'calm', 'busy'])
  const idle = [deployment('a', 1), deployment('b', 1)]
  const firsts = new Set(Array.from({ length: 20 }, (_, seed) => orderOf('least_outstanding', idle, seed)[0]))
  assert.deepEqual(firsts, new Set(['a', 'b']))
})

test('of two drawn the less loaded is first: the most loaded never is, the others all are at times', () => {
  const all = [loaded('a', 100), loaded('b', 200), loaded('c', 300), loaded('worst', 400)]
  const orders = Array.from({ length: 300 }, (_, seed) => orderOf('p2c', all, seed))
  assert.deepEqual(new Set(orders.map(([first]) => first)), new Set(['a', 'b', 'c']))
  for (const order of orders) assert.deepEqual(order.toSorted(), ['a', 'b', 'c', 'worst'])
})

test('the cheapest for the size of the request is first, unknown prices last', () => {
  const price = (inputNanoUsd: bigint, outputNanoUsd: bigint) =>
    ({ priceAt: always({ inputNanoUsd, cachedInputNanoUsd: inputNanoUsd, outputNanoUsd }, 'config') }) as const
  const all = [
    deployment('unknown', 1),
    deployment('dear input', 1, price(9_000_000n, 1_000_000n)),
    deployment('dear output', 1, price(1_000_000n, 9_000_000n)),
  ]
  assert.deepEqual(orderOf('cheapest', all), ['dear output', 'dear input', 'unknown'])
  const talkative = { ...REQUEST, size: { inputTokens: 100, outputTokens: 1_000 } }
  const order = names(route(model('chat', all, { routing: 'cheapest' }), talkative, seededRandom(1)))
  assert.deepEqual(order, ['dear input', 'dear output', 'unknown'])
})

/** Has begun to answer so often after so many milliseconds. */
function paced(name: string, firstTokenMs: number, times = 40, inFlight = 0): Deployment {
  const clock = new ManualClock()
  const own = new Health({ clock }).of(name, '')
  for (let n = 0; n < times; n++) {
    const visit = own.begin('chat', { tokens: 1, stream: true })
    clock.advance(firstTokenMs)
    visit?.spoke()
    visit?.end('answered')
  }
  for (let n = 0; n < inFlight; n++) own.begin('chat', { tokens: 1 })
  return deployment(name, 1, { health: own })
}

test('the fastest begins soonest with what it has to do; who is unknown is found out', () => {
  const all = [paced('slow', 500), paced('busy', 100, 40, 9), paced('fast', 100, 40, 1)]
  assert.deepEqual(orderOf('fastest', all), ['fast', 'slow', 'busy'])
  assert.equal(orderOf('fastest', [...all, deployment('new', 1)])[0], 'new')
})

test('whoever keeps the promised time comes before whoever does not', () => {
  const all = [paced('late', 400), paced('busy', 200, 40, 9)]
  assert.deepEqual(orderOf('fastest', all), ['late', 'busy'])
  const promised = { ...model('chat', all, { routing: 'fastest' }), firstTokenMs: 300 }
  assert.deepEqual(names(route(promised, REQUEST, seededRandom(1))), ['busy', 'late'])
})

test('who is ejected comes after his peers and before the spare, also for those who keep to him', () => {
  const all = [
    deployment('spare', 0),
    ...['a', 'b', 'c'].map((name) => deployment(name, 1, { health: health.of(`e/${name}`, '') })),
  ]
  const asker = { user: 'ada' }
  const affine = { ...model('chat', all), affinity: { by: 'user' } } as const
  const order = (): string[] => names(route(affine, { ...REQUEST, asker }, seededRandom(1)))
  const [home = ''] = order()
  health.of(`e/${home}`, '').eject('failing', 30_000, 30_000)
  const now = order()
  assert.deepEqual(now.slice(2), [home, 'spare'])
  let looks = 0
  route({ ...affine, outliers: { look: () => void looks++ } }, REQUEST, seededRandom(1))
  assert.equal(looks, 1)
})

test('the same seed and the same books make the same order', () => {
  const all = [loaded('a', 10), loaded('b', 10), loaded('c', 10), loaded('d', 10)]
  for (const routing of ['weighted', 'least_outstanding', 'p2c', 'fastest'] as const)
    for (let seed = 1; seed < 20; seed++) assert.deepEqual(orderOf(routing, all, seed), orderOf(routing, all, seed))
})
