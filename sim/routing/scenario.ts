import type { Routing } from '../../src/gateway/catalogue.ts'
import { Dice } from '../dice.ts'

/** What happens in a run, as plain data made from a seed. */

export interface Scenario {
  /** Decides what the plans leave open: the order of what is due at once, the draws of the router. */
  readonly seed: number
  readonly routing: Routing
  readonly affinity?: 'user' | 'prefix'
  /** How late a stream is when a second engine is asked. */
  readonly hedgeAfterMs?: number
  /** Engines that are worse than the others are asked after them. */
  readonly ejects: boolean
  /** What an engine says of itself then: any of it may be a lie. */
  readonly reports: readonly ReportPlan[]
  readonly deployments: readonly DeploymentPlan[]
  /** The last deployment is not the model's own, but its fallback's. */
  readonly hasFallback: boolean
  readonly requests: readonly RequestPlan[]
  /** When the configuration is read again. */
  readonly reloadsAtMs: readonly number[]
}

export interface ReportPlan {
  readonly atMs: number
  /** Of the deployments. */
  readonly deployment: number
  readonly running: number
  readonly waiting: number
  readonly kvUse: number
}

export interface DeploymentPlan {
  readonly weight: number
  readonly outages: readonly Outage[]
}

export interface Outage {
  readonly fromMs: number
  readonly forMs: number
  readonly how: Ailment
}

/** `refuses` connections; `errs` with a 500; `hangs`; is `busy`; `asks` for a pause; `breaks` off after
 *  the first words; is `slow`, which is no failure; `rejects` what it is sent, which is no ailment of its own. */
export const AILMENTS = ['refuses', 'errs', 'hangs', 'busy', 'asks', 'breaks', 'slow', 'rejects'] as const
export type Ailment = (typeof AILMENTS)[number]

export interface RequestPlan {
  readonly atMs: number
  readonly operation: 'chat' | 'embed'
  readonly stream: boolean
  readonly user: string
  readonly promptUnits: number
  /** How long an engine that is well takes for it. */
  readonly worksMs: number
  /** Its caller leaves then, if it has no answer yet. */
  readonly leavesAfterMs?: number
}

const ROUTINGS: readonly Routing[] = ['weighted', 'priority', 'least_outstanding', 'p2c', 'cheapest', 'fastest']
const USERS = ['ada', 'ben', 'cleo'] as const
/** Beyond the longest pause of a circuit: whoever is well by then is tried again. */
const RECOVERY_MS = 65_000
const CALM_REQUESTS = 12
const BURST_REQUESTS = 6

export function makeScenario(seed: number): Scenario {
  const dice = new Dice(seed).fork('routing')
  const spanMs = dice.int(5, 60) * 1_000
  const count = dice.int(1, 4)
  const deployments = Array.from({ length: count }, (_, at) => makeDeployment(dice.fork(`deployment ${at}`), spanMs))
  const gapMs = spanMs / dice.int(20, 300)
  const requests: RequestPlan[] = []
  for (let atMs = dice.int(0, 500); atMs < spanMs; atMs += Math.ceil(gapMs * dice.pick([0, 0.5, 1, 1, 2])) + 1)
    requests.push(makeRequest(dice.fork(`request ${requests.length}`), atMs))
  return {
    seed,
    routing: dice.pick(ROUTINGS),
    ...makeHabits(dice.fork('habits'), count, spanMs),
    deployments,
    hasFallback: count > 1 && dice.chance(0.4),
    requests: [...requests, ...recovery(endOf(deployments, spanMs) + RECOVERY_MS)],
    reloadsAtMs: dice.chance(0.5) ? [dice.int(0, spanMs), dice.int(0, spanMs)] : [],
  }
}

function makeHabits(
  dice: Dice,
  count: number,
  spanMs: number,
): Pick<Scenario, 'affinity' | 'hedgeAfterMs' | 'ejects' | 'reports'> {
  const affinity = dice.pick(['none', 'none', 'user', 'prefix'] as const)
  const report = (): ReportPlan => ({
    atMs: dice.int(0, spanMs),
    deployment: dice.int(0, count - 1),
    running: dice.pick([0, 3, 1_000_000]),
    waiting: dice.pick([0, 5, 1_000_000]),
    kvUse: dice.pick([0, 0.5, 1]),
  })
  return {
    ...(affinity === 'none' ? {} : { affinity }),
    ...(dice.chance(0.4) ? { hedgeAfterMs: dice.pick([20, 150, 800]) } : {}),
    ejects: dice.chance(0.4),
    reports: dice.chance(0.5) ? Array.from({ length: dice.int(1, 20) }, report) : [],
  }
}

/** Everything fails from the first request to the last, `perSecond` of them. */
export function makeBlackout(seed: number, requests: number, perSecond: number): Scenario {
  const forMs = (requests / perSecond) * 1_000 + 60_000
  return {
    ...makeScenario(seed),
    deployments: AILMENTS.filter((how) => how === 'refuses' || how === 'errs' || how === 'busy').map((how) => ({
      weight: 1,
      outages: [{ fromMs: 0, forMs, how }],
    })),
    hasFallback: seed % 2 === 0,
    requests: Array.from({ length: requests }, (_, at) => ({
      atMs: (at * 1_000) / perSecond,
      operation: 'chat',
      stream: true,
      user: 'ada',
      promptUnits: 400,
      worksMs: 100,
    })),
    reloadsAtMs: [],
  }
}

function makeDeployment(dice: Dice, spanMs: number): DeploymentPlan {
  const outages: Outage[] = []
  if (dice.chance(0.7))
    for (let n = dice.int(1, 3); n > 0; n--)
      outages.push({ fromMs: dice.int(0, spanMs), forMs: dice.int(100, 25_000), how: dice.pick(AILMENTS) })
  return { weight: dice.pick([1, 1, 3]), outages }
}

const makeRequest = (dice: Dice, atMs: number): RequestPlan => ({
  atMs,
  operation: dice.chance(0.2) ? 'embed' : 'chat',
  stream: dice.chance(0.6),
  user: dice.pick(USERS),
  promptUnits: dice.int(0, 20_000),
  worksMs: dice.chance(0.2) ? dice.int(1_000, 4_000) : dice.int(5, 500),
  ...(dice.chance(0.15) ? { leavesAfterMs: dice.int(0, 3_000) } : {}),
})

/** When all are well: one after another, until every circuit has had its probe, then many at once. */
function recovery(fromMs: number): RequestPlan[] {
  const at = (atMs: number): RequestPlan => ({
    atMs,
    operation: 'chat',
    stream: true,
    user: 'ada',
    promptUnits: 100,
    worksMs: 50,
  })
  const calm = Array.from({ length: CALM_REQUESTS }, (_, number) => at(fromMs + number * 500))
  return [...calm, ...Array.from({ length: BURST_REQUESTS }, () => at(fromMs + CALM_REQUESTS * 500))]
}

/** When the last outage is over, and what hung in it has been given up. */
const endOf = (deployments: readonly DeploymentPlan[], spanMs: number): number =>
  Math.max(spanMs, ...deployments.flatMap(({ outages }) => outages.map(({ fromMs, forMs }) => fromMs + forMs))) + 20_000

/** From then on everything is well. */
export const recoveredAtMs = ({ requests }: Scenario): number => requests.at(-CALM_REQUESTS - BURST_REQUESTS)?.atMs ?? 0
