import { type Random, uniform } from '../../src/base/random.ts'

/** Questions as a crowd asks them. */

export interface Load {
  /** From the moment a question was due to its answer, in milliseconds: one that waits for its turn
   *  waits on the clock. */
  readonly latenciesMs: readonly number[]
  readonly wallMs: number
}

export type Question = () => Promise<unknown>

/** Questions arrive by chance, whether the former are answered or not (a Poisson process). */
export async function openLoop(ask: Question, perSecond: number, seconds: number, random: Random): Promise<Load> {
  const latenciesMs: number[] = []
  const asked: Promise<void>[] = []
  const begun = performance.now()
  let due = begun
  for (;;) {
    due += (-Math.log(1 - uniform(random)) * 1000) / perSecond
    if (due > begun + seconds * 1000) break
    const wait = due - performance.now()
    if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait - 0.5))
    const dueMs = due
    asked.push(ask().then(() => void latenciesMs.push(performance.now() - dueMs)))
  }
  await Promise.all(asked)
  return { latenciesMs, wallMs: performance.now() - begun }
}

/** So many users ask, and each asks again as soon as it is answered. */
export async function closedLoop(ask: Question, users: number, seconds: number): Promise<Load> {
  const latenciesMs: number[] = []
  const begun = performance.now()
  const user = async (): Promise<void> => {
    while (performance.now() < begun + seconds * 1000) {
      const askedMs = performance.now()
      await ask()
      latenciesMs.push(performance.now() - askedMs)
    }
  }
  await Promise.all(Array.from({ length: users }, user))
  return { latenciesMs, wallMs: performance.now() - begun }
}
