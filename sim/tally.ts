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
  ...ENDINGS.map((ending) => `an engine's answer: ${ending}` as const),
] as const

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
    if (world.lives > 2) this.#saw('the house crashed')
    if (world.disk.survivals > 0) this.#saw('a write survived a crash unacknowledged')
    if (world.disk.refusals > 0) this.#saw('the disk refused a write')
  }

  #engines(world: World): void {
    for (const attempt of world.engine.records)
      if (attempt.plan.status === 200) this.#saw(`an engine's answer: ${attempt.plan.ending}`)
  }

  #callers({ callers, engine }: World): void {
    for (const caller of callers) {
      const { plan, state, status } = caller
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
