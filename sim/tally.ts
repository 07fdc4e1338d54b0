import { modelIn } from './engine.ts'
import { OUTPUT_TOKENS_MAX } from './house.ts'
import { refusalOf } from './refusal.ts'
import { ENDINGS } from './scenario.ts'
import { readTranscript } from './transcript.ts'
import type { World } from './world.ts'

/** What came to pass, over many runs: a simulation in which nothing ever goes wrong proves little,
 *  so the situations it is meant to reach are counted, and the test wants to see each. */

export const SITUATIONS = [
  'answered in a stream',
  'answered whole',
  'answered by a later attempt',
  'answered, usage estimated',
  'answered by a workflow',
  'answered by a workflow that found nothing',
  'failed before the status',
  'failed in the middle of a stream',
  'cancelled',
  'interrupted by a crash',
  'left before the status',
  'left in the middle of a stream',
  'broken off by the house',
  'the house crashed',
  'a write survived a crash unacknowledged',
  'the disk refused a write',
  'refused by a budget',
  'refused by a rate limit',
  'refused for want of a price',
  'refused while the store was late',
  'answered under budgets',
  'clamped',
  'degraded',
  'a budget was warned of',
  'waited for a lease',
  "a dead life's holds were recovered",
  'a call overran its bound',
  ...ENDINGS.map((ending) => `an engine's answer: ${ending}` as const),
] as const

const REFUSED: { readonly [code: string]: Situation } = {
  rate_limit_exceeded: 'refused by a rate limit',
  price_unknown: 'refused for want of a price',
  budgets_unavailable: 'refused while the store was late',
}

export type Situation = (typeof SITUATIONS)[number]

export class Tally {
  readonly counts = new Map<Situation, number>(SITUATIONS.map((situation) => [situation, 0]))
  #seeds = 0
  #steps = 0

  get seeds(): number {
    return this.#seeds
  }

  get steps(): number {
    return this.#steps
  }

  add(world: World, steps: number): void {
    this.#seeds++
    this.#steps += steps
    for (const { close } of world.judge.journal.values()) {
      const outcome = close?.body['outcome']
      if (outcome === 'cancelled') this.#saw('cancelled')
      if (outcome === 'interrupted') this.#saw('interrupted by a crash')
      if (outcome === 'answered' && JSON.stringify(close?.body['usage']).includes('"estimated":true'))
        this.#saw('answered, usage estimated')
    }
    this.#engines(world)
    this.#callers(world)
    for (const situation of world.judge.books.saw) this.#saw(situation)
    if (world.lives > 2) this.#saw('the house crashed')
    if (world.disk.survivals > 0) this.#saw('a write survived a crash unacknowledged')
    if (world.disk.refusals > 0) this.#saw('the disk refused a write')
  }

  #engines(world: World): void {
    for (const attempt of world.engine.records) {
      if (attempt.plan.status === 200) this.#saw(`an engine's answer: ${attempt.plan.ending}`)
      if (attempt.outputTokensMax < OUTPUT_TOKENS_MAX) this.#saw('clamped')
      const asked = world.callers.find(({ plan }) => plan.name === attempt.request)?.plan.model
      if (asked === 'solo' && modelIn(attempt.wire.request) === 'spare') this.#saw('degraded')
    }
  }

  #callers({ callers, engine }: World): void {
    for (const caller of callers) {
      const { plan, state, status, headers } = caller
      const seen = status === 200 && plan.stream ? readTranscript(caller.text()) : undefined
      const whole = status === 200 && !plan.stream && state === 'ended'
      if (seen?.done === true) this.#saw('answered in a stream')
      if (whole) this.#saw('answered whole')
      if ((seen?.done === true || whole) && plan.model === 'docs')
        this.#saw(plan.finds === 'nothing' ? 'answered by a workflow that found nothing' : 'answered by a workflow')
      if (
        (seen?.done === true || whole) &&
        engine.records.some((attempt) => attempt.request === plan.name && attempt.number > 0)
      ) {
        this.#saw('answered by a later attempt')
      }
      if (seen?.done === true && headers['x-headworks-budget-remaining'] !== undefined)
        this.#saw('answered under budgets')
      const code = refusalOf(caller)?.code
      if (code !== undefined) this.#saw(REFUSED[code] ?? 'refused by a budget')
      if (seen?.error !== undefined) this.#saw('failed in the middle of a stream')
      if (status !== undefined && status >= 500) this.#saw('failed before the status')
      if (state === 'left')
        this.#saw(status === undefined ? 'left before the status' : 'left in the middle of a stream')
      if (state === 'reset' && status === 200) this.#saw('broken off by the house')
    }
  }

  #saw(situation: Situation): void {
    this.counts.set(situation, (this.counts.get(situation) ?? 0) + 1)
  }
}
