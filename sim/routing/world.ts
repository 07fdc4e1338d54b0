import type { Clock } from '../../src/base/clock.ts'
import { fault, toProblem } from '../../src/base/errors.ts'
import { seededRandom } from '../../src/base/random.ts'
import { Health } from '../../src/engine/health.ts'
import { type CallDependencies, callModel } from '../../src/gateway/call.ts'
import { deploymentName, type Deployment, type LogicalModel } from '../../src/gateway/catalogue.ts'
import { askInTurn } from '../../src/gateway/in-turn.ts'
import { always } from '../../src/meter/prices.ts'
import { Spending } from '../../src/meter/spending.ts'
import { Trace } from '../../src/trace/trace.ts'
import { Kernel } from '../kernel.ts'
import { SimEngine } from './engine.ts'
import type { RoutingInvariant } from './invariants.ts'
import { RoutingJudge } from './judge.ts'
import type { RequestPlan, Scenario } from './scenario.ts'

/** The real calls, turns, circuits, books and retry budgets, over engines that fail for a while. */

/** A fault put between the calls and what they stand on. */
export interface Plant {
  readonly health?: (health: NonNullable<Deployment['health']>) => NonNullable<Deployment['health']>
  readonly retries?: NonNullable<LogicalModel['retries']>
  /** Changes the model that is in force. */
  readonly model?: (model: LogicalModel) => LogicalModel
  /** A new configuration begins with nothing known. */
  readonly forgets?: boolean
  readonly clock?: (clock: Clock) => Clock
  readonly call?: (call: typeof callModel) => typeof callModel
}

/** Far above what the busiest scenario takes. */
const STEPS_MAX = 100_000
const TIMEOUTS = { connectMs: 500, firstTokenMs: 3_000, betweenTokensMs: 5_000, totalMs: 12_000 } as const
const OUTPUT_TOKENS_MAX = 200
const REPORT_STALE_MS = 3_000

export class World {
  readonly kernel: Kernel<RoutingInvariant>
  readonly judge: RoutingJudge
  readonly scenario: Scenario
  readonly #plant: Plant
  readonly #clock: Clock
  readonly #engines: readonly SimEngine[]
  readonly #plans = new Map<string, RequestPlan>()
  readonly #dependencies: CallDependencies
  #health: Health
  #model: LogicalModel

