import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Budget } from '../src/meter/ledger/budget.ts'
import { NO_BUDGETS } from './budgets.ts'
import type { AnswerPlan, RequestPlan, Scenario } from './scenario.ts'
import { World } from './world.ts'

/** Faults that the simulation found in the house, each as the least scenario that showed it, run
 *  under enough seeds that the moment comes again. */

const SEEDS = 60

const ANSWER: AnswerPlan = {
  connect: 'ok',
  thinksMs: 0,
  status: 200,
  contentType: 'right',
  frames: ['text', 'text', 'text'],
  gapMs: 0,
  lines: 'lf',
  framesPerPacket: 10,
  usage: 'right',
  ending: 'done',
  cap: 'heeded',
}

const REQUEST: RequestPlan = {
  name: 'r0',
  atMs: 40,
  operation: 'chat',
  credential: 'user',
  isKeyed: false,
  model: 'solo',
  finds: 'something',
  body: 'good',
  stream: true,
  includeUsage: false,
  reads: 'steadily',
  answers: [ANSWER],
}

const SCENARIO: Scenario = {
  seed: 0,
  requests: [REQUEST],
  crashes: [],
  stopsAtMs: [],
  diskFull: [],
  diskSlow: false,
  skewMs: 0,
  budgets: NO_BUDGETS,
}

function found(
  what: string,
  change: Partial<RequestPlan>,
  circumstances: Partial<Scenario> = {},
  ...more: readonly Partial<RequestPlan>[]
): void {
  test(what, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const scenario = {
        ...SCENARIO,
        ...circumstances,
        seed,
        requests: [change, ...more].map((one, at) => ({ ...REQUEST, name: `r${at}`, ...one })),
      }
      const { violation } = await new World(scenario).run()
      assert.equal(violation, undefined, `seed ${seed} breaks "${violation?.invariant}": ${violation?.detail}`)
    }
  })
}

found('an engine whose [DONE] came while its slow reader had it paused is let go', { reads: 'slowly' })

found('a closing that a full disk refused is written when there is room', {}, { diskFull: [{ fromMs: 41, forMs: 60 }] })

for (const forMs of [3, 10, 30]) {
  found(
    `no closing stands without its opening, when there is room again after ${forMs} ms`,
    { answers: [{ ...ANSWER, connect: 'refused' }] },
    { diskFull: [{ fromMs: 41, forMs }] },
  )
}

found('an answer complete before its opening was durable leaves no timer behind', {}, { diskSlow: true })

for (const operation of ['rerank', 'embeddings'] as const) {
  const hanging: Partial<RequestPlan> = { operation, answers: [{ ...ANSWER, ending: 'hang' }] }
  found(`an engine that hangs does not hang ${operation}`, hanging)
  found(`a caller who leaves ${operation} takes the engine along`, { ...hanging, leaves: { afterMs: 100 } })
}

const OUTPUT: Budget = {
  id: 'output',
  scope: 'global',
  unit: 'outputTokens',
  limit: 2_050,
  window: { kind: 'lifetime' },
  action: { kind: 'refuse' },
  warnAt: [],
}

for (const operation of ['rerank', 'embeddings'] as const) {
  const budgets = { ...NO_BUDGETS, budgets: [{ ...OUTPUT, id: 'all', unit: 'totalTokens' as const, limit: 1_000_000 }] }
  found(
    `${operation} that a full disk ended while it waited for a lease is not charged`,
    { operation },
    { budgets, diskFull: [{ fromMs: 39, forMs: 100 }] },
  )
  found(
    `${operation} whose caller left while it waited for a lease is not charged`,
    { operation, atMs: 2_500, leaves: { afterMs: 20 } },
    { budgets, diskSlow: true },
  )
  found(
    `${operation} needs nothing of a budget that an engine overdrew`,
    { answers: [{ ...ANSWER, cap: 'ignored' }] },
    { budgets: { ...NO_BUDGETS, budgets: [OUTPUT] } },
    { answers: [{ ...ANSWER, thinksMs: 3_000 }] },
    { operation, atMs: 600 },
  )
}
