import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../../tests/kit/clock.ts'
import { HandEngine } from '../../../../tests/kit/engine.ts'
import { fault } from '../../../base/errors.ts'
import { seededRandom } from '../../../base/random.ts'
import { DeploymentHealth, type Prompt } from '../../../engine/health.ts'
import type { Affinity, Deployment, LogicalModel } from '../../catalogue.ts'
import type { Asker } from '../request.ts'
import { route } from '../route.ts'

const clock = new ManualClock()
const deployment = (name: string, weight = 1): Deployment & { readonly health: DeploymentHealth } => ({
  engine: new HandEngine(name),
  model: 'm',
  weight,
  health: new DeploymentHealth(`${name}/m`, { clock }),
})
const model = (deployments: readonly Deployment[], affinity: Affinity): LogicalModel => ({
  name: 'chat',
  kind: 'model',
  description: '',
  operations: ['chat'],
  deployments,
  routing: 'priority',
  affinity,
  fallback: [],
  outputTokensMax: 1,
  timeouts: { connectMs: 1, firstTokenMs: 1, betweenTokensMs: 1, totalMs: 1 },
})
const SIZE = { inputTokens: 1_000, outputTokens: 100 }
const orderOf = (
  of: LogicalModel,
  more: { readonly asker?: Asker; readonly prompt?: () => Prompt },
  seed = 1,
): string[] =>
  route(of, { operation: 'chat', size: SIZE, atMs: 0, ...more }, seededRandom(seed)).map(
    (one) => one.deployment.engine.name,
  )
const down = (health: DeploymentHealth): void => {
  for (let n = 0; n < 5; n++)
    health.begin('chat', { tokens: 1 })?.end(fault('engine_unreachable', { engine: 'e', reason: 'off' }))
}

test('a user comes to the same deployment always, and users spread by weight', () => {
  const pool = model([deployment('a'), deployment('b'), deployment('c', 2)], { by: 'user' })
  const firsts = { a: 0, b: 0, c: 0 }
  const users = 4_000
  for (let n = 0; n < users; n++) {
    const asker = { user: `user-${n}` }
    const [first] = orderOf(pool, { asker }, n)
    assert.equal(orderOf(pool, { asker }, n + 1)[0], first)
    firsts[first as keyof typeof firsts]++
  }
  // Five standard errors of a half at n = 4,000 are 4 %.
  assert.ok(Math.abs(firsts.c / users - 0.5) < 0.04 && Math.abs(firsts.a / users - 0.25) < 0.04, JSON.stringify(firsts))
})

test('when a deployment is out its users alone move, and they come back with it', () => {
  const [a, b, c] = [deployment('a'), deployment('b'), deployment('c')]
  const pool = model([a, b, c], { by: 'session' })
  const homes = (): (string | undefined)[] =>
    Array.from({ length: 300 }, (_, n) => orderOf(pool, { asker: { session: `s${n}` } })[0])
  const before = homes()
  down(b.health)
  const meanwhile = homes()
  assert.ok(before.includes('b') && !meanwhile.includes('b'))
  for (const [n, home] of before.entries()) if (home !== 'b') assert.equal(meanwhile[n], home)
  clock.advance(60_000)
  b.health.begin('chat', { tokens: 1 })?.end('answered')
  assert.deepEqual(homes(), before)
})

test('who does not say who he is goes where the strategy says', () => {
  const pool = model([deployment('a'), deployment('b')], { by: 'user' })
  assert.deepEqual(orderOf(pool, {}), ['a', 'b'])
  assert.deepEqual(orderOf(pool, { asker: { session: 's' } }), ['a', 'b'])
})

const blocks = [11, 12, 13, 14]
const prompt = (tokens: number, of: readonly number[] = blocks) => ({ prompt: () => ({ tokens, blocks: of }) })
const warmed = (releaseTokens = 4_000) => {
  const [cold, warm] = [deployment('cold'), deployment('warm')]
  warm.health.begin('chat', { tokens: 1, prompt: { tokens: 1_024, blocks } })?.end('answered')
  return { cold, warm, pool: model([cold, warm], { by: 'prefix', releaseTokens }) }
}

test('a prompt goes where its beginning is cached, and others where the strategy says', () => {
  const { pool } = warmed()
  assert.deepEqual(orderOf(pool, prompt(1_100)), ['warm', 'cold'])
  assert.deepEqual(orderOf(pool, prompt(5_000, [...blocks, 15, 16])), ['warm', 'cold'])
  assert.deepEqual(orderOf(pool, prompt(1_100, [21, 22])), ['cold', 'warm'])
  assert.deepEqual(orderOf(pool, prompt(10, [])), ['cold', 'warm'])
  assert.deepEqual(orderOf(pool, {}), ['cold', 'warm'])
})

test('once the tokens that the warm one has yet to read pass the threshold, it is let go', () => {
  const { pool, warm } = warmed(4_000)
  const reading = warm.health.begin('chat', { tokens: 1, prompt: { tokens: 3_500, blocks: [31] } })
  assert.deepEqual(orderOf(pool, prompt(1_100)), ['warm', 'cold'])
  assert.deepEqual(orderOf(pool, prompt(2_000)), ['cold', 'warm'])
  reading?.spoke()
  assert.deepEqual(orderOf(pool, prompt(2_000)), ['warm', 'cold'])
  reading?.end('answered')
  assert.equal(warm.health.uncachedInFlight, 0)
})

test('one that does nothing takes even what is above the threshold', () => {
  assert.deepEqual(orderOf(warmed(100).pool, prompt(50_000)), ['warm', 'cold'])
})

test('the one that has most of it is meant, not one that has a little', () => {
  const { pool, cold } = warmed()
  cold.health.begin('chat', { tokens: 1, prompt: { tokens: 256, blocks: blocks.slice(0, 1) } })?.end('answered')
  assert.deepEqual(orderOf(pool, prompt(1_100)), ['warm', 'cold'])
})

test('whose circuit opened has lost what it held', () => {
  const { pool, warm } = warmed()
  down(warm.health)
  clock.advance(60_000)
  warm.health.begin('chat', { tokens: 1 })?.end('answered')
  assert.deepEqual(orderOf(pool, prompt(1_100)), ['cold', 'warm'])
})
