import { withoutBudgets } from './budgets.ts'
import type { Plant } from './house.ts'
import type { Violation } from './invariants.ts'
import type { AnswerPlan, RequestPlan, Scenario } from './scenario.ts'
import { World } from './world.ts'

/** Takes from a failing scenario whatever it does not need to fail in the same way: requests,
 *  crashes, faults, chunks, delays. */

export interface Shrunk {
  readonly scenario: Scenario
  readonly violation: Violation
  readonly runs: number
}

/** At a thousand runs a second, a few seconds. */
const RUNS_MAX = 4_000

/** A smaller scenario rolls other dice, so each is tried under a few seeds. */
const SEEDS_TRIED = 4

export async function shrink(
  scenario: Scenario,
  violation: Violation,
  plant: () => Plant = () => ({}),
): Promise<Shrunk> {
  let best: Shrunk = { scenario, violation, runs: 0 }
  let runs = 0
  const fails = async (candidate: Scenario): Promise<Shrunk | undefined> => {
    for (let i = 0; i < SEEDS_TRIED && runs < RUNS_MAX; i++) {
      const tried = { ...candidate, seed: scenario.seed + i * 1_000_003 }
      runs++
      const outcome = await new World(tried, plant()).run()
      if (outcome.violation?.invariant === violation.invariant)
        return { scenario: tried, violation: outcome.violation, runs }
    }
    return undefined
  }
  for (let smaller: Shrunk | undefined = best; smaller !== undefined;) {
    best = smaller
    smaller = undefined
    for (const candidate of reductions(best.scenario)) {
      smaller = await fails(candidate)
      if (smaller !== undefined || runs >= RUNS_MAX) break
    }
  }
  return { ...best, runs }
}

/** Every scenario that is one step smaller, the largest steps first. */
function* reductions(scenario: Scenario): Generator<Scenario> {
  const { requests, crashes, diskFull } = scenario
  yield* without(requests).map((fewer) => ({ ...scenario, requests: fewer }))
  yield* without(crashes).map((fewer) => ({ ...scenario, crashes: fewer }))
  if (scenario.stopsAtMs.length > 0) yield { ...scenario, stopsAtMs: [] }
  if (diskFull.length > 0) yield { ...scenario, diskFull: [] }
  if (scenario.diskSlow) yield { ...scenario, diskSlow: false }
  yield* withoutBudgets(scenario.budgets).map((budgets) => ({ ...scenario, budgets }))
  if (scenario.skewMs !== 0) yield { ...scenario, skewMs: 0 }
  for (const [at, plan] of requests.entries()) {
    for (const smaller of smallerRequests(plan)) yield { ...scenario, requests: requests.with(at, smaller) }
  }
  for (const [at, effect] of crashes.entries()) {
    for (const sooner of [effect >> 1, effect - 1])
      if (sooner >= 1) yield { ...scenario, crashes: crashes.with(at, sooner) }
  }
}

function* smallerRequests(plan: RequestPlan): Generator<RequestPlan> {
  const { leaves: _, ...staying } = plan
  if (plan.leaves !== undefined) yield staying
  yield* simpler(plan, {
    operation: 'chat',
    reads: 'steadily',
    body: 'good',
    credential: 'user',
    isKeyed: false,
    model: 'solo',
    finds: 'something',
    includeUsage: false,
    atMs: 40,
  })
  if (plan.answers.length > 1) yield* without(plan.answers).map((answers) => ({ ...plan, answers }))
  for (const [at, answer] of plan.answers.entries()) {
    for (const smaller of smallerAnswers(answer)) yield { ...plan, answers: plan.answers.with(at, smaller) }
  }
}

function* smallerAnswers(answer: AnswerPlan): Generator<AnswerPlan> {
  const { frames } = answer
  if (frames.length > 3) {
    yield { ...answer, frames: frames.slice(0, frames.length >> 1) }
    yield { ...answer, frames: frames.slice(frames.length >> 1) }
  }
  yield* without(frames).map((fewer) => ({ ...answer, frames: fewer }))
  for (const [at, frame] of frames.entries()) if (frame !== 'text') yield { ...answer, frames: frames.with(at, 'text') }
  yield* simpler(answer, {
    connect: 'ok',
    status: 200,
    contentType: 'right',
    ending: 'done',
    usage: 'right',
    lines: 'lf',
    thinksMs: 0,
    gapMs: 0,
    framesPerPacket: 1,
    cap: 'heeded',
  })
}

/** The thing with one of its fields made plain. */
function* simpler<Thing extends object>(thing: Thing, plain: Partial<Thing>): Generator<Thing> {
  for (const name of Object.keys(plain) as (keyof Thing)[])
    if (thing[name] !== plain[name]) yield { ...thing, [name]: plain[name] }
}

const without = <Item>(items: readonly Item[]): Item[][] => items.map((_, at) => items.toSpliced(at, 1))