  constructor(scenario: Scenario, plant: Plant = {}, keepTrace = false) {
    const kernel = new Kernel<RoutingInvariant>(scenario.seed, keepTrace)
    this.kernel = kernel
    this.scenario = scenario
    this.#plant = plant
    const clock: Clock = {
      monotonicMs: () => kernel.nowMs,
      wallMs: () => 1_780_000_000_000 + kernel.nowMs,
      after: (delayMs, task) => kernel.after(delayMs, 'a timer', task),
    }
    this.#clock = plant.clock?.(clock) ?? clock
    this.judge = new RoutingJudge(kernel, scenario)
    this.#engines = scenario.deployments.map(
      (plan, at) => new SimEngine(`engine-${at}`, plan, kernel, this.judge, this.#plans),
    )
    this.#health = new Health({ clock: this.#clock })
    this.#model = this.#build()
    const models = (): ReadonlyMap<string, LogicalModel> => new Map([['chat', this.#model]])
    this.#dependencies = { clock: this.#clock, random: seededRandom(scenario.seed), catalogue: models }
    this.judge.members = () => this.#model.deployments.map(({ engine }) => engine.name)
    this.judge.isIn = (name) => {
      const own = this.#health.of(`${name}/m`, '')
      return own.circuit('chat').admits && own.ejected === undefined
    }
    kernel.afterEveryStep(() => this.judge.booksAgree(this.#health.status(), this.#engines))
  }

  async run(): ReturnType<Kernel<RoutingInvariant>['run']> {
    const { requests, reloadsAtMs } = this.scenario
    for (const [number, plan] of requests.entries())
      this.kernel.after(plan.atMs, `request ${number}`, () => this.#request(`req_${number}@${plan.atMs}`, plan))
    for (const { atMs, deployment, ...said } of this.scenario.reports)
      this.kernel.after(atMs, `engine-${deployment} says something`, () =>
        this.#health.of(`engine-${deployment}/m`, '').report(said, REPORT_STALE_MS),
      )
    for (const atMs of reloadsAtMs) this.kernel.after(atMs, 'a reload', () => this.#reload())
    const outcome = await this.kernel.run(STEPS_MAX)
    if (outcome.violation === undefined) this.judge.atRest()
    return this.kernel.outcome()
  }

  #request(requestId: string, plan: RequestPlan): void {
    this.#plans.set(requestId, plan)
    const { judge } = this
    const spending = new Spending(this.#clock, undefined, requestId, {})
    const inner = { requestId, model: this.#model, spending, span: new Trace(this.#clock).open('call') }
    const text = 'x'.repeat(plan.promptUnits)
    let leave: () => void
    let hasBegun = false
    if (plan.operation === 'chat') {
      const body = { messages: [{ role: 'user', content: text }] }
      const call = this.#plant.call?.(callModel) ?? callModel
      const attempt = call(
        this.#dependencies,
        { ...inner, body, stream: plan.stream, outputTokensMax: OUTPUT_TOKENS_MAX, asker: { user: plan.user } },
        {
          commit: ({ engine }) => {
            hasBegun = true
            judge.heard(requestId, engine.name)
          },
          frame() {},
          end: () => judge.over(requestId, 'answered'),
          fail: ({ code }) => judge.over(requestId, 'failed', code, hasBegun),
        },
      )
      leave = () => attempt.cancel()
    } else {
      const stop = new AbortController()
      leave = () => stop.abort(fault('stream_broken', { engine: 'chat', reason: 'the caller left' }))
      const deadline = this.#clock.after(TIMEOUTS.totalMs, () =>
        stop.abort(fault('engine_timeout', { engine: 'chat', phase: 'finish', limitMs: TIMEOUTS.totalMs })),
      )
      askInTurn(
        this.#dependencies,
        { ...inner, operation: 'embed', texts: [text], signal: stop.signal },
        ({ engine, model }, context) =>
          engine.embed({ ...context, model, inputs: [text] }).then(() => ({ usage: undefined })),
      )
        .then(
          () => judge.over(requestId, 'answered'),
          (thrown: unknown) => judge.over(requestId, 'failed', toProblem(thrown).code),
        )
        .finally(() => deadline.cancel())
    }
    const { leavesAfterMs } = plan
    if (leavesAfterMs === undefined) return
    this.kernel.after(leavesAfterMs, `the caller of ${requestId} leaves`, () => {
      if (judge.outcomes.has(requestId)) return
      judge.over(requestId, 'left')
      leave()
    })
  }

  /** Of the same configuration: what is known must stay known. */
  #reload(): void {
    this.#health = this.#plant.forgets === true ? new Health({ clock: this.#clock }) : this.#health.successor()
    this.#model = this.#build()
  }

  #build(): LogicalModel {
    const { hasFallback, routing, affinity, hedgeAfterMs, ejects } = this.scenario
    const deployments = this.#engines.map((engine, at): Deployment => {
      const health = this.#health.of(`${engine.name}/m`, '')
      const price = { inputNanoUsd: BigInt(at + 1), cachedInputNanoUsd: 1n, outputNanoUsd: 1_000n }
      return {
        engine,
        model: 'm',
        weight: engine.plan.weight,
        health: this.#plant.health?.(health) ?? health,
        priceAt: always(price, 'config'),
      }
    })
    const model = (name: string, own: readonly Deployment[], fallback: readonly LogicalModel[]): LogicalModel => ({
      name,
      kind: 'model',
      description: '',
      operations: ['chat', 'embed'],
      deployments: own,
      routing,
      ...(affinity === undefined
        ? {}
        : { affinity: affinity === 'user' ? { by: affinity } : { by: affinity, releaseTokens: 4_000 } }),
      ...(hedgeAfterMs === undefined ? {} : { hedge: { afterMs: hedgeAfterMs } }),
      ...(ejects ? { outliers: this.#health.outliersOf(own.map(nameOf), 0.5) } : {}),
      retries: this.#plant.retries ?? this.#health.retriesOf(name),
      fallback,
      outputTokensMax: OUTPUT_TOKENS_MAX,
      timeouts: TIMEOUTS,
    })
    const spare = hasFallback ? [model('spare', deployments.slice(-1), [])] : []
    const chat = model('chat', hasFallback ? deployments.slice(0, -1) : deployments, spare)
    return this.#plant.model?.(chat) ?? chat
  }
}

const nameOf = (deployment: Deployment): string => deploymentName(deployment)
