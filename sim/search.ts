import { fault } from '../src/base/errors.ts'
import type { Passage } from '../src/retrieval/passage.ts'
import type { Search } from '../src/retrieval/search.ts'
import type { Dice } from './dice.ts'
import type { Kernel } from './kernel.ts'
import type { Life } from './life.ts'
import type { RequestPlan, Scenario } from './scenario.ts'

/** The search of a workflow: late, empty-handed, or out of order, as the scenario says. */
export class SimSearch {
  readonly #kernel: Kernel
  readonly #dice: Dice
  readonly #plans: ReadonlyMap<string, RequestPlan>

  constructor(kernel: Kernel, scenario: Scenario, dice: Dice) {
    this.#kernel = kernel
    this.#dice = dice
    this.#plans = new Map(scenario.requests.map((plan) => [plan.name, plan]))
  }

  /** The port, for one life of the house. */
  port(life: Life): Search {
    return {
      search: (collection, question) =>
        new Promise((resolve, reject) => {
          if (!life.effect(`search ${question}`)) return
          this.#kernel.after(this.#dice.delayMs(), `search ${question}`, () => {
            const finds = this.#plans.get(question)?.finds
            if (!life.alive) return
            if (finds === 'failure') reject(fault('index_unavailable', { reason: 'the search process ended' }))
            else resolve({ passages: finds === 'something' ? [passageOf(collection, question)] : [], terms: [] })
          })
        }),
    }
  }

  explainNothing(life: Life): Promise<string> {
    return new Promise((resolve) => {
      if (!life.effect('explain nothing')) return
      this.#kernel.after(this.#dice.delayMs(), 'explain nothing', () => life.alive && resolve(NOTHING_FOUND))
    })
  }
}

/** What the house says when a search finds nothing. */
export const NOTHING_FOUND = 'Nothing is known about it.'

const passageOf = (collection: string, question: string): Passage => ({
  collection,
  document: 'doc_1',
  uri: 'file:///handbook.md',
  title: 'Handbook',
  headings: [],
  start: 0,
  end: 20,
  text: `About ${question}: nothing.`,
  score: 1,
})
