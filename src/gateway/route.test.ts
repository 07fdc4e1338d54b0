import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandEngine } from '../../tests/kit/engine.ts'
import { seededRandom } from '../base/random.ts'
import type { Deployment, LogicalModel } from './catalogue.ts'
import { type Candidate, route } from './route.ts'

const deployment = (name: string, weight: number): Deployment => ({ engine: new HandEngine(name), model: 'm', weight })
const model = (name: string, deployments: Deployment[], fallback: LogicalModel[] = []): LogicalModel => ({
  name,
  kind: 'model',
  description: '',
  operations: ['chat'],
  deployments,
  fallback,
  outputTokensMax: 1,
  timeouts: { connectMs: 1, firstTokenMs: 1, betweenTokensMs: 1, totalMs: 1 },
})
const names = (order: Candidate[]): string[] => order.map(({ deployment }) => deployment.engine.name)

test('first attempts follow the weights', () => {
  const canary = model('chat', [deployment('stable', 95), deployment('canary', 5), deployment('spare', 0)])
  const random = seededRandom(3)
  const n = 20_000
  const firsts = { stable: 0, canary: 0, spare: 0 }
  for (let i = 0; i < n; i++) firsts[names(route(canary, random))[0] as keyof typeof firsts]++
  // Five standard errors of a share of 5 % at n = 20,000 are 0.8 %.
  assert.ok(Math.abs(firsts.canary / n - 0.05) < 0.008, String(firsts.canary / n))
  assert.equal(firsts.spare, 0)
})

test('every deployment stands in once, those without weight last, then the fallbacks in order', () => {
  const fallback = model('small', [deployment('small', 1)])
  const order = names(
    route(model('chat', [deployment('spare', 0), deployment('a', 1), deployment('b', 1)], [fallback]), seededRandom(1)),
  )
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
  assert.equal(route(many, seededRandom(1)).length, 4)
  assert.deepEqual(route(model('none', []), seededRandom(1)), [])
})
