import { systemClock as clock } from '../base/clock.ts'
import { reasonOf, Refusal } from '../base/errors.ts'
import type { Handler, Request } from '../base/http.ts'
import type { Log } from '../base/log.ts'
import { systemRandom as random } from '../base/random.ts'
import type { Analyzer } from '../base/words.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { DistantStore } from '../drivers/sqlite/distant.ts'
import type { DeploymentStatus } from '../engine/health.ts'
import type { AskWith, EmbedWith } from '../engine/port.ts'
import { Gateway } from '../gateway/gateway.ts'
import type { MakeOwn } from '../gateway/inner.ts'
import type { Account } from '../gateway/own.ts'
import type { Principal } from '../guard/principal.ts'
import { Accounting, type BudgetWarning } from '../meter/accounting.ts'
import { type AlertInput, Alerts } from '../meter/alerts/alerts.ts'
import { Prompts } from '../prompt/prompts.ts'
import type { Search } from '../retrieval/search.ts'
import { checkedBudgetsOf } from './budgets.ts'
import { Models } from './models.ts'
import type { LoadPrices } from './prices.ts'
import type { LoadTokenizers } from './tokenizers.ts'

/** The data plane of one process, put together: the same in the main process and in each of several
 *  gateways. */

export interface GatewayParts {
  /** The name of this process among those that share the store. */
  readonly node: string
  readonly log: Log
  readonly analyzer: Analyzer
  readonly store: DistantStore
  readonly search: Search
  readonly explainNothing: (collection: string) => Promise<string>
  readonly authenticate: (request: Request) => Principal | Refusal
  readonly loadPrices: LoadPrices
  readonly loadTokenizers: LoadTokenizers
  readonly loaded: LoadedConfig
}

export interface OwnCalls {
  readonly embedWith: EmbedWith
  readonly askWith: AskWith
}

export class HouseGateway {
  readonly #gateway: Gateway
  readonly #models: Models
  readonly #accounting: Accounting
  readonly #unfollow: () => void
  #loaded: LoadedConfig

  private constructor({ node, log, store, authenticate, loaded, ...rest }: GatewayParts) {
    this.#loaded = loaded
    const onTurn = ({ deployment, circuit, trouble, reason, retryAfterMs }: DeploymentStatus): void =>
      circuit === 'closed'
        ? log.write('info', 'a circuit has closed: the deployment answers again', { deployment })
        : log.write('warn', 'a circuit has opened: the deployment is left out', {
            deployment,
            trouble: trouble ?? '',
            reason: reason ?? '',
            retryAfterMs,
          })
    const onEjection = (deployment: string, oddity: string | undefined): void =>
      oddity === undefined
        ? log.write('info', 'a deployment is asked as its peers are again', { deployment })
        : log.write('warn', 'a deployment is worse than its peers, and asked after them', { deployment, oddity })
    const onMetrics = (engine: string, reason: string | undefined): void =>
      reason === undefined
        ? log.write('info', 'the metrics of an engine can be read again', { engine })
        : log.write('warn', 'the metrics of an engine cannot be read: its own counts are left out', { engine, reason })
    const { rows, leases } = store
    this.#models = new Models({
      clock,
      random,
      onTurn,
      onEjection,
      onMetrics,
      prompts: new Prompts({ rows, clock }),
      ...rest,
    })
    const alerts = new Alerts({ clock, random, rows })
    this.#accounting = new Accounting({
      rows,
      leases,
      clock,
      log,
      node,
      onWarning: (warning) =>
        void alerts
          .raise(alertOf(warning))
          .catch((cause: unknown) => log.write('error', 'an alert could not be raised', { reason: reasonOf(cause) })),
    })
    this.#unfollow = this.#accounting.follow()
    this.#gateway = new Gateway({
      clock,
      random,
      log,
      events: store.events,
      rows,
      node,
      catalogue: () => this.#models.catalogue,
      authenticate,
      limits: () => this.#loaded.config.limits,
      accounting: this.#accounting,
    })
  }

  static async open(parts: GatewayParts): Promise<HouseGateway> {
    const gateway = new HouseGateway(parts)
    await gateway.load(parts.loaded)
    return gateway
  }

  get accounting(): Accounting {
    return this.#accounting
  }

  get handle(): Handler {
    return this.#gateway.handle
  }

  /** Calls of the models in force outside of any request: on the account of who owns the collection that
   *  they are for. */
  get ownCalls(): OwnCalls {
    const makeOwn: MakeOwn = (call, collection) => this.#gateway.own(call, this.#ownerOf(collection))
    return { embedWith: this.#models.embedWith(makeOwn), askWith: this.#models.askWith(makeOwn) }
  }

  #ownerOf(collection: string | undefined): Account {
    if (collection === undefined) return { scopes: {} }
    const tenant = this.#loaded.config.collections[collection]?.tenant
    return { scopes: { ...(tenant === undefined ? {} : { tenant }), tags: [`collection:${collection}`] } }
  }

  /** Embeds for a search of the control plane, on the account of who searches. */
  embedFor(asker: Parameters<Gateway['accountOf']>[0]): EmbedWith | Refusal {
    const account = this.#gateway.accountOf(asker)
    return account instanceof Refusal ? account : this.#models.embedWith((call) => this.#gateway.own(call, account))
  }

  get inFlight(): number {
    return this.#gateway.inFlight
  }

  /** How the deployments fare, seen from this process. */
  get deployments(): DeploymentStatus[] {
    return this.#models.status()
  }

  /** Puts a configuration in force. When it rejects, the one before stays. */
  async load(loaded: LoadedConfig): Promise<void> {
    await this.#models.load(loaded)
    await this.#accounting.load(checkedBudgetsOf(loaded))
    this.#loaded = loaded
  }

  /** As `Gateway.purgeCache`. */
  purgeCache(model: string | undefined): number {
    return this.#gateway.purgeCache(model)
  }

  /** As `Gateway.rerank`. */
  rerank: Gateway['rerank'] = (...asked) => this.#gateway.rerank(...asked)

  /** As `Gateway.handleFor`. */
  handleFor(principal: Principal): Handler {
    return this.#gateway.handleFor(principal)
  }

  /** As `Gateway.forgetAnswers`. */
  forgetAnswers(scope: string, keys: readonly string[]): Promise<void> {
    return this.#gateway.forgetAnswers(scope, keys)
  }

  /** As `Gateway.recover`. */
  recover(node?: string): Promise<number> {
    return this.#gateway.recover(node)
  }

  /** Refuses new work from now on. */
  drain(): void {
    this.#gateway.drain()
  }

  /** Once nothing is in flight: as `Gateway.flush`. */
  flush(): Promise<boolean> {
    return this.#gateway.flush()
  }

  async close(): Promise<void> {
    this.#unfollow()
    await this.#accounting.close()
    await this.#models.close()
  }
}

/** One alert for each period of each subject; every share that is passed takes it a step further. */
const alertOf = ({ budget, subject, period, endsAtMs, share, posted }: BudgetWarning): AlertInput => ({
  kind: 'budget_warning',
  subject: { budget: budget.id, ...(subject === '' ? {} : { [budget.scope]: subject }) },
  key: JSON.stringify(['budget', budget.id, subject, period]),
  step: String(share),
  evidence: {
    share,
    posted,
    limit: budget.limit,
    unit: budget.unit,
    period,
    resetsAt: Number.isFinite(endsAtMs) ? new Date(endsAtMs).toISOString() : null,
  },
})
